//! What the whole engine is held to under attack, its commits, breakers and budgets included: what [neighbours are held
//! to](interlink_conformance::isolation). That the check can fail is shown with an engine that has none of what keeps the
//! promise: places for all, and CPU time without end.

use interlink_conformance::hand::{Guest, manifest};
use interlink_conformance::isolation::{Round, Took, is_kept, share_of_cores};
use interlink_host::Limits;
use interlink_runtime::Options;

use super::super::engine::{SCHEMA, open_with};
use super::*;

/// Rounds before anything is judged, and at most.
const ROUNDS: std::ops::RangeInclusive<usize> = 2..=8;
const ROUND: Measure = Measure { calls: 250, length: Duration::from_secs(6) };

/// Some work, and a change.
const TOUCH: &str = "(local $i i32)
    (loop $again
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $i) (i32.const 100000))))
    (call $set (i32.const 32) (i32.const 3) (i32.const 16) (i32.const 4))
    (call $null)";
/// One town at a time: what another does in this process would count as ours.
static ONE_TOWN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
const SPIN: &str = "(loop $again (br $again)) unreachable";

fn component(number: usize) -> Outcome<(String, Vec<u8>)> {
    let name = format!("one-{number}");
    let (action, body) = if Town::is_hostile(number) { ("spin", SPIN) } else { ("touch", TOUCH) };
    let mut manifest = manifest();
    manifest["name"] = json!(name);
    manifest["actions"] = json!([{ "name": action }]);
    Ok((name, Guest::calling(body).with_manifest(Some(manifest.to_string().as_bytes())).bytes()))
}

fn took(measured: Measured) -> Took {
    let [median, p99] = [measured.p50_us, measured.p99_us].map(|us| Duration::from_secs_f64(us / 1e6));
    Took { median, p99 }
}

/// Whether a town is as it is alone under attack, with what was measured.
async fn measured(town: &Town, rounds_max: usize) -> Outcome<(bool, Vec<Round>)> {
    town.alone(ROUND).await?;
    let mut rounds = Vec::new();
    loop {
        let (share, alone) = (share_of_cores(), took(town.alone(ROUND).await?));
        let attacked = town.attacked(ROUND).await?;
        println!("share {share:.2}, alone {alone:?}, attacked {attacked:?}");
        assert!(attacked.made > 0 && attacked.made + attacked.refused >= 300, "it was no attack: {attacked:?}");
        rounds.push(Round { alone, attacked: took(attacked.others), share });
        let kept = is_kept(&rounds);
        if rounds.len() >= *ROUNDS.start() && (kept || rounds.len() >= rounds_max) {
            return Ok((kept, rounds));
        }
    }
}

async fn town(options: Options) -> Outcome<(Town, tempfile::TempDir)> {
    let place = tempfile::tempdir().map_err(|error| error.to_string())?;
    let (engine, caller) = open_with(place.path(), options, SCHEMA).await?;
    Ok((Town::made(engine, caller, component, None).await?, place))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_assets_of_which_some_never_end_keep_the_others_as_they_are_alone_with_their_commits() {
    let _one = ONE_TOWN.lock().await;
    let (town, _place) = town(Options::default()).await.expect("it is made");
    let (kept, rounds) = measured(&town, *ROUNDS.end()).await.expect("the others are served");
    assert!(kept, "medians within twice, 99 of a hundred within twice and two ticks: {rounds:?}");
    town.engine.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_without_places_and_budgets_does_not_keep_it_and_the_check_sees_that() {
    let _one = ONE_TOWN.lock().await;
    // Places for far more calls than there are cores, half of which slow ones may have.
    let places = 64;
    let without = Limits { cpu_ms_per_s: 100_000, cpu_burst_ms: 60_000, calls_aside: places, ..Limits::default() };
    let options = Options { guest_threads: places, limits: without, ..Options::default() };
    let (town, _place) = town(options).await.expect("it is made");
    let seen = measured(&town, *ROUNDS.start()).await;
    // Where the others are not even served, it is not kept either.
    assert!(!seen.as_ref().is_ok_and(|(kept, _)| *kept), "the check cannot fail: {seen:?}");
    town.engine.close();
}

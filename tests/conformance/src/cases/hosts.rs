//! Limits that lie with the host: what it cannot record or read, and how many calls it takes at once.

use serde_json::{Value, json};

use super::imports::grant;
use super::{harming, whole};
use crate::case::{Case, Comes, Group, Step};
use crate::hand::Guest;
use crate::hand::asking::Asking;
use crate::subject::{Need, Weakness};

/// Computes without end.
const SPIN: &str = "(loop $again (br $again)) unreachable";

fn case(name: &'static str, guest: Guest) -> Case {
    Case::of(Group::Limit, name, guest)
}

fn asking(name: &'static str, asking: Asking) -> Case {
    case(name, asking.whole())
}

pub(super) fn cases() -> Vec<Case> {
    [record(), queue()].into_iter().flatten().collect()
}

fn record() -> Vec<Case> {
    let again = |input: Value, comes| Step::Again { asset: "a", action: "go", input, comes };
    let drawn = "(call $random (i32.sub (local.get 3) (i32.const 1)) (i32.const 2048)) (call $null)";
    let migrates = |body: &str| Asking::new().whole().migrating(body).later("1.1.0");
    let blob = Asking::new().blob("sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", 0, 9);
    vec![
        asking("what cannot be recorded is not seen", Asking::new().set("k", b"").now())
            .needing(Need::Weakness(Weakness::DiskFull))
            .fails(&["not-recorded"]),
        asking("a call that is run again is answered as before", Asking::new().random(8).now())
            .needing(Need::RunAgain)
            .is_done()
            .then(again(json!({}), Comes::Done)),
        case("a call that asks for something else when it is run again is stopped", harming(drawn))
            .needing(Need::RunAgain)
            .goes(json!([1]), Comes::Done)
            .then(again(json!([1, 2]), Comes::Failed(&["diverged"]))),
        asking("a record that is damaged is not made up for", Asking::new().now())
            .needing(Need::RunAgain)
            .needing(Need::Weakness(Weakness::RecordDamaged))
            .is_done()
            .then(again(json!({}), Comes::Failed(&["record-unreadable"]))),
        asking("an alarm of a guest that has none for it is told so", Asking::new())
            .needing(Need::RingAtWill)
            .then(Step::RingAtWill("a", "rings", Comes::Failed(&["absent"]))),
        asking("a blob that cannot be read is no blob that is not there", blob)
            .needing(Need::Weakness(Weakness::BlobsUnread))
            .then(Step::PutBlob("a", "text/plain", b"hello".to_vec(), Comes::Done))
            .fails(&["blob-unread"]),
        asking("a migration changes state and nothing else", Asking::new())
            .published(migrates("(call $declare (i32.const 16) (i32.const 4)) (call $null)"))
            .then(Step::Upgrade("a", "1.1.0", Comes::Failed(&["migration-wants"]))),
        asking("a migration asks nobody outside", Asking::new())
            .published(migrates("(drop (call $now)) (call $null)"))
            .then(Step::Upgrade("a", "1.1.0", Comes::Failed(&["not-granted"]))),
    ]
}

fn queue() -> Vec<Case> {
    let at_once = |assets, action, times, fails| Step::AtOnce { assets, action, input: json!({}), times, fails };
    let asks = || {
        let input = json!({"method": "GET", "url": "{outside}/slow"});
        Step::AtOnce { assets: &["a"], action: Some("go"), input, times: 6, fails: &[] }
    };
    let looping = |name: &'static str, limits: &'static [(&'static str, u64)]| {
        case(name, whole(SPIN)).needing(Need::Limits(limits))
    };
    let views = |name: &'static str, limits: &'static [(&'static str, u64)]| {
        let names = ["a", "b", "c", "d", "e", "f"];
        let view = |number: usize| whole("(call $null)").whose_view(&format!("{} {SPIN}", "nop ".repeat(number)));
        let first = case(name, view(0)).needing(Need::Limits(limits));
        (1..6).fold(first, |case, number| case.published(view(number)).made(names[number], number))
    };
    let all: &[&str] = &["a", "b", "c", "d", "e", "f"];
    let slow = |name: &'static str, limits: &'static [(&'static str, u64)], limit: &'static str| {
        let first = asking(name, Asking::new().http_of_input()).needing(Need::Outside).needing(Need::Limits(limits));
        first.granted(grant(&["GET"], "{outside}")).crossing(&[limit])
    };
    vec![
        looping(
            "calls of one Interlinker wait in a line that ends",
            &[("fuel", u64::MAX), ("deadline_ms", 60), ("waiting_calls", 1)],
        )
        .crossing(&["waiting_calls"])
        .then(at_once(&["a"], Some("go"), 8, &["busy", "deadline"])),
        looping(
            "an Interlinker that has used its CPU time up waits in a shorter line",
            &[
                ("fuel", u64::MAX),
                ("deadline_ms", 60),
                ("cpu_ms_per_s", 1),
                ("cpu_burst_ms", 1),
                ("waiting_over_budget", 1),
            ],
        )
        .crossing(&["cpu_ms_per_s", "cpu_burst_ms", "waiting_over_budget"])
        .then(at_once(&["a"], Some("go"), 8, &["cpu", "deadline"])),
        views("so many slow calls are under way", &[("fuel", u64::MAX), ("deadline_ms", 150), ("calls_aside", 2)])
            .crossing(&["calls_aside"])
            .then(at_once(all, None, 1, &["crowded", "deadline"])),
        views("a slow call waits for others so long", &[("fuel", u64::MAX), ("deadline_ms", 300), ("aside_ms", 100)])
            .crossing(&["aside_ms"])
            .then(at_once(all, None, 1, &["aside", "deadline"])),
        slow("so many calls wait for the world outside", &[("calls_outside", 2)], "calls_outside")
            .then(asks())
            .then(Step::AtOnceOutside(2)),
        slow(
            "so many calls of one Interlinker wait for the world outside",
            &[("calls_outside_of_one", 2)],
            "calls_outside_of_one",
        )
        .then(asks())
        .then(Step::AtOnceOutside(2)),
    ]
}

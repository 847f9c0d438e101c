//! A thousand assets of a hundred Interlinkers, thirty of which do harm: what the others have of it.
//!
//! The others' calls are measured alone and under attack, in turn, and held to what [neighbours are held
//! to](interlink_conformance::isolation). The attack is a call under way on every asset of the thirty at once, made again as soon
//! as it has ended: nobody backs off, and it is measured from its first moment on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use interlink_conformance::isolation::{Round, Took, is_kept, share_of_cores};
use interlink_host::{Called, Cost, Failure, Host, Interlinker, Limits};
use interlink_model::keyvalues::KeyValues;
use serde_json::json;

use super::given::{Given, action, call, done, given, send, told};
use super::guest::{Guest, manifest};

const INTERLINKERS: usize = 100;
const HOSTILE: usize = 30;
const ASSETS_OF_EACH: usize = 10;
/// Clients of those that do no harm, each of which thinks for a while between its calls.
const CLIENTS: usize = 3;
const CALLS_OF_EACH: usize = 250;
const THINKS: Duration = Duration::from_millis(3);
/// Rounds before anything is judged, and at most: a machine that was busy has more.
const ROUNDS: std::ops::RangeInclusive<usize> = 2..=8;

/// What those do that do no harm: some work, and a change.
const WORK: &str = "(local $i i32)
    (loop $again
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $i) (i32.const 100000))))
    (call $set (i32.const 32) (i32.const 3) (i32.const 16) (i32.const 4))
    (call $null)";

/// What thirty do, in turn: loop, grow, trap, answer too much, flood the log, change too much.
const HARM: [&str; 6] = [
    "(loop $again (br $again)) unreachable",
    "(loop $again
       (drop (memory.grow (i32.const 16)))
       (memory.fill (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 1048576)) (i32.const 1) (i32.const 1048576))
       (br $again))
     unreachable",
    "unreachable",
    "(drop (memory.grow (i32.const 16)))
     (memory.fill (i32.const 65536) (i32.const 32) (i32.const 1000000))
     (i32.store8 (i32.const 65536) (i32.const 91))
     (i32.store8 (i32.const 1065535) (i32.const 93))
     (call $answer (i32.const 65536) (i32.const 1000000))",
    "(loop $again
       (call $log (i32.const 48) (i32.const 5) (i32.const 4096) (i32.const 4096))
       (br $again))
     unreachable",
    "(drop (memory.grow (i32.const 16)))
     (loop $again
       (call $set (i32.const 32) (i32.const 3) (i32.const 65536) (i32.const 65000))
       (br $again))
     unreachable",
];

/// The component of a number, under a name of its own.
fn component(number: usize) -> Vec<u8> {
    let body = if number < HOSTILE { HARM[number % HARM.len()] } else { WORK };
    let mut manifest = manifest();
    manifest["name"] = json!(format!("one-{number}"));
    Guest::calling(body).with_manifest(Some(manifest.to_string().as_bytes())).bytes()
}

/// An asset: which Interlinker it is of, and its state.
struct Asset {
    guest: Arc<Interlinker>,
    state: KeyValues,
}

struct Town {
    given: Given,
    hostile: Vec<Asset>,
    good: Vec<Asset>,
}

fn town() -> Town {
    let given = given(Limits::default());
    let loading = |numbers: Vec<usize>| {
        let host = given.host.clone();
        std::thread::spawn(move || {
            let load = |number: usize| (number, host.load(&component(number)).expect("it is sound"));
            numbers.into_iter().map(load).collect::<Vec<_>>()
        })
    };
    let halves: Vec<_> = (0..2).map(|half| loading((half..INTERLINKERS).step_by(2).collect())).collect();
    let mut guests: Vec<_> = halves.into_iter().flat_map(|half| half.join().expect("loaded")).collect();
    guests.sort_by_key(|(number, _)| *number);
    let assets = |numbers: std::ops::Range<usize>| -> Vec<Asset> {
        let each = (0..ASSETS_OF_EACH).flat_map(|_| numbers.clone());
        each.map(|number| Asset { guest: Arc::clone(&guests[number].1), state: KeyValues::default() }).collect()
    };
    let (hostile, good) = (assets(0..HOSTILE), assets(HOSTILE..INTERLINKERS));
    Town { given, hostile, good }
}

/// What came of an attack.
#[derive(Default)]
struct Attack {
    stop: AtomicBool,
    ended: AtomicUsize,
    failed: AtomicUsize,
}

/// Calls an asset, and calls it again as soon as that has ended.
fn attack(host: &Host, guest: &Arc<Interlinker>, attack: &Arc<Attack>) {
    let call = interlink_host::Call {
        entry: action("go", json!({})),
        state: KeyValues::default(),
        context: interlink_host::CallContext::default(),
        given: interlink_host::Given::default(),
    };
    let (again, host_again, guest_again) = (Arc::clone(attack), host.clone(), Arc::clone(guest));
    let tell = move |called: Called| {
        again.ended.fetch_add(1, Ordering::Relaxed);
        again.failed.fetch_add(usize::from(matches!(called.result, Err(Failure::Failed(_)))), Ordering::Relaxed);
        if !again.stop.load(Ordering::Relaxed) {
            self::attack(&host_again, &guest_again, &again);
        }
    };
    let goes_on = Arc::clone(attack);
    let may_begin = move || !goes_on.stop.load(Ordering::Relaxed);
    host.call_if(guest, call, None, Box::new(may_begin), Box::new(tell));
}

impl Town {
    /// Calls of those that do no harm: what they took until they were told. When whoever asked is woken is not the host's.
    fn measured(&self) -> Took {
        let client = |client: usize| {
            let mut taken = Vec::new();
            for number in 0..CALLS_OF_EACH {
                let asset = &self.good[(number * CLIENTS + client) * 7 % self.good.len()];
                let called = told(&send(&self.given.host, &asset.guest, "ana", action("go", json!({})), &asset.state));
                let Cost { wait_us, instantiate_us, call_us, .. } = called.cost;
                taken.push(Duration::from_micros(wait_us + instantiate_us + call_us));
                assert_eq!(done(called).changes.len(), 1, "it works, whatever others do");
                std::thread::sleep(THINKS);
            }
            taken
        };
        std::thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS).map(|number| scope.spawn(move || client(number))).collect();
            let mut all: Vec<_> = clients.into_iter().flat_map(|client| client.join().expect("it ends")).collect();
            all.sort();
            Took { median: all[all.len() / 2], p99: all[all.len() * 99 / 100] }
        })
    }

    /// The same under attack; answers how many calls of the attack ended and failed, too.
    fn attacked(&self) -> (Took, usize, usize) {
        let attack = Arc::new(Attack::default());
        self.hostile.iter().for_each(|asset| self::attack(&self.given.host, &asset.guest, &attack));
        let took = self.measured();
        attack.stop.store(true, Ordering::Relaxed);
        (took, attack.ended.load(Ordering::Relaxed), attack.failed.load(Ordering::Relaxed))
    }
}

#[test]
fn a_thousand_assets_of_which_some_do_harm_keep_the_others_as_they_are_alone() {
    let town = town();
    assert_eq!(town.good.len() + town.hostile.len(), INTERLINKERS * ASSETS_OF_EACH);
    town.measured();
    let (mut rounds, mut kept) = (Vec::new(), false);
    for round in 1..=*ROUNDS.end() {
        let (share, alone) = (share_of_cores(), town.measured());
        let (attacked, ended, failed) = town.attacked();
        println!(
            "share {share:.2}, alone {alone:?}, attacked {attacked:?}; of the attack {ended} calls ended, {failed} of them failed"
        );
        assert!(ended > HOSTILE && failed > 0, "it was no attack: {ended} calls, {failed} failed");
        rounds.push(Round { alone, attacked, share });
        kept = is_kept(&rounds);
        if kept && round >= *ROUNDS.start() {
            break;
        }
        // What is left of the attack ends before the next round.
        let begun = Instant::now();
        let is_left = || town.given.host.loads().iter().any(|load| load.running + load.waiting > 0);
        while is_left() && begun.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    assert!(kept, "medians within twice, 99 of a hundred within twice and two ticks: {rounds:?}");
    let called = call(&town.given.host, &town.good[0].guest, "ana", action("go", json!({})), &KeyValues::default());
    assert_eq!(done(called).output, json!(null));
}

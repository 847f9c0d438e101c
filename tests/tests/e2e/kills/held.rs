//! What must hold of the processes that were under way while the server was killed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::load::Asked;
use crate::client::Client;
use crate::given::{id_of, text};
use crate::outside::Arrived;

/// How long what happens by itself may take, once nobody kills the server any more.
const SETTLED: Duration = Duration::from_secs(60);
/// A timer that is so late has not fired, in microseconds: the server shares its machine with other tests.
const LATE_US: i64 = 10_000_000;
/// A second, in microseconds.
const SECOND_US: i64 = 1_000_000;
/// How often the task of the schema `ticking` comes.
pub const TICKS: i64 = 12;

fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    i64::try_from(since.as_micros()).expect("before the year 294,000")
}

/// Asks again until it holds.
#[track_caller]
fn until<T>(what: &str, mut holds: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = holds() {
            return found;
        }
        assert!(begun.elapsed() < SETTLED, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A process with every kind of work comes to its end, and has of everything exactly what was asked for. Answers the
/// process within it.
#[track_caller]
pub fn busy(client: &Client, asked: &Asked) -> String {
    let process = &asked.process;
    let task = |id: &str| client.get(&format!("{process}/tasks/{id}")).is(200);
    until(&format!("{process}: the last task is not ready"), || (task("end")["status"] == "ready").then_some(()));
    client.tell(&format!("{process}/tasks/end/complete")).is(200);
    assert_eq!(client.get(process).is(200)["status"], "completed");

    let assets = client.get(&format!("{process}/assets")).is(200);
    let of = |task: &str| -> Vec<String> {
        let all = assets["items"].as_array().expect("a list").iter();
        all.filter(|asset| asset["task"] == task).map(|asset| text(&asset["id"]).to_owned()).collect()
    };
    assert_eq!(of("ask").len(), 1, "the asset of a task is there once: {assets}");
    assert_eq!(of("plan"), asked.by_hand, "and what a person made: {assets}");
    let poll = client.get(&format!("/v1/assets/{}/view", of("ask")[0])).is(200);
    assert_eq!(poll["votes"]["North"], json!(1), "one vote counts once");
    text(&task("inner")["subprocess"]).to_owned()
}

/// Every run of a task that comes every second is there, in order, without a gap in its number or its time.
#[track_caller]
pub fn ticking(client: &Client, asked: &Asked) {
    let process = &asked.process;
    let opened = || -> Vec<(i64, i64)> {
        let events = client.all(&format!("{process}/events"), 1_000);
        let opened = events.iter().filter(|event| event["kind"] == "OccurrenceOpened");
        let number = |value: &Value| value.as_i64().expect("a number");
        opened.map(|event| (number(&event["data"]["number"]), number(&event["data"]["planned_at"]))).collect()
    };
    let first = until(&format!("{process}: nothing came"), || opened().first().copied());
    let wanted = ((now_us() - first.1) / SECOND_US + 1).min(TICKS);
    let runs = until(&format!("{process}: fewer than {wanted} runs"), || {
        let runs = opened();
        (runs.len() as i64 >= wanted).then_some(runs)
    });
    let planned: Vec<_> = (0..).map(|run| (run + 1, first.1 + run * SECOND_US)).take(runs.len()).collect();
    assert_eq!(runs, planned, "{process}");
}

/// Of every timer of a process that was armed and not taken back, its one `TimerFired` is there once its time is past.
/// Answers how many fired.
#[track_caller]
pub fn timers(client: &Client, process: &str) -> usize {
    let events = client.all(&format!("{process}/events"), 1_000);
    let mut armed: BTreeMap<String, i64> = BTreeMap::new();
    let mut fired: BTreeMap<(String, i64), usize> = BTreeMap::new();
    for event in &events {
        let data = &event["data"];
        let timer = json!([data["item"], data["timer"], data["number"]]).to_string();
        match text(&event["kind"]) {
            "TimerArmed" => drop(armed.insert(timer, data["due_at"].as_i64().expect("a time"))),
            "TimerDisarmed" => drop(armed.remove(&timer)),
            "TimerFired" => {
                let due_at = data["due_at"].as_i64().expect("a time");
                assert_eq!(armed.remove(&timer), Some(due_at), "{process}: {timer} fired and was not armed: {event}");
                *fired.entry((timer, due_at)).or_default() += 1;
            }
            _ => {}
        }
    }
    assert!(fired.values().all(|times| *times == 1), "{process}: a timer fired twice: {fired:?}");
    let until = now_us() - LATE_US;
    let running = client.get(process).is(200)["status"] == "running";
    let missing: Vec<_> = armed.iter().filter(|(_, due_at)| running && **due_at < until).collect();
    assert!(missing.is_empty(), "{process}: these never fired: {missing:?}");
    fired.len()
}

/// Of every call of services outside: each was asked, in order, again only while its answer was not recorded, and with the
/// same key then. A service's answer is recorded before the next one is asked. Answers how many requests were sent again.
#[track_caller]
pub fn requests(arrived: &[Arrived], asked: &Asked) -> usize {
    let mut keys: Vec<Vec<&str>> = vec![Vec::new(); asked.services.len()];
    let mut under_way = 0;
    for request in arrived {
        let service = asked.services.iter().position(|service| request.path[1..] == **service);
        let Some(service) = service else { continue };
        assert!(service >= under_way, "{} was asked again after it had been recorded", request.path);
        under_way = service;
        keys[service].push(&request.key);
    }
    for (service, keys) in asked.services.iter().zip(&keys) {
        assert!(keys.first().is_some_and(|first| !first.is_empty()), "{service} was asked, with a key");
        assert!(keys.iter().all(|key| *key == keys[0]), "{service} was asked again with another key: {keys:?}");
    }
    let different: BTreeSet<_> = keys.iter().map(|keys| keys[0]).collect();
    assert_eq!(different.len(), keys.len(), "each request of a call has its own key");
    keys.iter().map(|keys| keys.len() - 1).sum()
}

/// The processes that are there are those that were asked for, and no other.
#[track_caller]
pub fn nothing_else(client: &Client, asked: &[&Asked], within: &[String]) {
    let mut wanted: Vec<_> =
        asked.iter().map(|asked| id_of(&asked.process).to_owned()).chain(within.to_vec()).collect();
    let mut there: Vec<_> =
        client.all("/v1/processes", 1_000).iter().map(|process| text(&process["id"]).to_owned()).collect();
    wanted.sort();
    there.sort();
    assert_eq!(there, wanted);
}

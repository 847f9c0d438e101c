//! Anonymous actions: what is done is recorded under a pseudonym, and nothing leads from it to the person.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Ask, Client};
use crate::files::{below, written};
use crate::given::{asset, id_of, library, poll, running, shipped, text, with_manifest};
use crate::outside::Outside;
use crate::server::Server;

/// An Interlinker that ships, under another name, with anonymous actions.
fn anonymous(server: &Server, of: &str, name: &str, actions: &[(&str, &[&str])]) {
    let component = with_manifest(shipped(of), |manifest| {
        manifest["name"] = json!(name);
        for action in manifest["actions"].as_array_mut().expect("actions") {
            if let Some((_, allow)) = actions.iter().find(|(name, _)| action["name"] == *name) {
                action["anonymous"] = json!(true);
                action["allow"] = json!(allow);
            }
        }
    });
    server.operator().send("/v1/interlinkers", "application/wasm", component).is(201);
}

fn ballot(client: &Client, process: &str) -> String {
    let input = json!({"question": "Which evening?", "options": ["Monday", "Thursday"], "quorum": 2});
    asset(client, process, "find-room", "ballot", &input)
}

/// The 16 bytes of an id.
fn bytes(id: &str) -> Vec<u8> {
    let digits: Vec<_> = id.bytes().filter(|byte| *byte != b'-').collect();
    digits
        .chunks(2)
        .map(|two| u8::from_str_radix(std::str::from_utf8(two).expect("digits"), 16).expect("hex"))
        .collect()
}

/// How often each of these stands in all files but those of the state: as an id, and as the bytes of one. Indexes name a stream as
/// often as they are written, so one who does nothing is counted beside one who votes. sled writes a page as often as it likes;
/// what is in it is what the journal says.
fn named(server: &mut Server, people: [&Client; 2]) -> [usize; 2] {
    let ids = people.map(Client::id);
    server.stop();
    let found = ids.map(|id| occurrences(server, &[id.as_bytes().to_vec(), bytes(&id)]));
    server.launch();
    found
}

fn occurrences(server: &Server, forms: &[Vec<u8>]) -> usize {
    let of = |file: &Path| {
        let content = written(file);
        forms.iter().map(|form| content.windows(form.len()).filter(|window| window == form).count()).sum::<usize>()
    };
    let state = server.place("state");
    below(server.data()).iter().filter(|file| !file.starts_with(&state)).map(|file| of(file)).sum()
}

fn actors(events: &[Value], kind: &str) -> BTreeSet<String> {
    events.iter().filter(|event| event["kind"] == kind).map(|event| text(&event["actor"]).to_owned()).collect()
}

#[test]
fn a_vote_names_nobody_in_any_file_history_or_export_and_everybody_has_one() {
    let mut server = library();
    anonymous(&server, "poll", "ballot", &[("vote", &["contributor"])]);
    let [ana, boris, carla, dora] = ["ana", "boris", "carla", "dora"].map(|name| server.member(name));
    let process = running(&ana, "A secret vote");
    let (one, other) = (ballot(&ana, &process), ballot(&ana, &process));
    let open = poll(&ana, &process, "find-room", 2);
    let id = boris.id();
    assert_eq!(bytes(&id).len(), 16);
    let [he, she] = named(&mut server, [&boris, &dora]);
    assert!(he > 0 && he == she, "both are known, and would be found: {he}, {she}");

    let path = format!("{one}/actions/vote");
    let cast = || boris.ask(&Ask::post(&path, &json!({"option": "Monday"})).key("boris-votes"));
    cast().is(200);
    server.crash();
    let again = cast();
    again.is(200);
    assert_eq!(again.header("idempotent-replayed"), "true", "his key is known after a crash");
    for _ in 0..2 {
        boris.post(&path, &json!({"option": "Thursday"})).refused(409, "already-voted");
        server.crash();
    }
    boris.post(&path, &json!({"option": "Friday"})).is(409);
    boris.post(&path, &json!({"choice": 1})).refused(422, "invalid-input");
    let other_path = format!("{other}/actions/vote");
    boris.ask(&Ask::post(&other_path, &json!({"option": "Monday"})).key("boris-votes")).is(200);
    let [he, she] = named(&mut server, [&boris, &dora]);
    assert_eq!(he, she, "he who voted is named as often as she who did not");
    carla.post(&path, &json!({"option": "Monday"})).is(200);

    let events = ana.all(&format!("{process}/events"), 100);
    let who = actors(&events, "ActionPerformed");
    assert_eq!(who.len(), 3, "one person has another name in another ballot: {who:?}");
    assert!(who.iter().all(|actor| actor.starts_with("pseudonym:")), "{who:?}");
    let mut shown = String::new();
    let here = id_of(&process);
    let exports = ["csv", "ndjson", "json"].map(|format| format!("/v1/usage?process={here}&format={format}"));
    for path in
        [format!("{process}/events"), one.clone(), format!("{one}/view"), process.clone()].iter().chain(&exports)
    {
        shown += &ana.get(path).text();
    }
    assert!(!shown.contains(&id) && shown.contains("pseudonym:"), "{shown}");
    let adoption = ana.get(&format!("/v1/adoption/processes/{here}")).is(200);
    assert_eq!(adoption["people"], json!({"active": 1, "anonymous": 3}), "one for each person and ballot");

    crate::given::vote(&boris, &open, "Monday").is(200);
    let [he, she] = named(&mut server, [&boris, &dora]);
    assert!(he > she, "what is not anonymous names him, and is found: {he}, {she}");
    server.audit();
}

#[test]
fn who_may_act_anonymously_is_checked_on_who_they_are() {
    let server = library();
    anonymous(&server, "poll", "ballot", &[("vote", &["contributor"]), ("close", &["operator"])]);
    let ana = server.member("ana");
    let process = running(&ana, "A secret vote");
    let ballot = ballot(&ana, &process);
    let close = format!("{ballot}/actions/close");
    ana.ask(&Ask::post(&close, &json!({})).key("close")).refused(403, "forbidden");
    server.operator().ask(&Ask::post(&close, &json!({})).key("close")).is(200);
    ana.post(&format!("{ballot}/actions/vote"), &json!({"option": "Monday"})).refused(409, "poll-closed");
}

#[test]
fn an_anonymous_call_that_a_kill_interrupts_goes_on_and_names_nobody() {
    let mut server = library();
    anonymous(&server, "webhook", "letterbox", &[("send", &["contributor"])]);
    let ([ana, boris, dora], outside) = (["ana", "boris", "dora"].map(|name| server.member(name)), Outside::start());
    outside.grant_to(&server, "letterbox");
    let process = running(&ana, "Letters");
    let hook = asset(&ana, &process, "find-room", "letterbox", &json!({"urls": [outside.url("gate")]}));
    named(&mut server, [&boris, &dora]);
    outside.open(false);
    let (path, body) = (format!("{hook}/actions/send"), json!({"text": "hello"}));
    let asking = std::thread::spawn({
        let (boris, path, body) = (boris.clone(), path.clone(), body.clone());
        move || boris.try_ask(&Ask::post(&path, &body).key("send"))
    });
    let begun = Instant::now();
    while outside.keys("gate").is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(30), "the service was not asked");
        std::thread::sleep(Duration::from_millis(5));
    }
    server.kill();
    assert!(asking.join().expect("it ended").is_none(), "nothing was answered");
    outside.open(true);
    server.launch();
    let answered = boris.ask(&Ask::post(&path, &body).key("send"));
    answered.is(200);
    assert_eq!(answered.header("idempotent-replayed"), "true");
    let events = ana.all(&format!("{process}/events"), 100);
    let performed = events.iter().find(|event| event["kind"] == "ActionPerformed").expect("it was run");
    let (actor, call) = (text(&performed["actor"]), text(&performed["data"]["call"]));
    assert!(actor.starts_with("pseudonym:"), "{actor}");
    let record = server.operator().get(&format!("{hook}/calls/{call}")).is(200);
    let taken = server.operator().get(&format!("/v1/calls/{call}")).is(200);
    assert_eq!((&record["actor"], &taken["context"]["person"]["id"]), (&json!(actor), &json!(actor)));
    let [he, she] = named(&mut server, [&boris, &dora]);
    assert_eq!(he, she, "he who wrote is named as often as she who did not");
    server.audit();
}

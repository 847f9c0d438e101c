//! The same request twice has its effect once.

use std::sync::Barrier;

use serde_json::{Value, json};

use crate::client::{Answer, Ask, Client};
use crate::given::{TOOL_LIBRARY, created, library, poll, running, vote};

const KEY: &str = "3f1c a key with spaces ~";

fn create<'a>(name: &str, key: &str) -> Ask<'a> {
    Ask::post("/v1/processes", &json!({"schema": "tool-library", "name": name})).key(key)
}

#[track_caller]
fn replays(client: &Client, ask: &Ask<'_>, first: &Answer) {
    let again = client.ask(ask);
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    assert_eq!(again.header("idempotent-replayed"), "true");
    for header in ["location", "content-type", "etag"] {
        assert_eq!(again.header(header), first.header(header), "{header}");
    }
}

#[test]
fn the_same_key_gives_the_first_answer_over_a_kill_and_the_loss_of_the_state() {
    let mut server = library();
    let operator = server.operator().clone();
    let made = create("Once", KEY);
    let first = operator.ask(&made);
    first.is(201);
    assert_eq!(first.header("idempotent-replayed"), "");
    let process = first.header("location").to_owned();
    let early = Ask::new("POST", "/v1/nowhere").key(KEY);
    operator.ask(&early).refused(404, "no-such-route");

    let complete = format!("{process}/tasks/set-rules/complete");
    let refused = Ask::post(&complete, &json!({})).key("a refusal is remembered, too");
    let not_begun = operator.ask(&refused);
    not_begun.refused(409, "process-not-started");
    let wrong = Ask::post("/v1/processes", &json!({"schema": 7})).key("wrong input");
    let misfit = operator.ask(&wrong);
    misfit.is(422);
    operator.tell(&format!("{process}/start")).is(200);

    let all = |client: &Client| {
        replays(client, &made, &first);
        replays(client, &refused, &not_begun);
        replays(client, &wrong, &misfit);
    };
    all(&operator);
    server.crash();
    all(&operator);
    server.kill();
    std::fs::remove_dir_all(server.place("state")).expect("it was there");
    server.launch();
    all(&operator);
    assert_eq!(operator.all("/v1/processes", 10).len(), 1);
    server.audit();
}

#[test]
fn a_key_is_good_for_one_body_one_path_and_one_caller() {
    let server = library();
    let operator = server.operator();
    let first = operator.ask(&create("One", KEY));
    first.is(201);
    let before = server.position();
    operator.ask(&create("Another", KEY)).refused(422, "key-reused");
    assert_eq!(server.position(), before, "a reused key changes nothing");
    replays(operator, &create("One", KEY), &first);

    let elsewhere = format!("{}/start", first.header("location"));
    operator.ask(&Ask::new("POST", &elsewhere).key(KEY)).is(200);
    let other = server.member("somebody-else").ask(&create("Another", KEY));
    other.is(201);
    assert_ne!(other.header("location"), first.header("location"));
}

#[test]
fn of_requests_with_one_key_at_the_same_time_one_runs_and_the_others_have_its_answer() {
    const MANY: usize = 8;
    let server = library();
    let barrier = Barrier::new(MANY);
    for round in 0..5 {
        let ask = create("At once", &format!("round {round}"));
        let answers: Vec<Answer> = std::thread::scope(|scope| {
            let asking = (0..MANY).map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    server.operator().ask(&ask)
                })
            });
            asking.collect::<Vec<_>>().into_iter().map(|asking| asking.join().expect("answered")).collect()
        });
        answers.iter().for_each(|answer| drop(answer.is(201)));
        assert!(answers.iter().all(|answer| answer.body == answers[0].body));
        let replayed = answers.iter().filter(|answer| answer.header("idempotent-replayed") == "true").count();
        assert_eq!(replayed, MANY - 1);
    }
    assert_eq!(server.operator().all("/v1/processes", 100).len(), 5);
}

#[test]
fn a_key_that_is_none_is_refused_before_anything_happens() {
    let server = library();
    let before = server.position();
    for key in ["", &"k".repeat(256), "tab\there", "caña"] {
        server.operator().ask(&create("Never", key)).refused(400, "malformed");
    }
    assert_eq!(server.position(), before);
    server.operator().ask(&create("At the limit", &"k".repeat(255))).is(201);
}

#[test]
fn what_changes_nothing_is_remembered_like_what_does() {
    let server = library();
    let operator = server.operator();
    let same = Ask::new("POST", "/v1/schemas").body("application/yaml", TOOL_LIBRARY).key(KEY);
    let there = operator.ask(&same);
    there.is(200);
    replays(operator, &same, &there);
    let other = Ask::new("POST", "/v1/schemas").body("application/yaml", "name: other").key(KEY);
    operator.ask(&other).refused(422, "key-reused");
}

#[test]
fn a_vote_under_a_key_counts_once_and_its_refusal_is_remembered() {
    let server = library();
    let ana = server.member("ana");
    let process = running(&ana, "Evenings");
    let poll = poll(&ana, &process, "find-room", 10);
    let action = format!("{poll}/actions/vote");
    let first = Ask::post(&action, &json!({"option": "Monday"})).key("first");
    let voted = ana.ask(&first);
    voted.is(200);
    replays(&ana, &first, &voted);
    let second = Ask::post(&action, &json!({"option": "Thursday"})).key("second");
    let refused = ana.ask(&second);
    refused.refused(409, "already-voted");
    replays(&ana, &second, &refused);
    vote(&ana, &poll, "Monday").refused(409, "already-voted");
    let view = ana.get(&format!("{poll}/view")).is(200);
    assert_eq!(view["votes"], json!({"Monday": 1, "Thursday": 0}));
    let uses = ana.all("/v1/usage", 100);
    let actions: Vec<&Value> = uses.iter().filter(|used| used["kind"] == "action").collect();
    assert_eq!(actions.len(), 3, "a replay is no use: {actions:?}");
}

#[test]
fn a_repeated_instantiation_makes_one_asset() {
    let server = library();
    let operator = server.operator();
    let process = created(operator, "Once begun");
    let path = format!("{process}/tasks/find-room/assets");
    let body = json!({"interlinker": "document", "input": {"title": "Rooms"}});
    operator.ask(&Ask::post(&path, &body)).refused(409, "process-not-started");
    operator.tell(&format!("{process}/start")).is(200);
    let ask = Ask::post(&path, &body).key(KEY);
    let first = operator.ask(&ask);
    first.is(201);
    replays(operator, &ask, &first);
    assert_eq!(operator.all(&format!("{process}/assets"), 10).len(), 1);
}

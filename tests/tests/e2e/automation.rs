//! What happens by itself, over HTTP: hours, recurrences, votes, Interlinkers that a schema wants, incidents, pauses.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Ask, Client};
use crate::given::{created_from, text, vote};
use crate::server::{Server, interlink, printed};

/// Imports a schema of some tasks and starts a process of it.
#[track_caller]
pub fn started(client: &Client, name: &str, tasks: &str) -> String {
    let schema = format!(
        "name: {name}\nversion: 1.0.0\nzone: Europe/Madrid\nphases:\n  - id: p\n    objectives:\n      - id: o\n        tasks:\n{tasks}"
    );
    let imported = client.send("/v1/schemas", "application/yaml", schema);
    assert!([200, 201].contains(&imported.status), "{}", imported.json());
    let process = created_from(client, name, name);
    client.tell(&format!("{process}/start")).is(200);
    process
}

#[track_caller]
pub fn task(client: &Client, process: &str, task: &str) -> Value {
    client.get(&format!("{process}/tasks/{task}")).is(200)
}

/// Waits until a task looks so; a test that waits long has failed.
#[track_caller]
pub fn until(client: &Client, process: &str, id: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let found = task(client, process, id);
        if holds(&found) {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{found}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn hours_are_shown_kept_and_can_be_moved() {
    let server = Server::start();
    let ana = server.member("ana");
    let tasks = "          - { id: later, opens: 2999-05-01 09:00, due: 2999-06-01 }
          - { id: past, opens: 2020-01-01, closes: 2020-02-01 }
          - { id: open }\n";
    let process = started(&ana, "hours", tasks);
    let later = task(&ana, &process, "later");
    assert_eq!((&later["status"], &later["opens_at"]), (&json!("waiting"), &json!("2999-05-01T07:00:00Z")));
    assert_eq!(later["waits_until"], later["opens_at"]);
    assert_eq!(task(&ana, &process, "past")["status"], "skipped", "its time was over before it began");
    let problem = ana.tell(&format!("{process}/tasks/later/complete")).refused(409, "task-not-ready");
    assert_eq!(problem["detail"], "`later` waits for its time: 2999-05-01 09:00 Europe/Madrid");
    let guide = ana.get(&format!("{process}/guide")).is(200);
    assert_eq!(guide["waiting"][0]["until"], "2999-05-01T07:00:00Z");

    let path = format!("{process}/items/later");
    let patch = |body: Value| ana.ask(&Ask::new("PATCH", &path).body("application/json", body.to_string()));
    patch(json!({"opens": "soon"})).points_at(422, "invalid-input", &["/opens"]);
    patch(json!({"opens": "2 days after nowhere"})).refused(422, "dates-refused");
    let moved = patch(json!({"opens": "2020-05-01", "reason": "people are waiting"})).is(200);
    assert_eq!(moved["status"], "ready", "{moved}");
    let events = ana.all(&format!("{process}/events"), 100);
    let rescheduled = events.iter().find(|event| event["kind"] == "ItemRescheduled").expect("in the history");
    assert_eq!(rescheduled["data"]["reason"], "people are waiting");
    assert!(events.iter().any(|event| event["kind"] == "TimerFired" && event["data"]["item"] == "past"));
}

#[test]
fn a_task_comes_again_every_second_and_every_time_stays_in_the_history_over_a_kill() {
    let mut server = Server::start();
    let operator = server.operator().clone();
    let process = started(
        &operator,
        "again",
        "          - { id: tick, every: \"* * * * * *\", times: 4 }\n          - { id: end }\n",
    );
    for number in 1..=3 {
        let found = until(&operator, &process, "tick", |task| task["occurrence"]["open"] == json!(true));
        assert!(found["occurrence"]["number"].as_u64() >= Some(number), "{found}");
        operator.tell(&format!("{process}/tasks/tick/complete")).is(200);
        if number == 2 {
            server.crash();
        }
        if task(&operator, &process, "tick")["status"] == "completed" {
            break;
        }
    }
    until(&operator, &process, "tick", |task| task["occurrence"]["number"] == json!(4));
    if task(&operator, &process, "tick")["status"] != "completed" {
        operator.tell(&format!("{process}/tasks/tick/complete")).is(200);
    }
    let events = operator.all(&format!("{process}/events"), 100);
    let numbers = |kind: &str| -> Vec<_> {
        events.iter().filter(|event| event["kind"] == kind).map(|event| event["data"]["number"].clone()).collect()
    };
    assert_eq!(numbers("OccurrenceOpened"), [1, 2, 3, 4].map(|number| json!(number)), "each once");
    let planned: Vec<_> = events.iter().filter(|event| event["kind"] == "OccurrenceOpened").collect();
    assert!(planned.is_sorted_by_key(|event| event["data"]["planned_at"].as_i64()));
    server.audit();
}

#[test]
fn a_vote_counts_once_each_and_says_what_it_needs() {
    let server = Server::start();
    let people = ["ana", "boris", "carla"].map(|login| server.member(login));
    let [ana, boris, carla] = &people;
    let process = started(
        ana,
        "votes",
        "          - { id: choose, kind: approval, quorum: 3, threshold: 1/2 }\n          - { id: after, after: choose }\n",
    );
    let path = format!("{process}/tasks/choose/vote");
    ana.post(&path, &json!({"choice": "maybe"})).points_at(422, "invalid-input", &["/choice"]);
    let said = ana.post(&path, &json!({"choice": "approve", "comment": "at last"})).is(200);
    assert_eq!((&said["vote"]["approve"], &said["vote"]["quorum"]), (&json!(1), &json!(3)));
    ana.post(&path, &json!({"choice": "reject"})).refused(409, "already-voted");
    ana.post(&path, &json!({"choice": "veto"})).refused(403, "may-not-vote");
    let refused = boris.tell(&format!("{process}/tasks/choose/complete")).refused(409, "task-not-by-hand");
    assert!(text(&refused["detail"]).contains("needs 3 votes and has 1"), "{refused}");
    boris.post(&path, &json!({"choice": "abstain"})).is(200);
    let decided = carla.post(&path, &json!({"choice": "approve"})).is(200);
    assert_eq!((&decided["status"], &decided["vote"]["result"]), (&json!("completed"), &json!("approved")));
    assert_eq!(task(ana, &process, "after")["status"], "ready");
    let again = ana.tell(&format!("{process}/tasks/choose/reopen")).is(200);
    assert_eq!((&again["vote"]["round"], &again["vote"]["approve"]), (&json!(2), &json!(0)));
}

const ASK: &str = "          - id: ask
            kind: interlinker
            interlinker: poll
            input: { question: Which?, options: [North, South], quorum: 1 }
          - { id: then, after: ask }\n";

#[test]
fn an_interlinker_of_a_schema_is_there_when_its_task_is_ready_and_its_outcome_completes_it() {
    let mut server = Server::start();
    let ana = server.member("ana");
    let process = started(&ana, "asked", ASK);
    let found = || ana.get(&format!("{process}/assets")).is(200)["items"].as_array().cloned().unwrap_or_default();
    let begun = Instant::now();
    while found().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(30), "no asset came");
        std::thread::sleep(Duration::from_millis(20));
    }
    server.crash();
    assert_eq!(found().len(), 1, "once, over a kill");
    let poll = format!("/v1/assets/{}", text(&found()[0]["id"]));
    ana.tell(&format!("{process}/tasks/ask/complete")).refused(409, "task-not-by-hand");
    vote(&ana, &poll, "North").is(200);
    assert_eq!(task(&ana, &process, "ask")["status"], "completed");
    assert_eq!(task(&ana, &process, "then")["status"], "ready");
    let uses = ana.all(&format!("/v1/usage?process={}", crate::given::id_of(&process)), 100);
    let kinds: Vec<_> =
        uses.iter().map(|entry| (text(&entry["kind"]).to_owned(), text(&entry["actor"]) == "system")).collect();
    assert_eq!(kinds, [("instantiate".to_owned(), true), ("action".to_owned(), false)]);
    server.audit();
}

#[test]
fn an_incident_is_listed_with_its_cause_and_an_operator_deals_with_it() {
    let server = Server::start();
    let (ana, operator) = (server.member("ana"), server.operator());
    let tasks = ASK
        .replace("interlinker: poll", "interlinker: oracle")
        .replace("quorum: 1 }", "quorum: 1 }\n            retry: { attempts: 1 }");
    let process = started(&ana, "doomed", &tasks);
    let failed = until(&ana, &process, "ask", |task| task["status"] == "failed");
    let id = text(&failed["incidents"][0]).to_owned();
    let listed = operator.all("/v1/incidents?status=open&interlinker=oracle", 10);
    assert_eq!((listed.len(), &listed[0]["id"]), (1, &json!(id)));
    assert_eq!(operator.all("/v1/incidents?status=resolved", 10), Vec::<Value>::new());
    let shown = ana.get(&format!("/v1/incidents/{id}")).is(200);
    assert_eq!((&shown["cause"], &shown["attempts"]), (&json!("no-such-interlinker"), &json!(1)));
    assert_eq!(shown["history"][0]["kind"], "EffectAttemptFailed", "{shown}");
    ana.tell(&format!("/v1/incidents/{id}/skip")).refused(403, "forbidden");
    let output = server.cli(&["incident", "list", "--status", "open"]);
    assert!(printed(&output).contains(&id), "{}", printed(&output));
    let output = server.cli(&["--output", "json", "incident", "resolve", &id, "--reason", "asked by telephone"]);
    assert!(output.status.success(), "{}", printed(&output));
    assert_eq!(task(&ana, &process, "ask")["status"], "completed");
    operator.tell(&format!("/v1/incidents/{id}/retry")).refused(409, "incident-closed");
    operator.tell("/v1/incidents/nothing/retry").refused(404, "not-found");
}

#[test]
fn a_paused_interlinker_says_so_and_goes_on_when_it_is_resumed() {
    let server = Server::start();
    let (ana, operator) = (server.member("ana"), server.operator());
    ana.tell("/v1/interlinkers/poll/pause").refused(403, "forbidden");
    operator.tell("/v1/interlinkers/oracle/pause").refused(404, "not-found");
    operator.post("/v1/interlinkers/poll/pause", &json!({"reason": "the register is down"})).is(200);
    let process = started(&ana, "paused", ASK);
    let body = json!({"interlinker": "poll", "input": {"question": "?", "options": ["a", "b"], "quorum": 1}});
    let refused = ana.post(&format!("{process}/tasks/then/assets"), &body).refused(503, "interlinker-paused");
    assert!(text(&refused["detail"]).contains("the register is down"), "{refused}");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(ana.get(&format!("{process}/assets")).is(200)["items"], json!([]));
    operator.tell("/v1/interlinkers/poll/resume").is(200);
    let begun = Instant::now();
    while ana.get(&format!("{process}/assets")).is(200)["items"] == json!([]) {
        assert!(begun.elapsed() < Duration::from_secs(30), "what waited did not go on");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn values_decide_what_is_done_and_travel_into_a_process_within_a_process_and_back() {
    let server = Server::start();
    let ana = server.member("ana");
    let inner = "          - { id: measure }\n          - { id: costly, after: measure, when: data.area > 100 }\n";
    started(&ana, "inner", inner);
    let outer = "          - { id: plan }
          - { id: survey, kind: subprocess, schema: inner, after: plan, input: { area: data.area * 2 }, output: { cost: estimate } }
          - { id: build, after: survey, when: \"data.cost < 1000 && tasks.plan.status == 'completed'\" }\n";
    let process = started(&ana, "outer", outer);
    let patch = |path: &str, body: Value| ana.ask(&Ask::new("PATCH", path).body("application/json", body.to_string()));
    patch(&format!("{process}/data"), json!({"area": 60})).is(200);
    ana.tell(&format!("{process}/tasks/plan/complete")).is(200);
    let found = until(&ana, &process, "survey", |task| task["subprocess"].is_string());
    let sub = format!("/v1/processes/{}", text(&found["subprocess"]));
    assert_eq!(ana.get(&format!("{sub}/data")).is(200), json!({"area": 120}));
    assert_eq!(ana.get(&sub).is(200)["parent"]["task"], "survey");
    ana.tell(&format!("{sub}/tasks/measure/complete")).is(200);
    assert_eq!(task(&ana, &sub, "costly")["status"], "ready", "120 is over 100");
    patch(&format!("{sub}/data"), json!({"estimate": 900})).is(200);
    ana.tell(&format!("{sub}/tasks/costly/complete")).is(200);
    until(&ana, &process, "survey", |task| task["status"] == "completed");
    assert_eq!(ana.get(&format!("{process}/data")).is(200), json!({"area": 60, "cost": 900}));
    assert_eq!(task(&ana, &process, "build")["status"], "ready");
}

#[test]
fn a_schedule_can_be_looked_at_before_anybody_depends_on_it() {
    let server = Server::start();
    let asked = "/v1/schedules/preview?cron=30%202%20*%20*%20*&zone=Europe/Madrid&from=2027-03-27T00:00:00Z&count=3";
    let runs = server.operator().get(asked).is(200);
    let local: Vec<_> =
        runs["items"].as_array().expect("items").iter().map(|run| text(&run["local"]).to_owned()).collect();
    assert_eq!(
        local,
        ["2027-03-27 02:30 Europe/Madrid", "2027-03-28 03:00 Europe/Madrid", "2027-03-29 02:30 Europe/Madrid"]
    );
    server.operator().get("/v1/schedules/preview?cron=nonsense").points_at(422, "invalid-input", &["/cron"]);
    let output = interlink(&[
        "schedule",
        "preview",
        "0 9 1 * *",
        "--zone",
        "Africa/Cairo",
        "--from",
        "2027-01-15T00:00:00Z",
        "--count",
        "2",
    ]);
    assert!(
        output.status.success() && printed(&output).contains("2027-02-01 09:00 Africa/Cairo"),
        "{}",
        printed(&output)
    );
    let output = interlink(&["schedule", "preview", "0 9 31 2 *"]);
    assert_eq!(output.status.code(), Some(1), "{}", printed(&output));
}

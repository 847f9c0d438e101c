//! What happens by itself: timers over outages, effects with a real Interlinker, incidents, processes within processes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use interlink_model::facts::Resolution;
use interlink_model::process::{NewProcess, Process};
use serde_json::json;

use super::*;

const DAY_US: i64 = 86_400_000_000;
pub const POLL: &[u8] = include_bytes!("../../../../interlinkers/dist/poll.wasm");

pub fn schema_of(name: &str, tasks: &str) -> String {
    format!("name: {name}\nversion: 1.0.0\nphases:\n  - id: p\n    objectives:\n      - id: o\n        tasks:\n{tasks}")
}

pub async fn import(engine: &Engine, source: &str) {
    let parsed = parse(source.as_bytes(), Syntax::Yaml).unwrap_or_else(|refusal| panic!("{:?}", refusal.findings));
    let permit = Permit::default();
    let imported = engine.import_schema(parsed, SchemaSource::Authored, Actor::System, |_| answer(201), &permit);
    imported.await.expect("imported");
}

pub async fn started(engine: &Engine, caller: &Caller, schema: &str) -> ProcessId {
    let schema = engine.schema(schema).expect("there");
    let new = NewProcess { name: "P".into(), ..NewProcess::default() };
    let made = engine.create_process(caller, &schema, new, |_, _| answer(201), Permit::default()).await;
    let id = made.expect("made").0.id;
    run(engine, caller, id, Command::Start).await.expect("started");
    id
}

/// Waits until something holds of a process; a test that waits long has failed.
pub async fn until(engine: &Engine, id: ProcessId, what: &str, holds: impl Fn(&Process) -> bool) -> Arc<Process> {
    let begun = Instant::now();
    loop {
        let process = engine.process(id).expect("there").process;
        if holds(&process) {
            return process;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}: {process:#?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub fn status(process: &Process, task: &str) -> &'static str {
    process.task_status(process.plan.outline.task_index(task).expect("a task")).as_str()
}

fn kinds(engine: &Engine, id: ProcessId) -> Vec<&'static str> {
    engine.events(id, 0, usize::MAX).expect("a history").into_iter().map(|event| event.kind).collect()
}

#[tokio::test]
async fn deadlines_fire_by_themselves_once_and_in_one_order_over_all_processes_after_an_outage() {
    let data = tempfile::tempdir().expect("a directory");
    let ambient = given();
    let engine = open(data.path(), &ambient);
    let ana = caller(&engine, "ana").await;
    import(
        &engine,
        &schema_of("due", "          - { id: a, due: 10 days after ready, reminder: 3 days before due }\n"),
    )
    .await;
    let mut ids = Vec::new();
    for _ in 0..300 {
        ids.push(started(&engine, &ana, "due").await);
        ambient.now.fetch_add(DAY_US / 100, Ordering::Relaxed);
    }
    engine.close();
    drop(engine);
    ambient.now.fetch_add(DAY_US * 400, Ordering::Relaxed);
    let engine = open(data.path(), &ambient);
    for id in &ids {
        until(&engine, *id, "fires", |process| process.next_timer().is_none()).await;
    }
    let mut fired = Vec::new();
    for id in &ids {
        let events = engine.events(*id, 0, usize::MAX).expect("a history");
        let of_process: Vec<_> = events.iter().filter(|event| event.kind == "TimerFired").collect();
        assert_eq!(of_process.len(), 2, "each once");
        fired.extend(
            of_process.iter().map(|event| (event.position, event.data["due_at"].as_i64().expect("an instant"))),
        );
    }
    fired.sort_unstable();
    assert!(fired.is_sorted_by_key(|(_, due_at)| *due_at), "one order over all of them");
    engine.close();
    drop(engine);
    let engine = open(data.path(), &ambient);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(ids.iter().all(|id| kinds(&engine, *id).iter().filter(|kind| **kind == "TimerFired").count() == 2));
}

#[tokio::test]
async fn a_timer_fires_when_its_time_comes_and_a_rebuilt_state_knows_it_too() {
    let data = tempfile::tempdir().expect("a directory");
    let ambient = given();
    let engine = open(data.path(), &ambient);
    let ana = caller(&engine, "ana").await;
    import(&engine, &schema_of("wait", "          - { id: a, kind: timer, wait: 2 days }\n")).await;
    let id = started(&engine, &ana, "wait").await;
    engine.close();
    drop(engine);
    interlink_runtime::state::remove_state(data.path()).expect("removed");
    let engine = open(data.path(), &ambient);
    ambient.now.fetch_add(DAY_US, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(status(&engine.process(id).expect("there").process, "a"), "waiting");
    ambient.now.fetch_add(DAY_US, Ordering::Relaxed);
    let process = until(&engine, id, "fires", |process| process.status == ProcessStatus::Completed).await;
    assert_eq!(process.tasks[0].finished_at, Some(engine.now()));
}

const ASK: &str = "          - id: ask
            kind: interlinker
            interlinker: poll
            input: { question: Which park?, options: [North, South], quorum: 1 }
            retry: { attempts: 2, first: 1 minute }
            compensation: { action: close }
          - { id: then, after: ask }\n";

#[tokio::test]
async fn an_interlinker_is_instantiated_by_itself_once_and_its_outcome_completes_the_task_in_the_same_append() {
    let data = tempfile::tempdir().expect("a directory");
    let ambient = given();
    let engine = open(data.path(), &ambient);
    let ana = caller(&engine, "ana").await;
    engine.publish(POLL, None, Actor::System, |_| answer(201), &Permit::default()).await.expect("published");
    import(&engine, &schema_of("ask", ASK)).await;
    let id = started(&engine, &ana, "ask").await;
    let process = until(&engine, id, "an asset", |process| !process.assets.is_empty()).await;
    let asset = *process.assets.keys().next().expect("one");
    assert_eq!(engine.asset(asset).expect("there").name.as_deref(), Some("ask"));
    let voted =
        engine.act(&ana, asset, "vote", json!({"option": "North"}), "en", None, |_| answer(200), Permit::default());
    voted.await.expect("voted");
    let process = engine.process(id).expect("there").process;
    assert_eq!((status(&process, "ask"), status(&process, "then")), ("completed", "ready"));
    let events = engine.events(id, 0, usize::MAX).expect("a history");
    let position = |kind: &str| events.iter().find(|event| event.kind == kind).map(|event| event.position).expect(kind);
    // The process's events of an append come before its asset's.
    assert_eq!(position("TaskCompleted") + 1, position("ActionPerformed"));
    assert_eq!(position("OutcomeNoted") + 1, position("TaskCompleted"));

    run(&engine, &ana, id, Command::Cancel).await.expect("cancelled");
    until(&engine, id, "made undone", |process| process.effects.is_empty()).await;
    let view = engine.view(&ana, asset, json!({}), "en").await.expect("a view").1;
    assert_eq!(view["closed"], json!(true), "its compensation has closed the poll");
    assert_eq!(kinds(&engine, id).iter().filter(|kind| **kind == "InterlinkerInstantiated").count(), 1);
}

#[tokio::test]
async fn what_fails_is_tried_again_becomes_an_incident_and_goes_on_when_an_operator_says_so() {
    let data = tempfile::tempdir().expect("a directory");
    let ambient = given();
    let engine = open(data.path(), &ambient);
    let ana = caller(&engine, "ana").await;
    import(&engine, &schema_of("ask", ASK)).await;
    let id = started(&engine, &ana, "ask").await;
    until(&engine, id, "a first attempt", |process| process.effects.values().any(|effect| effect.attempts == 1)).await;
    ambient.now.fetch_add(DAY_US, Ordering::Relaxed);
    let process = until(&engine, id, "an incident", |process| !process.incidents.is_empty()).await;
    assert_eq!(status(&process, "ask"), "failed");
    let (found, next) = engine.incidents(None, 10, |_| true);
    assert_eq!((found.len(), next), (1, None));
    let incident = found[0].id;
    assert_eq!(engine.incident(incident).expect("there").incident.code, "no-such-interlinker");
    // Over a restart, and on a state that was made again.
    engine.close();
    drop(engine);
    interlink_runtime::state::remove_state(data.path()).expect("removed");
    let engine = open(data.path(), &ambient);
    engine.publish(POLL, None, Actor::System, |_| answer(201), &Permit::default()).await.expect("published");
    let retry = Command::CloseIncident { incident, resolution: Resolution::Retried };
    run(&engine, &ana, id, retry).await.expect("retried");
    let process = until(&engine, id, "an asset", |process| !process.assets.is_empty()).await;
    assert_eq!(status(&process, "ask"), "ready");
}

#[tokio::test]
async fn a_paused_interlinker_keeps_what_is_automatic_waiting_and_tells_people() {
    let data = tempfile::tempdir().expect("a directory");
    let ambient = given();
    let engine = open(data.path(), &ambient);
    let ana = caller(&engine, "ana").await;
    engine.publish(POLL, None, Actor::System, |_| answer(201), &Permit::default()).await.expect("published");
    import(&engine, &schema_of("ask", ASK)).await;
    let reason = Some("the registry is down".into());
    engine.set_paused(&ana, "poll", true, reason, &answer(200), &Permit::default()).await.expect("paused");
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(started(&engine, &ana, "ask").await);
        ambient.now.fetch_add(1_000, Ordering::Relaxed);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    engine.close();
    drop(engine);
    let engine = open(data.path(), &ambient);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(ids.iter().all(|id| engine.process(*id).expect("there").process.assets.is_empty()));
    let new = interlink_runtime::NewAsset {
        task: "then".into(),
        interlinker: engine.interlinker("poll").expect("there").reference,
        name: "mine".into(),
        input: json!({"question": "?", "options": ["a", "b"], "quorum": 1}),
    };
    let refused = engine.instantiate(&ana, ids[0], new, "en", |_| answer(201), Permit::default()).await;
    let Err(Trouble::Paused { pause, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(pause.reason.as_deref(), Some("the registry is down"));
    engine.set_paused(&ana, "poll", false, None, &answer(200), &Permit::default()).await.expect("resumed");
    for id in &ids {
        until(&engine, *id, "an asset", |process| !process.assets.is_empty()).await;
    }
}

#[tokio::test]
async fn a_process_within_a_process_is_made_once_takes_values_in_and_brings_values_back() {
    let data = tempfile::tempdir().expect("a directory");
    let ambient = given();
    let engine = open(data.path(), &ambient);
    let ana = caller(&engine, "ana").await;
    import(&engine, &schema_of("inner", "          - { id: work }\n")).await;
    let outer = "          - { id: sub, kind: subprocess, schema: inner, output: { result: answer } }
          - { id: after, after: sub }\n";
    import(&engine, &schema_of("outer", outer)).await;
    let id = started(&engine, &ana, "outer").await;
    let process = until(&engine, id, "a subprocess", |process| !process.subprocesses.is_empty()).await;
    let sub = process.subprocesses[&0].process;
    let values = BTreeMap::from([("answer".to_owned(), json!(42))]);
    run(&engine, &ana, sub, Command::SetData(values)).await.expect("set");
    run(&engine, &ana, sub, Command::Complete("work".into())).await.expect("done");
    let process = until(&engine, id, "the end of it", |process| status(process, "sub") == "completed").await;
    assert_eq!(status(&process, "after"), "ready");
    assert_eq!(engine.process_data(id).expect("there").1, BTreeMap::from([("result".to_owned(), json!(42))]));
    until(&engine, sub, "told", |process| process.effects.is_empty()).await;
    assert_eq!(engine.size().0, 2, "one process, and one in it");

    let id = started(&engine, &ana, "outer").await;
    let process = until(&engine, id, "a subprocess", |process| !process.subprocesses.is_empty()).await;
    run(&engine, &ana, id, Command::Cancel).await.expect("cancelled");
    let sub = process.subprocesses[&0].process;
    until(&engine, sub, "cancelled with it", |process| process.status == ProcessStatus::Cancelled).await;
    until(&engine, id, "nothing left", |process| process.effects.is_empty()).await;
    until(&engine, sub, "nothing left", |process| process.effects.is_empty()).await;
}

#[tokio::test]
async fn one_process_with_many_effects_does_not_hold_up_another() {
    let data = tempfile::tempdir().expect("a directory");
    let ambient = given();
    let engine = open(data.path(), &ambient);
    let ana = caller(&engine, "ana").await;
    engine.publish(POLL, None, Actor::System, |_| answer(201), &Permit::default()).await.expect("published");
    let poll = |id: String| {
        format!(
            "          - {{ id: {id}, kind: interlinker, interlinker: poll, input: {{ question: Q, options: [a, b], quorum: 1 }} }}\n"
        )
    };
    let many: String = (0..500).map(|number| poll(format!("t{number}"))).collect();
    import(&engine, &schema_of("many", &many)).await;
    import(&engine, &schema_of("one", &poll("only".into()))).await;
    let greedy = started(&engine, &ana, "many").await;
    let modest = started(&engine, &ana, "one").await;
    until(&engine, modest, "its turn", |process| !process.assets.is_empty()).await;
    let there = engine.process(greedy).expect("there").process.assets.len();
    assert!(there < 500, "the modest one was served before {there} of the greedy one's were");
    until(&engine, greedy, "all of them", |process| process.assets.len() == 500).await;
    let events = engine.events(greedy, 0, usize::MAX).expect("a history");
    assert_eq!(events.iter().filter(|event| event.kind == "InterlinkerInstantiated").count(), 500);
    assert!(engine.process(greedy).expect("there").process.effects.is_empty());
}

#[tokio::test]
async fn a_timer_that_the_state_has_lost_is_found_and_fires_and_the_next_start_makes_the_state_again() {
    let data = tempfile::tempdir().expect("a directory");
    let ambient = given();
    let engine = open(data.path(), &ambient);
    let ana = caller(&engine, "ana").await;
    import(&engine, &schema_of("wait", "          - { id: a, kind: timer, wait: 2 days }\n")).await;
    let id = started(&engine, &ana, "wait").await;
    engine.close();
    drop(engine);
    {
        let sled = sled_of(data.path());
        let places: Vec<_> =
            sled.scan_prefix([interlink_runtime::state::table::DUE]).keys().map(|key| key.expect("a key")).collect();
        assert_eq!(places.len(), 1);
        places.iter().for_each(|place| drop(sled.remove(place).expect("removed")));
        sled.flush().expect("flushed");
    }
    let audit = || interlink_runtime::audit::verify(data.path()).expect("readable").differences;
    assert_eq!(audit(), [format!("process {id}: its next timer is not in the index")]);
    let engine = open(data.path(), &ambient);
    ambient.now.fetch_add(3 * DAY_US, Ordering::Relaxed);
    until(&engine, id, "found and fired", |process| process.status == ProcessStatus::Completed).await;
    assert!(matches!(engine.adoption(), Err(Trouble::StateDamaged)), "no figure is better than a wrong one");
    engine.close();
    drop(engine);
    let engine = open(data.path(), &ambient);
    assert!(engine.adoption().is_ok(), "made again");
    engine.close();
    drop(engine);
    assert_eq!(audit(), Vec::<String>::new());
}

//! What is made undone, over processes within processes and over an outage, and in which order.

use interlink_model::id::AssetId;
use interlink_model::process::Process;
use serde_json::json;

use super::dispatch::{POLL, import, schema_of, started, status, until};
use super::*;

const ASK: &str = "kind: interlinker, interlinker: poll, input: { question: Which?, options: [A, B], quorum: 1 }, compensation: { action: close }";

/// Votes in the poll of a process's task, once it is there.
async fn answered(engine: &Engine, caller: &Caller, id: ProcessId, task: &str) -> AssetId {
    let of_task = |process: &Process| {
        let number = process.plan.outline.task_index(task).expect("a task") as u32;
        process.assets.iter().find(|(_, held)| held.task == number).map(|(asset, _)| *asset)
    };
    let process = until(engine, id, "a poll", |process| of_task(process).is_some()).await;
    let asset = of_task(&process).expect("it was waited for");
    let vote = json!({"option": "A"});
    let voted = engine.act(caller, asset, "vote", vote, "en", None, |_| answer(200), Permit::default());
    voted.await.expect("voted");
    asset
}

/// The process that one has started, once it is there.
async fn the_one_within(engine: &Engine, id: ProcessId) -> ProcessId {
    let within = |process: &Process| process.subprocesses.values().next().map(|sub| sub.process);
    let process = until(engine, id, "a process", |process| within(process).is_some()).await;
    within(&process).expect("it was waited for")
}

#[tokio::test]
async fn what_processes_within_processes_did_is_undone_the_last_first_over_an_outage() {
    let data = tempfile::tempdir().expect("a directory");
    let ambient = given();
    let engine = open(data.path(), &ambient);
    let ana = caller(&engine, "ana").await;
    engine.publish(POLL, None, Actor::System, |_| answer(201), &Permit::default()).await.expect("published");
    let ask = |id: &str, after: &str| format!("          - {{ id: {id}, {ASK}{after} }}\n");
    let sub = |id: &str, schema: &str, after: &str| {
        format!("          - {{ id: {id}, kind: subprocess, schema: {schema}{after} }}\n")
    };
    import(&engine, &schema_of("inmost", &ask("deep", ""))).await;
    import(&engine, &schema_of("inner", &(ask("first", "") + &sub("inmost", "inmost", ", after: first")))).await;
    let outer = ask("one", "") + &sub("inner", "inner", ", after: one") + &ask("two", ", after: inner");
    import(&engine, &schema_of("outer", &(outer + "          - { id: end, after: two }\n"))).await;

    let outer = started(&engine, &ana, "outer").await;
    let mut polls = vec![answered(&engine, &ana, outer, "one").await];
    let inner = the_one_within(&engine, outer).await;
    polls.push(answered(&engine, &ana, inner, "first").await);
    let inmost = the_one_within(&engine, inner).await;
    polls.push(answered(&engine, &ana, inmost, "deep").await);
    until(&engine, outer, "the inner one ends", |process| status(process, "inner") == "completed").await;
    polls.push(answered(&engine, &ana, outer, "two").await);

    run(&engine, &ana, outer, Command::Cancel).await.expect("cancelled");
    engine.close();
    drop(engine);
    let engine = open(data.path(), &ambient);
    until(&engine, outer, "all is undone", |process| !process.is_awaited()).await;
    let mut closed = Vec::new();
    for poll in &polls {
        let view = engine.view(&ana, *poll, json!({}), "en").await.expect("a view").1;
        assert_eq!(view["closed"], json!(true));
    }
    for id in [outer, inner, inmost] {
        let events = engine.events(id, 0, usize::MAX).expect("a history");
        let undone =
            events.into_iter().filter(|event| event.kind == "ActionPerformed" && event.data["action"] == "close");
        closed.extend(undone.map(|event| (event.position, AssetId::from_bytes(event.stream.id))));
    }
    closed.sort_unstable();
    let order: Vec<_> = closed.into_iter().map(|(_, asset)| asset).collect();
    polls.reverse();
    assert_eq!(order, polls, "each once, the last first");
    let ended = [outer, inner, inmost].map(|id| engine.process(id).expect("there").process.status);
    assert_eq!(ended, [ProcessStatus::Cancelled, ProcessStatus::Completed, ProcessStatus::Completed]);
}

use std::sync::OnceLock;

use interlink_host::Put;
use interlink_model::event::Actor;
use interlink_model::schema::authoring::{Syntax, parse};
use serde_json::json;

use super::*;
use crate::assets::NewAsset;
use crate::engine::Options;

const SCHEMA: &[u8] = b"name: fair\nversion: 1.0.0\nphases: [{id: p, objectives: [{id: o, tasks: [{id: a}]}]}]";
const POLL: &[u8] = include_bytes!("../../../../interlinkers/dist/poll.wasm");

fn answer() -> Answer {
    Answer { status: 201, ..Answer::default() }
}

/// A process with a poll; its id.
async fn with_a_poll(engine: &Engine, ana: &Caller) -> ProcessId {
    let permit = Permit::default();
    let parsed = parse(SCHEMA, Syntax::Yaml).expect("a schema");
    let imported = engine.import_schema(parsed, SchemaSource::Authored, Actor::System, |_| answer(), &permit);
    imported.await.expect("imported");
    engine.publish(POLL, None, Actor::System, |_| answer(), &permit).await.expect("published");
    let schema = engine.schema("fair").expect("there");
    let new = NewProcess { name: "Fair".into(), ..NewProcess::default() };
    let made = engine.create_process(ana, &schema, new, |_, _| answer(), Permit::default()).await;
    let id = made.expect("made").0.id;
    let started = engine.command(ana, id, &Command::Start, None, None, |_, _| answer(), Permit::default()).await;
    started.expect("started");
    let interlinker = engine.interlinker("poll").expect("there").reference;
    let input = json!({"question": "Which evening?", "options": ["Monday", "Thursday"], "quorum": 1});
    let new = NewAsset { task: "a".into(), interlinker, name: "P".into(), input };
    engine.instantiate(ana, id, new, "en", |_| answer(), Permit::default()).await.expect("made");
    id
}

fn asset_of(engine: &Engine, id: ProcessId) -> AssetId {
    let process = engine.processes.cell(id).expect("there").process();
    *process.assets.keys().next().expect("it has one")
}

async fn keep(engine: &Engine, ana: &Caller, asset: AssetId, content: &[u8]) -> String {
    let put = Put { media_type: "text/plain".into(), content: content.to_vec() };
    engine.keep_blob(ana, asset, put).await.expect("kept").0
}

fn read(engine: &Engine, asset: AssetId, digest: &str) -> Outcome<Vec<u8>> {
    engine.blob(asset, digest)?.1()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_erased_with_the_original_is_erased_in_its_forks_and_what_is_their_own_stays() {
    let data = tempfile::tempdir().expect("a directory");
    let engine = Engine::open(data.path(), Options::default(), &mut |_| {}).expect("opens");
    let ana = engine.caller("test", "ana", false).await.expect("a person");
    let id = with_a_poll(&engine, &ana).await;
    let theirs = keep(&engine, &ana, asset_of(&engine, id), b"a list of tools").await;
    let made = OnceLock::new();
    let note = |process: &Process, _: &str| {
        let _ = made.set(process.id);
        answer()
    };
    let fork = Fork { at: AsOf::Time(engine.now()), name: "F".into(), assets: true };
    engine.fork(&ana, id, fork, note, Permit::default()).await.expect("forked");
    let copy = asset_of(&engine, *made.get().expect("it was made"));
    let own = keep(&engine, &ana, copy, b"a list of ours").await;
    assert_eq!(read(&engine, copy, &theirs).expect("it is read"), b"a list of tools");

    let number = engine.processes.cell(id).expect("there").key.number;
    engine.core.keys.destroy(&[number]).expect("destroyed");
    let erased = read(&engine, copy, &theirs).expect_err("it is erased");
    assert!(matches!(erased, Trouble::NotFound { .. }) && erased.to_string().contains("erased"), "{erased}");
    assert_eq!(read(&engine, copy, &own).expect("it is read"), b"a list of ours");
    let (snapshot, _) = from_stream(&engine.core, copy, Position::MAX).expect("it is read");
    assert!(!snapshot.values.is_empty() && snapshot.asset.blobs.len() == 2, "{snapshot:?}");
    engine.close();
}

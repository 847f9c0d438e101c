//! Calls of Interlinkers.

use std::path::Path;
use std::time::{Duration, Instant};

use interlink_host::{Call, CallContext, Entry as GuestEntry};
use interlink_model::keyvalues::KeyValues;
use interlink_runtime::{NewAsset, Permit};
use serde_json::json;

use super::Outcome;
use super::engine::{TASK, empty, new_process, open};
use super::measured::Measured;

/// What a call of an Interlinker costs, part by part.
pub struct Calls {
    pub instantiate: Measured,
    pub call: Measured,
    pub both: Measured,
    pub with_commit: Measured,
}

pub async fn interlinker_calls(place: &Path) -> Outcome<Calls> {
    const CALLS: usize = 5_000;
    let (engine, caller) = open(place).await?;
    let text = |trouble: interlink_runtime::Trouble| trouble.to_string();
    let poll = engine.interlinker("poll").map_err(text)?.reference;
    let guest = engine.load(&poll).await.map_err(text)?;
    let input = json!({"question": "Which park first?", "options": ["A", "B"], "quorum": 3});
    let context = || CallContext { at: "2027-01-01T00:00:00Z".into(), language: "en".into(), ..CallContext::default() };
    let call = |entry: GuestEntry, state: KeyValues| {
        let (tell, told) = tokio::sync::oneshot::channel();
        let call = Call { entry, state, context: context() };
        engine.host().call(&guest, call, Box::new(move |called| drop(tell.send(called))));
        async { told.await.map_err(|error| error.to_string()) }
    };
    let opened = call(GuestEntry::Instantiate { input: input.clone() }, KeyValues::default()).await?;
    let state = opened.result.map_err(|failure| format!("{failure:?}"))?.state;
    let (mut instantiate, mut inside, mut both) = (Vec::new(), Vec::new(), Vec::new());
    let began = Instant::now();
    for _ in 0..CALLS {
        let called = call(GuestEntry::View { query: json!({}) }, state.clone()).await?;
        called.result.map_err(|failure| format!("{failure:?}"))?;
        let micros = Duration::from_micros;
        instantiate.push(micros(called.cost.instantiate_us));
        inside.push(micros(called.cost.call_us));
        both.push(micros(called.cost.instantiate_us + called.cost.call_us));
    }
    let length = began.elapsed();
    let process = new_process(&engine, &caller, "calls").await?;
    let document = engine.interlinker("document").map_err(text)?.reference;
    let new = NewAsset {
        task: TASK.into(),
        interlinker: document,
        name: "What we want".into(),
        input: json!({"title": "What we want"}),
    };
    let made = std::sync::OnceLock::new();
    let note = |asset: Result<(&interlink_model::asset::Asset, &str), &interlink_runtime::Trouble>| {
        if let Ok((asset, _)) = asset {
            let _ = made.set(asset.id);
        }
        empty()
    };
    engine.instantiate(&caller, process, new, "en", note, Permit::default()).await.map_err(text)?;
    let asset = *made.get().ok_or("no asset was made")?;
    let mut committed = Vec::new();
    let began_committing = Instant::now();
    for number in 0..CALLS / 5 {
        let began = Instant::now();
        let input = json!({"section": "aim", "text": format!("Places where children play, written {number} times.")});
        let acted = engine.act(&caller, asset, "write", input, "en", None, |_| empty(), Permit::default()).await;
        acted.map_err(text)?;
        committed.push(began.elapsed());
    }
    let with_commit = Measured::of(committed, began_committing.elapsed());
    engine.close();
    Ok(Calls {
        instantiate: Measured::of(instantiate, length),
        call: Measured::of(inside, length),
        both: Measured::of(both, length),
        with_commit,
    })
}

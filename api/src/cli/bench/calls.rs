//! Calls of Interlinkers.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use interlink_host::{
    Call, CallContext, Entry as GuestEntry, Given, Grants, HttpGrant, HttpRequest, HttpResponse, Origin, Outbound,
    OutboundError,
};
use interlink_model::event::Actor;
use interlink_model::id::AssetId;
use interlink_model::keyvalues::KeyValues;
use interlink_runtime::{Caller, Engine, NewAsset, Options, Permit};
use serde_json::{Value, json};

use super::Outcome;
use super::engine::{SCHEMA, TASK, empty, new_process, open_with, within_budget};
use super::measured::Measured;

/// What a call of an Interlinker costs, part by part.
pub struct Calls {
    pub instantiate: Measured,
    pub call: Measured,
    pub both: Measured,
    pub with_commit: Measured,
    /// An action that makes one request outside: recorded before it is sent, and again before its answer is seen. Whoever
    /// answers does it at once, so what is measured is the record.
    pub with_request: Measured,
}

/// A service outside that answers at once.
const OUTSIDE: &str = "http://outside.example";

struct AtOnce;

impl Outbound for AtOnce {
    fn send(&self, _: &HttpRequest) -> Result<HttpResponse, OutboundError> {
        Ok(HttpResponse { status: 200, headers: Vec::new(), body: b"{}".to_vec() })
    }
}

pub async fn new_asset(engine: &Engine, caller: &Caller, interlinker: &str, input: Value) -> Outcome<AssetId> {
    let text = |trouble: interlink_runtime::Trouble| trouble.to_string();
    let process = new_process(engine, caller, "calls").await?;
    let interlinker = engine.interlinker(interlinker).map_err(text)?.reference;
    let new = NewAsset { task: TASK.into(), interlinker, name: "What we want".into(), input };
    let made = std::sync::OnceLock::new();
    let note = |asset: Result<(&interlink_model::asset::Asset, &str), &interlink_runtime::Trouble>| {
        if let Ok((asset, _)) = asset {
            let _ = made.set(asset.id);
        }
        empty()
    };
    engine.instantiate(caller, process, new, "en", note, Permit::default()).await.map_err(text)?;
    made.get().copied().ok_or_else(|| "no asset was made".into())
}

/// Has an action done again and again.
pub async fn acted(
    engine: &Engine,
    caller: &Caller,
    asset: AssetId,
    action: &str,
    input: impl Fn(usize) -> Value,
) -> Outcome<Measured> {
    const ACTIONS: usize = 1_000;
    let mut taken = Vec::new();
    let all_began = Instant::now();
    for number in 0..ACTIONS {
        let began = Instant::now();
        let done = engine.act(caller, asset, action, input(number), "en", None, |_| empty(), Permit::default()).await;
        done.map_err(|trouble| trouble.to_string())?;
        taken.push(began.elapsed());
    }
    Ok(Measured::of(taken, all_began.elapsed()))
}

pub async fn interlinker_calls(place: &Path) -> Outcome<Calls> {
    const CALLS: usize = 5_000;
    let options = Options { outbound: Some(Arc::new(AtOnce)), ..within_budget() };
    let (engine, caller) = open_with(place, options, SCHEMA).await?;
    let text = |trouble: interlink_runtime::Trouble| trouble.to_string();
    let poll = engine.interlinker("poll").map_err(text)?.reference;
    let guest = engine.load(&poll).await.map_err(text)?;
    let input = json!({"question": "Which park first?", "options": ["A", "B"], "quorum": 3});
    let context = || CallContext { at: "2027-01-01T00:00:00Z".into(), language: "en".into(), ..CallContext::default() };
    let call = |entry: GuestEntry, state: KeyValues| {
        let (tell, told) = tokio::sync::oneshot::channel();
        let call = Call { entry, state, context: context(), given: Given::default() };
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
    let document = new_asset(&engine, &caller, "document", json!({"title": "What we want"})).await?;
    let write =
        |number| json!({"section": "aim", "text": format!("Places where children play, written {number} times.")});
    let with_commit = acted(&engine, &caller, document, "write", write).await?;
    let origin = Origin::of_url(OUTSIDE).map_err(|error| error.to_string())?;
    let grants = Grants { http: vec![HttpGrant { methods: vec!["POST".into()], origin }], ..Grants::default() };
    engine.grant(Actor::System, "webhook", &grants, &empty(), &Permit::default()).await.map_err(text)?;
    let webhook = new_asset(&engine, &caller, "webhook", json!({"urls": [format!("{OUTSIDE}/in")]})).await?;
    let with_request = acted(&engine, &caller, webhook, "send", |_| json!({"text": "hello"})).await?;
    engine.close();
    Ok(Calls {
        instantiate: Measured::of(instantiate, length),
        call: Measured::of(inside, length),
        both: Measured::of(both, length),
        with_commit,
        with_request,
    })
}

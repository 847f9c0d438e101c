//! What Interlinkers cost, one of each language: calls with little and much state, what one weighs while nobody calls it.
//!
//! Each offers the actions `fill` (`{entries}`, of a kibibyte each) and `touch`, which reads one entry and writes one number,
//! as those of `xtask/measured` do.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use interlink_host::{Call, CallContext, Called, Done, Entry, Given, Interlinker};
use interlink_model::event::Actor;
use interlink_model::keyvalues::KeyValues;
use interlink_runtime::{Caller, Engine, Permit};
use serde_json::{Value, json};

use super::Outcome;
use super::calls::{acted, new_asset};
use super::engine::{SCHEMA, empty, open_with, within_budget};
use super::measured::Measured;
use super::scale::resident_bytes;

/// Calls that are measured, of each kind.
const CALLS: usize = 2_000;
/// Calls that are made side by side, for how many there are in a second.
const SIDE_BY_SIDE: usize = 4;
/// Entries that one call of `fill` adds: what they come to fits into what a call may change.
const FILLED_AT_ONCE: usize = 128;
/// Interlinkers that are loaded to see what one weighs.
const LOADED: usize = 4;
/// Kibibytes of state with which calls are measured.
pub const STATES: [usize; 2] = [1, 1_024];

/// What one Interlinker costs.
pub struct Guest {
    /// Its name.
    pub name: String,
    /// Bytes of its component.
    pub bytes: usize,
    /// What publishing it takes: read, checked, written and synced, but not compiled.
    pub published: Measured,
    /// From there to where it can be called: compiled.
    pub ready: Measured,
    /// Resident bytes that one more costs that has been called and is not now.
    pub idle_bytes: f64,
    /// For each of [`STATES`].
    pub states: Vec<WithState>,
    /// Instances made and called in a second by all cores together.
    pub instances_per_second: f64,
}

/// What a call costs of an asset with so much state.
pub struct WithState {
    kibibytes: usize,
    /// Making the instance.
    made: Measured,
    /// That, and the call in it, without a commit.
    call: Measured,
    /// What the call used of its fuel: some instructions of WebAssembly, the same on every machine.
    fuel: u64,
    /// A call through the engine, with its commit.
    committed: Measured,
}

impl WithState {
    fn json(&self) -> Value {
        json!({
            "state_kib": self.kibibytes, "made": self.made.json(), "call": self.call.json(), "fuel": self.fuel,
            "with_commit": self.committed.json(),
        })
    }
}

impl Guest {
    /// For programs.
    pub fn json(&self) -> Value {
        json!({
            "name": self.name, "component_bytes": self.bytes, "published": self.published.json(),
            "ready": self.ready.json(), "idle_bytes": self.idle_bytes,
            "instances_per_second": self.instances_per_second,
            "states": self.states.iter().map(WithState::json).collect::<Vec<_>>(),
        })
    }
}

/// Measures the component in a file.
pub async fn guest(place: &Path, file: &Path) -> Outcome<Guest> {
    let bytes = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let text = |trouble: interlink_runtime::Trouble| trouble.to_string();
    let (engine, caller) = open_with(place, within_budget(), SCHEMA).await?;
    let inspected = engine.host().inspect(&bytes).map_err(|error| error.to_string())?;
    let name = inspected.manifest.name.clone();
    let (published, ready, idle_bytes) = weighed(&engine, &bytes).await?;
    engine.publish(&bytes, None, Actor::System, |_| empty(), &Permit::default()).await.map_err(text)?;
    let reference = engine.interlinker(&name).map_err(text)?.reference;
    let guest = engine.load(&reference).await.map_err(text)?;
    let mut states = Vec::new();
    let mut small = KeyValues::default();
    for kibibytes in STATES {
        let state = filled(&engine, &guest, kibibytes).await?;
        let (made, call, fuel) = called(&engine, &guest, &state).await?;
        let committed = with_commit(&engine, &caller, &name, kibibytes).await?;
        states.push(WithState { kibibytes, made, call, fuel, committed });
        if kibibytes == STATES[0] {
            small = state;
        }
    }
    let instances_per_second = side_by_side(&engine, &guest, &small).await?;
    engine.close();
    Ok(Guest { name, bytes: bytes.len(), published, ready, idle_bytes, states, instances_per_second })
}

/// Publishes the component under other versions and calls each once: how long both takes, and what one weighs afterwards.
async fn weighed(engine: &Engine, bytes: &[u8]) -> Outcome<(Measured, Measured, f64)> {
    let text = |trouble: interlink_runtime::Trouble| trouble.to_string();
    let (mut published, mut ready, mut held) = (Vec::new(), Vec::new(), Vec::new());
    let all_began = Instant::now();
    let before = resident_bytes();
    for number in 1..=LOADED {
        let component = in_version(bytes, number)?;
        let began = Instant::now();
        let made = engine.publish(&component, None, Actor::System, |_| empty(), &Permit::default()).await;
        let version = made.map_err(text)?.thing;
        published.push(began.elapsed());
        let began = Instant::now();
        let guest = engine.load(&version.reference).await.map_err(text)?;
        ready.push(began.elapsed());
        done(call(engine, &guest, Entry::Instantiate { input: json!({}) }, KeyValues::default()).await?)?;
        held.push(guest);
    }
    let (length, weight) = (all_began.elapsed(), resident_bytes().saturating_sub(before));
    Ok((Measured::of(published, length), Measured::of(ready, length), weight as f64 / LOADED as f64))
}

/// The component as another version of itself.
fn in_version(bytes: &[u8], number: usize) -> Outcome<Vec<u8>> {
    const WRITTEN: &[u8] = b"\"version\":\"0.1.0\"";
    let mut component = bytes.to_vec();
    let place = component.windows(WRITTEN.len()).rposition(|bytes| bytes == WRITTEN);
    let place = place.ok_or("its manifest does not say that it is version 0.1.0")?;
    component[place..place + WRITTEN.len()].copy_from_slice(format!("\"version\":\"0.0.{number}\"").as_bytes());
    Ok(component)
}

async fn call(engine: &Engine, guest: &Arc<Interlinker>, entry: Entry, state: KeyValues) -> Outcome<Called> {
    let (tell, told) = tokio::sync::oneshot::channel();
    let context = CallContext { at: "2027-01-01T00:00:00Z".into(), language: "en".into(), ..CallContext::default() };
    let call = Call { entry, state, context, given: Given::default() };
    engine.host().call(guest, call, Box::new(move |called| drop(tell.send(called))));
    told.await.map_err(|error| error.to_string())
}

fn done(called: Called) -> Outcome<Done> {
    called.result.map_err(|failure| format!("{failure:?}"))
}

fn touch() -> Entry {
    Entry::Action { name: "touch".into(), input: json!({}) }
}

/// Calls of `fill` that add so many entries.
fn fills(entries: usize) -> impl Iterator<Item = Value> {
    let sizes = (0..entries).step_by(FILLED_AT_ONCE).map(move |from| FILLED_AT_ONCE.min(entries - from));
    sizes.map(|entries| json!({ "entries": entries }))
}

/// State of so many kibibytes.
async fn filled(engine: &Engine, guest: &Arc<Interlinker>, kibibytes: usize) -> Outcome<KeyValues> {
    let input = json!({});
    let mut state = done(call(engine, guest, Entry::Instantiate { input }, KeyValues::default()).await?)?.state;
    for input in fills(kibibytes) {
        state = done(call(engine, guest, Entry::Action { name: "fill".into(), input }, state).await?)?.state;
    }
    Ok(state)
}

/// What an instance costs, and that and a call in it, one after the other; what the last call used of its fuel.
async fn called(engine: &Engine, guest: &Arc<Interlinker>, state: &KeyValues) -> Outcome<(Measured, Measured, u64)> {
    let (mut made, mut taken, mut fuel) = (Vec::new(), Vec::new(), 0);
    let began = Instant::now();
    for _ in 0..CALLS {
        let called = call(engine, guest, touch(), state.clone()).await?;
        made.push(Duration::from_micros(called.cost.instantiate_us));
        taken.push(Duration::from_micros(called.cost.instantiate_us + called.cost.call_us));
        fuel = called.cost.fuel;
        done(called)?;
    }
    let length = began.elapsed();
    Ok((Measured::of(made, length), Measured::of(taken, length), fuel))
}

/// The same of an asset, with its commit.
async fn with_commit(engine: &Engine, caller: &Caller, name: &str, kibibytes: usize) -> Outcome<Measured> {
    let asset = new_asset(engine, caller, name, json!({})).await?;
    for input in fills(kibibytes) {
        let filled = engine.act(caller, asset, "fill", input, "en", None, |_| empty(), Permit::default()).await;
        filled.map_err(|trouble| trouble.to_string())?;
    }
    acted(engine, caller, asset, "touch", |_| json!({})).await
}

/// How many are made and called in a second by several at once.
async fn side_by_side(engine: &Arc<Engine>, guest: &Arc<Interlinker>, state: &KeyValues) -> Outcome<f64> {
    let began = Instant::now();
    let callers: Vec<_> = (0..SIDE_BY_SIDE)
        .map(|_| {
            let (engine, guest, state) = (Arc::clone(engine), Arc::clone(guest), state.clone());
            tokio::spawn(async move {
                for _ in 0..CALLS / SIDE_BY_SIDE {
                    done(call(&engine, &guest, touch(), state.clone()).await?)?;
                }
                Ok::<_, String>(())
            })
        })
        .collect();
    for caller in callers {
        caller.await.map_err(|error| error.to_string())??;
    }
    Ok(CALLS as f64 / began.elapsed().as_secs_f64())
}

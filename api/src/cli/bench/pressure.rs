//! A thousand assets of a hundred Interlinkers in one engine, thirty of which never end: what the others have of it, with
//! everything that a call passes, its commit included.
//!
//! The hundred are one component under other names, which offers `touch` and `spin`, as the Rust one of `xtask/measured` does.
//! Whoever attacks calls every asset of the thirty at once, and again a moment after the last call has ended or was refused.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use interlink_model::event::Actor;
use interlink_model::id::AssetId;
use interlink_runtime::{Caller, Engine, Options, Permit};
use serde_json::{Value, json};

use super::Outcome;
use super::calls::new_asset;
use super::engine::{SCHEMA, empty, open_with};
use super::measured::Measured;

const INTERLINKERS: usize = 100;
const HOSTILE: usize = 30;
const ASSETS_OF_EACH: usize = 10;
/// Clients of those that do no harm, each of which thinks for a while between its calls.
const CLIENTS: usize = 3;
const CALLS_OF_EACH: usize = 1_000;
const THINKS: Duration = Duration::from_millis(3);
/// Between the end of a hostile call and the next.
const AGAIN: Duration = Duration::from_millis(10);

/// Measures, with the component in a file; nothing where it has nothing that does harm.
pub async fn pressure(place: &Path, file: &Path) -> Outcome<Option<Value>> {
    let bytes = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let (engine, caller) = open_with(place, Options::default(), SCHEMA).await?;
    let manifest = engine.host().inspect(&bytes).map_err(|error| error.to_string())?.manifest;
    if !manifest.actions.iter().any(|action| action.name == "spin") {
        return Ok(None);
    }
    let (mut hostile, mut good) = (Vec::new(), Vec::new());
    for number in 0..INTERLINKERS {
        let (name, component) = under_a_name(&bytes, &manifest.name, number)?;
        let published = engine.publish(&component, None, Actor::System, |_| empty(), &Permit::default()).await;
        published.map_err(|trouble| trouble.to_string())?;
        for _ in 0..ASSETS_OF_EACH {
            let asset = new_asset(&engine, &caller, &name, json!({})).await?;
            if number >= HOSTILE {
                act(&engine, &caller, asset, "fill", json!({"entries": 1})).await?;
            }
            if number < HOSTILE { &mut hostile } else { &mut good }.push(asset);
        }
    }
    measured(&engine, &caller, &good).await?;
    let alone = measured(&engine, &caller, &good).await?;
    let attack = Arc::new(Attack::default());
    let mut attackers = Vec::new();
    for (number, asset) in hostile.into_iter().enumerate() {
        let login = format!("mallory-{}", number % HOSTILE);
        let caller = engine.caller("bench", &login, false).await.map_err(|trouble| trouble.to_string())?;
        attackers.push(tokio::spawn(attack_on(Arc::clone(&engine), caller, asset, Arc::clone(&attack))));
    }
    let attacked = measured(&engine, &caller, &good).await?;
    attack.stop.store(true, Ordering::Relaxed);
    for attacker in attackers {
        attacker.await.map_err(|error| error.to_string())?;
    }
    engine.close();
    let [made, refused] = [&attack.made, &attack.refused].map(|count| count.load(Ordering::Relaxed));
    Ok(Some(json!({
        "alone": alone.json(), "attacked": attacked.json(), "hostile_calls": made, "hostile_refused": refused,
    })))
}

/// The component under another name of the same length.
fn under_a_name(bytes: &[u8], name: &str, number: usize) -> Outcome<(String, Vec<u8>)> {
    let digits = format!("{number:03}");
    let other = format!("{}{digits}", &name[..name.len() - digits.len()]);
    let [written, new] = [name, &other].map(|name| format!("\"name\":\"{name}\""));
    let mut component = bytes.to_vec();
    let place = component.windows(written.len()).rposition(|bytes| bytes == written.as_bytes());
    let place = place.ok_or("its manifest does not say its name")?;
    component[place..place + new.len()].copy_from_slice(new.as_bytes());
    Ok((other, component))
}

async fn act(engine: &Engine, caller: &Caller, asset: AssetId, action: &str, input: Value) -> Outcome<()> {
    let done = engine.act(caller, asset, action, input, "en", None, |_| empty(), Permit::default()).await;
    done.map(|_| ()).map_err(|trouble| trouble.to_string())
}

#[derive(Default)]
struct Attack {
    stop: AtomicBool,
    made: AtomicU64,
    refused: AtomicU64,
}

async fn attack_on(engine: Arc<Engine>, caller: Caller, asset: AssetId, attack: Arc<Attack>) {
    while !attack.stop.load(Ordering::Relaxed) {
        let ended = engine.act(&caller, asset, "spin", json!({}), "en", None, |_| empty(), Permit::default()).await;
        let count = match ended {
            Err(interlink_runtime::Trouble::Failed(_)) => &attack.made,
            _ => &attack.refused,
        };
        count.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(AGAIN).await;
    }
}

/// Calls of those that do no harm.
async fn measured(engine: &Arc<Engine>, caller: &Caller, good: &[AssetId]) -> Outcome<Measured> {
    let began = Instant::now();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (engine, caller, good) = (Arc::clone(engine), caller.clone(), good.to_vec());
            tokio::spawn(async move {
                let mut taken = Vec::new();
                for number in 0..CALLS_OF_EACH {
                    let asset = good[(number * CLIENTS + client) * 7 % good.len()];
                    let began = Instant::now();
                    act(&engine, &caller, asset, "touch", json!({})).await?;
                    taken.push(began.elapsed());
                    tokio::time::sleep(THINKS).await;
                }
                Ok::<_, String>(taken)
            })
        })
        .collect();
    let mut all = Vec::new();
    for client in clients {
        all.extend(client.await.map_err(|error| error.to_string())??);
    }
    Ok(Measured::of(all, began.elapsed()))
}

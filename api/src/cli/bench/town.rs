//! A town of a thousand assets of a hundred Interlinkers in one engine, thirty of which never end: what the others have of it,
//! with everything that a call passes, its commit included.
//!
//! Each Interlinker offers `touch`, which is some work and a change, and the first thirty `spin`, which never ends. Whoever
//! attacks calls every asset of the thirty at once, and again a moment after the last call has ended or was refused. Every attack
//! begins with closed breakers, and ends with the thirty paused, so that what waits is not made any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use interlink_model::event::Actor;
use interlink_model::id::AssetId;
use interlink_runtime::{Caller, Engine, Permit};
use serde_json::{Value, json};

use super::Outcome;
use super::calls::new_asset;
use super::engine::empty;
use super::measured::Measured;

const INTERLINKERS: usize = 100;
const HOSTILE: usize = 30;
const ASSETS_OF_EACH: usize = 10;
/// Clients of those that do no harm, each of which thinks for a while between its calls.
const CLIENTS: usize = 3;
const THINKS: Duration = Duration::from_millis(3);
/// Between the end of a hostile call and the next.
const AGAIN: Duration = Duration::from_millis(10);
/// How long what is left of an attack may take to end.
const ENDS: Duration = Duration::from_secs(60);

/// The town.
pub struct Town {
    engine: Arc<Engine>,
    caller: Caller,
    /// Names of the Interlinkers that do harm.
    harmful: Vec<String>,
    hostile: Vec<AssetId>,
    good: Vec<AssetId>,
}

/// How much is measured at once.
#[derive(Debug, Clone, Copy)]
pub struct Measure {
    /// Calls of each client, at most.
    pub calls: usize,
    /// How long, at most.
    pub length: Duration,
}

/// What came of an attack.
#[derive(Debug, Clone, Copy)]
pub struct Attacked {
    /// The calls of those that do no harm.
    pub others: Measured,
    /// Hostile calls that were made.
    pub made: u64,
    /// Those that were refused.
    pub refused: u64,
}

impl Town {
    /// Publishes the components, each under the name that comes with it, and makes the assets; `first` is done to each that
    /// does no harm.
    pub async fn made(
        engine: Arc<Engine>,
        caller: Caller,
        component: impl Fn(usize) -> Outcome<(String, Vec<u8>)>,
        first: Option<(&str, Value)>,
    ) -> Outcome<Self> {
        let mut town = Self { engine, caller, harmful: Vec::new(), hostile: Vec::new(), good: Vec::new() };
        for number in 0..INTERLINKERS {
            let (name, component) = component(number)?;
            let published = town.engine.publish(&component, None, Actor::System, |_| empty(), &Permit::default()).await;
            published.map_err(|trouble| trouble.to_string())?;
            if number < HOSTILE {
                town.harmful.push(name.clone());
            }
            for _ in 0..ASSETS_OF_EACH {
                let asset = new_asset(&town.engine, &town.caller, &name, json!({})).await?;
                if number < HOSTILE {
                    town.hostile.push(asset);
                    continue;
                }
                if let Some((action, input)) = &first {
                    act(&town.engine, &town.caller, asset, action, input.clone()).await?;
                }
                town.good.push(asset);
            }
        }
        Ok(town)
    }

    /// Whether an Interlinker of a number does harm.
    #[cfg(test)]
    pub fn is_hostile(number: usize) -> bool {
        number < HOSTILE
    }

    /// Calls of those that do no harm, with nobody else there.
    pub async fn alone(&self, measure: Measure) -> Outcome<Measured> {
        let began = Instant::now();
        let client = |number: usize| {
            let (engine, caller, good) = (Arc::clone(&self.engine), self.caller.clone(), self.good.clone());
            tokio::spawn(async move {
                let mut taken = Vec::new();
                for call in 0..measure.calls {
                    if began.elapsed() >= measure.length {
                        break;
                    }
                    let asset = good[(call * CLIENTS + number) * 7 % good.len()];
                    let began = Instant::now();
                    act(&engine, &caller, asset, "touch", json!({})).await?;
                    taken.push(began.elapsed());
                    tokio::time::sleep(THINKS).await;
                }
                Ok::<_, String>(taken)
            })
        };
        let clients: Vec<_> = (0..CLIENTS).map(client).collect();
        let mut all = Vec::new();
        for client in clients {
            all.extend(client.await.map_err(|error| error.to_string())??);
        }
        Ok(Measured::of(all, began.elapsed()))
    }

    /// The same under attack, from its first moment on. What is left of it has ended afterwards.
    pub async fn attacked(&self, measure: Measure) -> Outcome<Attacked> {
        self.pause(false).await?;
        let attack = Arc::new(Attack::default());
        let mut attackers = Vec::new();
        for (number, asset) in self.hostile.iter().enumerate() {
            let login = format!("mallory-{}", number % HOSTILE);
            let caller = self.engine.caller("bench", &login, false).await.map_err(|trouble| trouble.to_string())?;
            attackers.push(tokio::spawn(attack_on(Arc::clone(&self.engine), caller, *asset, Arc::clone(&attack))));
        }
        let others = self.alone(measure).await;
        attack.stop.store(true, Ordering::Relaxed);
        self.pause(true).await?;
        let ended = async {
            for attacker in attackers {
                attacker.await.map_err(|error| error.to_string())?;
            }
            Ok::<_, String>(())
        };
        tokio::time::timeout(ENDS, ended).await.map_err(|_| "the attack does not end")??;
        let [made, refused] = [&attack.made, &attack.refused].map(|count| count.load(Ordering::Relaxed));
        Ok(Attacked { others: others?, made, refused })
    }

    /// Stops calls of those that do harm, or lets them go on with closed breakers.
    async fn pause(&self, paused: bool) -> Outcome<()> {
        for name in &self.harmful {
            self.engine.reset_breaker(name).map_err(|trouble| trouble.to_string())?;
            let done = self.engine.set_paused(&self.caller, name, paused, None, &empty(), &Permit::default()).await;
            done.map_err(|trouble| trouble.to_string())?;
        }
        Ok(())
    }
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

#[cfg(test)]
mod tests;

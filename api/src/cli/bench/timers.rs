//! Timers: armed, and fired by the dispatcher once their time has come. What has ended is archived.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use interlink_model::id::Micros;
use interlink_model::process::ProcessStatus;
use interlink_runtime::ambient::{Ambient, System};
use interlink_runtime::{Options, Permit};

use super::Outcome;
use super::engine::{empty, many, open_with};
use super::measured::Measured;

/// Timers that are armed, and fired in one go: fewer than processes stay in memory.
pub const TIMERS: usize = 20_000;
/// A process that only waits.
const SCHEMA: &str = "name: waiting
version: 1.0.0
phases: [{ id: p, objectives: [{ id: o, tasks: [{ id: pause, kind: timer, wait: 1 day }] }] }]
";
/// By how much the clock is moved so that all of them are due, in microseconds.
const TWO_DAYS_US: i64 = 2 * 86_400_000_000;

/// The machine's clock, moved.
#[derive(Default)]
struct MovedClock {
    by_us: AtomicI64,
}

impl Ambient for MovedClock {
    fn now(&self) -> Micros {
        Micros(System.now().0 + self.by_us.load(Ordering::Relaxed))
    }

    fn random(&self, bytes: &mut [u8]) {
        System.random(bytes);
    }
}

/// What timers cost.
pub struct Timers {
    /// Processes made and started, each of which arms one.
    pub armed: Measured,
    /// Fired in a second: each completes a task and its process.
    pub fired_per_second: f64,
    /// Archived, one after the other: processes that have ended.
    pub archived: Measured,
}

/// Processes that are archived.
pub const ARCHIVED: usize = 2_000;

/// Arms timers of as many processes, moves the clock, and waits until the last has done its work.
pub async fn timers(place: &Path) -> Outcome<Timers> {
    let clock = Arc::new(MovedClock::default());
    let ambient: Arc<dyn Ambient> = Arc::<MovedClock>::clone(&clock);
    let (engine, caller) = open_with(place, Options { ambient, ..Options::default() }, SCHEMA).await?;
    let (ids, armed) = many(&engine, &caller, "waiting", TIMERS).await?;
    clock.by_us.store(TWO_DAYS_US, Ordering::Relaxed);
    let mut left = ids.clone();
    let began = Instant::now();
    while let Some(id) = left.last() {
        let process = engine.process(*id).map_err(|trouble| trouble.to_string())?.process;
        if process.status == ProcessStatus::Completed {
            left.pop();
        } else {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    let fired_per_second = TIMERS as f64 / began.elapsed().as_secs_f64();
    let mut taken = Vec::new();
    let began = Instant::now();
    for id in ids.into_iter().take(ARCHIVED) {
        let began = Instant::now();
        let archived = engine.set_archived(&caller, id, true, None, None, |_, _| empty(), Permit::default()).await;
        archived.map_err(|trouble| trouble.to_string())?;
        taken.push(began.elapsed());
    }
    let archived = Measured::of(taken, began.elapsed());
    engine.close();
    Ok(Timers { armed, fired_per_second, archived })
}

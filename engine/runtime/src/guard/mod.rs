//! What stands between a call and its Interlinker: a [breaker] for each version, and a tally of what came of calls.
//!
//! It is memory only. What failed before a restart may work after it, and where it does not, so many calls find out again; a
//! breaker that were an event would make every failure of a stranger's code a write. Whether a call may be made is asked
//! twice: when it comes, so that nobody waits in vain, and when its turn has come, because much may have happened meanwhile.

pub mod breaker;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};

use interlink_host::{Called, Failure, Fault};
use interlink_model::facts::InterlinkerRef;
use interlink_model::id::Micros;
use parking_lot::Mutex;

use self::breaker::{Breaker, Ended, Pass, Status};
use crate::error::{Outcome, Trouble};

/// A failure, without what an Interlinker said of it: that may be about the one who called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastFailure {
    /// Which limit, or that it trapped: a slug.
    pub limit: &'static str,
    /// Which limit, and how far.
    pub detail: String,
    /// When.
    pub at: Micros,
}

impl LastFailure {
    fn of(fault: &Fault, at: Micros) -> Self {
        let detail = match fault {
            Fault::Trap { .. } => "it trapped".into(),
            Fault::Key(_) => "it used a key that is none".into(),
            Fault::Value { bytes, .. } => format!("it stored a value of {bytes} bytes, which is too large"),
            Fault::Output { .. } => "its answer is not JSON".into(),
            Fault::Diverged { position, .. } => format!("run again, it left its record at host call {position}"),
            other => other.to_string(),
        };
        Self { limit: fault.limit(), detail, at }
    }
}

/// How the breaker of a version stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerView {
    /// Closed, open, or half open.
    pub status: Status,
    /// Failures in a row.
    pub failures: u32,
    /// When the next call is let through, where none is now.
    pub retry_at: Option<Micros>,
    /// What failed last, whatever came after it.
    pub last: Option<LastFailure>,
}

/// What came of the calls of a version since the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Which version.
    pub interlinker: InterlinkerRef,
    /// Calls that were done.
    pub done: u64,
    /// Calls that the Interlinker refused.
    pub refused: u64,
    /// Calls that failed.
    pub failed: u64,
    /// Calls that were not made, by the slug of why not.
    pub not_made: BTreeMap<&'static str, u64>,
    /// Limits that calls crossed, by their slugs.
    pub crossed: BTreeMap<&'static str, u64>,
    /// How its breaker stands.
    pub breaker: BreakerView,
}

struct Guarded {
    interlinker: InterlinkerRef,
    breaker: Breaker,
    last: Option<LastFailure>,
    done: u64,
    refused: u64,
    failed: u64,
    not_made: BTreeMap<&'static str, u64>,
    crossed: BTreeMap<&'static str, u64>,
}

impl Guarded {
    fn new(interlinker: &InterlinkerRef) -> Self {
        let (not_made, crossed) = (BTreeMap::new(), BTreeMap::new());
        let (interlinker, breaker) = (interlinker.clone(), Breaker::default());
        Self { interlinker, breaker, last: None, done: 0, refused: 0, failed: 0, not_made, crossed }
    }

    fn view(&self, now: Micros) -> BreakerView {
        BreakerView {
            status: self.breaker.status(),
            failures: self.breaker.failures(),
            retry_at: self.breaker.retry_at(now),
            last: self.last.clone(),
        }
    }

    fn tally(&self, now: Micros) -> Tally {
        let Self { interlinker, done, refused, failed, not_made, crossed, .. } = self;
        let (interlinker, not_made, crossed) = (interlinker.clone(), not_made.clone(), crossed.clone());
        let (done, refused, failed, breaker) = (*done, *refused, *failed, self.view(now));
        Tally { interlinker, done, refused, failed, not_made, crossed, breaker }
    }

    fn failing(&self, now: Micros) -> Trouble {
        let name = format!("{}@{}", self.interlinker.name, self.interlinker.version);
        let retry_at = self.breaker.retry_at(now).unwrap_or(now);
        let retry_after_s = u32::try_from((retry_at.0 - now.0).max(0) / 1_000_000 + 1).unwrap_or(u32::MAX);
        Trouble::Failing { name, failures: self.breaker.failures(), last: self.last.clone(), retry_after_s }
    }
}

/// Breakers and tallies of all versions that were called.
#[derive(Default)]
pub(crate) struct Guards {
    inner: Mutex<Inner>,
    /// Breakers that are not closed: where there is none, nobody looks for one.
    not_closed: AtomicUsize,
}

#[derive(Default)]
struct Inner {
    /// In the order of their first call.
    all: Vec<Guarded>,
    by_digest: HashMap<String, usize>,
}

impl Inner {
    fn of(&mut self, interlinker: &InterlinkerRef) -> &mut Guarded {
        let number = match self.by_digest.get(&interlinker.digest) {
            Some(number) => *number,
            None => {
                self.by_digest.insert(interlinker.digest.clone(), self.all.len());
                self.all.push(Guarded::new(interlinker));
                self.all.len() - 1
            }
        };
        &mut self.all[number]
    }
}

impl Guards {
    /// Does something with what is known of a version, and counts the breakers that are not closed.
    fn with<T>(&self, interlinker: &InterlinkerRef, work: impl FnOnce(&mut Guarded) -> T) -> T {
        let mut inner = self.inner.lock();
        let guarded = inner.of(interlinker);
        let was_closed = guarded.breaker.status() == Status::Closed;
        let done = work(guarded);
        let is_closed = guarded.breaker.status() == Status::Closed;
        match (was_closed, is_closed) {
            (true, false) => {
                let BreakerView { failures, .. } = guarded.view(Micros(0));
                let limit = guarded.last.as_ref().map_or("", |last| last.limit);
                let InterlinkerRef { name, version, .. } = interlinker;
                tracing::warn!(interlinker = %name, %version, failures, limit, "an Interlinker fails: its breaker is open");
                self.not_closed.fetch_add(1, Ordering::Relaxed);
            }
            (false, true) => {
                let InterlinkerRef { name, version, .. } = interlinker;
                tracing::info!(interlinker = %name, %version, "an Interlinker works again: its breaker is closed");
                self.not_closed.fetch_sub(1, Ordering::Relaxed);
            }
            _ => {}
        }
        done
    }

    /// Refuses a call of a version whose breaker is open.
    pub fn admit(&self, interlinker: &InterlinkerRef, now: Micros) -> Outcome<()> {
        self.with(interlinker, |guarded| {
            if guarded.breaker.admits(now) {
                return Ok(());
            }
            *guarded.not_made.entry("failing").or_default() += 1;
            Err(guarded.failing(now))
        })
    }

    /// Lets a call through whose turn has come, or refuses it.
    pub fn pass(&self, interlinker: &InterlinkerRef, now: Micros) -> Outcome<Pass> {
        self.with(interlinker, |guarded| {
            guarded.breaker.pass(now).ok_or_else(|| {
                *guarded.not_made.entry("failing").or_default() += 1;
                guarded.failing(now)
            })
        })
    }

    /// Counts a call that was refused before it was made.
    pub fn not_made(&self, interlinker: &InterlinkerRef, why: &'static str) {
        self.with(interlinker, |guarded| *guarded.not_made.entry(why).or_default() += 1);
    }

    /// Takes in what came of a call. One that was not let through says nothing to the breaker.
    pub fn ended(&self, interlinker: &InterlinkerRef, pass: Option<Pass>, called: &Called, now: Micros) {
        self.with(interlinker, |guarded| {
            let how = match &called.result {
                Ok(_) => {
                    guarded.done += 1;
                    Ended::Well
                }
                Err(Failure::Refused(_)) => {
                    guarded.refused += 1;
                    Ended::Well
                }
                // Whoever said so has counted it.
                Err(Failure::NotBegun) => return,
                Err(Failure::Failed(fault)) if is_not_made(fault) => {
                    *guarded.not_made.entry(fault.limit()).or_default() += 1;
                    Ended::Otherwise
                }
                Err(Failure::Failed(fault)) => {
                    guarded.failed += 1;
                    *guarded.crossed.entry(fault.limit()).or_default() += 1;
                    if fault.is_its_own() {
                        guarded.last = Some(LastFailure::of(fault, now));
                        Ended::Badly
                    } else {
                        Ended::Otherwise
                    }
                }
            };
            if let Some(pass) = pass {
                guarded.breaker.ended(pass, how, now);
            }
        });
    }

    /// How the breaker of a version stands.
    pub fn view(&self, interlinker: &InterlinkerRef, now: Micros) -> BreakerView {
        let inner = self.inner.lock();
        let found = inner.by_digest.get(&interlinker.digest).map(|number| inner.all[*number].view(now));
        found.unwrap_or(BreakerView { status: Status::Closed, failures: 0, retry_at: None, last: None })
    }

    /// Whether calls of a version wait for its breaker.
    pub fn is_waiting(&self, interlinker: &InterlinkerRef, now: Micros) -> bool {
        self.any_not_closed() && self.view(interlinker, now).retry_at.is_some()
    }

    /// Whether any breaker is open or half open.
    pub fn any_not_closed(&self) -> bool {
        self.not_closed.load(Ordering::Relaxed) > 0
    }

    /// Closes the breakers of all versions of an Interlinker.
    pub fn reset(&self, name: &str) {
        let all: Vec<_> = {
            let inner = self.inner.lock();
            let of_name = inner.all.iter().filter(|guarded| guarded.interlinker.name == name);
            of_name.map(|guarded| guarded.interlinker.clone()).collect()
        };
        all.iter().for_each(|interlinker| self.with(interlinker, |guarded| guarded.breaker.reset()));
    }

    /// What came of the calls of every version, in the order of their first calls.
    pub fn tallies(&self, now: Micros) -> Vec<Tally> {
        self.inner.lock().all.iter().map(|guarded| guarded.tally(now)).collect()
    }
}

/// Whether a fault means that the call was not made at all, and that nothing of it is to be written down.
pub(crate) fn is_not_made(fault: &Fault) -> bool {
    matches!(fault, Fault::Busy { .. } | Fault::OverBudget { .. })
}

#[cfg(test)]
mod tests {
    use interlink_host::{Cost, Problem};

    use super::breaker::FAILURES_IN_A_ROW_MAX;
    use super::*;

    fn interlinker(name: &str) -> InterlinkerRef {
        InterlinkerRef { name: name.into(), version: "1.0.0".into(), digest: format!("sha256:{name}") }
    }

    fn failed(fault: Fault) -> Called {
        Called { result: Err(Failure::Failed(fault)), logs: Vec::new(), cost: Cost::default() }
    }

    fn call(guards: &Guards, of: &InterlinkerRef, called: &Called, now: Micros) {
        let pass = guards.pass(of, now).expect("it is let through");
        guards.ended(of, Some(pass), called, now);
    }

    #[test]
    fn what_is_its_own_fault_opens_its_breaker_and_nobody_elses() {
        let (guards, bad, good) = (Guards::default(), interlinker("bad"), interlinker("good"));
        let trap = failed(Fault::Trap { message: "about Ana".into() });
        (0..FAILURES_IN_A_ROW_MAX).for_each(|_| call(&guards, &bad, &trap, Micros(0)));
        let Err(Trouble::Failing { name, last, retry_after_s, .. }) = guards.admit(&bad, Micros(0)) else {
            panic!("its breaker is open");
        };
        let last = last.expect("it failed");
        assert_eq!((name.as_str(), last.limit, retry_after_s), ("bad@1.0.0", "trap", 2));
        assert!(!last.detail.contains("Ana"), "what it said is for who called: {last:?}");
        assert!(guards.admit(&good, Micros(0)).is_ok() && guards.any_not_closed());
        guards.reset("bad");
        assert!(guards.admit(&bad, Micros(0)).is_ok() && !guards.any_not_closed());
    }

    #[test]
    fn refusals_and_what_is_not_its_fault_open_nothing() {
        let (guards, one) = (Guards::default(), interlinker("one"));
        let problem = Problem { code: "closed".into(), detail: "it is closed".into(), pointer: None, data: None };
        let refused = Called { result: Err(Failure::Refused(problem)), ..failed(Fault::ViewChanges) };
        for _ in 0..2 * FAILURES_IN_A_ROW_MAX {
            call(&guards, &one, &refused, Micros(0));
            call(&guards, &one, &failed(Fault::Busy { waiting: 1 }), Micros(0));
            call(&guards, &one, &failed(Fault::State { bytes: 1 }), Micros(0));
        }
        let tally = guards.tallies(Micros(0)).remove(0);
        assert_eq!(tally.breaker.status, Status::Closed);
        assert_eq!((tally.refused, tally.failed, tally.not_made["busy"], tally.crossed["state"]), (10, 10, 10, 10));
    }
}

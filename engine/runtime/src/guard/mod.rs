//! What stands between a call and its Interlinker: a [breaker] for each version, and a tally of what came of calls.
//!
//! A breaker that anybody could open by failing on purpose would stop everybody's work. So failures in a row count for a
//! version only when they are not all one person's; whoever fails alone is let alone by a breaker of their own.
//!
//! It is memory only. What failed before a restart may work after it, and where it does not, so many calls find out again; a
//! breaker that were an event would make every failure of a stranger's code a write. Whether a call may be made is asked
//! twice: when it comes, so that nobody waits in vain, and when its turn has come, because much may have happened meanwhile.

pub mod breaker;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};

use interlink_host::{Called, Failure, Fault};
use interlink_model::event::Actor;
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
            Fault::NotText { .. } => "it read as text a value that is none".into(),
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
    /// People whose own calls are refused for now, because theirs alone failed again and again; all visitors of services are
    /// one.
    pub held_off: usize,
}

/// Who made a call, as far as breakers tell people apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Who {
    /// What happens by itself: nobody makes it fail on purpose.
    System,
    /// A person.
    Person([u8; 16]),
    /// Visitors of services, all of them: anybody can be several.
    Visitors,
}

impl Who {
    /// Who acts.
    pub fn of(actor: Actor) -> Self {
        match actor {
            Actor::System => Self::System,
            Actor::Person(person) | Actor::Operator(person) => Self::Person(person.bytes()),
            Actor::Pseudonym(id) => Self::Person(*id.as_bytes()),
            Actor::Visitor(_) => Self::Visitors,
        }
    }
}

/// By whom the failures in a row were, before they count for everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Row {
    Nobody,
    One(Who),
    Several,
}

/// A call that was let through, by the breaker of its version and by its caller's own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Passed {
    version: Pass,
    own: Option<Pass>,
}

/// People of whom a breaker of their own is kept, for each version: beyond them failures count for everybody.
pub const HELD_OFF_MAX: usize = 1_000;

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
    row: Row,
    /// Breakers of people whose own calls failed last.
    of_one: HashMap<Who, Breaker>,
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
        let (row, of_one) = (Row::Nobody, HashMap::new());
        Self { interlinker, breaker, row, of_one, last: None, done: 0, refused: 0, failed: 0, not_made, crossed }
    }

    fn view(&self, now: Micros) -> BreakerView {
        BreakerView {
            status: self.breaker.status(),
            failures: self.breaker.failures(),
            retry_at: self.breaker.retry_at(now),
            last: self.last.clone(),
            held_off: self.of_one.values().filter(|own| own.status() != Status::Closed).count(),
        }
    }

    fn tally(&self, now: Micros) -> Tally {
        let Self { interlinker, done, refused, failed, not_made, crossed, .. } = self;
        let (interlinker, not_made, crossed) = (interlinker.clone(), not_made.clone(), crossed.clone());
        let (done, refused, failed, breaker) = (*done, *refused, *failed, self.view(now));
        Tally { interlinker, done, refused, failed, not_made, crossed, breaker }
    }

    /// Why a call is not made, counted.
    fn failing(&mut self, by: &Breaker, now: Micros) -> Trouble {
        *self.not_made.entry("failing").or_default() += 1;
        let name = format!("{}@{}", self.interlinker.name, self.interlinker.version);
        let retry_at = by.retry_at(now).unwrap_or(now);
        let retry_after_s = u32::try_from((retry_at.0 - now.0).max(0) / 1_000_000 + 1).unwrap_or(u32::MAX);
        Trouble::Failing { name, failures: by.failures(), last: self.last.clone(), retry_after_s }
    }

    /// Refuses whom a breaker refuses.
    fn admit(&mut self, who: Who, now: Micros) -> Outcome<()> {
        let own = self.of_one.get(&who).copied().filter(|own| !own.admits(now));
        match own.or_else(|| Some(self.breaker).filter(|breaker| !breaker.admits(now))) {
            Some(refusing) => Err(self.failing(&refusing, now)),
            None => Ok(()),
        }
    }

    /// Tells the breakers how a call ended that they let through.
    fn ended(&mut self, passed: Passed, who: Who, how: Ended, now: Micros) {
        let is_counted = match how {
            Ended::Otherwise => true,
            Ended::Well => {
                self.row = Row::Nobody;
                true
            }
            Ended::Badly => self.counts_for_all(who),
        };
        self.breaker.ended(passed.version, if is_counted { how } else { Ended::Otherwise }, now);
        let is_kept = self.of_one.contains_key(&who);
        if is_kept || how == Ended::Badly && who != Who::System && self.of_one.len() < HELD_OFF_MAX {
            let own = self.of_one.entry(who).or_default();
            // One that is new has let everything through.
            own.ended(passed.own.unwrap_or_default(), how, now);
            if *own == Breaker::default() || own.status() == Status::Closed && own.failures() == 0 {
                self.of_one.remove(&who);
            }
        }
    }

    /// Whether a failure counts for everybody: not while all in a row are one person's. What a trial shows, counts.
    fn counts_for_all(&mut self, who: Who) -> bool {
        let is_full = self.of_one.len() >= HELD_OFF_MAX && !self.of_one.contains_key(&who);
        self.row = match self.row {
            Row::Nobody if who != Who::System => Row::One(who),
            Row::One(before) if before == who => self.row,
            _ => Row::Several,
        };
        self.row == Row::Several || is_full || self.breaker.status() != Status::Closed
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
    pub fn admit(&self, interlinker: &InterlinkerRef, who: Who, now: Micros) -> Outcome<()> {
        self.with(interlinker, |guarded| guarded.admit(who, now))
    }

    /// Lets a call through whose turn has come, or refuses it.
    pub fn pass(&self, interlinker: &InterlinkerRef, who: Who, now: Micros) -> Outcome<Passed> {
        self.with(interlinker, |guarded| {
            guarded.admit(who, now)?;
            let own = guarded.of_one.get_mut(&who).and_then(|own| own.pass(now));
            let version = guarded.breaker.pass(now);
            let breaker = guarded.breaker;
            let version = version.ok_or_else(|| guarded.failing(&breaker, now))?;
            Ok(Passed { version, own })
        })
    }

    /// Counts a call that was refused before it was made.
    pub fn not_made(&self, interlinker: &InterlinkerRef, why: &'static str) {
        self.with(interlinker, |guarded| *guarded.not_made.entry(why).or_default() += 1);
    }

    /// Takes in what came of a call. One that was not let through says nothing to the breaker.
    pub fn ended(&self, interlinker: &InterlinkerRef, who: Who, passed: Option<Passed>, called: &Called, now: Micros) {
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
            if let Some(passed) = passed {
                guarded.ended(passed, who, how, now);
            }
        });
    }

    /// How the breaker of a version stands.
    pub fn view(&self, interlinker: &InterlinkerRef, now: Micros) -> BreakerView {
        let inner = self.inner.lock();
        let found = inner.by_digest.get(&interlinker.digest).map(|number| inner.all[*number].view(now));
        found.unwrap_or(BreakerView { status: Status::Closed, failures: 0, retry_at: None, last: None, held_off: 0 })
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
        let reset = |guarded: &mut Guarded| {
            guarded.breaker.reset();
            guarded.of_one.clear();
            guarded.row = Row::Nobody;
        };
        all.iter().for_each(|interlinker| self.with(interlinker, reset));
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
        call_by(guards, of, Who::System, called, now);
    }

    #[track_caller]
    fn call_by(guards: &Guards, of: &InterlinkerRef, who: Who, called: &Called, now: Micros) {
        let passed = guards.pass(of, who, now).expect("it is let through");
        guards.ended(of, who, Some(passed), called, now);
    }

    fn person(number: usize) -> Who {
        Who::Person((number as u128).to_be_bytes())
    }

    fn trap() -> Called {
        failed(Fault::Trap { message: "it fell".into() })
    }

    fn done() -> Called {
        let problem = Problem { code: "closed".into(), detail: "it is closed".into(), pointer: None, data: None };
        Called { result: Err(Failure::Refused(problem)), ..failed(Fault::ViewChanges) }
    }

    #[test]
    fn whoever_fails_alone_is_let_alone_and_nobody_else() {
        for alone in [person(1), Who::Visitors] {
            let (guards, of, other) = (Guards::default(), interlinker("one"), person(2));
            (0..FAILURES_IN_A_ROW_MAX).for_each(|_| call_by(&guards, &of, alone, &trap(), Micros(0)));
            let refused = guards.admit(&of, alone, Micros(0));
            let Err(Trouble::Failing { failures, retry_after_s, .. }) = refused else { panic!("theirs are refused") };
            assert_eq!((failures, retry_after_s), (FAILURES_IN_A_ROW_MAX, 2));
            let view = guards.view(&of, Micros(0));
            assert_eq!((view.status, view.failures, view.held_off), (Status::Closed, 0, 1));
            assert!(guards.admit(&of, other, Micros(0)).is_ok() && !guards.any_not_closed());
            call_by(&guards, &of, other, &done(), Micros(0));
            // Once it works for them again they are as everybody.
            call_by(&guards, &of, alone, &done(), Micros(1_000_000));
            assert_eq!(guards.view(&of, Micros(1_000_000)).held_off, 0);
            (1..FAILURES_IN_A_ROW_MAX).for_each(|_| call_by(&guards, &of, alone, &trap(), Micros(1_000_000)));
            assert!(guards.admit(&of, alone, Micros(1_000_000)).is_ok());
            guards.reset("one");
        }
    }

    #[test]
    fn what_fails_for_several_in_a_row_opens_the_breaker_for_all() {
        let (guards, of) = (Guards::default(), interlinker("one"));
        (0..3).for_each(|_| call_by(&guards, &of, person(1), &trap(), Micros(0)));
        (0..FAILURES_IN_A_ROW_MAX - 1).for_each(|number| {
            call_by(&guards, &of, person(2 + number as usize), &trap(), Micros(0));
        });
        assert_eq!(guards.view(&of, Micros(0)).status, Status::Closed);
        call_by(&guards, &of, person(1), &trap(), Micros(0));
        assert_eq!(guards.view(&of, Micros(0)).status, Status::Open);
        assert!(guards.admit(&of, person(99), Micros(0)).is_err());
        // A trial that fails counts, whoever makes it.
        call_by(&guards, &of, person(99), &trap(), Micros(1_000_000));
        assert_eq!(guards.view(&of, Micros(1_000_000)).status, Status::Open);
        call_by(&guards, &of, person(99), &done(), Micros(4_000_000));
        assert_eq!(guards.view(&of, Micros(4_000_000)).status, Status::Closed);
    }

    #[test]
    fn of_so_many_people_a_breaker_of_their_own_is_kept() {
        let (guards, of) = (Guards::default(), interlinker("one"));
        for number in 0..HELD_OFF_MAX + 5 {
            call_by(&guards, &of, person(number), &trap(), Micros(0));
            // So that the row is never of several.
            call_by(&guards, &of, Who::System, &done(), Micros(0));
        }
        assert_eq!(guards.with(&of, |guarded| guarded.of_one.len()), HELD_OFF_MAX);
        let stranger = person(HELD_OFF_MAX + 9);
        (0..FAILURES_IN_A_ROW_MAX).for_each(|_| call_by(&guards, &of, stranger, &trap(), Micros(0)));
        assert_eq!(guards.view(&of, Micros(0)).status, Status::Open, "beyond them failures count for everybody");
    }

    #[test]
    fn what_is_its_own_fault_opens_its_breaker_and_nobody_elses() {
        let (guards, bad, good) = (Guards::default(), interlinker("bad"), interlinker("good"));
        let trap = failed(Fault::Trap { message: "about Ana".into() });
        (0..FAILURES_IN_A_ROW_MAX).for_each(|_| call(&guards, &bad, &trap, Micros(0)));
        let Err(Trouble::Failing { name, last, retry_after_s, .. }) = guards.admit(&bad, Who::System, Micros(0)) else {
            panic!("its breaker is open");
        };
        let last = last.expect("it failed");
        assert_eq!((name.as_str(), last.limit, retry_after_s), ("bad@1.0.0", "trap", 2));
        assert!(!last.detail.contains("Ana"), "what it said is for who called: {last:?}");
        assert!(guards.admit(&good, Who::System, Micros(0)).is_ok() && guards.any_not_closed());
        guards.reset("bad");
        assert!(guards.admit(&bad, Who::System, Micros(0)).is_ok() && !guards.any_not_closed());
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

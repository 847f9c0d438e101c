//! A circuit breaker: what fails again and again is let alone for a while, and tried again one call at a time.
//!
//! A state machine without a clock. *Closed*, it counts failures in a row; so many open it. *Open*, it refuses until a
//! back-off is over. Then it is *half open*: one call is a trial, everything else is refused meanwhile. A trial that succeeds
//! closes it; one that fails opens it for twice as long, up to a bound. What began before it opened and ends later changes
//! nothing: it says how things were, not how they are.

use interlink_model::id::Micros;

/// Failures in a row that open a breaker.
pub const FAILURES_IN_A_ROW_MAX: u32 = 5;
/// The first back-off, in seconds.
pub const BACK_OFF_FIRST_S: u32 = 1;
/// The longest back-off, in seconds.
pub const BACK_OFF_S_MAX: u32 = 300;
/// How long a trial may take before another is let through, in seconds: whoever asked for it may have gone.
const TRIAL_S: u32 = 60;

const SECOND_US: i64 = 1_000_000;

/// How a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Calls are made.
    Closed,
    /// Calls are refused.
    Open,
    /// One call tries whether they can be made again; the others are refused.
    HalfOpen,
}

impl Status {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed { failures: u32 },
    Open { until: Micros, back_off_s: u32 },
    Trying { since: Micros, back_off_s: u32 },
}

/// A call that was let through; it says how it ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Pass {
    /// How often the breaker had changed its state when it was let through.
    era: u64,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was done, or refused for a reason: the Interlinker works.
    Well,
    /// It failed, and that was the Interlinker's fault.
    Badly,
    /// It says nothing of the Interlinker.
    Otherwise,
}

/// A breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Breaker {
    state: State,
    era: u64,
    /// Failures since it was last closed.
    failures: u32,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { state: State::Closed { failures: 0 }, era: 0, failures: 0 }
    }
}

impl Breaker {
    /// How it stands.
    pub fn status(&self) -> Status {
        match self.state {
            State::Closed { .. } => Status::Closed,
            State::Open { .. } => Status::Open,
            State::Trying { .. } => Status::HalfOpen,
        }
    }

    /// Failures in a row, those of trials included.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// When the next call is let through, where none is now.
    pub fn retry_at(&self, now: Micros) -> Option<Micros> {
        let at = match self.state {
            State::Closed { .. } => return None,
            State::Open { until, .. } => until,
            State::Trying { since, .. } => Micros(since.0 + i64::from(TRIAL_S) * SECOND_US),
        };
        (at > now).then_some(at)
    }

    /// Whether a call may wait for its turn: whether it would be let through now.
    pub fn admits(&self, now: Micros) -> bool {
        self.retry_at(now).is_none()
    }

    /// Lets a call through, if it may: as a trial where the breaker was open for long enough.
    pub fn pass(&mut self, now: Micros) -> Option<Pass> {
        if !self.admits(now) {
            return None;
        }
        if let State::Open { back_off_s, .. } | State::Trying { back_off_s, .. } = self.state {
            self.turn(State::Trying { since: now, back_off_s });
        }
        Some(Pass { era: self.era })
    }

    /// A call that was let through has ended.
    pub fn ended(&mut self, pass: Pass, how: Ended, now: Micros) {
        if pass.era != self.era {
            return;
        }
        match (self.state, how) {
            // Nothing is let through under an open breaker's own era.
            (State::Open { .. }, _) => {}
            (State::Closed { .. }, Ended::Otherwise) => {}
            (State::Closed { .. }, Ended::Well) => {
                self.failures = 0;
                self.state = State::Closed { failures: 0 };
            }
            (State::Closed { failures }, Ended::Badly) => {
                self.failures += 1;
                self.state = State::Closed { failures: failures + 1 };
                if failures + 1 >= FAILURES_IN_A_ROW_MAX {
                    self.open(now, BACK_OFF_FIRST_S);
                }
            }
            (State::Trying { .. }, Ended::Well) => self.reset(),
            (State::Trying { back_off_s, .. }, Ended::Badly) => {
                self.failures = self.failures.saturating_add(1);
                self.open(now, back_off_s.saturating_mul(2).min(BACK_OFF_S_MAX));
            }
            // It was no trial: another is, at once.
            (State::Trying { back_off_s, .. }, Ended::Otherwise) => {
                self.turn(State::Open { until: now, back_off_s });
            }
        }
    }

    /// Closes it, whatever there was.
    pub fn reset(&mut self) {
        self.failures = 0;
        self.turn(State::Closed { failures: 0 });
    }

    fn open(&mut self, now: Micros, back_off_s: u32) {
        let until = Micros(now.0.saturating_add(i64::from(back_off_s) * SECOND_US));
        self.turn(State::Open { until, back_off_s });
    }

    fn turn(&mut self, state: State) {
        self.state = state;
        self.era += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(s: i64) -> Micros {
        Micros(s * SECOND_US)
    }

    fn fails(breaker: &mut Breaker, now: Micros) {
        let pass = breaker.pass(now).expect("it is let through");
        breaker.ended(pass, Ended::Badly, now);
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::default();
        (0..FAILURES_IN_A_ROW_MAX).for_each(|_| fails(&mut breaker, at(0)));
        breaker
    }

    #[test]
    fn so_many_failures_in_a_row_open_it_and_one_success_between_does_not_let_them() {
        let mut breaker = Breaker::default();
        for _ in 0..3 {
            (1..FAILURES_IN_A_ROW_MAX).for_each(|_| fails(&mut breaker, at(0)));
            let pass = breaker.pass(at(0)).expect("closed");
            breaker.ended(pass, Ended::Well, at(0));
        }
        assert_eq!((breaker.status(), breaker.failures()), (Status::Closed, 0));
        let breaker = opened();
        assert_eq!((breaker.status(), breaker.retry_at(at(0))), (Status::Open, Some(at(1))));
    }

    #[test]
    fn after_its_back_off_one_call_is_let_through_and_closes_it() {
        let mut breaker = opened();
        assert_eq!(breaker.pass(Micros(999_999)), None);
        let trial = breaker.pass(at(1)).expect("a trial");
        assert_eq!((breaker.status(), breaker.pass(at(1))), (Status::HalfOpen, None));
        breaker.ended(trial, Ended::Well, at(2));
        assert_eq!((breaker.status(), breaker.failures()), (Status::Closed, 0));
        fails(&mut breaker, at(3));
        assert_eq!(breaker.status(), Status::Closed, "it counts from the beginning");
    }

    #[test]
    fn a_back_off_doubles_up_to_its_bound() {
        let mut breaker = opened();
        let mut now = at(0);
        let mut waits = Vec::new();
        for _ in 0..12 {
            let retry = breaker.retry_at(now).expect("open");
            waits.push((retry.0 - now.0) / SECOND_US);
            now = retry;
            fails(&mut breaker, now);
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        breaker.reset();
        assert!(breaker.admits(now) && breaker.failures() == 0);
    }

    #[test]
    fn what_was_let_through_before_it_opened_says_nothing_later() {
        let mut breaker = Breaker::default();
        let early = breaker.pass(at(0)).expect("closed");
        (0..FAILURES_IN_A_ROW_MAX).for_each(|_| fails(&mut breaker, at(0)));
        breaker.ended(early, Ended::Well, at(0));
        assert_eq!(breaker.status(), Status::Open);
        breaker.pass(at(1)).expect("a trial");
        breaker.ended(early, Ended::Badly, at(1));
        assert_eq!(breaker.status(), Status::HalfOpen);
    }

    #[test]
    fn a_trial_of_which_nothing_is_heard_or_that_says_nothing_is_followed_by_another() {
        let mut breaker = opened();
        breaker.pass(at(1)).expect("a trial");
        assert_eq!(breaker.pass(at(60)), None);
        let second = breaker.pass(at(61)).expect("another");
        breaker.ended(second, Ended::Otherwise, at(62));
        assert!(breaker.pass(at(62)).is_some());
    }

    proptest! {
        /// Whatever happens in whatever order: one trial at a time, back-offs within bounds, and a breaker that is left alone
        /// lets a call through in the end.
        #[test]
        fn it_never_lets_more_than_one_trial_through_and_never_refuses_for_good(
            steps in proptest::collection::vec((0u8..5, 0i64..400), 0..200),
        ) {
            let (mut breaker, mut now, mut open) = (Breaker::default(), at(0), Vec::new());
            for (what, s) in steps {
                let before = breaker;
                match what {
                    0 => if let Some(pass) = breaker.pass(now) {
                        open.push(pass);
                        prop_assert!(before.admits(now));
                        if before.status() != Status::Closed {
                            prop_assert_eq!(breaker.status(), Status::HalfOpen);
                            prop_assert!(breaker.pass(now).is_none(), "one trial at a time");
                        }
                    },
                    1 => now = Micros(now.0 + s * SECOND_US),
                    how => if let Some(pass) = open.pop() {
                        let how = [Ended::Well, Ended::Badly, Ended::Otherwise][usize::from(how - 2)];
                        breaker.ended(pass, how, now);
                        if pass.era != before.era {
                            prop_assert_eq!(breaker, before);
                        }
                        if how != Ended::Badly && before.status() == Status::Closed {
                            prop_assert_eq!(breaker.status(), Status::Closed);
                        }
                    },
                }
                let longest = i64::from(BACK_OFF_S_MAX.max(TRIAL_S)) * SECOND_US;
                prop_assert!(breaker.retry_at(now).is_none_or(|retry| retry.0 - now.0 <= longest));
                prop_assert!(breaker.admits(Micros(now.0 + longest)));
                prop_assert_eq!(breaker.status() == Status::Closed && breaker.admits(now), breaker.status() == Status::Closed);
            }
        }
    }
}

//! CPU time as a budget: a bucket that fills at a steady rate, and what an empty one means.
//!
//! Nothing in here looks at a clock: whoever asks says what time it is.

use std::time::Duration;

use crate::queue::SLICE;

/// What a bucket may owe at most, in seconds of its rate: whoever computed too much is even again after so long.
const DEBT_S_MAX: u32 = 10;

/// The least burst that makes sense, in milliseconds: who cannot save a slice is never prompt.
pub const BURST_MS_MIN: u32 = SLICE.as_millis() as u32;

/// CPU time that an Interlinker may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budget {
    /// What comes in each second, in milliseconds.
    pub ms_per_s: u32,
    /// What can be saved up, in milliseconds.
    pub burst_ms: u32,
}

/// What is left of a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bucket {
    /// In microseconds; below zero what is owed.
    left_us: i64,
    at: Duration,
}

impl Budget {
    fn burst_us(self) -> i64 {
        i64::from(self.burst_ms) * 1_000
    }

    fn debt_us(self) -> i64 {
        i64::from(self.ms_per_s) * 1_000 * i64::from(DEBT_S_MAX)
    }

    /// What comes in during so long, in microseconds.
    fn income_us(self, during: Duration) -> i64 {
        let us = during.as_micros() * u128::from(self.ms_per_s) / 1_000;
        i64::try_from(us).unwrap_or(i64::MAX)
    }
}

impl Bucket {
    /// An empty one: who was never called has saved nothing.
    pub fn new(now: Duration) -> Self {
        Self { left_us: 0, at: now }
    }

    /// What is left by now, in microseconds; below zero what is owed.
    pub fn left_us(&self, budget: Budget, now: Duration) -> i64 {
        let income = budget.income_us(now.saturating_sub(self.at));
        self.left_us.saturating_add(income).min(budget.burst_us())
    }

    /// Takes out what was used.
    pub fn charge(&mut self, budget: Budget, used: Duration, now: Duration) {
        let used = i64::try_from(used.as_micros()).unwrap_or(i64::MAX);
        let left = self.left_us(budget, now).saturating_sub(used);
        *self = Self { left_us: left.max(-budget.debt_us()), at: now.max(self.at) };
    }

    /// In how many whole seconds nothing is owed any more; at least one.
    pub fn even_in_s(&self, budget: Budget, now: Duration) -> u32 {
        let owed = self.left_us(budget, now).min(0).unsigned_abs();
        let per_s = u64::from(budget.ms_per_s.max(1)) * 1_000;
        u32::try_from(owed.div_ceil(per_s)).unwrap_or(u32::MAX).max(1)
    }
}

/// How an Interlinker's next call is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// In its turn.
    Prompt,
    /// Behind those of others that are prompt: it has not saved a slice, or what it did last took long. So does the first call
    /// of all: who was never called has not shown yet that it is prompt.
    Behind,
}

/// The standing of an Interlinker.
pub(crate) fn standing(left_us: i64, was_slow: bool) -> Standing {
    if left_us < SLICE.as_micros() as i64 || was_slow { Standing::Behind } else { Standing::Prompt }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: Budget = Budget { ms_per_s: 250, burst_ms: 500 };

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_bucket_fills_at_its_rate_and_holds_no_more_than_its_burst() {
        let mut bucket = Bucket::new(at(0));
        assert_eq!(bucket.left_us(BUDGET, at(0)), 0, "who was never called has saved nothing");
        assert_eq!(bucket.left_us(BUDGET, at(60_000)), 500_000);
        bucket.charge(BUDGET, at(400), at(60_000));
        assert_eq!(bucket.left_us(BUDGET, at(60_000)), 100_000);
        assert_eq!(bucket.left_us(BUDGET, at(61_000)), 350_000);
        assert_eq!(bucket.left_us(BUDGET, at(62_000)), 500_000);
    }

    #[test]
    fn what_is_owed_is_bounded_and_says_when_it_is_even() {
        let mut bucket = Bucket::new(at(0));
        bucket.charge(BUDGET, at(500), at(0));
        assert_eq!((bucket.left_us(BUDGET, at(0)), bucket.even_in_s(BUDGET, at(0))), (-500_000, 2));
        bucket.charge(BUDGET, at(3_600_000), at(0));
        assert_eq!(bucket.left_us(BUDGET, at(0)), -2_500_000);
        assert_eq!(bucket.even_in_s(BUDGET, at(0)), DEBT_S_MAX);
        assert!(bucket.left_us(BUDGET, at(10_000)) >= 0);
        assert_eq!(bucket.even_in_s(BUDGET, at(10_000)), 1);
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing_and_takes_nothing() {
        let mut bucket = Bucket::new(at(5_000));
        bucket.charge(BUDGET, at(100), at(1_000));
        assert_eq!(bucket.left_us(BUDGET, at(1_000)), -100_000);
        assert_eq!(bucket.left_us(BUDGET, at(5_000)), -100_000);
    }

    #[test]
    fn an_interlinker_that_owes_or_was_slow_is_behind() {
        let slice = SLICE.as_micros() as i64;
        assert_eq!(standing(slice, false), Standing::Prompt);
        assert_eq!(standing(slice - 1, false), Standing::Behind);
        assert_eq!(standing(500_000, true), Standing::Behind);
    }
}

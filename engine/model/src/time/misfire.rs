//! What becomes of the runs that were missed.
//!
//! A server that was away comes back to recurrences whose times have passed. Which of them are still to be made is the
//! author's choice; that it is decided from the last planned run and the time alone makes it the same at each replay.

use serde::{Deserialize, Serialize};

use super::cron::Cron;
use super::zone::Zone;
use crate::id::Micros;

/// Runs that [`Misfire::CatchUp`] makes at once: four days of an hourly recurrence. Each is a command of its process,
/// and a process should not be busy for hours with what nobody waits for any more.
pub const CATCH_UP_MAX: usize = 100;

/// Dropped runs that are counted one by one. A recurrence of every second would have millions after a month.
pub const DROPPED_COUNTED_MAX: usize = 10_000;

/// How late a run may begin and still count as being on time, in microseconds: timers fire after their time, never
/// before, and a busy server or a short restart should cost no run of a recurrence that skips what it missed.
pub const GRACE_MICROS: i64 = 60 * 1_000_000;

/// What to do with runs whose time has passed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Misfire {
    /// One run stands for all that were missed.
    #[default]
    FireOnce,
    /// Each is made, but no more than the newest [`CATCH_UP_MAX`].
    CatchUp,
    /// None is made; the newest still is if it is no more than [`GRACE_MICROS`] late.
    Skip,
}

/// What is to be done about a recurrence at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The planned times of the runs to be made now, in order.
    pub runs: Vec<Micros>,
    /// How many runs were planned before now and are not made; at [`DROPPED_COUNTED_MAX`] it is at least so many.
    pub dropped: usize,
    /// When to look again; `None` if the recurrence is over.
    pub next: Option<Micros>,
}

/// A recurrence and where it may still run.
#[derive(Debug, Clone, Copy)]
pub struct Recurrence<'a> {
    /// When it runs.
    pub cron: &'a Cron,
    /// Whose clocks it goes by.
    pub zone: &'a Zone,
    /// The last moment at which it may run; `None` if it never ends.
    pub end: Option<Micros>,
    /// What becomes of missed runs.
    pub misfire: Misfire,
}

impl Recurrence<'_> {
    /// What is to be done at `now` if the last run that was made or dropped was planned for `last`.
    ///
    /// `last` is a planned time, not the time at which the run was made, so that no run is lost to lateness; for a
    /// recurrence that has not run yet it is the moment from which it counts.
    pub fn due(&self, last: Micros, now: Micros) -> Due {
        let until = self.end.map_or(now, |end| end.min(now));
        let runs = match self.misfire {
            Misfire::FireOnce => self.newest(last, until, 1),
            Misfire::CatchUp => self.newest(last, until, CATCH_UP_MAX),
            Misfire::Skip => {
                let late = Micros(now.0.saturating_sub(GRACE_MICROS).saturating_sub(1));
                self.newest(last.max(late), until, 1)
            }
        };
        Due { dropped: self.dropped(last, &runs, until), runs, next: self.next(last.max(now)) }
    }

    fn next(&self, after: Micros) -> Option<Micros> {
        self.cron.next(after, self.zone).filter(|next| self.end.is_none_or(|end| *next <= end))
    }

    /// The newest runs, `count` at most, that are planned after `after` and no later than `until`; in order.
    ///
    /// Looks back over ever longer windows, so that what it costs is set by `count` and not by how long ago `after` is.
    fn newest(&self, after: Micros, until: Micros, count: usize) -> Vec<Micros> {
        let mut window_micros = 60 * 1_000_000;
        loop {
            let from = after.max(Micros(until.0.saturating_sub(window_micros)));
            let mut runs: Vec<Micros> = self.planned(from, until).collect();
            if runs.len() >= count || from == after {
                runs.drain(..runs.len().saturating_sub(count));
                return runs;
            }
            window_micros = window_micros.saturating_mul(4);
        }
    }

    fn planned(&self, after: Micros, until: Micros) -> impl Iterator<Item = Micros> {
        self.cron.upcoming(after, self.zone).take_while(move |run| *run <= until)
    }

    fn dropped(&self, last: Micros, made: &[Micros], until: Micros) -> usize {
        let first_made = made.first().copied();
        let earlier = self.planned(last, until).take_while(|run| first_made.is_none_or(|first| *run < first));
        earlier.take(DROPPED_COUNTED_MAX).count()
    }
}

impl Misfire {
    /// Every rule with its word.
    pub const NAMES: [(&'static str, Self); 3] =
        [("fire_once", Self::FireOnce), ("catch_up", Self::CatchUp), ("skip", Self::Skip)];

    /// The rule of a word.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, rule)| rule)
    }
}

//! When something is open, due, asked about again.
//!
//! Moments are written relative to what they depend on (`2 weeks after start`) and become instants in a process, when
//! what they depend on has happened; the instant is recorded, so that neither a new server nor new rules of a zone move
//! a deadline that people were told.

use crate::time::cron::Cron;
use crate::time::misfire::Misfire;
use crate::time::moment::Moment;

/// When an item opens and closes by itself. Without either it is open as soon as nothing is before it, without end.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Opening {
    /// Before it, nothing in the item can be begun.
    pub opens: Option<Moment>,
    /// At it, what is left in the item is left out.
    pub closes: Option<Moment>,
}

/// What is to be remembered of a task while it is not finished.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Timing {
    /// When it should be finished.
    pub due: Option<Moment>,
    /// When those who may do it are reminded.
    pub reminders: Vec<Moment>,
    /// When somebody else is told.
    pub escalation: Option<Escalation>,
    /// Again and again.
    pub every: Option<Recurrence>,
}

/// Who is told of a task that is not finished.
#[derive(Debug, Clone, PartialEq)]
pub struct Escalation {
    /// The role.
    pub to: String,
    /// When.
    pub at: Moment,
}

/// A task that comes again.
#[derive(Debug, Clone, PartialEq)]
pub struct Recurrence {
    /// When.
    pub cron: Cron,
    /// What becomes of runs that an outage, or a process that rested, let pass.
    pub misfire: Misfire,
    /// No run begins after it.
    pub until: Option<Moment>,
    /// No more runs than this.
    pub times: Option<u32>,
}

impl Recurrence {
    /// Whether it ends by itself, so that something may wait for it.
    pub fn ends(&self) -> bool {
        self.until.is_some() || self.times.is_some()
    }
}

//! Putting processes away, and bringing them back.

use super::{Command, Rejection, Rule};
use crate::facts::{ProcessArchived, ProcessEvent};
use crate::process::{Process, ProcessStatus};
use crate::sealed::Sealed;

/// Refuses everything of a process that is put away but that it is brought back, and that of one which is not.
pub(super) fn open(process: &Process, command: &Command) -> Result<(), Rejection> {
    match (process.archived_at.is_some(), command) {
        (true, Command::Unarchive) => Ok(()),
        (true, _) => process.admits_calls(),
        (false, Command::Unarchive) => {
            let detail = format!("it is {}; only an archived process is brought back", process.status.as_str());
            Err(Rejection::new(Rule::ProcessNotArchived, detail))
        }
        (false, _) => Ok(()),
    }
}

/// A process that has ended is put away, unless something outside of it is under way: that would find nobody.
pub(super) fn archive(process: &Process, reason: Option<Sealed<String>>) -> Result<ProcessEvent, Rejection> {
    if !matches!(process.status, ProcessStatus::Completed | ProcessStatus::Cancelled) {
        let detail = format!("it is {}; complete or cancel it first", process.status.as_str());
        return Err(Rejection::new(Rule::ProcessNotEnded, detail));
    }
    if process.is_awaited() {
        let detail = "what it has asked for is under way or failed: wait for it, or deal with its incidents";
        return Err(Rejection::new(Rule::ProcessAwaited, detail));
    }
    Ok(ProcessArchived { reason }.into())
}

impl Process {
    /// Whether calls of its assets may change something: not while it is put away.
    pub fn admits_calls(&self) -> Result<(), Rejection> {
        match self.archived_at {
            Some(_) => Err(Rejection::new(Rule::ProcessArchived, "it is archived; bring it back first")),
            None => Ok(()),
        }
    }

    /// Whether something outside of the process is under way for it, or waits for an operator.
    pub fn is_awaited(&self) -> bool {
        self.pending_effects().next().is_some()
            || self.subprocesses.values().any(|sub| !sub.ended || sub.compensating)
            || self.incidents.values().any(|incident| incident.closed.is_none())
            || self.next_timer().is_some()
    }
}

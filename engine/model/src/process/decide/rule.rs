//! The rules of a process by name, in the words for programs and for people, and what a refusal says.

use crate::schema::outline::ItemRef;

/// Which rule was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// There is no such item in this process.
    NoSuchItem,
    /// The process has begun.
    ProcessStarted,
    /// The process has not begun.
    ProcessNotStarted,
    /// The process rests.
    ProcessSuspended,
    /// The process does not rest.
    ProcessNotSuspended,
    /// The process has ended.
    ProcessEnded,
    /// The task waits for something.
    TaskNotReady,
    /// Somebody else has the task.
    TaskClaimed,
    /// Nobody has the task.
    TaskNotClaimed,
    /// The task is in progress.
    TaskInProgress,
    /// The task is finished.
    TaskFinished,
    /// The task is not finished.
    TaskNotFinished,
    /// The item is not left out.
    ItemNotSkipped,
    /// There is no such asset on this process.
    NoSuchAsset,
    /// Nothing is due, or it is old news.
    NothingToDo,
    /// The task is done by something else than people's word.
    TaskNotByHand,
    /// The task failed.
    TaskFailed,
    /// The task did not fail.
    TaskNotFailed,
    /// There is no vote to take part in.
    NoVote,
    /// Others vote here.
    MayNotVote,
    /// A person votes once.
    VotedAlready,
    /// There is no such incident.
    NoSuchIncident,
    /// The incident was dealt with.
    IncidentClosed,
    /// Dates that cannot be.
    DatesRefused,
    /// A limit is reached.
    TooMuch,
    /// Moving to this schema would lose work, or cannot be.
    MigrationRefused,
    /// The process was not moved.
    NeverMoved,
    /// The process is put away.
    ProcessArchived,
    /// The process is not put away.
    ProcessNotArchived,
    /// The process has not ended.
    ProcessNotEnded,
    /// Something outside of the process is not done yet.
    ProcessAwaited,
}

impl Rule {
    /// The slug that programs know it by.
    pub fn slug(self) -> &'static str {
        match self {
            Self::NoSuchItem => "no-such-item",
            Self::ProcessStarted => "process-started",
            Self::ProcessNotStarted => "process-not-started",
            Self::ProcessSuspended => "process-suspended",
            Self::ProcessNotSuspended => "process-not-suspended",
            Self::ProcessEnded => "process-ended",
            Self::TaskNotReady => "task-not-ready",
            Self::TaskClaimed => "task-claimed",
            Self::TaskNotClaimed => "task-not-claimed",
            Self::TaskInProgress => "task-in-progress",
            Self::TaskFinished => "task-finished",
            Self::TaskNotFinished => "task-not-finished",
            Self::ItemNotSkipped => "item-not-skipped",
            Self::NoSuchAsset => "no-such-asset",
            Self::NothingToDo => "nothing-to-do",
            Self::TaskNotByHand => "task-not-by-hand",
            Self::TaskFailed => "task-failed",
            Self::TaskNotFailed => "task-not-failed",
            Self::NoVote => "no-vote",
            Self::MayNotVote => "may-not-vote",
            Self::VotedAlready => "already-voted",
            Self::NoSuchIncident => "no-such-incident",
            Self::IncidentClosed => "incident-closed",
            Self::DatesRefused => "dates-refused",
            Self::TooMuch => "too-much",
            Self::MigrationRefused => "migration-refused",
            Self::NeverMoved => "never-moved",
            Self::ProcessArchived => "process-archived",
            Self::ProcessNotArchived => "process-not-archived",
            Self::ProcessNotEnded => "process-not-ended",
            Self::ProcessAwaited => "process-awaited",
        }
    }

    /// The same for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::NoSuchItem => "This process has no such item",
            Self::ProcessStarted => "This process has begun already",
            Self::ProcessNotStarted => "This process has not begun",
            Self::ProcessSuspended => "This process rests",
            Self::ProcessNotSuspended => "This process does not rest",
            Self::ProcessEnded => "This process has ended",
            Self::TaskNotReady => "This task waits for something",
            Self::TaskClaimed => "Somebody else has this task",
            Self::TaskNotClaimed => "Nobody has this task",
            Self::TaskInProgress => "This task is in progress",
            Self::TaskFinished => "This task is finished",
            Self::TaskNotFinished => "This task is not finished",
            Self::ItemNotSkipped => "This item is not left out",
            Self::NoSuchAsset => "This process has no such asset",
            Self::NothingToDo => "There is nothing to do",
            Self::TaskNotByHand => "This task is not done by hand",
            Self::TaskFailed => "This task failed",
            Self::TaskNotFailed => "This task did not fail",
            Self::NoVote => "There is no vote here",
            Self::MayNotVote => "You cannot say this in this vote",
            Self::VotedAlready => "You have voted already",
            Self::NoSuchIncident => "This process has no such incident",
            Self::IncidentClosed => "This incident was dealt with",
            Self::DatesRefused => "These dates cannot be",
            Self::TooMuch => "A limit is reached",
            Self::MigrationRefused => "The process cannot be moved so",
            Self::NeverMoved => "The process was not moved",
            Self::ProcessArchived => "This process is archived",
            Self::ProcessNotArchived => "This process is not archived",
            Self::ProcessNotEnded => "This process has not ended",
            Self::ProcessAwaited => "Something of this process is not done yet",
        }
    }
}

/// Why something cannot be done, and what would change that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The rule that was broken.
    pub rule: Rule,
    /// What would satisfy it.
    pub detail: String,
    /// What it waits for, where it waits.
    pub waiting_for: Vec<ItemRef>,
}

impl Rejection {
    pub(in crate::process) fn new(rule: Rule, detail: impl Into<String>) -> Self {
        Self { rule, detail: detail.into(), waiting_for: Vec::new() }
    }
}

//! What the facts of a process speak of: its timers, votes, effects and dates, and where it comes from.

use serde::{Deserialize, Serialize};

use crate::id::{AssetId, ProcessId};

/// What a timer of a process is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimerKind {
    /// An item opens.
    Opens,
    /// An item closes.
    Closes,
    /// A task that waits for its time is done.
    Wait,
    /// A task that comes again begins anew.
    Every,
    /// A task that comes again does so no more.
    Until,
    /// A vote is decided.
    Vote,
    /// People are reminded of a task.
    Reminder,
    /// A task, or the process, should be finished.
    Due,
    /// Somebody else is told of a task that is not finished.
    Escalation,
    /// What failed is tried again.
    Retry,
}

impl TimerKind {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opens => "opens",
            Self::Closes => "closes",
            Self::Wait => "wait",
            Self::Every => "every",
            Self::Until => "until",
            Self::Vote => "vote",
            Self::Reminder => "reminder",
            Self::Due => "due",
            Self::Escalation => "escalation",
            Self::Retry => "retry",
        }
    }
}

/// What a person says in a vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// Yes.
    Approve,
    /// No.
    Reject,
    /// Counts for the quorum alone.
    Abstain,
    /// No, and that decides it. Only some roles may.
    Veto,
}

impl Choice {
    /// Every choice with its word.
    pub const NAMES: [(&'static str, Self); 4] =
        [("approve", Self::Approve), ("reject", Self::Reject), ("abstain", Self::Abstain), ("veto", Self::Veto)];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        Self::NAMES.iter().find(|(_, choice)| *choice == self).map_or("", |(name, _)| name)
    }
}

/// How a vote ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoteResult {
    /// Enough were for it.
    Approved,
    /// Not enough were for it.
    Rejected,
    /// Somebody who may stopped it.
    Vetoed,
    /// Its time was over before enough had voted.
    NoQuorum,
    /// The task was left out, or the process ended, before it was decided.
    Dropped,
}

impl VoteResult {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Vetoed => "vetoed",
            Self::NoQuorum => "no_quorum",
            Self::Dropped => "dropped",
        }
    }
}

/// What is to be done outside of the process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectKind {
    /// An Interlinker is instantiated for a task.
    Instantiate {
        /// `name` or `name@version`, as the schema says it.
        interlinker: String,
        /// The id that the asset gets: an attempt that is made twice makes it once.
        asset: AssetId,
    },
    /// An action of a task's asset makes it undone.
    Compensate {
        /// The asset.
        asset: AssetId,
        /// The action.
        action: String,
    },
    /// A process of another schema is made and started for a task.
    Subprocess {
        /// `name` or `name@version`, as the schema says it.
        schema: String,
        /// The id that the process gets: an attempt that is made twice makes it once.
        process: ProcessId,
    },
    /// The process that waits for this one is told how it ended.
    TellParent {
        /// That process.
        process: ProcessId,
        /// Its task.
        task: String,
    },
    /// A process that was started for a task is cancelled with it.
    CancelSubprocess {
        /// That process.
        process: ProcessId,
    },
    /// A process that did a task's work makes undone what it did.
    CompensateSubprocess {
        /// That process.
        process: ProcessId,
    },
    /// The process that wanted it is told that what this one did is undone.
    TellCompensated {
        /// That process.
        process: ProcessId,
        /// Its task.
        task: String,
    },
    /// People are told of a task that is not finished.
    TellPeople {
        /// The task.
        task: String,
        /// Why: a reminder or an escalation.
        of: TimerKind,
        /// The role to which it was escalated.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<String>,
    },
}

impl EffectKind {
    /// The word for it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Instantiate { .. } => "instantiate",
            Self::Compensate { .. } => "compensate",
            Self::Subprocess { .. } => "subprocess",
            Self::TellParent { .. } => "tell_parent",
            Self::CancelSubprocess { .. } => "cancel_subprocess",
            Self::CompensateSubprocess { .. } => "compensate_subprocess",
            Self::TellCompensated { .. } => "tell_compensated",
            Self::TellPeople { .. } => "tell_people",
        }
    }
}

/// What was done about an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// What failed is tried again, from the first attempt.
    Retried,
    /// The task is left out.
    Skipped,
    /// It was done by other means.
    Resolved,
    /// Nothing needs it any more: the task was reopened, left out or the process ended.
    Dropped,
}

/// The process and task for which a process was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// The process.
    pub process: ProcessId,
    /// Its task.
    pub task: String,
}

/// The process and version that a process was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    /// The process.
    pub process: ProcessId,
    /// Its version.
    pub version: u64,
}

/// Moments of an item that people set in a running process, in place of its schema's.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Dates {
    /// When it opens.
    #[serde(default)]
    pub opens: Option<String>,
    /// When it closes.
    #[serde(default)]
    pub closes: Option<String>,
    /// When it is due.
    #[serde(default)]
    pub due: Option<String>,
    /// When it comes again.
    #[serde(default)]
    pub every: Option<String>,
    /// What becomes of missed runs.
    #[serde(default)]
    pub misfire: Option<String>,
    /// When it comes no more.
    #[serde(default)]
    pub until: Option<String>,
    /// How often it comes.
    #[serde(default)]
    pub times: Option<u32>,
}

/// How a version of an Interlinker was withdrawn; what weighs more is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Withdrawn {
    /// An operator advises against it; it can be used.
    Deprecated,
    /// It is looked at, and nothing else.
    Revoked,
}

impl Withdrawn {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deprecated => "deprecated",
            Self::Revoked => "revoked",
        }
    }
}

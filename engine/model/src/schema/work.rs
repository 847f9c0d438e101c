//! How a task is done: by people, by a vote, by waiting, by an Interlinker, by a process of its own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::condition::Expression;
use crate::time::moment::Moment;

/// Who or what does a task.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Work {
    /// People decide that it is done; assets are evidence.
    #[default]
    Human,
    /// An Interlinker is instantiated when the task becomes ready; its outcome completes the task.
    Interlinker(ByInterlinker),
    /// A vote.
    Approval(Approval),
    /// It is done when its time has come.
    Timer(Moment),
    /// A process of another schema is started when the task becomes ready; its end completes the task.
    Subprocess(Subprocess),
}

/// The name of a kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each names its kind")]
pub enum TaskKind {
    Human,
    Interlinker,
    Approval,
    Timer,
    Subprocess,
}

impl TaskKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Human, Self::Interlinker, Self::Approval, Self::Timer, Self::Subprocess];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Interlinker => "interlinker",
            Self::Approval => "approval",
            Self::Timer => "timer",
            Self::Subprocess => "subprocess",
        }
    }
}

impl Work {
    /// Its kind.
    pub fn kind(&self) -> TaskKind {
        match self {
            Self::Human => TaskKind::Human,
            Self::Interlinker(_) => TaskKind::Interlinker,
            Self::Approval(_) => TaskKind::Approval,
            Self::Timer(_) => TaskKind::Timer,
            Self::Subprocess(_) => TaskKind::Subprocess,
        }
    }
}

/// What follows when a task fails past its policy. An incident is raised in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// An operator looks at it, and what waits for the task waits on.
    #[default]
    Wait,
    /// What was done in its objective is made undone, the last first.
    Compensate,
    /// The process is cancelled, and all that was done in it is made undone.
    Cancel,
}

/// A task that an Interlinker does.
#[derive(Debug, Clone, PartialEq)]
pub struct ByInterlinker {
    /// `name` or `name@version`; looked up when the task becomes ready.
    pub interlinker: String,
    /// What it is instantiated with.
    pub input: Value,
    /// What happens when that fails.
    pub retry: Retry,
    /// What makes it undone.
    pub compensation: Option<Compensation>,
}

/// How often something that failed is tried again, and when: exponential back-off with jitter.
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    /// Attempts in all, the first included.
    pub attempts: u32,
    /// Before the second attempt, in milliseconds.
    pub first_ms: u64,
    /// By how much each pause is longer than the one before, in thousandths.
    pub factor_permille: u32,
    /// No pause is longer, in milliseconds.
    pub most_ms: u64,
    /// Codes of failures that no further attempt would mend.
    pub except: Vec<String>,
}

impl Default for Retry {
    /// Five attempts within about five minutes: what a restart of something outside takes.
    fn default() -> Self {
        Self { attempts: 5, first_ms: 10_000, factor_permille: 2_000, most_ms: 3_600_000, except: Vec::new() }
    }
}

/// The action that makes a completed task undone when its process is cancelled or another task fails for good.
#[derive(Debug, Clone, PartialEq)]
pub struct Compensation {
    /// An action of the task's asset.
    pub action: String,
    /// Its input.
    pub input: Value,
}

/// The rules of a vote. They are written into the vote when it opens and hold until it is decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoteRules {
    /// Roles that may vote; empty means every member.
    pub voters: Vec<String>,
    /// Votes that it takes, abstentions included.
    pub quorum: u32,
    /// Share of approvals among approvals and rejections, as a fraction.
    pub threshold: (u32, u32),
    /// Roles that may stop it with one vote.
    pub veto: Vec<String>,
    /// What becomes of a vote that stands exactly at one half.
    pub tie: Tie,
}

/// What becomes of a tie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tie {
    /// It is rejected.
    #[default]
    Reject,
    /// It is approved.
    Approve,
    /// The vote stays open until one vote more breaks it.
    Extend,
}

/// A task that is a vote.
#[derive(Debug, Clone, PartialEq)]
pub struct Approval {
    /// How it is decided.
    pub rules: VoteRules,
    /// Until when people may vote. Without one it is decided as soon as the quorum is reached.
    pub deadline: Option<Moment>,
}

/// A task that is a process of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Subprocess {
    /// `name` or `name@version`; looked up when the task becomes ready.
    pub schema: String,
    /// What the new process begins with, computed from what is known here then.
    pub inputs: BTreeMap<String, Expression>,
    /// What of the ended process's data comes back, and under which name.
    pub outputs: BTreeMap<String, String>,
}

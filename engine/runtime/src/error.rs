//! What the engine answers when it does not do what was asked.

use interlink_host::{Fault, InputError, Problem, PublishError};
use interlink_journal::{AppendError, ReadError};
use interlink_model::process::{Process, Rejection};
use interlink_model::schema::finding::Refusal;
use std::sync::Arc;

/// Why something was not done. Nothing has changed, unless it says that this is not known.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// It is not there.
    #[error("there is no {what} `{id}`")]
    NotFound {
        /// What kind of thing.
        what: &'static str,
        /// Which.
        id: String,
    },
    /// Something that a request names is not there.
    #[error("there is no {what} `{id}`")]
    Names {
        /// What kind of thing.
        what: &'static str,
        /// Which.
        id: String,
        /// JSON pointer to where it is named.
        pointer: String,
    },
    /// A rule of the process was broken.
    #[error("{}", .0.detail)]
    Rejected(Rejection, Arc<Process>),
    /// It is at another version than the caller saw.
    #[error("it is at version {found}, not at {expected}")]
    WrongVersion {
        /// The version that the caller saw.
        expected: u64,
        /// The version that it is at.
        found: u64,
    },
    /// The input does not fit its schema.
    #[error("the input does not fit")]
    Input(Vec<InputError>),
    /// A schema was refused.
    #[error("the schema was refused")]
    Schema(Refusal),
    /// A component was refused.
    #[error("{0}")]
    Component(PublishError),
    /// A component has no signature that is enough.
    #[error("{0}")]
    Signature(crate::catalogue::SignatureError),
    /// Something of this name is there with other content.
    #[error("{what} `{id}` is there with other content ({found})")]
    Taken {
        /// What kind of thing.
        what: &'static str,
        /// Name and version.
        id: String,
        /// Digest of what is there.
        found: String,
    },
    /// It is there and differs in a way that would lose work.
    #[error("{what} `{id}`: {detail}")]
    Conflict {
        /// What kind of thing.
        what: &'static str,
        /// Which.
        id: String,
        /// What differs, and what would be right.
        detail: String,
        /// JSON pointer to where it is named.
        pointer: String,
    },
    /// A service does not take this step.
    #[error("{}", .0.detail)]
    Service(interlink_model::service::Refusal),
    /// A service is not open to the people whom it serves.
    #[error("service `{}` is {}", .0.name, .0.status.as_str())]
    Closed(Arc<interlink_model::service::Service>),
    /// The Interlinker refuses.
    #[error("{}", .0.detail)]
    Refused(Problem),
    /// The Interlinker failed.
    #[error("the Interlinker failed: {0}")]
    Failed(Fault),
    /// Too much waits already.
    #[error("{what}: try again in {retry_after_s} s")]
    Busy {
        /// What is busy.
        what: String,
        /// When to come back.
        retry_after_s: u32,
    },
    /// Calls of an Interlinker are stopped.
    #[error("Interlinker `{name}` was paused by an operator{}", .pause.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default())]
    Paused {
        /// Its name.
        name: String,
        /// Since when, and why.
        pause: crate::catalogue::Pause,
    },
    /// Calls of an Interlinker failed again and again, and are let alone for a while.
    #[error(
        "Interlinker `{name}` failed {failures} times in a row{}: try again in {retry_after_s} s",
        .last.as_ref().map(|last| format!(", last because {}", last.detail)).unwrap_or_default()
    )]
    Failing {
        /// Name and version.
        name: String,
        /// Failures in a row.
        failures: u32,
        /// What failed last.
        last: Option<crate::guard::LastFailure>,
        /// When to come back.
        retry_after_s: u32,
    },
    /// There would be more than there may be.
    #[error("{whose} would have {wanted} {what}, and may have {max}")]
    Quota {
        /// Whose quota.
        whose: String,
        /// Of what: `assets` or `state_bytes`.
        what: &'static str,
        /// What there would be.
        wanted: u64,
        /// What there may be.
        max: u64,
    },
    /// A version of an Interlinker was revoked.
    #[error("Interlinker `{id}` was revoked by an operator: {}", .withdrawal.told())]
    Revoked {
        /// Name and version.
        id: String,
        /// Since when, and why.
        withdrawal: crate::catalogue::Withdrawal,
    },
    /// Who asks has none of the roles that it takes.
    #[error("`{what}` takes one of the roles {}", .roles.join(", "))]
    Forbidden {
        /// What was asked for.
        what: String,
        /// The roles.
        roles: Vec<String>,
    },
    /// Nothing is taken for now.
    #[error("the server takes nothing for now: {0}; reads go on")]
    ReadOnly(Arc<str>),
    /// Something stands in its way, which whoever asks can put right.
    #[error("{detail}")]
    InTheWay {
        /// What it is known by.
        slug: &'static str,
        /// What stands in the way, and what would help.
        detail: String,
    },
    /// More than can be written at once.
    #[error("{0}")]
    TooLarge(String),
    /// Whether it was done is not known; the same request with the same key tells.
    #[error("not known whether it was done: {0}")]
    Unknown(String),
    /// The state, from which this is read, was found damaged.
    #[error("the state was found damaged; the next start makes it again from the journal")]
    StateDamaged,
    /// The disk could not be read. That says nothing of what is on it: the same may work later.
    #[error("the disk cannot be read for now: {0}")]
    Unread(Arc<str>),
    /// It was damaged, and goes on from its state without what is asked for.
    #[error("versions {from} to {to} of {what} `{id}` are lost; it went on from its state behind them")]
    Lost {
        /// What kind of thing.
        what: &'static str,
        /// Which.
        id: String,
        /// The first version that is lost.
        from: u64,
        /// The last version that is lost.
        to: u64,
    },
    /// What is on disk is damaged.
    #[error("{what} `{id}` is damaged and read-only")]
    Damaged {
        /// What kind of thing.
        what: &'static str,
        /// Which.
        id: String,
    },
}

impl Trouble {
    /// Why something could not be read.
    pub(crate) fn of_read(error: ReadError, what: &'static str, id: &dyn std::fmt::Display) -> Self {
        match error {
            ReadError::Io { .. } => Self::Unread(error.to_string().into()),
            ReadError::Damaged { .. } => Self::Damaged { what, id: id.to_string() },
        }
    }
}

impl From<AppendError> for Trouble {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::TooLarge { .. } => Self::TooLarge(error.to_string()),
            AppendError::Unread { reason } => Self::Unread(reason),
            AppendError::Damaged { stream } => Self::Damaged { what: "stream", id: stream.to_string() },
            other => Self::Unknown(other.to_string()),
        }
    }
}

/// What came of something.
pub type Outcome<T> = Result<T, Trouble>;

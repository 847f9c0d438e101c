//! What is held to the boundary: whatever publishes components, makes assets of them and calls them.
//!
//! The verbs are those of `API.md`, so that a host is asked for nothing that it does not offer anyway. What only some
//! can be asked, such as to run out of disk, is a [`Need`] of the case: a subject says that it cannot, and the summary
//! counts it.

use std::fmt;

use serde_json::Value;

/// What a subject answers, or how it fell out of its role: no answer at all, one that no route gives.
pub type Told<T> = Result<T, String>;

/// What came of something that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Came {
    /// It was done; what was answered.
    Done(Value),
    /// The Interlinker refused, with this code.
    Refused(String),
    /// The Interlinker failed; the word for the limit that it crossed.
    Failed(String),
    /// The host did not run it; why not, as a slug.
    NotTaken(String),
}

impl fmt::Display for Came {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(answer) => write!(f, "it was done and answered {:.300}", answer.to_string()),
            Self::Refused(code) => write!(f, "the Interlinker refused with `{code}`"),
            Self::Failed(limit) => write!(f, "the Interlinker failed with `{limit}`"),
            Self::NotTaken(slug) => write!(f, "the host did not take it: `{slug}`"),
        }
    }
}

/// Where an asset is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the process in which the case is.
    Here,
    /// In another process.
    Elsewhere,
}

/// What a case needs of a subject beyond its verbs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// Limits as small as this, by the names that our host has for them.
    Limits(&'static [(&'static str, u64)]),
    /// A service on this machine, which it can reach.
    Outside,
    /// A name that stands for these addresses, one list after the other.
    Name(&'static str, &'static [&'static [&'static str]]),
    /// What a call logged.
    Logs,
    /// That something of the host's own fails.
    Weakness(Weakness),
    /// That a call is run again with the record of the last one.
    RunAgain,
    /// An alarm that rings though nobody can have set it.
    RingAtWill,
    /// Some hundred megabytes to be written.
    Room,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limits(limits) => {
                let names: Vec<_> = limits.iter().map(|(name, _)| *name).collect();
                write!(f, "smaller limits ({})", names.join(", "))
            }
            Self::Outside => f.write_str("a service on this machine"),
            Self::Name(name, _) => write!(f, "the name {name} to change its address"),
            Self::Logs => f.write_str("what a call logged"),
            Self::Weakness(Weakness::DiskFull) => f.write_str("a disk that is full"),
            Self::Weakness(Weakness::BlobsUnread) => f.write_str("blobs that cannot be read"),
            Self::Weakness(Weakness::RecordDamaged) => f.write_str("a record that is damaged"),
            Self::RunAgain => f.write_str("a call that is run again"),
            Self::RingAtWill => f.write_str("an alarm that nobody set"),
            Self::Room => f.write_str("some hundred megabytes of state"),
        }
    }
}

/// What of the host's own fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weakness {
    /// Answers from outside cannot be recorded.
    DiskFull,
    /// Blobs cannot be read.
    BlobsUnread,
    /// What was recorded says nothing.
    RecordDamaged,
}

/// Why a subject cannot be asked what a case needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAsked(pub String);

/// An action of an asset, to be run.
#[derive(Debug, Clone, PartialEq)]
pub struct Act {
    /// The asset's id.
    pub asset: String,
    /// The action.
    pub action: String,
    /// Its input.
    pub input: Value,
}

/// What is asked side by side.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    /// An action.
    Act(Act),
    /// The view of an asset.
    View(String),
}

/// A host under test.
pub trait Subject {
    /// What it is known by.
    fn name(&self) -> String;

    /// Gets ready for a case; forgets what it got ready for the last one.
    ///
    /// # Errors
    ///
    /// What it cannot be asked.
    fn prepare(&mut self, needs: &[Need]) -> Result<(), NotAsked>;

    /// The id of whoever calls.
    ///
    /// # Errors
    ///
    /// How it fell out of its role, as for all that follows.
    fn me(&mut self) -> Told<String>;

    /// Publishes a component; answers a slug where it is not taken.
    fn publish(&mut self, component: &[u8]) -> Told<Option<String>>;

    /// Grants an Interlinker this, in place of what it was granted before.
    fn grant(&mut self, interlinker: &str, grants: &Value) -> Told<()>;

    /// Sets a secret.
    fn secret(&mut self, name: &str, value: &str) -> Told<()>;

    /// Gives an Interlinker its settings.
    fn settings(&mut self, interlinker: &str, settings: &Value) -> Told<Came>;

    /// Makes an asset: its id, where it was made, and what came of it.
    fn make(&mut self, interlinker: &str, place: Place, input: &Value) -> Told<(String, Came)>;

    /// Runs an action.
    fn act(&mut self, act: &Act) -> Told<Came>;

    /// Asks side by side; what came of each, in their order.
    fn at_once(&mut self, asked: &[Asked]) -> Told<Vec<Came>>;

    /// Shows an asset.
    fn view(&mut self, asset: &str, query: &Value) -> Told<Came>;

    /// An asset as the route shows it: `state_version`, and where they are there `outcome`, `alarms`, `blobs`.
    fn asset(&mut self, asset: &str) -> Told<Value>;

    /// Puts a blob, as a person does; answers its digest.
    fn put_blob(&mut self, asset: &str, media_type: &str, content: &[u8]) -> Told<Came>;

    /// Moves an asset to another version of its Interlinker, whatever that was granted.
    fn upgrade(&mut self, asset: &str, version: &str) -> Told<Came>;

    /// Lets the alarms of an asset ring that are due: each once.
    fn ring(&mut self, asset: &str) -> Told<()>;

    /// Titles of what whoever calls was told, the newest first.
    fn messages(&mut self) -> Told<Vec<String>>;

    /// Words that an asset noted, with their amounts, in their order.
    fn noted(&mut self, asset: &str) -> Told<Vec<(String, i64)>>;

    /// Runs an action with the record of the last call. Asked where [`Need::RunAgain`] is met.
    fn run_again(&mut self, _: &Act) -> Told<Came> {
        Err("it runs no call again at will".into())
    }

    /// Rings an alarm that nobody set. Asked where [`Need::RingAtWill`] is met.
    fn ring_at_will(&mut self, _: &str, _: &str) -> Told<Came> {
        Err("it rings no alarm at will".into())
    }

    /// Lines of the last call, each with its level. Asked where [`Need::Logs`] is met.
    fn logs(&mut self) -> Told<Vec<(String, String)>> {
        Err("it shows no logs".into())
    }
}

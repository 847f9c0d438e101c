//! A call and what came of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use interlink_model::keyvalues::KeyValues;
use serde_json::{Value, json};

use crate::besides::{Besides, Given};
use crate::fault::Fault;
use crate::markup::Rendered;

/// What is called.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// Make an asset.
    Instantiate {
        /// With this input.
        input: Value,
    },
    /// Run an action.
    Action {
        /// Which.
        name: String,
        /// With this input.
        input: Value,
    },
    /// Ring an alarm.
    Ring {
        /// Which.
        name: String,
        /// With what it was set.
        input: Value,
    },
    /// Bring its state to what this version reads. It has no outside.
    Migrate {
        /// The version that left it.
        version: String,
    },
    /// Show the asset.
    View {
        /// What is asked of it.
        query: Value,
    },
}

/// Who calls, when, and on what: all that a guest is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallContext {
    /// The person's id.
    pub person: Option<String>,
    /// Their roles.
    pub roles: Vec<String>,
    /// The process.
    pub process: String,
    /// The task.
    pub task: String,
    /// The asset.
    pub asset: String,
    /// The language to answer in.
    pub language: String,
    /// The time of the call, RFC 3339.
    pub at: String,
    /// The asset that runs this action for the person.
    pub by: Option<String>,
}

impl CallContext {
    pub(crate) fn to_json(&self) -> String {
        let Self { person, roles, process, task, asset, language, at, by } = self;
        let person = person.as_ref().map(|id| json!({"id": id, "roles": roles}));
        let mut context = json!({
            "person": person, "process": process, "task": task, "asset": asset, "language": language, "at": at
        });
        if let Some(by) = by {
            context["by"] = json!(by);
        }
        context.to_string()
    }
}

/// A call.
#[derive(Debug, Clone)]
pub struct Call {
    /// What is called.
    pub entry: Entry,
    /// The asset's state.
    pub state: KeyValues,
    /// Who calls, when, and on what.
    pub context: CallContext,
    /// What it is given besides.
    pub given: Given,
}

/// A key with its new value, or nothing where it was deleted.
pub type Change = (String, Option<Arc<[u8]>>);

/// A call that was done.
#[derive(Debug, Clone)]
pub struct Done {
    /// What the guest answered, its HTML made safe.
    pub output: Value,
    /// What the Markdown in an action's answer comes to; of a view it is asked for apart.
    pub rendered: Rendered,
    /// The state afterwards.
    pub state: KeyValues,
    /// Keys whose value differs from before, in order, with their new value or nothing.
    pub changes: Vec<Change>,
    /// Keys below each prefix afterwards, for the prefixes whose number changed.
    pub counts: BTreeMap<String, u64>,
    /// What the guest declared.
    pub outcome: Option<Value>,
    /// What the call wants besides.
    pub besides: Besides,
}

/// Why a guest refuses: a problem record of the WIT world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// A slug for programs.
    pub code: String,
    /// A sentence for people.
    pub detail: String,
    /// JSON pointer into the input.
    pub pointer: Option<String>,
    /// Facts, as JSON text.
    pub data: Option<String>,
}

impl Problem {
    /// That an operator has not granted something.
    pub fn not_granted(what: &str) -> Self {
        let (code, detail) = ("not-granted".into(), format!("the operator has not granted it {what}"));
        Self { code, detail, pointer: None, data: None }
    }
}

/// Why a call was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The guest refuses.
    Refused(Problem),
    /// The guest failed.
    Failed(Fault),
    /// When its turn came it was not to be made any more, said whoever was asked.
    NotBegun,
}

/// A line that a guest logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// `debug`, `info`, `warn` or `error`.
    pub level: String,
    /// What it says.
    pub message: String,
    /// Whether the guest was being fed when it logged this: an earlier run of the call has logged it before.
    pub replayed: bool,
}

/// What a call cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Waiting for a thread, in microseconds.
    pub wait_us: u64,
    /// Making the instance, in microseconds.
    pub instantiate_us: u64,
    /// The call itself, in microseconds.
    pub call_us: u64,
    /// CPU time, in microseconds: waiting is not in it.
    pub cpu_us: u64,
    /// Fuel.
    pub fuel: u64,
}

/// What came of a call.
#[derive(Debug, Clone)]
pub struct Called {
    /// What was done, or why not.
    pub result: Result<Done, Failure>,
    /// What the guest logged, whatever came of it.
    pub logs: Vec<LogLine>,
    /// What it cost.
    pub cost: Cost,
}

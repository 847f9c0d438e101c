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

/// The longest code of a problem, in bytes.
pub const PROBLEM_CODE_BYTES_MAX: usize = 64;
/// What a refusal is known by whose code is none.
const NO_CODE: &str = "refused";

/// Whether a text can be the code of a problem: lower-case letters, digits, and single `-` between them.
pub fn is_code(text: &str) -> bool {
    let is_part =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    text.len() <= PROBLEM_CODE_BYTES_MAX && text.split('-').all(is_part)
}

/// Why a guest refuses: a problem record of the WIT world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// A slug for programs, as the guest gave it: it may be anything.
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

    /// What programs know it by: its code as it is, or `refused` where that is none. Nothing is made of one that is none:
    /// two of them could become the same, or what stands for something else.
    pub fn slug(&self) -> &str {
        if is_code(&self.code) { &self.code } else { NO_CODE }
    }

    /// What the guest gave as its code, cut where it is long, when that is none.
    pub fn no_code(&self) -> Option<String> {
        (!is_code(&self.code)).then(|| self.code.chars().take(PROBLEM_CODE_BYTES_MAX).collect())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_a_slug_and_what_is_none_is_told_as_it_is() {
        let problem = |code: &str| Problem { code: code.into(), detail: String::new(), pointer: None, data: None };
        let longest = "a".repeat(PROBLEM_CODE_BYTES_MAX);
        for code in ["full", "already-voted", "404", "a-1-b", &longest] {
            assert_eq!((problem(code).slug(), problem(code).no_code()), (code, None));
        }
        for code in
            ["", "-", "a-", "-a", "a--b", "Full", "is full", "is_full", "caf\u{e9}", "a\n", &format!("{longest}a")]
        {
            let cut: String = code.chars().take(PROBLEM_CODE_BYTES_MAX).collect();
            assert_eq!((problem(code).slug(), problem(code).no_code()), ("refused", Some(cut)), "{code:?}");
        }
    }
}

//! A recorded call as a file: taken away from a server, and run again on another machine.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use interlink_host::{Call, CallContext, Entry, Given, Grants, Kind, Recorded};
use interlink_model::keyvalues::KeyValues;
use interlink_runtime::TakenCall;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The form of the file.
const FORMAT: u32 = 1;
/// What stands in place of a secret.
const LEFT_OUT: &str = "\"(left out)\"";

/// The file.
#[derive(Debug, Serialize, Deserialize)]
pub struct Taken {
    /// Its form: 1.
    format: u32,
    /// Name, version and digest.
    pub interlinker: Value,
    /// `instantiate`, `call` or `ring`.
    r#do: String,
    action: Option<String>,
    input: Value,
    context: Value,
    settings: Value,
    grants: Grants,
    alarms: BTreeSet<String>,
    /// Keys, with their values in base64.
    state: BTreeMap<String, String>,
    host_calls: Vec<Asked>,
    /// How it failed: `limit` and `detail`.
    pub failure: Option<Value>,
    /// What it logged.
    pub logs: Value,
}

#[derive(Debug, Serialize, Deserialize)]
struct Asked {
    kind: Kind,
    request: String,
    answer: String,
}

/// The file of a call.
pub fn shown(taken: &TakenCall, with_secrets: bool) -> Taken {
    let TakenCall { call, entry, values, given, context } = taken;
    let (r#do, action, input) = match entry {
        Entry::Action { name, input } => ("call", Some(name.clone()), input.clone()),
        Entry::Ring { name, input } => ("ring", Some(name.clone()), input.clone()),
        Entry::Instantiate { input } => ("instantiate", None, input.clone()),
        Entry::View { .. } | Entry::Migrate { .. } => unreachable!("neither leaves a record"),
    };
    let host_calls = call.recorded.iter().map(|one| {
        let hides = one.kind == Kind::Secret && !with_secrets;
        let answer = if hides { LEFT_OUT.as_bytes() } else { &one.answer };
        Asked { kind: one.kind, request: STANDARD.encode(&one.request), answer: STANDARD.encode(answer) }
    });
    let failed = call.failed.as_ref();
    let of = &call.interlinker;
    Taken {
        format: FORMAT,
        interlinker: json!({"name": of.name, "version": of.version, "digest": of.digest}),
        r#do: r#do.into(),
        action,
        input,
        context: json!({
            "person": context.person.as_ref().map(|id| json!({"id": id, "roles": context.roles})),
            "process": context.process, "task": context.task, "asset": context.asset,
            "language": context.language, "at": context.at, "by": context.by,
        }),
        settings: given.settings.clone(),
        grants: given.grants.clone(),
        alarms: given.alarms.clone(),
        state: values.iter().map(|(key, value)| (key.to_string(), STANDARD.encode(value))).collect(),
        host_calls: host_calls.collect(),
        failure: failed.map(|failed| json!({"limit": failed.limit, "detail": failed.detail.opened()})),
        logs: failed.and_then(|failed| failed.logs.opened().cloned()).unwrap_or_else(|| json!([])),
    }
}

impl Taken {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn read(text: &str) -> Result<Self, String> {
        let taken: Self =
            serde_json::from_str(text).map_err(|error| format!("this is no call of a server: {error}"))?;
        match taken.format {
            FORMAT => Ok(taken),
            other => Err(format!("this call is of form {other}; this program reads form {FORMAT}")),
        }
    }

    /// The call, and what was answered in it.
    ///
    /// # Errors
    ///
    /// What cannot be read of it.
    pub fn call(&self, context: CallContext) -> Result<(Call, Vec<Recorded>), String> {
        let decoded = |text: &str| STANDARD.decode(text).map_err(|error| format!("no base64: {error}"));
        let (name, input) = (self.action.clone().unwrap_or_default(), self.input.clone());
        let entry = match self.r#do.as_str() {
            "instantiate" => Entry::Instantiate { input },
            "call" => Entry::Action { name, input },
            "ring" => Entry::Ring { name, input },
            other => return Err(format!("`do` is `instantiate`, `call` or `ring`, not `{other}`")),
        };
        let mut state = KeyValues::default();
        for (key, value) in &self.state {
            state.set(key, decoded(value)?);
        }
        let given = Given {
            settings: self.settings.clone(),
            grants: self.grants.clone(),
            blobs: None,
            alarms: self.alarms.clone(),
        };
        let recorded = self
            .host_calls
            .iter()
            .map(|one| Ok(Recorded { kind: one.kind, request: decoded(&one.request)?, answer: decoded(&one.answer)? }));
        Ok((Call { entry, state, context, given }, recorded.collect::<Result<_, String>>()?))
    }

    /// Who called, when, and on what.
    pub fn context(&self) -> &Value {
        &self.context
    }
}

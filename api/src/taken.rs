//! A recorded call as a file: taken away from a server, and run again on another machine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use interlink_host::{Blobs, Call, CallContext, Entry, Given, Grants, Kind, Recorded};
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
    /// `instantiate`, `call`, `ring`, `view` or `migrate`.
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
    /// Blobs, by digest, with their contents in base64.
    #[serde(default)]
    blobs: BTreeMap<String, String>,
    /// How many there are besides, which were not taken along.
    #[serde(default)]
    pub blobs_left: usize,
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
    let TakenCall { call, entry, values, given, context, blobs, blobs_left } = taken;
    let (r#do, action, input) = match entry {
        Entry::Action { name, input } => ("call", Some(name.clone()), input.clone()),
        Entry::Ring { name, input } => ("ring", Some(name.clone()), input.clone()),
        Entry::Instantiate { input } => ("instantiate", None, input.clone()),
        Entry::View { query } => ("view", None, query.clone()),
        Entry::Migrate { version } => ("migrate", None, json!(version)),
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
        blobs: blobs.iter().map(|(digest, content)| (digest.clone(), STANDARD.encode(content))).collect(),
        blobs_left: *blobs_left,
        failure: failed.map(|failed| json!({"limit": failed.limit, "detail": failed.detail.opened()})),
        logs: failed.and_then(|failed| failed.logs.opened().cloned()).unwrap_or_else(|| json!([])),
    }
}

/// Blobs of an asset that were taken along.
struct TakenBlobs(BTreeMap<String, Vec<u8>>);

impl Blobs for TakenBlobs {
    fn size(&self, digest: &str) -> Option<u64> {
        self.0.get(digest).map(|content| content.len() as u64)
    }

    fn total(&self) -> (usize, u64) {
        (self.0.len(), self.0.values().map(|content| content.len() as u64).sum())
    }

    fn read(&self, digest: &str, offset: u64, limit: usize) -> Result<Option<Vec<u8>>, String> {
        let from = |content: &Vec<u8>| {
            let first = usize::try_from(offset).unwrap_or(usize::MAX).min(content.len());
            content[first..first.saturating_add(limit).min(content.len())].to_vec()
        };
        Ok(self.0.get(digest).map(from))
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
            "view" => Entry::View { query: input },
            "migrate" => Entry::Migrate { version: input.as_str().unwrap_or_default().to_owned() },
            other => return Err(format!("`do` is `instantiate`, `call`, `ring`, `view` or `migrate`, not `{other}`")),
        };
        let mut state = KeyValues::default();
        for (key, value) in &self.state {
            state.set(key, decoded(value)?);
        }
        let mut blobs = BTreeMap::new();
        for (digest, content) in &self.blobs {
            blobs.insert(digest.clone(), decoded(content)?);
        }
        let given = Given {
            settings: self.settings.clone(),
            grants: self.grants.clone(),
            blobs: Some(Arc::new(TakenBlobs(blobs))),
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

//! Assets, events and uses.

use interlink_model::event::Actor;
use interlink_runtime::usage::registry::Use;
use interlink_runtime::usage::{kind_word, outcome_word};
use interlink_runtime::{AssetView, Happened};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{put_withdrawal, time};

/// Shows an asset.
pub fn asset(view: &AssetView) -> Value {
    let AssetView { asset, name, outcome, withdrawal } = view;
    let mut shown = json!({
        "id": asset.id.to_string(),
        "name": name,
        "interlinker": {
            "name": asset.interlinker.name,
            "version": asset.interlinker.version,
            "digest": asset.interlinker.digest,
        },
        "process": asset.process.to_string(),
        "task": asset.task,
        "state_version": asset.version,
        "created_by": asset.created_by.to_string(),
        "created_at": time(asset.created_at),
        "updated_at": time(asset.touched_at),
    });
    put_withdrawal(&mut shown["interlinker"], withdrawal.as_ref());
    if let Some(outcome) = outcome {
        shown["outcome"] = outcome.clone();
    }
    if !asset.alarms.is_empty() {
        let alarms = asset
            .alarms
            .iter()
            .map(|(name, alarm)| json!({"name": name, "at": time(alarm.at), "failed": alarm.failed}));
        shown["alarms"] = alarms.collect();
    }
    if !asset.blobs.is_empty() {
        shown["blobs"] = json!({"count": asset.blobs.len(), "size_bytes": asset.blob_bytes()});
    }
    if !asset.earlier.is_empty() {
        let earlier = asset.earlier.iter().map(|earlier| {
            json!({
                "version": earlier.interlinker.version,
                "until_state_version": earlier.until,
                "rolled_back": earlier.rolled_back,
            })
        });
        shown["earlier_versions"] = earlier.collect();
    }
    shown
}

/// Shows an event.
pub fn event(happened: &Happened) -> Value {
    json!({
        "position": happened.position,
        "stream": happened.stream.to_string(),
        "version": happened.version,
        "kind": happened.kind,
        "at": time(happened.stamp.at),
        "actor": happened.stamp.actor.to_string(),
        "as": role_of(happened.stamp.actor),
        "correlation": happened.stamp.correlation.map(|id| id.to_string()),
        "data": happened.data,
    })
}

fn role_of(actor: Actor) -> &'static str {
    match actor {
        Actor::Person(_) => "member",
        Actor::Operator(_) => "operator",
        Actor::System => "system",
        Actor::Pseudonym(_) => "pseudonym",
        Actor::Visitor(_) => "visitor",
    }
}

/// A use of an Interlinker.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UseBody {
    /// When.
    pub at: String,
    /// Who: a random id.
    pub actor: String,
    /// `instantiate`, `view`, `action`, `failure` or `remove`.
    pub kind: &'static str,
    /// Name and version.
    pub interlinker: UsedInterlinker,
    /// On which process.
    pub process: String,
    /// In which phase.
    pub phase: Option<String>,
    /// In which objective.
    pub objective: Option<String>,
    /// On which task.
    pub task: String,
    /// On which asset.
    pub asset: Option<String>,
    /// Which action.
    pub action: Option<String>,
    /// `done`, `refused` or `failed`.
    pub outcome: &'static str,
    /// Why it was refused or failed.
    pub reason: Option<String>,
    /// How long it took.
    pub duration_ms: f64,
    /// The service at whose door it was; nothing for what people do in the process.
    pub service: Option<String>,
    /// What the Interlinker says happened, in its own words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub noted: Vec<NotedBody>,
    /// The record of the call, where there is one: it asked the world outside, or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
}

/// A word of an Interlinker.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct NotedBody {
    /// The word.
    pub word: String,
    /// How many, or how much.
    pub amount: i64,
}

/// An Interlinker as a use names it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UsedInterlinker {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
}

/// Shows a use; `place` is the phase and objective of its task.
pub fn used(used: &Use, place: Option<(String, String)>) -> UseBody {
    let (phase, objective) = place.unzip();
    UseBody {
        at: time(used.at),
        actor: used.actor.to_string(),
        kind: kind_word(used.kind),
        interlinker: UsedInterlinker { name: used.interlinker.name.clone(), version: used.interlinker.version.clone() },
        process: used.process.to_string(),
        phase,
        objective,
        task: used.task.clone(),
        asset: used.asset.map(|asset| asset.to_string()),
        action: used.action.clone(),
        outcome: outcome_word(used.outcome),
        reason: used.reason.clone(),
        duration_ms: used.duration_us as f64 / 1_000.0,
        call: used.call.map(|call| call.to_string()),
        noted: used.noted.iter().map(|noted| NotedBody { word: noted.word.clone(), amount: noted.amount }).collect(),
        service: used.service.clone(),
    }
}

//! Schemas and Interlinkers.

use interlink_host::{Limits, Load};
use interlink_model::facts::ComponentSignature;
use interlink_model::manifest::Manifest;
use interlink_model::schema::{Language, Schema, Text};
use interlink_model::signature::Signature;
use interlink_runtime::catalogue::{CatalogueEntry, InterlinkerVersion, SchemaVersion, Withdrawal, Withdrawn};
use interlink_runtime::guard::{BreakerView, LastFailure};
use serde_json::{Value, json};

use super::task::prerequisites;
use super::time;
use crate::language::Wanted;

/// Shows a schema.
pub fn schema(version: &SchemaVersion, wanted: &Wanted) -> Value {
    let schema = &version.plan.schema;
    let text = |text: &Text| wanted.text(text, &schema.languages);
    let task = |task: &interlink_model::schema::Task| {
        json!({
            "id": task.id,
            "name": text(&task.name),
            "description": text(&task.description),
            "kind": task.work.kind().as_str(),
            "problem_profiles": task.problem_profiles,
            "prerequisites": prerequisites(&task.prerequisites),
            "roles": task.roles,
        })
    };
    let objective = |objective: &interlink_model::schema::Objective| {
        json!({
            "id": objective.id,
            "name": text(&objective.name),
            "description": text(&objective.description),
            "problem_profiles": objective.problem_profiles,
            "prerequisites": prerequisites(&objective.prerequisites),
            "tasks": objective.tasks.iter().map(task).collect::<Vec<_>>(),
        })
    };
    let phase = |phase: &interlink_model::schema::Phase| {
        json!({
            "id": phase.id,
            "name": text(&phase.name),
            "description": text(&phase.description),
            "prerequisites": prerequisites(&phase.prerequisites),
            "objectives": phase.objectives.iter().map(objective).collect::<Vec<_>>(),
        })
    };
    let mut shown = schema_brief(version, wanted);
    shown["phases"] = json!(schema.phases.iter().map(phase).collect::<Vec<_>>());
    shown
}

/// Shows a schema without its tree.
pub fn schema_brief(version: &SchemaVersion, wanted: &Wanted) -> Value {
    let Schema { name, version: number, digest, title, description, languages, roles, .. } = &version.plan.schema;
    json!({
        "name": name,
        "version": number.to_string(),
        "digest": digest,
        "title": wanted.text(title, languages),
        "description": wanted.text(description, languages),
        "languages": languages,
        "roles": roles,
        "tasks": version.plan.outline.tasks.len(),
        "imported_at": time(version.at),
        "imported_by": version.actor.to_string(),
    })
}

/// Languages of a manifest, for the fall-back of its texts.
fn manifest_languages(manifest: &Manifest) -> &[Language] {
    &manifest.languages
}

/// Shows an entry of the catalogue.
pub fn interlinker(version: &InterlinkerVersion, wanted: &Wanted) -> Value {
    let mut shown = match &version.entry {
        CatalogueEntry::Software(manifest) => json!({
            "nature": "software",
            "title": wanted.text(&manifest.title, manifest_languages(manifest)),
            "description": wanted.text(&manifest.description, manifest_languages(manifest)),
            "languages": manifest.languages,
            "problem_profiles": manifest.problem_profiles,
            "licence": manifest.licence,
            "world": manifest.world,
            "provenance": provenance(manifest),
            "grants": manifest.grants,
            "settings": manifest.settings,
            "actions": manifest.actions.iter().map(|action| &action.name).collect::<Vec<_>>(),
        }),
        CatalogueEntry::Described(entry) => {
            let mut shown = (**entry).clone();
            for field in ["title", "description"] {
                let text: Option<Text> = shown.get(field).cloned().and_then(|text| serde_json::from_value(text).ok());
                if let Some(text) = text {
                    shown[field] = wanted.text(&text, &[]);
                }
            }
            shown
        }
    };
    shown["name"] = json!(version.reference.name);
    shown["version"] = json!(version.reference.version);
    shown["digest"] = json!(version.reference.digest);
    shown["published_at"] = json!(time(version.at));
    shown["published_by"] = json!(version.actor.to_string());
    shown["signed_by"] = signed_by(version);
    put_withdrawal(&mut shown, version.withdrawal.as_ref());
    shown
}

/// Where a component comes from, as its manifest claims; null for what that does not say.
fn provenance(manifest: &Manifest) -> Value {
    let said = |text: &str| if text.is_empty() { Value::Null } else { Value::from(text) };
    let Manifest { source, licence, sdk, build, .. } = manifest;
    json!({"source": said(source), "licence": said(licence), "sdk": said(sdk), "build": said(build)})
}

/// Who vouches for a version: the key, whose it is, whether it was trusted when the version was published, and since when it
/// is not any more. Null where nobody does.
fn signed_by(version: &InterlinkerVersion) -> Value {
    let read = |made: &ComponentSignature| Signature::parse(&made.signature).ok().map(|line| (line, made.trusted));
    let Some((line, trusted)) = version.signature.as_ref().and_then(read) else { return Value::Null };
    let signer = version.signer.as_ref();
    json!({
        "key": line.key.as_str(),
        "owner": signer.and_then(|signer| signer.owner.as_ref()),
        "trusted": trusted,
        "key_removed_at": signer.and_then(|signer| signer.removed_at).map(time),
        "signature": line.to_string(),
    })
}

/// Says of what is shown that its version was deprecated or revoked, by whom and why: `deprecated` or `revoked`. Nothing else
/// says so, whatever a description has in it.
pub fn put_withdrawal(shown: &mut Value, withdrawal: Option<&Withdrawal>) {
    for how in [Withdrawn::Deprecated, Withdrawn::Revoked] {
        if let Some(fields) = shown.as_object_mut() {
            fields.remove(how.as_str());
        }
    }
    if let Some(Withdrawal { how, at, actor, reason }) = withdrawal {
        shown[how.as_str()] = json!({"reason": reason, "at": time(*at), "by": actor.to_string()});
    }
}

/// Shows how the breaker of a version stands.
pub fn put_breaker(shown: &mut Value, breaker: &BreakerView) {
    let BreakerView { status, failures, retry_at, last, held_off } = breaker;
    shown["breaker"] = json!({
        "status": status.as_str(),
        "failures": failures,
        "retry_at": retry_at.map(time),
        "last": last_failure(last),
        "held_off": held_off,
    });
}

/// Shows what CPU time an Interlinker's version has, what of it was used since the start, and what it owes.
pub fn put_cpu(shown: &mut Value, limits: &Limits, load: Option<&Load>) {
    let (cpu_us, left_us) = load.map_or((0, 0), |load| (load.cpu_us, load.budget_left_us));
    shown["cpu"] = json!({
        "ms_per_s": limits.cpu_ms_per_s,
        "burst_ms": limits.cpu_burst_ms,
        "waiting_max": limits.waiting_over_budget,
        "used_ms": cpu_us / 1_000,
        "owed_ms": left_us.min(0).unsigned_abs().div_ceil(1_000),
        "waiting": load.map_or(0, |load| load.waiting),
        "running": load.map_or(0, |load| load.running),
    });
}

/// Shows what failed last: which limit, and how far.
pub fn last_failure(last: &Option<LastFailure>) -> Value {
    let shown = |last: &LastFailure| json!({"limit": last.limit, "detail": last.detail, "at": time(last.at)});
    last.as_ref().map_or(Value::Null, shown)
}

/// Shows the actions of a manifest.
pub fn actions(manifest: &Manifest, wanted: &Wanted) -> Value {
    let languages = manifest_languages(manifest);
    let actions = manifest.actions.iter().map(|action| {
        json!({
            "name": action.name,
            "title": wanted.text(&action.title, languages),
            "help": wanted.text(&action.help, languages),
            "input": action.input,
            "output": action.output,
            "allow": action.allow,
            "anonymous": action.anonymous,
            "examples": action.examples,
        })
    });
    json!({
        "items": actions.collect::<Vec<_>>(),
        "instantiate": {
            "title": wanted.text(&manifest.instantiate.title, languages),
            "input": manifest.instantiate.input,
            "examples": manifest.instantiate.examples,
        },
        "view": manifest.view,
    })
}

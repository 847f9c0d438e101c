//! The plan: what would have to be done for a service to be what its file says.
//!
//! A function of the file and of what is there, so that the plan that is shown, what is applied and what is told as drift
//! are the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::file::{AssetFile, Needed, ServiceFile};
use super::{Service, ServiceStatus};
use crate::id::OrganizationId;

/// What applying a file would do, or did, with one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What is done.
    pub action: ChangeAction,
    /// What kind of thing: `schema`, `organization`, `interlinker`, `grants`, `settings`, `secret`, `process`, `asset` or `service`.
    pub kind: &'static str,
    /// Which.
    pub name: String,
    /// In words.
    pub detail: String,
    /// JSON pointer to where the file names it.
    pub pointer: String,
}

/// What is done with a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeAction {
    /// It is as the file says.
    Keep,
    /// It is made.
    Create,
    /// It is brought to what the file says.
    Update,
    /// It is not there, and a file cannot make it: somebody must import, publish or set it.
    Missing,
    /// It is there and differs in a way that would lose work: the file or the thing must change first.
    Conflict,
}

impl Change {
    /// Whether it stands in the way of applying.
    pub fn is_obstacle(&self) -> bool {
        matches!(self.action, ChangeAction::Missing | ChangeAction::Conflict)
    }
}

/// What is there, of all that a file names.
#[derive(Debug, Clone, Default)]
pub struct AsIs {
    /// The schema's version and the ids of its tasks.
    pub schema: Option<(String, BTreeSet<String>)>,
    /// The organizations that the file's `organization` may mean.
    pub organizations: Vec<OrganizationId>,
    /// The file's Interlinkers, by name.
    pub interlinkers: BTreeMap<String, InterlinkerAsIs>,
    /// Names of the secrets that are set.
    pub secrets: BTreeSet<String>,
    /// The service, where it was provisioned before.
    pub before: Option<Before>,
}

/// An Interlinker that is there.
#[derive(Debug, Clone, Default)]
pub struct InterlinkerAsIs {
    /// The version that the file means.
    pub version: String,
    /// Its actions; nothing for one that does not run here.
    pub actions: Option<BTreeSet<String>>,
    /// That the version was withdrawn: what is told of it, and whether it is revoked.
    pub withdrawn: Option<(String, bool)>,
    /// What it is granted.
    pub grants: Value,
    /// Its settings.
    pub settings: Value,
}

/// A service that was provisioned before.
#[derive(Debug, Clone)]
pub struct Before {
    /// What it is.
    pub service: Arc<Service>,
    /// Its assets that are there, by their ids in the file.
    pub there: BTreeSet<String>,
    /// Why its process takes no new assets, where it does not: `suspended`, for instance.
    pub resting: Option<&'static str>,
    /// The organization that hosts its process, where one does; nothing where the process cannot be read.
    pub host: Option<Option<OrganizationId>>,
}

/// What applying a file would do, thing by thing, in the order in which the file has them.
pub fn plan(file: &ServiceFile, is: &AsIs) -> Vec<Change> {
    let before = is.before.as_ref();
    let known = before.and_then(|before| before.service.file.as_ref());
    let mut changes = vec![schema(file, is)];
    changes.extend(organization(file, is));
    for (number, needed) in file.interlinkers.iter().enumerate() {
        interlinker(number, needed, is, &mut changes);
    }
    for (number, name) in file.secrets.iter().enumerate() {
        changes.push(secret(number, name, is));
    }
    changes.push(process(file, known, before));
    for (number, wanted) in file.assets.iter().enumerate() {
        changes.push(asset(number, wanted, file, is, known));
    }
    let rest = changes.iter().any(|change| change.action != ChangeAction::Keep);
    changes.push(service(file, known, before, rest));
    changes
}

fn change(action: ChangeAction, kind: &'static str, name: &str, pointer: String, detail: impl Into<String>) -> Change {
    Change { action, kind, name: name.into(), detail: detail.into(), pointer }
}

fn schema(file: &ServiceFile, is: &AsIs) -> Change {
    let (action, detail) = match &is.schema {
        Some((version, _)) => (ChangeAction::Keep, format!("version {version} is there")),
        None => (ChangeAction::Missing, "import it: `interlink schema import`".into()),
    };
    change(action, "schema", &file.schema, "/schema".into(), detail)
}

/// Organizations of one name that a plan names.
const NAMESAKES_SHOWN: usize = 5;

/// Where neither the file nor the process has an organization, nothing is said of it.
fn organization(file: &ServiceFile, is: &AsIs) -> Option<Change> {
    use ChangeAction::{Conflict, Keep, Missing};
    let host = is.before.as_ref().and_then(|before| before.host);
    let cannot_move = |host: Option<OrganizationId>| match host {
        Some(host) => format!("its process is hosted by organization {host}, and cannot be moved yet: say `{host}`"),
        None => "its process is hosted by no organization, and cannot be moved yet: leave it out".into(),
    };
    let Some(wanted) = &file.organization else {
        let host = host.flatten()?;
        let detail = cannot_move(Some(host));
        return Some(change(Conflict, "organization", &host.to_string(), "/organization".into(), detail));
    };
    let (action, detail) = match (&is.organizations[..], host) {
        // Others may have taken the same name since.
        (meant, Some(Some(host))) if meant.contains(&host) => (Keep, format!("it hosts the process, as {host}")),
        (_, Some(host)) => (Conflict, cannot_move(host)),
        ([], None) => {
            (Missing, "create it with `POST /v1/organizations`, or say the name or id of one that is there".into())
        }
        ([meant], None) => (Keep, format!("it is there, as {meant}")),
        (many, None) => {
            let ids: Vec<_> = many.iter().take(NAMESAKES_SHOWN).map(OrganizationId::to_string).collect();
            (Missing, format!("{} organizations have this name; say its id: {}", many.len(), ids.join(", ")))
        }
    };
    Some(change(action, "organization", wanted, "/organization".into(), detail))
}

fn interlinker(number: usize, needed: &Needed, is: &AsIs, changes: &mut Vec<Change>) {
    use ChangeAction::{Conflict, Keep, Missing, Update};
    let (wanted, at) = (needed.wanted(), format!("/interlinkers/{number}"));
    let Some(found) = is.interlinkers.get(&needed.name) else {
        let detail = "publish it: `POST /v1/interlinkers`";
        return changes.push(change(Missing, "interlinker", &wanted, "/interlinkers".into(), detail));
    };
    let version = &found.version;
    let (action, detail) = match &found.withdrawn {
        None => (Keep, format!("version {version} is there")),
        Some((told, false)) => (Keep, format!("version {version} is deprecated: {told}")),
        Some((told, true)) => {
            (Conflict, format!("version {version} is revoked: {told}; name or publish another version"))
        }
    };
    changes.push(change(action, "interlinker", &wanted, at.clone(), detail));
    if let Some(grants) = &needed.grants {
        let (action, detail) = match found.grants == *grants {
            true => (Keep, "it is granted what the file says".into()),
            false => (Update, format!("it is granted {} now, and would be {}", found.grants, grants)),
        };
        changes.push(change(action, "grants", &needed.name, format!("{at}/grants"), detail));
    }
    if let Some(settings) = &needed.settings {
        let (action, detail) = match found.settings == *settings {
            true => (Keep, "they are as the file says".into()),
            false => (Update, format!("they differ in {}", differing(&found.settings, settings))),
        };
        changes.push(change(action, "settings", &needed.name, format!("{at}/settings"), detail));
    }
}

/// Names of what differs in two objects; the values are not everybody's to see.
fn differing(found: &Value, wanted: &Value) -> String {
    let keys = |value: &Value| -> BTreeSet<String> {
        value.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
    };
    let all: BTreeSet<_> = keys(found).union(&keys(wanted)).cloned().collect();
    let names = all.iter().filter(|name| found.get(name.as_str()) != wanted.get(name.as_str()));
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn secret(number: usize, name: &str, is: &AsIs) -> Change {
    let at = format!("/secrets/{number}");
    match is.secrets.contains(name) {
        true => change(ChangeAction::Keep, "secret", name, at, "it is set"),
        false => {
            let detail = format!("set it: `interlink secret set {name}`, which reads the value from its input");
            change(ChangeAction::Missing, "secret", name, at, detail)
        }
    }
}

fn process(file: &ServiceFile, known: Option<&ServiceFile>, before: Option<&Before>) -> Change {
    use ChangeAction::{Conflict, Create, Keep};
    let verb = if file.process.start { "open and start it" } else { "open it" };
    let (action, detail) = match known {
        None if before.is_some() => {
            (Conflict, "what the service was made from was erased; provision another under another name".into())
        }
        None => (Create, verb.into()),
        Some(known) if known.schema != file.schema => {
            (Conflict, format!("its process is pinned to `{}`; moving it is not done by a file", known.schema))
        }
        Some(known) if known.process != file.process => (
            Conflict,
            "the process was opened with another name, language or start; a file does not change those".into(),
        ),
        Some(_) => (Keep, "it is open".into()),
    };
    change(action, "process", &file.process.name, "/process".into(), detail)
}

fn asset(number: usize, wanted: &AssetFile, file: &ServiceFile, is: &AsIs, known: Option<&ServiceFile>) -> Change {
    use ChangeAction::{Conflict, Create, Keep, Missing, Update};
    let at = |field: &str| format!("/assets/{number}{field}");
    let told = |action, pointer, detail: String| change(action, "asset", &wanted.id, pointer, detail);
    if let Some((version, tasks)) = &is.schema
        && !tasks.contains(&wanted.task)
    {
        let detail = format!("`{}` {version} has no task `{}`", file.schema, wanted.task);
        return told(Missing, at("/task"), detail);
    }
    if let Some(found) = is.interlinkers.get(&wanted.interlinker) {
        let Some(actions) = &found.actions else {
            let detail = format!("`{}` does not run here; assets are made of software", wanted.interlinker);
            return told(Conflict, at("/interlinker"), detail);
        };
        if let Some(place) = wanted.open.actions.iter().position(|action| !actions.contains(action)) {
            let (action, names) = (&wanted.open.actions[place], actions.iter().cloned().collect::<Vec<_>>().join(", "));
            let detail = format!("`{}` has no action `{action}`; it has {names}", wanted.interlinker);
            return told(Missing, at(&format!("/open/actions/{place}")), detail);
        }
    }
    let before = is.before.as_ref();
    let made = before.is_some_and(|before| before.service.assets.contains_key(&wanted.id));
    let there = before.is_some_and(|before| before.there.contains(&wanted.id));
    let as_made = known.and_then(|known| known.asset(&wanted.id)).filter(|_| made);
    match (as_made, there, before.and_then(|before| before.resting)) {
        (Some(known), true, _) => {
            let fields = [
                ("task", known.task != wanted.task),
                ("interlinker", known.interlinker != wanted.interlinker),
                ("name", known.name != wanted.name),
                ("input", known.input != wanted.input),
            ];
            let other: Vec<_> = fields.into_iter().filter_map(|(field, differs)| differs.then_some(field)).collect();
            match (other.is_empty(), known.open == wanted.open) {
                (true, true) => told(Keep, at(""), format!("it is on task `{}`", wanted.task)),
                (true, false) => told(Update, at("/open"), "open to the public what the file says now".into()),
                (false, _) => {
                    let detail = format!(
                        "it was made with another {}, and people may have used it: give the new one an id of its own",
                        other.join(", ")
                    );
                    told(Conflict, at(&format!("/{}", other[0])), detail)
                }
            }
        }
        (_, _, Some(resting)) => {
            let detail = format!("the process is {resting} and takes no new asset");
            told(Conflict, at(""), detail)
        }
        (Some(_), false, None) => told(
            Create,
            at(""),
            format!("it was removed: make another of `{}` on task `{}`", wanted.interlinker, wanted.task),
        ),
        (None, _, None) => {
            told(Create, at(""), format!("make it of `{}` on task `{}`", wanted.interlinker, wanted.task))
        }
    }
}

fn service(file: &ServiceFile, known: Option<&ServiceFile>, before: Option<&Before>, rest: bool) -> Change {
    use ChangeAction::{Conflict, Create, Keep, Update};
    let (action, detail) = match (before, known) {
        (Some(before), _) if before.service.status == ServiceStatus::Retired && (rest || known != Some(file)) => {
            (Conflict, "it is retired, for good; provision another service under another name")
        }
        (None, _) => (Create, "note what it was made from"),
        (Some(_), Some(known)) if known == file && !rest => (Keep, "it is as the file says"),
        (Some(_), Some(known)) if known == file => (Update, "bring it back to what the file says"),
        (Some(_), _) => (Update, "note what it needs now"),
    };
    change(action, "service", &file.service, "/service".into(), detail)
}

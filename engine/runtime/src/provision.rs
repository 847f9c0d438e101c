//! Provisioning: one declarative file says what a service needs; a plan says what is missing, and applying makes it so,
//! once, however often it is applied.

use std::sync::Arc;

use interlink_journal::Position;
use interlink_model::event::Stamp;
use interlink_model::facts::ServiceProvisioned;
use interlink_model::id::{ProcessId, StreamKind, named};
use interlink_model::sealed::Sealed;
use serde::{Deserialize, Serialize};

use crate::catalogue::{InterlinkerVersion, Service, Withdrawn};
use crate::draft::{AnyEvent, Written, stream};
use crate::engine::Engine;
use crate::error::{Outcome, Trouble};
use crate::gate::{Answer, Permit};
use crate::keys::SealingKey;
use crate::people::Caller;
use interlink_model::process::NewProcess;

use crate::processes::{Beside, Making};

/// A service as its declarative file has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceFile {
    /// What the service is known by.
    pub service: String,
    /// The schema of its process: `name` or `name@version`.
    pub schema: String,
    /// The Interlinkers that it needs: `name` or `name@version`.
    #[serde(default)]
    pub interlinkers: Vec<String>,
    /// The process to open.
    pub process: ProcessFile,
}

/// The process of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessFile {
    /// What people call it.
    pub name: String,
    /// The language in which it is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Whether it begins at once.
    #[serde(default)]
    pub start: bool,
}

/// What applying a file would do, or did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What is done.
    pub action: ChangeAction,
    /// What kind of thing: `schema`, `interlinker`, `process` or `service`.
    pub kind: &'static str,
    /// Which.
    pub name: String,
    /// In words.
    pub detail: String,
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
    /// It is not there, and a file cannot make it: somebody must import or publish it.
    Missing,
    /// It is there and differs in a way that would lose work: the file or the thing must change first.
    Conflict,
}

impl Change {
    fn new(action: ChangeAction, kind: &'static str, name: &str, detail: impl Into<String>) -> Self {
        Self { action, kind, name: name.into(), detail: detail.into() }
    }

    /// Whether it stands in the way of applying.
    pub fn is_obstacle(&self) -> bool {
        matches!(self.action, ChangeAction::Missing | ChangeAction::Conflict)
    }
}

/// Whether an Interlinker that is there can be used.
fn with_version(wanted: &str, found: &InterlinkerVersion) -> Change {
    let version = &found.reference.version;
    let (action, detail) = match &found.withdrawal {
        None => (ChangeAction::Keep, format!("version {version} is there")),
        Some(withdrawal) => {
            let detail = format!("version {version} is {}: {}", withdrawal.how.as_str(), withdrawal.told());
            match withdrawal.how {
                Withdrawn::Deprecated => (ChangeAction::Keep, detail),
                Withdrawn::Revoked => (ChangeAction::Conflict, format!("{detail}; name or publish another version")),
            }
        }
    };
    Change::new(action, "interlinker", wanted, detail)
}

impl Engine {
    /// What applying a file would do.
    pub fn plan_service(&self, file: &ServiceFile) -> Vec<Change> {
        use ChangeAction::{Conflict, Create, Keep, Missing, Update};
        let known = self.catalogue.service(&file.service);
        let before = known.as_ref().and_then(|known| serde_json::from_value(known.document.clone()).ok());
        let before: Option<ServiceFile> = before;
        let mut changes = Vec::new();
        changes.push(match self.catalogue.schema(&file.schema) {
            Some(found) => {
                let version = found.plan.schema.version.to_string();
                Change::new(Keep, "schema", &file.schema, format!("version {version} is there"))
            }
            None => Change::new(Missing, "schema", &file.schema, "import it: `interlink schema import`"),
        });
        for wanted in &file.interlinkers {
            changes.push(match self.catalogue.interlinker(wanted) {
                Some(found) => with_version(wanted, &found),
                None => Change::new(Missing, "interlinker", wanted, "publish it: `POST /v1/interlinkers`"),
            });
        }
        let process = &file.process.name;
        changes.push(match &before {
            None => {
                let verb = if file.process.start { "open and start it" } else { "open it" };
                Change::new(Create, "process", process, verb)
            }
            Some(before) if before.schema != file.schema => {
                let detail = format!("its process is pinned to `{}`; moving it is not done by a file", before.schema);
                Change::new(Conflict, "process", process, detail)
            }
            Some(before) if before.process != file.process => {
                let detail =
                    "the process was opened with another name, language or start; a file does not change those";
                Change::new(Conflict, "process", process, detail)
            }
            Some(_) => Change::new(Keep, "process", process, "it is open"),
        });
        changes.push(match &before {
            None => Change::new(Create, "service", &file.service, "note what it was made from"),
            Some(before) if before == file => Change::new(Keep, "service", &file.service, "it is as the file says"),
            Some(_) => Change::new(Update, "service", &file.service, "note what it needs now"),
        });
        changes
    }

    /// Makes a service what its file says: all of it in one append, or nothing.
    pub async fn apply_service(
        &self,
        caller: &Caller,
        file: &ServiceFile,
        answer: impl FnOnce(&[Change], Option<ProcessId>) -> Answer + Send,
        permit: Permit,
    ) -> Outcome<Answer> {
        let _provisioning = self.provisioning.lock().await;
        let changes = self.plan_service(file);
        if let Some(obstacle) = changes.iter().find(|change| change.is_obstacle()) {
            let Change { kind, name, .. } = obstacle;
            if let Some(found) = self.catalogue.interlinker(name).filter(|_| *kind == "interlinker") {
                self.catalogue.not_revoked(&found.reference)?;
            }
            return Err(match obstacle.action {
                ChangeAction::Missing => Trouble::Names {
                    what: kind,
                    id: name.clone(),
                    pointer: if *kind == "schema" { "/schema".into() } else { "/interlinkers".into() },
                },
                _ => Trouble::Taken { what: kind, id: name.clone(), found: obstacle.detail.clone() },
            });
        }
        let known = self.catalogue.service(&file.service);
        let changed = changes.iter().any(|change| change.action != ChangeAction::Keep);
        let process = known.as_ref().and_then(|known| known.process);
        if !changed {
            let answer = answer(&changes, process);
            self.remember(permit, &answer).await?;
            return Ok(answer);
        }
        let version = known.as_ref().map_or(0, |known| known.version + 1);
        // What is noted, sealed under the process's key, and the same in the open for the catalogue in memory.
        let noted = |process: ProcessId, key: &SealingKey, stamp: &Stamp| {
            let document = serde_json::to_value(file).expect("a service file encodes");
            let name = file.service.clone();
            let provisioned = ServiceProvisioned { name, document: Sealed::Open(document), process: Some(process) };
            let open = AnyEvent::Service(provisioned.into());
            let at = stream(StreamKind::Service, named(StreamKind::Service, &file.service));
            let mut event = open.clone();
            event.close(&*self.core.ambient, &at, key);
            let process = Some(process);
            (Written { stream: at, version, process, key: key.number, stamp: *stamp, event }, open)
        };
        let catalogue = Arc::clone(&self.catalogue);
        let settle = move |open: AnyEvent, stamp: Stamp| {
            Box::new(move |first: Option<Position>| {
                if first.is_some() {
                    // What stands in the open can be read.
                    let _ = catalogue.apply(&open, &stamp);
                }
            })
        };
        if let Some(process) = process {
            let stamp = self.core.stamp(self.core.now(), caller.actor());
            let cell = self.processes.cell(process)?;
            let (written, open) = noted(process, &cell.key, &stamp);
            let answer = answer(&changes, Some(process));
            let record = permit.record(&self.core, &answer);
            let settle = settle(open, stamp);
            let fate = self.core.commit(std::slice::from_ref(&written), record, move |first| {
                settle(first);
                drop(permit);
            });
            crate::core::settled(fate).await?;
            return Ok(answer);
        }
        let schema = self.schema(&file.schema)?;
        let ProcessFile { name, language, start } = file.process.clone();
        let new = NewProcess { name, language, ..NewProcess::default() };
        let first = start.then_some(interlink_model::process::Command::Start);
        let making = Making { id: None, plan: schema.plan, new, before: Vec::new(), first };
        let beside = |stamp: &Stamp, process: ProcessId, key: &SealingKey| {
            let (written, open) = noted(process, key, stamp);
            Some(Beside { settle: settle(open, *stamp), written: vec![written] })
        };
        let remember = permit.clone();
        let shown = |process: &interlink_model::process::Process, _: &str| {
            let answer = answer(&changes, Some(process.id));
            let record = remember.record(&self.core, &answer);
            (answer, record)
        };
        let (_, answer) = self.processes.create(caller.actor(), making, beside, shown, permit).await?;
        Ok(answer)
    }

    /// All services.
    pub fn services(&self) -> Vec<Service> {
        self.catalogue.services()
    }

    /// A service.
    pub fn service(&self, name: &str) -> Outcome<Service> {
        self.catalogue.service(name).ok_or_else(|| Trouble::NotFound { what: "service", id: name.into() })
    }
}

//! A service: what was co-produced, as it is offered to the people whom it serves.
//!
//! ```text
//! deployed ─▶ active ⇄ paused ─▶ retired        (from each of the first three, too)
//! ```
//!
//! It is deployed when all that its file asks for was made so, and open to the public only while it is active. Retired is
//! for good: people were told that it is over. Applying a changed file is a step of its history, and moves no status.

mod file;
mod plan;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

pub use self::file::{
    ACTIONS_OPEN_MAX, ASSETS_MAX, AssetFile, INTERLINKERS_MAX, Needed, Opened, ProcessFile, SECRETS_MAX, ServiceFile,
    TEXT_BYTES_MAX, Unfit,
};
pub use self::plan::{AsIs, Before, Change, ChangeAction, InterlinkerAsIs, plan};
use crate::event::{Actor, Stamp};
use crate::facts::{ServiceActivated, ServiceEvent, ServicePaused, ServiceRetired};
use crate::id::{AssetId, Micros, ProcessId};
use crate::sealed::Sealed;

/// Steps of a service's history that are shown with it, the latest.
pub const STEPS_SHOWN_MAX: usize = 100;

/// Where a service is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceStatus {
    /// All that it needs is there; nobody whom it serves was let in yet.
    Deployed,
    /// It is open.
    Active,
    /// It is closed for a while.
    Paused,
    /// It is over.
    Retired,
}

impl ServiceStatus {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deployed => "deployed",
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Retired => "retired",
        }
    }
}

/// What happened to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// It was made what its file says.
    Provisioned,
    /// It was opened.
    Activated,
    /// It was closed for a while.
    Paused,
    /// It was ended.
    Retired,
}

/// A step of a service's history.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What happened.
    pub kind: StepKind,
    /// When.
    pub at: Micros,
    /// By whom.
    pub actor: Actor,
    /// Why, where somebody said so and its key exists.
    pub reason: Option<String>,
}

/// A service.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// What it is known by.
    pub name: String,
    /// Where it is in its life.
    pub status: ServiceStatus,
    /// The file that it was made from last, as it was written; null where its key was destroyed.
    pub document: Value,
    /// The same, read; nothing where it cannot be.
    pub file: Option<ServiceFile>,
    /// The process that was opened for it.
    pub process: Option<ProcessId>,
    /// Its assets, by their ids in the file.
    pub assets: BTreeMap<String, AssetId>,
    /// The last event's version.
    pub version: u64,
    /// Everything that happened to it, in order.
    pub history: Vec<Step>,
}

/// What is wanted of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Opens it to the people whom it serves.
    Activate,
    /// Closes it for a while.
    Pause,
    /// Ends it for good.
    Retire,
}

/// Why a service does not take a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The rule, as a slug.
    pub rule: &'static str,
    /// What would be right.
    pub detail: String,
}

impl Service {
    /// A service of which nothing is known but its name: its first event makes the rest.
    fn nothing(name: &str) -> Self {
        Self {
            name: name.into(),
            status: ServiceStatus::Deployed,
            document: Value::Null,
            file: None,
            process: None,
            assets: BTreeMap::new(),
            version: 0,
            history: Vec::new(),
        }
    }

    /// Takes in an event, its sealed fields opened where their key exists. Nothing where it is none that a service can
    /// begin with.
    pub fn step(before: Option<Self>, event: &ServiceEvent, stamp: &Stamp) -> Option<Self> {
        let mut service = match (before, event) {
            (Some(mut service), _) => {
                service.version += 1;
                service
            }
            (None, ServiceEvent::ServiceProvisioned(provisioned)) => Self::nothing(&provisioned.name),
            (None, _) => return None,
        };
        let opened = |reason: &Option<Sealed<String>>| reason.as_ref().and_then(|reason| reason.opened().cloned());
        let (kind, reason) = match event {
            ServiceEvent::ServiceProvisioned(provisioned) => {
                service.document = provisioned.document.opened().cloned().unwrap_or_default();
                service.file = serde_json::from_value(service.document.clone()).ok();
                service.process = provisioned.process;
                service.assets.clone_from(&provisioned.assets);
                (StepKind::Provisioned, None)
            }
            ServiceEvent::ServiceActivated(activated) => {
                service.status = ServiceStatus::Active;
                (StepKind::Activated, opened(&activated.reason))
            }
            ServiceEvent::ServicePaused(paused) => {
                service.status = ServiceStatus::Paused;
                (StepKind::Paused, opened(&paused.reason))
            }
            ServiceEvent::ServiceRetired(retired) => {
                service.status = ServiceStatus::Retired;
                (StepKind::Retired, opened(&retired.reason))
            }
        };
        service.history.push(Step { kind, at: stamp.at, actor: stamp.actor, reason });
        Some(service)
    }

    /// When it was made what its file says, last, and by whom.
    pub fn provisioned(&self) -> Option<&Step> {
        self.history.iter().rev().find(|step| step.kind == StepKind::Provisioned)
    }

    /// The step that gave it its status.
    pub fn last_move(&self) -> Option<&Step> {
        let kind = match self.status {
            ServiceStatus::Deployed => StepKind::Provisioned,
            ServiceStatus::Active => StepKind::Activated,
            ServiceStatus::Paused => StepKind::Paused,
            ServiceStatus::Retired => StepKind::Retired,
        };
        self.history.iter().rev().find(|step| step.kind == kind)
    }

    /// The latest steps of its history that are shown with it, in order.
    pub fn steps_shown(&self) -> &[Step] {
        &self.history[self.history.len().saturating_sub(STEPS_SHOWN_MAX)..]
    }
}

/// What follows from a command, or why nothing does.
pub fn decide(service: &Service, command: Command, reason: Option<String>) -> Result<ServiceEvent, Refusal> {
    use ServiceStatus::{Active, Deployed, Paused, Retired};
    let (name, reason) = (service.name.clone(), reason.map(Sealed::Open));
    let refuse = |rule, detail: &str| Err(Refusal { rule, detail: format!("service `{}` {detail}", service.name) });
    match (command, service.status) {
        (_, Retired) => refuse("service-retired", "is retired, for good; provision another service under another name"),
        (Command::Activate, Active) => refuse("service-active", "is active already; it can be paused or retired"),
        (Command::Activate, Deployed | Paused) => Ok(ServiceActivated { name, reason }.into()),
        (Command::Pause, Active) => Ok(ServicePaused { name, reason }.into()),
        (Command::Pause, Paused) => refuse("service-paused", "is paused already; it can be activated or retired"),
        (Command::Pause, Deployed) => {
            refuse("service-not-active", "is deployed and was not opened yet; only an active service can be paused")
        }
        (Command::Retire, Deployed | Active | Paused) => Ok(ServiceRetired { name, reason }.into()),
    }
}

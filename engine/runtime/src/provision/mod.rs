//! Services: one declarative file says what a service needs; a plan says what is missing, and applying makes it so, once,
//! however often it is applied.
//!
//! The rules are the model's (`service/`); here is what is there, and how all of it is made in one append.

mod apply;

use std::collections::BTreeSet;
use std::sync::Arc;

use interlink_model::id::{AssetId, PersonId, StreamKind, named};
use interlink_model::process::ProcessStatus;
use interlink_model::service::{
    AsIs, Before, Change, ChangeAction, Command, InterlinkerAsIs, Needed, Service, ServiceFile, decide, plan,
};
use serde_json::json;

use crate::catalogue::{CatalogueEntry, InterlinkerVersion, Withdrawn};
use crate::draft::{AnyEvent, Written, stream};
use crate::engine::Engine;
use crate::error::{Outcome, Trouble};
use crate::gate::{Answer, Permit};
use crate::people::Caller;

/// Whoever uses a service without a token: one visitor for all of them, so that "one vote each" gives them one together.
pub fn anybody(service: &str) -> PersonId {
    PersonId::from_bytes(named(StreamKind::Service, &format!("{service} anybody")))
}

impl Engine {
    /// What is there of all that a file names.
    fn as_is(&self, file: &ServiceFile) -> AsIs {
        let schema = self.catalogue.schema(&file.schema).map(|found| {
            let tasks = found.plan.outline.tasks.iter().map(|task| task.id.clone());
            (found.plan.schema.version.to_string(), tasks.collect::<BTreeSet<_>>())
        });
        let interlinkers = file.interlinkers.iter().filter_map(|needed| {
            let found = self.catalogue.interlinker(&needed.wanted())?;
            Some((needed.name.clone(), self.interlinker_as_is(needed, &found)))
        });
        let before = self.catalogue.service(&file.service).map(|service| {
            let process = service.process.and_then(|process| self.processes.cell(process).ok());
            let process = process.map(|cell| cell.process());
            let is_there = |asset: &AssetId| process.as_ref().is_some_and(|process| process.assets.contains_key(asset));
            let there = service.assets.iter().filter(|(_, asset)| is_there(asset)).map(|(id, _)| id.clone());
            let resting = process.as_ref().and_then(|process| match process.status {
                _ if process.archived_at.is_some() => Some("archived"),
                ProcessStatus::Running => None,
                resting => Some(resting.as_str()),
            });
            let host = process.as_ref().map(|process| process.organization);
            Before { there: there.collect(), resting, host, service }
        });
        let organizations = file.organization.as_ref().map(|wanted| self.organizations.meant(wanted));
        AsIs {
            schema,
            organizations: organizations.unwrap_or_default(),
            interlinkers: interlinkers.collect(),
            secrets: self.catalogue.secret_names(),
            before,
        }
    }

    fn interlinker_as_is(&self, needed: &Needed, found: &InterlinkerVersion) -> InterlinkerAsIs {
        let actions = match &found.entry {
            CatalogueEntry::Software(manifest) => {
                Some(manifest.actions.iter().map(|action| action.name.clone()).collect())
            }
            CatalogueEntry::Described(_) => None,
        };
        let told = |withdrawal: &crate::catalogue::Withdrawal| {
            (withdrawal.told().to_owned(), withdrawal.how == Withdrawn::Revoked)
        };
        InterlinkerAsIs {
            version: found.reference.version.clone(),
            actions,
            withdrawn: found.withdrawal.as_ref().map(told),
            grants: json!(self.catalogue.grants(&needed.name)),
            settings: self.interlinker_settings(&needed.name),
        }
    }

    /// What applying a file would do.
    pub fn plan_service(&self, file: &ServiceFile) -> Vec<Change> {
        plan(file, &self.as_is(file))
    }

    /// What differs from a service's file now.
    pub fn drift(&self, service: &Service) -> Vec<Change> {
        let changes = service.file.as_ref().map(|file| self.plan_service(file)).unwrap_or_default();
        changes.into_iter().filter(|change| change.action != ChangeAction::Keep && change.kind != "service").collect()
    }

    /// All services.
    pub fn services(&self) -> Vec<Arc<Service>> {
        self.catalogue.services()
    }

    /// A service.
    pub fn service(&self, name: &str) -> Outcome<Arc<Service>> {
        self.catalogue.service(name).ok_or_else(|| Trouble::NotFound { what: "service", id: name.into() })
    }

    /// Lets a service take a step of its life. The reason is sealed under its process's key.
    pub async fn move_service(
        &self,
        caller: &Caller,
        name: &str,
        command: Command,
        reason: Option<String>,
        expected: Option<u64>,
        answer: impl FnOnce(&Service) -> Answer + Send,
        permit: Permit,
    ) -> Outcome<Answer> {
        let _provisioning = self.provisioning.lock().await;
        let service = self.service(name)?;
        if let Some(expected) = expected.filter(|expected| *expected != service.version) {
            return Err(Trouble::WrongVersion { expected, found: service.version });
        }
        let event = decide(&service, command, reason).map_err(Trouble::Service)?;
        let stamp = self.core.stamp(self.core.now(), caller.actor());
        let next = Service::step(Some((*service).clone()), &event, &stamp).expect("it was there before");
        let answer = answer(&next);
        let at = stream(StreamKind::Service, named(StreamKind::Service, name));
        let key = match service.process {
            Some(process) => self.processes.cell(process)?.key.clone(),
            None => caller.key.clone(),
        };
        let open = AnyEvent::Service(event);
        let mut event = open.clone();
        event.close(&*self.core.ambient, &at, &key);
        let (version, process) = (self.core.next_version(&at)?, service.process);
        let written = Written { stream: at, version, process, key: key.number, stamp, event };
        let record = permit.record(&self.core, &answer);
        let catalogue = Arc::clone(&self.catalogue);
        let fate = self.core.commit(std::slice::from_ref(&written), record, move |first| {
            if first.is_some() {
                // What stands in the open can be read.
                let _ = catalogue.apply(&open, &stamp);
            }
            drop(permit);
        });
        crate::core::settled(fate).await?;
        Ok(answer)
    }
}

//! The door of a service: what its file opens to the people whom it serves, while it is active.

use std::sync::Arc;

use interlink_model::asset::Asset;
use interlink_model::id::{AssetId, PersonId};
use interlink_model::service::{AssetFile, Service, ServiceStatus};
use serde_json::Value as Json;

use super::Engine;
use crate::ambient::person_id;
use crate::assets::{Acted, Use as AssetUse};
use crate::error::{Outcome, Trouble};
use crate::gate::{Answer, Permit};
use crate::people::{Caller, CallerKind};
use crate::usage::services::{self, ServiceUse};

impl Engine {
    /// A service, if it is open.
    pub fn open_service(&self, name: &str) -> Outcome<Arc<Service>> {
        let service = self.service(name)?;
        match service.status {
            ServiceStatus::Active => Ok(service),
            _ => Err(Trouble::Closed(service)),
        }
    }

    /// A visitor of a service. What is remembered for them is sealed under the key of its process.
    pub fn visitor(&self, service: &Service, visitor: PersonId) -> Outcome<Caller> {
        let gone = || Trouble::NotFound { what: "service", id: service.name.clone() };
        let key = self.processes.cell(service.process.ok_or_else(gone)?)?.key.clone();
        Ok(Caller { person: visitor, operator: false, kind: CallerKind::Visitor, key })
    }

    /// The secret that signs tokens of visits.
    pub fn visit_secret(&self) -> [u8; 32] {
        self.core.keys.secrets().visits
    }

    /// The id of a new visitor: random, and nobody's.
    pub fn new_visitor(&self) -> PersonId {
        person_id(&*self.core.ambient)
    }

    /// An asset of a service, where its file opens what is wanted of it: an action, or to be looked at.
    pub fn opened_at<'s>(
        &self,
        service: &'s Service,
        asset: &str,
        action: Option<&str>,
    ) -> Outcome<(AssetId, &'s AssetFile)> {
        let file = service.file.as_ref().and_then(|file| file.asset(asset));
        let known = file.filter(|file| !file.open.is_nothing()).zip(service.assets.get(asset));
        let gone = || Trouble::NotFound { what: "open asset", id: asset.into() };
        let (file, id) = known.ok_or_else(gone)?;
        match action {
            Some(action) if !file.open.actions.iter().any(|open| open == action) => {
                Err(Trouble::NotFound { what: "open action", id: action.into() })
            }
            None if !file.open.view => Err(Trouble::NotFound { what: "open view of asset", id: asset.into() }),
            _ => self.assets.cell(*id).map(|_| (*id, file)).map_err(|trouble| match trouble {
                Trouble::NotFound { .. } => gone(),
                other => other,
            }),
        }
    }

    /// Runs an action at a service's door.
    pub async fn act_at(
        &self,
        caller: &Caller,
        service: &str,
        asset: AssetId,
        action: &str,
        input: Json,
        language: &str,
        expected: Option<u64>,
        answer: impl FnOnce(Result<&Acted<'_>, &Trouble>) -> Answer + Send,
        permit: Permit,
    ) -> Outcome<Answer> {
        let service = Some(service.to_owned());
        let asked = AssetUse { language, expected, effect: None, resumed: None, with: None, service, by: None };
        self.act_as(caller.actor(), asset, action, input, asked, answer, permit).await
    }

    /// Shows an asset at a service's door.
    pub async fn view_at(
        &self,
        caller: &Caller,
        service: &str,
        asset: AssetId,
        query: Json,
        language: &str,
    ) -> Outcome<(Arc<Asset>, Json)> {
        self.view_as(caller.actor(), asset, query, language, Some(service)).await
    }

    /// How a service is used. Goes through many rows: call it off the asynchronous workers.
    pub fn service_use(&self, service: &str) -> Outcome<ServiceUse> {
        self.whole(services::of(&self.core.state, service))
    }
}

//! Organizations that host processes.

use std::sync::Arc;

use interlink_model::event::Actor;
use interlink_model::id::OrganizationId;
use interlink_model::organization::{Organization, OrganizationKind};

use super::Engine;
use crate::error::Outcome;
use crate::gate::{Answer, Permit};
use crate::usage::held::{self, Held};

impl Engine {
    /// An organization.
    pub fn organization(&self, id: OrganizationId) -> Outcome<Arc<Organization>> {
        self.organizations.get(&self.core, id)
    }

    /// All organizations, in the order in which they were registered.
    pub fn organizations(&self) -> Vec<Arc<Organization>> {
        self.organizations.all()
    }

    /// What the assets of an organization's processes hold together.
    pub fn held_of_organization(&self, id: OrganizationId) -> Held {
        held::of_organization(&self.core.state, id)
    }

    /// Makes an organization known.
    pub async fn register_organization(
        &self,
        actor: Actor,
        name: String,
        kind: OrganizationKind,
        answer: impl FnOnce(&Organization) -> Answer,
        permit: &Permit,
    ) -> Outcome<Answer> {
        let mut made = None;
        let settle = |organization: &Organization| permit.record(&self.core, made.insert(answer(organization)));
        self.organizations.register(&self.core, actor, (name, kind), settle).await?;
        Ok(made.unwrap_or_default())
    }

    /// Decides how many assets an organization's processes may have, and how many bytes of state and blobs these may have
    /// together.
    pub async fn set_quota_of_organization(
        &self,
        actor: Actor,
        id: OrganizationId,
        quota: (Option<u64>, Option<u64>),
        expected: Option<u64>,
        answer: impl FnOnce(&Organization) -> Answer,
        permit: &Permit,
    ) -> Outcome<Answer> {
        let mut made = None;
        let settle = |organization: &Organization| permit.record(&self.core, made.insert(answer(organization)));
        self.organizations.set_quota(&self.core, actor, id, quota, expected, settle).await?;
        Ok(made.unwrap_or_default())
    }
}

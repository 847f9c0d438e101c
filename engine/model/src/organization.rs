//! An organization: who hosts processes, and answers for what their assets hold.

use serde::{Deserialize, Serialize};

use crate::event::{Actor, Stamp};
use crate::facts::{OrganizationEvent, OrganizationQuotaSet};
use crate::id::{Micros, OrganizationId};

/// Organizations of one server.
pub const ORGANIZATIONS_MAX: usize = 10_000;
/// The longest name of an organization, in bytes.
pub const ORGANIZATION_NAME_BYTES_MAX: usize = 512;

/// Of what kind an organization is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrganizationKind {
    /// A public administration.
    PublicAdministration,
    /// Citizens, with or without a form.
    Citizens,
    /// An association, a foundation: whoever may make no profit.
    NonProfit,
    /// A company.
    ForProfit,
}

impl OrganizationKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::PublicAdministration, Self::Citizens, Self::NonProfit, Self::ForProfit];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PublicAdministration => "public_administration",
            Self::Citizens => "citizens",
            Self::NonProfit => "non_profit",
            Self::ForProfit => "for_profit",
        }
    }

    /// The kind that a word stands for, if it stands for one.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// An organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// What people call it; nothing where its key was destroyed.
    pub name: Option<String>,
    /// Of what kind it is.
    pub kind: OrganizationKind,
    /// Who made it known.
    pub registered_by: Actor,
    /// When.
    pub registered_at: Micros,
    /// How many assets its processes may have together, where an operator said so.
    pub assets_max: Option<u64>,
    /// How many bytes of state and blobs they may have, where an operator said so.
    pub state_bytes_max: Option<u64>,
    /// The last event's version.
    pub version: u64,
}

impl Organization {
    /// Takes in an event, its sealed fields opened where their key exists. Nothing where it is none that an organization can
    /// begin with, or begins one that is there.
    pub fn step(before: Option<Self>, id: OrganizationId, event: &OrganizationEvent, stamp: &Stamp) -> Option<Self> {
        match (before, event) {
            (None, OrganizationEvent::OrganizationRegistered(registered)) => Some(Self {
                id,
                name: registered.name.opened().cloned(),
                kind: registered.kind,
                registered_by: stamp.actor,
                registered_at: stamp.at,
                assets_max: None,
                state_bytes_max: None,
                version: 0,
            }),
            (Some(before), OrganizationEvent::OrganizationQuotaSet(set)) => {
                let OrganizationQuotaSet { assets, state_bytes } = *set;
                let version = before.version + 1;
                Some(Self { assets_max: assets, state_bytes_max: state_bytes, version, ..before })
            }
            (None, OrganizationEvent::OrganizationQuotaSet(_))
            | (Some(_), OrganizationEvent::OrganizationRegistered(_)) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, decode};
    use crate::facts::OrganizationRegistered;
    use crate::sealed::Sealed;

    const ID: OrganizationId = OrganizationId(uuid::Uuid::from_u128(7));
    const STAMP: Stamp = Stamp { at: Micros(7), actor: Actor::System, correlation: None, causation: None };

    fn registered(name: Sealed<String>) -> OrganizationEvent {
        OrganizationRegistered { name, kind: OrganizationKind::NonProfit }.into()
    }

    #[test]
    fn an_organization_begins_once_and_each_quota_takes_the_place_of_the_one_before() {
        let set = |assets, state_bytes| OrganizationQuotaSet { assets, state_bytes }.into();
        let step = |before, event: OrganizationEvent| Organization::step(before, ID, &event, &STAMP);
        let first = step(None, registered(Sealed::Open("Allotments".into()))).expect("it begins");
        assert_eq!((first.name.as_deref(), first.version), (Some("Allotments"), 0));
        assert_eq!((first.assets_max, first.state_bytes_max), (None, None));
        let second = step(Some(first.clone()), set(Some(3), Some(9))).expect("a quota");
        assert_eq!((second.assets_max, second.state_bytes_max, second.version), (Some(3), Some(9), 1));
        let third = step(Some(second), set(None, Some(4))).expect("a quota");
        assert_eq!(third, Organization { state_bytes_max: Some(4), version: 2, ..first.clone() });
        assert_eq!(step(None, set(Some(3), None)), None, "nobody's quota");
        assert_eq!(step(Some(first), registered(Sealed::Open("Again".into()))), None);
    }

    #[test]
    fn one_whose_key_was_destroyed_has_no_name_and_is_otherwise_as_it_was() {
        let body = registered(Sealed::Closed(vec![1, 2, 3])).encode(&STAMP).expect("sealed");
        let (event, stamp) = decode::<OrganizationEvent>(&body).expect("readable");
        let found = Organization::step(None, ID, &event, &stamp).expect("it begins");
        assert_eq!((found.name, found.kind), (None, OrganizationKind::NonProfit));
    }

    #[test]
    fn every_kind_has_a_word_that_means_it_and_is_written_so() {
        for kind in OrganizationKind::ALL {
            assert_eq!(OrganizationKind::parse(kind.as_str()), Some(kind));
            assert_eq!(serde_json::to_value(kind).expect("a word"), kind.as_str());
        }
        assert_eq!(OrganizationKind::parse("company"), None);
    }
}

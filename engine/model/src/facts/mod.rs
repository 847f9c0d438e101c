//! Every fact that is written, family by family: the words of the product's history.
//!
//! Fields that a person wrote are `Sealed`. Names follow the domain; a fact says what happened, never what to do.

mod asset;
mod calls;
mod parts;
mod process;
mod trust;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::asset::*;
pub use self::calls::*;
pub use self::parts::*;
pub use self::process::*;
pub use self::trust::*;
use crate::events;
use crate::id::{AssetId, CallId, PersonId, ProcessId};
use crate::organization::OrganizationKind;
use crate::schema::Text;
use crate::sealed::Sealed;

/// A schema in one version.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SchemaRef {
    /// Name.
    pub name: String,
    /// Version, as semver writes it.
    pub version: String,
    /// Digest of what was authored.
    pub digest: String,
}

/// An Interlinker in one version.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct InterlinkerRef {
    /// Name.
    pub name: String,
    /// Version, as semver writes it.
    pub version: String,
    /// Digest of the component.
    pub digest: String,
}

/// What was done with an Interlinker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UseKind {
    /// It was instantiated.
    Instantiate,
    /// It was looked at.
    View,
    /// An action was run.
    Action,
    /// It failed: a trap, a crossed limit.
    Failure,
    /// The asset was removed.
    Remove,
}

/// What came of a use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UseOutcome {
    /// It was done.
    Done,
    /// The Interlinker refused.
    Refused,
    /// The Interlinker failed.
    Failed,
}

events! {
    /// Uses that change nothing: what was looked at, refused or failed.
    UsageEvent {
        /// An Interlinker was used without effect on any state.
        InterlinkerUsed {
            /// What was done.
            pub kind: UseKind,
            /// What came of it.
            pub outcome: UseOutcome,
            /// Of which Interlinker.
            pub interlinker: InterlinkerRef,
            /// On which task.
            pub task: String,
            /// On which asset; absent where none came of it.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub asset: Option<AssetId>,
            /// Which action.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub action: Option<String>,
            /// The record of the call, where it asked the world outside.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub call: Option<CallId>,
            /// Why it was refused or failed: a slug, nothing that a person wrote.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub reason: Option<String>,
            /// How long it took.
            pub duration_us: u64,
            /// The service at whose door it was used; absent for what people do in the process.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub service: Option<String>,
        } sealed(),
    }
}

events! {
    /// What happens to a person.
    PersonEvent {
        /// A person came for the first time.
        PersonRegistered {
            /// Who vouches for the login.
            pub issuer: String,
            /// The login.
            pub login: Sealed<String>,
        } sealed(login),
        /// They have read what they were told.
        NoticesRead {
            /// All of it up to this position.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub until: Option<u64>,
            /// What was told at these positions.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            pub each: Vec<u64>,
        } sealed(),
    }
}

events! {
    /// What happens to a login.
    LoginEvent {
        /// A login leads to a person.
        LoginLinked {
            /// The person.
            pub person: PersonId,
        } sealed(),
    }
}

/// How a schema was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SchemaSource {
    /// In the authoring format.
    Authored,
    /// As an INTERLINK bundle.
    Bundle,
}

events! {
    /// What happens to a schema.
    SchemaEvent {
        /// A version was imported.
        SchemaImported {
            /// Name, version, digest.
            pub schema: SchemaRef,
            /// How it was written.
            pub source: SchemaSource,
            /// The document as JSON text.
            pub document: String,
        } sealed(),
    }
}

events! {
    /// What happens to an entry of the catalogue.
    InterlinkerEvent {
        /// A component was published.
        InterlinkerPublished {
            /// Name, version, digest.
            pub interlinker: InterlinkerRef,
            /// Its manifest as JSON text.
            pub manifest: String,
            /// Size of the component.
            pub size_bytes: u64,
            /// Who vouches for it.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub signature: Option<ComponentSignature>,
        } sealed(),
        /// A component that was published was signed by somebody who is trusted more.
        InterlinkerSigned {
            /// Name, version, digest.
            pub interlinker: InterlinkerRef,
            /// Who vouches for it.
            pub signature: ComponentSignature,
        } sealed(),
        /// An operator advises against a version; nothing of it stops.
        InterlinkerDeprecated {
            /// Name, version, digest.
            pub interlinker: InterlinkerRef,
            /// Why.
            pub reason: Sealed<String>,
        } sealed(reason),
        /// An operator took a version back: nothing of it is called any more.
        InterlinkerRevoked {
            /// Name, version, digest.
            pub interlinker: InterlinkerRef,
            /// Why.
            pub reason: Sealed<String>,
        } sealed(reason),
        /// An operator decided what it may ask the world outside for: all of it, in place of what was before.
        InterlinkerGranted {
            /// Its name.
            pub name: String,
            /// The grants as JSON text.
            pub grants: String,
        } sealed(),
        /// An operator set it up: all of its settings, in place of those before.
        InterlinkerConfigured {
            /// Its name.
            pub name: String,
            /// The settings.
            pub settings: Sealed<Value>,
        } sealed(settings),
        /// Calls of it were stopped by an operator: what it needs outside is down.
        InterlinkerPaused {
            /// Its name.
            pub name: String,
            /// Why.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub reason: Option<Sealed<String>>,
        } sealed(reason),
        /// Calls of it are made again.
        InterlinkerResumed {
            /// Its name.
            pub name: String,
            /// Why.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub reason: Option<Sealed<String>>,
        } sealed(reason),
        /// An operator decided how much its assets may be and hold together, in place of what was before.
        InterlinkerQuotaSet {
            /// Its name.
            pub name: String,
            /// Assets; absent for as many as there may be of any.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub assets: Option<u64>,
            /// Bytes of state; absent for as many as there may be of any.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub state_bytes: Option<u64>,
        } sealed(),
        /// An Interlinker that does not run here was described.
        InterlinkerDescribed {
            /// Name, version, digest of the description.
            pub interlinker: InterlinkerRef,
            /// The description as JSON text.
            pub entry: String,
        } sealed(),
    }
}

events! {
    /// What happens to a problem profile.
    ProblemProfileEvent {
        /// It was described, or described anew.
        ProblemProfileDescribed {
            /// Its id.
            pub id: String,
            /// Name for people.
            pub name: Text,
            /// What the problem is.
            pub description: Text,
        } sealed(),
    }
}

events! {
    /// What happens to an organization.
    OrganizationEvent {
        /// It was made known.
        OrganizationRegistered {
            /// What people call it.
            pub name: Sealed<String>,
            /// Of what kind it is.
            pub kind: OrganizationKind,
        } sealed(name),
        /// An operator decided how much the assets of its processes may be and hold together, in place of what was before.
        OrganizationQuotaSet {
            /// Assets; absent for as many as there may be of any.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub assets: Option<u64>,
            /// Bytes of state; absent for as many as there may be of any.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub state_bytes: Option<u64>,
        } sealed(),
    }
}

events! {
    /// What happens to a service.
    ServiceEvent {
        /// What its file asks for was made so.
        ServiceProvisioned {
            /// Its name.
            pub name: String,
            /// The declarative file.
            pub document: Sealed<Value>,
            /// The process that was opened for it.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub process: Option<ProcessId>,
            /// Its assets, by their ids in the file.
            #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
            pub assets: BTreeMap<String, AssetId>,
        } sealed(document),
        /// It was opened to the people whom it serves.
        ServiceActivated {
            /// Its name.
            pub name: String,
            /// Why.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub reason: Option<Sealed<String>>,
        } sealed(reason),
        /// It was closed for a while.
        ServicePaused {
            /// Its name.
            pub name: String,
            /// Why.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub reason: Option<Sealed<String>>,
        } sealed(reason),
        /// It was ended, for good.
        ServiceRetired {
            /// Its name.
            pub name: String,
            /// Why.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub reason: Option<Sealed<String>>,
        } sealed(reason),
    }
}

//! What an operator grants an Interlinker beyond its own state.

use serde::{Deserialize, Serialize};

use crate::origin::Origin;

/// What a call may ask for. The clock and randomness need no grant; by default there is nothing else.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Grants {
    /// Where requests may go.
    pub http: Vec<HttpGrant>,
    /// Names of the secrets that may be read.
    pub secrets: Vec<String>,
    /// Whether it may know who takes part in the process.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub people: bool,
    /// Whether it may tell people something.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub notify: bool,
    /// Actions of other assets of the same process that it may run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub assets: Vec<AssetGrant>,
}

/// Actions of another Interlinker's assets that may be run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssetGrant {
    /// Of which.
    pub interlinker: String,
    /// Their names.
    pub actions: Vec<String>,
}

/// Requests that may be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpGrant {
    /// With these methods, in upper case.
    pub methods: Vec<String>,
    /// To this origin.
    pub origin: Origin,
}

impl Grants {
    /// Whether a request may be made.
    pub fn allow(&self, method: &str, origin: &Origin) -> bool {
        self.http.iter().any(|grant| grant.origin == *origin && grant.methods.iter().any(|own| own == method))
    }

    /// Whether an action of another Interlinker's asset may be run.
    pub fn allow_asset(&self, interlinker: &str, action: &str) -> bool {
        let actions = self.assets.iter().filter(|grant| grant.interlinker == interlinker);
        actions.flat_map(|grant| &grant.actions).any(|own| own == action)
    }

    /// Whether a secret may be read.
    pub fn allow_secret(&self, name: &str) -> bool {
        self.secrets.iter().any(|own| own == name)
    }
}

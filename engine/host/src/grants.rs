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

    /// Whether a secret may be read.
    pub fn allow_secret(&self, name: &str) -> bool {
        self.secrets.iter().any(|own| own == name)
    }
}

//! Whose signatures of components are trusted.

use serde::{Deserialize, Serialize};

use crate::events;
use crate::id::Micros;
use crate::sealed::Sealed;

/// The signature of a component, and what was believed of it when it was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentSignature {
    /// The signature in one line, with the id of its key.
    pub signature: String,
    /// Whether a key made it that was trusted then.
    pub trusted: bool,
}

events! {
    /// What happens to a key, and to what is asked of signatures.
    TrustEvent {
        /// What the key signs is trusted; or it is trusted otherwise than before.
        TrustKeyAdded {
            /// Its id.
            pub id: String,
            /// The key, as base64.
            pub public_key: String,
            /// Whose it is.
            pub owner: Sealed<String>,
            /// From when on it is trusted.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub from: Option<Micros>,
            /// Until before when.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub until: Option<Micros>,
            /// The line with which the key before it vouched for it, where one did.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub succession: Option<String>,
        } sealed(owner),
        /// What the key signs from now on is not trusted.
        TrustKeyRemoved {
            /// Its id.
            pub id: String,
        } sealed(),
        /// An operator said whether a component that is published has to be signed by a trusted key.
        SignaturesRequired {
            /// Whether.
            pub required: bool,
        } sealed(),
    }
}

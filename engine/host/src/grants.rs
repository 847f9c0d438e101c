//! What an operator grants an Interlinker beyond its own state.

use interlink_model::manifest::{Asked, AskedAssets};
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

    /// What of all that is asked for is not granted.
    pub fn lacking(&self, asked: &Asked) -> Asked {
        let http = asked.http.iter().filter(|wish| {
            let origin = wish.origin.parse();
            !origin.is_ok_and(|origin| wish.methods.iter().all(|method| self.allow(method, &origin)))
        });
        let assets = asked
            .assets
            .iter()
            .filter(|wish| !wish.actions.iter().all(|action| self.allow_asset(&wish.interlinker, action)));
        Asked {
            http: http.cloned().collect(),
            secrets: asked.secrets.iter().filter(|wish| !self.allow_secret(&wish.name)).cloned().collect(),
            people: asked.people.clone().filter(|_| !self.people),
            notify: asked.notify.clone().filter(|_| !self.notify),
            assets: assets.cloned().collect(),
        }
    }

    /// These, with all that is asked for besides. An origin that is none is left out: no manifest with one is published.
    pub fn with(mut self, asked: &Asked) -> Self {
        let http = asked
            .http
            .iter()
            .filter_map(|wish| Some(HttpGrant { methods: wish.methods.clone(), origin: wish.origin.parse().ok()? }));
        self.http.extend(http);
        self.secrets.extend(asked.secrets.iter().map(|wish| wish.name.clone()));
        self.people |= asked.people.is_some();
        self.notify |= asked.notify.is_some();
        let assets = asked.assets.iter();
        let assets = assets.map(|AskedAssets { interlinker, actions, .. }| AssetGrant {
            interlinker: interlinker.clone(),
            actions: actions.clone(),
        });
        self.assets.extend(assets);
        self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_granted_with_all_that_is_asked_for_lacks_nothing_and_keeps_what_it_had() {
        let why = json!({"en": "So that it works."});
        let asked: Asked = serde_json::from_value(json!({
            "http": [{"origin": "https://example.org", "methods": ["GET", "POST"], "reason": why}],
            "secrets": [{"name": "token", "reason": why}],
            "people": {"reason": why},
            "notify": {"reason": why},
            "assets": [{"interlinker": "poll", "actions": ["vote"], "reason": why}],
        }))
        .expect("wishes");
        assert_eq!(Grants::default().lacking(&asked), asked);
        let origin = "https://example.org".parse().expect("an origin");
        let some = HttpGrant { methods: vec!["GET".into()], origin };
        let before = Grants { secrets: vec!["other".into()], http: vec![some], people: true, ..Grants::default() };
        let lacking = before.lacking(&asked);
        assert_eq!((lacking.http.len(), lacking.people.is_some()), (1, false), "one of two methods is not all");
        let after = before.with(&lacking);
        assert_eq!(after.lacking(&asked), Asked::default());
        assert_eq!(after.secrets, ["other", "token"]);
    }
}

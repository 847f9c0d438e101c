//! What an Interlinker says of itself, readable without running it.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::schema::{Language, Text};

/// Name of the custom section of a component that holds its manifest as JSON.
pub const MANIFEST_SECTION: &str = "interlink:manifest";

/// Examples of one action, or of how an Interlinker is instantiated.
pub const EXAMPLES_MAX: usize = 20;

/// The manifest of a component.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Form of the manifest: 1.
    pub manifest: u32,
    /// What it is known by.
    pub name: String,
    /// Its version.
    pub version: semver::Version,
    /// The world that it was built for.
    pub world: String,
    /// What it was built with.
    #[serde(default)]
    pub sdk: String,
    /// Where its source is: an address that a browser opens; empty where it does not say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// What made the component, with its version; empty where it does not say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub build: String,
    /// Title for people.
    #[serde(default)]
    pub title: Text,
    /// What it is for.
    #[serde(default)]
    pub description: Text,
    /// Languages that it speaks.
    #[serde(default)]
    pub languages: Vec<Language>,
    /// Its licence, as SPDX writes it.
    #[serde(default)]
    pub licence: String,
    /// Names of the problems that it addresses.
    #[serde(default)]
    pub problem_profiles: Vec<String>,
    /// How it is instantiated.
    pub instantiate: Entrance,
    /// What can be done with an asset.
    #[serde(default)]
    pub actions: Vec<Action>,
    /// How an asset is looked at.
    #[serde(default)]
    pub view: View,
    /// JSON Schema (2020-12) of the settings that an operator gives it; null where it takes any.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub settings: Value,
    /// What it asks for beyond its own state.
    #[serde(default, deserialize_with = "asked_or_none")]
    pub grants: Asked,
    /// Alarms that it sets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alarms: Vec<String>,
}

/// What an Interlinker asks an operator to grant. The clock and randomness need no grant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Where its requests would go.
    #[serde(default)]
    pub http: Vec<AskedHttp>,
    /// Secrets that it would read.
    #[serde(default)]
    pub secrets: Vec<AskedSecret>,
    /// To know who takes part in the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub people: Option<AskedLeave>,
    /// To tell people something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<AskedLeave>,
    /// Actions of other Interlinkers that it would run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assets: Vec<AskedAssets>,
}

/// Something that is allowed or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskedLeave {
    /// What for, to whoever decides on it.
    pub reason: Text,
}

/// Actions of another Interlinker that an Interlinker would run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskedAssets {
    /// Of which.
    pub interlinker: String,
    /// Their names.
    pub actions: Vec<String>,
    /// What for, to whoever decides on it.
    pub reason: Text,
}

/// Requests that an Interlinker would make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskedHttp {
    /// Scheme, host and port, as in `https://example.org`.
    pub origin: String,
    /// Methods, in upper case.
    pub methods: Vec<String>,
    /// What for, to whoever decides on it.
    pub reason: Text,
}

/// A secret that an Interlinker would read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskedSecret {
    /// What it is known by.
    pub name: String,
    /// What for, to whoever decides on it.
    pub reason: Text,
}

/// What is asked for. Manifests of the world 0.1.0 have an empty list here: there was nothing to ask for.
fn asked_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Asked, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Array(nothing) if nothing.is_empty() => Ok(Asked::default()),
        asked @ Value::Object(_) => {
            serde_json::from_value(asked).map_err(|error| Error::custom(format!("grants: {error}")))
        }
        _ => Err(Error::custom(
            "grants are `http` with origin, methods and reason, `secrets` with name and reason, `people` and `notify` \
                 with a reason, and `assets` with interlinker, actions and reason",
        )),
    }
}

/// How an Interlinker is instantiated.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Entrance {
    /// Title for people.
    #[serde(default)]
    pub title: Text,
    /// JSON Schema (2020-12) of the input.
    #[serde(default)]
    pub input: Value,
    /// What can be tried. The first one makes the asset for those of actions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<Example>,
}

/// What can be tried, and what comes of it. Tests of the Interlinker run it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// What it shows, in a line.
    pub title: String,
    /// The input.
    pub input: Value,
    /// What is answered; null where it does not say.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub output: Value,
    /// The code with which it is refused; empty where it is done.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub problem: String,
}

/// Something that can be done with an asset.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Action {
    /// What it is known by.
    pub name: String,
    /// Title for people.
    #[serde(default)]
    pub title: Text,
    /// What it does.
    #[serde(default)]
    pub help: Text,
    /// JSON Schema (2020-12) of the input.
    #[serde(default)]
    pub input: Value,
    /// JSON Schema of the output.
    #[serde(default)]
    pub output: Value,
    /// Roles that may do it; empty means every member.
    #[serde(default)]
    pub allow: Vec<String>,
    /// Whether it is recorded under a pseudonym.
    #[serde(default)]
    pub anonymous: bool,
    /// What can be tried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<Example>,
}

/// How an asset is looked at.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// JSON Schema of the query.
    #[serde(default)]
    pub query: Value,
    /// JSON Schema of what is shown.
    #[serde(default)]
    pub output: Value,
}

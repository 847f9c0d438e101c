//! What an Interlinker says of itself, readable without running it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::schema::{Language, Text};

/// Name of the custom section of a component that holds its manifest as JSON.
pub const MANIFEST_SECTION: &str = "interlink:manifest";

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
    /// What it asks for beyond its own state.
    #[serde(default)]
    pub grants: Vec<Value>,
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

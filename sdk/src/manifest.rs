//! What an Interlinker says of itself, readable without running it.
//!
//! The component carries it as JSON in the custom section [`SECTION`]. Schemas come from Rust types, so only running
//! the author's code can write them; the build does that natively, through the test that `#[interlinker]` adds to the
//! crate, and appends the result. The component then needs no code for schemas, and no code runs to publish it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// The name of the component's custom section.
pub const SECTION: &str = "interlink:manifest";
/// The version of the manifest's shape.
pub const FORMAT: u32 = 1;
/// The world that this SDK builds for.
pub const WORLD: &str = "interlink:interlinker@1.1.0";
/// This SDK.
pub const SDK: &str = concat!("rust ", env!("CARGO_PKG_VERSION"));
/// The environment variable that tells the generated test where to write the manifest.
pub const OUTPUT_VARIABLE: &str = "INTERLINK_MANIFEST_OUT";

/// A text by language, as BCP 47 tag.
pub type Text = BTreeMap<String, String>;

/// What an Interlinker is and offers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of this shape, [`FORMAT`].
    pub manifest: u32,
    /// The name it is published under.
    pub name: String,
    /// Its version, as semver.
    pub version: String,
    /// The world that it is built for.
    pub world: String,
    /// What it was written with.
    pub sdk: String,
    /// `software`: something that runs, in INTERLINK's terms.
    pub nature: String,
    /// Its name for people.
    pub title: Text,
    /// What it does.
    pub description: Text,
    /// The languages that it speaks.
    pub languages: Vec<String>,
    /// Its licence, as SPDX identifier.
    pub licence: String,
    /// The problems it helps with.
    pub problem_profiles: Vec<String>,
    /// How an asset is made.
    pub instantiate: Instantiate,
    /// What can be done with an asset.
    pub actions: Vec<Action>,
    /// How an asset is shown.
    pub view: View,
    /// What it asks the operator for.
    pub grants: Grants,
    /// Alarms that it sets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alarms: Vec<String>,
    /// The schema of what an operator sets; `null` where nothing is set.
    #[serde(default, skip_serializing_if = "Json::is_null")]
    pub settings: Json,
}

/// What an Interlinker asks the operator for. The clock and randomness need no grant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grants {
    /// Where its requests go.
    pub http: Vec<HttpGrant>,
    /// The secrets that it reads.
    pub secrets: Vec<SecretGrant>,
    /// To know who takes part in the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub people: Option<Leave>,
    /// To tell people something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<Leave>,
    /// Actions of other Interlinkers that it runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assets: Vec<AssetsGrant>,
}

/// Something that is granted or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leave {
    /// What for, to the operator who decides on it.
    pub reason: Text,
}

/// Actions of another Interlinker that an Interlinker runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetsGrant {
    /// Of which.
    pub interlinker: String,
    /// Their names.
    pub actions: Vec<String>,
    /// What for, to the operator who decides on it.
    pub reason: Text,
}

/// Requests that an Interlinker makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpGrant {
    /// Scheme, host and port, as in `https://example.org`.
    pub origin: String,
    /// Methods, in upper case.
    pub methods: Vec<String>,
    /// What for, to the operator who decides on it.
    pub reason: Text,
}

/// A secret that an Interlinker reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretGrant {
    /// What it is known by.
    pub name: String,
    /// What for, to the operator who sets it.
    pub reason: Text,
}

/// How an asset is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Instantiate {
    /// Its name for people.
    pub title: Text,
    /// The schema of what it takes.
    pub input: Json,
    /// What can be tried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<Example>,
}

/// What can be tried, and what comes of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// What it shows, in a line.
    pub title: String,
    /// What is given.
    pub input: Json,
    /// What is answered; `null` where it does not say.
    #[serde(default, skip_serializing_if = "Json::is_null")]
    pub output: Json,
    /// The code with which it is refused; empty where it is done.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub problem: String,
}

/// Something to do with an asset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Action {
    /// Its name for programs.
    pub name: String,
    /// Its name for people.
    pub title: Text,
    /// What it does, in a sentence.
    pub help: Text,
    /// The schema of what it takes.
    pub input: Json,
    /// The schema of what it answers.
    pub output: Json,
    /// The roles that may do it; none named is everyone who sees the asset.
    pub allow: Vec<String>,
    /// Whether it is recorded under a pseudonym.
    pub anonymous: bool,
    /// What can be tried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<Example>,
}

/// How an asset is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// The schema of what may be asked; `{}` where nothing can.
    pub query: Json,
    /// The schema of what is shown.
    pub output: Json,
}

#[doc(hidden)]
pub fn text(translations: &[(&str, &str)]) -> Text {
    translations.iter().map(|(language, text)| ((*language).to_owned(), (*text).to_owned())).collect()
}

impl Manifest {
    /// The languages that every text for people exists in.
    #[doc(hidden)]
    #[must_use]
    pub fn common_languages(&self) -> Vec<String> {
        let texts = self.actions.iter().map(|action| &action.title).chain([&self.instantiate.title]);
        let texts: Vec<&Text> = texts.collect();
        self.title.keys().filter(|language| texts.iter().all(|text| text.contains_key(*language))).cloned().collect()
    }
}

/// What the generated test does: writes the manifest where the build asks for it, and checks it otherwise.
///
/// # Panics
///
/// When the file cannot be written, or the schemas cannot be JSON.
#[doc(hidden)]
#[cfg(not(target_arch = "wasm32"))]
pub fn write(manifest: &Manifest) {
    let json = serde_json::to_string(manifest).expect("a manifest holds nothing but JSON");
    assert!(!manifest.languages.is_empty(), "no language has the title of the Interlinker and of every action");
    if let Some(path) = std::env::var_os(OUTPUT_VARIABLE) {
        std::fs::write(&path, json).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

//! The declarative file of a service, and what in it cannot be whatever the server has.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// Interlinkers that a file names, at most.
pub const INTERLINKERS_MAX: usize = 64;
/// Secrets that a file names, at most.
pub const SECRETS_MAX: usize = 64;
/// Assets of a service, at most: all of them are made in one append.
pub const ASSETS_MAX: usize = 32;
/// Actions of one asset that a file opens, at most.
pub const ACTIONS_OPEN_MAX: usize = 64;
/// The longest name in a file, in bytes.
pub const TEXT_BYTES_MAX: usize = 128;

/// A service as its declarative file has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceFile {
    /// What the service is known by.
    pub service: String,
    /// The schema of its process: `name` or `name@version`.
    pub schema: String,
    /// The organization that hosts its process: its id, or a name that no other has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// The Interlinkers that it needs.
    #[serde(default)]
    pub interlinkers: Vec<Needed>,
    /// Names of the secrets that must be set on the server. Their values never stand in a file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// The process to open.
    pub process: ProcessFile,
    /// What is made of Interlinkers on tasks of the process.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assets: Vec<AssetFile>,
}

/// The process of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessFile {
    /// What people call it.
    pub name: String,
    /// The language in which it is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Whether it begins at once.
    #[serde(default)]
    pub start: bool,
}

/// An Interlinker that a service needs: written as a text (`name` or `name@version`) where it is nothing but there, or as
/// an entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Needed {
    /// Its name.
    pub name: String,
    /// The version; any that its name means where there is none.
    pub version: Option<String>,
    /// What it may ask the world outside for, `{http, secrets}`, in place of what it was granted before; not looked at
    /// where there is none.
    pub grants: Option<Value>,
    /// Its settings, in place of those before; not looked at where there are none.
    pub settings: Option<Value>,
}

impl Needed {
    /// `name` or `name@version`.
    pub fn wanted(&self) -> String {
        match &self.version {
            Some(version) => format!("{}@{version}", self.name),
            None => self.name.clone(),
        }
    }

    fn of_text(text: &str) -> Self {
        let (name, version) = match text.split_once('@') {
            Some((name, version)) => (name, Some(version.to_owned())),
            None => (text, None),
        };
        Self { name: name.into(), version, grants: None, settings: None }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grants: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    settings: Option<Value>,
}

impl Serialize for Needed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.grants.is_none() && self.settings.is_none() {
            return serializer.serialize_str(&self.wanted());
        }
        let Self { name, version, grants, settings } = self.clone();
        Entry { name, version, grants, settings }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Needed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Needed;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`name`, `name@version`, or an entry with name, version, grants, settings")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Needed, E> {
                Ok(Needed::of_text(text))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Needed, A::Error> {
                let entry = Entry::deserialize(MapAccessDeserializer::new(map))?;
                let Entry { name, version, grants, settings } = entry;
                Ok(Needed { name, version, grants, settings })
            }
        }

        deserializer.deserialize_any(Either)
    }
}

/// An asset of a service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssetFile {
    /// What it is known by in the file, and at the service's door.
    pub id: String,
    /// On which task of the process.
    pub task: String,
    /// Of which of the file's Interlinkers.
    pub interlinker: String,
    /// What people call it; the Interlinker's title where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it is made with.
    #[serde(default = "nothing")]
    pub input: Value,
    /// What the people whom the service serves may do with it.
    #[serde(default, skip_serializing_if = "Opened::is_nothing")]
    pub open: Opened,
}

fn nothing() -> Value {
    Value::Object(serde_json::Map::new())
}

/// What of an asset is open to the public.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opened {
    /// Whether it can be looked at.
    #[serde(default)]
    pub view: bool,
    /// The actions that can be run.
    #[serde(default)]
    pub actions: Vec<String>,
}

impl Opened {
    /// Whether nothing is open.
    pub fn is_nothing(&self) -> bool {
        !self.view && self.actions.is_empty()
    }
}

/// A place in a file that does not fit, whatever the server has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// JSON pointer.
    pub pointer: String,
    /// What would fit.
    pub detail: String,
}

fn is_name(text: &str) -> bool {
    let letters = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    letters && (1..=TEXT_BYTES_MAX).contains(&text.len())
}

/// What a path at the service's door begins with: no asset has such an id.
const DOORS: [&str; 5] = ["open", "visits", "activate", "pause", "retire"];

impl ServiceFile {
    /// What in it cannot be, whatever the server has: names that are none, things that are twice there or nowhere, too
    /// many of them.
    pub fn check(&self) -> Vec<Unfit> {
        let mut unfit = Vec::new();
        let mut wrong = |pointer: String, detail: String| unfit.push(Unfit { pointer, detail });
        let name = |what: &str| format!("`{what}` is letters, digits, `-`, `_` and `.`, at most {TEXT_BYTES_MAX}");
        if !is_name(&self.service) {
            wrong("/service".into(), name("service"));
        }
        if self.process.name.trim().is_empty() {
            wrong("/process/name".into(), "`name` is empty".into());
        }
        if self.organization.as_ref().is_some_and(|organization| organization.trim().is_empty()) {
            wrong("/organization".into(), "`organization` is empty; say its name or its id, or leave it out".into());
        }
        let many = [
            ("interlinkers", self.interlinkers.len(), INTERLINKERS_MAX),
            ("secrets", self.secrets.len(), SECRETS_MAX),
            ("assets", self.assets.len(), ASSETS_MAX),
        ];
        for (what, found, most) in many.into_iter().filter(|(_, found, most)| found > most) {
            wrong(format!("/{what}"), format!("a file has at most {most} {what}, and this one has {found}"));
        }
        let mut seen = BTreeSet::new();
        for (number, needed) in self.interlinkers.iter().enumerate() {
            if !seen.insert(&needed.name) {
                let detail = format!("`{}` is twice there; a service uses one version of an Interlinker", needed.name);
                wrong(format!("/interlinkers/{number}"), detail);
            }
        }
        let mut seen = BTreeSet::new();
        for (number, asset) in self.assets.iter().enumerate() {
            let at = |field: &str| format!("/assets/{number}/{field}");
            if !is_name(&asset.id) || DOORS.contains(&asset.id.as_str()) {
                wrong(at("id"), format!("{}, and none of {}", name("id"), DOORS.join(", ")));
            } else if !seen.insert(&asset.id) {
                wrong(at("id"), format!("`{}` is the id of another asset, too", asset.id));
            }
            if !self.interlinkers.iter().any(|needed| needed.name == asset.interlinker) {
                let detail = format!("`{}` is none of the file's `interlinkers`; name it there", asset.interlinker);
                wrong(at("interlinker"), detail);
            }
            if asset.open.actions.len() > ACTIONS_OPEN_MAX {
                wrong(at("open/actions"), format!("an asset opens at most {ACTIONS_OPEN_MAX} actions"));
            }
        }
        if !self.assets.is_empty() && !self.process.start {
            let detail = "assets are made on tasks of a process that runs: say `start: true`";
            wrong("/process/start".into(), detail.into());
        }
        unfit
    }

    /// Whether it says what only an operator does: grants, settings, and what is open to the public.
    pub fn is_operators(&self) -> bool {
        self.interlinkers.iter().any(|needed| needed.grants.is_some() || needed.settings.is_some())
            || self.assets.iter().any(|asset| !asset.open.is_nothing())
    }

    /// The asset of an id, where there is one.
    pub fn asset(&self, id: &str) -> Option<&AssetFile> {
        self.assets.iter().find(|asset| asset.id == id)
    }

    /// The Interlinker that an asset is made of.
    pub fn interlinker_of(&self, asset: &AssetFile) -> Option<&Needed> {
        self.interlinkers.iter().find(|needed| needed.name == asset.interlinker)
    }
}

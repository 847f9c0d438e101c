//! A co-production schema: the reusable tree of phases, objectives and tasks that processes are started from.
//!
//! What is authored (YAML, JSON, an INTERLINK bundle) is parsed once, at the edge, into [`Schema`]; from there on
//! nothing needs to be checked again: ids are unique, prerequisites lead somewhere and have no cycle, and every list
//! is in the order in which it is to be done.

mod archive;
pub mod authoring;
pub mod bundle;
pub mod digest;
pub mod editor;
mod editor_timing;
mod fields;
pub mod finding;
mod items;
mod json;
pub mod limits;
mod node;
pub mod order;
pub mod outline;
mod prerequisites;
pub mod text;
pub mod timing;
pub mod work;
mod yaml;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::timing::{Opening, Timing};
pub use self::work::TaskKind;
use self::work::{OnFailure, Work};
use crate::condition::Condition;
use crate::time::moment::Moment;
use crate::time::zone::Zone;

/// An IETF BCP 47 language tag, lower-case (`en`, `es`, `pt-br`).
pub type Language = String;

/// A text in the languages that its author gave.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Text(pub BTreeMap<Language, String>);

/// A co-production schema as it is run: checked, in order, defaults filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    /// What the schema is known by: kebab-case or snake_case, unique in a data directory.
    pub name: String,
    /// The author's version; a bundle's is `0.0.0+` and twelve digits of its digest.
    pub version: semver::Version,
    /// Digest of the authored document, `sha256:` and 64 hex digits.
    pub digest: String,
    /// Title for people.
    pub title: Text,
    /// What the schema is for.
    pub description: Text,
    /// Languages that the author names, the first one being the one that stands in.
    pub languages: Vec<Language>,
    /// Roles that the schema defines beside those every process has.
    pub roles: Vec<String>,
    /// The zone of its processes, where whoever makes one names no other.
    pub zone: Zone,
    /// When a process should have ended.
    pub deadline: Option<Moment>,
    /// Phases in the order in which they are to be done.
    pub phases: Vec<Phase>,
    /// What was authored and not understood, kept for whoever does.
    pub extensions: BTreeMap<String, Value>,
}

/// A stretch of a process: engage, design, build, sustain.
#[derive(Debug, Clone, PartialEq)]
pub struct Phase {
    /// Unique within the schema.
    pub id: String,
    /// Name for people.
    pub name: Text,
    /// What it is about.
    pub description: Text,
    /// What must be finished first.
    pub prerequisites: Vec<Prerequisite>,
    /// When it opens and closes by itself.
    pub opening: Opening,
    /// Objectives in the order in which they are to be done.
    pub objectives: Vec<Objective>,
    /// What was authored and not understood.
    pub extensions: BTreeMap<String, Value>,
}

/// What a phase wants to reach.
#[derive(Debug, Clone, PartialEq)]
pub struct Objective {
    /// Unique within the schema.
    pub id: String,
    /// Name for people.
    pub name: Text,
    /// What it is about.
    pub description: Text,
    /// What must be finished first.
    pub prerequisites: Vec<Prerequisite>,
    /// When it opens and closes by itself.
    pub opening: Opening,
    /// Names of the problems that it faces.
    pub problem_profiles: Vec<String>,
    /// Tasks in the order in which they are to be done.
    pub tasks: Vec<Task>,
    /// What was authored and not understood.
    pub extensions: BTreeMap<String, Value>,
}

/// What people do.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Unique within the schema.
    pub id: String,
    /// Name for people.
    pub name: Text,
    /// How it is done.
    pub description: Text,
    /// Who or what does it.
    pub work: Work,
    /// What follows when it fails for good.
    pub on_failure: OnFailure,
    /// Whether it is done at all, decided when it becomes ready; otherwise it is left out.
    pub when: Option<Condition>,
    /// When it is due, reminded of, escalated, and whether it comes again.
    pub timing: Timing,
    /// What must be finished first.
    pub prerequisites: Vec<Prerequisite>,
    /// When it opens and closes by itself.
    pub opening: Opening,
    /// Names of the problems that it faces.
    pub problem_profiles: Vec<String>,
    /// Roles that may do it; empty means every member.
    pub roles: Vec<String>,
    /// What was authored and not understood.
    pub extensions: BTreeMap<String, Value>,
}

/// Something that comes before an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prerequisite {
    /// Id of the item that comes before: a phase, an objective or a task.
    pub item: String,
    /// Whether it must be finished, or merely stands before.
    #[serde(rename = "type")]
    pub kind: PrerequisiteKind,
}

/// What a prerequisite asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrerequisiteKind {
    /// The item must be finished.
    Finished,
    /// The item stands before this one; it need not be finished.
    Previous,
}

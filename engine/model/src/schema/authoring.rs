//! Our authoring format (`format: 1`), in YAML or JSON.
//!
//! A key that this server does not run is refused, never ignored: a schema is pinned by its digest, and a key that
//! began to work with the next release would change what a pinned digest means. Only `x-…` keys are kept unread.
//!
//! Allowed on purpose: a phase without objectives and an objective without tasks (authors sketch first; what has no
//! task counts as finished), and items without a name, which are then shown by their id.

mod items;
mod prerequisites;
mod timing;
mod walk;
pub(super) mod work;

use serde_json::Value;

use self::walk::Walk;
use super::finding::{Finding, Findings, Refusal, RefusalKind};
use super::limits::DOCUMENT_BYTES_MAX;
use super::node::refuse_duplicates;
use super::{Schema, digest, json, order, yaml};

/// How a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// YAML 1.2.
    Yaml,
    /// JSON, strictly.
    Json,
}

/// A schema with what it was made from.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// The schema as it is run.
    pub schema: Schema,
    /// The document as authored, before defaults, with `format: 1` in it: what the digest is over.
    pub document: Value,
    /// What was mended on the way; only bundles are.
    pub repairs: Vec<Finding>,
}

/// Roles that every process has; a schema may define more.
pub const BUILT_IN_ROLES: [&str; 5] = ["owner", "administrator", "coordinator", "contributor", "observer"];

/// Keys of the schema itself that this server reads.
pub(super) const SCHEMA_KEYS: [&str; 12] = [
    "format",
    "name",
    "version",
    "title",
    "description",
    "languages",
    "roles",
    "zone",
    "deadline",
    "tags",
    "licence",
    "phases",
];
/// Keys of a phase.
pub(super) const PHASE_KEYS: [&str; 8] =
    ["id", "name", "description", "after", "prerequisites", "opens", "closes", "objectives"];
/// Keys of an objective.
pub(super) const OBJECTIVE_KEYS: [&str; 9] =
    ["id", "name", "description", "after", "prerequisites", "opens", "closes", "problem_profiles", "tasks"];
/// Keys of a task.
pub(super) const TASK_KEYS: [&str; 32] = [
    "id",
    "name",
    "description",
    "kind",
    "after",
    "prerequisites",
    "problem_profiles",
    "roles",
    "opens",
    "closes",
    "due",
    "reminder",
    "escalation",
    "every",
    "misfire",
    "until",
    "times",
    "when",
    "interlinker",
    "input",
    "retry",
    "on_failure",
    "compensation",
    "voters",
    "quorum",
    "threshold",
    "veto",
    "deadline",
    "tie",
    "wait",
    "schema",
    "output",
];
/// Keys that a later server will run and this one refuses.
pub(super) const PLANNED_KEYS: [&str; 2] = ["governance", "incentives"];

/// Reads a document in our authoring format.
pub fn parse(source: &[u8], syntax: Syntax) -> Result<Parsed, Refusal> {
    parse_file(source, syntax, None)
}

/// As [`parse`], for a document that has a file name.
pub(super) fn parse_file(source: &[u8], syntax: Syntax, file: Option<&str>) -> Result<Parsed, Refusal> {
    if source.len() > DOCUMENT_BYTES_MAX {
        let message = format!("the document has {} bytes; the limit is {DOCUMENT_BYTES_MAX}", source.len());
        return Err(Refusal::of(RefusalKind::TooLarge, message));
    }
    let text = utf8(source)?;
    let mut findings = Findings::default();
    let number = findings.add_source(file.map(str::to_owned), text);
    let mut root = match syntax {
        Syntax::Yaml => yaml::read(text, number, &mut findings)?,
        Syntax::Json => json::read(text, number, &mut findings)?,
    };
    refuse_duplicates(&mut root, "", &mut findings);
    let mut walk = Walk::new(findings);
    let schema = walk.schema(&root);
    super::prerequisites::check(&walk.items.list, &mut walk.findings);
    walk.check_mentioned();
    let repairs = walk.findings.into_result()?;
    finish(schema, root.to_json(), repairs)
}

/// The text of a document, or where it stops being UTF-8.
pub(super) fn utf8(source: &[u8]) -> Result<&str, Refusal> {
    std::str::from_utf8(source).map_err(|error| {
        let message = format!("the document is not UTF-8: byte {} begins no character", error.valid_up_to());
        Refusal::of(RefusalKind::Malformed, message)
    })
}

/// Puts a checked schema in order and gives it its digest.
pub(super) fn finish(mut schema: Schema, document: Value, repairs: Vec<Finding>) -> Result<Parsed, Refusal> {
    let document = digest::with_format(document);
    let canonical = digest::canonical(&document);
    if canonical.len() > DOCUMENT_BYTES_MAX {
        let message =
            format!("as canonical JSON the document has {} bytes; the limit is {DOCUMENT_BYTES_MAX}", canonical.len());
        return Err(Refusal::of(RefusalKind::TooLarge, message));
    }
    schema.digest = digest::of(&canonical);
    order::sort(&mut schema);
    Ok(Parsed { schema, document, repairs })
}

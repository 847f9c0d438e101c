//! The authoring format as a JSON Schema (2020-12), for editors: completion, help on each key, red lines.
//!
//! Written by hand rather than derived: what an author writes is no Rust type of ours (the reader keeps places, so
//! it walks a tree), and the help is the point. The keys come from the lists that the reader checks against, so that
//! the two cannot part. It says what a document looks like; that ids are unique and nothing waits for itself is the
//! reader's to check.

use serde_json::{Map, Value, json};

use super::authoring::{BUILT_IN_ROLES, OBJECTIVE_KEYS, PHASE_KEYS, PLANNED_KEYS, SCHEMA_KEYS, TASK_KEYS};
use super::digest::FORMAT;
use super::limits::{
    DESCRIPTION_BYTES_MAX, EXPRESSION_BYTES_MAX, ID_BYTES_MAX, ITEMS_MAX, LANGUAGES_MAX, NAME_BYTES_MAX, NAMES_MAX,
    PREREQUISITES_MAX,
};
use super::work::TaskKind;

/// The JSON Schema of `format: 1`.
pub fn json_schema() -> Value {
    let mut schema = unsorted();
    // Whether maps keep their order is a feature of serde_json that any crate of a build may switch on.
    schema.sort_all_objects();
    schema
}

fn unsorted() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Co-production schema",
        "description": format!(
            "A co-production schema in the authoring format {FORMAT}. Every key described here runs, but for those \
             marked as planned, which this server refuses. Keys of your own begin with `x-` and are kept unread."
        ),
        "type": "object",
        "required": ["name", "version", "phases"],
        "properties": object("schema", &SCHEMA_KEYS),
        "patternProperties": { "^x-": {} },
        "additionalProperties": false,
        "$defs": {
            "phase": item("A stretch of the process. It is finished when all tasks in it are.", "phase", &PHASE_KEYS),
            "objective": item(
                "What a phase wants to reach. It is finished when all its tasks are.", "objective", &OBJECTIVE_KEYS
            ),
            "task": item("Something that people do.", "task", &TASK_KEYS),
            "kind": {
                "description": "Who or what does the task. `human`: people decide that it is done. `interlinker`: \
                     an Interlinker is instantiated when the task becomes ready, and its outcome completes it. \
                     `approval`: a vote. `timer`: it is done when its time has come. `subprocess`: a process of \
                     another schema, whose end completes it.",
                "enum": TaskKind::ALL.map(TaskKind::as_str),
                "default": "human"
            },
            "id": {
                "description": "The name by which this is meant, unique in the whole schema.",
                "type": "string",
                "pattern": "^[a-z0-9][a-z0-9_.-]*$",
                "maxLength": ID_BYTES_MAX
            },
            "language": { "type": "string", "pattern": LANGUAGE_PATTERN },
            "prerequisite": {
                "type": "object",
                "required": ["item"],
                "properties": {
                    "item": { "$ref": "#/$defs/id" },
                    "type": {
                        "description": "`finished`: it must be finished first. `previous`: it merely stands before.",
                        "enum": ["finished", "previous"],
                        "default": "finished"
                    }
                },
                "patternProperties": { "^x-": {} },
                "additionalProperties": false
            },
            "moment": {
                "type": "string",
                "maxLength": EXPRESSION_BYTES_MAX,
                "examples": ["2 weeks after start", "3 days after ready at 09:00", "1 month after agree-aim",
                    "2 days before due", "2027-05-01", "2027-05-01 09:00"]
            },
            "pause": { "type": "string", "pattern": "^[0-9]+ (seconds?|minutes?|hours?|days?)$" },
            "expression": { "type": "string", "maxLength": EXPRESSION_BYTES_MAX },
            "name": text(NAME_BYTES_MAX),
            "text": text(DESCRIPTION_BYTES_MAX),
            "names": {
                "type": ["array", "null"],
                "items": { "$ref": "#/$defs/id" },
                "uniqueItems": true,
                "maxItems": NAMES_MAX
            }
        }
    })
}

/// A language tag in the form that the reader takes; it does not mind capitals.
const LANGUAGE_PATTERN: &str = "^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*$";

/// A text: bare, or a map from languages.
fn text(bytes_max: usize) -> Value {
    json!({
        "oneOf": [
            { "type": ["string", "null"], "maxLength": bytes_max },
            {
                "type": "object",
                "propertyNames": { "pattern": LANGUAGE_PATTERN },
                "additionalProperties": { "type": ["string", "null"], "maxLength": bytes_max },
                "maxProperties": LANGUAGES_MAX
            }
        ]
    })
}

fn item(description: &str, level: &str, keys: &[&str]) -> Value {
    json!({
        "description": description,
        "type": "object",
        "required": ["id"],
        "properties": object(level, keys),
        "patternProperties": { "^x-": {} },
        "additionalProperties": false
    })
}

/// The properties of one level: the keys that run, and those that are planned, which nothing satisfies.
fn object(level: &str, keys: &[&str]) -> Value {
    let running = keys.iter().map(|key| ((*key).to_owned(), property(level, key)));
    let planned = PLANNED_KEYS.iter().map(|key| {
        let description = "Planned. This server does not execute it yet, and refuses it rather than ignoring it.";
        ((*key).to_owned(), json!({ "description": description, "not": {} }))
    });
    Value::Object(planned.chain(running).collect::<Map<_, _>>())
}

fn property(level: &str, key: &str) -> Value {
    match key {
        "format" => {
            json!({ "description": "The authoring format; may be left out.", "const": FORMAT })
        }
        "id" => json!({ "$ref": "#/$defs/id" }),
        "name" if level == "schema" => json!({
            "description": "What the schema is known by on the server.", "$ref": "#/$defs/id"
        }),
        "version" => json!({
            "description": "Semantic version, such as `1.0.0`. A version once imported cannot change.",
            "type": "string",
            "pattern": "^[0-9]+\\.[0-9]+\\.[0-9]+([-+][0-9A-Za-z.+-]+)?$"
        }),
        "title" => described("Title for people; the name stands in for it.", "name"),
        "name" => described("Name for people, in one language or several; the id stands in for it.", "name"),
        "description" => described("What it is about and how it is done, in one language or several.", "text"),
        "languages" => json!({
            "description": "The schema's languages; the first stands in where a translation is missing. \
                            Left out, they are those of the title, English first.",
            "type": ["array", "null"],
            "items": { "$ref": "#/$defs/language" },
            "maxItems": LANGUAGES_MAX
        }),
        "roles" if level == "schema" => described(
            &format!("Roles that the schema defines beside those of every process: {}.", BUILT_IN_ROLES.join(", ")),
            "names",
        ),
        "roles" => described("Roles that may do the task; left out, every member may.", "names"),
        "tags" => json!({
            "description": "Words by which the schema is found.",
            "type": ["array", "null"],
            "items": { "type": "string", "maxLength": ID_BYTES_MAX },
            "maxItems": NAMES_MAX
        }),
        "licence" => json!({
            "description": "Licence of the schema itself, by its SPDX name.",
            "type": ["string", "null"],
            "maxLength": ID_BYTES_MAX
        }),
        "kind" => json!({ "$ref": "#/$defs/kind" }),
        "problem_profiles" => described(
            "Names of the problems faced here; Interlinkers that address one of them are recommended.",
            "names",
        ),
        "after" => json!({
            "description": "What must be finished first: an id, or a list of ids.",
            "oneOf": [
                { "$ref": "#/$defs/id" },
                { "type": ["array", "null"], "items": { "$ref": "#/$defs/id" }, "maxItems": PREREQUISITES_MAX }
            ]
        }),
        "prerequisites" => json!({
            "description": "As `after`, and for what merely stands before.",
            "type": ["array", "null"],
            "items": { "$ref": "#/$defs/prerequisite" },
            "maxItems": PREREQUISITES_MAX
        }),
        "phases" => json!({
            "description": format!(
                "The phases; with their objectives and tasks at most {ITEMS_MAX} items. They are shown in the order \
                 of their prerequisites, and otherwise as written."
            ),
            "type": "array",
            "items": { "$ref": "#/$defs/phase" },
            "minItems": 1
        }),
        "objectives" => list_of("objective"),
        "tasks" => list_of("task"),
        // A key that is read and described nowhere would be one that editors call wrong; a test looks for it.
        key => super::editor_timing::property(level, key),
    }
}

pub(super) fn described(description: &str, definition: &str) -> Value {
    json!({ "description": description, "$ref": format!("#/$defs/{definition}") })
}

fn list_of(level: &str) -> Value {
    json!({
        "description": format!("The {level}s; they are shown in the order of their prerequisites, and otherwise as written."),
        "type": ["array", "null"],
        "items": { "$ref": format!("#/$defs/{level}") }
    })
}

//! The part of the JSON Schema that tells when things happen, and by whom.

use serde_json::{Value, json};

use super::editor::described;
use super::limits::{
    ATTEMPTS_MAX, EXPRESSION_BYTES_MAX, FACTOR_MAX, ID_BYTES_MAX, QUORUM_MAX, REMINDERS_MAX, RUNS_MAX,
};

/// What is told of a key about time or work; `false` for any other.
pub(super) fn property(level: &str, key: &str) -> Value {
    match key {
        "zone" => json!({
            "description": "IANA name of the time zone in which days and hours are meant; UTC where it is left out.",
            "type": "string",
            "examples": ["Europe/Madrid"]
        }),
        "opens" => described("When it opens by itself; nothing in it can be begun before.", "moment"),
        "closes" => described("When it closes by itself; what is left in it is left out.", "moment"),
        "due" => described("When it should be finished; a date without an hour means the end of that day.", "moment"),
        "reminder" => json!({
            "description": "When those who may do the task are reminded of it.",
            "oneOf": [
                { "$ref": "#/$defs/moment" },
                { "type": "array", "items": { "$ref": "#/$defs/moment" }, "maxItems": REMINDERS_MAX }
            ]
        }),
        "escalation" => json!({
            "description": "Whom to tell when the task is not finished, and when.",
            "type": "object",
            "required": ["to", "at"],
            "properties": {
                "to": described("A role.", "id"),
                "at": described("When.", "moment")
            },
            "additionalProperties": false
        }),
        "every" => json!({
            "description": "The task comes again: five fields as Unix's cron (minute, hour, day of month, month, day \
                            of week), six with seconds in front, or a name such as `@monthly`, in the process's zone.",
            "type": "string",
            "maxLength": EXPRESSION_BYTES_MAX,
            "examples": ["0 9 1 * *", "@weekly"]
        }),
        "misfire" => json!({
            "description": "What becomes of runs that were missed: one stands for all, each is made up for, or none.",
            "enum": ["fire_once", "catch_up", "skip"],
            "default": "fire_once"
        }),
        "until" => described("The task comes no more after it.", "moment"),
        "times" => whole("How often the task comes.", RUNS_MAX),
        "when" => described(
            "Whether the task is done at all: a CEL condition over `process`, `tasks`, `data` and `now`, \
                             evaluated when it becomes ready.",
            "expression",
        ),
        "interlinker" => reference("The Interlinker that does the task, `name` or `name@version`."),
        "schema" => reference("The schema of the process that does the task, `name` or `name@version`."),
        "input" => json!({
            "description": "What the Interlinker is instantiated with; of a subprocess, a map from names to CEL \
                            expressions, which become the new process's values.",
            "type": "object"
        }),
        "output" => json!({
            "description": "Which values of the ended subprocess come back: a map from names here to names there.",
            "type": "object",
            "additionalProperties": { "type": "string", "maxLength": ID_BYTES_MAX }
        }),
        "retry" => json!({
            "description": "How often a failed attempt is made again, with pauses that grow.",
            "type": "object",
            "properties": {
                "attempts": whole("Attempts in all.", ATTEMPTS_MAX),
                "first": described("The pause before the second attempt.", "pause"),
                "factor": { "type": "number", "minimum": 1, "maximum": FACTOR_MAX },
                "most": described("No pause is longer.", "pause"),
                "except": { "type": "array", "items": { "type": "string" } }
            },
            "additionalProperties": false
        }),
        "on_failure" => json!({
            "description": "What follows when the task fails past its retries: an operator looks at it; what was done \
                            in its objective is made undone as well; the process is cancelled.",
            "enum": ["wait", "compensate", "cancel"],
            "default": "wait"
        }),
        "compensation" => json!({
            "description": "The action that makes the completed task undone.",
            "type": "object",
            "required": ["action"],
            "properties": { "action": described("An action of the Interlinker.", "id"), "input": { "type": "object" } },
            "additionalProperties": false
        }),
        "voters" => described("Roles that may vote; left out, every member may.", "names"),
        "veto" => described("Roles that may stop it with one vote.", "names"),
        "quorum" => whole("Votes that it takes, abstentions included.", QUORUM_MAX),
        "threshold" => json!({
            "description": "Share of approvals among approvals and rejections that it takes. More than `1/2`; of any \
                            other fraction, at least that.",
            "type": "string",
            "pattern": "^ *[0-9]+ */ *[0-9]+ *$",
            "default": "1/2"
        }),
        "tie" => json!({
            "description": "What becomes of a vote that stands at one half.",
            "enum": ["reject", "approve", "extend"],
            "default": "reject"
        }),
        "deadline" if level == "schema" => described("When the process should have ended.", "moment"),
        "deadline" => described("Until when people may vote; without one the vote ends with its quorum.", "moment"),
        "wait" => described("How long the task waits after it became ready, or until when.", "moment"),
        _ => json!(false),
    }
}

fn whole(description: &str, most: u32) -> Value {
    json!({ "description": description, "type": "integer", "minimum": 1, "maximum": most })
}

fn reference(description: &str) -> Value {
    json!({ "description": description, "type": "string", "maxLength": ID_BYTES_MAX })
}

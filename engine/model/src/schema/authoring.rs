//! Our authoring format (`format: 1`), in YAML or JSON.
//!
//! A key that this server does not run is refused, never ignored: a schema is pinned by its digest, and a key that
//! began to work with the next release would change what a pinned digest means. Only `x-…` keys are kept unread.
//!
//! Allowed on purpose: a phase without objectives and an objective without tasks (authors sketch first; what has no
//! task counts as finished), and items without a name, which are then shown by their id.

use std::collections::BTreeMap;

use serde_json::Value;

use super::digest;
use super::fields::{self, Letters};
use super::finding::{Finding, Findings, Refusal, RefusalKind, Span, did_you_mean, quoted};
use super::limits::{
    DESCRIPTION_BYTES_MAX, DOCUMENT_BYTES_MAX, ID_BYTES_MAX, ITEMS_MAX, LANGUAGES_MAX, NAME_BYTES_MAX,
    PREREQUISITES_MAX,
};
use super::node::{Content, Entry, Node, get, join, refuse_duplicates};
use super::prerequisites::{self, Item, Level, Named};
use super::{
    Language, Objective, Phase, Prerequisite, PrerequisiteKind, Schema, Task, TaskKind, Text, json, order, yaml,
};

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
pub(super) const SCHEMA_KEYS: [&str; 10] =
    ["format", "name", "version", "title", "description", "languages", "roles", "tags", "licence", "phases"];
/// Keys of a phase.
pub(super) const PHASE_KEYS: [&str; 6] = ["id", "name", "description", "after", "prerequisites", "objectives"];
/// Keys of an objective.
pub(super) const OBJECTIVE_KEYS: [&str; 7] =
    ["id", "name", "description", "after", "prerequisites", "problem_profiles", "tasks"];
/// Keys of a task.
pub(super) const TASK_KEYS: [&str; 8] =
    ["id", "name", "description", "kind", "after", "prerequisites", "problem_profiles", "roles"];
/// Keys that a later server will run and this one refuses.
pub(super) const PLANNED_KEYS: [&str; 20] = [
    "compensation",
    "deadline",
    "due",
    "escalation",
    "every",
    "governance",
    "incentives",
    "input",
    "interlinker",
    "misfire",
    "quorum",
    "recurrence",
    "reminder",
    "retry",
    "subprocess",
    "threshold",
    "timer",
    "wait",
    "when",
    "zone",
];
/// Kinds of task that a later server will run and this one refuses.
pub(super) const PLANNED_KINDS: [&str; 4] = ["approval", "interlinker", "timer", "subprocess"];

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
    let mut walk = Walk { findings, items: Vec::new(), languages: Vec::new(), roles: Vec::new(), too_many: false };
    let schema = walk.schema(&root);
    prerequisites::check(&walk.items, &mut walk.findings);
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

struct Walk<'s> {
    findings: Findings<'s>,
    items: Vec<Item>,
    languages: Vec<Language>,
    roles: Vec<String>,
    too_many: bool,
}

/// What phases, objectives and tasks have in common.
struct Common {
    id: String,
    name: Text,
    description: Text,
    prerequisites: Vec<Prerequisite>,
    extensions: BTreeMap<String, Value>,
}

impl Walk<'_> {
    fn schema(&mut self, root: &Node) -> Schema {
        let entries = fields::map(root, "", "a schema", &mut self.findings);
        let mut extensions = self.keys(entries, "", "a schema", &SCHEMA_KEYS);
        if let Content::Map(_) = root.content {
            self.format(get(entries, "format"));
            self.required(root, entries, &["name", "version", "phases"]);
        }
        let name = get(entries, "name").filter(|node| !node.is_null());
        let name = name.and_then(|node| fields::id(node, "/name", "the name", Letters::Lower, &mut self.findings));
        let name = name.unwrap_or_default();
        let version = get(entries, "version").filter(|node| !node.is_null());
        let version = version.and_then(|node| self.version(node)).unwrap_or(semver::Version::new(0, 0, 0));
        self.languages = self.languages(entries);
        self.roles(get(entries, "roles"));
        let title = self.text(entries, "", "title", NAME_BYTES_MAX);
        let description = self.text(entries, "", "description", DESCRIPTION_BYTES_MAX);
        let tags = fields::short_texts(get(entries, "tags"), "/tags", "`tags`", &mut self.findings);
        if !tags.is_empty() {
            extensions.insert("tags".to_owned(), Value::from(tags));
        }
        if let Some(licence) = get(entries, "licence").filter(|node| !node.is_null()) {
            let licence = fields::text(licence, "/licence", "the licence", ID_BYTES_MAX, &mut self.findings);
            extensions.extend(licence.map(|licence| ("licence".to_owned(), Value::from(licence))));
        }
        let phases = get(entries, "phases");
        if let Some(node) = phases.filter(|node| matches!(&node.content, Content::List(list) if list.is_empty())) {
            self.findings.error(node.span, "/phases", "a schema has one phase or more, and this one has none", None);
        }
        let phases = fields::list(phases, "/phases", "`phases`", ITEMS_MAX, &mut self.findings);
        let phases = phases.iter().enumerate().map_while(|(n, node)| self.phase(node, &format!("/phases/{n}")));
        let phases = phases.collect();
        Schema {
            title: named(title, &self.languages, &name),
            name,
            version,
            digest: String::new(),
            description,
            languages: std::mem::take(&mut self.languages),
            roles: std::mem::take(&mut self.roles),
            phases,
            extensions,
        }
    }

    fn format(&mut self, node: Option<&Node>) {
        let Some(node) = node else { return };
        if !matches!(&node.content, Content::Number(number) if number.as_u64() == Some(digest::FORMAT)) {
            let help = Some("write `format: 1`, or leave it out".to_owned());
            self.findings.error(node.span, "/format", "this server reads format 1", help);
        }
    }

    fn required(&mut self, root: &Node, entries: &[Entry], keys: &[&str]) {
        for key in keys {
            if get(entries, key).is_none_or(Node::is_null) {
                let span = get(entries, key).map_or(Span { end: root.span.start, ..root.span }, |node| node.span);
                let message = format!("a schema has a key `{key}`, and this one has not");
                self.findings.error(span, &format!("/{key}"), message, None);
            }
        }
    }

    fn version(&mut self, node: &Node) -> Option<semver::Version> {
        let help = || Some("write three numbers, such as `1.0.0`".to_owned());
        if matches!(node.content, Content::Number(_)) {
            // YAML reads `1.0` as a number, which nobody means.
            self.findings.error(node.span, "/version", "the version must be a text of three numbers", help());
            return None;
        }
        let text = fields::text(node, "/version", "the version", ID_BYTES_MAX, &mut self.findings)?;
        match semver::Version::parse(&text) {
            Ok(version) => Some(version),
            Err(error) => {
                let message = format!("the version {} is no semantic version: {error}", quoted(&text));
                self.findings.error(node.span, "/version", message, help());
                None
            }
        }
    }

    /// The languages that the author names; or else those of the title, English first. Their order must not come
    /// from the order of the title's keys: documents with one digest are one schema.
    fn languages(&mut self, entries: &[Entry]) -> Vec<Language> {
        let node = get(entries, "languages").filter(|node| !node.is_null());
        let mut languages: Vec<Language> = Vec::new();
        let list = fields::list(node, "/languages", "`languages`", LANGUAGES_MAX, &mut self.findings);
        for (index, value) in list.iter().enumerate() {
            let at = format!("/languages/{index}");
            let Some(text) = fields::text(value, &at, "a language", ID_BYTES_MAX, &mut self.findings) else {
                continue;
            };
            match fields::language_tag(&text) {
                Some(language) if !languages.contains(&language) => languages.push(language),
                Some(language) => {
                    let message = format!("the language `{language}` is named twice");
                    self.findings.error(value.span, &at, message, None);
                }
                None => {
                    let help = Some("languages are written as `en`, `es` or `pt-br`".to_owned());
                    self.findings.error(value.span, &at, format!("{} is no language", quoted(&text)), help);
                }
            }
        }
        if languages.is_empty() {
            if let Some(Node { content: Content::Map(titles), .. }) = get(entries, "title") {
                languages = titles.iter().filter_map(|entry| fields::language_tag(&entry.key)).collect();
                languages.sort_by_key(|language| (language != "en", language.clone()));
                languages.dedup();
            }
            if languages.is_empty() {
                languages.push("en".to_owned());
            }
        }
        languages
    }

    fn roles(&mut self, node: Option<&Node>) {
        let roles = fields::ids(node, "/roles", "`roles`", &mut self.findings);
        self.roles = roles.into_iter().map(|(role, _, _)| role).collect();
    }

    fn text(&mut self, entries: &[Entry], pointer: &str, key: &str, bytes_max: usize) -> Text {
        let bare = self.languages.first().map_or("en", String::as_str);
        let pointer = format!("{pointer}/{key}");
        fields::localized(get(entries, key), &pointer, &format!("`{key}`"), bare, bytes_max, &mut self.findings)
    }

    fn phase(&mut self, node: &Node, at: &str) -> Option<Phase> {
        let number = self.begin(node, at, Level::Phase, None)?;
        let entries = fields::map(node, at, "a phase", &mut self.findings);
        let common = self.common(entries, node, at, number, &PHASE_KEYS);
        let at = format!("{at}/objectives");
        let list = fields::list(get(entries, "objectives"), &at, "`objectives`", ITEMS_MAX, &mut self.findings);
        let objectives = list.iter().enumerate();
        let objectives = objectives.map_while(|(n, node)| self.objective(node, &format!("{at}/{n}"), number)).collect();
        let Common { id, name, description, prerequisites, extensions } = common;
        Some(Phase { id, name, description, prerequisites, objectives, extensions })
    }

    fn objective(&mut self, node: &Node, at: &str, parent: usize) -> Option<Objective> {
        let number = self.begin(node, at, Level::Objective, Some(parent))?;
        let entries = fields::map(node, at, "an objective", &mut self.findings);
        let common = self.common(entries, node, at, number, &OBJECTIVE_KEYS);
        let problem_profiles = self.problem_profiles(entries, at);
        let at = format!("{at}/tasks");
        let list = fields::list(get(entries, "tasks"), &at, "`tasks`", ITEMS_MAX, &mut self.findings);
        let tasks = list.iter().enumerate();
        let tasks = tasks.map_while(|(n, node)| self.task(node, &format!("{at}/{n}"), number)).collect();
        let Common { id, name, description, prerequisites, extensions } = common;
        Some(Objective { id, name, description, prerequisites, problem_profiles, tasks, extensions })
    }

    fn task(&mut self, node: &Node, at: &str, parent: usize) -> Option<Task> {
        let number = self.begin(node, at, Level::Task, Some(parent))?;
        let entries = fields::map(node, at, "a task", &mut self.findings);
        let common = self.common(entries, node, at, number, &TASK_KEYS);
        let kind = self.kind(get(entries, "kind"), at);
        let problem_profiles = self.problem_profiles(entries, at);
        let roles = self.task_roles(entries, at);
        let Common { id, name, description, prerequisites, extensions } = common;
        Some(Task { id, name, description, kind, prerequisites, problem_profiles, roles, extensions })
    }

    /// Takes a number for an item; `None` once there are too many, which ends the walk.
    fn begin(&mut self, node: &Node, at: &str, level: Level, parent: Option<usize>) -> Option<usize> {
        if self.items.len() >= ITEMS_MAX {
            if !std::mem::replace(&mut self.too_many, true) {
                let message = format!("a schema has at most {ITEMS_MAX} phases, objectives and tasks together");
                self.findings.error(node.span, at, message, None);
            }
            return None;
        }
        self.items.push(Item {
            id: String::new(),
            level,
            parent,
            span: node.span,
            pointer: at.to_owned(),
            named: Vec::new(),
        });
        Some(self.items.len() - 1)
    }

    fn common(&mut self, entries: &[Entry], node: &Node, at: &str, number: usize, known: &[&str]) -> Common {
        let level = self.items[number].level.name();
        let extensions = self.keys(entries, at, &format!("this {level}"), known);
        let id = match get(entries, "id").filter(|node| !node.is_null()) {
            Some(value) => {
                let pointer = format!("{at}/id");
                self.items[number].span = value.span;
                self.items[number].pointer = pointer.clone();
                let what = format!("the {level}'s id");
                fields::id(value, &pointer, &what, Letters::Lower, &mut self.findings).unwrap_or_default()
            }
            None => {
                if matches!(node.content, Content::Map(_)) {
                    let span = entries.first().map_or(node.span, |entry| entry.key_span);
                    self.findings.error(span, at, format!("this {level} has no `id`"), None);
                }
                String::new()
            }
        };
        self.items[number].id = id.clone();
        let name = self.text(entries, at, "name", NAME_BYTES_MAX);
        let name = named(name, &self.languages, &id);
        let description = self.text(entries, at, "description", DESCRIPTION_BYTES_MAX);
        let named = self.prerequisites(entries, at);
        let prerequisites =
            named.iter().map(|named| Prerequisite { item: named.item.clone(), kind: named.kind }).collect();
        self.items[number].named = named;
        Common { id, name, description, prerequisites, extensions }
    }

    /// Reports keys that are not read here; gives those that are kept unread.
    fn keys(&mut self, entries: &[Entry], at: &str, what: &str, known: &[&str]) -> BTreeMap<String, Value> {
        let mut extensions = BTreeMap::new();
        for entry in entries {
            let key = entry.key.as_str();
            if known.contains(&key) {
                continue;
            }
            if key.starts_with("x-") {
                extensions.insert(key.to_owned(), entry.value.to_json());
                continue;
            }
            let elsewhere = [("an objective", &OBJECTIVE_KEYS[..]), ("a task", &TASK_KEYS), ("a phase", &PHASE_KEYS)];
            let (message, help) = if PLANNED_KEYS.contains(&key) {
                let message = format!("this server does not execute `{key}` yet");
                (message, Some("leave it out, or keep it unread as `x-".to_owned() + key + "`"))
            } else if let Some((level, _)) = elsewhere.iter().find(|(_, keys)| keys.contains(&key)) {
                (format!("the key `{key}` belongs to {level}, not to {what}"), None)
            } else {
                let help = did_you_mean(key, known.iter().copied());
                let help = help.unwrap_or_else(|| "keys of your own begin with `x-`".to_owned());
                (format!("the key {} means nothing to {what}", quoted(key)), Some(help))
            };
            self.findings.error(entry.key_span, &join(at, key), message, help);
        }
        extensions
    }

    fn kind(&mut self, node: Option<&Node>, at: &str) -> TaskKind {
        let Some(node) = node.filter(|node| !node.is_null()) else {
            return TaskKind::Human;
        };
        let at = format!("{at}/kind");
        let Some(kind) = fields::text(node, &at, "the kind of a task", ID_BYTES_MAX, &mut self.findings) else {
            return TaskKind::Human;
        };
        if PLANNED_KINDS.contains(&kind.as_str()) {
            let message = format!("this server does not execute tasks of kind `{kind}` yet");
            let help = Some("tasks of kind `human` run; it is the kind of a task that names none".to_owned());
            self.findings.error(node.span, &at, message, help);
        } else if kind != "human" {
            let help = did_you_mean(&kind, ["human"].into_iter().chain(PLANNED_KINDS));
            let help = help.or_else(|| Some("write `human`, or leave it out".to_owned()));
            self.findings.error(node.span, &at, format!("there is no kind of task {}", quoted(&kind)), help);
        }
        TaskKind::Human
    }

    fn problem_profiles(&mut self, entries: &[Entry], at: &str) -> Vec<String> {
        let node = get(entries, "problem_profiles");
        let found = fields::ids(node, &format!("{at}/problem_profiles"), "`problem_profiles`", &mut self.findings);
        found.into_iter().map(|(name, _, _)| name).collect()
    }

    fn task_roles(&mut self, entries: &[Entry], at: &str) -> Vec<String> {
        let found = fields::ids(get(entries, "roles"), &format!("{at}/roles"), "`roles`", &mut self.findings);
        for (role, span, pointer) in &found {
            let known = || self.roles.iter().map(String::as_str).chain(BUILT_IN_ROLES);
            if !known().any(|known| known == role) {
                let help = did_you_mean(role, known());
                let help = help.or_else(|| Some(format!("add `{role}` to the schema's `roles`")));
                let message = format!("nobody can have the role {}: the schema does not define it", quoted(role));
                self.findings.error(*span, pointer, message, help);
            }
        }
        found.into_iter().map(|(role, _, _)| role).collect()
    }

    fn prerequisites(&mut self, entries: &[Entry], at: &str) -> Vec<Named> {
        let mut named: Vec<Named> = Vec::new();
        let after = format!("{at}/after");
        match get(entries, "after") {
            Some(node @ Node { content: Content::Text(_), .. }) => self.name_finished(node, after, &mut named),
            node => {
                let list = fields::list(node, &after, "`after`", PREREQUISITES_MAX, &mut self.findings);
                for (index, node) in list.iter().enumerate() {
                    self.name_finished(node, format!("{after}/{index}"), &mut named);
                }
            }
        }
        let at = format!("{at}/prerequisites");
        let node = get(entries, "prerequisites");
        let list = fields::list(node, &at, "`prerequisites`", PREREQUISITES_MAX, &mut self.findings);
        for (index, node) in list.iter().enumerate() {
            self.prerequisite(node, &format!("{at}/{index}"), &mut named);
        }
        named
    }

    fn name_finished(&mut self, node: &Node, pointer: String, named: &mut Vec<Named>) {
        let item = fields::id(node, &pointer, "an id in `after`", Letters::Lower, &mut self.findings);
        if let Some(item) = item {
            self.add(Named { item, kind: PrerequisiteKind::Finished, span: node.span, pointer }, named);
        }
    }

    fn prerequisite(&mut self, node: &Node, at: &str, named: &mut Vec<Named>) {
        if let Some(text) = node.text() {
            let message = "a prerequisite is a map with `item` and `type`";
            let help = format!("write `{{ item: {text}, type: finished }}`, or `after: {text}`");
            self.findings.error(node.span, at, message, Some(help));
            return;
        }
        let entries = fields::map(node, at, "a prerequisite", &mut self.findings);
        self.keys(entries, at, "a prerequisite", &["item", "type"]);
        let kind = match get(entries, "type") {
            None => PrerequisiteKind::Finished,
            Some(node) => match node.text() {
                Some("finished") => PrerequisiteKind::Finished,
                Some("previous") => PrerequisiteKind::Previous,
                other => {
                    let help = other.and_then(|text| did_you_mean(text, ["finished", "previous"]));
                    let message = "the type of a prerequisite is `finished` or `previous`";
                    self.findings.error(node.span, &format!("{at}/type"), message, help);
                    return;
                }
            },
        };
        let Some(node) = get(entries, "item") else {
            if matches!(node.content, Content::Map(_)) {
                self.findings.error(node.span, at, "this prerequisite has no `item`", None);
            }
            return;
        };
        let pointer = format!("{at}/item");
        if let Some(item) = fields::id(node, &pointer, "a prerequisite", Letters::Lower, &mut self.findings) {
            self.add(Named { item, kind, span: node.span, pointer }, named);
        }
    }

    fn add(&mut self, new: Named, named: &mut Vec<Named>) {
        if let Some(first) = named.iter().find(|named| named.item == new.item) {
            let place = self.findings.place(first.span);
            let message = format!("{} is a prerequisite twice: first at {place}, again here", quoted(&new.item));
            self.findings.error(new.span, &new.pointer, message, None);
        } else if named.len() >= PREREQUISITES_MAX {
            let message = format!("an item has at most {PREREQUISITES_MAX} prerequisites");
            self.findings.error(new.span, &new.pointer, message, None);
        } else {
            named.push(new);
        }
    }
}

/// A name, or the id where the author gave none.
fn named(name: Text, languages: &[Language], id: &str) -> Text {
    if !name.0.is_empty() {
        return name;
    }
    let language = languages.first().map_or("en", String::as_str);
    Text(BTreeMap::from([(language.to_owned(), id.to_owned())]))
}

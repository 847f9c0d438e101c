//! INTERLINK's bundles: a directory with `metadata.json` and `phases/*.json`.
//!
//! They were published before this project and cannot be mended by whoever imports them, so the reader is lenient
//! where the authoring format is strict: what it does not know is kept in `extensions`, what it had to leave out or
//! mend is reported, and it refuses only what it cannot keep meaning for: a circle of prerequisites, an id given
//! twice, a prerequisite on nothing or of an unknown form. Texts stay as published but for white space around them.
//!
//! A bundle has no version; see [`digest::version_of_bundle`].

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::authoring::{self, Parsed, Syntax};
use super::fields::{self, Letters};
use super::finding::{Findings, Refusal, RefusalKind, nearest, quoted};
use super::limits::{
    DESCRIPTION_BYTES_MAX, ID_BYTES_MAX, ITEMS_MAX, LANGUAGES_MAX, NAME_BYTES_MAX, NAMES_MAX, PREREQUISITES_MAX,
    ZIP_ENTRIES_MAX, ZIP_INFLATED_BYTES_MAX,
};
use super::node::{Content, Entry, Node, get, join, refuse_duplicates};
use super::prerequisites::{self, Item, Level, Named};
use super::{
    Language, Objective, Phase, Prerequisite, PrerequisiteKind, Schema, Task, TaskKind, Text, digest, json,
};

pub use super::archive::unzip;

/// Keys of `metadata.json` that have a place in a schema; the others are kept as extensions.
const METADATA_KEYS: [&str; 4] = ["id", "name_translations", "description_translations", "languages"];
/// Keys that every item has.
const COMMON_KEYS: [&str; 6] =
    ["id", "name_translations", "name", "description_translations", "description", "prerequisites"];

/// Reads a bundle from its files, by path. Below which folder it lies does not matter.
///
/// Files that hold one document in our authoring format, `schema.yaml` or `schema.json`, and no bundle, are read as
/// that, so that a zip is one more way to send it.
pub fn import(files: &BTreeMap<String, Vec<u8>>) -> Result<Parsed, Refusal> {
    let bytes: usize = files.values().map(Vec::len).sum();
    if files.len() > ZIP_ENTRIES_MAX || bytes > ZIP_INFLATED_BYTES_MAX {
        let message = format!(
            "the bundle has {} files of {bytes} bytes; the limits are {ZIP_ENTRIES_MAX} and {ZIP_INFLATED_BYTES_MAX}",
            files.len()
        );
        return Err(Refusal::of(RefusalKind::TooLarge, message));
    }
    let files: BTreeMap<&str, &[u8]> = files
        .iter()
        .filter(|(path, _)| !is_litter(path))
        .map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
        .collect();
    let Some(root) = root(&files)? else {
        return authored(&files);
    };
    let mut findings = Findings::default();
    let mut documents: Vec<(&str, Node)> = Vec::new();
    for (path, bytes) in &files {
        let below = path.strip_prefix(root).unwrap_or_default();
        let phase = below.strip_prefix("phases/").is_some_and(|name| name.ends_with(".json") && !name.contains('/'));
        if !phase && below != "metadata.json" {
            findings.repaired_without_place(path, "this file is not part of a schema and was left out");
            continue;
        }
        let text = authoring::utf8(bytes).map_err(|refusal| refusal.in_file(path))?;
        let source = findings.add_source(Some((*path).to_owned()), text);
        let mut node = json::read(text, source, &mut findings)?;
        refuse_duplicates(&mut node, "", &mut findings);
        documents.push((below, node));
    }
    if documents.len() < 2 {
        findings.error_without_place("the bundle has no phases: no file `phases/….json` beside `metadata.json`");
    }
    let mut walk = Walk { findings, items: Vec::new(), languages: Vec::new(), too_many: false };
    let schema = walk.bundle(&documents, root);
    prerequisites::check(&walk.items, &mut walk.findings);
    let repairs = walk.findings.into_result()?;
    let contents: Map<String, Value> =
        documents.iter().map(|(path, node)| ((*path).to_owned(), node.to_json())).collect();
    let document = Value::Object(Map::from_iter([("files".to_owned(), Value::Object(contents))]));
    let mut parsed = authoring::finish(schema, document, repairs)?;
    parsed.schema.version = digest::version_of_bundle(&parsed.schema.digest);
    Ok(parsed)
}

/// What operating systems leave in archives.
fn is_litter(path: &str) -> bool {
    path.starts_with("__MACOSX/") || path.rsplit('/').next().is_some_and(|name| name == ".DS_Store")
}

/// The folder, with its `/`, that the bundle lies in; `None` if there is no bundle.
fn root<'f>(files: &BTreeMap<&'f str, &[u8]>) -> Result<Option<&'f str>, Refusal> {
    let roots = files.keys().filter_map(|path| path.strip_suffix("metadata.json"));
    let mut roots: Vec<&str> = roots.filter(|root| root.is_empty() || root.ends_with('/')).collect();
    roots.sort_by_key(|root| root.matches('/').count());
    match roots[..] {
        [] => Ok(None),
        [first, second, ..] if first.matches('/').count() == second.matches('/').count() => {
            let message = format!(
                "there is more than one bundle: both {} and {} hold a `metadata.json`; send one at a time",
                quoted(first),
                quoted(second)
            );
            Err(Refusal::of(RefusalKind::Invalid, message))
        }
        [first, ..] => Ok(Some(first)),
    }
}

fn authored(files: &BTreeMap<&str, &[u8]>) -> Result<Parsed, Refusal> {
    let syntax = |path: &str| match path.rsplit('/').next() {
        Some("schema.yaml" | "schema.yml") => Some(Syntax::Yaml),
        Some("schema.json") => Some(Syntax::Json),
        _ => None,
    };
    let found: Vec<_> = files.iter().filter_map(|(path, bytes)| Some((syntax(path)?, path, bytes))).collect();
    match found[..] {
        [(syntax, path, bytes)] => authoring::parse_file(bytes, syntax, Some(path)).map_err(|r| r.in_file(path)),
        _ => {
            let message = "there is neither a bundle, with its `metadata.json` and `phases/….json`, \
                           nor exactly one `schema.yaml` or `schema.json`";
            Err(Refusal::of(RefusalKind::Invalid, message))
        }
    }
}

struct Walk<'s> {
    findings: Findings<'s>,
    items: Vec<Item>,
    languages: Vec<Language>,
    too_many: bool,
}

struct Common {
    id: String,
    name: Text,
    description: Text,
    prerequisites: Vec<Prerequisite>,
    extensions: BTreeMap<String, Value>,
}

impl Walk<'_> {
    fn bundle(&mut self, documents: &[(&str, Node)], root: &str) -> Schema {
        let metadata = documents.iter().find(|(path, _)| *path == "metadata.json");
        let entries = match metadata {
            Some((_, node)) => fields::map(node, "", "`metadata.json`", &mut self.findings),
            None => &[],
        };
        let name = match (get(entries, "id"), metadata) {
            (Some(id), _) => fields::id(id, "/id", "the schema's id", Letters::Any, &mut self.findings),
            (None, Some((_, node))) => self.name_of_folder(root, node),
            (None, None) => None,
        };
        let name = name.unwrap_or_default();
        self.languages = self.languages(entries);
        let title = self.translations(get(entries, "name_translations"), "/name_translations", NAME_BYTES_MAX);
        let description = get(entries, "description_translations");
        let description = self.translations(description, "/description_translations", DESCRIPTION_BYTES_MAX);
        let extensions = unknown(entries, &[&METADATA_KEYS]);
        let phases = documents.iter().filter(|(path, _)| *path != "metadata.json");
        let phases = phases.map_while(|(_, node)| self.phase(node)).collect();
        Schema {
            title: self.or_id(title, &name),
            name,
            version: semver::Version::new(0, 0, 0),
            digest: String::new(),
            description,
            languages: std::mem::take(&mut self.languages),
            roles: Vec::new(),
            phases,
            extensions,
        }
    }

    fn name_of_folder(&mut self, root: &str, node: &Node) -> Option<String> {
        let folder = root.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let named = Node { content: Content::Text(folder.to_owned()), span: node.span };
        if folder.is_empty() {
            self.findings.error(node.span, "", "the schema has no `id`, and its folder no name", None);
            return None;
        }
        self.findings.repaired(node.span, "", format!("the schema has no `id`; its folder's name {folder} was taken"));
        fields::id(&named, "", "the folder's name", Letters::Any, &mut self.findings)
    }

    fn languages(&mut self, entries: &[Entry]) -> Vec<Language> {
        let mut languages: Vec<Language> = Vec::new();
        let node = get(entries, "languages");
        let list = fields::list(node, "/languages", "`languages`", LANGUAGES_MAX, &mut self.findings);
        for (index, value) in list.iter().enumerate() {
            match value.text().and_then(fields::language_tag) {
                Some(language) if !languages.contains(&language) => languages.push(language),
                _ => {
                    let message = "this is no language, or one named before, and was left out";
                    self.findings.repaired(value.span, &format!("/languages/{index}"), message);
                }
            }
        }
        if languages.is_empty() {
            if let Some(Node { content: Content::Map(names), .. }) = get(entries, "name_translations") {
                languages = names.iter().filter_map(|entry| fields::language_tag(&entry.key)).collect();
                languages.sort_by_key(|language| (language != "en", language.clone()));
                languages.dedup();
                languages.truncate(LANGUAGES_MAX);
            }
            if languages.is_empty() {
                languages.push("en".to_owned());
            }
        }
        languages
    }

    fn phase(&mut self, node: &Node) -> Option<Phase> {
        let number = self.begin(node, "", Level::Phase, None)?;
        let entries = fields::map(node, "", "a phase", &mut self.findings);
        let common = self.common(entries, node, "", number, &["objectives"]);
        let list = fields::list(get(entries, "objectives"), "/objectives", "objectives", ITEMS_MAX, &mut self.findings);
        let objectives = list.iter().enumerate();
        let objectives = objectives.map_while(|(n, node)| self.objective(node, &format!("/objectives/{n}"), number));
        let objectives = objectives.collect();
        let Common { id, name, description, prerequisites, extensions } = common;
        Some(Phase { id, name, description, prerequisites, objectives, extensions })
    }

    fn objective(&mut self, node: &Node, at: &str, parent: usize) -> Option<Objective> {
        let number = self.begin(node, at, Level::Objective, Some(parent))?;
        let entries = fields::map(node, at, "an objective", &mut self.findings);
        let common = self.common(entries, node, at, number, &["problemprofiles", "tasks"]);
        let problem_profiles = self.problem_profiles(get(entries, "problemprofiles"), at);
        let at = format!("{at}/tasks");
        let list = fields::list(get(entries, "tasks"), &at, "tasks", ITEMS_MAX, &mut self.findings);
        let tasks = list.iter().enumerate();
        let tasks = tasks.map_while(|(n, node)| self.task(node, &format!("{at}/{n}"), number)).collect();
        let Common { id, name, description, prerequisites, extensions } = common;
        Some(Objective { id, name, description, prerequisites, problem_profiles, tasks, extensions })
    }

    fn task(&mut self, node: &Node, at: &str, parent: usize) -> Option<Task> {
        let number = self.begin(node, at, Level::Task, Some(parent))?;
        let entries = fields::map(node, at, "a task", &mut self.findings);
        let common = self.common(entries, node, at, number, &["problemprofiles"]);
        let problem_profiles = self.problem_profiles(get(entries, "problemprofiles"), at);
        let Common { id, name, description, prerequisites, extensions } = common;
        let (kind, roles) = (TaskKind::Human, Vec::new());
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
        let (id, pointer, named) = (String::new(), at.to_owned(), Vec::new());
        self.items.push(Item { id, level, parent, span: node.span, pointer, named });
        Some(self.items.len() - 1)
    }

    fn common(&mut self, entries: &[Entry], node: &Node, at: &str, number: usize, own_keys: &[&str]) -> Common {
        let level = self.items[number].level.name();
        let id = match get(entries, "id") {
            Some(value) => {
                let pointer = format!("{at}/id");
                self.items[number].span = value.span;
                self.items[number].pointer = pointer.clone();
                let what = format!("the {level}'s id");
                fields::id(value, &pointer, &what, Letters::Any, &mut self.findings).unwrap_or_default()
            }
            None => {
                if matches!(node.content, Content::Map(_)) {
                    self.findings.error(node.span, at, format!("this {level} has no `id`"), None);
                }
                String::new()
            }
        };
        self.items[number].id = id.clone();
        let name = self.translated(entries, at, "name", NAME_BYTES_MAX);
        let description = self.translated(entries, at, "description", DESCRIPTION_BYTES_MAX);
        let named = self.prerequisites(get(entries, "prerequisites"), &format!("{at}/prerequisites"));
        let prerequisites =
            named.iter().map(|named| Prerequisite { item: named.item.clone(), kind: named.kind }).collect();
        self.items[number].named = named;
        let extensions = unknown(entries, &[&COMMON_KEYS, own_keys]);
        Common { name: self.or_id(name, &id), id, description, prerequisites, extensions }
    }

    fn or_id(&self, name: Text, id: &str) -> Text {
        if !name.0.is_empty() {
            return name;
        }
        let language = self.languages.first().map_or("en", String::as_str);
        Text(BTreeMap::from([(language.to_owned(), id.to_owned())]))
    }

    /// `key_translations`, or what older bundles have: `key`.
    fn translated(&mut self, entries: &[Entry], at: &str, key: &str, bytes_max: usize) -> Text {
        let translations = format!("{key}_translations");
        let (key, node) = match get(entries, &translations) {
            Some(node) => (translations.as_str(), Some(node)),
            None => (key, get(entries, key)),
        };
        self.translations(node, &format!("{at}/{key}"), bytes_max)
    }

    /// A map from languages to texts. Nothing and the empty text count as not given.
    fn translations(&mut self, node: Option<&Node>, at: &str, bytes_max: usize) -> Text {
        let mut texts = BTreeMap::new();
        let Some(node) = node.filter(|node| !node.is_null()) else {
            return Text(texts);
        };
        let what = "a translation";
        match &node.content {
            Content::Text(_) => {
                let language = self.languages.first().cloned().unwrap_or_else(|| "en".to_owned());
                let text = fields::text(node, at, what, bytes_max, &mut self.findings);
                texts.extend(text.filter(|text| !text.is_empty()).map(|text| (language, text)));
            }
            Content::Map(entries) => {
                for (language, value, at) in fields::by_language(entries, at, what, &mut self.findings) {
                    match &value.content {
                        Content::Null => {}
                        Content::Text(_) => {
                            let text = fields::text(value, &at, what, bytes_max, &mut self.findings);
                            texts.extend(text.filter(|text| !text.is_empty()).map(|text| (language, text)));
                        }
                        _ => {
                            let message = format!("a translation is {}, not a text, and was left out", value.described());
                            self.findings.repaired(value.span, &at, message);
                        }
                    }
                }
            }
            _ => {
                let message = format!("translations are {}, not a map, and were left out", node.described());
                self.findings.repaired(node.span, at, message);
            }
        }
        Text(texts)
    }

    fn problem_profiles(&mut self, node: Option<&Node>, at: &str) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        let at = format!("{at}/problemprofiles");
        let list = fields::list(node, &at, "problemprofiles", NAMES_MAX, &mut self.findings);
        for (index, value) in list.iter().enumerate() {
            let at = format!("{at}/{index}");
            match value.text().map(str::trim) {
                Some(name) if !name.is_empty() && name.len() <= ID_BYTES_MAX => {
                    if names.iter().any(|known| known == name) {
                        let message = format!("the problem profile {} is named twice; once counts", quoted(name));
                        self.findings.repaired(value.span, &at, message);
                    } else {
                        names.push(name.to_owned());
                    }
                }
                _ => self.findings.repaired(value.span, &at, "this is no name of a problem profile and was left out"),
            }
        }
        names
    }

    /// Prerequisites in each of the forms in which bundles have them.
    fn prerequisites(&mut self, node: Option<&Node>, at: &str) -> Vec<Named> {
        let mut named = Vec::new();
        match node.map(|node| (node, &node.content)) {
            None | Some((_, Content::Null)) => {}
            Some((_, Content::List(list))) if list.len() <= PREREQUISITES_MAX => {
                for (index, node) in list.iter().enumerate() {
                    self.prerequisite(node, &format!("{at}/{index}"), &mut named);
                }
            }
            // The published JSON Schema: a map from ids to what is asked of them.
            Some((_, Content::Map(entries))) if get(entries, "item").is_none() && entries.len() <= PREREQUISITES_MAX => {
                for entry in entries {
                    let at = join(at, &entry.key);
                    let item = Node { content: Content::Text(entry.key.clone()), span: entry.key_span };
                    if let Some(kind) = self.kind(&entry.value, &at) {
                        self.add(&item, kind, at, &mut named);
                    }
                }
            }
            Some((node, Content::List(_) | Content::Map(_))) if get_item(node).is_none() => {
                let message = format!("an item has at most {PREREQUISITES_MAX} prerequisites");
                self.findings.error(node.span, at, message, None);
            }
            Some((node, _)) => self.prerequisite(node, at, &mut named),
        }
        named
    }

    fn prerequisite(&mut self, node: &Node, at: &str, named: &mut Vec<Named>) {
        // Older bundles name the item alone.
        if node.text().is_some() {
            return self.add(node, PrerequisiteKind::Finished, at.to_owned(), named);
        }
        let (Content::Map(entries), Some(item)) = (&node.content, get_item(node)) else {
            let message = format!("a prerequisite is {}, a form that is not known", node.described());
            let help = "it is `{\"item\": id, \"status\": \"finished\"}` or `{\"item\": id, \"type\": \"previous\"}`";
            return self.findings.error(node.span, at, message, Some(help.to_owned()));
        };
        for entry in entries.iter().filter(|entry| !["item", "status", "type"].contains(&entry.key.as_str())) {
            let message = format!("{} means nothing in a prerequisite and was left out", quoted(&entry.key));
            self.findings.repaired(entry.key_span, &join(at, &entry.key), message);
        }
        let mut asked = Vec::new();
        for key in ["status", "type"] {
            if let Some(value) = get(entries, key) {
                let Some(kind) = self.kind(value, &join(at, key)) else { return };
                asked.push(kind);
            }
        }
        let kind = match asked[..] {
            [kind] => kind,
            [first, second] if first == second => first,
            _ => {
                let message = "the prerequisite does not say one of finished and previous; finished was taken";
                self.findings.repaired(node.span, at, message);
                PrerequisiteKind::Finished
            }
        };
        self.add(item, kind, format!("{at}/item"), named);
    }

    fn kind(&mut self, node: &Node, at: &str) -> Option<PrerequisiteKind> {
        let written = node.text().map(str::trim).unwrap_or_default();
        let meant = match written {
            "finished" => return Some(PrerequisiteKind::Finished),
            "previous" => return Some(PrerequisiteKind::Previous),
            _ => nearest(&written.to_lowercase(), ["finished", "previous"])
                .or_else(|| ["finished", "previous"].into_iter().find(|word| written.eq_ignore_ascii_case(word))),
        };
        let Some(meant) = meant else {
            let message = format!("a prerequisite asks for {}, which is not known", quoted(written));
            self.findings.error(node.span, at, message, Some("it is `finished` or `previous`".to_owned()));
            return None;
        };
        self.findings.repaired(node.span, at, format!("{} was taken for `{meant}`", quoted(written)));
        Some(if meant == "finished" { PrerequisiteKind::Finished } else { PrerequisiteKind::Previous })
    }

    fn add(&mut self, item: &Node, kind: PrerequisiteKind, pointer: String, named: &mut Vec<Named>) {
        let id = fields::id(item, &pointer, "a prerequisite", Letters::Any, &mut self.findings);
        let Some(id) = id else { return };
        match named.iter_mut().find(|named| named.item == id) {
            Some(first) => {
                if kind == PrerequisiteKind::Finished {
                    first.kind = kind;
                }
                let message = format!("{} is a prerequisite twice; the stronger one counts", quoted(&id));
                self.findings.repaired(item.span, &pointer, message);
            }
            None => named.push(Named { item: id, kind, span: item.span, pointer }),
        }
    }
}

fn get_item(node: &Node) -> Option<&Node> {
    match &node.content {
        Content::Map(entries) => get(entries, "item"),
        _ => None,
    }
}

fn unknown(entries: &[Entry], known: &[&[&str]]) -> BTreeMap<String, Value> {
    let unknown = entries.iter().filter(|entry| !known.iter().any(|keys| keys.contains(&entry.key.as_str())));
    unknown.map(|entry| (entry.key.clone(), entry.value.to_json())).collect()
}

//! Metadata, phases, objectives and tasks of a bundle.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::schema::fields::{self, Letters};
use crate::schema::finding::{Findings, quoted};
use crate::schema::items::{Common, Items, Level};
use crate::schema::limits::{DESCRIPTION_BYTES_MAX, ID_BYTES_MAX, ITEMS_MAX, LANGUAGES_MAX, NAME_BYTES_MAX, NAMES_MAX};
use crate::schema::node::{Content, Entry, Node, get};
use crate::schema::timing::{Opening, Timing};
use crate::schema::work::{OnFailure, Work};
use crate::schema::{Language, Objective, Phase, Schema, Task, Text};
use crate::time::zone::Zone;

/// Keys of `metadata.json` that have a place in a schema; the others are kept as extensions.
const METADATA_KEYS: [&str; 4] = ["id", "name_translations", "description_translations", "languages"];
/// Keys that every item has.
const COMMON_KEYS: [&str; 6] =
    ["id", "name_translations", "name", "description_translations", "description", "prerequisites"];

/// A walk over the documents of a bundle, collecting findings and items on its way.
pub(super) struct Walk<'s> {
    pub findings: Findings<'s>,
    pub items: Items,
    languages: Vec<Language>,
}

impl<'s> Walk<'s> {
    pub fn new(findings: Findings<'s>) -> Self {
        Walk { findings, items: Items::default(), languages: Vec::new() }
    }
}

impl Walk<'_> {
    pub(super) fn bundle(&mut self, documents: &[(&str, Node)], root: &str) -> Schema {
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
            title: fields::name_or_id(title, &self.languages, &name),
            name,
            version: semver::Version::new(0, 0, 0),
            digest: String::new(),
            description,
            languages: std::mem::take(&mut self.languages),
            roles: Vec::new(),
            zone: Zone::UTC,
            deadline: None,
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
            languages = fields::languages_of(get(entries, "name_translations"));
        }
        languages
    }

    pub(super) fn phase(&mut self, node: &Node) -> Option<Phase> {
        let number = self.items.begin(node, "", Level::Phase, None, &mut self.findings)?;
        let entries = fields::map(node, "", "a phase", &mut self.findings);
        let common = self.common(entries, node, "", number, &["objectives"]);
        let list = fields::list(get(entries, "objectives"), "/objectives", "objectives", ITEMS_MAX, &mut self.findings);
        let objectives = list.iter().enumerate();
        let objectives = objectives.map_while(|(n, node)| self.objective(node, &format!("/objectives/{n}"), number));
        let objectives = objectives.collect();
        let Common { id, name, description, prerequisites, extensions } = common;
        Some(Phase { id, name, description, prerequisites, opening: Opening::default(), objectives, extensions })
    }

    fn objective(&mut self, node: &Node, at: &str, parent: usize) -> Option<Objective> {
        let number = self.items.begin(node, at, Level::Objective, Some(parent), &mut self.findings)?;
        let entries = fields::map(node, at, "an objective", &mut self.findings);
        let common = self.common(entries, node, at, number, &["problemprofiles", "tasks"]);
        let problem_profiles = self.problem_profiles(get(entries, "problemprofiles"), at);
        let at = format!("{at}/tasks");
        let list = fields::list(get(entries, "tasks"), &at, "tasks", ITEMS_MAX, &mut self.findings);
        let tasks = list.iter().enumerate();
        let tasks = tasks.map_while(|(n, node)| self.task(node, &format!("{at}/{n}"), number)).collect();
        let Common { id, name, description, prerequisites, extensions } = common;
        let opening = Opening::default();
        Some(Objective { id, name, description, prerequisites, opening, problem_profiles, tasks, extensions })
    }

    fn task(&mut self, node: &Node, at: &str, parent: usize) -> Option<Task> {
        let number = self.items.begin(node, at, Level::Task, Some(parent), &mut self.findings)?;
        let entries = fields::map(node, at, "a task", &mut self.findings);
        let common = self.common(entries, node, at, number, &["problemprofiles"]);
        let problem_profiles = self.problem_profiles(get(entries, "problemprofiles"), at);
        let Common { id, name, description, prerequisites, extensions } = common;
        Some(Task {
            id,
            name,
            description,
            work: Work::Human,
            on_failure: OnFailure::default(),
            when: None,
            prerequisites,
            opening: Opening::default(),
            timing: Timing::default(),
            problem_profiles,
            roles: Vec::new(),
            extensions,
        })
    }

    pub(super) fn common(
        &mut self,
        entries: &[Entry],
        node: &Node,
        at: &str,
        number: usize,
        own_keys: &[&str],
    ) -> Common {
        let level = self.items.list[number].level.name();
        let id = match get(entries, "id") {
            Some(value) => {
                let pointer = format!("{at}/id");
                self.items.list[number].span = value.span;
                self.items.list[number].pointer = pointer.clone();
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
        self.items.list[number].id = id.clone();
        let name = self.translated(entries, at, "name", NAME_BYTES_MAX);
        let description = self.translated(entries, at, "description", DESCRIPTION_BYTES_MAX);
        let named = self.prerequisites(get(entries, "prerequisites"), &format!("{at}/prerequisites"));
        let prerequisites = self.items.waits_for(number, named);
        let extensions = unknown(entries, &[&COMMON_KEYS, own_keys]);
        Common { name: fields::name_or_id(name, &self.languages, &id), id, description, prerequisites, extensions }
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
                            let message =
                                format!("a translation is {}, not a text, and was left out", value.described());
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
}

fn unknown(entries: &[Entry], known: &[&[&str]]) -> BTreeMap<String, Value> {
    let unknown = entries.iter().filter(|entry| !known.iter().any(|keys| keys.contains(&entry.key.as_str())));
    unknown.map(|entry| (entry.key.clone(), entry.value.to_json())).collect()
}

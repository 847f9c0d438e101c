//! Phases, objectives and tasks.

use std::collections::BTreeMap;

use serde_json::Value;

use super::walk::Walk;
use super::{BUILT_IN_ROLES, OBJECTIVE_KEYS, PHASE_KEYS, PLANNED_KEYS, TASK_KEYS};
use crate::schema::fields::{self, Letters};
use crate::schema::finding::{Span, did_you_mean, quoted};
use crate::schema::items::{Common, Level};
use crate::schema::limits::{DESCRIPTION_BYTES_MAX, ITEMS_MAX, NAME_BYTES_MAX};
use crate::schema::node::{Content, Entry, Node, get, join};
use crate::schema::{Objective, Phase, Task};

impl Walk<'_> {
    pub(super) fn phase(&mut self, node: &Node, at: &str) -> Option<Phase> {
        let number = self.items.begin(node, at, Level::Phase, None, &mut self.findings)?;
        let entries = fields::map(node, at, "a phase", &mut self.findings);
        let common = self.common(entries, node, at, number, &PHASE_KEYS);
        let opening = self.opening(entries, at, number);
        let at = format!("{at}/objectives");
        let list = fields::list(get(entries, "objectives"), &at, "`objectives`", ITEMS_MAX, &mut self.findings);
        let objectives = list.iter().enumerate();
        let objectives = objectives.map_while(|(n, node)| self.objective(node, &format!("{at}/{n}"), number)).collect();
        let Common { id, name, description, prerequisites, extensions } = common;
        Some(Phase { id, name, description, prerequisites, opening, objectives, extensions })
    }

    fn objective(&mut self, node: &Node, at: &str, parent: usize) -> Option<Objective> {
        let number = self.items.begin(node, at, Level::Objective, Some(parent), &mut self.findings)?;
        let entries = fields::map(node, at, "an objective", &mut self.findings);
        let common = self.common(entries, node, at, number, &OBJECTIVE_KEYS);
        let opening = self.opening(entries, at, number);
        let problem_profiles = self.problem_profiles(entries, at);
        let at = format!("{at}/tasks");
        let list = fields::list(get(entries, "tasks"), &at, "`tasks`", ITEMS_MAX, &mut self.findings);
        let tasks = list.iter().enumerate();
        let tasks = tasks.map_while(|(n, node)| self.task(node, &format!("{at}/{n}"), number)).collect();
        let Common { id, name, description, prerequisites, extensions } = common;
        Some(Objective { id, name, description, prerequisites, opening, problem_profiles, tasks, extensions })
    }

    fn task(&mut self, node: &Node, at: &str, parent: usize) -> Option<Task> {
        let number = self.items.begin(node, at, Level::Task, Some(parent), &mut self.findings)?;
        let entries = fields::map(node, at, "a task", &mut self.findings);
        let common = self.common(entries, node, at, number, &TASK_KEYS);
        let opening = self.opening(entries, at, number);
        let work = self.work(entries, node, at);
        let on_failure = self.on_failure(get(entries, "on_failure"), &format!("{at}/on_failure"));
        let when = self.when(get(entries, "when"), &format!("{at}/when"));
        let timing = self.timing(entries, at);
        let problem_profiles = self.problem_profiles(entries, at);
        let roles = self.task_roles(entries, at);
        let Common { id, name, description, prerequisites, extensions } = common;
        Some(Task {
            id,
            name,
            description,
            work,
            on_failure,
            when,
            prerequisites,
            opening,
            timing,
            problem_profiles,
            roles,
            extensions,
        })
    }

    pub(super) fn common(&mut self, entries: &[Entry], node: &Node, at: &str, number: usize, known: &[&str]) -> Common {
        let level = self.items.list[number].level.name();
        let extensions = self.keys(entries, at, &format!("this {level}"), known);
        let id = match get(entries, "id").filter(|node| !node.is_null()) {
            Some(value) => {
                let pointer = format!("{at}/id");
                self.items.list[number].span = value.span;
                self.items.list[number].pointer = pointer.clone();
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
        self.items.list[number].id = id.clone();
        let name = self.text(entries, at, "name", NAME_BYTES_MAX);
        let name = fields::name_or_id(name, &self.languages, &id);
        let description = self.text(entries, at, "description", DESCRIPTION_BYTES_MAX);
        let named = self.prerequisites(entries, at);
        let prerequisites = self.items.waits_for(number, named);
        Common { id, name, description, prerequisites, extensions }
    }

    /// Reports keys that are not read here; gives those that are kept unread.
    pub(super) fn keys(&mut self, entries: &[Entry], at: &str, what: &str, known: &[&str]) -> BTreeMap<String, Value> {
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

    fn problem_profiles(&mut self, entries: &[Entry], at: &str) -> Vec<String> {
        let node = get(entries, "problem_profiles");
        let found = fields::ids(node, &format!("{at}/problem_profiles"), "`problem_profiles`", &mut self.findings);
        found.into_iter().map(|(name, _, _)| name).collect()
    }

    fn task_roles(&mut self, entries: &[Entry], at: &str) -> Vec<String> {
        self.role_list(get(entries, "roles"), &format!("{at}/roles"), "`roles`")
    }

    /// Roles, each once, that somebody can have here.
    pub(super) fn role_list(&mut self, node: Option<&Node>, at: &str, what: &str) -> Vec<String> {
        let found = fields::ids(node, at, what, &mut self.findings);
        for (role, span, pointer) in &found {
            self.known_role(role, *span, pointer);
        }
        found.into_iter().map(|(role, _, _)| role).collect()
    }

    pub(super) fn known_role(&mut self, role: &str, span: Span, pointer: &str) {
        let known = || self.roles.iter().map(String::as_str).chain(BUILT_IN_ROLES);
        if !known().any(|known| known == role) {
            let help = did_you_mean(role, known());
            let help = help.or_else(|| Some(format!("add `{role}` to the schema's `roles`")));
            let message = format!("nobody can have the role {}: the schema does not define it", quoted(role));
            self.findings.error(span, pointer, message, help);
        }
    }
}

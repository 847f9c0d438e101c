//! The keys of the schema itself.

use serde_json::Value;

use super::SCHEMA_KEYS;
use super::timing::Known;
use crate::schema::fields::{self, Letters};
use crate::schema::finding::{Findings, Span, quoted};
use crate::schema::items::Items;
use crate::schema::limits::{DESCRIPTION_BYTES_MAX, ID_BYTES_MAX, ITEMS_MAX, LANGUAGES_MAX, NAME_BYTES_MAX};
use crate::schema::node::{Content, Entry, Node, get};
use crate::schema::{Language, Schema, Text, digest};

/// A walk over a document, collecting findings and items on its way.
pub(super) struct Walk<'s> {
    pub findings: Findings<'s>,
    pub items: Items,
    pub languages: Vec<Language>,
    pub roles: Vec<String>,
    /// Ids that moments name, with their places.
    pub mentioned: Vec<(String, Span, String)>,
}

impl<'s> Walk<'s> {
    pub fn new(findings: Findings<'s>) -> Self {
        Walk { findings, items: Items::default(), languages: Vec::new(), roles: Vec::new(), mentioned: Vec::new() }
    }
}

impl Walk<'_> {
    pub(super) fn schema(&mut self, root: &Node) -> Schema {
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
        let zone = self.zone(get(entries, "zone"));
        let deadline = self.moment(get(entries, "deadline"), "/deadline", "`deadline`", Known::Outside);
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
            title: fields::name_or_id(title, &self.languages, &name),
            name,
            version,
            digest: String::new(),
            description,
            languages: std::mem::take(&mut self.languages),
            roles: std::mem::take(&mut self.roles),
            zone,
            deadline,
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
            languages = fields::languages_of(get(entries, "title"));
        }
        languages
    }

    fn roles(&mut self, node: Option<&Node>) {
        let roles = fields::ids(node, "/roles", "`roles`", &mut self.findings);
        self.roles = roles.into_iter().map(|(role, _, _)| role).collect();
    }

    pub(super) fn text(&mut self, entries: &[Entry], pointer: &str, key: &str, bytes_max: usize) -> Text {
        let bare = self.languages.first().map_or("en", String::as_str);
        let pointer = format!("{pointer}/{key}");
        fields::localized(get(entries, key), &pointer, &format!("`{key}`"), bare, bytes_max, &mut self.findings)
    }
}

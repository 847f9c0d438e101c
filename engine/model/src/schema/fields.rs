//! Reading one value of a document as what a schema needs there, or saying why it is not.
//!
//! Each function reports what is wrong and gives back something empty, so that the walk goes on and finds the rest:
//! a document with any finding is refused in the end, so nothing empty reaches a schema.

use std::collections::BTreeMap;

use super::finding::{Findings, Span, quoted};
use super::limits::{ID_BYTES_MAX, LANGUAGES_MAX, NAMES_MAX};
use super::node::{Content, Entry, Node, join};
use super::{Language, Text};

/// The letters that an id may be made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Letters {
    /// What we ask of authors: kebab-case or snake_case.
    Lower,
    /// What published bundles may have besides.
    Any,
}

pub(super) fn map<'n>(node: &'n Node, pointer: &str, what: &str, findings: &mut Findings<'_>) -> &'n [Entry] {
    match &node.content {
        Content::Map(entries) => entries,
        _ => {
            let message = format!("{what} must be a map of keys and values, and is {}", node.described());
            findings.error(node.span, pointer, message, None);
            &[]
        }
    }
}

/// A list of at most `count_max` values. Nothing at all is an empty list: `objectives:` with nothing below it.
pub(super) fn list<'n>(
    node: Option<&'n Node>,
    pointer: &str,
    what: &str,
    count_max: usize,
    findings: &mut Findings<'_>,
) -> &'n [Node] {
    let Some(node) = node.filter(|node| !node.is_null()) else {
        return &[];
    };
    match &node.content {
        Content::List(values) if values.len() <= count_max => values,
        Content::List(values) => {
            let message = format!("{what} has {} entries; the limit is {count_max}", values.len());
            findings.error(node.span, pointer, message, None);
            &[]
        }
        _ => {
            let message = format!("{what} must be a list, and is {}", node.described());
            findings.error(node.span, pointer, message, Some("write it as `[a, b]`".to_owned()));
            &[]
        }
    }
}

/// A text without the white space around it.
pub(super) fn text(
    node: &Node,
    pointer: &str,
    what: &str,
    bytes_max: usize,
    findings: &mut Findings<'_>,
) -> Option<String> {
    let Some(text) = node.text() else {
        let message = format!("{what} must be a text, and is {}", node.described());
        let help = match node.content {
            Content::Number(_) | Content::Bool(_) => Some("put it in quotes".to_owned()),
            _ => None,
        };
        findings.error(node.span, pointer, message, help);
        return None;
    };
    if text.len() > bytes_max {
        let message = format!("{what} has {} bytes; the limit is {bytes_max}", text.len());
        findings.error(node.span, pointer, message, None);
        return None;
    }
    Some(text.trim().to_owned())
}

/// Whether `id` can stand in paths and keys; what is wrong with it otherwise.
fn refused_letters(id: &str, letters: Letters) -> Option<String> {
    let allowed = |c: char| match letters {
        Letters::Lower => c.is_ascii_lowercase() || c.is_ascii_digit(),
        Letters::Any => c.is_ascii_alphanumeric(),
    };
    let Some(first) = id.chars().next() else {
        return Some("is empty".to_owned());
    };
    if "_.-".contains(first) {
        return Some("begins with neither a letter nor a digit".to_owned());
    }
    let odd = id.chars().find(|c| !allowed(*c) && !"_.-".contains(*c))?;
    Some(format!("has {} in it", quoted(&odd.to_string())))
}

/// An id: the name by which something is meant in paths and by other items.
pub(super) fn id(
    node: &Node,
    pointer: &str,
    what: &str,
    letters: Letters,
    findings: &mut Findings<'_>,
) -> Option<String> {
    let id = text(node, pointer, what, ID_BYTES_MAX, findings)?;
    let Some(wrong) = refused_letters(&id, letters) else {
        return Some(id);
    };
    let message = format!("{what} {} {wrong}", quoted(&id));
    let mut help = "ids are made of small letters a to z, digits, `-`, `_` and `.`".to_owned();
    let kebab = kebab_case(&id);
    if !kebab.is_empty() {
        help.push_str(&format!(", such as `{kebab}`"));
    }
    findings.error(node.span, pointer, message, Some(help));
    None
}

fn kebab_case(id: &str) -> String {
    let lower = id.to_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

/// A list of ids, each once.
pub(super) fn ids(
    node: Option<&Node>,
    pointer: &str,
    what: &str,
    findings: &mut Findings<'_>,
) -> Vec<(String, Span, String)> {
    let mut out: Vec<(String, Span, String)> = Vec::new();
    for (index, value) in list(node, pointer, what, NAMES_MAX, findings).iter().enumerate() {
        let at = format!("{pointer}/{index}");
        let Some(id) = id(value, &at, &format!("an entry of {what}"), Letters::Lower, findings) else {
            continue;
        };
        match out.iter().find(|(known, _, _)| *known == id) {
            Some((_, first, _)) => {
                let place = findings.place(*first);
                let message = format!("{} is named twice in {what}: first at {place}, again here", quoted(&id));
                findings.error(value.span, &at, message, None);
            }
            None => out.push((id, value.span, at)),
        }
    }
    out
}

/// A language tag in lower case; `None` if it is none.
pub(super) fn language_tag(text: &str) -> Option<Language> {
    let tag = text.trim().to_ascii_lowercase().replace('_', "-");
    let mut parts = tag.split('-');
    let first = parts.next().unwrap_or_default();
    let letters = |part: &str| part.bytes().all(|byte| byte.is_ascii_lowercase());
    let mixed = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    ((2..=8).contains(&first.len()) && letters(first) && parts.all(mixed) && tag.len() <= 35).then_some(tag)
}

/// The entries of a map from languages to something, reporting what is no language and what is one twice.
pub(super) fn by_language<'n>(
    entries: &'n [Entry],
    pointer: &str,
    what: &str,
    findings: &mut Findings<'_>,
) -> Vec<(Language, &'n Node, String)> {
    if entries.len() > LANGUAGES_MAX {
        let message = format!("{what} is given in {} languages; the limit is {LANGUAGES_MAX}", entries.len());
        findings.error(entries[0].key_span, pointer, message, None);
        return Vec::new();
    }
    let mut out: Vec<(Language, &Node, String)> = Vec::with_capacity(entries.len());
    for entry in entries {
        let at = join(pointer, &entry.key);
        let Some(language) = language_tag(&entry.key) else {
            let message = format!("{} is no language, in {what}", quoted(&entry.key));
            let help = "languages are written as `en`, `es` or `pt-br`".to_owned();
            findings.error(entry.key_span, &at, message, Some(help));
            continue;
        };
        if out.iter().any(|(known, _, _)| *known == language) {
            let message = format!("{what} is given twice in the language `{language}`");
            findings.error(entry.key_span, &at, message, None);
            continue;
        }
        out.push((language, &entry.value, at));
    }
    out
}

/// A text in several languages, or a bare one, which is in `bare_language`. Empty texts are left out: they count as
/// not given.
pub(super) fn localized(
    node: Option<&Node>,
    pointer: &str,
    what: &str,
    bare_language: &str,
    bytes_max: usize,
    findings: &mut Findings<'_>,
) -> Text {
    let mut texts = BTreeMap::new();
    let Some(node) = node.filter(|node| !node.is_null()) else {
        return Text(texts);
    };
    match &node.content {
        Content::Map(entries) => {
            for (language, value, at) in by_language(entries, pointer, what, findings) {
                if value.is_null() {
                    continue;
                }
                if let Some(text) = text(value, &at, what, bytes_max, findings).filter(|text| !text.is_empty()) {
                    texts.insert(language, text);
                }
            }
        }
        Content::Text(_) => {
            if let Some(text) = text(node, pointer, what, bytes_max, findings).filter(|text| !text.is_empty()) {
                texts.insert(bare_language.to_owned(), text);
            }
        }
        _ => {
            let message =
                format!("{what} must be a text, or a map from languages to texts, and is {}", node.described());
            let help = match node.content {
                Content::Number(_) | Content::Bool(_) => "put it in quotes".to_owned(),
                _ => "write it as `{ en: Engage, es: Involucrar }`".to_owned(),
            };
            findings.error(node.span, pointer, message, Some(help));
        }
    }
    Text(texts)
}

/// A list of short texts, which need not be ids.
pub(super) fn short_texts(node: Option<&Node>, pointer: &str, what: &str, findings: &mut Findings<'_>) -> Vec<String> {
    let list = list(node, pointer, what, NAMES_MAX, findings);
    let texts = list.iter().enumerate();
    let what = format!("an entry of {what}");
    texts
        .filter_map(|(index, value)| text(value, &format!("{pointer}/{index}"), &what, ID_BYTES_MAX, findings))
        .collect()
}

/// The languages of a map from languages to texts, English first; English alone if it names none. They stand in for
/// languages that the author did not name. The order does not come from that of the keys: documents with one digest
/// are one schema.
pub(super) fn languages_of(texts: Option<&Node>) -> Vec<Language> {
    let entries = match texts.map(|node| &node.content) {
        Some(Content::Map(entries)) => entries.as_slice(),
        _ => &[],
    };
    let mut languages: Vec<Language> = entries.iter().filter_map(|entry| language_tag(&entry.key)).collect();
    languages.sort_by_key(|language| (language != "en", language.clone()));
    languages.dedup();
    languages.truncate(LANGUAGES_MAX);
    if languages.is_empty() {
        languages.push("en".to_owned());
    }
    languages
}

/// A name, or the id where the author gave none.
pub(super) fn name_or_id(name: Text, languages: &[Language], id: &str) -> Text {
    if !name.0.is_empty() {
        return name;
    }
    let language = languages.first().map_or("en", String::as_str);
    Text(BTreeMap::from([(language.to_owned(), id.to_owned())]))
}

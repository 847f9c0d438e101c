//! Which translation somebody wants, and which they get.

use interlink_model::schema::text::accepted;
use interlink_model::schema::{Language, Text};
use serde_json::{Value, json};

/// The languages that a request asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    languages: Vec<Language>,
    all: bool,
}

impl Wanted {
    /// From `?lang=` or, without it, `Accept-Language`.
    pub fn of(lang: Option<&str>, header: Option<&str>) -> Self {
        match lang {
            Some("*") => Self { languages: Vec::new(), all: true },
            Some(lang) => Self { languages: vec![lang.to_ascii_lowercase()], all: false },
            None => Self { languages: header.map(accepted).unwrap_or_default(), all: false },
        }
    }

    /// A text in the language that fits best, or in all of them as a map.
    pub fn text(&self, text: &Text, fallback: &[Language]) -> Value {
        if self.all {
            return json!(text.0);
        }
        self.pick(text, fallback).map_or(json!(""), |(_, found)| json!(found))
    }

    /// The same as a plain text.
    pub fn plain<'a>(&self, text: &'a Text, fallback: &[Language]) -> &'a str {
        self.pick(text, fallback).map_or("", |(_, found)| found)
    }

    /// The language that a text comes in.
    pub fn language<'a>(&self, text: &'a Text, fallback: &[Language]) -> Option<&'a str> {
        if self.all { None } else { self.pick(text, fallback).map(|(language, _)| language) }
    }

    fn pick<'a>(&self, text: &'a Text, fallback: &[Language]) -> Option<(&'a str, &'a str)> {
        text.pick(&self.languages, fallback)
    }

    /// The language that is wanted most, for a guest that speaks several.
    pub fn first(&self) -> &str {
        self.languages.first().map_or("en", String::as_str)
    }

    /// What an entity tag says of the language.
    pub fn tag(&self) -> String {
        if self.all { "all".into() } else { self.languages.join("+") }
    }
}

//! What stands in the brackets: `#[interlinker(…)]`, `#[instantiate(…)]`, `#[action(…)]`.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Attribute, Error, Ident, LitStr, Meta, Result, Token};

use super::grants::Grants;
use crate::syntax::{Text, strings, words};

/// `#[interlinker(…)]`.
pub struct About {
    pub name: String,
    pub version: Option<String>,
    pub licence: Option<String>,
    pub title: Text,
    pub description: Text,
    pub languages: Vec<String>,
    pub problems: Vec<String>,
    pub grants: Grants,
    /// The type of what an operator sets.
    pub settings: Option<syn::Type>,
}

impl About {
    pub fn parse(attributes: TokenStream, at: Span) -> Result<Self> {
        let (mut name, mut version, mut licence) = (None, None, None);
        let (mut title, mut description) = (Text::default(), Text::default());
        let (mut languages, mut problems, mut grants) = (Vec::new(), Vec::new(), Grants::default());
        let mut settings = None;
        let parser = syn::meta::parser(|meta| {
            let key = meta.path.get_ident().map(Ident::to_string).unwrap_or_default();
            match key.as_str() {
                "name" => name = Some(slug(&meta.value()?.parse()?)?),
                "version" => version = Some(semver(&meta.value()?.parse()?)?),
                "licence" => licence = Some(meta.value()?.parse::<LitStr>()?.value()),
                "title" => title = Text::parse(&meta)?,
                "description" => description = Text::parse(&meta)?,
                "languages" => languages = strings(&meta)?,
                "problems" => problems = strings(&meta)?,
                "grants" => grants = Grants::parse(&meta)?,
                "settings" => {
                    let content;
                    syn::parenthesized!(content in meta.input);
                    settings = Some(content.parse()?);
                }
                _ => {
                    let known = "`name`, `version`, `licence`, `title`, `description`, `languages`, `problems`, `grants` \
                                 and `settings`";
                    return Err(meta.error(format!("an Interlinker has {known}")));
                }
            }
            Ok(())
        });
        parser.parse2(attributes)?;
        let name = name.ok_or_else(|| Error::new(at, "what is it called? Write `#[interlinker(name = \"…\")]`"))?;
        let title = title.or_named(&name);
        Ok(Self { name, version, licence, title, description, languages, problems, grants, settings })
    }
}

fn slug(literal: &LitStr) -> Result<String> {
    let name = literal.value();
    let fits = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-';
    if name.is_empty() || !name.chars().all(fits) || name.starts_with('-') || name.ends_with('-') {
        return Err(Error::new(literal.span(), "a name has lower-case letters, digits and `-`, as in `show-of-hands`"));
    }
    Ok(name)
}

fn semver(literal: &LitStr) -> Result<String> {
    let version = literal.value();
    let core = version.split(['-', '+']).next().unwrap_or_default();
    let numbers: Vec<&str> = core.split('.').collect();
    if numbers.len() != 3 || numbers.iter().any(|number| number.parse::<u64>().is_err()) {
        return Err(Error::new(literal.span(), "a version has three numbers, as in `1.0.0`"));
    }
    Ok(version)
}

/// `#[instantiate(…)]` and `#[action(…)]`; `#[view]` takes nothing.
#[derive(Default)]
pub struct Described {
    pub title: Text,
    pub help: Text,
    pub allow: Vec<String>,
    pub anonymous: bool,
    pub examples: Vec<Example>,
}

/// `example("…", input({…}), output({…}))`, or `problem("…")` in place of `output`.
pub struct Example {
    pub title: String,
    pub input: TokenStream,
    pub output: Option<TokenStream>,
    pub problem: String,
}

impl Parse for Example {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut example =
            Self { title: input.parse::<LitStr>()?.value(), input: quote!({}), output: None, problem: String::new() };
        while input.parse::<Option<Token![,]>>()?.is_some() && !input.is_empty() {
            let key: Ident = input.parse()?;
            let content;
            syn::parenthesized!(content in input);
            match key.to_string().as_str() {
                "input" => example.input = content.parse()?,
                "output" => example.output = Some(content.parse()?),
                "problem" => example.problem = content.parse::<LitStr>()?.value(),
                _ => return Err(Error::new(key.span(), "an example has a title, `input`, and `output` or `problem`")),
            }
        }
        Ok(example)
    }
}

impl Described {
    /// Reads an attribute that may have the keys of `known`.
    pub fn parse(attribute: &Attribute, known: &[&str]) -> Result<Self> {
        let mut described = Self::default();
        if matches!(attribute.meta, Meta::Path(_)) {
            return Ok(described);
        }
        attribute.parse_nested_meta(|meta| {
            let key = meta.path.get_ident().map(Ident::to_string).unwrap_or_default();
            match key.as_str() {
                key if !known.contains(&key) => {
                    let known: Vec<String> = known.iter().map(|key| format!("`{key}`")).collect();
                    let known = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
                    return Err(meta.error(format!("this attribute takes {known}")));
                }
                "title" => described.title = Text::parse(&meta)?,
                "help" => described.help = Text::parse(&meta)?,
                "allow" => described.allow = words(&meta)?,
                "example" => {
                    let content;
                    syn::parenthesized!(content in meta.input);
                    described.examples.push(content.parse()?);
                }
                _ => described.anonymous = true,
            }
            Ok(())
        })?;
        Ok(described)
    }
}

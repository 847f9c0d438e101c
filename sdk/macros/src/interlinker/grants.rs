//! `grants(…)`: what an Interlinker asks an operator for.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::meta::ParseNestedMeta;
use syn::parse::Parser;
use syn::{Error, Ident, LitStr, Result, Token};

use crate::syntax::{Text, strings, words};

/// What is asked for, in order.
#[derive(Default)]
pub struct Grants {
    http: Vec<Http>,
    secrets: Vec<Secret>,
    people: Option<Text>,
    notify: Option<Text>,
    assets: Vec<Assets>,
}

struct Assets {
    interlinker: String,
    actions: Vec<String>,
    reason: Text,
}

struct Http {
    origin: String,
    methods: Vec<String>,
    reason: Text,
}

struct Secret {
    name: String,
    reason: Text,
}

impl Grants {
    /// Reads `(http("https://example.org", methods(GET), reason(en = "…")), secret("mail", reason(en = "…")))`.
    pub fn parse(meta: &ParseNestedMeta<'_>) -> Result<Self> {
        let mut grants = Self::default();
        meta.parse_nested_meta(|meta| {
            let key = meta.path.get_ident().map(Ident::to_string).unwrap_or_default();
            match key.as_str() {
                "http" => grants.http.push(Http::parse(&meta)?),
                "secret" => grants.secrets.push(Secret::parse(&meta)?),
                "people" => grants.people = Some(leave(&meta)?),
                "notify" => grants.notify = Some(leave(&meta)?),
                "assets" => grants.assets.push(Assets::parse(&meta)?),
                _ => {
                    let known = "`http`, `secret`, `people`, `notify` or `assets`";
                    let message = format!("what is granted is {known}: the clock and randomness need no grant");
                    return Err(meta.error(message));
                }
            }
            Ok(())
        })?;
        Ok(grants)
    }
}

impl Http {
    fn parse(meta: &ParseNestedMeta<'_>) -> Result<Self> {
        let (mut methods, mut reason) = (Vec::new(), None);
        let origin = named(meta, |meta, key| match key {
            "methods" => words(meta).map(|words| methods = words),
            "reason" => Text::parse(meta).map(|text| reason = Some(text)),
            _ => Err(meta.error("requests have `methods` and a `reason`")),
        })?;
        check_origin(&origin)?;
        let is_upper = |method: &String| method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
        if methods.is_empty() || !methods.iter().all(is_upper) {
            return Err(Error::new(origin.span(), "say with which methods, in upper case: `methods(GET, POST)`"));
        }
        Ok(Self { methods, reason: given(reason, &origin)?, origin: origin.value() })
    }
}

impl Secret {
    fn parse(meta: &ParseNestedMeta<'_>) -> Result<Self> {
        let mut reason = None;
        let name = named(meta, |meta, key| match key {
            "reason" => Text::parse(meta).map(|text| reason = Some(text)),
            _ => Err(meta.error("a secret has a `reason`")),
        })?;
        Ok(Self { reason: given(reason, &name)?, name: name.value() })
    }
}

impl Assets {
    fn parse(meta: &ParseNestedMeta<'_>) -> Result<Self> {
        let (mut actions, mut reason) = (Vec::new(), None);
        let name = named(meta, |meta, key| match key {
            "actions" => strings(meta).map(|strings| actions = strings),
            "reason" => Text::parse(meta).map(|text| reason = Some(text)),
            _ => Err(meta.error("assets have `actions` and a `reason`")),
        })?;
        if actions.is_empty() {
            return Err(Error::new(name.span(), "say which actions: `actions(\"vote\")`"));
        }
        Ok(Self { actions, reason: given(reason, &name)?, interlinker: name.value() })
    }
}

/// Reads `(reason(en = "…"))`.
fn leave(meta: &ParseNestedMeta<'_>) -> Result<Text> {
    let mut reason = None;
    let span = meta.path.get_ident().map_or_else(proc_macro2::Span::call_site, Ident::span);
    meta.parse_nested_meta(|meta| {
        if !meta.path.is_ident("reason") {
            return Err(meta.error("this grant has a `reason`"));
        }
        reason = Some(Text::parse(&meta)?);
        Ok(())
    })?;
    given(reason, &LitStr::new("", span))
}

/// Reads `("name", key(…), key(…))`.
fn named(meta: &ParseNestedMeta<'_>, mut read: impl FnMut(&ParseNestedMeta<'_>, &str) -> Result<()>) -> Result<LitStr> {
    let content;
    syn::parenthesized!(content in meta.input);
    let name: LitStr = content.parse()?;
    if !content.is_empty() {
        content.parse::<Token![,]>()?;
    }
    let rest: TokenStream = content.parse()?;
    let parser = syn::meta::parser(|meta| {
        let key = meta.path.get_ident().map(Ident::to_string).unwrap_or_default();
        read(&meta, &key)
    });
    parser.parse2(rest)?;
    Ok(name)
}

/// A scheme and a host; a server reads it more closely when the Interlinker is published.
fn check_origin(literal: &LitStr) -> Result<()> {
    let origin = literal.value();
    let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    if host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', '@', '*'])) {
        return Ok(());
    }
    Err(Error::new(literal.span(), "an origin is a scheme and a host without a path, as in `https://example.org`"))
}

fn given(reason: Option<Text>, at: &LitStr) -> Result<Text> {
    let message = "say what for, to the operator who decides: `reason(en = \"…\")`";
    reason.filter(|reason| !reason.is_empty()).ok_or_else(|| Error::new(at.span(), message))
}

impl ToTokens for Grants {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let http = self.http.iter().map(|Http { origin, methods, reason }| {
            quote!(manifest::HttpGrant { origin: #origin.into(), methods: vec![#(#methods.into()),*], reason: #reason })
        });
        let secrets = self
            .secrets
            .iter()
            .map(|Secret { name, reason }| quote!(manifest::SecretGrant { name: #name.into(), reason: #reason }));
        let leave = |reason: &Option<Text>| match reason {
            Some(reason) => quote!(::std::option::Option::Some(manifest::Leave { reason: #reason })),
            None => quote!(::std::option::Option::None),
        };
        let (people, notify) = (leave(&self.people), leave(&self.notify));
        let assets = self.assets.iter().map(|Assets { interlinker, actions, reason }| {
            let actions = quote!(vec![#(#actions.into()),*]);
            quote!(manifest::AssetsGrant { interlinker: #interlinker.into(), actions: #actions, reason: #reason })
        });
        tokens.extend(quote!(manifest::Grants {
            http: vec![#(#http),*],
            secrets: vec![#(#secrets),*],
            people: #people,
            notify: #notify,
            assets: vec![#(#assets),*],
        }));
    }
}

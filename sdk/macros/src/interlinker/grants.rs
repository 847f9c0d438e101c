//! `grants(…)`: what an Interlinker asks an operator for.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::meta::ParseNestedMeta;
use syn::parse::Parser;
use syn::{Error, Ident, LitStr, Result, Token};

use crate::syntax::{Text, words};

/// What is asked for, in order.
#[derive(Default)]
pub struct Grants {
    http: Vec<Http>,
    secrets: Vec<Secret>,
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
                _ => {
                    return Err(
                        meta.error("what is granted is `http` or `secret`: the clock and randomness need no grant")
                    );
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
        tokens.extend(quote!(manifest::Grants { http: vec![#(#http),*], secrets: vec![#(#secrets),*] }));
    }
}

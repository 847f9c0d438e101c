//! Questions about types, and errors, that several macros share.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::visit::Visit;
use syn::{GenericArgument, Ident, LitStr, Path, PathArguments, Result, Token, Type};

/// Errors of one expansion, so that an author sees all at once.
#[derive(Default)]
pub struct Errors(Option<syn::Error>);

impl Errors {
    pub fn add(&mut self, at: impl ToTokens, message: impl std::fmt::Display) {
        self.push(syn::Error::new_spanned(at, message));
    }

    pub fn push(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            none => *none = Some(error),
        }
    }

    pub fn any(&self) -> bool {
        self.0.is_some()
    }

    pub fn finish(self) -> Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

/// Refuses the hashed collections of `std` wherever they stand in a type.
pub fn refuse_hashed(errors: &mut Errors, ty: &Type) {
    struct Hashed<'errors>(&'errors mut Errors);

    impl<'ast> Visit<'ast> for Hashed<'_> {
        fn visit_path(&mut self, path: &'ast Path) {
            if let Some(segment) = path.segments.last()
                && (segment.ident == "HashMap" || segment.ident == "HashSet")
            {
                let ordered = segment.ident.to_string().replace("Hash", "BTree");
                let arguments = segment.arguments.to_token_stream().to_string().replace(' ', "").replace(',', ", ");
                let message = format!("`{}` has no stable order: take `{ordered}{arguments}`", segment.ident);
                self.0.add(path, message);
            }
            syn::visit::visit_path(self, path);
        }
    }

    Hashed(errors).visit_type(ty);
}

/// The `T` of `Result<T>` and `Result<T, E>`.
pub fn result_content(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let segment = path.path.segments.last()?;
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
        return None;
    };
    let Some(GenericArgument::Type(content)) = arguments.args.first() else {
        return None;
    };
    (segment.ident == "Result").then_some(content)
}

/// The strings of `("a", "b")`.
pub fn strings(meta: &syn::meta::ParseNestedMeta<'_>) -> Result<Vec<String>> {
    let content;
    syn::parenthesized!(content in meta.input);
    let literals = Punctuated::<LitStr, Token![,]>::parse_terminated(&content)?;
    Ok(literals.iter().map(LitStr::value).collect())
}

/// The words of `(contributor, "accessibility reviewer")`.
pub fn words(meta: &syn::meta::ParseNestedMeta<'_>) -> Result<Vec<String>> {
    let content;
    syn::parenthesized!(content in meta.input);
    let mut words = Vec::new();
    while !content.is_empty() {
        words.push(if content.peek(LitStr) {
            content.parse::<LitStr>()?.value()
        } else {
            content.parse::<Ident>()?.to_string()
        });
        if !content.is_empty() {
            content.parse::<Token![,]>()?;
        }
    }
    Ok(words)
}

/// A text in some languages: `(en = "…", es = "…")`.
#[derive(Default)]
pub struct Text(Vec<(String, String)>);

impl Text {
    pub fn parse(meta: &syn::meta::ParseNestedMeta<'_>) -> Result<Self> {
        let mut translations = Vec::new();
        if !meta.input.peek(syn::token::Paren) {
            return Err(meta.error("say it by language: `(en = \"…\", es = \"…\")`"));
        }
        meta.parse_nested_meta(|language| {
            let tag = language.path.require_ident()?.to_string().replace('_', "-");
            translations.push((tag, language.value()?.parse::<LitStr>()?.value()));
            Ok(())
        })?;
        Ok(Self(translations))
    }

    /// Whether it says nothing in any language.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|(_, text)| text.trim().is_empty())
    }

    /// The text, or one in English made of a name in code.
    pub fn or_named(self, name: &str) -> Self {
        if !self.0.is_empty() {
            return self;
        }
        let words = name.replace(['_', '-'], " ");
        let mut letters = words.chars();
        let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
        Self(vec![("en".to_owned(), first + letters.as_str())])
    }
}

impl ToTokens for Text {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let translations = self.0.iter().map(|(language, text)| quote::quote!((#language, #text)));
        tokens.extend(quote::quote!(::interlink_sdk::__private::text(&[#(#translations),*])));
    }
}

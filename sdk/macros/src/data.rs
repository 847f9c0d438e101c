//! `#[derive(Input)]` and `#[derive(Output)]`.
//!
//! A derive cannot add derives to the type it stands on. So it writes a copy of the type, with the author's
//! attributes, which serde derives as the *remote* description of the original; the original's impls delegate to it.
//! That way an author needs neither serde nor schemars as a dependency.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::{Data, DeriveInput, Field, Result};

use crate::syntax::{Errors, refuse_hashed};

/// What the type is for.
#[derive(Clone, Copy, PartialEq)]
pub enum Role {
    Input,
    Output,
}

pub fn derive(item: &DeriveInput, role: Role) -> Result<TokenStream> {
    check(item, role)?;
    let name = &item.ident;
    let name_text = name.to_string();
    let (marker, strictness) = match role {
        Role::Input => (format_ident!("Input"), input_strictness(item)),
        Role::Output => (format_ident!("Output"), None),
    };
    let also_output = (role == Role::Input).then(|| quote!(impl ::interlink_sdk::Output for #name {}));
    let copy = description(item);
    let copy_name = &copy.ident;
    Ok(quote! {
        const _: () = {
            use ::interlink_sdk::__private::{schemars, serde};

            #[derive(serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
            #[serde(crate = "::interlink_sdk::__private::serde", remote = #name_text #strictness)]
            #[schemars(crate = "::interlink_sdk::__private::schemars", rename = #name_text)]
            #[allow(dead_code)]
            #copy

            impl<'de> serde::Deserialize<'de> for #name {
                fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> ::std::result::Result<Self, D::Error> {
                    #copy_name::deserialize(deserializer)
                }
            }

            impl serde::Serialize for #name {
                fn serialize<S: serde::Serializer>(&self, serializer: S) -> ::std::result::Result<S::Ok, S::Error> {
                    #copy_name::serialize(self, serializer)
                }
            }

            impl schemars::JsonSchema for #name {
                fn schema_name() -> ::std::borrow::Cow<'static, str> {
                    <#copy_name as schemars::JsonSchema>::schema_name()
                }

                fn schema_id() -> ::std::borrow::Cow<'static, str> {
                    ::std::borrow::Cow::Borrowed(concat!(module_path!(), "::", #name_text))
                }

                fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                    <#copy_name as schemars::JsonSchema>::json_schema(generator)
                }
            }

            impl ::interlink_sdk::#marker for #name {}
            #also_output
        };
    })
}

/// The copy, with the attributes that change the JSON or its schema: comments are a schema's descriptions.
fn description(item: &DeriveInput) -> DeriveInput {
    let keep = |attributes: &mut Vec<syn::Attribute>| {
        attributes.retain(|attribute| ["serde", "schemars", "doc"].iter().any(|name| attribute.path().is_ident(name)));
    };
    let mut copy = item.clone();
    copy.ident = format_ident!("{}Description", item.ident);
    keep(&mut copy.attrs);
    match &mut copy.data {
        Data::Struct(data) => data.fields.iter_mut().for_each(|field| keep(&mut field.attrs)),
        Data::Enum(data) => {
            for variant in &mut data.variants {
                keep(&mut variant.attrs);
                variant.fields.iter_mut().for_each(|field| keep(&mut field.attrs));
            }
        }
        Data::Union(_) => {}
    }
    copy
}

/// Unknown fields are mistakes, except where serde cannot tell.
fn input_strictness(item: &DeriveInput) -> Option<TokenStream> {
    let flattens = fields(&item.data).any(|field| field.attrs.iter().any(|attribute| mentions(attribute, "flatten")));
    let untagged = item.attrs.iter().any(|attribute| mentions(attribute, "untagged"));
    (!flattens && !untagged).then(|| quote!(, deny_unknown_fields))
}

fn mentions(attribute: &syn::Attribute, word: &str) -> bool {
    attribute.path().is_ident("serde") && attribute.meta.to_token_stream().to_string().contains(word)
}

fn check(item: &DeriveInput, role: Role) -> Result<()> {
    let what = if role == Role::Input { "an input" } else { "an output" };
    let mut errors = Errors::default();
    if let Data::Union(union) = &item.data {
        errors.add(union.union_token, format!("{what} is a struct or an enum"));
    }
    if !item.generics.params.is_empty() {
        errors.add(&item.generics, format!("{what} has no parameters: write out the types of its fields"));
    }
    for field in fields(&item.data) {
        refuse_hashed(&mut errors, &field.ty);
    }
    errors.finish()
}

fn fields(data: &Data) -> impl Iterator<Item = &Field> {
    let all: Vec<&Field> = match data {
        Data::Struct(data) => data.fields.iter().collect(),
        Data::Enum(data) => data.variants.iter().flat_map(|variant| &variant.fields).collect(),
        Data::Union(_) => Vec::new(),
    };
    all.into_iter()
}

//! `#[interlinker]`: an `impl` whose methods are the parts of an Interlinker.

mod attributes;
mod expand;
mod grants;
mod method;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, ImplItem, ImplItemFn, ItemImpl, Result};

use crate::syntax::Errors;
use attributes::About;
use method::{Method, Part};

/// An Interlinker as its author wrote it.
struct Definition {
    about: About,
    instantiate: Method,
    actions: Vec<Method>,
    alarms: Vec<Method>,
    migrate: Option<Method>,
    view: Method,
}

pub fn expand(attributes: TokenStream, mut item: ItemImpl) -> TokenStream {
    let definition = read(attributes, &mut item);
    let generated = match &definition {
        Ok(definition) => expand::implementation(definition, &item.self_ty),
        Err(error) => error.to_compile_error(),
    };
    // The methods stay in either case: what else is wrong in them is the author's to see as well.
    quote!(#[allow(dead_code)] #item #generated)
}

/// Reads the parts and takes their attributes off the methods.
fn read(attributes: TokenStream, item: &mut ItemImpl) -> Result<Definition> {
    let mut errors = Errors::default();
    if let Some((_, path, _)) = &item.trait_ {
        errors.add(path, "`#[interlinker]` stands on the struct's own `impl`, not on that of a trait");
    }
    if !item.generics.params.is_empty() {
        errors.add(&item.generics, "an Interlinker has no parameters");
    }
    let about = About::parse(attributes, item.impl_token.span).map_err(|error| errors.push(error)).ok();

    let (mut instantiate, mut actions, mut view) = (None, Vec::new(), None);
    let (mut alarms, mut migrate) = (Vec::new(), None);
    for member in &mut item.items {
        let ImplItem::Fn(function) = member else {
            continue;
        };
        match Method::take(function) {
            Ok(None) => {}
            Err(error) => {
                // It is there, if wrongly: that none is there would be a second complaint about the same thing.
                errors.push(error);
            }
            Ok(Some(method)) => match method.part {
                Part::Instantiate => once(&mut errors, &mut instantiate, method, function, "#[instantiate]"),
                Part::View => once(&mut errors, &mut view, method, function, "#[view]"),
                Part::Action(_) => actions.push(method),
                Part::Alarm => alarms.push(method),
                Part::Migrate => once(&mut errors, &mut migrate, method, function, "#[migrate]"),
            },
        }
    }
    let had_errors = errors.any();
    if instantiate.is_none() && !had_errors {
        errors.add(&item.self_ty, "how is it made? Mark one method with `#[instantiate]`");
    }
    if view.is_none() && !had_errors {
        errors.add(&item.self_ty, "what does it show? Mark one method with `#[view]`");
    }
    errors.finish()?;
    match (about, instantiate, view) {
        (Some(about), Some(instantiate), Some(view)) => {
            Ok(Definition { about, instantiate, actions, alarms, migrate, view })
        }
        _ => Err(Error::new_spanned(&item.self_ty, "an Interlinker needs `#[instantiate]` and `#[view]`")),
    }
}

fn once(errors: &mut Errors, slot: &mut Option<Method>, method: Method, function: &ImplItemFn, attribute: &str) {
    match slot {
        Some(first) => {
            let first = &first.ident;
            errors.add(&function.sig.ident, format!("`{attribute}` stands on `{first}` already, and there is one"));
        }
        none => *none = Some(method),
    }
}

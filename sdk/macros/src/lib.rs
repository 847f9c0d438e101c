//! The macros of `interlink-sdk`, which documents them: an author depends on that crate alone.
//!
//! A mistake is reported at the author's own line and says what to change, so everything that can be seen in the
//! syntax is checked here, before the compiler would complain about generated code.

mod data;
mod interlinker;
mod state;
mod syntax;

use proc_macro::TokenStream;
use syn::{DeriveInput, ItemImpl, parse_macro_input};

/// Makes a struct or enum what an action takes: read from JSON, with a JSON Schema.
///
/// Fields that the type does not have are refused. `#[serde(…)]` and `#[schemars(…)]` work as usual, so
/// `#[schemars(range(min = 1))]` is checked before the action runs. An input can be stored and answered, too.
#[proc_macro_derive(Input, attributes(serde, schemars))]
pub fn derive_input(item: TokenStream) -> TokenStream {
    let item = parse_macro_input!(item as DeriveInput);
    data::derive(&item, data::Role::Input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a struct or enum what an action or a view answers, and what a state can hold.
#[proc_macro_derive(Output, attributes(serde, schemars))]
pub fn derive_output(item: TokenStream) -> TokenStream {
    let item = parse_macro_input!(item as DeriveInput);
    data::derive(&item, data::Role::Output).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a struct of `Value`s and `Map`s the state of an Interlinker: each field is kept under its name.
#[proc_macro_derive(State)]
pub fn derive_state(item: TokenStream) -> TokenStream {
    let item = parse_macro_input!(item as DeriveInput);
    state::derive(&item).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes an `impl` of a state an Interlinker.
///
/// On the `impl`: `name`, `title(en = "…", es = "…")`, `description(…)`, `problems("…")`, and where the crate's
/// `Cargo.toml` does not say it, `version` and `licence`. `languages("…")` where not all that the title has.
/// `grants(http("https://example.org", methods(GET, POST), reason(en = "…")), secret("mail", reason(en = "…")))` asks an
/// operator for requests and secrets; so do `people(reason(…))`, `notify(reason(…))` and `assets("poll", actions("vote"),
/// reason(…))`. `settings(T)` says what an operator can set.
///
/// On its methods:
///
/// - `#[instantiate(title(…))]`, once: `fn(&mut self [, cx: &Call] [, input: T]) -> Result<()>`
/// - `#[action(title(…), help(…), allow(contributor), anonymous, example(…))]`: `fn(&mut self [, cx: &Call] [, input: T]) ->
///   Result<O>`, or with `&self` where it changes nothing. Its name is the method's, with `-` for `_`.
/// - `#[alarm]`: `fn(&mut self [, cx: &Call] [, input: T]) -> Result<O>`, called when an alarm rings that was set under its name
/// - `#[migrate]`, once: `fn(&mut self [, cx: &Call] [, version: String]) -> Result<()>`, called when an asset moves from an
///   earlier version
/// - `#[view]`, once: `fn(&self [, cx: &Call] [, query: T]) -> O` or `Result<O>`
#[proc_macro_attribute]
pub fn interlinker(attributes: TokenStream, item: TokenStream) -> TokenStream {
    let item = parse_macro_input!(item as ItemImpl);
    interlinker::expand(attributes.into(), item).into()
}

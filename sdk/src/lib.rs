//! Write an Interlinker: a small tool for people who make something together, run by an Interlink server.
//!
//! An Interlinker is a struct of [`Value`]s and [`Map`]s, the state of one *asset*, with methods that make it, change it and
//! show it. Each call runs in a fresh instance that has no files, no network, no clock and no randomness of its own; what
//! it changes is kept together with its outcome, or, when the method refuses, not at all.
//!
//! ```
//! //! Who brings what to a street party.
//! use interlink_sdk::prelude::*;
//!
//! /// Comments on an input's fields become descriptions in the form that people fill in.
//! #[derive(Input)]
//! struct Open {
//!     /// What is needed.
//!     #[schemars(length(min = 1))]
//!     things: Vec<String>,
//! }
//!
//! #[derive(Input)]
//! struct Bring {
//!     thing: String,
//! }
//!
//! #[derive(Output)]
//! struct Table {
//!     brought: Vec<(String, PersonId)>,
//!     missing: u64,
//! }
//!
//! #[derive(State)]
//! struct Party {
//!     open: Value<Open>,
//!     brought: Map<String, PersonId>,
//! }
//!
//! #[interlinker(
//!     name = "street-party",
//!     version = "1.0.0",
//!     title(en = "Street party", es = "Fiesta de barrio"),
//!     problems("organize-together")
//! )]
//! impl Party {
//!     #[instantiate(title(en = "Plan a party", es = "Preparar una fiesta"))]
//!     fn open(&mut self, input: Open) -> Result<()> {
//!         ensure!(input.things.len() <= 100, at "/things", "a party needs at most 100 things");
//!         self.open.set(input)
//!     }
//!
//!     #[action(title(en = "Bring something", es = "Traer algo"), allow(contributor))]
//!     fn bring(&mut self, cx: &Call, input: Bring) -> Result<Receipt> {
//!         let needed = self.open.get().things;
//!         ensure!(needed.contains(&input.thing), at "/thing", "nobody needs `{}`", input.thing);
//!         self.brought.insert(&input.thing, cx.person().clone())?;
//!         log::info!("{} is brought", input.thing);
//!         if self.brought.len() == needed.len() as u64 {
//!             cx.declare_outcome("all is there")?;
//!         }
//!         Ok(Receipt::of(cx))
//!     }
//!
//!     #[view]
//!     fn table(&self) -> Table {
//!         let missing = self.open.get().things.len() as u64 - self.brought.len();
//!         Table { brought: self.brought.iter().collect(), missing }
//!     }
//! }
//!
//! let mut party = TestHost::open::<Party>(json!({"things": ["chairs", "cake"]}));
//! party.act_as("boris", "bring", json!({"thing": "cake"})).ok();
//! party.act_as("eva", "bring", json!({"thing": "cake"})).refused("already-there");
//! assert_eq!(party.view()["missing"], 1);
//!
//! party.act_as("eva", "bring", json!({"thing": "chairs"})).ok();
//! assert_eq!(party.outcome(), Some(&json!("all is there")));
//! ```
//!
//! # The world outside
//!
//! `#[instantiate]` and actions can ask for the time ([`Call::now`]), for random bytes ([`Call::random`]), for what other
//! services answer ([`Call::http`]) and for secrets ([`Call::secret`]); views cannot, because looking at an asset asks
//! nobody. Every answer is recorded before the call sees it, so that a call that a crash cut off is run again, with the
//! same answers, and comes to the same. What HTTP and secrets are for stands in `grants(…)`, for the operator who
//! decides.
//!
//! ```
//! //! Minutes of a meeting, which are sent to the town's archive.
//! use interlink_sdk::prelude::*;
//!
//! #[derive(Input)]
//! struct File {
//!     text: String,
//! }
//!
//! #[derive(State)]
//! struct Minutes {
//!     number: Value<Option<String>>,
//! }
//!
//! #[interlinker(
//!     name = "minutes",
//!     version = "1.0.0",
//!     grants(
//!         http("https://archive.example.org", methods(POST), reason(en = "Files the minutes.")),
//!         secret("archive-token", reason(en = "Signs in to the archive."))
//!     )
//! )]
//! impl Minutes {
//!     #[instantiate]
//!     fn open(&mut self) -> Result<()> {
//!         Ok(())
//!     }
//!
//!     #[action]
//!     fn file(&mut self, cx: &Call, input: File) -> Result<Receipt> {
//!         let Some(token) = cx.secret("archive-token")? else { refuse!("the archive's token is not set") };
//!         let request = Request::post("https://archive.example.org/minutes")
//!             .header("authorization", format!("Bearer {token}"))
//!             .json(&json!({"text": input.text, "filed_at_micros": cx.now()?}))?;
//!         self.number.set(cx.http(request)?.success()?.json()?)?;
//!         Ok(Receipt::of(cx))
//!     }
//!
//!     #[view]
//!     fn number(&self) -> Option<String> {
//!         self.number.get()
//!     }
//! }
//!
//! let mut minutes = TestHost::open::<Minutes>(json!({}));
//! minutes.secret("archive-token", "t0p");
//! minutes.http("POST https://archive.example.org/minutes", |request| {
//!     assert_eq!(request.headers()[0].1, "Bearer t0p");
//!     Response::new(201).with_body("\"2026-7\"")
//! });
//! minutes.act_as("ana", "file", json!({"text": "We agreed."})).ok();
//! assert_eq!(minutes.view(), json!("2026-7"));
//! ```
//!
//! # The crate
//!
//! The crate's library is a `cdylib` and an `rlib`, and depends on nothing but this crate:
//!
//! ```toml
//! [lib]
//! crate-type = ["cdylib", "rlib"]
//! ```
//!
//! A test and the server run the same methods: the fields of the state reach a [`session::Host`], which is the
//! component's imports there and a [`TestHost`]'s memory here. The [`manifest`] is written by a test that
//! `#[interlinker]` adds, `interlink_manifest`, when the component is built.
#![deny(unsafe_code)]

extern crate self as interlink_sdk;

pub mod call;
pub mod data;
#[cfg(target_arch = "wasm32")]
pub mod guest;
pub mod http;
pub mod interlinker;
pub mod key;
pub mod log;
pub mod manifest;
pub mod map;
pub mod markup;
#[cfg(all(target_arch = "wasm32", feature = "allocator"))]
mod memory;
pub mod outside;
pub mod problem;
pub mod session;
#[cfg(not(target_arch = "wasm32"))]
pub mod test_host;
pub mod value;

pub use call::{Call, Participant, PersonId, Receipt};
pub use data::{Input, Nothing, Output};
pub use http::{Request, Response};
pub use interlink_sdk_macros::{Input, Output, State, interlinker};
pub use interlinker::{Interlinker, State};
pub use key::MapKey;
pub use map::Map;
pub use markup::{Html, Markdown};
pub use problem::{Problem, Result};
#[cfg(not(target_arch = "wasm32"))]
pub use test_host::TestHost;
pub use value::Value;

/// Everything that an Interlinker is written with.
pub mod prelude {
    #[cfg(not(target_arch = "wasm32"))]
    pub use crate::TestHost;
    pub use crate::log;
    pub use crate::{
        Call, Html, Input, Map, MapKey, Markdown, Nothing, Output, Participant, PersonId, Problem, Receipt, Result,
        State, Value,
    };
    pub use crate::{Request, Response};
    pub use crate::{ensure, interlinker, refuse};
    pub use serde_json::{Value as Json, json};
}

/// What the macros' code names. Not for people.
#[doc(hidden)]
pub mod __private {
    pub use crate::data::{input_schema, output_schema, parse, render};
    #[cfg(target_arch = "wasm32")]
    pub use crate::guest::{self, bindings};
    pub use crate::interlinker::{Field, Interlinker, State, no_such_action, no_such_alarm};
    #[cfg(not(target_arch = "wasm32"))]
    pub use crate::manifest::write as write_manifest;
    pub use crate::manifest::{self, Manifest, text};
    pub use crate::session::Session;
    #[cfg(not(target_arch = "wasm32"))]
    pub use crate::test_host::run_examples;
    pub use schemars;
    pub use serde;
    #[cfg(target_arch = "wasm32")]
    pub use wit_bindgen;
}

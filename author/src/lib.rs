//! The author's way: from an empty folder to a component that is tested and published.
//!
//! [`create`] writes a new Interlinker into a folder, with the SDK of its language beside it; [`Project`] is such a folder, and
//! is built and tested. What goes wrong is told in the author's terms: which file, which line, what to change.

mod component;
mod create;
mod error;
mod javascript;
mod link;
mod project;
mod provenance;
mod python;
mod rust;
mod sdk;
mod toolchain;
mod tools;
mod world;

pub use component::{component_of_module, with_manifest};
pub use create::create;
pub use error::AuthorError;
pub use project::{Built, ExamplePlaces, Language, Project};
pub use rust::{Crate, build_crate};
pub use toolchain::{TARGET, Toolchain, find, named, output_of};

/// What the functions of this crate come to.
pub type Outcome<T> = Result<T, AuthorError>;

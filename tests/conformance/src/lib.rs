//! What a host of Interlinkers can be held to, whatever it is written in, and what a guest can be held to.
//!
//! `cases` are data: guests written by hand, what is done with them, and what must come of it in terms of the boundary
//! alone. `Subject` has the few verbs that they need; there are two of them here, `InProcess`, our own host without a
//! server, and `Server`, anything that speaks the routes of `API.md`. [`guest`] has the checks of any component.

#[cfg(feature = "cases")]
mod case;
#[cfg(feature = "cases")]
pub mod cases;
pub mod guest;
#[cfg(feature = "cases")]
pub mod hand;
#[cfg(feature = "cases")]
mod in_process;
#[cfg(feature = "cases")]
pub mod isolation;
#[cfg(feature = "cases")]
mod names;
#[cfg(feature = "cases")]
mod outside;
#[cfg(feature = "server")]
mod program;
#[cfg(feature = "cases")]
mod run;
#[cfg(feature = "server")]
mod server;
#[cfg(feature = "cases")]
mod subject;

#[cfg(feature = "cases")]
pub use case::{Case, Comes, Component, Group, Is, Step};
#[cfg(feature = "cases")]
pub use in_process::InProcess;
#[cfg(feature = "cases")]
pub use names::Names;
#[cfg(feature = "cases")]
pub use outside::Outside;
#[cfg(feature = "server")]
pub use program::{Options, main};
#[cfg(feature = "cases")]
pub use run::{Stage, Verdict};
#[cfg(feature = "server")]
pub use server::Server;
#[cfg(feature = "cases")]
pub use subject::{Act, Asked, Came, Need, NotAsked, Place, Subject, Told, Weakness};

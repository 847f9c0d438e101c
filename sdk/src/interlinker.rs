//! What the macros implement, and how a call runs through it.

use crate::call::Call;
use crate::manifest::Manifest;
use crate::problem::{Problem, Result};
use crate::session::Session;

/// The state of an asset: a struct of [`Value`](crate::Value)s and [`Map`](crate::Map)s. Derive it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no state",
    label = "add `#[derive(State)]` to this struct",
    note = "its fields are `Value<…>` and `Map<…, …>`"
)]
pub trait State {
    /// The state as this call sees it.
    fn bind(session: &Session) -> Self;
}

/// A field of a state.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field of the state",
    label = "nothing would keep this between calls",
    note = "use `Value<{Self}>`, or `Map<…, …>` for many values"
)]
pub trait Field {
    /// The field as this call sees it, kept under its name.
    fn bind(session: Session, name: &'static str) -> Self;
}

/// An Interlinker. `#[interlinker]` implements it.
pub trait Interlinker: State {
    /// What it says of itself.
    fn manifest() -> Manifest;
    /// Makes an asset.
    ///
    /// # Errors
    ///
    /// What the author refuses, and input that does not fit.
    fn instantiate(&mut self, cx: &Call, input: &str) -> Result<String>;
    /// Runs an action.
    ///
    /// # Errors
    ///
    /// What the author refuses, input that does not fit, and an action that is not there.
    fn call(&mut self, cx: &Call, action: &str, input: &str) -> Result<String>;
    /// Shows the asset.
    ///
    /// # Errors
    ///
    /// What the author refuses, and a query that does not fit.
    fn view(&self, cx: &Call, query: &str) -> Result<String>;
    /// Rings an alarm. An Interlinker without methods marked `#[alarm]` has none.
    ///
    /// # Errors
    ///
    /// What the author refuses, and an alarm that is not there.
    fn ring(&mut self, _cx: &Call, name: &str, _input: &str) -> Result<String> {
        no_such_alarm(name, &[])
    }
    /// Brings the state that an earlier version left to what this one reads. Without a method marked `#[migrate]` it stays.
    ///
    /// # Errors
    ///
    /// What the author refuses.
    fn migrate(&mut self, _cx: &Call, _version: &str) -> Result<String> {
        Ok("null".into())
    }
}

/// One of the things that a host asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Request<'input> {
    Instantiate(&'input str),
    Call { action: &'input str, input: &'input str },
    View(&'input str),
    Ring { name: &'input str, input: &'input str },
    Migrate(&'input str),
}

/// Runs one request in a fresh session.
pub(crate) fn run<I: Interlinker>(session: Session, context: &str, request: Request<'_>) -> Result<String> {
    let mut state = I::bind(&session);
    let cx = Call::new(context, session)?;
    match request {
        Request::Instantiate(input) => state.instantiate(&cx, input),
        Request::Call { action, input } => state.call(&cx, action, input),
        Request::View(query) => state.view(&cx.looking(), query),
        Request::Ring { name, input } => state.ring(&cx, name, input),
        Request::Migrate(version) => state.migrate(&cx.looking(), version),
    }
}

#[doc(hidden)]
pub fn no_such_action<T>(action: &str, actions: &[&str]) -> Result<T> {
    let detail = format!("there is no action `{action}`, but {}", actions.join(", "));
    Err(Problem::new("no-such-action", detail).with(actions))
}

#[doc(hidden)]
pub fn no_such_alarm<T>(name: &str, alarms: &[&str]) -> Result<T> {
    let detail = format!("there is no alarm `{name}`, but {}", alarms.join(", "));
    Err(Problem::new("no-such-alarm", detail).with(alarms))
}

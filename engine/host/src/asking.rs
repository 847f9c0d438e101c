//! What an Interlinker asks an operator to grant, checked when it is published.
//!
//! It is shown to an operator, who decides on it: so each thing that is asked for has a reason, and is written in the
//! one way in which it would be granted.

use std::collections::BTreeSet;

use interlink_model::manifest::{Asked, AskedAssets, AskedHttp, AskedSecret};
use interlink_model::schema::Text;

use crate::http::is_method;
use crate::origin::Origin;
use crate::publish::is_name;

/// Origins that one Interlinker asks for, at most: an operator reads each.
const ORIGINS_MAX: usize = 16;
/// Secrets that one Interlinker asks for, at most: an operator sets each.
const SECRETS_MAX: usize = 16;
/// Interlinkers whose actions one Interlinker asks for, at most.
const ASSETS_MAX: usize = 16;
/// The longest reason in one language, in bytes: a sentence or two.
const REASON_BYTES_MAX: usize = 500;

/// Checks what is asked for.
///
/// # Errors
///
/// What is wrong with it, as the rest of a sentence about the manifest.
pub(crate) fn check_grants(asked: &Asked) -> Result<(), String> {
    let Asked { http, secrets, people, notify, assets } = asked;
    if http.len() > ORIGINS_MAX {
        return Err(format!("asks for {} origins; it asks for at most {ORIGINS_MAX}", http.len()));
    }
    if secrets.len() > SECRETS_MAX {
        return Err(format!("asks for {} secrets; it asks for at most {SECRETS_MAX}", secrets.len()));
    }
    if assets.len() > ASSETS_MAX {
        return Err(format!("asks for actions of {} Interlinkers; it asks for at most {ASSETS_MAX}", assets.len()));
    }
    for (what, leave) in [("people", people), ("notify", notify)] {
        leave.as_ref().map_or(Ok(()), |leave| check_reason(what, &leave.reason))?;
    }
    let (mut origins, mut names, mut others) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for AskedAssets { interlinker, actions, reason } in assets {
        if let Some(name) = [interlinker].into_iter().chain(actions).find(|name| !is_name(name)) {
            return Err(format!("asks for actions with {name:?}; a name is letters, digits, `-`, `_` and `.`"));
        }
        if actions.is_empty() || !others.insert(interlinker) {
            return Err(format!("asks for {interlinker} with no actions, or twice"));
        }
        check_reason(interlinker, reason)?;
    }
    for AskedHttp { origin, methods, reason } in http {
        check_origin(origin)?;
        check_methods(origin, methods)?;
        check_reason(origin, reason)?;
        if !origins.insert(origin) {
            return Err(format!("asks for {origin} twice"));
        }
    }
    for AskedSecret { name, reason } in secrets {
        if !is_name(name) {
            return Err(format!("asks for a secret {name:?}; a name is letters, digits, `-`, `_` and `.`"));
        }
        check_reason(name, reason)?;
        if !names.insert(name) {
            return Err(format!("asks for the secret {name} twice"));
        }
    }
    Ok(())
}

fn check_origin(origin: &str) -> Result<(), String> {
    let read: Origin = origin.parse().map_err(|error| format!("asks for requests to {origin:?}: {error}"))?;
    let plain = read.to_string();
    if plain == origin { Ok(()) } else { Err(format!("asks for requests to {origin:?}; write it as `{plain}`")) }
}

fn check_methods(origin: &str, methods: &[String]) -> Result<(), String> {
    let once: BTreeSet<_> = methods.iter().collect();
    if methods.is_empty() || once.len() < methods.len() {
        return Err(format!("asks for requests to {origin} with no methods, or one of them twice"));
    }
    match methods.iter().find(|method| !is_method(method)) {
        Some(method) => Err(format!("asks for {method:?} to {origin}; methods are `GET`, `POST` and the like")),
        None => Ok(()),
    }
}

fn check_reason(what: &str, reason: &Text) -> Result<(), String> {
    let fits = |text: &String| !text.trim().is_empty() && text.len() <= REASON_BYTES_MAX;
    if !reason.0.is_empty() && reason.0.values().all(fits) {
        return Ok(());
    }
    Err(format!("asks for {what} without a reason, or with one of more than {REASON_BYTES_MAX} bytes"))
}

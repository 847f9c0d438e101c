//! Handlers, a module for each kind of thing.

pub mod adoption;
pub mod assets;
pub mod backups;
pub mod calls;
pub mod doors;
pub mod figures;
pub mod incidents;
pub mod interlinkers;
pub mod keeping;
pub mod meta;
pub mod migrations;
pub mod notifications;
pub mod organizations;
pub mod past;
pub mod people;
pub mod processes;
pub mod provisions;
pub mod schedules;
pub mod schemas;
pub mod services;
pub mod settings;
pub mod tasks;
pub mod trust;
pub mod usage;

use serde_json::{Value, json};

use crate::app::App;
use crate::problem::Problem;
use crate::request::Asked;

/// A page of a list that is in memory, ordered by a text of each entry.
pub fn listed<T>(
    app: &App,
    asked: &Asked,
    list: &str,
    entries: impl Iterator<Item = (String, T)>,
    show: impl Fn(T) -> Value,
) -> Result<Value, Problem> {
    let limit = asked.limit()?;
    let after = match asked.query("cursor") {
        Some(cursor) => {
            let place = app.cursors.read(list, cursor)?;
            Some(String::from_utf8(place).map_err(|_| Problem::malformed("this cursor cannot be read"))?)
        }
        None => None,
    };
    let mut rest = entries.filter(|(name, _)| after.as_ref().is_none_or(|after| name > after)).peekable();
    let mut items = Vec::new();
    let mut last = None;
    while items.len() < limit
        && let Some((name, entry)) = rest.next()
    {
        items.push(show(entry));
        last = Some(name);
    }
    let next = last.filter(|_| rest.peek().is_some()).map(|last| app.cursors.make(list, last.as_bytes()));
    Ok(json!({"items": items, "next_cursor": next}))
}

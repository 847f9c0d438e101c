//! A [town](super::town) under attack, with a component that is given: the hundred are that one under other names. It offers
//! `fill`, `touch` and `spin`, as the Rust one of `xtask/measured` does.

use std::path::Path;
use std::time::Duration;

use interlink_runtime::Options;
use serde_json::{Value, json};

use super::Outcome;
use super::engine::{SCHEMA, open_with};
use super::town::{Measure, Town};

const MEASURE: Measure = Measure { calls: 1_000, length: Duration::from_secs(600) };

/// Measures, with the component in a file; nothing where it has nothing that does harm.
pub async fn pressure(place: &Path, file: &Path) -> Outcome<Option<Value>> {
    let bytes = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let (engine, caller) = open_with(place, Options::default(), SCHEMA).await?;
    let manifest = engine.host().inspect(&bytes).map_err(|error| error.to_string())?.manifest;
    if !manifest.actions.iter().any(|action| action.name == "spin") {
        return Ok(None);
    }
    let component = |number| under_a_name(&bytes, &manifest.name, number);
    let town = Town::made(engine.clone(), caller, component, Some(("fill", json!({"entries": 1})))).await?;
    town.alone(MEASURE).await?;
    let alone = town.alone(MEASURE).await?;
    let attacked = town.attacked(MEASURE).await?;
    engine.close();
    Ok(Some(json!({
        "alone": alone.json(), "attacked": attacked.others.json(),
        "hostile_calls": attacked.made, "hostile_refused": attacked.refused,
    })))
}

/// The component under another name of the same length.
fn under_a_name(bytes: &[u8], name: &str, number: usize) -> Outcome<(String, Vec<u8>)> {
    let digits = format!("{number:03}");
    let other = format!("{}{digits}", &name[..name.len() - digits.len()]);
    let [written, new] = [name, &other].map(|name| format!("\"name\":\"{name}\""));
    let mut component = bytes.to_vec();
    let place = component.windows(written.len()).rposition(|bytes| bytes == written.as_bytes());
    let place = place.ok_or("its manifest does not say its name")?;
    component[place..place + new.len()].copy_from_slice(new.as_bytes());
    Ok((other, component))
}

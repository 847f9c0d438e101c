//! What an Interlinker takes and answers: JSON with a schema that comes from the Rust type.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use serde_path_to_error::{Path, Segment};

use crate::call::{PersonId, Receipt};
use crate::problem::{Problem, Result};

/// What an action takes. Derive it; fields that the type does not have are refused.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an input",
    label = "this has no JSON Schema for an input",
    note = "take a struct of yours with `#[derive(Input)]`"
)]
pub trait Input: DeserializeOwned + Serialize + JsonSchema {}

/// What an action or a view answers. Derive it, or answer with a type that has it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an output",
    label = "this has no JSON Schema for an output",
    note = "answer with a type of yours with `#[derive(Output)]`, or `Receipt` where there is nothing to say"
)]
pub trait Output: Serialize + JsonSchema {}

macro_rules! outputs {
    ($($ty:ty),+) => { $(impl Output for $ty {})+ };
}

outputs!((), bool, u8, u16, u32, u64, i8, i16, i32, i64, f32, f64, String, Json, PersonId, Receipt);
impl<T: Output> Output for Option<T> {}
impl<T: Output> Output for Vec<T> {}
impl<T: Output + Ord> Output for BTreeSet<T> {}
impl<V: Output> Output for BTreeMap<String, V> {}
impl<A: Output, B: Output> Output for (A, B) {}

/// Nothing: what is given where nothing is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

impl Input for Nothing {}

/// The JSON Schema (2020-12) of an input.
#[must_use]
pub fn input_schema<T: Input>() -> Json {
    schema::<T>(SchemaSettings::draft2020_12().for_deserialize())
}

/// The JSON Schema (2020-12) of an output.
#[must_use]
pub fn output_schema<T: Output>() -> Json {
    schema::<T>(SchemaSettings::draft2020_12().for_serialize())
}

/// One schema that stands alone, without the name of the Rust type, which is nothing to people.
fn schema<T: JsonSchema>(settings: SchemaSettings) -> Json {
    let settings = settings.with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.remove("title");
    schema.to_value()
}

/// Reads an input; one that does not fit is a problem that points at the part.
pub fn parse<T: Input>(input: &str) -> Result<T> {
    let input = if input.trim().is_empty() { "{}" } else { input };
    let mut json = serde_json::Deserializer::from_str(input);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let message = error.inner().to_string();
        let detail = message.split(" at line ").next().unwrap_or_default();
        Problem::new("invalid-input", detail).at(pointer(error.path()))
    })?;
    json.end().map_err(|error| Problem::new("invalid-input", error.to_string()).at(""))?;
    Ok(value)
}

/// Writes an output.
pub fn render<T: Output>(output: &T) -> Result<String> {
    serde_json::to_string(output)
        .map_err(|error| Problem::new("output-not-json", format!("the answer cannot be JSON: {error}")))
}

/// A path as JSON pointer (RFC 6901).
fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => pointer.push_str(&format!("/{}", key.replace('~', "~0").replace('/', "~1"))),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

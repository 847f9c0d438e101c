//! The examples of a manifest: none is published that its own schema refuses.

use interlink_model::manifest::{EXAMPLES_MAX, Example, Manifest};
use serde_json::Value;

use crate::publish::{PublishError, compile};

/// Checks the examples of a manifest against its schemas.
pub fn check_examples(manifest: &Manifest) -> Result<(), PublishError> {
    let actions = manifest.actions.iter().map(|action| (action.name.as_str(), &action.input, &action.examples));
    let forms = [("instantiate", &manifest.instantiate.input, &manifest.instantiate.examples)];
    forms.into_iter().chain(actions).try_for_each(|(of, schema, examples)| check(of, schema, examples))
}

fn check(of: &str, schema: &Value, examples: &[Example]) -> Result<(), PublishError> {
    let wrong = |reason: String| PublishError::Manifest { reason };
    if examples.is_empty() {
        return Ok(());
    }
    if examples.len() > EXAMPLES_MAX {
        return Err(wrong(format!("has {} examples of `{of}`; there are at most {EXAMPLES_MAX}", examples.len())));
    }
    let validator = compile(&format!("{of}/input"), schema)?;
    for Example { title, input, output, problem } in examples {
        if !output.is_null() && !problem.is_empty() {
            return Err(wrong(format!(
                "has an example {title:?} of `{of}` with `output` and `problem`: it comes to one"
            )));
        }
        if let Some(error) = validator.as_ref().and_then(|validator| validator.iter_errors(input).next()) {
            let place = error.instance_path();
            return Err(wrong(format!(
                "has an example {title:?} of `{of}` whose input its own form refuses, at {place:?}: {error}"
            )));
        }
    }
    Ok(())
}

//! The examples of a manifest: none is built or published that its own schemas refuse.
//!
//! What was published stays as it is: a component that is loaded again is not held to what later hosts ask of examples.

use interlink_model::manifest::{EXAMPLES_MAX, Example, Manifest};
use serde_json::Value;

use crate::answers::misfit;
use crate::call::is_code;
use crate::publish::{PublishError, compile};

/// What a code is, for whoever wrote another.
const CODE_RULE: &str =
    "a code is lower-case letters, digits and `-` between them, as in `already-voted`, at most 64 bytes";

/// What is wrong with an example.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ExampleError {
    /// The action that it is of, or `instantiate`.
    pub of: String,
    /// Which of its examples, from 0; absent where it is none alone.
    pub number: Option<usize>,
    /// What is wrong, with the title of the example.
    pub reason: String,
}

impl From<ExampleError> for PublishError {
    fn from(error: ExampleError) -> Self {
        Self::Manifest { reason: format!("has examples that do not hold: {error}") }
    }
}

/// Checks the examples of a manifest against its schemas.
///
/// # Errors
///
/// The first that does not fit, where it does not, and what would.
pub fn check_examples(manifest: &Manifest) -> Result<(), ExampleError> {
    let nothing = Value::Null;
    let instantiate = &manifest.instantiate;
    check("instantiate", &instantiate.input, &nothing, &instantiate.examples)?;
    let mut actions = manifest.actions.iter();
    actions.try_for_each(|action| check(&action.name, &action.input, &action.output, &action.examples))
}

fn check(of: &str, input: &Value, output: &Value, examples: &[Example]) -> Result<(), ExampleError> {
    let wrong = |number: Option<usize>, reason: String| ExampleError { of: of.into(), number, reason };
    if examples.is_empty() {
        return Ok(());
    }
    if examples.len() > EXAMPLES_MAX {
        let reason = format!("there are {} examples of `{of}`; there are at most {EXAMPLES_MAX}", examples.len());
        return Err(wrong(Some(EXAMPLES_MAX), reason));
    }
    let compiled = |what: &str, schema: &Value| {
        compile(&format!("{of}/{what}"), schema).map_err(|error| wrong(None, error.to_string()))
    };
    let (form, answers) = (compiled("input", input)?, compiled("output", output)?);
    for (number, example) in examples.iter().enumerate() {
        let refuse =
            |reason: String| wrong(Some(number), format!("the example {:?} of `{of}` {reason}", example.title));
        if !example.output.is_null() && !example.problem.is_empty() {
            return Err(refuse("has `output` and `problem`: it comes to one".into()));
        }
        if !example.problem.is_empty() && !is_code(&example.problem) {
            return Err(refuse(format!("has the problem {:?}; {CODE_RULE}", example.problem)));
        }
        if let Some(misfit) = misfit(form.as_ref(), &example.input) {
            return Err(refuse(format!("has an input that its own form refuses, {misfit}")));
        }
        // Null stands for an example that does not say.
        if !example.output.is_null()
            && let Some(misfit) = misfit(answers.as_ref(), &example.output)
        {
            return Err(refuse(format!("has an output that the schema of its output refuses, {misfit}")));
        }
    }
    Ok(())
}

//! What an Interlinker says that it answers. A server does not hold its answers to that: whoever checks it does.

use std::collections::BTreeMap;

use interlink_model::manifest::Manifest;
use jsonschema::Validator;
use serde_json::Value;

use crate::call::Entry;
use crate::publish::{PublishError, compile};

/// The schemas of what an Interlinker answers, ready to hold answers to.
#[derive(Debug, Default)]
pub struct Answers {
    actions: BTreeMap<String, Validator>,
    view: Option<Validator>,
}

impl Answers {
    /// Those of a manifest.
    ///
    /// # Errors
    ///
    /// A schema that is none.
    pub fn of(manifest: &Manifest) -> Result<Self, PublishError> {
        let mut answers = Self { view: compile("view/output", &manifest.view.output)?, ..Self::default() };
        for action in &manifest.actions {
            if let Some(schema) = compile(&format!("actions/{}/output", action.name), &action.output)? {
                answers.actions.insert(action.name.clone(), schema);
            }
        }
        Ok(answers)
    }

    /// Where an answer is none that its schema takes, and why not.
    pub fn misfit(&self, entry: &Entry, answer: &Value) -> Option<String> {
        match entry {
            Entry::Action { name, .. } => misfit(self.actions.get(name), answer),
            Entry::View { .. } => misfit(self.view.as_ref(), answer),
            _ => None,
        }
    }
}

/// Where a value does not fit a schema, and why not.
pub(crate) fn misfit(schema: Option<&Validator>, value: &Value) -> Option<String> {
    let error = schema?.iter_errors(value).next()?;
    Some(format!("at {:?}: {error}", error.instance_path().as_str()))
}

//! The examples of a manifest, run as tests.

use serde_json::{Value as Json, json};

use super::TestHost;
use crate::interlinker::Interlinker;
use crate::manifest::Example;
use crate::problem::Result;

/// Runs every example on an asset of its own, which is made by the first example of `#[instantiate]`, where there is one.
///
/// # Panics
///
/// When an example comes to something else than it says.
#[track_caller]
pub fn run_examples<I: Interlinker>() {
    let manifest = I::manifest();
    for example in &manifest.instantiate.examples {
        let came = TestHost::unopened::<I>().instantiate(example.input.clone());
        check("instantiate", example, came.0);
    }
    let opening = manifest.instantiate.examples.first().map_or_else(|| json!({}), |example| example.input.clone());
    for action in &manifest.actions {
        for example in &action.examples {
            let opened = TestHost::try_open::<I>(opening.clone());
            let mut host = opened.unwrap_or_else(|problem| {
                let (title, name) = (&example.title, &action.name);
                panic!("for the example {title:?} of `{name}` an asset was to be made with {opening}: {problem}")
            });
            let came = host.act_as("somebody", &action.name, example.input.clone());
            check(&action.name, example, came.0);
        }
    }
}

#[track_caller]
fn check(of: &str, example: &Example, came: Result<Json>) {
    let Example { title, output, problem, .. } = example;
    let expected = match (output, problem.as_str()) {
        (Json::Null, "") => "to be done".to_owned(),
        (output, "") => format!("to answer {output}"),
        (_, code) => format!("to be refused with `{code}`"),
    };
    let (fits, found) = match &came {
        Ok(answer) => (problem.is_empty() && (output.is_null() || output == answer), format!("it answered {answer}")),
        Err(refused) => {
            (*problem == refused.code, format!("it was refused with `{}`: {}", refused.code, refused.detail))
        }
    };
    assert!(fits, "the example {title:?} of `{of}` was {expected}, and {found}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Problem;

    fn example(output: Json, problem: &str) -> Example {
        Example { title: "Monday".into(), input: json!({}), output, problem: problem.into() }
    }

    #[test]
    fn an_example_that_comes_to_what_it_says_passes() {
        check("vote", &example(json!(null), ""), Ok(json!(7)));
        check("vote", &example(json!(7), ""), Ok(json!(7)));
        check("vote", &example(json!(null), "closed"), Err(Problem::new("closed", "it is over")));
    }

    #[test]
    #[should_panic(expected = "the example \"Monday\" of `vote` was to answer 7, and it answered 8")]
    fn another_answer_is_told() {
        check("vote", &example(json!(7), ""), Ok(json!(8)));
    }

    #[test]
    #[should_panic(expected = "was to be done, and it was refused with `closed`: it is over")]
    fn a_refusal_is_told() {
        check("vote", &example(json!(null), ""), Err(Problem::new("closed", "it is over")));
    }

    #[test]
    #[should_panic(expected = "was to be refused with `closed`, and it answered null")]
    fn that_it_was_done_is_told() {
        check("vote", &example(json!(null), "closed"), Ok(json!(null)));
    }
}

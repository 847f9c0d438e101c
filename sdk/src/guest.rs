//! The inside of the component: the world's imports as a [`Host`], its exports as calls of an [`Interlinker`].

use crate::interlinker::{Interlinker, Request, run};
use crate::log::Level;
use crate::outside::Outside;
use crate::problem::Problem;
use crate::session::{Host, Session};

/// What wit-bindgen makes of the world: the only code of this SDK that is `unsafe`.
#[allow(unsafe_code, missing_docs, clippy::all)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        world: "interlinker",
        pub_export_macro: true,
        runtime_path: "::interlink_sdk::__private::wit_bindgen::rt",
        default_bindings_module: "::interlink_sdk::__private::bindings",
    });
}

use bindings::interlink::interlinker::{clock, context, http, log, outcome, random, secrets, state, types};

pub(crate) struct Imports;

impl Host for Imports {
    fn get(&self, key: &str) -> Option<Vec<u8>> {
        state::get(key)
    }

    fn set(&self, key: &str, value: &[u8]) {
        state::set(key, value);
    }

    fn delete(&self, key: &str) {
        state::delete(key);
    }

    fn range(&self, prefix: &str, after: Option<&str>, limit: u32) -> Vec<(String, Vec<u8>)> {
        state::range(prefix, after, limit)
    }

    fn count(&self, prefix: &str) -> u64 {
        state::count(prefix)
    }

    fn declare_outcome(&self, outcome: &str) {
        outcome::declare(outcome);
    }
}

impl Outside for Imports {
    fn now(&self) -> i64 {
        clock::now()
    }

    fn random(&self, count: u32) -> Vec<u8> {
        random::bytes(count)
    }

    fn http(&self, request: &str, body: &[u8]) -> Result<(String, Vec<u8>), Problem> {
        http::send(request, body).map_err(Problem::from)
    }

    fn secret(&self, name: &str) -> Option<String> {
        secrets::get(name)
    }
}

pub(crate) fn write_log(level: Level, message: &str) {
    log::write(level.as_str(), message);
}

/// The export `instantiate`.
pub fn instantiate<I: Interlinker>(input: &str) -> Result<String, types::Problem> {
    answer::<I>(Request::Instantiate(input))
}

/// The export `call`.
pub fn call<I: Interlinker>(action: &str, input: &str) -> Result<String, types::Problem> {
    answer::<I>(Request::Call { action, input })
}

/// The export `view`.
pub fn view<I: Interlinker>(query: &str) -> Result<String, types::Problem> {
    answer::<I>(Request::View(query))
}

fn answer<I: Interlinker>(request: Request<'_>) -> Result<String, types::Problem> {
    report_panics();
    run::<I>(Session::new(Imports), &context::get(), request).map_err(types::Problem::from)
}

/// A panic is a trap, which carries no text: its text goes to the log first.
fn report_panics() {
    std::panic::set_hook(Box::new(|panic| log::write("error", &panic.to_string())));
}

impl From<Problem> for types::Problem {
    fn from(problem: Problem) -> Self {
        Self {
            code: problem.code,
            detail: problem.detail,
            pointer: problem.pointer,
            data: problem.data.map(|data| data.to_string()),
        }
    }
}

impl From<types::Problem> for Problem {
    fn from(types::Problem { code, detail, pointer, data }: types::Problem) -> Self {
        // Data that is no JSON says nothing that the sentence does not.
        let data = data.and_then(|data| serde_json::from_str(&data).ok());
        Self { code, detail, pointer, data }
    }
}

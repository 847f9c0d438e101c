//! The inside of the component: the world's imports as a [`Host`], its exports as calls of an [`Interlinker`].

use crate::interlinker::{Interlinker, Request, run};
use crate::log::Level;
use crate::outside::Outside;
use crate::problem::Problem;
use crate::session::{Host, Session};

/// What wit-bindgen makes of the world: with the allocator, the only code of this SDK that is `unsafe`.
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

/// The export of an Interlinker whose assets move from an earlier version.
#[allow(unsafe_code, missing_docs, clippy::all)]
pub mod migration {
    wit_bindgen::generate!({
        path: "wit",
        world: "with-migration",
        pub_export_macro: true,
        export_macro_name: "export_migration",
        runtime_path: "::interlink_sdk::__private::wit_bindgen::rt",
        default_bindings_module: "::interlink_sdk::__private::guest::migration",
        with: { "interlink:interlinker/types@1.1.0": crate::guest::bindings::interlink::interlinker::types },
    });
}

/// The export of an Interlinker that sets alarms.
#[allow(unsafe_code, missing_docs, clippy::all)]
pub mod alarms {
    wit_bindgen::generate!({
        path: "wit",
        world: "with-alarms",
        pub_export_macro: true,
        export_macro_name: "export_alarms",
        runtime_path: "::interlink_sdk::__private::wit_bindgen::rt",
        default_bindings_module: "::interlink_sdk::__private::guest::alarms",
        with: { "interlink:interlinker/types@1.1.0": crate::guest::bindings::interlink::interlinker::types },
    });
}

use bindings::interlink::interlinker::{
    assets, blobs, clock, context, http, log, notify, outcome, people, random, schedule, secrets, settings, state,
    types, usage,
};

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

    fn settings(&self) -> String {
        settings::get()
    }

    fn people(&self) -> Result<String, Problem> {
        people::all().map_err(Problem::from)
    }

    fn act_on(&self, asset: &str, action: &str, input: &str) -> Result<String, Problem> {
        assets::call(asset, action, input).map_err(Problem::from)
    }

    fn notify(&self, message: &str) -> Result<(), Problem> {
        notify::send(message).map_err(Problem::from)
    }

    fn note(&self, word: &str, amount: i64) -> Result<(), Problem> {
        usage::note(word, amount).map_err(Problem::from)
    }

    fn set_alarm(&self, name: &str, at: i64, input: &str) -> Result<(), Problem> {
        schedule::set(name, at, input).map_err(Problem::from)
    }

    fn cancel_alarm(&self, name: &str) -> bool {
        schedule::cancel(name)
    }

    fn put_blob(&self, media_type: &str, content: &[u8]) -> Result<String, Problem> {
        blobs::put(media_type, content).map_err(Problem::from)
    }

    fn blob_size(&self, digest: &str) -> Option<u64> {
        blobs::size(digest)
    }

    fn blob(&self, digest: &str, offset: u64, limit: u32) -> Option<Vec<u8>> {
        blobs::get(digest, offset, limit)
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

/// The export `ring`.
pub fn ring<I: Interlinker>(name: &str, input: &str) -> Result<String, types::Problem> {
    answer::<I>(Request::Ring { name, input })
}

/// The export `migrate`.
pub fn migrate<I: Interlinker>(version: &str) -> Result<String, types::Problem> {
    answer::<I>(Request::Migrate(version))
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

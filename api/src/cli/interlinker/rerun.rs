//! `interlink interlinker failures`, `fetch` and `rerun`: what failed on a server, run again on the author's machine.

use std::path::Path;
use std::sync::Arc;

use interlink_host::{
    Ambience, Durable, Failure, Host, HostConfig, HttpRequest, HttpResponse, Kind, Limits, Outbound, OutboundError,
    Record, RecordFault,
};
use serde_json::{Value, json};

use super::run::context;
use crate::cli::{Output, print_json, print_table, text};
use crate::client::Client;
use crate::taken::Taken;

/// Pages of the registry that are looked at for failures.
const PAGES: usize = 20;

/// Lists the calls in which an Interlinker failed.
pub fn failures(name: &str, client: &Client, output: Output) -> Result<(), String> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    for _ in 0..PAGES {
        let page = client.get(&format!("/v1/usage?interlinker={name}&limit=1000{cursor}"))?;
        let items = page["items"].as_array().cloned().unwrap_or_default();
        found.extend(items.into_iter().filter(|used| used["kind"] == "failure"));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    found.reverse();
    if output == Output::Json {
        print_json(&json!({ "items": found }));
        return Ok(());
    }
    let row = |used: &Value| {
        let version = text(&used["interlinker"]["version"]);
        [text(&used["at"]), version, text(&used["action"]), text(&used["reason"]), text(&used["call"])].to_vec()
    };
    print_table(&["at", "version", "action", "failed by", "call"], &found.iter().map(row).collect::<Vec<_>>());
    Ok(())
}

/// Fetches a call into a file.
pub fn fetch(call: &str, file: &Path, secrets: bool, client: &Client) -> Result<(), String> {
    let taken = client.get(&format!("/v1/calls/{call}{}", if secrets { "?secrets=true" } else { "" }))?;
    if file.exists() {
        return Err(format!("{} is there already", file.display()));
    }
    let bytes = serde_json::to_vec_pretty(&taken).map_err(|error| error.to_string())?;
    std::fs::write(file, bytes).map_err(|error| format!("{}: {error}", file.display()))?;
    println!("{} holds the call, with what people wrote in it: keep it as long as it takes", file.display());
    Ok(())
}

/// Runs a call again.
pub fn rerun(file: &Path, component: &Path) -> Result<(), String> {
    let read = |path: &Path| std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    let taken = Taken::read(&String::from_utf8_lossy(&read(file)?))?;
    let bytes = read(component)?;
    let config = HostConfig { threads: 2, cache: None, secret: [0; 32], limits: Limits::default() };
    let host = Host::new(config).map_err(|error| error.to_string())?;
    let interlinker = host.load(&bytes).map_err(|error| format!("{}: {error}", component.display()))?;
    let of = &taken.interlinker;
    println!("{} {}, as it was called on a server", text(&of["name"]), text(&of["version"]));
    if of["digest"] != interlinker.digest() {
        println!("{} is another build than the one that was called", component.display());
    }
    if taken.blobs_left > 0 {
        println!(
            "{} of its blobs are larger than what is taken along: for this run they are not there",
            taken.blobs_left
        );
    }
    let (call, recorded) = taken.call(context(taken.context()))?;
    let nothing = Arc::new(Nothing);
    let durable = Durable {
        id: "rerun".into(),
        grants: call.given.grants.clone(),
        ambience: Arc::clone(&nothing) as Arc<dyn Ambience>,
        outbound: Arc::clone(&nothing) as Arc<dyn Outbound>,
        company: None,
        record: nothing,
        recorded,
    };
    let (tell, told) = std::sync::mpsc::channel();
    host.call_durably(&interlinker, call, durable, Box::new(move |called| drop(tell.send(called))));
    let called = told.recv().map_err(|_| "the call did not end")?;
    for line in &called.logs {
        println!("{:<5} {}", line.level, line.message);
    }
    match called.result {
        Ok(done) => println!("answered {}", done.output),
        Err(Failure::Refused(problem)) => println!("refused: {} ({})", problem.detail, problem.code),
        Err(Failure::Failed(fault)) => println!("failed: {fault}"),
        Err(Failure::NotBegun) => println!("it was not begun"),
    }
    if let Some(failure) = &taken.failure {
        println!("on the server it failed: {}", text(&failure["detail"]));
    }
    Ok(())
}

/// Nothing beyond the record.
struct Nothing;

impl Ambience for Nothing {
    fn now(&self) -> i64 {
        0
    }

    fn random(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }

    fn secret(&self, _: &str) -> Option<String> {
        None
    }
}

impl Outbound for Nothing {
    fn send(&self, _: &HttpRequest) -> Result<HttpResponse, OutboundError> {
        Err(OutboundError::Refused { reason: "a call that is run again sends nothing".into() })
    }
}

impl Record for Nothing {
    fn started(&self) -> Result<(), RecordFault> {
        Err(RecordFault { reason: "it asks the world outside, and did not on the server".into() })
    }

    fn answered(&self, number: u32, _: Kind, _: &[u8], _: &[u8]) -> Result<(), RecordFault> {
        Err(RecordFault { reason: format!("its record ends before question {number}") })
    }
}

//! How long calls of the poll take: the wait for a thread, making the instance, the call itself; one caller.
//!
//! `cargo run --release -p interlink-host --example call_latency -- [calls]`

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Instant;

use interlink_host::{Call, CallContext, Cost, Done, Entry, Host, HostConfig, Interlinker, Limits};
use interlink_model::keyvalues::KeyValues;
use serde_json::{Value, json};

/// Calls of each kind, unless told otherwise.
const CALLS: usize = 20_000;
/// Calls that are made before any is counted.
const WARM_UP: usize = 200;

type Error = Box<dyn std::error::Error>;

/// What calls of one kind took.
#[derive(Default)]
struct Taken {
    costs: Vec<Cost>,
    whole_us: Vec<u64>,
}

impl Taken {
    fn print(&self, name: &str) {
        let parts: [(&str, Vec<u64>); 5] = [
            ("wait", self.costs.iter().map(|cost| cost.wait_us).collect()),
            ("instantiate", self.costs.iter().map(|cost| cost.instantiate_us).collect()),
            ("call", self.costs.iter().map(|cost| cost.call_us).collect()),
            ("whole", self.whole_us.clone()),
            ("fuel", self.costs.iter().map(|cost| cost.fuel).collect()),
        ];
        for (part, mut numbers) in parts {
            numbers.sort_unstable();
            let unit = if part == "fuel" { "" } else { "us" };
            let (half, most) = (percentile(&numbers, 50), percentile(&numbers, 99));
            println!("{name:<12} {part:<12} p50 {half:>8} {unit:<2}  p99 {most:>8} {unit}");
        }
    }
}

/// A percentile of sorted numbers.
fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or_default()
}

struct Caller {
    host: Host,
    poll: Arc<Interlinker>,
}

impl Caller {
    fn call(&self, person: usize, entry: Entry, state: &KeyValues) -> Result<(Done, Cost, u64), Error> {
        let context = CallContext {
            person: Some(format!("person-{person:08}")),
            language: "en".into(),
            at: "2026-01-01T09:00:00Z".into(),
            ..CallContext::default()
        };
        let (tell, told) = channel();
        let began = Instant::now();
        let call = Call { entry, state: state.clone(), context, given: Default::default() };
        self.host.call(&self.poll, call, Box::new(move |called| drop(tell.send(called))));
        let called = told.recv()?;
        let whole_us = u64::try_from(began.elapsed().as_micros())?;
        match called.result {
            Ok(done) => Ok((done, called.cost, whole_us)),
            Err(failure) => Err(format!("a call was not done: {failure:?}").into()),
        }
    }
}

fn main() -> Result<(), Error> {
    let calls = std::env::args().nth(1).map_or(Ok(CALLS), |calls| calls.parse())?;
    let limits = Limits::default();
    let host = Host::new(HostConfig { threads: 2, cache: None, secret: [0; 32], limits })?;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interlinkers/dist/poll.wasm");
    let poll = host.load(&std::fs::read(path)?)?;
    let caller = Caller { host, poll };
    let input = json!({"question": "Which park?", "options": ["A", "B"], "quorum": 1_000_000_000});
    let mut state = caller.call(0, Entry::Instantiate { input }, &KeyValues::default())?.0.state;

    let mut votes = Taken::default();
    for person in 0..WARM_UP + calls {
        let entry = Entry::Action { name: "vote".into(), input: json!({"option": "A"}) };
        let (done, cost, whole_us) = caller.call(person, entry, &state)?;
        state = done.state;
        if person >= WARM_UP {
            votes.costs.push(cost);
            votes.whole_us.push(whole_us);
        }
    }
    let mut views = Taken::default();
    for _ in 0..calls {
        let (_, cost, whole_us) = caller.call(0, Entry::View { query: Value::Object(Default::default()) }, &state)?;
        views.costs.push(cost);
        views.whole_us.push(whole_us);
    }
    println!("{calls} calls each, the poll holds {} keys at the end", state.len());
    votes.print("vote");
    views.print("view");
    Ok(())
}

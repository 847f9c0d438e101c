//! A server under load through HTTP, killed and started again: what was acknowledged has to be there.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use super::Outcome;
use super::engine::BUDGET;
use super::measured::Measured;
use crate::client::Client;
use crate::identity::{Role, mint};

/// Who makes processes side by side.
const WRITERS: usize = 16;
/// How long the token is good for, in seconds.
const TOKEN_S: u64 = 3_600;
/// The schema as the server imports it.
const SCHEMA: &str = include_str!("../../../../examples/schemas/participatory-budget.yaml");

/// What came of it.
pub struct Killed {
    /// Commands until the kill.
    pub commands: Measured,
    /// Those that were acknowledged.
    pub acknowledged: usize,
    /// Those of them that are not there after the start.
    pub lost: usize,
    /// From the start to where it is ready, in seconds.
    pub start_s: f64,
}

struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(place: &Path) -> Outcome<Self> {
        let binary = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut serve = Command::new(binary);
        serve.arg("serve").arg("--data").arg(place).args(["--listen", "127.0.0.1:0"]).env("INTERLINK_LOG", "info");
        let child = serve.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        // Dropped, and so ended, where it does not become ready.
        let mut server = Self { child: child.map_err(|error| error.to_string())?, address: String::new() };
        let mut said = BufReader::new(server.child.stderr.take().ok_or("its errors are not piped")?).lines();
        while let Some(Ok(line)) = said.next() {
            if let Some((_, address)) = line.split_once("http://") {
                server.address = format!("http://{}", address.trim());
                // A pipe that nobody reads fills up.
                std::thread::spawn(move || said.for_each(drop));
                return Ok(server);
            }
        }
        Err("the server ended before it was ready".into())
    }

    fn client(&self, place: &Path) -> Outcome<Client> {
        let secrets = interlink_runtime::keys::Secrets::read(place).map_err(|error| error.to_string())?;
        let token = mint(&secrets.tokens, "bench", Role::Operator, jsonwebtoken::get_current_timestamp(), TOKEN_S)?;
        Client::new(&self.address, Some(token))
    }
}

/// SIGKILL, whenever it is no longer wanted.
impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Has people make processes, kills the server under them, and counts.
pub fn killed(place: &Path, length: Duration) -> Outcome<Killed> {
    let server = Server::start(place)?;
    server.client(place)?.post("/v1/schemas", "application/yaml", SCHEMA.as_bytes())?;
    let clients = (0..WRITERS).map(|_| server.client(place)).collect::<Outcome<Vec<_>>>()?;
    let stop = AtomicBool::new(false);
    let answered: Vec<(String, Duration)> = std::thread::scope(|scope| {
        let writers: Vec<_> = clients.iter().map(|client| scope.spawn(|| write(client, &stop))).collect();
        std::thread::sleep(length);
        drop(server);
        stop.store(true, Ordering::Relaxed);
        writers.into_iter().flat_map(|writer| writer.join().unwrap_or_default()).collect()
    });
    let began = Instant::now();
    let server = Server::start(place)?;
    let start_s = began.elapsed().as_secs_f64();
    let client = server.client(place)?;
    let lost = answered.iter().filter(|(id, _)| client.get(&format!("/v1/processes/{id}")).is_err()).count();
    let acknowledged = answered.len();
    let taken = answered.into_iter().map(|(_, took)| took).collect();
    Ok(Killed { commands: Measured::of(taken, length), acknowledged, lost, start_s })
}

/// Makes processes until there is no answer; ids and how long each took.
fn write(client: &Client, stop: &AtomicBool) -> Vec<(String, Duration)> {
    let body = json!({"schema": BUDGET, "name": "Under a kill"}).to_string();
    let mut answered = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        let Ok(made) = client.post("/v1/processes", "application/json", body.as_bytes()) else { break };
        answered.extend(made["id"].as_str().map(|id| (id.to_owned(), began.elapsed())));
    }
    answered
}

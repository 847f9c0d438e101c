//! `cargo xtask demo`: one real process, from nothing to its end, over HTTP and with real Interlinkers.
//!
//! It uses the product as its people do: the command line for what an operator does, HTTP for everything else. Nothing
//! here knows the engine.

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::guests;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Where the demo listens, if nobody else does.
const ADDRESS: &str = "127.0.0.1:7007";
/// People who vote beside Ana.
const VOTERS: usize = 42;
const QUORUM: usize = 30;
/// People whom the service serves, once it is open.
const VISITORS: usize = 24;
/// What the file of the service calls it.
const SERVICE: &str = "playgrounds-2027";
/// How long the server may take to start.
const START: Duration = Duration::from_secs(60);

/// Runs the demo.
pub fn run(options: &[&str]) -> Outcome<()> {
    let exit = match options {
        [] => false,
        ["--exit"] => true,
        _ => return Err(format!("these options are not known: {}", options.join(" ")).into()),
    };
    let root = guests::workspace_root();
    let began = Instant::now();
    guests::run(&[])?;
    say("guests", &format!("poll, document built in {:.0} s", began.elapsed().as_secs_f32()));
    let began = Instant::now();
    let binary = build_server(&root)?;
    say("server", &format!("built in {:.0} s", began.elapsed().as_secs_f32()));
    let target = guests::target_folder(&root);
    let data = target.join("demo");
    if data.exists() {
        std::fs::remove_dir_all(&data)?;
    }
    let server = Server::start(&binary, &data, &target.join("guests"))?;
    drive(&server, &root)?;
    let token = data.join("token");
    std::fs::write(&token, &server.token)?;
    println!();
    println!("  Served at {}", server.url);
    if exit {
        return server.stop();
    }
    println!("  Still serving. Try:");
    println!("    curl -H \"Authorization: Bearer $(cat {})\" {}/v1/processes", shown(&root, &token), server.url);
    println!("    {} adoption        (with INTERLINK_TOKEN=$(cat {}))", shown(&root, &binary), shown(&root, &token));
    println!("  Stop with Ctrl-C.");
    server.wait()
}

fn shown(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

fn say(what: &str, how: &str) {
    println!("  {what:<10} {how}");
}

fn build_server(root: &Path) -> Outcome<PathBuf> {
    let mut build = Command::new(env!("CARGO"));
    build.current_dir(root).args(["build", "--quiet", "--package", "interlink", "--bin", "interlink"]);
    if !build.status()?.success() {
        return Err("the server does not build".into());
    }
    Ok(guests::target_folder(root).join("debug/interlink"))
}

/// A server that this process started, and ends.
struct Server {
    process: Child,
    binary: PathBuf,
    data: PathBuf,
    url: String,
    token: String,
    agent: ureq::Agent,
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already gone where it was stopped in order.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    fn start(binary: &Path, data: &Path, components: &Path) -> Outcome<Self> {
        let began = Instant::now();
        let free = std::net::TcpListener::bind(ADDRESS).is_ok();
        let listen = if free { ADDRESS } else { "127.0.0.1:0" };
        let mut serve = Command::new(binary);
        serve.arg("serve").arg("--data").arg(data).args(["--listen", listen]).arg("--interlinkers").arg(components);
        let mut process = serve.stdin(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let log = process.stderr.take().ok_or("the server has no log")?;
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(log).lines().map_while(Result::ok) {
                if let Some((_, url)) = line.split_once("http://") {
                    // Nobody listens any more once the address is known.
                    let _ = tell.send(format!("http://{}", url.trim()));
                } else if line.contains("ERROR") || line.contains("WARN") {
                    eprintln!("{line}");
                }
            }
        });
        let url = told.recv_timeout(START).map_err(|_| "the server did not start; run `interlink serve` to see why")?;
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(START)).build();
        let mut server =
            Self { process, binary: binary.into(), data: data.into(), url, token: String::new(), agent: config.into() };
        server.token = server.mint("ana", "operator")?;
        say(
            "server",
            &format!("{}  data in {}  up in {:.1} s", server.url, data.display(), began.elapsed().as_secs_f32()),
        );
        Ok(server)
    }

    fn mint(&self, login: &str, role: &str) -> Outcome<String> {
        let data = self.data.display().to_string();
        Ok(self.cli(&["token", login, "--role", role, "--data", &data])?.trim().to_owned())
    }

    fn cli(&self, arguments: &[&str]) -> Outcome<String> {
        let mut command = Command::new(&self.binary);
        command.args(arguments).env("INTERLINK_TOKEN", &self.token).env("INTERLINK_SERVER", &self.url);
        let output = command.output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(format!("interlink {}: {said}", arguments.join(" ")).into());
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    fn get(&self, path: &str) -> Outcome<Value> {
        let request = self.agent.get(format!("{}{path}", self.url));
        let mut answer = request.header("authorization", format!("Bearer {}", self.token)).call()?;
        let status = answer.status().as_u16();
        let body: Value = answer.body_mut().read_json()?;
        if status == 200 { Ok(body) } else { Err(format!("GET {path} answered {status}: {body}").into()) }
    }

    /// Sends a command as somebody; answers status and body.
    fn post(&self, token: &str, path: &str, body: &Value) -> Outcome<(u16, Value)> {
        let request = self.agent.post(format!("{}{path}", self.url));
        let mut answer = request.header("authorization", format!("Bearer {token}")).send_json(body)?;
        Ok((answer.status().as_u16(), answer.body_mut().read_json()?))
    }

    /// Looks at something as nobody in particular, or with the token of a visit; answers status and body.
    fn ask_at_door(&self, visit: Option<&str>, path: &str) -> Outcome<(u16, Value)> {
        let mut request = self.agent.get(format!("{}{path}", self.url));
        if let Some(token) = visit {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut answer = request.call()?;
        Ok((answer.status().as_u16(), answer.body_mut().read_json()?))
    }

    /// The same, for what changes something.
    fn post_at_door(&self, visit: Option<&str>, path: &str, body: &Value) -> Outcome<(u16, Value)> {
        let mut request = self.agent.post(format!("{}{path}", self.url));
        if let Some(token) = visit {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut answer = request.send_json(body)?;
        Ok((answer.status().as_u16(), answer.body_mut().read_json()?))
    }

    fn done(&self, path: &str, body: &Value) -> Outcome<Value> {
        match self.post(&self.token, path, body)? {
            (200 | 201, answer) => Ok(answer),
            (status, answer) => Err(format!("POST {path} answered {status}: {answer}").into()),
        }
    }

    /// Stops it in order, and makes sure that it ended well.
    fn stop(mut self) -> Outcome<()> {
        let id = self.process.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status()?;
        let status = self.process.wait()?;
        if status.success() { Ok(()) } else { Err(format!("the server ended with {status}").into()) }
    }

    fn wait(mut self) -> Outcome<()> {
        // Ctrl-C reaches the server too, which stops in order.
        self.process.wait()?;
        Ok(())
    }
}

/// The story: a service is provisioned, its process driven to its end but one task, and it is opened to its people.
fn drive(server: &Server, root: &Path) -> Outcome<()> {
    let schema = root.join("examples/schemas/participatory-budget.yaml");
    let imported = server.cli(&["schema", "import", &schema.display().to_string(), "--output", "json"])?;
    let imported: Value = serde_json::from_str(&imported)?;
    let count = |value: &Value, of: &str| -> usize { value[of].as_array().map_or(0, Vec::len) };
    let phases = imported["phases"].as_array().cloned().unwrap_or_default();
    let objectives: Vec<Value> =
        phases.iter().flat_map(|phase| phase["objectives"].as_array().cloned()).flatten().collect();
    let tasks: usize = objectives.iter().map(|objective| count(objective, "tasks")).sum();
    let (name, version) = (text(&imported["name"]), text(&imported["version"]));
    say(
        "schema",
        &format!("{name} {version}  {} phases, {} objectives, {tasks} tasks", phases.len(), objectives.len()),
    );
    let service = root.join("examples/services/playgrounds.yaml").display().to_string();
    println!();
    println!("  Ana provisions a service from examples/services/playgrounds.yaml");
    indent(&server.cli(&["provision", "plan", &service])?);
    let applied = server.cli(&["provision", "apply", &service, "--output", "json"])?;
    let applied: Value = serde_json::from_str(&applied)?;
    let again = server.cli(&["provision", "apply", &service, "--output", "json"])?;
    let again: Value = serde_json::from_str(&again)?;
    if applied["process"] != again["process"] {
        return Err("applying twice made two processes".into());
    }
    let process = text(&applied["process"]);
    println!("  Applied, and applied again: one process, {process}");
    println!();
    let mut asked = false;
    let mut written = false;
    for finished in 0..tasks - 1 {
        let guide = server.get(&format!("/v1/processes/{process}/guide"))?;
        let next = &guide["next"][0];
        let task = text(&next["task"]["id"]);
        bar(finished, tasks, &format!("next: {}   ({})", text(&next["task"]["name"]), text(&next["why"])));
        let recommended: Vec<String> = next["recommendations"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|found| text(&found["interlinker"]["name"]))
            .collect();
        if recommended.contains(&"document".to_owned()) && !written {
            write_together(server, &process, &task)?;
            written = true;
        }
        if task == "open-vote" && !asked {
            decide_together(server, &process, &task)?;
            asked = true;
        }
        server.done(&format!("/v1/processes/{process}/tasks/{task}/complete"), &json!({"comment": "done"}))?;
    }
    let guide = server.get(&format!("/v1/processes/{process}/guide"))?;
    let left = &guide["next"][0]["task"];
    bar(tasks - 1, tasks, &format!("{} of {tasks} tasks · left for you: {}", tasks - 1, text(&left["name"])));
    println!();
    registry(server, &process)?;
    println!();
    serve_people(server)?;
    println!();
    println!("  adoption                                                          GET /v1/adoption");
    indent(&server.cli(&["adoption"])?);
    Ok(())
}

fn write_together(server: &Server, process: &str, task: &str) -> Outcome<()> {
    let made = server.done(
        &format!("/v1/processes/{process}/tasks/{task}/assets"),
        &json!({"interlinker": "document", "name": "What we want", "input": {
            "title": "What we want", "sections": [{"id": "aim", "heading": "Aim", "text": "Places where children play."}]}}),
    )?;
    let asset = text(&made["id"]);
    let boris = server.mint("boris", "member")?;
    let write = json!({"section": "aim", "text": "Places where children play and their elders sit in the shade."});
    let (status, answer) = server.post(&boris, &format!("/v1/assets/{asset}/actions/write"), &write)?;
    if status != 200 {
        return Err(format!("Boris could not write: {answer}").into());
    }
    let view = server.get(&format!("/v1/assets/{asset}/view"))?;
    let section = &view["sections"][0];
    println!("      ▸ document \"What we want\": Ana begins, Boris rewrites `aim`, revision {}", section["revision"]);
    Ok(())
}

fn decide_together(server: &Server, process: &str, task: &str) -> Outcome<()> {
    let options = ["Riverside park", "School yard", "Old market"];
    let made = server.done(
        &format!("/v1/processes/{process}/tasks/{task}/assets"),
        &json!({"interlinker": "poll", "name": "Which park first?", "input": {
            "question": "Which park first?", "options": options, "quorum": QUORUM}}),
    )?;
    let asset = text(&made["id"]);
    println!("      ▸ poll \"Which park first?\": Ana opens it, quorum {QUORUM}; {VOTERS} people vote");
    for voter in 0..VOTERS {
        let token = server.mint(&format!("citizen-{voter}"), "member")?;
        let option = options[(voter * voter + voter / 3) % options.len()];
        let (status, answer) =
            server.post(&token, &format!("/v1/assets/{asset}/actions/vote"), &json!({"option": option}))?;
        if status != 200 {
            return Err(format!("a vote was refused: {answer}").into());
        }
        if voter == 0 {
            let (status, answer) =
                server.post(&token, &format!("/v1/assets/{asset}/actions/vote"), &json!({"option": options[1]}))?;
            println!("        a second vote by the same person: {status}, {}", text(&answer["detail"]));
        }
    }
    let view = server.get(&format!("/v1/assets/{asset}/view"))?;
    for option in options {
        let votes = view["votes"][option].as_u64().unwrap_or(0) as usize;
        println!("        {option:<16} {:<24} {votes}", "█".repeat(votes));
    }
    let shown = server.get(&format!("/v1/assets/{asset}"))?;
    if shown["outcome"].is_null() {
        return Err("the quorum was reached and no outcome declared".into());
    }
    println!("        outcome declared when the quorum was reached: {}", shown["outcome"]);
    Ok(())
}

/// What was co-produced is opened to the people whom it serves.
fn serve_people(server: &Server) -> Outcome<()> {
    let options = ["Riverside park", "School yard", "Old market"];
    let (door, vote) = (format!("/v1/services/{SERVICE}"), "which-first/actions/vote");
    println!("  the service                                                        /v1/services/{SERVICE}/…");
    let (closed, answer) = server.ask_at_door(None, &format!("{door}/open"))?;
    println!("    before it is active: {closed}, {}", text(&answer["detail"]));
    server.cli(&["service", "activate", SERVICE, "--reason", "the playgrounds are built"])?;
    let (status, open) = server.ask_at_door(None, &format!("{door}/open"))?;
    if status != 200 {
        return Err(format!("the service is not open: {open}").into());
    }
    let names: Vec<_> = open["items"].as_array().into_iter().flatten().map(|item| text(&item["id"])).collect();
    println!("    Ana activates it; anybody sees what is open: {}", names.join(", "));
    for visitor in 0..VISITORS {
        let (status, visit) = server.post_at_door(None, &format!("{door}/visits"), &json!({}))?;
        let token = visit["token"].as_str().ok_or_else(|| format!("no visit: {status} {visit}"))?.to_owned();
        let choice = json!({"option": options[(visitor * visitor + visitor / 3) % options.len()]});
        let (status, answer) = server.post_at_door(Some(&token), &format!("{door}/{vote}"), &choice)?;
        if status != 200 {
            return Err(format!("a visitor was refused: {answer}").into());
        }
        if visitor == 0 {
            let (status, answer) = server.post_at_door(Some(&token), &format!("{door}/{vote}"), &choice)?;
            println!("    a second vote of the same visit: {status}, {}", text(&answer["detail"]));
            let (status, _) = server.ask_at_door(Some(&token), "/v1/processes")?;
            println!("    the token of a visit on any other route: {status}");
        }
    }
    let (_, view) = server.ask_at_door(None, &format!("{door}/which-first/view"))?;
    for option in options {
        let votes = view["votes"][option].as_u64().unwrap_or(0) as usize;
        println!("    {option:<16} {:<24} {votes}", "█".repeat(votes));
    }
    server.cli(&["service", "pause", SERVICE, "--reason", "we count"])?;
    let (status, answer) = server.post_at_door(None, &format!("{door}/{vote}"), &json!({"option": options[0]}))?;
    println!("    paused: {status}, {}", text(&answer["detail"]));
    server.cli(&["service", "activate", SERVICE])?;
    // A view's record does not hold up its answer: it is there a moment later.
    std::thread::sleep(Duration::from_millis(200));
    indent(&server.cli(&["service", "show", SERVICE])?);
    Ok(())
}

/// The registry of usage, counted by Interlinker, kind and outcome.
fn registry(server: &Server, process: &str) -> Outcome<()> {
    let mut counts = std::collections::BTreeMap::<(String, String, String), usize>::new();
    let mut people = std::collections::BTreeSet::new();
    let mut path = format!("/v1/usage?process={process}&limit=1000");
    // A view's record does not hold up its answer: it is there a moment later.
    std::thread::sleep(Duration::from_millis(200));
    loop {
        let page = server.get(&path)?;
        for item in page["items"].as_array().into_iter().flatten() {
            let key = (text(&item["interlinker"]["name"]), text(&item["kind"]), text(&item["outcome"]));
            *counts.entry(key).or_default() += 1;
            people.insert(text(&item["actor"]));
        }
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/usage?process={process}&limit=1000&cursor={cursor}"),
            None => break,
        }
    }
    let total: usize = counts.values().sum();
    println!("  usage      {total} uses by {} people                              GET /v1/usage", people.len());
    for ((interlinker, kind, outcome), count) in counts {
        println!("    {interlinker:<10} {kind:<12} {outcome:<8} {count:>4}");
    }
    Ok(())
}

fn bar(done: usize, of: usize, what: &str) {
    const WIDTH: usize = 20;
    let filled = WIDTH * done / of;
    println!("  {}{}  {what}", "█".repeat(filled), "░".repeat(WIDTH - filled));
}

fn indent(text: &str) {
    text.lines().for_each(|line| println!("    {line}"));
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

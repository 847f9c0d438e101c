//! What a good guest does, checked of any component: it answers or refuses and never traps, its views change nothing,
//! and the same call comes to the same.
//!
//! Inputs are made from the manifest's schemas, and every odd thing that these let through is tried too. What an
//! Interlinker is for nobody here knows: a check says that it keeps to the boundary, not that it is right.

mod samples;
mod upgrade;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use interlink_host::{
    AlarmChange, Answers, Call, CallContext, Called, Done, Entry, Failure, Given, Host, HostConfig, Interlinker,
    Limits, Recorded, check_examples, is_code,
};
use interlink_model::keyvalues::KeyValues;
use interlink_model::manifest::Manifest;
use interlink_model::schema::Text;
use serde_json::{Value, json};

use self::world::{Mood, World, grants};

/// Longer than any call takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// Findings of one check that are told.
const FINDINGS_MAX: usize = 10;

/// What a good guest does, in the order in which it is checked.
pub const CHECKS: [&str; 12] = [
    "it can be published",
    "it has a title in every language that it claims",
    "what its manifest names it exports",
    "it can be made",
    "it answers or refuses, and never fails",
    "it refuses an action that it does not have",
    "its refusals have a word that programs know",
    "its view changes nothing and is the same twice",
    "the same call with the same answers comes to the same, for the same fuel",
    "it takes a no, and silence, for an answer",
    "it answers what its manifest says",
    "it takes over what an earlier version left",
];
/// The check of what it answers.
const ANSWERS: usize = 10;
/// The last one, which is made where there is an earlier version.
const TAKES_OVER: usize = 11;

/// What came of the checks: what is wrong, by the check.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings(pub BTreeMap<&'static str, Vec<String>>);

impl Findings {
    /// Whether nothing is wrong.
    pub fn is_good(&self) -> bool {
        self.0.is_empty()
    }

    fn add(&mut self, check: usize, what: impl Into<String>) {
        let found = self.0.entry(CHECKS[check]).or_default();
        let what = what.into();
        if found.len() < FINDINGS_MAX && !found.contains(&what) {
            found.push(what);
        }
    }
}

/// Checks a component, and that it takes over what an earlier version leaves, where there is one.
///
/// # Errors
///
/// When there is no host to check it with, or the earlier version is none.
pub fn check(component: &[u8], earlier: Option<&[u8]>) -> Result<Findings, String> {
    let config = HostConfig { threads: 2, cache: None, secret: [0; 32], limits: Limits::default() };
    let host = Host::new(config).map_err(|error| error.to_string())?;
    let earlier = earlier.map(|earlier| host.load(earlier)).transpose();
    let earlier = earlier.map_err(|error| format!("the earlier version cannot be published: {error}"))?;
    let mut findings = Findings::default();
    match host.load(component) {
        Ok(guest) => {
            if let Err(error) = check_examples(guest.manifest()) {
                findings.add(0, error.to_string());
            }
            let answers = Answers::of(guest.manifest()).unwrap_or_else(|error| {
                findings.add(ANSWERS, error.to_string());
                Answers::default()
            });
            let mut checking = Checking { host, guest, answers, findings: &mut findings };
            checking.all();
            if let Some(earlier) = earlier {
                checking.takes_over(&earlier);
            }
        }
        Err(error) => findings.add(0, error.to_string()),
    }
    Ok(findings)
}

/// An asset in the making.
#[derive(Clone, Default)]
struct Asset {
    state: KeyValues,
    alarms: BTreeSet<String>,
}

struct Checking<'f> {
    host: Host,
    guest: Arc<Interlinker>,
    answers: Answers,
    findings: &'f mut Findings,
}

/// How a call ended, as far as two runs have to agree.
#[derive(Debug, PartialEq)]
enum Ended {
    Done(Value, Vec<(String, Option<Vec<u8>>)>, Option<Value>),
    Refused(String, String),
    Failed(&'static str, String),
}

impl Checking<'_> {
    fn all(&mut self) {
        let manifest = self.guest.manifest().clone();
        self.names(&manifest);
        let mut made: Vec<Asset> = Vec::new();
        for input in samples::inputs(&manifest.instantiate.input) {
            if self.guest.check_instantiate(&input).is_ok() {
                let done = self.tried(Entry::Instantiate { input }, &Asset::default());
                made.extend(done.map(|done| after(&Asset::default(), done)));
            }
        }
        if made.is_empty() {
            self.findings.add(3, "none of the inputs that its schema lets through makes an asset");
        }
        for asset in made.first().into_iter().chain(made.get(1..).and_then(<[_]>::last)) {
            self.used(&manifest, asset.clone());
        }
    }

    /// What the manifest says of itself.
    fn names(&mut self, manifest: &Manifest) {
        let actions = manifest.actions.iter().map(|action| (format!("the action `{}`", action.name), &action.title));
        let titles: Vec<_> = [("it".to_owned(), &manifest.title)].into_iter().chain(actions).collect();
        for (what, Text(title)) in titles {
            for language in manifest.languages.iter().filter(|language| !title.contains_key(language.as_str())) {
                self.findings.add(1, format!("{what} has no title in {}", json!(language)));
            }
        }
        if !manifest.alarms.is_empty() && !self.guest.rings() {
            self.findings.add(2, format!("it sets alarms, {:?}, and exports no `alarms`", manifest.alarms));
        }
    }

    /// Uses an asset: every action with every input, an alarm, a move to its own version, and its view after each.
    fn used(&mut self, manifest: &Manifest, mut asset: Asset) {
        self.viewed(manifest, &asset);
        for action in &manifest.actions {
            for input in samples::inputs(&action.input) {
                if self.guest.check_action(&action.name, &input).is_ok() {
                    let entry = Entry::Action { name: action.name.clone(), input };
                    if let Some(done) = self.tried(entry, &asset) {
                        asset = after(&asset, done);
                    }
                }
            }
            self.viewed(manifest, &asset);
        }
        self.unknown(&asset);
        if self.guest.rings() {
            for name in manifest.alarms.iter().map(String::as_str).chain(["no-such-alarm"]) {
                self.tried(Entry::Ring { name: name.into(), input: json!({}) }, &asset);
            }
        }
        if self.guest.migrates() {
            self.tried(Entry::Migrate { version: manifest.version.to_string() }, &asset);
        }
    }

    /// An action that it does not have.
    fn unknown(&mut self, asset: &Asset) {
        for name in ["no-such-action", "", "ｇｏ\u{200b}"] {
            let entry = Entry::Action { name: name.into(), input: json!({}) };
            let (called, _) = self.call(&entry, asset, Mood::Granting, Vec::new());
            match ended(&called) {
                Ended::Refused(code, _) => self.word(&entry, &code),
                other => self.findings.add(5, format!("{name:?}: {other:.200?}")),
            }
        }
    }

    /// Makes a call in each mood of the world, and again with its record; what it came to where all was granted.
    fn tried(&mut self, entry: Entry, asset: &Asset) -> Option<Done> {
        let (called, world) = self.call(&entry, asset, Mood::Granting, Vec::new());
        let first = (ended(&called), called.cost.fuel);
        match &first.0 {
            Ended::Failed(limit, detail) => self.findings.add(4, format!("{}: `{limit}`: {detail:.200}", told(&entry))),
            Ended::Refused(code, _) => self.word(&entry, code),
            Ended::Done(output, ..) => self.fits(&entry, output),
        }
        let (again, _) = self.call(&entry, asset, Mood::Silent, world);
        let again_ended = (ended(&again), again.cost.fuel);
        if first != again_ended {
            self.findings.add(8, format!("{}: {first:.200?}, and then {again_ended:.200?}", told(&entry)));
        }
        for mood in [Mood::Refusing, Mood::Silent] {
            let (called, _) = self.call(&entry, asset, mood, Vec::new());
            match ended(&called) {
                Ended::Failed(limit, detail) => {
                    self.findings.add(9, format!("{} ({mood:?}): `{limit}`: {detail:.200}", told(&entry)));
                }
                Ended::Refused(code, _) => self.word(&entry, &code),
                Ended::Done(..) => {}
            }
        }
        called.result.ok()
    }

    /// Whether what was answered is what the manifest says.
    fn fits(&mut self, entry: &Entry, output: &Value) {
        if let Some(misfit) = self.answers.misfit(entry, output) {
            self.findings.add(ANSWERS, format!("{}: {misfit:.300}", told(entry)));
        }
    }

    /// Whether a code is a word.
    fn word(&mut self, entry: &Entry, code: &str) {
        if !is_code(code) {
            let why = "is no code: lower-case letters, digits and `-` between them, as in `already-voted`";
            self.findings.add(6, format!("{}: {code:.100?} {why}", told(entry)));
        }
    }

    /// Looks at an asset, twice.
    fn viewed(&mut self, manifest: &Manifest, asset: &Asset) {
        for query in samples::inputs(&manifest.view.query) {
            if self.guest.check_view(&query).is_err() {
                continue;
            }
            let entry = Entry::View { query };
            let [one, two] = [(), ()].map(|()| {
                let (called, _) = self.call(&entry, asset, Mood::Granting, Vec::new());
                (ended(&called), called.cost.fuel)
            });
            match &one.0 {
                Ended::Failed(limit, detail) => {
                    self.findings.add(7, format!("{}: `{limit}`: {detail:.200}", told(&entry)));
                }
                Ended::Refused(code, _) => self.word(&entry, code),
                Ended::Done(output, ..) => self.fits(&entry, output),
            }
            if one != two {
                self.findings.add(7, format!("{}: {one:.200?}, and then {two:.200?}", told(&entry)));
            }
        }
    }

    /// Makes a call; answers what came of it, and its record.
    fn call(&self, entry: &Entry, asset: &Asset, mood: Mood, fed: Vec<Recorded>) -> (Called, Vec<Recorded>) {
        let manifest = self.guest.manifest();
        // A call that is run again has what it was given, whatever is granted by then.
        let given_in = if fed.is_empty() { mood } else { Mood::Granting };
        let given = Given {
            settings: json!({}),
            grants: grants(given_in, manifest),
            blobs: None,
            alarms: asset.alarms.clone(),
        };
        let call = Call { entry: entry.clone(), state: asset.state.clone(), context: context(), given };
        let (tell, answer) = channel();
        let tell = Box::new(move |called| drop(tell.send(called)));
        let (world, durable) = World::durable(mood, manifest, fed);
        match entry {
            Entry::View { .. } | Entry::Migrate { .. } => self.host.call(&self.guest, call, tell),
            _ => self.host.call_durably(&self.guest, call, durable, tell),
        }
        let called = answer.recv_timeout(PATIENCE).expect("every call is answered");
        (called, world.recorded())
    }
}

fn context() -> CallContext {
    CallContext {
        person: Some("ana".into()),
        roles: vec!["contributor".into()],
        process: "process-1".into(),
        task: "task-1".into(),
        asset: "asset-1".into(),
        language: "en".into(),
        at: "2026-01-01T12:00:00Z".into(),
        by: None,
    }
}

/// An asset after a call.
fn after(asset: &Asset, done: Done) -> Asset {
    let mut alarms = asset.alarms.clone();
    for (name, change) in done.besides.alarms {
        match change {
            AlarmChange::Set { .. } => drop(alarms.insert(name)),
            AlarmChange::Cancelled => drop(alarms.remove(&name)),
        }
    }
    Asset { state: done.state, alarms }
}

fn ended(called: &Called) -> Ended {
    match &called.result {
        Ok(done) => {
            let changes =
                done.changes.iter().map(|(key, value)| (key.clone(), value.as_ref().map(|value| value.to_vec())));
            Ended::Done(done.output.clone(), changes.collect(), done.outcome.clone())
        }
        Err(Failure::Refused(problem)) => Ended::Refused(problem.code.clone(), problem.detail.clone()),
        Err(Failure::Failed(fault)) => Ended::Failed(fault.limit(), fault.to_string()),
        Err(Failure::NotBegun) => Ended::Failed("not-begun", String::new()),
    }
}

/// A call in words.
fn told(entry: &Entry) -> String {
    let (what, input) = match entry {
        Entry::Instantiate { input } => ("instantiate".into(), input.to_string()),
        Entry::Action { name, input } => (format!("action `{name}`"), input.to_string()),
        Entry::Ring { name, input } => (format!("alarm `{name}`"), input.to_string()),
        Entry::Migrate { version } => ("migration from".into(), version.clone()),
        Entry::View { query } => ("view".into(), query.to_string()),
    };
    format!("{what} with {}", input.chars().take(200).collect::<String>())
}

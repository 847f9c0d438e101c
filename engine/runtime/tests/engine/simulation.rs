//! Deterministic simulation: the engine on a simulated clock, scheduler and journal.
//!
//! One seed gives one order of everything: which command comes next, which of the futures under way goes on, how many
//! appends a batch takes, when a write fails, when the process dies, how far the clock moves, when a checkpoint is written.
//! Nothing runs beside it, so a seed that fails fails again. An oracle knows what was acknowledged: it must be there, once,
//! whatever happened.
//!
//! `SIMULATE_SEEDS=n` says how many seeds are tried, `SIMULATE_FIRST=s` from which on; `cargo xtask simulate` sets both. A
//! seed that fails is printed.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, Waker};

use interlink_host::{Host, HostConfig};
use interlink_journal::suite::{Durable, MemoryJournal, Step};
use interlink_model::facts::{Choice, Dates, Resolution};
use interlink_model::id::OrganizationId;
use interlink_model::organization::{Organization, OrganizationKind};
use interlink_model::process::{Mapping, NewProcess, SetDates};
use interlink_runtime::{Begun, ByHand, Drive};
use serde_json::{Value, json};

use super::*;

/// Seeds that are tried where nobody says how many.
const SEEDS: u64 = 2_000;
/// Steps of one seed before everything is let come to rest.
const STEPS: u32 = 160;
/// Commands that may be under way at once.
const UNDER_WAY: usize = 24;
/// Times that everything is given a turn, at most, until it rests.
const ROUNDS: u32 = 4_000;

/// SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014): small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn in_hundred(&mut self, chance: u64) -> bool {
        self.next() % 100 < chance
    }
}

const SCHEMAS: [&str; 4] = [
    "name: plain\nversion: 1.0.0\nphases: [{id: p, objectives: [{id: o, tasks: [{id: a}, {id: b, after: a}, {id: c}]}]}]",
    "name: plain\nversion: 2.0.0\nphases: [{id: p, objectives: [{id: o, tasks: [{id: a}, {id: b, after: a}, {id: c}, {id: d}]}]}]",
    "name: timed
version: 1.0.0
zone: Europe/Madrid
deadline: 40 days after start
phases:
  - id: p
    closes: 30 days after start
    objectives:
      - id: o
        tasks:
          - { id: a, due: 1 day after ready, reminder: 1 hour before due, escalation: { to: coordinator, at: 1 day after due } }
          - { id: b, kind: timer, wait: 2 days, after: a }
          - { id: c, every: \"0 */6 * * *\", times: 5, misfire: catch_up }
          - { id: d, kind: approval, quorum: 2, deadline: 3 days after ready }
          - { id: e, opens: 2 days after start at 09:00, when: data.wanted != false }",
    "name: nested
version: 1.0.0
phases:
  - id: p
    objectives:
      - id: o
        tasks:
          - { id: a }
          - { id: sub, kind: subprocess, schema: plain@1.0.0, after: a, input: { n: \"1 + 1\" }, output: { m: n } }
          - { id: ask, kind: interlinker, interlinker: nobody-has-it, retry: { attempts: 2, first: 1 minute } }
          - { id: end, after: sub }",
];

type Told = (String, Result<Answer, Trouble>);
type Flight = Pin<Box<dyn Future<Output = Told>>>;

/// Everything that the oracle knows of a request.
#[derive(Clone)]
struct Asked {
    what: What,
    /// When it was asked for first: a key is good for a week.
    at: Micros,
}

/// What is asked for.
#[derive(Debug, Clone)]
enum What {
    /// A process of a schema, hosted by an organization or by none.
    Process(&'static str, Option<OrganizationId>),
    Command(ProcessId, Command),
    Organization,
    /// That an organization has so many assets, at the version that somebody saw or at any.
    Quota(OrganizationId, Option<u64>, Option<u64>),
}

/// One life of the server: everything that a crash ends.
struct Life {
    journal: Arc<MemoryJournal>,
    engine: Arc<Engine>,
    hand: std::rc::Rc<tokio::sync::Mutex<ByHand>>,
}

impl Life {
    fn begin(data: &Path, durable: &Durable, ambient: &Arc<Given>, host: &Host) -> Self {
        let journal = Arc::new(MemoryJournal::open(durable.clone()));
        let ambient: Arc<dyn Ambient> = Arc::<Given>::clone(ambient);
        let options = Options { ambient, drive: Drive::ByHand, host: Some(host.clone()), ..Options::default() };
        let shared: Arc<dyn interlink_journal::Journal> = Arc::<MemoryJournal>::clone(&journal);
        let engine = Arc::new(Engine::on(data, shared, None, options, &mut |_| {}).expect("opens"));
        let hand = std::rc::Rc::new(tokio::sync::Mutex::new(engine.by_hand()));
        Self { journal, engine, hand }
    }
}

impl std::ops::Deref for World {
    type Target = Life;

    fn deref(&self) -> &Life {
        self.life.as_ref().expect("it lives")
    }
}

/// What a worker's simulations share, because it costs the most to make: a host, and keys.
struct Shared {
    host: Host,
    keys: tempfile::TempDir,
}

/// A directory in memory, where there is such a place.
fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in(if Path::new("/dev/shm").is_dir() { "/dev/shm" } else { "." }).expect("a directory")
}

impl Shared {
    fn new() -> Self {
        let config = HostConfig { threads: 1, cache: None, secret: [1; 32], limits: interlink_host::Limits::default() };
        let host = Host::new(config).expect("a host");
        let keys = directory();
        drop(Life::begin(keys.path(), &Durable::new([8; 16]), &given(), &host));
        Self { host, keys }
    }
}

struct World {
    dice: Dice,
    directory: tempfile::TempDir,
    durable: Durable,
    ambient: Arc<Given>,
    host: Host,
    /// Always there, but between two.
    life: Option<Life>,
    people: Vec<Caller>,
    flights: Vec<Flight>,
    begun: Vec<Begun>,
    turn: Option<Pin<Box<dyn Future<Output = Vec<Begun>>>>>,
    failing: bool,
    next_key: u32,
    asked: BTreeMap<String, Asked>,
    /// By idempotency key, what was answered.
    acknowledged: BTreeMap<String, Answer>,
    processes: Vec<ProcessId>,
    organizations: Vec<OrganizationId>,
}

fn poll<T>(future: &mut Pin<Box<dyn Future<Output = T>>>) -> Option<T> {
    match future.as_mut().poll(&mut TaskContext::from_waker(Waker::noop())) {
        Poll::Ready(done) => Some(done),
        Poll::Pending => None,
    }
}

impl World {
    fn new(seed: u64, shared: &Shared) -> Self {
        let directory = directory();
        std::fs::create_dir(directory.path().join("keys")).expect("made");
        for key in std::fs::read_dir(shared.keys.path().join("keys")).expect("keys") {
            let key = key.expect("a file");
            std::fs::copy(key.path(), directory.path().join("keys").join(key.file_name())).expect("copied");
        }
        let (durable, ambient, host) = (Durable::new([7; 16]), given(), shared.host.clone());
        let life = Some(Life::begin(directory.path(), &durable, &ambient, &host));
        let mut world = Self {
            dice: Dice(seed),
            directory,
            durable,
            ambient,
            host,
            life,
            people: Vec::new(),
            flights: Vec::new(),
            begun: Vec::new(),
            turn: None,
            failing: false,
            next_key: 0,
            asked: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            processes: Vec::new(),
            organizations: Vec::new(),
        };
        world.prepare();
        world
    }

    /// Runs something to its end, with every append committed.
    fn finish<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future: Pin<Box<dyn Future<Output = T> + '_>> = Box::pin(future);
        for _ in 0..ROUNDS {
            if let Poll::Ready(done) = future.as_mut().poll(&mut TaskContext::from_waker(Waker::noop())) {
                return done;
            }
            self.journal.step(Step::Commit(usize::MAX));
        }
        panic!("something waits for what never comes");
    }

    fn prepare(&mut self) {
        for source in SCHEMAS {
            let parsed =
                parse(source.as_bytes(), Syntax::Yaml).unwrap_or_else(|refusal| panic!("{:?}", refusal.findings));
            let permit = Permit::default();
            let imported =
                self.engine.import_schema(parsed, SchemaSource::Authored, Actor::System, |_| answer(201), &permit);
            self.finish(imported).expect("imported");
        }
        self.people = ["ana", "boris", "carla"].map(|login| self.finish(caller(&self.engine, login))).to_vec();
    }

    // What can happen.

    fn step(&mut self) {
        let chosen = self.dice.below(100);
        if std::env::var("SIMULATE_TRACE").is_ok() {
            eprintln!(
                "{chosen}: {} flights, {} effects, {} appends",
                self.flights.len(),
                self.begun.len(),
                self.journal.waiting()
            );
        }
        match chosen {
            0..30 if self.flights.len() < UNDER_WAY => self.ask(),
            0..55 => self.go_on(),
            55..80 => self.commit(),
            80..88 => self.dispatch(),
            88..93 => self.pass_time(),
            93..95 => self.fail(),
            95..97 => self.engine.checkpoint().expect("written"),
            97 => self.repeat(),
            98 => self.leave(),
            _ => self.crash(),
        }
    }

    fn ask(&mut self) {
        let key = format!("k{}", self.next_key);
        self.next_key += 1;
        let wants_new = self.processes.is_empty() || self.dice.in_hundred(15);
        let schema = ["plain@1.0.0", "timed", "nested"][self.dice.below(3)];
        let what = if self.dice.in_hundred(8) {
            self.of_organizations()
        } else if wants_new {
            What::Process(schema, self.any_organization())
        } else {
            let process = self.processes[self.dice.below(self.processes.len())];
            What::Command(process, self.command(process))
        };
        let asked = Asked { what, at: self.engine.now() };
        self.asked.insert(key.clone(), asked);
        self.send(key);
    }

    /// An organization that was acknowledged, every other time.
    fn any_organization(&mut self) -> Option<OrganizationId> {
        let chosen = self.dice.below(2 * self.organizations.len());
        self.organizations.get(chosen).copied()
    }

    fn of_organizations(&mut self) -> What {
        let Some(id) = self.any_organization() else { return What::Organization };
        let assets = if self.dice.in_hundred(80) { Some(self.dice.below(50) as u64) } else { None };
        let seen = self.engine.organization(id).expect("it was acknowledged").version;
        What::Quota(id, assets, if self.dice.in_hundred(50) { Some(seen) } else { None })
    }

    fn command(&mut self, process: ProcessId) -> Command {
        let plan = self.engine.process(process).map(|view| Arc::clone(&view.process.plan));
        let tasks: Vec<String> =
            plan.map(|plan| plan.outline.tasks.iter().map(|task| task.id.clone()).collect()).unwrap_or_default();
        let task = tasks.get(self.dice.below(tasks.len())).cloned().unwrap_or_else(|| "a".into());
        match self.dice.below(20) {
            0..3 => Command::Start,
            3 => Command::Suspend,
            4 | 5 => Command::Resume,
            6 => {
                if self.dice.in_hundred(20) {
                    Command::Cancel
                } else {
                    Command::Claim(task)
                }
            }
            7 => Command::Release(task),
            8 => Command::StartTask(task),
            9..13 => Command::Complete(task),
            13 => Command::Reopen(task),
            14 => {
                if self.dice.in_hundred(50) {
                    Command::Skip(task)
                } else {
                    Command::Restore(task)
                }
            }
            15 | 16 => {
                let choice = [Choice::Approve, Choice::Reject, Choice::Abstain][self.dice.below(3)];
                Command::Vote { task, choice }
            }
            17 => {
                let values = BTreeMap::from([("wanted".to_owned(), json!(self.dice.in_hundred(50)))]);
                Command::SetData(values)
            }
            18 => {
                let due = ["1 day after ready", "5 days after start", "2027-03-28 02:30"][self.dice.below(3)];
                let dates = SetDates::read(&Dates { due: Some(due.into()), ..Dates::default() }).expect("dates");
                Command::Reschedule { item: task, dates: Box::new(dates) }
            }
            _ => {
                let plan = self.engine.schema("plain@2.0.0").expect("there").plan;
                if self.dice.in_hundred(50) {
                    Command::Migrate { plan, mapping: Mapping::new() }
                } else {
                    let plan = self.engine.schema("plain@1.0.0").expect("there").plan;
                    Command::MigrateBack { plan, mapping: Mapping::new() }
                }
            }
        }
    }

    /// Sends a request, for the first time or again.
    fn send(&mut self, key: String) {
        let what = self.asked[&key].what.clone();
        let (engine, person) =
            (Arc::clone(&self.engine), self.people[usize::from(key.as_bytes()[key.len() - 1]) % 3].clone());
        let flight = async move {
            let request = Request { method: "POST", path: "/simulated", key: &key, body: key.as_bytes() };
            let permit = match engine.enter(&person, request).await {
                Ok(Entry::New(permit)) => permit,
                Ok(Entry::Answered(answered)) => return (key, Ok(answered)),
                Ok(Entry::OtherBody) => panic!("the body is the key's own"),
                Err(trouble) => return (key, Err(trouble)),
            };
            let told = match what {
                What::Command(process, command) => {
                    let shown = |done: &interlink_runtime::Done<'_>, _: Option<String>| shown(done.process);
                    engine.command(&person, process, &command, Some(&key), None, shown, permit).await
                }
                What::Process(schema, organization) => {
                    let version = engine.schema(schema).expect("there");
                    let new = NewProcess { name: key.clone(), organization, ..NewProcess::default() };
                    let made = engine.create_process(&person, &version, new, |process, _| shown(process), permit).await;
                    made.map(|(_, answer)| answer)
                }
                What::Organization => {
                    let (actor, kind) = (person.actor(), OrganizationKind::Citizens);
                    engine.register_organization(actor, key.clone(), kind, organization_shown, &permit).await
                }
                What::Quota(id, assets, seen) => {
                    let (actor, quota) = (person.actor(), (assets, None));
                    engine.set_quota_of_organization(actor, id, quota, seen, organization_shown, &permit).await
                }
            };
            (key, told)
        };
        self.flights.push(Box::pin(flight));
    }

    /// Repeats a request whose answer is known or was lost.
    fn repeat(&mut self) {
        let keys: Vec<_> = self.asked.keys().filter(|key| self.is_good(key)).cloned().collect();
        if let Some(key) = keys.get(self.dice.below(keys.len())) {
            self.send(key.clone());
        }
    }

    /// Whoever asked for something goes away: what was on its way to them is dropped, wherever it was.
    fn leave(&mut self) {
        if !self.flights.is_empty() {
            let chosen = self.dice.below(self.flights.len());
            drop(self.flights.swap_remove(chosen));
        }
    }

    /// Whether a key is still good, with a day to spare for what is under way.
    fn is_good(&self, key: &str) -> bool {
        self.engine.now().0 - self.asked[key].at.0 < REMEMBERED_US - 2 * 86_400_000_000
    }

    fn is_remembered(&self, key: &str) -> bool {
        self.engine.now().0 - self.asked[key].at.0 < REMEMBERED_US
    }

    fn go_on(&mut self) {
        let choices = self.flights.len() + self.begun.len() + usize::from(self.turn.is_some());
        if choices == 0 {
            return;
        }
        let chosen = self.dice.below(choices);
        if chosen < self.flights.len() {
            if let Some(told) = poll(&mut self.flights[chosen]) {
                drop(self.flights.swap_remove(chosen));
                self.hear(told);
            }
        } else if chosen < self.flights.len() + self.begun.len() {
            let chosen = chosen - self.flights.len();
            if poll(&mut self.begun[chosen]).is_some() {
                drop(self.begun.swap_remove(chosen));
            }
        } else if let Some(turn) = &mut self.turn
            && let Some(begun) = poll(turn)
        {
            self.turn = None;
            self.begun.extend(begun);
        }
    }

    fn hear(&mut self, (key, told): Told) {
        let Ok(answer) = told else { return };
        // One that was so long under way that its key is forgotten may have been done anew.
        if !self.is_remembered(&key) {
            return;
        }
        if let Some(before) = self.acknowledged.get(&key) {
            let said = |answer: &Answer| String::from_utf8_lossy(&answer.body).into_owned();
            assert_eq!(said(before), said(&answer), "{key} was answered differently: {:?}", self.asked[&key].what);
        }
        let said: Value = serde_json::from_slice(&answer.body).expect("an answer");
        let id = |of: &str| said[of].as_str().map(str::to_owned);
        if let Some(organization) = id("organization").and_then(|id| OrganizationId::parse(&id)) {
            if !self.organizations.contains(&organization) {
                self.organizations.push(organization);
            }
        } else {
            let process = id("process").and_then(|id| ProcessId::parse(&id)).expect("an id");
            if !self.processes.contains(&process) {
                self.processes.push(process);
            }
        }
        self.acknowledged.insert(key, answer);
    }

    fn commit(&mut self) {
        let most = 1 + self.dice.below(6);
        self.journal.step(Step::Commit(most));
    }

    fn dispatch(&mut self) {
        if self.turn.is_none() {
            let hand = std::rc::Rc::clone(&self.hand);
            self.turn = Some(Box::pin(async move { hand.lock().await.turn().await }));
        }
    }

    fn pass_time(&mut self) {
        let minutes = [1, 30, 60 * 7, 60 * 24, 60 * 24 * 2][self.dice.below(5)];
        self.ambient.now.fetch_add(minutes * 60_000_000, Ordering::Relaxed);
    }

    fn fail(&mut self) {
        if self.failing {
            self.journal.step(Step::GoOn);
        } else {
            self.journal.step(Step::Fail("the disk is full".into()));
        }
        self.failing = !self.failing;
    }

    fn crash(&mut self) {
        self.journal.step(Step::Crash);
        self.flights.clear();
        self.begun.clear();
        self.turn = None;
        self.failing = false;
        // What was in memory is gone before the next begins.
        self.life = None;
        let life = Life::begin(self.directory.path(), &self.durable, &self.ambient, &self.host);
        self.life = Some(life);
    }

    // At the end.

    /// Lets everything come to rest: nothing fails any more, and all that is due happens.
    fn rest(&mut self) {
        if self.failing {
            self.fail();
        }
        let mut quiet = 0;
        for _ in 0..ROUNDS {
            self.dispatch();
            for number in (0..self.flights.len()).rev() {
                if let Some(told) = poll(&mut self.flights[number]) {
                    drop(self.flights.swap_remove(number));
                    self.hear(told);
                }
            }
            self.begun.retain_mut(|begun| poll(begun).is_none());
            let begun = self.turn.as_mut().and_then(poll);
            let is_turn_over = begun.is_some();
            if let Some(begun) = begun {
                self.turn = None;
                self.begun.extend(begun);
            }
            let is_idle =
                self.journal.waiting() == 0 && self.flights.is_empty() && self.begun.is_empty() && is_turn_over;
            self.journal.step(Step::Commit(usize::MAX));
            quiet = if is_idle { quiet + 1 } else { 0 };
            if quiet > 3 {
                return;
            }
        }
        panic!(
            "it does not come to rest: {} flights, {} effects, {} appends",
            self.flights.len(),
            self.begun.len(),
            self.journal.waiting()
        );
    }

    fn check(&mut self) {
        self.rest();
        let organizations = self.engine.organizations();
        self.crash();
        self.rest();
        assert_eq!(self.engine.organizations(), organizations, "organizations were shown that are not durable");
        self.acknowledged_is_there();
        let all = self.engine.process_ids(None, usize::MAX).expect("readable");
        assert!(self.processes.iter().all(|id| all.contains(id)), "an acknowledged process is gone");
        let mut wanted = BTreeSet::new();
        for id in &all {
            self.check_process(*id, &mut wanted);
        }
        for id in all {
            let asked_for = self.asked_for(id);
            assert!(asked_for || wanted.contains(&id.to_string()), "nobody asked for process {id}");
        }
        self.check_organizations();
    }

    /// Each is one that was asked for, and was registered once; what decided about it and was acknowledged is in its version.
    fn check_organizations(&self) {
        let all = self.engine.organizations();
        assert!(self.organizations.iter().all(|id| all.iter().any(|one| one.id == *id)), "an organization is gone");
        let mut registered: BTreeMap<&str, Micros> = BTreeMap::new();
        for one in &all {
            let name = one.name.as_deref().expect("its key is there");
            assert!(matches!(self.asked[name].what, What::Organization), "nobody asked for organization {name}");
            // As with a process, one whose key is forgotten may be made anew.
            if let Some(before) = registered.insert(name, one.registered_at) {
                assert!((one.registered_at.0 - before.0).abs() > REMEMBERED_US, "organization {name} is there twice");
            }
        }
    }

    /// Whether a process was made by a request: acknowledged or not.
    fn asked_for(&self, id: ProcessId) -> bool {
        let name = self.engine.process(id).expect("there").name.unwrap_or_default();
        self.asked.get(&name).is_some_and(|asked| matches!(asked.what, What::Process(..)))
            && self.engine.process(id).expect("there").process.parent.is_none()
    }

    /// Every answer is given again, and what it says is in the journal.
    fn acknowledged_is_there(&mut self) {
        let answers = self.acknowledged.clone();
        for (key, answer) in answers {
            if self.is_good(&key) {
                self.send(key.clone());
                self.rest();
                assert_eq!(self.acknowledged[&key].body, answer.body, "{key}");
            }
            let said: Value = serde_json::from_slice(&answer.body).expect("an answer");
            let id = |of: &str| said[of].as_str().map(str::to_owned);
            let version = match id("organization").and_then(|id| OrganizationId::parse(&id)) {
                Some(id) => self.engine.organization(id).expect("what was acknowledged is there").version,
                None => {
                    let id = id("process").and_then(|id| ProcessId::parse(&id)).expect("an id");
                    self.engine.process(id).expect("what was acknowledged is there").process.version
                }
            };
            assert!(version >= said["version"].as_u64().expect("a version"), "{key} is lost");
        }
    }

    fn check_process(&self, id: ProcessId, wanted: &mut BTreeSet<String>) {
        let process = self.engine.process(id).expect("readable").process;
        assert_eq!(process.broken_invariant(), None, "{id}");
        if let Some(host) = process.organization {
            self.engine.organization(host).expect("what hosts a process is there");
        }
        if let Some(parent) = &process.parent {
            let parent = self.engine.process(parent.process).expect("there").process;
            assert_eq!(process.organization, parent.organization, "{id} is hosted by another than what it is for");
        }
        let now = self.engine.now();
        let due = process.next_timer();
        let unscheduled = self.engine.unscheduled(id);
        assert_eq!(unscheduled, None, "{id}");
        assert!(due.is_none_or(|due| due > now), "{id}: a timer is due and did not fire: {due:?}, and it is {now:?}");
        assert_eq!(process.pending_effects().count(), 0, "{id}: an effect was not carried out");
        let events = self.engine.events(id, 0, usize::MAX).expect("a history");
        assert_eq!(events.iter().filter(|event| event.stream.kind == b'p').count() as u64, process.version + 1);
        assert!(events.is_sorted_by_key(|event| event.position));
        // Each time that a timer is armed it fires once at most: one that people set back to a past date fires anew.
        let mut armed: BTreeMap<String, i64> = BTreeMap::new();
        let mut notes: BTreeMap<String, BTreeMap<String, i64>> = BTreeMap::new();
        for event in &events {
            let timer = format!("{} {} {}", event.data["item"], event.data["timer"], event.data["number"]);
            let due_at = event.data["due_at"].as_i64();
            match event.kind {
                "TimerArmed" => drop(armed.insert(timer, due_at.expect("an instant"))),
                "TimerDisarmed" => drop(armed.remove(&timer)),
                "TimerFired" => {
                    assert_eq!(armed.remove(&timer), due_at, "{id}: {timer} fired twice, or was not armed");
                    assert!(due_at <= Some(event.stamp.at.0), "{id}: {timer} fired before its time");
                }
                _ => {}
            }
            if event.kind == "EffectRequested" {
                let process = &event.data["effect"]["subprocess"]["process"];
                wanted.extend(process.as_str().map(str::to_owned));
            }
            for said in ["comment", "reason"] {
                if let Value::String(key) = &event.data[said] {
                    let correlation = format!("{:?}", event.stamp.correlation);
                    notes.entry(key.clone()).or_default().insert(correlation, event.stamp.at.0);
                }
            }
        }
        // A request that was repeated in time and under way until its key was forgotten is done anew.
        let is_twice = |appends: &BTreeMap<String, i64>| {
            let mut times: Vec<_> = appends.values().copied().collect();
            times.sort_unstable();
            times.windows(2).any(|pair| pair[1] - pair[0] <= REMEMBERED_US)
        };
        let twice: Vec<_> = notes.iter().filter(|(_, appends)| is_twice(appends)).collect();
        assert!(twice.is_empty(), "{id}: done twice: {twice:?}");
        for incident in process.incidents.values().filter(|incident| incident.closed.is_some()) {
            assert!(matches!(incident.closed, Some((Resolution::Retried | Resolution::Dropped, _))));
        }
    }
}

fn shown(process: &interlink_model::process::Process) -> Answer {
    let body =
        json!({"process": process.id.to_string(), "version": process.version, "status": process.status.as_str()});
    Answer {
        status: 200,
        content_type: "application/json".into(),
        body: body.to_string().into_bytes(),
        ..Answer::default()
    }
}

fn organization_shown(organization: &Organization) -> Answer {
    let Organization { id, version, assets_max, .. } = organization;
    let body = json!({"organization": id.to_string(), "version": version, "assets": assets_max});
    Answer {
        status: 200,
        content_type: "application/json".into(),
        body: body.to_string().into_bytes(),
        ..Answer::default()
    }
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn simulate(seed: u64, shared: &Shared) {
    let mut world = World::new(seed, shared);
    for step in 0..STEPS {
        world.step();
        for id in &world.processes {
            assert_eq!(world.engine.unscheduled(*id), None, "{id} after step {step}");
        }
    }
    world.check();
}

#[test]
fn whatever_happens_in_whatever_order_what_was_acknowledged_is_there_once() {
    let (first, seeds) = (number("SIMULATE_FIRST", 1), number("SIMULATE_SEEDS", SEEDS));
    let workers = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    std::thread::scope(|scope| {
        for worker in 0..workers {
            scope.spawn(move || {
                let shared = Shared::new();
                for seed in (first..first + seeds).filter(|seed| seed % workers == worker) {
                    let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| simulate(seed, &shared)));
                    if let Err(panic) = run {
                        eprintln!("seed {seed} failed; again: cargo xtask simulate --seeds 1 --first {seed}");
                        std::panic::resume_unwind(panic);
                    }
                }
            });
        }
    });
}

#[test]
fn a_seed_gives_the_same_order_every_time() {
    let shared = Shared::new();
    let run = |seed| {
        let mut world = World::new(seed, &shared);
        (0..STEPS).for_each(|_| world.step());
        world.rest();
        let all = world.engine.process_ids(None, usize::MAX).expect("readable");
        let history = all.iter().map(|id| world.engine.events(*id, 0, usize::MAX).expect("a history"));
        history
            .flatten()
            .map(|event| format!("{} {} {:?} {}", event.position, event.kind, event.stamp, event.data))
            .collect::<Vec<_>>()
    };
    assert_eq!(run(42), run(42));
    assert_ne!(run(42), run(43));
}

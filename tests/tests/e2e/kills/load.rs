//! Who is at work while the server is killed: people who go on until each of their commands is answered.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use crate::client::{Answer, Ask, Client};
use crate::given::text;
use crate::outside::Outside;

/// How long one command may stay without an answer: the server is down for a part of it.
const PATIENCE: Duration = Duration::from_secs(120);
/// Pause before the same is asked again.
const PAUSE: Duration = Duration::from_millis(10);
/// One process of so many has a task that comes again every second.
const TICKING_EVERY: usize = 4;

/// What each process calls outside, one after the other.
const SERVICES: [&str; 3] = ["one", "two", "three"];

/// A command with its answer.
pub struct Told {
    path: String,
    body: Value,
    key: String,
    answer: Answer,
    /// When it was sent for the first time.
    pub sent: SystemTime,
    /// When its answer was there.
    pub answered: SystemTime,
}

impl Told {
    /// Asks for the same once more, which must be answered as it was.
    #[track_caller]
    pub fn again(&self, client: &Client) {
        assert_eq!(self.difference(client), None);
    }

    /// Asks for the same once more; what is wrong where it is not answered as it was.
    pub fn difference(&self, client: &Client) -> Option<String> {
        let seen = |answer: &Answer| (answer.status, answer.header("location").to_owned(), answer.text());
        let again = client.try_ask(&Ask::post(&self.path, &self.body).key(&self.key));
        let (before, now) = (seen(&self.answer), again.as_ref().map(seen));
        let is_same = now.as_ref() == Some(&before);
        let told = || format!("POST {} with {} is answered otherwise: {now:?}, not {before:?}", self.path, self.key);
        (!is_same).then(told)
    }

    /// What was to be made, by the name that it was to have.
    pub fn name(&self) -> Option<&str> {
        self.body["name"].as_str()
    }

    /// Where it went.
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// A process that was asked for, with what people did in it.
pub struct Asked {
    /// Its path.
    pub process: String,
    /// Whether it is of the schema whose task comes again; otherwise of the one with every kind of work.
    pub ticks: bool,
    /// The assets that a person put on its first task.
    pub by_hand: Vec<String>,
    /// The services that one of them calls, in order.
    pub services: Vec<String>,
}

/// Somebody at work.
pub struct Writer<'a> {
    number: usize,
    client: &'a Client,
    outside: &'a Outside,
    /// Everything that was asked and answered.
    pub told: Vec<Told>,
    /// Every process that was asked for.
    pub asked: Vec<Asked>,
    /// Commands that had to be sent more than once.
    pub repeated: usize,
}

impl<'a> Writer<'a> {
    /// Somebody who has done nothing yet.
    pub fn new(number: usize, client: &'a Client, outside: &'a Outside) -> Self {
        Self { number, client, outside, told: Vec::new(), asked: Vec::new(), repeated: 0 }
    }

    /// Works on one process after another until told to stop; ends what was begun.
    pub fn work(mut self, stop: &AtomicBool) -> Self {
        // What comes by itself is not waited for: the next process is begun meanwhile.
        let mut answered = 0;
        while !stop.load(Ordering::Relaxed) {
            let begun = self.asked.len().saturating_sub(1);
            self.answer_polls(answered..begun);
            answered = begun;
            if self.asked.len().is_multiple_of(TICKING_EVERY) {
                let process = self.begin("ticking");
                self.asked.push(Asked { process, ticks: true, by_hand: Vec::new(), services: Vec::new() });
            } else {
                let process = self.begin("busy");
                let services =
                    SERVICES.map(|service| format!("{}/{}/{service}", self.number, self.asked.len())).to_vec();
                let by_hand = self.everything_in(&process, &services);
                self.asked.push(Asked { process, ticks: false, by_hand, services });
            }
        }
        self.answer_polls(answered..self.asked.len());
        self
    }

    /// Votes in the polls that some of the processes have asked for.
    fn answer_polls(&mut self, of: Range<usize>) {
        let busy = self.asked[of].iter().filter(|asked| !asked.ticks).map(|asked| asked.process.clone());
        for process in busy.collect::<Vec<_>>() {
            let wanted = self.wanted_by("ask", &process);
            self.tell(&format!("/v1/assets/{wanted}/actions/vote"), json!({"option": "North"}), 200);
        }
    }

    fn begin(&mut self, schema: &str) -> String {
        let name = format!("{schema} {} of writer {}", self.asked.len(), self.number);
        let made = self.tell("/v1/processes", json!({"schema": schema, "name": name}), 201);
        let process = made.header("location").to_owned();
        self.tell(&format!("{process}/start"), json!({}), 200);
        process
    }

    /// Drives a process through every kind of work, up to what waits for time and for others. Answers the assets that
    /// this put on its first task.
    fn everything_in(&mut self, process: &str, services: &[String]) -> Vec<String> {
        let task = |path: &str| format!("{process}/tasks/{path}");
        self.tell(&task("plan/claim"), json!({}), 200);
        let input = json!({"question": "Which evening?", "options": ["Monday", "Thursday"], "quorum": 2});
        let poll = self.asset(&task("plan"), "poll", input);
        self.tell(&format!("/v1/assets/{poll}/actions/vote"), json!({"option": "Monday"}), 200);
        let urls: Vec<_> = services.iter().map(|service| self.outside.url(service)).collect();
        let hook = self.asset(&task("plan"), "webhook", json!({ "urls": urls }));
        self.tell(&format!("/v1/assets/{hook}/actions/send"), json!({"text": "It begins."}), 200);
        self.tell(&task("plan/complete"), json!({"comment": "as agreed"}), 200);
        self.tell(&task("choose/vote"), json!({"choice": "approve"}), 200);
        vec![poll, hook]
    }

    /// Puts an asset on a task.
    fn asset(&mut self, task: &str, interlinker: &str, input: Value) -> String {
        let body = json!({"interlinker": interlinker, "name": "By hand", "input": input});
        text(&self.tell(&format!("{task}/assets"), body, 201).json()["id"]).to_owned()
    }

    /// The asset that a task of kind `interlinker` wants, once it is there.
    fn wanted_by(&mut self, task: &str, process: &str) -> String {
        let path = format!("{process}/assets");
        let begun = Instant::now();
        loop {
            let found = self.client.try_ask(&Ask::new("GET", &path)).filter(|answer| answer.status == 200);
            let items = found.map(|answer| answer.json()["items"].clone()).unwrap_or_default();
            let asset = items.as_array().into_iter().flatten().find(|asset| asset["task"] == task);
            if let Some(asset) = asset {
                return text(&asset["id"]).to_owned();
            }
            assert!(begun.elapsed() < PATIENCE, "{process}: `{task}` never had its asset");
            std::thread::sleep(PAUSE);
        }
    }

    /// Commands, again and again with the same key, until there is an answer that is one.
    pub fn tell(&mut self, path: &str, body: Value, status: u16) -> Answer {
        let key = format!("writer {} command {}", self.number, self.told.len());
        let (begun, at) = (Instant::now(), SystemTime::now());
        let mut sent = 0;
        let answer = loop {
            sent += 1;
            let answer = self.client.try_ask(&Ask::post(path, &body).key(&key));
            // "Not known, repeat with the same key."
            if let Some(answer) = answer.filter(|answer| answer.status != 503) {
                break answer;
            }
            assert!(begun.elapsed() < PATIENCE, "POST {path} has no answer");
            std::thread::sleep(PAUSE);
        };
        answer.is(status);
        self.repeated += usize::from(sent > 1);
        let answered = SystemTime::now();
        self.told.push(Told { path: path.to_owned(), body, key, answer: answer.clone(), sent: at, answered });
        answer
    }
}

//! A server for the tests of one asset, in memory.
//!
//! `interlink interlinker test` runs the same tests a second time with the component that is made of the code.
//!
//! It treats an Interlinker as the server does: input is checked against the schemas of the manifest first, each call
//! starts from the state alone, and what a refused call changed is undone. A panic is not caught: in a test, its own
//! message says most.

mod clock;
mod component;
mod examples;
mod memory;
mod town;

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use crate::call::{Participant, PersonId};
use crate::http::{Request as HttpRequest, Response};
use crate::interlinker::{Interlinker, Request, run};
use crate::log::{self, Level};
use crate::manifest::Manifest;
use crate::problem::{Problem, Result, is_code};
use crate::session::Session;
use component::Component;
pub use examples::run_examples;
use memory::Memory;
pub use town::Message;
use town::Town;

type Run = fn(Session, &str, Request<'_>) -> Result<String>;

/// One asset of an Interlinker, with people, a clock, a memory, and a world outside.
///
/// People are named as the test likes: `boris` is the person [`TestHost::person`]`("boris")`. Who was given no roles
/// with [`give_roles`](Self::give_roles) may do everything. The clock starts at 2026-01-01T09:00:00Z and goes on by a
/// second with each call.
///
/// What the manifest's grants ask for is granted. Services answer as [`http`](Self::http) says, secrets are as
/// [`secret`](Self::secret) says, and random bytes come from a [`seed`](Self::seed).
#[derive(Debug)]
pub struct TestHost {
    manifest: Manifest,
    run: Run,
    memory: Memory,
    /// The component, where the test is one of that.
    component: Option<Component>,
    town: Town,
    roles: BTreeMap<String, Vec<String>>,
    /// The time of the next call, in microseconds since 1970.
    now: i64,
    outcomes: Vec<Json>,
    logs: Vec<(Level, String)>,
}

impl TestHost {
    /// Makes an asset, by the server itself.
    ///
    /// # Panics
    ///
    /// When the Interlinker refuses; [`try_open`](Self::try_open) is for tests of that.
    #[track_caller]
    #[must_use]
    pub fn open<I: Interlinker>(input: Json) -> Self {
        match Self::try_open::<I>(input) {
            Ok(host) => host,
            Err(problem) => panic!("refused to open: {problem}"),
        }
    }

    /// Makes an asset, or says why not.
    ///
    /// # Errors
    ///
    /// What the Interlinker refuses, and `invalid-input` for what its schema does.
    pub fn try_open<I: Interlinker>(input: Json) -> Result<Self> {
        let mut host = Self::unopened::<I>();
        host.instantiate(input).0?;
        Ok(host)
    }

    /// A host whose asset is not made yet: for an Interlinker that asks the outside when it is made.
    #[must_use]
    pub fn unopened<I: Interlinker>() -> Self {
        let manifest = I::manifest();
        Self {
            component: Component::named(&manifest.name),
            town: Town::new(manifest.grants.clone(), !manifest.alarms.is_empty()),
            manifest,
            run: run::<I>,
            memory: Memory::default(),
            roles: BTreeMap::new(),
            now: clock::MORNING,
            outcomes: Vec::new(),
            logs: Vec::new(),
        }
    }

    /// Makes the asset, by the server itself. What is answered is `null`.
    pub fn instantiate(&mut self, input: Json) -> Answer {
        let checked = check_schema(&self.manifest.instantiate.input, &input);
        Answer(checked.and_then(|()| self.change(None, Request::Instantiate(&input.to_string()))))
    }

    /// The id of the person that tests name so.
    #[must_use]
    pub fn person(name: &str) -> PersonId {
        PersonId::new(format!("person-{name}"))
    }

    /// The id that an anonymous action sees of the person that tests name so.
    #[must_use]
    pub fn pseudonym(name: &str) -> PersonId {
        let digest = Sha256::digest(name.as_bytes());
        let digits: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        PersonId::new(format!("pseudonym:{digits}"))
    }

    /// Gives someone these roles, and no others.
    pub fn give_roles(&mut self, name: &str, roles: &[&str]) {
        self.roles.insert(name.to_owned(), roles.iter().map(|role| (*role).to_owned()).collect());
    }

    /// Moves the clock on.
    pub fn wait_seconds(&mut self, seconds: u64) {
        let seconds = i64::try_from(seconds).expect("a test waits for less than an age");
        self.now += seconds * clock::SECOND;
    }

    /// Sets the clock, to microseconds since 1970-01-01T00:00:00Z.
    pub fn set_clock(&mut self, micros: i64) {
        self.now = micros;
    }

    /// Begins another sequence of random bytes. Without this, every test has the same.
    pub fn seed(&mut self, seed: u64) {
        self.town.seed(seed);
    }

    /// Says what a service answers to `METHOD URL`, the URL without its query, from now on.
    ///
    /// A request that the manifest does not ask for is refused as `not-granted`; one that nobody answers is a panic.
    pub fn http(&mut self, request: &str, mut answer: impl FnMut(&HttpRequest) -> Response + 'static) {
        self.town.script(request, move |request| Ok(answer(request)));
    }

    /// Says that `METHOD URL` comes to nothing from now on, with the code of the problem: `timeout`, `unreachable`.
    pub fn http_fails(&mut self, request: &str, code: &str) {
        let problem = Problem::new(code, "the test has it so");
        self.town.script(request, move |_| Err(problem.clone()));
    }

    /// Requests that were sent, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<HttpRequest> {
        self.town.requests()
    }

    /// Sets a secret. One that the manifest does not ask for is not given.
    pub fn secret(&mut self, name: &str, secret: &str) {
        self.town.set_secret(name, secret);
    }

    /// Says what an operator has set for this Interlinker.
    pub fn settings(&mut self, settings: Json) {
        self.town.set_settings(settings);
    }

    /// Says who takes part in the process, by the names that the test gives them.
    pub fn people(&mut self, names: &[&str]) {
        let roles = |name: &str| self.roles.get(name).cloned().unwrap_or_else(|| vec!["contributor".to_owned()]);
        let people = names.iter().map(|name| Participant { id: Self::person(name), roles: roles(name) });
        self.town.set_people(people.collect());
    }

    /// Says what an action of another asset answers from now on. One that nobody answers is a panic.
    pub fn asset(&mut self, asset: &str, action: &str, answer: impl FnMut(&Json) -> Result<Json> + 'static) {
        self.town.other(asset, action, answer);
    }

    /// Someone puts a blob there, as the API lets them; answers what it is known by.
    pub fn put_blob(&mut self, media_type: &str, content: &[u8]) -> String {
        match &mut self.component {
            Some(component) => component.put(media_type, content),
            None => self.town.put(content),
        }
    }

    /// Messages that were sent to people, in order.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        self.town.kept().messages
    }

    /// What the Interlinker said happened, in order.
    #[must_use]
    pub fn noted(&self) -> Vec<(String, i64)> {
        self.town.kept().noted
    }

    /// Alarms that are set, by name: their time in microseconds since 1970, and with what.
    #[must_use]
    pub fn alarms(&self) -> BTreeMap<String, (i64, Json)> {
        let alarms = self.town.kept().alarms.into_iter();
        alarms.filter_map(|(name, alarm)| alarm.map(|alarm| (name, alarm))).collect()
    }

    /// Lets the alarm ring that is next, and the clock go on to its time.
    ///
    /// # Panics
    ///
    /// When none is set.
    #[track_caller]
    pub fn ring(&mut self) -> Answer {
        let next = self.alarms().into_iter().min_by_key(|(_, (at, _))| *at);
        let (name, (at, input)) = next.expect("no alarm is set");
        self.now = self.now.max(at);
        let answer = self.change(None, Request::Ring { name: &name, input: &input.to_string() });
        if answer.is_ok() && self.alarms().get(&name).is_some_and(|(set, _)| *set == at) {
            self.town.take_alarm(&name);
        }
        Answer(answer)
    }

    /// Has the asset, with a state that an earlier version left, move to this version.
    pub fn migrate<I: Interlinker>(state: &BTreeMap<String, Json>, version: &str) -> (Self, Answer) {
        let mut host = Self::unopened::<I>();
        host.memory.taken_over(Some(state.clone()), None);
        if let Some(component) = &mut host.component {
            component.keep(state);
        }
        let answer = Answer(host.change(None, Request::Migrate(version)));
        (host, answer)
    }

    /// Someone runs an action.
    pub fn act_as(&mut self, name: &str, action: &str, input: Json) -> Answer {
        let permitted = self.permit(name, action, &input);
        let input = input.to_string();
        Answer(permitted.and_then(|()| self.change(Some(name), Request::Call { action, input: &input })))
    }

    /// What the asset shows, to the server itself.
    ///
    /// # Panics
    ///
    /// When the Interlinker refuses, or changes its state.
    #[track_caller]
    #[must_use]
    pub fn view(&mut self) -> Json {
        self.look(None, &json!({})).ok()
    }

    /// What the asset shows to someone who asks for something.
    ///
    /// # Panics
    ///
    /// When the view changes the state.
    pub fn view_as(&mut self, name: &str, query: Json) -> Answer {
        self.look(Some(name), &query)
    }

    /// The outcome that was declared last.
    #[must_use]
    pub fn outcome(&self) -> Option<&Json> {
        self.outcomes.last()
    }

    /// All outcomes that were declared, in order.
    #[must_use]
    pub fn outcomes(&self) -> &[Json] {
        &self.outcomes
    }

    /// The lines that were logged, in order.
    #[must_use]
    pub fn logs(&self) -> &[(Level, String)] {
        &self.logs
    }

    /// The state: every key that the host holds.
    #[must_use]
    pub fn state(&self) -> BTreeMap<String, Json> {
        self.memory.entries()
    }

    fn permit(&self, name: &str, action: &str, input: &Json) -> Result<()> {
        let Some(rules) = self.manifest.actions.iter().find(|known| known.name == action) else {
            let known: Vec<&str> = self.manifest.actions.iter().map(|action| action.name.as_str()).collect();
            return crate::interlinker::no_such_action(action, &known);
        };
        if let Some(roles) = self.roles.get(name)
            && !rules.allow.is_empty()
            && !roles.iter().any(|role| rules.allow.contains(role))
        {
            return Err(Problem::new("not-allowed", format!("`{action}` is for {}", rules.allow.join(", "))));
        }
        check_schema(&rules.input, input)
    }

    fn change(&mut self, name: Option<&str>, request: Request<'_>) -> Result<Json> {
        let answer = coded(self.request(name, request));
        let outcomes = self.memory.take_outcomes();
        if answer.is_ok() {
            self.memory.commit();
            self.town.commit();
            self.outcomes.extend(outcomes);
        } else {
            self.memory.roll_back();
            self.town.roll_back();
        }
        answer
    }

    fn look(&mut self, name: Option<&str>, query: &Json) -> Answer {
        if let Err(problem) = check_schema(&self.manifest.view.query, query) {
            return Answer(Err(problem));
        }
        let answer = coded(self.request(name, Request::View(&query.to_string())));
        let changed = self.memory.changed_keys();
        assert!(changed.is_empty() && self.memory.take_outcomes().is_empty(), "a view changed {changed:?}");
        Answer(answer)
    }

    fn request(&mut self, name: Option<&str>, request: Request<'_>) -> Result<Json> {
        let is_anonymous = matches!(&request, Request::Call { action, .. }
            if self.manifest.actions.iter().any(|known| known.name == *action && known.anonymous));
        let context = self.context(name, is_anonymous);
        self.town.set_now(self.now);
        self.now += clock::SECOND;
        if let Some(component) = &mut self.component {
            let called = component.call(&context, &request, &self.town);
            self.logs.extend(called.logs);
            self.memory.taken_over(called.state, called.outcome);
            self.town.taken_over(called.wanted);
            return called.answer.map(|json| serde_json::from_str(&json).expect("an answer is JSON"));
        }
        let session = Session::with_outside(self.memory.clone(), self.town.clone());
        let answer = (self.run)(session, &context, request);
        self.logs.extend(log::lines::take());
        answer.map(|json| serde_json::from_str(&json).expect("an answer is rendered as JSON"))
    }

    fn context(&self, name: Option<&str>, is_anonymous: bool) -> String {
        let person = name.map(|name| match is_anonymous {
            true => json!({"id": Self::pseudonym(name), "roles": []}),
            false => json!({"id": Self::person(name), "roles": self.roles.get(name).cloned().unwrap_or_default()}),
        });
        json!({
            "person": person,
            "process": "process-1",
            "task": "task-1",
            "asset": "asset-1",
            "language": "en",
            "at": clock::rfc3339(self.now),
        })
        .to_string()
    }
}

/// What a call of a [`TestHost`] came to.
#[derive(Debug)]
#[must_use = "say what is expected: `ok()` or `refused(\"code\")`"]
pub struct Answer(Result<Json>);

impl Answer {
    /// The answer.
    ///
    /// # Panics
    ///
    /// When the call was refused.
    #[track_caller]
    pub fn ok(self) -> Json {
        match self.0 {
            Ok(answer) => answer,
            Err(problem) => panic!("refused: {problem}"),
        }
    }

    /// The problem.
    ///
    /// # Panics
    ///
    /// When the call was not refused.
    #[track_caller]
    pub fn problem(self) -> Problem {
        match self.0 {
            Ok(answer) => panic!("not refused, but answered {answer}"),
            Err(problem) => problem,
        }
    }

    /// The problem, which has this code.
    ///
    /// # Panics
    ///
    /// When the call was not refused, or with another code.
    #[track_caller]
    pub fn refused(self, code: &str) -> Problem {
        let problem = self.problem();
        assert_eq!(problem.code, code, "refused for another reason: {problem}");
        problem
    }
}

/// Checks an input as the server does before it runs an Interlinker.
fn check_schema(schema: &Json, input: &Json) -> Result<()> {
    let validator = jsonschema::validator_for(schema).unwrap_or_else(|error| panic!("not a JSON Schema: {error}"));
    match validator.iter_errors(input).next() {
        None => Ok(()),
        Some(error) => Err(Problem::new("invalid-input", error.to_string()).at(error.instance_path().to_string())),
    }
}

/// The same answer, unless it is a refusal whose code is none: a server makes `refused` of that, and a test would not see it.
#[track_caller]
fn coded(answer: Result<Json>) -> Result<Json> {
    if let Err(problem) = &answer {
        let rule = "a code is lower-case letters, digits and `-` between them, as in `already-voted`, at most 64 bytes";
        assert!(is_code(&problem.code), "it was refused with the code {:?}, which is none: {rule}", problem.code);
    }
    answer
}

//! The engine on a real directory, with a clock that the test moves.

mod calls;
mod compensation;
mod disk;
mod dispatch;
mod limits;
mod simulation;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use interlink_model::event::Actor;
use interlink_model::facts::SchemaSource;
use interlink_model::id::{Micros, ProcessId};
use interlink_model::process::{Command, NewProcess, ProcessStatus, Rule};
use interlink_model::schema::authoring::{Syntax, parse};
use interlink_runtime::ambient::Ambient;
use interlink_runtime::usage::adoption::STALLED_AFTER_US;
use interlink_runtime::{Answer, Caller, Engine, Entry, Options, Permit, REMEMBERED_US, Request, Trouble};

const SCHEMA: &str =
    "name: fair\nversion: 1.0.0\nphases: [{id: p, objectives: [{id: o, tasks: [{id: a}, {id: b, after: a}]}]}]";

/// A clock that stands still until it is moved, and numbers in place of chance.
#[derive(Default)]
struct Given {
    now: AtomicI64,
    drawn: AtomicU64,
}

impl Ambient for Given {
    fn now(&self) -> Micros {
        Micros(self.now.load(Ordering::Relaxed))
    }

    fn random(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let drawn = self.drawn.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            chunk.copy_from_slice(&drawn.to_be_bytes()[..chunk.len()]);
        }
    }
}

fn given() -> Arc<Given> {
    let given = Given::default();
    given.now.store(1_800_000_000_000_000, Ordering::Relaxed);
    Arc::new(given)
}

fn open(data: &Path, ambient: &Arc<Given>) -> Engine {
    let ambient: Arc<dyn Ambient> = Arc::<Given>::clone(ambient);
    let journal =
        interlink_journal::Options { segment_bytes: interlink_journal::SEGMENT_BYTES_MIN, ..Default::default() };
    let options = Options { ambient, journal, ..Options::default() };
    Engine::open(data, options, &mut |_| {}).expect("opens")
}

/// The state's own store, of an engine that is gone: sled lets go of its files behind whoever drops it.
fn sled_of(data: &Path) -> sled::Db {
    let begun = Instant::now();
    loop {
        match sled::open(data.join("state")) {
            Ok(sled) => return sled,
            Err(error) => assert!(begun.elapsed() < Duration::from_secs(10), "{error}"),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn answer(status: u16) -> Answer {
    Answer { status, content_type: "text/plain".into(), body: b"answered".to_vec(), location: None, etag: None }
}

async fn caller(engine: &Engine, login: &str) -> Caller {
    engine.caller("test", login, false).await.expect("a person")
}

async fn process(engine: &Engine, caller: &Caller, permit: Permit) -> ProcessId {
    if engine.schemas().is_empty() {
        let parsed = parse(SCHEMA.as_bytes(), Syntax::Yaml).expect("a schema");
        let permit = Permit::default();
        let imported = engine.import_schema(parsed, SchemaSource::Authored, Actor::System, |_| answer(201), &permit);
        imported.await.expect("imported");
    }
    let schema = engine.schema("fair").expect("there");
    let new = NewProcess { name: "Fair".into(), ..NewProcess::default() };
    let made = engine.create_process(caller, &schema, new, |_, _| answer(201), permit).await;
    made.expect("made").0.id
}

async fn run(engine: &Engine, caller: &Caller, id: ProcessId, command: Command) -> Result<Answer, Trouble> {
    engine.command(caller, id, &command, None, None, |_, _| answer(200), Permit::default()).await
}

#[tokio::test]
async fn a_login_is_one_person_however_many_ask_at_once_and_after_a_restart() {
    let data = tempfile::tempdir().expect("a directory");
    let ambient = given();
    let engine = Arc::new(open(data.path(), &ambient));
    let asking: Vec<_> = (0..20)
        .map(|_| {
            let engine = Arc::clone(&engine);
            tokio::spawn(async move { caller(&engine, "ana").await.person })
        })
        .collect();
    let mut people = Vec::new();
    for asked in asking {
        people.push(asked.await.expect("answered"));
    }
    people.dedup();
    assert_eq!(people.len(), 1);
    assert_ne!(caller(&engine, "boris").await.person, people[0]);
    engine.close();
    drop(engine);
    let engine = open(data.path(), &ambient);
    assert_eq!(caller(&engine, "ana").await.person, people[0]);
}

#[tokio::test]
async fn an_answer_is_remembered_for_a_week_over_a_restart_and_no_longer() {
    let data = tempfile::tempdir().expect("a directory");
    let ambient = given();
    let engine = open(data.path(), &ambient);
    let ana = caller(&engine, "ana").await;
    let request = Request { method: "POST", path: "/v1/processes", key: "k", body: b"{}" };
    let Ok(Entry::New(permit)) = engine.enter(&ana, request).await else { panic!("a new key is new") };
    process(&engine, &ana, permit).await;
    engine.close();
    drop(engine);
    let engine = open(data.path(), &ambient);
    let ana = caller(&engine, "ana").await;
    let again = engine.enter(&ana, request).await.expect("entered");
    assert!(matches!(again, Entry::Answered(first) if first == answer(201)));
    let other = Request { body: b"{\"other\": 1}", ..request };
    assert!(matches!(engine.enter(&ana, other).await.expect("entered"), Entry::OtherBody));
    let boris = caller(&engine, "boris").await;
    let Ok(Entry::New(permit)) = engine.enter(&boris, request).await else { panic!("a key is its caller's own") };
    drop(permit);
    ambient.now.fetch_add(REMEMBERED_US + 1, Ordering::Relaxed);
    assert!(matches!(engine.enter(&ana, request).await.expect("entered"), Entry::New(_)));
}

#[tokio::test]
async fn an_answer_that_is_remembered_no_more_leaves_the_state_and_its_key_is_new_once() {
    let data = tempfile::tempdir().expect("a directory");
    let ambient = given();
    let rows = || sled_of(data.path()).scan_prefix([interlink_runtime::state::table::ANSWER]).count();
    let request = Request { method: "POST", path: "/v1/processes", key: "k", body: b"{}" };
    let answered = async || {
        let engine = open(data.path(), &ambient);
        let ana = caller(&engine, "ana").await;
        let Ok(Entry::New(permit)) = engine.enter(&ana, request).await else { panic!("a new key is new") };
        process(&engine, &ana, permit).await;
        assert!(matches!(engine.enter(&ana, request).await, Ok(Entry::Answered(_))));
        engine.close();
    };
    answered().await;
    assert_eq!(rows(), 1);
    ambient.now.fetch_add(REMEMBERED_US + 1, Ordering::Relaxed);
    // The walk that every start begins comes to the answers behind the processes.
    let begun = Instant::now();
    while rows() > 0 {
        assert!(begun.elapsed() < Duration::from_secs(30), "it does not leave the state");
        let engine = open(data.path(), &ambient);
        tokio::time::sleep(Duration::from_millis(200)).await;
        engine.close();
    }
    answered().await;
    assert_eq!(rows(), 1);
    interlink_runtime::state::remove_state(data.path()).expect("removed");
    ambient.now.fetch_add(REMEMBERED_US + 1, Ordering::Relaxed);
    open(data.path(), &ambient).close();
    assert_eq!(rows(), 0, "what is made again from the journal has it neither");
}

#[tokio::test]
async fn a_request_with_the_key_of_one_under_way_waits_for_its_answer() {
    let data = tempfile::tempdir().expect("a directory");
    let engine = Arc::new(open(data.path(), &given()));
    let ana = caller(&engine, "ana").await;
    let request = Request { method: "POST", path: "/v1/processes", key: "k", body: b"{}" };
    let Ok(Entry::New(permit)) = engine.enter(&ana, request).await else { panic!("a new key is new") };
    let (waiting, asking) = (Arc::clone(&engine), ana.clone());
    let second = tokio::spawn(async move {
        matches!(waiting.enter(&asking, request).await, Ok(Entry::Answered(first)) if first == answer(201))
    });
    tokio::task::yield_now().await;
    assert!(!second.is_finished());
    process(&engine, &ana, permit).await;
    assert!(second.await.expect("answered"));
}

#[tokio::test]
async fn a_process_in_which_nothing_happens_is_stalled_after_two_weeks() {
    let data = tempfile::tempdir().expect("a directory");
    let ambient = given();
    let engine = open(data.path(), &ambient);
    let ana = caller(&engine, "ana").await;
    let id = process(&engine, &ana, Permit::default()).await;
    run(&engine, &ana, id, Command::Start).await.expect("starts");
    let adoption = engine.adoption().expect("whole");
    assert_eq!((adoption.tasks_open, adoption.tasks_stalled, adoption.people_active), (2, 0, 1));
    ambient.now.fetch_add(STALLED_AFTER_US + 1, Ordering::Relaxed);
    assert_eq!(
        (engine.adoption().expect("whole").processes_stalled, engine.adoption().expect("whole").tasks_stalled),
        (1, 2)
    );
    run(&engine, &ana, id, Command::Complete("a".into())).await.expect("done");
    let adoption = engine.adoption().expect("whole");
    assert_eq!((adoption.tasks_done, adoption.tasks_open, adoption.tasks_stalled), (1, 1, 0));
}

#[tokio::test]
async fn a_clock_that_goes_back_does_not_take_events_with_it() {
    let data = tempfile::tempdir().expect("a directory");
    let ambient = given();
    let engine = open(data.path(), &ambient);
    let ana = caller(&engine, "ana").await;
    let id = process(&engine, &ana, Permit::default()).await;
    ambient.now.fetch_sub(3_600_000_000, Ordering::Relaxed);
    run(&engine, &ana, id, Command::Start).await.expect("starts");
    let events = engine.events(id, 0, 100).expect("readable");
    assert!(events.is_sorted_by_key(|event| (event.position, event.stamp.at)));
    assert_eq!(events.len(), 2);
}

#[tokio::test]
async fn a_hundred_commands_at_once_on_one_process_are_each_decided_on_the_one_before() {
    let data = tempfile::tempdir().expect("a directory");
    let engine = Arc::new(open(data.path(), &given()));
    let ana = caller(&engine, "ana").await;
    let id = process(&engine, &ana, Permit::default()).await;
    run(&engine, &ana, id, Command::Start).await.expect("starts");
    let mut claims = Vec::new();
    for number in 0..100 {
        let someone = caller(&engine, &format!("person {number}")).await;
        let engine = Arc::clone(&engine);
        claims.push(tokio::spawn(async move { run(&engine, &someone, id, Command::Claim("a".into())).await }));
    }
    let mut taken = 0;
    for claim in claims {
        match claim.await.expect("answered") {
            Ok(_) => taken += 1,
            Err(Trouble::Rejected(rejection, _)) => assert_eq!(rejection.rule, Rule::TaskClaimed),
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(taken, 1, "one of a hundred gets the task");
    assert_eq!(engine.process(id).expect("there").process.version, 2);
}

#[tokio::test]
async fn the_state_is_the_same_whether_it_was_kept_lost_or_made_again() {
    let data = tempfile::tempdir().expect("a directory");
    let ambient = given();
    let mut ids = Vec::new();
    {
        let engine = open(data.path(), &ambient);
        let ana = caller(&engine, "ana").await;
        for number in 0..50 {
            let id = process(&engine, &ana, Permit::default()).await;
            run(&engine, &ana, id, Command::Start).await.expect("starts");
            if number % 2 == 0 {
                run(&engine, &ana, id, Command::Complete("a".into())).await.expect("done");
            }
            ids.push(id);
        }
        engine.close();
    }
    let look = |engine: &Engine| {
        let processes: Vec<_> = ids.iter().map(|id| engine.process(*id).expect("there").process.to_row()).collect();
        (processes, engine.adoption().expect("whole"))
    };
    let engine = open(data.path(), &ambient);
    assert_eq!(engine.opened().replayed, 0, "a state that was stopped in order includes everything");
    let kept = look(&engine);
    engine.close();
    drop(engine);
    std::fs::remove_dir_all(data.path().join("state")).expect("removed");
    let engine = open(data.path(), &ambient);
    assert!(engine.opened().replayed > 100);
    assert_eq!(look(&engine), kept);
    engine.close();
    drop(engine);
    interlink_runtime::audit::rebuild(data.path(), &mut |_| {}).expect("made again");
    let audit = interlink_runtime::audit::verify(data.path()).expect("readable");
    assert_eq!((audit.processes, audit.differences.len(), audit.journal.damage.len()), (50, 0, 0));
    assert_eq!(look(&open(data.path(), &ambient)), kept);
}

#[tokio::test]
async fn an_audit_tells_what_the_state_lost_and_changes_nothing() {
    let data = tempfile::tempdir().expect("a directory");
    let ambient = given();
    let engine = open(data.path(), &ambient);
    let ana = caller(&engine, "ana").await;
    let id = process(&engine, &ana, Permit::default()).await;
    engine.close();
    drop(engine);
    let audit = || interlink_runtime::audit::verify(data.path()).expect("readable").differences;
    assert_eq!(audit(), Vec::<String>::new());
    // A row that sled lost without saying so.
    let row = [&[interlink_runtime::state::table::PROCESS][..], &id.bytes()].concat();
    {
        let sled = sled_of(data.path());
        sled.remove(&row).expect("removed").expect("it was there");
        sled.flush().expect("flushed");
    }
    assert_eq!(audit(), [format!("process {id}: its row is missing")]);
    assert_eq!(audit().len(), 1, "it was not mended by looking");
    // A state that does not open.
    std::fs::write(data.path().join("state/db"), b"no database").expect("written");
    assert!(audit()[0].contains("state rebuild"), "{:?}", audit());
    assert_eq!(std::fs::read(data.path().join("state/db")).expect("read"), b"no database");
    interlink_runtime::audit::rebuild(data.path(), &mut |_| {}).expect("made again");
    assert_eq!(audit(), Vec::<String>::new());
}

#[tokio::test]
async fn a_directory_has_one_engine_at_a_time() {
    let data = tempfile::tempdir().expect("a directory");
    let engine = open(data.path(), &given());
    let second = Engine::open(data.path(), Options::default(), &mut |_| {});
    assert!(second.err().expect("refused").to_string().contains("in use"));
    assert!(interlink_runtime::audit::verify(data.path()).is_err(), "an audit wants it alone");
    drop(engine);
    open(data.path(), &given());
}

#[tokio::test]
async fn a_process_that_ended_stays_ended_after_a_kill() {
    let data = tempfile::tempdir().expect("a directory");
    let ambient = given();
    let engine = open(data.path(), &ambient);
    let ana = caller(&engine, "ana").await;
    let id = process(&engine, &ana, Permit::default()).await;
    for command in [Command::Start, Command::Complete("a".into()), Command::Complete("b".into())] {
        run(&engine, &ana, id, command).await.expect("done");
    }
    // Not closed: what was answered is in the journal, whatever the state has of it.
    drop(engine);
    let engine = open(data.path(), &ambient);
    assert_eq!(engine.process(id).expect("there").process.status, ProcessStatus::Completed);
}

//! A server at work, and all that happened to its disk meanwhile.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::json;
use tempfile::TempDir;

use super::dice::Dice;
use super::disk::{Disk, Fate, Files, files_of};
use super::trace::{self, Act, Op};
use crate::client::Client;
use crate::given::publish_webhook;
use crate::kills::load::{Told, Writer};
use crate::kills::schemas;
use crate::outside::Outside;
use crate::server::{Server, printed};

/// People at work at the same time.
const WRITERS: usize = 3;
/// The smallest segments that there are, MiB: it takes least to fill one.
const SEGMENT_MIB: &str = "12";
/// Schemas that are nothing but large, so that a segment is full soon, and the bytes of each.
const LARGE: usize = 18;
const LARGE_BYTES: usize = 700_000;
/// The name of the backup.
pub const BACKUP: &str = "town.backup";
/// How long the tracer may take to write down the last of it.
const TRACED: Duration = Duration::from_secs(60);

/// What happened, and what was answered.
pub struct Recording {
    /// The data directory before.
    pub first: Files,
    /// What was done to it.
    pub ops: Vec<Op>,
    /// Who was at work, with everything that each was told.
    pub people: Vec<(String, Vec<Told>)>,
    /// The directory of a backup that was taken meanwhile: what was done to it.
    pub backup: Vec<Op>,
}

/// A moment in microseconds since 1970, as the trace has them.
pub fn micros(at: SystemTime) -> i64 {
    let since = at.duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    i64::try_from(since.as_micros()).expect("before the year 294,000")
}

/// Records a mixed load over a change of segment, checkpoints of the state, a backup, and an orderly stop, which signs a
/// checkpoint of the journal.
pub fn record() -> Recording {
    let data = Server::new_data();
    let first = files_of(data.path());
    let traces = tempfile::tempdir().expect("a directory");
    let (of_server, of_backup) = (traces.path().join("server"), traces.path().join("backup"));
    let options = ["--segment-mib", SEGMENT_MIB];
    let server = Server::run_by(trace::runner(&of_server), &options, data);
    let mut server = server.unwrap_or_else(|error| panic!("{error}"));
    let shelf = tempfile::tempdir().expect("a directory");
    let people = under_load(&server, &shelf, &of_backup);
    server.stop();
    let ops = trace::read(ended(&of_server), server.data());
    let backup = trace::read(ended(&of_backup), shelf.path());
    is_all_of_it(&first, &ops, server.data());
    is_all_of_it(&Files::new(), &backup, shelf.path());
    Recording { first, ops, people, backup }
}

/// A recording comes to what is there in the end: nothing that was written went past the tracer.
fn is_all_of_it(first: &Files, ops: &[Op], directory: &Path) {
    let mut disk = Disk::at(i64::MAX, first, ops, true);
    disk.settle(Fate::Everything, &mut Dice(0));
    assert_eq!(disk.differences(&files_of(directory)), Vec::<PathBuf>::new());
}

fn under_load(server: &Server, shelf: &TempDir, of_backup: &Path) -> Vec<(String, Vec<Told>)> {
    let operator = server.operator();
    for schema in schemas() {
        operator.send("/v1/schemas", "application/yaml", schema).is(201);
    }
    publish_webhook(server);
    let outside = Outside::start();
    outside.grant(server);
    let people: Vec<(String, Client)> = (0..WRITERS)
        .map(|number| {
            let login = format!("writer-{number}");
            (login.clone(), server.member(&login))
        })
        .collect();
    let stop = AtomicBool::new(false);
    let mut bulk = Writer::new(WRITERS, operator, &outside);
    let mut told: Vec<_> = std::thread::scope(|scope| {
        let at_work = people.iter().enumerate().map(|(number, (login, client))| {
            let (stop, outside) = (&stop, &outside);
            scope.spawn(move || (login.clone(), Writer::new(number, client, outside).work(stop).told))
        });
        let at_work: Vec<_> = at_work.collect();
        let stop = Stopping(&stop);
        (0..LARGE / 2).for_each(|number| import(&mut bulk, number));
        let file = shelf.path().join(BACKUP);
        let output = server.cli_run_by(&trace::runner(of_backup), &["backup".as_ref(), file.as_os_str()]);
        assert!(output.status.success(), "{}", printed(&output));
        (LARGE / 2..LARGE).for_each(|number| import(&mut bulk, number));
        drop(stop);
        at_work.into_iter().map(|person| person.join().expect("it ended")).collect()
    });
    told.push((crate::server::OPERATOR.to_owned(), bulk.told));
    told
}

/// Tells people to stop when it goes, be it with a panic: otherwise they would be waited for, and work on.
struct Stopping<'a>(&'a AtomicBool);

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn import(bulk: &mut Writer<'_>, number: usize) {
    let name = format!("large-{number}");
    let filler: String = std::iter::repeat_n(name.as_str(), LARGE_BYTES / name.len()).collect();
    let body = json!({"name": name, "version": "1.0.0", "x-filler": filler, "phases": [{"id": "p"}]});
    bulk.tell("/v1/schemas", body, 201);
}

/// The trace of a program that has ended, once all of it is there.
fn ended(trace: &Path) -> &Path {
    let begun = Instant::now();
    let is_whole = || {
        let tail = Command::new("tail").args(["-n", "1"]).arg(trace).output().expect("tail runs");
        String::from_utf8_lossy(&tail.stdout).contains("+++ exited with 0 +++")
    };
    while !is_whole() {
        assert!(begun.elapsed() < TRACED, "the trace has no end");
        std::thread::sleep(Duration::from_millis(20));
    }
    trace
}

impl Recording {
    /// When a segment followed another.
    pub fn changes_of_segment(&self) -> Vec<i64> {
        let is_segment = |path: &Path| path.extension().is_some_and(|ending| ending == "segment");
        let named = self.ops.iter().filter(|op| matches!(&op.act, Act::Renamed(_, to) if is_segment(to)));
        // The first is the one that the start opened.
        named.map(|op| op.entered).skip(1).collect()
    }

    /// When a checkpoint of the state was synced.
    pub fn checkpoints(&self) -> Vec<i64> {
        let synced = self.ops.iter().filter(|op| matches!(&op.act, Act::Synced(path) if path == Path::new("state/db")));
        synced.map(|op| op.entered).collect()
    }

    /// When the first and the last of all commands were answered.
    pub fn answered(&self) -> (i64, i64) {
        let all = || self.people.iter().flat_map(|(_, told)| told).map(|told| micros(told.answered));
        (all().min().expect("somebody was answered"), all().max().expect("somebody was answered"))
    }
}

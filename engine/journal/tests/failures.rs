//! Failed writes and syncs: what was acknowledged stays, everything else has an outcome, and it goes on by itself.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use interlink_journal::faults::{Fault, FaultyDisk, Operation};
use interlink_journal::suite::{append, commit, stream};
use interlink_journal::{
    AppendError, Body, Committed, FileJournal, Journal, Options, SEGMENT_BYTES_MIN, Stream, TIER_TABLES, verify,
};
use parking_lot::Mutex;

/// Long enough for anything that a test waits for.
const PATIENCE: Duration = Duration::from_secs(30);

struct Broken {
    place: tempfile::TempDir,
    disk: Arc<FaultyDisk>,
}

impl Broken {
    fn new() -> Self {
        Self { place: tempfile::tempdir().expect("a temporary directory"), disk: Arc::default() }
    }

    fn open(&self) -> FileJournal {
        self.try_open().expect("opens")
    }

    fn try_open(&self) -> Result<FileJournal, interlink_journal::OpenError> {
        let disk: Arc<FaultyDisk> = Arc::clone(&self.disk);
        let retry_pause = Duration::from_millis(5);
        FileJournal::open_on(self.place.path(), Options { segment_bytes: SEGMENT_BYTES_MIN, retry_pause, disk })
    }

    fn segments(&self) -> Vec<std::path::PathBuf> {
        files(&self.place.path().join("journal"), "segment")
    }

    fn quarantined(&self) -> Vec<std::path::PathBuf> {
        files(&self.place.path().join("quarantine"), "torn")
    }
}

fn files(directory: &Path, extension: &str) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("listed").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    paths.sort();
    paths
}

fn wait_until(what: &str, mut reached: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !reached() {
        assert!(Instant::now() < until, "{what} did not come");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn is_unavailable<T>(fate: &Result<T, AppendError>) -> bool {
    matches!(fate, Err(AppendError::Unavailable { .. }))
}

fn large(version: u64) -> interlink_journal::Append {
    let mut large = append(&[(stream(1), version)]);
    large.records[0].body = Body::new(vec![7; 1 << 20]);
    large
}

fn versions(journal: &dyn Journal, of: Stream) -> Vec<u64> {
    let records = journal.read_stream(&of, 0, u64::MAX).expect("readable");
    records.iter().map(|record| record.version).collect()
}

/// The fate of an append that is submitted under a lock which `done` takes as well.
fn told_under_a_lock(journal: &dyn Journal) -> Result<Committed, AppendError> {
    let (held, (tell, told)) = (Arc::new(Mutex::new(())), mpsc::channel());
    let wanted = Arc::clone(&held);
    let holding = held.lock();
    let done = move |fate| {
        let _held = wanted.try_lock_for(PATIENCE).expect("who submits may hold a lock that `done` takes");
        tell.send(fate).expect("the test waits");
    };
    journal.submit(append(&[(stream(1), 1)]), Box::new(done));
    drop(holding);
    told.recv_timeout(PATIENCE).expect("everybody is told")
}

/// One append that is acknowledged, one that a fault costs, one behind it; then the same after a restart.
fn goes_on_after(plan: &[(Operation, Fault)]) -> Broken {
    let broken = Broken::new();
    let journal = broken.open();
    commit(&journal, append(&[(stream(1), 0)])).expect("made");
    plan.iter().for_each(|(operation, fault)| broken.disk.fail_next(*operation, *fault));
    let refused = commit(&journal, append(&[(stream(1), 1), (stream(2), 0)]));
    assert!(is_unavailable(&refused), "{plan:?}: {refused:?}");
    wait_until("an end of the refusals", || journal.read_only().is_none());
    assert_eq!(versions(&journal, stream(1)), [0], "{plan:?}: what was refused is not there");
    assert_eq!(journal.head(&stream(2)).expect("readable"), None);
    let made = commit(&journal, append(&[(stream(1), 1)])).expect("the version is free");
    assert_eq!(made.first, 2, "{plan:?}: it takes the position behind the last that was acknowledged");
    drop(journal);
    let report = verify(broken.place.path()).expect("readable");
    assert!(report.damage.is_empty() && report.torn.is_empty(), "{plan:?}: {report:?}");
    let journal = broken.open();
    assert!(journal.damage().is_empty(), "{plan:?}: {:?}", journal.damage());
    assert_eq!(versions(&journal, stream(1)), [0, 1], "{plan:?}");
    drop(journal);
    broken
}

#[test]
fn after_a_full_disk_the_journal_goes_on_behind_what_was_acknowledged() {
    let broken = goes_on_after(&[(Operation::Write, Fault::NoSpace)]);
    assert!(broken.quarantined().is_empty(), "nothing had been written");
    assert_eq!(broken.segments().len(), 3, "a segment for each start and one for the failure");
}

#[test]
fn after_a_write_that_failed_half_way_the_half_is_kept_aside() {
    let broken = goes_on_after(&[(Operation::Write, Fault::Short), (Operation::Write, Fault::Io)]);
    assert_eq!(broken.quarantined().len(), 1);
}

#[test]
fn after_a_failed_sync_that_lost_the_bytes_the_journal_goes_on() {
    let broken = goes_on_after(&[(Operation::SyncData, Fault::SyncLoses)]);
    assert!(broken.quarantined().is_empty());
}

#[test]
fn after_a_failed_sync_that_left_the_bytes_they_count_as_not_there() {
    let broken = goes_on_after(&[(Operation::SyncData, Fault::Io)]);
    assert_eq!(broken.quarantined().len(), 1);
}

#[test]
fn every_step_of_going_on_may_fail_and_is_tried_again() {
    let steps = [
        (Operation::MakeDirectory, Fault::NoSpace),
        (Operation::Create, Fault::NoSpace),
        (Operation::Create, Fault::Io),
        (Operation::SyncDirectory, Fault::Io),
        (Operation::SetLen, Fault::Io),
        (Operation::SyncAll, Fault::Io),
        (Operation::SyncAll, Fault::SyncLoses),
        (Operation::Rename, Fault::Io),
    ];
    for step in steps {
        goes_on_after(&[(Operation::SyncData, Fault::Io), step, step]);
    }
}

#[test]
fn a_batch_of_a_failed_sync_that_is_whole_at_the_next_start_was_never_acknowledged() {
    let broken = goes_on_after(&[(Operation::SyncData, Fault::Io)]);
    let kept = fs::read(&broken.quarantined()[0]).expect("read");
    let left = &broken.segments()[0];
    let mut whole = fs::read(left).expect("read");
    // As if the cut had not reached the disk, and the batch had.
    whole.extend_from_slice(&kept);
    whole.resize(whole.len().next_multiple_of(8), 0);
    fs::write(left, &whole).expect("written");
    let report = verify(broken.place.path()).expect("readable");
    assert!(report.damage.is_empty(), "{report:?}");
    assert_eq!((report.torn.len(), report.records, report.streams), (1, 2, 1), "{report:?}");
    let journal = broken.open();
    assert!(journal.damage().is_empty(), "{:?}", journal.damage());
    assert_eq!(versions(&journal, stream(1)), [0, 1]);
    assert_eq!(journal.read_stream(&stream(1), 1, 1 << 40).expect("readable")[0].position, 2);
    assert_eq!(journal.head(&stream(2)).expect("readable"), None, "the later segment is believed");
    commit(&journal, append(&[(stream(1), 2)])).expect("it goes on");
}

#[test]
fn while_going_on_fails_the_journal_is_read_only_and_says_why_and_reads() {
    let broken = Broken::new();
    let journal = broken.open();
    commit(&journal, append(&[(stream(1), 0)])).expect("made");
    assert_eq!(journal.read_only(), None);
    broken.disk.fail_always(Operation::SetLen, Fault::Io);
    broken.disk.fail_next(Operation::Write, Fault::Io);
    assert!(is_unavailable(&commit(&journal, append(&[(stream(1), 1)]))));
    wait_until("the reason", || journal.read_only().is_some_and(|reason| reason.contains("cutting journal/")));
    let refused = commit(&journal, append(&[(stream(1), 1)]));
    assert!(is_unavailable(&refused), "{refused:?}");
    let fate = told_under_a_lock(&journal);
    assert!(is_unavailable(&fate), "{fate:?}");
    assert_eq!(versions(&journal, stream(1)), [0], "reads go on");
    broken.disk.repair();
    wait_until("an end of the refusals", || journal.read_only().is_none());
    commit(&journal, append(&[(stream(1), 1)])).expect("made");
}

#[test]
fn all_that_was_handed_over_is_refused_before_anything_is_accepted_again() {
    let broken = Broken::new();
    let journal = broken.open();
    commit(&journal, append(&[(stream(0), 0)])).expect("made");
    broken.disk.fail_next(Operation::SyncData, Fault::Io);
    let (tell, told) = mpsc::channel();
    // Each is decided on the one before: none of them may be made without it.
    for number in 1..200 {
        let tell = tell.clone();
        let done = move |fate: Result<_, _>| tell.send((number, fate)).expect("the test waits");
        journal.submit(append(&[(stream(number), 0)]), Box::new(done));
    }
    drop(tell);
    let fates: Vec<_> = told.iter().take(199).collect();
    let first_made = fates.iter().position(|(_, fate)| fate.is_ok()).unwrap_or(fates.len());
    assert!(first_made > 0, "something was refused");
    let refused = fates.iter().filter(|(_, fate)| is_unavailable(fate)).count();
    assert_eq!(refused, first_made, "no refusal is told behind an append that was accepted");
}

#[test]
fn what_callers_decide_ahead_is_never_accepted_on_top_of_what_was_refused() {
    let broken = Broken::new();
    let journal = broken.open();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let journal = &journal;
            scope.spawn(move || write_ahead(journal, stream(writer), stream(100 + writer)));
        }
        for _ in 0..40 {
            std::thread::sleep(Duration::from_millis(3));
            broken.disk.fail_next(Operation::SyncData, Fault::Io);
        }
    });
    drop(journal);
    let report = verify(broken.place.path()).expect("readable");
    assert!(report.damage.is_empty() && report.torn.is_empty(), "{report:?}");
    let journal = broken.open();
    for writer in 0..4 {
        let (causes, effects) = (versions(&journal, stream(writer)), versions(&journal, stream(100 + writer)));
        assert!(effects.len() <= causes.len(), "an effect was accepted without its cause");
    }
}

/// Writes causes and effects ahead, each effect decided on its cause and in an append of its own, until it is told of a
/// refusal; then it starts anew from what is durable. It decides and submits under a lock that `done` takes as well.
fn write_ahead(journal: &FileJournal, cause: Stream, effect: Stream) {
    let next = |of: &Stream| journal.head(of).expect("readable").map_or(0, |head| head.version + 1);
    for _ in 0..60 {
        let refused = Arc::new(Mutex::new(false));
        let (tell, told) = mpsc::channel();
        let (first_cause, first_effect) = (next(&cause), next(&effect));
        let ahead = (0..5).flat_map(|ahead| [(cause, first_cause + ahead), (effect, first_effect + ahead)]);
        for one in ahead {
            let deciding = refused.lock();
            if *deciding {
                break;
            }
            let (tell, refused) = (tell.clone(), Arc::clone(&refused));
            let done = move |fate: Result<_, AppendError>| {
                *refused.lock() |= fate.is_err();
                tell.send(fate).expect("the writer waits");
            };
            journal.submit(append(&[one]), Box::new(done));
        }
        drop(tell);
        let fates: Vec<_> = told.iter().collect();
        let made = fates.iter().filter(|fate| fate.is_ok()).count();
        let prefix = fates.iter().take_while(|fate| fate.is_ok()).count();
        assert!(fates.iter().all(|fate| fate.is_ok() || is_unavailable(fate)), "{fates:?}");
        assert_eq!(made, prefix, "what was decided on a refused append is refused: {fates:?}");
        wait_until("an end of the refusals", || journal.read_only().is_none());
    }
}

#[test]
fn a_full_disk_while_the_next_segment_is_prepared_costs_no_append_that_still_fits() {
    let broken = Broken::new();
    drop(broken.open());
    let journal = broken.open();
    broken.disk.fail_always(Operation::Preallocate, Fault::NoSpace);
    // One prepared segment may be there already; the one behind it cannot be made.
    let made = (0..40).take_while(|version| commit(&journal, large(*version)).is_ok()).count() as u64;
    assert!((10..30).contains(&made), "a segment takes ten or eleven of a megabyte: {made}");
    wait_until("the reason", || journal.read_only().is_some_and(|reason| reason.contains("No space")));
    assert_eq!(versions(&journal, stream(1)).len() as u64, made);
    broken.disk.repair();
    wait_until("space", || journal.read_only().is_none());
    commit(&journal, large(made)).expect("it goes on by itself");
}

#[test]
fn on_a_full_disk_it_opens_read_only_and_takes_appends_once_there_is_space() {
    let broken = Broken::new();
    let journal = broken.open();
    commit(&journal, append(&[(stream(1), 0)])).expect("made");
    drop(journal);
    let prepared = broken.place.path().join("journal/prepared");
    if prepared.exists() {
        fs::remove_file(prepared).expect("removed");
    }
    broken.disk.fail_always(Operation::Preallocate, Fault::NoSpace);
    let journal = broken.open();
    assert!(journal.read_only().is_some_and(|reason| reason.contains("opening a new segment")));
    assert_eq!(versions(&journal, stream(1)), [0]);
    assert!(is_unavailable(&commit(&journal, append(&[(stream(1), 1)]))));
    broken.disk.repair();
    wait_until("space", || journal.read_only().is_none());
    commit(&journal, append(&[(stream(1), 1)])).expect("made");
}

#[test]
fn a_torn_tail_that_cannot_be_kept_aside_for_want_of_space_is_cut_once_there_is_some() {
    let broken = Broken::new();
    let journal = broken.open();
    for version in 0..3 {
        commit(&journal, append(&[(stream(1), version)])).expect("made");
    }
    drop(journal);
    let segment = broken.segments().remove(0);
    let bytes = fs::read(&segment).expect("read");
    let used = bytes.len() - bytes.iter().rev().take_while(|byte| **byte == 0).count();
    fs::write(&segment, &bytes[..used - 50]).expect("written");
    broken.disk.fail_always(Operation::Create, Fault::NoSpace);
    let journal = broken.open();
    assert!(journal.read_only().is_some_and(|reason| reason.contains("cutting journal/")));
    assert_eq!(versions(&journal, stream(1)), [0, 1]);
    assert!(broken.quarantined().is_empty());
    broken.disk.repair();
    wait_until("space", || journal.read_only().is_none());
    assert_eq!(broken.quarantined().len(), 1);
    commit(&journal, append(&[(stream(1), 2)])).expect("made");
}

#[test]
fn a_start_that_fails_for_another_reason_than_space_is_an_error() {
    let broken = Broken::new();
    drop(broken.open());
    broken.disk.fail_next(Operation::Rename, Fault::Io);
    let error = broken.try_open().err().expect("refused");
    assert!(error.to_string().contains("opening a new segment"), "{error}");
}

#[test]
fn a_journal_that_is_read_only_can_be_closed() {
    let broken = Broken::new();
    let journal = broken.open();
    broken.disk.fail_always(Operation::Preallocate, Fault::NoSpace);
    broken.disk.fail_always(Operation::SetLen, Fault::Io);
    broken.disk.fail_next(Operation::Write, Fault::Io);
    assert!(is_unavailable(&commit(&journal, append(&[(stream(1), 0)]))));
    journal.close();
    let refused = commit(&journal, append(&[(stream(1), 0)]));
    assert_eq!(refused, Err(AppendError::Unavailable { reason: "the server is stopping".into() }));
}

#[test]
fn that_the_index_cannot_be_written_costs_no_append_and_it_comes_when_there_is_space() {
    let broken = Broken::new();
    // Nothing but a merge makes files in this way while nothing is torn.
    broken.disk.fail_always(Operation::Create, Fault::NoSpace);
    for version in 0..TIER_TABLES as u64 {
        commit(&broken.open(), append(&[(stream(1), version)])).expect("made");
    }
    let journal = broken.open();
    let index = broken.place.path().join("journal/index");
    wait_until("a try", || index.exists());
    commit(&journal, append(&[(stream(1), TIER_TABLES as u64)])).expect("made");
    assert_eq!(journal.read_only(), None);
    assert!(files(&index, "index").is_empty());
    broken.disk.repair();
    wait_until("an index", || !files(&index, "index").is_empty());
    assert_eq!(versions(&journal, stream(1)).len(), TIER_TABLES + 1);
}

#[test]
fn where_the_committer_panics_the_journal_takes_nothing_more_and_nobody_waits_for_ever() {
    let broken = Broken::new();
    let journal = broken.open();
    commit(&journal, append(&[(stream(1), 0)])).expect("made");
    journal.submit(append(&[(stream(1), 1)]), Box::new(|_| panic!("a defect, made for this test")));
    let (tell, told) = mpsc::channel();
    journal.submit(append(&[(stream(2), 0)]), Box::new(move |fate| drop(tell.send(fate))));
    let fate = told.recv_timeout(PATIENCE);
    assert_ne!(fate, Err(mpsc::RecvTimeoutError::Timeout), "it waits for ever");
    wait_until("the reason", || journal.read_only().is_some_and(|reason| reason.contains("defect")));
    assert!(is_unavailable(&told_under_a_lock(&journal)), "and it is not who submits who is told");
    // That telling panics as well costs nobody who comes later.
    let (tell, told) = mpsc::channel();
    let done = move |_| {
        tell.send(()).expect("the test waits");
        panic!("another, made for this test");
    };
    journal.submit(append(&[(stream(3), 0)]), Box::new(done));
    told.recv_timeout(PATIENCE).expect("it is told");
    assert!(is_unavailable(&told_under_a_lock(&journal)));
    assert_eq!(versions(&journal, stream(1)), [0, 1], "reads go on");
    journal.close();
    drop(journal);
    let journal = broken.open();
    assert!(journal.damage().is_empty(), "{:?}", journal.damage());
    assert_eq!(versions(&journal, stream(1)), [0, 1], "what was synced is there");
    commit(&journal, append(&[(stream(1), 2)])).expect("a restart goes on");
}

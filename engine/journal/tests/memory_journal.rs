//! The journal in memory: the suite, and that nothing happens in it which the test did not say.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use interlink_journal::suite::{Durable, MemoryJournal, Place, Step, append, run, stream};
use interlink_journal::{Append, AppendError, Committed, Journal};

struct Memory(Durable);

impl Place for Memory {
    fn open(&self) -> Arc<dyn Journal> {
        Arc::new(MemoryJournal::open_at_once(self.0.clone()))
    }
}

#[test]
fn the_memory_journal_keeps_the_promises_of_the_trait() {
    run(|| Box::new(Memory(Durable::new([1; 16]))));
}

type Fates = mpsc::Receiver<(u64, Result<Committed, AppendError>)>;

/// A journal in which so many appends of one stream wait.
fn waiting(durable: &Durable, many: u64) -> (MemoryJournal, Fates) {
    let journal = MemoryJournal::open(durable.clone());
    let (tell, told) = mpsc::channel();
    for version in 0..many {
        let tell = tell.clone();
        let done = move |fate| tell.send((version, fate)).expect("the test waits");
        journal.submit(append(&[(stream(1), version)]), Box::new(done));
    }
    (journal, told)
}

#[test]
fn what_waits_becomes_durable_when_the_test_says_so_and_in_order() {
    let (journal, told) = waiting(&Durable::new([1; 16]), 5);
    assert_eq!((journal.waiting(), journal.durable(), told.try_iter().count()), (5, None, 0));
    let before = journal.last_batch().0;
    journal.step(Step::Commit(3));
    let fates: Vec<_> = told.try_iter().map(|(version, fate)| (version, fate.expect("made").first)).collect();
    assert_eq!(fates, [(0, 1), (1, 2), (2, 3)]);
    assert_ne!(journal.last_batch().0, before);
    assert_eq!((journal.waiting(), journal.durable()), (2, Some(3)));
    journal.step(Step::Commit(usize::MAX));
    assert_eq!((journal.waiting(), journal.durable()), (0, Some(5)));
}

#[test]
fn a_failure_refuses_all_that_waits_and_all_that_comes_until_it_goes_on() {
    let (journal, told) = waiting(&Durable::new([1; 16]), 3);
    journal.step(Step::Commit(1));
    journal.step(Step::Fail("the disk is full".into()));
    let refused = AppendError::Unavailable { reason: "the disk is full".into() };
    let fates: Vec<_> = told.try_iter().skip(1).map(|(_, fate)| fate).collect();
    assert_eq!(fates, [Err(refused.clone()), Err(refused.clone())]);
    assert_eq!(journal.read_only().as_deref(), Some("the disk is full"));
    let late = Arc::new(Mutex::new(None));
    let told_late = Arc::clone(&late);
    journal.submit(
        append(&[(stream(1), 1)]),
        Box::new(move |fate| {
            *told_late.lock().expect("not poisoned") = Some(fate);
        }),
    );
    assert_eq!(*late.lock().expect("not poisoned"), None, "nobody is told in `submit`");
    journal.step(Step::GoOn);
    assert_eq!(*late.lock().expect("not poisoned"), Some(Err(refused)), "told before it goes on");
    assert_eq!(journal.read_only(), None);
    journal.submit(append(&[(stream(1), 1)]), Box::new(|fate| assert!(fate.is_ok(), "{fate:?}")));
    journal.step(Step::Commit(1));
    assert_eq!(journal.durable(), Some(2));
}

#[test]
fn a_crash_drops_what_waits_tells_nobody_and_leaves_what_is_durable() {
    let durable = Durable::new([1; 16]);
    let (journal, told) = waiting(&durable, 4);
    journal.step(Step::Commit(2));
    journal.step(Step::Crash);
    journal.submit(append(&[(stream(9), 0)]), Box::new(|_| panic!("nobody lives to be told")));
    assert_eq!((told.try_iter().count(), journal.waiting()), (2, 0));
    let (head, batch) = (journal.head(&stream(1)).expect("readable"), journal.last_batch());
    let journal = MemoryJournal::open(durable);
    assert_eq!(
        (journal.durable(), journal.head(&stream(1)).expect("readable"), journal.last_batch()),
        (Some(2), head, batch)
    );
    assert_eq!(journal.read_stream(&stream(1), 0, u64::MAX).expect("readable").len(), 2);
    assert_eq!(journal.head(&stream(9)).expect("readable"), None);
}

#[test]
fn what_does_not_fit_into_one_batch_waits_for_the_next() {
    let journal = MemoryJournal::open(Durable::new([1; 16]));
    for version in 0..12 {
        let mut large: Append = append(&[(stream(1), version)]);
        large.records[0].body = interlink_journal::Body::new(vec![0; 1 << 20]);
        journal.submit(large, Box::new(|fate| assert!(fate.is_ok(), "{fate:?}")));
    }
    journal.step(Step::Commit(usize::MAX));
    let left = journal.waiting();
    assert!((1..12).contains(&left), "{left}");
    journal.step(Step::Commit(usize::MAX));
    assert_eq!((journal.waiting(), journal.durable()), (0, Some(12)));
}

#[test]
fn what_is_submitted_by_one_that_is_told_has_its_turn_behind_the_others() {
    let journal = Arc::new(MemoryJournal::open_at_once(Durable::new([1; 16])));
    let next = Arc::clone(&journal);
    let done = move |fate: Result<_, _>| {
        assert!(fate.is_ok());
        next.submit(append(&[(stream(1), 1)]), Box::new(|fate| assert!(fate.is_ok(), "{fate:?}")));
    };
    journal.submit(append(&[(stream(1), 0)]), Box::new(done));
    assert_eq!(journal.durable(), Some(2));
}

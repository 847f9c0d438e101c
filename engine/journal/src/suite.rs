//! One suite for every store behind [`Journal`]: a new store calls [`run`] and is held to the same promises.

use std::sync::Arc;
use std::sync::mpsc;

pub use crate::memory::{Durable, MemoryJournal, Step};
use crate::{Append, AppendError, Body, Committed, Journal, NewRecord, RecordKind, Stream};

/// A place in which a store keeps a journal.
pub trait Place {
    /// Opens the journal that is there, as after a restart, or makes one. What was open before has been dropped.
    fn open(&self) -> Arc<dyn Journal>;
}

/// An append of events with these streams and versions.
pub fn append(records: &[(Stream, u64)]) -> Append {
    let records = records.iter().map(|(stream, version)| NewRecord {
        stream: *stream,
        version: *version,
        process: [1; 16],
        kind: RecordKind::Event,
        key: 3,
        body: Body::new(format!("{stream} at {version}").into_bytes()),
    });
    Append { records: records.collect(), at_us: 1 }
}

/// A stream of the suite.
pub fn stream(number: u8) -> Stream {
    Stream { kind: b'p', id: [number; 16] }
}

/// Appends and waits.
pub fn commit(journal: &dyn Journal, append: Append) -> Result<Committed, AppendError> {
    let (tell, told) = mpsc::channel();
    journal.submit(append, Box::new(move |fate| tell.send(fate).expect("the suite waits")));
    told.recv().expect("every append has a fate")
}

/// Holds a store to the promises; panics at the first that it breaks. `place` gives a fresh place each time.
pub fn run(place: impl Fn() -> Box<dyn Place>) {
    versions_are_gap_free_and_a_conflict_is_told(&*place());
    an_append_over_several_streams_is_made_whole_or_not_at_all(&*place());
    everything_is_there_after_reopening(&*place());
    appends_of_one_caller_keep_their_order(&*place());
    reading_goes_from_any_position(&*place());
    a_moment_of_a_stream_is_found_by_position_and_by_version(&*place());
    a_stream_that_was_mended_begins_there(&*place());
    limits_are_named(&*place());
}

fn versions_are_gap_free_and_a_conflict_is_told(place: &dyn Place) {
    let journal = place.open();
    let first = commit(&*journal, append(&[(stream(1), 0)])).expect("a stream is created at version 0");
    let second = commit(&*journal, append(&[(stream(1), 1)])).expect("the next version follows");
    assert!(second.first > first.last, "positions grow");
    for version in [0, 1, 3] {
        let refused = commit(&*journal, append(&[(stream(1), version)]));
        let wanted = AppendError::Conflict { stream: stream(1), wanted: version, found: Some(1) };
        assert_eq!(refused, Err(wanted));
    }
    let refused = commit(&*journal, append(&[(stream(2), 1)]));
    assert_eq!(refused, Err(AppendError::Conflict { stream: stream(2), wanted: 1, found: None }));
}

fn an_append_over_several_streams_is_made_whole_or_not_at_all(place: &dyn Place) {
    let journal = place.open();
    let made = commit(&*journal, append(&[(stream(1), 0), (stream(2), 0), (stream(1), 1)])).expect("made");
    assert_eq!(made.last - made.first, 2);
    let refused = commit(&*journal, append(&[(stream(1), 2), (stream(2), 7)]));
    assert!(matches!(refused, Err(AppendError::Conflict { wanted: 7, .. })));
    let head = journal.head(&stream(1)).expect("readable");
    assert_eq!(head.map(|head| head.version), Some(1), "nothing of a refused append is there");
    assert_eq!(journal.durable(), Some(made.last));
}

fn everything_is_there_after_reopening(place: &dyn Place) {
    let journal = place.open();
    let identity = journal.identity();
    assert_eq!(journal.read_only(), None, "a journal takes appends while nothing has failed");
    for version in 0..50 {
        commit(&*journal, append(&[(stream(1), version), (stream(2), version)])).expect("made");
    }
    let durable = journal.durable();
    drop(journal);
    let journal = place.open();
    assert_eq!(journal.durable(), durable);
    assert_eq!(journal.identity(), identity);
    assert_eq!(journal.highest_key(), 3);
    assert_eq!(journal.streams(b'p', None, 10).expect("readable"), [stream(1), stream(2)]);
    assert_eq!(journal.streams(b'p', Some(stream(1).id), 10).expect("readable"), [stream(2)]);
    assert_eq!(journal.stream_count(b'p'), 2);
    let records = journal.read_stream(&stream(2), 0, u64::MAX).expect("readable");
    let versions: Vec<_> = records.iter().map(|record| record.version).collect();
    assert_eq!(versions, (0..50).collect::<Vec<_>>());
    assert!(records.iter().all(|record| record.body == format!("{} at {}", stream(2), record.version).as_bytes()));
    commit(&*journal, append(&[(stream(1), 50)])).expect("a stream goes on where it was");
}

fn appends_of_one_caller_keep_their_order(place: &dyn Place) {
    let journal = place.open();
    let (tell, told) = mpsc::channel();
    for version in 0..500 {
        let tell = tell.clone();
        journal.submit(append(&[(stream(1), version)]), Box::new(move |fate| tell.send(fate).expect("waiting")));
    }
    let fates: Vec<_> = told.iter().take(500).map(|fate| fate.expect("no conflict").first).collect();
    assert!(fates.is_sorted());
}

fn reading_goes_from_any_position(place: &dyn Place) {
    let journal = place.open();
    let made: Vec<_> =
        (0..300).map(|version| commit(&*journal, append(&[(stream(1), version)])).expect("made").first).collect();
    for from in [0, 1, 17, 250, 299] {
        let mut seen = Vec::new();
        let after = made[from];
        journal
            .read_all(Some(after), &mut |record| {
                seen.push(record.position);
                true
            })
            .expect("readable");
        assert_eq!(seen, made[from + 1..]);
    }
    let few = journal.read_stream(&stream(1), 290, made[295]).expect("readable");
    assert_eq!(few.iter().map(|record| record.version).collect::<Vec<_>>(), (290..=295).collect::<Vec<_>>());
}

fn a_moment_of_a_stream_is_found_by_position_and_by_version(place: &dyn Place) {
    let journal = place.open();
    let made: Vec<_> =
        (0..100).map(|version| commit(&*journal, append(&[(stream(1), version), (stream(2), version)]))).collect();
    let made: Vec<_> = made.into_iter().map(|made| made.expect("made").first).collect();
    for version in [0, 1, 50, 99] {
        let position = made[version as usize];
        assert_eq!(journal.position_of(&stream(1), version).expect("readable"), Some(position));
        for until in [position, position + 1] {
            let head = journal.head_at(&stream(1), until).expect("readable").expect("it was there");
            assert_eq!((head.version, head.position), (version, position));
        }
        let back = journal.read_back(&stream(1), version.saturating_sub(10), position).expect("readable");
        let versions: Vec<_> = back.iter().map(|record| record.version).collect();
        assert_eq!(versions, (version.saturating_sub(10)..=version).collect::<Vec<_>>());
    }
    assert_eq!(journal.position_of(&stream(1), 100).expect("readable"), None);
    assert_eq!(journal.position_of(&stream(3), 0).expect("readable"), None);
    assert_eq!(journal.head_at(&stream(2), made[0]).expect("readable"), None, "it begins one later");
    assert_eq!(journal.head_at(&stream(1), u64::MAX).expect("readable"), journal.head(&stream(1)).expect("readable"));
}

fn a_stream_that_was_mended_begins_there(place: &dyn Place) {
    let journal = place.open();
    let mended = |version| {
        let mut append = append(&[(stream(1), version)]);
        append.records[0].kind = RecordKind::Repaired;
        append
    };
    for version in 0..6 {
        let append = if version == 3 { mended(3) } else { append(&[(stream(1), version)]) };
        commit(&*journal, append).expect("made");
    }
    let versions = |from, until| {
        let records = journal.read_stream(&stream(1), from, until).expect("readable");
        records.iter().map(|record| record.version).collect::<Vec<_>>()
    };
    assert_eq!(versions(0, u64::MAX), [3, 4, 5]);
    assert_eq!(versions(5, u64::MAX), [5]);
    let before = journal.position_of(&stream(1), 2).expect("readable").expect("it is there");
    assert_eq!(versions(0, before), [0, 1, 2], "what was before is there");
    let back = journal.read_back(&stream(1), 0, before + 3).expect("readable");
    assert_eq!(back.len(), 3, "nor does anybody go back over it");
}

fn limits_are_named(place: &dyn Place) {
    let journal = place.open();
    let mut large = append(&[(stream(1), 0)]);
    large.records[0].body = Body::new(vec![0; crate::BODY_BYTES_MAX + 1]);
    assert!(matches!(commit(&*journal, large.clone()), Err(AppendError::TooLarge { what: "a record", .. })));
    large.records[0].body = Body::new(vec![0; crate::BODY_BYTES_MAX]);
    let mut two = large.clone();
    two.records.push(NewRecord { version: 1, ..two.records[0].clone() });
    assert!(matches!(commit(&*journal, two), Err(AppendError::TooLarge { what: "an append", .. })));
    commit(&*journal, large).expect("what is within the limits is made");
    assert!(matches!(commit(&*journal, Append::default()), Err(AppendError::TooLarge { .. })));
    journal.close();
    let late = commit(&*journal, append(&[(stream(9), 0)]));
    assert!(matches!(late, Err(AppendError::Unavailable { .. })), "a closed journal takes nothing");
}

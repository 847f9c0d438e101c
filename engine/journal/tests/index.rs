//! Finding streams: footers, the index they are merged into, and what damage to either costs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use interlink_journal::suite::{append, commit};
use interlink_journal::{
    AppendError, DamageKind, FileJournal, Journal, ReadError, SEGMENT_BYTES_MIN, Stream, TIER_TABLES, offload, verify,
};
use proptest::prelude::*;

/// Long enough for anything that a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);
/// Streams of the kind that most tests use: several blocks of a table.
const STREAMS: u64 = 160;

fn fresh() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn open(place: &Path) -> FileJournal {
    FileJournal::open_with(place, SEGMENT_BYTES_MIN).expect("opens")
}

fn stream(kind: u8, number: u64) -> Stream {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    id[8..].copy_from_slice(&number.to_be_bytes());
    Stream { kind, id }
}

fn wait_until(what: &str, mut reached: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !reached() {
        assert!(Instant::now() < until, "{what} did not come");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("listed").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    paths.sort();
    paths
}

fn segments(place: &Path) -> Vec<PathBuf> {
    files(&place.join("journal"), "segment")
}

fn index_files(place: &Path) -> Vec<PathBuf> {
    files(&place.join("journal/index"), "index")
}

fn flip(file: &Path, at: usize) {
    let mut bytes = fs::read(file).expect("read");
    bytes[at] ^= 4;
    fs::write(file, bytes).expect("written");
}

/// Where a segment's last batch ends: its footer begins with the marker that its first block repeats.
fn footer_at(segment: &Path) -> usize {
    let bytes = fs::read(segment).expect("read");
    let tail = &bytes[bytes.len() - 192..];
    u64::from_le_bytes(tail[120..128].try_into().expect("eight bytes")) as usize
}

fn has_footer(segment: &Path) -> bool {
    let bytes = fs::read(segment).expect("read");
    let salt: [u8; 4] = bytes[48..52].try_into().expect("four bytes");
    let marker = u32::from_le_bytes(salt) ^ 0x4c49_4154;
    bytes.len() > 8192 + 192 && bytes[bytes.len() - 192..][..4] == marker.to_le_bytes()
}

/// What a journal should say.
#[derive(Default, Clone)]
struct Model {
    heads: BTreeMap<Stream, u64>,
    draws: u64,
}

impl Model {
    fn draw(&mut self, below: u64) -> u64 {
        self.draws = self.draws.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.draws >> 33) % below
    }

    /// Appends a record to each of some streams, old and new.
    fn append(&mut self, journal: &dyn Journal, records: u64) {
        let mut wanted = Vec::new();
        for _ in 0..records {
            let kind = [b'a', b'p', b'z'][self.draw(3) as usize];
            let stream = stream(kind, self.draw(STREAMS));
            let version = self.heads.get(&stream).map_or(0, |version| version + 1);
            self.heads.insert(stream, version);
            wanted.push((stream, version));
        }
        commit(journal, append(&wanted)).expect("made");
    }

    /// Holds a journal against it: heads, also of streams that are not there; lists in pages; counts.
    fn check(&self, journal: &dyn Journal) {
        for kind in [b'a', b'p', b'q', b'z'] {
            for number in 0..STREAMS + 20 {
                let stream = stream(kind, number);
                let found = journal.head(&stream).expect("readable").map(|head| head.version);
                assert_eq!(found, self.heads.get(&stream).copied(), "{stream}");
            }
            let of_kind: Vec<_> = self.heads.keys().filter(|stream| stream.kind == kind).copied().collect();
            assert_eq!(journal.stream_count(kind), of_kind.len());
            assert_eq!(journal.streams(kind, None, usize::MAX).expect("readable"), of_kind);
            let mut paged = Vec::new();
            loop {
                let after = paged.last().map(|stream: &Stream| stream.id);
                let page = journal.streams(kind, after, 7).expect("readable");
                paged.extend_from_slice(&page);
                if page.len() < 7 {
                    break;
                }
            }
            assert_eq!(paged, of_kind);
        }
    }

    fn check_records(&self, journal: &dyn Journal) {
        for (stream, version) in &self.heads {
            let records = journal.read_stream(stream, 0, u64::MAX).expect("readable");
            let versions: Vec<_> = records.iter().map(|record| record.version).collect();
            assert_eq!(versions, (0..=*version).collect::<Vec<_>>(), "{stream}");
        }
    }
}

/// A journal of so many lives, in each of which something is appended; the background work of all but the last is done.
fn lives(place: &Path, many: usize) -> Model {
    let mut model = Model::default();
    for _ in 0..many {
        let journal = open(place);
        model.append(&journal, 120);
    }
    let journal = open(place);
    wait_until("footers", || segments(place).iter().rev().skip(1).all(|segment| has_footer(segment)));
    if many >= TIER_TABLES {
        wait_until("an index", || !index_files(place).is_empty());
    }
    drop(journal);
    model
}

/// A copy of a directory of a journal that is closed.
fn copy(from: &Path) -> tempfile::TempDir {
    let place = fresh();
    fs::create_dir_all(place.path().join("journal/index")).expect("made");
    for below in ["journal", "journal/index"] {
        for entry in fs::read_dir(from.join(below)).into_iter().flatten() {
            let entry = entry.expect("listed");
            if entry.file_type().expect("known").is_file() && entry.file_name() != "prepared" {
                fs::copy(entry.path(), place.path().join(below).join(entry.file_name())).expect("copied");
            }
        }
    }
    place
}

#[test]
fn streams_are_found_over_many_lives_while_tables_are_written_and_merged() {
    let place = fresh();
    let mut model = Model::default();
    for _ in 0..2 * TIER_TABLES + 3 {
        let journal = open(place.path());
        model.check(&journal);
        model.append(&journal, 90);
        model.check(&journal);
        model.append(&journal, 30);
    }
    let journal = open(place.path());
    wait_until("two files of the index", || index_files(place.path()).len() == 2);
    model.check(&journal);
    model.check_records(&journal);
    drop(journal);
    let journal = FileJournal::read_only(place.path()).expect("opens");
    model.check(&journal);
    let report = verify(place.path()).expect("readable");
    assert!(report.damage.is_empty() && report.torn.is_empty(), "{report:?}");
    assert_eq!(report.streams, model.heads.len() as u64);
    assert_eq!(report.records, (2 * TIER_TABLES as u64 + 3) * 120);
}

#[test]
fn eight_files_of_the_index_become_one_and_are_removed() {
    let place = fresh();
    let mut model = Model::default();
    for _ in 0..TIER_TABLES * TIER_TABLES {
        model.append(&open(place.path()), 4);
    }
    let journal = open(place.path());
    let names = || index_files(place.path()).iter().map(|path| path.file_name().expect("named").to_owned()).collect();
    let second_level =
        |names: Vec<std::ffi::OsString>| names.len() == 1 && names[0].to_string_lossy().starts_with("2-");
    wait_until("one file of the second level", || second_level(names()));
    model.check(&journal);
    drop(journal);
    model.check(&open(place.path()));
}

#[test]
fn a_start_reads_no_record_of_a_sealed_segment() {
    let place = fresh();
    let model = lives(place.path(), 3);
    let sealed = &segments(place.path())[1];
    let end = footer_at(sealed);
    let mut bytes = fs::read(sealed).expect("read");
    bytes[8192..end].fill(0xff);
    fs::write(sealed, bytes).expect("written");
    let journal = open(place.path());
    assert!(journal.damage().is_empty(), "{:?}", journal.damage());
    model.check(&journal);
}

/// A journal whose first segment is sealed and holds ten records of each of five streams.
fn sealed() -> (tempfile::TempDir, PathBuf) {
    let place = fresh();
    let journal = open(place.path());
    for version in 0..10 {
        (0..5).for_each(|number| drop(commit(&journal, append(&[(stream(b'p', number), version)])).map(|_| ())));
    }
    drop(journal);
    let journal = open(place.path());
    wait_until("a footer", || has_footer(&segments(place.path())[0]));
    drop(journal);
    let segment = segments(place.path()).remove(0);
    (place, segment)
}

/// Where a record's body is in its segment.
fn body_at(segment: &Path, stream: &Stream, version: u64) -> usize {
    let body = format!("{stream} at {version}").into_bytes();
    let bytes = fs::read(segment).expect("read");
    bytes.windows(body.len()).position(|window| window == body).expect("the body is there")
}

#[test]
fn damage_in_a_sealed_segment_is_noticed_when_the_stream_is_read() {
    let (place, segment) = sealed();
    let hurt = stream(b'p', 3);
    flip(&segment, body_at(&segment, &hurt, 6) + 2);
    let report = verify(place.path()).expect("readable");
    assert_eq!(report.damage.len(), 1, "{report:?}");
    let journal = open(place.path());
    assert!(journal.damage().is_empty() && !journal.is_damaged(&hurt), "a start does not see it");
    assert_eq!(journal.read_stream(&hurt, 7, u64::MAX).expect("not reached").len(), 3);
    let Err(ReadError::Damaged { position, .. }) = journal.read_stream(&hurt, 0, u64::MAX) else {
        panic!("the damage is not told");
    };
    let damage = journal.damage();
    assert_eq!(damage, report.damage, "what is known is what the audit finds");
    assert!(journal.is_damaged(&hurt));
    let refused = commit(&journal, append(&[(hurt, 10)]));
    assert_eq!(refused, Err(AppendError::Damaged { stream: hurt }));
    let before = journal.read_stream(&hurt, 0, position - 1).expect("readable up to the damage");
    assert_eq!(before.iter().map(|record| record.version).collect::<Vec<_>>(), (0..6).collect::<Vec<_>>());
    assert_eq!(journal.read_stream(&stream(b'p', 2), 0, u64::MAX).expect("untouched").len(), 10);
    commit(&journal, append(&[(stream(b'p', 2), 10)])).expect("nothing else stops");
}

#[test]
fn damage_in_a_sealed_segment_is_noticed_when_everything_is_read() {
    let (place, segment) = sealed();
    let hurt = stream(b'p', 1);
    flip(&segment, body_at(&segment, &hurt, 2) - 100);
    let journal = open(place.path());
    let mut seen = 0;
    journal
        .read_all(None, &mut |_| {
            seen += 1;
            true
        })
        .expect("readable");
    assert_eq!(seen, 49);
    assert!(journal.is_damaged(&hurt), "{:?}", journal.damage());
    assert!(journal.damage().iter().any(|damage| matches!(damage.kind, DamageKind::Head { .. })));
    assert!((0..5).filter(|number| journal.is_damaged(&stream(b'p', *number))).count() == 1);
}

#[test]
fn that_the_last_record_of_a_stream_is_lost_is_known_from_the_footer() {
    let (place, segment) = sealed();
    let hurt = stream(b'p', 4);
    flip(&segment, body_at(&segment, &hurt, 9) - 100);
    let gap = DamageKind::Gap { stream: hurt, version: 9 };
    let report = verify(place.path()).expect("readable");
    assert!(report.damage.iter().any(|damage| damage.kind == gap), "{report:?}");
    let journal = open(place.path());
    assert_eq!(
        journal.head(&hurt).expect("readable").map(|head| head.version),
        Some(9),
        "the version is not given away again"
    );
    assert!(journal.read_stream(&hurt, 0, u64::MAX).is_err());
    assert!(journal.is_damaged(&hurt) && journal.damage().iter().any(|damage| damage.kind == gap));
}

#[test]
fn a_segment_in_which_a_start_found_damage_gets_no_footer_so_that_the_next_one_finds_it_too() {
    let place = fresh();
    let journal = open(place.path());
    (0..5).for_each(|version| drop(commit(&journal, append(&[(stream(b'p', 1), version)])).map(|_| ())));
    drop(journal);
    let segment = segments(place.path()).remove(0);
    flip(&segment, body_at(&segment, &stream(b'p', 1), 2));
    for _ in 0..3 {
        let journal = open(place.path());
        assert!(journal.is_damaged(&stream(b'p', 1)));
        assert_eq!(journal.damage().len(), 1, "{:?}", journal.damage());
        let sound = || segments(place.path()).into_iter().rev().skip(1).filter(|path| *path != segment);
        wait_until("footers of those that are sound", || sound().all(|segment| has_footer(&segment)));
        // Newest come first: now it would be this one's turn.
        std::thread::sleep(Duration::from_millis(100));
        assert!(!has_footer(&segment));
    }
}

#[test]
fn a_footer_that_was_not_finished_is_made_again_and_nothing_goes_to_quarantine() {
    let (place, segment) = sealed();
    let bytes = fs::read(&segment).expect("read");
    fs::write(&segment, &bytes[..footer_at(&segment) + 4_000]).expect("written");
    let report = verify(place.path()).expect("readable");
    assert_eq!((report.damage.len(), report.torn.len()), (0, 1), "{report:?}");
    let journal = open(place.path());
    assert!(journal.damage().is_empty(), "{:?}", journal.damage());
    assert_eq!(journal.head(&stream(b'p', 0)).expect("readable").map(|head| head.version), Some(9));
    wait_until("a footer", || has_footer(&segment));
    drop(journal);
    assert_eq!(fs::read(&segment).expect("read"), bytes, "it is the same again");
    assert!(!place.path().join("quarantine").exists());
}

#[test]
fn a_segment_that_can_be_read_no_more_makes_its_streams_damaged_and_no_others() {
    let (place, segment) = sealed();
    let journal = open(place.path());
    let other = stream(b'p', 77);
    fs::File::options().write(true).open(&segment).expect("opens").set_len(100).expect("cut");
    let lost = stream(b'p', 2);
    assert_eq!(journal.head(&lost).expect("readable"), None);
    assert!(journal.is_damaged(&lost), "nothing is not said without this");
    let refused = commit(&journal, append(&[(lost, 0)]));
    assert_eq!(refused, Err(AppendError::Damaged { stream: lost }), "it does not begin anew");
    commit(&journal, append(&[(other, 0)])).expect("nothing else stops");
    assert_eq!(journal.streams(b'p', None, 10).expect("readable"), [other], "what can be listed is");
}

#[test]
fn a_file_of_the_index_that_is_gone_is_made_again() {
    let place = fresh();
    let model = lives(place.path(), TIER_TABLES);
    let before = fs::read(&index_files(place.path())[0]).expect("read");
    fs::remove_dir_all(place.path().join("journal/index")).expect("removed");
    let journal = open(place.path());
    model.check(&journal);
    wait_until("an index", || !index_files(place.path()).is_empty());
    model.check(&journal);
    assert_eq!(fs::read(&index_files(place.path())[0]).expect("read"), before, "it is the same again");
}

#[test]
fn files_in_the_index_that_cover_nothing_are_removed() {
    let place = fresh();
    let model = lives(place.path(), TIER_TABLES);
    let index = index_files(place.path()).remove(0);
    let foreign = fresh();
    lives(foreign.path(), TIER_TABLES);
    fs::copy(&index_files(foreign.path())[0], &index).expect("copied");
    fs::write(index.with_file_name("making.tmp"), b"half").expect("written");
    let journal = open(place.path());
    wait_until("their removal", || !index.with_file_name("making.tmp").exists());
    wait_until("an index", || index.exists());
    model.check(&journal);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// One flipped bit anywhere in what can be made again: everything is found, before it is made again and after.
    #[test]
    fn a_flipped_bit_in_a_footer_or_in_the_index_costs_nothing(at in 0.0f64..1.0, in_index in any::<bool>()) {
        thread_local!(static KEPT: (tempfile::TempDir, Model) = {
            let place = fresh();
            let model = lives(place.path(), TIER_TABLES + 1);
            (place, model)
        });
        KEPT.with(|(kept, model)| {
            let place = copy(kept.path());
            let (file, from) = if in_index {
                (index_files(place.path()).remove(0), 0)
            } else {
                // Of the segment that no file of the index covers.
                let segment = segments(place.path()).remove(TIER_TABLES);
                let from = footer_at(&segment);
                (segment, from)
            };
            let bytes = fs::metadata(&file).expect("known").len() as usize - from;
            flip(&file, from + (at * (bytes - 1) as f64) as usize);
            let journal = open(place.path());
            model.check(&journal);
            model.check_records(&journal);
            assert!(journal.damage().is_empty(), "{:?}", journal.damage());
            drop(journal);
            model.check(&open(place.path()));
        });
    }
}

#[test]
fn old_segments_lie_on_another_disk_with_links_in_their_places_and_nothing_is_missed() {
    let (place, elsewhere) = (fresh(), fresh());
    let mut model = lives(place.path(), 5);
    let sizes: Vec<_> = segments(place.path()).iter().map(|path| fs::metadata(path).expect("there").len()).collect();
    // A crash may have left a copy, or a link that was not in its place yet.
    let first = segments(place.path()).remove(0);
    fs::copy(&first, elsewhere.path().join(first.file_name().expect("named"))).expect("copied");
    std::os::unix::fs::symlink("nowhere", first.with_extension("segment.link")).expect("linked");
    let moved = offload(place.path(), elsewhere.path(), 2).expect("moved");
    assert_eq!(moved.iter().map(|segment| segment.bytes).collect::<Vec<_>>(), sizes[..sizes.len() - 2]);
    assert_eq!(offload(place.path(), elsewhere.path(), 2).expect("again"), []);
    let is_link = |path: &PathBuf| fs::symlink_metadata(path).expect("there").is_symlink();
    assert_eq!(segments(place.path()).iter().filter(|path| is_link(path)).count(), moved.len());
    for _ in 0..2 {
        let journal = open(place.path());
        model.check(&journal);
        model.check_records(&journal);
        model.append(&journal, 20);
    }
    let report = verify(place.path()).expect("readable");
    assert!(report.damage.is_empty() && report.torn.is_empty(), "{report:?}");

    let away = elsewhere.path().join("away");
    fs::create_dir(&away).expect("made");
    fs::rename(&moved[1].to, away.join("x")).expect("moved");
    let Err(refused) = FileJournal::open_with(place.path(), SEGMENT_BYTES_MIN) else { panic!("it opens without it") };
    assert!(refused.to_string().contains(&*moved[1].to.file_name().expect("named").to_string_lossy()), "{refused}");
    fs::rename(away.join("x"), &moved[1].to).expect("back");
    model.check_records(&open(place.path()));
}

#[test]
fn a_file_of_the_same_name_that_holds_something_else_is_not_taken_for_a_segment() {
    let (place, elsewhere) = (fresh(), fresh());
    let model = lives(place.path(), 3);
    let first = segments(place.path()).remove(0);
    fs::write(elsewhere.path().join(first.file_name().expect("named")), "another").expect("written");
    let refused = offload(place.path(), elsewhere.path(), 1).expect_err("it holds something else");
    assert!(refused.to_string().contains("holds something else"), "{refused}");
    model.check_records(&open(place.path()));
}

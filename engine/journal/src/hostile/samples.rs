//! Seeds for the fuzzer, as this code writes them, and that a walk of them finds all that is in them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::{header, layout};
use crate::disk::{OpenFile, RealDisk};
use crate::draft::{Draft, Known};
use crate::index::heads::{Entry, Totals};
use crate::index::writer::{Subject, Writer};
use crate::recovery::Chain;
use crate::suite::{append, stream};
use crate::{Append, Head, ReadError, Stream};

/// Nothing keeps the checksum that it has: whatever the fuzzer changes is resealed.
const ALL_RESEALED: [u8; 8] = [0; 8];

#[derive(Default)]
struct Written(BTreeMap<Stream, Entry>);

impl Known for Written {
    fn head(&self, stream: &Stream) -> Result<Option<Head>, ReadError> {
        Ok(self.0.get(stream).map(|entry| entry.head))
    }

    fn is_damaged(&self, _: &Stream) -> bool {
        false
    }
}

/// Three batches of three streams, and where each stream ends.
fn batches() -> (Vec<u8>, Written, Chain) {
    let (mut bytes, mut written, mut chain) = (Vec::new(), Written::default(), Chain::before(&header()));
    let (one, two, three) = (stream(1), stream(2), stream(3));
    for records in [vec![(one, 0), (two, 0)], vec![(one, 1)], vec![(three, 0), (two, 1), (one, 2)]] {
        let waiting: [(Append, crate::Done); 1] = [(append(&records), Box::new(|_| {}))];
        let mut waiting = waiting.into_iter().peekable();
        let mut draft = Draft::of(&mut waiting, &written, chain, header().seal(), Vec::new());
        chain = draft.frame();
        written.0.extend(draft.heads.drain());
        bytes.append(&mut draft.buffer);
    }
    (bytes, written, chain)
}

/// A table of the streams, as a file of the index would have it.
fn table() -> Vec<u8> {
    let (_, written, chain) = batches();
    let file = OpenFile::new(tempfile::tempfile().expect("a file"), Arc::new(RealDisk));
    let no_pace = || Ok(());
    let mut writer = Writer::begin(&RealDisk, Arc::clone(&file), 0, header().seal(), 3, &no_pace);
    written.0.iter().for_each(|(stream, entry)| writer.add(stream, entry).expect("written"));
    let (from, to) = ((1, 1), (1, 1));
    let totals = Totals { records: 6, highest_key: 3, created: BTreeMap::from([(b'p', 3)]) };
    writer.end(Subject { level: 1, from, to, segments: 1, chain, totals, places: vec![(1, 8192)] }).expect("written");
    file.read(0, file.len().expect("a file")).expect("read")
}

#[test]
fn the_committed_seeds_of_the_fuzzer_are_those_that_this_code_writes() {
    let (batches, _, _) = batches();
    let length = (batches.len() as u64).to_le_bytes();
    let seeds = [
        ("segment", [&ALL_RESEALED[..], &batches].concat()),
        ("table", [&ALL_RESEALED[..], &table()].concat()),
        ("journal", [&ALL_RESEALED[..], &length, &batches].concat()),
    ];
    for (target, seed) in seeds {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target).join("sample");
        if std::env::var_os("UPDATE_CORPUS").is_some() {
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(&path, &seed).expect("written");
        }
        let committed = std::fs::read(&path).unwrap_or_default();
        assert!(committed == seed, "{} is not up to date: run this test with UPDATE_CORPUS=1", path.display());
    }
}

#[test]
fn what_is_sound_comes_through_the_resealing_as_it_was_and_each_flipped_bit_is_noticed_where_nothing_is_resealed() {
    let (batches, ..) = batches();
    let laid_out = |mask: u64, batches: &[u8]| {
        layout::segment(&header(), batches, &mut super::Kept { mask, met: 0 })[8192..].to_vec()
    };
    assert_eq!(laid_out(0, &batches), batches);
    for bit in (0..batches.len() * 8).step_by(37) {
        let mut flipped = batches.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(laid_out(u64::MAX, &flipped), flipped, "it was resealed");
        super::segment(&[&u64::MAX.to_le_bytes()[..], &flipped].concat());
        super::segment(&[&ALL_RESEALED[..], &flipped].concat());
    }
}

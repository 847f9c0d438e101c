//! What a table may say of its streams.

use std::collections::BTreeSet;
use std::fs::File;
use std::ops::{Bound, Range};
use std::sync::Arc;

use super::{Kept, header};
use crate::disk::{OpenFile, RealDisk};
use crate::format::{Seal, array_at, put};
use crate::index::table::{
    About, BLOCK_BYTES, BLOCK_ENTRIES, FRONT_BYTES, KEY_BYTES, SUM_BYTES, TAIL_BYTES, Table, front,
};

/// A table of an input, resealed.
pub fn resealed_table(data: &[u8]) -> Vec<u8> {
    let (mut kept, table) = Kept::of(data);
    let mut bytes = table.to_vec();
    let seal = header().seal();
    let Some(tail) = bytes.len().checked_sub(TAIL_BYTES) else { return bytes };
    if !kept.next() {
        let sum = seal.sum(&bytes[tail..tail + 184]);
        put(&mut bytes, tail + 184, &sum.to_le_bytes());
    }
    if let Some(about) = About::decode(&array_at(&bytes, tail), seal) {
        seal_sections(&mut bytes, &about, seal, &mut kept);
    }
    bytes
}

/// Gives front, blocks and sections of a table what they should have, where they are within the file.
fn seal_sections(bytes: &mut [u8], about: &About, seal: Seal, kept: &mut Kept) {
    let Ok(base) = usize::try_from(about.base) else { return };
    if let Some(begin) = part(bytes, base, FRONT_BYTES as usize).filter(|_| !kept.next()) {
        put(bytes, begin.start, &front(seal));
    }
    let mut at = base.saturating_add(FRONT_BYTES as usize);
    for _ in 0..about.blocks.min(bytes.len() as u64) {
        seal_part(bytes, at, BLOCK_BYTES, BLOCK_BYTES - 4, seal, kept);
        at = at.saturating_add(BLOCK_BYTES);
    }
    let length = |counts: &[(u64, usize)]| -> usize {
        counts.iter().map(|(count, each)| (*count as usize).saturating_mul(*each)).fold(0, usize::saturating_add)
    };
    let lookup = [(about.blocks, KEY_BYTES), (about.words, 8), (about.kinds, 16)];
    for content in [length(&[(about.places, 16)]), length(&lookup)] {
        let whole = content.saturating_add(SUM_BYTES);
        seal_part(bytes, at, whole, content, seal, kept);
        at = at.saturating_add(whole);
    }
}

/// Puts the checksum of a part's first `content` bytes behind them.
fn seal_part(bytes: &mut [u8], at: usize, length: usize, content: usize, seal: Seal, kept: &mut Kept) {
    if let Some(range) = part(bytes, at, length).filter(|_| !kept.next()) {
        let sum = seal.sum(&bytes[range.start..range.start + content]);
        put(bytes, range.start + content, &sum.to_le_bytes());
    }
}

fn part(bytes: &[u8], at: usize, length: usize) -> Option<Range<usize>> {
    let end = at.checked_add(length)?;
    (end <= bytes.len()).then_some(at..end)
}

/// Reads a file as a table: its rows are within its blocks, and each look-up agrees with them.
pub fn table(file: File) {
    let seal = header().seal();
    let file = OpenFile::new(file, Arc::new(RealDisk));
    let Ok(about) = About::read(&file, seal) else { return };
    let length = file.len().expect("it is open");
    let mut tail = [0; TAIL_BYTES];
    file.read_exact_at(&mut tail, length - TAIL_BYTES as u64).expect("it was read before");
    assert_eq!(about.encode(seal)[..160], tail[..160], "a tail is not what was claimed");
    if let Ok(places) = about.read_places(&file, seal) {
        assert_eq!(places.len() as u64, about.places);
    }
    let Ok(table) = Table::load(file, seal, about) else { return };
    let rows: Vec<_> = table.from(Bound::Unbounded).map_while(Result::ok).collect();
    assert!(rows.len() as u64 <= table.about.blocks * BLOCK_ENTRIES as u64, "more rows than there is room for");
    let streams: BTreeSet<_> = rows.iter().map(|(stream, _)| *stream).collect();
    for stream in &streams {
        // One that is out of order, or not in the filter, is not found; one that is found is one of the rows.
        if let Ok(Some(entry)) = table.find(stream) {
            assert!(rows.contains(&(*stream, entry)), "{stream} is found and not among the rows");
        }
        let behind = table.from(Bound::Excluded(*stream)).map_while(Result::ok);
        assert!(behind.take(2).all(|(other, _)| other > *stream), "what is behind {stream} is not");
    }
}

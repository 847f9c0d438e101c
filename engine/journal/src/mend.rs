//! Putting sound bytes back where a copy of the journal has them: what `interlink repair --from` does to segments.
//!
//! A segment is known by its header, whose salt was drawn for it alone, and goes into every checksum of it. So where both
//! have the same header, both were the same bytes once, and a batch that is whole in the copy is what stood at that place.
//! A batch is put back whole or not at all: its hash ties it to those around it. What says everything twice needs no copy: a
//! header has a second one, and the frame of a batch follows from its records and from either of its ends.
//!
//! **A kill at any moment** leaves the directory as usable as it was. A segment has the old bytes under its name, or the
//! mended ones, which were synced before; what was there is durable in `quarantine/` by then. A file that was being made
//! has a name that nothing reads, and the next repair makes it anew.

use std::collections::BTreeSet;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::disk::Disk;
use crate::format::{
    BATCH_HEAD_BYTES, BLOCK_BYTES, BatchHead, DATA_OFFSET, End, RecordHead, Seal, SegmentHeader, sha256,
};
use crate::index::table::About;
use crate::open::{first_of, key_of, segment_names};
use crate::recovery::{self, Chain, DamageKind, Visit};
use crate::segment::io;
use crate::{OpenError, Position};

/// Ending of a segment's name while it is made.
const MAKING: &str = ".mending";

/// What was put back, and what of the copy was not used.
#[derive(Debug, Default)]
pub struct Mended {
    /// Places that have the bytes of the copy now.
    pub put: Vec<Put>,
    /// Segments of the copy that do not fit those that are here, each with the reason.
    pub unused: Vec<(String, &'static str)>,
}

/// A place of which the bytes were put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// File name within the data directory.
    pub file: String,
    /// The bytes.
    pub bytes: Range<u64>,
}

/// Mends the segments of a data directory that nobody has open with those of a copy: a directory with files of the same
/// names, all of them or few. With none it is mended as far as it can be from itself. Segments that are not here are put back
/// where they follow the one before them.
///
/// Every segment that is changed is kept as it was under `quarantine/`. What fails leaves the rest undone.
pub fn mend(data: &Path, copy: &Path, disk: &dyn Disk) -> Result<Mended, OpenError> {
    let directory = data.join("journal");
    let own: BTreeSet<_> = segment_names(&directory)?.into_iter().collect();
    let offered: BTreeSet<_> = segment_names(copy)?.into_iter().collect();
    let names: Vec<_> = own.union(&offered).cloned().collect();
    let journal = own.iter().find_map(|name| journal_of(&directory.join(name)));
    let mut mending = Mending { data, disk, journal, mended: Mended::default() };
    for (number, name) in names.iter().enumerate() {
        let until = names[number + 1..].iter().find(|name| own.contains(*name)).and_then(|next| first_of(next));
        let theirs = if offered.contains(name) { Some(read(copy, name)?) } else { None };
        if own.contains(name) {
            let ours = read(&directory, name)?;
            mending.segment(name, &ours, theirs.as_deref(), until)?;
        } else if let Some(theirs) = theirs {
            let before = number.checked_sub(1).map(|before| names[before].as_str());
            mending.missing(name, &theirs, before, until)?;
        }
    }
    Ok(mending.mended)
}

/// The journal to which a segment belongs, as its header says.
fn journal_of(segment: &Path) -> Option<[u8; 16]> {
    let mut front = vec![0; DATA_OFFSET as usize];
    File::open(segment).and_then(|file| file.read_exact_at(&mut front, 0)).ok()?;
    recovery::header(&front).ok().map(|(header, _)| header.journal)
}

fn read(directory: &Path, name: &str) -> Result<Vec<u8>, OpenError> {
    std::fs::read(directory.join(name)).map_err(io(format!("reading {}", directory.join(name).display())))
}

struct Mending<'a> {
    data: &'a Path,
    disk: &'a dyn Disk,
    /// The id of the journal that is here, where any header of it can be read.
    journal: Option<[u8; 16]>,
    mended: Mended,
}

impl Mending<'_> {
    /// Mends a segment that is here; `until` is where the next one begins.
    fn segment(
        &mut self,
        name: &str,
        ours: &[u8],
        theirs: Option<&[u8]>,
        until: Option<Position>,
    ) -> Result<(), OpenError> {
        match splice(name, ours, theirs.unwrap_or(ours), until) {
            // Without a copy there is nothing that could have been used.
            Err(reason) if theirs.is_some() => self.mended.unused.push((name.into(), reason)),
            Err(_) => {}
            Ok(spliced) if spliced.put.is_empty() => {}
            Ok(spliced) => {
                self.keep(name, ours).map_err(io(format!("keeping journal/{name} as it is")))?;
                self.write(name, &spliced.bytes).map_err(io(format!("writing journal/{name}")))?;
                self.note(name, spliced.put);
            }
        }
        Ok(())
    }

    /// Puts a segment back that is not here: whole, behind the end of the one before it, and in front of the next.
    fn missing(
        &mut self,
        name: &str,
        theirs: &[u8],
        before: Option<&str>,
        until: Option<Position>,
    ) -> Result<(), OpenError> {
        let chain = match before {
            Some(before) => end_of(&read(&self.data.join("journal"), before).unwrap_or_default()),
            None => Some(Chain::default()),
        };
        let header = recovery::header(theirs).ok().map(|(header, _)| header);
        let follows = |header: &SegmentHeader| {
            Some((header.epoch, header.first)) == key_of(name)
                && self.journal == Some(header.journal)
                && chain.is_some_and(|chain| (chain.next, chain.batch) == (header.first, header.previous_batch))
        };
        let Some(header) = header.filter(follows) else {
            self.mended.unused.push((name.into(), "it does not follow the segment before it"));
            return Ok(());
        };
        let batches = batches_of(theirs, &header);
        let (walked, damage) = Checked::walk(batches, &header, None);
        if !damage.is_empty() || walked.torn || until.is_some_and(|until| until < walked.chain.next) {
            self.mended.unused.push((name.into(), "it is not whole, or reaches into the one behind it"));
        } else if walked.chain.next > header.first {
            self.write(name, &batches[..walked.end as usize]).map_err(io(format!("writing journal/{name}")))?;
            self.note(name, std::iter::once(0..walked.end));
        }
        Ok(())
    }

    fn note(&mut self, name: &str, put: impl IntoIterator<Item = Range<u64>>) {
        let file = format!("journal/{name}");
        self.mended.put.extend(put.into_iter().map(|bytes| Put { file: file.clone(), bytes }));
    }

    /// Keeps a segment as it was, durably, under a name that is free.
    fn keep(&self, name: &str, bytes: &[u8]) -> std::io::Result<()> {
        let place = self.data.join("quarantine");
        self.disk.make_directory(&place)?;
        let free = (1..).map(|number| place.join(format!("{name}.damaged-{number}"))).find(|path| !path.exists());
        self.disk.create(&free.expect("names without end"), bytes)?;
        self.disk.sync_directory(&place)
    }

    /// Writes a segment beside its place, durably, and gives it its name.
    fn write(&self, name: &str, bytes: &[u8]) -> std::io::Result<()> {
        let directory = self.data.join("journal");
        let making = directory.join(format!("{name}{MAKING}"));
        self.disk.create(&making, bytes)?;
        self.disk.rename(&making, &directory.join(name))?;
        self.disk.sync_directory(&directory)
    }
}

/// A segment with bytes of another.
struct Spliced {
    bytes: Vec<u8>,
    put: Vec<Range<u64>>,
}

/// Puts what is sound in `theirs` where `ours` is not; refuses with the reason where they are not the same segment. What
/// comes of it has been walked: nothing of what was put is damaged, and the chain goes through it.
fn splice(name: &str, ours: &[u8], theirs: &[u8], until: Option<Position>) -> Result<Spliced, &'static str> {
    let (header, is_second) = recovery::header(theirs).map_err(|_| "its header is damaged in the copy too")?;
    if Some((header.epoch, header.first)) != key_of(name) {
        return Err("its header is not the one that its name says");
    }
    match recovery::header(ours) {
        Ok((found, _)) if found != header => return Err("it is a segment of another life of the journal"),
        Err(_) if !has_sound_record(ours, header.seal()) => {
            return Err("nothing here shows that it is the same segment");
        }
        _ => {}
    }
    let own_end = About::of(ours, header.seal()).map(|about| about.chain.next);
    let until = [until, own_end].into_iter().flatten().min();
    let mut spliced = Spliced { bytes: ours.to_vec(), put: Vec::new() };
    let from = if is_second { BLOCK_BYTES } else { 0 };
    let block = &theirs[from..from + BLOCK_BYTES];
    [0, BLOCK_BYTES].into_iter().for_each(|at| spliced.put(at, block));
    spliced.put_frames(&header);
    spliced.put_batches(&header, theirs, until)?;
    if spliced.put.is_empty() || spliced.fits(&header, ours, until) {
        Ok(spliced)
    } else {
        Err("what the copy has does not fit what stands around it")
    }
}

impl Spliced {
    fn put(&mut self, at: usize, bytes: &[u8]) {
        let range = at..at + bytes.len();
        if self.bytes.len() < range.end {
            self.bytes.resize(range.end, 0);
        }
        if self.bytes[range.clone()] != *bytes {
            self.bytes[range].copy_from_slice(bytes);
            self.put.push(at as u64..(at + bytes.len()) as u64);
        }
    }

    /// Puts back the batches that are whole in `theirs` and not here.
    fn put_batches(
        &mut self,
        header: &SegmentHeader,
        theirs: &[u8],
        until: Option<Position>,
    ) -> Result<(), &'static str> {
        let seal = header.seal();
        let mut at = DATA_OFFSET as usize;
        while let Some(rest) = theirs.get(at..) {
            let Some((head, _)) = recovery::whole_batch(rest, seal) else {
                let Some((length, _)) = recovery::next_batch(rest, header.first, seal) else { break };
                at += length;
                continue;
            };
            if until.is_some_and(|until| head.first + u64::from(head.count) > until) {
                break;
            }
            let batch = &rest[..head.length as usize];
            let here = self.bytes.get(at..).unwrap_or_default();
            if !here.starts_with(batch) && recovery::whole_batch(here, seal).is_some() {
                return Err("it goes on in another way than the copy");
            }
            self.put(at, batch);
            at += batch.len();
        }
        Ok(())
    }

    /// Whether nothing of what was put is damaged, and the chain breaks nowhere where it did not.
    fn fits(&self, header: &SegmentHeader, ours: &[u8], until: Option<Position>) -> bool {
        let before = Checked::walk(batches_of(ours, header), header, until).1;
        let after = Checked::walk(batches_of(&self.bytes, header), header, until).1;
        let is_put = |at: u64| self.put.iter().any(|put| put.contains(&at));
        after.iter().all(|damage| !is_put(damage.0) && (damage.1 != DamageKind::Chain || before.contains(damage)))
    }

    /// Puts back the frames of batches that are damaged, where their records are sound and a batch follows.
    fn put_frames(&mut self, header: &SegmentHeader) {
        let seal = header.seal();
        let mut chain = Chain::before(header);
        let mut at = DATA_OFFSET as usize;
        while let Some(rest) = self.bytes.get(at..) {
            if let Some((head, hash)) = recovery::whole_batch(rest, seal) {
                chain = Chain { next: head.first + u64::from(head.count), batch: hash, time_us: head.time_us };
                at += head.length as usize;
                continue;
            }
            let Some((length, behind)) = recovery::next_batch(rest, chain.next, seal) else { break };
            if let Some(batch) = framed(&rest[..length], &chain, &behind, seal) {
                self.put(at, &batch);
            }
            chain = Chain { next: behind.first, batch: behind.hash, time_us: behind.time_us };
            at += length;
        }
    }
}

/// A batch whose header or trailer is damaged, with both made from the other; nothing where its records are not sound, or
/// where it has not the hash that the batch behind it says.
fn framed(stretch: &[u8], chain: &Chain, behind: &BatchHead, seal: Seal) -> Option<Vec<u8>> {
    let records = stretch.get(BATCH_HEAD_BYTES..stretch.len().checked_sub(BATCH_HEAD_BYTES)?)?;
    let trailer = || BatchHead::decode(&stretch[stretch.len() - BATCH_HEAD_BYTES..], End::Trailer, seal);
    let frame = BatchHead::decode(stretch, End::Header, seal)
        .or_else(|| trailer().map(|trailer| BatchHead { hash: chain.batch, ..trailer }))?;
    let front = frame.encode(End::Header, seal);
    let back = BatchHead { hash: behind.hash, ..frame }.encode(End::Trailer, seal);
    let batch = [&front[..], records, &back].concat();
    // Whole is one whose trailer has the hash of header and records: that which the batch behind it says.
    let is_whole = recovery::whole_batch(&batch, seal).is_some_and(|(head, _)| head.length as usize == batch.len());
    is_whole.then_some(batch)
}

/// Whether a record of a segment with this seal is somewhere in these bytes.
fn has_sound_record(bytes: &[u8], seal: Seal) -> bool {
    let places = (DATA_OFFSET as usize..bytes.len()).step_by(8);
    places.into_iter().any(|at| RecordHead::decode(&bytes[at..], seal).is_some())
}

/// A segment without the footer behind its batches, where that is sound.
fn batches_of<'a>(bytes: &'a [u8], header: &SegmentHeader) -> &'a [u8] {
    match About::of(bytes, header.seal()) {
        Some(about) => &bytes[..about.base as usize],
        None => bytes,
    }
}

/// Where the chain stands behind a segment.
fn end_of(bytes: &[u8]) -> Option<Chain> {
    let (header, _) = recovery::header(bytes).ok()?;
    Some(Checked::walk(batches_of(bytes, &header), &header, None).0.chain)
}

/// Notes everything that is damaged in a segment, bodies held against their hashes too.
#[derive(Default)]
struct Checked {
    damage: Vec<(u64, DamageKind)>,
}

impl Checked {
    fn walk(
        bytes: &[u8],
        header: &SegmentHeader,
        until: Option<Position>,
    ) -> (recovery::Walked, Vec<(u64, DamageKind)>) {
        let mut checked = Self::default();
        let walked = recovery::walk(bytes, header, until, &mut checked);
        (walked, checked.damage)
    }
}

impl Visit for Checked {
    fn record(&mut self, offset: u64, _encoded: &[u8], head: &RecordHead, body: Option<&[u8]>) {
        if body.is_some_and(|body| sha256(&[body]) != head.body_hash) {
            self.damage(offset, DamageKind::Body { stream: head.stream, version: head.version });
        }
    }

    fn damage(&mut self, offset: u64, kind: DamageKind) {
        self.damage.push((offset, kind));
    }
}

//! The disk as it could be when the power goes at a moment.
//!
//! What was synced by then is there. Of what was written since, each write is there, or not, or torn: of each 512 bytes on
//! their own nobody knows. Of what was made, renamed and removed since its directory was synced, the first so many are there:
//! a file system keeps the order of those, and that a file was synced does not give it its name. Harsher than any file system
//! that is in use, which is what makes it worth looking at.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::dice::Dice;
use super::trace::{Act, Bytes, Op};
use crate::files::below;

/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;
/// Zeros at the end of a file that are not written out but left as a hole: a segment has millions of them.
const PAGE_BYTES: usize = 4_096;

/// The files of a directory, by their paths in it.
pub type Files = BTreeMap<PathBuf, Vec<u8>>;

/// Every file below a directory.
pub fn files_of(directory: &Path) -> Files {
    let path = |file: &Path| file.strip_prefix(directory).expect("below it").to_owned();
    below(directory).iter().map(|file| (path(file), std::fs::read(file).expect("it can be read"))).collect()
}

/// A file's number, whatever it is called.
type Inode = usize;

/// A change of a file, and when the call that made it was left.
struct Waiting<'o> {
    left: i64,
    change: Change<'o>,
}

enum Change<'o> {
    Bytes(u64, &'o Bytes),
    Length(u64),
    Reserved(u64),
}

/// A file as it is on disk, and what may or may not be there yet.
#[derive(Default)]
struct Contents<'o> {
    bytes: Cow<'o, [u8]>,
    waiting: Vec<Waiting<'o>>,
    /// Its length to whoever reads it, who sees what waits.
    length: u64,
}

/// What a name came to, and when the call that did it was left.
struct Naming<'o> {
    left: i64,
    act: Named<'o>,
}

enum Named<'o> {
    File(&'o Path, Inode),
    Directory(&'o Path),
    Renamed(&'o Path, &'o Path),
    Removed(&'o Path),
}

/// What of all that waits is on the disk.
#[derive(Debug, Clone, Copy)]
pub enum Fate {
    Nothing,
    Everything,
    /// Each write by itself.
    Some,
    /// Each sector of each write by itself.
    Torn,
}

/// The disk after some of the operations.
pub struct Disk<'o> {
    files: Vec<Contents<'o>>,
    /// Names as the server sees them.
    seen: BTreeMap<PathBuf, Inode>,
    /// Names and directories that are on the disk.
    names: BTreeMap<PathBuf, Inode>,
    directories: BTreeSet<PathBuf>,
    namings: Vec<Naming<'o>>,
}

impl<'o> Disk<'o> {
    /// The disk at a moment, in microseconds since 1970. `first` are the files that were there, and durable, before the first
    /// operation. Where syncs do not count all that came after is still waiting.
    pub fn at(moment: i64, first: &'o Files, ops: &'o [Op], syncs_count: bool) -> Self {
        let contents = |bytes: &'o Vec<u8>| Contents {
            bytes: Cow::Borrowed(bytes),
            waiting: Vec::new(),
            length: bytes.len() as u64,
        };
        let names: BTreeMap<_, _> = first.keys().cloned().zip(0..).collect();
        let mut disk = Self {
            files: first.values().map(contents).collect(),
            seen: names.clone(),
            names,
            directories: BTreeSet::new(),
            namings: Vec::new(),
        };
        for op in ops.iter().take_while(|op| op.entered <= moment) {
            disk.take(op, moment, syncs_count);
        }
        disk
    }

    fn take(&mut self, op: &'o Op, moment: i64, syncs_count: bool) {
        let left = op.left;
        let change = |change| Waiting { left, change };
        match &op.act {
            Act::Opened(path) if self.seen.contains_key(path) => {}
            Act::Opened(path) => {
                self.files.push(Contents::default());
                let inode = self.files.len() - 1;
                self.seen.insert(path.clone(), inode);
                self.namings.push(Naming { left, act: Named::File(path, inode) });
            }
            Act::Directory(path) => self.namings.push(Naming { left, act: Named::Directory(path) }),
            Act::Wrote(path, at, bytes) => {
                if let Some(file) = self.file(path) {
                    let at = at.unwrap_or(file.length);
                    file.length = file.length.max(at + bytes.len() as u64);
                    file.waiting.push(change(Change::Bytes(at, bytes)));
                }
            }
            Act::Length(path, length) => {
                if let Some(file) = self.file(path) {
                    file.length = *length;
                    file.waiting.push(change(Change::Length(*length)));
                }
            }
            Act::Reserved(path, length) => {
                if let Some(file) = self.file(path) {
                    file.length = file.length.max(*length);
                    file.waiting.push(change(Change::Reserved(*length)));
                }
            }
            Act::Renamed(from, to) => {
                if let Some(inode) = self.seen.remove(from) {
                    self.seen.insert(to.clone(), inode);
                }
                self.namings.push(Naming { left, act: Named::Renamed(from, to) });
            }
            Act::Removed(path) => {
                self.seen.remove(path);
                self.namings.push(Naming { left, act: Named::Removed(path) });
            }
            Act::Synced(_) | Act::SyncedAll if !syncs_count || left > moment => {}
            Act::Synced(path) => match self.file(path) {
                Some(file) => file.sync(op.entered),
                None => self.sync_directory(path, op.entered),
            },
            Act::SyncedAll => {
                self.files.iter_mut().for_each(|file| file.sync(op.entered));
                self.sync_names(self.namings.len(), op.entered);
            }
        }
    }

    fn file(&mut self, path: &Path) -> Option<&mut Contents<'o>> {
        self.seen.get(path).map(|inode| &mut self.files[*inode])
    }

    /// What has come and gone in a directory is on the disk, and what came before that.
    fn sync_directory(&mut self, directory: &Path, entered: i64) {
        let is_in = |path: &Path| path.parent() == Some(directory);
        let touches = |naming: &Naming<'_>| match naming.act {
            Named::File(path, _) | Named::Directory(path) | Named::Removed(path) => is_in(path),
            Named::Renamed(from, to) => is_in(from) || is_in(to),
        };
        let last = self.namings.iter().rposition(touches);
        self.sync_names(last.map_or(0, |last| last + 1), entered);
    }

    /// The first so many of what was named are on the disk, as far as they were done before.
    fn sync_names(&mut self, many: usize, before: i64) {
        let done = self.namings.iter().take(many).take_while(|naming| naming.left <= before).count();
        for naming in self.namings.drain(..done).collect::<Vec<_>>() {
            self.name(&naming.act);
        }
    }

    fn name(&mut self, act: &Named<'o>) {
        match act {
            Named::File(path, inode) => {
                self.names.insert((*path).to_owned(), *inode);
            }
            Named::Directory(path) => {
                self.directories.insert((*path).to_owned());
            }
            Named::Renamed(from, to) => {
                if let Some(inode) = self.names.remove(*from) {
                    self.names.insert((*to).to_owned(), inode);
                }
            }
            Named::Removed(path) => {
                self.names.remove(*path);
                self.directories.remove(*path);
            }
        }
    }

    /// The power goes: what waits has one fate or another.
    pub fn settle(&mut self, fate: Fate, dice: &mut Dice) {
        for file in &mut self.files {
            for Waiting { change, .. } in std::mem::take(&mut file.waiting) {
                file.settle(&change, fate, dice);
            }
        }
        let many = self.namings.len() as u64;
        let named = match fate {
            Fate::Nothing => 0,
            Fate::Everything => many,
            Fate::Some | Fate::Torn => dice.below(many + 1),
        };
        // All that waits was entered by then, and whether it was left does not matter.
        self.sync_names(usize::try_from(named).expect("as many as there are"), i64::MAX);
    }

    /// A file of the disk.
    pub fn read(&self, path: &Path) -> Option<&[u8]> {
        self.names.get(path).map(|inode| &*self.files[*inode].bytes)
    }

    /// The files by which the disk and a directory differ, where everything that waits is there.
    pub fn differences(&self, directory: &Files) -> Vec<PathBuf> {
        let differs = |path: &&PathBuf| self.read(path) != directory.get(*path).map(Vec::as_slice);
        let all: BTreeSet<_> = self.names.keys().chain(directory.keys()).collect();
        all.into_iter().filter(differs).cloned().collect()
    }

    /// Writes the disk out as a directory.
    pub fn write_to(&self, place: &Path) {
        let make = |directory: &Path| std::fs::create_dir_all(place.join(directory)).expect("made");
        self.directories.iter().for_each(|directory| make(directory));
        for (path, inode) in &self.names {
            make(path.parent().expect("a directory"));
            let bytes = &*self.files[*inode].bytes;
            let zeros =
                bytes.rchunks(PAGE_BYTES).take_while(|page| page.iter().all(|byte| *byte == 0)).map(<[u8]>::len);
            let written = bytes.len() - zeros.sum::<usize>();
            let mut file = std::fs::File::create(place.join(path)).expect("made");
            file.write_all(&bytes[..written]).expect("written");
            file.set_len(bytes.len() as u64).expect("lengthened");
        }
    }
}

impl Contents<'_> {
    /// What was done before a moment is on the disk.
    fn sync(&mut self, before: i64) {
        let (done, waiting) = std::mem::take(&mut self.waiting).into_iter().partition(|waiting| waiting.left <= before);
        self.waiting = waiting;
        let done: Vec<Waiting<'_>> = done;
        done.iter().for_each(|waiting| self.apply(&waiting.change));
    }

    fn apply(&mut self, change: &Change<'_>) {
        match change {
            Change::Bytes(at, bytes) => self.put(*at, bytes, 0..bytes.len()),
            Change::Length(length) => self.bytes.to_mut().resize(usize::try_from(*length).expect("it fits"), 0),
            Change::Reserved(length) => self.reach(usize::try_from(*length).expect("it fits")),
        }
    }

    fn reach(&mut self, length: usize) {
        if self.bytes.len() < length {
            self.bytes.to_mut().resize(length, 0);
        }
    }

    /// Puts a part of what was written at its place.
    fn put(&mut self, at: u64, bytes: &Bytes, part: std::ops::Range<usize>) {
        let from = usize::try_from(at).expect("it fits") + part.start;
        self.reach(from + part.len());
        let place = &mut self.bytes.to_mut()[from..from + part.len()];
        match bytes {
            Bytes::Zeros(_) => place.fill(0),
            Bytes::Given(bytes) => place.copy_from_slice(&bytes[part]),
        }
    }

    fn settle(&mut self, change: &Change<'_>, fate: Fate, dice: &mut Dice) {
        match (fate, change) {
            (Fate::Nothing, _) => {}
            (Fate::Everything, change) => self.apply(change),
            (Fate::Torn, Change::Bytes(at, bytes)) => {
                let first = SECTOR_BYTES - usize::try_from(at % SECTOR_BYTES as u64).expect("less than a sector");
                let mut from = 0;
                while from < bytes.len() {
                    let to = if from == 0 { first } else { from + SECTOR_BYTES }.min(bytes.len());
                    if dice.below(2) == 0 {
                        self.put(*at, bytes, from..to);
                    }
                    from = to;
                }
            }
            (Fate::Some | Fate::Torn, change) => {
                if dice.below(2) == 0 {
                    self.apply(change);
                }
            }
        }
    }
}

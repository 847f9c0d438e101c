//! Keeps the index in the background: gives segments their footers, and merges tables.
//!
//! Nobody waits for it, and nothing that it does is needed: what fails is tried again later.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::disk::{Disk, OpenFile};
use crate::format::Seal;
use crate::index::files::{DIRECTORY, MAKING, file_name};
use crate::index::heads::Totals;
use crate::index::merge::Merge;
use crate::index::table::{Fault, Table};
use crate::index::writer::{Subject, Writer};
use crate::index::{Part, Unsealed};
use crate::shared::Shared;

/// So many tables of one level are merged into one of the next.
pub const TIER_TABLES: usize = 8;
/// Between two pieces of a table that is written: at most a hundred megabytes a second are taken from those who wait for
/// their syncs.
const PACE: Duration = Duration::from_millis(2);

pub(crate) struct Keeper {
    pub shared: Arc<Shared>,
    pub disk: Arc<dyn Disk>,
    /// `journal/` of the data directory.
    pub directory: PathBuf,
    /// Before something that failed is tried again.
    pub retry_pause: Duration,
}

enum Work {
    Footer(Arc<Part>),
    Merge(Vec<Arc<Part>>),
}

impl Keeper {
    /// Works until the bell stops it.
    pub fn run(self) {
        while self.shared.bell.wait() {
            self.remove_useless();
            while let Some(work) = next_work(&self.shared.index.parts()) {
                let done = match &work {
                    Work::Footer(part) => self.footer(part),
                    Work::Merge(parts) => self.merge(parts),
                };
                if done.is_err() && !self.shared.bell.pause(self.retry_pause) {
                    return;
                }
            }
        }
    }

    fn remove_useless(&self) {
        for name in self.shared.take_useless() {
            // What stays is found to be of no use again by the next start.
            let _ = self.disk.remove(&self.directory.join(DIRECTORY).join(name));
        }
    }

    fn pace(&self) -> std::io::Result<()> {
        if self.shared.bell.pause(PACE) { Ok(()) } else { Err(std::io::ErrorKind::Interrupted.into()) }
    }

    /// Writes a segment's footer behind its last batch.
    fn footer(&self, part: &Arc<Part>) -> Result<(), Fault> {
        let Part::Memory(unsealed) = &**part else { return Ok(()) };
        let Unsealed { segment, heads, chain, .. } = unsealed;
        let file = File::options().read(true).write(true).open(self.directory.join(&segment.name))?;
        let end = segment.end();
        // What stands there is a footer that was not finished, or is damaged.
        self.disk.set_len(&file, end)?;
        let pace = || self.pace();
        let streams = heads.entries.len() as u64;
        let file = OpenFile::new(file, Arc::clone(&self.disk));
        let mut writer = Writer::begin(&*self.disk, file, end, segment.seal(), streams, &pace);
        heads.entries.iter().try_for_each(|(stream, entry)| writer.add(stream, entry))?;
        let table = writer.end(Subject {
            level: 0,
            from: segment.key(),
            to: segment.key(),
            segments: 1,
            chain: *chain,
            totals: heads.totals.clone(),
            places: segment.places(),
        })?;
        self.shared.index.replace(std::slice::from_ref(part), vec![Part::Table(table)]);
        Ok(())
    }

    /// Merges tables that stand in a row into one file of the index, and removes the files that it takes the place of.
    fn merge(&self, parts: &[Arc<Part>]) -> Result<(), Fault> {
        let tables: Vec<&Table> = parts.iter().filter_map(|part| table_of(part)).collect();
        let (Some(first), Some(last)) = (tables.first(), tables.last()) else { return Ok(()) };
        let mut totals = Totals::default();
        tables.iter().for_each(|table| totals.add(&table.totals));
        let subject = Subject {
            level: first.about.level + 1,
            from: first.about.from,
            to: last.about.to,
            segments: tables.iter().map(|table| table.about.segments).sum(),
            chain: last.about.chain,
            totals,
            places: Vec::new(),
        };
        let name = file_name(subject.level, subject.from, subject.segments);
        let merged = self.write(parts, subject, &name)?;
        if self.shared.index.replace(parts, vec![Part::Table(merged)]) {
            self.remove_files(&tables);
        }
        Ok(())
    }

    /// Writes a file of the index. Its directory is not synced: one that a crash took is made again.
    fn write(&self, parts: &[Arc<Part>], subject: Subject, name: &str) -> Result<Table, Fault> {
        let directory = self.directory.join(DIRECTORY);
        self.disk.make_directory(&directory)?;
        let making = directory.join(MAKING);
        self.disk.create(&making, &[])?;
        let file = File::options().read(true).write(true).open(&making)?;
        let file = OpenFile::new(file, Arc::clone(&self.disk));
        let pace = || self.pace();
        let seal = Seal::of_index(&self.shared.identity.journal);
        let streams_max = parts.iter().filter_map(|part| table_of(part)).map(|table| table.about.streams).sum();
        let mut writer = Writer::begin(&*self.disk, file, 0, seal, streams_max, &pace);
        for row in Merge::of(parts, std::ops::Bound::Unbounded) {
            match row {
                Ok((stream, entry)) => writer.add(&stream, &entry)?,
                Err(unread) => {
                    // What comes in its place is merged in another turn.
                    return Err(self.shared.make_again(unread).err().map_or(Fault::Invalid, Fault::Io));
                }
            }
        }
        let table = writer.end(subject)?;
        self.disk.rename(&making, &directory.join(name))?;
        Ok(table)
    }

    fn remove_files(&self, tables: &[&Table]) {
        for about in tables.iter().map(|table| &table.about).filter(|about| about.level > 0) {
            let name = file_name(about.level, about.from, about.segments);
            // What stays is covered by the new file, which the next start prefers.
            let _ = self.disk.remove(&self.directory.join(DIRECTORY).join(name));
        }
    }
}

fn table_of(part: &Arc<Part>) -> Option<&Table> {
    match &**part {
        Part::Table(table) => Some(table),
        Part::Memory(_) => None,
    }
}

/// What is to be done next: a footer for the newest segment that lacks one, since it has its streams in memory; else the
/// newest row of enough tables of one level.
fn next_work(parts: &[Arc<Part>]) -> Option<Work> {
    let lacks = |part: &&Arc<Part>| matches!(&***part, Part::Memory(unsealed) if !unsealed.damaged);
    if let Some(part) = parts.iter().rev().find(lacks) {
        return Some(Work::Footer(Arc::clone(part)));
    }
    let level = |part: &Arc<Part>| table_of(part).map(|table| table.about.level);
    let rows = parts.chunk_by(|one, next| level(one).is_some() && level(one) == level(next));
    let mut enough = rows.filter(|row| row.len() >= TIER_TABLES && level(&row[0]).is_some());
    enough.next_back().map(|row| Work::Merge(row[..TIER_TABLES].to_vec()))
}

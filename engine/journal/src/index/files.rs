//! The files of the index: their names, and which of them fit the segments that are there.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::OpenError;
use crate::disk::{Disk, OpenFile};
use crate::format::Seal;
use crate::index::table::{About, Fault, SegmentKey, Table};
use crate::segment::io;

/// Where they are, below `journal/`.
pub(crate) const DIRECTORY: &str = "index";
/// Name of a file while it is written.
pub(crate) const MAKING: &str = "making.tmp";

/// File name of a table of the index: its level, its first segment, and how many it covers.
pub(crate) fn file_name(level: u32, from: SegmentKey, segments: u64) -> String {
    format!("{level}-{:020}-{:020}-{segments}.index", from.0, from.1)
}

/// Tables that cover segments that are there, and the files that are of no use.
#[derive(Default)]
pub(crate) struct Fitting {
    /// With each table which of the segments it covers; in order, none twice.
    pub tables: Vec<(Range<usize>, Table)>,
    pub useless: Vec<String>,
}

/// Chooses among the files of the index those that cover most. A file that is damaged is of no use: what it covers is read
/// from the segments' footers, and it is made again. One that only cannot be read is an error.
pub(crate) fn choose(
    journal: &Path,
    seal: Seal,
    segments: &[SegmentKey],
    disk: &Arc<dyn Disk>,
) -> Result<Fitting, OpenError> {
    let mut fitting = Fitting::default();
    let mut read = Vec::new();
    for name in names(journal) {
        let opened = open(&journal.join(DIRECTORY).join(&name), seal, disk);
        let table = Fault::unless_invalid(opened).map_err(io(format!("reading journal/{DIRECTORY}/{name}")))?;
        let placed = table.and_then(|table| Some((range(&table.about, segments)?, table)));
        read.push((name, placed));
    }
    read.sort_by_key(|(_, placed)| std::cmp::Reverse(placed.as_ref().map_or(0, |(range, _)| range.len())));
    for (name, placed) in read {
        let overlaps = |range: &Range<usize>| {
            fitting.tables.iter().any(|(taken, _)| range.start < taken.end && taken.start < range.end)
        };
        match placed {
            Some((range, table)) if !overlaps(&range) => fitting.tables.push((range, table)),
            _ => fitting.useless.push(name),
        }
    }
    fitting.tables.sort_by_key(|(range, _)| range.start);
    Ok(fitting)
}

/// All files of the index; none where the directory cannot be read, which costs only the time to make them again.
fn names(journal: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(journal.join(DIRECTORY)).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn open(path: &Path, seal: Seal, disk: &Arc<dyn Disk>) -> Result<Table, Fault> {
    let file = OpenFile::open(path, disk)?;
    let about = About::read(&file, seal)?;
    if about.level == 0 {
        return Err(Fault::Invalid);
    }
    Table::load(file, seal, about)
}

/// Which of the segments a table covers, if they are there in a row.
fn range(about: &About, segments: &[SegmentKey]) -> Option<Range<usize>> {
    let from = segments.iter().position(|key| *key == about.from)?;
    let to = segments.iter().position(|key| *key == about.to)?;
    (to + 1 == from + about.segments as usize).then_some(from..to + 1)
}

//! How far what is durable reaches, file by file: what a backup copies while the journal goes on.
//!
//! Segments are only ever written behind their acknowledged end, and one that has ended is never changed but for the
//! footer behind it. So an extent stays valid for as long as the directory is there, and copying it needs no lock.

use crate::index::table::{About, Fault};
use crate::open::segment_names;
use crate::segment::{Segment, io};
use crate::{FileJournal, Identity, OpenError, Position};

/// What is durable of a journal at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// Which journal.
    pub identity: Identity,
    /// Position of the last record in it.
    pub position: Option<Position>,
    /// Its segments, in order. The index is not among them: it is made again from them.
    pub files: Vec<FileExtent>,
}

/// So much of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileExtent {
    /// Its path below the data directory, with `/` between names.
    pub path: String,
    /// Bytes from its beginning.
    pub bytes: u64,
}

impl FileJournal {
    /// What is durable now: all that was acknowledged before the call, and no batch in part. Each segment is in it up to
    /// its last batch, with its footer where that is there already. A segment whose header cannot be used is in it whole,
    /// so that a copy is as damaged as what it is a copy of and no more.
    pub fn extent(&self) -> Result<Extent, OpenError> {
        let (segments, reached) = {
            let reached = self.shared.reached.read();
            (self.shared.segments.read().clone(), *reached)
        };
        let mut files = Vec::new();
        for name in segment_names(&self.directory)? {
            let known = segments.iter().position(|segment| segment.name == name);
            let bytes = match known {
                Some(last) if last + 1 == segments.len() => reached.end,
                Some(number) => ended_bytes(&segments[number]).map_err(io(format!("reading journal/{name}")))?,
                // Opened since.
                None if self.is_written() && segments.last().is_some_and(|last| name > last.name) => break,
                None => {
                    let about = std::fs::metadata(self.directory.join(&name));
                    about.map_err(io(format!("reading journal/{name}")))?.len()
                }
            };
            files.push(FileExtent { path: format!("journal/{name}"), bytes });
        }
        let position = reached.chain.next.checked_sub(1).filter(|position| *position > 0);
        Ok(Extent { identity: self.shared.identity, position, files })
    }
}

/// The bytes of a segment that has ended: with its footer, which may be on its way.
fn ended_bytes(segment: &Segment) -> std::io::Result<u64> {
    let about = Fault::unless_invalid(About::read(&segment.file, segment.seal()))?;
    let has_footer =
        about.is_some_and(|about| about.level == 0 && about.from == segment.key() && about.base == segment.end());
    // A footer that is whole is not changed any more.
    if has_footer { Ok(segment.file.len()?) } else { Ok(segment.end()) }
}

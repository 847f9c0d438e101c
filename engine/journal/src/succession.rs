//! How one segment follows another: the old one is cut where it was last acknowledged, the new one says where that is.
//!
//! What decides is the new segment's header, not the cut: after a failed sync nobody knows what the disk holds behind
//! the acknowledged end, and a later sync of the same file that succeeds proves nothing. Recovery believes the header.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use crate::disk::{Disk, OpenFile, write_all_at};
use crate::format::SegmentHeader;
use crate::prepare::Maker;
use crate::recovery::Chain;
use crate::segment::{Segment, file_name, io};
use crate::{Identity, OpenError};

/// What stands behind the last batch of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// What was never acknowledged, or zeros.
    Torn,
    /// A footer that is damaged or was not finished; it can be made again, and is not kept.
    Footer,
}

/// The end of a segment file that counts as not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cut {
    /// The segment's file name.
    pub name: String,
    /// Where it begins; at 0 the whole file goes.
    pub from: u64,
    /// What stands there.
    pub rest: Rest,
}

/// Ends segments and opens new ones.
pub(crate) struct Succession {
    pub disk: Arc<dyn Disk>,
    /// The data directory.
    pub data: PathBuf,
    pub maker: Arc<Maker>,
    pub identity: Identity,
    /// The last epoch that a segment was opened under, or was to be.
    pub epoch: u64,
    /// What must be cut before anything new is written.
    pub cuts: Vec<Cut>,
}

impl Succession {
    /// Makes all cuts that are due, and opens a segment under the next epoch. What fails stays due.
    pub fn go_on(&mut self, chain: Chain) -> Result<Arc<Segment>, OpenError> {
        while let Some(cut) = self.cuts.first() {
            self.cut(cut).map_err(io(format!("cutting journal/{}", cut.name)))?;
            self.cuts.remove(0);
        }
        self.epoch += 1;
        self.open(chain).map_err(io("opening a new segment"))
    }

    /// Opens a segment under the present epoch: header written and synced, named, directory synced.
    pub fn open(&self, chain: Chain) -> std::io::Result<Arc<Segment>> {
        let header = SegmentHeader {
            journal: self.identity.journal,
            incarnation: self.identity.incarnation,
            epoch: self.epoch,
            salt: random()?,
            first: chain.next,
            previous_batch: chain.batch,
            previous_time_us: chain.time_us,
        };
        let opened = self.try_open(header);
        if opened.is_err() {
            // A file on which something failed is never used. Where it cannot be removed, the next try makes the
            // same failure again, or writes over all that matters: the header, which is synced anew.
            let _ = self.maker.discard();
        }
        opened
    }

    fn try_open(&self, header: SegmentHeader) -> std::io::Result<Arc<Segment>> {
        let prepared = self.maker.prepared()?;
        let file = File::options().read(true).write(true).open(&prepared)?;
        let block = header.encode();
        write_all_at(&*self.disk, &file, &[block, block].concat(), 0)?;
        self.disk.sync_all(&file)?;
        let name = file_name(&header);
        let directory = self.data.join("journal");
        self.disk.rename(&prepared, &directory.join(&name))?;
        self.disk.sync_directory(&directory)?;
        let file = OpenFile::new(file, Arc::clone(&self.disk));
        Ok(Arc::new(Segment::found(file, name, header, crate::format::DATA_OFFSET, Vec::new())))
    }

    /// Cuts a segment, durably. One of which nothing is left is removed.
    fn cut(&self, cut: &Cut) -> std::io::Result<()> {
        let path = self.data.join("journal").join(&cut.name);
        let file = OpenFile::new(File::options().read(true).write(true).open(&path)?, Arc::clone(&self.disk));
        if cut.rest == Rest::Torn {
            self.quarantine(&file, cut)?;
        }
        if cut.from == 0 {
            self.disk.remove(&path)?;
            return self.disk.sync_directory(&self.data.join("journal"));
        }
        self.disk.set_len(&file.file, cut.from)?;
        self.disk.sync_all(&file.file)
    }

    /// Copies what is cut off to `quarantine/`, durably, unless it is only zeros.
    fn quarantine(&self, file: &OpenFile, cut: &Cut) -> std::io::Result<()> {
        let rest = file.read(cut.from, file.len()?.saturating_sub(cut.from))?;
        let used = rest.len() - rest.iter().rev().take_while(|byte| **byte == 0).count();
        if used == 0 {
            return Ok(());
        }
        let place = self.data.join("quarantine");
        self.disk.make_directory(&place)?;
        let torn = format!("{}-{}.torn", cut.name.trim_end_matches(".segment"), cut.from);
        self.disk.create(&place.join(torn), &rest[..used])?;
        self.disk.sync_directory(&place)
    }
}

/// Random bytes from the operating system.
pub(crate) fn random<const N: usize>() -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(bytes)
}

//! A new incarnation: after a restore, what was handed out in the life before (cursors, `Last-Event-ID`) is not taken for
//! something of this one, in which the same positions may hold other records.

use std::path::Path;
use std::sync::Arc;

use crate::disk::{Disk, RealDisk};
use crate::format::DATA_OFFSET;
use crate::open::Found;
use crate::prepare::Maker;
use crate::segment::io;
use crate::succession::Succession;
use crate::{Identity, OpenError};

/// Gives the journal of a data directory that nobody has open another incarnation: the next, or `at_least` where that is
/// higher. Two restores of one backup would otherwise get the same, so whoever restores passes the time.
///
/// It stands in the header of a new segment without batches, which is durable when this returns: every later life
/// takes it from there. Fails where there is no journal.
pub fn renew_incarnation(data: &Path, at_least: u64) -> Result<Identity, OpenError> {
    let directory = data.join("journal");
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let mut found = Found::read(&directory, &disk)?;
    let nothing = || io(format!("{} holds no segment", directory.display()))(std::io::ErrorKind::NotFound.into());
    let last = found.header.ok_or_else(nothing)?;
    let incarnation = last.incarnation.saturating_add(1).max(at_least);
    let identity = Identity { journal: last.journal, incarnation };
    let mut succession = Succession {
        disk: Arc::clone(&disk),
        data: data.into(),
        maker: Arc::new(Maker::new(disk, directory, DATA_OFFSET)),
        identity,
        epoch: found.epoch,
        cuts: std::mem::take(&mut found.cuts),
    };
    succession.go_on(found.chain)?;
    Ok(identity)
}

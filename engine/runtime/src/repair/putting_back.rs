//! From a backup: its segments are unpacked beside the journal, as many as are wanted, and held against those that are here.
//!
//! Nothing in a backup is believed unchecked: the whole of it is held against its manifest before anything else; then the
//! journal takes nothing from a segment that its own checksums, the records' hashes and the chain do not vouch for.

use std::path::Path;

use interlink_journal::{FileJournal, Journal, RealDisk, Report, mend};

use super::{RepairError, Scratch};
use crate::backup::{Part, check, hex, unpack_segments};

/// Puts back what the backup has, and what can be told without one; says which segments of the backup do not fit.
pub(super) fn put_back(
    data: &Path,
    file: Option<&Path>,
    before: &Report,
) -> Result<Vec<(String, &'static str)>, RepairError> {
    let scratch = Scratch::make(data)?;
    if let Some(file) = file {
        unpack_wanted(data, file, before, &scratch.0)?;
    }
    Ok(mend(data, &scratch.0, &RealDisk)?.unused)
}

/// Unpacks the segments of a backup that could mend something.
fn unpack_wanted(data: &Path, file: &Path, before: &Report, into: &Path) -> Result<(), RepairError> {
    let manifest = check(file, Part::Data)?.manifest;
    let here = FileJournal::read_only(data)?.identity().journal;
    // Where no header is left that says which journal is here, each segment has to show that it is the one in the backup.
    if here != [0; 16] && manifest.journal != hex(&here) {
        let (file, data) = (file.display().to_string(), data.display().to_string());
        return Err(RepairError::OtherJournal { file, there: manifest.journal, data, here: hex(&here) });
    }
    let is_wanted = |path: &str| {
        let is_damaged = before.damage.iter().any(|damage| damage.file == path);
        is_damaged || before.torn.iter().any(|torn| torn == path) || !data.join(path).exists()
    };
    Ok(unpack_segments(file, into, &is_wanted)?)
}

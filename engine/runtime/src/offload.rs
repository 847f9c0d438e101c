//! Old history on another disk.

use std::path::Path;

use interlink_journal::Offloaded;

use crate::engine::{OpenError, lock};

/// Moves old segments of the journal of a data directory that no server has to another directory, but for the last `keep`.
/// Links stay in their places.
///
/// # Errors
///
/// A server that has the directory; what could not be read or written.
pub fn offload(data: &Path, to: &Path, keep: usize) -> Result<Vec<Offloaded>, OpenError> {
    let _lock = lock(data)?;
    Ok(interlink_journal::offload(data, to, keep)?)
}

//! The ledger of erasures: which keys were destroyed.
//!
//! A backup that was taken before an erasure still has the key. So the numbers are written down, before a slot is
//! overwritten, in `keys/erased`: a line of decimal digits for each, in order. A start finishes what a crash interrupted,
//! and a restore is given the ledger of the directory that it replaces. The file is written anew each time: erasures are
//! rare, and a line that was torn would name another key.

use std::collections::BTreeSet;
use std::path::Path;

use super::{KeyError, io, write_whole};

/// The numbers in a ledger. Fails where there is none, or where a line is no number.
pub(crate) fn read(ledger: &Path) -> Result<BTreeSet<u64>, KeyError> {
    let text = std::fs::read_to_string(ledger).map_err(io(format!("reading {}", ledger.display())))?;
    let damaged = |_| KeyError::Damaged(ledger.display().to_string());
    text.lines().map(|line| line.parse().map_err(damaged)).collect()
}

/// The same; nothing where there is no ledger.
pub(super) fn read_if_there(ledger: &Path) -> Result<BTreeSet<u64>, KeyError> {
    if ledger.exists() { read(ledger) } else { Ok(BTreeSet::new()) }
}

/// Adds numbers; durable on return.
pub(super) fn add(ledger: &Path, numbers: &[u64]) -> Result<(), KeyError> {
    let mut all = read_if_there(ledger)?;
    all.extend(numbers);
    let lines: String = all.iter().map(|number| format!("{number}\n")).collect();
    write_whole(ledger, lines.as_bytes()).map_err(io("writing keys/erased"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_has_every_number_once_and_in_order() {
        let place = tempfile::tempdir().expect("a directory");
        let ledger = place.path().join("erased");
        assert!(read_if_there(&ledger).expect("none yet").is_empty());
        assert!(read(&ledger).is_err(), "one that is asked for has to be there");
        add(&ledger, &[7, 3]).expect("added");
        add(&ledger, &[7, 12]).expect("added");
        assert_eq!(std::fs::read_to_string(&ledger).expect("there"), "3\n7\n12\n");
        assert_eq!(read(&ledger).expect("read"), [3, 7, 12].into());
    }

    #[test]
    fn what_is_no_ledger_is_refused() {
        let place = tempfile::tempdir().expect("a directory");
        let ledger = place.path().join("erased");
        std::fs::write(&ledger, "3\nseven\n").expect("written");
        assert!(matches!(read(&ledger), Err(KeyError::Damaged(_))));
        assert!(matches!(add(&ledger, &[1]), Err(KeyError::Damaged(_))), "and not written over");
    }
}

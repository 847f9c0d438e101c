//! Every input that is committed, through its target, without a fuzzer: seeds, and what once was a bug.

#[path = "../src/targets/mod.rs"]
mod targets;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use targets::{ALL, Target};

fn inputs(kind: &str, target: &Target) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(kind).join(target.name);
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.expect("it is listed").path()).collect()
}

fn replay(kind: &str) -> usize {
    let mut many = 0;
    for target in &ALL {
        for path in inputs(kind, target) {
            println!("{}", path.display());
            (target.run)(&std::fs::read(&path).expect("it can be read"));
            many += 1;
        }
    }
    many
}

#[test]
fn every_seed_holds() {
    assert!(replay("corpus") >= ALL.len());
}

#[test]
fn every_input_that_was_a_bug_holds_now() {
    replay("regressions");
}

#[test]
fn every_target_has_seeds_and_every_folder_a_target() {
    let names: BTreeSet<_> = ALL.iter().map(|target| target.name.to_owned()).collect();
    for target in &ALL {
        assert!(!inputs("corpus", target).is_empty(), "{} has no seed", target.name);
    }
    for kind in ["corpus", "regressions"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(kind);
        let folders = std::fs::read_dir(folder).into_iter().flatten();
        let folders: BTreeSet<_> =
            folders.map(|entry| entry.expect("it is listed").file_name().to_string_lossy().into_owned()).collect();
        assert!(folders.is_subset(&names), "{kind}/ has folders of no target: {folders:?}");
    }
}

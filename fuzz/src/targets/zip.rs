//! Zips that strangers send.

use interlink_model::schema::bundle::{unzip, zip};
use interlink_model::schema::limits::{PATH_BYTES_MAX, ZIP_ENTRIES_MAX, ZIP_INFLATED_BYTES_MAX};

use super::bundle;

/// What is taken is within the limits, leads nowhere outside, and comes back from a zip of it. Memory is counted by the fuzzer.
pub fn run(data: &[u8]) {
    let Ok(files) = unzip(data) else { return };
    assert!(files.len() <= ZIP_ENTRIES_MAX);
    assert!(files.values().map(Vec::len).sum::<usize>() <= ZIP_INFLATED_BYTES_MAX);
    for path in files.keys() {
        assert!(path.len() <= PATH_BYTES_MAX && !path.starts_with('/') && !path.contains('\\'), "{path:?}");
        assert!(path.split('/').all(|part| !matches!(part, "" | "." | "..")), "{path:?}");
    }
    comes_back(&files);
    bundle::examine(&files);
}

fn comes_back(files: &std::collections::BTreeMap<String, Vec<u8>>) {
    const ROOT: &str = "r";
    let fits = files.keys().all(|path| path.len() + ROOT.len() < PATH_BYTES_MAX);
    if let (true, Ok(again)) = (fits, unzip(&zip(ROOT, files))) {
        let below: Vec<_> = again.into_iter().map(|(path, bytes)| (path[ROOT.len() + 1..].to_owned(), bytes)).collect();
        assert_eq!(below, files.clone().into_iter().collect::<Vec<_>>(), "a zip of it holds something else");
    }
}

//! INTERLINK's bundles, from their files: `=== path` on a line of its own begins each.

use std::collections::BTreeMap;

use interlink_model::schema::bundle::import;

use super::{places, schema};

/// A bundle that is taken is taken again as the same, with ids that are unique; one that is refused is told where.
pub fn run(data: &[u8]) {
    let files = files(data);
    examine(&files);
}

/// The same for files that were read from elsewhere.
pub fn examine(files: &BTreeMap<String, Vec<u8>>) {
    let text_of = |file: Option<&str>| std::str::from_utf8(files.get(file?)?).ok();
    match import(files) {
        Ok(parsed) => {
            schema::ids_are_unique(&parsed);
            parsed.repairs.iter().for_each(|repair| places::lies_inside(repair, &text_of));
            assert_eq!(import(files).as_ref(), Ok(&parsed), "the same bundle is another schema");
        }
        Err(refusal) => places::lie_inside(&refusal, text_of),
    }
}

fn files(data: &[u8]) -> BTreeMap<String, Vec<u8>> {
    const BEGINS: &[u8] = b"=== ";
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut path = String::new();
    for line in data.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_prefix(BEGINS) {
            Some(named) => path = String::from_utf8_lossy(named).trim_end().to_owned(),
            None => files.entry(path.clone()).or_default().extend_from_slice(line),
        }
    }
    files
}

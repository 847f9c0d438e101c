//! INTERLINK's bundles: a directory with `metadata.json` and `phases/*.json`.
//!
//! They were published before this project and cannot be mended by whoever imports them, so the reader is lenient
//! where the authoring format is strict: what it does not know is kept in `extensions`, what it had to leave out or
//! mend is reported, and it refuses only what it cannot keep meaning for: a circle of prerequisites, an id given
//! twice, a prerequisite on nothing or of an unknown form. Texts stay as published but for white space around them.
//!
//! A bundle has no version; see [`digest::version_of_bundle`].

mod prerequisites;
mod walk;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use self::walk::Walk;
use super::authoring::{self, Parsed, Syntax};
use super::finding::{Findings, Refusal, RefusalKind, quoted};
use super::limits::{ZIP_ENTRIES_MAX, ZIP_INFLATED_BYTES_MAX};
use super::node::{Node, refuse_duplicates};
use super::{digest, json};

pub use super::archive::{unzip, zip};

/// Reads a bundle from its files, by path. Below which folder it lies does not matter.
///
/// Files that hold one document in our authoring format, `schema.yaml` or `schema.json`, and no bundle, are read as
/// that, so that a zip is one more way to send it.
pub fn import(files: &BTreeMap<String, Vec<u8>>) -> Result<Parsed, Refusal> {
    let bytes: usize = files.values().map(Vec::len).sum();
    if files.len() > ZIP_ENTRIES_MAX || bytes > ZIP_INFLATED_BYTES_MAX {
        let message = format!(
            "the bundle has {} files of {bytes} bytes; the limits are {ZIP_ENTRIES_MAX} and {ZIP_INFLATED_BYTES_MAX}",
            files.len()
        );
        return Err(Refusal::of(RefusalKind::TooLarge, message));
    }
    let files: BTreeMap<&str, &[u8]> = files
        .iter()
        .filter(|(path, _)| !is_litter(path))
        .map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
        .collect();
    let Some(root) = root(&files)? else {
        return authored(&files);
    };
    let mut findings = Findings::default();
    let mut documents: Vec<(&str, Node)> = Vec::new();
    for (path, bytes) in &files {
        let below = path.strip_prefix(root).unwrap_or_default();
        let phase = below.strip_prefix("phases/").is_some_and(|name| name.ends_with(".json") && !name.contains('/'));
        if !phase && below != "metadata.json" {
            findings.repaired_without_place(path, "this file is not part of a schema and was left out");
            continue;
        }
        let text = authoring::utf8(bytes).map_err(|refusal| refusal.in_file(path))?;
        let source = findings.add_source(Some((*path).to_owned()), text);
        let mut node = json::read(text, source, &mut findings)?;
        refuse_duplicates(&mut node, "", &mut findings);
        documents.push((below, node));
    }
    if documents.len() < 2 {
        findings.error_without_place("the bundle has no phases: no file `phases/….json` beside `metadata.json`");
    }
    let mut walk = Walk::new(findings);
    let schema = walk.bundle(&documents, root);
    super::prerequisites::check(&walk.items.list, &mut walk.findings);
    let repairs = walk.findings.into_result()?;
    let contents: Map<String, Value> =
        documents.iter().map(|(path, node)| ((*path).to_owned(), node.to_json())).collect();
    let document = Value::Object(Map::from_iter([("files".to_owned(), Value::Object(contents))]));
    let mut parsed = authoring::finish(schema, document, repairs)?;
    parsed.schema.version = digest::version_of_bundle(&parsed.schema.digest);
    Ok(parsed)
}

/// What operating systems leave in archives.
fn is_litter(path: &str) -> bool {
    path.starts_with("__MACOSX/") || path.rsplit('/').next().is_some_and(|name| name == ".DS_Store")
}

/// The folder, with its `/`, that the bundle lies in; `None` if there is no bundle.
fn root<'f>(files: &BTreeMap<&'f str, &[u8]>) -> Result<Option<&'f str>, Refusal> {
    let roots = files.keys().filter_map(|path| path.strip_suffix("metadata.json"));
    let mut roots: Vec<&str> = roots.filter(|root| root.is_empty() || root.ends_with('/')).collect();
    roots.sort_by_key(|root| root.matches('/').count());
    match roots[..] {
        [] => Ok(None),
        [first, second, ..] if first.matches('/').count() == second.matches('/').count() => {
            let message = format!(
                "there is more than one bundle: both {} and {} hold a `metadata.json`; send one at a time",
                quoted(first),
                quoted(second)
            );
            Err(Refusal::of(RefusalKind::Invalid, message))
        }
        [first, ..] => Ok(Some(first)),
    }
}

fn authored(files: &BTreeMap<&str, &[u8]>) -> Result<Parsed, Refusal> {
    let syntax = |path: &str| match path.rsplit('/').next() {
        Some("schema.yaml" | "schema.yml") => Some(Syntax::Yaml),
        Some("schema.json") => Some(Syntax::Json),
        _ => None,
    };
    let found: Vec<_> = files.iter().filter_map(|(path, bytes)| Some((syntax(path)?, path, bytes))).collect();
    match found[..] {
        [(syntax, path, bytes)] => authoring::parse_file(bytes, syntax, Some(path)).map_err(|r| r.in_file(path)),
        _ => {
            let message = "there is neither a bundle, with its `metadata.json` and `phases/….json`, \
                           nor exactly one `schema.yaml` or `schema.json`";
            Err(Refusal::of(RefusalKind::Invalid, message))
        }
    }
}

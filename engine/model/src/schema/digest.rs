//! The digest of a schema: what a process is pinned to.
//!
//! It is over what the author wrote, as canonical JSON (RFC 8785), before defaults: so YAML, JSON and a zip of the
//! same content agree, comments and the order of keys do not count, and a later server that fills in other defaults
//! does not change it.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// The format of authored documents and of bundles that this server reads.
pub const FORMAT: u64 = 1;

/// `document` with `format: 1` in it: the author may leave it out, the digest covers it.
pub fn with_format(mut document: Value) -> Value {
    if let Value::Object(entries) = &mut document {
        entries.entry("format").or_insert_with(|| Value::from(FORMAT));
    }
    document
}

/// `document` as canonical JSON (RFC 8785).
pub fn canonical(document: &Value) -> Vec<u8> {
    // A `Value` has only texts as keys, and no number that JSON cannot write: nothing that the serializer refuses.
    serde_json_canonicalizer::to_vec(document).expect("a JSON value has a canonical form")
}

/// `sha256:` and 64 hex digits, over canonical JSON.
pub fn of(canonical: &[u8]) -> String {
    let digits: String = Sha256::digest(canonical).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digits}")
}

/// The version of a bundle, which has none of its own: `0.0.0+` and twelve digits of its digest. As build metadata
/// the digits order nothing; the newest bundle is the one imported last.
pub fn version_of_bundle(digest: &str) -> semver::Version {
    let digits: String = digest.trim_start_matches("sha256:").chars().take(12).collect();
    let mut version = semver::Version::new(0, 0, 0);
    // Hex digits are valid build metadata.
    version.build = semver::BuildMetadata::new(&digits).unwrap_or(semver::BuildMetadata::EMPTY);
    version
}

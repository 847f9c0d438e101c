//! What a file of a backup says of itself, before anything else in it.

use interlink_journal::Position;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::BackupError;

/// The form that is written, and read.
pub const FORMAT: u32 = 1;
/// The largest manifest, in bytes: of some three hundred thousand files, which is twenty terabytes of journal.
pub const MANIFEST_BYTES_MAX: u64 = 64 << 20;
/// The longest name of a file in a backup, in bytes: with its directory it fits into the plain head of a tar member.
const NAME_BYTES_MAX: usize = 80;

/// Which of the two files of a backup one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Journal, components and schemas.
    Data,
    /// What opens them.
    Keys,
}

impl Part {
    /// The directories whose files are in it.
    pub fn directories(self) -> &'static [&'static str] {
        match self {
            Self::Data => &["journal", "components", "schemas"],
            Self::Keys => &["keys"],
        }
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Keys => "keys",
        }
    }
}

/// A file in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Its path below the data directory: a directory and a name.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of its bytes, as 64 hexadecimal digits.
    pub sha256: String,
}

/// What a file of a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// Which of the two files it is.
    pub part: Part,
    /// Id of the journal, as hexadecimal digits.
    pub journal: String,
    /// Which life of the journal it was taken from.
    pub incarnation: u64,
    /// Of data: position of the last record in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// Of keys: id of the data that they belong to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// When it was taken, RFC 3339.
    pub at: String,
    /// The files, in the order in which they follow.
    pub members: Vec<Member>,
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a text is what an id of a backup looks like.
pub fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// The id of what a manifest describes: the SHA-256 of its bytes.
pub(super) fn id_of(manifest: &[u8]) -> String {
    hex(&Sha256::digest(manifest))
}

impl Manifest {
    /// Its bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("numbers and texts encode")
    }

    /// Reads a manifest and refuses what no server of this format writes: above all paths that lead elsewhere.
    pub(super) fn decode(bytes: &[u8], file: &str, part: Part) -> Result<Self, BackupError> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let refuse = |reason: String| BackupError::NotOne { file: file.into(), reason };
        let Format { format } = serde_json::from_slice(bytes).map_err(|error| refuse(error.to_string()))?;
        if format != FORMAT {
            return Err(refuse(format!("it is of format {format}, this server reads format {FORMAT}")));
        }
        let read: Self = serde_json::from_slice(bytes).map_err(|error| refuse(error.to_string()))?;
        if read.part != part {
            return Err(refuse(format!("it is the {} of a backup, not the {}", read.part.as_str(), part.as_str())));
        }
        let strange = read.members.iter().find(|member| !is_path(&member.path, part) || !is_id(&member.sha256));
        match strange {
            Some(member) => Err(refuse(format!("`{}` is no file of a data directory", member.path))),
            None => Ok(read),
        }
    }
}

/// Whether a path is that of a file which belongs into this part.
pub(super) fn is_path(path: &str, part: Part) -> bool {
    let Some((directory, name)) = path.split_once('/') else { return false };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    part.directories().contains(&directory)
        && (1..=NAME_BYTES_MAX).contains(&name.len())
        && !name.starts_with('.')
        && name.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(path: &str) -> Manifest {
        let member = Member { path: path.into(), bytes: 3, sha256: "ab".repeat(32) };
        let (journal, at) = ("00".repeat(16), "2026-01-01T00:00:00Z".into());
        let (format, part, incarnation) = (FORMAT, Part::Data, 1);
        Manifest { format, part, journal, incarnation, position: Some(7), of: None, at, members: vec![member] }
    }

    #[test]
    fn a_manifest_reads_back_as_the_part_that_it_is() {
        let written = manifest("journal/00000000000000000001-00000000000000000001.segment");
        let bytes = written.encode();
        assert_eq!(Manifest::decode(&bytes, "F", Part::Data).expect("it is one"), written);
        let refused = Manifest::decode(&bytes, "F", Part::Keys).expect_err("it is no keys");
        assert!(refused.to_string().contains("the data of a backup, not the keys"), "{refused}");
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        let long = format!("journal/{}", "x".repeat(NAME_BYTES_MAX + 1));
        for path in [
            "",
            "x",
            "/etc/passwd",
            "journal/../lock",
            "journal/a/b",
            "journal/",
            "journal/.x",
            "keys/x",
            "state/db",
            &long,
        ] {
            let refused = Manifest::decode(&manifest(path).encode(), "F", Part::Data);
            assert!(matches!(refused, Err(BackupError::NotOne { .. })), "{path}");
        }
        let longest = format!("journal/{}", "x".repeat(NAME_BYTES_MAX));
        assert!(Manifest::decode(&manifest(&longest).encode(), "F", Part::Data).is_ok());
    }

    #[test]
    fn a_format_that_is_not_known_is_said_to_be_so() {
        let later = Manifest { format: FORMAT + 1, ..manifest("journal/x") };
        let refused = Manifest::decode(&later.encode(), "F", Part::Data).expect_err("not known");
        assert!(refused.to_string().contains("format 2"), "{refused}");
    }
}

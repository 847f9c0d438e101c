//! Reading the files of a backup, and believing nothing in them that no checksum vouches for.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::manifest::{MANIFEST_BYTES_MAX, Manifest, Member, Part, hex, id_of};
use super::pack::{MANIFEST, MANIFEST_SUM, TAR_BLOCK_BYTES, member_bytes, packed_bytes, sum_line};
use super::{BackupError, io};

/// What is read at once, in bytes.
const PIECE_BYTES: usize = 256 << 10;

/// What a file of a backup was found to hold.
#[derive(Debug, Clone)]
pub struct Checked {
    /// Its manifest.
    pub manifest: Manifest,
    /// Its id.
    pub id: String,
    /// How long it is, in bytes.
    pub bytes: u64,
}

/// Told of each member, with every piece of it in turn, before its checksum is known.
pub(super) trait Take {
    fn begin(&mut self, member: &Member) -> std::io::Result<()>;
    fn piece(&mut self, bytes: &[u8]) -> std::io::Result<()>;
}

/// Keeps nothing.
struct Nothing;

impl Take for Nothing {
    fn begin(&mut self, _: &Member) -> std::io::Result<()> {
        Ok(())
    }

    fn piece(&mut self, _: &[u8]) -> std::io::Result<()> {
        Ok(())
    }
}

/// Reads a file of a backup from end to end and checks every checksum. The error names the first member that is not what
/// it was.
pub fn check(file: &Path, part: Part) -> Result<Checked, BackupError> {
    unpack(file, part, &mut Nothing)
}

/// The same, and hands what it reads on. What was handed on is worth nothing where this fails.
pub(super) fn unpack(file: &Path, part: Part, take: &mut dyn Take) -> Result<Checked, BackupError> {
    let name = file.display().to_string();
    let opened = File::open(file).map_err(io(format!("opening {name}")))?;
    let bytes = opened.metadata().map_err(io(format!("reading {name}")))?.len();
    let mut archive = tar::Archive::new(BufReader::with_capacity(PIECE_BYTES, opened));
    let entries = archive.entries().map_err(io(format!("reading {name}")))?;
    let mut reader = Reader { entries, name: &name, at: 0, bytes };
    let (manifest, id, manifest_bytes) = reader.manifest(part)?;
    for member in &manifest.members {
        reader.member(member, take)?;
    }
    // What is cut off behind the last member, or hangs on, is no part of what was written.
    if bytes != packed_bytes(&manifest, manifest_bytes) {
        return Err(BackupError::Cut { file: name.clone(), member: "its end".into() });
    }
    Ok(Checked { manifest, id, bytes })
}

/// Unpacks the segments of a journal that are wanted by their paths into a directory, and nothing else. What is there is worth
/// nothing where this fails.
pub(crate) fn unpack_segments(file: &Path, into: &Path, is_wanted: &dyn Fn(&str) -> bool) -> Result<(), BackupError> {
    let mut segments = Segments { into, is_wanted, file: None };
    unpack(file, Part::Data, &mut segments).map(|_| ())
}

struct Segments<'a> {
    into: &'a Path,
    is_wanted: &'a dyn Fn(&str) -> bool,
    file: Option<File>,
}

impl Take for Segments<'_> {
    fn begin(&mut self, member: &Member) -> std::io::Result<()> {
        let name = member.path.strip_prefix("journal/").filter(|_| (self.is_wanted)(&member.path));
        self.file = name.map(|name| File::create_new(self.into.join(name))).transpose()?;
        Ok(())
    }

    fn piece(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(bytes))
    }
}

struct Reader<'a, R: Read> {
    entries: tar::Entries<'a, R>,
    /// The file.
    name: &'a str,
    /// Where the next entry begins in it.
    at: u64,
    /// Its length.
    bytes: u64,
}

impl<'a, R: Read> Reader<'a, R> {
    fn damaged(&self, member: &str) -> BackupError {
        BackupError::Damaged { file: self.name.into(), member: member.into() }
    }

    fn cut(&self, member: &str) -> BackupError {
        BackupError::Cut { file: self.name.into(), member: member.into() }
    }

    /// The next entry, which has to be the one of this name.
    fn next(&mut self, path: &str) -> Result<tar::Entry<'a, R>, BackupError> {
        if self.bytes < self.at + TAR_BLOCK_BYTES {
            return Err(self.cut(path));
        }
        match self.entries.next() {
            Some(Ok(entry)) if entry.path_bytes() == path.as_bytes() => {
                self.at += member_bytes(entry.size());
                Ok(entry)
            }
            _ => Err(self.damaged(path)),
        }
    }

    /// A small entry, whole.
    fn small(&mut self, path: &str) -> Result<Vec<u8>, BackupError> {
        let entry = self.next(path)?;
        let wanted = entry.size();
        if wanted > MANIFEST_BYTES_MAX {
            return Err(self.damaged(path));
        }
        let mut bytes = Vec::new();
        match entry.take(wanted).read_to_end(&mut bytes) {
            Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
                Err(io(format!("reading {path} of {}", self.name))(error))
            }
            Ok(_) if bytes.len() as u64 == wanted => Ok(bytes),
            _ => Err(self.cut(path)),
        }
    }

    /// The manifest, its id and its length.
    fn manifest(&mut self, part: Part) -> Result<(Manifest, String, u64), BackupError> {
        let encoded = self.small(MANIFEST)?;
        if self.small(MANIFEST_SUM)? != sum_line(&encoded).as_bytes() {
            return Err(self.damaged(&format!("{MANIFEST}, or its checksum in {MANIFEST_SUM},")));
        }
        let manifest = Manifest::decode(&encoded, self.name, part)?;
        Ok((manifest, id_of(&encoded), encoded.len() as u64))
    }

    fn member(&mut self, member: &Member, take: &mut dyn Take) -> Result<(), BackupError> {
        let mut entry = self.next(&member.path)?;
        if entry.size() != member.bytes {
            return Err(self.damaged(&member.path));
        }
        let writing = || io(format!("unpacking {}", member.path));
        take.begin(member).map_err(writing())?;
        let (mut hasher, mut left) = (Sha256::new(), member.bytes);
        let mut piece = vec![0; PIECE_BYTES];
        while left > 0 {
            let read = match entry.read(&mut piece) {
                Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
                    return Err(io(format!("reading {} of {}", member.path, self.name))(error));
                }
                Ok(read) if read > 0 => read,
                _ => return Err(self.cut(&member.path)),
            };
            hasher.update(&piece[..read]);
            take.piece(&piece[..read]).map_err(writing())?;
            left -= read as u64;
        }
        if hex(&hasher.finalize()) == member.sha256 { Ok(()) } else { Err(self.damaged(&member.path)) }
    }
}

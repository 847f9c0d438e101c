//! Writing the files of a backup.
//!
//! Each file is read twice: once for the manifest, which stands first and has its checksum, and once to be sent. The
//! alternative, checksums behind the data, would let nobody say in advance how long the whole is or what is in it; the
//! second reading mostly comes from the operating system's memory.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use interlink_journal::{FileExtent, FileJournal, Identity};
use sha2::{Digest, Sha256};

use super::manifest::{FORMAT, Manifest, Member, Part, hex, id_of, is_path};
use super::{BackupError, io};

/// What is read at once, in bytes.
const PIECE_BYTES: usize = 256 << 10;
/// What everything in a tar file is a multiple of, in bytes.
pub(super) const TAR_BLOCK_BYTES: u64 = 512;
/// Name of the manifest in the file.
pub(super) const MANIFEST: &str = "manifest.json";
/// Name of the manifest's checksum in the file, in the form that `sha256sum --check` takes.
pub(super) const MANIFEST_SUM: &str = "manifest.sha256";

/// Where backups are taken from.
pub(crate) struct Source {
    pub data: PathBuf,
    pub journal: std::sync::Arc<FileJournal>,
}

impl Source {
    /// Journal, components and schemas as they are now. Nobody is held up.
    ///
    /// The journal comes first: a component or a schema lies in its directory before the record that names it is written,
    /// so whatever the records name is found behind them.
    pub fn data(&self, at_us: i64) -> Result<Packed, BackupError> {
        let extent = self.journal.extent()?;
        let mut files = extent.files;
        for (directory, ending) in [("components", ".wasm"), ("schemas", ".json")] {
            files.extend(listed(&self.data, directory, |name| name.ends_with(ending))?);
        }
        let about = about(Part::Data, extent.identity, at_us);
        Packed::of(&self.data, files, Manifest { position: extent.position, ..about })
    }

    /// The keys that open what the data of this id holds. They are taken after it: a key is durable before anything is
    /// sealed with it, so none is missing.
    pub fn keys(&self, of: &str, at_us: i64) -> Result<Packed, BackupError> {
        use interlink_journal::Journal;
        let is_kept = |name: &str| name == "master.key" || name == "erased" || name.ends_with(".keys");
        let files = listed(&self.data, "keys", is_kept)?;
        let about = about(Part::Keys, self.journal.identity(), at_us);
        Packed::of(&self.data, files, Manifest { of: Some(of.into()), ..about })
    }
}

fn about(part: Part, identity: Identity, at_us: i64) -> Manifest {
    let at = jiff::Timestamp::from_microsecond(at_us).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string();
    let (journal, incarnation) = (hex(&identity.journal), identity.incarnation);
    Manifest { format: FORMAT, part, journal, incarnation, position: None, of: None, at, members: Vec::new() }
}

/// The files of a directory that are wanted, in order of their names, as long as they are now.
fn listed(data: &Path, directory: &str, is_wanted: impl Fn(&str) -> bool) -> Result<Vec<FileExtent>, BackupError> {
    let listing = || io(format!("listing {directory}/"));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(data.join(directory)).map_err(listing())? {
        let entry = entry.map_err(listing())?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_wanted(&name) {
            let bytes = entry.metadata().map_err(listing())?.len();
            files.push(FileExtent { path: format!("{directory}/{name}"), bytes });
        }
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

/// One file of a backup, ready to be written as often as it is wanted.
pub struct Packed {
    data: PathBuf,
    manifest: Manifest,
    encoded: Vec<u8>,
}

impl Packed {
    /// Reads all files for their checksums.
    fn of(data: &Path, files: Vec<FileExtent>, mut manifest: Manifest) -> Result<Self, BackupError> {
        for FileExtent { path, bytes } in files {
            if !is_path(&path, manifest.part) {
                return Err(BackupError::Strange { path });
            }
            let mut reader = Summing::open(data, &path, bytes)?;
            std::io::copy(&mut reader, &mut std::io::sink()).map_err(io(format!("reading {path}")))?;
            if reader.taken < bytes {
                return Err(BackupError::Changed { path });
            }
            manifest.members.push(Member { path, bytes, sha256: reader.sum() });
        }
        let encoded = manifest.encode();
        Ok(Self { data: data.into(), manifest, encoded })
    }

    /// What it holds.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Its id.
    pub fn id(&self) -> String {
        id_of(&self.encoded)
    }

    /// How long the file is, in bytes.
    pub fn bytes(&self) -> u64 {
        packed_bytes(&self.manifest, self.encoded.len() as u64)
    }

    /// Writes the file. What has changed since its checksum was made ends this with an error: the file is not whole then.
    pub fn write_to(&self, to: &mut dyn Write) -> Result<(), BackupError> {
        let mut archive = tar::Builder::new(to);
        let mode = if self.manifest.part == Part::Keys { 0o600 } else { 0o644 };
        let writing = |path: &str| io(format!("writing {path}"));
        let sum = sum_line(&self.encoded);
        for (path, bytes) in [(MANIFEST, &self.encoded[..]), (MANIFEST_SUM, sum.as_bytes())] {
            archive.append(&head(path, bytes.len() as u64, mode)?, bytes).map_err(writing(path))?;
        }
        for Member { path, bytes, sha256 } in &self.manifest.members {
            let mut reader = Summing::open(&self.data, path, *bytes)?;
            archive.append(&head(path, *bytes, mode)?, &mut reader).map_err(writing(path))?;
            if reader.sum() != *sha256 {
                return Err(BackupError::Changed { path: path.clone() });
            }
        }
        archive.into_inner().and_then(|to| to.flush()).map_err(writing("the end"))
    }
}

/// How long a file with this manifest is, in bytes.
pub(super) fn packed_bytes(manifest: &Manifest, manifest_bytes: u64) -> u64 {
    let sum = sum_line(&[]).len() as u64;
    let members = manifest.members.iter().map(|member| member_bytes(member.bytes));
    member_bytes(manifest_bytes) + member_bytes(sum) + members.sum::<u64>() + 2 * TAR_BLOCK_BYTES
}

/// How long a member of so many bytes is with its head.
pub(super) fn member_bytes(bytes: u64) -> u64 {
    TAR_BLOCK_BYTES + bytes.next_multiple_of(TAR_BLOCK_BYTES)
}

/// What stands in [`MANIFEST_SUM`].
pub(super) fn sum_line(manifest: &[u8]) -> String {
    format!("{}  {MANIFEST}\n", id_of(manifest))
}

fn head(path: &str, bytes: u64, mode: u32) -> Result<tar::Header, BackupError> {
    let mut head = tar::Header::new_ustar();
    head.set_path(path).map_err(io(format!("naming {path}")))?;
    head.set_size(bytes);
    head.set_mode(mode);
    head.set_mtime(0);
    head.set_entry_type(tar::EntryType::Regular);
    head.set_cksum();
    Ok(head)
}

/// Reads the beginning of a file and sums up what it read.
struct Summing {
    file: std::io::BufReader<std::io::Take<File>>,
    hasher: Sha256,
    taken: u64,
}

impl Summing {
    fn open(data: &Path, path: &str, bytes: u64) -> Result<Self, BackupError> {
        let file = File::open(data.join(path)).map_err(io(format!("opening {path}")))?;
        let file = std::io::BufReader::with_capacity(PIECE_BYTES, file.take(bytes));
        Ok(Self { file, hasher: Sha256::new(), taken: 0 })
    }

    fn sum(self) -> String {
        hex(&self.hasher.finalize())
    }
}

impl Read for Summing {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        self.taken += read as u64;
        Ok(read)
    }
}

//! `interlink backup` and `interlink restore`.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, IsTerminal, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use interlink_runtime::backup::{self, Checked, Directory, Packed, Part, Restored};
use serde_json::json;

use super::{Output, print_json};
use crate::client::Client;

/// What is read at once, in bytes.
const PIECE_BYTES: usize = 256 << 10;
/// A megabyte, as everything here is shown in.
const MEGABYTE: f64 = 1e6;

/// Where a backup goes.
#[derive(Debug, Args)]
pub struct Backup {
    /// The file to write the data to; the keys go to a file beside it, whose name ends in `.keys`.
    file: PathBuf,
    /// A data directory that no server has, in place of a running server.
    #[arg(long)]
    data: Option<PathBuf>,
}

/// What is restored, and where.
#[derive(Debug, Args)]
pub struct Restore {
    /// The file with the data.
    file: PathBuf,
    /// The data directory that it becomes: not there, or empty.
    #[arg(long)]
    data: PathBuf,
    /// The file with the keys, where it does not lie beside the data under the name that it got.
    #[arg(long)]
    keys: Option<PathBuf>,
    /// `keys/erased` of the directory that is replaced: what was erased since is erased again.
    #[arg(long)]
    erasures: Option<PathBuf>,
    /// Takes a journal that was damaged when the backup was taken.
    #[arg(long)]
    despite_damage: bool,
}

/// A name with an ending more.
fn ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Where the bytes of a backup come from.
enum Origin {
    Server(Client),
    Directory(Directory),
}

impl Origin {
    /// Writes the data, or the keys that belong to data of this id.
    fn write(&self, of: Option<&str>, to: &mut dyn Write) -> Result<(), String> {
        match self {
            Self::Server(client) => {
                let path = of.map_or("/v1/backup".into(), |of| format!("/v1/backup/keys?backup={of}"));
                let mut body = client.download(&path)?;
                copy(&mut body, to).map_err(|error| format!("{path}: {error}"))
            }
            Self::Directory(directory) => {
                let packed = of.map_or_else(|| directory.backup_data(), |of| directory.backup_keys(of));
                let write = |packed: Packed| packed.write_to(to);
                packed.and_then(write).map_err(|error| error.to_string())
            }
        }
    }
}

fn copy(from: &mut dyn Read, to: &mut dyn Write) -> std::io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    let mut progress = progress();
    let mut taken = 0;
    loop {
        match from.read(&mut piece)? {
            0 => return to.flush(),
            read => to.write_all(&piece[..read])?,
        }
        taken += PIECE_BYTES as u64;
        progress(taken);
    }
}

/// Shows bytes on a terminal, and nothing when piped.
fn progress() -> impl FnMut(u64) {
    let is_terminal = std::io::stderr().is_terminal();
    let mut shown = 0;
    move |bytes| {
        let megabytes = bytes / 1_000_000;
        if is_terminal && megabytes > shown {
            shown = megabytes;
            eprint!("\r{megabytes} MB");
        }
    }
}

/// Takes a backup: both files are written beside their names, read back, and only then named.
pub fn backup(wanted: &Backup, client: impl FnOnce() -> Result<Client, String>, output: Output) -> Result<(), String> {
    let began = Instant::now();
    let keys_file = ending(&wanted.file, ".keys");
    for file in [&wanted.file, &keys_file] {
        if file.exists() {
            return Err(format!("{} is there already; nothing is written over a backup", file.display()));
        }
    }
    let from = match &wanted.data {
        Some(data) => Origin::Directory(Directory::open(data).map_err(|error| error.to_string())?),
        None => Origin::Server(client()?),
    };
    let (part, keys_part) = (ending(&wanted.file, ".part"), ending(&keys_file, ".part"));
    let taken = take(&from, &part, &keys_part).and_then(|taken| {
        // The data last: where it has its name, its keys are there.
        name(&keys_part, &keys_file)?;
        name(&part, &wanted.file)?;
        Ok(taken)
    });
    if taken.is_err() {
        for part in [&part, &keys_part] {
            // One that was not begun is not there.
            let _ = std::fs::remove_file(part);
        }
    }
    let (data, keys) = taken?;
    tell(&wanted.file, &keys_file, &data, &keys, began, output);
    Ok(())
}

/// Writes both parts, syncs them and reads them back.
fn take(from: &Origin, part: &Path, keys_part: &Path) -> Result<(Checked, Checked), String> {
    let data = write_part(from, None, part, Part::Data)?;
    let keys = write_part(from, Some(&data.id), keys_part, Part::Keys)?;
    Ok((data, keys))
}

fn write_part(from: &Origin, of: Option<&str>, path: &Path, part: Part) -> Result<Checked, String> {
    let writing = |error: std::io::Error| format!("writing {}: {error}", path.display());
    let mode = if part == Part::Keys { 0o600 } else { 0o644 };
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path).map_err(writing)?;
    let mut file = BufWriter::with_capacity(PIECE_BYTES, file);
    from.write(of, &mut file)?;
    file.into_inner().map_err(|error| writing(error.into_error()))?.sync_all().map_err(writing)?;
    backup::check(path, part).map_err(|error| error.to_string())
}

/// Gives a file its name, durably.
fn name(part: &Path, file: &Path) -> Result<(), String> {
    let naming = |error: std::io::Error| format!("naming {}: {error}", file.display());
    std::fs::rename(part, file).map_err(naming)?;
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(naming)
}

fn tell(file: &Path, keys_file: &Path, data: &Checked, keys: &Checked, began: Instant, output: Output) {
    let position = data.manifest.position.unwrap_or(0);
    let seconds = began.elapsed().as_secs_f64();
    if output == Output::Json {
        print_json(&json!({
            "file": file, "keys": keys_file, "id": data.id, "position": position, "bytes": data.bytes,
            "keys_bytes": keys.bytes, "seconds": seconds,
        }));
    } else {
        println!(
            "{}: everything up to position {position}, {:.1} MB, with {} ({:.1} MB), in {seconds:.1} s",
            file.display(),
            data.bytes as f64 / MEGABYTE,
            keys_file.display(),
            keys.bytes as f64 / MEGABYTE,
        );
    }
}

/// Restores a backup into a new data directory.
pub fn restore(wanted: &Restore, output: Output) -> Result<(), String> {
    let began = Instant::now();
    let asked = backup::Restore {
        file: wanted.file.clone(),
        keys: wanted.keys.clone().unwrap_or_else(|| ending(&wanted.file, ".keys")),
        data: wanted.data.clone(),
        erasures: wanted.erasures.clone(),
        despite_damage: wanted.despite_damage,
    };
    let restored = backup::restore(&asked, &mut progress()).map_err(|error| error.to_string())?;
    let Restored { manifest, bytes, records, erased, incarnation, damage } = restored;
    let (position, seconds) = (manifest.position.unwrap_or(0), began.elapsed().as_secs_f64());
    if output == Output::Json {
        print_json(&json!({
            "data": wanted.data, "taken_at": manifest.at, "position": position, "bytes": bytes, "records": records,
            "erased": erased, "incarnation": incarnation, "damage": damage, "seconds": seconds,
        }));
        return Ok(());
    }
    damage.iter().for_each(|damage| println!("damaged already: {damage}"));
    println!(
        "{}: as it was at {}, position {position}; {records} records checked, {:.1} MB, {erased} keys erased again, in \
         {seconds:.1} s",
        wanted.data.display(),
        manifest.at,
        bytes as f64 / MEGABYTE,
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_get_an_ending_more_whatever_they_end_in() {
        assert_eq!(ending(Path::new("a/town.backup"), ".keys"), Path::new("a/town.backup.keys"));
    }
}

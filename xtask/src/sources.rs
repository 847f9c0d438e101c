//! What guests are made of, and whether what is shipped was made of it.
//!
//! The server embeds the components in interlinkers/dist, so that building it needs no WebAssembly toolchain. Another
//! compiler makes other bytes of the same sources, so what is compared is a digest of the sources, kept beside the
//! components. The workspace's own Cargo.toml and Cargo.lock are not part of it: they change with every part of the
//! server; nor is the SDK's host for tests, of which nothing is in a component.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// The file in interlinkers/dist that holds the digest.
pub const DIGEST_FILE: &str = "sources.sha256";

/// The part of the SDK that is compiled for tests alone.
const TESTS_ONLY: &str = "sdk/src/test_host";

/// A crate that becomes a component.
pub struct Guest {
    /// Its folder in interlinkers/, and its component's name.
    pub name: String,
    /// Its cargo package.
    pub package: String,
}

/// The crates of interlinkers/, in order of their names.
pub fn guests(root: &Path) -> io::Result<Vec<Guest>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root.join("interlinkers"))? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").exists() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names.into_iter().map(|name| Guest { package: format!("interlinker-{name}"), name }).collect())
}

/// Where the shipped components are.
pub fn shipped_folder(root: &Path) -> PathBuf {
    root.join("interlinkers/dist")
}

/// SHA-256 over the sources of the SDK and the guests: each file's path below the root and its content, by path.
pub fn shipped_sources_digest(root: &Path) -> io::Result<String> {
    let mut files = Vec::new();
    for folder in ["sdk", "sdk/macros"] {
        files.push(root.join(folder).join("Cargo.toml"));
        collect(&root.join(folder).join("src"), &mut files)?;
    }
    collect(&root.join("sdk/wit"), &mut files)?;
    for guest in guests(root)? {
        let folder = root.join("interlinkers").join(guest.name);
        files.push(folder.join("Cargo.toml"));
        collect(&folder.join("src"), &mut files)?;
    }
    files.sort();
    let mut digest = Sha256::new();
    for path in files {
        let name = path.strip_prefix(root).expect("every file is below the root").to_string_lossy().replace('\\', "/");
        let content = fs::read(&path)?;
        digest.update(format!("{name}\0{}\0", content.len()));
        digest.update(&content);
    }
    Ok(hex(&digest.finalize()))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.ends_with(TESTS_ONLY) {
            continue;
        }
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// SHA-256 in hexadecimal digits.
pub fn hex_sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

//! `cargo xtask guests`: each crate in interlinkers/ becomes a component with its manifest.
//!
//! Guests have a target folder of their own below the workspace's, so that their build and that of the server never
//! wait for each other's lock, nor rebuild each other's dependencies.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use interlink_author::{Crate, Toolchain, build_crate, find, named};

use crate::sources::{self, hex_sha256};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Runs the command with these options.
pub fn run(options: &[&str]) -> Outcome<()> {
    let root = workspace_root();
    match options {
        ["--check"] => check(&root),
        [] => build(&root, find()?, false),
        ["--ship"] => build(&root, find()?, true),
        ["--toolchain", name] => build(&root, named(name)?, false),
        ["--ship", "--toolchain", name] => build(&root, named(name)?, true),
        _ => Err(format!("these options are not known: {}", options.join(" ")).into()),
    }
}

fn build(root: &Path, toolchain: Toolchain, ship: bool) -> Outcome<()> {
    println!("toolchain  {toolchain}");
    let target = target_folder(root);
    let components = target.join("guests");
    fs::create_dir_all(&components)?;
    let mut built = Vec::new();
    for guest in sources::guests(root)? {
        let start = Instant::now();
        let of = Crate { root, package: &guest.package, target: &target };
        let (component, _) = build_crate(&of, &toolchain)?;
        let path = components.join(&guest.name).with_extension("wasm");
        fs::write(&path, &component)?;
        let (name, size_kib, seconds) = (&guest.name, component.len() / 1024, start.elapsed().as_secs_f32());
        println!("{name:<10} {size_kib} KiB  {seconds:.1} s  sha256:{}", hex_sha256(&component));
        built.push((guest.name, component));
    }
    if ship {
        ship_to(&sources::shipped_folder(root), root, &built)?;
    }
    Ok(())
}

/// Replaces what is shipped: a guest that is no longer there is not shipped any more.
fn ship_to(folder: &Path, root: &Path, built: &[(String, Vec<u8>)]) -> Outcome<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    for (name, component) in built {
        fs::write(folder.join(name).with_extension("wasm"), component)?;
    }
    let digest = sources::shipped_sources_digest(root)?;
    fs::write(folder.join(sources::DIGEST_FILE), format!("{digest}\n"))?;
    println!("shipped    {} to {}", built.len(), folder.strip_prefix(root)?.display());
    Ok(())
}

/// Fails when what is shipped was built of other sources.
fn check(root: &Path) -> Outcome<()> {
    let folder = sources::shipped_folder(root);
    let shipped = fs::read_to_string(folder.join(sources::DIGEST_FILE)).unwrap_or_default();
    for guest in sources::guests(root)? {
        let path = folder.join(&guest.name).with_extension("wasm");
        if !path.exists() {
            return Err(format!("{} is missing: run `cargo xtask guests --ship`", path.display()).into());
        }
    }
    if shipped.trim() != sources::shipped_sources_digest(root)? {
        let message = "interlinkers/dist was built of other sources than these: run `cargo xtask guests --ship`";
        return Err(message.into());
    }
    println!("interlinkers/dist is up to date");
    Ok(())
}

/// The folder that this program's workspace is in.
pub fn workspace_root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().expect("xtask is a folder of the workspace").to_owned()
}

pub fn target_folder(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |folder| root.join(folder))
}

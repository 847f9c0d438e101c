//! `cargo xtask bench`: `interlink bench` as it is shipped, with an Interlinker of each language.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use interlink_author::Project;

use crate::guests::workspace_root;

/// Interlinkers that do the same in each language, below `xtask/measured`.
const MEASURED: [&str; 3] = ["rust", "js", "python"];

/// Builds the server and the Interlinkers, and measures.
pub fn run(options: &[&str]) -> Result<(), Box<dyn Error>> {
    let root = workspace_root();
    let built =
        Command::new(env!("CARGO")).current_dir(&root).args(["build", "--release", "--bin", "interlink"]).status()?;
    if !built.success() {
        return Err("the server does not build".into());
    }
    let mut bench = Command::new(root.join("target/release/interlink"));
    bench.current_dir(root.join("target")).arg("bench").args(options);
    for language in MEASURED {
        match component(&root, language) {
            Ok(path) => {
                bench.arg("--guest").arg(path);
            }
            Err(error) => println!("skipped: the Interlinker in {language}: {error}"),
        }
    }
    if bench.status()?.success() { Ok(()) } else { Err("the bench failed".into()) }
}

/// The component of one of them, built in a folder of its own.
fn component(root: &Path, language: &str) -> Result<PathBuf, Box<dyn Error>> {
    let (from, to) = (root.join("xtask/measured").join(language), root.join("target/measured").join(language));
    copy(&from, &to)?;
    let project = Project::open(&to)?;
    let built = project.build(&mut |step| eprintln!("{step}…"))?;
    Ok(built.path)
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

//! The SDK that this program carries: a new Interlinker has it beside its own code, so that it fits the server that will run
//! it, and nothing has to be found elsewhere.

use std::fs;
use std::path::Path;

use include_dir::{Dir, include_dir};
use toml::Table;

use crate::{AuthorError, Outcome};

static SDK: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../sdk");
/// The workspace whose tables the SDK's crates inherit.
static WORKSPACE: &str = include_str!("../../Cargo.toml");

/// The folder of a project that holds the SDK.
pub(crate) const FOLDER: &str = ".interlink";

/// Writes the SDK's Rust crates into a folder: a workspace of their own, with what they inherit.
pub(crate) fn write_rust(folder: &Path) -> Outcome<()> {
    for below in ["src", "wit", "macros"] {
        if let Some(found) = SDK.get_dir(below) {
            write_dir(found, &folder.join("sdk"))?;
        }
    }
    if let Some(manifest) = SDK.get_file("Cargo.toml") {
        write(&folder.join("sdk/Cargo.toml"), manifest.contents())?;
    }
    write(&folder.join("Cargo.toml"), workspace().as_bytes())
}

/// Writes the SDK's JavaScript modules and the WIT of the world into a folder.
pub(crate) fn write_js(folder: &Path) -> Outcome<()> {
    write_below(folder, &["js", "wit"])
}

/// Writes the SDK's Python package and the WIT of the world into a folder.
pub(crate) fn write_python(folder: &Path) -> Outcome<()> {
    write_below(folder, &["python", "wit"])
}

fn write_below(folder: &Path, below: &[&str]) -> Outcome<()> {
    below.iter().filter_map(|below| SDK.get_dir(below)).try_for_each(|found| write_dir(found, folder))
}

/// The workspace of the SDK's crates: members, and the tables that they inherit.
fn workspace() -> String {
    let whole: Table = WORKSPACE.parse().expect("the workspace's manifest was read to compile this");
    let mut kept = Table::new();
    for name in ["package", "lints", "dependencies"] {
        if let Some(table) = whole["workspace"].get(name) {
            kept.insert(name.into(), table.clone());
        }
    }
    let manifests =
        ["Cargo.toml", "macros/Cargo.toml"].map(|path| SDK.get_file(path).and_then(|file| file.contents_utf8()));
    let is_inherited = |name: &str| {
        manifests.iter().flatten().any(|manifest| manifest.contains(&format!("\n{name}.workspace = true")))
    };
    if let Some(dependencies) = kept.get_mut("dependencies").and_then(|table| table.as_table_mut()) {
        dependencies.retain(|name, _| is_inherited(name));
    }
    kept.insert("resolver".into(), "3".into());
    kept.insert("members".into(), vec!["sdk", "sdk/macros"].into());
    let workspace: Table = [("workspace".to_owned(), kept.into())].into_iter().collect();
    format!(
        "# The SDK that this Interlinker is written with. `interlink interlinker build` keeps it as it is.\n{workspace}"
    )
}

fn write_dir(found: &Dir<'_>, root: &Path) -> Outcome<()> {
    // What Python leaves beside its sources is none of them.
    let sources = found.files().filter(|file| file.path().extension().is_none_or(|extension| extension != "pyc"));
    for file in sources {
        write(&root.join(file.path()), file.contents())?;
    }
    found
        .dirs()
        .filter(|below| !["tests", "__pycache__"].iter().any(|left| below.path().ends_with(left)))
        .try_for_each(|below| write_dir(below, root))
}

fn write(path: &Path, contents: &[u8]) -> Outcome<()> {
    if fs::read(path).is_ok_and(|found| found == contents) {
        // As it is: a newer time would have everything compiled anew.
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(AuthorError::writing(folder))?;
    }
    fs::write(path, contents).map_err(AuthorError::writing(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sdk_is_written_with_the_workspace_that_its_crates_inherit() {
        let folder = tempfile::tempdir().expect("a folder");
        write_rust(folder.path()).expect("written");
        let workspace: Table = fs::read_to_string(folder.path().join("Cargo.toml"))
            .expect("it is there")
            .parse()
            .expect("it is a manifest");
        for manifest in ["sdk/Cargo.toml", "sdk/macros/Cargo.toml"] {
            let text = fs::read_to_string(folder.path().join(manifest)).expect("it is there");
            let inherited = text.lines().filter_map(|line| line.strip_suffix(".workspace = true"));
            for name in inherited {
                let is_there =
                    ["package", "dependencies"].iter().any(|table| workspace["workspace"][table].get(name).is_some());
                assert!(is_there, "{manifest} inherits `{name}`");
            }
        }
        assert!(folder.path().join("sdk/wit/interlinker.wit").exists());
    }
}

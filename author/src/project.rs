//! A folder that holds an Interlinker.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::tools::{under, watched};
use crate::{AuthorError, Outcome, javascript, python, rust};

/// What an Interlinker is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Rust: the smallest and quickest.
    Rust,
    /// JavaScript, in QuickJS.
    JavaScript,
    /// Python, in CPython.
    Python,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Rust, Self::JavaScript, Self::Python];

    /// The word for it on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::JavaScript => "js",
            Self::Python => "python",
        }
    }

    /// The file by which a folder is known to hold one.
    pub(crate) fn mark(self) -> &'static str {
        match self {
            Self::Rust => "Cargo.toml",
            Self::JavaScript => "package.json",
            Self::Python => "pyproject.toml",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A folder that holds an Interlinker.
#[derive(Debug, Clone)]
pub struct Project {
    /// The folder.
    pub folder: PathBuf,
    /// What it is written in.
    pub language: Language,
}

/// Where the examples of each action, or of `instantiate`, stand: `file:line:column`, for each in turn.
pub type ExamplePlaces = BTreeMap<String, Vec<Option<String>>>;

/// A component that was built.
#[derive(Debug, Clone)]
pub struct Built {
    /// Where it is.
    pub path: PathBuf,
    /// What it says of itself.
    pub manifest: Value,
    /// Where its examples stand, as far as its language tells.
    pub example_places: ExamplePlaces,
    /// Its size in bytes.
    pub bytes: usize,
    /// SHA-256 of it, in hexadecimal digits.
    pub sha256: String,
    /// How long it took.
    pub took: Duration,
}

/// What a language makes of a project.
pub(crate) struct Made {
    pub component: Vec<u8>,
    pub manifest: String,
    pub example_places: ExamplePlaces,
}

/// What runs a project's component for its tests.
pub(crate) struct Runner<'a> {
    project: &'a Project,
    binary: &'a Path,
}

impl Runner<'_> {
    /// Runs tests with the code as it is, then with the component that is built of it.
    pub fn twice(&self, tell: &mut dyn FnMut(&str), tests: impl Fn() -> Vec<Command>) -> Outcome<()> {
        for mut one in tests() {
            watched(&mut one, "its tests failed")?;
        }
        let built = self.project.build(tell)?;
        tell("the same tests in the component");
        for mut again in tests() {
            under(&mut again, &built.path, self.binary, &self.project.folder);
            watched(&mut again, "its tests failed in the component")?;
        }
        Ok(())
    }
}

impl Project {
    /// The project in a folder.
    ///
    /// # Errors
    ///
    /// Where the folder holds none.
    pub fn open(folder: &Path) -> Outcome<Self> {
        let folder = folder.canonicalize().map_err(AuthorError::reading(folder))?;
        let found = Language::ALL.into_iter().find(|language| folder.join(language.mark()).is_file());
        let language = found.ok_or_else(|| {
            let marks: Vec<_> =
                Language::ALL.iter().map(|language| format!("{} ({language})", language.mark())).collect();
            AuthorError::Asked(format!(
                "{} holds no Interlinker: there is no {}. `interlink interlinker new NAME` makes one",
                folder.display(),
                marks.join(" or ")
            ))
        })?;
        Ok(Self { folder, language })
    }

    /// Builds its component into `dist/`.
    ///
    /// # Errors
    ///
    /// What is wrong with its code, and where; a tool that is not here.
    pub fn build(&self, tell: &mut dyn FnMut(&str)) -> Outcome<Built> {
        let began = Instant::now();
        let Made { component, manifest, example_places } = match self.language {
            Language::Rust => rust::build(&self.folder, tell)?,
            Language::JavaScript => javascript::build(&self.folder, tell)?,
            Language::Python => python::build(&self.folder, tell)?,
        };
        let manifest: Value = serde_json::from_str(&manifest)
            .map_err(|error| AuthorError::Asked(format!("its manifest is no JSON: {error}")))?;
        let name = manifest["name"].as_str().unwrap_or_default();
        let dist = self.folder.join("dist");
        fs::create_dir_all(&dist).map_err(AuthorError::writing(&dist))?;
        let path = dist.join(name).with_extension("wasm");
        fs::write(&path, &component).map_err(AuthorError::writing(&path))?;
        let sha256 = Sha256::digest(&component).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Built { path, manifest, example_places, bytes: component.len(), sha256, took: began.elapsed() })
    }

    /// Runs its tests: of its code as it is, then of its component, which `binary run COMPONENT` runs under the host of
    /// servers.
    ///
    /// # Errors
    ///
    /// What failed, and where; a tool that is not here.
    pub fn test(&self, binary: &Path, tell: &mut dyn FnMut(&str)) -> Outcome<()> {
        let runner = Runner { project: self, binary };
        match self.language {
            Language::Rust => rust::test(&self.folder, &runner, tell),
            Language::JavaScript => javascript::test(&self.folder, &runner, tell),
            Language::Python => python::test(&self.folder, &runner, tell),
        }
    }

    /// Files whose change makes another component.
    pub fn sources(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut left = vec![self.folder.clone()];
        while let Some(folder) = left.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let (path, name) = (entry.path(), entry.file_name());
                let is_made = ["target", "dist", "node_modules", "__pycache__"].iter().any(|made| name == *made);
                if is_made || name.to_string_lossy().starts_with('.') {
                    continue;
                }
                if path.is_dir() { left.push(path) } else { found.push(path) }
            }
        }
        found.sort();
        found
    }
}

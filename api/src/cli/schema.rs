//! `interlink schema check | import`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use interlink_model::schema::authoring::{Parsed, Syntax, parse};
use interlink_model::schema::bundle;
use interlink_model::schema::finding::{Finding, Refusal};
use serde_json::json;

use super::{Output, print_json, text};
use crate::client::Client;

/// What is done with a schema.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Says what is wrong with a schema, where, and what would be right.
    Check {
        /// A file in YAML or JSON, a bundle's directory, or a zip of one.
        path: PathBuf,
    },
    /// Imports a schema into the server.
    Import {
        /// A file in YAML or JSON, a bundle's directory, or a zip of one.
        path: PathBuf,
    },
}

/// Files of a bundle that are read, at most; the bundle's own limits are stricter.
const FILES_MAX: usize = 10_000;

/// Runs the command.
pub fn run(command: Command, client: impl Fn() -> Result<Client, String>, output: Output) -> Result<(), String> {
    match command {
        Command::Check { path } => check(&path, output),
        Command::Import { path } => {
            let shown = import(&path, &client()?)?;
            if output == Output::Json {
                print_json(&shown);
            } else {
                println!("{} {}  {}", text(&shown["name"]), text(&shown["version"]), text(&shown["digest"]));
            }
            Ok(())
        }
    }
}

fn check(path: &Path, output: Output) -> Result<(), String> {
    let source = Source::read(path)?;
    match source.parse() {
        Ok(Parsed { schema, repairs, .. }) => {
            let tasks: usize =
                schema.phases.iter().flat_map(|phase| &phase.objectives).map(|objective| objective.tasks.len()).sum();
            let objectives: usize = schema.phases.iter().map(|phase| phase.objectives.len()).sum();
            if output == Output::Json {
                print_json(
                    &json!({"name": schema.name, "version": schema.version.to_string(), "digest": schema.digest,
                    "phases": schema.phases.len(), "objectives": objectives, "tasks": tasks, "repairs": repairs}),
                );
                return Ok(());
            }
            for repair in &repairs {
                eprintln!("repaired: {}", place(repair));
            }
            println!(
                "{} {}: {} phases, {objectives} objectives, {tasks} tasks, nothing wrong\n{}",
                schema.name,
                schema.version,
                schema.phases.len(),
                schema.digest
            );
            Ok(())
        }
        Err(refusal) => Err(source.explain(&refusal, output)),
    }
}

fn place(finding: &Finding) -> String {
    let file = finding.file.as_deref().unwrap_or_default();
    format!("{file}{}: {}", finding.pointer, finding.message)
}

/// Imports what is at a path; answers what the server shows.
pub fn import(path: &Path, client: &Client) -> Result<serde_json::Value, String> {
    let source = Source::read(path)?;
    let parsed = source.parse().map_err(|refusal| source.explain(&refusal, Output::Table))?;
    match &source {
        Source::File { bytes, syntax: Syntax::Yaml, .. } => client.post("/v1/schemas", "application/yaml", bytes),
        Source::File { bytes, syntax: Syntax::Json, .. } => client.post("/v1/schemas", "application/json", bytes),
        Source::Zip { bytes } => client.post("/v1/schemas", "application/zip", bytes),
        Source::Directory { files } => {
            let name = &parsed.schema.name;
            client.post("/v1/schemas", "application/zip", &bundle::zip(name, files))
        }
    }
}

/// A schema as it lies on disk.
enum Source {
    File { name: String, bytes: Vec<u8>, syntax: Syntax },
    Directory { files: BTreeMap<String, Vec<u8>> },
    Zip { bytes: Vec<u8> },
}

impl Source {
    fn read(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        if path.is_dir() {
            let mut files = BTreeMap::new();
            read_directory(path, path, &mut files)?;
            return Ok(Self::Directory { files });
        }
        let bytes = std::fs::read(path).map_err(|error| format!("{shown}: {error}"))?;
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        match extension {
            "zip" => Ok(Self::Zip { bytes }),
            "yaml" | "yml" => Ok(Self::File { name: shown.to_string(), bytes, syntax: Syntax::Yaml }),
            "json" => Ok(Self::File { name: shown.to_string(), bytes, syntax: Syntax::Json }),
            _ => Err(format!("{shown} is no schema: give a .yaml, .json or .zip file, or a bundle's directory")),
        }
    }

    fn parse(&self) -> Result<Parsed, Refusal> {
        match self {
            Self::File { bytes, syntax, .. } => parse(bytes, *syntax),
            Self::Directory { files } => bundle::import(files),
            Self::Zip { bytes } => bundle::import(&bundle::unzip(bytes)?),
        }
    }

    /// Every finding with its place, as a compiler shows it.
    fn explain(&self, refusal: &Refusal, output: Output) -> String {
        if output == Output::Json {
            return serde_json::to_string_pretty(refusal).unwrap_or_default();
        }
        let shown = refusal.findings.iter().map(|finding| {
            let name = finding.file.clone();
            match self {
                Self::File { name, bytes, .. } => finding.render(&String::from_utf8_lossy(bytes), name),
                Self::Directory { files } => {
                    let name = name.unwrap_or_default();
                    let source = files.get(&name).map(|bytes| String::from_utf8_lossy(bytes)).unwrap_or_default();
                    finding.render(&source, &name)
                }
                Self::Zip { .. } => finding.render("", &name.unwrap_or_default()),
            }
        });
        shown.collect::<Vec<_>>().join("\n")
    }
}

fn read_directory(root: &Path, directory: &Path, files: &mut BTreeMap<String, Vec<u8>>) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", directory.display());
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            read_directory(root, &path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "json") {
            if files.len() == FILES_MAX {
                return Err(format!("{} has more than {FILES_MAX} files", root.display()));
            }
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            files.insert(name, std::fs::read(&path).map_err(failed)?);
        }
    }
    Ok(())
}

//! `interlink interlinker`: writing one, and looking at what they did.

mod check;
mod consent;
mod oci;
mod registry;
mod rerun;
mod run;
mod signing;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::{Args, Subcommand, ValueEnum};
use interlink_author::{Built, Language, Project, create};
use interlink_host::{ExampleError, check_examples};
use serde_json::{Value, json};

use self::consent::Granting;
use crate::cli::{Output, print_json, print_table, text};
use crate::client::Client;

/// How often a watched folder is looked at.
const WATCHED_EVERY: Duration = Duration::from_millis(300);

/// What is done with Interlinkers.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Makes a folder with a small Interlinker that works, its tests, and the SDK of its language.
    New {
        /// Its name: lower-case letters, digits and `-`.
        name: String,
        /// What it is written in.
        #[arg(long, value_enum, default_value_t = Lang::Rust)]
        lang: Lang,
    },
    /// Builds the component of the Interlinker in a folder, into `dist/`.
    Build(Folder),
    /// Runs the tests of the Interlinker in a folder.
    Test(Folder),
    /// Builds the Interlinker in a folder and publishes it on a server; of a `.wasm` file, what it holds, with the
    /// signature that lies beside it as `.wasm.sig`.
    Publish {
        /// The folder, or a component.
        #[arg(default_value = ".")]
        path: PathBuf,
        /// Builds and publishes again whenever a file changes.
        #[arg(long)]
        watch: bool,
        /// Signs it with the key in this file, and leaves the signature beside the component.
        #[arg(long)]
        key: Option<PathBuf>,
        /// Grants what it asks for; at a terminal it is asked.
        #[arg(long)]
        grant: bool,
    },
    /// Grants an Interlinker what it asks for beyond its own state, after showing what that is, and why.
    Grant {
        /// `NAME`, or `NAME@VERSION`.
        name: String,
        /// Grants it without asking.
        #[arg(long)]
        yes: bool,
    },
    /// Says how many assets of an Interlinker there may be, and what they may hold together; what is left out is as for any.
    Quota {
        /// Its name.
        name: String,
        /// Assets.
        #[arg(long)]
        assets: Option<u64>,
        /// Bytes of state and blobs.
        #[arg(long)]
        state_bytes: Option<u64>,
    },
    /// Makes a key that signs components: its private half in a file, its public half beside it.
    Keygen {
        /// The file; the public half gets `.pub` at its end.
        file: PathBuf,
        /// What the key is known by; the file's name where it is not said.
        #[arg(long)]
        id: Option<String>,
        /// The file of the key that it succeeds, which vouches for it in a third file with `.succession` at its end.
        #[arg(long)]
        succeeds: Option<PathBuf>,
    },
    /// Fetches a component from a server into a file, with its signature beside it.
    Export {
        /// `NAME`, or `NAME@VERSION`.
        name: String,
        /// The file; it must not be there.
        file: PathBuf,
    },
    /// Pushes a component of a server, with its signature, to a registry of OCI artifacts.
    Push(oci::Push),
    /// Pulls a component, with its signature, from a registry of OCI artifacts.
    Pull(oci::Pull),
    /// Lists the Interlinkers of a server, or the versions of one.
    List {
        /// Whose versions.
        name: Option<String>,
    },
    /// Advises against a version; nothing of it stops.
    Deprecate(registry::Withdrawing),
    /// Takes a version back for good: nothing of it is called any more.
    Revoke(registry::Withdrawing),
    /// Closes the breakers of an Interlinker that failed again and again: it is called at once.
    Reset {
        /// Its name.
        name: String,
    },
    /// Runs a component for a test, which speaks with it line by line: `test` does so.
    Run {
        /// The component.
        component: PathBuf,
    },
    /// Checks that a component does what a good one does: it never traps, its views change nothing, the same call comes to the
    /// same. Inputs are made from its schemas.
    Check {
        /// The component.
        component: PathBuf,
        /// The component of an earlier version: what its assets have come to, this one takes over.
        #[arg(long, value_name = "EARLIER")]
        from: Option<PathBuf>,
    },
    /// Lists the calls in which an Interlinker failed, the latest first.
    Failures {
        /// Whose.
        name: String,
    },
    /// Fetches a recorded call with all that it saw into a file, for `rerun`. It holds what people wrote.
    Fetch {
        /// The call: `failures` and the registry of usage name it.
        call: String,
        /// The file; it must not be there.
        file: PathBuf,
        /// With the secrets that it read.
        #[arg(long)]
        secrets: bool,
    },
    /// Runs a call of a file again on this machine, with a component that lies here.
    Rerun {
        /// The file.
        file: PathBuf,
        /// The component, as `build` leaves it in `dist/`.
        component: PathBuf,
    },
    /// Runs a recorded call of an asset again, fed with its record, and shows each question to the world outside.
    Replay {
        /// The asset.
        asset: String,
        /// The call: events and the registry of usage name it.
        call: String,
    },
}

/// Where an Interlinker lies.
#[derive(Debug, Args)]
pub struct Folder {
    /// The folder.
    #[arg(default_value = ".")]
    path: PathBuf,
}

/// What an Interlinker is written in.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Lang {
    /// Rust.
    Rust,
    /// JavaScript.
    Js,
    /// Python.
    Python,
}

impl From<Lang> for Language {
    fn from(lang: Lang) -> Self {
        match lang {
            Lang::Rust => Self::Rust,
            Lang::Js => Self::JavaScript,
            Lang::Python => Self::Python,
        }
    }
}

/// Runs the command.
pub fn run(command: Command, client: impl Fn() -> Result<Client, String>, output: Output) -> Result<(), String> {
    match command {
        Command::New { name, lang } => new(&name, lang),
        Command::Build(Folder { path }) => {
            let built = build(&open(&path)?)?;
            show_built(&built, output);
            Ok(())
        }
        Command::Test(Folder { path }) => test(&open(&path)?),
        Command::Publish { path, watch: false, key, grant } => {
            let client = client()?;
            let published = publish(&path, key.as_deref(), &client, output)?;
            consent::after_publishing(&published, Granting::of(grant), &client)
        }
        Command::Publish { path, watch: true, key, grant } => {
            watch(&open(&path)?, key.as_deref(), grant, &client()?, output)
        }
        Command::Grant { name, yes } => consent::grant(&name, yes, &client()?, output),
        Command::Quota { name, assets, state_bytes } => registry::quota(&name, assets, state_bytes, &client()?, output),
        Command::Keygen { file, id, succeeds } => signing::keygen(&file, id.as_deref(), succeeds.as_deref()),
        Command::Export { name, file } => signing::export(&name, &file, &client()?),
        Command::Push(wanted) => oci::push(&wanted, &client()?, output),
        Command::Pull(wanted) => oci::pull(&wanted, client, output),
        Command::Run { component } => run::run(&component),
        Command::Check { component, from } => check::check(&component, from.as_deref(), output),
        Command::List { name } => registry::list(name.as_deref(), &client()?, output),
        Command::Deprecate(wanted) => registry::withdraw("deprecate", &wanted, &client()?, output),
        Command::Revoke(wanted) => registry::withdraw("revoke", &wanted, &client()?, output),
        Command::Failures { name } => rerun::failures(&name, &client()?, output),
        Command::Fetch { call, file, secrets } => rerun::fetch(&call, &file, secrets, &client()?),
        Command::Rerun { file, component } => rerun::rerun(&file, &component),
        Command::Reset { name } => registry::reset(&name, &client()?, output),
        Command::Replay { asset, call } => replay(&asset, &call, &client()?, output),
    }
}

fn open(path: &Path) -> Result<Project, String> {
    Project::open(path).map_err(|error| error.to_string())
}

fn new(name: &str, lang: Lang) -> Result<(), String> {
    let here = std::env::current_dir().map_err(|error| format!("the current directory: {error}"))?;
    let folder = create(&here, name, lang.into()).map_err(|error| error.to_string())?;
    let folder = folder.strip_prefix(&here).unwrap_or(&folder).display().to_string();
    println!("{folder}/ holds an Interlinker that works. Next:\n");
    println!("  cd {folder}");
    println!("  interlink interlinker test");
    println!("  interlink interlinker publish    # INTERLINK_TOKEN is an operator's");
    Ok(())
}

fn test(project: &Project) -> Result<(), String> {
    let this = std::env::current_exe().map_err(|error| format!("where this program is: {error}"))?;
    let mut tell = |step: &str| eprintln!("{step}…");
    project.test(&this, &mut tell).map_err(|error| error.to_string())
}

/// Builds a project, and says on the way what takes long.
fn build(project: &Project) -> Result<Built, String> {
    let mut tell = |step: &str| eprintln!("{step}…");
    let built = project.build(&mut tell).map_err(|error| error.to_string())?;
    let manifest = serde_json::from_value(built.manifest.clone()).map_err(|error| format!("its manifest: {error}"))?;
    check_examples(&manifest).map_err(|error| placed(&built, &error))?;
    Ok(built)
}

/// What is wrong with an example, with its place in the source where that is known.
fn placed(built: &Built, error: &ExampleError) -> String {
    let places = built.example_places.get(&error.of);
    let place = error.number.and_then(|number| places?.get(number)?.as_ref());
    place.map_or_else(|| error.to_string(), |place| format!("{place}: {error}"))
}

fn show_built(built: &Built, output: Output) {
    let [name, version] = ["name", "version"].map(|key| text(&built.manifest[key]));
    if output == Output::Json {
        print_json(&json!({
            "name": name, "version": version, "path": built.path.display().to_string(), "bytes": built.bytes,
            "digest": format!("sha256:{}", built.sha256), "manifest": built.manifest,
        }));
    } else {
        let (kib, seconds) = (built.bytes.div_ceil(1024), built.took.as_secs_f64());
        println!("{name} {version}  {}  {kib} KiB  {seconds:.1} s  sha256:{}", built.path.display(), built.sha256);
    }
}

/// Publishes a component, or what is built of a folder.
fn publish(path: &Path, key: Option<&Path>, client: &Client, output: Output) -> Result<Value, String> {
    let is_file = path.extension().is_some_and(|extension| extension == "wasm");
    let component = if is_file {
        path.to_owned()
    } else {
        let built = build(&open(path)?)?;
        // Programs are told what was published, and that alone.
        if output == Output::Table {
            show_built(&built, output);
        }
        built.path
    };
    let bytes = std::fs::read(&component).map_err(|error| format!("{}: {error}", component.display()))?;
    let signature = match key {
        Some(key) => Some(signing::sign(&component, &bytes, key)?),
        // Beside what was just built lies at most the signature of what was built before.
        None if is_file => signing::signature_beside(&component)?,
        None => None,
    };
    let published = client.publish(&bytes, signature.as_deref())?;
    if output == Output::Json {
        print_json(&published);
    } else {
        let by = match &published["signed_by"] {
            Value::Null => String::new(),
            by if by["trusted"] == true => format!(", signed by {} of {}", text(&by["key"]), text(&by["owner"])),
            by => format!(", signed by {}, which is not trusted there", text(&by["key"])),
        };
        println!("published {} {} on {}{by}", text(&published["name"]), text(&published["version"]), client.server());
    }
    Ok(published)
}

/// Builds and publishes again and again. What does not build is told, and the next change is waited for.
fn watch(project: &Project, key: Option<&Path>, grant: bool, client: &Client, output: Output) -> Result<(), String> {
    let mut seen = None;
    // Nobody is asked the same at every change.
    let granting = if grant { Granting::All } else { Granting::Told };
    loop {
        let now = newest(project);
        if seen != Some(now) {
            seen = Some(now);
            let published = publish(&project.folder, key, client, output);
            match published.and_then(|published| consent::after_publishing(&published, granting, client)) {
                Ok(()) => println!("waiting for a change"),
                Err(message) => println!("{message}\nwaiting for a change"),
            }
        }
        std::thread::sleep(WATCHED_EVERY);
    }
}

/// When a source changed last, and how many there are.
fn newest(project: &Project) -> (Option<SystemTime>, usize) {
    let sources = project.sources();
    let changed = |path: &PathBuf| std::fs::metadata(path).and_then(|about| about.modified()).ok();
    (sources.iter().filter_map(changed).max(), sources.len())
}

fn replay(asset: &str, call: &str, client: &Client, output: Output) -> Result<(), String> {
    let replayed = client.post(&format!("/v1/assets/{asset}/calls/{call}/replay"), "application/json", b"")?;
    if output == Output::Json {
        print_json(&replayed);
        return Ok(());
    }
    let interlinker = &replayed["interlinker"];
    println!("{} {}  {}", text(&interlinker["name"]), text(&interlinker["version"]), text(&replayed["action"]));
    let row = |one: &Value| ["number", "kind", "request", "answer"].map(|key| text(&one[key])).to_vec();
    let rows: Vec<_> = replayed["host_calls"].as_array().into_iter().flatten().map(row).collect();
    print_table(&["#", "kind", "request", "answer"], &rows);
    for line in replayed["logs"].as_array().into_iter().flatten() {
        println!("{:<5} {}", text(&line[0]), text(&line[1]));
    }
    match &replayed["failure"] {
        Value::Null => println!("answered {}", replayed["output"]),
        failure => println!("failed: {}", text(failure)),
    }
    Ok(())
}

//! Programs that other languages need: fetched once, in versions that are known to work, into a folder of this user's.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{AuthorError, Outcome};

/// The environment variable that says where tools are kept.
const TOOLS_VARIABLE: &str = "INTERLINK_TOOLS_DIR";
/// What JavaScript needs: QuickJS in a component, the compiler that reads types, a checker of inputs for tests.
const NPM: [&str; 3] = ["componentize-qjs@0.4.5", "typescript@5.9.3", "ajv@8.20.0"];
/// What Python needs: CPython in a component, a checker of inputs for tests.
const PIP: [&str; 2] = ["componentize-py==0.25.1", "jsonschema==4.26.0"];
/// Fails where Python is too old.
const PYTHON_IS_NEW: &str =
    "import sys; sys.exit(0 if sys.version_info >= (3, 11) else 'this is Python ' + sys.version)";
/// The oldest node that they run on.
const NODE_MAJOR_MIN: u32 = 20;

/// What makes components of JavaScript, with its version.
pub(crate) fn built_with_js() -> String {
    NPM[0].replace('@', " ")
}

/// What makes components of Python, with its version.
pub(crate) fn built_with_python() -> String {
    PIP[0].replace("==", " ")
}

/// Where tools of a kind, in these versions, are kept.
fn place(kind: &str, versions: &[&str]) -> PathBuf {
    let own = std::env::var_os(TOOLS_VARIABLE).map(PathBuf::from);
    let of_user = || std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(|| Some(home()?.join(".cache")));
    let root = own.or_else(|| Some(of_user()?.join("interlink/tools"))).unwrap_or_else(|| ".interlink/tools".into());
    let named: String = versions.join("-").replace(['@', '/', '='], "-");
    root.join(kind).join(named)
}

/// Fetches what belongs into a folder, once and whole: whoever asks for it meanwhile, here or in another process, waits until it is
/// there, and what a fetch that was interrupted has left is taken away first. Two installers in one folder take each other's files.
fn once(place: &Path, fetch: impl FnOnce() -> Outcome<()>) -> Outcome<()> {
    let complete = place.join("complete");
    if complete.is_file() {
        return Ok(());
    }
    let mut lock = place.as_os_str().to_owned();
    lock.push(".lock");
    let lock = PathBuf::from(lock);
    let parent = place.parent().unwrap_or(place);
    fs::create_dir_all(parent).map_err(AuthorError::writing(parent))?;
    let held = File::create(&lock).map_err(AuthorError::writing(&lock))?;
    held.lock().map_err(AuthorError::writing(&lock))?;
    if complete.is_file() {
        return Ok(());
    }
    if place.exists() {
        fs::remove_dir_all(place).map_err(AuthorError::writing(place))?;
    }
    fetch()?;
    fs::write(&complete, "").map_err(AuthorError::writing(&complete))
}

fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").map(PathBuf::from)
}

/// What is used of JavaScript's tools.
pub(crate) struct Npm {
    modules: PathBuf,
}

impl Npm {
    /// The tools, fetched where they are not there yet.
    pub fn find(tell: &mut dyn FnMut(&str)) -> Outcome<Self> {
        check_node()?;
        let place = place("npm", &NPM);
        let modules = place.join("node_modules");
        once(&place, || {
            tell(&format!("fetching {}", NPM.join(", ")));
            fs::create_dir_all(&place).map_err(AuthorError::writing(&place))?;
            let mut install = Command::new("npm");
            install
                .args(["install", "--silent", "--no-audit", "--no-fund", "--no-save", "--prefix"])
                .arg(&place)
                .args(NPM);
            said(&mut install, "npm", "it comes with Node.js").map(drop)
        })?;
        Ok(Self { modules })
    }

    /// The command line of QuickJS's componentizer.
    pub fn componentize(&self) -> Command {
        let mut command = Command::new("node");
        command.arg(self.modules.join("componentize-qjs/bin/componentize-qjs"));
        command
    }

    /// The compiler, as a module.
    pub fn typescript(&self) -> PathBuf {
        self.modules.join("typescript/lib/typescript.js")
    }

    /// The checker of inputs, as a module.
    pub fn ajv(&self) -> PathBuf {
        self.modules.join("ajv/dist/2020.js")
    }
}

/// What is used of Python's tools.
pub(crate) struct Pip {
    programs: PathBuf,
}

impl Pip {
    /// The tools, fetched where they are not there yet.
    pub fn find(tell: &mut dyn FnMut(&str)) -> Outcome<Self> {
        let place = place("pip", &PIP);
        let programs = place.join("bin");
        once(&place, || {
            said(
                Command::new("python3").args(["-c", PYTHON_IS_NEW]),
                "python3",
                "Interlinkers in Python need Python 3.11",
            )?;
            tell(&format!("fetching {}", PIP.join(", ")));
            let venv = "Debian has it in the package python3-venv";
            said(Command::new("python3").args(["-m", "venv"]).arg(&place), "python3 -m venv", venv)?;
            let mut install = Command::new(programs.join("pip"));
            install.args(["install", "--quiet", "--disable-pip-version-check"]).args(PIP);
            said(&mut install, "pip", "it comes with Python").map(drop)
        })?;
        Ok(Self { programs })
    }

    /// Python, with what was fetched.
    pub fn python(&self) -> Command {
        Command::new(self.programs.join("python"))
    }

    /// The command line of CPython's componentizer.
    pub fn componentize(&self) -> Command {
        Command::new(self.programs.join("componentize-py"))
    }
}

fn check_node() -> Outcome<()> {
    let version = said(Command::new("node").arg("--version"), "node", "Interlinkers in JavaScript need Node.js")?;
    let major: Option<u32> =
        version.trim().trim_start_matches('v').split('.').next().and_then(|major| major.parse().ok());
    if major.is_some_and(|major| major >= NODE_MAJOR_MIN) {
        return Ok(());
    }
    let why = format!("Node.js {NODE_MAJOR_MIN} or newer is needed, and this is {}", version.trim());
    Err(AuthorError::Missing { tool: "node".into(), why })
}

/// What a program prints. One that is not there, or fails, is missing: it is no fault of the author's code.
pub(crate) fn said(command: &mut Command, tool: &str, why: &str) -> Outcome<String> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| AuthorError::Missing { tool: tool.into(), why: format!("{error}; {why}") })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(AuthorError::Missing { tool: tool.into(), why: format!("it says: {said}") })
}

/// What a program prints, of which the author's code is the cause where it fails.
pub(crate) fn told(command: &mut Command, what: &str) -> Outcome<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| AuthorError::Missing { tool: program, why: error.to_string() })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    Err(AuthorError::Code { what: what.into(), said: said.trim_end().into() })
}

/// Runs a program whose words go to whoever runs this.
pub(crate) fn watched(command: &mut Command, failed: &str) -> Outcome<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.stdin(Stdio::null()).status();
    let status = status.map_err(|error| AuthorError::Missing { tool: program, why: error.to_string() })?;
    if status.success() { Ok(()) } else { Err(AuthorError::Asked(failed.into())) }
}

/// Has tests run a component, in place of the code that it was made of. Native code of it is kept for the next run.
pub(crate) fn under(tests: &mut Command, component: &Path, binary: &Path, folder: &Path) {
    tests.env("INTERLINK_TEST_COMPONENT", component).env("INTERLINK_TEST_BINARY", binary);
    tests.env("INTERLINK_TEST_CACHE", folder.join(crate::sdk::FOLDER).join("cache"));
}

/// A path from one place to a file below it, as JavaScript imports it.
pub(crate) fn below(path: &Path) -> String {
    format!("./{}", path.to_string_lossy().replace('\\', "/"))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn tools_are_fetched_once_by_whoever_comes_first_and_the_others_wait_for_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("npm/some-8.20.0");
        let fetches = AtomicUsize::new(0);
        let fetch = || {
            fetches.fetch_add(1, Ordering::Relaxed);
            fs::create_dir(&place).expect("nothing is there");
            thread::sleep(Duration::from_millis(50));
            fs::write(place.join("tool"), "whole").expect("written");
            Ok(())
        };
        thread::scope(|all| {
            for _ in 0..8 {
                all.spawn(|| {
                    once(&place, fetch).expect("fetched");
                    assert_eq!(fs::read(place.join("tool")).expect("it is there"), b"whole");
                });
            }
        });
        assert_eq!(fetches.into_inner(), 1);
    }

    #[test]
    fn of_a_fetch_that_failed_nothing_is_left_for_the_next() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("tools");
        let failed = once(&place, || {
            fs::create_dir(&place).expect("nothing is there");
            fs::write(place.join("half"), "").expect("written");
            Err(AuthorError::Asked("no network".into()))
        });
        assert!(failed.is_err());
        once(&place, || fs::create_dir(&place).map_err(AuthorError::writing(&place))).expect("nothing is in its way");
        assert!(!place.join("half").exists() && place.join("complete").is_file());
    }
}

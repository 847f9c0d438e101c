//! Interlinkers in Rust: the manifest from the crate's own types, natively; the component from its module.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::component::component_of_module;
use crate::project::{ExamplePlaces, Made, Runner};
use crate::toolchain::{self, TARGET, Toolchain};
use crate::{AuthorError, Language, Outcome, provenance, sdk};

/// The environment variable by which the SDK's generated test is told where to write the manifest.
const MANIFEST_VARIABLE: &str = "INTERLINK_MANIFEST_OUT";
/// The SDK's generated test.
const MANIFEST_TEST: &str = "interlink_manifest";
/// How guests are compiled: small, and a panic is a trap.
const PROFILE: [&str; 6] = [
    "profile.guest.inherits=\"release\"",
    "profile.guest.opt-level=\"s\"",
    "profile.guest.lto=true",
    "profile.guest.codegen-units=1",
    "profile.guest.panic=\"abort\"",
    "profile.guest.strip=\"debuginfo\"",
];

/// A crate that becomes a component.
#[derive(Debug, Clone)]
pub struct Crate<'a> {
    /// The folder of its workspace, or its own.
    pub root: &'a Path,
    /// Its package.
    pub package: &'a str,
    /// Where what is built goes.
    pub target: &'a Path,
}

/// Builds a crate: its component, and its manifest.
///
/// # Errors
///
/// What the compiler says of its code.
pub fn build_crate(of: &Crate<'_>, toolchain: &Toolchain) -> Outcome<(Vec<u8>, String)> {
    let manifest = manifest(of)?;
    let module = compile(of, toolchain)?;
    Ok((component_of_module(&module, &manifest)?, manifest))
}

/// Builds the project in a folder.
pub(crate) fn build(folder: &Path, tell: &mut dyn FnMut(&str)) -> Outcome<Made> {
    sdk::write_rust(&folder.join(sdk::FOLDER))?;
    let package = package_of(folder)?;
    tell("reading its types");
    let target = folder.join("target");
    let of = Crate { root: folder, package: &package, target: &target };
    let manifest = manifest(&of)?;
    let toolchain = toolchain::find()?;
    let manifest = provenance::added(&manifest, folder, Language::Rust, &toolchain.compiler()?)?;
    tell(&format!("compiling with {toolchain}"));
    let module = compile(&of, &toolchain)?;
    let component = component_of_module(&module, &manifest)?;
    Ok(Made { component, manifest, example_places: ExamplePlaces::new() })
}

/// Runs the tests of the project in a folder.
pub(crate) fn test(folder: &Path, runner: &Runner<'_>, tell: &mut dyn FnMut(&str)) -> Outcome<()> {
    sdk::write_rust(&folder.join(sdk::FOLDER))?;
    let tests = || {
        let mut tests = cargo();
        tests.arg("test").current_dir(folder).env_remove("RUSTFLAGS");
        vec![tests]
    };
    runner.twice(tell, tests)
}

/// The cargo that runs this program, or the one that is found.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn missing_cargo(error: &std::io::Error) -> AuthorError {
    AuthorError::Missing { tool: "cargo".into(), why: format!("{error}; it comes with Rust: https://rustup.rs") }
}

/// The name of the package in a folder.
fn package_of(folder: &Path) -> Outcome<String> {
    let path = folder.join("Cargo.toml");
    let text = fs::read_to_string(&path).map_err(AuthorError::reading(&path))?;
    let manifest: toml::Table = text
        .parse()
        .map_err(|error| AuthorError::Code { what: "Cargo.toml cannot be read".into(), said: format!("{error}") })?;
    let name = manifest.get("package").and_then(|package| package.get("name")).and_then(toml::Value::as_str);
    name.map(str::to_owned).ok_or_else(|| AuthorError::Asked("Cargo.toml has no package with a name".into()))
}

/// The crate's manifest, which its own code writes, natively: the test that `#[interlinker]` adds to the crate.
fn manifest(of: &Crate<'_>) -> Outcome<String> {
    let Crate { root, package, target } = *of;
    let path = target.join("guests").join(package).with_extension("manifest.json");
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(AuthorError::writing(folder))?;
    }
    if path.exists() {
        fs::remove_file(&path).map_err(AuthorError::writing(&path))?;
    }
    let mut command = cargo();
    command.args(["test", "--quiet", "--package", package, "--lib", "--target-dir"]).arg(target).arg(MANIFEST_TEST);
    command.current_dir(root).env(MANIFEST_VARIABLE, &path).stdin(Stdio::null());
    let output = command.output().map_err(|error| missing_cargo(&error))?;
    if !output.status.success() {
        let (log, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        return Err(AuthorError::Code { what: format!("{package} does not compile"), said: format!("{log}{errors}") });
    }
    fs::read_to_string(&path).map_err(|_| {
        let what = "has no `#[interlinker]` on an `impl` block of its library, or its library has `test = false`";
        AuthorError::Asked(format!("{package} {what}"))
    })
}

/// The crate as a core module.
fn compile(of: &Crate<'_>, toolchain: &Toolchain) -> Outcome<Vec<u8>> {
    let Crate { root, package, target } = *of;
    let target = target.join("guest-build").join(toolchain.name());
    let mut command = toolchain.cargo(root);
    for setting in PROFILE {
        command.args(["--config", setting]);
    }
    command.args(["build", "--quiet", "--profile", "guest", "--target", TARGET, "--package", package]);
    command.arg("--target-dir").arg(&target).current_dir(root).stdin(Stdio::null());
    let output = command.output().map_err(|error| missing_cargo(&error))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(AuthorError::Code { what: format!("{package} does not compile for {TARGET}"), said });
    }
    let module = module_of(&target, package);
    fs::read(&module).map_err(|error| {
        let hint = "its library has to be a `cdylib`: write `crate-type = [\"cdylib\", \"rlib\"]` under `[lib]`";
        AuthorError::Asked(format!("{}: {error}; {hint}", module.display()))
    })
}

fn module_of(target: &Path, package: &str) -> PathBuf {
    target.join(TARGET).join("guest").join(package.replace('-', "_")).with_extension("wasm")
}

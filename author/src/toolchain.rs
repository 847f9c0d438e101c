//! A compiler for `wasm32-unknown-unknown`.
//!
//! The current toolchain's own target is used where it is installed, or rustup can install it. Where it cannot (a
//! network without rustup's server), Debian's packages build the standard library from its source.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::rust::cargo;
use crate::{AuthorError, Outcome};

/// The target of all guests.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// Debian's packages: a compiler newer than the distribution's own, its source, and a linker.
const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-22"];

/// What a guest's own stack has room for: a host clears the first 256 KiB of a memory and keeps them, and has to ask anew for every
/// page behind them that a call touches. With a mebibyte, as is usual, they would be a stack that is hardly used.
const STACK_BYTES: usize = 128 << 10;

/// What compiles guests.
pub enum Toolchain {
    /// The toolchain that runs this program, with the target's standard library.
    Rustup,
    /// Debian's compiler, which builds the standard library with the guest.
    Debian {
        /// What `rustc --version` says.
        version: String,
        /// The linker, wasm-ld.
        linker: PathBuf,
    },
}

impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rustup => write!(f, "the current toolchain with {TARGET}"),
            Self::Debian { version, linker } => {
                write!(f, "Debian's rustc {version}, the standard library from source, {}", linker.display())
            }
        }
    }
}

/// The first toolchain that works here.
///
/// # Errors
///
/// Why there is none, and how one is had.
pub fn find() -> Outcome<Toolchain> {
    rustup().or_else(|rustup| {
        debian().map_err(|debian| {
            let why = format!("{rustup}; {debian}. `rustup target add {TARGET}` is the usual way");
            AuthorError::Missing { tool: format!("a compiler for {TARGET}"), why }
        })
    })
}

/// The toolchain of a name: `rustup` or `debian`.
///
/// # Errors
///
/// Another name; a toolchain that is not here.
pub fn named(name: &str) -> Outcome<Toolchain> {
    match name {
        "rustup" => rustup(),
        "debian" => debian(),
        other => Err(asked(format!("there are the toolchains `rustup` and `debian`, but not `{other}`"))),
    }
}

impl Toolchain {
    /// A name for folders.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Rustup => "rustup",
            Self::Debian { .. } => "debian",
        }
    }

    /// The compiler and its version, as in `rustc 1.95.0`.
    ///
    /// # Errors
    ///
    /// Where it does not say it.
    pub fn compiler(&self) -> Outcome<String> {
        let version = match self {
            Self::Rustup => {
                let said = output_of(Command::new(rustc_beside_cargo()).arg("--version"))?;
                said.split_whitespace().nth(1).unwrap_or_default().to_owned()
            }
            Self::Debian { version, .. } => version.clone(),
        };
        Ok(format!("rustc {version}"))
    }

    /// A cargo that can build for [`TARGET`]; the caller adds `build` and its options.
    ///
    /// Paths of this machine, which panics would name, are cut: the same sources make the same component elsewhere.
    pub fn cargo(&self, root: &Path) -> Command {
        let mut flags =
            vec![format!("-Clink-arg=-zstack-size={STACK_BYTES}"), format!("--remap-path-prefix={}=.", root.display())];
        if let Some(home) = cargo_home() {
            flags.push(format!("--remap-path-prefix={}=cargo", home.display()));
            // Where a crate came from is in no component either. What comes last holds.
            let sources = std::fs::read_dir(home.join("registry/src")).into_iter().flatten().flatten();
            flags.extend(sources.map(|source| format!("--remap-path-prefix={}=crates", source.path().display())));
        }
        let mut command = match self {
            Self::Rustup => cargo(),
            Self::Debian { linker, .. } => {
                let mut command = Command::new("/usr/bin/cargo");
                command.env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1");
                command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
                command.env("CARGO_UNSTABLE_BUILD_STD", "std,panic_abort");
                command
            }
        };
        command.env_remove("RUSTFLAGS").env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
        command
    }
}

fn cargo_home() -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    home.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")))
}

fn rustup() -> Outcome<Toolchain> {
    let installed = || -> Outcome<bool> {
        let sysroot = output_of(Command::new(rustc_beside_cargo()).args(["--print", "sysroot"]))?;
        Ok(Path::new(sysroot.trim()).join("lib/rustlib").join(TARGET).join("lib").exists())
    };
    if !installed()? {
        output_of(Command::new("rustup").args(["target", "add", TARGET]))?;
    }
    if installed()? { Ok(Toolchain::Rustup) } else { Err(asked(format!("rustup does not install {TARGET}"))) }
}

/// The rustc of the cargo that runs this program.
fn rustc_beside_cargo() -> PathBuf {
    let beside = std::env::var_os("CARGO").map(|cargo| Path::new(&cargo).with_file_name("rustc"));
    beside.filter(|beside| beside.exists()).unwrap_or_else(|| PathBuf::from("rustc"))
}

fn debian() -> Outcome<Toolchain> {
    if !Path::new("/usr/bin/cargo").exists() || standard_library_source().is_none() || linker().is_none() {
        println!("installing {}", DEBIAN_PACKAGES.join(", "));
        output_of(Command::new("apt-get").arg("update"))?;
        output_of(Command::new("apt-get").args(["install", "--yes", "--no-install-recommends"]).args(DEBIAN_PACKAGES))?;
    }
    let version = output_of(Command::new("/usr/bin/rustc").arg("--version"))?;
    let version = version.split_whitespace().nth(1).unwrap_or_default().to_owned();
    let source = standard_library_source().ok_or_else(|| asked("Debian's rustc has no source in /usr/src"))?;
    let linker = linker().ok_or_else(|| asked("there is no wasm-ld in /usr/lib/llvm-*/bin"))?;
    let link = Path::new("/usr/lib/rustlib/src/rust");
    if !link.join("library").exists() {
        output_of(Command::new("ln").arg("-sfn").arg(&source).arg(link))?;
    }
    Ok(Toolchain::Debian { version, linker })
}

/// The source of Debian's compiler, of the same version.
fn standard_library_source() -> Option<PathBuf> {
    let version = output_of(Command::new("/usr/bin/rustc").arg("--version")).ok()?;
    let source = Path::new("/usr/src").join(format!("rustc-{}", version.split_whitespace().nth(1)?));
    source.join("library").exists().then_some(source)
}

/// The newest LLVM's wasm-ld.
fn linker() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").ok()?.flatten().filter_map(|entry| {
        let number: u32 = entry.file_name().to_str()?.strip_prefix("llvm-")?.parse().ok()?;
        let linker = entry.path().join("bin/wasm-ld");
        linker.exists().then_some((number, linker))
    });
    folders.max().map(|(_, linker)| linker)
}

/// What a command prints.
///
/// # Errors
///
/// What it complains about.
pub fn output_of(command: &mut Command) -> Outcome<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|error| asked(format!("{program}: {error}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(asked(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim())))
}

fn asked(what: impl Into<String>) -> AuthorError {
    AuthorError::Asked(what.into())
}

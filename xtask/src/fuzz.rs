//! `cargo xtask fuzz`: libFuzzer on everything that reads what others wrote.
//!
//! The targets are built with coverage by the stable compiler, into a target folder of their own, with the flags that
//! cargo-fuzz uses; naming the host as the target keeps them from build scripts. What is found goes on from run to run in
//! `target/fuzz/corpus`; what is committed in `fuzz/` is only read.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::guests::{target_folder, workspace_root};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// For which target the binary runs.
const TARGET_VARIABLE: &str = "FUZZ_TARGET";
/// How long each target runs where nothing else is said.
const SECONDS: u64 = 60;
/// How long each target runs among the tests.
const SECONDS_IN_TESTS: u64 = 3;
/// Longer inputs find little that shorter ones do not, and slow it all down.
const INPUT_BYTES_MAX: u32 = 16 << 10;
/// What one input may take.
const TIMEOUT_SECONDS: u32 = 10;
/// Coverage: edges and comparisons, as libFuzzer wants to know them.
const FLAGS: [&str; 6] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "--cfg=fuzzing",
];

/// Runs the command with these options.
pub fn run(options: &[&str]) -> Outcome<()> {
    let (mut seconds, mut names) = (SECONDS, Vec::new());
    let mut rest = options;
    while let [option, more @ ..] = rest {
        rest = match (*option, more) {
            ("--seconds", [value, more @ ..]) => {
                seconds = value.parse().map_err(|_| format!("`{value}` is no number of seconds"))?;
                more
            }
            (name, more) if !name.starts_with('-') => {
                names.push(name.to_owned());
                more
            }
            (other, _) => return Err(format!("the option `{other}` is not known, or lacks its value").into()),
        };
    }
    let all = targets()?;
    if let Some(unknown) = names.iter().find(|name| !all.contains(*name)) {
        let all: Vec<_> = all.into_iter().collect();
        return Err(format!("there is no target `{unknown}`; there are {}", all.join(", ")).into());
    }
    fuzz(if names.is_empty() { all.into_iter().collect() } else { names }, seconds)
}

/// Each target for a few seconds, where they can be built.
pub fn test() -> Outcome<()> {
    if !has_cpp_compiler() {
        println!("fuzzing    skipped: libFuzzer is C++, and there is neither `c++` nor a compiler in CXX");
        return Ok(());
    }
    fuzz(targets()?.into_iter().collect(), SECONDS_IN_TESTS)
}

fn has_cpp_compiler() -> bool {
    let compiler = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
    let answer = Command::new(compiler).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    answer.is_ok_and(|status| status.success())
}

/// The targets, by the folders of their seeds.
fn targets() -> Outcome<BTreeSet<String>> {
    let folders = fs::read_dir(workspace_root().join("fuzz/corpus"))?;
    folders.map(|folder| Ok(folder?.file_name().to_string_lossy().into_owned())).collect()
}

/// Builds, and runs one target after the other, to the end of the last one; an error names those that found something.
fn fuzz(names: Vec<String>, seconds: u64) -> Outcome<()> {
    let binary = build()?;
    let mut found = Vec::new();
    for name in names {
        if !examine(&binary, &name, seconds)? {
            found.push(name);
        }
    }
    if found.is_empty() {
        Ok(())
    } else {
        Err(format!("the fuzzer has found something in {}", found.join(", ")).into())
    }
}

fn folder() -> PathBuf {
    target_folder(&workspace_root()).join("fuzz")
}

fn build() -> Outcome<PathBuf> {
    let host = host()?;
    let mut command = Command::new(env!("CARGO"));
    command.args(["build", "--quiet", "--package", "interlink-fuzz", "--features", "libfuzzer", "--profile", "fuzz"]);
    command.args(["--target", &host, "--target-dir"]).arg(folder()).current_dir(workspace_root());
    command.env_remove("RUSTFLAGS").env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\u{1f}"));
    if !command.status()?.success() {
        return Err("the targets do not build".into());
    }
    Ok(folder().join(host).join("fuzz/interlink-fuzz"))
}

/// The triple of this machine.
fn host() -> Outcome<String> {
    let version = Command::new("rustc").arg("-vV").current_dir(workspace_root()).output()?;
    let version = String::from_utf8(version.stdout)?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.ok_or("rustc does not say what it runs on")?.to_owned())
}

/// Runs a target; false where it has found something, which is kept and printed.
fn examine(binary: &Path, name: &str, seconds: u64) -> Outcome<bool> {
    let (corpus, found) = (folder().join("corpus").join(name), folder().join("found").join(name));
    let committed = workspace_root().join("fuzz");
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&found)?;
    let before = files(&found)?;
    let mut command = Command::new(binary);
    command.env(TARGET_VARIABLE, name).current_dir(workspace_root()).arg(&corpus);
    let inputs = ["corpus", "regressions"].map(|kind| committed.join(kind).join(name));
    command.args(inputs.iter().filter(|folder| folder.is_dir()));
    let dictionary = committed.join("dictionaries").join(name).with_extension("dict");
    if dictionary.exists() {
        command.arg(format!("-dict={}", dictionary.display()));
    }
    command.args([
        format!("-max_total_time={seconds}"),
        format!("-max_len={INPUT_BYTES_MAX}"),
        format!("-timeout={TIMEOUT_SECONDS}"),
        format!("-artifact_prefix={}/", found.display()),
        "-print_final_stats=1".to_owned(),
    ]);
    let output = command.stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    println!("{name:<10} {}", summary(&said));
    if output.status.success() {
        return Ok(true);
    }
    println!("{}", told(&said, name));
    for input in files(&found)?.difference(&before) {
        println!("  again: {TARGET_VARIABLE}={name} {} {}", binary.display(), input.display());
        println!("  once it is mended, keep it in fuzz/regressions/{name}/ under a name that says what it was");
    }
    Ok(false)
}

fn files(folder: &Path) -> Outcome<BTreeSet<PathBuf>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
}

/// Executions, and how many of them a second; edges; inputs that each reach something more.
fn summary(said: &str) -> String {
    let number = |name: &str| {
        let line = said.lines().rev().find_map(|line| line.strip_prefix(&format!("stat::{name}:")));
        line.map_or("?", str::trim)
    };
    let last = said.lines().rev().find(|line| line.starts_with('#') && line.contains(" cov: ")).unwrap_or_default();
    let behind = |word: &str| last.split(' ').skip_while(|part| *part != word).nth(1).unwrap_or("?");
    let edges = last.split_whitespace().skip_while(|part| *part != "cov:").nth(1).unwrap_or("?");
    let (many, speed) = (number("number_of_executed_units"), number("average_exec_per_sec"));
    let corpus = behind("corp:").split('/').next().unwrap_or("?");
    format!("{many:>9} executions, {speed:>6}/s, {edges:>6} edges, {corpus:>5} inputs")
}

/// What the target said of what it found, or the last that libFuzzer did.
fn told(said: &str, name: &str) -> String {
    let lines: Vec<&str> = said.lines().collect();
    let from =
        lines.iter().position(|line| line.starts_with(&format!("{name}: ")) || line.contains("ERROR: libFuzzer"));
    let from = from.unwrap_or(lines.len().saturating_sub(12));
    lines[from..].iter().take(12).map(|line| format!("  {line}\n")).collect()
}

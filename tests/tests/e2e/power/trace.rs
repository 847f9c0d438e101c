//! What a program did to the files below a directory, as strace saw it.
//!
//! Only what changes files is traced. A call that takes a while stands in two lines, where it was entered and where it was
//! left: what it did may be on disk from the one on, and is done from the other on.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use super::text::{Arguments, micros};

/// Calls that change files, or make a change durable; not every machine has all of them. `sync_file_range` is not among them:
/// its manual page says that it does not make anything durable.
const CALLS: &str = "trace=?open,?openat,?creat,?write,?pwrite64,?writev,?pwritev,?pwritev2,?fsync,?fdatasync,?syncfs,?sync,\
                     ?ftruncate,?fallocate,?rename,?renameat,?renameat2,?unlink,?unlinkat,?rmdir,?mkdir,?mkdirat,?lseek,\
                     ?copy_file_range";
/// With threads, times, paths of descriptors, and the data of each call whole: none here has more.
const OPTIONS: [&str; 8] = ["-f", "--seccomp-bpf", "-ttt", "-y", "-s", "33554432", "-e", CALLS];

/// Why nothing can be traced here, if nothing can.
pub fn refusal() -> Option<String> {
    let mut probe = Command::new("strace");
    probe.args(OPTIONS).args(["-o", "/dev/null", "true"]).stdin(Stdio::null());
    match probe.output() {
        Err(error) => Some(format!("there is no strace: {error}")),
        Ok(output) if !output.status.success() => {
            Some(format!("strace may not trace: {}", String::from_utf8_lossy(&output.stderr).trim()))
        }
        Ok(_) => None,
    }
}

/// What is put before a command to have it traced. The tracer stands behind it, so that what is killed or stopped is the
/// command itself.
pub fn runner(to: &Path) -> Vec<OsString> {
    let words = ["strace", "-D"].iter().chain(&OPTIONS).chain(&["-o"]);
    words.map(OsString::from).chain([to.into()]).collect()
}

/// Bytes of a write. Most of those that make a segment are zeros.
#[derive(Debug)]
pub enum Bytes {
    Zeros(usize),
    Given(Vec<u8>),
}

impl Bytes {
    fn of(bytes: Vec<u8>) -> Self {
        if bytes.iter().all(|byte| *byte == 0) { Self::Zeros(bytes.len()) } else { Self::Given(bytes) }
    }

    pub fn len(&self) -> usize {
        match self {
            Self::Zeros(bytes) => *bytes,
            Self::Given(bytes) => bytes.len(),
        }
    }
}

/// Something that was done; paths are below the directory.
#[derive(Debug)]
pub enum Act {
    /// A file was opened that is made where it is not there.
    Opened(PathBuf),
    Directory(PathBuf),
    /// Where it was written, or at the end.
    Wrote(PathBuf, Option<u64>, Bytes),
    Length(PathBuf, u64),
    /// It has at least so many bytes.
    Reserved(PathBuf, u64),
    Renamed(PathBuf, PathBuf),
    Removed(PathBuf),
    Synced(PathBuf),
    SyncedAll,
}

/// One call, with the times at which it was entered and left, in microseconds since 1970.
#[derive(Debug)]
pub struct Op {
    pub entered: i64,
    pub left: i64,
    pub act: Act,
}

/// Reads a trace: what was done below a directory, in the order in which the calls were entered.
pub fn read(trace: &Path, directory: &Path) -> Vec<Op> {
    let directory = directory.canonicalize().expect("it is there");
    let mut reader = Reader { directory, ops: Vec::new(), places: HashMap::new(), appending: HashMap::new() };
    let bytes = std::fs::read(trace).expect("the trace can be read");
    let mut waiting: HashMap<&[u8], (i64, &[u8])> = HashMap::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let Some((thread, rest)) = split_at_space(line) else { continue };
        let Some((at, rest)) = split_at_space(rest) else { continue };
        let at = micros(at);
        if let Some(head) = rest.strip_suffix(b" <unfinished ...>") {
            waiting.insert(thread, (at, head));
        } else if rest.starts_with(b"<... ") {
            let tail = rest.windows(8).position(|window| window == b"resumed>").map(|found| &rest[found + 8..]);
            if let (Some((entered, head)), Some(tail)) = (waiting.remove(thread), tail) {
                reader.call(entered, at, &[head, tail].concat());
            }
        } else {
            reader.call(at, at, rest);
        }
    }
    reader.ops.sort_by_key(|op| op.entered);
    reader.ops
}

fn split_at_space(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = bytes.iter().position(|byte| *byte == b' ')?;
    Some((&bytes[..space], bytes[space..].trim_ascii_start()))
}

struct Reader {
    directory: PathBuf,
    ops: Vec<Op>,
    /// Where the next plain write to a descriptor goes.
    places: HashMap<i64, u64>,
    /// Descriptors whose writes go to the end.
    appending: HashMap<i64, bool>,
}

impl Reader {
    /// The path below the directory, empty for the directory itself.
    fn below(&self, path: &Path) -> Option<PathBuf> {
        path.strip_prefix(&self.directory).ok().map(Path::to_owned)
    }

    /// A path as a call was given it; `beside` is what relative ones are relative to.
    fn named(&self, beside: Option<&Path>, path: &[u8]) -> Option<PathBuf> {
        let path = PathBuf::from(String::from_utf8_lossy(path).into_owned());
        let whole = if path.is_absolute() { path } else { beside?.join(path) };
        let whole: PathBuf = whole.components().filter(|part| *part != Component::CurDir).collect();
        let (parent, name) = (whole.parent()?, whole.file_name()?);
        self.below(&parent.canonicalize().unwrap_or_else(|_| parent.to_owned()).join(name))
    }

    fn call(&mut self, entered: i64, left: i64, text: &[u8]) {
        let Some(call) = Arguments::of(text) else { return };
        if call.result < 0 {
            return;
        }
        for act in self.acts(&call).into_iter().flatten() {
            self.ops.push(Op { entered, left, act });
        }
    }

    /// What a call did; nothing where that is none of this directory's business.
    fn acts(&mut self, call: &Arguments) -> Option<Vec<Act>> {
        let (name, taken) = (call.name, usize::try_from(call.result).ok()?);
        let of_descriptor = call.descriptor.as_ref().and_then(|(_, path)| self.below(path));
        let number = call.descriptor.as_ref().map(|(number, _)| *number);
        let beside = |nth: usize| call.directories.get(nth).map(PathBuf::as_path);
        let act = match name {
            "open" | "openat" | "creat" => return self.opened(call),
            "sync" => Act::SyncedAll,
            "syncfs" => of_descriptor.map(|_| Act::SyncedAll)?,
            "fsync" | "fdatasync" => Act::Synced(of_descriptor?),
            "lseek" => {
                self.places.insert(number?, taken as u64);
                return None;
            }
            "write" | "writev" => {
                let path = of_descriptor?;
                let place = self.places.entry(number?).or_default();
                let at = (!self.appending.get(&number?).copied().unwrap_or_default()).then_some(*place);
                *place += taken as u64;
                Act::Wrote(path, at, Bytes::of(call.data(taken)))
            }
            "pwrite64" | "pwritev" | "pwritev2" => {
                let offset = call.numbers.iter().rev().nth(usize::from(name == "pwritev2"))?;
                Act::Wrote(of_descriptor?, Some(u64::try_from(*offset).ok()?), Bytes::of(call.data(taken)))
            }
            "ftruncate" => Act::Length(of_descriptor?, u64::try_from(*call.numbers.last()?).ok()?),
            "fallocate" => {
                let [.., from, bytes] = call.numbers[..] else { return None };
                Act::Reserved(of_descriptor?, u64::try_from(from + bytes).ok()?)
            }
            "copy_file_range" => panic!("a file is copied by the kernel, whose bytes are not in the trace"),
            "mkdir" | "mkdirat" => Act::Directory(self.named(beside(0), call.texts.first()?)?),
            "unlink" | "unlinkat" | "rmdir" => Act::Removed(self.named(beside(0), call.texts.first()?)?),
            "rename" | "renameat" | "renameat2" => {
                let (from, to) = (call.texts.first()?, call.texts.get(1)?);
                Act::Renamed(self.named(beside(0), from)?, self.named(beside(1), to)?)
            }
            _ => return None,
        };
        Some(vec![act])
    }

    fn opened(&mut self, call: &Arguments) -> Option<Vec<Act>> {
        let path = self.below(call.opened.as_ref()?)?;
        self.places.insert(call.result, 0);
        self.appending.insert(call.result, call.says("O_APPEND"));
        let made = call.says("O_CREAT").then(|| Act::Opened(path.clone()));
        let emptied = call.says("O_TRUNC").then_some(Act::Length(path, 0));
        Some(made.into_iter().chain(emptied).collect())
    }
}

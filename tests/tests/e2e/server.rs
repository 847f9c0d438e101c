//! A real server process on a data directory of its own, started, killed and started again.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use tempfile::TempDir;

use crate::client::Client;

pub const BINARY: &str = env!("CARGO_BIN_EXE_interlink-under-test");
/// How long a start may take: the first compiles the Interlinkers, in a build that is not optimised.
const START: Duration = Duration::from_secs(120);
/// How long a stop may take.
const STOP: Duration = Duration::from_secs(30);
/// The login of the operator that every server here has.
pub const OPERATOR: &str = "operator-of-the-tests";

/// A server. It is killed when it is dropped.
pub struct Server {
    data: TempDir,
    child: Option<Child>,
    address: Arc<RwLock<String>>,
    said: Arc<Mutex<String>>,
    operator: Option<Client>,
    /// A program that runs it, with that one's arguments; it is run by itself where this is empty.
    runner: Vec<OsString>,
    /// Options beside those that every server here has.
    options: Vec<&'static str>,
}

/// Runs the command line, on no server in particular.
pub fn interlink<S: AsRef<OsStr>>(arguments: &[S]) -> Output {
    Command::new(BINARY).args(arguments).stdin(Stdio::null()).output().expect("the binary runs")
}

/// What a command printed, both ways.
pub fn printed(output: &Output) -> String {
    [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat()
}

impl Server {
    /// Starts on a new data directory, as [`Server::new_data`] makes it.
    pub fn start() -> Self {
        Self::start_on(Self::new_data())
    }

    /// A new data directory. Its master key and the native code that the key vouches for are those of a first server, so that
    /// the Interlinkers are compiled once and not in every test.
    pub fn new_data() -> TempDir {
        static FIRST: OnceLock<Vec<(PathBuf, Vec<u8>)>> = OnceLock::new();
        let kept = FIRST.get_or_init(|| {
            let mut first = Self::start_anew();
            first.stop();
            let below =
                ["keys", "cache"].map(|directory| std::fs::read_dir(first.place(directory)).expect("it is there"));
            let read = |entry: std::io::Result<std::fs::DirEntry>| {
                let path = entry.expect("it is there").path();
                let bytes = std::fs::read(&path).expect("it can be read");
                (path.strip_prefix(first.data()).expect("below it").to_owned(), bytes)
            };
            below.into_iter().flatten().map(read).collect()
        });
        let data = tempfile::tempdir().expect("a directory");
        for (below, bytes) in kept {
            let path = data.path().join(below);
            std::fs::create_dir_all(path.parent().expect("a directory")).expect("made");
            std::fs::write(path, bytes).expect("written");
        }
        data
    }

    /// Starts on a data directory in which there is nothing.
    pub fn start_anew() -> Self {
        Self::start_on(tempfile::tempdir().expect("a directory"))
    }

    /// Starts on a data directory that somebody else has written.
    #[track_caller]
    pub fn start_on(data: TempDir) -> Self {
        Self::try_start_on(data).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The same, where it may be that it does not start.
    pub fn try_start_on(data: TempDir) -> Result<Self, String> {
        Self::run_by(Vec::new(), &[], data)
    }

    /// Starts on a data directory, run by another program, with more options.
    pub fn run_by(runner: Vec<OsString>, options: &[&'static str], data: TempDir) -> Result<Self, String> {
        let (address, options) = (Arc::new(RwLock::new(String::new())), options.to_vec());
        let mut server = Self { data, child: None, address, said: Arc::default(), operator: None, runner, options };
        server.try_launch()?;
        server.operator = Some(server.with_role(OPERATOR, "operator"));
        Ok(server)
    }

    /// The data directory.
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// A place in the data directory.
    pub fn place(&self, below: &str) -> PathBuf {
        self.data().join(below)
    }

    fn spawn(&self) -> Child {
        assert!(self.child.is_none(), "it runs already");
        let mut line = self.runner.iter().map(OsString::as_os_str).chain([OsStr::new(BINARY)]);
        Command::new(line.next().expect("the binary at least"))
            .args(line)
            .arg("serve")
            .args([OsStr::new("--data"), self.data().as_os_str()])
            .args(["--listen", "127.0.0.1:0"])
            .args(&self.options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs")
    }

    /// Starts on the same data directory, and is killed after a while, whatever it has come to.
    pub fn kill_while_it_starts(&mut self, after: Duration) {
        let mut child = self.spawn();
        // Nobody reads what it says, and what it says so early fits into the pipe.
        std::thread::sleep(after);
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
    }

    /// Starts again on the same data directory.
    #[track_caller]
    pub fn launch(&mut self) {
        self.try_launch().unwrap_or_else(|error| panic!("{error}"));
    }

    /// The same, where it may be that it does not start.
    pub fn try_launch(&mut self) -> Result<(), String> {
        let mut child = self.spawn();
        let stderr = child.stderr.take().expect("it is piped");
        self.child = Some(child);
        let said = Arc::clone(&self.said);
        let (tell, told) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let address = line.split_once("http://").filter(|_| line.contains("ready in"));
                if let Some((_, address)) = address {
                    // Whoever started it may have given up.
                    let _ = tell.send(format!("http://{}", address.trim()));
                }
                *said.lock() += &(line + "\n");
            }
        });
        match told.recv_timeout(START) {
            Ok(address) => *self.address.write() = address,
            Err(RecvTimeoutError::Disconnected) => return Err(format!("the server ended: {}", self.said())),
            Err(RecvTimeoutError::Timeout) => return Err(format!("the server is not ready: {}", self.said())),
        }
        Ok(())
    }

    /// Everything that the server wrote to its standard error.
    pub fn said(&self) -> String {
        self.said.lock().clone()
    }

    /// Kills it with SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it can be killed");
            child.wait().expect("it ends");
        }
    }

    /// Stops it with SIGTERM, which has to be enough.
    #[track_caller]
    pub fn stop(&mut self) {
        let child = self.child.as_mut().expect("it runs");
        let kill = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
        assert!(kill.is_ok_and(|status| status.success()), "SIGTERM can be sent");
        let began = Instant::now();
        while began.elapsed() < STOP {
            if let Some(status) = child.try_wait().expect("it can be waited for") {
                self.child = None;
                assert!(status.success(), "it stopped with {status}: {}", self.said());
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("it did not stop: {}", self.said());
    }

    /// Kills it and starts it again.
    #[track_caller]
    pub fn crash(&mut self) {
        self.kill();
        self.launch();
    }

    /// The operator.
    pub fn operator(&self) -> &Client {
        self.operator.as_ref().expect("made at the start")
    }

    /// Nobody in particular: without a token.
    pub fn nobody(&self) -> Client {
        Client::new(Arc::clone(&self.address), None)
    }

    /// Somebody who takes part.
    pub fn member(&self, login: &str) -> Client {
        self.with_role(login, "member")
    }

    /// Somebody with a role.
    pub fn with_role(&self, login: &str, role: &str) -> Client {
        Client::new(Arc::clone(&self.address), Some(self.mint(login, &["--role", role])))
    }

    /// A token as the command line makes it.
    #[track_caller]
    pub fn mint(&self, login: &str, options: &[&str]) -> String {
        let data = self.data().to_str().expect("a path of letters");
        let output = interlink(&[&["token", login, "--data", data], options].concat());
        assert!(output.status.success(), "{}", printed(&output));
        String::from_utf8(output.stdout).expect("a token is ASCII").trim().to_owned()
    }

    /// Where it listens.
    pub fn address(&self) -> String {
        self.address.read().clone()
    }

    /// Runs a command of the command line against this server, as its operator.
    pub fn cli<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Output {
        self.cli_run_by(&[], arguments)
    }

    /// The same, run by another program.
    pub fn cli_run_by<S: AsRef<OsStr>>(&self, runner: &[OsString], arguments: &[S]) -> Output {
        let mut line = runner.iter().map(OsString::as_os_str).chain([OsStr::new(BINARY)]);
        Command::new(line.next().expect("the binary at least"))
            .args(line)
            .args(arguments)
            .stdin(Stdio::null())
            .env("INTERLINK_SERVER", self.address.read().as_str())
            .env("INTERLINK_TOKEN", self.operator().token())
            .output()
            .expect("the binary runs")
    }

    /// The same, with what is typed.
    pub fn cli_typing(&self, arguments: &[&str], typed: &str) -> Output {
        use std::io::Write;
        let mut child = Command::new(BINARY)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .env("INTERLINK_SERVER", self.address.read().as_str())
            .env("INTERLINK_TOKEN", self.operator().token())
            .spawn()
            .expect("the binary runs");
        // One that reads nothing has ended before.
        let _ = child.stdin.take().expect("it reads").write_all(typed.as_bytes());
        child.wait_with_output().expect("it ends")
    }

    /// Runs a command on the data directory.
    pub fn on_data(&self, command: &[&str]) -> Output {
        let data = self.data().to_str().expect("a path of letters");
        interlink(&[command, &["--data", data]].concat())
    }

    /// Stops the server and has the audit find nothing wrong.
    #[track_caller]
    pub fn audit(&mut self) {
        if self.child.is_some() {
            self.stop();
        }
        let output = self.on_data(&["audit", "verify"]);
        assert!(output.status.success(), "{}", printed(&output));
        assert!(printed(&output).contains("every chain whole"), "{}", printed(&output));
    }

    /// The address for whoever speaks to it without a client.
    pub fn socket(&self) -> String {
        self.address.read().trim_start_matches("http://").to_owned()
    }

    /// The position of the journal: when it has not moved, nothing at all was written.
    #[track_caller]
    pub fn position(&self) -> u64 {
        let ready = self.nobody().get("/readyz").is(200);
        ready["position"].as_u64().expect("a position")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

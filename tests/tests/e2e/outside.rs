//! A service outside, on this machine: counts what it is asked, in order, and answers when it is let.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::json;

use crate::client::Ask;
use crate::server::Server;

/// The longest that the gate is closed for one request.
const GATE_CLOSED_MAX: Duration = Duration::from_secs(60);

/// A request that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    /// Its path.
    pub path: String,
    /// Its idempotency key.
    pub key: String,
}

/// What the requests are served with.
struct Desk {
    arrived: Mutex<Vec<Arrived>>,
    open: AtomicBool,
    pause: fn() -> Duration,
}

/// A service outside. It answers each request with its path and how many arrived there, this one among them.
pub struct Outside {
    port: u16,
    desk: Arc<Desk>,
}

impl Outside {
    /// One that answers at once, but for what waits at the gate: paths that begin with `/gate`.
    pub fn start() -> Self {
        Self::with_pause(|| Duration::ZERO)
    }

    /// One that takes its time over each answer.
    pub fn with_pause(pause: fn() -> Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let desk = Arc::new(Desk { arrived: Mutex::default(), open: AtomicBool::new(true), pause });
        let serving = Arc::clone(&desk);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let desk = Arc::clone(&serving);
                std::thread::spawn(move || desk.serve(stream));
            }
        });
        Self { port, desk }
    }

    /// The address of a path, which is given without its first slash.
    pub fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.origin())
    }

    fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Opens the gate, or closes it.
    pub fn open(&self, open: bool) {
        self.desk.open.store(open, Ordering::Release);
    }

    /// All that arrived, in order.
    pub fn arrived(&self) -> Vec<Arrived> {
        self.desk.arrived.lock().clone()
    }

    /// The idempotency keys of the requests to a path, in order.
    pub fn keys(&self, path: &str) -> Vec<String> {
        let path = format!("/{path}");
        let arrived = self.arrived().into_iter().filter(|arrived| arrived.path == path);
        arrived.map(|arrived| arrived.key).collect()
    }

    /// Waits until so many requests to a path have arrived.
    #[track_caller]
    pub fn until_asked(&self, path: &str, many: usize) {
        let begun = Instant::now();
        while self.keys(path).len() < many {
            assert!(begun.elapsed() < Duration::from_secs(30), "`{path}` was not asked {many} times");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Lets the Interlinker `webhook` ask this service.
    #[track_caller]
    pub fn grant(&self, server: &Server) {
        self.grant_to(server, "webhook");
    }

    /// Lets an Interlinker ask this service.
    #[track_caller]
    pub fn grant_to(&self, server: &Server, interlinker: &str) {
        let grants = json!({"http": [{"origin": self.origin(), "methods": ["POST"]}]});
        let path = format!("/v1/interlinkers/{interlinker}/grants");
        server.operator().ask(&Ask::new("PUT", &path).body("application/json", grants.to_string())).is(200);
    }
}

impl Desk {
    /// Serves one connection, which is one request: whoever asked may be gone at any moment.
    fn serve(&self, mut stream: TcpStream) {
        let Some(arrived) = read(&stream) else { return };
        let path = arrived.path.clone();
        let number = {
            let mut all = self.arrived.lock();
            all.push(arrived);
            all.iter().filter(|arrived| arrived.path == path).count()
        };
        std::thread::sleep((self.pause)());
        let begun = Instant::now();
        while path.starts_with("/gate") && !self.open.load(Ordering::Acquire) && begun.elapsed() < GATE_CLOSED_MAX {
            std::thread::sleep(Duration::from_millis(5));
        }
        let body = json!({"path": path, "number": number}).to_string();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
        let _ = write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    }
}

/// A request, read to its end; nothing where whoever asks is gone before.
fn read(stream: &TcpStream) -> Option<Arrived> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let (mut key, mut length) = (String::new(), 0);
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header).ok()? == 0 {
            return None;
        }
        if header.trim().is_empty() {
            break;
        }
        let (name, value) = header.split_once(':').unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "idempotency-key" => key = value.trim().to_owned(),
            "content-length" => length = value.trim().parse().unwrap_or(0),
            _ => {}
        }
    }
    reader.read_exact(&mut vec![0; length]).ok()?;
    Some(Arrived { path, key })
}

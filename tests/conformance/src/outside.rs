//! A service on this machine, which guests ask.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

/// How long an answer at `/slow` takes.
const SLOW: Duration = Duration::from_millis(120);
/// More than a response may have.
const LARGE_BYTES: usize = 600 << 10;
/// More than the headers of a response may have.
const HEADER_BYTES: usize = 24 << 10;

#[derive(Default)]
struct Desk {
    arrived: BTreeMap<String, usize>,
    now: usize,
    most: usize,
}

/// The service. What it answers is said by the path: `/echo`, `/slow`, `/large`, `/wide`, `/inside`, and redirects to
/// the last: `/redirect`, and `/metadata` to an address where clouds keep credentials.
pub struct Outside {
    port: u16,
    desk: Arc<Mutex<Desk>>,
}

impl Outside {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// When there is no port.
    pub fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let desk: Arc<Mutex<Desk>> = Arc::default();
        let serving = Arc::clone(&desk);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let desk = Arc::clone(&serving);
                // Whoever asked may be gone: nobody is to be told.
                std::thread::spawn(move || serve(stream, port, &desk).unwrap_or_default());
            }
        });
        Ok(Self { port, desk })
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many requests have reached a path.
    pub fn arrived(&self, path: &str) -> usize {
        self.desk.lock().arrived.get(path).copied().unwrap_or(0)
    }

    /// How many were there at the same time, at most.
    pub fn most(&self) -> usize {
        self.desk.lock().most
    }

    /// Forgets what has arrived.
    pub fn forget(&self) {
        *self.desk.lock() = Desk::default();
    }
}

fn serve(mut stream: TcpStream, port: u16, desk: &Mutex<Desk>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let (mut length, mut key) = (0, String::new());
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header)? == 0 || header.trim().is_empty() {
            break;
        }
        let (name, value) = header.split_once(':').unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap_or(0),
            "idempotency-key" => key = value.trim().to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    {
        let mut desk = desk.lock();
        *desk.arrived.entry(path.clone()).or_insert(0) += 1;
        desk.now += 1;
        desk.most = desk.most.max(desk.now);
    }
    if path == "/slow" {
        std::thread::sleep(SLOW);
    }
    desk.lock().now -= 1;
    let (status, header, body) = match path.as_str() {
        "/redirect" => ("302 Found", format!("location: http://127.0.0.1:{port}/inside\r\n"), b"moved".to_vec()),
        "/metadata" => ("307 Temporary Redirect", "location: http://169.254.169.254/\r\n".into(), b"moved".to_vec()),
        "/large" => ("200 OK", String::new(), vec![b'x'; LARGE_BYTES]),
        "/wide" => ("200 OK", format!("x-wide: {}\r\n", "w".repeat(HEADER_BYTES)), Vec::new()),
        "/key" => ("200 OK", String::new(), key.into_bytes()),
        _ => ("200 OK", String::new(), body),
    };
    write!(stream, "HTTP/1.1 {status}\r\n{header}connection: close\r\ncontent-length: {}\r\n\r\n", body.len())?;
    stream.write_all(&body)
}

//! Backups of the running server, as streams: data first, then the keys that belong to it.

use std::io::Write;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use http_body::Frame;
use interlink_runtime::backup::{BackupError, Packed, is_id};
use interlink_runtime::{Engine, Trouble};
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::app::App;
use crate::problem::Problem;
use crate::request::Asked;

/// Backups that may be under way at once: each reads the whole journal, twice.
pub const BACKUPS_MAX: usize = 2;
/// What is sent at once, in bytes.
const CHUNK_BYTES: usize = 256 << 10;
/// Chunks that wait for whoever receives them: with their size, what a backup holds in memory.
const CHUNKS_WAITING_MAX: usize = 8;
/// How long a receiver may take nothing before its backup is given up.
const STALLED: Duration = Duration::from_secs(120);
/// The header that says which backup it is.
pub const ID_HEADER: HeaderName = HeaderName::from_static("interlink-backup");
/// What is sent.
const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/x-tar");

/// The data of a backup: journal, components and schemas, with everything that was acknowledged before. The header
/// `Interlink-Backup` is its id; `docs/backup-format.md` says what is in it.
#[utoipa::path(get, path = "/v1/backup", tag = "server",
    responses((status = 200, description = "A tar file", content_type = "application/x-tar"),
        (status = 403, body = Problem), (status = 429, body = Problem)))]
pub async fn data(State(app): State<App>, asked: Asked) -> Result<Response, Problem> {
    send(&app, &asked, |engine| engine.backup_data()).await
}

/// The keys of a backup, to be asked for when its data is there: `backup` is the id of that.
#[utoipa::path(get, path = "/v1/backup/keys", tag = "server", params(("backup" = String, Query)),
    responses((status = 200, description = "A tar file", content_type = "application/x-tar"),
        (status = 400, body = Problem), (status = 403, body = Problem), (status = 429, body = Problem)))]
pub async fn keys(State(app): State<App>, asked: Asked) -> Result<Response, Problem> {
    let of = asked.query("backup").filter(|id| is_id(id)).map(str::to_owned);
    let of = of.ok_or_else(|| Problem::malformed("`backup` is the id of the data, as `Interlink-Backup` said it"))?;
    send(&app, &asked, move |engine| engine.backup_keys(&of)).await
}

async fn send(
    app: &App,
    asked: &Asked,
    pack: impl FnOnce(&Engine) -> Result<Packed, BackupError> + Send + 'static,
) -> Result<Response, Problem> {
    asked.known.operator("taking a backup")?;
    let busy = || Trouble::Busy { what: format!("{BACKUPS_MAX} backups are under way"), retry_after_s: 60 };
    let place = Arc::clone(&app.backups).try_acquire_owned().map_err(|_| busy())?;
    let engine = Arc::clone(&app.engine);
    let packing = tokio::task::spawn_blocking(move || pack(&engine)).await;
    let packed = packing.map_err(|_| Problem::internal("the backup could not be taken"))?.map_err(failed)?;
    let id = HeaderValue::from_str(&packed.id()).expect("an id is hexadecimal digits");
    let headers = [
        (header::CONTENT_TYPE, CONTENT_TYPE),
        (header::CONTENT_LENGTH, HeaderValue::from(packed.bytes())),
        (ID_HEADER, id),
    ];
    Ok((headers, Body::new(stream(packed, place))).into_response())
}

fn failed(error: BackupError) -> Problem {
    tracing::error!(%error, "a backup could not be taken");
    Problem::internal(error.to_string())
}

/// Writes on a thread of its own, which waits for the receiver; asynchronous workers never wait for the disk.
fn stream(packed: Packed, place: OwnedSemaphorePermit) -> Chunks {
    let (sender, receiver) = channel(CHUNKS_WAITING_MAX);
    let handle = Handle::current();
    tokio::task::spawn_blocking(move || {
        let mut pipe = Pipe { chunk: Vec::with_capacity(CHUNK_BYTES), sender, handle };
        if let Err(error) = packed.write_to(&mut pipe) {
            tracing::warn!(%error, "a backup was not sent to its end");
            // A body that ends with an error ends the connection, so that nobody takes what is there for the whole.
            let _ = pipe.send(Err(std::io::Error::other(error)));
        }
        drop(place);
    });
    Chunks(receiver)
}

/// The end of the pipe that is written.
struct Pipe {
    chunk: Vec<u8>,
    sender: Sender<std::io::Result<Bytes>>,
    handle: Handle,
}

impl Pipe {
    fn send(&self, chunk: std::io::Result<Bytes>) -> std::io::Result<()> {
        let sent = self.handle.block_on(self.sender.send_timeout(chunk, STALLED));
        sent.map_err(|_| std::io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let taken = bytes.len().min(CHUNK_BYTES - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..taken]);
        if self.chunk.len() == CHUNK_BYTES {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK_BYTES));
        self.send(Ok(chunk.into()))
    }
}

/// The end of the pipe that is read: the body of the answer.
struct Chunks(Receiver<std::io::Result<Bytes>>);

impl HttpBody for Chunks {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        let chunk = ready!(self.0.poll_recv(context));
        Poll::Ready(chunk.map(|chunk| chunk.map(Frame::data)))
    }
}

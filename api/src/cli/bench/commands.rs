//! Durable commands, beside the least that durability costs.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use interlink_model::process::Command;

use super::Outcome;
use super::engine::{TASK, command, new_process, open};
use super::measured::{Measured, measure};

/// Bytes of a record of the append-only file.
const RECORD_BYTES: usize = 300;

/// The least that durability costs: one file, records appended, one sync shared by all that wait.
pub async fn raw_file(place: &Path, writers: usize, length: Duration) -> Outcome<Measured> {
    let mut file = File::create(place.join("log")).map_err(|error| error.to_string())?;
    type Waiting = tokio::sync::oneshot::Sender<()>;
    let (send, waiting) = std::sync::mpsc::channel::<Waiting>();
    let committer = std::thread::spawn(move || {
        let mut buffer = Vec::new();
        while let Ok(first) = waiting.recv() {
            let all: Vec<_> = [first].into_iter().chain(waiting.try_iter()).collect();
            buffer.clear();
            buffer.resize(all.len() * RECORD_BYTES, 7u8);
            if file.write_all(&buffer).and_then(|()| file.sync_data()).is_err() {
                return;
            }
            for writer in all {
                // A writer whose time is over does not wait.
                let _ = writer.send(());
            }
        }
    });
    let measured = measure(writers, length, move |_| {
        let send = send.clone();
        async move {
            let (tell, told) = tokio::sync::oneshot::channel();
            send.send(tell).map_err(|_| "the file cannot be written")?;
            told.await.map_err(|_| "the file cannot be written".to_owned())
        }
    })
    .await?;
    committer.join().map_err(|_| "the file's committer failed".to_owned())?;
    Ok(measured)
}

/// Tasks claimed and released, each writer on a process of its own.
pub async fn durable_commands(place: &Path, writers: usize, length: Duration) -> Outcome<Measured> {
    let (engine, caller) = open(place).await?;
    let mut ids = Vec::new();
    for writer in 0..writers {
        ids.push((
            new_process(&engine, &caller, &format!("bench {writer}")).await?,
            std::sync::atomic::AtomicBool::new(false),
        ));
    }
    let ids = Arc::new(ids);
    let working = Arc::clone(&engine);
    let measured = measure(writers, length, move |writer| {
        let (engine, caller, ids) = (Arc::clone(&working), caller.clone(), Arc::clone(&ids));
        async move {
            let (id, claimed) = &ids[writer];
            let was = claimed.fetch_xor(true, std::sync::atomic::Ordering::Relaxed);
            let wish = if was { Command::Release(TASK.into()) } else { Command::Claim(TASK.into()) };
            command(&engine, &caller, *id, &wish).await
        }
    })
    .await;
    engine.close();
    measured
}

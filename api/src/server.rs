//! The server: opens the engine, publishes what is shipped, listens, and stops in order.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use interlink_host::Limits;
use interlink_model::event::Actor;
use interlink_runtime::{Answer, Engine, Options, Permit, Trouble};

use crate::app::{App, router};
use crate::outbound::Sender;
use crate::routes::calls::Shown;

/// Interlinkers that ship with the server, as components with their manifests.
const SHIPPED: [(&str, &[u8]); 2] = [
    ("poll", include_bytes!("../../interlinkers/dist/poll.wasm")),
    ("document", include_bytes!("../../interlinkers/dist/document.wasm")),
];

/// Time between signed checkpoints of the journal.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(3_600);
/// How long open requests may take when the server stops.
const DRAIN: Duration = Duration::from_secs(10);

/// What a server is started with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The data directory.
    pub data: PathBuf,
    /// Where to listen.
    pub listen: SocketAddr,
    /// A directory of components to publish in place of those that ship.
    pub interlinkers: Option<PathBuf>,
    /// Size of the journal's segments, bytes.
    pub segment_bytes: u64,
    /// Whether a proxy in front says where requests come from.
    pub behind_proxy: bool,
    /// What a call of an Interlinker may use.
    pub limits: Limits,
}

/// Serves until the process is told to stop.
pub fn serve(settings: &Settings) -> Result<(), String> {
    let began = Instant::now();
    let mut progress = |taken| tracing::info!(records = taken, "bringing the state up to the journal");
    let journal = interlink_journal::Options { segment_bytes: settings.segment_bytes, ..Default::default() };
    let (outbound, limits) = (Arc::new(Sender::default()), settings.limits.clone());
    let options = Options { journal, outbound: Some(outbound), limits, ..Options::default() };
    let engine = Engine::open(&settings.data, options, &mut progress).map_err(|error| error.to_string())?;
    let engine = Arc::new(engine);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("starting the runtime: {error}"))?;
    let served = runtime.block_on(run(settings, &engine, began));
    runtime.shutdown_timeout(Duration::from_secs(2));
    engine.close();
    served
}

async fn run(settings: &Settings, engine: &Arc<Engine>, began: Instant) -> Result<(), String> {
    publish_shipped(engine, settings.interlinkers.as_deref()).await?;
    let listener = tokio::net::TcpListener::bind(settings.listen)
        .await
        .map_err(|error| format!("listening on {}: {error}", settings.listen))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    // Before anybody is told that it is ready: whoever stops it at once stops it in order.
    let told_to_stop = told_to_stop().map_err(|error| format!("listening for signals: {error}"))?;
    let (processes, position) = engine.size();
    let interlinkers = engine.interlinkers().len();
    tracing::info!(
        "ready in {:.2} s: {processes} processes, {interlinkers} Interlinkers, journal at {position}, http://{address}",
        began.elapsed().as_secs_f64()
    );
    let checkpoints = Arc::clone(engine);
    tokio::spawn(async move {
        let mut hourly =
            tokio::time::interval_at(tokio::time::Instant::now() + CHECKPOINT_INTERVAL, CHECKPOINT_INTERVAL);
        loop {
            hourly.tick().await;
            let engine = Arc::clone(&checkpoints);
            // One that fails is followed by another in an hour.
            let _ = tokio::task::spawn_blocking(move || engine.write_checkpoint()).await;
        }
    });
    let resuming = Arc::clone(engine);
    tokio::spawn(async move { resuming.resume(Arc::new(Shown)).await });
    let app = router(App::new(Arc::clone(engine), settings.behind_proxy));
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let (stopping, stopped) = tokio::sync::oneshot::channel();
    let serving = axum::serve(listener, app).with_graceful_shutdown(async move {
        told_to_stop.await;
        let _ = stopping.send(());
    });
    tokio::select! {
        served = serving => served.map_err(|error| format!("serving: {error}")),
        () = async { let _ = stopped.await; tokio::time::sleep(DRAIN).await } => Ok(()),
    }
}

/// Takes the signals that stop the server from now on; ends with the first of them.
fn told_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Publishes the Interlinkers that ship, where they are not in the catalogue yet.
async fn publish_shipped(engine: &Engine, from: Option<&Path>) -> Result<(), String> {
    let components: Vec<(String, Vec<u8>)> = match from {
        None => SHIPPED.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect(),
        Some(directory) => {
            let read = |error: std::io::Error| format!("reading {}: {error}", directory.display());
            let mut found = Vec::new();
            for entry in std::fs::read_dir(directory).map_err(read)? {
                let path = entry.map_err(read)?.path();
                if path.extension().is_some_and(|extension| extension == "wasm") {
                    let bytes = std::fs::read(&path).map_err(read)?;
                    found.push((path.display().to_string(), bytes));
                }
            }
            found.sort();
            found
        }
    };
    for (name, bytes) in components {
        let unasked =
            |_: &_| Answer { status: 201, content_type: String::new(), body: Vec::new(), location: None, etag: None };
        match engine.publish(&bytes, None, Actor::System, unasked, &Permit::default()).await {
            Ok(_) => {}
            Err(Trouble::Taken { id, .. }) => {
                tracing::warn!("{id} is in the catalogue with other content; the one that is there stays");
            }
            // One that is damaged on disk costs what stands on it, not the start.
            Err(error @ Trouble::Damaged { .. }) => tracing::error!("publishing {name}: {error}"),
            Err(error) => return Err(format!("publishing {name}: {error}")),
        }
    }
    Ok(())
}

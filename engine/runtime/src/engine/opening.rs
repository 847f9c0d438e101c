//! Opening: the parts of an engine, put together in the order in which they need each other.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use interlink_host::{Host, HostConfig, Limits, Outbound};
use interlink_journal::{FileJournal, Journal, ReadError};
use parking_lot::Mutex;

use super::Engine;
use super::resuming::interrupted;
use crate::ambient::{Ambient, System};
use crate::assets::Assets;
use crate::backup::Source;
use crate::calls::{NoOutbound, World};
use crate::catalogue::Catalogue;
use crate::core::Core;
use crate::dispatch::Dispatcher;
use crate::effects::Workshop;
use crate::gate::Gate;
use crate::keys::{KeyError, Keys};
use crate::mended;
use crate::organizations::Organizations;
use crate::people::People;
use crate::processes::Processes;
use crate::recover::replay;
use crate::scrub::Scrubber;
use crate::state::{Checkpointer, State, StateError};
use crate::telling::Teller;

/// How an engine is opened.
#[derive(Clone)]
pub struct Options {
    /// Time and randomness.
    pub ambient: Arc<dyn Ambient>,
    /// How its journal is opened.
    pub journal: interlink_journal::Options,
    /// Threads on which Interlinkers run.
    pub guest_threads: usize,
    /// Who makes happen what nobody asks for.
    pub drive: Drive,
    /// What a call may use, on a host of its own.
    pub limits: Limits,
    /// The host on which Interlinkers run; one of its own where there is none.
    pub host: Option<Host>,
    /// What sends the requests of Interlinkers; nothing does where there is none.
    pub outbound: Option<Arc<dyn Outbound>>,
}

/// Who makes timers fire, effects happen and checkpoints be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drive {
    /// The engine's own threads.
    Threads,
    /// Whoever holds it, step by step: a simulation ([`Engine::by_hand`], [`Engine::checkpoint`]).
    ByHand,
}

impl Default for Options {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            ambient: Arc::new(System),
            journal: interlink_journal::Options::default(),
            guest_threads: threads.max(2),
            drive: Drive::Threads,
            limits: Limits::default(),
            host: None,
            outbound: None,
        }
    }
}

/// Why an engine could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the directory.
    #[error("{0} is in use by another interlink; one server at a time has a data directory")]
    InUse(PathBuf),
    /// The operating system refused.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted.
        what: String,
        /// The reason.
        source: std::io::Error,
    },
    /// The journal.
    #[error(transparent)]
    Journal(#[from] interlink_journal::OpenError),
    /// The journal, once it was open.
    #[error(transparent)]
    Unread(#[from] ReadError),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The state.
    #[error(transparent)]
    State(#[from] StateError),
    /// The host of Interlinkers.
    #[error("the Interlinker host: {0}")]
    Host(String),
}

/// Takes a data directory, so that nobody else does.
pub(crate) fn lock(data: &Path) -> Result<File, OpenError> {
    let io = |what: &str| {
        let what = what.to_owned();
        move |source| OpenError::Io { what, source }
    };
    let path = data.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(path).map_err(io("opening the lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(OpenError::InUse(data.into())),
        Err(std::fs::TryLockError::Error(source)) => Err(OpenError::Io { what: "locking".into(), source }),
    }
}

/// What opening found.
#[derive(Debug, Clone, Copy, Default)]
pub struct Opened {
    /// Records that the state did not include.
    pub replayed: u64,
    /// Damage in the journal.
    pub damaged: usize,
}

impl Engine {
    /// Opens the engine on a data directory, which it makes where it is new: recovers the journal, brings the state up
    /// to it, reads the catalogue. `progress` is told how many records have been replayed.
    pub fn open(data: &Path, options: Options, progress: &mut dyn FnMut(u64)) -> Result<Self, OpenError> {
        std::fs::create_dir_all(data)
            .map_err(|source| OpenError::Io { what: format!("making {}", data.display()), source })?;
        let lock = lock(data)?;
        let files = Arc::new(FileJournal::open_on(data, options.journal.clone())?);
        let source = Source { data: data.into(), journal: Arc::clone(&files) };
        let mut engine = Self::on(data, files, Some(lock), options, progress)?;
        engine.source = Some(source);
        Ok(engine)
    }

    /// Opens the engine on a journal that is open. Keys, state and components are in the data directory; whoever calls sees
    /// to it that nobody else has it, or hands over the lock.
    pub fn on(
        data: &Path,
        journal: Arc<dyn Journal>,
        lock: Option<File>,
        options: Options,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self, OpenError> {
        let (known, damaged) = mended::sort(&*journal, journal.damage());
        known
            .iter()
            .for_each(|(damage, _)| tracing::warn!(%damage, "the journal was damaged, and mended from the state"));
        damaged.iter().for_each(|damage| tracing::error!(%damage, "the journal is damaged"));
        let keys = Keys::open(data, journal.highest_key(), Arc::clone(&options.ambient))?;
        let host = match options.host {
            Some(host) => host,
            None => {
                let config = HostConfig {
                    threads: options.guest_threads,
                    cache: Some(data.join("cache")),
                    secret: keys.secrets().integrity,
                    limits: options.limits,
                };
                Host::new(config).map_err(|error| OpenError::Host(error.to_string()))?
            }
        };
        let (state, included) = State::open(data, journal.identity(), journal.durable().unwrap_or(0))?;
        let identity = journal.identity();
        let threads = options.drive == Drive::Threads;
        let checkpointer =
            threads.then(|| Checkpointer::start(Arc::clone(&state), identity, Arc::clone(&options.ambient)));
        let checkpointer =
            checkpointer.transpose().map_err(|source| OpenError::Io { what: "starting checkpoints".into(), source })?;
        let core = Arc::new(Core::new(journal, state, keys, host, options.ambient));
        let catalogue =
            Catalogue::new(data).map_err(|source| OpenError::Io { what: "making components/".into(), source })?;
        let catalogue = Arc::new(catalogue);
        for trouble in catalogue.read(&core)? {
            tracing::error!(trouble, "an entry of the catalogue cannot be read");
        }
        let (organizations, troubles) = Organizations::read(&core)?;
        troubles.iter().for_each(|trouble| tracing::error!(trouble, "an organization cannot be read"));
        let organizations = Arc::new(organizations);
        let replayed = replay(&core, &catalogue, included, progress)?;
        let outbound = options.outbound.unwrap_or_else(|| Arc::new(NoOutbound));
        let gate = Arc::new(Gate::default());
        let (own_core, own_catalogue) = (Arc::clone(&core), Arc::clone(&catalogue));
        let world = World {
            core: own_core,
            catalogue: own_catalogue,
            organizations: Arc::clone(&organizations),
            outbound,
            gate: Arc::clone(&gate),
        };
        let processes = Arc::new(Processes::new(Arc::clone(&core), Arc::clone(&catalogue)));
        let assets = Assets::new(Arc::clone(&processes), Arc::new(world));
        let interrupted = interrupted(&core, &gate, &assets);
        // Nothing is dispatched before recovery has ended.
        let workshop = Workshop {
            core: Arc::clone(&core),
            catalogue: Arc::clone(&catalogue),
            processes: Arc::clone(&processes),
            assets: Arc::clone(&assets),
        };
        let dispatcher = threads.then(|| Dispatcher::start(workshop));
        let dispatcher = dispatcher
            .transpose()
            .map_err(|source| OpenError::Io { what: "starting the dispatcher".into(), source })?;
        let scrub = || Scrubber::start(Arc::clone(&core), Arc::clone(&processes));
        let scrubber = threads.then(scrub).transpose();
        let scrubber = scrubber.map_err(|source| OpenError::Io { what: "starting the scrub".into(), source })?;
        let teller = || Teller::start(Arc::clone(&core), Arc::clone(&catalogue), Arc::clone(&processes));
        let teller = threads.then(teller).transpose();
        let teller = teller.map_err(|source| OpenError::Io { what: "starting what tells people".into(), source })?;
        Ok(Self {
            core,
            catalogue,
            organizations,
            processes,
            assets,
            dispatcher: Mutex::new(dispatcher),
            scrubber: Mutex::new(scrubber),
            teller: Mutex::new(teller),
            people: People::default(),
            gate,
            interrupted: Mutex::new(interrupted),
            checkpointer: Mutex::new(checkpointer),
            provisioning: tokio::sync::Mutex::default(),
            source: None,
            opened: Opened { replayed, damaged: damaged.len() },
            _lock: lock,
        })
    }
}

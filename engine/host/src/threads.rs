//! The host itself: an engine, and threads of its own on which guests run.
//!
//! Guests compute; an asynchronous worker that ran one would serve nobody else meanwhile. Which call runs when is the
//! [queue](crate::queue)'s.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::call::{Call, Called, Cost, Failure};
use crate::durable::Durable;
use crate::fault::Fault;
use crate::guest::{Guest, TICK};
use crate::imports::linker;
use crate::interlinker::Interlinker;
use crate::limits::Limits;
use crate::precompiled::Cache;
use crate::publish::{Inspected, PublishError, digest, read};
use crate::queue::{Full, Job, Leave, Load, MayBegin, Queue, Tell};
use crate::run::{Remains, run};

/// Memory that an instance's slot keeps from call to call, from its start on. All of it is cleared, after whoever waits was told:
/// that costs less than asking the kernel for the pages that a call writes, which stands in the call's own time, and with
/// several threads has each of them interrupt the others. A guest in JavaScript has a stack of 1 MiB at the start of its memory
/// and all that a call writes in the half MiB behind it: with 256 KiB kept, which is a part of that stack that nobody uses, its
/// call took three times as long. Python writes all over its 13 MiB, and gains nothing.
///
/// Finding with the kernel's scan of pages what was written is cheaper, and misses what was swapped out: a call could then see
/// what another has left (wasmtime's pull request 14357).
const KEEP_RESIDENT_BYTES: usize = 2 << 20;

/// How a host is made.
pub struct HostConfig {
    /// Guests that compute at the same time; at least two. Those that wait for the world outside have threads beside.
    pub threads: usize,
    /// Where native code is kept from one start to the next.
    pub cache: Option<PathBuf>,
    /// Secret that native code is signed with.
    pub secret: [u8; 32],
    /// What a call may use.
    pub limits: Limits,
}

/// Why a host could not be made.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The compiler and its pool could not be set up.
    #[error("setting the engine up: {0}")]
    Engine(String),
    /// A thread could not be started.
    #[error("starting a thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// The host. Cloning it is cheap; the last one to go ends its threads.
#[derive(Clone)]
pub struct Host {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    linker: Linker<Guest>,
    limits: Arc<Limits>,
    cache: Option<Cache>,
    queue: Arc<Queue>,
    stop: Arc<AtomicBool>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.queue.stop();
    }
}

impl Host {
    /// Makes a host and starts its threads.
    pub fn new(config: HostConfig) -> Result<Self, HostError> {
        let HostConfig { threads: places, cache, secret, limits } = config;
        let places = places.max(2);
        // A call that waits for the world outside, or for others, gives up its place, and keeps its thread and its instance; so
        // does one that is over and told, until its memory is cleared.
        let under_way = 2 * places + limits.calls_outside + limits.calls_aside;
        let failed = |error: wasmtime::Error| HostError::Engine(format!("{error:#}"));
        let engine = Engine::new(&engine_config(under_way, &limits)).map_err(failed)?;
        let linker = linker(&engine).map_err(failed)?;
        let limits = Arc::new(limits);
        let queue = Arc::new(Queue::new(places, &limits));
        // Those that have stepped back and wait for the next slow call are no use to prompt ones.
        let threads = under_way + queue.kept_back;
        let stop = Arc::new(AtomicBool::new(false));
        let (running, ended) = (Arc::new(()), Arc::new(AtomicUsize::new(0)));
        let worker =
            Worker { engine: engine.clone(), limits: Arc::clone(&limits), queue: Arc::clone(&queue), running, ended };
        (0..threads).try_for_each(|_| worker.clone().start())?;
        let stopped = Arc::clone(&stop);
        std::thread::Builder::new().name("guest-deadlines".into()).spawn(move || {
            // Calls that still run when the host goes have their deadlines, too.
            while !stopped.load(Ordering::Relaxed) || Arc::strong_count(&worker.running) > 1 {
                std::thread::sleep(TICK);
                worker.engine.increment_epoch();
                worker.start_again(&stopped);
            }
        })?;
        let cache = cache.map(|directory| Cache { directory, secret });
        Ok(Self { inner: Arc::new(Inner { engine, linker, limits, cache, queue, stop }) })
    }

    /// What a call may use.
    pub fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// Reads and checks a component without running it.
    pub fn inspect(&self, bytes: &[u8]) -> Result<Inspected, PublishError> {
        let loaded = self.load(bytes)?;
        Ok(Inspected { manifest: loaded.manifest().clone(), digest: loaded.digest().to_owned() })
    }

    /// Makes a component ready to run: compiled, or loaded from the ahead-of-time cache.
    pub fn load(&self, bytes: &[u8]) -> Result<Arc<Interlinker>, PublishError> {
        let Inner { engine, linker, limits, cache, .. } = &*self.inner;
        let manifest = read(bytes, limits)?;
        let digest = digest(bytes);
        let kept = cache.as_ref().and_then(|cache| cache.load(engine, &digest));
        let component = match kept {
            Some(component) => component,
            None => {
                let compiled = Component::from_binary(engine, bytes);
                let compiled = compiled.map_err(|error| PublishError::Invalid { reason: format!("{error:#}") })?;
                if let Some(cache) = cache {
                    cache.store(engine, &digest, &compiled);
                }
                compiled
            }
        };
        Interlinker::new(linker, &component, manifest, digest, limits).map(Arc::new)
    }

    /// Runs a call on a guest thread; `tell` is called there with what came of it, or here at once where too many wait.
    /// The call has its state and nothing else: asking for the clock, randomness, HTTP or a secret ends it.
    pub fn call(&self, interlinker: &Arc<Interlinker>, call: Call, tell: Tell) {
        self.enqueue(interlinker, call, None, None, tell);
    }

    /// Runs a call that may ask the world outside its asset, and whose answers are recorded, as [`call`](Self::call)
    /// does. A view is run as there: it has no outside.
    pub fn call_durably(&self, interlinker: &Arc<Interlinker>, call: Call, durable: Durable, tell: Tell) {
        self.enqueue(interlinker, call, Some(durable), None, tell);
    }

    /// Runs a call, with an outside or without, where `may_begin` still says so when its turn has come: it may have waited
    /// for long.
    pub fn call_if(
        &self,
        interlinker: &Arc<Interlinker>,
        call: Call,
        durable: Option<Durable>,
        may_begin: MayBegin,
        tell: Tell,
    ) {
        self.enqueue(interlinker, call, durable, Some(may_begin), tell);
    }

    /// What each Interlinker that was called has of this host.
    pub fn loads(&self) -> Vec<Load> {
        self.inner.queue.loads()
    }

    fn enqueue(
        &self,
        interlinker: &Arc<Interlinker>,
        call: Call,
        durable: Option<Durable>,
        may_begin: Option<MayBegin>,
        tell: Tell,
    ) {
        let (interlinker, since) = (Arc::clone(interlinker), Instant::now());
        let job = Job { interlinker, call, durable, may_begin, tell, since };
        if let Err(Full { tell, fault }) = self.inner.queue.put(job) {
            let result = Err(Failure::Failed(fault));
            tell(Called { result, logs: Vec::new(), cost: Cost::default() });
        }
    }
}

/// What a thread of guests needs.
#[derive(Clone)]
struct Worker {
    engine: Engine,
    limits: Arc<Limits>,
    queue: Arc<Queue>,
    /// One for each thread, and one for whoever starts them.
    running: Arc<()>,
    /// Threads that have ended because they had stepped back.
    ended: Arc<AtomicUsize>,
}

impl Worker {
    fn start(self) -> std::io::Result<()> {
        std::thread::Builder::new().name("guest".into()).spawn(move || self.work()).map(drop)
    }

    /// Starts threads in place of those that have ended: not from them, because what a thread is given it hands on.
    fn start_again(&self, stopped: &AtomicBool) {
        while !stopped.load(Ordering::Relaxed) && self.ended.load(Ordering::Relaxed) > 0 {
            if let Err(error) = self.clone().start() {
                return tracing::error!(%error, "a thread of guests cannot be started; it is tried again");
            }
            self.ended.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Runs calls, until there are no more, or until others are to run them.
    fn work(self) {
        loop {
            let (Job { interlinker, call, durable, may_begin, tell, since }, place) = match self.queue.take() {
                Ok(taken) => taken,
                Err(Leave::Stopped) => return,
                Err(Leave::SteppedBack) => {
                    self.ended.fetch_add(1, Ordering::Relaxed);
                    return;
                }
            };
            let digest = interlinker.digest();
            // A panic in here is a defect of ours; it costs its call, and no thread.
            let ran = || match may_begin.is_none_or(|may_begin| may_begin()) {
                true => {
                    let (called, remains) = run(&self.engine, &self.limits, &interlinker, call, durable, place, since);
                    (called, Some(remains))
                }
                false => (Called { result: Err(Failure::NotBegun), logs: Vec::new(), cost: Cost::default() }, None),
            };
            let ran = catch_unwind(AssertUnwindSafe(ran));
            let (called, remains) = ran.unwrap_or_else(|_| (failed_here(digest), None));
            if catch_unwind(AssertUnwindSafe(|| tell(called))).is_err() {
                tracing::error!(digest, "what came of a call was told, and the telling panicked");
            }
            if catch_unwind(AssertUnwindSafe(|| remains.map(Remains::clear))).is_err() {
                tracing::error!(digest, "what was left of a call could not be cleared away");
            }
        }
    }
}

/// What is told of a call in which the host itself panicked.
fn failed_here(digest: &str) -> Called {
    tracing::error!(digest, "the host panicked in a call");
    let fault = Fault::Trap { message: "the host failed in this call".into() };
    Called { result: Err(Failure::Failed(fault)), logs: Vec::new(), cost: Cost::default() }
}

/// Deterministic, bounded, and nothing that we do not use.
fn engine_config(under_way: usize, limits: &Limits) -> Config {
    let instances = under_way as u32;
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(instances)
        .total_core_instances(instances * limits.core_instances)
        .total_memories(instances * limits.memories)
        .total_tables(instances * limits.core_instances)
        .max_core_instances_per_component(limits.core_instances)
        .max_memories_per_component(limits.memories)
        .max_tables_per_component(limits.core_instances)
        .max_memory_size(limits.memory_bytes)
        .table_elements(limits.table_elements)
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(16 << 10);
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(limits.stack_bytes)
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .concurrency_support(false)
        .wasm_multi_memory(true);
    config
}

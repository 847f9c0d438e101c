//! The scrub: a walk over all processes, behind everything else, that looks whether the state has lost anything of them.
//!
//! A row that is asked for by its name and is not there, or not as new as the journal says, is made again when it is read.
//! A place in an index is not asked for by name: a timer whose place sled lost would never fire, and nobody would know. So
//! after each start, and once a day, every process is held against its places. What is missing is put back and told; the
//! state is then made again at the next start.
//!
//! The same walk takes out of the state what is remembered no more.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use interlink_model::id::{ProcessId, StreamKind};

use crate::archive;
use crate::assets::put_back;
use crate::core::Core;
use crate::gate;
use crate::processes::Processes;
use crate::schedule;

/// Time between the ends of two walks.
const INTERVAL: Duration = Duration::from_secs(24 * 3_600);
/// Processes that are looked at in one go.
const PAGE: usize = 256;
/// Pause after each page: a million processes are walked within about five minutes.
const PACE: Duration = Duration::from_millis(50);

/// The thread that scrubs.
pub(crate) struct Scrubber {
    stop: Option<Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Scrubber {
    /// Starts it.
    pub fn start(core: Arc<Core>, processes: Arc<Processes>) -> std::io::Result<Self> {
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new().name("scrub".into()).spawn(move || {
            loop {
                let goes_on = walk(&core, &processes, &stopped, PACE) && forget(&core, &stopped, PACE);
                if !goes_on || !pause(&stopped, INTERVAL) {
                    return;
                }
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Scrubber {
    fn drop(&mut self) {
        // Whoever waits hears that nobody sends any more.
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Waits; says whether to go on.
fn pause(stopped: &Receiver<()>, length: Duration) -> bool {
    matches!(stopped.recv_timeout(length), Err(RecvTimeoutError::Timeout))
}

/// One walk over all processes; says whether it came to its end.
fn walk(core: &Arc<Core>, processes: &Processes, stopped: &Receiver<()>, pace: Duration) -> bool {
    let mut after = None;
    loop {
        // What cannot be read for now is walked another day.
        let streams = core.journal.streams(StreamKind::Process as u8, after, PAGE).unwrap_or_default();
        let Some(last) = streams.last() else { return true };
        after = Some(last.id);
        for stream in &streams {
            look_at(core, processes, ProcessId::from_bytes(stream.id));
        }
        if !pause(stopped, pace) {
            return false;
        }
    }
}

/// Takes out answers that are remembered no more; says whether it came to its end.
fn forget(core: &Core, stopped: &Receiver<()>, pace: Duration) -> bool {
    let mut after = None;
    loop {
        after = gate::forget_answers(&core.state, core.now(), after.as_deref(), PAGE);
        if after.is_none() {
            return true;
        }
        if !pause(stopped, pace) {
            return false;
        }
    }
}

/// Puts back what the state has lost of a process; says what it was.
fn look_at(core: &Arc<Core>, processes: &Processes, id: ProcessId) -> Option<&'static str> {
    if let Some(process) = processes.peek(id) {
        let lost: Vec<_> = process.assets.keys().filter(|asset| put_back(core, **asset)).collect();
        if !lost.is_empty() {
            tracing::error!(process = %id, alarms = lost.len(), "the state has lost these; they were put back");
            core.state.mark_damaged("it has lost what it once had");
            core.rouse.notify_one();
        }
    }
    // Not kept in memory: a walk over a million must not put away what people work on.
    let is_whole = match processes.peek(id) {
        Some(process) => schedule::missing(&core.state, &process).is_none(),
        // A process that is archived has no row.
        None => archive::row(&core.state, id).is_some(),
    };
    if is_whole {
        return None;
    }
    // One that cannot be read refuses work by itself. What waits for its sync is looked at again in the next walk.
    let cell = processes.cell(id).ok()?;
    let lost = processes.put_back(&cell)?;
    tracing::error!(process = %id, lost, "the state has lost this; it was put back");
    core.state.mark_damaged("it has lost what it once had");
    core.rouse.notify_one();
    Some(lost)
}

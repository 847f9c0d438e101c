//! Tells whoever takes part in a process that the version of an Interlinker on which one of its assets stands was deprecated
//! or revoked: an event of the process, and their notifications.
//!
//! It is a walk over all assets, on a thread of its own: when a version is withdrawn, once more when every call that was let in
//! before has ended, and at each start until that one has come to its end. That it has is a row of the state: where that is lost
//! the walk is made again, and tells nobody twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use interlink_model::asset::Asset;
use interlink_model::event::Actor;
use interlink_model::facts::{InterlinkerRef, Withdrawn};
use interlink_model::id::{AssetId, Micros, StreamKind};
use interlink_model::process::{Command, Rule};

use crate::assets::rows::head_of;
use crate::assets::taking_part;
use crate::catalogue::{Catalogue, Withdrawal};
use crate::core::Core;
use crate::error::{Outcome, Trouble};
use crate::gate::{Answer, Permit};
use crate::processes::{Ask, Processes};
use crate::state::{Value, key, table};
use crate::usage::bytes_of;

/// Assets that are looked at in one go.
const PAGE: usize = 256;
/// How long a call may be under way that was let in before its version was withdrawn: it may make an asset behind a walk. So
/// long it is, too, until a walk that did not settle everything is made again.
const CALLS_LAST: Duration = Duration::from_secs(60);

/// The thread that tells.
pub(crate) struct Teller {
    wake: Option<Sender<()>>,
    stops: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Teller {
    /// Starts it, with what an earlier one left.
    pub fn start(core: Arc<Core>, catalogue: Arc<Catalogue>, processes: Arc<Processes>) -> std::io::Result<Self> {
        let (wake, woken) = channel();
        let stops = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stops);
        let thread = std::thread::Builder::new().name("telling".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            let Ok(runtime) = runtime else { return tracing::error!("withdrawn versions are told of after a restart") };
            let telling = Telling { core, catalogue, processes, stopped };
            loop {
                let untold = telling.untold();
                runtime.block_on(telling.walk(&untold));
                // Whatever is withdrawn during a walk is heard of here, right after it.
                let next = match untold.is_empty() {
                    true => woken.recv().map_err(|_| RecvTimeoutError::Disconnected),
                    false => woken.recv_timeout(CALLS_LAST),
                };
                if next == Err(RecvTimeoutError::Disconnected) {
                    return;
                }
            }
        })?;
        Ok(Self { wake: Some(wake), stops, thread: Some(thread) })
    }

    /// A version was withdrawn.
    pub fn wake(&self) {
        if let Some(wake) = &self.wake {
            // A thread that has ended by itself said so.
            let _ = wake.send(());
        }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.stops.store(true, Ordering::Relaxed);
        // Whoever waits hears that nobody sends any more.
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The row that says of what everybody has been told who takes part in a process with this version.
fn mark_key(interlinker: &InterlinkerRef) -> Vec<u8> {
    key(table::TOLD, &[interlinker.name.as_bytes(), b"@", interlinker.version.as_bytes()])
}

fn mark(how: Withdrawn) -> Value {
    Value::bytes(how.as_str().as_bytes())
}

/// Whether every call has ended by a moment that was let in before a version was withdrawn.
fn is_settled(withdrawn: Micros, now: Micros) -> bool {
    now.0.saturating_sub(withdrawn.0) >= CALLS_LAST.as_micros() as i64
}

struct Telling {
    core: Arc<Core>,
    catalogue: Arc<Catalogue>,
    processes: Arc<Processes>,
    stopped: Arc<AtomicBool>,
}

impl Telling {
    /// Tells of these versions, and notes of which of them nobody is left who has to be told.
    async fn walk(&self, untold: &[(InterlinkerRef, Withdrawal)]) {
        let (began, mut after, mut is_whole) = (self.core.now(), None, true);
        if untold.is_empty() {
            return;
        }
        loop {
            let streams = match self.core.journal.streams(StreamKind::Asset as u8, after, PAGE) {
                Ok(streams) => streams,
                Err(error) => return tracing::warn!(%error, "withdrawn versions are told of later"),
            };
            let Some(last) = streams.last() else { break };
            after = Some(last.id);
            for stream in &streams {
                if self.stopped.load(Ordering::Relaxed) {
                    return;
                }
                is_whole &= self.tell(AssetId::from_bytes(stream.id), untold).await;
            }
        }
        let settled = untold.iter().filter(|(_, withdrawal)| is_whole && is_settled(withdrawal.at, began));
        let marks = settled.map(|(interlinker, withdrawal)| (mark_key(interlinker), mark(withdrawal.how)));
        self.core.state.put(self.core.state.applied(), marks);
    }

    /// Versions that were withdrawn and of which not everybody has been told.
    fn untold(&self) -> Vec<(InterlinkerRef, Withdrawal)> {
        let is_told = |interlinker: &InterlinkerRef, how: Withdrawn| {
            let found = self.core.state.get(&mark_key(interlinker));
            found.is_some_and(|found| *bytes_of(&found) == *how.as_str().as_bytes())
        };
        let mut all = self.catalogue.withdrawn();
        all.retain(|(interlinker, withdrawal)| !is_told(interlinker, withdrawal.how));
        all
    }

    /// Tells of an asset; says whether that has to be tried no more.
    async fn tell(&self, id: AssetId, untold: &[(InterlinkerRef, Withdrawal)]) -> bool {
        // One that was archived with its process is told of by nobody; it is seen when it is brought back.
        let Some((asset, _)) = head_of(&self.core, id) else { return true };
        let Some((interlinker, how)) = concerns(&asset, untold) else { return true };
        match self.tell_of(&asset, interlinker, how).await {
            Ok(()) => true,
            // Told already, put away, or gone meanwhile.
            Err(Trouble::Rejected(refused, _)) => matches!(refused.rule, Rule::NothingToDo | Rule::ProcessArchived),
            Err(trouble @ (Trouble::Damaged { .. } | Trouble::NotFound { .. })) => {
                tracing::error!(asset = %id, %trouble, "nobody can be told that its version was withdrawn");
                true
            }
            Err(trouble) => {
                tracing::warn!(asset = %id, %trouble, "that its version was withdrawn is told later");
                false
            }
        }
    }

    async fn tell_of(&self, asset: &Asset, interlinker: &InterlinkerRef, how: Withdrawn) -> Outcome<()> {
        // Looked at without loading it: a walk must not put away what people work on.
        let known = self.processes.peek(asset.process);
        if known.is_some_and(|process| process.assets.get(&asset.id).is_some_and(|it| it.was_told(interlinker, how))) {
            return Ok(());
        }
        let cell = self.processes.cell(asset.process)?;
        let to = taking_part(&self.core, asset.process).await?.into_iter().collect();
        let command = Command::NoteWithdrawn { asset: asset.id, interlinker: interlinker.clone(), how, to };
        let ask = Ask { command: &command, note: None, expected: None };
        let answer = |_: &crate::processes::Done<'_>| (Answer::default(), None);
        let told = self.processes.command(&cell, Actor::System, ask, |_| None, answer, Permit::default());
        told.await.map(|_| ())
    }
}

/// What of all that was withdrawn concerns an asset. One that was made of a version that was deprecated before is no news to
/// whoever made it.
fn concerns<'a>(asset: &Asset, untold: &'a [(InterlinkerRef, Withdrawal)]) -> Option<(&'a InterlinkerRef, Withdrawn)> {
    let (interlinker, withdrawal) = untold.iter().find(|(version, _)| *version == asset.interlinker)?;
    let is_news = withdrawal.how == Withdrawn::Revoked || asset.created_at < withdrawal.at;
    (is_news && asset.removed_at.is_none()).then_some((interlinker, withdrawal.how))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_withdrawn_is_settled_when_no_call_of_before_can_be_under_way() {
        let lasts = CALLS_LAST.as_micros() as i64;
        assert!(!is_settled(Micros(5), Micros(5 + lasts - 1)));
        assert!(is_settled(Micros(5), Micros(5 + lasts)));
        assert!(!is_settled(Micros(5 + lasts), Micros(5)), "a clock that was put back");
    }
}

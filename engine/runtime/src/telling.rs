//! Tells whoever takes part in a process that the version of an Interlinker on which one of its assets stands was deprecated
//! or revoked: an event of the process, and their notifications.
//!
//! It is a walk over all assets, on a thread of its own, begun when a version is withdrawn and at each start until it has once
//! come to its end. That it has is a row of the state: where that is lost the walk is made again, and tells nobody twice.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::time::Duration;

use interlink_model::asset::Asset;
use interlink_model::event::Actor;
use interlink_model::facts::{InterlinkerRef, Withdrawn};
use interlink_model::id::{AssetId, StreamKind};
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
/// Pause before a walk that something stopped is begun again.
const PAUSE: Duration = Duration::from_secs(10);

/// The thread that tells.
pub(crate) struct Teller {
    wake: Option<Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Teller {
    /// Starts it, with what an earlier one left.
    pub fn start(core: Arc<Core>, catalogue: Arc<Catalogue>, processes: Arc<Processes>) -> std::io::Result<Self> {
        let (wake, woken) = channel();
        let thread = std::thread::Builder::new().name("telling".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            let Ok(runtime) = runtime else { return tracing::error!("withdrawn versions are told of after a restart") };
            let telling = Telling { core, catalogue, processes };
            loop {
                let is_done = runtime.block_on(telling.walk(&woken));
                let next =
                    if is_done { woken.recv().map_err(|_| RecvTimeoutError::Disconnected) } else { wait(&woken) };
                if matches!(next, Err(RecvTimeoutError::Disconnected)) {
                    return;
                }
            }
        })?;
        Ok(Self { wake: Some(wake), thread: Some(thread) })
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
        // Whoever waits hears that nobody sends any more.
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn wait(woken: &Receiver<()>) -> Result<(), RecvTimeoutError> {
    woken.recv_timeout(PAUSE)
}

/// The row that says of what everybody has been told who takes part in a process with this version.
fn mark_key(interlinker: &InterlinkerRef) -> Vec<u8> {
    key(table::TOLD, &[interlinker.name.as_bytes(), b"@", interlinker.version.as_bytes()])
}

fn mark(how: Withdrawn) -> Value {
    Value::bytes(how.as_str().as_bytes())
}

struct Telling {
    core: Arc<Core>,
    catalogue: Arc<Catalogue>,
    processes: Arc<Processes>,
}

impl Telling {
    /// Tells of all that was withdrawn; says whether it came to its end.
    async fn walk(&self, woken: &Receiver<()>) -> bool {
        // Whatever woke it before this moment is told of now.
        while woken.try_recv().is_ok() {}
        let untold = self.untold();
        if untold.is_empty() {
            return true;
        }
        let (mut after, mut is_whole) = (None, true);
        loop {
            let streams = match self.core.journal.streams(StreamKind::Asset as u8, after, PAGE) {
                Ok(streams) => streams,
                Err(error) => {
                    tracing::warn!(%error, "withdrawn versions are told of later");
                    return false;
                }
            };
            let Some(last) = streams.last() else { break };
            after = Some(last.id);
            for stream in &streams {
                is_whole &= self.tell(AssetId::from_bytes(stream.id), &untold).await;
            }
            if matches!(woken.try_recv(), Err(TryRecvError::Disconnected)) {
                return false;
            }
        }
        if !is_whole {
            return false;
        }
        let mark =
            |(interlinker, withdrawal): &(InterlinkerRef, Withdrawal)| (mark_key(interlinker), mark(withdrawal.how));
        self.core.state.put(self.core.state.applied(), untold.iter().map(mark));
        true
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
        let cell = self.processes.cell(asset.process)?;
        let to = taking_part(&self.core, asset.process)?.into_iter().collect();
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

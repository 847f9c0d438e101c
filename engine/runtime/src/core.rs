//! What every part of the engine stands on: journal, state, keys, host, clock; and the one way in which anything is
//! written.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use interlink_host::Host;
use interlink_journal::{Append, AppendError, Committed, Head, Journal, NewRecord, Position, RecordKind, Stream};
use interlink_model::event::{Actor, Stamp};
use interlink_model::id::Micros;
use interlink_model::process::Process;
use tokio::sync::{oneshot, watch};

use crate::ambient::{Ambient, correlation_id};
use crate::draft::Written;
use crate::error::{Outcome, Trouble};
use crate::guard::Guards;
use crate::keys::Keys;
use crate::state::State;

/// Shared by every part of the engine.
pub(crate) struct Core {
    pub journal: Arc<dyn Journal>,
    pub state: Arc<State>,
    pub keys: Arc<Keys>,
    pub host: Host,
    pub ambient: Arc<dyn Ambient>,
    /// What stands between a call and its Interlinker.
    pub guards: Guards,
    /// Told when something is to happen that nobody asks for.
    pub rouse: tokio::sync::Notify,
    /// Whether a durable call may have been left open: by a crash, or because what came of it could not be written.
    pub has_open_calls: AtomicBool,
}

/// Told when an append is durable or has failed.
pub(crate) type Fate = oneshot::Receiver<Result<Committed, AppendError>>;

impl Core {
    pub fn new(
        journal: Arc<dyn Journal>,
        state: Arc<State>,
        keys: Arc<Keys>,
        host: Host,
        ambient: Arc<dyn Ambient>,
    ) -> Self {
        let (rouse, has_open_calls) = (tokio::sync::Notify::new(), AtomicBool::new(false));
        let guards = Guards::default();
        Self { journal, state, keys, host, ambient, guards, rouse, has_open_calls }
    }

    pub fn now(&self) -> Micros {
        self.ambient.now()
    }

    /// Tells the dispatcher that a process has something planned.
    pub fn rouse(&self, process: &Process) {
        if process.next_timer().is_some() || process.pending_effects().next().is_some() {
            self.rouse.notify_one();
        }
    }

    /// The stamp of something that happens now.
    pub fn stamp(&self, at: Micros, actor: Actor) -> Stamp {
        Stamp { at, actor, correlation: Some(correlation_id(&*self.ambient)), causation: None }
    }

    /// Where a stream ends; `what` it is of, for whoever is told that it cannot be read.
    pub fn head(&self, at: &Stream) -> Outcome<Option<Head>> {
        self.journal.head(at).map_err(|error| Trouble::of_read(error, "stream", at))
    }

    /// The version that the next record of a stream takes.
    pub fn next_version(&self, at: &Stream) -> Outcome<u64> {
        Ok(self.head(at)?.map_or(0, |head| head.version + 1))
    }

    /// Refuses a stream of which the state has seen more than the journal has: the state is never ahead, so the last of its
    /// records was damaged in a way that left nothing to say whose it was.
    pub fn check_not_ahead(&self, at: &Stream, seen: u64, what: &'static str, id: impl ToString) -> Outcome<()> {
        match self.head(at)?.is_none_or(|head| seen > head.version) {
            true => Err(Trouble::Damaged { what, id: id.to_string() }),
            false => Ok(()),
        }
    }

    /// Hands events, and records with them that are none (an answer, a snapshot, a checkpoint), to the journal as one
    /// append. `settle` is called by the committer, in the order of appends, with the position of the first event, or
    /// nothing where the append failed; what it puts into the state is there before anybody is told.
    pub fn commit(
        &self,
        written: &[Written],
        beside: impl IntoIterator<Item = NewRecord>,
        settle: impl FnOnce(Option<Position>) + Send + 'static,
    ) -> Fate {
        let at_us = written.iter().map(|written| written.stamp.at.0).max().unwrap_or_else(|| self.now().0);
        let beside: Vec<_> = beside.into_iter().collect();
        let answer = beside.iter().find(|beside| beside.kind == RecordKind::Answer);
        let remembered = answer.map(|answer| (answer.stream, answer.body.bytes().to_vec()));
        let records: Vec<_> = written.iter().map(Written::record).chain(beside).collect();
        let (tell, told) = oneshot::channel();
        let state = Arc::clone(&self.state);
        let done = move |fate: Result<Committed, AppendError>| {
            match &fate {
                Ok(committed) => {
                    settle(Some(committed.first));
                    if let Some((stream, body)) = remembered {
                        crate::gate::put_answer(&state, committed.last, &stream, body);
                    }
                    state.advance(committed.last);
                }
                Err(_) => settle(None),
            }
            // Nobody may be waiting any more: what is durable is durable.
            let _ = tell.send(fate);
        };
        self.journal.submit(Append { records, at_us }, Box::new(done));
        told
    }
}

/// The version of a stream that is durable, for refusals that wait for what they were decided on.
pub(crate) struct Durable(watch::Sender<Reached>);

/// How far a stream is durable.
#[derive(Debug, Clone, Copy)]
struct Reached {
    version: u64,
    /// How often an append failed: whoever decided on one that did waits for what will not come.
    failures: u64,
}

/// What was ahead when something was decided.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ahead {
    pub version: u64,
    pub failures: u64,
}

impl Durable {
    pub fn new(version: u64) -> Self {
        Self(watch::Sender::new(Reached { version, failures: 0 }))
    }

    /// A version is durable.
    pub fn reached(&self, version: u64) {
        self.0.send_modify(|reached| reached.version = version);
    }

    /// An append failed.
    pub fn failed(&self) {
        self.0.send_modify(|reached| reached.failures += 1);
    }

    /// What is decided now on this version. Called while no failure can come between the version and this, or where
    /// the failures were counted before the version was looked at.
    pub fn ahead(&self, version: u64) -> Ahead {
        Ahead { version, failures: self.failures() }
    }

    /// How often an append failed so far.
    pub fn failures(&self) -> u64 {
        self.0.borrow().failures
    }

    /// Waits until what was ahead is durable. Where an append has failed since, whether it was is not known.
    pub async fn wait(&self, ahead: Ahead) -> Outcome<()> {
        let mut reached = self.0.subscribe();
        let over = |reached: &Reached| reached.failures != ahead.failures || reached.version >= ahead.version;
        match reached.wait_for(over).await {
            Ok(reached) if reached.failures == ahead.failures => Ok(()),
            _ => Err(Trouble::Unknown("what the refusal was decided on could not be written".into())),
        }
    }
}

/// Waits for an append's fate.
pub(crate) async fn settled(fate: Fate) -> Result<Committed, AppendError> {
    let gone = || AppendError::Unavailable { reason: "the server is stopping".into() };
    fate.await.unwrap_or_else(|_| Err(gone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_refusal_whose_ground_was_lost_does_not_wait_for_what_comes_in_its_place() {
        let durable = Durable::new(3);
        let lost = durable.ahead(5);
        durable.failed();
        durable.reached(4);
        assert!(durable.wait(lost).await.is_err(), "version 5 as it was decided on will never be");
        let ahead = durable.ahead(5);
        durable.reached(5);
        assert!(durable.wait(ahead).await.is_ok());
    }
}

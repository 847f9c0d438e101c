//! What every part of the engine stands on: journal, state, keys, host, clock; and the one way in which anything is
//! written.

use std::sync::Arc;

use interlink_host::Host;
use interlink_journal::{Append, AppendError, Committed, Journal, NewRecord, Position};
use interlink_model::event::{Actor, Stamp};
use interlink_model::id::Micros;
use tokio::sync::oneshot;

use crate::ambient::{Ambient, correlation_id};
use crate::draft::Written;
use crate::keys::Keys;
use crate::state::State;

/// Shared by every part of the engine.
pub(crate) struct Core {
    pub journal: Arc<dyn Journal>,
    pub state: Arc<State>,
    pub keys: Arc<Keys>,
    pub host: Host,
    pub ambient: Arc<dyn Ambient>,
}

/// Told when an append is durable or has failed.
pub(crate) type Fate = oneshot::Receiver<Result<Committed, AppendError>>;

impl Core {
    pub fn now(&self) -> Micros {
        self.ambient.now()
    }

    /// The stamp of something that happens now.
    pub fn stamp(&self, at: Micros, actor: Actor) -> Stamp {
        Stamp { at, actor, correlation: Some(correlation_id(&*self.ambient)), causation: None }
    }

    /// Hands events, and an answer with them, to the journal as one append. `settle` is called by the committer, in the
    /// order of appends, with the position of the first event, or nothing where the append failed; what it puts into
    /// the state is there before anybody is told.
    pub fn commit(
        &self,
        written: &[Written],
        answer: Option<NewRecord>,
        settle: impl FnOnce(Option<Position>) + Send + 'static,
    ) -> Fate {
        let at_us = written.iter().map(|written| written.stamp.at.0).max().unwrap_or_else(|| self.now().0);
        let remembered = answer.as_ref().map(|answer| (answer.stream, answer.body.bytes().to_vec()));
        let records: Vec<_> = written.iter().map(Written::record).chain(answer).collect();
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

/// Waits for an append's fate.
pub(crate) async fn settled(fate: Fate) -> Result<Committed, AppendError> {
    let gone = || AppendError::Unavailable { reason: "the server is stopping".into() };
    fate.await.unwrap_or_else(|_| Err(gone()))
}

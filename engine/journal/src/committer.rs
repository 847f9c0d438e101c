//! The one writer: takes everything that waits, writes it as one batch, syncs once, wakes all.
//!
//! A thread of its own rather than a task: it spends its life in `write` and `fdatasync`, which would hold up an
//! asynchronous worker. After a failure it has no segment: it ends the old one, opens another, and only then takes
//! appends again; while that does not succeed the journal is read-only.

use std::iter::Peekable;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crate::disk::{Disk, write_all_at};
use crate::draft::Draft;
use crate::prepare::Preparer;
use crate::queue::Waiting;
use crate::recovery::Chain;
use crate::segment::Segment;
use crate::shared::Shared;
use crate::succession::{Cut, Rest, Succession};

/// What is said once the committer has panicked.
const GIVEN_UP: &str = "a defect ended the writing of the journal; a restart goes on behind what was acknowledged";

pub(crate) struct Committer {
    pub shared: Arc<Shared>,
    pub disk: Arc<dyn Disk>,
    pub succession: Succession,
    pub preparer: Preparer,
    /// The segment that is written; none while the journal is read-only.
    pub active: Option<Arc<Segment>>,
    /// Where the journal stands: behind the last batch that is durable.
    pub chain: Chain,
    pub segment_bytes: u64,
    /// Between two tries to go on.
    pub retry_pause: Duration,
    /// Kept from batch to batch, so that its memory is.
    pub buffer: Vec<u8>,
}

impl Committer {
    /// Runs until the queue is closed and empty. Where that panics how far the journal is written is not known any more: it takes
    /// nothing until it is opened again, and everybody who comes is told so here, as always.
    pub fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        if catch_unwind(AssertUnwindSafe(|| self.write())).is_err() {
            let refuse = || {
                shared.queue.refuse(GIVEN_UP.into(), []);
                while !shared.queue.pause(self.retry_pause) {}
            };
            // Telling can panic, too: that costs those who were to be told in the same go, and nobody after them.
            while catch_unwind(AssertUnwindSafe(refuse)).is_err() {}
        }
        shared.queue.end();
        self.preparer.end();
    }

    fn write(&mut self) {
        loop {
            if let Some(active) = self.active.clone() {
                let Some(waiting) = self.shared.queue.take() else { break };
                self.turn(active, &mut waiting.into_iter().peekable());
            } else if self.shared.queue.pause(self.retry_pause) {
                break;
            } else {
                self.go_on();
            }
        }
    }

    /// Writes all that waits; at the first failure the rest of it is refused.
    fn turn<W: Iterator<Item = Waiting>>(&mut self, mut active: Arc<Segment>, waiting: &mut Peekable<W>) {
        while waiting.peek().is_some() {
            let buffer = std::mem::take(&mut self.buffer);
            let mut draft = Draft::of(waiting, &*self.shared, self.chain, active.seal(), buffer);
            let written = if draft.many > 0 { self.commit(&mut active, &mut draft) } else { Ok(()) };
            if let Err(error) = written {
                let reason = format!("a write to {} failed: {error}", active.name);
                // A conflict that was found on events which are lost is as unknown as they are.
                let drafted = draft.fates.into_iter().map(|(done, _)| done);
                self.shared.queue.refuse(reason.into(), drafted.chain(waiting.map(|(_, done)| done)));
                self.succession.cuts.push(Cut { name: active.name.clone(), from: active.end(), rest: Rest::Torn });
                self.active = None;
                return self.go_on();
            }
            if draft.many > 0 {
                let end = active.end();
                let bytes = end - draft.buffer.len() as u64..end;
                self.shared.publish(draft.heads, &draft.totals, bytes, self.chain);
                draft.mended.iter().for_each(|(stream, version)| self.shared.note_mended(*stream, Some(*version)));
            }
            draft.fates.into_iter().for_each(|(done, fate)| done(fate));
            self.buffer = draft.buffer;
        }
    }

    /// Writes a batch and syncs it.
    fn commit(&mut self, active: &mut Arc<Segment>, draft: &mut Draft) -> std::io::Result<()> {
        if active.end() + draft.batch_bytes() > self.segment_bytes {
            *active = self.roll(active)?;
            draft.reseal(active.seal());
        }
        let chain = draft.frame();
        let offset = active.end();
        write_all_at(&*self.disk, &active.file.file, &draft.buffer, offset)?;
        self.disk.sync_data(&active.file.file)?;
        active.extend(self.chain.next, offset, offset + draft.buffer.len() as u64);
        self.chain = chain;
        Ok(())
    }

    /// Goes on in the next segment of this epoch; the full one is cut to what it holds.
    fn roll(&mut self, full: &Segment) -> std::io::Result<Arc<Segment>> {
        self.disk.set_len(&full.file.file, full.end())?;
        self.disk.sync_all(&full.file.file)?;
        let next = self.succession.open(self.chain)?;
        self.enter(Arc::clone(&next));
        Ok(next)
    }

    /// Makes a new segment the one that is written.
    fn enter(&mut self, next: Arc<Segment>) {
        self.shared.enter(&next, self.chain);
        self.active = Some(next);
        self.preparer.order();
    }

    /// Tries to take appends again after a failure. Everybody whose append it cost has been told.
    fn go_on(&mut self) {
        match self.succession.go_on(self.chain) {
            Ok(next) => {
                self.enter(next);
                self.shared.queue.accept();
            }
            Err(error) => self.shared.queue.refuse(error.to_string().into(), []),
        }
    }
}

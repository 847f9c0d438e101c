//! What waits for the committer, and whether anything may.
//!
//! A failure has an order: first the queue refuses, then everybody whose append was refused is told, and only then does
//! it take appends again. So nobody who has yet to hear of a refusal can have a later append accepted: what was
//! decided on top of a refused append is refused as well. Refusals are counted for that while they are being told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::{Append, AppendError, Done};

/// What is said to those who come too late.
const STOPPING: &str = "the server is stopping";

/// An append and who is told of its fate.
pub(crate) type Waiting = (Append, Done);

#[derive(Default)]
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    /// Something waits, the queue was closed, or a refusal has been told.
    wake: Condvar,
}

#[derive(Default)]
struct Inner {
    waiting: Vec<Waiting>,
    closed: bool,
    /// Why nothing is taken, while nothing is.
    refusing: Option<Arc<str>>,
    /// Refusals that callers are being told of at this moment.
    being_told: usize,
}

impl Queue {
    /// A queue that refuses everything from the start.
    pub fn refusing(reason: Arc<str>) -> Self {
        let inner = Inner { refusing: Some(reason), ..Inner::default() };
        Self { inner: Mutex::new(inner), wake: Condvar::new() }
    }

    /// Lets an append wait for the committer, or refuses it before it returns.
    pub fn submit(&self, append: Append, done: Done) {
        let reason = {
            let mut inner = self.inner.lock();
            let reason = match &inner.refusing {
                _ if inner.closed => STOPPING.into(),
                Some(reason) => Arc::clone(reason),
                None => {
                    inner.waiting.push((append, done));
                    self.wake.notify_all();
                    return;
                }
            };
            inner.being_told += 1;
            reason
        };
        let told = Told(self);
        refuse(done, &reason);
        drop(told);
    }

    /// All that waits, as soon as something does; `None` when the queue is closed and empty.
    pub fn take(&self) -> Option<Vec<Waiting>> {
        let mut inner = self.inner.lock();
        while inner.waiting.is_empty() {
            if inner.closed {
                return None;
            }
            self.wake.wait(&mut inner);
        }
        Some(std::mem::take(&mut inner.waiting))
    }

    /// All that waits, be it nothing.
    #[cfg(any(test, feature = "suite"))]
    pub fn take_now(&self) -> Vec<Waiting> {
        std::mem::take(&mut self.inner.lock().waiting)
    }

    /// Refuses from now on, and hands out what waits: the caller tells them.
    pub fn refuse(&self, reason: Arc<str>) -> Vec<Waiting> {
        let mut inner = self.inner.lock();
        inner.refusing = Some(reason);
        std::mem::take(&mut inner.waiting)
    }

    /// Takes appends again, as soon as nobody is being told of a refusal any more.
    pub fn accept(&self) {
        let mut inner = self.inner.lock();
        while inner.being_told > 0 {
            self.wake.wait(&mut inner);
        }
        inner.refusing = None;
    }

    /// Waits for a while, or until the queue is closed; says whether it is.
    pub fn pause(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        let mut inner = self.inner.lock();
        while !inner.closed && !self.wake.wait_until(&mut inner, until).timed_out() {}
        inner.closed
    }

    /// Why nothing is taken, while nothing is; a queue that is closed says nothing here.
    pub fn refusal(&self) -> Option<Arc<str>> {
        self.inner.lock().refusing.clone()
    }

    /// Takes nothing more; what waits is still handed out.
    pub fn close(&self) {
        self.inner.lock().closed = true;
        self.wake.notify_all();
    }
}

/// Counts a refusal off, even where the one who was told of it panicked.
struct Told<'a>(&'a Queue);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        self.0.inner.lock().being_told -= 1;
        self.0.wake.notify_all();
    }
}

/// Tells somebody that an append was not made.
pub(crate) fn refuse(done: Done, reason: &Arc<str>) {
    done(Err(AppendError::Unavailable { reason: Arc::clone(reason) }));
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::suite::{append, stream};

    #[test]
    fn nothing_is_accepted_while_somebody_is_being_told_of_a_refusal() {
        let queue = Arc::new(Queue::refusing("broken".into()));
        let (in_done, inside) = mpsc::channel();
        let (let_go, gone) = mpsc::channel::<()>();
        let slow = Arc::clone(&queue);
        let caller = std::thread::spawn(move || {
            let done = move |fate: Result<_, AppendError>| {
                in_done.send(fate.is_err()).expect("the test waits");
                gone.recv().expect("the test lets go");
            };
            slow.submit(append(&[(stream(1), 0)]), Box::new(done));
        });
        assert_eq!(inside.recv(), Ok(true), "the first caller is being told");
        let (accepted, told) = mpsc::channel();
        let opening = Arc::clone(&queue);
        let opener = std::thread::spawn(move || {
            opening.accept();
            accepted.send(()).expect("the test waits");
        });
        assert!(told.recv_timeout(Duration::from_millis(50)).is_err(), "not yet open");
        assert_eq!(queue.refusal().as_deref(), Some("broken"));
        let_go.send(()).expect("the caller waits");
        told.recv_timeout(Duration::from_secs(10)).expect("open once the refusal has been told");
        assert_eq!(queue.refusal(), None);
        caller.join().expect("ends");
        opener.join().expect("ends");
    }

    #[test]
    fn a_pause_ends_early_when_the_queue_is_closed() {
        let queue = Queue::default();
        assert!(!queue.pause(Duration::from_millis(1)));
        queue.close();
        assert!(queue.pause(Duration::from_secs(60)));
    }
}

//! What waits for the committer, and whether anything may.
//!
//! A failure has an order: first the queue refuses, then everybody whose append was refused is told, and only then does
//! it take appends again. So nobody who has yet to hear of a refusal can have a later append accepted: what was
//! decided on top of a refused append is refused as well.
//!
//! Refusals are told by the committer, as everything is, and not by `submit`: who submits may hold a lock that is wanted
//! by the one who is told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::{Append, AppendError, Done};

/// What is said to those who come too late.
const STOPPING: &str = "the server is stopping";

/// An append and who is told of its fate.
pub(crate) type Waiting = (Append, Done);

pub(crate) struct Queue {
    inner: Mutex<Inner>,
    /// Something waits, somebody is to be told, or the queue was closed.
    wake: Condvar,
}

struct Inner {
    waiting: Vec<Waiting>,
    /// Who is to be told that nothing is taken, and why.
    refused: Vec<(Done, Arc<str>)>,
    /// Why nothing is taken, while nothing is.
    refusing: Option<Arc<str>>,
    closed: bool,
    /// Whether a committer is there to tell anybody anything.
    served: bool,
}

impl Queue {
    /// A queue that a committer serves; it refuses from the start where there is a reason.
    pub fn served(refusing: Option<Arc<str>>) -> Self {
        let inner = Inner { waiting: Vec::new(), refused: Vec::new(), refusing, closed: false, served: true };
        Self { inner: Mutex::new(inner), wake: Condvar::new() }
    }

    /// A queue that takes nothing and has no committer.
    pub fn unserved(reason: Arc<str>) -> Self {
        let queue = Self::served(Some(reason));
        queue.inner.lock().served = false;
        queue
    }

    /// Lets an append wait for the committer, or for its refusal. Where there is no committer it is refused here.
    pub fn submit(&self, append: Append, done: Done) {
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
        if inner.served {
            inner.refused.push((done, reason));
            self.wake.notify_all();
        } else {
            drop(inner);
            refuse(done, &reason);
        }
    }

    /// All that waits, as soon as something does; `None` when the queue is closed and empty. Refusals are told meanwhile.
    pub fn take(&self) -> Option<Vec<Waiting>> {
        loop {
            self.tell();
            let mut inner = self.inner.lock();
            if !inner.waiting.is_empty() {
                return Some(std::mem::take(&mut inner.waiting));
            }
            if inner.closed {
                return None;
            }
            if inner.refused.is_empty() {
                self.wake.wait(&mut inner);
            }
        }
    }

    /// All that waits, be it nothing.
    #[cfg(any(test, feature = "suite"))]
    pub fn take_now(&self) -> Vec<Waiting> {
        std::mem::take(&mut self.inner.lock().waiting)
    }

    /// Refuses from now on, and tells those who wait behind `first`.
    pub fn refuse(&self, reason: Arc<str>, first: impl IntoIterator<Item = Done>) {
        let waiting = {
            let mut inner = self.inner.lock();
            inner.refusing = Some(Arc::clone(&reason));
            std::mem::take(&mut inner.waiting)
        };
        first.into_iter().chain(waiting.into_iter().map(|(_, done)| done)).for_each(|done| refuse(done, &reason));
        self.tell();
    }

    /// Tells everybody who is to be told of a refusal. For the one who serves the queue.
    pub fn tell(&self) {
        let refused = std::mem::take(&mut self.inner.lock().refused);
        refused.into_iter().for_each(|(done, reason)| refuse(done, &reason));
    }

    /// Takes appends again, as soon as everybody has been told of every refusal.
    pub fn accept(&self) {
        self.tell_all_and(|inner| inner.refusing = None);
    }

    /// From now on no committer serves the queue, which is closed: everybody has been told.
    pub fn end(&self) {
        self.tell_all_and(|inner| inner.served = false);
    }

    /// Tells of refusals until none is left, and changes something before another can come.
    fn tell_all_and(&self, change: impl FnOnce(&mut Inner)) {
        loop {
            self.tell();
            let mut inner = self.inner.lock();
            if inner.refused.is_empty() {
                return change(&mut inner);
            }
        }
    }

    /// Tells of refusals for a while, or until the queue is closed; says whether it is.
    pub fn pause(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        loop {
            self.tell();
            let mut inner = self.inner.lock();
            if inner.closed {
                return true;
            }
            if inner.refused.is_empty() && self.wake.wait_until(&mut inner, until).timed_out() {
                return inner.closed;
            }
        }
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

    /// Forgets who is to be told, as a crash does.
    #[cfg(any(test, feature = "suite"))]
    pub fn forget(&self) {
        let mut inner = self.inner.lock();
        (inner.waiting, inner.refused) = (Vec::new(), Vec::new());
    }
}

/// Tells somebody that an append was not made.
fn refuse(done: Done, reason: &Arc<str>) {
    done(Err(AppendError::Unavailable { reason: Arc::clone(reason) }));
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::suite::{append, stream};

    #[test]
    fn nothing_is_accepted_while_somebody_is_being_told_of_a_refusal() {
        let queue = Arc::new(Queue::served(Some("broken".into())));
        let (in_done, inside) = mpsc::channel();
        let (let_go, gone) = mpsc::channel::<()>();
        let slow = move |fate: Result<_, AppendError>| {
            in_done.send(fate.is_err()).expect("the test waits");
            gone.recv().expect("the test lets go");
        };
        queue.submit(append(&[(stream(1), 0)]), Box::new(slow));
        assert!(inside.try_recv().is_err(), "who submits is not who tells");
        let opening = Arc::clone(&queue);
        let opener = std::thread::spawn(move || opening.accept());
        assert_eq!(inside.recv_timeout(Duration::from_secs(10)), Ok(true), "the caller is being told");
        let (tell, told) = mpsc::channel();
        let early = move |fate: Result<_, AppendError>| tell.send(fate.is_err()).expect("the test waits");
        queue.submit(append(&[(stream(1), 1)]), Box::new(early));
        assert_eq!(queue.refusal().as_deref(), Some("broken"));
        let_go.send(()).expect("the caller waits");
        opener.join().expect("ends");
        assert_eq!(told.try_recv(), Ok(true), "what came before the refusal was told is refused too");
        assert_eq!(queue.refusal(), None);
    }

    #[test]
    fn a_pause_ends_early_when_the_queue_is_closed() {
        let queue = Queue::served(None);
        assert!(!queue.pause(Duration::from_millis(1)));
        queue.close();
        assert!(queue.pause(Duration::from_secs(60)));
    }

    #[test]
    fn during_a_pause_refusals_are_told() {
        let queue = Queue::served(Some("broken".into()));
        let (tell, told) = mpsc::channel();
        queue.submit(append(&[(stream(1), 0)]), Box::new(move |fate| tell.send(fate).expect("the test waits")));
        assert!(!queue.pause(Duration::from_millis(1)));
        assert_eq!(told.try_recv(), Ok(Err(AppendError::Unavailable { reason: "broken".into() })));
    }
}

//! Calls whoever keeps the index to work, and home.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

#[derive(Default)]
pub(crate) struct Bell {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    rung: bool,
    /// Whether files may be changed: not before all cuts that a start owes are made.
    begun: bool,
    stopped: bool,
}

impl Bell {
    /// There may be something to do.
    pub fn ring(&self) {
        self.state.lock().rung = true;
        self.changed.notify_all();
    }

    /// There may be something to do, and from now on it may be done.
    pub fn begin(&self) {
        self.state.lock().begun = true;
        self.ring();
    }

    pub fn stop(&self) {
        self.state.lock().stopped = true;
        self.changed.notify_all();
    }

    /// Waits until there may be something to do; false when the work is over.
    pub fn wait(&self) -> bool {
        let mut state = self.state.lock();
        while !(state.stopped || state.rung && state.begun) {
            self.changed.wait(&mut state);
        }
        state.rung = false;
        !state.stopped
    }

    /// Waits for a while; false when the work is over.
    pub fn pause(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        let mut state = self.state.lock();
        while !state.stopped && !self.changed.wait_until(&mut state, until).timed_out() {}
        !state.stopped
    }
}

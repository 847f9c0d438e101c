//! Who may run: calls wait here for a place, and one that waits for the world outside gives its place up meanwhile.
//!
//! There are as many *places* as cores: guests compute. One Interlinker holds at most half of them, and Interlinkers that wait
//! take turns, so that a busy one cannot starve the others. A call that sends a request or waits for its record does not
//! compute: it leaves its place and comes back for one, before anything new begins. So a slow service outside holds up
//! nothing but the calls that wait for it; how many of these there may be is bounded too, in all and for each Interlinker.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::call::{Call, Called};
use crate::durable::Durable;
use crate::interlinker::Interlinker;
use crate::limits::Limits;

/// Told what came of a call, on the guest's thread.
pub(crate) type Tell = Box<dyn FnOnce(Called) + Send>;

/// A call that waits.
pub(crate) struct Job {
    pub interlinker: Arc<Interlinker>,
    pub call: Call,
    pub durable: Option<Durable>,
    pub tell: Tell,
    pub since: Instant,
}

impl Job {
    fn line(&self) -> Line {
        Line { digest: self.interlinker.digest().to_owned(), may_ask: self.durable.is_some() }
    }
}

/// A line that takes no more.
pub(crate) struct Full {
    /// Whom to tell.
    pub tell: Tell,
    /// How many are in it.
    pub waiting: usize,
}

/// Where a call stands in line: with those of the same Interlinker that may ask outside too, or with those that may not.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Line {
    digest: String,
    may_ask: bool,
}

struct Waiting {
    jobs: HashMap<Line, VecDeque<Job>>,
    /// Lines with calls that wait, in turn.
    turns: VecDeque<Line>,
    /// Places that nobody has.
    free: usize,
    /// Calls that are back from outside and wait for a place.
    returning: usize,
    /// Calls that compute, by the digest of their Interlinker.
    computing: HashMap<String, usize>,
    /// Calls under way that may ask outside, by the digest of their Interlinker, and all of them.
    asking: HashMap<String, usize>,
    asking_all: usize,
    stop: bool,
}

/// Calls that wait, and the places of those that run.
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    /// Wakes a thread that looks for a call.
    wake: Condvar,
    /// Wakes a call that is back.
    back: Condvar,
    /// Places that one Interlinker may have.
    share: usize,
    asking_max: usize,
    asking_of_one_max: usize,
}

impl Queue {
    pub fn new(places: usize, limits: &Limits) -> Self {
        let waiting = Waiting {
            jobs: HashMap::new(),
            turns: VecDeque::new(),
            free: places,
            returning: 0,
            computing: HashMap::new(),
            asking: HashMap::new(),
            asking_all: 0,
            stop: false,
        };
        Self {
            waiting: Mutex::new(waiting),
            wake: Condvar::new(),
            back: Condvar::new(),
            share: places.div_ceil(2),
            asking_max: limits.calls_outside,
            asking_of_one_max: limits.calls_outside_of_one,
        }
    }

    /// Puts a call in line, unless `max` are in it.
    pub fn put(&self, job: Job, max: usize) -> Result<(), Full> {
        let line = job.line();
        let mut waiting = self.waiting.lock();
        let jobs = waiting.jobs.entry(line.clone()).or_default();
        let many = jobs.len();
        if many >= max {
            return Err(Full { tell: job.tell, waiting: many });
        }
        jobs.push_back(job);
        if many == 0 {
            waiting.turns.push_back(line);
        }
        self.wake.notify_one();
        Ok(())
    }

    /// The next call that may run, with a place for it: of the line whose turn it is. Nothing once the queue has stopped.
    pub fn take(self: &Arc<Self>) -> Option<(Job, Place)> {
        let mut waiting = self.waiting.lock();
        loop {
            if waiting.stop {
                return None;
            }
            let turn = waiting.turns.iter().position(|line| self.may_run(&waiting, line));
            let line = turn.and_then(|turn| waiting.turns.remove(turn));
            let Some(line) = line else {
                self.wake.wait(&mut waiting);
                continue;
            };
            let Some(jobs) = waiting.jobs.get_mut(&line) else { continue };
            let job = jobs.pop_front();
            if jobs.is_empty() {
                waiting.jobs.remove(&line);
            } else {
                waiting.turns.push_back(line.clone());
            }
            let Some(job) = job else { continue };
            waiting.begin(&line);
            return Some((job, Place { queue: Arc::clone(self), line }));
        }
    }

    fn may_run(&self, waiting: &Waiting, line: &Line) -> bool {
        let count = |counts: &HashMap<String, usize>| counts.get(&line.digest).copied().unwrap_or(0);
        let may_ask =
            !line.may_ask || (waiting.asking_all < self.asking_max && count(&waiting.asking) < self.asking_of_one_max);
        waiting.free > waiting.returning && count(&waiting.computing) < self.share && may_ask
    }

    /// Ends all that wait, and the threads that look for more.
    pub fn stop(&self) {
        self.waiting.lock().stop = true;
        self.wake.notify_all();
    }

    /// Wakes whoever can use a place that has become free.
    fn freed(&self, waiting: &MutexGuard<'_, Waiting>) {
        if waiting.returning > 0 {
            self.back.notify_one();
        }
        if waiting.free > waiting.returning && !waiting.turns.is_empty() {
            self.wake.notify_one();
        }
    }
}

impl Waiting {
    fn begin(&mut self, line: &Line) {
        self.occupy(&line.digest);
        if line.may_ask {
            *self.asking.entry(line.digest.clone()).or_default() += 1;
            self.asking_all += 1;
        }
    }

    fn occupy(&mut self, digest: &str) {
        self.free -= 1;
        *self.computing.entry(digest.to_owned()).or_default() += 1;
    }

    fn vacate(&mut self, digest: &str) {
        self.free += 1;
        count_down(&mut self.computing, digest);
    }
}

fn count_down(counts: &mut HashMap<String, usize>, digest: &str) {
    if let Some(count) = counts.get_mut(digest) {
        *count -= 1;
        if *count == 0 {
            counts.remove(digest);
        }
    }
}

/// The place of a call that runs. It is given up for good when this is dropped.
pub(crate) struct Place {
    queue: Arc<Queue>,
    line: Line,
}

impl Place {
    /// Gives the place up for as long as what is returned lives; dropping that waits for one.
    pub fn left(&self) -> Left<'_> {
        let mut waiting = self.queue.waiting.lock();
        waiting.vacate(&self.line.digest);
        self.queue.freed(&waiting);
        Left(self)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waiting = self.queue.waiting.lock();
        waiting.vacate(&self.line.digest);
        if self.line.may_ask {
            count_down(&mut waiting.asking, &self.line.digest);
            waiting.asking_all -= 1;
        }
        self.queue.freed(&waiting);
    }
}

/// A place that was given up for now.
pub(crate) struct Left<'a>(&'a Place);

impl Drop for Left<'_> {
    fn drop(&mut self) {
        let Place { queue, line } = self.0;
        let mut waiting = queue.waiting.lock();
        waiting.returning += 1;
        // Whoever is back comes before what is new, over its Interlinker's share too: it holds memory meanwhile.
        while waiting.free == 0 {
            queue.back.wait(&mut waiting);
        }
        waiting.returning -= 1;
        waiting.occupy(&line.digest);
        queue.freed(&waiting);
    }
}

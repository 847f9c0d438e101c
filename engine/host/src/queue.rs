//! Who may run: calls wait here for a place, and give it up while they wait for the world outside, or for others.
//!
//! There are as many *places* as cores: guests compute. One Interlinker holds at most half of them, and Interlinkers that wait
//! take turns, so that a busy one cannot starve the others. A call that sends a request or waits for its record does not
//! compute: it leaves its place and comes back for one, before anything new begins. So a slow service outside holds up
//! nothing but the calls that wait for it; how many of these there may be is bounded too, in all and for each Interlinker.
//! A call that is over and was prompt gives its place up before its memory is cleared, as long as few do.
//! Of Interlinkers that wait, the one that has most left of its CPU time comes first: one that fails quickly and is called
//! again at once is as costly to the others as one that is slow.
//!
//! A call that has computed for longer than a [slice](SLICE) is *slow*. Slow calls have half of the places and no more, take
//! turns on them slice by slice, and whoever waits meanwhile is *aside*, with its thread and its instance. What an Interlinker
//! calls next after a slow call, or when it has [used its CPU time up](crate::budget), begins as slow, behind what is prompt.
//! So the other half of the places is had by a prompt call at once, or after a tick, whatever strangers compute, and the
//! operating system prefers its thread to theirs; and where
//! nobody is in a hurry, nobody is held back for the budget's sake.

use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::budget::{Bucket, Budget, Standing};
use crate::call::{Call, Called};
use crate::durable::Durable;
use crate::fault::Fault;
use crate::guest::TICK;
use crate::idle::Idle;
use crate::interlinker::Interlinker;
use crate::limits::Limits;

/// CPU time after which a call is slow: one look of the clock of deadlines at it.
pub(crate) const SLICE: Duration = TICK;
/// How much less of a core the operating system gives to the thread of a slow call, where others want it: a third of
/// what it gives them. Much less, and one that is put aside while it holds a lock of ours holds everybody up.
const NICE: i32 = 5;
/// Where prompt calls would take every place, a slow one has one so often.
const SLOW_EVERY: Duration = Duration::from_millis(100);

/// Told what came of a call, on the guest's thread.
pub(crate) type Tell = Box<dyn FnOnce(Called) + Send>;

/// Asked when a call's turn has come, whether it is still to be made.
pub type MayBegin = Box<dyn FnOnce() -> bool + Send>;

/// A call that waits.
pub(crate) struct Job {
    pub interlinker: Arc<Interlinker>,
    pub call: Call,
    pub durable: Option<Durable>,
    pub may_begin: Option<MayBegin>,
    pub tell: Tell,
    pub since: Instant,
}

/// A line that takes no more.
pub(crate) struct Full {
    /// Whom to tell.
    pub tell: Tell,
    /// Which limit, and how far.
    pub fault: Fault,
}

/// Why a thread has no more calls to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leave {
    /// The queue has stopped.
    Stopped,
    /// The thread has stepped back, and there are enough of those: another is to be started in its place.
    SteppedBack,
}

/// What one Interlinker has of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// The Interlinker's digest.
    pub digest: String,
    /// CPU time that its calls have used since the host was made, in microseconds.
    pub cpu_us: u64,
    /// What is left of its budget, in microseconds; below zero what it owes.
    pub budget_left_us: i64,
    /// Its calls that wait for their turn.
    pub waiting: usize,
    /// Its calls that compute, or are aside.
    pub running: usize,
}

/// Where a call stands in line: with those of the same Interlinker that may ask outside too, or with those that may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Line {
    account: usize,
    may_ask: bool,
}

/// What is known of one Interlinker.
struct Account {
    digest: String,
    bucket: Bucket,
    cpu: Duration,
    /// Whether its last call was slow, or one that runs is.
    was_slow: bool,
    /// Calls that compute or are aside.
    running: usize,
    /// Calls under way that may ask outside.
    asking: usize,
    waiting: usize,
}

struct Waiting {
    jobs: HashMap<Line, VecDeque<Job>>,
    /// Lines with calls that wait, in turn.
    turns: VecDeque<Line>,
    accounts: Vec<Account>,
    /// Places of accounts, by digest.
    by_digest: HashMap<String, usize>,
    /// Places that nobody has.
    free: usize,
    /// Prompt calls that are back from outside and wait for a place.
    returning: usize,
    /// Places that slow calls have.
    slow: usize,
    /// Slow calls under way that ask nobody outside: each has a thread beside those of the places.
    slow_under_way: usize,
    /// Slow calls that wait for a place, in order, each with what wakes it: nobody else is to be woken for its sake.
    aside: VecDeque<Arc<Condvar>>,
    /// Whether the last slow call that had a place had been aside.
    took_aside: bool,
    /// When a slow call had a place last.
    slow_at: Duration,
    /// Calls under way that may ask outside, of all Interlinkers.
    asking: usize,
    /// Calls that are over and have no place while their memory is cleared.
    clearing: usize,
    /// Threads that look for a call.
    idle: Idle,
    stop: bool,
}

/// Who has the next place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Nobody,
    /// A prompt call that is back from outside.
    Returning,
    /// The slow call that has been aside for longest.
    Aside,
    /// The first call of the line of this turn.
    New(usize, Standing),
}

/// Calls that wait, and the places of those that run.
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    /// Wakes a call that is back.
    back: Condvar,
    /// Places that one Interlinker may have.
    share: usize,
    /// Places that slow calls may have.
    slow_max: usize,
    /// Calls whose memory may be cleared without a place.
    clearing_max: usize,
    /// Threads that have stepped back and are kept for what is behind, while they run nothing.
    pub kept_back: usize,
    budget: Budget,
    limits: Arc<Limits>,
    began: Instant,
}

impl Queue {
    pub fn new(places: usize, limits: &Arc<Limits>) -> Self {
        let waiting = Waiting {
            jobs: HashMap::new(),
            turns: VecDeque::new(),
            accounts: Vec::new(),
            by_digest: HashMap::new(),
            free: places,
            returning: 0,
            slow: 0,
            slow_under_way: 0,
            aside: VecDeque::new(),
            took_aside: false,
            slow_at: Duration::ZERO,
            asking: 0,
            clearing: 0,
            idle: Idle::default(),
            stop: false,
        };
        Self {
            waiting: Mutex::new(waiting),
            back: Condvar::new(),
            share: places.div_ceil(2),
            slow_max: (places / 2).max(1),
            clearing_max: places,
            kept_back: places,
            budget: Budget { ms_per_s: limits.cpu_ms_per_s, burst_ms: limits.cpu_burst_ms },
            limits: Arc::clone(limits),
            began: Instant::now(),
        }
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Puts a call in line, unless the line is full; that of an Interlinker that owes CPU time is shorter.
    pub fn put(&self, job: Job) -> Result<(), Full> {
        let now = self.now();
        let mut waiting = self.waiting.lock();
        let account = waiting.account(job.interlinker.digest(), now);
        let line = Line { account, may_ask: job.durable.is_some() };
        let many = waiting.jobs.get(&line).map_or(0, VecDeque::len);
        if many >= self.limits.waiting_calls {
            return Err(Full { tell: job.tell, fault: Fault::Busy { waiting: many } });
        }
        let bucket = waiting.accounts[account].bucket;
        let left_us = bucket.left_us(self.budget, now);
        if left_us < 0 && many >= self.limits.waiting_over_budget {
            let fault = Fault::OverBudget {
                owed_ms: left_us.unsigned_abs() / 1_000,
                ms_per_s: self.budget.ms_per_s,
                waiting: many,
                retry_after_s: bucket.even_in_s(self.budget, now),
            };
            return Err(Full { tell: job.tell, fault });
        }
        waiting.accounts[account].waiting += 1;
        waiting.jobs.entry(line).or_default().push_back(job);
        if many == 0 {
            waiting.turns.push_back(line);
        }
        self.nudge(&mut waiting);
        Ok(())
    }

    /// The next call that this thread may run, with a place for it: of the line whose turn it is.
    pub fn take(self: &Arc<Self>) -> Result<(Job, Place), Leave> {
        let own = Arc::new(Condvar::new());
        let mut waiting = self.waiting.lock();
        loop {
            if waiting.stop {
                return Err(Leave::Stopped);
            }
            let now = self.now();
            let found = match self.next(&waiting, now) {
                Next::New(_, Standing::Prompt) if has_stepped_back() => None,
                Next::New(turn, standing) => Some((turn, standing)),
                _ => None,
            };
            let Some((turn, standing)) = found else {
                self.nudge(&mut waiting);
                if has_stepped_back() && waiting.idle.stepped_back() >= self.kept_back {
                    return Err(Leave::SteppedBack);
                }
                waiting.idle.put(Arc::clone(&own), has_stepped_back());
                own.wait(&mut waiting);
                continue;
            };
            let Some(line) = waiting.turns.remove(turn) else { continue };
            let Some(jobs) = waiting.jobs.get_mut(&line) else { continue };
            let job = jobs.pop_front();
            if jobs.is_empty() {
                waiting.jobs.remove(&line);
            } else {
                waiting.turns.push_back(line);
            }
            let Some(job) = job else { continue };
            let is_slow = standing == Standing::Behind;
            waiting.accounts[line.account].waiting -= 1;
            waiting.accounts[line.account].running += 1;
            if line.may_ask {
                waiting.accounts[line.account].asking += 1;
                waiting.asking += 1;
            }
            if is_slow {
                waiting.slow_under_way += usize::from(!line.may_ask);
                waiting.took_aside = false;
            }
            waiting.occupy(is_slow, now);
            self.nudge(&mut waiting);
            drop(waiting);
            if is_slow {
                step_back();
            }
            return Ok((job, Place::new(Arc::clone(self), line, is_slow)));
        }
    }

    /// Who has the next place: who is back from outside, who is prompt, and of who is slow in turn who is aside and who is
    /// new; where a slow call has had none for long, it comes before who is prompt and new.
    fn next(&self, waiting: &Waiting, now: Duration) -> Next {
        if waiting.free == 0 {
            return Next::Nobody;
        }
        if waiting.returning > 0 {
            return Next::Returning;
        }
        let new = |standing: Standing| {
            let mut found: Option<(usize, i64)> = None;
            for (turn, line) in waiting.turns.iter().enumerate() {
                let account = &waiting.accounts[line.account];
                let left_us = account.bucket.left_us(self.budget, now);
                let fits = crate::budget::standing(left_us, account.was_slow) == standing;
                // Of who is prompt, who has used least comes first; of who is behind, who has waited for longest.
                let is_before = found.is_none_or(|(_, most_us)| standing == Standing::Prompt && left_us > most_us);
                if fits && is_before && self.may_begin(waiting, *line) {
                    found = Some((turn, left_us));
                }
            }
            found.map_or(Next::Nobody, |(turn, _)| Next::New(turn, standing))
        };
        let slow = || {
            if waiting.slow >= self.slow_max {
                return Next::Nobody;
            }
            let room = waiting.slow_under_way < self.limits.calls_aside;
            let behind = if room { new(Standing::Behind) } else { Next::Nobody };
            let is_turn_of_new = waiting.took_aside && behind != Next::Nobody;
            if waiting.aside.is_empty() || is_turn_of_new { behind } else { Next::Aside }
        };
        let overdue = waiting.slow == 0 && now.saturating_sub(waiting.slow_at) >= SLOW_EVERY;
        let first = if overdue { slow() } else { new(Standing::Prompt) };
        match (first, overdue) {
            (Next::Nobody, true) => new(Standing::Prompt),
            (Next::Nobody, false) => slow(),
            (first, _) => first,
        }
    }

    fn may_begin(&self, waiting: &Waiting, line: Line) -> bool {
        let account = &waiting.accounts[line.account];
        let Limits { calls_outside, calls_outside_of_one, .. } = *self.limits;
        let may_ask = !line.may_ask || (waiting.asking < calls_outside && account.asking < calls_outside_of_one);
        account.running < self.share && may_ask
    }

    /// Ends all that wait, and the threads that look for more.
    pub fn stop(&self) {
        let mut waiting = self.waiting.lock();
        waiting.stop = true;
        for thread in waiting.idle.drain() {
            thread.notify_one();
        }
    }

    /// Wakes whoever has the next place.
    fn nudge(&self, waiting: &mut MutexGuard<'_, Waiting>) {
        match self.next(waiting, self.now()) {
            Next::Nobody => {}
            Next::Returning => drop(self.back.notify_one()),
            Next::Aside => drop(waiting.aside.front().map(|first| first.notify_one())),
            Next::New(_, standing) => {
                if let Some(thread) = waiting.idle.take(standing) {
                    thread.notify_one();
                }
            }
        }
    }

    /// What each Interlinker that was called has of this host.
    pub fn loads(&self) -> Vec<Load> {
        let (now, waiting) = (self.now(), self.waiting.lock());
        let load = |account: &Account| Load {
            digest: account.digest.clone(),
            cpu_us: u64::try_from(account.cpu.as_micros()).unwrap_or(u64::MAX),
            budget_left_us: account.bucket.left_us(self.budget, now),
            waiting: account.waiting,
            running: account.running,
        };
        waiting.accounts.iter().map(load).collect()
    }
}

impl Waiting {
    fn account(&mut self, digest: &str, now: Duration) -> usize {
        if let Some(found) = self.by_digest.get(digest) {
            return *found;
        }
        let number = self.accounts.len();
        self.by_digest.insert(digest.to_owned(), number);
        self.accounts.push(Account {
            digest: digest.to_owned(),
            bucket: Bucket::new(now),
            cpu: Duration::ZERO,
            was_slow: false,
            running: 0,
            asking: 0,
            waiting: 0,
        });
        number
    }

    fn occupy(&mut self, is_slow: bool, now: Duration) {
        self.free -= 1;
        if is_slow {
            self.slow += 1;
            self.slow_at = now;
        }
    }

    fn vacate(&mut self, is_slow: bool, now: Duration) {
        self.free += 1;
        if is_slow {
            self.slow -= 1;
            self.slow_at = now;
        }
    }
}

/// The place of a call that runs. It is given up for good when this is dropped, on the thread that has run the call.
pub(crate) struct Place {
    queue: Arc<Queue>,
    line: Line,
    is_slow: AtomicBool,
    /// Whether it has a place just now.
    has_place: AtomicBool,
    /// Whether the call is over, and has no place while its memory is cleared.
    is_clearing: AtomicBool,
    /// The thread's CPU time that is charged, in microseconds.
    charged_us: AtomicU64,
    /// CPU time of the call, in microseconds.
    used_us: AtomicU64,
}

impl Place {
    fn new(queue: Arc<Queue>, line: Line, is_slow: bool) -> Self {
        let (is_slow, has_place) = (AtomicBool::new(is_slow), AtomicBool::new(true));
        let (charged_us, used_us) = (AtomicU64::new(thread_cpu_us()), AtomicU64::new(0));
        let is_clearing = AtomicBool::new(false);
        Self { queue, line, is_slow, has_place, is_clearing, charged_us, used_us }
    }

    fn is_slow(&self) -> bool {
        self.is_slow.load(Ordering::Relaxed)
    }

    /// Charges what the call has used since it was charged last.
    fn charge(&self, waiting: &mut Waiting, now: Duration) {
        let cpu_us = thread_cpu_us();
        let used_us = cpu_us.saturating_sub(self.charged_us.swap(cpu_us, Ordering::Relaxed));
        self.used_us.fetch_add(used_us, Ordering::Relaxed);
        let account = &mut waiting.accounts[self.line.account];
        let used = Duration::from_micros(used_us);
        account.cpu += used;
        account.bucket.charge(self.queue.budget, used, now);
    }

    /// What the thread has computed since the call was charged last is not the call's.
    pub fn pass_over(&self) {
        self.charged_us.store(thread_cpu_us(), Ordering::Relaxed);
    }

    /// The call has run; answers the CPU time that it has used, in microseconds. What is left to be done is to clear its memory,
    /// which nobody is to wait for: a call that was prompt gives its place up before, unless many do.
    pub fn has_run(&self) -> u64 {
        let queue = &self.queue;
        let now = queue.now();
        let mut waiting = queue.waiting.lock();
        self.charge(&mut waiting, now);
        let used_us = self.used_us.load(Ordering::Relaxed);
        waiting.accounts[self.line.account].was_slow = used_us >= SLICE.as_micros() as u64;
        if !self.is_slow() && waiting.clearing < queue.clearing_max {
            waiting.clearing += 1;
            waiting.accounts[self.line.account].running -= 1;
            waiting.vacate(false, now);
            self.has_place.store(false, Ordering::Relaxed);
            self.is_clearing.store(true, Ordering::Relaxed);
            queue.nudge(&mut waiting);
        }
        used_us
    }

    /// A slice has passed: a call that has become slow gives way to whoever waits, until it is its turn again. Answers how
    /// long it was aside, `patience` at most; one that may not be aside for longer, or where too many are, ends.
    pub fn tick(&self, patience: Duration) -> Result<Duration, Fault> {
        let (queue, limits) = (&self.queue, &self.queue.limits);
        let now = queue.now();
        let mut waiting = queue.waiting.lock();
        self.charge(&mut waiting, now);
        if !self.is_slow() {
            if self.used_us.load(Ordering::Relaxed) < SLICE.as_micros() as u64 {
                return Ok(Duration::ZERO);
            }
            waiting.accounts[self.line.account].was_slow = true;
            if !self.line.may_ask {
                if waiting.slow_under_way >= limits.calls_aside {
                    return Err(Fault::Crowded { max: limits.calls_aside });
                }
                waiting.slow_under_way += 1;
            }
            waiting.slow += 1;
            self.is_slow.store(true, Ordering::Relaxed);
            step_back();
        }
        waiting.vacate(true, now);
        self.has_place.store(false, Ordering::Relaxed);
        let aside = self.wait_aside(&mut waiting, Some(patience));
        aside.ok_or(Fault::Aside { max_ms: limits.aside_ms })
    }

    /// Waits for a place of the slow; answers how long that took, or nothing where it had no patience for it.
    fn wait_aside(&self, waiting: &mut MutexGuard<'_, Waiting>, patience: Option<Duration>) -> Option<Duration> {
        let (queue, since) = (&self.queue, self.queue.now());
        let own = Arc::new(Condvar::new());
        waiting.aside.push_back(Arc::clone(&own));
        loop {
            let now = queue.now();
            let is_first = waiting.aside.front().is_some_and(|first| Arc::ptr_eq(first, &own));
            if is_first && queue.next(waiting, now) == Next::Aside {
                waiting.aside.pop_front();
                waiting.took_aside = true;
                waiting.occupy(true, now);
                self.has_place.store(true, Ordering::Relaxed);
                queue.nudge(waiting);
                return Some(now.saturating_sub(since));
            }
            let left = patience.map(|patience| patience.saturating_sub(now.saturating_sub(since)));
            if left == Some(Duration::ZERO) {
                waiting.aside.retain(|other| !Arc::ptr_eq(other, &own));
                queue.nudge(waiting);
                return None;
            }
            queue.nudge(waiting);
            match left {
                Some(left) => drop(own.wait_for(waiting, left)),
                None => own.wait(waiting),
            }
        }
    }

    /// Gives the place up for as long as what is returned lives; dropping that waits for one.
    pub fn left(&self) -> Left<'_> {
        let now = self.queue.now();
        let mut waiting = self.queue.waiting.lock();
        self.charge(&mut waiting, now);
        waiting.accounts[self.line.account].running -= 1;
        waiting.vacate(self.is_slow(), now);
        self.has_place.store(false, Ordering::Relaxed);
        self.queue.nudge(&mut waiting);
        Left(self)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let now = self.queue.now();
        let mut waiting = self.queue.waiting.lock();
        self.charge(&mut waiting, now);
        if self.has_place.load(Ordering::Relaxed) {
            waiting.vacate(self.is_slow(), now);
        }
        if self.is_slow() && !self.line.may_ask {
            waiting.slow_under_way -= 1;
        }
        if self.line.may_ask {
            waiting.asking -= 1;
            waiting.accounts[self.line.account].asking -= 1;
        }
        if self.is_clearing.load(Ordering::Relaxed) {
            waiting.clearing -= 1;
        } else {
            waiting.accounts[self.line.account].running -= 1;
        }
        self.queue.nudge(&mut waiting);
    }
}

/// A place that was given up for now.
pub(crate) struct Left<'a>(&'a Place);

impl Drop for Left<'_> {
    fn drop(&mut self) {
        let place = self.0;
        let queue = &place.queue;
        let mut waiting = queue.waiting.lock();
        waiting.accounts[place.line.account].running += 1;
        if place.is_slow() {
            // It began before what is new, and is not prompt for having been away.
            place.wait_aside(&mut waiting, None);
            return;
        }
        waiting.returning += 1;
        // Whoever is back comes before what is new, over its Interlinker's share too: it holds memory meanwhile.
        while queue.next(&waiting, queue.now()) != Next::Returning {
            queue.back.wait(&mut waiting);
        }
        waiting.returning -= 1;
        waiting.occupy(false, queue.now());
        place.has_place.store(true, Ordering::Relaxed);
        queue.nudge(&mut waiting);
    }
}

thread_local! {
    static STEPPED_BACK: Cell<bool> = const { Cell::new(false) };
}

/// Has the operating system give this thread less, for good: nobody without privileges can ask for more again.
fn step_back() {
    if !STEPPED_BACK.replace(true)
        && let Err(error) = rustix::process::setpriority_process(None, NICE)
    {
        tracing::debug!(%error, "a slow call keeps the priority of the others");
    }
}

/// Whether this thread has run a slow call, and is given less than the others.
fn has_stepped_back() -> bool {
    STEPPED_BACK.get()
}

/// CPU time of this thread, in microseconds.
fn thread_cpu_us() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let (s, us) = (u64::try_from(time.tv_sec).unwrap_or(0), u64::try_from(time.tv_nsec / 1_000).unwrap_or(0));
    s * 1_000_000 + us
}

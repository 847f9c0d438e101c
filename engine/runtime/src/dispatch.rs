//! The dispatcher: makes happen what nobody asks for, timers that are due and effects that were written down.
//!
//! One thread with a runtime of its own, so that neither sled nor a burst of deadlines takes time from requests. It keeps
//! nothing that a crash could forget: what is to happen stands in the processes, and in two indexes over them.
//!
//! **Timers** fire in the order of their instants, over all processes: appends are handed over in that order, and how
//! many wait for their sync at once is bounded. **Effects** are carried out side by side within limits: in all, of one
//! Interlinker or schema, and of one process, so that neither a slow Interlinker nor a process with a million effects holds
//! up the rest. What is over a limit waits where it is, on disk.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use interlink_model::facts::EffectKind;
use interlink_model::id::{Micros, ProcessId};
use interlink_model::process::Effect;
use tokio::sync::mpsc;

use crate::assets::Rung;
use crate::core::Fate;
use crate::effects::{Attempted, Workshop};
use crate::error::Trouble;
use crate::processes::Ticked;
use crate::schedule::{self, Planned, Ringing, RingingOf};
use crate::state::table;
use crate::under_way::{UnderWay, Which, WorkId};

/// Ticks that may wait for their sync at once.
pub const TICKS_MAX: usize = 512;
/// Places of an index that are looked at in one go.
const PLACES_AT_ONCE: usize = 256;
/// Pages of places that are looked at for effects in one turn.
const PAGES_IN_A_TURN: usize = 16;
/// How long the dispatcher sleeps at most: the clock may be set, and a test's clock moves without telling.
const NAP: Duration = Duration::from_millis(100);
/// Pause after something could not be written, and of an effect that needs what is busy.
const PAUSE: Duration = Duration::from_millis(500);

/// The dispatcher's thread.
pub(crate) struct Dispatcher {
    stop: tokio::sync::watch::Sender<bool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Dispatcher {
    /// Starts it.
    pub fn start(workshop: Workshop) -> std::io::Result<Self> {
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let thread = std::thread::Builder::new().name("dispatcher".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            match runtime {
                Ok(runtime) => {
                    let local = tokio::task::LocalSet::new();
                    local.block_on(&runtime, Turns::new(workshop).run(stopped));
                }
                Err(error) => tracing::error!(%error, "timers and effects wait for a restart"),
            }
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Ends it. What is under way is not waited for: it is written down, and goes on at the next start.
    pub fn stop(&mut self) {
        // A thread that has ended by itself listens no more.
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Dispatcher {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Work that a turn has begun.
pub type Begun = std::pin::Pin<Box<dyn Future<Output = ()>>>;

/// The dispatcher without its thread: a simulation takes its turns, and drives what they begin.
pub struct ByHand(Turns);

impl ByHand {
    pub(crate) fn new(workshop: Workshop) -> Self {
        Self(Turns::new(workshop))
    }

    /// Fires what is due and begins what can be begun.
    pub async fn turn(&mut self) -> Vec<Begun> {
        self.0.paused_until = None;
        self.0.end_all();
        self.0.resting.clear();
        self.0.fire_due().await;
        self.0.start_effects();
        self.0.ring_alarms();
        std::mem::take(&mut self.0.begun)
    }

    /// Effects that are under way.
    pub fn under_way(&mut self) -> usize {
        self.0.end_all();
        self.0.under_way.len()
    }
}

struct Turns {
    workshop: Workshop,
    /// Next timers of processes whose tick waits for its sync: the index does not know them yet.
    ticking: HashMap<ProcessId, Option<Micros>>,
    fates: VecDeque<(ProcessId, Fate)>,
    /// Processes that cannot be read: they are passed over until a restart.
    broken: HashSet<ProcessId>,
    /// Processes whose place in the index is not to be relied on before they have had their sync.
    put_off: HashSet<ProcessId>,
    under_way: UnderWay,
    /// Effects that wait a little before they are tried again, and until when: nobody else waits for them.
    resting: HashMap<WorkId, tokio::time::Instant>,
    /// Where the last look at the effects ended: everybody's turn comes.
    seen: Option<Planned>,
    /// The same of alarms.
    rung: Option<Ringing>,
    done: mpsc::UnboundedSender<(WorkId, String, Attempted)>,
    ended: mpsc::UnboundedReceiver<(WorkId, String, Attempted)>,
    paused_until: Option<tokio::time::Instant>,
    /// What was begun and nobody drives yet.
    begun: Vec<Begun>,
}

impl Turns {
    fn new(workshop: Workshop) -> Self {
        let (done, ended) = mpsc::unbounded_channel();
        Self {
            workshop,
            ticking: HashMap::new(),
            fates: VecDeque::new(),
            broken: HashSet::new(),
            put_off: HashSet::new(),
            under_way: UnderWay::default(),
            resting: HashMap::new(),
            seen: None,
            rung: None,
            done,
            ended,
            paused_until: None,
            begun: Vec::new(),
        }
    }

    async fn run(mut self, mut stopped: tokio::sync::watch::Receiver<bool>) {
        let core = Arc::clone(&self.workshop.core);
        while !*stopped.borrow() {
            let is_paused = self.paused_until.is_some_and(|until| until > tokio::time::Instant::now());
            let mut next = if is_paused { None } else { self.fire_due().await };
            if !is_paused {
                self.start_effects();
                next = [next, self.ring_alarms()].into_iter().flatten().min();
                self.begun.drain(..).for_each(|begun| drop(tokio::task::spawn_local(begun)));
            }
            let nap = next.map_or(NAP, |next| {
                let until = next.0.saturating_sub(core.now().0).max(0) as u64;
                Duration::from_micros(until).min(NAP)
            });
            tokio::select! {
                () = core.rouse.notified() => {}
                () = tokio::time::sleep(nap) => {}
                Some((effect, of, attempted)) = self.ended.recv() => self.end(effect, &of, attempted),
                _ = stopped.changed() => {}
            }
            self.end_all();
        }
    }

    fn end_all(&mut self) {
        while let Ok((effect, of, attempted)) = self.ended.try_recv() {
            self.end(effect, &of, attempted);
        }
    }

    // Timers.

    /// Fires everything that is due, in order; answers when the next is.
    async fn fire_due(&mut self) -> Option<Micros> {
        self.put_off.clear();
        loop {
            let now = self.workshop.core.now();
            let planned = self.planned();
            let Some(first) = planned.first().copied() else { return self.settle_all().await };
            if first.at > now {
                self.settle_all().await;
                return Some(first.at);
            }
            for pair in 0..planned.len() {
                let place = planned[pair];
                // Up to the next process's timer, so that the order is one over all of them.
                let next = planned.get(pair + 1).map_or(now, |next| next.at.min(now));
                // What comes behind the last of a full page is not known.
                let is_last_of_page = planned.len() >= PLACES_AT_ONCE && pair + 1 == planned.len();
                let next = if is_last_of_page { place.at } else { next };
                if place.at > now || !self.tick(place, next).await {
                    break;
                }
            }
            if self.paused_until.is_some_and(|until| until > tokio::time::Instant::now()) {
                return None;
            }
        }
    }

    /// The next timers, in order: of the index, and of processes whose tick the index does not know yet.
    fn planned(&self) -> Vec<Planned> {
        let state = &self.workshop.core.state;
        let passed_over = self.ticking.len() + self.broken.len() + self.put_off.len();
        let found = schedule::places(state, table::DUE, None, PLACES_AT_ONCE + passed_over);
        let is_known = |process: &ProcessId| {
            self.ticking.contains_key(process) || self.broken.contains(process) || self.put_off.contains(process)
        };
        let known = found.into_iter().filter(|place| !is_known(&place.process));
        let ticking = self.ticking.iter().filter_map(|(process, at)| at.map(|at| Planned { at, process: *process }));
        let mut planned: Vec<_> = known.take(PLACES_AT_ONCE).chain(ticking).collect();
        planned.sort_unstable();
        planned
    }

    /// Fires a process's timers; says whether the order of those behind it still holds.
    async fn tick(&mut self, place: Planned, until: Micros) -> bool {
        let processes = &self.workshop.processes;
        let cell = match processes.cell(place.process) {
            Ok(cell) => cell,
            Err(trouble @ Trouble::Unread(_)) => {
                tracing::warn!(process = %place.process, %trouble, "timers of this process wait");
                self.put_off.insert(place.process);
                return true;
            }
            Err(trouble) => {
                tracing::error!(process = %place.process, %trouble, "timers of this process cannot fire");
                self.broken.insert(place.process);
                return true;
            }
        };
        match processes.tick(&cell, until.max(place.at)) {
            Ticked::Fired(fate, next) => {
                self.ticking.insert(place.process, next);
                self.fates.push_back((place.process, fate));
                let in_order = next.is_none_or(|next| next > until);
                while self.fates.len() >= TICKS_MAX {
                    self.settle_one().await;
                }
                in_order
            }
            Ticked::Nothing => {
                // Refused on what waits for its sync, or a place that is no longer true.
                if self.ticking.contains_key(&place.process) {
                    self.settle_all().await;
                } else {
                    processes.tidy(&cell, place);
                    // Where something of it waits for its sync, its place is about to move: it has its turn then.
                    self.put_off.insert(place.process);
                }
                false
            }
        }
    }

    async fn settle_all(&mut self) -> Option<Micros> {
        while !self.fates.is_empty() {
            self.settle_one().await;
        }
        None
    }

    async fn settle_one(&mut self) {
        let Some((process, fate)) = self.fates.pop_front() else { return };
        if crate::core::settled(fate).await.is_err() {
            self.paused_until = Some(tokio::time::Instant::now() + PAUSE);
        }
        if !self.fates.iter().any(|(other, _)| *other == process) {
            self.ticking.remove(&process);
        }
    }

    // Effects.

    /// Starts what the limits allow, beginning where the last look ended. How many processes are looked at in a turn is
    /// bounded: there may be a million whose Interlinker is paused.
    fn start_effects(&mut self) {
        let now = tokio::time::Instant::now();
        self.resting.retain(|_, until| *until > now);
        let mut is_first_round = self.seen.is_some();
        for _ in 0..PAGES_IN_A_TURN {
            let core = &self.workshop.core;
            let places = schedule::places(&core.state, table::WORK, self.seen, PLACES_AT_ONCE);
            let is_end = places.len() < PLACES_AT_ONCE;
            for place in places {
                if self.under_way.is_full() {
                    return;
                }
                self.seen = Some(place);
                self.start_effects_of(place);
            }
            if is_end {
                self.seen = None;
                // Those before where the last look ended have their turn too.
                if !std::mem::take(&mut is_first_round) {
                    return;
                }
            }
        }
    }

    // Alarms.

    /// Rings what is due and what the limits allow, beginning where the last look ended; answers when the next is.
    fn ring_alarms(&mut self) -> Option<Micros> {
        let now = self.workshop.core.now();
        let mut is_first_round = self.rung.is_some();
        for _ in 0..PAGES_IN_A_TURN {
            let places = schedule::alarms(&self.workshop.core.state, self.rung, PLACES_AT_ONCE);
            let is_end = places.len() < PLACES_AT_ONCE;
            let mut later = None;
            for (place, of) in places {
                if place.at > now {
                    later = Some(place.at);
                    break;
                }
                if self.under_way.is_full() {
                    return None;
                }
                self.rung = Some(place);
                self.ring_alarm(place, &of);
            }
            if is_end || later.is_some() {
                self.rung = None;
                // Those before where the last look ended have their turn too.
                if !std::mem::take(&mut is_first_round) {
                    return later;
                }
            }
        }
        None
    }

    fn ring_alarm(&mut self, place: Ringing, of: &RingingOf) {
        let id = (of.process, Which::Alarm(place.asset));
        let is_paused = self.workshop.catalogue.pause(&of.interlinker).is_some();
        let admitted = self.under_way.admits(of.process) && self.under_way.admits_one(id, &of.interlinker);
        if !admitted || is_paused || self.resting.contains_key(&id) {
            return;
        }
        self.under_way.begin(id, &of.interlinker);
        let (workshop, of, done) = (self.workshop.clone(), of.clone(), self.done.clone());
        self.begun.push(Box::pin(async move {
            let attempted = match workshop.assets.ring(place, of.process).await {
                Rung::Told => Attempted::Told,
                Rung::Later => Attempted::Later,
                Rung::NotTaken => Attempted::NotTaken,
            };
            // Nobody listens any more once the dispatcher stops.
            let _ = done.send((id, of.interlinker, attempted));
        }));
    }

    fn start_effects_of(&mut self, place: Planned) {
        let processes = &self.workshop.processes;
        let cell = match processes.cell(place.process) {
            Ok(cell) => cell,
            Err(trouble @ Trouble::Unread(_)) => {
                return tracing::warn!(process = %place.process, %trouble, "effects of this process wait");
            }
            Err(trouble) => {
                if self.broken.insert(place.process) {
                    tracing::error!(process = %place.process, %trouble, "effects of this process cannot be carried out");
                }
                return;
            }
        };
        let process = cell.process();
        if schedule::next_work(&process) != Some(place) {
            processes.tidy(&cell, place);
        }
        for (number, effect) in process.pending_effects() {
            let id = (place.process, Which::Effect(number));
            let of = subject(effect);
            if !self.under_way.admits(place.process) {
                return;
            }
            if !self.under_way.admits_one(id, of)
                || self.resting.contains_key(&id)
                || self.workshop.waits(&process, effect)
            {
                continue;
            }
            self.under_way.begin(id, of);
            let (workshop, cell, effect, done) =
                (self.workshop.clone(), Arc::clone(&cell), effect.clone(), self.done.clone());
            self.begun.push(Box::pin(async move {
                let attempted = workshop.carry_out(&cell, number, &effect).await;
                // Nobody listens any more once the dispatcher stops.
                let _ = done.send((id, subject(&effect).to_owned(), attempted));
            }));
        }
    }

    fn end(&mut self, effect: WorkId, of: &str, attempted: Attempted) {
        self.under_way.end(effect, of);
        let later = tokio::time::Instant::now() + PAUSE;
        match attempted {
            Attempted::Told => {}
            Attempted::Later => drop(self.resting.insert(effect, later)),
            Attempted::NotTaken => self.paused_until = Some(later),
        }
    }
}

/// What an effect needs: the limit of one is by it.
fn subject(effect: &Effect) -> &str {
    match &effect.kind {
        EffectKind::Instantiate { interlinker, .. } => interlinker.split('@').next().unwrap_or_default(),
        EffectKind::Compensate { .. } => "compensation",
        EffectKind::Subprocess { schema, .. } => schema.split('@').next().unwrap_or_default(),
        EffectKind::TellParent { .. }
        | EffectKind::CancelSubprocess { .. }
        | EffectKind::CompensateSubprocess { .. }
        | EffectKind::TellCompensated { .. } => "processes",
        EffectKind::TellPeople { .. } => "people",
    }
}

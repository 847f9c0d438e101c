//! Timers: what a process has planned, and what of it has fired.
//!
//! What is planned is a function of the process ([`Process::planned`]); after every event it is held against what is
//! armed, and the difference is written down ([`Process::timer_changes`]). So a timer can neither be forgotten nor be left
//! behind, whatever was claimed, reopened, skipped or rescheduled; and the instant is recorded with `TimerArmed`: a moment
//! in a schema is evaluated once, never again on replay.
//!
//! A timer that has fired stays, marked, until it is planned for another instant: it fires once, whatever becomes of its
//! task meanwhile.

use serde::{Deserialize, Serialize};

use super::{Process, ProcessStatus};
use crate::facts::{ProcessEvent, TimerArmed, TimerDisarmed, TimerKind};
use crate::id::Micros;
use crate::schema::outline::ItemRef;
use crate::schema::timing::Recurrence;
use crate::schema::work::Work;
use crate::time::moment::{Anchor, Moment};

/// Which timer of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TimerKey {
    /// What it is about; the process itself where it is nothing.
    pub item: Option<ItemRef>,
    /// What for.
    pub kind: TimerKind,
    /// Which of several: of a task's reminders, or the effect that is tried again.
    pub number: u64,
}

/// A timer that is armed or has fired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timer {
    /// When it is to fire.
    pub due_at: Micros,
    /// When it did.
    pub fired_at: Option<Micros>,
}

/// What a date without an hour means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The beginning of its day: something opens.
    Beginning,
    /// The end of its day: something is due, or over.
    End,
}

impl TimerKey {
    pub(super) fn of(item: ItemRef, kind: TimerKind) -> Self {
        Self { item: Some(item), kind, number: 0 }
    }
}

impl Process {
    /// The instant of the next timer. A process that rests or has ended fires none.
    pub fn next_timer(&self) -> Option<Micros> {
        let counts = |key: &TimerKey| match self.status {
            ProcessStatus::Running => true,
            ProcessStatus::Created | ProcessStatus::Suspended => false,
            // What an end has to tell others, or make undone, is tried again.
            ProcessStatus::Completed | ProcessStatus::Cancelled => key.kind == TimerKind::Retry,
        };
        let waiting = self.timers.iter().filter(|(key, timer)| timer.fired_at.is_none() && counts(key));
        waiting.map(|(_, timer)| timer.due_at).min()
    }

    /// The timer that is to fire first among those due by an instant. Of several at one instant, what closes comes before
    /// what opens, and everything else in the order of the plan.
    pub(super) fn due_timer(&self, until: Micros) -> Option<(TimerKey, Timer)> {
        self.next_timer().filter(|next| *next <= until)?;
        let live = self.status == ProcessStatus::Running;
        let due = self.timers.iter().filter(|(key, timer)| {
            timer.fired_at.is_none() && timer.due_at <= until && (live || key.kind == TimerKind::Retry)
        });
        let first = due.min_by_key(|(key, timer)| (timer.due_at, key.kind != TimerKind::Closes, **key));
        first.map(|(key, timer)| (*key, *timer))
    }

    /// Whether a timer has fired for what is planned now.
    pub fn has_fired(&self, item: ItemRef, kind: TimerKind) -> bool {
        self.timers.get(&TimerKey::of(item, kind)).is_some_and(|timer| timer.fired_at.is_some())
    }

    /// When a timer of an item fires or did.
    pub fn timer(&self, item: ItemRef, kind: TimerKind) -> Option<Timer> {
        self.timers.get(&TimerKey::of(item, kind)).copied()
    }

    /// What brings the timers up to what is planned.
    pub(super) fn timer_changes(&self) -> Vec<ProcessEvent> {
        let planned: imbl::OrdMap<TimerKey, Micros> = match self.status {
            ProcessStatus::Created | ProcessStatus::Suspended => return Vec::new(),
            ProcessStatus::Running => self.planned().into_iter().collect(),
            ProcessStatus::Completed | ProcessStatus::Cancelled => self.retries().collect(),
        };
        let live = self.status == ProcessStatus::Running;
        let id = |key: &TimerKey| key.item.and_then(|item| self.plan.outline.id(item)).map(str::to_owned);
        // What an ended process had planned stays as it was: it fires no more, and counts again should it be reopened.
        let waiting = self.timers.iter().filter(|(_, timer)| timer.fired_at.is_none()).map(|(key, _)| key);
        let gone = waiting.filter(|key| (live || key.kind == TimerKind::Retry) && !planned.contains_key(*key));
        let gone = gone.map(|key| TimerDisarmed { item: id(key), timer: key.kind, number: key.number }.into());
        let new =
            planned.iter().filter(|(key, due_at)| self.timers.get(*key).is_none_or(|timer| timer.due_at != **due_at));
        let new = new.map(|(key, due_at)| {
            TimerArmed { item: id(key), timer: key.kind, number: key.number, due_at: *due_at }.into()
        });
        gone.chain(new).collect()
    }

    /// Every timer that should be there now, with its instant.
    fn planned(&self) -> Vec<(TimerKey, Micros)> {
        let mut planned = Vec::new();
        if let Some(due_at) =
            self.plan.schema.deadline.as_ref().and_then(|moment| self.instant(moment, None, Side::End))
        {
            planned.push((TimerKey { item: None, kind: TimerKind::Due, number: 0 }, due_at));
        }
        for item in self.plan.timed_groups.iter().copied().chain(self.rescheduled_groups()) {
            self.plan_opening(item, &mut planned);
        }
        for task in 0..self.tasks.len() {
            if self.plan.timed_tasks[task] || self.dates.contains_key(&ItemRef::Task(task)) {
                self.plan_task(task, &mut planned);
            }
        }
        planned.extend(self.retries());
        planned
    }

    fn retries(&self) -> impl Iterator<Item = (TimerKey, Micros)> + '_ {
        self.effects.iter().filter_map(|(number, effect)| {
            let item = effect.task.map(|task| ItemRef::Task(task as usize));
            effect.retry_at.map(|retry_at| (TimerKey { item, kind: TimerKind::Retry, number: *number }, retry_at))
        })
    }

    fn rescheduled_groups(&self) -> impl Iterator<Item = ItemRef> + '_ {
        let groups = self.dates.keys().copied().filter(|item| !matches!(item, ItemRef::Task(_)));
        groups.filter(|item| !self.plan.timed_groups.contains(item))
    }

    fn plan_opening(&self, item: ItemRef, planned: &mut Vec<(TimerKey, Micros)>) {
        let opening = self.opening(item);
        // An item keeps its opening once it has ended, and one that was reopened after it closed stays open.
        let both =
            [(TimerKind::Opens, Side::Beginning, &opening.opens), (TimerKind::Closes, Side::End, &opening.closes)];
        for (kind, side, moment) in both {
            let known = self.timer(item, kind);
            if self.is_finished(item) && known.is_none_or(|timer| timer.fired_at.is_none()) {
                continue;
            }
            if let Some(due_at) = moment.as_ref().and_then(|moment| self.instant(moment, None, side)) {
                planned.push((TimerKey::of(item, kind), due_at));
            }
        }
    }

    fn plan_task(&self, number: usize, planned: &mut Vec<(TimerKey, Micros)>) {
        let item = ItemRef::Task(number);
        self.plan_opening(item, planned);
        if self.tasks[number].stage.is_finished() {
            return;
        }
        let task = self.plan.task(number);
        let timing = self.timing(number);
        let mut plan = |kind, index: usize, moment: Option<&Moment>| {
            let side = if kind == TimerKind::Wait { Side::Beginning } else { Side::End };
            if let Some(due_at) = moment.and_then(|moment| self.instant(moment, Some(number), side)) {
                planned.push((TimerKey { item: Some(item), kind, number: index as u64 }, due_at));
            }
        };
        plan(TimerKind::Due, 0, timing.due.as_ref());
        for (index, reminder) in timing.reminders.iter().enumerate() {
            plan(TimerKind::Reminder, index, Some(reminder));
        }
        plan(TimerKind::Escalation, 0, timing.escalation.as_ref().map(|escalation| &escalation.at));
        let ready = self.ready_at(number).is_some();
        match &task.work {
            Work::Timer(wait) if ready => plan(TimerKind::Wait, 0, Some(wait)),
            Work::Approval(approval) if self.votes.contains_key(&(number as u32)) => {
                plan(TimerKind::Vote, 0, approval.deadline.as_ref());
            }
            _ => {}
        }
        if let Some(every) = timing.every.as_ref().filter(|_| self.free_at(number).is_some()) {
            self.plan_recurrence(number, every, planned);
        }
    }

    fn plan_recurrence(&self, number: usize, every: &Recurrence, planned: &mut Vec<(TimerKey, Micros)>) {
        let item = ItemRef::Task(number);
        let until = every.until.as_ref().and_then(|until| self.instant(until, Some(number), Side::End));
        if let Some(until) = until {
            planned.push((TimerKey::of(item, TimerKind::Until), until));
        }
        if let Some(run) = self.next_run(number, every) {
            planned.push((TimerKey::of(item, TimerKind::Every), run));
        }
    }

    /// The next run of a task that comes again: after the last one, or after the task became free.
    pub(super) fn next_run(&self, number: usize, every: &Recurrence) -> Option<Micros> {
        let before = self.recurring.get(&(number as u32)).copied().unwrap_or_default();
        if every.times.is_some_and(|times| before.number >= times) {
            return None;
        }
        let run = every.cron.next(self.last_run(number)?, &self.zone)?;
        let until = every.until.as_ref().and_then(|until| self.instant(until, Some(number), Side::End));
        until.is_none_or(|until| run <= until).then_some(run)
    }

    /// Where the next run of a task that comes again is counted from: its last one, or when it became free.
    pub(super) fn last_run(&self, number: usize) -> Option<Micros> {
        let last_run = self.recurring.get(&(number as u32)).and_then(|recurring| recurring.last_run);
        self.free_at(number).map(|free_at| last_run.map_or(free_at, |last_run| last_run.max(free_at)))
    }

    /// The instant of a moment, where what it depends on has happened. `task` is whose `ready` and `due` are meant.
    pub(super) fn instant(&self, moment: &Moment, task: Option<usize>, side: Side) -> Option<Micros> {
        let anchor = match moment.anchor() {
            None => None,
            Some(Anchor::Start) => Some(self.started_at?),
            Some(Anchor::Ready) => Some(self.ready_at(task?)?),
            Some(Anchor::Due) => {
                let due = self.timing(task?).due.clone().filter(|due| due.anchor() != Some(&Anchor::Due))?;
                Some(self.instant(&due, task, Side::End)?)
            }
            Some(Anchor::Item(id)) => Some(self.item(self.plan.outline.item(id)?).finished_at?),
        };
        match side {
            Side::Beginning => moment.resolve(anchor, &self.zone),
            Side::End => moment.resolve_due(anchor, &self.zone),
        }
    }

    /// When everything that a task waits for was there: what is before it finished, its hours open.
    fn free_at(&self, task: usize) -> Option<Micros> {
        if !self.is_free(task) || !self.is_opened(task) {
            return None;
        }
        let before = self.plan.outline.tasks[task].waits_for.iter().filter_map(|wait| self.item(wait.item).finished_at);
        let opened = self.plan.outline.above(task).into_iter().filter_map(|item| self.timer(item, TimerKind::Opens));
        let opened = opened.map(|timer| timer.due_at);
        let renewed = self.tasks[task].renewed_at;
        before.chain(opened).chain(renewed).chain(self.started_at).max()
    }

    /// When a task became ready: as [`Process::is_ready`]; of one that comes again, when its present time was planned.
    pub fn ready_at(&self, task: usize) -> Option<Micros> {
        let free_at = self.free_at(task)?;
        match (&self.timing(task).every, self.recurring.get(&(task as u32))) {
            (None, _) => Some(free_at),
            (Some(_), Some(recurring)) if recurring.open => recurring.last_run,
            (Some(_), _) => None,
        }
    }
}

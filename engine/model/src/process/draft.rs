//! A decision in the making: the events so far, and the process that they give.
//!
//! What somebody does has consequences that nobody asks for: a timer is armed, a vote opens, an Interlinker is wanted, the
//! process ends. [`Draft::settle`] draws them, one after the other, until nothing follows any more, so every event of a
//! process comes from a command and is written with it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::decide::Context;
use super::{Process, ProcessStatus, Stage, effects, timers::TimerKey, votes};
use crate::event::Stamp;
use crate::facts::*;
use crate::id::Micros;
use crate::schema::outline::ItemRef;
use crate::schema::work::Work;
use crate::sealed::Sealed;
use crate::time::misfire::Recurrence;

/// Timers that fire in one decision; the rest is due in the next.
pub const FIRED_MAX: usize = 256;

/// A decision in the making.
pub(super) struct Draft<'c> {
    pub process: Process,
    pub events: Vec<ProcessEvent>,
    stamp: Stamp,
    context: &'c Context<'c>,
    fired: usize,
}

impl<'c> Draft<'c> {
    pub fn new(process: &Process, context: &'c Context<'c>) -> Self {
        let stamp = Stamp { at: context.at, actor: context.actor, correlation: None, causation: None };
        Self { process: process.clone(), events: Vec::new(), stamp, context, fired: 0 }
    }

    /// Takes an event in.
    pub fn push(&mut self, event: impl Into<ProcessEvent>) {
        let event = event.into();
        self.process.apply(&event, &self.stamp);
        self.events.push(event);
    }

    /// A task is done: for good, or for this time.
    pub fn complete(&mut self, number: usize, comment: Option<Sealed<String>>) {
        let task = self.process.plan.outline.tasks[number].id.clone();
        let recurring = self.process.recurring.get(&(number as u32)).copied().filter(|recurring| recurring.open);
        match (recurring, &self.process.timing(number).every) {
            (Some(recurring), Some(every)) => {
                let last = every.times.is_some_and(|times| recurring.number >= times)
                    || self.process.has_fired(ItemRef::Task(number), TimerKind::Until);
                self.push(OccurrenceCompleted { task: task.clone(), number: recurring.number, comment });
                if last {
                    self.push(TaskCompleted { task, comment: None });
                }
            }
            _ => self.push(TaskCompleted { task, comment }),
        }
    }

    /// Draws what follows: timers that are due by `until` fire, what became ready begins, what is over ends.
    pub fn settle(&mut self, until: Micros) {
        if self.process.has_automatic() {
            while self.step(until) {}
        }
        self.end();
    }

    /// One consequence, or several that depend on nothing; false where there is none.
    fn step(&mut self, until: Micros) -> bool {
        let before = self.events.len();
        self.end();
        for change in self.process.timer_changes() {
            self.push(change);
        }
        if let Some((key, timer)) = self.process.due_timer(until).filter(|_| self.fired < FIRED_MAX) {
            self.fired += 1;
            self.fire(key, timer.due_at);
            return true;
        }
        self.begin_ready();
        for number in 0..self.process.tasks.len() {
            votes::drop_vote(self, number);
        }
        effects::compensate(self);
        effects::tidy(self);
        self.events.len() > before
    }

    /// Ends the process once nothing is left to do.
    fn end(&mut self) {
        let finished = self.process.tasks.iter().all(|task| task.stage.is_finished());
        if finished && matches!(self.process.status, ProcessStatus::Running | ProcessStatus::Suspended) {
            self.push(ProcessCompleted {});
        }
    }

    fn fire(&mut self, key: TimerKey, due_at: Micros) {
        let item = key.item.and_then(|item| self.process.plan.outline.id(item)).map(str::to_owned);
        self.push(TimerFired { item, timer: key.kind, number: key.number, due_at });
        let Some(item) = key.item else { return };
        match (key.kind, item) {
            (TimerKind::Closes, item) => self.close(item),
            (TimerKind::Wait, ItemRef::Task(number)) => self.complete(number, None),
            (TimerKind::Every, ItemRef::Task(number)) => self.run(number),
            (TimerKind::Until, ItemRef::Task(number)) => self.end_recurrence(number),
            (TimerKind::Vote, ItemRef::Task(number)) => votes::close(self, number),
            (TimerKind::Escalation, ItemRef::Task(number)) => {
                if let Some(escalation) = self.process.timing(number).escalation.clone() {
                    let task = self.process.plan.outline.tasks[number].id.clone();
                    self.push(TaskEscalated { task, to: escalation.to.clone() });
                    effects::tell_people(self, number, key.kind, Some(escalation.to));
                }
            }
            (TimerKind::Reminder, ItemRef::Task(number)) => effects::tell_people(self, number, key.kind, None),
            // What it means is derived from its having fired.
            (TimerKind::Opens | TimerKind::Reminder | TimerKind::Due | TimerKind::Retry, _) => {}
            (TimerKind::Wait | TimerKind::Every | TimerKind::Until | TimerKind::Vote | TimerKind::Escalation, _) => {}
        }
    }

    /// What is left of an item whose time is over is left out; votes are counted first.
    fn close(&mut self, item: ItemRef) {
        for number in self.process.plan.outline.tasks_of(item) {
            votes::close(self, number);
            if !self.process.tasks[number].stage.is_finished() && self.process.tasks[number].stage != Stage::Failed {
                let task = self.process.plan.outline.tasks[number].id.clone();
                self.push(TaskSkipped { task, reason: None });
            }
        }
    }

    /// The runs of a task that comes again which are due. What an outage let pass is dealt with by its misfire rule.
    fn run(&mut self, number: usize) {
        let Some(every) = self.process.timing(number).every.clone() else { return };
        let Some(last) = self.process.last_run(number) else { return };
        let task = self.process.plan.outline.tasks[number].id.clone();
        let end = self.process.timer(ItemRef::Task(number), TimerKind::Until).map(|until| until.due_at);
        let recurrence = Recurrence { cron: &every.cron, zone: &self.process.zone, end, misfire: every.misfire };
        let due = recurrence.due(last, self.context.at);
        if due.dropped > 0 {
            let count = u32::try_from(due.dropped).unwrap_or(u32::MAX);
            self.push(RunsSkipped { task: task.clone(), count, until: self.context.at });
        }
        for planned_at in due.runs {
            let before = self.process.recurring.get(&(number as u32)).copied().unwrap_or_default();
            if every.times.is_some_and(|times| before.number >= times) {
                return;
            }
            if before.open {
                self.push(OccurrenceMissed { task: task.clone(), number: before.number });
            }
            self.push(OccurrenceOpened { task: task.clone(), number: before.number + 1, planned_at });
        }
    }

    fn end_recurrence(&mut self, number: usize) {
        let recurring = self.process.recurring.get(&(number as u32)).copied().unwrap_or_default();
        if !recurring.open && !self.process.tasks[number].stage.is_finished() {
            let task = self.process.plan.outline.tasks[number].id.clone();
            if recurring.number == 0 {
                self.push(TaskSkipped { task, reason: None });
            } else {
                self.push(TaskCompleted { task, comment: None });
            }
        }
    }

    /// Begins what has become ready and begins by itself.
    fn begin_ready(&mut self) {
        if self.process.status != ProcessStatus::Running {
            return;
        }
        if !self.process.plan.automatic_tasks.contains(&true) {
            return;
        }
        let (under_way, outcomes) = self.process.work();
        for number in 0..self.process.tasks.len() {
            if !self.process.plan.automatic_tasks[number] || self.process.tasks[number].stage != Stage::Open {
                continue;
            }
            if self.process.wants_condition(number) {
                self.evaluate(number);
            }
            if !self.process.is_ready(number) || self.process.tasks[number].stage != Stage::Open {
                continue;
            }
            match &self.process.plan.task(number).work {
                Work::Approval(_) if !self.process.vote(number).is_some_and(votes::Vote::is_open) => {
                    votes::open(self, number);
                }
                Work::Interlinker(_) if outcomes[number] => self.complete(number, None),
                Work::Interlinker(_) | Work::Subprocess(_) if !under_way[number] => {
                    effects::begin(self, number, self.context);
                }
                _ => {}
            }
        }
    }

    fn evaluate(&mut self, number: usize) {
        let plan = std::sync::Arc::clone(&self.process.plan);
        let Some(condition) = &plan.task(number).when else { return };
        let task = plan.outline.tasks[number].id.clone();
        match condition.evaluate(&self.process.condition_data(self.context)) {
            Ok(holds) => {
                self.push(ConditionEvaluated { task: task.clone(), holds });
                if !holds {
                    self.push(TaskSkipped { task, reason: None });
                }
            }
            Err(_) => self.push(TaskFailed { task, cause: "condition-cannot-be-evaluated".into() }),
        }
    }
}

impl Process {
    /// Whether anything happens by itself: as the schema says, as people set it, or left from a schema that it had.
    fn has_automatic(&self) -> bool {
        self.plan.is_automatic
            || self.parent.is_some()
            || !(self.dates.is_empty()
                && self.timers.is_empty()
                && self.effects.is_empty()
                && self.subprocesses.is_empty())
    }

    /// Whether a task's condition is to be evaluated now.
    fn wants_condition(&self, number: usize) -> bool {
        self.plan.task(number).when.is_some()
            && self.tasks[number].condition.is_none()
            && self.is_free(number)
            && self.is_opened(number)
    }

    /// Of each task, whether its Interlinker or process is there or asked for, and whether it has declared an outcome.
    fn work(&self) -> (Vec<bool>, Vec<bool>) {
        let (mut under_way, mut outcomes) = (vec![false; self.tasks.len()], vec![false; self.tasks.len()]);
        let asked_for = self.effects.values().filter_map(|effect| effect.task);
        let started = self.subprocesses.iter().filter(|(_, sub)| !sub.ended).map(|(task, _)| *task);
        asked_for.chain(started).for_each(|task| under_way[task as usize] = true);
        for held in self.assets.values().filter(|held| held.is_work) {
            under_way[held.task as usize] = true;
            outcomes[held.task as usize] |= held.outcome;
        }
        (under_way, outcomes)
    }

    /// The process's values: as this decision has set them, or as they were opened for it.
    pub(super) fn values<'a>(&'a self, context: &'a Context<'_>) -> Option<&'a BTreeMap<String, Value>> {
        self.data.as_ref().and_then(Sealed::opened).or(context.data)
    }

    /// What conditions see: `process`, `tasks`, `data` and `now`.
    pub(super) fn condition_data(&self, context: &Context<'_>) -> Value {
        let data = self.values(context).into_iter().flatten();
        let data: serde_json::Map<String, Value> = data.map(|(name, value)| (name.clone(), value.clone())).collect();
        let mut process = data.clone();
        process.insert("status".into(), json!(self.status.as_str()));
        process.insert("progress".into(), json!(self.progress()));
        let tasks = self.plan.outline.tasks.iter().enumerate().map(|(number, task)| {
            let state = json!({
                "status": self.task_status(number).as_str(),
                "reopened": self.tasks[number].reopened,
                "result": self.vote(number).and_then(|vote| vote.result).map(VoteResult::as_str),
            });
            (task.id.clone(), state)
        });
        let tasks: serde_json::Map<_, _> = tasks.collect();
        json!({ "process": process, "tasks": tasks, "data": data, "now": context.at.0 })
    }
}

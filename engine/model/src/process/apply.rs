//! Events to state. Nothing here can fail: what is written has happened.

use std::sync::Arc;

use super::{
    AssetOnTask, Effect, Incident, Moved, Plan, Process, ProcessStatus, Reversal, SetDates, Stage, Sub, TaskState,
    Timer, TimerKey, Vote,
};
use crate::event::Stamp;
use crate::facts::*;
use crate::id::ProcessId;
use crate::schema::outline::ItemRef;

impl Process {
    /// The process that its first event makes. `plan` is the schema that the event names.
    pub fn created(id: ProcessId, event: &ProcessCreated, stamp: &Stamp, plan: Arc<Plan>) -> Self {
        let tasks = vec![TaskState::default(); plan.outline.tasks.len()];
        Self {
            plan,
            id,
            name: event.name.clone(),
            language: event.language.clone(),
            status: ProcessStatus::Created,
            version: 0,
            created_by: stamp.actor,
            created_at: stamp.at,
            started_at: None,
            ended_at: None,
            touched_at: stamp.at,
            tasks,
            assets: imbl::OrdMap::new(),
            zone: event.zone.clone(),
            timers: imbl::OrdMap::new(),
            recurring: imbl::OrdMap::new(),
            votes: imbl::OrdMap::new(),
            effects: imbl::OrdMap::new(),
            incidents: imbl::OrdMap::new(),
            subprocesses: imbl::OrdMap::new(),
            dates: imbl::OrdMap::new(),
            data: event.data.clone(),
            parent: event.parent.clone(),
            told_parent: false,
            reversal: Reversal::Unwanted,
            set_aside: imbl::OrdMap::new(),
            moved: None,
            lineage: None,
            archived_at: None,
            organization: event.organization,
        }
    }

    /// Takes in an event. One that names something which the plan does not have changes nothing but the version.
    pub fn apply(&mut self, event: &ProcessEvent, stamp: &Stamp) {
        self.version += 1;
        self.touched_at = stamp.at;
        match event {
            ProcessEvent::ProcessCreated(_) => {}
            ProcessEvent::ProcessStarted(_) => {
                self.status = ProcessStatus::Running;
                self.started_at = Some(stamp.at);
            }
            ProcessEvent::ProcessSuspended(_) => self.status = ProcessStatus::Suspended,
            ProcessEvent::ProcessResumed(_) => self.status = ProcessStatus::Running,
            ProcessEvent::ProcessCancelled(_) => {
                self.status = ProcessStatus::Cancelled;
                self.ended_at = Some(stamp.at);
            }
            ProcessEvent::ProcessCompleted(_) => {
                self.status = ProcessStatus::Completed;
                self.ended_at = Some(stamp.at);
            }
            ProcessEvent::ProcessReopened(_) => {
                self.status = ProcessStatus::Running;
                self.ended_at = None;
            }
            ProcessEvent::ProcessArchived(_) => self.archived_at = Some(stamp.at),
            ProcessEvent::ProcessUnarchived(_) => self.archived_at = None,
            ProcessEvent::TaskClaimed(event) => {
                self.task(&event.task, stamp, |task| task.stage = Stage::Reserved(event.person));
            }
            ProcessEvent::TaskReleased(event) => self.task(&event.task, stamp, |task| task.stage = Stage::Open),
            ProcessEvent::TaskStarted(event) => self.task(&event.task, stamp, |task| {
                task.stage = Stage::InProgress(event.person);
                task.started_at = Some(stamp.at);
            }),
            ProcessEvent::TaskCompleted(event) => self.task(&event.task, stamp, |task| {
                task.stage = Stage::Completed;
                task.started_at = task.started_at.or(Some(stamp.at));
                task.finished_at = Some(stamp.at);
            }),
            ProcessEvent::TaskReopened(event) => {
                self.renew(&event.task, stamp, None);
                self.task(&event.task, stamp, |task| task.reopened += 1);
                self.discard_work(&event.task);
            }
            ProcessEvent::TaskSkipped(event) => self.task(&event.task, stamp, |task| {
                task.stage = Stage::Skipped;
                task.finished_at = Some(stamp.at);
            }),
            // A person wants it, whatever its condition said.
            ProcessEvent::TaskRestored(event) => self.renew(&event.task, stamp, Some(true)),
            ProcessEvent::TaskFailed(event) => self.task(&event.task, stamp, |task| {
                task.stage = Stage::Failed;
                task.started_at = None;
                task.finished_at = None;
            }),
            ProcessEvent::TaskRetried(event) => {
                self.renew(&event.task, stamp, None);
                if self.work_is_gone(&event.task) {
                    self.discard_work(&event.task);
                }
            }
            ProcessEvent::AssetAdded(event) => {
                if let Some(number) = self.plan.outline.task_index(&event.task) {
                    let interlinker = event.interlinker.clone();
                    let held = AssetOnTask {
                        task: number as u32,
                        interlinker,
                        is_work: event.work,
                        outcome: false,
                        told: None,
                    };
                    self.assets.insert(event.asset, held);
                    self.tasks[number].touched_at = Some(stamp.at);
                }
            }
            ProcessEvent::AssetDropped(event) => {
                self.assets.remove(&event.asset);
            }
            ProcessEvent::OutcomeNoted(event) => {
                if let Some(held) = self.assets.get_mut(&event.asset) {
                    held.outcome = true;
                }
            }
            ProcessEvent::AssetWithdrawn(event) => {
                if let Some(held) = self.assets.get_mut(&event.asset) {
                    held.told = Some((event.interlinker.clone(), event.how));
                }
            }
            ProcessEvent::ProcessMigrated(event) => {
                // Whoever decodes an event looks its schema up; one that is not there makes the process unreadable.
                if let Some(plan) = &event.plan {
                    let from = self.plan.reference();
                    self.migrate(Arc::clone(plan), &event.mapping);
                    self.moved = (!event.back).then(|| Moved { from, mapping: event.mapping.clone() });
                }
            }
            ProcessEvent::ProcessForked(event) => self.take_over(event),
            ProcessEvent::DataSet(event) => self.data = Some(event.data.clone()),
            ProcessEvent::ItemRescheduled(event) => {
                if let Some((item, dates)) = self.plan.outline.item(&event.item).zip(SetDates::read(&event.dates).ok())
                {
                    self.dates.insert(item, Arc::new(dates));
                }
            }
            other => self.apply_automatic(other, stamp),
        }
    }

    /// What happens by itself.
    fn apply_automatic(&mut self, event: &ProcessEvent, stamp: &Stamp) {
        match event {
            ProcessEvent::TimerArmed(event) => {
                if let Some(key) = self.timer_key(event.item.as_deref(), event.timer, event.number) {
                    self.timers.insert(key, Timer { due_at: event.due_at, fired_at: None });
                }
            }
            ProcessEvent::TimerDisarmed(event) => {
                if let Some(key) = self.timer_key(event.item.as_deref(), event.timer, event.number) {
                    self.timers.remove(&key);
                }
            }
            ProcessEvent::TimerFired(event) => {
                let Some(key) = self.timer_key(event.item.as_deref(), event.timer, event.number) else { return };
                if event.timer == TimerKind::Retry {
                    self.timers.remove(&key);
                    if let Some(effect) = self.effects.get_mut(&event.number) {
                        effect.retry_at = None;
                    }
                } else {
                    self.timers.insert(key, Timer { due_at: event.due_at, fired_at: Some(stamp.at) });
                }
            }
            ProcessEvent::TaskEscalated(event) => self.task(&event.task, stamp, |_| {}),
            ProcessEvent::OccurrenceOpened(event) => {
                self.task(&event.task, stamp, |task| {
                    task.stage = Stage::Open;
                    task.started_at = None;
                });
                self.recurring(&event.task, |recurring| {
                    recurring.number = event.number;
                    recurring.open = true;
                    recurring.last_run = Some(event.planned_at);
                });
            }
            ProcessEvent::OccurrenceCompleted(event) => {
                self.task(&event.task, stamp, |task| task.stage = Stage::Open);
                self.recurring(&event.task, |recurring| {
                    recurring.open = false;
                    recurring.done += 1;
                });
            }
            ProcessEvent::OccurrenceMissed(event) => self.recurring(&event.task, |recurring| recurring.open = false),
            ProcessEvent::RunsSkipped(event) => {
                self.recurring(&event.task, |recurring| recurring.last_run = recurring.last_run.max(Some(event.until)));
            }
            ProcessEvent::ConditionEvaluated(event) => {
                self.task(&event.task, stamp, |task| task.condition = Some(event.holds));
            }
            ProcessEvent::CompensationSkipped(event) => self.task(&event.task, stamp, |task| task.compensated = true),
            ProcessEvent::SubprocessEnded(event) => {
                if let Some(sub) = self.number(&event.task).and_then(|number| self.subprocesses.get_mut(&number)) {
                    sub.ended = true;
                }
            }
            ProcessEvent::SubprocessCompensated(event) => {
                if let Some(sub) = self.number(&event.task).and_then(|number| self.subprocesses.get_mut(&number)) {
                    sub.compensating = false;
                }
            }
            ProcessEvent::CompensationWanted(_) => self.reversal = Reversal::Wanted,
            ProcessEvent::VoteOpened(event) => {
                if let Some(number) = self.number(&event.task) {
                    let VoteOpened { round, rules, .. } = event.clone();
                    self.votes.insert(number, Vote { round, rules, cast: imbl::OrdMap::new(), result: None });
                }
            }
            ProcessEvent::VoteCast(event) => {
                if let Some(vote) = self.number(&event.task).and_then(|number| self.votes.get_mut(&number)) {
                    vote.cast.insert(event.person, event.choice);
                }
                self.task(&event.task, stamp, |_| {});
            }
            ProcessEvent::VoteDecided(event) => {
                if let Some(vote) = self.number(&event.task).and_then(|number| self.votes.get_mut(&number)) {
                    vote.result = Some(event.result);
                }
            }
            other => self.apply_effect(other, stamp),
        }
    }

    fn apply_effect(&mut self, event: &ProcessEvent, stamp: &Stamp) {
        match event {
            ProcessEvent::EffectRequested(event) => self.effect_requested(event, stamp),
            ProcessEvent::EffectAttemptFailed(event) => {
                if let Some(effect) = self.effects.get_mut(&event.effect) {
                    effect.attempts = event.attempt;
                    effect.retry_at = event.retry_at;
                }
            }
            ProcessEvent::EffectSucceeded(event) => {
                if let Some(effect) = self.effects.remove(&event.effect) {
                    self.effect_succeeded(effect);
                }
            }
            ProcessEvent::EffectDropped(event) => {
                self.effects.remove(&event.effect);
            }
            ProcessEvent::IncidentRaised(event) => {
                if let Some(effect) = self.effects.get_mut(&event.effect) {
                    effect.incident = Some(event.incident);
                }
                let incident = Incident {
                    task: event.task.as_deref().and_then(|task| self.number(task)),
                    effect: event.effect,
                    code: event.code.clone(),
                    attempts: event.attempts,
                    raised_at: stamp.at,
                    closed: None,
                };
                self.incidents.insert(event.incident, incident);
            }
            ProcessEvent::IncidentClosed(event) => {
                let Some(incident) = self.incidents.get_mut(&event.incident) else { return };
                incident.closed = Some((event.resolution, stamp.at));
                let effect = incident.effect;
                match event.resolution {
                    Resolution::Retried => {
                        if let Some(effect) = self.effects.get_mut(&effect) {
                            (effect.incident, effect.attempts) = (None, 0);
                        }
                    }
                    Resolution::Skipped | Resolution::Resolved | Resolution::Dropped => {
                        if let Some(effect) = self.effects.remove(&effect) {
                            self.effect_given_up(&effect);
                        }
                    }
                }
            }
            _ => {}
        }
    }

    fn effect_succeeded(&mut self, effect: Effect) {
        match (effect.kind, effect.task) {
            (EffectKind::Subprocess { process, .. }, Some(task)) => {
                let sub = Sub { process, ended: false, cancelled: false, compensating: false };
                self.subprocesses.insert(task, sub);
            }
            (EffectKind::CompensateSubprocess { process }, Some(task)) => {
                if let Some(sub) = self.subprocesses.get_mut(&task).filter(|sub| sub.process == process) {
                    sub.compensating = true;
                }
            }
            _ => {}
        }
    }

    /// An operator gave up on an effect: nobody waits for what would have come of it.
    fn effect_given_up(&mut self, effect: &Effect) {
        if let (EffectKind::CancelSubprocess { process }, Some(task)) = (&effect.kind, effect.task)
            && let Some(sub) = self.subprocesses.get_mut(&task).filter(|sub| sub.process == *process)
        {
            sub.ended = true;
        }
    }

    fn effect_requested(&mut self, event: &EffectRequested, stamp: &Stamp) {
        let task = event.task.as_deref().and_then(|task| self.number(task));
        match (&event.effect, task) {
            (EffectKind::Compensate { .. } | EffectKind::CompensateSubprocess { .. }, Some(task)) => {
                self.tasks[task as usize].compensated = true;
            }
            (EffectKind::CancelSubprocess { process }, Some(task)) => {
                if let Some(sub) = self.subprocesses.get_mut(&task).filter(|sub| sub.process == *process) {
                    sub.cancelled = true;
                }
            }
            (EffectKind::TellParent { .. }, _) => self.told_parent = true,
            (EffectKind::TellCompensated { .. }, _) => self.reversal = Reversal::Told,
            _ => {}
        }
        let effect = Effect {
            task,
            kind: event.effect.clone(),
            input: event.input.clone(),
            requested_at: stamp.at,
            attempts: 0,
            retry_at: None,
            incident: None,
        };
        self.effects.insert(self.version, effect);
    }

    fn timer_key(&self, item: Option<&str>, kind: TimerKind, number: u64) -> Option<TimerKey> {
        let item: Option<ItemRef> = match item {
            Some(id) => Some(self.plan.outline.item(id)?),
            None => None,
        };
        Some(TimerKey { item, kind, number })
    }

    fn number(&self, task: &str) -> Option<u32> {
        self.plan.outline.task_index(task).map(|number| number as u32)
    }

    fn task(&mut self, id: &str, stamp: &Stamp, change: impl FnOnce(&mut TaskState)) {
        if let Some(number) = self.plan.outline.task_index(id) {
            let task = &mut self.tasks[number];
            change(task);
            task.touched_at = Some(stamp.at);
        }
    }

    fn recurring(&mut self, task: &str, change: impl FnOnce(&mut super::Recurring)) {
        if let Some(number) = self.number(task) {
            let mut recurring = self.recurring.get(&number).copied().unwrap_or_default();
            change(&mut recurring);
            self.recurring.insert(number, recurring);
        }
    }

    /// A task has work again.
    fn renew(&mut self, task: &str, stamp: &Stamp, condition: Option<bool>) {
        self.task(task, stamp, |task| {
            task.stage = Stage::Open;
            task.started_at = None;
            task.finished_at = None;
            task.renewed_at = Some(stamp.at);
            task.condition = condition;
            task.compensated = false;
        });
    }

    /// What did a task's work before counts for it no more: it is evidence now.
    fn discard_work(&mut self, task: &str) {
        let Some(number) = self.number(task) else { return };
        let work: Vec<_> =
            self.assets.iter().filter(|(_, held)| held.task == number && held.is_work).map(|(id, _)| *id).collect();
        for asset in work {
            if let Some(held) = self.assets.get_mut(&asset) {
                held.is_work = false;
            }
        }
    }

    /// Whether nothing is under way that would do a task's work.
    fn work_is_gone(&self, task: &str) -> bool {
        let number = self.number(task);
        !self.effects.values().any(|effect| effect.task == number)
    }
}

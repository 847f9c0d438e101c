//! Events to state. Nothing here can fail: what is written has happened.

use std::sync::Arc;

use super::{AssetOnTask, Plan, Process, ProcessStatus, Stage, TaskState};
use crate::event::Stamp;
use crate::facts::{ProcessCreated, ProcessEvent};
use crate::id::ProcessId;

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
        }
    }

    /// Takes in an event. One that names a task which the plan does not have changes nothing but the version.
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
            ProcessEvent::TaskReopened(event) => self.task(&event.task, stamp, |task| {
                task.stage = Stage::Open;
                task.started_at = None;
                task.finished_at = None;
                task.reopened += 1;
            }),
            ProcessEvent::TaskSkipped(event) => self.task(&event.task, stamp, |task| {
                task.stage = Stage::Skipped;
                task.finished_at = Some(stamp.at);
            }),
            ProcessEvent::TaskRestored(event) => self.task(&event.task, stamp, |task| {
                task.stage = Stage::Open;
                task.started_at = None;
                task.finished_at = None;
            }),
            ProcessEvent::AssetAdded(event) => {
                if let Some(number) = self.plan.outline.task_index(&event.task) {
                    let interlinker = event.interlinker.clone();
                    self.assets.insert(event.asset, AssetOnTask { task: number as u32, interlinker });
                    self.tasks[number].touched_at = Some(stamp.at);
                }
            }
            ProcessEvent::AssetDropped(event) => {
                self.assets.remove(&event.asset);
            }
        }
    }

    fn task(&mut self, id: &str, stamp: &Stamp, change: impl FnOnce(&mut TaskState)) {
        if let Some(number) = self.plan.outline.task_index(id) {
            let task = &mut self.tasks[number];
            change(task);
            task.touched_at = Some(stamp.at);
        }
    }
}

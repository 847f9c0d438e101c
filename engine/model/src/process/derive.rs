//! What follows from what somebody did: statuses, dates and progress, of tasks, objectives and phases.

use serde::{Deserialize, Serialize};

use super::{Process, ProcessStatus, Stage};
use crate::facts::TimerKind;
use crate::id::Micros;
use crate::schema::TaskKind;
use crate::schema::outline::ItemRef;

/// Status of a task, in the words of human-task standards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskStatus {
    /// Something that it waits for is not finished, or the process does not run.
    Waiting,
    /// It can be begun.
    Ready,
    /// A person took it.
    Reserved,
    /// A person works on it.
    InProgress,
    /// The process rests.
    Suspended,
    /// It is done.
    Completed,
    /// It is left out.
    Skipped,
    /// It failed.
    Failed,
}

/// Status of an objective or a phase, derived from its tasks; of a task, the same words.
pub type ItemStatus = TaskStatus;

impl TaskStatus {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Ready => "ready",
            Self::Reserved => "reserved",
            Self::InProgress => "in_progress",
            Self::Suspended => "suspended",
            Self::Completed => "completed",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }

    /// INTERLINK's word: awaiting, in progress or finished.
    pub fn interlink_word(self) -> &'static str {
        match self {
            Self::Waiting | Self::Suspended | Self::Failed => "awaiting",
            Self::Ready | Self::Reserved | Self::InProgress => "in progress",
            Self::Completed | Self::Skipped => "finished",
        }
    }
}

/// What is derived of a tree item.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ItemView {
    /// Its status.
    pub status: ItemStatus,
    /// Tasks completed over tasks not skipped; 1 where there is nothing to do.
    pub progress: f64,
    /// When work on it began.
    pub started_at: Option<Micros>,
    /// When all of it was finished.
    pub finished_at: Option<Micros>,
}

impl Process {
    /// Whether an item is finished: a task by itself, an objective or phase when all its tasks are.
    pub fn is_finished(&self, item: ItemRef) -> bool {
        self.tasks[self.plan.outline.tasks_of(item)].iter().all(|task| task.stage.is_finished())
    }

    /// What a task still waits for.
    pub fn open_prerequisites(&self, task: usize) -> impl Iterator<Item = ItemRef> + '_ {
        let waits = self.plan.outline.tasks[task].waits_for.iter().map(|wait| wait.item);
        waits.filter(|item| !self.is_finished(*item))
    }

    /// Whether everything that a task waits for is finished.
    pub fn is_free(&self, task: usize) -> bool {
        self.open_prerequisites(task).next().is_none()
    }

    /// Whether the hours of a task, its objective and its phase have begun.
    pub fn is_opened(&self, task: usize) -> bool {
        let mut gated = self.plan.outline.above(task).into_iter().filter(|item| self.opening(*item).opens.is_some());
        gated.all(|item| self.has_fired(item, TimerKind::Opens))
    }

    /// Whether a task can be begun now, as far as the task is concerned: what is before it is finished, its hours have
    /// begun, its condition holds, and, where it comes again, its next time has come.
    pub fn is_ready(&self, task: usize) -> bool {
        let due = match &self.timing(task).every {
            Some(_) => self.recurring.get(&(task as u32)).is_some_and(|recurring| recurring.open),
            None => true,
        };
        let wanted = self.plan.task(task).when.is_none() || self.tasks[task].condition == Some(true);
        due && wanted && self.is_free(task) && self.is_opened(task)
    }

    /// When a task that waits for its time alone can be begun.
    pub fn waits_until(&self, task: usize) -> Option<Micros> {
        if !self.is_free(task) {
            return None;
        }
        let opens = self.plan.outline.above(task).into_iter().filter_map(|item| self.timer(item, TimerKind::Opens));
        let opens = opens.filter(|timer| timer.fired_at.is_none()).map(|timer| timer.due_at).max();
        let own = [TimerKind::Every, TimerKind::Wait].into_iter();
        let own = own.filter_map(|kind| self.timer(ItemRef::Task(task), kind)).map(|timer| timer.due_at).min();
        opens.or(own)
    }

    /// Status of a task.
    pub fn task_status(&self, task: usize) -> TaskStatus {
        match (self.tasks[task].stage, self.status) {
            (Stage::Completed, _) => TaskStatus::Completed,
            (Stage::Skipped, _) => TaskStatus::Skipped,
            (Stage::Failed, _) => TaskStatus::Failed,
            (_, ProcessStatus::Suspended) => TaskStatus::Suspended,
            (Stage::Reserved(_), _) => TaskStatus::Reserved,
            (Stage::InProgress(_), _) => TaskStatus::InProgress,
            (Stage::Open, ProcessStatus::Running) if self.is_ready(task) => match self.plan.task(task).work.kind() {
                TaskKind::Timer => TaskStatus::Waiting,
                TaskKind::Subprocess => TaskStatus::InProgress,
                TaskKind::Human | TaskKind::Interlinker | TaskKind::Approval => TaskStatus::Ready,
            },
            (Stage::Open, _) => TaskStatus::Waiting,
        }
    }

    /// What is derived of an item.
    pub fn item(&self, item: ItemRef) -> ItemView {
        let range = self.plan.outline.tasks_of(item);
        let tasks = &self.tasks[range.clone()];
        let status = match item {
            ItemRef::Task(task) => self.task_status(task),
            ItemRef::Objective(_) | ItemRef::Phase(_) => group_status(range.map(|task| self.task_status(task))),
        };
        let finished = tasks.iter().all(|task| task.stage.is_finished());
        ItemView {
            status,
            progress: progress(tasks.iter().map(|task| task.stage)),
            started_at: tasks.iter().filter_map(|task| task.started_at).min(),
            finished_at: finished.then(|| tasks.iter().filter_map(|task| task.finished_at).max()).flatten(),
        }
    }

    /// Tasks completed over tasks not skipped.
    pub fn progress(&self) -> f64 {
        progress(self.tasks.iter().map(|task| task.stage))
    }

    /// The first invariant that does not hold, in words. None of them can be broken by commands.
    pub fn broken_invariant(&self) -> Option<&'static str> {
        let finished = self.tasks.iter().all(|task| task.stage.is_finished());
        let live = matches!(self.status, ProcessStatus::Running | ProcessStatus::Suspended);
        let progress = self.progress();
        let backwards =
            |first: Option<Micros>, then: Option<Micros>| matches!((first, then), (Some(a), Some(b)) if b < a);
        let checks = [
            (
                self.status == ProcessStatus::Completed && !finished,
                "a completed process has a task that is not finished",
            ),
            (live && finished, "a process with nothing left to do goes on"),
            (!(0.0..=1.0).contains(&progress), "progress is not between 0 and 1"),
            (self.status == ProcessStatus::Completed && progress != 1.0, "a completed process is not at 1"),
            // One that began where another was has begun before it was made.
            (
                self.lineage.is_none() && backwards(Some(self.created_at), self.started_at),
                "the process began before it was made",
            ),
            (backwards(self.started_at, self.ended_at), "the process ended before it began"),
            (
                self.archived_at.is_some() && (self.ended_at.is_none() || self.is_awaited()),
                "a process is archived that goes on",
            ),
            (
                self.tasks.iter().any(|task| backwards(task.started_at, task.finished_at)),
                "a task ended before it began",
            ),
            (
                self.tasks.iter().any(|task| task.stage.is_finished() != task.finished_at.is_some()),
                "a task is finished exactly when it has an end",
            ),
        ];
        checks.into_iter().find(|(broken, _)| *broken).map(|(_, what)| what)
    }
}

/// Tasks completed over tasks not skipped; 1 where nothing is left to do.
fn progress(stages: impl Iterator<Item = Stage>) -> f64 {
    let (completed, wanted) = stages.fold((0u32, 0u32), |(completed, wanted), stage| match stage {
        Stage::Skipped => (completed, wanted),
        Stage::Completed => (completed + 1, wanted + 1),
        _ => (completed, wanted + 1),
    });
    if wanted == 0 { 1.0 } else { f64::from(completed) / f64::from(wanted) }
}

/// The status of a group: what its tasks have reached together.
fn group_status(tasks: impl Iterator<Item = TaskStatus>) -> ItemStatus {
    use TaskStatus::*;
    let all: Vec<_> = tasks.collect();
    let any = |wanted: TaskStatus| all.contains(&wanted);
    if all.iter().all(|status| *status == Skipped) && !all.is_empty() {
        Skipped
    } else if all.iter().all(|status| matches!(status, Completed | Skipped)) {
        Completed
    } else if any(Failed) {
        Failed
    } else if any(Suspended) {
        Suspended
    } else if any(InProgress) || any(Completed) || any(Reserved) {
        InProgress
    } else if any(Ready) {
        Ready
    } else {
        Waiting
    }
}

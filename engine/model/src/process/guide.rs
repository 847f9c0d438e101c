//! The guide: what can be done now, by whom, and what everything else waits for.

use super::{Process, ProcessStatus, TaskStatus};
use crate::id::{Micros, PersonId};
use crate::schema::outline::ItemRef;

/// What to do next, and what waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guide {
    /// Tasks that can be done now, in the order of the plan.
    pub next: Vec<Next>,
    /// Tasks that wait, with what they wait for.
    pub waiting: Vec<Waiting>,
}

/// A task that can be done now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// Its number.
    pub task: usize,
    /// Its status: ready, reserved or in progress.
    pub status: TaskStatus,
    /// Whose it is, where somebody took it.
    pub person: Option<PersonId>,
    /// What had to be finished for it, and is.
    pub after: Vec<ItemRef>,
}

/// A task that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its number.
    pub task: usize,
    /// Its status.
    pub status: TaskStatus,
    /// What is not finished yet; empty where the process itself does not run, or where its time has not come.
    pub for_items: Vec<ItemRef>,
    /// When its time comes, where it waits for that alone.
    pub until: Option<Micros>,
}

impl Process {
    /// The guide as things stand. Where a process is finished or was cancelled, nothing is next and nothing waits.
    pub fn guide(&self) -> Guide {
        let mut guide = Guide { next: Vec::new(), waiting: Vec::new() };
        if matches!(self.status, ProcessStatus::Completed | ProcessStatus::Cancelled) {
            return guide;
        }
        for task in 0..self.tasks.len() {
            let status = self.task_status(task);
            if self.tasks[task].stage.is_finished() {
                continue;
            }
            let open: Vec<_> = self.open_prerequisites(task).collect();
            let can_be_done = matches!(status, TaskStatus::Ready | TaskStatus::Reserved | TaskStatus::InProgress);
            if open.is_empty() && can_be_done && self.status == ProcessStatus::Running {
                let person = self.tasks[task].stage.person();
                let after = self.plan.outline.tasks[task].waits_for.iter().map(|wait| wait.item).collect();
                guide.next.push(Next { task, status, person, after });
            } else {
                guide.waiting.push(Waiting { task, status, for_items: open, until: self.waits_until(task) });
            }
        }
        guide
    }
}

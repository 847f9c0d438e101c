//! A schema as the engine walks it: items by number, prerequisites looked up and inherited.
//!
//! A process asks at every event what has become ready; with names that would be a search through the tree each time.
//! The outline is made once per schema, when a process of it is first loaded.

use std::collections::HashMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{Prerequisite, PrerequisiteKind, Schema};

/// An item by its number in tree order among those of its level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ItemRef {
    /// A phase.
    Phase(usize),
    /// An objective, counted over the whole schema.
    Objective(usize),
    /// A task, counted over the whole schema.
    Task(usize),
}

/// Something that must be finished before a task is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// What must be finished.
    pub item: ItemRef,
}

/// A task of an outline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutlineTask {
    /// Its id.
    pub id: String,
    /// Number of its phase.
    pub phase: usize,
    /// Number of its objective.
    pub objective: usize,
    /// What must be finished first: its own prerequisites, then its objective's and its phase's, each once.
    pub waits_for: Vec<Wait>,
    /// Names of the problems that it faces: its own, then its objective's, each once.
    pub problem_profiles: Vec<String>,
    /// Roles that may do it; empty means every member.
    pub roles: Vec<String>,
}

/// A phase or an objective of an outline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutlineGroup {
    /// Its id.
    pub id: String,
    /// Numbers of the tasks in it; empty if it has none, and then it counts as finished.
    pub tasks: Range<usize>,
}

/// The numbered form of a schema.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outline {
    /// Tasks in the order in which they are to be done.
    pub tasks: Vec<OutlineTask>,
    /// Objectives in order, with their tasks.
    pub objectives: Vec<OutlineGroup>,
    /// Phases in order, with their tasks.
    pub phases: Vec<OutlineGroup>,
    items: HashMap<String, ItemRef>,
}

impl Outline {
    /// The outline of a checked schema.
    pub fn of(schema: &Schema) -> Self {
        let items = numbered(schema);
        let mut outline = Outline { items, ..Outline::default() };
        for (phase_number, phase) in schema.phases.iter().enumerate() {
            let first_in_phase = outline.tasks.len();
            for objective in &phase.objectives {
                let first = outline.tasks.len();
                for task in &objective.tasks {
                    let above = [&task.prerequisites, &objective.prerequisites, &phase.prerequisites];
                    let waits_for = outline.waits(above.into_iter().flatten());
                    outline.tasks.push(OutlineTask {
                        id: task.id.clone(),
                        phase: phase_number,
                        objective: outline.objectives.len(),
                        waits_for,
                        problem_profiles: each_once(&task.problem_profiles, &objective.problem_profiles),
                        roles: task.roles.clone(),
                    });
                }
                let tasks = first..outline.tasks.len();
                outline.objectives.push(OutlineGroup { id: objective.id.clone(), tasks });
            }
            let tasks = first_in_phase..outline.tasks.len();
            outline.phases.push(OutlineGroup { id: phase.id.clone(), tasks });
        }
        outline
    }

    /// The number of a task.
    pub fn task_index(&self, id: &str) -> Option<usize> {
        match self.item(id)? {
            ItemRef::Task(number) => Some(number),
            ItemRef::Phase(_) | ItemRef::Objective(_) => None,
        }
    }

    /// The item of an id.
    pub fn item(&self, id: &str) -> Option<ItemRef> {
        self.items.get(id).copied()
    }

    /// The id of an item of this outline.
    pub fn id(&self, item: ItemRef) -> Option<&str> {
        match item {
            ItemRef::Phase(number) => self.phases.get(number).map(|phase| phase.id.as_str()),
            ItemRef::Objective(number) => self.objectives.get(number).map(|objective| objective.id.as_str()),
            ItemRef::Task(number) => self.tasks.get(number).map(|task| task.id.as_str()),
        }
    }

    /// The numbers of the tasks that must be finished for an item to be.
    pub fn tasks_of(&self, item: ItemRef) -> Range<usize> {
        match item {
            ItemRef::Phase(number) => self.phases.get(number).map_or(0..0, |phase| phase.tasks.clone()),
            ItemRef::Objective(number) => self.objectives.get(number).map_or(0..0, |objective| objective.tasks.clone()),
            ItemRef::Task(number) => number..number + 1,
        }
    }

    /// A task with what it is part of: the task, its objective, its phase.
    pub fn above(&self, task: usize) -> [ItemRef; 3] {
        let OutlineTask { objective, phase, .. } = &self.tasks[task];
        [ItemRef::Task(task), ItemRef::Objective(*objective), ItemRef::Phase(*phase)]
    }

    fn waits<'p>(&self, prerequisites: impl Iterator<Item = &'p Prerequisite>) -> Vec<Wait> {
        let mut waits: Vec<Wait> = Vec::new();
        for prerequisite in prerequisites.filter(|prerequisite| prerequisite.kind == PrerequisiteKind::Finished) {
            if let Some(item) = self.item(&prerequisite.item)
                && !waits.contains(&Wait { item })
            {
                waits.push(Wait { item });
            }
        }
        waits
    }
}

fn numbered(schema: &Schema) -> HashMap<String, ItemRef> {
    let phases = schema.phases.iter().enumerate().map(|(number, phase)| (&phase.id, ItemRef::Phase(number)));
    let objectives = || schema.phases.iter().flat_map(|phase| &phase.objectives);
    let tasks = objectives().flat_map(|objective| &objective.tasks).enumerate();
    let objectives = objectives().enumerate().map(|(number, objective)| (&objective.id, ItemRef::Objective(number)));
    let tasks = tasks.map(|(number, task)| (&task.id, ItemRef::Task(number)));
    phases.chain(objectives).chain(tasks).map(|(id, item)| (id.clone(), item)).collect()
}

fn each_once(first: &[String], then: &[String]) -> Vec<String> {
    let mut all: Vec<String> = Vec::with_capacity(first.len() + then.len());
    for name in first.iter().chain(then) {
        if !all.contains(name) {
            all.push(name.clone());
        }
    }
    all
}

//! A schema that processes are pinned to, numbered for the engine, with what is asked of it at every event looked up
//! once.

use crate::facts::SchemaRef;
use crate::schema::outline::{ItemRef, Outline};
use crate::schema::timing::{Opening, Timing};
use crate::schema::work::{OnFailure, Work};
use crate::schema::{Objective, Phase, Schema, Task};

/// A schema as processes run it.
#[derive(Debug, PartialEq)]
pub struct Plan {
    /// The schema.
    pub schema: Schema,
    /// Its numbered form.
    pub outline: Outline,
    /// Where a task of a number stands: phase, objective in it, task in that.
    places: Vec<(usize, usize, usize)>,
    /// Where an objective of a number stands.
    objectives: Vec<(usize, usize)>,
    /// Phases and objectives that open or close by themselves.
    pub(super) timed_groups: Vec<ItemRef>,
    /// Of each task, whether it can have timers.
    pub(super) timed_tasks: Vec<bool>,
    /// Of each task, whether anything begins by itself when it becomes ready.
    pub(super) automatic_tasks: Vec<bool>,
    /// Whether completed tasks can be made undone.
    pub(super) compensates: bool,
    /// Whether anything in it happens by itself: most schemas are for people alone, and cost nothing here.
    pub(super) is_automatic: bool,
}

impl Plan {
    /// The plan of a schema.
    pub fn new(schema: Schema) -> Self {
        let outline = Outline::of(&schema);
        let (mut places, mut objectives) = (Vec::new(), Vec::new());
        for (phase_number, phase) in schema.phases.iter().enumerate() {
            for (objective_number, objective) in phase.objectives.iter().enumerate() {
                objectives.push((phase_number, objective_number));
                places.extend((0..objective.tasks.len()).map(|task| (phase_number, objective_number, task)));
            }
        }
        let task = |place: &(usize, usize, usize)| &schema.phases[place.0].objectives[place.1].tasks[place.2];
        let timed_tasks: Vec<_> = places.iter().map(|place| is_timed(task(place))).collect();
        let automatic = |task: &Task| task.when.is_some() || !matches!(task.work, Work::Human | Work::Timer(_));
        let automatic_tasks: Vec<_> = places.iter().map(|place| automatic(task(place))).collect();
        let compensates = places.iter().map(task).any(|task| is_undone_by_itself(&task.work));
        let fails = places.iter().map(task).any(|task| task.on_failure != OnFailure::Wait);
        let opens = |opening: &Opening| *opening != Opening::default();
        let phases = schema.phases.iter().enumerate().filter(|(_, phase)| opens(&phase.opening));
        let phases = phases.map(|(number, _)| ItemRef::Phase(number));
        let timed = objectives
            .iter()
            .enumerate()
            .filter(|(_, place)| opens(&schema.phases[place.0].objectives[place.1].opening));
        let timed_groups: Vec<_> = phases.chain(timed.map(|(number, _)| ItemRef::Objective(number))).collect();
        let is_automatic = schema.deadline.is_some()
            || !timed_groups.is_empty()
            || fails
            || timed_tasks.iter().chain(&automatic_tasks).any(|is| *is);
        Self {
            places,
            objectives,
            timed_groups,
            timed_tasks,
            automatic_tasks,
            compensates,
            is_automatic,
            outline,
            schema,
        }
    }

    /// Name, version and digest.
    pub fn reference(&self) -> SchemaRef {
        let Schema { name, version, digest, .. } = &self.schema;
        SchemaRef { name: name.clone(), version: version.to_string(), digest: digest.clone() }
    }

    /// A task.
    pub fn task(&self, number: usize) -> &Task {
        let (phase, objective, task) = self.places[number];
        &self.schema.phases[phase].objectives[objective].tasks[task]
    }

    fn objective(&self, number: usize) -> &Objective {
        let (phase, objective) = self.objectives[number];
        &self.schema.phases[phase].objectives[objective]
    }

    fn phase(&self, number: usize) -> &Phase {
        &self.schema.phases[number]
    }

    /// When an item opens and closes, as the schema says.
    pub(super) fn opening(&self, item: ItemRef) -> &Opening {
        match item {
            ItemRef::Phase(number) => &self.phase(number).opening,
            ItemRef::Objective(number) => &self.objective(number).opening,
            ItemRef::Task(number) => &self.task(number).opening,
        }
    }
}

/// Whether what was done for a task can be made undone by the engine. Of a process within a process only that one knows.
pub(super) fn is_undone_by_itself(work: &Work) -> bool {
    match work {
        Work::Interlinker(by) => by.compensation.is_some(),
        Work::Subprocess(_) => true,
        Work::Human | Work::Approval(_) | Work::Timer(_) => false,
    }
}

fn is_timed(task: &Task) -> bool {
    let deadline =
        matches!(&task.work, Work::Timer(_)) || matches!(&task.work, Work::Approval(vote) if vote.deadline.is_some());
    deadline || task.opening != Opening::default() || task.timing != Timing::default()
}

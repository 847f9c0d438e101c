//! Moving a process to another schema: a plan first, then one event, and a way back.
//!
//! Items are the same where they have the same id, or where whoever moves the process says so. Work on an item that the new
//! schema does not have is never dropped by itself: it is mapped to another item, or set aside, from where the way back
//! brings it again. Everything that hangs on an item (its timers, assets, votes, claims, effects, incidents, dates) goes
//! with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{AssetOnTask, Incident, Plan, Process, ProcessStatus, Recurring, Stage, Sub, TaskState, Vote};
use crate::facts::SchemaRef;
use crate::id::AssetId;
use crate::schema::outline::ItemRef;

/// What becomes of items: to which one the work on an item goes, or that it is set aside.
pub type Mapping = BTreeMap<String, Option<String>>;

/// What a task had when its schema no longer did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SetAside {
    state: TaskState,
    assets: Vec<(AssetId, AssetOnTask)>,
    vote: Option<Vote>,
    recurring: Option<Recurring>,
    subprocess: Option<Sub>,
}

/// The last move of a process, for the way back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// The schema that it was moved from.
    pub from: SchemaRef,
    /// What became of items then.
    pub mapping: Mapping,
}

/// An item of the present schema that the new one does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// Its id.
    pub id: String,
    /// What work there is on it; nothing where nobody began.
    pub work: Option<&'static str>,
    /// The item to which it goes.
    pub becomes: Option<String>,
}

/// An item that both have, and that is not the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Its id.
    pub id: String,
    /// What of it: keys of the authoring format.
    pub what: Vec<&'static str>,
}

/// What moving a process would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationPlan {
    /// The present schema.
    pub from: SchemaRef,
    /// The new one.
    pub to: SchemaRef,
    /// Items that are new.
    pub added: Vec<String>,
    /// Items that are gone, with what becomes of the work on them.
    pub removed: Vec<Removed>,
    /// Items that are not the same.
    pub changed: Vec<Changed>,
    /// How many tasks keep their work as it is.
    pub kept: usize,
    /// Why it cannot be done so, each with what would satisfy it.
    pub refused: Vec<String>,
}

impl Process {
    /// What moving this process to a schema would do.
    pub fn plan_migration(&self, to: &Plan, mapping: &Mapping) -> MigrationPlan {
        let mut refused = Vec::new();
        match self.status {
            ProcessStatus::Completed | ProcessStatus::Cancelled => {
                refused.push(format!("the process was {}: only one that goes on is moved", self.status.as_str()));
            }
            ProcessStatus::Created | ProcessStatus::Running | ProcessStatus::Suspended => {}
        }
        if to.schema.digest == self.plan.schema.digest {
            refused.push("the process has this schema already".into());
        }
        self.check_mapping(to, mapping, &mut refused);
        let ids = |plan: &Plan| {
            let groups = plan.outline.phases.iter().chain(&plan.outline.objectives).map(|group| group.id.clone());
            groups.chain(plan.outline.tasks.iter().map(|task| task.id.clone())).collect::<Vec<_>>()
        };
        let (before, after) = (ids(&self.plan), ids(to));
        let targets: Vec<_> = mapping.values().flatten().collect();
        let added = after.iter().filter(|id| !before.contains(id) && !targets.contains(id)).cloned().collect();
        let mut plan = MigrationPlan {
            from: self.plan.reference(),
            to: to.reference(),
            added,
            removed: Vec::new(),
            changed: Vec::new(),
            kept: 0,
            refused,
        };
        for id in &before {
            self.plan_item(id, to, mapping, &mut plan);
        }
        plan
    }

    fn check_mapping(&self, to: &Plan, mapping: &Mapping, refused: &mut Vec<String>) {
        let mut taken: BTreeMap<usize, &str> = BTreeMap::new();
        for (from, target) in mapping {
            if self.plan.outline.task_index(from).is_none() {
                refused.push(format!("`{from}` is no task of this process: only work on tasks is mapped"));
            }
            if let Some(target) = target.as_deref().filter(|target| to.outline.task_index(target).is_none()) {
                refused.push(format!("`{target}` is no task of the new schema"));
            }
        }
        for task in &self.plan.outline.tasks {
            let Some(number) = target_of(&task.id, to, mapping) else { continue };
            if let Some(other) = taken.insert(number, &task.id) {
                let target = &to.outline.tasks[number].id;
                refused.push(format!("`{other}` and `{}` cannot both become `{target}`", task.id));
            }
        }
    }

    fn plan_item(&self, id: &str, to: &Plan, mapping: &Mapping, plan: &mut MigrationPlan) {
        let Some(number) = self.plan.outline.task_index(id) else {
            // Phases and objectives have no work of their own.
            if to.outline.item(id).is_none() {
                plan.removed.push(Removed { id: id.into(), work: None, becomes: None });
            }
            return;
        };
        let work = self.work_on(number);
        let Some(target) = target_of(id, to, mapping) else {
            if let (Some(work), None) = (work, mapping.get(id)) {
                plan.refused.push(format!(
                    "`{id}` is not in the new schema, and is {work}: map it to another task, or to null to set it aside"
                ));
            }
            plan.removed.push(Removed { id: id.into(), work, becomes: None });
            return;
        };
        let (old, new) = (self.plan.task(number), to.task(target));
        if old.work.kind() != new.work.kind()
            && work.is_some()
            && !self.tasks[number].stage.is_finished()
            && !mapping.contains_key(id)
        {
            plan.refused.push(format!(
                "`{id}` becomes a task of kind `{}`, and is {}: map it to itself to begin it anew, or finish it first",
                new.work.kind().as_str(),
                work.unwrap_or_default(),
            ));
        }
        if old.id != new.id {
            plan.removed.push(Removed { id: id.into(), work, becomes: Some(new.id.clone()) });
        }
        let what = differences(self, number, to, target);
        if what.is_empty() && old.id == new.id {
            plan.kept += usize::from(work.is_some());
        } else if !what.is_empty() {
            plan.changed.push(Changed { id: new.id.clone(), what });
        }
    }

    /// What work there is on a task.
    fn work_on(&self, number: usize) -> Option<&'static str> {
        let key = number as u32;
        match self.tasks[number].stage {
            Stage::Completed => Some("completed"),
            Stage::Skipped => Some("skipped"),
            Stage::Failed => Some("failed"),
            Stage::Reserved(_) => Some("claimed"),
            Stage::InProgress(_) => Some("in progress"),
            Stage::Open if self.assets.values().any(|held| held.task == key) => Some("in use: it has assets"),
            Stage::Open if self.votes.get(&key).is_some_and(|vote| !vote.cast.is_empty()) => Some("being voted on"),
            Stage::Open if self.recurring.get(&key).is_some_and(|recurring| recurring.number > 0) => Some("recurring"),
            Stage::Open if self.subprocesses.contains_key(&key) => Some("a process under way"),
            Stage::Open => None,
        }
    }

    /// Takes the new plan, with everything that hangs on items.
    pub(super) fn migrate(&mut self, to: Arc<Plan>, mapping: &Mapping) {
        let before = Arc::clone(&self.plan);
        let task = |number: u32| {
            target_of(&before.outline.tasks[number as usize].id, &to, mapping).map(|number| number as u32)
        };
        let item = |item: ItemRef| match item {
            ItemRef::Task(number) => task(number as u32).map(|number| ItemRef::Task(number as usize)),
            group => before
                .outline
                .id(group)
                .and_then(|id| to.outline.item(id))
                .filter(|found| !matches!(found, ItemRef::Task(_))),
        };
        self.set_aside_removed(&before, &to, mapping);
        let mut tasks = vec![TaskState::default(); to.outline.tasks.len()];
        for (number, state) in self.tasks.iter().enumerate() {
            let Some(target) = task(number as u32) else { continue };
            let same_kind = before.task(number).work.kind() == to.task(target as usize).work.kind();
            tasks[target as usize] = if same_kind || state.stage.is_finished() { *state } else { TaskState::default() };
        }
        self.tasks = tasks;
        self.assets = std::mem::take(&mut self.assets)
            .into_iter()
            .filter_map(|(id, held)| task(held.task).map(|task| (id, AssetOnTask { task, ..held })))
            .collect();
        self.recurring = by_task(std::mem::take(&mut self.recurring), task);
        self.votes = by_task(std::mem::take(&mut self.votes), task);
        self.subprocesses = by_task(std::mem::take(&mut self.subprocesses), task);
        self.dates =
            std::mem::take(&mut self.dates).into_iter().filter_map(|(at, dates)| Some((item(at)?, dates))).collect();
        self.timers = std::mem::take(&mut self.timers)
            .into_iter()
            .filter_map(|(mut key, timer)| {
                key.item = match key.item {
                    Some(at) => Some(item(at)?),
                    None => None,
                };
                Some((key, timer))
            })
            .collect();
        let whose = |known: Option<u32>| match known {
            Some(known) => task(known).map(Some),
            None => Some(None),
        };
        self.effects = std::mem::take(&mut self.effects)
            .into_iter()
            .filter_map(|(number, mut effect)| {
                effect.task = whose(effect.task)?;
                Some((number, effect))
            })
            .collect();
        self.incidents = std::mem::take(&mut self.incidents)
            .into_iter()
            .map(|(id, incident)| {
                let at = incident.task.and_then(task);
                (id, Incident { task: at, ..incident })
            })
            .collect();
        self.plan = to;
        self.take_back_set_aside();
    }

    fn set_aside_removed(&mut self, before: &Plan, to: &Plan, mapping: &Mapping) {
        for number in 0..self.tasks.len() {
            let id = &before.outline.tasks[number].id;
            if target_of(id, to, mapping).is_some() || self.work_on(number).is_none() {
                continue;
            }
            let key = number as u32;
            let assets = self.assets.iter().filter(|(_, held)| held.task == key);
            let aside = SetAside {
                state: self.tasks[number],
                assets: assets.map(|(id, held)| (*id, held.clone())).collect(),
                vote: self.votes.get(&key).cloned(),
                recurring: self.recurring.get(&key).copied(),
                subprocess: self.subprocesses.get(&key).copied(),
            };
            self.set_aside.insert(id.clone(), aside);
        }
    }

    /// What was set aside comes back where the schema has its task again and nobody has begun it meanwhile.
    fn take_back_set_aside(&mut self) {
        for id in self.set_aside.keys().cloned().collect::<Vec<_>>() {
            let Some(number) = self.plan.outline.task_index(&id).filter(|number| self.work_on(*number).is_none())
            else {
                continue;
            };
            let Some(aside) = self.set_aside.remove(&id) else { continue };
            let key = number as u32;
            self.tasks[number] = aside.state;
            self.assets.extend(aside.assets.into_iter().map(|(id, held)| (id, AssetOnTask { task: key, ..held })));
            aside.vote.map(|vote| self.votes.insert(key, vote));
            aside.recurring.map(|recurring| self.recurring.insert(key, recurring));
            aside.subprocess.map(|sub| self.subprocesses.insert(key, sub));
        }
    }
}

impl SetAside {
    /// The process that was started for the task.
    pub(super) fn subprocess(&self) -> Option<&Sub> {
        self.subprocess.as_ref()
    }
}

impl Moved {
    /// What becomes of items on the way back: what was mapped goes back to where it came from.
    pub fn back(&self) -> Mapping {
        let mapped = self.mapping.iter().filter_map(|(from, to)| to.as_ref().map(|to| (to, from)));
        mapped.filter(|(to, from)| to != from).map(|(to, from)| (to.clone(), Some(from.clone()))).collect()
    }
}

/// The number of the task to which a task goes.
fn target_of(id: &str, to: &Plan, mapping: &Mapping) -> Option<usize> {
    match mapping.get(id) {
        Some(target) => to.outline.task_index(target.as_ref()?),
        // Nobody else's work may be mapped onto it.
        None => to.outline.task_index(id).filter(|_| !mapping.values().flatten().any(|target| target == id)),
    }
}

fn by_task<T: Clone>(map: imbl::OrdMap<u32, T>, task: impl Fn(u32) -> Option<u32>) -> imbl::OrdMap<u32, T> {
    map.into_iter().filter_map(|(number, value)| Some((task(number)?, value))).collect()
}

/// Keys of the authoring format in which a task differs.
fn differences(process: &Process, number: usize, to: &Plan, target: usize) -> Vec<&'static str> {
    let (old, new) = (process.plan.task(number), to.task(target));
    let place = |plan: &Plan, number: usize| {
        let task = &plan.outline.tasks[number];
        (plan.outline.phases[task.phase].id.clone(), plan.outline.objectives[task.objective].id.clone())
    };
    let pairs = [
        ("name", old.name != new.name),
        ("description", old.description != new.description),
        ("kind", old.work.kind() != new.work.kind()),
        ("work", old.work.kind() == new.work.kind() && old.work != new.work),
        ("prerequisites", old.prerequisites != new.prerequisites),
        ("roles", old.roles != new.roles),
        ("problem_profiles", old.problem_profiles != new.problem_profiles),
        ("when", old.when != new.when),
        ("hours", old.opening != new.opening),
        ("dates", old.timing != new.timing),
        ("place", place(&process.plan, number) != place(to, target)),
    ];
    pairs.into_iter().filter(|(_, differs)| *differs).map(|(what, _)| what).collect()
}

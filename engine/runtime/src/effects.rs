//! Carrying effects out: what a process asked for, done outside of it.
//!
//! Every effect may be carried out more than once, and has its consequence once: what it makes has an id that was drawn
//! when it was asked for, and what it changes is one append with the process's word that it is done. An attempt that fails
//! tells the process so, which decides what comes next.

use std::sync::Arc;

use interlink_model::event::Actor;
use interlink_model::facts::EffectKind;
use interlink_model::id::ProcessId;
use interlink_model::process::{AttemptFailure, Command, Effect, NewProcess, ProcessStatus, Rule};
use interlink_model::schema::work::Work;
use interlink_model::sealed::Sealed;
use serde_json::Value as Json;

use crate::assets::{Assets, Deed, For, Instantiation, NewAsset, Use};
use crate::calls::{Cause, left_open};
use crate::catalogue::Catalogue;
use crate::core::Core;
use crate::error::{Outcome, Trouble};
use crate::gate::{Answer, Permit};
use crate::processes::{Ask, Making, ProcessCell, Processes, open_field};
use crate::reminding;

/// What effects are carried out with.
#[derive(Clone)]
pub(crate) struct Workshop {
    pub core: Arc<Core>,
    pub catalogue: Arc<Catalogue>,
    pub processes: Arc<Processes>,
    pub assets: Arc<Assets>,
}

/// Why an attempt came to nothing.
enum Failed {
    /// The process is told, and decides.
    Tell(AttemptFailure),
    /// It could not be written down, or too much waits: the effect is still there, and comes again.
    Later(Trouble),
}

/// What came of an attempt, for whoever dispatches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempted {
    /// It was written down, whatever it was.
    Told,
    /// It comes again: something that it needs is busy.
    Later,
    /// Nothing can be written down at all.
    NotTaken,
}

fn failure(code: &str, detail: impl Into<String>, is_final: bool) -> Failed {
    Failed::Tell(AttemptFailure { code: code.into(), detail: detail.into(), is_final })
}

impl From<Trouble> for Failed {
    fn from(trouble: Trouble) -> Self {
        let detail = trouble.to_string();
        match trouble {
            Trouble::Unknown(_) | Trouble::ReadOnly(_) | Trouble::Unread(_) => Self::Later(trouble),
            _ if is_busy(&trouble) => Self::Later(trouble),
            // What an Interlinker refuses it refuses again: its input and its state are the same.
            Trouble::Refused(problem) => failure(problem.slug(), detail, true),
            Trouble::Failed(fault) => failure(fault.limit(), detail, false),
            Trouble::Input(errors) => {
                let told =
                    errors.iter().map(|error| format!("{}: {}", error.pointer, error.detail)).collect::<Vec<_>>();
                failure("input-does-not-fit", told.join("; "), true)
            }
            Trouble::NotFound { what, .. } | Trouble::Names { what, .. } => {
                let code = format!("no-such-{}", what.to_lowercase().replace(' ', "-"));
                failure(&code, detail, false)
            }
            Trouble::Damaged { .. } => failure("damaged", detail, false),
            Trouble::Quota { .. } => failure("quota-exceeded", detail, false),
            // It stays revoked: another version, or an operator, is what helps.
            Trouble::Revoked { .. } => failure("interlinker-revoked", detail, true),
            Trouble::TooLarge(_) => failure("too-large", detail, true),
            _ => failure("refused", detail, true),
        }
    }
}

/// Whether something is refused for now, and for no reason of its own.
fn is_busy(trouble: &Trouble) -> bool {
    use interlink_host::Fault::{Aside, Busy, Crowded, OverBudget};
    matches!(
        trouble,
        Trouble::Busy { .. }
            | Trouble::Failing { .. }
            | Trouble::Paused { .. }
            | Trouble::Failed(Aside { .. } | Busy { .. } | Crowded { .. } | OverBudget { .. })
    )
}

impl Workshop {
    /// Carries an effect of a process out, and tells the process what came of it.
    pub async fn carry_out(&self, cell: &Arc<ProcessCell>, number: u64, effect: &Effect) -> Attempted {
        let attempt = match &effect.kind {
            EffectKind::Instantiate { interlinker, .. } => self.instantiate(cell, number, effect, interlinker).await,
            EffectKind::Compensate { action, .. } => self.compensate(cell, number, effect, action).await,
            EffectKind::Subprocess { schema, process } => self.start(cell, number, effect, schema, *process).await,
            EffectKind::TellParent { process, task } => self.tell_parent(cell, number, *process, task).await,
            EffectKind::CancelSubprocess { process } => self.cancel(cell, number, *process).await,
            EffectKind::CompensateSubprocess { process } => self.undo(cell, number, *process).await,
            EffectKind::TellCompensated { process, task } => self.tell_undone(cell, number, *process, task).await,
            EffectKind::TellPeople { task, role, .. } => self.tell_people(cell, number, task, role.as_deref()).await,
        };
        let told = match attempt {
            Ok(()) => return Attempted::Told,
            Err(Failed::Tell(failure)) => {
                self.tell(cell, &Command::EffectFailed { effect: number, failure }).await.map_err(Failed::Later)
            }
            Err(later) => Err(later),
        };
        match told {
            Ok(()) => Attempted::Told,
            Err(Failed::Later(trouble)) => {
                tracing::warn!(process = %cell.id, effect = number, %trouble, "an effect is put off");
                if is_busy(&trouble) { Attempted::Later } else { Attempted::NotTaken }
            }
            Err(Failed::Tell(_)) => Attempted::Told,
        }
    }

    /// Whether what an effect needs was paused by an operator, or fails and is let alone for a while.
    pub fn waits(&self, process: &interlink_model::process::Process, effect: &Effect) -> bool {
        let paused = |name: &str| self.catalogue.pause(name).is_some();
        match &effect.kind {
            EffectKind::Instantiate { interlinker, .. } => {
                paused(interlinker.split('@').next().unwrap_or_default()) || self.is_failing(interlinker)
            }
            EffectKind::Compensate { asset, .. } => {
                process.assets.get(asset).is_some_and(|held| paused(&held.interlinker))
            }
            _ => false,
        }
    }

    fn is_failing(&self, interlinker: &str) -> bool {
        let guards = &self.core.guards;
        guards.any_not_closed()
            && self
                .catalogue
                .interlinker(interlinker)
                .is_some_and(|version| guards.is_waiting(&version.reference, self.core.now()))
    }

    /// Tells a process something. What it no longer waits for is no trouble.
    async fn tell(&self, cell: &Arc<ProcessCell>, command: &Command) -> Outcome<()> {
        let ask = Ask { command, note: None, expected: None };
        let answer = |_: &crate::processes::Done<'_>| (Answer::default(), None);
        let told = self.processes.command(cell, Actor::System, ask, |_| None, answer, Permit::default());
        match told.await {
            Ok(_) => Ok(()),
            Err(Trouble::Rejected(rejection, _)) if rejection.rule == Rule::NothingToDo => Ok(()),
            Err(trouble) => Err(trouble),
        }
    }

    async fn done(&self, cell: &Arc<ProcessCell>, effect: u64) -> Result<(), Failed> {
        let command = Command::EffectDone { effect, asset: None, outcome: false };
        self.tell(cell, &command).await.map_err(Failed::Later)
    }

    fn process(&self, id: ProcessId) -> Outcome<Arc<ProcessCell>> {
        self.processes.cell(id)
    }

    async fn instantiate(
        &self,
        cell: &Arc<ProcessCell>,
        number: u64,
        effect: &Effect,
        interlinker: &str,
    ) -> Result<(), Failed> {
        let process = cell.process();
        let (EffectKind::Instantiate { asset, .. }, Some(task)) = (&effect.kind, effect.task) else { return Ok(()) };
        let planned = process.plan.task(task as usize);
        let Work::Interlinker(by) = &planned.work else { return Ok(()) };
        let version = self.catalogue.interlinker(interlinker);
        let version = version.ok_or_else(|| Trouble::NotFound { what: "Interlinker", id: interlinker.into() })?;
        self.catalogue.not_revoked(&version.reference)?;
        let guest = self.catalogue.load(&self.core, &version.reference).await?;
        let language = process.language.as_deref().or(process.plan.schema.languages.first().map(String::as_str));
        let language = language.unwrap_or("en");
        let new = NewAsset {
            task: planned.id.clone(),
            interlinker: version.reference,
            name: planned
                .name
                .pick(&[language.to_owned()], &[])
                .map_or(planned.id.as_str(), |(_, name)| name)
                .to_owned(),
            input: by.input.clone(),
        };
        let answer = |_: Result<(&interlink_model::asset::Asset, &str), &Trouble>| (Answer::default(), None);
        let purpose = For::Effect(number, *asset);
        let wanted = Instantiation { new, purpose, language, resumed: None };
        told(self.assets.instantiate(cell, &guest, Actor::System, wanted, answer, Permit::default()).await)
    }

    async fn compensate(
        &self,
        cell: &Arc<ProcessCell>,
        number: u64,
        effect: &Effect,
        action: &str,
    ) -> Result<(), Failed> {
        let process = cell.process();
        let (EffectKind::Compensate { asset, .. }, Some(task)) = (&effect.kind, effect.task) else { return Ok(()) };
        let input = match &process.plan.task(task as usize).work {
            Work::Interlinker(by) => by.compensation.as_ref().map(|compensation| compensation.input.clone()),
            _ => None,
        };
        let asset = match self.assets.cell(*asset) {
            Ok(asset) => asset,
            // Removed meanwhile: nothing is there to be made undone.
            Err(Trouble::NotFound { .. }) => return self.done(cell, number).await,
            Err(trouble) => return Err(trouble.into()),
        };
        let interlinker = asset.snapshot().asset.interlinker.clone();
        let guest = self.catalogue.load(&self.core, &interlinker).await?;
        let id = asset.snapshot().asset.id;
        let language = process.language.as_deref().unwrap_or("en");
        let with = Some(Command::EffectDone { effect: number, asset: None, outcome: false });
        let resumed = left_open(&self.core, cell.id, Cause::Effect(number));
        // A call that a crash cut off was let in before, and ends.
        if resumed.is_none() {
            self.catalogue.not_revoked(&interlinker)?;
        }
        let held = resumed.as_ref().map(|call| call.id);
        let asked = Use { language, expected: None, effect: Some(number), resumed, with, service: None, by: None };
        let input = input.unwrap_or_else(|| Json::Object(Default::default()));
        let answer = |_: Result<&crate::assets::Acted<'_>, &Trouble>| (Answer::default(), None);
        let (deed, permit) = (Deed::Action { name: action, input }, Permit::default());
        let acted = told(self.assets.perform(cell, &asset, &guest, Actor::System, deed, asked, answer, permit).await);
        // One that is put off is still the next that its asset's lane lets in.
        if let Some(call) = held.filter(|_| !matches!(acted, Err(Failed::Later(_)))) {
            self.assets.held.release(id, call);
        }
        acted
    }

    /// Makes and starts the process of a task. One that is there already was made by an attempt whose word did not arrive.
    async fn start(
        &self,
        cell: &Arc<ProcessCell>,
        number: u64,
        effect: &Effect,
        schema: &str,
        id: ProcessId,
    ) -> Result<(), Failed> {
        let process = cell.process();
        let version = self.catalogue.schema(schema);
        let version = version.ok_or_else(|| Trouble::NotFound { what: "schema", id: schema.into() })?;
        let mut input = effect.input.clone();
        if let Some(input) = &mut input {
            open_field(input, &cell.key, interlink_model::id::StreamKind::Process, cell.id.bytes(), "input");
        }
        let data = match input.as_ref().and_then(Sealed::opened) {
            Some(Json::Object(values)) => values.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            _ => Default::default(),
        };
        let task = effect.task.map(|task| process.plan.outline.tasks[task as usize].id.clone()).unwrap_or_default();
        let new = NewProcess {
            name: cell.name(&process).unwrap_or_else(|| task.clone()),
            language: process.language.clone(),
            zone: Some(process.zone.clone()),
            data,
            parent: Some(interlink_model::facts::Parent { process: cell.id, task }),
            organization: process.organization,
        };
        let first = vec![Command::Start];
        let making = Making { id: Some(id), plan: version.plan, new, before: Vec::new(), first };
        let answer = |_: &interlink_model::process::Process, _: &str| (Answer::default(), None);
        let at = crate::draft::stream(interlink_model::id::StreamKind::Process, id.bytes());
        if self.core.head(&at)?.is_none() {
            let permit = Permit::default();
            let made = self.processes.create(Actor::System, making, |_, _, _| None, answer, permit).await;
            made.map_err(Failed::from)?;
        }
        self.done(cell, number).await?;
        // Dropped while it was made: whoever cancels it may have looked before it was there.
        match cell.process().knows_subprocess(id) {
            true => Ok(()),
            false => self.cancel_sub(id).await,
        }
    }

    async fn tell_parent(
        &self,
        cell: &Arc<ProcessCell>,
        number: u64,
        parent: ProcessId,
        task: &str,
    ) -> Result<(), Failed> {
        let process = cell.process();
        let command = Command::SubprocessEnded {
            task: task.into(),
            process: cell.id,
            completed: process.status == ProcessStatus::Completed,
            outputs: cell.data(&process),
        };
        let parent = self.process(parent)?;
        // A parent that does not know yet that this process was started hears of it when it asks again.
        let known = parent.process().subprocesses.values().any(|sub| sub.process == cell.id);
        if !known
            && parent.process().pending_effects().any(
                |(_, effect)| matches!(&effect.kind, EffectKind::Subprocess { process, .. } if *process == cell.id),
            )
        {
            return Err(Failed::Later(Trouble::Busy {
                what: "the process that waits for it".into(),
                retry_after_s: 1,
            }));
        }
        self.tell(&parent, &command).await?;
        self.done(cell, number).await
    }

    async fn cancel(&self, cell: &Arc<ProcessCell>, number: u64, sub: ProcessId) -> Result<(), Failed> {
        self.cancel_sub(sub).await?;
        self.done(cell, number).await
    }

    async fn cancel_sub(&self, sub: ProcessId) -> Result<(), Failed> {
        match self.process(sub) {
            Ok(sub) => match self.tell(&sub, &Command::Cancel).await {
                // It ended by itself.
                Err(Trouble::Rejected(rejection, _))
                    if matches!(rejection.rule, Rule::ProcessEnded | Rule::ProcessArchived) =>
                {
                    Ok(())
                }
                told => told.map_err(Failed::from),
            },
            Err(Trouble::NotFound { .. }) => Ok(()),
            Err(trouble) => Err(trouble.into()),
        }
    }

    /// Tells a process that did a task's work to make undone what it did. One that was archived is brought back by an
    /// operator first: the attempt fails, and says so.
    async fn undo(&self, cell: &Arc<ProcessCell>, number: u64, sub: ProcessId) -> Result<(), Failed> {
        match self.tell(&self.process(sub)?, &Command::Compensate).await {
            Ok(()) => self.done(cell, number).await,
            Err(Trouble::Rejected(rejection, _)) if rejection.rule == Rule::ProcessArchived => {
                Err(failure("subprocess-archived", format!("process {sub} is archived: bring it back first"), true))
            }
            Err(trouble) => Err(trouble.into()),
        }
    }

    async fn tell_undone(
        &self,
        cell: &Arc<ProcessCell>,
        number: u64,
        parent: ProcessId,
        task: &str,
    ) -> Result<(), Failed> {
        let command = Command::SubprocessCompensated { task: task.into(), process: cell.id };
        self.tell(&self.process(parent)?, &command).await?;
        self.done(cell, number).await
    }

    /// Tells people of a task that is not finished, in one append with the word that they were told.
    async fn tell_people(
        &self,
        cell: &Arc<ProcessCell>,
        number: u64,
        task: &str,
        role: Option<&str>,
    ) -> Result<(), Failed> {
        let to = reminding::whom(&self.core, &cell.process(), task, role).await?;
        self.tell(cell, &Command::NoteTold { effect: number, to }).await.map_err(Failed::Later)
    }
}

/// What came of something that told the process in the same append.
fn told(made: Outcome<Answer>) -> Result<(), Failed> {
    match made {
        Ok(_) => Ok(()),
        // The process no longer waits for it: nothing was written.
        Err(Trouble::Rejected(rejection, _)) if rejection.rule == Rule::NothingToDo => Ok(()),
        Err(trouble) => Err(trouble.into()),
    }
}

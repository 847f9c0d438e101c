//! Processes within processes: what one that ended brings back, and undoing what it did.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::{Context, Rejection, Rule, number, old_news, set_data};
use crate::facts::*;
use crate::id::ProcessId;
use crate::process::draft::Draft;
use crate::process::{Process, ProcessStatus, Reversal, Stage};
use crate::schema::work::Work;

pub(super) fn subprocess_ended(
    draft: &mut Draft<'_>,
    task: &str,
    sub: ProcessId,
    completed: bool,
    outputs: &BTreeMap<String, Value>,
    context: &Context<'_>,
) -> Result<(), Rejection> {
    let number = number(&draft.process, task)?;
    let known = draft.process.subprocesses.get(&(number as u32)).copied();
    let known = known.filter(|known| known.process == sub && !known.ended).ok_or_else(old_news)?;
    draft.push(SubprocessEnded { task: task.into(), process: known.process, completed });
    let plan = Arc::clone(&draft.process.plan);
    let Work::Subprocess(work) = &plan.task(number).work else { return Ok(()) };
    let wanted =
        work.outputs.iter().filter_map(|(here, there)| outputs.get(there).map(|value| (here.clone(), value.clone())));
    let outputs: BTreeMap<_, _> = wanted.collect();
    let kept = match outputs.is_empty() {
        true => Ok(()),
        false => set_data(&draft.process, &outputs, context).map(|event| draft.push(event)),
    };
    let cause = match kept {
        Ok(()) if completed => None,
        Ok(()) => Some("subprocess-cancelled"),
        // What came back is not thrown away unsaid: the task is not done without it.
        Err(_) => Some("output-too-large"),
    };
    match (draft.process.tasks[number].stage, cause) {
        (Stage::Open, None) => draft.complete(number, None),
        (Stage::Open, Some(cause)) => draft.push(TaskFailed { task: task.into(), cause: cause.into() }),
        _ => {}
    }
    Ok(())
}

/// Only a process that was started for another, and has ended, is told to undo what it did.
pub(super) fn want_compensation(process: &Process) -> Result<ProcessEvent, Rejection> {
    if process.parent.is_none() || process.reversal != Reversal::Unwanted {
        return Err(old_news());
    }
    match process.status {
        ProcessStatus::Completed | ProcessStatus::Cancelled => Ok(CompensationWanted {}.into()),
        ProcessStatus::Created | ProcessStatus::Running | ProcessStatus::Suspended => {
            let detail = format!("it is {}; cancel it instead", process.status.as_str());
            Err(Rejection::new(Rule::ProcessNotEnded, detail))
        }
    }
}

/// The word that it is undone may be faster than the word that it was told to.
pub(super) fn subprocess_compensated(
    process: &Process,
    task: &str,
    sub: ProcessId,
) -> Result<Vec<ProcessEvent>, Rejection> {
    let number = number(process, task)?;
    let told = process.effects.iter().find(|(_, effect)| {
        matches!(&effect.kind, EffectKind::CompensateSubprocess { process } if *process == sub)
            && effect.incident.is_none()
    });
    let told = told.map(|(effect, _)| EffectSucceeded { effect: *effect }.into());
    let known = process.subprocesses.get(&(number as u32)).filter(|known| known.process == sub);
    if told.is_none() && !known.is_some_and(|known| known.compensating) {
        return Err(old_news());
    }
    Ok(told.into_iter().chain([SubprocessCompensated { task: task.into(), process: sub }.into()]).collect())
}

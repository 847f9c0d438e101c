//! Calls that change an asset: actions and alarms, one at a time in its lane, on the state that those before will leave.

use std::sync::Arc;

use interlink_host::{CallContext, Called, Entry, Interlinker, Problem};
use interlink_journal::NewRecord;
use interlink_model::asset::Asset;
use interlink_model::event::Actor;
use interlink_model::facts::*;
use interlink_model::id::AssetId;
use interlink_model::process::Command;
use interlink_model::sealed::Sealed;
use serde_json::Value as Json;
use tokio::sync::MutexGuard;

use super::calling::{Seen, call_context, given_of, log, roles_of};
use super::handover::{Performed, kept_bytes};
use super::lane::{AssetCell, Lane, Place, Snapshot};
use super::written::{changes_of, used, with_besides};
use super::{Acted, Assets, Deed, Use, alarms, anonymous};
use crate::archive;
use crate::calls::{Calling, Recorder};
use crate::core::{Fate, settled};
use crate::error::{Outcome, Trouble};
use crate::gate::{Answer, Permit};
use crate::guard::Who;
use crate::processes::{ProcessCell, RefusedAhead};
use crate::usage;
use crate::usage::held::{Hosted, Room};

/// What an action was begun with, or an alarm.
struct Begun {
    name: String,
    input: Json,
    is_alarm: bool,
}

/// A call in its lane, on what those before it will leave: what is needed to end it.
struct UnderWay<'a, A> {
    assets: &'a Assets,
    process: &'a Arc<ProcessCell>,
    cell: &'a Arc<AssetCell>,
    /// Its turn, which is over when what it did is handed over.
    lane: MutexGuard<'a, Lane>,
    actor: Actor,
    /// The asset and how much it held, as the call saw it.
    before: Arc<Asset>,
    held_bytes: usize,
    begun: Begun,
    by: Option<AssetId>,
    service: Option<String>,
    /// What the process hears of it, where it is not an outcome that it waits for.
    with: Option<Command>,
    used: InterlinkerUsed,
    recorder: Arc<Recorder>,
    /// Whether it is run for the first time: one that goes on was let in before.
    is_new: bool,
    answer: A,
    permit: Permit,
}

/// How a call has ended. Nothing of it is durable yet.
enum Ended<'a> {
    /// What it did is handed over; its room is its own until that is durable.
    Done(Fate, Answer, Option<Room<'a>>),
    /// It did nothing, and why is handed over.
    Failed(Trouble, Fate),
    /// The process does not take what it did.
    Rejected(RefusedAhead, InterlinkerUsed),
    /// What became of it is not known: it stays open.
    Unknown(Trouble),
}

impl Assets {
    /// Runs an action, or rings an alarm.
    pub async fn perform(
        &self,
        process: &Arc<ProcessCell>,
        cell: &Arc<AssetCell>,
        guest: &Arc<Interlinker>,
        actor: Actor,
        deed: Deed<'_>,
        asked: Use<'_>,
        answer: impl FnOnce(Result<&Acted<'_>, &Trouble>) -> (Answer, Option<NewRecord>) + Send,
        permit: Permit,
    ) -> Outcome<Answer> {
        // Whoever makes it fail on purpose is told apart by who they are, which is written nowhere.
        let (who, mut actor) = (Who::of(actor), actor);
        if let Deed::Action { name, input } = &deed {
            let is_anonymous = may_run(guest, actor, name, &asked)?;
            if asked.resumed.is_none() {
                anonymous::check_permit(&permit, is_anonymous)?;
            }
            guest.check_action(name, input).map_err(Trouble::Input)?;
            if is_anonymous {
                actor = anonymous::pseudonym(&cell.key, cell.id, actor);
            }
        }
        let place = Place::take(&cell.waiting)?;
        let resumed = asked.resumed.or_else(|| self.left_open(process.id, asked.effect, &permit));
        let turn = async {
            if resumed.is_none() {
                // A call that a crash interrupted comes before every other.
                self.held.free(cell.id).await;
            }
            cell.enter().await
        };
        let lane = match asked.by {
            None => turn.await,
            Some((_, patience)) => tokio::time::timeout(patience, turn).await.map_err(|_| {
                let what = "another call of that asset takes long".into();
                Trouble::Busy { what, retry_after_s: 1 }
            })?,
        };
        let Snapshot { asset, values } = lane.ahead.clone();
        cell.admit(&lane, asked.expected).await?;
        archive::admit(process).await?;
        let Some(begun) = begun(cell, &asset, deed) else { return Ok(Answer::default()) };
        let recorder = match &resumed {
            Some(resumed) => Recorder::resumed(&self.core, process, resumed),
            None => {
                let calling = Calling {
                    interlinker: asset.interlinker.clone(),
                    task: asset.task.clone(),
                    asset: cell.id,
                    version: Some(asset.version),
                    action: Some(begun.name.clone()),
                    input: begun.input.clone(),
                    name: None,
                    language: asked.language.to_owned(),
                    effect: asked.effect,
                    answer: permit.scope(),
                    alarm: begun.is_alarm,
                    aside: None,
                    given: self.given(&asset.interlinker.name),
                    service: asked.service.clone(),
                };
                Recorder::new(&self.core, process, actor, calling)
            }
        };
        let was_at = resumed.as_ref().map(|resumed| resumed.calling.version);
        let recorded = resumed.map(|resumed| resumed.recorded);
        let used = InterlinkerUsed {
            asset: Some(cell.id),
            action: Some(begun.word()),
            service: asked.service.clone(),
            ..used(UseKind::Action, &asset.interlinker, &asset.task, 0)
        };
        if was_at.is_some_and(|version| version != Some(asset.version)) {
            let used = InterlinkerUsed {
                kind: UseKind::Failure,
                outcome: UseOutcome::Failed,
                reason: Some("overtaken".into()),
                ..used
            };
            let fate = self.processes.record_use(process, actor, used, Some(&recorder), None, Permit::default());
            drop(lane);
            settled(fate).await?;
            let what = "the asset has changed since this call was interrupted".into();
            return Err(Trouble::Busy { what, retry_after_s: 1 });
        }
        let context = call_context(actor, process, &asset.task, cell.id, asked.language, recorder.began_at());
        let context = CallContext { by: asked.by.map(|(by, _)| by.to_string()), ..context };
        let under_way = UnderWay {
            assets: self,
            process,
            cell,
            lane,
            actor,
            held_bytes: values.bytes(),
            by: asked.by.map(|(by, _)| by),
            service: asked.service,
            with: asked.with,
            used,
            recorder: Arc::clone(&recorder),
            is_new: recorded.is_none(),
            answer,
            permit,
            before: Arc::clone(&asset),
            begun,
        };
        let seen = Seen { values, given: given_of(recorder.given(), Some(self.kept(cell, &asset))) };
        let entry = under_way.begun.entry();
        let called = match asked.by {
            Some(_) => self.run_guarded(guest, who, seen.called(entry, context), None).await?,
            None => {
                let company = self.company(process, cell.id, actor, &recorder, asked.language);
                self.call(guest, who, entry, seen, context, &recorder, recorded, company).await?
            }
        };
        let ended = under_way.end(called);
        drop(place);
        match ended {
            Ended::Done(fate, answer, _room) => {
                settled(fate).await?;
                Ok(answer)
            }
            Ended::Failed(trouble, fate) => {
                settled(fate).await?;
                Err(trouble)
            }
            Ended::Rejected(refused, used) => {
                let trouble = refused.told(process, None).await;
                self.end_rejected(process, actor, &trouble, used, &recorder).await?;
                Err(trouble)
            }
            Ended::Unknown(trouble) => Err(trouble),
        }
    }
}

impl<'a, A: FnOnce(Result<&Acted<'_>, &Trouble>) -> (Answer, Option<NewRecord>) + Send> UnderWay<'a, A> {
    /// Ends the call: hands over what it did, or that it did nothing and why. Whatever was decided on calls before it is
    /// behind theirs in the journal.
    fn end(self, called: Called) -> Ended<'a> {
        log(&called, &self.before.interlinker);
        let duration_us = called.cost.instantiate_us + called.cost.call_us;
        let used = InterlinkerUsed { duration_us, ..self.used };
        let Self { assets, process, cell, mut lane, actor, before, begun, recorder, answer, permit, .. } = self;
        let done = match called.result {
            Ok(done) => done,
            Err(failure) => {
                let answer = |trouble: &Trouble| answer(Err(trouble)).1;
                let logs = &called.logs;
                let ended = assets.end_failed(process, actor, failure, logs, used, &recorder, answer, permit);
                return match ended {
                    Ok((trouble, fate)) => Ended::Failed(trouble, fate),
                    Err(trouble) => Ended::Unknown(trouble),
                };
            }
        };
        let bytes = |bytes: usize| i64::try_from(bytes).unwrap_or(i64::MAX);
        let grown_bytes = bytes(done.state.bytes()) - bytes(self.held_bytes);
        let more = grown_bytes.saturating_add(kept_bytes(&done.besides));
        let (hosted, name) = (Hosted::of_asset(&before), &before.interlinker.name);
        let room = if self.is_new { assets.room(hosted, name, 0, more).map(Some) } else { Ok(None) };
        let room = match room {
            Ok(room) => room,
            Err(trouble) => {
                let fate = assets.end_over_quota(process, actor, used, &recorder);
                return Ended::Failed(trouble, fate);
            }
        };
        let with = self.with.or_else(|| done.outcome.as_ref().and_then(|_| process.wants_outcome(cell.id)));
        let (output, changes) = (Sealed::Open(done.output.clone()), changes_of(&done.changes));
        let (call, counts, noted) = (recorder.call(), done.counts, done.besides.noted.clone());
        let Begun { name, input, is_alarm } = begun;
        let performed = match is_alarm {
            true => AlarmRang { name, output, changes, call, counts, grown_bytes, noted, duration_us }.into(),
            false => ActionPerformed {
                action: name,
                input: Sealed::Open(input),
                output,
                changes,
                call,
                counts,
                grown_bytes,
                noted,
                by: self.by,
                duration_us,
                service: self.service,
            }
            .into(),
        };
        let call = Performed {
            before,
            events: with_besides(&assets.core, performed, done.outcome, done.besides),
            values: done.state,
            output: done.output,
            rendered: done.rendered,
            recorder: Some(recorder),
        };
        match assets.hand_over(process, cell, &mut lane, call, actor, with, answer, permit) {
            Ok((fate, answer)) => Ended::Done(fate, answer, room),
            Err(refused) => Ended::Rejected(refused, used),
        }
    }
}

impl Begun {
    /// The word for it in the registry of usage.
    fn word(&self) -> String {
        if self.is_alarm { usage::alarm_word(&self.name) } else { self.name.clone() }
    }

    fn entry(&self) -> Entry {
        let (name, input) = (self.name.clone(), self.input.clone());
        if self.is_alarm { Entry::Ring { name, input } } else { Entry::Action { name, input } }
    }
}

/// What is begun where a deed's turn has come; nothing for an alarm that has rung meanwhile, or was taken away.
fn begun(cell: &AssetCell, asset: &Asset, deed: Deed<'_>) -> Option<Begun> {
    match deed {
        Deed::Action { name, input } => Some(Begun { name: name.to_owned(), input, is_alarm: false }),
        Deed::Alarm { name, at } => {
            let alarm = asset.alarms.get(name).filter(|alarm| alarm.at == at)?;
            Some(Begun { name: name.to_owned(), input: alarms::input_of(cell, &alarm.input), is_alarm: true })
        }
    }
}

/// Checks that an action is there, and that somebody has a role that may run it; says whether it is anonymous.
fn may_run(guest: &Interlinker, actor: Actor, name: &str, asked: &Use<'_>) -> Outcome<bool> {
    let Some(declared) = guest.action(name) else {
        return Err(Trouble::NotFound { what: "action", id: name.into() });
    };
    let allowed = |role: &String| declared.allow.contains(role);
    // What a service's file opens is open to everybody: an operator said so.
    let is_open = asked.service.is_some() || actor == Actor::System || declared.allow.is_empty();
    // A call that goes on was let in as who its person is, which is no longer known.
    let is_open = is_open || asked.resumed.is_some();
    if !is_open && !roles_of(actor).iter().any(allowed) {
        return Err(Trouble::Forbidden { what: name.into(), roles: declared.allow.clone() });
    }
    if declared.anonymous && asked.by.is_some() {
        // The other asset's call is recorded with its person, at the same time.
        let detail = format!("`{name}` is anonymous: a person runs it, and no other asset does so for them");
        return Err(Trouble::Refused(Problem { code: "not-allowed".into(), detail, pointer: None, data: None }));
    }
    Ok(declared.anonymous)
}

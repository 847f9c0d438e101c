//! Calls that change an asset: actions and alarms, one at a time in its lane, on the state that those before will leave.

use std::sync::Arc;

use interlink_host::{CallContext, Entry, Interlinker, Problem};
use interlink_journal::NewRecord;
use interlink_model::event::Actor;
use interlink_model::facts::*;
use interlink_model::sealed::Sealed;

use super::calling::{Seen, call_context, given_of, log, roles_of};
use super::handover::{Performed, kept_bytes};
use super::lane::{AssetCell, Place, Snapshot};
use super::written::{changes_of, used, with_besides};
use super::{Acted, Assets, Deed, Use, alarms, anonymous};
use crate::archive;
use crate::calls::{Calling, Recorder};
use crate::core::settled;
use crate::error::{Outcome, Trouble};
use crate::gate::{Answer, Permit};
use crate::guard::Who;
use crate::processes::ProcessCell;
use crate::usage;
use crate::usage::held::Hosted;

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
        let (fate, answer, _room) = {
            let _place = Place::take(&cell.waiting)?;
            let resumed = asked.resumed.or_else(|| self.left_open(process.id, asked.effect, &permit));
            let turn = async {
                if resumed.is_none() {
                    // A call that a crash interrupted comes before every other.
                    self.held.free(cell.id).await;
                }
                cell.enter().await
            };
            let mut lane = match asked.by {
                None => turn.await,
                Some((_, patience)) => tokio::time::timeout(patience, turn).await.map_err(|_| {
                    let what = "another call of that asset takes long".into();
                    Trouble::Busy { what, retry_after_s: 1 }
                })?,
            };
            let Snapshot { asset, values } = lane.ahead.clone();
            cell.admit(&lane, asked.expected).await?;
            archive::admit(process).await?;
            let (name, input, alarm) = match deed {
                Deed::Action { name, input } => (name, input, false),
                Deed::Alarm { name, at } => match asset.alarms.get(name).filter(|alarm| alarm.at == at) {
                    Some(alarm) => (name, alarms::input_of(cell, &alarm.input), true),
                    // It rang, or was taken away.
                    None => return Ok(Answer::default()),
                },
            };
            let word = if alarm { usage::alarm_word(name) } else { name.to_owned() };
            let recorder = match &resumed {
                Some(resumed) => Recorder::resumed(&self.core, process, resumed),
                None => {
                    let calling = Calling {
                        interlinker: asset.interlinker.clone(),
                        task: asset.task.clone(),
                        asset: cell.id,
                        version: Some(asset.version),
                        action: Some(name.to_owned()),
                        input: input.clone(),
                        name: None,
                        language: asked.language.to_owned(),
                        effect: asked.effect,
                        answer: permit.scope(),
                        alarm,
                        aside: None,
                        given: self.given(&asset.interlinker.name),
                        service: asked.service.clone(),
                    };
                    Recorder::new(&self.core, process, actor, calling)
                }
            };
            let was_at = resumed.as_ref().map(|resumed| resumed.calling.version);
            let recorded = resumed.map(|resumed| resumed.recorded);
            let used = used(UseKind::Action, &asset.interlinker, &asset.task, 0);
            let service = asked.service.clone();
            let used = InterlinkerUsed { asset: Some(cell.id), action: Some(word), service, ..used };
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
            let (is_new, held_bytes) = (recorded.is_none(), values.bytes());
            let context = call_context(actor, process, &asset.task, cell.id, asked.language, recorder.began_at());
            let context = CallContext { by: asked.by.map(|(by, _)| by.to_string()), ..context };
            let entry = match alarm {
                true => Entry::Ring { name: name.into(), input: input.clone() },
                false => Entry::Action { name: name.into(), input: input.clone() },
            };
            let seen = Seen { values, given: given_of(recorder.given(), Some(self.kept(cell, &asset))) };
            let called = match asked.by {
                Some(_) => self.run_guarded(guest, who, seen.called(entry, context), None).await?,
                None => {
                    let company = self.company(process, cell.id, actor, &recorder, asked.language);
                    self.call(guest, who, entry, seen, context, &recorder, recorded, company).await?
                }
            };
            log(&called, &asset.interlinker);
            let duration_us = called.cost.instantiate_us + called.cost.call_us;
            let used = InterlinkerUsed { duration_us, ..used };
            match called.result {
                Ok(done) => {
                    let bytes = |bytes: usize| i64::try_from(bytes).unwrap_or(i64::MAX);
                    let grown_bytes = bytes(done.state.bytes()) - bytes(held_bytes);
                    let more = grown_bytes.saturating_add(kept_bytes(&done.besides));
                    let of = &asset.interlinker.name;
                    let hosted = Hosted::of_asset(&asset);
                    let room = if is_new { self.room(hosted, of, 0, more).map(Some) } else { Ok(None) };
                    let room = match room {
                        Ok(room) => room,
                        Err(trouble) => {
                            drop(lane);
                            return self.end_over_quota(process, actor, trouble, used, &recorder).await;
                        }
                    };
                    let with =
                        asked.with.or_else(|| done.outcome.as_ref().and_then(|_| process.wants_outcome(cell.id)));
                    let (output, changes) = (Sealed::Open(done.output.clone()), changes_of(&done.changes));
                    let (call, counts, noted) = (recorder.call(), done.counts, done.besides.noted.clone());
                    let name = name.to_owned();
                    let performed = match alarm {
                        true => {
                            AlarmRang { name, output, changes, call, counts, grown_bytes, noted, duration_us }.into()
                        }
                        false => ActionPerformed {
                            action: name,
                            input: Sealed::Open(input),
                            output,
                            changes,
                            call,
                            counts,
                            grown_bytes,
                            noted,
                            by: asked.by.map(|(by, _)| by),
                            duration_us,
                            service: asked.service,
                        }
                        .into(),
                    };
                    let call = Performed {
                        before: asset,
                        events: with_besides(&self.core, performed, done.outcome, done.besides),
                        values: done.state,
                        output: done.output,
                        rendered: done.rendered,
                        recorder: Some(Arc::clone(&recorder)),
                    };
                    match self.hand_over(process, cell, &mut lane, call, actor, with, answer, permit) {
                        Ok((fate, answer)) => (fate, answer, room),
                        Err(refused) => {
                            drop(lane);
                            let trouble = refused.told(process, None).await;
                            self.end_rejected(process, actor, &trouble, used, &recorder).await?;
                            return Err(trouble);
                        }
                    }
                }
                Err(failure) => {
                    // Decided on what calls before it will have left: its record is behind theirs in the journal.
                    let answer = |trouble: &Trouble| answer(Err(trouble)).1;
                    let logs = &called.logs;
                    let (trouble, fate) =
                        self.end_failed(process, actor, failure, logs, used, &recorder, answer, permit)?;
                    drop(lane);
                    settled(fate).await?;
                    return Err(trouble);
                }
            }
        };
        settled(fate).await?;
        Ok(answer)
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

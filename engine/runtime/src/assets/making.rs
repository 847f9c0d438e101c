//! Making an asset, and removing one: what an Interlinker that is instantiated leaves, or that it is gone, is one append with
//! what the process hears of it.

use std::sync::{Arc, OnceLock};

use interlink_host::{Entry, Interlinker};
use interlink_journal::{NewRecord, Position};
use interlink_model::asset::Asset;
use interlink_model::event::{Actor, Stamp};
use interlink_model::facts::*;
use interlink_model::id::StreamKind;
use interlink_model::keyvalues::KeyValues;
use interlink_model::process::Command;
use interlink_model::sealed::Sealed;

use super::calling::{Seen, call_context, given_of, log};
use super::handover::kept_bytes;
use super::lane::{AssetCell, Place, Snapshot};
use super::rows::value_key;
use super::written::{changes_of, settle_events, used, with_besides, written_events};
use super::{Assets, For, Instantiation};
use crate::ambient::asset_id;
use crate::calls::{Calling, Recorder, settle_end};
use crate::core::settled;
use crate::draft::stream;
use crate::error::{Outcome, Trouble};
use crate::gate::{Answer, Permit};
use crate::guard::Who;
use crate::processes::{Ask, Beside, ProcessCell};
use crate::state::Value;
use crate::usage::held::Hosted;

impl Assets {
    /// Instantiates an Interlinker on a task.
    pub async fn instantiate(
        &self,
        process: &Arc<ProcessCell>,
        guest: &Arc<Interlinker>,
        actor: Actor,
        wanted: Instantiation<'_>,
        answer: impl FnOnce(Result<(&Asset, &str), &Trouble>) -> (Answer, Option<NewRecord>) + Send,
        permit: Permit,
    ) -> Outcome<Answer> {
        let core = &self.core;
        let Instantiation { new, purpose, language, resumed } = wanted;
        guest.check_instantiate(&new.input).map_err(Trouble::Input)?;
        let effect = match purpose {
            For::Effect(effect, _) => Some(effect),
            For::Evidence => None,
        };
        let resumed = resumed.or_else(|| self.left_open(process.id, effect, &permit));
        let id = match (purpose, &resumed) {
            (For::Effect(_, id), _) => id,
            (For::Evidence, Some(resumed)) => resumed.calling.asset,
            (For::Evidence, None) => asset_id(&*core.ambient),
        };
        let recorder = match &resumed {
            Some(resumed) => Recorder::resumed(core, process, resumed),
            None => {
                let calling = Calling {
                    interlinker: new.interlinker.clone(),
                    task: new.task.clone(),
                    asset: id,
                    version: None,
                    action: None,
                    input: new.input.clone(),
                    name: Some(new.name.clone()),
                    language: language.to_owned(),
                    effect,
                    answer: permit.scope(),
                    alarm: false,
                    aside: None,
                    given: self.given(&new.interlinker.name),
                    service: None,
                };
                Recorder::new(core, process, actor, calling)
            }
        };
        let recorded = resumed.map(|resumed| resumed.recorded);
        // Asked before the guest runs, and again when it is known what it holds. A call that a crash cut off was let in.
        let (is_new, hosted) = (recorded.is_none(), Hosted::of(&process.process()));
        if is_new {
            drop(self.room(hosted, &new.interlinker.name, 1, 0)?);
        }
        let context = call_context(actor, process, &new.task, id, language, recorder.began_at());
        let entry = Entry::Instantiate { input: new.input.clone() };
        let seen = Seen { values: KeyValues::default(), given: given_of(recorder.given(), None) };
        let company = self.company(process, id, actor, &recorder, language);
        let called = self.call(guest, Who::of(actor), entry, seen, context, &recorder, recorded, company).await?;
        log(&called, &new.interlinker);
        let duration_us = called.cost.instantiate_us + called.cost.call_us;
        let used = used(UseKind::Instantiate, &new.interlinker, &new.task, duration_us);
        let done = match called.result {
            Ok(done) => done,
            Err(failure) => {
                let answer = |trouble: &Trouble| answer(Err(trouble)).1;
                let logs = &called.logs;
                let (trouble, fate) =
                    self.end_failed(process, actor, failure, logs, used, &recorder, answer, permit)?;
                settled(fate).await?;
                return Err(trouble);
            }
        };
        let grown_bytes = i64::try_from(done.state.bytes()).unwrap_or(i64::MAX);
        let more = grown_bytes.saturating_add(kept_bytes(&done.besides));
        let room = if is_new { self.room(hosted, &new.interlinker.name, 1, more).map(Some) } else { Ok(None) };
        let _room = match room {
            Ok(room) => room,
            Err(trouble) => {
                settled(self.end_over_quota(process, actor, used, &recorder)).await?;
                return Err(trouble);
            }
        };
        let interlinker = new.interlinker.name.clone();
        let command = match purpose {
            For::Evidence => Command::AddAsset { task: new.task.clone(), asset: id, interlinker },
            For::Effect(effect, _) => {
                Command::EffectDone { effect, asset: Some(interlinker), outcome: done.outcome.is_some() }
            }
        };
        let at = stream(StreamKind::Asset, id.bytes());
        let key = process.key.clone();
        let made: OnceLock<Arc<Asset>> = OnceLock::new();
        let name = new.name.clone();
        let beside = |stamp: &Stamp| {
            let instantiated = InterlinkerInstantiated {
                interlinker: new.interlinker.clone(),
                process: process.id,
                organization: hosted.organization,
                task: new.task.clone(),
                name: Sealed::Open(new.name),
                input: Sealed::Open(new.input),
                output: Sealed::Open(done.output),
                changes: changes_of(&done.changes),
                call: recorder.call(),
                counts: done.counts,
                grown_bytes,
                noted: done.besides.noted.clone(),
                duration_us,
            };
            let events = with_besides(core, instantiated.into(), done.outcome, done.besides);
            let (mut written, asset) = written_events(core, at, None, process.id, &key, *stamp, events);
            let _ = made.set(Arc::clone(&asset));
            let put = settle_events(core, written.clone(), None, asset, key, *stamp);
            written.extend(recorder.end(*stamp, UseOutcome::Done));
            let (shared, call) = (Arc::clone(core), recorder.call());
            let settle = move |first| {
                put(first);
                settle_end(&shared, first, call);
            };
            Some(Beside { written, settle: Box::new(settle) })
        };
        // `beside` runs before `answer`: the asset is there.
        let answer = |_: &crate::processes::Done<'_>| answer(Ok((made.get().expect("made beside"), &name)));
        let ask = Ask { command: &command, note: None, expected: None };
        let made = self.processes.command(process, actor, ask, beside, answer, permit).await;
        if let Err(trouble) = &made {
            self.end_rejected(process, actor, trouble, used, &recorder).await?;
        }
        made
    }

    /// Removes an asset from its task; its history stays.
    pub async fn remove(
        &self,
        process: &Arc<ProcessCell>,
        cell: &Arc<AssetCell>,
        actor: Actor,
        expected: Option<u64>,
        answer: Answer,
    ) -> Outcome<Answer> {
        let core = &self.core;
        let _place = Place::take(&cell.waiting)?;
        self.held.free(cell.id).await;
        let lane = cell.enter().await;
        let Snapshot { asset, values } = lane.ahead.clone();
        cell.admit(&lane, expected).await?;
        let lane = parking_lot::Mutex::new(lane);
        let beside = |stamp: &Stamp| {
            let at = stream(StreamKind::Asset, cell.id.bytes());
            let events = vec![AssetRemoved {}.into()];
            let (written, removed) = written_events(core, at, Some(&asset), process.id, &cell.key, *stamp, events);
            let keys: Vec<_> = values.iter().map(|(name, _)| value_key(cell.id, name)).collect();
            let snapshot = Snapshot { asset: Arc::clone(&removed), values: KeyValues::default() };
            lane.lock().ahead = snapshot.clone();
            let stamp = *stamp;
            let put = settle_events(core, written.clone(), Some(Arc::clone(&asset)), removed, cell.key.clone(), stamp);
            let shared = Arc::clone(core);
            let removing = Arc::clone(cell);
            let settle = move |first: Option<Position>| {
                match first {
                    Some(position) => {
                        removing.synced(snapshot);
                        shared.state.put(position, keys.into_iter().map(|name| (name, Value::Gone)));
                    }
                    None => removing.failed(),
                }
                put(first);
            };
            Some(Beside { written, settle: Box::new(settle) })
        };
        let command = Command::DropAsset(cell.id);
        let ask = Ask { command: &command, note: None, expected: None };
        let permit = Permit::default();
        self.processes.command(process, actor, ask, beside, |_| (answer, None), permit).await
    }
}

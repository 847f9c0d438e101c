//! What a call did, handed over: its events and what the process hears of it in one append, while the next call runs on what
//! they give; and how a call ends that leaves nothing.

use std::sync::{Arc, OnceLock};

use interlink_host::{Besides, Failure, Fault, LogLine, Rendered};
use interlink_journal::{NewRecord, Position};
use interlink_model::asset::Asset;
use interlink_model::event::{Actor, Stamp};
use interlink_model::facts::*;
use interlink_model::id::StreamKind;
use interlink_model::keyvalues::KeyValues;
use interlink_model::process::Command;
use serde_json::Value as Json;

use super::lane::{AssetCell, Lane, Snapshot};
use super::written::{failed, settle_events, written_events};
use super::{Acted, Assets};
use crate::calls::{Recorder, settle_end};
use crate::core::{Fate, settled};
use crate::draft::stream;
use crate::error::{Outcome, Trouble};
use crate::gate::{Answer, Permit};
use crate::processes::{Ask, Beside, ProcessCell, RefusedAhead};

/// What a call did, before it is written.
pub(super) struct Performed {
    pub before: Arc<Asset>,
    pub events: Vec<AssetEvent>,
    /// The state that it left.
    pub values: KeyValues,
    pub output: Json,
    pub rendered: Rendered,
    /// The record of the call; nothing where no call did it.
    pub recorder: Option<Arc<Recorder>>,
}

/// Bytes of the blobs that a call keeps.
pub(super) fn kept_bytes(besides: &Besides) -> i64 {
    besides.blobs.iter().fold(0, |bytes, (_, put)| bytes + i64::try_from(put.content.len()).unwrap_or(i64::MAX))
}

impl Assets {
    /// Hands the events of a call over, together with what the process hears of it, and takes what they give as what is
    /// ahead.
    pub(super) fn hand_over(
        &self,
        process: &Arc<ProcessCell>,
        cell: &Arc<AssetCell>,
        lane: &mut Lane,
        call: Performed,
        actor: Actor,
        with: Option<Command>,
        answer: impl FnOnce(Result<&Acted<'_>, &Trouble>) -> (Answer, Option<NewRecord>) + Send,
        permit: Permit,
    ) -> Result<(Fate, Answer), RefusedAhead> {
        let core = &self.core;
        let at = stream(StreamKind::Asset, cell.id.bytes());
        let Performed { before, events, values, output, rendered, recorder } = call;
        let prepare = |stamp: Stamp| {
            let (mut written, asset) = written_events(core, at, Some(&before), process.id, &cell.key, stamp, events);
            let snapshot = Snapshot { asset: Arc::clone(&asset), values };
            let (was, is) = (Arc::clone(&before), Arc::clone(&asset));
            let put = settle_events(core, written.clone(), Some(was), is, cell.key.clone(), stamp);
            let recorder = recorder.as_ref();
            written.extend(recorder.map(|recorder| recorder.end(stamp, UseOutcome::Done)).unwrap_or_default());
            let (shared, call) = (Arc::clone(core), recorder.and_then(|recorder| recorder.call()));
            let settling = Arc::clone(cell);
            let ahead = snapshot.clone();
            let settle = move |first: Option<Position>| {
                match first {
                    Some(_) => settling.synced(snapshot),
                    None => settling.failed(),
                }
                put(first);
                settle_end(&shared, first, call);
            };
            (written, asset, ahead, settle)
        };
        let Some(command) = with else {
            let stamp = core.stamp(lane.time(core.now()), actor);
            let (written, asset, ahead, settle) = prepare(stamp);
            let (answer, record) = answer(Ok(&Acted { asset: &asset, output: &output, rendered: &rendered }));
            lane.ahead = ahead;
            let fate = core.commit(&written, record, move |first| {
                settle(first);
                drop(permit);
            });
            return Ok((fate, answer));
        };
        let least = lane.last_at;
        let made: OnceLock<(Arc<Asset>, Snapshot)> = OnceLock::new();
        let beside = |stamp: &Stamp| {
            let (written, asset, ahead, settle) = prepare(Stamp { at: stamp.at.max(least), ..*stamp });
            let _ = made.set((asset, ahead));
            Some(Beside { written, settle: Box::new(settle) })
        };
        // `beside` runs before `answer`: the asset is there.
        let answer = |_: &crate::processes::Done<'_>| {
            let (asset, _) = made.get().expect("made beside");
            answer(Ok(&Acted { asset, output: &output, rendered: &rendered }))
        };
        let ask = Ask { command: &command, note: None, expected: None };
        let handed = self.processes.hand_over(process, actor, &ask, beside, answer, permit)?;
        if let Some((asset, ahead)) = made.into_inner() {
            lane.time(asset.touched_at);
            lane.ahead = ahead;
        }
        Ok(handed)
    }

    /// Hands events over that the process hears nothing of.
    pub(crate) fn hand_over_alone(
        &self,
        process: &Arc<ProcessCell>,
        cell: &Arc<AssetCell>,
        lane: &mut Lane,
        (events, values): (Vec<AssetEvent>, KeyValues),
        actor: Actor,
        answer: Answer,
        permit: Permit,
    ) -> (Fate, Answer) {
        let before = Arc::clone(&lane.ahead.asset);
        let (output, rendered) = (Json::Null, Rendered::new());
        let performed = Performed { before, events, values, output, rendered, recorder: None };
        let record = permit.record(&self.core, &answer);
        let answer = |_: Result<&Acted<'_>, &Trouble>| (answer, record);
        let Ok(handed) = self.hand_over(process, cell, lane, performed, actor, None, answer, permit) else {
            unreachable!("only what a process hears of can be refused")
        };
        handed
    }

    /// Ends a call that did what it was to do, where there is no room for what that leaves.
    pub(super) fn end_over_quota(
        &self,
        process: &Arc<ProcessCell>,
        actor: Actor,
        used: InterlinkerUsed,
        recorder: &Arc<Recorder>,
    ) -> Fate {
        let used = InterlinkerUsed { outcome: UseOutcome::Refused, reason: Some("quota-exceeded".into()), ..used };
        self.processes.record_use(process, actor, used, Some(recorder), None, Permit::default())
    }

    /// Ends a call that its Interlinker refused or in which it failed: with why, and what becomes of its record. Of one that was
    /// not recorded it is not known what became, and it stays open.
    pub(super) fn end_failed(
        &self,
        process: &Arc<ProcessCell>,
        actor: Actor,
        failure: Failure,
        logs: &[LogLine],
        used: InterlinkerUsed,
        recorder: &Arc<Recorder>,
        answer: impl FnOnce(&Trouble) -> Option<NewRecord>,
        permit: Permit,
    ) -> Outcome<(Trouble, Fate)> {
        if let Failure::Failed(fault @ Fault::NotRecorded(_)) = &failure {
            return Err(Trouble::Unknown(fault.to_string()));
        }
        self.keep_failure(&failure, logs, recorder);
        let (trouble, used) = failed(used, failure);
        let record = answer(&trouble);
        let fate = self.processes.record_use(process, actor, used, Some(recorder), record, permit);
        Ok((trouble, fate))
    }

    /// Ends a call that asked the world outside and whose outcome the process does not take. One of which it is not known
    /// what became stays open.
    pub(super) async fn end_rejected(
        &self,
        process: &Arc<ProcessCell>,
        actor: Actor,
        trouble: &Trouble,
        used: InterlinkerUsed,
        recorder: &Arc<Recorder>,
    ) -> Outcome<()> {
        let Trouble::Rejected(rejection, _) = trouble else { return Ok(()) };
        if recorder.call().is_some() {
            let reason = Some(rejection.rule.slug().to_owned());
            let used = InterlinkerUsed { outcome: UseOutcome::Refused, reason, ..used };
            settled(self.processes.record_use(process, actor, used, Some(recorder), None, Permit::default())).await?;
        }
        Ok(())
    }
}

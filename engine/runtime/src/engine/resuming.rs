//! Calls that ask the world outside: those that a crash interrupted go on, and recorded ones are looked at.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use interlink_host::{CallContext, Entry as HostEntry, Grants};
use interlink_model::asset::{Asset, Blob};
use interlink_model::event::Actor;
use interlink_model::facts::Aside;
use interlink_model::id::{AssetId, CallId};
use serde_json::Value as Json;

use super::Engine;
use crate::assets::blobs::Kept;
use crate::assets::{Acted, Assets, Deed, For, Instantiation, NewAsset, Use as AssetUse};
use crate::assets::{Seen, given_of};
use crate::calls::{CallView, Interrupted};
use crate::core::Core;
use crate::error::{Outcome, Trouble};
use crate::gate::{Answer, Gate, Permit};
use crate::people::{Caller, CallerKind};

/// What the blobs that a recorded call takes along have together, in bytes.
pub const TAKEN_BLOBS_BYTES_MAX: u64 = 16 << 20;

impl Engine {
    /// Lets the calls that a crash interrupted go on, side by side; `answers` says how what came of them looks to whoever
    /// asked. Requests that repeat them wait until then, and so does everything behind them in their asset's lane.
    pub async fn resume(self: &Arc<Self>, answers: Arc<dyn Answers>) {
        let interrupted = std::mem::take(&mut *self.interrupted.lock());
        let going: Vec<_> = interrupted
            .into_iter()
            .map(|(call, permit)| {
                let (engine, answers) = (Arc::clone(self), Arc::clone(&answers));
                tokio::spawn(async move {
                    let (id, asset, version) = (call.id, call.calling.asset, call.calling.version);
                    if let Err(trouble) = engine.go_on(call, &*answers, permit).await {
                        tracing::warn!(call = %id, %trouble, "a call that was interrupted ended so");
                    }
                    if version.is_some() {
                        engine.assets.held.release(asset, id);
                    }
                })
            })
            .collect();
        for call in going {
            // One that panicked has told so.
            let _ = call.await;
        }
    }

    async fn go_on(&self, call: Interrupted, answers: &dyn Answers, permit: Permit) -> Outcome<Answer> {
        let cell = self.processes.cell(call.process)?;
        let guest = self.load(&call.calling.interlinker).await?;
        let (actor, calling, remember) = (call.stamp.actor, call.calling.clone(), permit.clone());
        let language = calling.language.clone();
        let keep = |kept: bool, answer: Answer| {
            let record = if kept { remember.record(&self.core, &answer) } else { None };
            (answer, record)
        };
        match calling.action {
            Some(action) => {
                let asset = self.asset_cell(calling.asset)?;
                let settle = |acted: Result<&Acted<'_>, &Trouble>| match acted {
                    Ok(acted) => keep(true, answers.acted(acted)),
                    Err(trouble) => keep(matches!(trouble, Trouble::Refused(_)), answers.refused(trouble)),
                };
                let service = calling.service;
                let asked = AssetUse {
                    language: &language,
                    expected: None,
                    effect: None,
                    resumed: Some(call),
                    with: None,
                    service,
                    by: None,
                };
                let deed = Deed::Action { name: &action, input: calling.input };
                self.assets.perform(&cell, &asset, &guest, actor, deed, asked, settle, permit).await
            }
            None => {
                let settle = |made: Result<(&Asset, &str), &Trouble>| match made {
                    Ok((asset, name)) => keep(true, answers.instantiated(asset, name)),
                    Err(trouble) => keep(matches!(trouble, Trouble::Refused(_)), answers.refused(trouble)),
                };
                let (interlinker, task, input) = (calling.interlinker, calling.task, calling.input);
                let new = NewAsset { task, interlinker, name: calling.name.unwrap_or_default(), input };
                let wanted = Instantiation { new, purpose: For::Evidence, language: &language, resumed: Some(call) };
                self.assets.instantiate(&cell, &guest, actor, wanted, settle, permit).await
            }
        }
    }

    /// A recorded call of an asset.
    pub fn call_record(&self, asset: AssetId, id: CallId) -> Outcome<CallView> {
        let gone = || Trouble::NotFound { what: "call", id: id.to_string() };
        let (call, has_ended) = crate::calls::read(&self.core, id)?;
        let view = CallView::of(call, has_ended);
        if view.asset == asset { Ok(view) } else { Err(gone()) }
    }

    /// Runs a recorded call again, on the state that it saw, fed with what was recorded, asking nobody and changing
    /// nothing; answers what came of it. A call that had not ended stops where its record does.
    pub async fn replay_call(&self, asset: AssetId, id: CallId) -> Outcome<Replayed> {
        let (call, has_ended) = crate::calls::read(&self.core, id)?;
        if call.calling.asset != asset {
            return Err(Trouble::NotFound { what: "call", id: id.to_string() });
        }
        let guest = self.load(&call.calling.interlinker).await?;
        let (entry, seen, context) = self.seen_by(&call)?;
        let durable = crate::calls::offline(&call);
        let Seen { values: state, given } = seen;
        let call_again = interlink_host::Call { entry, state, context, given };
        let called = crate::assets::run(&self.core, &guest, call_again, Some(durable)).await;
        let result = called.result.map(|done| done.output).map_err(|failure| match failure {
            interlink_host::Failure::Refused(problem) => format!("refused: {}", problem.detail),
            interlink_host::Failure::Failed(fault) => fault.to_string(),
            interlink_host::Failure::NotBegun => "it was not begun".into(),
        });
        let logs = called.logs.into_iter().map(|line| (line.level, line.message)).collect();
        Ok(Replayed { call: CallView::of(call, has_ended), result, logs })
    }

    /// What a recorded call was, and what it saw.
    fn seen_by(&self, call: &Interrupted) -> Outcome<(HostEntry, Seen, CallContext)> {
        let calling = &call.calling;
        let cell = self.processes.cell(call.process)?;
        let then = calling.version.map(|version| self.snapshot_at(calling.asset, version)).transpose()?;
        let (head, values) = then.map_or_else(Default::default, |then| (Some(then.asset), then.values));
        let kept = head.map(|asset| Kept { core: Arc::clone(&self.core), asset, key: cell.key.clone() });
        let seen = Seen { values, given: given_of(calling.given.as_ref(), kept) };
        let (actor, at) = (call.stamp.actor, call.stamp.at);
        let context = crate::assets::call_context(actor, &cell, &calling.task, calling.asset, &calling.language, at);
        let entry = match &calling.action {
            _ if calling.aside == Some(Aside::View) => HostEntry::View { query: calling.input.clone() },
            _ if calling.aside == Some(Aside::Migration) => {
                HostEntry::Migrate { version: calling.input.as_str().unwrap_or_default().to_owned() }
            }
            Some(name) if calling.alarm => HostEntry::Ring { name: name.clone(), input: calling.input.clone() },
            Some(name) => HostEntry::Action { name: name.clone(), input: calling.input.clone() },
            None => HostEntry::Instantiate { input: calling.input.clone() },
        };
        Ok((entry, seen, context))
    }

    /// A recorded call with all that it saw: whoever writes its Interlinker runs it again on their machine. Of its blobs the
    /// smallest are taken along, as many as fit.
    pub fn taken_call(&self, id: CallId) -> Outcome<TakenCall> {
        let (call, has_ended) = crate::calls::read(&self.core, id)?;
        let (entry, Seen { values, given }, context) = self.seen_by(&call)?;
        let calling = &call.calling;
        let then = calling.version.map(|version| self.snapshot_at(calling.asset, version)).transpose()?;
        let (mut blobs, mut blobs_left) = (BTreeMap::new(), 0);
        if let Some(asset) = then.map(|then| then.asset) {
            let key = self.processes.cell(call.process)?.key.clone();
            let kept = Kept { core: Arc::clone(&self.core), asset: Arc::clone(&asset), key };
            let (taken, left) = that_fit(&asset.blobs, TAKEN_BLOBS_BYTES_MAX);
            blobs_left = left;
            for (digest, blob) in taken {
                blobs.insert(digest.clone(), kept.part(blob, 0, blob.size_bytes as usize)?);
            }
        }
        Ok(TakenCall { call: CallView::of(call, has_ended), entry, values, given, context, blobs, blobs_left })
    }

    /// Grants an Interlinker what it may ask the world outside for.
    pub async fn grant(
        &self,
        actor: Actor,
        name: &str,
        grants: &Grants,
        answer: &Answer,
        permit: &Permit,
    ) -> Outcome<()> {
        let record = permit.record(&self.core, answer);
        self.catalogue.grant(&self.core, actor, name, grants, record).await
    }

    /// What an Interlinker may ask the world outside for.
    pub fn grants(&self, name: &str) -> Grants {
        self.catalogue.grants(name)
    }

    /// Sets a secret, or removes it.
    pub async fn set_secret(
        &self,
        actor: Actor,
        name: &str,
        value: Option<String>,
        answer: &Answer,
        permit: &Permit,
    ) -> Outcome<()> {
        let record = permit.record(&self.core, answer);
        self.catalogue.set_secret(&self.core, actor, name, value, record).await
    }
}

/// How what came of a call looks to whoever asked for it: the API's part, for calls that outlive the request.
pub trait Answers: Send + Sync {
    /// An action was run.
    fn acted(&self, acted: &Acted<'_>) -> Answer;
    /// An Interlinker was instantiated.
    fn instantiated(&self, asset: &Asset, name: &str) -> Answer;
    /// It was refused, or failed.
    fn refused(&self, trouble: &Trouble) -> Answer;
}

/// A recorded call with all that it saw.
#[derive(Debug, Clone)]
pub struct TakenCall {
    /// The call.
    pub call: CallView,
    /// What was called.
    pub entry: HostEntry,
    /// The asset's state.
    pub values: interlink_model::keyvalues::KeyValues,
    /// What it was given besides.
    pub given: interlink_host::Given,
    /// Who called, when, and on what.
    pub context: CallContext,
    /// Blobs that it could read, by digest.
    pub blobs: BTreeMap<String, Vec<u8>>,
    /// How many there are besides, which were not taken along.
    pub blobs_left: usize,
}

/// The smallest of all blobs, as many as have so many bytes together; and how many are left.
fn that_fit(all: &BTreeMap<String, Blob>, bytes_max: u64) -> (Vec<(&String, &Blob)>, usize) {
    let mut sorted: Vec<_> = all.iter().collect();
    sorted.sort_by_key(|(_, blob)| blob.size_bytes);
    let mut bytes = 0;
    let fits = |(_, blob): &(&String, &Blob)| {
        bytes += blob.size_bytes;
        bytes <= bytes_max
    };
    let taken: Vec<_> = sorted.into_iter().take_while(fits).collect();
    let left = all.len() - taken.len();
    (taken, left)
}

/// What came of running a recorded call again.
#[derive(Debug, Clone)]
pub struct Replayed {
    /// The call.
    pub call: CallView,
    /// What the Interlinker answered, or why it did not.
    pub result: Result<Json, String>,
    /// What it logged: level and line.
    pub logs: Vec<(String, String)>,
}

/// Reads the calls that a crash interrupted, and holds their lanes and keys for them. Those of effects go on with their
/// effect's next attempt.
pub(super) fn interrupted(core: &Arc<Core>, gate: &Arc<Gate>, assets: &Assets) -> Vec<(Interrupted, Permit)> {
    let mut found = Vec::new();
    for id in crate::calls::open_calls(core) {
        core.has_open_calls.store(true, Ordering::Release);
        let call = match crate::calls::read(core, id) {
            Ok((call, false)) => call,
            Ok((_, true)) => continue,
            Err(trouble) => {
                tracing::error!(call = %id, %trouble, "a call that was interrupted cannot go on");
                continue;
            }
        };
        if call.calling.version.is_some() {
            assets.held.hold(call.calling.asset, id);
        }
        // The dispatcher comes back to these by itself.
        if call.calling.effect.is_some() || call.calling.alarm {
            continue;
        }
        let permit = call.calling.answer.as_ref().and_then(|scope| {
            let key = core.keys.key(scope.key).ok()?;
            gate.hold(scope, Caller { person: scope.person, operator: scope.operator, kind: CallerKind::Member, key })
        });
        found.push((call, permit.unwrap_or_default()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_blobs_are_taken_along_as_many_as_fit() {
        let blob = |size_bytes| Blob { media_type: "text/plain".into(), size_bytes, first: 0, parts: 1, of: None };
        let all = [("a", 7), ("b", 3), ("c", 5)].map(|(digest, bytes)| (digest.to_owned(), blob(bytes)));
        let all = BTreeMap::from(all);
        let taken = |max| {
            let (taken, left) = that_fit(&all, max);
            (taken.iter().map(|(digest, _)| digest.as_str()).collect::<String>(), left)
        };
        assert_eq!(taken(15), ("bca".into(), 0));
        assert_eq!(taken(14), ("bc".into(), 1));
        assert_eq!(taken(2), (String::new(), 3));
    }
}

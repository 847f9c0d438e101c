//! One call of an Interlinker: what it sees and is given, whether it may be made when its turn comes, and what is kept of it
//! where it fails.

use std::sync::Arc;

use interlink_host::{
    Call, CallContext, Called, Company, Durable as DurableCall, Entry, Failure, Fault, Given, Grants, Interlinker,
    Recorded,
};
use interlink_model::asset::Asset;
use interlink_model::event::Actor;
use interlink_model::facts::{Aside, InterlinkerRef};
use interlink_model::id::{AssetId, Micros};
use interlink_model::keyvalues::KeyValues;
use parking_lot::Mutex;
use serde_json::{Value as Json, json};

use super::{AssetCell, Assets, blobs, company};
use crate::calls::{Calling, Recorder, durable};
use crate::core::Core;
use crate::error::{Outcome, Trouble};
use crate::guard::{Passed, Who, is_not_made};
use crate::processes::ProcessCell;

/// What a call sees of its asset.
pub(crate) struct Seen {
    pub values: KeyValues,
    pub given: Given,
}

impl Seen {
    /// The call of an entry, on this.
    pub fn called(self, entry: Entry, context: CallContext) -> Call {
        Call { entry, state: self.values, context, given: self.given }
    }
}

/// What a call is given: of what it began with, and of its asset, where there is one yet.
pub(crate) fn given_of(began_with: Option<&Json>, kept: Option<blobs::Kept>) -> Given {
    let given = began_with.cloned().unwrap_or_default();
    let grants = serde_json::from_value(given["grants"].clone()).unwrap_or_default();
    let alarms = kept.as_ref().map(|kept| kept.asset.alarms.keys().cloned().collect()).unwrap_or_default();
    let blobs = kept.map(|kept| Arc::new(kept) as Arc<dyn interlink_host::Blobs>);
    Given { settings: given["settings"].clone(), grants, blobs, alarms }
}

impl Assets {
    /// Runs a call that may ask the world outside, for the first time or again.
    pub(super) async fn call(
        &self,
        guest: &Arc<Interlinker>,
        who: Who,
        entry: Entry,
        seen: Seen,
        context: CallContext,
        recorder: &Arc<Recorder>,
        resumed: Option<Vec<Recorded>>,
        company: Option<Arc<dyn Company>>,
    ) -> Outcome<Called> {
        let grants = self.world.catalogue.grants(guest.manifest().name.as_str());
        let call = seen.called(entry, context);
        match resumed {
            // A call that a crash cut off was let in before, and ends.
            Some(recorded) => {
                let durable = durable(&self.world, grants, recorder, recorded, company);
                Ok(run(&self.core, guest, call, Some(durable)).await)
            }
            None => {
                let durable = durable(&self.world, grants, recorder, Vec::new(), company);
                self.run_guarded(guest, who, call, Some(durable)).await
            }
        }
    }

    /// The company of a call, where something drives calls of others meanwhile.
    pub(super) fn company(
        &self,
        process: &Arc<ProcessCell>,
        asset: AssetId,
        actor: Actor,
        recorder: &Recorder,
        language: &str,
    ) -> Option<Arc<dyn Company>> {
        let runtime = tokio::runtime::Handle::try_current().ok()?;
        let (assets, process, language) = (self.me.clone(), Arc::clone(process), language.to_owned());
        let call = recorder.id();
        Some(Arc::new(company::Neighbours { assets, runtime, process, asset, actor, call, language }))
    }

    /// The settings and grants with which a call of an Interlinker begins; nothing where there are none.
    pub(super) fn given(&self, interlinker: &str) -> Option<Json> {
        let (settings, grants) =
            (self.world.catalogue.settings_value(interlinker), self.world.catalogue.grants(interlinker));
        let is_plain = settings.as_object().is_none_or(serde_json::Map::is_empty) && grants == Grants::default();
        (!is_plain).then(|| json!({"settings": settings, "grants": grants}))
    }

    /// Runs a call that may be made when its turn comes: its Interlinker is neither paused nor failing, nor was its version
    /// revoked. One that may not be is not made, and not written down.
    pub(super) async fn run_guarded(
        &self,
        guest: &Arc<Interlinker>,
        who: Who,
        call: Call,
        durable: Option<DurableCall>,
    ) -> Outcome<Called> {
        let of = guest.reference();
        let is_view = matches!(call.entry, Entry::View { .. });
        self.core.guards.admit(&of, who, self.core.now())?;
        // What was decided when the turn came: let through, or why not.
        let turn: Arc<Mutex<Option<Outcome<Passed>>>> = Arc::default();
        let may_begin = {
            let (turn, core, catalogue, of) =
                (Arc::clone(&turn), Arc::clone(&self.core), Arc::clone(&self.world.catalogue), of.clone());
            move || {
                let may_be = if is_view { catalogue.not_paused(&of.name) } else { catalogue.may_be_called(&of) };
                let may_be = may_be.inspect_err(|_| core.guards.not_made(&of, "withdrawn"));
                let passed = may_be.and_then(|()| core.guards.pass(&of, who, core.now()));
                let may = passed.is_ok();
                *turn.lock() = Some(passed);
                may
            }
        };
        let (tell, told) = tokio::sync::oneshot::channel();
        let tell = {
            let (turn, core, of) = (Arc::clone(&turn), Arc::clone(&self.core), of.clone());
            // Here, whether whoever asked still waits or has gone.
            move |called: Called| {
                let pass = turn.lock().as_ref().and_then(|passed| passed.as_ref().ok().copied());
                core.guards.ended(&of, who, pass, &called, core.now());
                drop(tell.send(called));
            }
        };
        self.core.host.call_if(guest, call, durable, Box::new(may_begin), Box::new(tell));
        let called = told.await.expect("the host answers every call");
        match called.result {
            Err(Failure::NotBegun) => match turn.lock().take() {
                Some(Err(trouble)) => Err(trouble),
                _ => unreachable!("a call that was not begun was refused when its turn came"),
            },
            Err(Failure::Failed(fault)) if is_not_made(&fault) => Err(Trouble::Failed(fault)),
            _ => Ok(called),
        }
    }

    /// Keeps how a call failed, for whoever writes its Interlinker: so many of each in a while.
    pub(super) fn keep_failure(&self, failure: &Failure, logs: &[interlink_host::LogLine], recorder: &Recorder) {
        let Failure::Failed(fault) = failure else { return };
        let is_its_own = !matches!(fault, Fault::Busy { .. });
        if is_its_own && self.kept_failures.lock().admits(recorder.interlinker(), self.core.now()) {
            let logs = logs.iter().map(|line| json!([line.level, line.message])).collect();
            recorder.note_failure(fault.limit(), fault.to_string(), logs);
        }
    }

    /// What a call is that asks nobody outside.
    pub(super) fn aside(&self, what: Aside, asset: &Asset, input: Json, language: &str) -> Calling {
        Calling {
            interlinker: asset.interlinker.clone(),
            task: asset.task.clone(),
            asset: asset.id,
            version: Some(asset.version),
            action: None,
            input,
            name: None,
            language: language.to_owned(),
            effect: None,
            answer: None,
            alarm: false,
            aside: Some(what),
            given: self.given(&asset.interlinker.name),
            service: None,
        }
    }

    /// The record of such a call that failed.
    pub(super) fn failed_aside(
        &self,
        process: &ProcessCell,
        actor: Actor,
        calling: Calling,
        failure: &Failure,
        logs: &[interlink_host::LogLine],
    ) -> Arc<Recorder> {
        let recorder = Recorder::new(&self.core, process, actor, calling);
        self.keep_failure(failure, logs, &recorder);
        recorder
    }

    /// The blobs of an asset, and its alarms, as a call sees them.
    pub(super) fn kept(&self, cell: &AssetCell, asset: &Arc<Asset>) -> blobs::Kept {
        blobs::Kept { core: Arc::clone(&self.core), asset: Arc::clone(asset), key: cell.key.clone() }
    }
}

/// Runs a call on the host's threads, whatever is thought of its Interlinker.
pub(crate) async fn run(core: &Core, guest: &Arc<Interlinker>, call: Call, durable: Option<DurableCall>) -> Called {
    let (tell, told) = tokio::sync::oneshot::channel();
    let tell = Box::new(move |called| drop(tell.send(called)));
    match durable {
        Some(durable) => core.host.call_durably(guest, call, durable, tell),
        None => core.host.call(guest, call, tell),
    }
    told.await.expect("the host answers every call")
}

/// Shows what a guest logged, and that it refused with a code that is none; what an earlier run of the call has logged before
/// is not shown again.
pub(super) fn log(called: &Called, interlinker: &InterlinkerRef) {
    for line in called.logs.iter().filter(|line| !line.replayed) {
        tracing::debug!(interlinker = interlinker.name, level = line.level, "{}", line.message);
    }
    if let Err(Failure::Refused(problem)) = &called.result
        && problem.no_code().is_some()
    {
        // Not what it gave: a person may have written that.
        tracing::warn!(
            interlinker = interlinker.name,
            version = interlinker.version,
            "it refused with a code that is none"
        );
    }
}

/// Roles of somebody. Until there are teams, every member contributes to every process.
/// A visitor of a service is no member, and of a pseudonym nothing more is said.
pub(super) fn roles_of(actor: Actor) -> Vec<String> {
    let role = match actor {
        Actor::Visitor(_) => return vec!["visitor".into()],
        Actor::Operator(_) => Some("operator"),
        Actor::System => Some("system"),
        Actor::Pseudonym(_) => return Vec::new(),
        Actor::Person(_) => None,
    };
    role.into_iter().chain(["contributor"]).map(str::to_owned).collect()
}

/// Who calls, for the Interlinker: a visitor is one person, too, for as long as a visit lasts, and a pseudonym for one asset.
pub(super) fn person_in(actor: Actor) -> Option<String> {
    match actor {
        Actor::Visitor(visitor) => Some(visitor.to_string()),
        Actor::Pseudonym(_) => Some(actor.to_string()),
        actor => actor.person().map(|person| person.to_string()),
    }
}

/// Who calls, when, and on what.
pub(crate) fn call_context(
    actor: Actor,
    process: &ProcessCell,
    task: &str,
    asset: AssetId,
    language: &str,
    now: Micros,
) -> CallContext {
    CallContext {
        person: person_in(actor),
        roles: roles_of(actor),
        process: process.id.to_string(),
        task: task.into(),
        asset: asset.to_string(),
        language: language.into(),
        at: jiff::Timestamp::from_microsecond(now.0).map(|at| at.to_string()).unwrap_or_default(),
        by: None,
    }
}

//! Instantiations that are tried first, and written by whoever asked, together with more.
//!
//! A service's assets are made all or none: the guests run before anything is written, and what they leave goes into one
//! append with the rest. So what they ask the world outside is kept until then, and they send no requests: one that was
//! sent could not be taken back, and after a crash nobody would know of it.

use std::sync::Arc;

use interlink_host::{
    CallContext, Done, Durable, Entry, Failure, Fault, Grants, Interlinker, Kind, Record, RecordFault,
};
use interlink_journal::Position;
use interlink_model::event::{Actor, Stamp};
use interlink_model::facts::*;
use interlink_model::id::{AssetId, CallId, Micros, StreamKind};
use interlink_model::keyvalues::KeyValues;
use interlink_model::sealed::Sealed;
use parking_lot::Mutex;
use serde_json::Value as Json;

use super::handover::kept_bytes;
use super::written::{changes_of, settle_events, with_besides, written_events};
use super::{Assets, NewAsset, Seen, given_of, log, roles_of};
use crate::ambient::call_id;
use crate::calls::kind_word;
use crate::core::Core;
use crate::draft::{AnyEvent, Written, stream};
use crate::error::{Outcome, Trouble};
use crate::guard::Who;
use crate::keys::SealingKey;
use crate::usage::held::{Hosted, Room};

/// What a guest asked and was answered, kept until it is written.
#[derive(Default)]
struct Kept(Mutex<Vec<CallAnswered>>);

impl Record for Kept {
    fn started(&self) -> Result<(), RecordFault> {
        Ok(())
    }

    fn answered(&self, number: u32, kind: Kind, request: &[u8], answer: &[u8]) -> Result<(), RecordFault> {
        let bytes = |bytes: &[u8]| Sealed::Open(serde_bytes::ByteBuf::from(bytes.to_vec()));
        let (request, answer) = (bytes(request), bytes(answer));
        self.0.lock().push(CallAnswered { number, kind: kind_word(kind).into(), request, answer });
        Ok(())
    }
}

/// An asset that would be made.
pub(crate) struct Tried {
    /// Its id.
    pub id: AssetId,
    /// What it is made of.
    pub new: NewAsset,
    hosted: Hosted,
    language: String,
    call: CallId,
    given: Option<Json>,
    at: Micros,
    answered: Vec<CallAnswered>,
    done: Done,
    duration_us: u64,
}

/// Called when what was tried is durable, with the position of its first event.
pub(crate) type Settle = Box<dyn FnOnce(Option<Position>) + Send>;

impl Assets {
    /// Instantiates an Interlinker on a task of a process, which need not be there yet, and writes nothing. `given` are the
    /// settings and grants that it will have.
    pub async fn try_out(
        &self,
        guest: &Arc<Interlinker>,
        actor: Actor,
        hosted: Hosted,
        id: AssetId,
        new: NewAsset,
        language: &str,
        given: Option<Json>,
    ) -> Outcome<Tried> {
        guest.check_instantiate(&new.input).map_err(Trouble::Input)?;
        let (call, at) = (call_id(&*self.core.ambient), self.core.now());
        let context = CallContext {
            person: actor.person().map(|person| person.to_string()),
            roles: roles_of(actor),
            process: hosted.process.to_string(),
            task: new.task.clone(),
            asset: id.to_string(),
            language: language.into(),
            at: jiff::Timestamp::from_microsecond(at.0).map(|at| at.to_string()).unwrap_or_default(),
            by: None,
        };
        let kept = Arc::new(Kept::default());
        let secrets = self.world.catalogue.grants(&new.interlinker.name).secrets;
        let durable = Durable {
            id: call.to_string(),
            grants: Grants { secrets, ..Grants::default() },
            ambience: Arc::<crate::calls::World>::clone(&self.world),
            outbound: Arc::clone(&self.world.outbound),
            company: None,
            record: Arc::<Kept>::clone(&kept),
            recorded: Vec::new(),
        };
        let entry = Entry::Instantiate { input: new.input.clone() };
        let seen = Seen { values: KeyValues::default(), given: given_of(given.as_ref(), None) };
        let called = self.run_guarded(guest, Who::of(actor), seen.called(entry, context), Some(durable)).await?;
        log(&called, &new.interlinker);
        let duration_us = called.cost.instantiate_us + called.cost.call_us;
        let done = called.result.map_err(|failure| match failure {
            Failure::Refused(problem) => Trouble::Refused(problem),
            Failure::Failed(fault @ Fault::NotRecorded(_)) => Trouble::Unknown(fault.to_string()),
            Failure::Failed(fault) => Trouble::Failed(fault),
            Failure::NotBegun => unreachable!("told as what stood in its way"),
        })?;
        let answered = std::mem::take(&mut *kept.0.lock());
        Ok(Tried { id, new, hosted, language: language.into(), call, given, at, answered, done, duration_us })
    }
}

impl Tried {
    /// Room for it, as for any other asset.
    pub fn room<'a>(&self, assets: &'a Assets) -> Outcome<Room<'a>> {
        let bytes = i64::try_from(self.done.state.bytes()).unwrap_or(i64::MAX);
        let more = bytes.saturating_add(kept_bytes(&self.done.besides));
        assets.room(self.hosted, &self.new.interlinker.name, 1, more)
    }

    /// What it writes, sealed under the key of its process; and what is to be done once that is durable.
    pub fn write(self, core: &Arc<Core>, key: &SealingKey, stamp: Stamp) -> (Vec<Written>, Settle) {
        let Self { id, new, hosted, language, call, given, at, answered, done, duration_us } = self;
        let Hosted { process, organization } = hosted;
        let NewAsset { task, interlinker, name, input } = new;
        let record: Vec<CallEvent> = match answered.is_empty() {
            true => Vec::new(),
            false => {
                let started = CallStarted {
                    interlinker: interlinker.clone(),
                    process,
                    task: task.clone(),
                    asset: id,
                    version: None,
                    action: None,
                    input: Sealed::Open(input.clone()),
                    name: Some(Sealed::Open(name.clone())),
                    language,
                    effect: None,
                    answer: None,
                    service: None,
                    alarm: false,
                    aside: None,
                    given: given.map(Sealed::Open),
                };
                let answered = answered.into_iter().map(CallEvent::from);
                let ended = CallEnded { outcome: UseOutcome::Done }.into();
                [started.into()].into_iter().chain(answered).chain([ended]).collect()
            }
        };
        let instantiated = InterlinkerInstantiated {
            interlinker,
            process,
            organization,
            task,
            name: Sealed::Open(name),
            input: Sealed::Open(input),
            output: Sealed::Open(done.output),
            changes: changes_of(&done.changes),
            call: (!record.is_empty()).then_some(call),
            counts: done.counts,
            grown_bytes: i64::try_from(done.state.bytes()).unwrap_or(i64::MAX),
            noted: done.besides.noted.clone(),
            duration_us,
        };
        let events = with_besides(core, instantiated.into(), done.outcome, done.besides);
        let own = stream(StreamKind::Asset, id.bytes());
        let (mut written, asset) = written_events(core, own, None, process, key, stamp, events);
        let settle = settle_events(core, written.clone(), None, asset, key.clone(), stamp);
        let of_call = stream(StreamKind::Call, call.bytes());
        written.extend(record.into_iter().zip(0..).map(|(event, version)| {
            let mut event = AnyEvent::Call(event);
            event.close(&*core.ambient, &of_call, key);
            // A second run is told the time that the first was told.
            let stamp = Stamp { at: if version == 0 { at } else { stamp.at }, ..stamp };
            Written { stream: of_call, version, process: Some(process), key: key.number, stamp, event }
        }));
        (written, Box::new(settle))
    }
}

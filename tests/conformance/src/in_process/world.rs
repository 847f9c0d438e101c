//! The world of a host in this process: what a server would keep, in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use interlink_host::{
    AlarmChange, Ambience, Besides, Blobs, Call, CallContext, Called, Company, Done, Durable, Entry, Failure, Given,
    Grants, Host, Interlinker, Kind, Outbound, Problem, Put, Record, RecordFault, Recorded,
};
use interlink_model::keyvalues::KeyValues;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::subject::{Came, Place, Weakness};

/// Longer than any call takes.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// Whoever calls.
pub(super) const ME: &str = "ana";

/// An asset.
#[derive(Clone)]
pub(super) struct Held {
    pub interlinker: Arc<Interlinker>,
    pub place: Place,
    pub state: KeyValues,
    pub version: u64,
    pub outcome: Option<Value>,
    pub alarms: BTreeMap<String, (i64, Value)>,
    pub blobs: BTreeMap<String, Put>,
    pub noted: Vec<(String, i64)>,
}

/// What is kept.
#[derive(Default)]
pub(super) struct Kept {
    /// Versions of an Interlinker, in the order in which they were published.
    pub published: BTreeMap<String, Vec<Arc<Interlinker>>>,
    pub grants: BTreeMap<String, Grants>,
    pub settings: BTreeMap<String, Value>,
    pub secrets: BTreeMap<String, String>,
    pub assets: BTreeMap<String, Held>,
    pub messages: Vec<String>,
    pub recorded: Vec<Recorded>,
    pub logs: Vec<(String, String)>,
    pub weakness: Option<Weakness>,
}

/// The world.
pub(super) struct World {
    pub host: Host,
    pub kept: Mutex<Kept>,
    pub outbound: Arc<dyn Outbound>,
    pub calls: AtomicU32,
}

impl World {
    /// Makes a call of an asset and keeps what it leaves; fed with a record.
    pub fn enter(self: &Arc<Self>, asset: &str, entry: Entry, recorded: Vec<Recorded>, by: Option<&str>) -> Came {
        let Some(held) = self.kept.lock().assets.get(asset).cloned() else {
            return Came::NotTaken("not-found".into());
        };
        let called = self.called(asset, &held, entry.clone(), recorded, by);
        self.take_in(asset, &entry, called)
    }

    /// Makes a call.
    pub fn called(
        self: &Arc<Self>,
        asset: &str,
        held: &Held,
        entry: Entry,
        recorded: Vec<Recorded>,
        by: Option<&str>,
    ) -> Called {
        let name = held.interlinker.manifest().name.clone();
        let (given, grants, weakness) = {
            let kept = self.kept.lock();
            let grants = kept.grants.get(&name).cloned().unwrap_or_default();
            let blobs = Stored { blobs: held.blobs.clone(), unread: kept.weakness == Some(Weakness::BlobsUnread) };
            let given = Given {
                settings: kept.settings.get(&name).cloned().unwrap_or_default(),
                grants: grants.clone(),
                blobs: Some(Arc::new(blobs)),
                alarms: held.alarms.keys().cloned().collect(),
            };
            (given, grants, kept.weakness)
        };
        let context = context(asset, held.place, by);
        let call = Call { entry: entry.clone(), state: held.state.clone(), context, given };
        let (tell, told) = channel();
        let tell = Box::new(move |called| drop(tell.send(called)));
        let has_outside = !matches!(entry, Entry::View { .. } | Entry::Migrate { .. }) && by.is_none();
        if has_outside {
            let number = self.calls.fetch_add(1, Ordering::Relaxed);
            let here = Here { world: Arc::clone(self), asset: asset.into(), place: held.place, weakness };
            let here = Arc::new(here);
            let (ambience, record, company) = (Arc::clone(&here), Arc::clone(&here), Arc::clone(&here));
            let outbound = Arc::clone(&self.outbound);
            let (id, company) = (format!("call-{number}"), Some(company as Arc<dyn Company>));
            let durable = Durable { id, grants, ambience, outbound, company, record, recorded };
            self.host.call_durably(&held.interlinker, call, durable, tell);
        } else {
            self.host.call(&held.interlinker, call, tell);
        }
        told.recv_timeout(PATIENCE).expect("every call is answered")
    }

    /// Keeps what a call leaves, where it was done.
    pub fn take_in(&self, asset: &str, entry: &Entry, called: Called) -> Came {
        let mut kept = self.kept.lock();
        kept.logs = called.logs.into_iter().map(|line| (line.level, line.message)).collect();
        let done = match called.result {
            Ok(done) => done,
            Err(Failure::Refused(problem)) => return Came::Refused(problem.slug().into()),
            Err(Failure::Failed(fault)) => return Came::Failed(fault.limit().into()),
            Err(Failure::NotBegun) => return Came::NotTaken("not-begun".into()),
        };
        let output = done.output.clone();
        if !matches!(entry, Entry::View { .. }) {
            let Kept { assets, messages, .. } = &mut *kept;
            let Some(held) = assets.get_mut(asset) else { return Came::NotTaken("not-found".into()) };
            commit(held, messages, entry, done);
        }
        Came::Done(output)
    }
}

fn commit(held: &mut Held, messages: &mut Vec<String>, entry: &Entry, done: Done) {
    let Done { changes, outcome, besides, .. } = done;
    // What another call has left meanwhile is left.
    for (key, value) in changes {
        match value {
            Some(value) => held.state.set(&key, value),
            None => drop(held.state.delete(&key)),
        }
    }
    held.version += 1;
    held.outcome = outcome.or(held.outcome.take());
    if let Entry::Ring { name, .. } = entry {
        held.alarms.remove(name);
    }
    let Besides { noted, messages: told, alarms, blobs } = besides;
    held.noted.extend(noted.into_iter().map(|noted| (noted.word, noted.amount)));
    for message in told {
        if message.to.iter().any(|to| to == ME) {
            messages.insert(0, message.title);
        }
    }
    for (name, change) in alarms {
        match change {
            AlarmChange::Set { at, input } => drop(held.alarms.insert(name, (at, input))),
            AlarmChange::Cancelled => drop(held.alarms.remove(&name)),
        }
    }
    held.blobs.extend(blobs);
}

fn context(asset: &str, place: Place, by: Option<&str>) -> CallContext {
    CallContext {
        person: Some(ME.into()),
        roles: vec!["contributor".into()],
        process: format!("{place:?}").to_lowercase(),
        task: "task".into(),
        asset: asset.into(),
        language: "en".into(),
        at: "2026-01-01T09:00:00Z".into(),
        by: by.map(str::to_owned),
    }
}

/// Blobs of an asset.
struct Stored {
    blobs: BTreeMap<String, Put>,
    unread: bool,
}

impl Blobs for Stored {
    fn size(&self, digest: &str) -> Option<u64> {
        self.blobs.get(digest).map(|put| put.content.len() as u64)
    }

    fn total(&self) -> (usize, u64) {
        (self.blobs.len(), self.blobs.values().map(|put| put.content.len() as u64).sum())
    }

    fn read(&self, digest: &str, offset: u64, limit: usize) -> Result<Option<Vec<u8>>, String> {
        if self.unread {
            return Err("the disk does not answer".into());
        }
        let part = |put: &Put| {
            let from = usize::try_from(offset).unwrap_or(usize::MAX).min(put.content.len());
            put.content[from..from.saturating_add(limit).min(put.content.len())].to_vec()
        };
        Ok(self.blobs.get(digest).map(part))
    }
}

/// The world outside one call.
struct Here {
    world: Arc<World>,
    asset: String,
    place: Place,
    weakness: Option<Weakness>,
}

impl Ambience for Here {
    fn now(&self) -> i64 {
        now()
    }

    fn random(&self, bytes: &mut [u8]) {
        // Nobody has to be unable to guess it, but two calls have to differ.
        let mut seed = (self.now() as u64) ^ (u64::from(self.world.calls.fetch_add(1, Ordering::Relaxed)) << 40);
        for byte in bytes {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (seed >> 33) as u8;
        }
    }

    fn secret(&self, name: &str) -> Option<String> {
        self.world.kept.lock().secrets.get(name).cloned()
    }
}

impl Record for Here {
    fn started(&self) -> Result<(), RecordFault> {
        self.world.kept.lock().recorded.clear();
        Ok(())
    }

    fn answered(&self, _: u32, kind: Kind, request: &[u8], answer: &[u8]) -> Result<(), RecordFault> {
        if self.weakness == Some(Weakness::DiskFull) {
            return Err(RecordFault { reason: "the disk is full".into() });
        }
        let (request, answer) = (request.to_vec(), answer.to_vec());
        self.world.kept.lock().recorded.push(Recorded { kind, request, answer });
        Ok(())
    }
}

impl Company for Here {
    fn people(&self) -> String {
        json!([{"id": ME, "roles": ["contributor"]}]).to_string()
    }

    fn act(&self, grants: &Grants, _: u32, asset: &str, action: &str, input: &str) -> Result<String, Problem> {
        let problem = |code: &str| Problem { code: code.into(), detail: code.into(), pointer: None, data: None };
        if asset == self.asset {
            return Err(problem("too-deep"));
        }
        let other = self.world.kept.lock().assets.get(asset).cloned();
        let other = other.filter(|other| other.place == self.place).ok_or_else(|| problem("no-such-asset"))?;
        let name = &other.interlinker.manifest().name;
        if !grants.allow_asset(name, action) {
            return Err(Problem::not_granted(&format!("to run `{action}` of {name}")));
        }
        let input: Value = serde_json::from_str(input).map_err(|_| problem("invalid-input"))?;
        if other.interlinker.action(action).is_none() {
            return Err(problem("no-such-action"));
        }
        other.interlinker.check_action(action, &input).map_err(|_| problem("invalid-input"))?;
        let entry = Entry::Action { name: action.into(), input };
        match self.world.enter(asset, entry, Vec::new(), Some(&self.asset)) {
            Came::Done(output) => Ok(output.to_string()),
            Came::Refused(code) => Err(problem(&code)),
            Came::Failed(_) | Came::NotTaken(_) => Err(problem("failed")),
        }
    }
}

/// Alarms of an asset that are due.
pub(super) fn due(held: &Held) -> BTreeSet<String> {
    let now = now();
    held.alarms.iter().filter(|(_, (at, _))| *at <= now).map(|(name, _)| name.clone()).collect()
}

/// The time, in microseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

//! Our host in this process, without a server around it.

mod world;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use interlink_host::{Entry, Grants, Host, HostConfig, Limits, Outbound, check_examples, digest};
use interlink_model::asset::{BLOBS_BYTES_MAX, BLOBS_MAX};
use interlink_model::keyvalues::KeyValues;
use parking_lot::Mutex;
use serde_json::{Value, json};

use self::world::{Held, Kept, ME, World, due};
use crate::names::Names;
use crate::subject::{Act, Asked, Came, Need, NotAsked, Place, Subject, Told, Weakness};

/// Our host, with what a server keeps in memory.
pub struct InProcess {
    world: Arc<World>,
    /// The world with the limits of a server, while a case has others.
    usual: Arc<World>,
    outbound: Arc<dyn Outbound>,
    /// What the names stand for that the outbound asks for.
    names: Arc<Names>,
    damaged: bool,
}

impl InProcess {
    /// With what sends its requests, which asks these names first.
    ///
    /// # Errors
    ///
    /// When no host can be made.
    pub fn new(outbound: Arc<dyn Outbound>, names: Arc<Names>) -> Result<Self, String> {
        let world = world(Limits::default(), &outbound)?;
        Ok(Self { usual: Arc::clone(&world), world, outbound, names, damaged: false })
    }

    fn with_asset<T>(&self, asset: &str, does: impl FnOnce(&mut Held) -> T) -> Told<T> {
        let mut kept = self.world.kept.lock();
        kept.assets.get_mut(asset).map(does).ok_or_else(|| format!("there is no asset {asset}"))
    }

    fn held(&self, asset: &str) -> Told<Held> {
        self.with_asset(asset, |held| held.clone())
    }
}

fn world(limits: Limits, outbound: &Arc<dyn Outbound>) -> Told<Arc<World>> {
    let config = HostConfig { threads: 2, cache: None, secret: [0; 32], limits };
    let host = Host::new(config).map_err(|error| error.to_string())?;
    let (kept, outbound) = (Mutex::new(Kept::default()), Arc::clone(outbound));
    Ok(Arc::new(World { host, kept, outbound, calls: AtomicU32::new(0) }))
}

/// Limits of which some are as a case has them.
fn limits(wanted: &[(&'static str, u64)]) -> Result<Limits, NotAsked> {
    let mut limits = Limits::default();
    for (name, value) in wanted {
        let size = *value as usize;
        match *name {
            "fuel" => limits.fuel = *value,
            "deadline_ms" => limits.deadline_ms = *value,
            "host_calls" => limits.host_calls = *value,
            "http_timeout_ms" => limits.http_timeout_ms = *value,
            "http_total_ms" => limits.http_total_ms = *value,
            "waiting_calls" => limits.waiting_calls = size,
            "cpu_ms_per_s" => limits.cpu_ms_per_s = *value as u32,
            "cpu_burst_ms" => limits.cpu_burst_ms = *value as u32,
            "waiting_over_budget" => limits.waiting_over_budget = size,
            "calls_aside" => limits.calls_aside = size,
            "aside_ms" => limits.aside_ms = *value,
            "calls_outside" => limits.calls_outside = size,
            "calls_outside_of_one" => limits.calls_outside_of_one = size,
            other => return Err(NotAsked(format!("its limit `{other}` is not set here"))),
        }
    }
    Ok(limits)
}

impl Subject for InProcess {
    fn name(&self) -> String {
        "our host, in this process".into()
    }

    fn prepare(&mut self, needs: &[Need]) -> Result<(), NotAsked> {
        self.world = Arc::clone(&self.usual);
        self.names.forget();
        let mut weakness = None;
        for need in needs {
            match need {
                Need::Limits(wanted) => self.world = world(limits(wanted)?, &self.outbound).map_err(NotAsked)?,
                Need::Name(name, answers) => {
                    let read =
                        |list: &&[&str]| -> Vec<IpAddr> { list.iter().filter_map(|ip| ip.parse().ok()).collect() };
                    self.names.know(name, answers.iter().map(read).collect());
                }
                Need::Weakness(of) => weakness = Some(*of),
                Need::Outside | Need::Logs | Need::RunAgain | Need::RingAtWill | Need::Room => {}
            }
        }
        self.damaged = weakness == Some(Weakness::RecordDamaged);
        self.world.kept.lock().weakness = weakness;
        Ok(())
    }

    fn me(&mut self) -> Told<String> {
        Ok(ME.into())
    }

    fn publish(&mut self, component: &[u8]) -> Told<Option<String>> {
        let sound = self.world.host.load(component);
        match sound.and_then(|sound| Ok(check_examples(sound.manifest()).map(|()| sound)?)) {
            Ok(interlinker) => {
                let name = interlinker.manifest().name.clone();
                self.world.kept.lock().published.entry(name).or_default().push(interlinker);
                Ok(None)
            }
            Err(error) => Ok(Some(error.slug().into())),
        }
    }

    fn grant(&mut self, interlinker: &str, grants: &Value) -> Told<()> {
        let grants: Grants = serde_json::from_value(grants.clone()).map_err(|error| error.to_string())?;
        self.world.kept.lock().grants.insert(interlinker.into(), grants);
        Ok(())
    }

    fn secret(&mut self, name: &str, value: &str) -> Told<()> {
        self.world.kept.lock().secrets.insert(name.into(), value.into());
        Ok(())
    }

    fn settings(&mut self, interlinker: &str, settings: &Value) -> Told<Came> {
        let mut kept = self.world.kept.lock();
        let latest = kept.published.get(interlinker).and_then(|versions| versions.last()).ok_or("it is not there")?;
        if !settings.is_object() || latest.check_settings(settings).is_err() {
            return Ok(Came::NotTaken("invalid-input".into()));
        }
        kept.settings.insert(interlinker.into(), settings.clone());
        Ok(Came::Done(settings.clone()))
    }

    fn make(&mut self, interlinker: &str, place: Place, input: &Value) -> Told<(String, Came)> {
        let (id, held) = {
            let kept = self.world.kept.lock();
            let first = kept.published.get(interlinker).and_then(|versions| versions.first());
            let interlinker = Arc::clone(first.ok_or("there is no such Interlinker")?);
            let (id, blobs) = (format!("asset-{}", kept.assets.len() + 1), BTreeMap::new());
            let (state, alarms, noted) = (KeyValues::default(), BTreeMap::new(), Vec::new());
            (id, Held { interlinker, place, state, version: 0, outcome: None, alarms, blobs, noted })
        };
        if held.interlinker.check_instantiate(input).is_err() {
            return Ok((id, Came::NotTaken("invalid-input".into())));
        }
        let entry = Entry::Instantiate { input: input.clone() };
        let called = self.world.called(&id, &held, entry.clone(), Vec::new(), None);
        if called.result.is_ok() {
            self.world.kept.lock().assets.insert(id.clone(), held);
        }
        let came = self.world.take_in(&id, &entry, called);
        Ok((id, came))
    }

    fn act(&mut self, act: &Act) -> Told<Came> {
        acted(&self.world, act, false)
    }

    fn at_once(&mut self, asked: &[Asked]) -> Told<Vec<Came>> {
        let world = &self.world;
        let ask = |asked: &Asked| match asked {
            Asked::Act(act) => acted(world, act, false),
            Asked::View(asset) => Ok(world.enter(asset, Entry::View { query: json!({}) }, Vec::new(), None)),
        };
        std::thread::scope(|scope| {
            let asked: Vec<_> = asked.iter().map(|asked| scope.spawn(|| ask(asked))).collect();
            asked.into_iter().map(|asked| asked.join().map_err(|_| "a call panicked".to_owned())?).collect()
        })
    }

    fn view(&mut self, asset: &str, query: &Value) -> Told<Came> {
        self.held(asset)?;
        Ok(self.world.enter(asset, Entry::View { query: query.clone() }, Vec::new(), None))
    }

    fn asset(&mut self, asset: &str) -> Told<Value> {
        let held = self.held(asset)?;
        let mut shown = json!({ "state_version": held.version });
        if let Some(outcome) = held.outcome {
            shown["outcome"] = outcome;
        }
        if !held.alarms.is_empty() {
            shown["alarms"] = held.alarms.iter().map(|(name, (at, _))| json!({"name": name, "at": at})).collect();
        }
        if !held.blobs.is_empty() {
            let bytes: usize = held.blobs.values().map(|put| put.content.len()).sum();
            shown["blobs"] = json!({"count": held.blobs.len(), "size_bytes": bytes});
        }
        Ok(shown)
    }

    fn put_blob(&mut self, asset: &str, media_type: &str, content: &[u8]) -> Told<Came> {
        let put = interlink_host::Put { media_type: media_type.into(), content: content.to_vec() };
        let digest = digest(content);
        self.with_asset(asset, |held| {
            let kept: usize = held.blobs.values().map(|put| put.content.len()).sum();
            let is_full = held.blobs.len() >= BLOBS_MAX || (kept + content.len()) as u64 > BLOBS_BYTES_MAX;
            if is_full && !held.blobs.contains_key(&digest) {
                return Came::NotTaken("too-many-blobs".into());
            }
            held.blobs.insert(digest.clone(), put);
            Came::Done(json!(digest))
        })
    }

    fn upgrade(&mut self, asset: &str, version: &str) -> Told<Came> {
        let mut held = self.held(asset)?;
        let manifest = held.interlinker.manifest().clone();
        let found = {
            let kept = self.world.kept.lock();
            let mut versions = kept.published.get(&manifest.name).into_iter().flatten();
            versions.rfind(|other| other.manifest().version.to_string() == version).cloned()
        };
        held.interlinker = found.ok_or("there is no such version")?;
        let entry = Entry::Migrate { version: manifest.version.to_string() };
        let came = match held.interlinker.migrates() {
            true => {
                let called = self.world.called(asset, &held, entry.clone(), Vec::new(), None);
                self.world.take_in(asset, &entry, called)
            }
            false => Came::Done(Value::Null),
        };
        if matches!(came, Came::Done(_)) {
            self.with_asset(asset, |kept| kept.interlinker = held.interlinker)?;
        }
        Ok(came)
    }

    fn ring(&mut self, asset: &str) -> Told<()> {
        for name in due(&self.held(asset)?) {
            let (_, input) = self.held(asset)?.alarms.remove(&name).unwrap_or_default();
            // What comes of it is seen in the asset.
            self.world.enter(asset, Entry::Ring { name, input }, Vec::new(), None);
        }
        Ok(())
    }

    fn messages(&mut self) -> Told<Vec<String>> {
        Ok(self.world.kept.lock().messages.clone())
    }

    fn noted(&mut self, asset: &str) -> Told<Vec<(String, i64)>> {
        Ok(self.held(asset)?.noted)
    }

    fn run_again(&mut self, act: &Act) -> Told<Came> {
        if self.damaged {
            self.world.kept.lock().recorded.iter_mut().for_each(|recorded| recorded.answer = b"\xff".to_vec());
        }
        acted(&self.world, act, true)
    }

    fn ring_at_will(&mut self, asset: &str, alarm: &str) -> Told<Came> {
        let entry = Entry::Ring { name: alarm.into(), input: json!(null) };
        Ok(self.world.enter(asset, entry, Vec::new(), None))
    }

    fn logs(&mut self) -> Told<Vec<(String, String)>> {
        Ok(self.world.kept.lock().logs.clone())
    }
}

/// Runs an action that is there and whose input fits; fed with the last record, or not.
fn acted(world: &Arc<World>, act: &Act, again: bool) -> Told<Came> {
    let Act { asset, action, input } = act;
    let (held, recorded) = {
        let kept = world.kept.lock();
        let held = kept.assets.get(asset).cloned().ok_or_else(|| format!("there is no asset {asset}"))?;
        (held, if again { kept.recorded.clone() } else { Vec::new() })
    };
    if held.interlinker.action(action).is_none() {
        return Ok(Came::NotTaken("no-such-action".into()));
    }
    if held.interlinker.check_action(action, input).is_err() {
        return Ok(Came::NotTaken("invalid-input".into()));
    }
    let entry = Entry::Action { name: action.clone(), input: input.clone() };
    Ok(world.enter(asset, entry, recorded, None))
}

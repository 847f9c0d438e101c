//! What processes are made of: schemas, Interlinkers, problem profiles. Small, so all of it is in memory, read from its
//! streams at the start.

mod interlinkers;
mod settings;
mod trust;
mod withdrawal;

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use interlink_host::{Grants, Interlinker};
use interlink_journal::{Position, ReadError, Record, RecordKind, Stream, sync_directory};
use interlink_model::event::{Actor, Stamp, decode};
use interlink_model::facts::*;
use interlink_model::id::{Micros, StreamKind, named};
use interlink_model::process::Plan;
use interlink_model::schema::authoring::{self, Parsed, Syntax};
use interlink_model::schema::{Text, bundle};
use interlink_model::service::Service;
use parking_lot::RwLock;
use serde_json::Value;

use crate::core::{Core, settled};
use crate::draft::{AnyEvent, Written, stream};
use crate::error::{Outcome, Trouble};
use crate::mended::whole;
use crate::usage::held::Quota;

pub use self::interlinkers::{CatalogueEntry, InterlinkerVersion};
pub(crate) use self::settings::nothing;
pub use self::settings::{SETTINGS_BYTES_MAX, Settings};
pub use self::trust::{Period, SignatureError, Trust, TrustedKey, Vouched};
pub use self::withdrawal::Withdrawal;
pub use interlink_model::facts::Withdrawn;

/// A schema in one version.
#[derive(Debug, Clone)]
pub struct SchemaVersion {
    /// The schema, numbered.
    pub plan: Arc<Plan>,
    /// How it was written.
    pub source: SchemaSource,
    /// When it was imported.
    pub at: Micros,
    /// By whom.
    pub actor: Actor,
}

/// That calls of an Interlinker are stopped.
#[derive(Debug, Clone)]
pub struct Pause {
    /// Since when.
    pub at: Micros,
    /// By whom.
    pub actor: Actor,
    /// Why.
    pub reason: Option<String>,
}

/// A named kind of problem.
#[derive(Debug, Clone)]
pub struct ProblemProfile {
    /// Its id.
    pub id: String,
    /// Name for people.
    pub name: Text,
    /// What the problem is.
    pub description: Text,
}

/// What was made, or was there already.
#[derive(Debug, Clone)]
pub struct Made<T> {
    /// The thing.
    pub thing: T,
    /// Whether it is new.
    pub new: bool,
}

/// Everything of the catalogue.
pub(crate) struct Catalogue {
    schemas: RwLock<BTreeMap<String, Vec<SchemaVersion>>>,
    plans: RwLock<HashMap<String, Arc<Plan>>>,
    interlinkers: RwLock<BTreeMap<String, Vec<InterlinkerVersion>>>,
    loaded: RwLock<HashMap<String, Arc<Interlinker>>>,
    profiles: RwLock<BTreeMap<String, ProblemProfile>>,
    services: RwLock<BTreeMap<String, Arc<Service>>>,
    pauses: RwLock<BTreeMap<String, Pause>>,
    grants: RwLock<BTreeMap<String, Grants>>,
    settings: RwLock<BTreeMap<String, Settings>>,
    quotas: RwLock<BTreeMap<String, Quota>>,
    secrets: RwLock<BTreeMap<String, String>>,
    trust: RwLock<Trust>,
    making: tokio::sync::Mutex<()>,
    components: PathBuf,
    /// Second copies of schemas, by digest: hundreds of processes stand on one record of the journal, and damage to it
    /// must not cost them.
    copies: PathBuf,
}

/// Orders versions: highest precedence last, then the latest import.
fn is_newer(version: &semver::Version, than: &semver::Version) -> bool {
    version.cmp_precedence(than).is_ge()
}

impl Catalogue {
    pub fn new(data: &Path) -> std::io::Result<Self> {
        let (components, copies) = (data.join("components"), data.join("schemas"));
        std::fs::create_dir_all(&components)?;
        std::fs::create_dir_all(&copies)?;
        Ok(Self {
            schemas: RwLock::default(),
            plans: RwLock::default(),
            interlinkers: RwLock::default(),
            loaded: RwLock::default(),
            profiles: RwLock::default(),
            services: RwLock::default(),
            pauses: RwLock::default(),
            grants: RwLock::default(),
            settings: RwLock::default(),
            quotas: RwLock::default(),
            secrets: RwLock::default(),
            trust: RwLock::default(),
            making: tokio::sync::Mutex::default(),
            components,
            copies,
        })
    }

    /// Takes in an event of the catalogue that is durable. Others are not its business.
    pub fn apply(&self, event: &AnyEvent, stamp: &Stamp) -> Result<(), String> {
        match event {
            AnyEvent::Schema(SchemaEvent::SchemaImported(imported)) => {
                let plan = plan_of(imported)?;
                self.plans.write().insert(imported.schema.digest.clone(), Arc::clone(&plan));
                let version = SchemaVersion { plan, source: imported.source, at: stamp.at, actor: stamp.actor };
                self.schemas.write().entry(imported.schema.name.clone()).or_default().push(version);
            }
            AnyEvent::Interlinker(event) => self.apply_to_interlinker(event, stamp)?,
            AnyEvent::Trust(event) => self.apply_to_trust(event, stamp)?,
            AnyEvent::ProblemProfile(ProblemProfileEvent::ProblemProfileDescribed(described)) => {
                let ProblemProfileDescribed { id, name, description } = described.clone();
                self.profiles.write().insert(id.clone(), ProblemProfile { id, name, description });
            }
            AnyEvent::Secret(SecretEvent::SecretSet(set)) => {
                if let Some(value) = set.value.opened() {
                    self.secrets.write().insert(set.name.clone(), value.clone());
                }
            }
            AnyEvent::Secret(SecretEvent::SecretRemoved(removed)) => {
                self.secrets.write().remove(&removed.name);
            }
            AnyEvent::Service(event) => {
                let name = service_of(event);
                let mut services = self.services.write();
                let before = services.get(name).map(|before| (**before).clone());
                let next = Service::step(before, event, stamp);
                let next = next.ok_or_else(|| format!("service `{name}` was never provisioned"))?;
                services.insert(name.into(), Arc::new(next));
            }
            _ => {}
        }
        Ok(())
    }

    /// What an operator has set for an Interlinker: a JSON object.
    pub fn settings_value(&self, name: &str) -> serde_json::Value {
        self.settings(name).map_or_else(nothing, |settings| settings.value)
    }

    /// All services.
    pub fn services(&self) -> Vec<Arc<Service>> {
        self.services.read().values().cloned().collect()
    }

    /// A service.
    pub fn service(&self, name: &str) -> Option<Arc<Service>> {
        self.services.read().get(name).cloned()
    }

    /// Reads every stream of the catalogue.
    /// Answers with what is damaged; a reading that fails ends it.
    pub fn read(&self, core: &Core) -> Result<Vec<String>, ReadError> {
        let mut troubles = Vec::new();
        let kinds = [
            StreamKind::Schema,
            StreamKind::Interlinker,
            StreamKind::ProblemProfile,
            StreamKind::Service,
            StreamKind::Secret,
            StreamKind::Trust,
        ];
        for kind in kinds {
            for found in core.journal.streams(kind as u8, None, usize::MAX)? {
                let taken_in = match core.journal.read_stream(&found, 0, Position::MAX) {
                    Err(error @ ReadError::Io { .. }) => return Err(error),
                    Err(error) => Err(error.to_string()),
                    Ok(records) => self.take_in(core, &found, records),
                };
                if let Err(trouble) = taken_in {
                    if kind == StreamKind::Trust {
                        self.distrust();
                    }
                    troubles.push(format!("{found}: {trouble}"));
                }
            }
        }
        if !troubles.is_empty() {
            self.read_copies();
        }
        Ok(troubles)
    }

    /// Reads the copies of schemas whose record could not be read: their processes go on. The schemas are not listed,
    /// because their streams take nothing any more.
    fn read_copies(&self) {
        for entry in std::fs::read_dir(&self.copies).into_iter().flatten().flatten() {
            let read = std::fs::read(entry.path()).ok();
            let imported = read.and_then(|bytes| serde_json::from_slice::<SchemaImported>(&bytes).ok());
            let Some(imported) = imported.filter(|imported| self.plan(&imported.schema.digest).is_none()) else {
                continue;
            };
            match plan_of(&imported) {
                Ok(plan) => {
                    tracing::warn!(schema = imported.schema.name, "its processes go on from the copy in schemas/");
                    self.plans.write().insert(imported.schema.digest, plan);
                }
                Err(trouble) => tracing::error!(schema = imported.schema.name, trouble, "its copy is damaged, too"),
            }
        }
    }

    fn take_in(&self, core: &Core, found: &Stream, records: Vec<Record>) -> Result<(), String> {
        for record in records {
            let decoded = AnyEvent::decode(found, &record.body).map_err(|error| error.to_string())?;
            if let Some((mut event, stamp)) = decoded {
                if let Ok(key) = core.keys.key(record.key) {
                    event.open(found, &key);
                }
                self.apply(&event, &stamp)?;
            }
        }
        Ok(())
    }

    /// The plan of a digest.
    pub fn plan(&self, digest: &str) -> Option<Arc<Plan>> {
        self.plans.read().get(digest).cloned()
    }

    /// All schemas, each in its newest version, in order of their names.
    pub fn schemas(&self) -> Vec<SchemaVersion> {
        self.schemas.read().values().filter_map(|versions| newest_schema(versions).cloned()).collect()
    }

    /// All versions of a schema, in the order of their import.
    pub fn schema_versions(&self, name: &str) -> Vec<SchemaVersion> {
        self.schemas.read().get(name).cloned().unwrap_or_default()
    }

    /// The schema of `name` (its newest version) or `name@version`.
    pub fn schema(&self, wanted: &str) -> Option<SchemaVersion> {
        let (name, version) = split(wanted);
        let schemas = self.schemas.read();
        let versions = schemas.get(name)?;
        match version {
            Some(version) => {
                versions.iter().rev().find(|found| found.plan.schema.version.to_string() == version).cloned()
            }
            None => newest_schema(versions).cloned(),
        }
    }

    /// All problem profiles.
    pub fn profiles(&self) -> Vec<ProblemProfile> {
        self.profiles.read().values().cloned().collect()
    }

    /// Imports a schema. The same content again is the one that is there.
    pub async fn import(
        self: &Arc<Self>,
        core: &Core,
        parsed: Parsed,
        source: SchemaSource,
        actor: Actor,
        settle: impl FnOnce(&SchemaVersion) -> Option<interlink_journal::NewRecord>,
    ) -> Outcome<Made<SchemaVersion>> {
        let _making = self.making.lock().await;
        let Parsed { schema, document, .. } = parsed;
        let wanted = format!("{}@{}", schema.name, schema.version);
        if let Some(found) = self.schema(&wanted) {
            if found.plan.schema.digest == schema.digest {
                return Ok(Made { thing: found, new: false });
            }
            let found = found.plan.schema.digest.clone();
            return Err(Trouble::Taken { what: "schema", id: wanted, found });
        }
        let plan = Arc::new(Plan::new(schema));
        let stamp = core.stamp(core.now(), actor);
        let version = SchemaVersion { plan: Arc::clone(&plan), source, at: stamp.at, actor };
        let answer = settle(&version);
        let document = document.to_string();
        let imported = SchemaImported { schema: plan.reference(), source, document };
        let copy = serde_json::to_vec(&imported).expect("words and texts encode");
        let path = self.copies.join(format!("{}.json", imported.schema.digest.trim_start_matches("sha256:")));
        write_durably(&path, &copy).map_err(|error| Trouble::Unknown(format!("writing the schema's copy: {error}")))?;
        let at = stream(StreamKind::Schema, named(StreamKind::Schema, &plan.schema.name));
        self.write(core, at, stamp, AnyEvent::Schema(imported.into()), answer).await?;
        Ok(Made { thing: version, new: true })
    }

    /// Describes a problem profile, or describes it anew.
    pub async fn describe_profile(
        self: &Arc<Self>,
        core: &Core,
        profile: ProblemProfile,
        actor: Actor,
        answer: Option<interlink_journal::NewRecord>,
    ) -> Outcome<Made<ProblemProfile>> {
        let _making = self.making.lock().await;
        let new = !self.profiles.read().contains_key(&profile.id);
        let ProblemProfile { id, name, description } = profile.clone();
        let at = stream(StreamKind::ProblemProfile, named(StreamKind::ProblemProfile, &id));
        let described = ProblemProfileDescribed { id, name, description };
        let stamp = core.stamp(core.now(), actor);
        self.write(core, at, stamp, AnyEvent::ProblemProfile(described.into()), answer).await?;
        Ok(Made { thing: profile, new })
    }

    /// Whether calls of an Interlinker are stopped, and since when.
    pub fn pause(&self, name: &str) -> Option<Pause> {
        self.pauses.read().get(name).cloned()
    }

    /// Refuses what would call an Interlinker that is paused.
    pub fn not_paused(&self, name: &str) -> Outcome<()> {
        match self.pause(name) {
            Some(pause) => Err(Trouble::Paused { name: name.into(), pause }),
            None => Ok(()),
        }
    }

    /// What is called anew is neither revoked nor paused. A version that was revoked is still looked at.
    pub fn may_be_called(&self, interlinker: &InterlinkerRef) -> Outcome<()> {
        self.not_revoked(interlinker)?;
        self.not_paused(&interlinker.name)
    }

    /// Stops calls of an Interlinker, or lets them be made again. What is so already stays so. The reason is sealed under
    /// the key of whoever gives it.
    pub async fn set_paused(
        self: &Arc<Self>,
        core: &Core,
        caller: &crate::people::Caller,
        name: &str,
        paused: bool,
        reason: Option<String>,
        answer: Option<interlink_journal::NewRecord>,
    ) -> Outcome<()> {
        let _making = self.making.lock().await;
        if self.interlinker(name).is_none() {
            return Err(Trouble::NotFound { what: "Interlinker", id: name.into() });
        }
        let at = stream(StreamKind::Interlinker, named(StreamKind::Interlinker, name));
        let (name, reason) = (name.to_owned(), reason.map(interlink_model::sealed::Sealed::Open));
        let event: InterlinkerEvent = match paused {
            true => InterlinkerPaused { name, reason }.into(),
            false => InterlinkerResumed { name, reason }.into(),
        };
        let stamp = core.stamp(core.now(), caller.actor());
        self.write_sealed(core, at, stamp, AnyEvent::Interlinker(event), Some(&caller.key), answer).await
    }

    /// What an Interlinker may ask the world outside for.
    pub fn grants(&self, name: &str) -> Grants {
        self.grants.read().get(name).cloned().unwrap_or_default()
    }

    /// Grants an Interlinker what it may ask for, in place of what it was granted before.
    pub async fn grant(
        self: &Arc<Self>,
        core: &Core,
        actor: Actor,
        name: &str,
        grants: &Grants,
        answer: Option<interlink_journal::NewRecord>,
    ) -> Outcome<()> {
        let _making = self.making.lock().await;
        if self.interlinker(name).is_none() {
            return Err(Trouble::NotFound { what: "Interlinker", id: name.into() });
        }
        let at = stream(StreamKind::Interlinker, named(StreamKind::Interlinker, name));
        let grants = serde_json::to_string(grants).expect("grants encode");
        let event: InterlinkerEvent = InterlinkerGranted { name: name.into(), grants }.into();
        let stamp = core.stamp(core.now(), actor);
        self.write(core, at, stamp, AnyEvent::Interlinker(event), answer).await
    }

    /// Names of the secrets that are set.
    pub fn secret_names(&self) -> std::collections::BTreeSet<String> {
        self.secrets.read().keys().cloned().collect()
    }

    /// Holds everything that is written of the catalogue up, for whoever writes of it in an append of their own.
    pub async fn hold(&self) -> impl Sized + '_ {
        self.making.lock().await
    }

    /// How much the assets of an Interlinker may be and hold together.
    pub fn quota(&self, name: &str) -> Quota {
        self.quotas.read().get(name).copied().unwrap_or(Quota::OF_INTERLINKER)
    }

    /// Decides how much that may be, in place of what was decided before.
    pub async fn set_quota(
        self: &Arc<Self>,
        core: &Core,
        actor: Actor,
        name: &str,
        (assets, state_bytes): (Option<u64>, Option<u64>),
        answer: Option<interlink_journal::NewRecord>,
    ) -> Outcome<()> {
        let _making = self.making.lock().await;
        if self.interlinker(name).is_none() {
            return Err(Trouble::NotFound { what: "Interlinker", id: name.into() });
        }
        let at = stream(StreamKind::Interlinker, named(StreamKind::Interlinker, name));
        let event: InterlinkerEvent = InterlinkerQuotaSet { name: name.into(), assets, state_bytes }.into();
        let stamp = core.stamp(core.now(), actor);
        self.write(core, at, stamp, AnyEvent::Interlinker(event), answer).await
    }

    /// A secret.
    pub fn secret(&self, name: &str) -> Option<String> {
        self.secrets.read().get(name).cloned()
    }

    /// Sets a secret, sealed under a key of its own, or removes it.
    pub async fn set_secret(
        self: &Arc<Self>,
        core: &Core,
        actor: Actor,
        name: &str,
        value: Option<String>,
        answer: Option<interlink_journal::NewRecord>,
    ) -> Outcome<()> {
        let _making = self.making.lock().await;
        if value.is_none() && !self.secrets.read().contains_key(name) {
            return Err(Trouble::NotFound { what: "secret", id: name.into() });
        }
        let at = stream(StreamKind::Secret, named(StreamKind::Secret, name));
        let key = core.keys.draw().map_err(|error| Trouble::Unknown(error.to_string()))?;
        let name = name.to_owned();
        let event: SecretEvent = match value {
            Some(value) => SecretSet { name, value: interlink_model::sealed::Sealed::Open(value) }.into(),
            None => SecretRemoved { name }.into(),
        };
        let stamp = core.stamp(core.now(), actor);
        self.write_sealed(core, at, stamp, AnyEvent::Secret(event), Some(&key), answer).await
    }

    async fn write(
        self: &Arc<Self>,
        core: &Core,
        at: Stream,
        stamp: Stamp,
        event: AnyEvent,
        answer: Option<interlink_journal::NewRecord>,
    ) -> Outcome<()> {
        self.write_sealed(core, at, stamp, event, None, answer).await
    }

    async fn write_sealed(
        self: &Arc<Self>,
        core: &Core,
        at: Stream,
        stamp: Stamp,
        event: AnyEvent,
        key: Option<&crate::keys::SealingKey>,
        answer: Option<interlink_journal::NewRecord>,
    ) -> Outcome<()> {
        let version = core.next_version(&at)?;
        let fact = Written { stream: at, version, process: None, key: key.map_or(0, |key| key.number), stamp, event };
        let mut written = fact.clone();
        if let Some(key) = key {
            written.event.close(&*core.ambient, &at, key);
        }
        let catalogue = Arc::clone(self);
        let fate = core.commit(std::slice::from_ref(&written), answer, move |first| {
            if first.is_some()
                && let Err(error) = catalogue.apply(&fact.event, &fact.stamp)
            {
                tracing::error!(%error, "an event of the catalogue cannot be read back");
            }
        });
        settled(fate).await?;
        Ok(())
    }
}

/// The service to which an event belongs.
fn service_of(event: &ServiceEvent) -> &str {
    match event {
        ServiceEvent::ServiceProvisioned(event) => &event.name,
        ServiceEvent::ServiceActivated(event) => &event.name,
        ServiceEvent::ServicePaused(event) => &event.name,
        ServiceEvent::ServiceRetired(event) => &event.name,
    }
}

fn split(wanted: &str) -> (&str, Option<&str>) {
    match wanted.split_once('@') {
        Some((name, version)) => (name, Some(version)),
        None => (wanted, None),
    }
}

fn newest_schema(versions: &[SchemaVersion]) -> Option<&SchemaVersion> {
    versions.iter().reduce(
        |newest, next| {
            if is_newer(&next.plan.schema.version, &newest.plan.schema.version) { next } else { newest }
        },
    )
}

/// The plan of a schema that was imported: its document is parsed again.
fn plan_of(imported: &SchemaImported) -> Result<Arc<Plan>, String> {
    let parsed = match imported.source {
        SchemaSource::Authored => authoring::parse(imported.document.as_bytes(), Syntax::Json),
        SchemaSource::Bundle => {
            let document: Value = serde_json::from_str(&imported.document).map_err(|error| error.to_string())?;
            let files = document.get("files").and_then(Value::as_object).ok_or("a bundle without files")?;
            let files = files.iter().map(|(path, file)| (path.clone(), file.to_string().into_bytes())).collect();
            bundle::import(&files)
        }
    };
    let parsed = parsed.map_err(|refusal| refusal.to_string())?;
    if parsed.schema.digest != imported.schema.digest {
        return Err(format!("{} has digest {} now", imported.schema.digest, parsed.schema.digest));
    }
    Ok(Arc::new(Plan::new(parsed.schema)))
}

/// Writes a file named by its content; durable on return.
fn write_durably(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let making = path.with_extension("new");
    let mut file = File::create(&making)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&making, path)?;
    sync_directory(path.parent().unwrap_or(Path::new(".")))
}

/// Reads the events of one family from a stream.
pub(crate) fn events_of<E: interlink_model::event::Event>(
    core: &Core,
    at: &Stream,
    what: &'static str,
    id: &dyn std::fmt::Display,
) -> Outcome<Vec<(E, Stamp, Position, u64)>> {
    let damaged = || Trouble::Damaged { what, id: id.to_string() };
    let records = whole(core, at, what, id)?;
    records
        .iter()
        .filter(|record| record.kind != RecordKind::Repaired)
        .map(|record| decode::<E>(&record.body).map(|(event, stamp)| (event, stamp, record.position, record.key)))
        .collect::<Result<_, _>>()
        .map_err(|_| damaged())
}

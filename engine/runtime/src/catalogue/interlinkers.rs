//! Interlinkers of the catalogue: published, described, found by name, loaded.

use std::path::PathBuf;
use std::sync::Arc;

use interlink_host::{Interlinker, check_examples};
use interlink_journal::NewRecord;
use interlink_model::event::{Actor, Stamp};
use interlink_model::facts::*;
use interlink_model::id::{Micros, StreamKind, named};
use interlink_model::manifest::Manifest;
use interlink_model::signature::Signature;
use serde_json::Value;

use super::trust::TrustedKey;
use super::withdrawal::Withdrawal;
use super::{Catalogue, Made, Pause, is_newer, split, write_durably};
use crate::core::Core;
use crate::draft::{AnyEvent, stream};
use crate::error::{Outcome, Trouble};
use crate::usage::held::Quota;

/// A version of an entry of the catalogue.
#[derive(Debug, Clone)]
pub struct InterlinkerVersion {
    /// Name, version, digest.
    pub reference: InterlinkerRef,
    /// What it is.
    pub entry: CatalogueEntry,
    /// When it was published.
    pub at: Micros,
    /// By whom.
    pub actor: Actor,
    /// Who vouches for it.
    pub signature: Option<ComponentSignature>,
    /// The key that made the signature, where it was trusted: its owner may have been erased since, and itself removed.
    pub signer: Option<TrustedKey>,
    /// That an operator advised against it since, or took it back.
    pub withdrawal: Option<Withdrawal>,
}

impl InterlinkerVersion {
    /// A version as it is published.
    fn new(reference: InterlinkerRef, entry: CatalogueEntry, stamp: &Stamp) -> Self {
        Self { reference, entry, at: stamp.at, actor: stamp.actor, signature: None, signer: None, withdrawal: None }
    }

    /// Names of the problems that it addresses.
    pub fn problem_profiles(&self) -> Vec<String> {
        match &self.entry {
            CatalogueEntry::Software(manifest) => manifest.problem_profiles.clone(),
            CatalogueEntry::Described(entry) => entry
                .get("problem_profiles")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect(),
        }
    }

    /// Whether an operator advised against it, or took it back.
    pub fn withdrawn(&self) -> Option<Withdrawn> {
        self.withdrawal.as_ref().map(|withdrawal| withdrawal.how)
    }
}

/// What an entry of the catalogue is.
#[derive(Debug, Clone)]
pub enum CatalogueEntry {
    /// A component that runs here.
    Software(Arc<Manifest>),
    /// A description of something that does not: knowledge, or a link.
    Described(Arc<Value>),
}

impl Catalogue {
    /// Takes in what happened to an entry of the catalogue.
    pub(super) fn apply_to_interlinker(&self, event: &InterlinkerEvent, stamp: &Stamp) -> Result<(), String> {
        match event {
            InterlinkerEvent::InterlinkerPaused(paused) => {
                let reason = paused.reason.as_ref().and_then(|reason| reason.opened().cloned());
                let pause = Pause { at: stamp.at, actor: stamp.actor, reason };
                self.pauses.write().insert(paused.name.clone(), pause);
            }
            InterlinkerEvent::InterlinkerResumed(resumed) => {
                self.pauses.write().remove(&resumed.name);
            }
            InterlinkerEvent::InterlinkerGranted(granted) => {
                let grants = serde_json::from_str(&granted.grants).map_err(|error| error.to_string())?;
                self.grants.write().insert(granted.name.clone(), grants);
            }
            InterlinkerEvent::InterlinkerConfigured(configured) => self.apply_settings(configured, stamp),
            InterlinkerEvent::InterlinkerQuotaSet(set) => {
                let all = Quota::OF_INTERLINKER;
                let (assets, state_bytes) =
                    (set.assets.unwrap_or(all.assets), set.state_bytes.unwrap_or(all.state_bytes));
                self.quotas.write().insert(set.name.clone(), Quota { assets, state_bytes });
            }
            InterlinkerEvent::InterlinkerDeprecated(InterlinkerDeprecated { interlinker, reason }) => {
                let withdrawal = Withdrawal::new(Withdrawn::Deprecated, reason, stamp);
                self.change(interlinker, |version| version.withdrawal = Some(withdrawal))?;
            }
            InterlinkerEvent::InterlinkerRevoked(InterlinkerRevoked { interlinker, reason }) => {
                let withdrawal = Withdrawal::new(Withdrawn::Revoked, reason, stamp);
                self.change(interlinker, |version| version.withdrawal = Some(withdrawal))?;
            }
            InterlinkerEvent::InterlinkerPublished(published) => {
                let manifest = serde_json::from_str(&published.manifest).map_err(|error| error.to_string())?;
                let entry = CatalogueEntry::Software(Arc::new(manifest));
                let version = InterlinkerVersion::new(published.interlinker.clone(), entry, stamp);
                self.add(InterlinkerVersion { signature: published.signature.clone(), ..version });
            }
            InterlinkerEvent::InterlinkerSigned(signed) => {
                self.change(&signed.interlinker, |version| version.signature = Some(signed.signature.clone()))?;
            }
            InterlinkerEvent::InterlinkerDescribed(described) => {
                let entry = serde_json::from_str(&described.entry).map_err(|error| error.to_string())?;
                let entry = CatalogueEntry::Described(Arc::new(entry));
                self.add(InterlinkerVersion::new(described.interlinker.clone(), entry, stamp));
            }
        }
        Ok(())
    }

    fn add(&self, version: InterlinkerVersion) {
        self.interlinkers.write().entry(version.reference.name.clone()).or_default().push(version);
    }

    /// Changes what is known of a version.
    fn change(&self, of: &InterlinkerRef, how: impl FnOnce(&mut InterlinkerVersion)) -> Result<(), String> {
        let mut interlinkers = self.interlinkers.write();
        let found = interlinkers.get_mut(&of.name).and_then(|all| all.iter_mut().find(|one| one.reference == *of));
        how(found.ok_or_else(|| format!("{}@{} was never published", of.name, of.version))?);
        Ok(())
    }

    /// A version, with whose signature it has.
    fn with_signer(&self, version: &InterlinkerVersion) -> InterlinkerVersion {
        let trusted = version.signature.as_ref().filter(|signature| signature.trusted);
        let made = trusted.and_then(|trusted| Signature::parse(&trusted.signature).ok());
        let signer = made.and_then(|made| self.trusted_key(&made.key));
        InterlinkerVersion { signer, ..version.clone() }
    }

    /// All Interlinkers, each in the version that its bare name means, in order of their names.
    pub fn interlinkers(&self) -> Vec<InterlinkerVersion> {
        self.interlinkers
            .read()
            .values()
            .filter_map(|versions| preferred(versions))
            .map(|version| self.with_signer(version))
            .collect()
    }

    /// All versions of an Interlinker, in the order of their publication.
    pub fn interlinker_versions(&self, name: &str) -> Vec<InterlinkerVersion> {
        let interlinkers = self.interlinkers.read();
        interlinkers.get(name).into_iter().flatten().map(|version| self.with_signer(version)).collect()
    }

    /// The Interlinker of `name@version`, or of `name`: its newest version that is neither deprecated nor revoked; where
    /// there is none, its newest that is deprecated; where all are revoked, the newest of them, which cannot be used and
    /// says why.
    pub fn interlinker(&self, wanted: &str) -> Option<InterlinkerVersion> {
        let (name, version) = split(wanted);
        let interlinkers = self.interlinkers.read();
        let versions = interlinkers.get(name)?;
        let found = match version {
            Some(version) => versions.iter().rev().find(|found| found.reference.version == version),
            None => preferred(versions),
        };
        found.map(|found| self.with_signer(found))
    }

    /// Publishes a component. The same content again is the one that is there; a signature that is trusted more than the one
    /// that it has is added to it. What ships with the server needs none: whoever starts it vouches for it.
    pub async fn publish(
        self: &Arc<Self>,
        core: &Core,
        bytes: &[u8],
        signature: Option<&Signature>,
        actor: Actor,
        settle: impl FnOnce(&InterlinkerVersion) -> Option<NewRecord>,
    ) -> Outcome<Made<InterlinkerVersion>> {
        let inspected = core.host.inspect(bytes).map_err(Trouble::Component)?;
        let _making = self.making.lock().await;
        let reference = InterlinkerRef {
            name: inspected.manifest.name.clone(),
            version: inspected.manifest.version.to_string(),
            digest: inspected.digest.clone(),
        };
        let stamp = core.stamp(core.now(), actor);
        let signature = match (actor, signature) {
            (Actor::System, None) => None,
            (_, signature) => {
                self.trust().believed(&reference.digest, signature, stamp.at).map_err(Trouble::Signature)?
            }
        };
        if let Some(found) = self.same_as(&reference)? {
            return self.sign_again(core, found, signature, stamp, settle).await;
        }
        check_examples(&inspected.manifest).map_err(|error| Trouble::Component(error.into()))?;
        let path = self.component_path(&reference.digest);
        write_durably(&path, bytes).map_err(|error| Trouble::Unknown(format!("writing the component: {error}")))?;
        let manifest = serde_json::to_string(&inspected.manifest).expect("a manifest encodes");
        let entry = CatalogueEntry::Software(Arc::new(inspected.manifest));
        let version = InterlinkerVersion::new(reference.clone(), entry, &stamp);
        let version = self.with_signer(&InterlinkerVersion { signature: signature.clone(), ..version });
        let answer = settle(&version);
        let at = stream(StreamKind::Interlinker, named(StreamKind::Interlinker, &reference.name));
        let size_bytes = bytes.len() as u64;
        let published = InterlinkerPublished { interlinker: reference, manifest, size_bytes, signature };
        self.write(core, at, stamp, AnyEvent::Interlinker(published.into()), answer).await?;
        Ok(Made { thing: version, new: true })
    }

    /// Adds a signature to a version, where it is trusted more than the one that it has.
    async fn sign_again(
        self: &Arc<Self>,
        core: &Core,
        found: InterlinkerVersion,
        signature: Option<ComponentSignature>,
        stamp: Stamp,
        settle: impl FnOnce(&InterlinkerVersion) -> Option<NewRecord>,
    ) -> Outcome<Made<InterlinkerVersion>> {
        let weight = |signature: &Option<ComponentSignature>| signature.as_ref().map(|signature| signature.trusted);
        let is_more = weight(&signature) > weight(&found.signature);
        let Some(signature) = signature.filter(|_| is_more) else { return Ok(Made { thing: found, new: false }) };
        let version = self.with_signer(&InterlinkerVersion { signature: Some(signature.clone()), ..found });
        let answer = settle(&version);
        let interlinker = version.reference.clone();
        let at = stream(StreamKind::Interlinker, named(StreamKind::Interlinker, &interlinker.name));
        let event: InterlinkerEvent = InterlinkerSigned { interlinker, signature }.into();
        self.write(core, at, stamp, AnyEvent::Interlinker(event), answer).await?;
        Ok(Made { thing: version, new: false })
    }

    /// The bytes of a version's component, as they were published.
    pub async fn component(&self, reference: &InterlinkerRef) -> Outcome<Vec<u8>> {
        let (path, digest) = (self.component_path(&reference.digest), reference.digest.clone());
        let id = format!("{}@{}", reference.name, reference.version);
        let reading = tokio::task::spawn_blocking(move || {
            std::fs::read(path).ok().filter(|bytes| interlink_model::schema::digest::of(bytes) == digest)
        });
        let read = reading.await.ok().flatten();
        read.ok_or(Trouble::Damaged { what: "component of Interlinker", id })
    }

    /// Describes an Interlinker that does not run here.
    pub async fn describe(
        self: &Arc<Self>,
        core: &Core,
        reference: InterlinkerRef,
        entry: Value,
        actor: Actor,
        settle: impl FnOnce(&InterlinkerVersion) -> Option<NewRecord>,
    ) -> Outcome<Made<InterlinkerVersion>> {
        let _making = self.making.lock().await;
        if let Some(found) = self.same_as(&reference)? {
            return Ok(Made { thing: found, new: false });
        }
        let stamp = core.stamp(core.now(), actor);
        let text = entry.to_string();
        let entry = CatalogueEntry::Described(Arc::new(entry));
        let version = InterlinkerVersion::new(reference.clone(), entry, &stamp);
        let answer = settle(&version);
        let at = stream(StreamKind::Interlinker, named(StreamKind::Interlinker, &reference.name));
        let described = InterlinkerDescribed { interlinker: reference, entry: text };
        self.write(core, at, stamp, AnyEvent::Interlinker(described.into()), answer).await?;
        Ok(Made { thing: version, new: true })
    }

    /// The version of this name, number and content, where it is there; with other content it is taken.
    fn same_as(&self, reference: &InterlinkerRef) -> Outcome<Option<InterlinkerVersion>> {
        let wanted = format!("{}@{}", reference.name, reference.version);
        match self.interlinker(&wanted) {
            Some(found) if found.reference.digest != reference.digest => {
                Err(Trouble::Taken { what: "Interlinker", id: wanted, found: found.reference.digest })
            }
            found => Ok(found),
        }
    }

    fn component_path(&self, digest: &str) -> PathBuf {
        self.components.join(format!("{}.wasm", digest.trim_start_matches("sha256:")))
    }

    /// The component of a version, ready to run: compiled, or loaded from the ahead-of-time cache, when it is first
    /// needed.
    pub async fn load(&self, core: &Core, reference: &InterlinkerRef) -> Outcome<Arc<Interlinker>> {
        if let Some(loaded) = self.loaded.read().get(&reference.digest) {
            return Ok(Arc::clone(loaded));
        }
        let path = self.component_path(&reference.digest);
        let host = core.host.clone();
        let id = format!("{}@{}", reference.name, reference.version);
        let damaged = || Trouble::Damaged { what: "component of Interlinker", id: id.clone() };
        let loading = tokio::task::spawn_blocking(move || {
            let bytes = std::fs::read(path).ok()?;
            host.load(&bytes).ok()
        });
        let loaded = loading.await.ok().flatten().filter(|loaded| loaded.digest() == reference.digest);
        let loaded = loaded.ok_or_else(damaged)?;
        self.loaded.write().insert(reference.digest.clone(), Arc::clone(&loaded));
        Ok(loaded)
    }
}

/// What a bare name means: one that was not withdrawn before one that was, and of those the newest.
fn preferred(versions: &[InterlinkerVersion]) -> Option<&InterlinkerVersion> {
    let number = |found: &InterlinkerVersion| semver::Version::parse(&found.reference.version).ok();
    versions.iter().reduce(|best, next| match next.withdrawn().cmp(&best.withdrawn()) {
        std::cmp::Ordering::Less => next,
        std::cmp::Ordering::Greater => best,
        std::cmp::Ordering::Equal => match (number(best), number(next)) {
            (Some(before), Some(after)) if !is_newer(&after, &before) => best,
            _ => next,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(number: &str, withdrawn: Option<Withdrawn>) -> InterlinkerVersion {
        let reference = InterlinkerRef { name: "poll".into(), version: number.into(), digest: number.into() };
        let (at, actor) = (Micros(0), Actor::System);
        let withdrawal = withdrawn.map(|how| Withdrawal { how, at, actor, reason: None });
        let stamp = Stamp { at, actor, correlation: None, causation: None };
        let version = InterlinkerVersion::new(reference, CatalogueEntry::Described(Arc::default()), &stamp);
        InterlinkerVersion { withdrawal, ..version }
    }

    #[test]
    fn a_bare_name_means_the_newest_version_that_was_withdrawn_least() {
        const CURRENT: Option<Withdrawn> = None;
        const DEPRECATED: Option<Withdrawn> = Some(Withdrawn::Deprecated);
        const REVOKED: Option<Withdrawn> = Some(Withdrawn::Revoked);
        type Case<'a> = (&'a [(&'a str, Option<Withdrawn>)], Option<&'a str>);
        let cases: [Case<'_>; 7] = [
            (&[], None),
            (&[("1.0.0", CURRENT), ("1.10.0", CURRENT), ("1.9.0", CURRENT)], Some("1.10.0")),
            (&[("1.0.0", CURRENT), ("2.0.0", DEPRECATED)], Some("1.0.0")),
            (&[("1.0.0", CURRENT), ("2.0.0", REVOKED), ("1.1.0", CURRENT)], Some("1.1.0")),
            (&[("1.0.0", DEPRECATED), ("1.1.0", DEPRECATED), ("2.0.0", REVOKED)], Some("1.1.0")),
            (&[("2.0.0", REVOKED), ("1.0.0", REVOKED)], Some("2.0.0")),
            (&[("2.0.0", REVOKED), ("1.0.0", CURRENT)], Some("1.0.0")),
        ];
        for (versions, meant) in cases {
            let all: Vec<_> = versions.iter().map(|(number, withdrawn)| version(number, *withdrawn)).collect();
            assert_eq!(preferred(&all).map(|found| found.reference.version.as_str()), meant, "{versions:?}");
        }
    }
}

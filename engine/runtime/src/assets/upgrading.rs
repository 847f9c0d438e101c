//! Moving an asset to another version of its Interlinker, and back.
//!
//! The new version brings the state to what it reads, by its export `migration`; without one the state stays. That is
//! looked at first, by a run that keeps nothing. Going back is to the state that the asset had when it moved: what was done
//! since would be lost, so it is refused unless whoever asks says that it may be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use interlink_host::{Entry, Failure, Interlinker};
use interlink_model::event::Actor;
use interlink_model::facts::{Aside, AssetRolledBack, AssetUpgraded, InterlinkerRef, InterlinkerUsed, UseKind};
use interlink_model::id::AssetId;
use interlink_model::keyvalues::{CHANGES_BYTES_MAX, KeyValues, prefixes};
use interlink_model::manifest::{Asked, Manifest};
use serde_json::json;

use super::lane::{Place, Snapshot};
use super::written::{changes_of, failed, used};
use super::{AssetCell, Assets, Seen, call_context, given_of};
use crate::archive;
use crate::calls::Calling;
use crate::core::settled;
use crate::error::{Outcome, Trouble};
use crate::gate::{Answer, Permit};
use crate::guard::Who;
use crate::processes::ProcessCell;
use crate::usage::held::Hosted;

/// What moving an asset would do, or did.
#[derive(Debug, Clone)]
pub struct Moved {
    /// The asset.
    pub asset: AssetId,
    /// The version that it leaves.
    pub from: InterlinkerRef,
    /// The version that it moves to.
    pub to: InterlinkerRef,
    /// Whether the new version brings the state to what it reads.
    pub migrates: bool,
    /// Keys of the state that this changes.
    pub keys_changed: usize,
    /// Actions that are there afterwards and were not before.
    pub actions_added: Vec<String>,
    /// Actions that were there and are gone.
    pub actions_removed: Vec<String>,
    /// What the new version asks for and an operator has not granted.
    pub not_granted: Asked,
}

fn conflict(slug: &'static str, detail: impl Into<String>) -> Trouble {
    Trouble::InTheWay { slug, detail: detail.into() }
}

/// Whether an asset may move from a version to another: to a newer one of the same Interlinker, once all that it asks for
/// beyond its own state is granted, unless whoever asks does without.
fn may_move(from: &InterlinkerRef, to: &Manifest, missing: &Asked, without_grants: bool) -> Outcome<()> {
    let is_newer = semver::Version::parse(&from.version).is_ok_and(|from| to.version > from);
    if from.name != to.name || !is_newer {
        let detail = format!(
            "this asset is of {} {}, and moves to a newer version of it; `/rollback` takes a move back",
            from.name, from.version
        );
        return Err(conflict("not-an-upgrade", detail));
    }
    if *missing != Asked::default() && !without_grants {
        let wishes = json!(missing);
        let detail = format!(
            "{} {} asks for more than was granted: {wishes}. Grant it, or say `\"without_grants\": true`",
            to.name, to.version
        );
        return Err(conflict("consent-needed", detail));
    }
    Ok(())
}

/// By how many bytes a state is larger than another.
fn grown(now: &KeyValues, then: &KeyValues) -> i64 {
    let bytes = |state: &KeyValues| i64::try_from(state.bytes()).unwrap_or(i64::MAX);
    bytes(then) - bytes(now)
}

fn names(manifest: &Manifest) -> BTreeSet<&str> {
    manifest.actions.iter().map(|action| action.name.as_str()).collect()
}

/// What makes one state of another: changed keys in order with what they get, and the numbers that change with them.
fn difference(now: &KeyValues, then: &KeyValues) -> (Vec<interlink_host::Change>, BTreeMap<String, u64>) {
    let set = then.iter().filter(|(key, value)| now.get(key) != Some(value));
    let set = set.map(|(key, value)| (key.to_string(), Some(Arc::clone(value))));
    let gone = now.iter().filter(|(key, _)| then.get(key).is_none()).map(|(key, _)| (key.to_string(), None));
    let mut changes: Vec<_> = set.chain(gone).collect();
    changes.sort_by(|(one, _), (other, _)| one.cmp(other));
    let touched: BTreeSet<&str> = changes.iter().flat_map(|(key, _)| prefixes(key)).collect();
    let moved = touched.into_iter().filter(|prefix| now.count(prefix) != then.count(prefix));
    let counts = moved.map(|prefix| (prefix.to_owned(), then.count(prefix))).collect();
    (changes, counts)
}

impl Assets {
    /// Moves an asset to a newer version of its Interlinker, or says what that would do.
    pub async fn upgrade(
        &self,
        process: &Arc<ProcessCell>,
        cell: &Arc<AssetCell>,
        old: &Manifest,
        guest: &Arc<Interlinker>,
        actor: Actor,
        expected: Option<u64>,
        (dry_run, without_grants): (bool, bool),
        answer: impl FnOnce(&Moved) -> Answer + Send,
        permit: Permit,
    ) -> Outcome<Answer> {
        let manifest = guest.manifest();
        let missing = self.world.catalogue.grants(&manifest.name).lacking(&manifest.grants);
        let _place = Place::take(&cell.waiting)?;
        self.held.free(cell.id).await;
        let mut lane = cell.enter().await;
        cell.admit(&lane, expected).await?;
        archive::admit(process).await?;
        // What is told here, a refusal or a look, is told of what is durable.
        cell.settled_ahead(&lane).await?;
        let Snapshot { asset, values } = lane.ahead.clone();
        may_move(&asset.interlinker, manifest, &missing, without_grants)?;
        let mut moved = Moved {
            asset: cell.id,
            from: asset.interlinker.clone(),
            to: guest.reference(),
            migrates: guest.migrates(),
            keys_changed: 0,
            actions_added: names(manifest).difference(&names(old)).map(|&name| name.to_owned()).collect(),
            actions_removed: names(old).difference(&names(manifest)).map(|&name| name.to_owned()).collect(),
            not_granted: missing,
        };
        let (mut after, mut changes, mut counts, mut duration_us) = (values.clone(), Vec::new(), BTreeMap::new(), 0);
        if guest.migrates() {
            let language = process.process().language.clone().unwrap_or_else(|| "en".into());
            let context = call_context(actor, process, &asset.task, cell.id, &language, self.core.now());
            let version = asset.interlinker.version.clone();
            let entry = Entry::Migrate { version: version.clone() };
            let given = given_of(self.given(&manifest.name).as_ref(), Some(self.kept(cell, &asset)));
            let values = values.clone();
            let called =
                self.run_guarded(guest, Who::of(actor), Seen { values, given }.called(entry, context), None).await?;
            super::log(&called, &moved.to);
            duration_us = called.cost.instantiate_us + called.cost.call_us;
            let done = match called.result {
                Ok(done) => done,
                Err(Failure::NotBegun) => unreachable!("told as what stood in its way"),
                Err(Failure::Refused(problem)) => return Err(Trouble::Refused(problem)),
                Err(failure) => {
                    let calling = self.aside(Aside::Migration, &asset, json!(version), &language);
                    let calling = Calling { interlinker: guest.reference(), ..calling };
                    let recorder = self.failed_aside(process, actor, calling, &failure, &called.logs);
                    let used = used(UseKind::Failure, &guest.reference(), &asset.task, duration_us);
                    let (trouble, used) = failed(InterlinkerUsed { asset: Some(cell.id), ..used }, failure);
                    let permit = Permit::default();
                    settled(self.processes.record_use(process, actor, used, Some(&recorder), None, permit)).await?;
                    return Err(trouble);
                }
            };
            (after, changes, counts) = (done.state, done.changes, done.counts);
        }
        moved.keys_changed = changes.len();
        let answer = answer(&moved);
        if dry_run {
            return Ok(answer);
        }
        let grown_bytes = grown(&values, &after);
        let _room = self.room(Hosted::of_asset(&asset), &manifest.name, 0, grown_bytes)?;
        let upgraded = AssetUpgraded {
            interlinker: guest.reference(),
            changes: changes_of(&changes),
            counts,
            grown_bytes,
            duration_us,
        };
        let moved = (vec![upgraded.into()], after);
        let (fate, answer) = self.hand_over_alone(process, cell, &mut lane, moved, actor, answer, permit);
        drop(lane);
        settled(fate).await?;
        Ok(answer)
    }

    /// Takes an asset back to the version of its Interlinker before, and to the state that it had there. `then` gives the
    /// asset as it was.
    pub async fn roll_back(
        &self,
        process: &Arc<ProcessCell>,
        cell: &Arc<AssetCell>,
        actor: Actor,
        expected: Option<u64>,
        discard: bool,
        then: impl FnOnce(u64) -> Outcome<Snapshot> + Send,
        answer: impl FnOnce(&InterlinkerRef, u64) -> Answer + Send,
        permit: Permit,
    ) -> Outcome<Answer> {
        let _place = Place::take(&cell.waiting)?;
        self.held.free(cell.id).await;
        let mut lane = cell.enter().await;
        cell.admit(&lane, expected).await?;
        archive::admit(process).await?;
        // What is told here, a refusal or a look, is told of what is durable.
        cell.settled_ahead(&lane).await?;
        let Snapshot { asset, values } = lane.ahead.clone();
        let Some(to) = asset.goes_back_to().cloned() else {
            return Err(conflict("nothing-to-roll-back", "this asset has not moved from another version"));
        };
        self.world.catalogue.not_revoked(&to.interlinker)?;
        let since = asset.version - (to.until + 1);
        if since > 0 && !discard {
            let detail = format!(
                "{since} things happened to this asset since it moved, and would be lost; \
                 `\"discard\": true` takes it back without them"
            );
            return Err(conflict("changed-since-upgrade", detail));
        }
        let Snapshot { values: then, .. } = then(to.until)?;
        let (changes, counts) = difference(&values, &then);
        let bytes: usize = changes.iter().map(|(key, value)| key.len() + value.as_ref().map_or(0, |v| v.len())).sum();
        if bytes > 2 * CHANGES_BYTES_MAX {
            let max = 2 * CHANGES_BYTES_MAX;
            return Err(Trouble::TooLarge(format!("{bytes} bytes of state differ; at most {max} are taken back")));
        }
        let grown_bytes = grown(&values, &then);
        let changes = changes_of(&changes);
        let back = AssetRolledBack { interlinker: to.interlinker.clone(), changes, counts, grown_bytes };
        let answer = answer(&to.interlinker, since);
        let moved = (vec![back.into()], then);
        let (fate, answer) = self.hand_over_alone(process, cell, &mut lane, moved, actor, answer, permit);
        drop(lane);
        settled(fate).await?;
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_one_state_of_another_does_so() {
        let state = |entries: &[(&str, &str)]| {
            let mut state = KeyValues::default();
            entries.iter().for_each(|(key, value)| state.set(key, value.as_bytes()));
            state
        };
        let now = state(&[("a/1", "x"), ("a/2", "y"), ("b", "z")]);
        let then = state(&[("a/1", "x"), ("b", "w"), ("c/3", "v")]);
        let (changes, counts) = difference(&now, &then);
        let keys: Vec<_> = changes.iter().map(|(key, value)| (key.as_str(), value.is_some())).collect();
        assert_eq!(keys, [("a/2", false), ("b", true), ("c/3", true)]);
        assert_eq!(counts, BTreeMap::from([("a/".to_owned(), 1), ("c/".to_owned(), 1)]));
        let mut made = now;
        for (key, value) in &changes {
            match value {
                Some(value) => made.set(key, Arc::clone(value)),
                None => drop(made.delete(key)),
            }
        }
        assert_eq!(made, then);
    }

    #[test]
    fn an_asset_moves_to_a_newer_version_of_its_own_interlinker_with_what_it_asks_for() {
        let from = InterlinkerRef { name: "poll".into(), version: "1.2.0".into(), digest: String::new() };
        let to = |name: &str, version: &str| -> Manifest {
            let json = json!({"manifest": 1, "name": name, "version": version, "world": "w", "instantiate": {}});
            serde_json::from_value(json).expect("a manifest")
        };
        let slug = |moved: Outcome<()>| match moved {
            Ok(()) => "fine",
            Err(Trouble::InTheWay { slug, .. }) => slug,
            Err(other) => panic!("{other}"),
        };
        let nothing = Asked::default();
        assert_eq!(slug(may_move(&from, &to("poll", "1.10.0"), &nothing, false)), "fine");
        for (name, version) in [("poll", "1.2.0"), ("poll", "1.1.9"), ("vote", "2.0.0")] {
            assert_eq!(slug(may_move(&from, &to(name, version), &nothing, false)), "not-an-upgrade");
        }
        let more =
            Asked { notify: Some(interlink_model::manifest::AskedLeave { reason: Default::default() }), ..nothing };
        assert_eq!(slug(may_move(&from, &to("poll", "2.0.0"), &more, false)), "consent-needed");
        assert_eq!(slug(may_move(&from, &to("poll", "2.0.0"), &more, true)), "fine");
    }
}

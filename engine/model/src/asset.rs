//! An asset: one instance of an Interlinker on a task.
//!
//! Its rules are the Interlinker's own, so there is no `decide` here: a call's outcome is a fact. What the call changed
//! is kept in rows of its own, one for each key; this is the head.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::event::{Actor, Stamp};
use crate::facts::{AssetEvent, InterlinkerInstantiated, InterlinkerRef};
use crate::id::{AssetId, Micros, OrganizationId, ProcessId};
use crate::sealed::Sealed;

/// Alarms that an asset may have set at once.
pub const ALARMS_MAX: usize = 16;
/// How often an alarm whose Interlinker fails is tried, the first time included.
pub const ALARM_ATTEMPTS_MAX: u32 = 8;
/// Pause before an alarm is tried again for the first time; it doubles with each time.
const ALARM_PAUSE_US: i64 = 5_000_000;
/// Blobs that an asset may have.
pub const BLOBS_MAX: usize = 256;
/// What the blobs of an asset may have together, in bytes.
pub const BLOBS_BYTES_MAX: u64 = 256 << 20;
/// The largest blob, in bytes.
pub const BLOB_BYTES_MAX: usize = 8 << 20;
/// A part of a blob, in bytes: with its seal it fits into a record.
pub const BLOB_PART_BYTES: usize = 512 << 10;
/// Earlier versions of its Interlinker that an asset knows.
pub const EARLIER_MAX: usize = 32;

/// The head of an asset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asset {
    /// Its id.
    pub id: AssetId,
    /// Of which Interlinker, in which version.
    pub interlinker: InterlinkerRef,
    /// On which process.
    pub process: ProcessId,
    /// On which task.
    pub task: String,
    /// What people call it.
    pub name: Sealed<String>,
    /// The last event's version: it moves with every change of its state.
    pub version: u64,
    /// Who made it.
    pub created_by: Actor,
    /// When.
    pub created_at: Micros,
    /// When it changed last.
    pub touched_at: Micros,
    /// What it declared last.
    pub outcome: Option<Sealed<Value>>,
    /// When it was removed.
    pub removed_at: Option<Micros>,
    /// How many keys its state has: rows that are missing are noticed.
    pub keys: u64,
    /// Alarms that are set, by name.
    #[serde(default)]
    pub alarms: BTreeMap<String, Alarm>,
    /// Blobs that it has, by digest.
    #[serde(default)]
    pub blobs: BTreeMap<String, Blob>,
    /// Versions of its Interlinker that it had before, the last one last.
    #[serde(default)]
    pub earlier: Vec<Earlier>,
    /// How many bytes of state and blobs it has, or had when it was removed.
    #[serde(default)]
    pub bytes: u64,
    /// The organization that hosts its process.
    #[serde(default)]
    pub organization: Option<OrganizationId>,
}

/// An alarm that is set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    /// When it rings.
    pub at: Micros,
    /// With what.
    pub input: Sealed<Value>,
    /// How often it has failed.
    pub failed: u32,
}

/// A blob that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blob {
    /// Its media type.
    pub media_type: String,
    /// Its size.
    pub size_bytes: u64,
    /// The version of the event of its first part.
    pub first: u64,
    /// How many parts it has.
    pub parts: u32,
    /// The asset in whose history they stand, where it was taken along from there.
    #[serde(default)]
    pub of: Option<AssetId>,
}

/// A version of its Interlinker that an asset had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earlier {
    /// Which.
    pub interlinker: InterlinkerRef,
    /// The version of the asset at the end of it.
    pub until: u64,
    /// Whether it was left by moving back: there is nothing there to move back to.
    pub rolled_back: bool,
}

impl Asset {
    /// The asset that its first event makes.
    pub fn created(id: AssetId, event: &InterlinkerInstantiated, stamp: &Stamp) -> Self {
        Self {
            id,
            interlinker: event.interlinker.clone(),
            process: event.process,
            task: event.task.clone(),
            name: event.name.clone(),
            version: 0,
            created_by: stamp.actor,
            created_at: stamp.at,
            touched_at: stamp.at,
            outcome: None,
            removed_at: None,
            keys: event.counts.get("").copied().unwrap_or(0),
            alarms: BTreeMap::new(),
            blobs: BTreeMap::new(),
            earlier: Vec::new(),
            bytes: u64::try_from(event.grown_bytes).unwrap_or(0),
            organization: event.organization,
        }
    }

    /// Takes in an event.
    pub fn apply(&mut self, event: &AssetEvent, stamp: &Stamp) {
        let before = self.version;
        self.version += 1;
        self.touched_at = stamp.at;
        self.keys = event.keys().unwrap_or(self.keys);
        self.bytes = self.bytes.saturating_add_signed(event.grown_bytes());
        match event {
            AssetEvent::InterlinkerInstantiated(_)
            | AssetEvent::ActionPerformed(_)
            | AssetEvent::PeopleNotified(_)
            | AssetEvent::BlobPartWritten(_) => {}
            AssetEvent::OutcomeDeclared(event) => self.outcome = Some(event.outcome.clone()),
            AssetEvent::AlarmSet(event) => {
                let alarm = Alarm { at: event.at, input: event.input.clone(), failed: 0 };
                self.alarms.insert(event.name.clone(), alarm);
            }
            AssetEvent::AlarmCancelled(event) => drop(self.alarms.remove(&event.name)),
            AssetEvent::AlarmRang(event) => drop(self.alarms.remove(&event.name)),
            AssetEvent::AlarmFailed(event) => match (event.again_at, self.alarms.get_mut(&event.name)) {
                (Some(at), Some(alarm)) => {
                    alarm.at = at;
                    alarm.failed += 1;
                }
                _ => drop(self.alarms.remove(&event.name)),
            },
            AssetEvent::BlobKept(event) => {
                let (media_type, size_bytes, parts) = (event.media_type.clone(), event.size_bytes, event.parts);
                let first = self.version - u64::from(parts);
                self.blobs.insert(event.digest.clone(), Blob { media_type, size_bytes, first, parts, of: None });
            }
            AssetEvent::BlobTakenAlong(event) => {
                let (media_type, size_bytes, parts) = (event.media_type.clone(), event.size_bytes, event.parts);
                let (first, of) = (event.first, Some(event.asset));
                self.blobs.insert(event.digest.clone(), Blob { media_type, size_bytes, first, parts, of });
            }
            AssetEvent::AssetUpgraded(event) => self.move_to(event.interlinker.clone(), before, false),
            AssetEvent::AssetRolledBack(event) => {
                if let Some(left) = self.earlier.iter_mut().rfind(|earlier| !earlier.rolled_back) {
                    left.rolled_back = true;
                }
                self.move_to(event.interlinker.clone(), before, true);
            }
            AssetEvent::AssetRemoved(_) => {
                self.removed_at = Some(stamp.at);
                self.alarms.clear();
                self.blobs.clear();
            }
        }
    }

    fn move_to(&mut self, interlinker: InterlinkerRef, until: u64, rolled_back: bool) {
        let interlinker = std::mem::replace(&mut self.interlinker, interlinker);
        self.earlier.push(Earlier { interlinker, until, rolled_back });
        if self.earlier.len() > EARLIER_MAX {
            self.earlier.remove(0);
        }
    }

    /// The Interlinker that the asset had when an event of a version was applied.
    pub fn interlinker_at(&self, version: u64) -> &InterlinkerRef {
        let then = self.earlier.iter().find(|earlier| version <= earlier.until);
        then.map_or(&self.interlinker, |earlier| &earlier.interlinker)
    }

    /// Where the asset would go back to: the version of its Interlinker from which it moved last and has not gone back.
    pub fn goes_back_to(&self) -> Option<&Earlier> {
        self.earlier.iter().rfind(|earlier| !earlier.rolled_back)
    }

    /// The alarm that rings first.
    pub fn next_alarm(&self) -> Option<(&str, &Alarm)> {
        self.alarms.iter().min_by_key(|(_, alarm)| alarm.at).map(|(name, alarm)| (name.as_str(), alarm))
    }

    /// What its blobs have together, in bytes.
    pub fn blob_bytes(&self) -> u64 {
        self.blobs.values().map(|blob| blob.size_bytes).sum()
    }

    /// The row.
    pub fn to_row(&self) -> Vec<u8> {
        rmp_serde::to_vec(self).expect("a row whose fields are sealed encodes")
    }

    /// The asset of a row.
    pub fn from_row(bytes: &[u8]) -> Option<Self> {
        rmp_serde::from_slice(bytes).ok()
    }
}

impl Alarm {
    /// When it is tried again after failing at a time; nothing where it is given up.
    pub fn again(&self, now: Micros) -> Option<Micros> {
        let pause = ALARM_PAUSE_US << self.failed.min(20);
        (self.failed + 1 < ALARM_ATTEMPTS_MAX).then_some(Micros(now.0.saturating_add(pause)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{
        AlarmFailed, AlarmSet, AssetRemoved, AssetRolledBack, AssetUpgraded, BlobKept, BlobPartWritten, BlobTakenAlong,
    };

    const STAMP: Stamp = Stamp { at: Micros(7), actor: Actor::System, correlation: None, causation: None };

    fn version(version: &str) -> InterlinkerRef {
        InterlinkerRef { name: "poll".into(), version: version.into(), digest: String::new() }
    }

    fn made() -> Asset {
        let made = InterlinkerInstantiated {
            interlinker: version("1.0.0"),
            process: ProcessId::from_bytes([1; 16]),
            organization: None,
            task: "t".into(),
            name: Sealed::Open("n".into()),
            input: Sealed::Open(Value::Null),
            output: Sealed::Open(Value::Null),
            changes: Vec::new(),
            call: None,
            counts: BTreeMap::new(),
            grown_bytes: 0,
            noted: Vec::new(),
            duration_us: 0,
        };
        Asset::created(AssetId::from_bytes([2; 16]), &made, &STAMP)
    }

    fn moved(to: &str) -> AssetEvent {
        let (changes, counts) = (Vec::new(), BTreeMap::new());
        AssetUpgraded { interlinker: version(to), changes, counts, grown_bytes: 0, duration_us: 0 }.into()
    }

    #[test]
    fn an_asset_keeps_its_organization_and_a_row_of_before_has_none() {
        let mut asset = Asset { organization: Some(OrganizationId::from_bytes([3; 16])), ..made() };
        asset.apply(&moved("1.1.0"), &STAMP);
        asset.apply(&AssetRemoved {}.into(), &STAMP);
        assert_eq!(asset.organization, Some(OrganizationId::from_bytes([3; 16])));
        asset.name = Sealed::Closed(Vec::new());
        assert_eq!(Asset::from_row(&asset.to_row()), Some(asset.clone()));
        let mut before: Vec<rmpv::Value> = rmp_serde::from_slice(&asset.to_row()).expect("an array");
        before.pop();
        let before = Asset::from_row(&rmp_serde::to_vec(&before).expect("an array"));
        assert_eq!(before, Some(Asset { organization: None, ..asset }));
    }

    #[test]
    fn every_version_of_an_asset_knows_its_interlinker_and_moves_are_taken_back_one_by_one() {
        let mut asset = made();
        asset.apply(&moved("1.1.0"), &STAMP);
        asset.apply(&moved("2.0.0"), &STAMP);
        assert_eq!(asset.goes_back_to().map(|to| to.interlinker.version.as_str()), Some("1.1.0"));
        let back = |to: &str| -> AssetEvent {
            AssetRolledBack { interlinker: version(to), changes: Vec::new(), counts: BTreeMap::new(), grown_bytes: 0 }
                .into()
        };
        asset.apply(&back("1.1.0"), &STAMP);
        assert_eq!(asset.goes_back_to().map(|to| to.interlinker.version.as_str()), Some("1.0.0"));
        asset.apply(&back("1.0.0"), &STAMP);
        assert_eq!(asset.goes_back_to(), None);
        let then: Vec<_> = (0..=4).map(|at| asset.interlinker_at(at).version.as_str()).collect();
        assert_eq!(then, ["1.0.0", "1.1.0", "2.0.0", "1.1.0", "1.0.0"]);
    }

    #[test]
    fn an_asset_knows_so_many_earlier_versions() {
        let mut asset = made();
        (0..EARLIER_MAX + 3).for_each(|number| asset.apply(&moved(&format!("1.{number}.0")), &STAMP));
        assert_eq!((asset.earlier.len(), asset.earlier[0].until), (EARLIER_MAX, 3));
    }

    #[test]
    fn an_alarm_that_fails_rings_again_later_each_time_and_is_given_up() {
        let mut asset = made();
        let set = AlarmSet { name: "a".into(), at: Micros(10), input: Sealed::Open(Value::Null) };
        asset.apply(&set.into(), &STAMP);
        let mut pauses = Vec::new();
        while let Some((name, alarm)) = asset.next_alarm() {
            let (name, again_at) = (name.to_owned(), alarm.again(Micros(0)));
            pauses.extend(again_at.map(|at| at.0));
            asset.apply(&AlarmFailed { name, reason: "trap".into(), again_at }.into(), &STAMP);
        }
        assert_eq!(pauses.len() as u32, ALARM_ATTEMPTS_MAX - 1);
        assert!(pauses.is_sorted_by(|one, next| one * 2 == *next));
    }

    #[test]
    fn a_blob_knows_where_its_parts_are() {
        let mut asset = made();
        for number in 0..3 {
            let content = Sealed::Open(serde_bytes::ByteBuf::new());
            asset.apply(&BlobPartWritten { number, content }.into(), &STAMP);
        }
        let kept = BlobKept { digest: "d".into(), media_type: "text/plain".into(), size_bytes: 9, parts: 3 };
        asset.apply(&kept.into(), &STAMP);
        assert_eq!(asset.blobs["d"].first, 1);
        assert_eq!(asset.blob_bytes(), 9);
    }

    #[test]
    fn a_blob_that_was_taken_along_names_where_its_parts_are_and_a_row_of_before_has_its_own() {
        let (mut asset, of) = (made(), AssetId::from_bytes([9; 16]));
        let (digest, media_type) = ("d".to_owned(), "text/plain".to_owned());
        let taken = BlobTakenAlong { digest, media_type, size_bytes: 9, parts: 3, asset: of, first: 41 };
        assert_eq!(AssetEvent::from(taken.clone()).grown_bytes(), 9, "it counts as any other");
        asset.apply(&taken.into(), &STAMP);
        assert_eq!((asset.blobs["d"].of, asset.blobs["d"].first, asset.blob_bytes()), (Some(of), 41, 9));
        let row = rmp_serde::to_vec(&asset.blobs).expect("it encodes");
        assert_eq!(rmp_serde::from_slice::<BTreeMap<String, Blob>>(&row).expect("it is read"), asset.blobs);
        let before = rmp_serde::to_vec(&("text/plain", 9, 41, 3)).expect("it encodes");
        let own: Blob = rmp_serde::from_slice(&before).expect("it is read");
        assert_eq!((own.of, own.first), (None, 41));
    }
}

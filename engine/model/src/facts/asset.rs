//! What happens to an asset: what calls of it did, and what was kept for it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::InterlinkerRef;
use crate::events;
use crate::id::{AssetId, CallId, Micros, OrganizationId, PersonId, ProcessId};
use crate::sealed::{Holds, Sealed, SealedField};

/// One key of an asset's state that a call changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The key, in plain: people appear in it as ids.
    pub key: String,
    /// Its new value; absent where the key was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Sealed<serde_bytes::ByteBuf>>,
}

impl Holds for Change {
    fn visit(&mut self, name: &'static str, each: &mut dyn FnMut(&'static str, &mut dyn SealedField)) {
        self.value.visit(name, each);
    }
}

/// What an Interlinker says happened, in its own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noted {
    /// The word: letters, digits, `-`, `_` and `.`.
    pub word: String,
    /// How many, or how much.
    pub amount: i64,
}

/// What was not written is not there.
fn is_zero(number: &i64) -> bool {
    *number == 0
}

events! {
    /// What happens to an asset.
    AssetEvent {
        /// An Interlinker was instantiated.
        InterlinkerInstantiated {
            /// Of which Interlinker, in which version.
            pub interlinker: InterlinkerRef,
            /// On which process.
            pub process: ProcessId,
            /// The organization that hosts the process. An asset says it itself, so that it is counted as its organization's
            /// while its process is archived, and whatever is read first of both.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub organization: Option<OrganizationId>,
            /// On which task.
            pub task: String,
            /// What people call it.
            pub name: Sealed<String>,
            /// What it was instantiated with.
            pub input: Sealed<Value>,
            /// What it answered.
            pub output: Sealed<Value>,
            /// State that the call left.
            pub changes: Vec<Change>,
            /// The record of the call, where it asked the world outside.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub call: Option<CallId>,
            /// Keys under each prefix afterwards, for the prefixes whose number changed.
            pub counts: BTreeMap<String, u64>,
            /// By how many bytes the asset's state is larger afterwards; nothing was written of it before there were quotas.
            #[serde(default, skip_serializing_if = "is_zero")]
            pub grown_bytes: i64,
            /// What the call says happened.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            pub noted: Vec<Noted>,
            /// How long the call took.
            pub duration_us: u64,
        } sealed(name, input, output, changes),
        /// An action was run.
        ActionPerformed {
            /// Which.
            pub action: String,
            /// What it was run with.
            pub input: Sealed<Value>,
            /// What it answered.
            pub output: Sealed<Value>,
            /// State that the call changed.
            pub changes: Vec<Change>,
            /// The record of the call, where it asked the world outside.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub call: Option<CallId>,
            /// Keys under each prefix afterwards, for the prefixes whose number changed.
            pub counts: BTreeMap<String, u64>,
            /// By how many bytes the asset's state is larger afterwards; nothing was written of it before there were quotas.
            #[serde(default, skip_serializing_if = "is_zero")]
            pub grown_bytes: i64,
            /// What the call says happened.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            pub noted: Vec<Noted>,
            /// The asset that ran it for whoever called that one.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub by: Option<AssetId>,
            /// How long the call took.
            pub duration_us: u64,
            /// The service at whose door it was run; absent for what people do in the process.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub service: Option<String>,
        } sealed(input, output, changes),
        /// The Interlinker says that the task has what it needed.
        OutcomeDeclared {
            /// The result.
            pub outcome: Sealed<Value>,
        } sealed(outcome),
        /// The Interlinker told people something.
        PeopleNotified {
            /// Whom.
            pub to: Vec<PersonId>,
            /// What: `title` and `text`.
            pub message: Sealed<Value>,
        } sealed(message),
        /// The Interlinker wants to be called later, in place of an alarm of this name that was set.
        AlarmSet {
            /// What it is known by.
            pub name: String,
            /// When.
            pub at: Micros,
            /// With what.
            pub input: Sealed<Value>,
        } sealed(input),
        /// The Interlinker took an alarm away.
        AlarmCancelled {
            /// What it was known by.
            pub name: String,
        } sealed(),
        /// An alarm rang, and the Interlinker did what it had set it for.
        AlarmRang {
            /// What it was known by.
            pub name: String,
            /// What the Interlinker answered.
            pub output: Sealed<Value>,
            /// State that the call changed.
            pub changes: Vec<Change>,
            /// The record of the call, where it asked the world outside.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub call: Option<CallId>,
            /// Keys under each prefix afterwards, for the prefixes whose number changed.
            pub counts: BTreeMap<String, u64>,
            /// By how many bytes the asset's state is larger afterwards; nothing was written of it before there were quotas.
            #[serde(default, skip_serializing_if = "is_zero")]
            pub grown_bytes: i64,
            /// What the call says happened.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            pub noted: Vec<Noted>,
            /// How long the call took.
            pub duration_us: u64,
        } sealed(output, changes),
        /// An alarm rang, and the Interlinker refused or failed.
        AlarmFailed {
            /// What it is known by.
            pub name: String,
            /// Why: a slug, nothing that a person wrote.
            pub reason: String,
            /// When it rings again; absent where it was given up.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub again_at: Option<Micros>,
        } sealed(),
        /// A part of a blob was written; it is none before `BlobKept` follows.
        BlobPartWritten {
            /// Which part, from 0.
            pub number: u32,
            /// Its bytes.
            pub content: Sealed<serde_bytes::ByteBuf>,
        } sealed(content),
        /// A blob was kept: the parts right before this.
        BlobKept {
            /// What it is known by: `sha256:` and 64 hex digits.
            pub digest: String,
            /// Its media type.
            pub media_type: String,
            /// Its size.
            pub size_bytes: u64,
            /// How many parts it has.
            pub parts: u32,
        } sealed(),
        /// A blob of another asset was taken along into a fork: its parts stay where they were written.
        BlobTakenAlong {
            /// What it is known by: `sha256:` and 64 hex digits.
            pub digest: String,
            /// Its media type.
            pub media_type: String,
            /// Its size.
            pub size_bytes: u64,
            /// How many parts it has.
            pub parts: u32,
            /// The asset in whose history they stand.
            pub asset: AssetId,
            /// The version of the event of the first of them.
            pub first: u64,
        } sealed(),
        /// It moved to another version of its Interlinker.
        AssetUpgraded {
            /// The version that it moved to.
            pub interlinker: InterlinkerRef,
            /// State that its migration changed.
            pub changes: Vec<Change>,
            /// Keys under each prefix afterwards, for the prefixes whose number changed.
            pub counts: BTreeMap<String, u64>,
            /// By how many bytes the asset's state is larger afterwards; nothing was written of it before there were quotas.
            #[serde(default, skip_serializing_if = "is_zero")]
            pub grown_bytes: i64,
            /// How long the migration took; 0 where it has none.
            pub duration_us: u64,
        } sealed(changes),
        /// It moved back to the version of its Interlinker before, and to the state that it had there.
        AssetRolledBack {
            /// The version that it moved back to.
            pub interlinker: InterlinkerRef,
            /// State that differs from what the asset had when it moved.
            pub changes: Vec<Change>,
            /// Keys under each prefix afterwards, for the prefixes whose number changed.
            pub counts: BTreeMap<String, u64>,
            /// By how many bytes the asset's state is larger afterwards; nothing was written of it before there were quotas.
            #[serde(default, skip_serializing_if = "is_zero")]
            pub grown_bytes: i64,
        } sealed(changes),
        /// The asset was removed; its state is gone, its history is not.
        AssetRemoved {} sealed(),
    }
}

impl AssetEvent {
    /// State that it changed: the keys, with their new value or nothing.
    pub fn changes(&self) -> &[Change] {
        match self {
            Self::InterlinkerInstantiated(event) => &event.changes,
            Self::ActionPerformed(event) => &event.changes,
            Self::AlarmRang(event) => &event.changes,
            Self::AssetUpgraded(event) => &event.changes,
            Self::AssetRolledBack(event) => &event.changes,
            _ => &[],
        }
    }

    /// By how many bytes what the asset holds is larger afterwards, its blobs included.
    pub fn grown_bytes(&self) -> i64 {
        match self {
            Self::BlobKept(event) => i64::try_from(event.size_bytes).unwrap_or(i64::MAX),
            Self::BlobTakenAlong(event) => i64::try_from(event.size_bytes).unwrap_or(i64::MAX),
            Self::InterlinkerInstantiated(event) => event.grown_bytes,
            Self::ActionPerformed(event) => event.grown_bytes,
            Self::AlarmRang(event) => event.grown_bytes,
            Self::AssetUpgraded(event) => event.grown_bytes,
            Self::AssetRolledBack(event) => event.grown_bytes,
            _ => 0,
        }
    }

    /// How many keys the asset has afterwards, where that changed.
    pub fn keys(&self) -> Option<u64> {
        let counts = match self {
            Self::InterlinkerInstantiated(event) => &event.counts,
            Self::ActionPerformed(event) => &event.counts,
            Self::AlarmRang(event) => &event.counts,
            Self::AssetUpgraded(event) => &event.counts,
            Self::AssetRolledBack(event) => &event.counts,
            Self::AssetRemoved(_) => return Some(0),
            _ => return None,
        };
        counts.get("").copied()
    }
}

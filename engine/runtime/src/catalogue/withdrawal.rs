//! What an operator says of a version after it was published: that it is deprecated, or revoked.
//!
//! A version is never unpublished: assets and histories name it. *Deprecated* stops nothing, and everybody sees it with its
//! reason. *Revoked* stops every call of it, for good: what was shown is still shown, and a newer version is published in its
//! place. Between the two is no way back, because whoever was told that something is not safe acted on it.

use std::sync::Arc;

use interlink_journal::NewRecord;
use interlink_model::event::{Actor, Stamp};
use interlink_model::facts::*;
use interlink_model::id::{Micros, StreamKind, named};
use interlink_model::sealed::Sealed;

use super::{Catalogue, InterlinkerVersion, Made};
use crate::core::Core;
use crate::draft::{AnyEvent, stream};
use crate::error::{Outcome, Trouble};
use crate::people::Caller;

/// That an operator advised against a version, or took it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawal {
    /// How.
    pub how: Withdrawn,
    /// Since when.
    pub at: Micros,
    /// By whom.
    pub actor: Actor,
    /// Why; nothing where the key of whoever said it was destroyed.
    pub reason: Option<String>,
}

impl Withdrawal {
    pub(super) fn new(how: Withdrawn, reason: &Sealed<String>, stamp: &Stamp) -> Self {
        Self { how, at: stamp.at, actor: stamp.actor, reason: reason.opened().cloned() }
    }

    /// The reason, or that it is not there any more.
    pub fn told(&self) -> &str {
        self.reason.as_deref().unwrap_or("the reason was erased")
    }
}

impl Catalogue {
    /// That a version was deprecated or revoked.
    pub fn withdrawal(&self, of: &InterlinkerRef) -> Option<Withdrawal> {
        let interlinkers = self.interlinkers.read();
        interlinkers.get(&of.name)?.iter().find(|one| one.reference == *of)?.withdrawal.clone()
    }

    /// Whether any version of an Interlinker was deprecated or revoked.
    pub fn has_withdrawn(&self, name: &str) -> bool {
        let interlinkers = self.interlinkers.read();
        interlinkers.get(name).is_some_and(|all| all.iter().any(|one| one.withdrawal.is_some()))
    }

    /// Refuses what would call a version that was revoked.
    pub fn not_revoked(&self, of: &InterlinkerRef) -> Outcome<()> {
        match self.withdrawal(of) {
            Some(withdrawal) if withdrawal.how == Withdrawn::Revoked => {
                Err(Trouble::Revoked { id: format!("{}@{}", of.name, of.version), withdrawal })
            }
            _ => Ok(()),
        }
    }

    /// All versions that were deprecated or revoked.
    pub fn withdrawn(&self) -> Vec<(InterlinkerRef, Withdrawal)> {
        let interlinkers = self.interlinkers.read();
        let with_reference =
            |version: &InterlinkerVersion| Some((version.reference.clone(), version.withdrawal.clone()?));
        interlinkers.values().flatten().filter_map(with_reference).collect()
    }

    /// Deprecates a version, or revokes it. What is so already, for the same reason, stays so and writes nothing; another
    /// reason takes the place of the one before. The reason is sealed under the key of whoever gives it.
    pub async fn withdraw(
        self: &Arc<Self>,
        core: &Core,
        caller: &Caller,
        wanted: &str,
        how: Withdrawn,
        reason: String,
        settle: impl FnOnce(&InterlinkerVersion) -> Option<NewRecord>,
    ) -> Outcome<Made<InterlinkerVersion>> {
        let _making = self.making.lock().await;
        let gone = || Trouble::NotFound { what: "Interlinker", id: wanted.into() };
        let mut version = self.interlinker(wanted).ok_or_else(gone)?;
        if let Some(before) = &version.withdrawal {
            if before.how == how && before.reason.as_ref() == Some(&reason) {
                return Ok(Made { thing: version, new: false });
            }
            if before.how > how {
                return Err(Trouble::Revoked { id: wanted.into(), withdrawal: before.clone() });
            }
        }
        let interlinker = version.reference.clone();
        let at = stream(StreamKind::Interlinker, named(StreamKind::Interlinker, &interlinker.name));
        let reason = Sealed::Open(reason);
        let stamp = core.stamp(core.now(), caller.actor());
        version.withdrawal = Some(Withdrawal::new(how, &reason, &stamp));
        let event: InterlinkerEvent = match how {
            Withdrawn::Revoked => InterlinkerRevoked { interlinker, reason }.into(),
            Withdrawn::Deprecated => InterlinkerDeprecated { interlinker, reason }.into(),
        };
        let answer = settle(&version);
        self.write_sealed(core, at, stamp, AnyEvent::Interlinker(event), Some(&caller.key), answer).await?;
        Ok(Made { thing: version, new: true })
    }
}

//! Versions of Interlinkers that an operator advised against or took back, and what of processes stands on them.

use interlink_model::process::Process;

use super::{AssetView, Engine};
use crate::catalogue::{InterlinkerVersion, Made, Withdrawn};
use crate::error::Outcome;
use crate::gate::{Answer, Permit};
use crate::people::Caller;
use crate::telling::Teller;

impl Engine {
    /// Deprecates a version of an Interlinker, `name@version`, or revokes it.
    pub async fn withdraw(
        &self,
        caller: &Caller,
        wanted: &str,
        how: Withdrawn,
        reason: String,
        answer: impl FnOnce(&InterlinkerVersion) -> Answer,
        permit: &Permit,
    ) -> Outcome<Made<InterlinkerVersion>> {
        let settle = |version: &InterlinkerVersion| self.with_record(permit, || answer(version));
        let made = self.catalogue.withdraw(&self.core, caller, wanted, how, reason, settle).await?;
        self.teller.lock().iter().for_each(Teller::wake);
        Ok(made)
    }

    /// Assets on a task of a process whose version was deprecated or revoked. Reads assets only where a version of their
    /// Interlinker was.
    pub fn withdrawn_on(&self, process: &Process, task: usize) -> Vec<AssetView> {
        let on_task = process.assets.iter().filter(|(_, held)| held.task as usize == task);
        let suspects = on_task.filter(|(_, held)| self.catalogue.has_withdrawn(&held.interlinker));
        suspects.filter_map(|(id, _)| self.asset(*id).ok()).filter(|view| view.withdrawal.is_some()).collect()
    }
}

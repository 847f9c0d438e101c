//! Settings of Interlinkers, checked by what the Interlinker takes.

use serde_json::Value as Json;

use super::Engine;
use crate::catalogue::{Settings, nothing};
use crate::error::{Outcome, Trouble};
use crate::gate::{Answer, Permit};
use crate::people::Caller;

impl Engine {
    /// What an operator told an Interlinker of the place in which it runs: an empty object where that is nothing.
    pub fn interlinker_settings(&self, name: &str) -> Json {
        self.catalogue.settings(name).map_or_else(nothing, |settings| settings.value)
    }

    /// The same, with when it was told and by whom; nothing where it never was.
    pub fn settings_of(&self, name: &str) -> Option<Settings> {
        self.catalogue.settings(name)
    }

    /// Gives an Interlinker its settings, in place of those before. They have to fit what the version says that its bare name
    /// means. `expected` is the version of the settings that the caller saw.
    pub async fn configure(
        &self,
        caller: &Caller,
        name: &str,
        settings: Json,
        expected: Option<u64>,
        answer: impl FnOnce(&Settings) -> Answer,
        permit: &Permit,
    ) -> Outcome<Settings> {
        // Settings belong to the name, whatever the version.
        let gone = || Trouble::NotFound { what: "Interlinker", id: name.into() };
        let version = self.catalogue.interlinker(name).filter(|found| found.reference.name == name).ok_or_else(gone)?;
        let misfits = self.misfits_of_settings(&version, &settings, "").await?;
        if !misfits.is_empty() {
            return Err(Trouble::Input(misfits));
        }
        let settle = |settings: &Settings| self.with_record(permit, || answer(settings));
        self.catalogue.configure(&self.core, caller.actor(), name, settings, expected, settle).await
    }
}

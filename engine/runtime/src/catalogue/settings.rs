//! Settings of Interlinkers: what an operator tells one about the place in which it runs.
//!
//! They belong to the name, not to a version, and are checked by the version that the bare name means when they are set.
//! Sealed under a key of their own, so that they outlast whoever set them.

use std::sync::Arc;

use interlink_journal::NewRecord;
use interlink_model::event::{Actor, Stamp};
use interlink_model::facts::{InterlinkerConfigured, InterlinkerEvent};
use interlink_model::id::{Micros, StreamKind, named};
use interlink_model::sealed::Sealed;
use serde_json::Value;

use super::Catalogue;
use crate::core::Core;
use crate::draft::{AnyEvent, stream};
use crate::error::{Outcome, Trouble};

/// The largest settings, in bytes of their JSON: each change is one record of the journal, and all are in memory.
pub const SETTINGS_BYTES_MAX: usize = 64 << 10;

/// Settings of an Interlinker.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The settings: an object.
    pub value: Value,
    /// How often they were set.
    pub version: u64,
    /// When they were set last.
    pub at: Micros,
    /// By whom.
    pub actor: Actor,
}

impl Catalogue {
    /// Takes in that settings were given.
    pub(super) fn apply_settings(&self, configured: &InterlinkerConfigured, stamp: &Stamp) {
        let mut settings = self.settings.write();
        let version = settings.get(&configured.name).map_or(0, |before| before.version) + 1;
        // An empty object where their key was destroyed.
        let value = configured.settings.opened().cloned().unwrap_or_else(nothing);
        let next = Settings { value, version, at: stamp.at, actor: stamp.actor };
        settings.insert(configured.name.clone(), next);
    }

    /// Settings of an Interlinker; nothing where none were given.
    pub fn settings(&self, name: &str) -> Option<Settings> {
        self.settings.read().get(name).cloned()
    }

    /// Gives an Interlinker its settings, in place of those before, at the version that the caller saw. They were checked.
    pub async fn configure(
        self: &Arc<Self>,
        core: &Core,
        actor: Actor,
        name: &str,
        settings: Value,
        expected: Option<u64>,
        answer: impl FnOnce(&Settings) -> Option<NewRecord>,
    ) -> Outcome<Settings> {
        let _making = self.making.lock().await;
        let found = self.settings(name).map_or(0, |before| before.version);
        if let Some(expected) = expected.filter(|expected| *expected != found) {
            return Err(Trouble::WrongVersion { expected, found });
        }
        let stamp = core.stamp(core.now(), actor);
        let next = Settings { value: settings.clone(), version: found + 1, at: stamp.at, actor };
        let record = answer(&next);
        let key = core.keys.draw().map_err(|error| Trouble::Unknown(error.to_string()))?;
        let at = stream(StreamKind::Interlinker, named(StreamKind::Interlinker, name));
        let event: InterlinkerEvent =
            InterlinkerConfigured { name: name.into(), settings: Sealed::Open(settings) }.into();
        self.write_sealed(core, at, stamp, AnyEvent::Interlinker(event), Some(&key), record).await?;
        Ok(next)
    }
}

/// Settings of whoever was given none.
pub(crate) fn nothing() -> Value {
    Value::Object(serde_json::Map::new())
}

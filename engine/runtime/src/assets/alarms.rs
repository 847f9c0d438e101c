//! Alarms: calls of an asset that it wanted for later.
//!
//! An alarm is taken away by the append of what came of it, so it rings once, however often it is tried. What fails is
//! written down with the time of the next attempt; after so many it is given up, and that is written down, too.

use std::sync::Arc;

use interlink_host::Interlinker;
use interlink_model::event::Actor;
use interlink_model::facts::{AlarmCancelled, AlarmFailed, AssetEvent};
use interlink_model::id::{AssetId, Micros, ProcessId};
use interlink_model::process::ProcessStatus;
use interlink_model::sealed::Sealed;
use serde_json::Value as Json;

use super::lane::Snapshot;
use super::{Acted, AssetCell, Assets, Deed, Use};
use crate::calls::{Cause, left_open};
use crate::core::{Core, settled};
use crate::error::{Outcome, Trouble};
use crate::gate::{Answer, Permit};
use crate::guard::is_not_made;
use crate::processes::{ProcessCell, open_field};
use crate::schedule::{self, Ringing};

/// What came of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rung {
    /// It was written down, whatever it was.
    Told,
    /// It rings again soon: something that it needs is busy, or stopped.
    Later,
    /// Nothing can be written down at all.
    NotTaken,
}

impl Assets {
    /// Rings what is due of an asset.
    pub async fn ring(self: &Arc<Self>, place: Ringing, process: ProcessId) -> Rung {
        match self.rung(place, process).await {
            Ok(()) => Rung::Told,
            Err(trouble) => {
                tracing::debug!(asset = %place.asset, %trouble, "an alarm waits");
                put_off_by(&trouble)
            }
        }
    }

    async fn rung(self: &Arc<Self>, place: Ringing, process: ProcessId) -> Outcome<()> {
        let tidy = || self.core.state.put(self.core.state.applied(), [schedule::alarm_gone(place)]);
        let cell = match self.cell(place.asset) {
            Ok(cell) => cell,
            // Removed or archived meanwhile.
            Err(Trouble::NotFound { .. }) => {
                tidy();
                return Ok(());
            }
            Err(trouble) => return Err(trouble),
        };
        let asset = cell.snapshot().asset;
        let Some((name, alarm)) = asset.next_alarm().filter(|(_, alarm)| alarm.at == place.at) else {
            // What was written meanwhile has moved it, or is about to.
            if asset.next_alarm().is_none_or(|(_, next)| next.at > place.at) {
                tidy();
            }
            return Ok(());
        };
        let process = self.processes.cell(process)?;
        match process.process().status {
            ProcessStatus::Suspended => {
                return Err(Trouble::Busy { what: "its process is suspended".into(), retry_after_s: 1 });
            }
            ProcessStatus::Cancelled => {
                return self.note(&process, &cell, |_| Some(AlarmCancelled { name: name.into() }.into())).await;
            }
            _ => {}
        }
        let at = alarm.at;
        let done = self.try_alarm(&process, &cell, name, at).await;
        let Err(trouble) = done else { return Ok(()) };
        let reason = match &trouble {
            Trouble::Busy { .. }
            | Trouble::Paused { .. }
            | Trouble::Unknown(_)
            | Trouble::ReadOnly(_)
            | Trouble::Unread(_)
            | Trouble::Failing { .. } => return Err(trouble),
            Trouble::Failed(fault) if is_not_made(fault) => return Err(trouble),
            Trouble::Refused(problem) => problem.slug().to_owned(),
            Trouble::Failed(fault) => fault.limit().to_owned(),
            Trouble::Revoked { .. } => "interlinker-revoked".to_owned(),
            _ => "rejected".to_owned(),
        };
        tracing::info!(asset = %cell.id, alarm = name, %trouble, "an alarm failed");
        self.note(&process, &cell, |ahead| {
            let alarm = ahead.asset.alarms.get(name).filter(|alarm| alarm.at == at)?;
            let again_at = alarm.again(self.core.now());
            Some(AlarmFailed { name: name.into(), reason, again_at }.into())
        })
        .await
    }

    async fn try_alarm(
        self: &Arc<Self>,
        process: &Arc<ProcessCell>,
        cell: &Arc<AssetCell>,
        name: &str,
        at: Micros,
    ) -> Outcome<()> {
        let asset = cell.snapshot().asset;
        let catalogue = &self.world.catalogue;
        catalogue.not_revoked(&asset.interlinker)?;
        let guest: Arc<Interlinker> = catalogue.load(&self.core, &asset.interlinker).await?;
        let language = process.process().language.clone().unwrap_or_else(|| "en".into());
        let resumed = left_open(&self.core, process.id, Cause::Alarm(cell.id, name));
        let held = resumed.as_ref().map(|call| call.id);
        let asked =
            Use { language: &language, expected: None, effect: None, resumed, with: None, service: None, by: None };
        let answer = |_: Result<&Acted<'_>, &Trouble>| (Answer::default(), None);
        let deed = Deed::Alarm { name, at };
        let done = self.perform(process, cell, &guest, Actor::System, deed, asked, answer, Permit::default()).await;
        if let Some(call) = held {
            self.held.release(cell.id, call);
        }
        done.map(drop)
    }

    /// Writes something down of an asset that no call did, if it is still so when its lane is free.
    pub(super) async fn note(
        &self,
        process: &Arc<ProcessCell>,
        cell: &Arc<AssetCell>,
        event: impl FnOnce(&Snapshot) -> Option<AssetEvent>,
    ) -> Outcome<()> {
        self.held.free(cell.id).await;
        let mut lane = cell.enter().await;
        let Some(event) = event(&lane.ahead) else { return Ok(()) };
        let noted = (vec![event], lane.ahead.values.clone());
        let (fate, _) =
            self.hand_over_alone(process, cell, &mut lane, noted, Actor::System, Answer::default(), Permit::default());
        drop(lane);
        settled(fate).await?;
        Ok(())
    }
}

/// What becomes of an alarm that nothing could be written down of: where nothing at all can be, everything waits; where it is
/// this one alone, that cannot be read or is stopped, the others go on.
fn put_off_by(trouble: &Trouble) -> Rung {
    match trouble {
        Trouble::Unknown(_) | Trouble::ReadOnly(_) | Trouble::Unread(_) => Rung::NotTaken,
        _ => Rung::Later,
    }
}

/// What an alarm was set with, opened.
pub(super) fn input_of(cell: &AssetCell, input: &Sealed<Json>) -> Json {
    let mut input = input.clone();
    open_field(&mut input, &cell.key, interlink_model::id::StreamKind::Asset, cell.id.bytes(), "input");
    input.opened().cloned().unwrap_or_default()
}

/// Puts the next alarm of an asset back into the index, where it has lost it; says whether it had.
pub(crate) fn put_back(core: &Core, asset: AssetId) -> bool {
    let Some((asset, _)) = super::rows::head_of(core, asset) else { return false };
    let lost = asset.removed_at.is_none() && schedule::alarm_is_missing(&core.state, &asset);
    if lost {
        core.state.put(core.state.applied(), schedule::alarm_rows(None, &asset));
    }
    lost
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asset_that_is_damaged_holds_up_no_other_and_a_disk_that_is_full_all() {
        assert_eq!(put_off_by(&Trouble::Damaged { what: "asset", id: "a".into() }), Rung::Later);
        assert_eq!(put_off_by(&Trouble::Busy { what: "b".into(), retry_after_s: 1 }), Rung::Later);
        assert_eq!(put_off_by(&Trouble::ReadOnly("full".into())), Rung::NotTaken);
    }
}

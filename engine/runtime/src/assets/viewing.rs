//! Looking at an asset: outside its lane, on what is durable, changing nothing.

use std::sync::Arc;

use interlink_host::{Entry, Interlinker};
use interlink_model::asset::Asset;
use interlink_model::event::Actor;
use interlink_model::facts::*;
use serde_json::Value as Json;

use super::calling::{Seen, call_context, given_of, log};
use super::lane::Snapshot;
use super::written::{failed, used};
use super::{Assets, blobs};
use crate::calls::Calling;
use crate::error::{Outcome, Trouble};
use crate::gate::Permit;
use crate::guard::Who;
use crate::processes::ProcessCell;

impl Assets {
    /// Shows an asset as it is or was. That it was looked at is recorded; the answer does not wait for the record.
    pub async fn view(
        &self,
        process: &Arc<ProcessCell>,
        guest: &Arc<Interlinker>,
        snapshot: Snapshot,
        actor: Actor,
        query: Json,
        language: &str,
        service: Option<&str>,
    ) -> Outcome<(Arc<Asset>, Json)> {
        guest.check_view(&query).map_err(Trouble::Input)?;
        let Snapshot { asset, values } = snapshot;
        let context = call_context(actor, process, &asset.task, asset.id, language, self.core.now());
        let kept = blobs::Kept { core: Arc::clone(&self.core), asset: Arc::clone(&asset), key: process.key.clone() };
        let seen = Seen { values, given: given_of(self.given(&asset.interlinker.name).as_ref(), Some(kept)) };
        let asked = query.clone();
        let called = self.run_guarded(guest, Who::of(actor), seen.called(Entry::View { query }, context), None).await?;
        log(&called, &asset.interlinker);
        let duration_us = called.cost.instantiate_us + called.cost.call_us;
        let used = used(UseKind::View, &asset.interlinker, &asset.task, duration_us);
        let used = InterlinkerUsed { asset: Some(asset.id), service: service.map(str::to_owned), ..used };
        let (shown, used, recorder) = match called.result {
            Ok(done) => (Ok((asset, done.output)), used, None),
            Err(failure) => {
                let calling = self.aside(Aside::View, &asset, asked, language);
                let calling = Calling { service: service.map(str::to_owned), ..calling };
                let recorder = self.failed_aside(process, actor, calling, &failure, &called.logs);
                let (trouble, used) = failed(used, failure);
                (Err(trouble), used, Some(recorder))
            }
        };
        drop(self.processes.record_use(process, actor, used, recorder.as_ref(), None, Permit::default()));
        shown
    }
}

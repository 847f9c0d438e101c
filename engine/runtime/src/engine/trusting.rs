//! Whose signatures are trusted; and components as files, which take their signatures with them.

use interlink_model::event::Actor;
use interlink_model::facts::InterlinkerRef;
use interlink_model::signature::KeyId;

use super::Engine;
use crate::catalogue::{Made, Period, Trust, TrustedKey, Vouched};
use crate::error::Outcome;
use crate::gate::{Answer, Permit};

impl Engine {
    /// The trusted keys, and what is asked of signatures.
    pub fn trust(&self) -> Trust {
        self.catalogue.trust()
    }

    /// Trusts a key.
    pub async fn trust_key(
        &self,
        actor: Actor,
        vouched: Vouched,
        period: Period,
        answer: impl FnOnce(&TrustedKey) -> Answer,
        permit: &Permit,
    ) -> Outcome<Made<TrustedKey>> {
        let settle = |trusted: &TrustedKey| self.with_record(permit, || answer(trusted));
        self.catalogue.trust_key(&self.core, actor, vouched, period, settle).await
    }

    /// Trusts a key no more. Those for which it vouched stay trusted.
    pub async fn distrust_key(&self, actor: Actor, id: &KeyId, answer: &Answer, permit: &Permit) -> Outcome<()> {
        let record = permit.record(&self.core, answer);
        self.catalogue.distrust_key(&self.core, actor, id, record).await
    }

    /// Says whether a component that is published has to be signed by a trusted key.
    pub async fn require_signatures(
        &self,
        actor: Actor,
        required: bool,
        answer: &Answer,
        permit: &Permit,
    ) -> Outcome<()> {
        let record = permit.record(&self.core, answer);
        self.catalogue.require_signatures(&self.core, actor, required, record).await
    }

    /// The bytes of a version's component, as they were published.
    pub async fn component(&self, reference: &InterlinkerRef) -> Outcome<Vec<u8>> {
        self.catalogue.component(reference).await
    }
}

//! Whose signatures are trusted, and what is believed of the signature of a component.
//!
//! It is decided once, when a component is published, and written down with it: a key that is removed, or runs out, later
//! takes nothing back. Versions that should not be used any more are revoked. An id stands for one key for good, so that a
//! version never seems to be signed by somebody else.

use std::collections::BTreeMap;
use std::sync::Arc;

use interlink_journal::{NewRecord, Stream};
use interlink_model::event::{Actor, Stamp};
use interlink_model::facts::*;
use interlink_model::id::{Micros, StreamKind, named};
use interlink_model::sealed::Sealed;
use interlink_model::signature::{KeyId, NamedKey, PublicKey, Signature, Succession};

use super::{Catalogue, Made};
use crate::core::Core;
use crate::draft::{AnyEvent, stream};
use crate::error::{Outcome, Trouble};

/// The name of the stream that holds what is asked of signatures at all: no key's id is empty.
const SETTINGS: &str = "";

/// Why the signature of a component is not enough. Each says what would be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// There is none.
    #[error(
        "this server takes only components that a trusted key signed: sign it with `interlink interlinker publish --key FILE`"
    )]
    Missing,
    /// Nobody said that the key is to be trusted.
    #[error("key `{0}` is not on the list of trusted keys: an operator adds it there")]
    Unknown(KeyId),
    /// The key was taken off the list.
    #[error("key `{0}` is not trusted any more: sign it with a key that is")]
    Removed(KeyId),
    /// The key is not trusted at this moment.
    #[error("key `{0}` is not trusted at this time, only {1}")]
    OutOfTime(KeyId, Period),
    /// The key did not make this signature of this component.
    #[error("key `{0}` did not sign this component: it was changed since, or signed with another key; sign it again")]
    Wrong(KeyId),
    /// The key did not vouch for this successor.
    #[error(
        "key `{0}` did not vouch for this successor: the line was changed, or made with another key; make it again"
    )]
    NotVouched(KeyId),
    /// Nobody can say any more whose the key before it was.
    #[error("whose key `{0}` was is erased: trust its successor with `public_key` and `owner`")]
    Ownerless(KeyId),
}

/// On whose word a key is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vouched {
    /// An operator says whose it is.
    Operator {
        /// The key.
        key: NamedKey,
        /// Whose it is.
        owner: String,
    },
    /// The key before it says that it is its successor, and so the same owner's.
    Predecessor(Succession),
}

/// From when until when a key is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Period {
    /// From this moment on.
    pub from: Option<Micros>,
    /// Until before this moment.
    pub until: Option<Micros>,
}

impl Period {
    fn holds(self, at: Micros) -> bool {
        self.from.is_none_or(|from| at >= from) && self.until.is_none_or(|until| at < until)
    }
}

impl std::fmt::Display for Period {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let time = |at: Micros| jiff::Timestamp::from_microsecond(at.0).map(|at| at.to_string()).unwrap_or_default();
        match (self.from, self.until) {
            (None, None) => write!(f, "always"),
            (Some(from), None) => write!(f, "from {}", time(from)),
            (None, Some(until)) => write!(f, "until {}", time(until)),
            (Some(from), Some(until)) => write!(f, "from {} until {}", time(from), time(until)),
        }
    }
}

/// A key whose signatures are trusted, or were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedKey {
    /// The key with its id.
    pub key: NamedKey,
    /// Whose it is; nothing where that was erased.
    pub owner: Option<String>,
    /// When it is trusted.
    pub period: Period,
    /// The word of the key before it, where that is why it is trusted.
    pub succession: Option<Succession>,
    /// When it was put on the list, or changed there.
    pub at: Micros,
    /// By whom.
    pub actor: Actor,
    /// When it was taken off the list.
    pub removed_at: Option<Micros>,
}

impl TrustedKey {
    fn in_force(&self, at: Micros) -> Result<(), SignatureError> {
        let id = || self.key.id.clone();
        match (self.removed_at, self.period.holds(at)) {
            (Some(_), _) => Err(SignatureError::Removed(id())),
            (None, false) => Err(SignatureError::OutOfTime(id(), self.period)),
            (None, true) => Ok(()),
        }
    }
}

/// The list of trusted keys, and what is asked of signatures.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// Whether a component that is published has to be signed by a trusted key.
    pub require_signatures: bool,
    /// By id; those that were taken off are here too, to say who signed what.
    pub keys: BTreeMap<KeyId, TrustedKey>,
}

impl Trust {
    /// What is believed of a signature, and written down: whether a trusted key made it.
    ///
    /// # Errors
    ///
    /// A known key that did not make it, whatever is asked for; where signatures are, all that is not trusted.
    pub fn believed(
        &self,
        digest: &str,
        signature: Option<&Signature>,
        at: Micros,
    ) -> Result<Option<ComponentSignature>, SignatureError> {
        let Some(signature) = signature else {
            return if self.require_signatures { Err(SignatureError::Missing) } else { Ok(None) };
        };
        match self.check(digest, signature, at) {
            Err(error) if self.require_signatures || matches!(error, SignatureError::Wrong(_)) => Err(error),
            checked => Ok(Some(ComponentSignature { signature: signature.to_string(), trusted: checked.is_ok() })),
        }
    }

    fn check(&self, digest: &str, signature: &Signature, at: Micros) -> Result<(), SignatureError> {
        let id = || signature.key.clone();
        let known = self.keys.get(&signature.key).ok_or_else(|| SignatureError::Unknown(id()))?;
        if !known.key.key.vouches(digest, signature) {
            return Err(SignatureError::Wrong(id()));
        }
        known.in_force(at)
    }

    /// Whose a key is for which the one before it vouches.
    ///
    /// # Errors
    ///
    /// Where the one before it is not trusted at this moment, or did not say so.
    pub fn heir(&self, succession: &Succession, at: Micros) -> Result<String, SignatureError> {
        let before = || succession.before.clone();
        let known = self.keys.get(&succession.before).ok_or_else(|| SignatureError::Unknown(before()))?;
        if !known.key.key.vouches_for(succession) {
            return Err(SignatureError::NotVouched(before()));
        }
        known.in_force(at)?;
        known.owner.clone().ok_or_else(|| SignatureError::Ownerless(before()))
    }

    /// The keys that are trusted because this one vouched for them: what to look at where it fell into wrong hands.
    pub fn heirs(&self, of: &KeyId) -> Vec<KeyId> {
        let is_heir = |key: &TrustedKey| key.succession.as_ref().is_some_and(|said| said.before == *of);
        let trusted = self.keys.iter().filter(|(_, key)| key.removed_at.is_none());
        trusted.filter(|(_, key)| is_heir(key)).map(|(id, _)| id.clone()).collect()
    }

    fn apply(&mut self, event: &TrustEvent, stamp: &Stamp) -> Result<(), String> {
        match event {
            TrustEvent::TrustKeyAdded(added) => {
                let id = KeyId::parse(&added.id).map_err(|error| error.to_string())?;
                let key = PublicKey::parse(&added.public_key).map_err(|error| error.to_string())?;
                let succession = added.succession.as_deref().map(Succession::parse).transpose();
                let key = TrustedKey {
                    key: NamedKey { id: id.clone(), key },
                    owner: added.owner.opened().cloned(),
                    period: Period { from: added.from, until: added.until },
                    succession: succession.map_err(|error| error.to_string())?,
                    at: stamp.at,
                    actor: stamp.actor,
                    removed_at: None,
                };
                self.keys.insert(id, key);
            }
            TrustEvent::TrustKeyRemoved(removed) => {
                let id = KeyId::parse(&removed.id).map_err(|error| error.to_string())?;
                let key = self.keys.get_mut(&id).ok_or_else(|| format!("key `{id}` was never trusted"))?;
                key.removed_at = Some(stamp.at);
            }
            TrustEvent::SignaturesRequired(setting) => self.require_signatures = setting.required,
        }
        Ok(())
    }
}

impl Catalogue {
    pub(super) fn apply_to_trust(&self, event: &TrustEvent, stamp: &Stamp) -> Result<(), String> {
        self.trust.write().apply(event, stamp)
    }

    /// What asks for signatures cannot be read: it may have asked for them.
    pub(super) fn distrust(&self) {
        self.trust.write().require_signatures = true;
    }

    /// The trusted keys, and what is asked of signatures.
    pub fn trust(&self) -> Trust {
        self.trust.read().clone()
    }

    /// A key that is or was trusted.
    pub fn trusted_key(&self, id: &KeyId) -> Option<TrustedKey> {
        self.trust.read().keys.get(id).cloned()
    }

    /// Trusts a key, or changes whose it is and when it is trusted. What is so already stays so. Whose it is lies sealed
    /// under a key of its own.
    pub async fn trust_key(
        self: &Arc<Self>,
        core: &Core,
        actor: Actor,
        vouched: Vouched,
        period: Period,
        settle: impl FnOnce(&TrustedKey) -> Option<NewRecord>,
    ) -> Outcome<Made<TrustedKey>> {
        let _making = self.making.lock().await;
        let (key, owner, succession) = match vouched {
            Vouched::Operator { key, owner } => (key, owner, None),
            Vouched::Predecessor(said) => {
                let owner = self.trust.read().heir(&said, core.now()).map_err(Trouble::Signature)?;
                (said.next.clone(), owner, Some(said))
            }
        };
        let known = self.trusted_key(&key.id);
        if let Some(known) = &known {
            if known.key != key {
                let (id, found) = (key.id.to_string(), known.key.key.to_string());
                return Err(Trouble::Taken { what: "key", id, found });
            }
            let is_so = (known.owner.as_ref(), known.period) == (Some(&owner), period);
            if is_so && known.succession == succession && known.removed_at.is_none() {
                return Ok(Made { thing: known.clone(), new: false });
            }
        }
        let stamp = core.stamp(core.now(), actor);
        let (id, public_key) = (key.id.to_string(), key.key.to_string());
        let (at, sealing) = (of_trust(&id), core.keys.draw().map_err(|error| Trouble::Unknown(error.to_string()))?);
        let Period { from, until } = period;
        let said = succession.as_ref().map(ToString::to_string);
        let event = TrustKeyAdded { id, public_key, owner: Sealed::Open(owner.clone()), from, until, succession: said };
        let made = TrustedKey { key, owner: Some(owner), period, succession, at: stamp.at, actor, removed_at: None };
        let answer = settle(&made);
        self.write_sealed(core, at, stamp, AnyEvent::Trust(event.into()), Some(&sealing), answer).await?;
        Ok(Made { thing: made, new: known.is_none_or(|known| known.removed_at.is_some()) })
    }

    /// Trusts a key no more. What it signed keeps what was believed of it.
    pub async fn distrust_key(
        self: &Arc<Self>,
        core: &Core,
        actor: Actor,
        id: &KeyId,
        answer: Option<NewRecord>,
    ) -> Outcome<()> {
        let _making = self.making.lock().await;
        self.trusted_key(id)
            .filter(|key| key.removed_at.is_none())
            .ok_or_else(|| Trouble::NotFound { what: "trusted key", id: id.to_string() })?;
        let event: TrustEvent = TrustKeyRemoved { id: id.to_string() }.into();
        let stamp = core.stamp(core.now(), actor);
        self.write(core, of_trust(id.as_str()), stamp, AnyEvent::Trust(event), answer).await
    }

    /// Says whether a component that is published has to be signed by a trusted key. What is so already stays so.
    pub async fn require_signatures(
        self: &Arc<Self>,
        core: &Core,
        actor: Actor,
        required: bool,
        answer: Option<NewRecord>,
    ) -> Outcome<()> {
        let _making = self.making.lock().await;
        if self.trust.read().require_signatures == required {
            return Ok(());
        }
        let event: TrustEvent = SignaturesRequired { required }.into();
        let stamp = core.stamp(core.now(), actor);
        self.write(core, of_trust(SETTINGS), stamp, AnyEvent::Trust(event), answer).await
    }
}

fn of_trust(name: &str) -> Stream {
    stream(StreamKind::Trust, named(StreamKind::Trust, name))
}

#[cfg(test)]
mod tests {
    use interlink_model::signature::PrivateKey;

    use super::*;

    const DIGEST: &str = "sha256:00";

    fn private(id: &str, seed: u8) -> PrivateKey {
        PrivateKey::new(KeyId::parse(id).expect("an id"), &[seed; 32])
    }

    fn trusting(keys: &[(&PrivateKey, Period)], require_signatures: bool) -> Trust {
        let keys = keys.iter().map(|(private, period)| {
            let (key, owner) = (private.public(), Some("the town".into()));
            let (at, actor) = (Micros(0), Actor::System);
            (key.id.clone(), TrustedKey { key, owner, period: *period, succession: None, at, actor, removed_at: None })
        });
        Trust { require_signatures, keys: keys.collect() }
    }

    #[test]
    fn without_a_demand_everything_is_taken_but_a_signature_that_is_wrong() {
        let (town, stranger) = (private("town", 1), private("stranger", 2));
        let trust = trusting(&[(&town, Period::default())], false);
        let believed = |signature: Option<&Signature>| {
            trust.believed(DIGEST, signature, Micros(5)).map(|found| found.map(|found| found.trusted))
        };
        assert_eq!(believed(None), Ok(None));
        assert_eq!(believed(Some(&town.sign(DIGEST))), Ok(Some(true)));
        assert_eq!(believed(Some(&stranger.sign(DIGEST))), Ok(Some(false)));
        let forged = private("town", 2).sign(DIGEST);
        assert_eq!(believed(Some(&forged)), Err(SignatureError::Wrong(forged.key.clone())));
        let of_another = town.sign("sha256:01");
        assert_eq!(believed(Some(&of_another)), Err(SignatureError::Wrong(of_another.key.clone())));
    }

    #[test]
    fn with_a_demand_a_trusted_key_in_its_time_is_what_it_takes_and_keys_overlap() {
        let (old, new) = (private("old", 1), private("new", 2));
        let until = Period { from: None, until: Some(Micros(20)) };
        let from = Period { from: Some(Micros(10)), until: None };
        let mut trust = trusting(&[(&old, until), (&new, from)], true);
        let taken = |trust: &Trust, key: &PrivateKey, at: i64| {
            trust.believed(DIGEST, Some(&key.sign(DIGEST)), Micros(at)).is_ok_and(|found| found.is_some())
        };
        let at = |at: i64| (taken(&trust, &old, at), taken(&trust, &new, at));
        assert_eq!([9, 10, 19, 20].map(at), [(true, false), (true, true), (true, true), (false, true)]);
        assert_eq!(trust.believed(DIGEST, None, Micros(15)), Err(SignatureError::Missing));
        let stranger = private("stranger", 3).sign(DIGEST);
        let refused = trust.believed(DIGEST, Some(&stranger), Micros(15));
        assert_eq!(refused, Err(SignatureError::Unknown(stranger.key.clone())));
        trust.keys.values_mut().for_each(|key| key.removed_at = Some(Micros(12)));
        let refused = trust.believed(DIGEST, Some(&old.sign(DIGEST)), Micros(15));
        assert_eq!(refused, Err(SignatureError::Removed(old.public().id)));
    }

    #[test]
    fn a_key_is_succeeded_by_the_one_that_it_vouches_for_while_it_is_trusted_itself() {
        let (old, new, stranger) = (private("old", 1), private("new", 2), private("stranger", 3));
        let until = Period { from: None, until: Some(Micros(20)) };
        let mut trust = trusting(&[(&old, until)], true);
        let said = old.succeeded_by(&new.public());
        let id = || old.public().id;
        assert_eq!(trust.heir(&said, Micros(19)), Ok("the town".into()));
        assert_eq!(trust.heir(&said, Micros(20)), Err(SignatureError::OutOfTime(id(), until)));
        let forged = Succession::parse(&stranger.succeeded_by(&new.public()).to_string().replace("=stranger", "=old"));
        assert_eq!(trust.heir(&forged.expect("a line"), Micros(19)), Err(SignatureError::NotVouched(id())));
        let unknown = SignatureError::Unknown(stranger.public().id);
        assert_eq!(trust.heir(&stranger.succeeded_by(&new.public()), Micros(19)), Err(unknown));
        trust.keys.values_mut().for_each(|key| key.removed_at = Some(Micros(12)));
        assert_eq!(trust.heir(&said, Micros(15)), Err(SignatureError::Removed(id())));
        trust.keys.values_mut().for_each(|key| (key.removed_at, key.owner) = (None, None));
        assert_eq!(trust.heir(&said, Micros(15)), Err(SignatureError::Ownerless(id())));
    }
}

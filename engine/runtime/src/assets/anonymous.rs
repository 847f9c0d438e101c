//! Who acts where an action is anonymous: a pseudonym, which is one person's for one asset.
//!
//! It is an HMAC under the process's key, so that a second vote of the same person is known as one, and a vote in another poll
//! is not. What the action does is recorded under it, and so is the answer that is remembered; the guest is told nothing else.
//! That the person may act at all is checked before, on who they are.

use interlink_model::event::Actor;
use interlink_model::id::{AssetId, PersonId};
use uuid::Uuid;

use crate::error::{Outcome, Trouble};
use crate::gate::Permit;
use crate::keys::SealingKey;
use crate::people::{Caller, CallerKind};

/// Who somebody is in the anonymous actions of an asset, whose process has this key.
pub(crate) fn pseudonym(key: &SealingKey, asset: AssetId, actor: Actor) -> Actor {
    let (kind, person) = match actor {
        Actor::Person(person) | Actor::Operator(person) => (b"person ", person),
        Actor::Visitor(visitor) => (b"visitor", visitor),
        Actor::System | Actor::Pseudonym(_) => return actor,
    };
    Actor::Pseudonym(Uuid::from_bytes(key.pseudonym(&[&asset.bytes(), kind, &person.bytes()])))
}

/// The same as whoever an answer is remembered for.
pub(crate) fn remembered_as(key: &SealingKey, asset: AssetId, caller: &Caller) -> Caller {
    let person = match pseudonym(key, asset, caller.actor()) {
        Actor::Pseudonym(id) => PersonId::from_bytes(id.into_bytes()),
        _ => caller.person,
    };
    Caller { person, operator: false, kind: CallerKind::Pseudonym, key: key.clone() }
}

/// Checks that an answer is remembered for whom the action is recorded as: an asset may have moved, since the request came in,
/// to a version in which it is anonymous, or no longer is.
pub(super) fn check_permit(permit: &Permit, is_anonymous: bool) -> Outcome<()> {
    match permit.kind() {
        Some(kind) if (kind == CallerKind::Pseudonym) != is_anonymous => {
            let what = "the asset has moved to another version of its Interlinker since this request came".into();
            Err(Trouble::Busy { what, retry_after_s: 1 })
        }
        _ => Ok(()),
    }
}

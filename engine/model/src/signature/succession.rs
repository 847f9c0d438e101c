//! That a key vouches for the one that comes after it: whoever trusts the first need not ask whose the second is.
//!
//! As with a component, what is signed is a sentence of its own, with both ids and the new key in it: it is no signature of
//! anything else, and no signature of anything else is one of it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::Signer as _;

use super::{KeyId, NamedKey, PrivateKey, PublicKey, Unreadable, bytes, fields};

/// What stands before the keys in what is signed.
const DOMAIN: &str = "interlink key succession 1\n";

/// The word of a key for its successor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Succession {
    /// The key that vouches.
    pub before: KeyId,
    /// The key that it vouches for.
    pub next: NamedKey,
    bytes: [u8; ed25519_dalek::SIGNATURE_LENGTH],
}

impl Succession {
    /// Reads `keyid=…; next=…; public=…; sig=…`.
    ///
    /// # Errors
    ///
    /// Where the line is no succession.
    pub fn parse(line: &str) -> Result<Self, Unreadable> {
        let shape = "keyid=ID; next=ID; public=BASE64; sig=BASE64";
        let [before, next, public, made] = fields(line, ["keyid", "next", "public", "sig"], shape)?;
        let next = NamedKey { id: KeyId::parse(next)?, key: PublicKey::parse(public)? };
        Ok(Self { before: KeyId::parse(before)?, next, bytes: bytes(made, "sig")? })
    }
}

impl fmt::Display for Succession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NamedKey { id, key } = &self.next;
        write!(f, "keyid={}; next={id}; public={key}; sig={}", self.before, BASE64.encode(self.bytes))
    }
}

impl PublicKey {
    /// Whether the key's other half, under this id, vouched for the successor.
    pub fn vouches_for(&self, succession: &Succession) -> bool {
        let made = ed25519_dalek::Signature::from_bytes(&succession.bytes);
        self.0.verify_strict(&sentence(&succession.before, &succession.next), &made).is_ok()
    }
}

impl PrivateKey {
    /// Vouches for the key that comes after this one.
    pub fn succeeded_by(&self, next: &NamedKey) -> Succession {
        let bytes = self.key.sign(&sentence(&self.id, next)).to_bytes();
        Succession { before: self.id.clone(), next: next.clone(), bytes }
    }
}

fn sentence(before: &KeyId, next: &NamedKey) -> Vec<u8> {
    format!("{DOMAIN}{before}\n{next}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str, seed: u8) -> PrivateKey {
        PrivateKey::new(KeyId::parse(id).expect("an id"), &[seed; 32])
    }

    #[test]
    fn a_key_vouches_for_one_successor_under_one_id_each() {
        let (old, new, other) = (key("town-2027", 1), key("town-2028", 2), key("town-2028", 3));
        let said = old.succeeded_by(&new.public());
        assert_eq!(Succession::parse(&format!("{said}\n")), Ok(said.clone()));
        assert!(old.public().key.vouches_for(&said));
        assert!(!new.public().key.vouches_for(&said), "nobody vouches for themselves");
        let changed = [
            Succession { next: other.public(), ..said.clone() },
            Succession { before: KeyId::parse("town-2026").expect("an id"), ..said.clone() },
            Succession { next: key("mine", 2).public(), ..said.clone() },
        ];
        assert!(changed.iter().all(|changed| !old.public().key.vouches_for(changed)), "{changed:?}");
        for place in 0..said.bytes.len() {
            let mut changed = said.clone();
            changed.bytes[place] ^= 1;
            assert!(!old.public().key.vouches_for(&changed), "byte {place} does not count");
        }
    }

    #[test]
    fn what_is_signed_of_one_thing_is_none_of_the_other() {
        let (old, new) = (key("old", 1), key("new", 2));
        let said = old.succeeded_by(&new.public());
        let text = String::from_utf8(sentence(&said.before, &said.next)).expect("text");
        let of_component = old.sign(&text);
        assert!(!old.public().key.vouches_for(&Succession { bytes: of_component.bytes, ..said }));
    }

    #[test]
    fn a_line_that_is_none_is_told_what_it_would_be() {
        let line = key("old", 1).succeeded_by(&key("new", 2).public()).to_string();
        for line in ["", "keyid=old; next=new", &line.replacen("next", "then", 1), "sig=a; keyid=b; next=c; public=d"] {
            assert!(matches!(Succession::parse(line), Err(Unreadable::Shape(_))), "{line}");
        }
        assert_eq!(Succession::parse(&line.replacen("=new", "=n e w", 1)), Err(Unreadable::Id));
        assert!(matches!(Succession::parse(&format!("{line}; more=x")), Err(Unreadable::Bytes { bytes: 64, .. })));
    }
}

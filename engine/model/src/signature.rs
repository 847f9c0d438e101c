//! Who vouches for a component: an Ed25519 signature over its digest.
//!
//! What is signed is a fixed sentence with the digest in it, so that a signature of a component is one of nothing else that
//! the same key signs. Keys and signatures are written as one line each, `name=value` with `; ` between, with bytes as
//! base64: that is what a header carries, and what lies in a file.

mod succession;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{SECRET_KEY_LENGTH, Signer, SigningKey, VerifyingKey};

pub use self::succession::Succession;

/// The longest id of a key, in bytes.
pub const KEY_ID_BYTES_MAX: usize = 64;
/// What stands before the digest in what is signed.
const DOMAIN: &str = "interlink component 1\n";

/// Why a key or a signature cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// A field is missing, or one that nobody knows is there.
    #[error("it is one line, `{0}`")]
    Shape(&'static str),
    /// The id is none.
    #[error("a key's id is letters, digits, `-`, `_` and `.`, at most {KEY_ID_BYTES_MAX}")]
    Id,
    /// The bytes are none of a key or a signature.
    #[error("`{field}` is base64 of {bytes} bytes")]
    Bytes {
        /// The field.
        field: &'static str,
        /// How many there have to be.
        bytes: usize,
    },
    /// Not every 32 bytes are a public key, and some that are vouch for anything.
    #[error("these 32 bytes are no public key that can be trusted")]
    Weak,
}

/// What a key is known by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId(String);

impl KeyId {
    /// Reads an id.
    ///
    /// # Errors
    ///
    /// Where it is empty, too long, or has other letters than an id has.
    pub fn parse(text: &str) -> Result<Self, Unreadable> {
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let fits = (1..=KEY_ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_letter);
        if fits { Ok(Self(text.to_owned())) } else { Err(Unreadable::Id) }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The half of a key that others have, to check what the other half signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Reads base64 of 32 bytes.
    ///
    /// # Errors
    ///
    /// Where it is none, or a key under which anybody can sign.
    pub fn parse(text: &str) -> Result<Self, Unreadable> {
        let key = VerifyingKey::from_bytes(&bytes(text, "public")?).map_err(|_| Unreadable::Weak)?;
        if key.is_weak() { Err(Unreadable::Weak) } else { Ok(Self(key)) }
    }

    /// Whether the key's other half signed the component of this digest.
    pub fn vouches(&self, digest: &str, signature: &Signature) -> bool {
        let made = ed25519_dalek::Signature::from_bytes(&signature.bytes);
        self.0.verify_strict(&signed(digest), &made).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(self.0.as_bytes()))
    }
}

/// A public key with its id, as its file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedKey {
    /// Its id.
    pub id: KeyId,
    /// The key.
    pub key: PublicKey,
}

impl NamedKey {
    /// Reads `keyid=…; public=…`.
    ///
    /// # Errors
    ///
    /// Where the line is no public key.
    pub fn parse(line: &str) -> Result<Self, Unreadable> {
        let [id, key] = fields(line, ["keyid", "public"], "keyid=ID; public=BASE64")?;
        Ok(Self { id: KeyId::parse(id)?, key: PublicKey::parse(key)? })
    }
}

impl fmt::Display for NamedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "keyid={}; public={}", self.id, self.key)
    }
}

/// The half of a key that signs, and that nobody else has. It is wiped from memory when it is dropped.
pub struct PrivateKey {
    id: KeyId,
    key: SigningKey,
}

impl PrivateKey {
    /// The key of 32 random bytes.
    pub fn new(id: KeyId, random: &[u8; SECRET_KEY_LENGTH]) -> Self {
        Self { id, key: SigningKey::from_bytes(random) }
    }

    /// Reads `keyid=…; private=…`.
    ///
    /// # Errors
    ///
    /// Where the line is no private key.
    pub fn parse(line: &str) -> Result<Self, Unreadable> {
        let [id, key] = fields(line, ["keyid", "private"], "keyid=ID; private=BASE64")?;
        Ok(Self::new(KeyId::parse(id)?, &bytes(key, "private")?))
    }

    /// The line of its file. Whoever has it can sign.
    pub fn secret_line(&self) -> String {
        format!("keyid={}; private={}", self.id, BASE64.encode(self.key.as_bytes()))
    }

    /// The half that others have.
    pub fn public(&self) -> NamedKey {
        NamedKey { id: self.id.clone(), key: PublicKey(self.key.verifying_key()) }
    }

    /// Signs the component of a digest.
    pub fn sign(&self, digest: &str) -> Signature {
        Signature { key: self.id.clone(), bytes: self.key.sign(&signed(digest)).to_bytes() }
    }
}

/// A signature of a component, and the id of the key that it claims to be made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The key.
    pub key: KeyId,
    bytes: [u8; ed25519_dalek::SIGNATURE_LENGTH],
}

impl Signature {
    /// Reads `keyid=…; sig=…`.
    ///
    /// # Errors
    ///
    /// Where the line is no signature.
    pub fn parse(line: &str) -> Result<Self, Unreadable> {
        let [id, made] = fields(line, ["keyid", "sig"], "keyid=ID; sig=BASE64")?;
        Ok(Self { key: KeyId::parse(id)?, bytes: bytes(made, "sig")? })
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "keyid={}; sig={}", self.key, BASE64.encode(self.bytes))
    }
}

fn signed(digest: &str) -> Vec<u8> {
    format!("{DOMAIN}{digest}").into_bytes()
}

/// The values of a line that has these fields, in this order, and no others.
fn fields<'a, const N: usize>(
    line: &'a str,
    names: [&str; N],
    shape: &'static str,
) -> Result<[&'a str; N], Unreadable> {
    let parts: Vec<&str> = line.trim().splitn(N, ';').collect();
    let value = |(field, name): (&&'a str, &str)| field.trim().strip_prefix(name)?.strip_prefix('=');
    let values: Option<Vec<_>> = parts.iter().zip(names).map(value).collect();
    values.and_then(|values| values.try_into().ok()).ok_or(Unreadable::Shape(shape))
}

fn bytes<const N: usize>(text: &str, field: &'static str) -> Result<[u8; N], Unreadable> {
    let decoded = BASE64.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    decoded.ok_or(Unreadable::Bytes { field, bytes: N })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

    fn key(id: &str, seed: u8) -> PrivateKey {
        PrivateKey::new(KeyId::parse(id).expect("an id"), &[seed; SECRET_KEY_LENGTH])
    }

    #[test]
    fn keys_and_signatures_read_back_from_their_line() {
        let private = key("town-2027", 7);
        let again = PrivateKey::parse(&private.secret_line()).expect("its own line");
        assert_eq!(again.public(), private.public());
        assert_eq!(NamedKey::parse(&private.public().to_string()), Ok(private.public()));
        let signature = private.sign(DIGEST);
        assert_eq!(Signature::parse(&format!("  {signature}\n")), Ok(signature.clone()));
        assert!(private.public().key.vouches(DIGEST, &signature));
    }

    #[test]
    fn a_signature_is_of_one_digest_by_one_key() {
        let (private, other) = (key("a", 1), key("a", 2));
        let signature = private.sign(DIGEST);
        assert!(!private.public().key.vouches(&DIGEST.replace("sha256:00", "sha256:01"), &signature));
        assert!(!other.public().key.vouches(DIGEST, &signature), "the id says nothing");
        for place in 0..signature.bytes.len() {
            let mut changed = signature.clone();
            changed.bytes[place] ^= 1;
            assert!(!private.public().key.vouches(DIGEST, &changed), "byte {place} does not count");
        }
    }

    #[test]
    fn what_the_key_signs_elsewhere_is_no_signature_of_a_component() {
        let private = key("a", 1);
        let bare = private.key.sign(DIGEST.as_bytes()).to_bytes();
        let signature = Signature { key: private.id.clone(), bytes: bare };
        assert!(!private.public().key.vouches(DIGEST, &signature));
    }

    #[test]
    fn a_line_that_is_none_is_refused_with_what_it_would_be() {
        let good = key("a", 1).sign(DIGEST).to_string();
        let long = "k".repeat(KEY_ID_BYTES_MAX);
        assert!(Signature::parse(&good.replacen("keyid=a", &format!("keyid={long}"), 1)).is_ok());
        let ids = ["", &format!("{long}k"), "a b", "é", "a/b"].map(|id| good.replacen("=a", &format!("={id}"), 1));
        assert!(ids.iter().all(|line| Signature::parse(line) == Err(Unreadable::Id)), "{ids:?}");
        for line in ["", "keyid=a", "sig=a; keyid=a", &good.replacen("sig", "signature", 1)] {
            assert!(matches!(Signature::parse(line), Err(Unreadable::Shape(_))), "{line}");
        }
        for line in [&good[..good.len() - 4], &format!("{good}; sig=x"), "keyid=a; sig="] {
            assert!(matches!(Signature::parse(line), Err(Unreadable::Bytes { bytes: 64, .. })), "{line}");
        }
        assert!(matches!(PublicKey::parse("AAAA"), Err(Unreadable::Bytes { bytes: 32, .. })));
    }

    #[test]
    fn a_public_key_under_which_anybody_can_sign_is_refused() {
        // The neutral element of the curve, and a point of order two.
        for first in [[1, 0], [0xec, 0x7f]] {
            let mut point = if first[0] == 1 { [0; 32] } else { [0xff; 32] };
            (point[0], point[31]) = (first[0], first[1]);
            assert_eq!(PublicKey::parse(&BASE64.encode(point)), Err(Unreadable::Weak));
        }
    }
}

//! Values that only a key opens.
//!
//! What people write is sealed before it is written anywhere, so that destroying a key erases it. The rules never look
//! into a sealed value: `decide` puts it in open, the runtime closes it before the event is applied, and replay gives
//! the same state whether the key still exists or not.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A value that is open (just come in, or just opened) or closed (as it is written).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sealed<T> {
    /// The value itself. It cannot be written: encoding it as MessagePack is an error.
    Open(T),
    /// Nonce and ciphertext.
    Closed(Vec<u8>),
}

impl<T> Sealed<T> {
    /// The value, if it is open.
    pub fn opened(&self) -> Option<&T> {
        match self {
            Self::Open(value) => Some(value),
            Self::Closed(_) => None,
        }
    }
}

/// A sealed field, whatever its type: what the runtime's sealing goes through.
pub trait SealedField {
    /// Replaces the open value by what `close` makes of its bytes. A closed one stays as it is.
    fn close(&mut self, close: &mut dyn FnMut(&[u8]) -> Vec<u8>);
    /// Replaces the closed value by what `open` makes of its bytes; stays closed where that is nothing.
    fn open(&mut self, open: &mut dyn FnMut(&[u8]) -> Option<Vec<u8>>);
}

impl<T: Serialize + DeserializeOwned> SealedField for Sealed<T> {
    fn close(&mut self, close: &mut dyn FnMut(&[u8]) -> Vec<u8>) {
        if let Self::Open(value) = self {
            let bytes = rmp_serde::to_vec_named(value).expect("texts, bytes and JSON encode");
            *self = Self::Closed(close(&bytes));
        }
    }

    fn open(&mut self, open: &mut dyn FnMut(&[u8]) -> Option<Vec<u8>>) {
        if let Self::Closed(closed) = self
            && let Some(value) = open(closed).and_then(|bytes| rmp_serde::from_slice(&bytes).ok())
        {
            *self = Self::Open(value);
        }
    }
}

/// For people (JSON) an open value is itself and a closed one is null; on disk (MessagePack) only a closed one exists.
impl<T: Serialize> Serialize for Sealed<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self, serializer.is_human_readable()) {
            (Self::Open(value), true) => value.serialize(serializer),
            (Self::Closed(_), true) => serializer.serialize_none(),
            (Self::Closed(bytes), false) => serializer.serialize_bytes(bytes),
            (Self::Open(_), false) => Err(serde::ser::Error::custom("a value that is not sealed is never written")),
        }
    }
}

impl<'de, T> Deserialize<'de> for Sealed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde_bytes::ByteBuf::deserialize(deserializer).map(|bytes| Self::Closed(bytes.into_vec()))
    }
}

/// Something with sealed fields.
pub trait SealedFields {
    /// Calls `each` with every sealed field and its name, in the same order every time.
    fn sealed_fields(&mut self, each: &mut dyn FnMut(&'static str, &mut dyn SealedField));
}

/// A field that holds sealed values: one, or several.
pub trait Holds {
    /// Calls `each` with every sealed value in the field.
    fn visit(&mut self, name: &'static str, each: &mut dyn FnMut(&'static str, &mut dyn SealedField));
}

impl<T: Serialize + DeserializeOwned> Holds for Sealed<T> {
    fn visit(&mut self, name: &'static str, each: &mut dyn FnMut(&'static str, &mut dyn SealedField)) {
        each(name, self);
    }
}

impl<H: Holds> Holds for Option<H> {
    fn visit(&mut self, name: &'static str, each: &mut dyn FnMut(&'static str, &mut dyn SealedField)) {
        if let Some(held) = self {
            held.visit(name, each);
        }
    }
}

impl<H: Holds> Holds for Vec<H> {
    fn visit(&mut self, name: &'static str, each: &mut dyn FnMut(&'static str, &mut dyn SealedField)) {
        self.iter_mut().for_each(|held| held.visit(name, each));
    }
}

/// Visits a field.
pub fn visit(field: &mut impl Holds, name: &'static str, each: &mut dyn FnMut(&'static str, &mut dyn SealedField)) {
    field.visit(name, each);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_value_is_never_written() {
        let mut comment = Sealed::Open("agreed".to_owned());
        assert!(rmp_serde::to_vec_named(&comment).is_err());
        comment.close(&mut |bytes| bytes.iter().rev().copied().collect());
        let written = rmp_serde::to_vec_named(&comment).expect("a closed value is written");
        let mut read: Sealed<String> = rmp_serde::from_slice(&written).expect("and read");
        read.open(&mut |_| None);
        assert_eq!(read.opened(), None, "without its key it stays closed");
        read.open(&mut |bytes| Some(bytes.iter().rev().copied().collect()));
        assert_eq!(read.opened().map(String::as_str), Some("agreed"));
        assert_eq!(serde_json::to_value(&read).expect("JSON"), "agreed");
    }
}

//! Facts, and the envelope in which they are written.
//!
//! A fact is never changed once it is written. The envelope is one MessagePack map of `kind`, `v`, `at`, `actor`,
//! `correlation`, `causation` and `data`; stream, version, process and key number stand in the record's head.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::id::{Micros, PersonId};
use crate::sealed::SealedFields;

/// Who did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// A person, as a member.
    Person(PersonId),
    /// The server itself.
    System,
    /// A person, as an operator.
    Operator(PersonId),
    /// Somebody in a secret ballot: an HMAC of the person under a secret of the asset.
    Pseudonym(Uuid),
    /// Somebody whom a service serves, and who need not be known here: an id drawn for a visit.
    Visitor(PersonId),
}

impl Actor {
    /// The person, where it is known who it was. A visitor is nobody who takes part.
    pub fn person(self) -> Option<PersonId> {
        match self {
            Self::Person(person) | Self::Operator(person) => Some(person),
            Self::System | Self::Pseudonym(_) | Self::Visitor(_) => None,
        }
    }
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Person(person) | Self::Operator(person) => person.fmt(f),
            Self::System => f.write_str("system"),
            Self::Pseudonym(id) => write!(f, "pseudonym:{id}"),
            Self::Visitor(id) => write!(f, "visitor:{id}"),
        }
    }
}

/// When, by whom and because of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The deciding clock; never decreasing within a stream.
    pub at: Micros,
    /// Who did it.
    pub actor: Actor,
    /// What belongs together: the request that led to it.
    pub correlation: Option<Uuid>,
    /// What led to it directly.
    pub causation: Option<Uuid>,
}

/// A kind of event: an enum of facts with their names.
pub trait Event: SealedFields + Sized {
    /// The name under which the fact is written.
    fn kind(&self) -> &'static str;
    /// Version of the fact's form.
    fn form(&self) -> u16;
    /// Writes the envelope with this fact.
    fn encode(&self, stamp: &Stamp) -> Result<Vec<u8>, rmp_serde::encode::Error>;
    /// Reads the fact of a body whose envelope names it.
    fn decode(kind: &str, form: u16, body: &[u8]) -> Result<Self, Unreadable>;
    /// The fact's fields as JSON, sealed ones as they are.
    fn data(&self) -> serde_json::Value;
}

/// Why a body is not an event that this server understands.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Not the form of an envelope, or of the fact that it names.
    #[error("not an event: {0}")]
    Form(#[from] rmp_serde::decode::Error),
    /// A kind or version that this server does not know: its stream takes no work rather than skipping it.
    #[error("this server does not know event `{kind}` in form {form}")]
    Unknown {
        /// The kind.
        kind: String,
        /// The version of its form.
        form: u16,
    },
}

#[derive(Serialize)]
struct Written<'a, D> {
    kind: &'a str,
    v: u16,
    at: Micros,
    actor: Actor,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    causation: Option<Uuid>,
    data: &'a D,
}

#[derive(Deserialize)]
struct Read {
    kind: String,
    v: u16,
    at: Micros,
    actor: Actor,
    #[serde(default)]
    correlation: Option<Uuid>,
    #[serde(default)]
    causation: Option<Uuid>,
}

#[derive(Deserialize)]
struct Data<D> {
    data: D,
}

/// Writes an envelope.
pub fn encode<D: Serialize>(
    kind: &str,
    form: u16,
    stamp: &Stamp,
    data: &D,
) -> Result<Vec<u8>, rmp_serde::encode::Error> {
    let Stamp { at, actor, correlation, causation } = *stamp;
    let mut body = Vec::with_capacity(256);
    let written = Written { kind, v: form, at, actor, correlation, causation, data };
    written.serialize(&mut rmp_serde::Serializer::new(&mut body).with_struct_map())?;
    Ok(body)
}

/// Reads what every envelope has: kind, form and stamp.
pub fn envelope(body: &[u8]) -> Result<(String, u16, Stamp), Unreadable> {
    let Read { kind, v, at, actor, correlation, causation } = rmp_serde::from_slice(body)?;
    Ok((kind, v, Stamp { at, actor, correlation, causation }))
}

/// Reads the `data` of an envelope.
pub fn data<D: DeserializeOwned>(body: &[u8]) -> Result<D, Unreadable> {
    Ok(rmp_serde::from_slice::<Data<D>>(body)?.data)
}

/// Reads an event of a known family with its stamp.
pub fn decode<E: Event>(body: &[u8]) -> Result<(E, Stamp), Unreadable> {
    let (kind, form, stamp) = envelope(body)?;
    Ok((E::decode(&kind, form, body)?, stamp))
}

/// Declares a family of events: an enum, one struct for each fact, and how they are written.
#[macro_export]
macro_rules! events {
    (
        $(#[$doc:meta])* $family:ident {
            $($(#[$fact_doc:meta])* $fact:ident $fields:tt sealed($($sealed:ident),*) $(form $form:literal)?),* $(,)?
        }
    ) => {
        $(#[$doc])*
        #[allow(clippy::large_enum_variant, reason = "events are few at a time, and a box would cost each of them")]
        #[derive(Debug, Clone, PartialEq)]
        pub enum $family {
            $($(#[$fact_doc])* $fact($fact)),*
        }

        $(
            $(#[$fact_doc])*
            #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
            pub struct $fact $fields

            impl $fact {
                /// Version of this fact's form; earlier ones are lifted to it when they are read.
                pub const FORM: u16 = {
                    let first = 1;
                    let forms: &[u16] = &[first, $($form)?];
                    forms[forms.len() - 1]
                };
            }

            impl From<$fact> for $family {
                fn from(fact: $fact) -> Self {
                    Self::$fact(fact)
                }
            }

            impl $crate::sealed::SealedFields for $fact {
                #[allow(unused_variables)]
                fn sealed_fields(
                    &mut self,
                    each: &mut dyn FnMut(&'static str, &mut dyn $crate::sealed::SealedField),
                ) {
                    $($crate::sealed::visit(&mut self.$sealed, stringify!($sealed), each);)*
                }
            }
        )*

        impl $crate::sealed::SealedFields for $family {
            fn sealed_fields(&mut self, each: &mut dyn FnMut(&'static str, &mut dyn $crate::sealed::SealedField)) {
                match self {
                    $(Self::$fact(fact) => fact.sealed_fields(each)),*
                }
            }
        }

        impl $crate::event::Event for $family {
            fn kind(&self) -> &'static str {
                match self {
                    $(Self::$fact(_) => stringify!($fact)),*
                }
            }

            fn form(&self) -> u16 {
                match self {
                    $(Self::$fact(_) => $fact::FORM),*
                }
            }

            fn encode(&self, stamp: &$crate::event::Stamp) -> Result<Vec<u8>, rmp_serde::encode::Error> {
                match self {
                    $(Self::$fact(fact) => $crate::event::encode(stringify!($fact), $fact::FORM, stamp, fact)),*
                }
            }

            fn decode(kind: &str, form: u16, body: &[u8]) -> Result<Self, $crate::event::Unreadable> {
                match kind {
                    $(stringify!($fact) if form == $fact::FORM => Ok(Self::$fact($crate::event::data(body)?)),)*
                    $(stringify!($fact) if form < $fact::FORM => {
                        let lifted = $crate::upcast::lift(kind, form, $fact::FORM, body)?;
                        Ok(Self::$fact($crate::event::data(&lifted)?))
                    })*
                    _ => Err($crate::event::Unreadable::Unknown { kind: kind.into(), form }),
                }
            }

            fn data(&self) -> serde_json::Value {
                match self {
                    $(Self::$fact(fact) => serde_json::to_value(fact).unwrap_or_default()),*
                }
            }
        }
    };
}

//! Names of things. Each is a type of its own, so that one cannot be taken for another.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// The id that a text stands for, if it stands for one.
            pub fn parse(text: &str) -> Option<Self> {
                Uuid::try_parse(text).ok().map(Self)
            }

            /// Its 16 bytes.
            pub fn bytes(self) -> [u8; 16] {
                self.0.into_bytes()
            }

            /// The id of 16 bytes.
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

ids! {
    /// A process: UUIDv7, so that ids sort in the order of creation.
    ProcessId,
    /// An asset: UUIDv7.
    AssetId,
    /// A person: UUIDv4, so that nothing can be read from it.
    PersonId,
    /// Something that failed past its policy: UUIDv7.
    IncidentId,
    /// A call that asks the world outside its asset: UUIDv7.
    CallId,
    /// An organization: UUIDv7.
    OrganizationId,
}

/// What a stream of events is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum StreamKind {
    /// A process.
    Process = b'p',
    /// An asset.
    Asset = b'a',
    /// What was looked at, refused or failed in a process: it moves no version of the process itself.
    Usage = b'u',
    /// A person.
    Person = b'h',
    /// From a login to its person; the id is an HMAC of issuer and login.
    Login = b'l',
    /// A schema with its versions; the id is drawn from its name.
    Schema = b's',
    /// An entry of the catalogue with its versions; the id is drawn from its name.
    Interlinker = b'i',
    /// A problem profile; the id is drawn from its name.
    ProblemProfile = b'q',
    /// A provisioned service; the id is drawn from its name.
    Service = b'v',
    /// An answer that is remembered under an idempotency key; the id is an HMAC of the key's scope.
    Answer = b'k',
    /// Checkpoints of the journal.
    Checkpoint = b'c',
    /// Snapshots of a process.
    Snapshot = b'n',
    /// A call that asks the world outside its asset.
    Call = b'x',
    /// A secret; the id is drawn from its name.
    Secret = b'z',
    /// A key whose signatures are trusted, the id is drawn from its id; or what is asked of signatures.
    Trust = b't',
    /// An organization.
    Organization = b'o',
}

impl StreamKind {
    /// The kind that a byte stands for.
    pub fn from_byte(byte: u8) -> Option<Self> {
        use StreamKind::*;
        let all = [
            Process,
            Asset,
            Usage,
            Person,
            Login,
            Schema,
            Interlinker,
            ProblemProfile,
            Service,
            Answer,
            Checkpoint,
            Snapshot,
            Call,
            Secret,
            Trust,
            Organization,
        ];
        all.into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// The namespace of ids drawn from names (UUIDv5).
const NAMES: Uuid = Uuid::from_u128(0x8f2c_5d0a_71b4_4e0e_9d3c_6a55_1e0b_94d7);

/// The id of a named thing: the same name gives the same stream, so that a name is unique because its stream is.
pub fn named(kind: StreamKind, name: &str) -> [u8; 16] {
    Uuid::new_v5(&NAMES, format!("{}:{name}", kind as u8 as char).as_bytes()).into_bytes()
}

/// A moment: microseconds since 1970, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Micros(pub i64);

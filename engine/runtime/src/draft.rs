//! Events on their way to the journal: stamped, sealed, encoded.

use interlink_journal::{Body, NewRecord, RecordKind, Stream};
use interlink_model::event::{Event, Stamp, Unreadable};
use interlink_model::facts::*;
use interlink_model::id::{ProcessId, StreamKind};
use interlink_model::sealed::SealedFields;

use crate::ambient::Ambient;
use crate::keys::SealingKey;

/// An event of any family.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each names its family")]
pub enum AnyEvent {
    Process(ProcessEvent),
    Asset(AssetEvent),
    Usage(UsageEvent),
    Person(PersonEvent),
    Login(LoginEvent),
    Schema(SchemaEvent),
    Interlinker(InterlinkerEvent),
    ProblemProfile(ProblemProfileEvent),
    Service(ServiceEvent),
    Call(CallEvent),
    Secret(SecretEvent),
    Trust(TrustEvent),
    Organization(OrganizationEvent),
}

macro_rules! each_family {
    ($event:expr, $bound:ident => $do:expr) => {
        match $event {
            AnyEvent::Process($bound) => $do,
            AnyEvent::Asset($bound) => $do,
            AnyEvent::Usage($bound) => $do,
            AnyEvent::Person($bound) => $do,
            AnyEvent::Login($bound) => $do,
            AnyEvent::Schema($bound) => $do,
            AnyEvent::Interlinker($bound) => $do,
            AnyEvent::ProblemProfile($bound) => $do,
            AnyEvent::Service($bound) => $do,
            AnyEvent::Call($bound) => $do,
            AnyEvent::Secret($bound) => $do,
            AnyEvent::Trust($bound) => $do,
            AnyEvent::Organization($bound) => $do,
        }
    };
}

impl AnyEvent {
    /// The name under which the fact is written.
    pub fn kind(&self) -> &'static str {
        each_family!(self, event => event.kind())
    }

    /// The fact's fields as JSON, sealed ones null.
    pub fn data(&self) -> serde_json::Value {
        each_family!(self, event => event.data())
    }

    fn encode(&self, stamp: &Stamp) -> Vec<u8> {
        each_family!(self, event => event.encode(stamp)).expect("an event whose fields are sealed encodes")
    }

    /// Reads the event of a record by its stream's kind; `None` for streams that hold no events.
    pub fn decode(stream: &Stream, body: &[u8]) -> Result<Option<(Self, Stamp)>, Unreadable> {
        use interlink_model::event::decode;
        let Some(kind) = StreamKind::from_byte(stream.kind) else { return Ok(None) };
        Ok(Some(match kind {
            StreamKind::Process => decode(body).map(|(event, stamp)| (Self::Process(event), stamp))?,
            StreamKind::Asset => decode(body).map(|(event, stamp)| (Self::Asset(event), stamp))?,
            StreamKind::Usage => decode(body).map(|(event, stamp)| (Self::Usage(event), stamp))?,
            StreamKind::Person => decode(body).map(|(event, stamp)| (Self::Person(event), stamp))?,
            StreamKind::Login => decode(body).map(|(event, stamp)| (Self::Login(event), stamp))?,
            StreamKind::Schema => decode(body).map(|(event, stamp)| (Self::Schema(event), stamp))?,
            StreamKind::Interlinker => decode(body).map(|(event, stamp)| (Self::Interlinker(event), stamp))?,
            StreamKind::ProblemProfile => decode(body).map(|(event, stamp)| (Self::ProblemProfile(event), stamp))?,
            StreamKind::Service => decode(body).map(|(event, stamp)| (Self::Service(event), stamp))?,
            StreamKind::Call => decode(body).map(|(event, stamp)| (Self::Call(event), stamp))?,
            StreamKind::Secret => decode(body).map(|(event, stamp)| (Self::Secret(event), stamp))?,
            StreamKind::Trust => decode(body).map(|(event, stamp)| (Self::Trust(event), stamp))?,
            StreamKind::Organization => decode(body).map(|(event, stamp)| (Self::Organization(event), stamp))?,
            StreamKind::Answer | StreamKind::Checkpoint | StreamKind::Snapshot => return Ok(None),
        }))
    }

    /// Closes every open field under a key; what it belongs to is the stream and the field.
    pub fn close(&mut self, ambient: &dyn Ambient, stream: &Stream, key: &SealingKey) {
        self.sealed_fields(&mut |name, field| {
            field.close(&mut |plain| key.seal(ambient, &[&[stream.kind], &stream.id, name.as_bytes()], plain));
        });
    }

    /// Opens every closed field that the key opens.
    pub fn open(&mut self, stream: &Stream, key: &SealingKey) {
        self.sealed_fields(&mut |name, field| {
            field.open(&mut |sealed| key.open(&[&[stream.kind], &stream.id, name.as_bytes()], sealed));
        });
    }
}

impl SealedFields for AnyEvent {
    fn sealed_fields(&mut self, each: &mut dyn FnMut(&'static str, &mut dyn interlink_model::sealed::SealedField)) {
        each_family!(self, event => event.sealed_fields(each));
    }
}

/// An event with its place, ready to be written.
#[derive(Debug, Clone)]
pub struct Written {
    /// Its stream.
    pub stream: Stream,
    /// Its version there.
    pub version: u64,
    /// The process to which it belongs.
    pub process: Option<ProcessId>,
    /// Number of the key of its sealed fields.
    pub key: u64,
    /// When, by whom, because of what.
    pub stamp: Stamp,
    /// The fact.
    pub event: AnyEvent,
}

impl Written {
    /// The record of this event.
    pub fn record(&self) -> NewRecord {
        NewRecord {
            stream: self.stream,
            version: self.version,
            process: self.process.map(ProcessId::bytes).unwrap_or_default(),
            kind: RecordKind::Event,
            key: self.key,
            body: Body::new(self.event.encode(&self.stamp)),
        }
    }
}

/// The stream of a thing.
pub fn stream(kind: StreamKind, id: [u8; 16]) -> Stream {
    Stream { kind: kind as u8, id }
}

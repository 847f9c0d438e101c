//! People: random ids behind sealed logins.
//!
//! A login leads to its person through a stream whose id is an HMAC of issuer and login, created at version 0: two first
//! requests cannot make two people. Everything else knows a person by the random id, so that erasing the person's key
//! leaves a history of nobody.

use interlink_journal::Position;
use interlink_model::event::{Actor, decode};
use interlink_model::facts::{LoginEvent, LoginLinked, PersonEvent, PersonRegistered};
use interlink_model::id::{PersonId, StreamKind};
use interlink_model::sealed::Sealed;

use crate::ambient::person_id;
use crate::core::{Core, settled};
use crate::draft::{AnyEvent, Written, stream};
use crate::error::{Outcome, Trouble};
use crate::keys::{KeyError, SealingKey, mac_id};
use crate::state::{Value, key, table};
use crate::usage::bytes_of;

/// Somebody who asks for something.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who.
    pub person: PersonId,
    /// Whether as an operator.
    pub operator: bool,
    pub(crate) kind: CallerKind,
    pub(crate) key: SealingKey,
}

/// As what somebody asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallerKind {
    /// As somebody who is known here.
    Member,
    /// At a service's door, as nobody who is known here.
    Visitor,
    /// Under a pseudonym, for an anonymous action of one asset.
    Pseudonym,
}

impl Caller {
    /// Who it is recorded as.
    pub fn actor(&self) -> Actor {
        match (self.kind, self.operator) {
            (CallerKind::Visitor, _) => Actor::Visitor(self.person),
            (CallerKind::Pseudonym, _) => Actor::Pseudonym(uuid::Uuid::from_bytes(self.person.bytes())),
            (CallerKind::Member, true) => Actor::Operator(self.person),
            (CallerKind::Member, false) => Actor::Person(self.person),
        }
    }
}

/// Locks of people's marks.
const MARKING: usize = 32;

/// Makes people, one at a time.
#[derive(Default)]
pub(crate) struct People {
    making: tokio::sync::Mutex<()>,
    /// Each for many people.
    marking: [tokio::sync::Mutex<()>; MARKING],
}

fn key_trouble(error: KeyError) -> Trouble {
    Trouble::Unknown(error.to_string())
}

impl People {
    /// Held while what a person has read is written.
    pub fn marking(&self, person: PersonId) -> &tokio::sync::Mutex<()> {
        let [.., last] = person.bytes();
        &self.marking[usize::from(last) % MARKING]
    }

    /// The person of a login, made where it is new.
    pub async fn caller(&self, core: &Core, issuer: &str, login: &str, operator: bool) -> Outcome<Caller> {
        let secret = &core.keys.secrets().logins;
        let id = mac_id(secret, &[issuer.as_bytes(), b"\0", login.as_bytes()]);
        if let Some(known) = find(core, id, operator)? {
            return Ok(known);
        }
        let _making = self.making.lock().await;
        if let Some(known) = find(core, id, operator)? {
            return Ok(known);
        }
        let person = person_id(&*core.ambient);
        let key = core.keys.draw().map_err(key_trouble)?;
        let caller = Caller { person, operator, kind: CallerKind::Member, key };
        let stamp = core.stamp(core.now(), Actor::Person(person));
        let person_stream = stream(StreamKind::Person, person.bytes());
        let registered = PersonRegistered { issuer: issuer.into(), login: Sealed::Open(login.into()) };
        let mut registered = AnyEvent::Person(registered.into());
        registered.close(&*core.ambient, &person_stream, &caller.key);
        let linked = AnyEvent::Login(LoginLinked { person }.into());
        let login_stream = stream(StreamKind::Login, id);
        let written = [(person_stream, registered), (login_stream, linked)].map(|(stream, event)| Written {
            stream,
            version: 0,
            process: None,
            key: caller.key.number,
            stamp,
            event,
        });
        let state = std::sync::Arc::clone(&core.state);
        let number = caller.key.number;
        let fate = core.commit(&written, None, move |first| {
            if let Some(first) = first {
                state.put(first + 1, [login_row(id, person, number)]);
            }
        });
        settled(fate).await?;
        Ok(caller)
    }
}

/// The row that leads from a login to its person.
pub(crate) fn login_row(login: [u8; 16], person: PersonId, key_number: u64) -> (Vec<u8>, Value) {
    let value = [&person.bytes()[..], &key_number.to_be_bytes()].concat();
    (key(table::LOGIN, &[&login]), Value::bytes(value))
}

fn find(core: &Core, login: [u8; 16], operator: bool) -> Outcome<Option<Caller>> {
    let row = core.state.get(&key(table::LOGIN, &[&login])).map(|found| bytes_of(&found));
    let known = row.as_deref().and_then(|row| {
        let (person, number) = row.split_first_chunk::<16>()?;
        Some((PersonId::from_bytes(*person), u64::from_be_bytes(number.try_into().ok()?)))
    });
    let known = match known {
        Some(known) => Some(known),
        None => from_journal(core, login)?,
    };
    let Some((person, number)) = known else { return Ok(None) };
    let key = core.keys.key(number).map_err(key_trouble)?;
    Ok(Some(Caller { person, operator, kind: CallerKind::Member, key }))
}

fn from_journal(core: &Core, login: [u8; 16]) -> Outcome<Option<(PersonId, u64)>> {
    let stream = stream(StreamKind::Login, login);
    if core.head(&stream)?.is_none() {
        return Ok(None);
    }
    let records = core.journal.read_stream(&stream, 0, Position::MAX);
    let damaged = || Trouble::Damaged { what: "login", id: stream.to_string() };
    let records = records.map_err(|error| Trouble::of_read(error, "login", &stream))?;
    let record = records.first().ok_or_else(damaged)?;
    let (LoginEvent::LoginLinked(linked), _) = decode(&record.body).map_err(|_| damaged())?;
    Ok(Some((linked.person, record.key)))
}

/// The login that a person came with, for themselves.
pub(crate) fn login_of(core: &Core, caller: &Caller) -> Option<String> {
    let stream = stream(StreamKind::Person, caller.person.bytes());
    let first = core.journal.position_of(&stream, 0).ok()??;
    let records = core.journal.read_back(&stream, 0, first).ok()?;
    let (event, _) = decode::<PersonEvent>(&records.first()?.body).ok()?;
    let mut event = AnyEvent::Person(event);
    event.open(&stream, &caller.key);
    let AnyEvent::Person(PersonEvent::PersonRegistered(registered)) = event else { return None };
    registered.login.opened().cloned()
}

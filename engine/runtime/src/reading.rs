//! What people have read of what they were told: facts of theirs, and two indexes over them.
//!
//! Everything up to a position is one row; what was read apart from that is a row each, which goes once everything up to it is
//! read. Marking again what is marked writes nothing.

use interlink_journal::Position;
use interlink_model::facts::NoticesRead;
use interlink_model::id::{PersonId, StreamKind};

use crate::core::{Core, settled};
use crate::draft::{AnyEvent, Written, stream};
use crate::engine::Engine;
use crate::error::{Outcome, Trouble};
use crate::gate::{Answer, Permit};
use crate::notices;
use crate::people::Caller;
use crate::state::{State, Value, key, table};
use crate::usage::bytes_of;

/// Notifications that one request marks one by one.
pub const MARKED_AT_ONCE_MAX: usize = 100;
/// Unread notifications that are counted.
pub const UNREAD_COUNTED_MAX: usize = 1_000;
/// Rows that are looked at in one go.
const ROWS: usize = 256;

/// What somebody has read, by the positions of notices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Marks {
    /// All up to this one.
    UpTo(Position),
    /// These.
    Each(Vec<Position>),
}

fn read_key(person: PersonId, position: Position) -> Vec<u8> {
    key(table::READ, &[&person.bytes(), &(u64::MAX - position).to_be_bytes()])
}

fn until_key(person: PersonId) -> Vec<u8> {
    key(table::READ_UNTIL, &[&person.bytes()])
}

fn until(state: &State, person: PersonId) -> Option<Position> {
    let row = bytes_of(&state.get(&until_key(person))?);
    Some(u64::from_be_bytes(row.get(..8)?.try_into().ok()?))
}

/// Whether somebody has read what they were told at a position.
pub(crate) fn is_read(state: &State, person: PersonId, position: Position) -> bool {
    until(state, person).is_some_and(|until| position <= until) || state.get(&read_key(person, position)).is_some()
}

/// Puts what somebody has read into the state.
pub(crate) fn put(state: &State, position: Position, person: PersonId, read: &NoticesRead) {
    let mark = |each: &Position| (read_key(person, *each), Value::bytes([]));
    state.put(position, read.each.iter().map(mark));
    let Some(until) = read.until else { return };
    state.put(position, [(until_key(person), Value::bytes(until.to_be_bytes()))]);
    let prefix = key(table::READ, &[&person.bytes()]);
    // Newer ones come first: what is behind the first that is newer than this is read with it.
    let behind = until.checked_add(1).map(|newer| read_key(person, newer));
    let rows = state.scan(&prefix, behind.as_deref(), usize::MAX);
    state.put(position, rows.into_iter().map(|(row_key, _)| (row_key, Value::Gone)));
}

/// How much somebody has not read, counted up to [`UNREAD_COUNTED_MAX`].
pub(crate) fn unread(state: &State, person: PersonId) -> usize {
    let (prefix, until) = (key(table::NOTICE, &[&person.bytes()]), until(state, person));
    let (mut after, mut unread): (Option<Vec<u8>>, usize) = (None, 0);
    loop {
        let rows = state.scan(&prefix, after.as_deref(), ROWS);
        for (row_key, _) in &rows {
            let Some((_, newest_first)) = row_key.split_last_chunk::<8>() else { continue };
            let position = u64::MAX - u64::from_be_bytes(*newest_first);
            if until.is_some_and(|until| position <= until) {
                return unread;
            }
            unread += usize::from(state.get(&read_key(person, position)).is_none());
            if unread >= UNREAD_COUNTED_MAX {
                return unread;
            }
        }
        match rows.last() {
            Some((last, _)) if rows.len() == ROWS => after = Some(last.clone()),
            _ => return unread,
        }
    }
}

/// What is to be written down of marks; nothing where all of it is known. What was never told cannot be read.
fn news(core: &Core, person: PersonId, marks: Marks) -> Outcome<Option<NoticesRead>> {
    let state = &core.state;
    let was_told = |position: &Position| match state.get(&notices::row_key(person, *position)) {
        Some(_) => Ok(()),
        None => Err(Trouble::NotFound { what: "notification", id: position.to_string() }),
    };
    match marks {
        Marks::UpTo(position) => {
            was_told(&position)?;
            let is_known = until(state, person).is_some_and(|until| position <= until);
            Ok((!is_known).then(|| NoticesRead { until: Some(position), each: Vec::new() }))
        }
        Marks::Each(mut each) => {
            each.iter().try_for_each(was_told)?;
            each.sort_unstable();
            each.dedup();
            each.retain(|position| !is_read(state, person, *position));
            Ok((!each.is_empty()).then_some(NoticesRead { until: None, each }))
        }
    }
}

impl Engine {
    /// Whether somebody has read what they were told at a position.
    pub fn is_read(&self, caller: &Caller, position: Position) -> bool {
        is_read(&self.core.state, caller.person, position)
    }

    /// How much of what they were told somebody has not read; so many are counted.
    pub fn unread(&self, caller: &Caller) -> usize {
        unread(&self.core.state, caller.person)
    }

    /// Notes what somebody has read, once.
    pub async fn mark_read(&self, caller: &Caller, marks: Marks, answer: &Answer, permit: &Permit) -> Outcome<()> {
        let (core, person) = (&self.core, caller.person);
        let _marking = self.people.marking(person).lock().await;
        let Some(read) = news(core, person, marks)? else { return Ok(()) };
        let at = stream(StreamKind::Person, person.bytes());
        let head = core.head(&at)?.ok_or_else(|| Trouble::NotFound { what: "person", id: person.to_string() })?;
        let written = Written {
            stream: at,
            version: head.version + 1,
            process: None,
            key: caller.key.number,
            stamp: core.stamp(core.now(), caller.actor()),
            event: AnyEvent::Person(read.clone().into()),
        };
        let state = std::sync::Arc::clone(&core.state);
        let fate = core.commit(&[written], permit.record(core, answer), move |first| {
            if let Some(first) = first {
                put(&state, first, person, &read);
            }
        });
        settled(fate).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notices::row;
    use interlink_model::id::AssetId;

    const IDENTITY: interlink_journal::Identity = interlink_journal::Identity { journal: [7; 16], incarnation: 1 };

    fn ana() -> PersonId {
        PersonId::from_bytes([7; 16])
    }

    /// A state in which a person was told something at each of these positions.
    fn told(positions: impl Iterator<Item = Position>) -> (std::sync::Arc<State>, tempfile::TempDir) {
        let place = tempfile::tempdir().expect("a directory");
        let (state, _) = State::open(place.path(), IDENTITY, 0).expect("opens");
        let asset = AssetId::from_bytes([1; 16]);
        positions.for_each(|position| state.put(position, [row(ana(), position, asset, 1)]));
        (state, place)
    }

    fn read(until: Option<u64>, each: &[u64]) -> NoticesRead {
        NoticesRead { until, each: each.to_vec() }
    }

    #[test]
    fn what_is_read_apart_is_forgotten_once_everything_up_to_it_is_read() {
        let (state, _place) = told(1..=6);
        put(&state, 10, ana(), &read(None, &[2, 5]));
        let unread_now = |state: &State| (1..=6).filter(|at| !is_read(state, ana(), *at)).collect::<Vec<_>>();
        assert_eq!((unread_now(&state), unread(&state, ana())), (vec![1, 3, 4, 6], 4));
        put(&state, 11, ana(), &read(Some(3), &[]));
        assert_eq!((unread_now(&state), unread(&state, ana())), (vec![4, 6], 2));
        let rows = |state: &State| state.scan(&key(table::READ, &[&ana().bytes()]), None, 10).len();
        assert_eq!(rows(&state), 1);
        // Taken in again, as a replay does, it is the same.
        put(&state, 10, ana(), &read(None, &[2, 5]));
        put(&state, 11, ana(), &read(Some(3), &[]));
        assert_eq!((unread_now(&state), rows(&state)), (vec![4, 6], 1));
        assert_eq!(unread(&state, PersonId::from_bytes([8; 16])), 0, "nobody else was told");
    }

    #[test]
    fn so_many_unread_notifications_are_counted() {
        let most = UNREAD_COUNTED_MAX as u64;
        let (state, _place) = told(1..=most + 5);
        assert_eq!(unread(&state, ana()), UNREAD_COUNTED_MAX);
        put(&state, most + 10, ana(), &read(None, &[most + 5, most + 4]));
        assert_eq!(unread(&state, ana()), UNREAD_COUNTED_MAX, "what is read is not counted, and more is behind it");
        put(&state, most + 11, ana(), &read(Some(10), &[]));
        assert_eq!(unread(&state, ana()), UNREAD_COUNTED_MAX - 7);
    }
}

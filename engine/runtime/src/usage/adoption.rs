//! Adoption: whether the service is used, by whom, and where processes stall.

use std::collections::{BTreeMap, BTreeSet};

use interlink_model::event::Actor;
use interlink_model::id::{Micros, PersonId, ProcessId};
use interlink_model::process::{ARCHIVED, ProcessStatus};

use uuid::Uuid;

use super::registry::{UseFilter, page};
use super::{Counters, decode};
use crate::state::{Found, State, Summary, Value, table};

/// A running process in which nothing has happened for this long is stalled, with all its open tasks: two weeks.
pub const STALLED_AFTER_US: i64 = 14 * 24 * 3_600 * 1_000_000;

/// The summary over all processes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Adoption {
    /// Processes by status.
    pub processes: BTreeMap<&'static str, u64>,
    /// Tasks completed.
    pub tasks_done: u64,
    /// Tasks left to do in processes that have not ended.
    pub tasks_open: u64,
    /// Tasks left to do in processes that are stalled.
    pub tasks_stalled: u64,
    /// Processes that are stalled.
    pub processes_stalled: u64,
    /// People who ever did something.
    pub people_active: u64,
    /// Counters by Interlinker.
    pub uses: BTreeMap<String, Counters>,
}

/// Whether a process is stalled.
pub fn is_stalled(status: ProcessStatus, touched_at: Micros, now: Micros) -> bool {
    status == ProcessStatus::Running && now.0 - touched_at.0 > STALLED_AFTER_US
}

const SCAN_ROWS: usize = 1_024;

/// Calls `each` with every row of a table.
fn each_row(state: &State, prefix: &[u8], mut each: impl FnMut(&[u8], &Found)) {
    let mut after: Option<Vec<u8>> = None;
    loop {
        let rows = state.scan(prefix, after.as_deref(), SCAN_ROWS);
        rows.iter().for_each(|(row_key, found)| each(row_key, found));
        match rows.last() {
            Some((last, _)) if rows.len() == SCAN_ROWS => after = Some(last.clone()),
            _ => return,
        }
    }
}

/// The summary as things stand. Goes through a row of every process: it is asked for by people, not by programs.
pub fn summary(state: &State, now: Micros) -> Adoption {
    let mut adoption = Adoption::default();
    let words = ProcessStatus::ALL.map(ProcessStatus::as_str);
    adoption.processes.extend(words.into_iter().chain([ARCHIVED]).map(|word| (word, 0)));
    each_row(state, &[table::PROCESS], |_, found| {
        let summary = match found {
            Found::Live(_, Value::Process(process, _)) => Some(Summary::of(process)),
            Found::Live(..) => None,
            Found::Stored(stored) => Summary::decode(&stored.payload),
        };
        let Some(Summary { status, done, open, touched_at }) = summary else { return };
        *adoption.processes.entry(status.as_str()).or_default() += 1;
        adoption.tasks_done += u64::from(done);
        if !matches!(status, ProcessStatus::Completed | ProcessStatus::Cancelled) {
            adoption.tasks_open += u64::from(open);
        }
        if is_stalled(status, touched_at, now) {
            adoption.tasks_stalled += u64::from(open);
            adoption.processes_stalled += 1;
        }
    });
    each_row(state, &[table::ARCHIVED], |_, found| {
        let Some(summary) = Summary::decode(&super::bytes_of(found)) else { return };
        *adoption.processes.entry(ARCHIVED).or_default() += 1;
        adoption.tasks_done += u64::from(summary.done);
    });
    each_row(state, &[table::ACTIVE], |_, _| adoption.people_active += 1);
    each_row(state, &[table::COUNTERS], |row_key, found| {
        let name = String::from_utf8_lossy(&row_key[1..]).into_owned();
        adoption.uses.extend(decode(found).map(|counters| (name, counters)));
    });
    adoption
}

/// Who and what used something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// Uses by Interlinker.
    pub uses: BTreeMap<String, u64>,
    /// People.
    pub people: BTreeSet<PersonId>,
    /// Pseudonyms: one for each person who ran anonymous actions of an asset.
    pub pseudonyms: BTreeSet<Uuid>,
    /// Processes.
    pub processes: BTreeSet<ProcessId>,
    /// What Interlinkers say happened, each in its own words.
    pub words: BTreeMap<String, BTreeMap<String, i64>>,
}

/// Who and what a filter of the registry reaches.
pub fn reach(state: &State, filter: &UseFilter) -> Reach {
    let mut reach = Reach::default();
    let mut after = 0;
    loop {
        let found = page(state, filter, after, SCAN_ROWS);
        for (_, used) in found.uses {
            if !used.noted.is_empty() {
                super::count_words(reach.words.entry(used.interlinker.name.clone()).or_default(), &used.noted);
            }
            *reach.uses.entry(used.interlinker.name).or_default() += 1;
            reach.people.extend(used.actor.person());
            if let Actor::Pseudonym(id) = used.actor {
                reach.pseudonyms.insert(id);
            }
            reach.processes.insert(used.process);
        }
        match found.next {
            Some(next) => after = next,
            None => return reach,
        }
    }
}

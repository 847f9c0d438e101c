//! The registry: every use of every Interlinker, by process and in the order of the journal.

use interlink_journal::Position;
use interlink_model::event::Actor;
use interlink_model::facts::{InterlinkerRef, Noted, UseKind, UseOutcome};
use interlink_model::id::{AssetId, CallId, Micros, PersonId, ProcessId};
use serde::{Deserialize, Serialize};

use super::{bytes_of, decode};
use crate::state::{State, key, table};

/// Rows that one page looks at, at most: a filter that fits little answers what it found so far and a cursor.
pub const ROWS_PER_PAGE_MAX: usize = 20_000;

/// A use of an Interlinker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Use {
    /// When.
    pub at: Micros,
    /// Who.
    pub actor: Actor,
    /// What was done.
    pub kind: UseKind,
    /// What came of it.
    pub outcome: UseOutcome,
    /// Of which Interlinker, in which version.
    pub interlinker: InterlinkerRef,
    /// On which process.
    pub process: ProcessId,
    /// On which task.
    pub task: String,
    /// On which asset.
    pub asset: Option<AssetId>,
    /// Which action.
    pub action: Option<String>,
    /// Why it was refused or failed.
    pub reason: Option<String>,
    /// How long it took.
    pub duration_us: u64,
    /// The service at whose door it was; nothing for what people do in the process.
    #[serde(default)]
    pub service: Option<String>,
    /// What the Interlinker says happened.
    #[serde(default)]
    pub noted: Vec<Noted>,
    /// The record of the call, where there is one.
    #[serde(default)]
    pub call: Option<CallId>,
}

/// What is asked of the registry. An absent field asks for anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UseFilter {
    /// On this process.
    pub process: Option<ProcessId>,
    /// On this task.
    pub task: Option<String>,
    /// On this asset.
    pub asset: Option<AssetId>,
    /// Of this Interlinker.
    pub interlinker: Option<String>,
    /// By this person.
    pub person: Option<PersonId>,
    /// At this time or later.
    pub from: Option<Micros>,
    /// Before this time.
    pub to: Option<Micros>,
    /// At this service's door.
    pub service: Option<String>,
    /// Whether what was used at a service's door is left out.
    pub in_process_only: bool,
}

impl UseFilter {
    fn fits(&self, used: &Use) -> bool {
        fn same<T: PartialEq>(wanted: &Option<T>, found: Option<&T>) -> bool {
            wanted.as_ref().is_none_or(|wanted| found == Some(wanted))
        }
        same(&self.process, Some(&used.process))
            && same(&self.task, Some(&used.task))
            && same(&self.asset, used.asset.as_ref())
            && same(&self.interlinker, Some(&used.interlinker.name))
            && same(&self.person, used.actor.person().as_ref())
            && self.from.is_none_or(|from| used.at >= from)
            && self.to.is_none_or(|to| used.at < to)
            && same(&self.service, used.service.as_ref())
            && !(self.in_process_only && used.service.is_some())
    }
}

/// A page of the registry, in order of positions, and whether more may follow its last position.
pub struct UsePage {
    /// The uses with their positions.
    pub uses: Vec<(Position, Use)>,
    /// Where the next page goes on.
    pub next: Option<Position>,
}

/// The uses that fit, those behind a position, at most `limit`.
pub fn page(state: &State, filter: &UseFilter, after: Position, limit: usize) -> UsePage {
    let mut uses = Vec::new();
    let mut reached = after;
    let mut looked = 0;
    loop {
        let step = 512.min(ROWS_PER_PAGE_MAX - looked);
        let found = match filter.process {
            Some(process) => of_process(state, process, reached, step),
            None => in_order(state, reached, step),
        };
        let ended = found.len() < step;
        looked += found.len();
        for (position, used) in found {
            reached = position;
            if used.as_ref().is_some_and(|used| filter.fits(used)) {
                uses.extend(used.map(|used| (position, used)));
                if uses.len() == limit {
                    let more = match filter.process {
                        Some(process) => of_process(state, process, position, 1),
                        None => in_order(state, position, 1),
                    };
                    return UsePage { uses, next: (!more.is_empty()).then_some(position) };
                }
            }
        }
        if ended || looked >= ROWS_PER_PAGE_MAX {
            return UsePage { uses, next: (!ended).then_some(reached) };
        }
    }
}

fn of_process(state: &State, process: ProcessId, after: Position, limit: usize) -> Vec<(Position, Option<Use>)> {
    let prefix = key(table::USE, &[&process.bytes()]);
    let behind = key(table::USE, &[&process.bytes(), &after.to_be_bytes()]);
    let rows = state.scan(&prefix, Some(&behind), limit);
    rows.into_iter().filter_map(|(row_key, found)| Some((position_at_end(&row_key)?, decode(&found)))).collect()
}

fn in_order(state: &State, after: Position, limit: usize) -> Vec<(Position, Option<Use>)> {
    let behind = key(table::USE_ORDER, &[&after.to_be_bytes()]);
    let rows = state.scan(&[table::USE_ORDER], Some(&behind), limit);
    let found = rows.into_iter().filter_map(|(row_key, found)| {
        let position = position_at_end(&row_key)?;
        let used = state.get(&key(table::USE, &[&bytes_of(&found), &position.to_be_bytes()]));
        Some((position, used.as_ref().and_then(decode)))
    });
    found.collect()
}

fn position_at_end(row_key: &[u8]) -> Option<Position> {
    let (_, end) = row_key.split_at_checked(row_key.len().checked_sub(8)?)?;
    Some(Position::from_be_bytes(end.try_into().ok()?))
}

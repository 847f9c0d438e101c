//! The audit: the journal by itself, and the state against the journal. On a directory that no server has.

use std::path::Path;
use std::sync::Arc;

use interlink_host::{Host, HostConfig};
use interlink_journal::{Damage, FileJournal, Journal, Position, Report};
use interlink_model::id::{AssetId, ProcessId, StreamKind};
use interlink_model::process::Process;

use crate::ambient::System;
use crate::archive;
use crate::assets::rows;
use crate::catalogue::Catalogue;
use crate::core::Core;
use crate::draft::stream;
use crate::engine::{Checkpoint, Engine, OpenError, Options, lock};
use crate::history::{fold, fold_whole};
use crate::keys::Keys;
use crate::mended;
use crate::organizations::Organizations;
use crate::schedule;
use crate::state::{Found, STATE_DIRECTORY, State, Summary, key, open_process_row, remove_state, table};
use crate::usage::{bytes_of, position_of};

/// What an audit found.
#[derive(Debug, Default)]
pub struct Audit {
    /// The journal; what is known to be damaged is not in it.
    pub journal: Report,
    /// Damage behind which streams go on from their state, each with the versions that are lost: the first and the last.
    pub known: Vec<(Damage, [u64; 2])>,
    /// Processes compared.
    pub processes: u64,
    /// Assets compared.
    pub assets: u64,
    /// Where the state, or a stream, is not what the journal says.
    pub differences: Vec<String>,
}

/// Walks the journal of a data directory and compares the state with it.
pub fn verify(data: &Path) -> Result<Audit, OpenError> {
    let exists = data.join("journal").is_dir();
    if !exists {
        let source = std::io::ErrorKind::NotFound.into();
        return Err(OpenError::Io { what: format!("{} holds no journal", data.display()), source });
    }
    let _lock = lock(data)?;
    let mut audit = Audit { journal: interlink_journal::verify(data)?, ..Audit::default() };
    let (core, included) = read_only(data, &mut audit.differences)?;
    let (known, damage) = mended::sort(&*core.journal, std::mem::take(&mut audit.journal.damage));
    audit.journal.damage = damage;
    audit.known = known.into_iter().map(|(damage, says)| (damage, [says.lost_from, says.lost_to])).collect();
    let io = |source| OpenError::Io { what: "reading components/".into(), source };
    let catalogue = Catalogue::new(data).map_err(io)?;
    audit.differences.extend(catalogue.read(&core)?);
    audit.differences.extend(Organizations::read(&core)?.1);
    for found in core.journal.streams(StreamKind::Process as u8, None, usize::MAX)? {
        audit.processes += 1;
        if let Err(difference) = compare_process(&core, &catalogue, included, ProcessId::from_bytes(found.id)) {
            audit.differences.push(format!("process {}: {difference}", ProcessId::from_bytes(found.id)));
        }
    }
    for found in core.journal.streams(StreamKind::Asset as u8, None, usize::MAX)? {
        audit.assets += 1;
        let id = AssetId::from_bytes(found.id);
        if let Err(difference) = rows::compare(&core, included, id) {
            audit.differences.push(format!("asset {id}: {difference}"));
        }
    }
    if core.state.is_damaged() {
        audit
            .differences
            .push("the state has a row that does not fit its checksum; `state rebuild` makes it again".into());
    }
    audit.differences.extend(unsigned_checkpoints(&core));
    Ok(audit)
}

/// Checkpoints of the journal that these keys did not sign.
fn unsigned_checkpoints(core: &Core) -> Vec<String> {
    let secret = &core.keys.secrets().integrity;
    match core.journal.read_stream(&stream(StreamKind::Checkpoint, [0; 16]), 0, Position::MAX) {
        Ok(records) => records
            .iter()
            .filter(|record| !Checkpoint::is_sound(&record.body, secret))
            .map(|record| format!("the checkpoint at position {} is not signed by these keys", record.position))
            .collect(),
        Err(error) => vec![format!("the checkpoints cannot be read: {error}")],
    }
}

/// Everything that the engine stands on, with a journal that takes nothing, and the position that the state includes. A
/// state that cannot be used is a difference, and an empty one stands in.
pub(crate) fn read_only(data: &Path, differences: &mut Vec<String>) -> Result<(Core, Position), OpenError> {
    let journal: Arc<dyn Journal> = Arc::new(FileJournal::read_only(data)?);
    let opened = State::open_as_it_is(data, journal.identity(), journal.durable().unwrap_or(0));
    let (state, included) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            differences.push(format!("{error}; `state rebuild` makes it again"));
            (Arc::new(State::nothing()?), 0)
        }
    };
    Ok((core_on(data, journal, state)?, included))
}

/// What the engine stands on, for whoever runs no Interlinker.
pub(crate) fn core_on(data: &Path, journal: Arc<dyn Journal>, state: Arc<State>) -> Result<Core, OpenError> {
    let keys = Keys::open(data, journal.highest_key(), Arc::new(System))?;
    let limits = interlink_host::Limits::default();
    let config = HostConfig { threads: 2, cache: None, secret: [0; 32], limits };
    let host = Host::new(config).map_err(|error| OpenError::Host(error.to_string()))?;
    Ok(Core::new(journal, state, keys, host, Arc::new(System)))
}

/// Folds a process up to the version of its row and compares. A row may be newer than the position that the state says it
/// includes, and is never older.
fn compare_process(core: &Core, catalogue: &Catalogue, included: Position, id: ProcessId) -> Result<(), String> {
    let row_key = key(table::PROCESS, &[&id.bytes()]);
    let at = stream(StreamKind::Process, id.bytes());
    let wanted = core.journal.head_at(&at, included).map_err(|error| error.to_string())?.map(|head| head.position);
    if let Some(row) = archive::row(&core.state, id) {
        match core.state.get(&row_key) {
            None => return compare_archived(core, catalogue, wanted, id, &row),
            Some(found) if position_of(&found) <= position_of(&row) => {
                return Err("it is archived, and its row is there".into());
            }
            // Brought back since, in a state that was written in part.
            Some(_) => {}
        }
    }
    let row = match core.state.get(&row_key) {
        Some(Found::Stored(row)) => row,
        _ if wanted.is_none() || archive::may_be_gone(core, id, included) => return Ok(()),
        _ => return Err("its row is missing".into()),
    };
    if wanted.is_some_and(|wanted| row.position < wanted) {
        return Err("its row is older than the state says".into());
    }
    let folded = fold_whole(core, catalogue, id, row.position).map_err(|trouble| trouble.to_string())?.process;
    let key = core.keys.key(row.key).map_err(|error| error.to_string())?;
    let plain = open_process_row(&key, &row_key, &row).ok_or("its row does not open")?;
    if !gives(&plain, &folded) {
        return Err("its row is not what its events give".into());
    }
    match schedule::missing(&core.state, &folded) {
        None => Ok(()),
        Some(what) => Err(format!("its {what} is not in the index")),
    }
}

/// Whether a row gives this process. One that was written before there was a field has nothing of it.
fn gives(row: &[u8], process: &Process) -> bool {
    let kept = Process::from_row(process.id, row, |_| Some(Arc::clone(&process.plan)));
    kept.is_some_and(|kept| kept.to_row() == process.to_row())
}

/// The same for one of which only a summary is left.
fn compare_archived(
    core: &Core,
    catalogue: &Catalogue,
    wanted: Option<Position>,
    id: ProcessId,
    row: &Found,
) -> Result<(), String> {
    let position = position_of(row);
    if wanted.is_some_and(|wanted| position < wanted) {
        return Err("what is left of it is older than the state says".into());
    }
    let folded = fold(core, catalogue, id, position).map_err(|trouble| trouble.to_string())?;
    let is_so =
        folded.process.archived_at.is_some() && Summary::decode(&bytes_of(row)) == Some(Summary::of(&folded.process));
    if is_so { Ok(()) } else { Err("what is left of it is not what its events give".into()) }
}

/// Makes the state of a data directory again; answers from how many records.
pub fn rebuild(data: &Path, progress: &mut dyn FnMut(u64)) -> Result<u64, OpenError> {
    if !data.join("journal").is_dir() {
        let source = std::io::ErrorKind::NotFound.into();
        return Err(OpenError::Io { what: format!("{} holds no journal", data.display()), source });
    }
    drop(lock(data)?);
    remove_state(data)?;
    debug_assert!(!data.join(STATE_DIRECTORY).exists());
    let engine = Engine::open(data, Options::default(), progress)?;
    let replayed = engine.opened().replayed;
    engine.close();
    Ok(replayed)
}

#[cfg(test)]
mod tests {
    use interlink_model::event::{Actor, Stamp};
    use interlink_model::id::{Micros, OrganizationId};
    use interlink_model::process::{NewProcess, Plan, create};
    use interlink_model::schema::authoring::{Syntax, parse};
    use interlink_model::sealed::Sealed;

    use super::*;

    const SCHEMA: &[u8] = b"name: fair\nversion: 1.0.0\nphases: [{id: p, objectives: [{id: o, tasks: [{id: a}]}]}]";

    fn process(organization: Option<OrganizationId>) -> Process {
        let plan = Arc::new(Plan::new(parse(SCHEMA, Syntax::Yaml).expect("a schema").schema));
        let mut created = create(&plan, NewProcess { organization, ..NewProcess::default() });
        created.name = Sealed::Closed(vec![1]);
        let stamp = Stamp { at: Micros(7), actor: Actor::System, correlation: None, causation: None };
        Process::created(ProcessId::from_bytes([1; 16]), &created, &stamp, plan)
    }

    #[test]
    fn a_row_of_before_a_field_is_what_its_events_give_where_they_have_nothing_of_it() {
        let (alone, hosted) = (process(None), process(Some(OrganizationId::from_bytes([2; 16]))));
        let mut before = alone.to_row();
        // An array of more than 15 fields, the last of them nil: one less.
        assert_eq!((before[0], before.pop()), (0xdc, Some(0xc0)));
        before[2] -= 1;
        assert!(gives(&before, &alone) && !gives(&before, &hosted));
        assert!(gives(&hosted.to_row(), &hosted) && !gives(&hosted.to_row(), &alone));
        assert!(!gives(&before[..before.len() - 1], &alone), "one that was cut off gives nothing");
    }
}

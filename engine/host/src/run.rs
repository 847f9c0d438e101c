//! Running a call: a fresh instance, the entry, and what came of it.

use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;
use wasmtime::{Engine, Store, Trap, UpdateDeadline};

use crate::call::{Call, Called, Cost, Done, Entry, Failure};
use crate::durable::Durable;
use crate::fault::Fault;
use crate::guest::{Changed, Guest};
use crate::imports::WitProblem;
use crate::interlinker::Interlinker;
use crate::limits::Limits;
use crate::markup::Rendered;
use crate::outside::Outside;
use crate::queue::Place;

type Answer = (Result<String, WitProblem>,);

/// What a call leaves behind: its instance, whose memory is still to be cleared, and its place, which goes last.
pub(crate) struct Remains {
    store: Store<Guest>,
    place: Arc<Place>,
}

impl Remains {
    /// Clears it away, on the account of the call's Interlinker. What the thread has done since the call was over, which was to
    /// tell what came of it, is on nobody's.
    pub fn clear(self) {
        self.place.pass_over();
        drop(self.store);
    }
}

/// Runs a call in a fresh instance. Whoever waits is told before what is left of it is dropped: clearing its memory takes as long
/// as some calls do.
pub(crate) fn run(
    engine: &Engine,
    limits: &Arc<Limits>,
    interlinker: &Interlinker,
    call: Call,
    durable: Option<Durable>,
    place: Place,
    since: Instant,
) -> (Called, Remains) {
    let began = Instant::now();
    let micros = |from: Instant| u64::try_from(from.elapsed().as_micros()).unwrap_or(u64::MAX);
    let mut cost = Cost { wait_us: micros(since), ..Cost::default() };
    let place = Arc::new(place);
    let outside = durable.map(|durable| Outside::new(durable, Arc::clone(&place)));
    let mut store = Store::new(engine, Guest::new(Arc::clone(limits), &call, interlinker.rings(), outside, began));
    store.limiter(|guest| guest);
    store.set_hostcall_fuel(limits.transfer_bytes);
    // Looked at every tick: it may have passed its deadline, or others may have come.
    let looked_at = Arc::clone(&place);
    store.epoch_deadline_callback(move |mut store| {
        let aside = looked_at.tick(store.data().patience())?;
        store.data_mut().ticked(aside)?;
        Ok(UpdateDeadline::Continue(1))
    });
    store.set_epoch_deadline(1);
    let answered = store.set_fuel(limits.fuel).and_then(|()| {
        let instance = interlinker.pre.instantiate(&mut store)?;
        cost.instantiate_us = micros(began);
        let absent = |what: &str| wasmtime::Error::from(Fault::Absent { export: what.into() });
        let (index, first, second) = match &call.entry {
            Entry::Instantiate { input } => (&interlinker.instantiate, input.to_string(), None),
            Entry::Action { name, input } => (&interlinker.call, name.clone(), Some(input.to_string())),
            Entry::View { query } => (&interlinker.view, query.to_string(), None),
            Entry::Ring { name, input } => {
                let ring = interlinker.ring.as_ref().ok_or_else(|| absent("alarms"))?;
                (ring, name.clone(), Some(input.to_string()))
            }
            Entry::Migrate { version } => {
                let migrate = interlinker.migrate.as_ref().ok_or_else(|| absent("migration"))?;
                (migrate, version.clone(), None)
            }
        };
        match second {
            None => instance.get_typed_func::<(&str,), Answer>(&mut store, index)?.call(&mut store, (&first,)),
            Some(second) => {
                let function = instance.get_typed_func::<(&str, &str), Answer>(&mut store, index)?;
                function.call(&mut store, (&first, &second))
            }
        }
    });
    cost.fuel = limits.fuel.saturating_sub(store.get_fuel().unwrap_or(0));
    cost.call_us = micros(began).saturating_sub(cost.instantiate_us);
    let guest = store.data_mut();
    let result = match answered {
        Ok((answer,)) => came_to(answer, guest, interlinker, &call.entry),
        Err(error) => Err(Failure::Failed(fault(&error, limits, guest))),
    };
    let logs = guest.is_over();
    cost.cpu_us = place.has_run();
    (Called { result, logs, cost }, Remains { store, place })
}

/// What a guest's answer is: done, refused, or none that is taken. A guest that answers without having had all that its
/// record has did not do what it did before, whatever it says.
fn came_to(
    answer: Result<String, WitProblem>,
    guest: &mut Guest,
    interlinker: &Interlinker,
    entry: &Entry,
) -> Result<Done, Failure> {
    guest.finish().map_err(Failure::Failed)?;
    let output = answer.map_err(|problem| Failure::Refused(problem.into()))?;
    let Limits { output_bytes, transfer_bytes, .. } = *guest.limits;
    let max = if matches!(entry, Entry::View { .. }) { transfer_bytes } else { output_bytes };
    if output.len() > max {
        return Err(Failure::Failed(Fault::Transfer { max }));
    }
    let mut output: Value =
        serde_json::from_str(&output).map_err(|error| Failure::Failed(Fault::Output { reason: error.to_string() }))?;
    interlinker.make_safe(entry, &mut output).map_err(|fault| Failure::Failed(Fault::Markup(fault)))?;
    let rendered = match entry {
        Entry::Action { .. } => interlinker.render(entry, &output),
        _ => Rendered::new(),
    };
    let Changed { state, changes, counts } = guest.changes();
    let besides = std::mem::take(&mut guest.besides);
    Ok(Done { output, rendered, state, changes, counts, outcome: guest.outcome.take(), besides })
}

/// What an error of the engine is: a limit of ours, or a trap with what the guest said of it.
fn fault(error: &wasmtime::Error, limits: &Limits, guest: &Guest) -> Fault {
    if let Some(fault) = error.downcast_ref::<Fault>() {
        return fault.clone();
    }
    let text = format!("{error:#}");
    if text.contains("fuel allocated for hostcalls") {
        return Fault::Transfer { max: limits.transfer_bytes };
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => Fault::Fuel { max: limits.fuel },
        Some(Trap::StackOverflow) => Fault::Stack { max: limits.stack_bytes },
        trap => {
            let said = guest.last_error.clone();
            let message = said.or_else(|| trap.map(ToString::to_string)).unwrap_or(text);
            Fault::Trap { message }
        }
    }
}

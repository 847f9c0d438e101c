//! What a guest sees: the imports of our WIT world, on a copy of the asset's state, counted and bounded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use interlink_model::keyvalues::{
    CHANGES_BYTES_MAX, KeyValues, RANGE_ENTRIES_MAX, STATE_BYTES_MAX, VALUE_BYTES_MAX, check_key, prefixes,
};
use serde_json::Value;
use wasmtime::component::Linker;
use wasmtime::{Engine, ResourceLimiter, StoreContextMut};

use crate::call::{Change, LogLine};
use crate::fault::Fault;
use crate::limits::Limits;

/// An entry of a range.
type Pair = (String, Vec<u8>);

/// What a call changed.
pub(crate) struct Changed {
    /// The state afterwards.
    pub state: KeyValues,
    /// Keys whose value differs, in order.
    pub changes: Vec<Change>,
    /// Keys below the prefixes whose number changed.
    pub counts: BTreeMap<String, u64>,
}

/// What belongs to one call.
pub(crate) struct Guest {
    pub limits: Arc<Limits>,
    before: KeyValues,
    now: KeyValues,
    changed: BTreeMap<String, usize>,
    changed_bytes: usize,
    context: String,
    is_view: bool,
    pub outcome: Option<Value>,
    pub logs: Vec<LogLine>,
    /// What it said last as an error, kept whether there was room for the line or not: a panic ends with it.
    pub last_error: Option<String>,
    deadline: Instant,
    host_calls: u64,
    host_bytes: usize,
    memory_bytes: usize,
    table_elements: usize,
}

impl Guest {
    pub fn new(limits: Arc<Limits>, state: KeyValues, context: String, is_view: bool, deadline: Instant) -> Self {
        Self {
            limits,
            before: state.clone(),
            now: state,
            changed: BTreeMap::new(),
            changed_bytes: 0,
            context,
            is_view,
            outcome: None,
            logs: Vec::new(),
            last_error: None,
            deadline,
            host_calls: 0,
            host_bytes: 0,
            memory_bytes: 0,
            table_elements: 0,
        }
    }

    /// Counts a call into the host. The deadline holds in here too.
    fn enter(&mut self) -> Result<(), Fault> {
        self.host_calls += 1;
        if self.host_calls > self.limits.host_calls {
            return Err(Fault::HostCalls { max: self.limits.host_calls });
        }
        if Instant::now() >= self.deadline {
            return Err(Fault::Deadline { max_ms: self.limits.deadline_ms });
        }
        Ok(())
    }

    /// Counts bytes that the host hands out.
    fn hand_out(&mut self, bytes: usize) -> Result<(), Fault> {
        self.host_bytes += bytes;
        let max = self.limits.host_bytes;
        if self.host_bytes > max { Err(Fault::HostBytes { wanted: self.host_bytes, max }) } else { Ok(()) }
    }

    fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, Fault> {
        self.enter()?;
        check_key(key).map_err(Fault::Key)?;
        let value = self.now.get(key).map(|value| value.to_vec());
        self.hand_out(value.as_ref().map_or(0, Vec::len))?;
        Ok(value)
    }

    fn set(&mut self, key: &str, value: Vec<u8>) -> Result<(), Fault> {
        self.enter()?;
        check_key(key).map_err(Fault::Key)?;
        if value.len() > VALUE_BYTES_MAX {
            return Err(Fault::Value { key: key.into(), bytes: value.len() });
        }
        self.change(key, key.len() + value.len())?;
        self.now.set(key, value);
        if self.now.bytes() > STATE_BYTES_MAX { Err(Fault::State { bytes: self.now.bytes() }) } else { Ok(()) }
    }

    fn delete(&mut self, key: &str) -> Result<(), Fault> {
        self.enter()?;
        check_key(key).map_err(Fault::Key)?;
        self.change(key, key.len())?;
        self.now.delete(key);
        Ok(())
    }

    /// Counts a change: a key that is changed again counts once, with what it holds last.
    fn change(&mut self, key: &str, bytes: usize) -> Result<(), Fault> {
        if self.is_view {
            return Err(Fault::ViewChanges);
        }
        let before = self.changed.insert(key.into(), bytes).unwrap_or(0);
        self.changed_bytes = self.changed_bytes + bytes - before;
        if self.changed_bytes > CHANGES_BYTES_MAX { Err(Fault::Changes { bytes: self.changed_bytes }) } else { Ok(()) }
    }

    fn range(&mut self, prefix: &str, after: Option<&str>, limit: u32) -> Result<Vec<Pair>, Fault> {
        self.enter()?;
        let limit = limit.min(RANGE_ENTRIES_MAX) as usize;
        let mut found = Vec::new();
        let mut bytes = 0;
        let room = self.limits.host_bytes - self.host_bytes;
        for (key, value) in self.now.range(prefix, after).take(limit) {
            bytes += key.len() + value.len();
            if bytes > room {
                break;
            }
            found.push((key.to_string(), value.to_vec()));
        }
        self.hand_out(bytes)?;
        Ok(found)
    }

    fn count(&mut self, prefix: &str) -> Result<u64, Fault> {
        self.enter()?;
        Ok(self.now.count(prefix))
    }

    fn declare(&mut self, outcome: &str) -> Result<(), Fault> {
        self.enter()?;
        if self.is_view {
            return Err(Fault::ViewChanges);
        }
        let outcome = serde_json::from_str(outcome).map_err(|error| Fault::Output { reason: error.to_string() })?;
        self.outcome = Some(outcome);
        Ok(())
    }

    fn log(&mut self, level: String, message: &str) -> Result<(), Fault> {
        self.enter()?;
        let room = self.logs.len() < self.limits.log_lines;
        if !room && level != "error" {
            return Ok(());
        }
        let mut end = message.len().min(self.limits.log_line_bytes);
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        let message = message[..end].to_owned();
        if level == "error" {
            self.last_error = Some(message.clone());
        }
        let level = match level.as_str() {
            "debug" | "info" | "warn" | "error" => level,
            _ => "info".into(),
        };
        if room {
            self.logs.push(LogLine { level, message });
        }
        Ok(())
    }

    /// What the call changed: real differences only, in the order of keys, and the numbers that changed with them.
    pub fn changes(&self) -> Changed {
        let differs = |key: &&String| self.now.get(key) != self.before.get(key);
        let changed: Vec<_> = self.changed.keys().filter(differs).collect();
        let touched: BTreeSet<&str> = changed.iter().flat_map(|key| prefixes(key)).collect();
        let moved = touched.into_iter().filter(|prefix| self.now.count(prefix) != self.before.count(prefix));
        let counts = moved.map(|prefix| (prefix.to_owned(), self.now.count(prefix))).collect();
        let changes = changed.into_iter().map(|key| (key.clone(), self.now.get(key).cloned())).collect();
        Changed { state: self.now.clone(), changes, counts }
    }
}

/// Memories and tables count for the whole instance together: ten memories have no more than one. Where a guest's own
/// bound is reached before the limit, it is told so as WebAssembly has it, and what it did not get does not count.
impl ResourceLimiter for Guest {
    fn memory_growing(&mut self, current: usize, desired: usize, own: Option<usize>) -> wasmtime::Result<bool> {
        // A memory with 64-bit addresses may ask for as much as there are numbers.
        let wanted = self.memory_bytes.saturating_sub(current).saturating_add(desired);
        let max = self.limits.memory_bytes;
        if wanted > max {
            return Err(Fault::Memory { wanted, max }.into());
        }
        if own.is_some_and(|own| desired > own) {
            return Ok(false);
        }
        self.memory_bytes = wanted;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        // The pool's own bound of a memory is that of the whole instance.
        let max = self.limits.memory_bytes;
        tracing::debug!(%error, "a guest's memory could not grow");
        Err(Fault::Memory { wanted: max + 1, max }.into())
    }

    fn table_growing(&mut self, current: usize, desired: usize, own: Option<usize>) -> wasmtime::Result<bool> {
        let wanted = self.table_elements.saturating_sub(current).saturating_add(desired);
        let max = self.limits.table_elements;
        if wanted > max {
            return Err(Fault::Table { wanted, max }.into());
        }
        if own.is_some_and(|own| desired > own) {
            return Ok(false);
        }
        self.table_elements = wanted;
        Ok(true)
    }
}

/// The imports of the world, version 0.1.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    let mut state = linker.instance("interlink:interlinker/state@0.1.0")?;
    state.func_wrap("get", |mut store: StoreContextMut<'_, Guest>, (key,): (String,)| {
        Ok((store.data_mut().get(&key)?,))
    })?;
    state.func_wrap("set", |mut store: StoreContextMut<'_, Guest>, (key, value): (String, Vec<u8>)| {
        Ok(store.data_mut().set(&key, value)?)
    })?;
    state.func_wrap("delete", |mut store: StoreContextMut<'_, Guest>, (key,): (String,)| {
        Ok(store.data_mut().delete(&key)?)
    })?;
    type Range = (String, Option<String>, u32);
    state.func_wrap("range", |mut store: StoreContextMut<'_, Guest>, (prefix, after, limit): Range| {
        Ok((store.data_mut().range(&prefix, after.as_deref(), limit)?,))
    })?;
    state.func_wrap("count", |mut store: StoreContextMut<'_, Guest>, (prefix,): (String,)| {
        Ok((store.data_mut().count(&prefix)?,))
    })?;
    let mut context = linker.instance("interlink:interlinker/context@0.1.0")?;
    context.func_wrap("get", |mut store: StoreContextMut<'_, Guest>, (): ()| {
        let guest = store.data_mut();
        guest.enter()?;
        guest.hand_out(guest.context.len())?;
        Ok((guest.context.clone(),))
    })?;
    let mut outcome = linker.instance("interlink:interlinker/outcome@0.1.0")?;
    outcome.func_wrap("declare", |mut store: StoreContextMut<'_, Guest>, (outcome,): (String,)| {
        Ok(store.data_mut().declare(&outcome)?)
    })?;
    let mut log = linker.instance("interlink:interlinker/log@0.1.0")?;
    log.func_wrap("write", |mut store: StoreContextMut<'_, Guest>, (level, message): (String, String)| {
        Ok(store.data_mut().log(level, &message)?)
    })?;
    Ok(linker)
}

//! What a guest sees: the functions of our WIT world, on a copy of the asset's state, counted and bounded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use interlink_model::keyvalues::{
    CHANGES_BYTES_MAX, KeyValues, RANGE_ENTRIES_MAX, STATE_BYTES_MAX, VALUE_BYTES_MAX, check_key, prefixes,
};
use serde_json::Value;
use wasmtime::ResourceLimiter;

use crate::besides::{Besides, Blobs, Given};
use crate::call::{Call, Change, Entry, LogLine, Problem};
use crate::durable::Kind;
use crate::fault::Fault;
use crate::limits::Limits;
use crate::outside::{Outside, Sent};

/// The clock of deadlines: a guest is looked at so often.
pub(crate) const TICK: Duration = Duration::from_millis(10);

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
    migrates: bool,
    given: Given,
    /// Whether it can ring alarms.
    rings: bool,
    pub outcome: Option<Value>,
    pub besides: Besides,
    pub logs: Vec<LogLine>,
    /// What it said last as an error, kept whether there was room for the line or not: a panic ends with it.
    pub last_error: Option<String>,
    outside: Option<Outside>,
    began: Instant,
    /// How long others came before it.
    aside: Duration,
    host_calls: u64,
    host_bytes: usize,
    memory_bytes: usize,
    table_elements: usize,
}

/// A value as text.
fn as_text(key: &str, value: Vec<u8>) -> Result<String, Fault> {
    String::from_utf8(value).map_err(|_| Fault::NotText { key: key.into() })
}

impl Guest {
    /// The guest of a call. A view and a migration have no outside, whatever they are given.
    pub fn new(limits: Arc<Limits>, call: &Call, rings: bool, outside: Option<Outside>, began: Instant) -> Self {
        let is_view = matches!(call.entry, Entry::View { .. });
        let migrates = matches!(call.entry, Entry::Migrate { .. });
        Self {
            limits,
            before: call.state.clone(),
            now: call.state.clone(),
            changed: BTreeMap::new(),
            changed_bytes: 0,
            context: call.context.to_json(),
            is_view,
            migrates,
            given: call.given.clone(),
            rings,
            outcome: None,
            besides: Besides::default(),
            logs: Vec::new(),
            last_error: None,
            outside: outside.filter(|_| !is_view && !migrates),
            began,
            aside: Duration::ZERO,
            host_calls: 0,
            host_bytes: 0,
            memory_bytes: 0,
            table_elements: 0,
        }
    }

    /// The call is over: it lets go of the world outside and of what it was given; answers what it has logged.
    pub fn is_over(&mut self) -> Vec<LogLine> {
        self.outside = None;
        self.given = Given::default();
        std::mem::take(&mut self.logs)
    }

    /// When the call ends at the latest: the time that it spent outside, or waiting for others, does not count.
    fn deadline(&self) -> Instant {
        let away = self.outside.as_ref().map_or(Duration::ZERO, Outside::away);
        self.began + Duration::from_millis(self.limits.deadline_ms) + away + self.aside
    }

    /// How long others may come before it still.
    pub fn patience(&self) -> Duration {
        Duration::from_millis(self.limits.aside_ms).saturating_sub(self.aside)
    }

    /// A tick has passed, after which others came before it for so long.
    pub fn ticked(&mut self, aside: Duration) -> Result<(), Fault> {
        self.aside += aside;
        let max_ms = self.limits.deadline_ms;
        if Instant::now() >= self.deadline() { Err(Fault::Deadline { max_ms }) } else { Ok(()) }
    }

    /// Counts a call into the host. The deadline holds in here too.
    fn enter(&mut self) -> Result<(), Fault> {
        self.host_calls += 1;
        if self.host_calls > self.limits.host_calls {
            return Err(Fault::HostCalls { max: self.limits.host_calls });
        }
        if Instant::now() >= self.deadline() {
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

    pub fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, Fault> {
        self.enter()?;
        check_key(key).map_err(Fault::Key)?;
        let value = self.now.get(key).map(|value| value.to_vec());
        self.hand_out(value.as_ref().map_or(0, Vec::len))?;
        Ok(value)
    }

    pub fn set(&mut self, key: &str, value: Vec<u8>) -> Result<(), Fault> {
        self.enter()?;
        check_key(key).map_err(Fault::Key)?;
        if value.len() > VALUE_BYTES_MAX {
            return Err(Fault::Value { key: key.into(), bytes: value.len() });
        }
        self.change(key, key.len() + value.len())?;
        self.now.set(key, value);
        if self.now.bytes() > STATE_BYTES_MAX { Err(Fault::State { bytes: self.now.bytes() }) } else { Ok(()) }
    }

    pub fn delete(&mut self, key: &str) -> Result<(), Fault> {
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

    pub fn range(&mut self, prefix: &str, after: Option<&str>, limit: u32) -> Result<Vec<Pair>, Fault> {
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

    pub fn get_text(&mut self, key: &str) -> Result<Option<String>, Fault> {
        self.get(key)?.map(|value| as_text(key, value)).transpose()
    }

    pub fn range_of_texts(
        &mut self,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<(String, String)>, Fault> {
        let found = self.range(prefix, after, limit)?.into_iter();
        found.map(|(key, value)| as_text(&key, value).map(|text| (key, text))).collect()
    }

    pub fn count(&mut self, prefix: &str) -> Result<u64, Fault> {
        self.enter()?;
        Ok(self.now.count(prefix))
    }

    /// Who calls, when, and on what.
    pub fn context(&mut self) -> Result<String, Fault> {
        self.enter()?;
        self.hand_out(self.context.len())?;
        Ok(self.context.clone())
    }

    pub fn declare(&mut self, outcome: &str) -> Result<(), Fault> {
        self.wanting()?;
        let outcome = serde_json::from_str(outcome).map_err(|error| Fault::Output { reason: error.to_string() })?;
        self.outcome = Some(outcome);
        Ok(())
    }

    pub fn log(&mut self, level: String, message: &str) -> Result<(), Fault> {
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
            let replayed = self.outside.as_ref().is_some_and(Outside::is_feeding);
            self.logs.push(LogLine { level, message, replayed });
        }
        Ok(())
    }

    /// The outside, where this call has one.
    fn outside(&mut self, kind: Kind) -> Result<(&mut Outside, &Limits), Fault> {
        self.enter()?;
        let outside = self.outside.as_mut().ok_or(Fault::NotGranted { kind })?;
        Ok((outside, &self.limits))
    }

    /// The time, in microseconds since 1970.
    pub fn clock(&mut self) -> Result<i64, Fault> {
        let (outside, limits) = self.outside(Kind::Clock)?;
        outside.now(limits)
    }

    /// So many random bytes.
    pub fn random(&mut self, count: u32) -> Result<Vec<u8>, Fault> {
        let (outside, limits) = self.outside(Kind::Random)?;
        let bytes = outside.random(count as usize, limits)?;
        self.hand_out(bytes.len())?;
        Ok(bytes)
    }

    /// What a request is answered.
    pub fn http(&mut self, request: &str, body: Vec<u8>) -> Result<Sent, Fault> {
        let (outside, limits) = self.outside(Kind::Http)?;
        let sent = outside.http(request, body, limits)?;
        self.hand_out(sent.as_ref().map_or(0, |(head, body)| head.len() + body.len()))?;
        Ok(sent)
    }

    /// A secret.
    pub fn secret(&mut self, name: &str) -> Result<Option<String>, Fault> {
        let (outside, limits) = self.outside(Kind::Secret)?;
        let secret = outside.secret(name, limits)?;
        self.hand_out(secret.as_ref().map_or(0, String::len))?;
        Ok(secret)
    }

    /// Who takes part in the process.
    pub fn people(&mut self) -> Result<Result<String, Problem>, Fault> {
        let (outside, limits) = self.outside(Kind::People)?;
        let people = outside.people(limits)?;
        self.hand_out(people.as_ref().map_or(0, String::len))?;
        Ok(people)
    }

    /// What an action of another asset answers.
    pub fn asset(&mut self, asset: &str, action: &str, input: &str) -> Result<Result<String, Problem>, Fault> {
        let (outside, limits) = self.outside(Kind::Asset)?;
        let acted = outside.asset(asset, action, input, limits)?;
        self.hand_out(acted.as_ref().map_or(0, String::len))?;
        Ok(acted)
    }

    /// What an operator has set.
    pub fn settings(&mut self) -> Result<String, Fault> {
        self.enter()?;
        let settings = if self.given.settings.is_null() { "{}".into() } else { self.given.settings.to_string() };
        self.hand_out(settings.len())?;
        Ok(settings)
    }

    /// What the call wants besides; a view wants nothing.
    fn wanting(&mut self) -> Result<(&mut Besides, &Given), Fault> {
        self.enter()?;
        match (self.is_view, self.migrates) {
            (true, _) => Err(Fault::ViewChanges),
            (_, true) => Err(Fault::MigrationWants),
            _ => Ok((&mut self.besides, &self.given)),
        }
    }

    /// Notes a word.
    pub fn note(&mut self, word: &str, amount: i64) -> Result<Result<(), Problem>, Fault> {
        Ok(self.wanting()?.0.note(word, amount))
    }

    /// Tells people something.
    pub fn notify(&mut self, message: &str) -> Result<Result<(), Problem>, Fault> {
        let (besides, given) = self.wanting()?;
        Ok(besides.send(message, &given.grants))
    }

    /// Sets an alarm.
    pub fn set_alarm(&mut self, name: &str, at: i64, input: &str) -> Result<Result<(), Problem>, Fault> {
        let rings = self.rings;
        let (besides, given) = self.wanting()?;
        Ok(besides.set_alarm(name, at, input, rings.then_some(&given.alarms)))
    }

    /// Takes an alarm away.
    pub fn cancel_alarm(&mut self, name: &str) -> Result<bool, Fault> {
        let (besides, given) = self.wanting()?;
        Ok(besides.cancel_alarm(name, given.alarms.contains(name)))
    }

    /// Keeps a blob.
    pub fn put_blob(&mut self, media_type: &str, content: Vec<u8>) -> Result<Result<String, Problem>, Fault> {
        let (besides, given) = self.wanting()?;
        let kept = given.blobs.as_deref();
        let known = |digest: &str| kept.and_then(|kept| kept.size(digest));
        let total = kept.map_or((0, 0), Blobs::total);
        Ok(besides.put(media_type, content, known, total))
    }

    /// How many bytes a blob has.
    pub fn blob_size(&mut self, digest: &str) -> Result<Option<u64>, Fault> {
        self.enter()?;
        let put = self.besides.blobs.get(digest).map(|put| put.content.len() as u64);
        Ok(put.or_else(|| self.given.blobs.as_ref().and_then(|kept| kept.size(digest))))
    }

    /// A part of a blob.
    pub fn blob(&mut self, digest: &str, offset: u64, limit: u32) -> Result<Option<Vec<u8>>, Fault> {
        self.enter()?;
        let limit = limit as usize;
        let found = match (self.besides.blobs.get(digest), &self.given.blobs) {
            (Some(put), _) => {
                let from = usize::try_from(offset).unwrap_or(usize::MAX).min(put.content.len());
                let to = from.saturating_add(limit).min(put.content.len());
                Some(put.content[from..to].to_vec())
            }
            (None, Some(kept)) => {
                let limit = limit.min(self.limits.host_bytes - self.host_bytes);
                kept.read(digest, offset, limit).map_err(|reason| Fault::BlobUnread { reason })?
            }
            (None, None) => None,
        };
        self.hand_out(found.as_ref().map_or(0, Vec::len))?;
        Ok(found)
    }

    /// Checks that a guest that has answered had all that its record has.
    pub fn finish(&self) -> Result<(), Fault> {
        self.outside.as_ref().map_or(Ok(()), Outside::finish)
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

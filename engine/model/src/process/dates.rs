//! The dates of an item: its schema's, or what people set in their place.

use std::borrow::Cow;

use super::Process;
use crate::facts::Dates;
use crate::schema::outline::ItemRef;
use crate::schema::timing::{Opening, Recurrence, Timing};
use crate::time::cron::Cron;
use crate::time::misfire::Misfire;
use crate::time::moment::Moment;

/// Why dates cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{key}`: {reason}")]
pub struct DatesError {
    /// Which of them.
    pub key: &'static str,
    /// What is wrong, and what would be right.
    pub reason: String,
}

/// Dates that have been read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SetDates {
    pub(super) written: Dates,
    opens: Option<Moment>,
    closes: Option<Moment>,
    due: Option<Moment>,
    until: Option<Moment>,
    every: Option<Cron>,
    misfire: Option<Misfire>,
}

impl SetDates {
    /// Reads dates as people write them.
    pub fn read(written: &Dates) -> Result<Self, DatesError> {
        let moment = |key, text: &Option<String>| match text {
            None => Ok(None),
            Some(text) => Moment::parse(text).map(Some).map_err(|error| DatesError { key, reason: error.to_string() }),
        };
        let every = written.every.as_deref().map(Cron::parse).transpose();
        let misfire = written.misfire.as_deref().map(|name| {
            let reason = || "one of `fire_once`, `catch_up`, `skip` is meant".to_owned();
            Misfire::named(name).ok_or_else(|| DatesError { key: "misfire", reason: reason() })
        });
        Ok(Self {
            opens: moment("opens", &written.opens)?,
            closes: moment("closes", &written.closes)?,
            due: moment("due", &written.due)?,
            until: moment("until", &written.until)?,
            every: every.map_err(|error| DatesError { key: "every", reason: error.to_string() })?,
            misfire: misfire.transpose()?,
            written: written.clone(),
        })
    }

    /// Every moment that was set, with its key.
    pub(super) fn moments(&self) -> impl Iterator<Item = (&'static str, &Moment)> {
        let all = [("opens", &self.opens), ("closes", &self.closes), ("due", &self.due), ("until", &self.until)];
        all.into_iter().filter_map(|(key, moment)| moment.as_ref().map(|moment| (key, moment)))
    }

    /// Whether something was set that only a task has.
    pub(super) fn is_of_task(&self) -> bool {
        self.due.is_some() || self.until.is_some() || self.every.is_some() || self.written.times.is_some()
    }
}

impl Process {
    /// When an item opens and closes.
    pub(super) fn opening(&self, item: ItemRef) -> Cow<'_, Opening> {
        let planned = self.plan.opening(item);
        let Some(set) = self.dates.get(&item) else { return Cow::Borrowed(planned) };
        Cow::Owned(Opening {
            opens: set.opens.clone().or_else(|| planned.opens.clone()),
            closes: set.closes.clone().or_else(|| planned.closes.clone()),
        })
    }

    /// When a task is due and comes again.
    pub(super) fn timing(&self, task: usize) -> Cow<'_, Timing> {
        let planned = &self.plan.task(task).timing;
        let Some(set) = self.dates.get(&ItemRef::Task(task)) else { return Cow::Borrowed(planned) };
        let mut timing = planned.clone();
        timing.due = set.due.clone().or(timing.due);
        timing.every = match (&set.every, timing.every) {
            (Some(cron), None) => Some(Recurrence {
                cron: cron.clone(),
                misfire: set.misfire.unwrap_or_default(),
                until: set.until.clone(),
                times: set.written.times,
            }),
            (set_cron, Some(every)) => Some(Recurrence {
                cron: set_cron.clone().unwrap_or(every.cron),
                misfire: set.misfire.unwrap_or(every.misfire),
                until: set.until.clone().or(every.until),
                times: set.written.times.or(every.times),
            }),
            (None, None) => None,
        };
        Cow::Owned(timing)
    }
}

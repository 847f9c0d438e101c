//! From fields to instants.
//!
//! Time is walked in stretches with one offset from UTC, in which local and universal time differ by a constant; what
//! is special about clock changes is special about where a stretch begins. Within one, days are looked at singly and
//! times of a day are found in the sets of bits.

use jiff::civil::Date;
use jiff::tz::Offset;
use jiff::{Timestamp, ToSpan};

use super::LOOKAHEAD_YEARS_MAX;
use super::fields::Fields;
use crate::id::Micros;
use crate::time::zone::{Stretch, Zone};

const DAY_SECONDS: i64 = 24 * 60 * 60;
const YEAR_DAYS_MAX: i64 = 366;
const SECOND_MICROS: i64 = 1_000_000;

/// The runs of a schedule after a moment, in order; it ends with the year 9999.
#[derive(Debug, Clone)]
pub struct Upcoming<'a> {
    fields: &'a Fields,
    zone: &'a Zone,
    /// The first second (since 1970, UTC) that may be the next run.
    from: i64,
    /// Where that second lies; `None` at the end of time.
    stretch: Option<Stretch>,
}

impl<'a> Upcoming<'a> {
    pub(super) fn new(fields: &'a Fields, after: Micros, zone: &'a Zone) -> Self {
        let from = after.0.div_euclid(SECOND_MICROS) + 1;
        Upcoming { fields, zone, from, stretch: zone.stretch(from) }
    }

    fn next_second(&mut self) -> Option<i64> {
        let horizon = self.from + LOOKAHEAD_YEARS_MAX * YEAR_DAYS_MAX * DAY_SECONDS;
        loop {
            let stretch = self.stretch?;
            if let Some(found) = self.in_stretch(&stretch, horizon) {
                self.from = found + 1;
                if stretch.end == Some(self.from) {
                    self.stretch = self.zone.stretch(self.from);
                }
                return Some(found);
            }
            self.from = stretch.end.filter(|end| *end <= horizon)?;
            self.stretch = self.zone.stretch(self.from);
        }
    }

    /// The first run of a stretch from `self.from` on.
    fn in_stretch(&self, stretch: &Stretch, horizon: i64) -> Option<i64> {
        let mut local = self.from + stretch.offset;
        if let Some(start) = stretch.start {
            // Where local clocks stood when the stretch before it ended, and where they stand when it begins.
            let (left, entered) = (start + stretch.offset_before, start + stretch.offset);
            if self.from == start && self.local_run(left, entered).is_some() {
                return Some(start);
            }
            if !self.fields.interval {
                local = local.max(left);
            }
        }
        let end = stretch.end.map_or(horizon, |end| end.min(horizon));
        Some(self.local_run(local, end + stretch.offset)? - stretch.offset)
    }

    /// The first time of local clocks in `from..until` at which it runs, as seconds since they showed 1970.
    fn local_run(&self, from: i64, until: i64) -> Option<i64> {
        if from >= until {
            return None;
        }
        let mut day = from.div_euclid(DAY_SECONDS);
        let mut date = Offset::UTC.to_datetime(Timestamp::from_second(from).ok()?).date();
        // A second of a day, so that it fits.
        let mut second = from.rem_euclid(DAY_SECONDS) as u32;
        while day * DAY_SECONDS < until {
            if self.fields.day(date)
                && let Some(found) = self.fields.second_of_day(second)
            {
                let found = day * DAY_SECONDS + i64::from(found);
                return (found < until).then_some(found);
            }
            let next = self.following_day(date)?;
            day += next.duration_since(date).as_secs() / DAY_SECONDS;
            (date, second) = (next, 0);
        }
        None
    }

    /// The day after, or the first of the next month if this whole month is left out.
    fn following_day(&self, date: Date) -> Option<Date> {
        if self.fields.month(date) { date.tomorrow().ok() } else { date.first_of_month().checked_add(1.month()).ok() }
    }
}

impl Iterator for Upcoming<'_> {
    type Item = Micros;

    fn next(&mut self) -> Option<Micros> {
        self.next_second().map(|second| Micros(second * SECOND_MICROS))
    }
}

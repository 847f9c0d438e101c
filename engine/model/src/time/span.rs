//! Lengths of time as people write them: `2 weeks`, `1 day 12 hours`, `P2W`.
//!
//! Days and what is larger are counted on the calendar of a zone and keep the time on the clock: a week after Sunday
//! at nine is Sunday at nine, though clocks change in between. Hours and minutes are exact.

use std::fmt;

use jiff::{Span as Calendar, ToSpan};

use super::part::Part;
use super::zone::Zone;
use crate::id::Micros;
use crate::near::{nearest, shown};

/// Bytes of a span's text. All six units with their largest amounts take less.
pub const SPAN_BYTES_MAX: usize = 128;

/// Days that a span may reach over, counted generously: a hundred years. What is longer is a mistake, and a calendar
/// should not be asked for it.
pub const SPAN_DAYS_MAX: u64 = 36_600;

const MINUTE_MICROS: i64 = 60 * 1_000_000;
const DAY_MINUTES: u64 = 24 * 60;

/// A unit of time, and how it is written.
struct Unit {
    one: &'static str,
    many: &'static str,
    /// The most minutes that it can have.
    minutes_max: u64,
    /// Its letter in ISO 8601, and whether it stands behind the `T`.
    letter: char,
    of_day: bool,
}

const fn unit(one: &'static str, many: &'static str, minutes_max: u64, letter: char, of_day: bool) -> Unit {
    Unit { one, many, minutes_max, letter, of_day }
}

impl Unit {
    /// As it stands behind a number.
    fn named(&self, amount: u32) -> &'static str {
        if amount == 1 { self.one } else { self.many }
    }
}

/// From the largest to the smallest, which is the order of a span's amounts.
const UNITS: [Unit; 6] = [
    unit("year", "years", 366 * DAY_MINUTES, 'Y', false),
    unit("month", "months", 31 * DAY_MINUTES, 'M', false),
    unit("week", "weeks", 7 * DAY_MINUTES, 'W', false),
    unit("day", "days", DAY_MINUTES, 'D', false),
    unit("hour", "hours", 60, 'H', true),
    unit("minute", "minutes", 1, 'M', true),
];

/// A length of time, of one minute to a hundred years.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Years, months, weeks, days, hours, minutes; not all are zero.
    amounts: [u32; UNITS.len()],
}

/// Why a text is no span. Offsets are bytes from the start of the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// It is longer than is read.
    #[error("a span has at most {SPAN_BYTES_MAX} bytes, and this has {bytes}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Nothing is written.
    #[error("a span is missing; write one such as `2 weeks`")]
    Empty {
        /// Where it is missing.
        offset: usize,
    },
    /// No number stands where one should.
    #[error("`{found}` is no whole number; {help}")]
    Amount {
        /// Where it stands.
        offset: usize,
        /// What stands there, shortened to be shown.
        found: String,
        /// What would be right.
        help: String,
    },
    /// No unit of time stands behind a number.
    #[error("`{found}` is no unit of time; {help}")]
    Unit {
        /// Where it stands.
        offset: usize,
        /// What stands there, shortened to be shown.
        found: String,
        /// What would be right.
        help: String,
    },
    /// A number is the last that is written.
    #[error("no unit of time stands behind `{amount}`; did you mean `{amount} {}`?", UNITS[3].named(*.amount))]
    UnitMissing {
        /// Where it is missing.
        offset: usize,
        /// The number.
        amount: u32,
    },
    /// A unit is written twice.
    #[error("{unit} are written twice; add them up")]
    Repeated {
        /// Where the second one stands.
        offset: usize,
        /// The unit.
        unit: &'static str,
    },
    /// It begins with `P`, and is no duration of ISO 8601 that is read.
    #[error("`{found}` is no ISO 8601 duration of whole numbers, from years to minutes; write `P2W` or `P1DT12H`")]
    Iso {
        /// Where it goes wrong.
        offset: usize,
        /// The duration, shortened to be shown.
        found: String,
    },
    /// It reaches further than is reckoned.
    #[error("a span reaches over a hundred years at most")]
    TooFar {
        /// Where it begins.
        offset: usize,
    },
}

impl SpanError {
    /// At which byte of the text to look; 0 if all of it is meant.
    pub fn offset(&self) -> usize {
        match self {
            SpanError::TooLong { .. } => 0,
            SpanError::Empty { offset }
            | SpanError::Amount { offset, .. }
            | SpanError::Unit { offset, .. }
            | SpanError::UnitMissing { offset, .. }
            | SpanError::Repeated { offset, .. }
            | SpanError::Iso { offset, .. }
            | SpanError::TooFar { offset } => *offset,
        }
    }
}

impl Span {
    /// Reads a span such as `2 weeks`, `1 day 12 hours` or `P1DT12H`.
    ///
    /// # Errors
    ///
    /// At the first mistake: what is wrong, what would be right, and at which byte of `text`.
    pub fn parse(text: &str) -> Result<Span, SpanError> {
        Span::read(Part::whole(text))
    }

    /// The same for a part of a longer text.
    pub(super) fn read(part: Part) -> Result<Span, SpanError> {
        if part.text.len() > SPAN_BYTES_MAX {
            return Err(SpanError::TooLong { bytes: part.text.len() });
        }
        let words: Vec<Part> = part.split_whitespace().collect();
        let amounts = match words.as_slice() {
            [] => return Err(SpanError::Empty { offset: part.end() }),
            [word] if word.text.starts_with('P') => iso(*word)?,
            _ => in_words(&words)?,
        };
        let days = UNITS.iter().zip(amounts).map(|(unit, amount)| unit.minutes_max * u64::from(amount)).sum::<u64>();
        if days > SPAN_DAYS_MAX * DAY_MINUTES {
            return Err(SpanError::TooFar { offset: words[0].offset });
        }
        Ok(Span { amounts })
    }

    /// The moment that lies this much after another; `None` beyond the years that are reckoned with.
    ///
    /// A day that a month lacks is its last one: a month after 31 January is 28 February. A time that clocks skip is
    /// the first moment after the gap, and of one that they show twice it is the earlier.
    pub fn after(&self, at: Micros, zone: &Zone) -> Option<Micros> {
        self.moved(at, zone, 1)
    }

    /// The moment that lies this much before another, reckoned in the same way.
    pub fn before(&self, at: Micros, zone: &Zone) -> Option<Micros> {
        self.moved(at, zone, -1)
    }

    fn moved(&self, at: Micros, zone: &Zone, sign: i64) -> Option<Micros> {
        let [years, months, weeks, days, hours, minutes] = self.amounts.map(|amount| i64::from(amount) * sign);
        let calendar = years.years().months(months).weeks(weeks).days(days);
        let moved = if calendar.is_zero() { at } else { moved_on_calendar(at, zone, calendar)? };
        Some(Micros(moved.0.checked_add((hours * 60 + minutes) * MINUTE_MICROS)?))
    }
}

fn moved_on_calendar(at: Micros, zone: &Zone, calendar: Calendar) -> Option<Micros> {
    zone.moment(zone.local(at)?.checked_add(calendar).ok()?)
}

/// Numbers and units in turn.
fn in_words(words: &[Part]) -> Result<[u32; UNITS.len()], SpanError> {
    let mut amounts = [0; UNITS.len()];
    for pair in words.chunks(2) {
        let amount = amount(pair[0])?;
        let Some(unit) = pair.get(1) else {
            return Err(SpanError::UnitMissing { offset: pair[0].end(), amount });
        };
        put(&mut amounts, unit_of(*unit)?, amount, *unit)?;
    }
    Ok(amounts)
}

fn amount(word: Part) -> Result<u32, SpanError> {
    if let Some(amount) = word.text.parse().ok().filter(|amount| *amount > 0 && !word.text.starts_with('+')) {
        return Ok(amount);
    }
    let (number, unit) = word.text.split_at(word.text.bytes().take_while(u8::is_ascii_digit).count());
    let help = match number.parse::<u32>() {
        Ok(0) => "the least is 1".to_owned(),
        Ok(number) if is_unit(unit) => format!("did you mean `{number} {unit}`?"),
        Err(_) if !number.is_empty() => return Err(SpanError::TooFar { offset: word.offset }),
        _ => "write an amount in digits and a unit, as in `2 weeks`".to_owned(),
    };
    Err(SpanError::Amount { offset: word.offset, found: shown(word.text), help })
}

fn is_unit(text: &str) -> bool {
    UNITS.iter().any(|unit| text == unit.one || text == unit.many)
}

/// The place of a unit among the amounts.
fn unit_of(word: Part) -> Result<usize, SpanError> {
    if let Some(place) = UNITS.iter().position(|unit| word.text == unit.one || word.text == unit.many) {
        return Ok(place);
    }
    let help = match nearest(word.text, UNITS.iter().flat_map(|unit| [unit.one, unit.many])) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "write minutes, hours, days, weeks, months or years".to_owned(),
    };
    Err(SpanError::Unit { offset: word.offset, found: shown(word.text), help })
}

fn put(amounts: &mut [u32; UNITS.len()], place: usize, amount: u32, word: Part) -> Result<(), SpanError> {
    if amounts[place] > 0 {
        return Err(SpanError::Repeated { offset: word.offset, unit: UNITS[place].many });
    }
    amounts[place] = amount;
    Ok(())
}

/// `P`, amounts with their letters from the largest to the smallest, and a `T` before those of less than a day.
fn iso(word: Part) -> Result<[u32; UNITS.len()], SpanError> {
    let mut amounts = [0; UNITS.len()];
    let refused = |at: Part| SpanError::Iso { offset: at.offset, found: shown(word.text) };
    let (_, mut rest) = word.split_at(1);
    let (mut of_day, mut first) = (false, 0);
    while !rest.text.is_empty() {
        if !of_day && rest.text.starts_with('T') {
            (of_day, (_, rest)) = (true, rest.split_at(1));
        }
        let (number, behind) = rest.split_at(rest.text.bytes().take_while(u8::is_ascii_digit).count());
        let letter = behind.text.chars().next();
        let unit = UNITS.iter().position(|unit| Some(unit.letter) == letter && unit.of_day == of_day);
        let place = unit.filter(|place| *place >= first).ok_or_else(|| refused(rest))?;
        let amount = number.text.parse().ok().filter(|amount| *amount > 0).ok_or_else(|| refused(rest))?;
        amounts[place] = amount;
        // Letters of units are one byte each.
        (first, (_, rest)) = (place + 1, behind.split_at(1));
    }
    if first == 0 { Err(refused(word)) } else { Ok(amounts) }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let written = UNITS.iter().zip(self.amounts).filter(|(_, amount)| *amount > 0);
        for (place, (unit, amount)) in written.enumerate() {
            let gap = if place == 0 { "" } else { " " };
            write!(f, "{gap}{amount} {}", unit.named(amount))?;
        }
        Ok(())
    }
}

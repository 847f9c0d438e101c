//! Moments as a schema's author writes them, before it is known when a process begins.
//!
//! * `2 weeks after start`, `3 days after ready`, `2 days before due`, `1 month after agree-goals` (an item's end);
//! * `start`, `ready` or `due` alone;
//! * `2027-05-01`, `2027-05-01 09:00` or `2027-05-01T09:00`, by the clocks of the process's zone.
//!
//! All but the last may end in ` at 09:00`, which is that hour of the day that was reached. A date without an hour is
//! the beginning of its day where something opens ([`Moment::resolve`]) and the end of it where something is due
//! ([`Moment::resolve_due`]).

mod parse;

use std::fmt;

use jiff::civil::{Date, Time};

use super::span::{Span, SpanError};
use super::zone::Zone;
use crate::id::Micros;
use crate::schema::limits::ID_BYTES_MAX;

/// Bytes of a moment's text: a span, an item's id and an hour, with room between them.
pub const MOMENT_BYTES_MAX: usize = 512;

/// A moment that may depend on what happens in a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// A day, and perhaps an hour.
    On(Date, Option<Time>),
    /// What depends on something else.
    From { anchor: Anchor, distance: Option<(Side, Span)>, hour: Option<Time> },
}

/// Which side of its anchor a moment lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Before,
    After,
}

/// What a moment is reckoned from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Anchor {
    /// The start of the process.
    Start,
    /// The moment at which the item itself became ready.
    Ready,
    /// The moment at which the item itself is due.
    Due,
    /// The moment at which another item was finished, by its id.
    Item(String),
}

/// Why a text is no moment. Offsets are bytes from the start of the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MomentError {
    /// It is longer than is read.
    #[error("a moment has at most {MOMENT_BYTES_MAX} bytes, and this has {bytes}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The span before `after` or `before` cannot be read.
    #[error(transparent)]
    Span(#[from] SpanError),
    /// Something is missing, misspelt, or too much.
    #[error("{}; {help}", unexpected(.found))]
    Unexpected {
        /// Where it stands.
        offset: usize,
        /// What stands there, shortened to be shown; empty where the text ends.
        found: String,
        /// What would be right.
        help: String,
    },
    /// No day of the calendar.
    #[error("`{found}` is no day of the calendar; write year, month and day, as in `2027-05-01`")]
    Date {
        /// Where it stands.
        offset: usize,
        /// What stands there, shortened to be shown.
        found: String,
    },
    /// No hour of a day.
    #[error("`{found}` is no time of a day; write hours and minutes from `00:00` to `23:59`, without a zone")]
    Hour {
        /// Where it stands.
        offset: usize,
        /// What stands there, shortened to be shown.
        found: String,
    },
    /// A moment before something that cannot be foreseen.
    #[error("nothing can be reckoned to be before `{anchor}`, which is not known until it happens; write `after`")]
    Unforeseen {
        /// Where `before` stands.
        offset: usize,
        /// What cannot be foreseen.
        anchor: String,
    },
    /// What stands for an item is no id.
    #[error(
        "`{found}` is no id of an item; ids are made of small letters a to z, digits, `-`, `_` and `.`, and have at \
         most {ID_BYTES_MAX} bytes"
    )]
    Id {
        /// Where it stands.
        offset: usize,
        /// What stands there, shortened to be shown.
        found: String,
    },
}

fn unexpected(found: &str) -> String {
    if found.is_empty() { "the moment ends too early".to_owned() } else { format!("`{found}` is not expected here") }
}

impl MomentError {
    /// At which byte of the text to look; 0 if all of it is meant.
    pub fn offset(&self) -> usize {
        match self {
            MomentError::TooLong { .. } => 0,
            MomentError::Span(error) => error.offset(),
            MomentError::Unexpected { offset, .. }
            | MomentError::Date { offset, .. }
            | MomentError::Hour { offset, .. }
            | MomentError::Unforeseen { offset, .. }
            | MomentError::Id { offset, .. } => *offset,
        }
    }
}

impl Moment {
    /// Reads a moment.
    ///
    /// # Errors
    ///
    /// At the first mistake: what is wrong, what would be right, and at which byte of `text`.
    pub fn parse(text: &str) -> Result<Moment, MomentError> {
        parse::moment(text)
    }

    /// What it depends on; `None` for a day of the calendar.
    pub fn anchor(&self) -> Option<&Anchor> {
        match &self.0 {
            Kind::On(..) => None,
            Kind::From { anchor, .. } => Some(anchor),
        }
    }

    /// When it is, if its anchor was at `anchor`; a date without an hour is the beginning of its day.
    ///
    /// `None` if it depends on something that has not happened, and beyond the year 9999.
    pub fn resolve(&self, anchor: Option<Micros>, zone: &Zone) -> Option<Micros> {
        match &self.0 {
            Kind::On(date, hour) => zone.moment(date.to_datetime(hour.unwrap_or(Time::midnight()))),
            Kind::From { distance, hour, .. } => {
                let reached = match distance {
                    None => anchor?,
                    Some((Side::After, span)) => span.after(anchor?, zone)?,
                    Some((Side::Before, span)) => span.before(anchor?, zone)?,
                };
                match hour {
                    None => Some(reached),
                    Some(hour) => zone.moment(zone.local(reached)?.date().to_datetime(*hour)),
                }
            }
        }
    }

    /// The same where something is due: a date without an hour is the last microsecond of its day.
    pub fn resolve_due(&self, anchor: Option<Micros>, zone: &Zone) -> Option<Micros> {
        match &self.0 {
            Kind::On(date, None) => {
                // From the next day's beginning, since a day's last hour may be skipped or shown twice.
                let next = zone.moment(date.tomorrow().ok()?.to_datetime(Time::midnight()))?;
                Some(Micros(next.0 - 1))
            }
            _ => self.resolve(anchor, zone),
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::On(date, None) => write!(f, "{date}"),
            Kind::On(date, Some(hour)) => write!(f, "{date} {}", Hour(*hour)),
            Kind::From { anchor, distance, hour } => {
                match distance {
                    None => write!(f, "{anchor}")?,
                    Some((Side::After, span)) => write!(f, "{span} after {anchor}")?,
                    Some((Side::Before, span)) => write!(f, "{span} before {anchor}")?,
                }
                hour.map_or(Ok(()), |hour| write!(f, " at {}", Hour(hour)))
            }
        }
    }
}

/// An hour of a day as it is written.
struct Hour(Time);

impl fmt::Display for Hour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0.hour(), self.0.minute())
    }
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Anchor::Start => "start",
            Anchor::Ready => "ready",
            Anchor::Due => "due",
            Anchor::Item(id) => id,
        })
    }
}

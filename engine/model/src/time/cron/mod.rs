//! Recurrences as Unix writes them, reckoned in civil time.
//!
//! **Five fields** are Unix's: minute, hour, day of month, month, day of week; 0 and 7 are Sunday. **Six fields** have
//! seconds in front; there weekdays are written by name only, because programs that take six fields disagree on
//! whether Sunday is 0 or 1. `@yearly`, `@annually`, `@monthly`, `@weekly`, `@daily`, `@midnight` and `@hourly` are
//! what they are in Unix.
//!
//! If day of month and day of week are both restricted, a day that fits *either* runs, as in Unix; a field that begins
//! with `*` (or is `?`, with six fields) does not count as restricted.
//!
//! **When clocks change:**
//!
//! * A local time that the clocks skip in spring runs at the first instant after the gap. Several of them run once.
//! * A local time that they show twice in autumn runs once, at the earlier instant, if its minute and hour are fixed.
//! * If the field of minutes or of hours begins with `*`, the schedule means an interval, and it runs in both. This is
//!   the line that Vixie cron draws: `*/15 * * * *` and `30 * * * *` go on through autumn, `30 2 * * *` runs once, and
//!   so does `0,30 2 * * *`.
//!
//! The parser is our own: the `cron` crate refuses five fields and cannot say at which byte a mistake is, and it
//! brings a clock along. A property test holds the two against each other.

mod error;
mod fields;
mod parse;
mod upcoming;

use std::fmt;

pub use error::{CronError, FieldProblem};
pub use fields::CronField;
use fields::Fields;
pub use upcoming::Upcoming;

use super::zone::Zone;
use crate::id::Micros;

/// Bytes of a schedule's text. One that lists every minute has 200.
pub const CRON_BYTES_MAX: usize = 512;

/// How far ahead of a moment the next run is looked for, in years. No schedule that can happen lets more than 40 pass:
/// that is 29 February on a given weekday, across a century year that is not a leap year.
pub const LOOKAHEAD_YEARS_MAX: i64 = 41;

/// A recurrence, such as `30 2 * * MON`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    text: String,
    fields: Fields,
}

impl Cron {
    /// Reads a schedule of five or six fields, or a name such as `@daily`.
    ///
    /// # Errors
    ///
    /// At the first mistake: which field, what is wrong and what would be right, and at which byte of `text`. Also if
    /// the schedule would never run, as on 31 February.
    pub fn parse(text: &str) -> Result<Cron, CronError> {
        let fields = parse::fields(text)?;
        if !fields.happen() {
            return Err(CronError::Never);
        }
        Ok(Cron { text: text.trim().to_owned(), fields })
    }

    /// The first run strictly after a moment; `None` if that lies beyond the year 9999.
    pub fn next(&self, after: Micros, zone: &Zone) -> Option<Micros> {
        self.upcoming(after, zone).next()
    }

    /// The runs strictly after a moment, in order. Cheaper than [`Cron::next`] for many of them.
    pub fn upcoming<'a>(&'a self, after: Micros, zone: &'a Zone) -> Upcoming<'a> {
        Upcoming::new(&self.fields, after, zone)
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

//! Why a text is no schedule.

use super::{CRON_BYTES_MAX, CronField};

/// Why a text is no schedule. Offsets are bytes from the start of the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// It is longer than is read.
    #[error("a schedule has at most {CRON_BYTES_MAX} bytes, and this has {bytes}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// It has neither five nor six fields.
    #[error(
        "a schedule has five fields (minute, hour, day of month, month, day of week) or six with seconds in front, \
         and this has {found}; `30 2 * * *` is every night at half past two"
    )]
    FieldCount {
        /// How many it has.
        found: usize,
        /// Where the first field too many begins, or where the text ends.
        offset: usize,
    },
    /// It begins with `@`, and is no name that is known.
    #[error("`{name}` is no name of a schedule; {help}")]
    Name {
        /// The name, shortened to be shown.
        name: String,
        /// Where it begins.
        offset: usize,
        /// What would be right.
        help: String,
    },
    /// One of its fields cannot be read.
    #[error("{field}: {problem}")]
    Field {
        /// Which field.
        field: CronField,
        /// Where in the text what is wrong begins.
        offset: usize,
        /// What is wrong with it, and what would be right.
        problem: FieldProblem,
    },
    /// No month of the schedule has such a day.
    #[error("this schedule never runs: none of its months has such a day, and 29 February is the last of its month")]
    Never,
}

impl CronError {
    /// At which byte of the text to look; 0 if all of it is meant.
    pub fn offset(&self) -> usize {
        match self {
            CronError::TooLong { .. } => 0,
            CronError::FieldCount { offset, .. } | CronError::Name { offset, .. } | CronError::Field { offset, .. } => {
                *offset
            }
            CronError::Never => 0,
        }
    }
}

/// What is wrong with one part of a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldProblem {
    /// Nothing stands between two commas, or beside a `-` or `/`.
    #[error("something is missing here; write a value, such as `{min}`")]
    Empty {
        /// The field's least value.
        min: u32,
    },
    /// Neither a number nor a name of this field.
    #[error("`{text}` is no value of this field; {help}")]
    NotAValue {
        /// What stands there, shortened to be shown.
        text: String,
        /// What would be right.
        help: String,
    },
    /// A number that this field does not reach.
    #[error("{value} is out of range; write a number from {min} to {max}")]
    OutOfRange {
        /// The number.
        value: u32,
        /// The least that is right.
        min: u32,
        /// The greatest that is right.
        max: u32,
    },
    /// A range that ends before it begins.
    #[error("the range `{text}` ends before it begins; write two, `{first}-{max},{min}-{last}`")]
    Backwards {
        /// The range.
        text: String,
        /// Its first value.
        first: u32,
        /// Its last value.
        last: u32,
        /// The field's least value.
        min: u32,
        /// The field's greatest value.
        max: u32,
    },
    /// A range of weekdays that ends before it begins.
    #[error("the range `{text}` ends before it begins; a week goes from SUN to SAT, or from MON to SUN: write two")]
    BackwardsWeek {
        /// The range.
        text: String,
    },
    /// A step that is no number, or one that cannot be taken.
    #[error("`/{text}` is no step of this field; write a number from 1 to {max}")]
    Step {
        /// What stands behind the `/`, shortened to be shown.
        text: String,
        /// The greatest step that is right.
        max: u32,
    },
    /// A numeric weekday in a schedule of six fields.
    #[error("with six fields weekdays are written by name, since programs disagree on which day is 1; write {help}")]
    NumericWeekday {
        /// What would be right, counted as Unix does.
        help: String,
    },
    /// `?` where it has no meaning.
    #[error("`?` stands for a day only, in schedules of six fields; write `*`")]
    QuestionMark,
}

//! What a schedule's fields admit.

use std::fmt;

use jiff::civil::Date;

/// A field of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CronField {
    /// 0 to 59; only in schedules of six fields.
    Second,
    /// 0 to 59.
    Minute,
    /// 0 to 23.
    Hour,
    /// 1 to 31.
    DayOfMonth,
    /// 1 to 12, or `JAN` to `DEC`.
    Month,
    /// 0 to 7, where 0 and 7 are Sunday, or `SUN` to `SAT`.
    DayOfWeek,
}

impl CronField {
    /// The fields of a schedule in their order; one of five fields begins with the second.
    pub(super) const ALL: [CronField; 6] = [
        CronField::Second,
        CronField::Minute,
        CronField::Hour,
        CronField::DayOfMonth,
        CronField::Month,
        CronField::DayOfWeek,
    ];

    /// Least and greatest number that may be written.
    pub(super) fn range(self) -> (u32, u32) {
        match self {
            CronField::Second | CronField::Minute => (0, 59),
            CronField::Hour => (0, 23),
            CronField::DayOfMonth => (1, 31),
            CronField::Month => (1, 12),
            CronField::DayOfWeek => (0, 7),
        }
    }

    /// The greatest number of `*`: a week has seven days, though Sunday may be written in two ways.
    pub(super) fn last(self) -> u32 {
        if self == CronField::DayOfWeek { 6 } else { self.range().1 }
    }

    /// Names of its values; the first is the least value's.
    pub(super) fn names(self) -> &'static [&'static str] {
        match self {
            CronField::Month => &[
                "JANUARY",
                "FEBRUARY",
                "MARCH",
                "APRIL",
                "MAY",
                "JUNE",
                "JULY",
                "AUGUST",
                "SEPTEMBER",
                "OCTOBER",
                "NOVEMBER",
                "DECEMBER",
            ],
            CronField::DayOfWeek => &["SUNDAY", "MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY"],
            _ => &[],
        }
    }
}

impl fmt::Display for CronField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CronField::Second => "second",
            CronField::Minute => "minute",
            CronField::Hour => "hour",
            CronField::DayOfMonth => "day of month",
            CronField::Month => "month",
            CronField::DayOfWeek => "day of week",
        })
    }
}

/// Some of the numbers from 0 to 63.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Set(u64);

impl Set {
    pub fn insert(&mut self, value: u32) {
        self.0 |= 1 << value;
    }

    pub fn contains(self, value: u32) -> bool {
        value < u64::BITS && self.0 >> value & 1 == 1
    }

    /// The least of them that is no less than `from`.
    pub fn at_least(self, from: u32) -> Option<u32> {
        let rest = if from < u64::BITS { self.0 >> from << from } else { 0 };
        (rest != 0).then(|| rest.trailing_zeros())
    }
}

/// A schedule, understood. No set is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fields {
    pub seconds: Set,
    pub minutes: Set,
    pub hours: Set,
    pub days: Set,
    pub months: Set,
    /// 0 is Sunday.
    pub weekdays: Set,
    /// Whether one of day of month and day of week is enough: both are restricted.
    pub either_day: bool,
    /// Whether it means an interval, and runs again when clocks show a time again.
    pub interval: bool,
}

impl Fields {
    /// Whether there is a day at all on which it runs. A day of a month falls on each weekday in some year.
    pub fn happen(&self) -> bool {
        const LONGEST: [u32; 13] = [0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let first = self.days.at_least(1).unwrap_or(u32::MAX);
        self.either_day || (1..=12).any(|month| self.months.contains(month) && first <= LONGEST[month as usize])
    }

    /// The first second of a day, from `from` on, at which it runs.
    pub fn second_of_day(&self, from: u32) -> Option<u32> {
        let (hour, minute, second) = (from / 3600, from / 60 % 60, from % 60);
        let same_hour = self.hours.contains(hour).then(|| self.second_of_hour(minute, second)).flatten();
        match same_hour {
            Some(found) => Some(hour * 3600 + found),
            None => Some(self.hours.at_least(hour + 1)? * 3600 + self.second_of_hour(0, 0)?),
        }
    }

    fn second_of_hour(&self, minute: u32, second: u32) -> Option<u32> {
        let same_minute = self.minutes.contains(minute).then(|| self.seconds.at_least(second)).flatten();
        match same_minute {
            Some(found) => Some(minute * 60 + found),
            None => Some(self.minutes.at_least(minute + 1)? * 60 + self.seconds.at_least(0)?),
        }
    }

    /// Whether it runs on a day.
    pub fn day(&self, date: Date) -> bool {
        let day = self.days.contains(date.day().unsigned_abs().into());
        let weekday = self.weekdays.contains(date.weekday().to_sunday_zero_offset().unsigned_abs().into());
        self.month(date) && if self.either_day { day || weekday } else { day && weekday }
    }

    /// Whether it runs in the month of a day.
    pub fn month(&self, date: Date) -> bool {
        self.months.contains(date.month().unsigned_abs().into())
    }
}

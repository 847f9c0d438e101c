//! The time of a test.

/// 2026-01-01T09:00:00Z, in microseconds since 1970: when tests begin.
pub(super) const MORNING: i64 = 1_767_258_000_000_000;
/// A second, in microseconds.
pub(super) const SECOND: i64 = 1_000_000;
const DAY_SECONDS: u64 = 24 * 60 * 60;

/// A time in microseconds since 1970, in RFC 3339 to the second.
///
/// # Panics
///
/// When it is before 1970.
pub(super) fn rfc3339(micros: i64) -> String {
    let seconds = u64::try_from(micros.div_euclid(SECOND)).expect("no test is before 1970");
    let (year, month, day) = date(seconds / DAY_SECONDS);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The date of a day since 1970-01-01 (Howard Hinnant's `civil_from_days`, for days after it).
fn date(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_knows_days_and_leap_years() {
        let later = |seconds: i64| rfc3339(MORNING + seconds * SECOND);
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(later(0), "2026-01-01T09:00:00Z");
        assert_eq!(later(15 * 3600 + 61), "2026-01-02T00:01:01Z");
        assert_eq!(later((365 + 365 + 59) * 24 * 3600), "2028-02-29T09:00:00Z");
        assert_eq!(rfc3339(MORNING + SECOND - 1), "2026-01-01T09:00:00Z");
    }
}

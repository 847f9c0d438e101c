//! The time of a test.

/// 2026-01-01 in days since 1970-01-01.
const FIRST_DAY: u64 = 20_454;
const DAY_SECONDS: u64 = 24 * 60 * 60;
const MORNING_SECONDS: u64 = 9 * 60 * 60;

/// The time, in RFC 3339, so many seconds after 2026-01-01T09:00:00Z.
pub(super) fn at(seconds: u64) -> String {
    let seconds = MORNING_SECONDS + seconds;
    let (year, month, day) = date(FIRST_DAY + seconds / DAY_SECONDS);
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
        assert_eq!(at(0), "2026-01-01T09:00:00Z");
        assert_eq!(at(15 * 3600 + 61), "2026-01-02T00:01:01Z");
        assert_eq!(at((365 + 365 + 59) * DAY_SECONDS), "2028-02-29T09:00:00Z");
    }
}

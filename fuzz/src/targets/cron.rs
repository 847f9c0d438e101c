//! Schedules: a pattern, then `---` on a line, a zone, again `---`, and a moment in microseconds since 1970.

use interlink_model::id::Micros;
use interlink_model::time::cron::Cron;
use interlink_model::time::zone::Zone;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::{micros, pieces, zone};

/// How many runs are looked at.
const RUNS: usize = 6;
/// A second, in microseconds.
const SECOND_US: i64 = 1_000_000;

/// A schedule that is taken runs after the moment, in order, when its pattern says so and no later; one that is refused is
/// told where.
pub fn run(data: &[u8]) {
    let Some(pieces) = pieces(data) else { return };
    let cron = match Cron::parse(pieces[0]) {
        Ok(cron) => cron,
        Err(error) => {
            assert!(!error.to_string().is_empty() && pieces[0].is_char_boundary(error.offset()), "{error:?}");
            return;
        }
    };
    assert_eq!(Cron::parse(&cron.to_string()).as_ref(), Ok(&cron), "what is shown is another schedule");
    runs_are_right(&cron, micros(pieces.get(2)), &zone(pieces.get(1)));
}

fn runs_are_right(cron: &Cron, after: Micros, zone: &Zone) {
    let rules = TimeZoneDatabase::bundled().get(zone.name()).expect("a zone has a known name");
    let mut from = after;
    for run in cron.upcoming(after, zone).take(RUNS) {
        assert!(run > from, "{run:?} is not after {from:?}");
        assert_eq!(cron.next(from, zone), Some(run), "from {from:?} it is another one");
        let between = Micros(from.0 + (run.0 - from.0) / 2);
        assert_eq!(cron.next(between, zone), Some(run), "a run between {from:?} and {run:?} was left out");
        assert_eq!(run.0 % SECOND_US, 0, "it runs within a second");
        assert!(is_meant(&cron.to_string(), run, &rules), "{cron} runs at {run:?} in {}", zone.name());
        from = run;
    }
}

/// Whether a pattern means a moment, read as slowly and plainly as can be. What falls into a gap of the clocks runs at its end,
/// whatever the pattern says of that.
fn is_meant(pattern: &str, run: Micros, rules: &TimeZone) -> bool {
    let at = Timestamp::from_microsecond(run.0).expect("a run is in a year that is reckoned with");
    let before = Timestamp::from_second(at.as_second() - 1).expect("and not its first second");
    let gap_ends = rules.to_offset(before) < rules.to_offset(at);
    gap_ends || pattern.starts_with('@') || admits(pattern, rules.to_datetime(at))
}

fn admits(pattern: &str, local: DateTime) -> bool {
    let fields: Vec<&str> = pattern.split_whitespace().collect();
    let (second, rest) = if let [second, rest @ ..] = &*fields
        && rest.len() == 5
    {
        (*second, rest)
    } else {
        ("0", &*fields)
    };
    let [minute, hour, day, month, weekday] = rest else { return false };
    let is = |field: &str, value: i8, least: i8| field.split(',').any(|item| item_admits(item, value, least));
    let sunday_zero = local.weekday().to_sunday_zero_offset();
    let on_day = is(day, local.day(), 1);
    let on_weekday = is(weekday, sunday_zero, 0) || (sunday_zero == 0 && is(weekday, 7, 0));
    let free = |field: &str| field.starts_with(['*', '?']);
    let day = if free(day) || free(weekday) { on_day && on_weekday } else { on_day || on_weekday };
    let time = is(second, local.second(), 0) && is(minute, local.minute(), 0) && is(hour, local.hour(), 0);
    time && day && is(month, local.month(), 1)
}

fn item_admits(item: &str, value: i8, least: i8) -> bool {
    let (base, step) = item.split_once('/').unwrap_or((item, ""));
    let step: i8 = step.parse().unwrap_or(1);
    let (first, last) = match base.split_once('-') {
        Some((first, last)) => (number(first), number(last)),
        None if base == "*" || base == "?" => (least, i8::MAX),
        None if item.contains('/') => (number(base), i8::MAX),
        None => (number(base), number(base)),
    };
    // A range of weekdays may end with Sunday by its name.
    let last = if last < first { 7 } else { last };
    (first..=last).contains(&value) && (value - first) % step == 0
}

/// A number, or the number of a month or a weekday by its first three letters.
fn number(text: &str) -> i8 {
    const NAMES: [&str; 19] = [
        "SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP",
        "OCT", "NOV", "DEC",
    ];
    let named = || {
        let short = text.get(..3)?.to_ascii_uppercase();
        let at = NAMES.iter().position(|name| *name == short)?;
        i8::try_from(if at < 7 { at } else { at - 6 }).ok()
    };
    text.parse().ok().or_else(named).unwrap_or(-1)
}

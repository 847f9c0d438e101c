//! Schedules against an oracle that is slow and obviously right, and against another parser.

mod clocks;

use std::collections::BTreeSet;
use std::str::FromStr;
use std::time::{Duration, Instant};

use clocks::{at, rules, shown, zone};
use cron::{Schedule, TimeUnitSpec};
use interlink_model::id::Micros;
use interlink_model::time::cron::Cron;
use interlink_model::time::zone::Zone;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;

/// One item of a field, by its meaning.
#[derive(Debug, Clone)]
enum Item {
    Star,
    StarStep(u32),
    Value(u32),
    From(u32, u32),
    Range(u32, u32),
    RangeStep(u32, u32, u32),
}

impl Item {
    fn text(&self) -> String {
        match self {
            Item::Star => "*".to_owned(),
            Item::StarStep(step) => format!("*/{step}"),
            Item::Value(value) => value.to_string(),
            Item::From(first, step) => format!("{first}/{step}"),
            Item::Range(first, last) => format!("{first}-{last}"),
            Item::RangeStep(first, last, step) => format!("{first}-{last}/{step}"),
        }
    }

    fn admits(&self, value: u32, min: u32) -> bool {
        match *self {
            Item::Star => true,
            Item::StarStep(step) => (value - min).is_multiple_of(step),
            Item::Value(only) => value == only,
            Item::From(first, step) => value >= first && (value - first).is_multiple_of(step),
            Item::Range(first, last) => (first..=last).contains(&value),
            Item::RangeStep(first, last, step) => {
                (first..=last).contains(&value) && (value - first).is_multiple_of(step)
            }
        }
    }
}

/// A field, and the least value that it may have.
#[derive(Debug, Clone)]
struct Field {
    items: Vec<Item>,
    min: u32,
}

impl Field {
    fn text(&self) -> String {
        self.items.iter().map(Item::text).collect::<Vec<_>>().join(",")
    }

    fn admits(&self, value: u32) -> bool {
        self.items.iter().any(|item| item.admits(value, self.min))
    }

    fn star(&self) -> bool {
        self.text().starts_with('*')
    }
}

fn any_item(min: u32, max: u32) -> impl Strategy<Value = Item> {
    let pair = (min..=max, min..=max).prop_map(|(a, b)| (a.min(b), a.max(b)));
    let step = 1..=max;
    prop_oneof![
        Just(Item::Star),
        step.clone().prop_map(Item::StarStep),
        (min..=max).prop_map(Item::Value),
        (min..=max, step.clone()).prop_map(|(first, step)| Item::From(first, step)),
        pair.clone().prop_map(|(first, last)| Item::Range(first, last)),
        (pair, step).prop_map(|((first, last), step)| Item::RangeStep(first, last, step)),
    ]
}

fn any_field(min: u32, max: u32) -> impl Strategy<Value = Field> {
    prop::collection::vec(any_item(min, max), 1..4).prop_map(move |items| Field { items, min })
}

/// A field that is free as often as not, so that schedules run within the few days that are looked at.
fn often_free(min: u32, max: u32) -> impl Strategy<Value = Field> {
    prop_oneof![Just(Field { items: vec![Item::Star], min }), any_field(min, max)]
}

/// Minute, hour, day of month, month, day of week.
fn any_schedule() -> impl Strategy<Value = [Field; 5]> {
    let days = (often_free(1, 31), often_free(1, 12), often_free(0, 6));
    let times = (any_field(0, 59), prop_oneof![any_field(0, 23), any_field(0, 3)]);
    (times, days).prop_map(|((minute, hour), (day, month, weekday))| [minute, hour, day, month, weekday])
}

/// A zone and a day near one of its changes.
fn any_change() -> impl Strategy<Value = (Zone, DateTime)> {
    prop::sample::select(vec![
        ("Europe/Madrid", "2026-03-29T00:00"),
        ("Europe/Madrid", "2026-10-25T00:00"),
        ("America/New_York", "2026-03-08T00:00"),
        ("America/New_York", "2026-11-01T00:00"),
        ("Africa/Cairo", "2026-04-24T00:00"),
        ("Africa/Cairo", "2026-10-29T00:00"),
        ("Australia/Lord_Howe", "2026-10-04T00:00"),
        ("Australia/Lord_Howe", "2026-04-05T00:00"),
        ("Pacific/Apia", "2011-12-30T00:00"),
        ("Africa/Casablanca", "2026-02-15T00:00"),
        ("Europe/Madrid", "1900-12-31T00:00"),
        ("UTC", "2028-02-29T00:00"),
    ])
    .prop_map(|(name, day)| (zone(name), day.parse().expect("a civil time")))
}

/// Whether a schedule names a time of the clock.
fn names([minute, hour, day, month, weekday]: &[Field; 5], local: DateTime) -> bool {
    let small = |value: i8| u32::from(value.unsigned_abs());
    let by_day = day.admits(small(local.day()));
    let by_weekday = weekday.admits(small(local.weekday().to_sunday_zero_offset()));
    let day_fits = if day.star() || weekday.star() { by_day && by_weekday } else { by_day || by_weekday };
    minute.admits(small(local.minute()))
        && hour.admits(small(local.hour()))
        && month.admits(small(local.month()))
        && day_fits
}

/// The first instant, second by second, at which clocks show a time later than one that they skip.
fn end_of_gap(rules: &TimeZone, skipped: DateTime) -> Timestamp {
    let mut instant = TimeZone::UTC.to_timestamp(skipped).expect("within reach") - 48.hours();
    while rules.to_datetime(instant) <= skipped {
        instant += 1.hour();
    }
    instant -= 1.hour();
    while rules.to_datetime(instant) <= skipped {
        instant += 1.second();
    }
    instant
}

/// The instants of a schedule: every minute that clocks could show is looked at, one after the other.
fn oracle(schedule: &[Field; 5], zone: &Zone, from: DateTime, days: i64) -> BTreeSet<Micros> {
    let rules = rules(zone);
    let interval = schedule[0].star() || schedule[1].star();
    let mut instants = BTreeSet::new();
    let mut local = from;
    while local < from + days.days() {
        if names(schedule, local) {
            let instant = |offset: jiff::tz::Offset| offset.to_timestamp(local).expect("within reach");
            match rules.to_ambiguous_timestamp(local).offset() {
                AmbiguousOffset::Unambiguous { offset } => drop(instants.insert(instant(offset))),
                AmbiguousOffset::Gap { .. } => drop(instants.insert(end_of_gap(&rules, local))),
                AmbiguousOffset::Fold { before, after } => {
                    instants.insert(instant(before));
                    if interval {
                        instants.insert(instant(after));
                    }
                }
            }
        }
        local += 1.minute();
    }
    instants.into_iter().map(|instant| Micros(instant.as_microsecond())).collect()
}

/// Minute by minute is slow, so that a usual run looks at fewer cases than others; `PROPTEST_CASES` raises it.
fn some_cases() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: usual.cases.div_ceil(4), ..usual }
}

proptest! {
    #![proptest_config(some_cases())]

    #[test]
    fn the_runs_are_those_of_every_minute_that_clocks_show(
        schedule in any_schedule(),
        (zone, change) in any_change(),
    ) {
        let text = schedule.each_ref().map(Field::text).join(" ");
        let Ok(cron) = Cron::parse(&text) else {
            return Ok(());
        };
        // Two days before the change and two after; the day at either end only feeds what is compared.
        let from = change - 2.days();
        let rules = rules(&zone);
        let instant = |local: DateTime| Micros(rules.to_timestamp(local).expect("within reach").as_microsecond());
        let (first, last) = (instant(from + 1.day()), instant(from + 3.days()));
        let expected: Vec<String> = oracle(&schedule, &zone, from, 4)
            .into_iter()
            .filter(|run| (first..=last).contains(run))
            .map(|run| shown(run, &zone))
            .collect();
        let before = Micros(first.0 - 1);
        let found: Vec<String> =
            cron.upcoming(before, &zone).take_while(|run| *run <= last).map(|run| shown(run, &zone)).collect();
        prop_assert_eq!(found, expected, "{} in {}", text, zone);
    }

    #[test]
    fn asking_again_after_each_run_gives_the_same_runs(
        schedule in any_schedule(),
        (zone, change) in any_change(),
        offset_minutes in 0i64..10_000,
    ) {
        let text = schedule.each_ref().map(Field::text).join(" ");
        let Ok(cron) = Cron::parse(&text) else {
            return Ok(());
        };
        let start = rules(&zone).to_timestamp(change - 3.days()).expect("within reach") + offset_minutes.minutes();
        let start = Micros(start.as_microsecond());
        let mut last = start;
        for run in cron.upcoming(start, &zone).take(50) {
            prop_assert!(run > last);
            prop_assert_eq!(cron.next(last, &zone), Some(run));
            prop_assert_eq!(cron.next(Micros(run.0 - 1), &zone), Some(run));
            last = run;
        }
    }

    #[test]
    fn the_cron_crate_reads_the_same_numbers_out_of_six_fields(
        second in any_field(0, 59),
        schedule in any_schedule(),
    ) {
        let [minute, hour, day, month, _] = schedule;
        let text = [&second, &minute, &hour, &day, &month].map(Field::text).join(" ") + " *";
        let theirs = Schedule::from_str(&text).map_err(|error| TestCaseError::fail(error.to_string()))?;
        for value in 0..60 {
            prop_assert_eq!(second.admits(value), theirs.seconds().includes(value));
            prop_assert_eq!(minute.admits(value), theirs.minutes().includes(value));
            prop_assert_eq!(value < 24 && hour.admits(value), theirs.hours().includes(value));
        }
        let Ok(ours) = Cron::parse(&text) else {
            return Ok(());
        };
        let utc = Zone::UTC;
        for run in ours.upcoming(at("2026-01-01T00:00+00:00"), &utc).take(20) {
            let run = Timestamp::from_microsecond(run.0).expect("within reach").to_zoned_datetime(TimeZone::UTC);
            let number = |value: i8| u32::from(value.unsigned_abs());
            prop_assert!(theirs.seconds().includes(number(run.second())));
            prop_assert!(theirs.minutes().includes(number(run.minute())));
            prop_assert!(theirs.hours().includes(number(run.hour())));
            prop_assert!(theirs.days_of_month().includes(number(run.day())));
            prop_assert!(theirs.months().includes(number(run.month())));
        }
    }
}

/// A generous bound, so that a busy machine passes: a walk minute by minute takes seconds without optimisation.
#[test]
fn a_year_of_quarters_of_an_hour_takes_well_under_a_tenth_of_a_second() {
    let (quarters, madrid) = (Cron::parse("*/15 * * * *").expect("a schedule"), zone("Europe/Madrid"));
    let (start, end) = (at("2026-01-01T00:00+01:00"), at("2027-01-01T00:00+01:00"));
    let fastest = (0..5).map(|_| timed_year(&quarters, &madrid, start, end)).min();
    assert!(fastest.is_some_and(|taken| taken < Duration::from_millis(100)), "{fastest:?}");
}

fn timed_year(quarters: &Cron, zone: &Zone, start: Micros, end: Micros) -> Duration {
    let clock = Instant::now();
    let runs = quarters.upcoming(start, zone).take_while(|run| *run <= end).count();
    let taken = clock.elapsed();
    // One for each quarter, summer's missing hour and autumn's second one making up for each other.
    assert_eq!(runs, 365 * 24 * 4);
    taken
}

/// One search over 40 years, the longest there is.
#[test]
fn the_rarest_schedule_is_found_without_a_noticeable_delay() {
    let (rarest, madrid) = (Cron::parse("0 0 29 2 */7").expect("a schedule"), zone("Europe/Madrid"));
    let after = at("2088-02-29T12:00+01:00");
    let clock = Instant::now();
    assert_eq!(rarest.next(after, &madrid), Some(at("2128-02-29T00:00+01:00")));
    assert!(clock.elapsed() < Duration::from_millis(250), "{:?}", clock.elapsed());
}

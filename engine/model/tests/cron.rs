//! Schedules: what they mean, across every kind of clock change, and what is said about mistakes.

mod clocks;

use clocks::{at, shown, zone};
use interlink_model::id::Micros;
use interlink_model::time::cron::{CRON_BYTES_MAX, Cron, CronError, LOOKAHEAD_YEARS_MAX};

fn cron(text: &str) -> Cron {
    Cron::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Holds the runs of a schedule after a moment against the expected ones, one a line.
#[track_caller]
fn runs(text: &str, zone_name: &str, after: &str, expected: &[&str]) {
    let zone = zone(zone_name);
    let found: Vec<String> =
        cron(text).upcoming(at(after), &zone).take(expected.len()).map(|run| shown(run, &zone)).collect();
    assert_eq!(found, expected, "`{text}` in {zone_name} after {after}");
}

#[test]
fn a_fixed_time_in_the_spring_gap_runs_when_the_gap_ends() {
    runs(
        "30 2 * * *",
        "Europe/Madrid",
        "2026-03-28T12:00+01:00",
        &["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"],
    );
    runs(
        "30 2 * * *",
        "America/New_York",
        "2026-03-07T12:00-05:00",
        &["2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00"],
    );
}

#[test]
fn several_times_in_one_gap_run_once() {
    runs(
        "10,30,50 2,3 * * *",
        "Europe/Madrid",
        "2026-03-29T01:00+01:00",
        &["2026-03-29T03:00:00+02:00", "2026-03-29T03:10:00+02:00", "2026-03-29T03:30:00+02:00"],
    );
    runs(
        "0 2,3 * * *",
        "Europe/Madrid",
        "2026-03-29T01:00+01:00",
        &["2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00"],
    );
}

#[test]
fn the_gap_ends_strictly_after_the_moment_asked_for() {
    runs("30 2 * * *", "Europe/Madrid", "2026-03-29T01:59:59.999999+01:00", &["2026-03-29T03:00:00+02:00"]);
    runs("30 2 * * *", "Europe/Madrid", "2026-03-29T03:00+02:00", &["2026-03-30T02:30:00+02:00"]);
}

#[test]
fn a_step_goes_on_through_spring() {
    runs(
        "*/15 * * * *",
        "Europe/Madrid",
        "2026-03-29T01:30+01:00",
        &["2026-03-29T01:45:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-29T03:15:00+02:00"],
    );
}

#[test]
fn a_fixed_time_in_the_autumn_overlap_runs_once_at_the_earlier_instant() {
    runs(
        "30 2 * * *",
        "Europe/Madrid",
        "2026-10-24T12:00+02:00",
        &["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"],
    );
    runs(
        "30 1 * * *",
        "America/New_York",
        "2026-10-31T12:00-04:00",
        &["2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"],
    );
    runs(
        "0,30 2 * * *",
        "Europe/Madrid",
        "2026-10-25T00:00+02:00",
        &["2026-10-25T02:00:00+02:00", "2026-10-25T02:30:00+02:00", "2026-10-26T02:00:00+01:00"],
    );
}

#[test]
fn a_fixed_time_is_over_once_its_earlier_instant_is() {
    runs("30 2 * * *", "Europe/Madrid", "2026-10-25T02:30+02:00", &["2026-10-26T02:30:00+01:00"]);
    runs("30 2 * * *", "Europe/Madrid", "2026-10-25T02:15+01:00", &["2026-10-26T02:30:00+01:00"]);
}

#[test]
fn a_free_minute_or_hour_runs_in_both_halves_of_the_overlap() {
    runs(
        "*/30 2 * * *",
        "Europe/Madrid",
        "2026-10-25T00:00+02:00",
        &[
            "2026-10-25T02:00:00+02:00",
            "2026-10-25T02:30:00+02:00",
            "2026-10-25T02:00:00+01:00",
            "2026-10-25T02:30:00+01:00",
            "2026-10-26T02:00:00+01:00",
        ],
    );
    runs(
        "30 * * * *",
        "Europe/Madrid",
        "2026-10-25T02:00+02:00",
        &["2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00", "2026-10-25T03:30:00+01:00"],
    );
}

#[test]
fn midnight_is_skipped_and_shown_twice_in_cairo() {
    runs(
        "0 0 * * *",
        "Africa/Cairo",
        "2026-04-23T12:00+02:00",
        &["2026-04-24T01:00:00+03:00", "2026-04-25T00:00:00+03:00"],
    );
    runs(
        "30 23 * * *",
        "Africa/Cairo",
        "2026-10-29T12:00+03:00",
        &["2026-10-29T23:30:00+03:00", "2026-10-30T23:30:00+02:00"],
    );
    runs(
        "0 0 * * *",
        "Africa/Cairo",
        "2026-10-29T12:00+03:00",
        &["2026-10-30T00:00:00+02:00", "2026-10-31T00:00:00+02:00"],
    );
}

#[test]
fn clocks_move_by_half_an_hour_on_lord_howe() {
    runs(
        "15 2 * * *",
        "Australia/Lord_Howe",
        "2026-10-03T12:00+10:30",
        &["2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"],
    );
    runs(
        "*/15 * * * *",
        "Australia/Lord_Howe",
        "2026-04-05T01:15+11:00",
        &[
            "2026-04-05T01:30:00+11:00",
            "2026-04-05T01:45:00+11:00",
            "2026-04-05T01:30:00+10:30",
            "2026-04-05T01:45:00+10:30",
            "2026-04-05T02:00:00+10:30",
        ],
    );
    runs(
        "45 1 * * *",
        "Australia/Lord_Howe",
        "2026-04-04T12:00+11:00",
        &["2026-04-05T01:45:00+11:00", "2026-04-06T01:45:00+10:30"],
    );
}

#[test]
fn the_day_that_samoa_skipped_runs_once_when_the_next_one_begins() {
    runs(
        "0 12 * * *",
        "Pacific/Apia",
        "2011-12-28T13:00-10:00",
        &["2011-12-29T12:00:00-10:00", "2011-12-31T00:00:00+14:00", "2011-12-31T12:00:00+14:00"],
    );
    runs(
        "0 12 30 * *",
        "Pacific/Apia",
        "2011-12-01T00:00-10:00",
        &["2011-12-31T00:00:00+14:00", "2012-01-30T12:00:00+14:00"],
    );
}

#[test]
fn seconds_are_for_schedules_of_six_fields() {
    runs(
        "*/20 59 23 31 12 *",
        "UTC",
        "2026-12-31T23:59:20+00:00",
        &["2026-12-31T23:59:40+00:00", "2027-12-31T23:59:00+00:00"],
    );
    runs("30 0 9 ? * MON-FRI", "UTC", "2026-01-02T10:00+00:00", &["2026-01-05T09:00:30+00:00"]);
}

#[test]
fn weekdays_are_counted_as_unix_does() {
    // 4 January 2026 is a Sunday.
    for sunday in ["0 0 * * 0", "0 0 * * 7", "0 0 * * SUN", "0 0 * * sunday"] {
        runs(sunday, "UTC", "2026-01-01T00:00+00:00", &["2026-01-04T00:00:00+00:00", "2026-01-11T00:00:00+00:00"]);
    }
    runs("0 0 * * 6-7", "UTC", "2026-01-01T00:00+00:00", &["2026-01-03T00:00:00+00:00", "2026-01-04T00:00:00+00:00"]);
    runs(
        "0 0 * * SAT-SUN",
        "UTC",
        "2026-01-03T00:00+00:00",
        &["2026-01-04T00:00:00+00:00", "2026-01-10T00:00:00+00:00"],
    );
    runs("0 0 * * 5/2", "UTC", "2026-01-01T00:00+00:00", &["2026-01-02T00:00:00+00:00", "2026-01-09T00:00:00+00:00"]);
}

#[test]
fn either_of_two_restricted_days_is_enough() {
    // The 13th, and every Friday.
    runs(
        "0 0 13 * FRI",
        "UTC",
        "2026-01-01T00:00+00:00",
        &["2026-01-02T00:00:00+00:00", "2026-01-09T00:00:00+00:00", "2026-01-13T00:00:00+00:00"],
    );
}

#[test]
fn a_day_field_that_begins_with_a_star_restricts_the_other_one() {
    // Odd days that are Sundays.
    runs(
        "0 0 */2 * SUN",
        "UTC",
        "2026-01-01T00:00+00:00",
        &["2026-01-11T00:00:00+00:00", "2026-01-25T00:00:00+00:00", "2026-02-01T00:00:00+00:00"],
    );
}

#[test]
fn names_stand_for_what_they_do_in_unix() {
    for (name, fields) in [
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@monthly", "0 0 1 * *"),
        ("@weekly", "0 0 * * 0"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@hourly", "0 * * * *"),
    ] {
        let (from, utc) = (at("2026-03-05T07:30+00:00"), zone("UTC"));
        let named: Vec<Micros> = cron(name).upcoming(from, &utc).take(30).collect();
        let written: Vec<Micros> = cron(fields).upcoming(from, &utc).take(30).collect();
        assert_eq!((named.len(), named), (30, written), "{name}");
    }
}

#[test]
fn the_rarest_schedule_is_found_within_the_limit() {
    // 29 February on a Sunday: the field `*/7` admits Sunday only, and its star makes both days necessary.
    runs("0 0 29 2 */7", "UTC", "2032-02-29T00:00+00:00", &["2060-02-29T00:00:00+00:00", "2088-02-29T00:00:00+00:00"]);
    runs("0 0 29 2 */7", "UTC", "2088-02-29T00:00+00:00", &["2128-02-29T00:00:00+00:00"]);
    let (rarest, utc) = (cron("0 0 29 2 */7"), zone("UTC"));
    let years: Vec<i64> =
        rarest.upcoming(at("1600-01-01T00:00+00:00"), &utc).take(120).map(|run| year(&shown(run, &utc))).collect();
    let longest = years.windows(2).map(|pair| pair[1] - pair[0]).max();
    assert_eq!(longest, Some(LOOKAHEAD_YEARS_MAX - 1));
}

fn year(shown: &str) -> i64 {
    shown[..4].parse().expect("a year of four digits")
}

#[test]
fn time_ends_with_the_year_9999() {
    let (yearly, utc) = (cron("@yearly"), zone("UTC"));
    assert_eq!(yearly.next(at("9998-06-01T00:00+00:00"), &utc), Some(at("9999-01-01T00:00+00:00")));
    for beyond in [at("9999-06-01T00:00+00:00"), Micros(i64::MAX), Micros(i64::MIN)] {
        assert_eq!(yearly.next(beyond, &zone("Europe/Madrid")), None);
    }
}

#[test]
fn a_schedule_that_never_runs_is_refused() {
    for never in ["0 0 31 2 *", "0 0 30,31 FEB *", "0 0 31 2,4,6,9,11 *", "0 0 31 4 */2", "0 0 0 31 2 ?"] {
        assert_eq!(Cron::parse(never), Err(CronError::Never), "{never}");
    }
    for now_and_then in ["0 0 29 2 *", "0 0 31 2 MON", "0 0 31 2,3 *", "0 0 30 2-4 *"] {
        assert!(Cron::parse(now_and_then).is_ok(), "{now_and_then}");
    }
}

#[test]
fn a_mistake_is_told_with_its_field_and_place_and_what_would_be_right() {
    for (text, offset, message) in [
        ("60 * * * *", 0, "minute: 60 is out of range; write a number from 0 to 59"),
        ("0 24 * * *", 2, "hour: 24 is out of range; write a number from 0 to 23"),
        ("0  0 0 * *", 5, "day of month: 0 is out of range; write a number from 1 to 31"),
        ("0 0 1,32 * *", 6, "day of month: 32 is out of range; write a number from 1 to 31"),
        ("0 0 * JNA *", 6, "month: `JNA` is no value of this field; did you mean `JAN`?"),
        ("0 0 * * FRY", 8, "day of week: `FRY` is no value of this field; did you mean `FRI`?"),
        (
            "0 0 * * ??",
            8,
            "day of week: `??` is no value of this field; write a number from 0 to 7, or a name from SUN to SAT",
        ),
        (
            "0 x * * *",
            2,
            "hour: `x` is no value of this field; write a number from 0 to 23, `*`, a range such as `0-2` or a step",
        ),
        ("0 22-2 * * *", 2, "hour: the range `22-2` ends before it begins; write two, `22-23,0-2`"),
        (
            "0 0 * * SAT-MON",
            8,
            "day of week: the range `SAT-MON` ends before it begins; a week goes from SUN to SAT, or from MON to SUN: \
             write two",
        ),
        ("*/0 * * * *", 2, "minute: `/0` is no step of this field; write a number from 1 to 59"),
        ("*/60 * * * *", 2, "minute: `/60` is no step of this field; write a number from 1 to 59"),
        ("0 */x * * *", 4, "hour: `/x` is no step of this field; write a number from 1 to 23"),
        ("0,,5 * * * *", 2, "minute: something is missing here; write a value, such as `0`"),
        ("0 0 5- * *", 6, "day of month: something is missing here; write a value, such as `1`"),
        ("0 0 ? * *", 4, "day of month: `?` stands for a day only, in schedules of six fields; write `*`"),
        (
            "0 0 9 ? * 1-5",
            10,
            "day of week: with six fields weekdays are written by name, since programs disagree on which day is 1; \
             write `MON` for what is 1 in schedules of five fields",
        ),
        ("@dayly", 0, "`@dayly` is no name of a schedule; did you mean `@daily`?"),
        ("@reboot", 0, "`@reboot` is no name of a schedule; a process outlives restarts, so nothing can run at one"),
    ] {
        let error = Cron::parse(text).expect_err(text);
        assert_eq!((error.offset(), error.to_string().as_str()), (offset, message), "{text}");
    }
}

#[test]
fn too_few_and_too_many_fields_are_told_with_their_number() {
    for (text, found, offset) in [("", 0, 0), ("0 0 * *", 4, 7), ("0 0 0 * * MON 2026", 7, 14), ("@daily *", 2, 8)] {
        assert_eq!(Cron::parse(text), Err(CronError::FieldCount { found, offset }), "{text}");
    }
}

#[test]
fn a_text_over_the_limit_is_refused() {
    let within = format!("0 0 * * 1{}", ",1".repeat((CRON_BYTES_MAX - 9) / 2));
    assert!(Cron::parse(&within).is_ok());
    let over = format!("{within} {}", " ".repeat(2));
    assert_eq!(Cron::parse(&over), Err(CronError::TooLong { bytes: over.len() }));
}

#[test]
fn a_schedule_is_shown_as_it_was_written() {
    assert_eq!(cron(" 0 9 * * MON-FRI ").to_string(), "0 9 * * MON-FRI");
}

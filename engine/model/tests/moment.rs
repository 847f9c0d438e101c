//! Moments and spans: what they mean, and what is said about mistakes.

mod clocks;

use clocks::{at, shown, zone};
use interlink_model::schema::limits::ID_BYTES_MAX;
use interlink_model::time::moment::{Anchor, MOMENT_BYTES_MAX, Moment, MomentError};
use interlink_model::time::span::{SPAN_BYTES_MAX, SPAN_DAYS_MAX, Span, SpanError};
use proptest::prelude::*;

fn span(text: &str) -> Span {
    Span::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn moment(text: &str) -> Moment {
    Moment::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The moment of a text in Madrid, if what it depends on was at `anchor`.
fn in_madrid(text: &str, anchor: &str) -> String {
    let madrid = zone("Europe/Madrid");
    shown(moment(text).resolve(Some(at(anchor)), &madrid).expect("its anchor is known"), &madrid)
}

#[test]
fn a_span_is_written_in_words_or_as_iso_8601() {
    for (text, shown) in [
        ("2 weeks", "2 weeks"),
        ("1 weeks", "1 week"),
        ("12 hours 1 day", "1 day 12 hours"),
        (" 90  minutes ", "90 minutes"),
        ("1 year 2 months 3 weeks 4 days 5 hours 6 minutes", "1 year 2 months 3 weeks 4 days 5 hours 6 minutes"),
        ("P2W", "2 weeks"),
        ("P1DT12H", "1 day 12 hours"),
        ("PT1M", "1 minute"),
        ("P1M", "1 month"),
        ("P1Y2M3W4DT5H6M", "1 year 2 months 3 weeks 4 days 5 hours 6 minutes"),
    ] {
        assert_eq!(span(text).to_string(), shown, "{text}");
    }
}

#[test]
fn a_mistake_in_a_span_is_told_with_its_place_and_what_would_be_right() {
    for (text, offset, message) in [
        ("", 0, "a span is missing; write one such as `2 weeks`"),
        ("2", 1, "no unit of time stands behind `2`; did you mean `2 days`?"),
        ("two weeks", 0, "`two` is no whole number; write an amount in digits and a unit, as in `2 weeks`"),
        ("2weeks", 0, "`2weeks` is no whole number; did you mean `2 weeks`?"),
        ("0 days", 0, "`0` is no whole number; the least is 1"),
        ("+2 days", 0, "`+2` is no whole number; write an amount in digits and a unit, as in `2 weeks`"),
        ("1 day 2 huors", 8, "`huors` is no unit of time; did you mean `hours`?"),
        ("2 fortnights", 2, "`fortnights` is no unit of time; write minutes, hours, days, weeks, months or years"),
        ("1 day 2 days", 8, "days are written twice; add them up"),
        ("P1DT", 4, "`P1DT` is no ISO 8601 duration of whole numbers, from years to minutes; write `P2W` or `P1DT12H`"),
        (
            "PT30S",
            2,
            "`PT30S` is no ISO 8601 duration of whole numbers, from years to minutes; write `P2W` or `P1DT12H`",
        ),
        (
            "P1D1W",
            3,
            "`P1D1W` is no ISO 8601 duration of whole numbers, from years to minutes; write `P2W` or `P1DT12H`",
        ),
    ] {
        let error = Span::parse(text).expect_err(text);
        assert_eq!((error.to_string().as_str(), error.offset()), (message, offset), "{text}");
    }
}

#[test]
fn a_span_reaches_over_a_hundred_years_and_no_further() {
    assert!(Span::parse("100 years").is_ok());
    assert!(Span::parse(&format!("{SPAN_DAYS_MAX} days")).is_ok());
    for over in [format!("{SPAN_DAYS_MAX} days 1 minute"), "101 years".to_owned(), format!("{}0 days", u32::MAX)] {
        assert_eq!(Span::parse(&over), Err(SpanError::TooFar { offset: 0 }), "{over}");
    }
    let long = format!("1 day{}", " ".repeat(SPAN_BYTES_MAX));
    assert_eq!(Span::parse(&long), Err(SpanError::TooLong { bytes: long.len() }));
}

#[test]
fn days_keep_the_time_on_the_clock_and_hours_are_exact() {
    let before_spring = "2026-03-28T09:00+01:00";
    assert_eq!(in_madrid("1 day after start", before_spring), "2026-03-29T09:00:00+02:00");
    assert_eq!(in_madrid("24 hours after start", before_spring), "2026-03-29T10:00:00+02:00");
    let before_autumn = "2026-10-24T09:00+02:00";
    assert_eq!(in_madrid("1 week after start", before_autumn), "2026-10-31T09:00:00+01:00");
    assert_eq!(in_madrid("24 hours after start", before_autumn), "2026-10-25T08:00:00+01:00");
    assert_eq!(in_madrid("1 day before due", "2026-10-25T09:00+01:00"), "2026-10-24T09:00:00+02:00");
}

#[test]
fn a_time_that_clocks_skip_is_the_end_of_the_gap_and_of_two_the_earlier_is_taken() {
    assert_eq!(in_madrid("1 day after start", "2026-03-28T02:30+01:00"), "2026-03-29T03:00:00+02:00");
    assert_eq!(in_madrid("1 day after start", "2026-10-24T02:30+02:00"), "2026-10-25T02:30:00+02:00");
    // An exact span stays in the later half.
    assert_eq!(in_madrid("10 minutes after start", "2026-10-25T02:30+01:00"), "2026-10-25T02:40:00+01:00");
}

#[test]
fn a_day_that_a_month_lacks_is_its_last_one() {
    assert_eq!(in_madrid("1 month after start", "2026-01-31T09:00+01:00"), "2026-02-28T09:00:00+01:00");
    assert_eq!(in_madrid("1 year after start", "2028-02-29T09:00+01:00"), "2029-02-28T09:00:00+01:00");
}

#[test]
fn an_hour_is_put_on_the_day_that_was_reached() {
    assert_eq!(in_madrid("2 weeks after start at 09:00", "2026-05-01T23:30+02:00"), "2026-05-15T09:00:00+02:00");
    assert_eq!(in_madrid("start at 18:30", "2026-05-01T23:30+02:00"), "2026-05-01T18:30:00+02:00");
    assert_eq!(in_madrid("due", "2026-05-01T23:30+02:00"), "2026-05-01T23:30:00+02:00");
}

#[test]
fn a_date_is_reckoned_by_the_clocks_of_the_zone() {
    let madrid = zone("Europe/Madrid");
    for (text, expected) in [
        ("2027-05-01", "2027-05-01T00:00:00+02:00"),
        ("2027-05-01 09:00", "2027-05-01T09:00:00+02:00"),
        ("2027-05-01T09:00", "2027-05-01T09:00:00+02:00"),
        ("2027-05-01 at 09:00", "2027-05-01T09:00:00+02:00"),
        ("2027-03-28 02:30", "2027-03-28T03:00:00+02:00"),
    ] {
        let resolved = moment(text).resolve(None, &madrid).expect("it depends on nothing");
        assert_eq!(shown(resolved, &madrid), expected, "{text}");
        assert_eq!(moment(text).anchor(), None);
    }
}

#[test]
fn a_due_date_without_an_hour_is_the_end_of_its_day() {
    let due = |text: &str, name: &str| {
        let zone = zone(name);
        shown(moment(text).resolve_due(Some(at("2026-05-01T10:00+02:00")), &zone).expect("known"), &zone)
    };
    assert_eq!(due("2027-05-01", "Europe/Madrid"), "2027-05-01T23:59:59+02:00");
    // Clocks go back at midnight: the day's last hour is the second one.
    assert_eq!(due("2026-10-29", "Africa/Cairo"), "2026-10-29T23:59:59+02:00");
    // They go forward at midnight: the next day begins at one.
    assert_eq!(due("2026-04-23", "Africa/Cairo"), "2026-04-23T23:59:59+02:00");
    assert_eq!(due("2027-05-01 09:00", "Europe/Madrid"), "2027-05-01T09:00:00+02:00");
    assert_eq!(due("2 days after start", "Europe/Madrid"), "2026-05-03T10:00:00+02:00");
}

#[test]
fn a_moment_says_what_it_depends_on_and_waits_for_it() {
    for (text, anchor) in [
        ("2 weeks after start", Anchor::Start),
        ("P3D after ready", Anchor::Ready),
        ("2 days before due", Anchor::Due),
        ("1 month after agree-goals", Anchor::Item("agree-goals".to_owned())),
        ("1 day after after", Anchor::Item("after".to_owned())),
        ("ready", Anchor::Ready),
    ] {
        assert_eq!(moment(text).anchor(), Some(&anchor), "{text}");
        assert_eq!(moment(text).resolve(None, &zone("UTC")), None, "{text}");
        assert_eq!(moment(text).resolve_due(None, &zone("UTC")), None, "{text}");
    }
}

#[test]
fn beyond_the_year_9999_there_is_no_moment() {
    let utc = zone("UTC");
    let end = moment("9999-12-30").resolve(None, &utc).expect("within reach");
    assert_eq!(moment("2 days after start").resolve(Some(end), &utc), None);
    assert_eq!(moment("9999-12-31").resolve_due(None, &utc), None);
}

#[test]
fn a_mistake_in_a_moment_is_told_with_its_place_and_what_would_be_right() {
    const EXAMPLES: &str = "write a moment such as `2 weeks after start` or `2027-05-01 09:00`";
    let ends = |help: &str| format!("the moment ends too early; {help}");
    let odd = |found: &str, help: &str| format!("`{found}` is not expected here; {help}");
    let hour = |found: &str| {
        format!("`{found}` is no time of a day; write hours and minutes from `00:00` to `23:59`, without a zone")
    };
    let date =
        |found: &str| format!("`{found}` is no day of the calendar; write year, month and day, as in `2027-05-01`");
    for (text, offset, message) in [
        ("", 0, ends(EXAMPLES)),
        ("2 weeks", 7, ends("did you mean `2 weeks after start`?")),
        ("2 weeks afer start", 8, odd("afer", "did you mean `2 weeks after start`?")),
        ("2 weeks befor due", 8, odd("befor", "did you mean `2 weeks before due`?")),
        ("2 weeks start", 8, odd("start", "did you mean `2 weeks after start`?")),
        ("P2W from agree-goals", 4, odd("from", "did you mean `2 weeks after agree-goals`?")),
        ("2 weeks after", 13, ends("did you mean `2 weeks after start`?")),
        ("2 weeks before", 14, ends("did you mean `2 weeks before due`?")),
        ("strat", 0, odd("strat", "did you mean `start`?")),
        ("tomorrow", 0, odd("tomorrow", EXAMPLES)),
        ("after start", 0, "a span is missing; write one such as `2 weeks`".to_owned()),
        ("2 wekes after start", 2, "`wekes` is no unit of time; did you mean `weeks`?".to_owned()),
        ("2 weeks after start 09:00", 20, odd("09:00", "only an hour may follow, as in `at 09:00`")),
        ("start at", 8, ends("write an hour, as in `at 09:00`")),
        ("start at 9:00", 9, hour("9:00")),
        ("start at 24:00", 9, hour("24:00")),
        ("2027-05-01T09:00Z", 11, hour("09:00Z")),
        ("2027-05-01 09:00 CET", 17, odd("CET", "only an hour may follow, as in `at 09:00`")),
        ("2027-02-29", 0, date("2027-02-29")),
        ("1-5-2027", 0, date("1-5-2027")),
        (
            "2 days before ready",
            7,
            "nothing can be reckoned to be before `ready`, which is not known until it happens; write `after`"
                .to_owned(),
        ),
        (
            "2 days after Agree-Goals",
            13,
            "`Agree-Goals` is no id of an item; ids are made of small letters a to z, digits, `-`, `_` and `.`, and \
             have at most 128 bytes"
                .to_owned(),
        ),
    ] {
        let error = Moment::parse(text).expect_err(text);
        assert_eq!((error.to_string(), error.offset()), (message, offset), "{text}");
    }
}

#[test]
fn moments_over_the_limits_are_refused() {
    let id = "a".repeat(ID_BYTES_MAX);
    assert!(Moment::parse(&format!("2 days after {id}")).is_ok());
    let over = format!("2 days after {id}a");
    assert!(matches!(Moment::parse(&over), Err(MomentError::Id { offset: 13, .. })), "{over}");
    let long = format!("start{}", " ".repeat(MOMENT_BYTES_MAX));
    assert_eq!(Moment::parse(&long), Err(MomentError::TooLong { bytes: long.len() }));
}

fn any_span() -> impl Strategy<Value = String> {
    let amounts = prop::collection::vec(
        (1u32..200, prop::sample::select(vec!["minutes", "hour", "days", "weeks", "month"])),
        1..4,
    );
    let words = amounts.prop_map(|amounts| {
        let words: Vec<String> = amounts.into_iter().map(|(amount, unit)| format!("{amount} {unit}")).collect();
        words.join(" ")
    });
    prop_oneof![words, "P[1-9]W", "P[1-9]DT1?[1-9]H"]
}

fn any_moment() -> impl Strategy<Value = String> {
    let anchor = prop_oneof!["start|ready|due|at|after|before", "[a-z0-9][a-z0-9._-]{0,8}"];
    let hour = "( at [01][0-9]:[0-5][0-9])?";
    prop_oneof![
        (any_span(), "after|before", anchor, hour)
            .prop_map(|(s, side, anchor, hour)| format!("{s} {side} {anchor}{hour}")),
        ("start|ready|due", hour).prop_map(|(anchor, hour)| format!("{anchor}{hour}")),
        "20[0-9]{2}-(0[1-9]|1[0-2])-[0-2][0-9]([T ][01][0-9]:[0-5][0-9])?",
    ]
}

proptest! {
    #[test]
    fn what_is_shown_of_a_span_means_the_same(text in any_span()) {
        if let Ok(span) = Span::parse(&text) {
            prop_assert_eq!(Span::parse(&span.to_string()), Ok(span));
        }
    }

    #[test]
    fn what_is_shown_of_a_moment_means_the_same(text in any_moment()) {
        if let Ok(moment) = Moment::parse(&text) {
            prop_assert_eq!(Moment::parse(&moment.to_string()), Ok(moment));
        }
    }

    #[test]
    fn after_is_later_and_before_is_earlier(
        text in any_span(),
        minutes in -10_000_000i64..40_000_000,
        name in prop::sample::select(vec!["Europe/Madrid", "Pacific/Apia", "Africa/Cairo", "UTC"]),
    ) {
        let Ok(span) = Span::parse(&text) else {
            return Ok(());
        };
        let (from, zone) = (interlink_model::id::Micros(minutes * 60_000_000), zone(name));
        prop_assert!(span.after(from, &zone).is_some_and(|after| after > from));
        prop_assert!(span.before(from, &zone).is_some_and(|before| before < from));
    }
}

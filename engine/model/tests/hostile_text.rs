//! Whatever is written for a schedule, a moment, a span or a zone: nothing panics, and every error points into the text.
//!
//! `PROPTEST_CASES=1000000 cargo test -p interlink-model --test hostile_text` looks at more.

use interlink_model::id::Micros;
use interlink_model::time::cron::Cron;
use interlink_model::time::moment::Moment;
use interlink_model::time::span::Span;
use interlink_model::time::zone::Zone;
use proptest::prelude::*;

/// Any text, and texts of what the readers know, joined with and without room between.
fn any_text() -> impl Strategy<Value = String> {
    let pieces = vec![
        "*",
        "?",
        "/",
        "-",
        ",",
        "0",
        "1",
        "7",
        "29",
        "31",
        "59",
        "60",
        "4294967296",
        "MON",
        "sunday",
        "FEB",
        "FRI-SUN",
        "@daily",
        "@",
        "*/15",
        "0-59/7",
        "2 weeks",
        "1",
        "day",
        "months",
        "P1DT2H",
        "P",
        "T",
        "PT",
        "after",
        "before",
        "start",
        "ready",
        "due",
        "at",
        "09:00",
        "24:00",
        "2027-05-01",
        "2027-02-29",
        "0000-01-01",
        "9999-12-31",
        "T09:00",
        "agree-goals",
        "-x",
        "Z",
        "ñ",
        "\u{0}",
        "\u{85}",
        "\u{2028}",
        "Europe/Madrid",
        "Etc/Unknown",
        "UTC",
        "+01:00",
        " ",
        "  ",
        "\t",
        "\n",
    ];
    let words = prop::collection::vec(prop::sample::select(pieces), 0..9);
    prop_oneof![
        any::<String>(),
        "[ -~]{0,40}",
        words.clone().prop_map(|words| words.join(" ")),
        words.prop_map(|words| words.concat()),
        (0usize..700).prop_map(|letters| "ñ".repeat(letters)),
    ]
}

/// A moment of any year, most of them in ours.
fn any_moment() -> impl Strategy<Value = Micros> {
    prop_oneof![0i64..4_000_000_000_000_000, any::<i64>()].prop_map(Micros)
}

fn any_zone() -> impl Strategy<Value = Zone> {
    prop::sample::select(vec!["UTC", "Europe/Madrid", "Africa/Cairo", "Pacific/Apia", "Australia/Lord_Howe"])
        .prop_map(|name| Zone::parse(name).expect("a known zone"))
}

fn points_into(text: &str, offset: usize) -> Result<(), TestCaseError> {
    prop_assert!(text.is_char_boundary(offset), "byte {offset} of {text:?}");
    Ok(())
}

proptest! {
    #[test]
    fn any_text_is_a_schedule_or_is_told_where_it_is_none(text in any_text(), after in any_moment(), zone in any_zone()) {
        match Cron::parse(&text) {
            Err(error) => {
                prop_assert!(!error.to_string().is_empty());
                points_into(&text, error.offset())?;
            }
            Ok(cron) => {
                prop_assert_eq!(Cron::parse(&cron.to_string()), Ok(cron.clone()));
                prop_assert!(cron.next(after, &zone).is_none_or(|next| next > after));
            }
        }
    }

    #[test]
    fn any_text_is_a_moment_or_is_told_where_it_is_none(text in any_text(), anchor in any_moment(), zone in any_zone()) {
        match Moment::parse(&text) {
            Err(error) => {
                prop_assert!(!error.to_string().is_empty());
                points_into(&text, error.offset())?;
            }
            Ok(moment) => {
                prop_assert_eq!(Moment::parse(&moment.to_string()), Ok(moment.clone()));
                let opens = moment.resolve(Some(anchor), &zone);
                let due = moment.resolve_due(Some(anchor), &zone);
                // Only a day that a zone skipped as a whole ends before the moment at which it would open.
                let skipped = zone.name() == "Pacific/Apia";
                prop_assert!(opens.zip(due).is_none_or(|(opens, due)| opens <= due || skipped));
            }
        }
    }

    #[test]
    fn any_text_is_a_span_or_is_told_where_it_is_none(text in any_text(), from in any_moment(), zone in any_zone()) {
        match Span::parse(&text) {
            Err(error) => {
                prop_assert!(!error.to_string().is_empty());
                points_into(&text, error.offset())?;
            }
            Ok(span) => {
                prop_assert_eq!(Span::parse(&span.to_string()), Ok(span));
                prop_assert!(span.after(from, &zone).is_none_or(|after| after > from));
                prop_assert!(span.before(from, &zone).is_none_or(|before| before < from));
            }
        }
    }

    #[test]
    fn any_text_is_a_zone_by_its_name_or_none(text in any_text()) {
        if let Ok(zone) = Zone::parse(&text) {
            prop_assert!(zone.name().eq_ignore_ascii_case(&text));
        }
    }
}

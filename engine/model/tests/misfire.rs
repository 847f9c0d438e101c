//! Runs that were missed.

mod clocks;

use clocks::{at, shown, zone};
use interlink_model::id::Micros;
use interlink_model::time::cron::Cron;
use interlink_model::time::misfire::{CATCH_UP_MAX, DROPPED_COUNTED_MAX, Due, GRACE_MICROS, Misfire, Recurrence};
use interlink_model::time::zone::Zone;
use proptest::prelude::*;

const HOUR_MICROS: i64 = 3_600_000_000;

/// Every day at nine in Madrid, last planned on 1 June, looked at on `now`.
fn daily(misfire: Misfire, now: &str, end: Option<&str>) -> (Vec<String>, usize, Option<String>) {
    let (cron, zone) = (Cron::parse("0 9 * * *").expect("a schedule"), zone("Europe/Madrid"));
    let recurrence = Recurrence { cron: &cron, zone: &zone, end: end.map(at), misfire };
    let due = recurrence.due(at("2026-06-01T09:00+02:00"), at(now));
    let day = |run: Micros| shown(run, &zone)[5..16].to_owned();
    (due.runs.into_iter().map(day).collect(), due.dropped, due.next.map(day))
}

fn texts(runs: &[&str]) -> Vec<String> {
    runs.iter().map(|run| (*run).to_owned()).collect()
}

fn next(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn before_its_time_nothing_is_due_and_the_next_run_is_told() {
    for misfire in [Misfire::FireOnce, Misfire::CatchUp, Misfire::Skip] {
        assert_eq!(daily(misfire, "2026-06-02T08:59+02:00", None), (vec![], 0, next("06-02T09:00")));
    }
}

#[test]
fn a_run_on_time_is_made_whatever_the_rule() {
    for misfire in [Misfire::FireOnce, Misfire::CatchUp, Misfire::Skip] {
        for now in ["2026-06-02T09:00+02:00", "2026-06-02T09:00:00.003+02:00", "2026-06-02T09:01+02:00"] {
            let expected = (texts(&["06-02T09:00"]), 0, next("06-03T09:00"));
            assert_eq!(daily(misfire, now, None), expected, "{misfire:?} {now}");
        }
    }
}

#[test]
fn one_run_stands_for_all_that_were_missed() {
    let expected = (texts(&["06-05T09:00"]), 3, next("06-06T09:00"));
    assert_eq!(daily(Misfire::FireOnce, "2026-06-05T12:00+02:00", None), expected);
}

#[test]
fn each_missed_run_is_caught_up_with_in_order() {
    let runs = texts(&["06-02T09:00", "06-03T09:00", "06-04T09:00", "06-05T09:00"]);
    assert_eq!(daily(Misfire::CatchUp, "2026-06-05T12:00+02:00", None), (runs, 0, next("06-06T09:00")));
}

#[test]
fn missed_runs_are_skipped_and_counted() {
    assert_eq!(daily(Misfire::Skip, "2026-06-05T12:00+02:00", None), (vec![], 4, next("06-06T09:00")));
    let newest_in_time = (texts(&["06-05T09:00"]), 3, next("06-06T09:00"));
    assert_eq!(daily(Misfire::Skip, "2026-06-05T09:00:30+02:00", None), newest_in_time);
}

#[test]
fn a_run_is_on_time_up_to_the_grace_and_no_longer() {
    let (cron, planned) = (Cron::parse("0 9 * * *").expect("a schedule"), at("2026-06-02T09:00+00:00"));
    let recurrence = Recurrence { cron: &cron, zone: &Zone::UTC, end: None, misfire: Misfire::Skip };
    let late = |micros: i64| recurrence.due(Micros(planned.0 - HOUR_MICROS), Micros(planned.0 + micros));
    assert_eq!(late(GRACE_MICROS).runs, [planned]);
    assert_eq!((late(GRACE_MICROS + 1).runs.len(), late(GRACE_MICROS + 1).dropped), (0, 1));
}

#[test]
fn nothing_runs_after_the_end_and_then_it_is_over() {
    let last = (texts(&["06-03T09:00"]), 1, None);
    assert_eq!(daily(Misfire::FireOnce, "2026-06-05T12:00+02:00", Some("2026-06-03T09:00+02:00")), last);
    let none = (vec![], 0, None);
    assert_eq!(daily(Misfire::CatchUp, "2026-06-05T12:00+02:00", Some("2026-06-02T08:59+02:00")), none);
}

#[test]
fn catching_up_drops_the_oldest_over_the_limit_and_counts_them() {
    let cron = Cron::parse("0 * * * *").expect("a schedule");
    let recurrence = Recurrence { cron: &cron, zone: &Zone::UTC, end: None, misfire: Misfire::CatchUp };
    let last = at("2026-01-01T00:00+00:00");
    let after = |hours: i64| recurrence.due(last, Micros(last.0 + hours * HOUR_MICROS));
    let limit = i64::try_from(CATCH_UP_MAX).expect("a small number");
    assert_eq!((after(limit).runs.len(), after(limit).dropped), (CATCH_UP_MAX, 0));
    let over = after(limit + 7);
    assert_eq!((over.runs.len(), over.dropped), (CATCH_UP_MAX, 7));
    assert_eq!(over.runs.first(), Some(&Micros(last.0 + 8 * HOUR_MICROS)));
    assert_eq!(over.runs.last(), Some(&Micros(last.0 + (limit + 7) * HOUR_MICROS)));
}

#[test]
fn ten_years_of_every_second_cost_no_more_than_the_limits() {
    let cron = Cron::parse("* * * * * *").expect("a schedule");
    let (last, now) = (at("2016-01-01T00:00+00:00"), at("2026-01-01T00:00+00:00"));
    let recurrence = Recurrence { cron: &cron, zone: &Zone::UTC, end: None, misfire: Misfire::CatchUp };
    let Due { runs, dropped, next } = recurrence.due(last, now);
    assert_eq!((runs.len(), runs.last(), dropped), (CATCH_UP_MAX, Some(&now), DROPPED_COUNTED_MAX));
    assert_eq!(next, Some(Micros(now.0 + 1_000_000)));
}

#[test]
fn a_time_before_the_last_run_gives_nothing_to_do() {
    let cron = Cron::parse("0 9 * * *").expect("a schedule");
    let recurrence = Recurrence { cron: &cron, zone: &Zone::UTC, end: None, misfire: Misfire::CatchUp };
    let due = recurrence.due(at("2026-06-02T09:00+00:00"), at("2026-05-01T00:00+00:00"));
    assert_eq!(due, Due { runs: vec![], dropped: 0, next: Some(at("2026-06-03T09:00+00:00")) });
}

#[test]
fn the_rules_are_written_in_small_letters() {
    for (misfire, text) in [(Misfire::FireOnce, "fire_once"), (Misfire::CatchUp, "catch_up"), (Misfire::Skip, "skip")] {
        assert_eq!(serde_json::json!(misfire), serde_json::json!(text));
        assert_eq!(serde_json::from_value::<Misfire>(serde_json::json!(text)).ok(), Some(misfire));
    }
}

proptest! {
    #[test]
    fn every_planned_run_is_made_once_or_dropped_once(
        misfire in prop::sample::select(vec![Misfire::FireOnce, Misfire::CatchUp, Misfire::Skip]),
        text in prop::sample::select(vec!["*/7 * * * *", "30 2 * * *", "0 0 * * MON", "59 23 31 12 *"]),
        waits_minutes in prop::collection::vec(1i64..20_000, 1..6),
    ) {
        let (cron, zone) = (Cron::parse(text).expect("a schedule"), zone("Europe/Madrid"));
        let recurrence = Recurrence { cron: &cron, zone: &zone, end: None, misfire };
        let start = at("2026-01-01T00:00+00:00");
        let (mut last, mut now, mut seen) = (start, start, 0);
        for wait in waits_minutes {
            now.0 += wait * 60_000_000;
            let due = recurrence.due(last, now);
            prop_assert!(due.runs.iter().all(|run| *run > last && *run <= now));
            prop_assert!(due.next.is_some_and(|next| next > now));
            prop_assert!(due.dropped < DROPPED_COUNTED_MAX);
            seen += due.runs.len() + due.dropped;
            last = now;
        }
        prop_assert_eq!(seen, cron.upcoming(start, &zone).take_while(|run| *run <= now).count());
    }
}

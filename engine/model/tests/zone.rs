//! Zones by their names.

use interlink_model::time::zone::{ZONE_NAME_BYTES_MAX, Zone};

fn refusal(name: &str) -> String {
    Zone::parse(name).expect_err("the name is not known").to_string()
}

#[test]
fn a_name_is_found_in_whichever_case_and_shown_as_the_database_writes_it() {
    let zone = Zone::parse("europe/madrid").expect("a known zone");
    assert_eq!(zone.to_string(), "Europe/Madrid");
    assert_eq!(zone, Zone::parse("Europe/Madrid").expect("a known zone"));
}

#[test]
fn universal_time_is_the_default() {
    assert_eq!(Zone::default(), Zone::parse("UTC").expect("a known zone"));
    assert_eq!(Zone::default().name(), "UTC");
}

#[test]
fn a_misspelt_name_is_answered_with_the_near_one() {
    assert_eq!(refusal("Europe/Madird"), "there is no time zone `Europe/Madird`; did you mean `Europe/Madrid`?");
    assert_eq!(refusal("madrid"), "there is no time zone `madrid`; did you mean `Europe/Madrid`?");
    assert_eq!(refusal("New York"), "there is no time zone `New York`; did you mean `America/New_York`?");
}

#[test]
fn what_is_near_to_nothing_is_answered_with_an_example() {
    let expected =
        "there is no time zone `the town hall`; write one of the IANA names, such as `Europe/Madrid` or `UTC`";
    assert_eq!(refusal("the town hall"), expected);
}

#[test]
fn the_absence_of_a_zone_an_offset_and_a_rule_are_no_zones() {
    for name in ["", "Etc/Unknown", "+01:00", "CET-1CEST,M3.5.0,M10.5.0/3", "../Europe/Madrid"] {
        assert!(Zone::parse(name).is_err(), "{name}");
    }
}

#[test]
fn a_name_over_the_limit_is_refused_without_being_compared() {
    let long = "x".repeat(ZONE_NAME_BYTES_MAX + 1);
    assert!(refusal(&long).ends_with("such as `Europe/Madrid` or `UTC`"));
}

#[test]
fn a_zone_is_serialized_as_its_name() {
    let zone = Zone::parse("America/New_York").expect("a known zone");
    let json = serde_json::to_string(&zone).expect("a name can be written");
    assert_eq!(json, r#""America/New_York""#);
    assert_eq!(serde_json::from_str::<Zone>(&json).expect("it was written by us"), zone);
    let refused = serde_json::from_str::<Zone>(r#""America/New_Yrok""#).expect_err("misspelt").to_string();
    assert!(refused.contains("did you mean `America/New_York`?"), "{refused}");
}

//! Moments for tests, written and shown with their offset from UTC.

use interlink_model::id::Micros;
use interlink_model::time::zone::Zone;
use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// A moment such as `2026-03-29T03:00+02:00`.
pub fn at(text: &str) -> Micros {
    let moment: Timestamp = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
    Micros(moment.as_microsecond())
}

/// What the clocks of a zone show at a moment, to the second, with their offset.
pub fn shown(moment: Micros, zone: &Zone) -> String {
    let moment = Timestamp::from_microsecond(moment.0).expect("a moment within the years that are reckoned with");
    moment.to_zoned_datetime(rules(zone)).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// A zone that exists.
pub fn zone(name: &str) -> Zone {
    Zone::parse(name).unwrap_or_else(|error| panic!("{error}"))
}

/// The rules of a zone, for tests that reckon themselves.
pub fn rules(zone: &Zone) -> TimeZone {
    TimeZoneDatabase::bundled().get(zone.name()).expect("a zone has a known name")
}

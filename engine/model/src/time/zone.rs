//! A time zone by its IANA name.
//!
//! The rules are those of the database that is compiled in, never the system's: two servers with the same binary, and
//! a replay years later, reckon alike. A newer database is a newer binary.

use std::fmt;
use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Serialize};

use crate::id::Micros;
use crate::near::{nearest, shown};

/// Bytes of a zone's name. The longest there is has 32; more is not looked up, nor compared with what is known.
pub const ZONE_NAME_BYTES_MAX: usize = 64;

static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A time zone, looked up once. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone(TimeZone);

/// Why a text names no time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ZoneError {
    /// No zone of the database has this name.
    #[error("there is no time zone `{name}`{}", .near.as_ref().map_or_else(
        || "; write one of the IANA names, such as `Europe/Madrid` or `UTC`".to_owned(),
        |near| format!("; did you mean `{near}`?"),
    ))]
    Unknown {
        /// What was asked for, shortened to be shown.
        name: String,
        /// The name that was probably meant, if one is near.
        near: Option<String>,
    },
}

impl Zone {
    /// Coordinated universal time, which has no changes.
    pub const UTC: Zone = Zone(TimeZone::UTC);

    /// The zone of an IANA name such as `Europe/Madrid`. Upper and lower case do not matter.
    ///
    /// # Errors
    ///
    /// If the database has no such zone, with the name that is nearest.
    pub fn parse(name: &str) -> Result<Zone, ZoneError> {
        let short = name.len() <= ZONE_NAME_BYTES_MAX;
        let found = short.then(|| ZONES.get(name).ok()).flatten();
        // The database also answers for `Etc/Unknown`, which stands for the absence of a zone.
        match found.filter(|zone| !zone.is_unknown() && zone.iana_name().is_some()) {
            Some(zone) => Ok(Zone(zone)),
            None => Err(ZoneError::Unknown { name: shown(name), near: if short { near_zone(name) } else { None } }),
        }
    }

    /// Its IANA name, written as the database writes it.
    pub fn name(&self) -> &str {
        // Only zones with a name are made, and UTC has one.
        self.0.iana_name().unwrap_or("UTC")
    }

    /// A moment as people of this zone read it: `2027-05-01 09:00 Europe/Madrid`.
    pub fn shown(&self, at: Micros) -> String {
        match self.local(at) {
            Some(local) => format!("{} {}", local.strftime("%Y-%m-%d %H:%M"), self.name()),
            None => format!("{} microseconds after 1970", at.0),
        }
    }

    /// What the clocks of this zone show at a moment; `None` beyond the years -9999 to 9999.
    pub(crate) fn local(&self, at: Micros) -> Option<DateTime> {
        Timestamp::from_microsecond(at.0).ok().map(|at| self.0.to_datetime(at))
    }

    /// The moment at which the clocks of this zone show `local`.
    ///
    /// If they skip it in spring, the first moment after the gap; if they show it twice in autumn, the earlier one.
    /// `None` beyond the years -9999 to 9999.
    pub(crate) fn moment(&self, local: DateTime) -> Option<Micros> {
        let at = match self.0.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(local).ok()?,
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(local).ok()?,
            // Read with the offset of afterwards, a skipped time lies before the change.
            AmbiguousOffset::Gap { after, .. } => self.0.following(after.to_timestamp(local).ok()?).next()?.timestamp(),
        };
        Some(Micros(at.as_microsecond()))
    }

    /// The stretch of time around a second (since 1970, UTC) in which the offset from UTC does not change; `None`
    /// beyond the years -9999 to 9999.
    pub(crate) fn stretch(&self, second: i64) -> Option<Stretch> {
        let at = Timestamp::from_second(second).ok()?;
        let start = self.0.preceding(Timestamp::from_second(second + 1).ok()?).next().map(|change| change.timestamp());
        let offset = self.0.to_offset(at);
        Some(Stretch {
            start: start.map(Timestamp::as_second),
            end: self.0.following(at).next().map(|change| change.timestamp().as_second()),
            offset: i64::from(offset.seconds()),
            offset_before: i64::from(start.map_or(offset, |start| self.offset_before(start)).seconds()),
        })
    }

    fn offset_before(&self, change: Timestamp) -> Offset {
        let before = Timestamp::from_second(change.as_second() - 1).unwrap_or(Timestamp::MIN);
        self.0.to_offset(before)
    }
}

/// A stretch of time with one offset from UTC. Moments and offsets are in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stretch {
    /// Its first second; `None` if there was no change before.
    pub start: Option<i64>,
    /// The first second after it; `None` if there is no change any more.
    pub end: Option<i64>,
    /// What local clocks show more than UTC's.
    pub offset: i64,
    /// The same just before `start`.
    pub offset_before: i64,
}

/// By spelling; or by the city alone, as in `Madrid` or `New York`.
fn near_zone(name: &str) -> Option<String> {
    let city = name.rsplit('/').next().unwrap_or(name).replace(' ', "_");
    let names: Vec<_> = ZONES.available().collect();
    let of_city = names
        .iter()
        .map(|known| known.as_str())
        .find(|known| known.rsplit_once('/').is_some_and(|(_, known_city)| known_city.eq_ignore_ascii_case(&city)));
    of_city.or_else(|| nearest(name, names.iter().map(|known| known.as_str()))).map(str::to_owned)
}

impl Default for Zone {
    fn default() -> Self {
        Zone::UTC
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> String {
        zone.name().to_owned()
    }
}

impl TryFrom<String> for Zone {
    type Error = ZoneError;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Zone::parse(&name)
    }
}

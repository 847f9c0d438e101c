//! What must hold of whatever is read. Each target takes any bytes and asserts; one that panics has found something.

mod bundle;
mod condition;
mod cron;
mod event;
mod journal;
mod manifest;
mod markup;
mod moment;
mod places;
mod schema;
mod segment;
mod table;
mod zip;

use interlink_model::id::Micros;
use interlink_model::time::zone::Zone;
use jiff::tz::TimeZoneDatabase;

/// A reader, and what is asserted of it.
pub struct Target {
    /// What it is known by, and the name of its folders in `corpus/` and `regressions/`.
    pub name: &'static str,
    /// Reads the bytes and asserts.
    pub run: fn(&[u8]),
    /// Memory that reading them may take, in bytes; the fuzzer counts it.
    #[allow(dead_code, reason = "ordinary tests share their memory with others, and do not look at it")]
    pub memory_bytes_max: usize,
}

/// A megabyte.
const MIB: usize = 1 << 20;

/// Every target, in the order of their names.
pub const ALL: [Target; 12] = [
    // Nodes and findings of a document of the greatest size, several times over.
    Target { name: "bundle", run: bundle::run, memory_bytes_max: 64 * MIB },
    // The largest values that the limits of a condition allow.
    Target { name: "condition", run: condition::run, memory_bytes_max: 64 * MIB },
    Target { name: "cron", run: cron::run, memory_bytes_max: MIB },
    Target { name: "event", run: event::run, memory_bytes_max: 16 * MIB },
    Target { name: "journal", run: journal::run, memory_bytes_max: 16 * MIB },
    Target { name: "manifest", run: manifest::run, memory_bytes_max: 16 * MIB },
    // The longest text, as a tree and a few times as text, each letter of it escaped.
    Target { name: "markup", run: markup::run, memory_bytes_max: 32 * MIB },
    Target { name: "moment", run: moment::run, memory_bytes_max: MIB },
    Target { name: "schema", run: schema::run, memory_bytes_max: 64 * MIB },
    Target { name: "segment", run: segment::run, memory_bytes_max: 16 * MIB },
    Target { name: "table", run: table::run, memory_bytes_max: 16 * MIB },
    // What a zip may inflate to, with a buffer that grows by doubling and the files of a second one.
    Target { name: "zip", run: zip::run, memory_bytes_max: 32 * MIB },
];

/// The pieces of an input that is written as text, separated by lines of `---`.
fn pieces(data: &[u8]) -> Option<Vec<&str>> {
    std::str::from_utf8(data).ok().map(|text| text.split("\n---\n").collect())
}

/// The zone that a piece names, or UTC. It is looked up first, because saying which name is near to one that is none takes
/// longer than all else.
fn zone(piece: Option<&&str>) -> Zone {
    let name = piece.map_or("UTC", |piece| piece.trim());
    let known = TimeZoneDatabase::bundled().get(name).is_ok();
    Some(name).filter(|_| known).and_then(|name| Zone::parse(name).ok()).unwrap_or(Zone::UTC)
}

/// The moment that a piece names in microseconds since 1970, or 1970.
fn micros(piece: Option<&&str>) -> Micros {
    Micros(piece.and_then(|piece| piece.trim().parse().ok()).unwrap_or_default())
}

//! What the API shows. These types are the contract; the engine's own can change beside them.

mod catalogue;
mod history;
mod incident;
mod organization;
mod process;
mod task;

use interlink_model::id::Micros;
use serde::Serialize;
use utoipa::ToSchema;

pub use self::catalogue::*;
pub use self::history::*;
pub use self::incident::*;
pub use self::organization::*;
pub use self::process::*;
pub use self::task::*;

/// A time as RFC 3339 writes it, UTC.
pub fn time(at: Micros) -> String {
    jiff::Timestamp::from_microsecond(at.0).map(|at| at.to_string()).unwrap_or_default()
}

/// A name and version with a digest.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Reference {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// `sha256:` and 64 hex digits.
    pub digest: String,
}

//! Time and randomness, through one seam: a test runs a year of a process in a millisecond.

use interlink_model::id::{AssetId, CallId, Micros, OrganizationId, PersonId, ProcessId};
use uuid::Uuid;

/// Where time and randomness come from.
pub trait Ambient: Send + Sync + 'static {
    /// The time.
    fn now(&self) -> Micros;
    /// Fills with random bytes.
    fn random(&self, bytes: &mut [u8]);
}

/// The machine's own.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Ambient for System {
    fn now(&self) -> Micros {
        Micros(jiff::Timestamp::now().as_microsecond())
    }

    fn random(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system has randomness");
    }
}

/// Random bytes.
pub(crate) fn random<const N: usize>(ambient: &dyn Ambient) -> [u8; N] {
    let mut bytes = [0; N];
    ambient.random(&mut bytes);
    bytes
}

/// A time-ordered id (UUIDv7).
fn time_ordered(ambient: &dyn Ambient) -> Uuid {
    let millis = u64::try_from(ambient.now().0 / 1_000).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random(ambient)).into_uuid()
}

/// A new process's id.
pub(crate) fn process_id(ambient: &dyn Ambient) -> ProcessId {
    ProcessId(time_ordered(ambient))
}

/// A new asset's id.
pub(crate) fn asset_id(ambient: &dyn Ambient) -> AssetId {
    AssetId(time_ordered(ambient))
}

/// A new call's id.
pub(crate) fn call_id(ambient: &dyn Ambient) -> CallId {
    CallId(time_ordered(ambient))
}

/// A new organization's id.
pub(crate) fn organization_id(ambient: &dyn Ambient) -> OrganizationId {
    OrganizationId(time_ordered(ambient))
}

/// A new person's id: nothing can be read from it (UUIDv4).
pub(crate) fn person_id(ambient: &dyn Ambient) -> PersonId {
    PersonId(uuid::Builder::from_random_bytes(random(ambient)).into_uuid())
}

/// An id of something that happens once.
pub(crate) fn correlation_id(ambient: &dyn Ambient) -> Uuid {
    uuid::Builder::from_random_bytes(random(ambient)).into_uuid()
}

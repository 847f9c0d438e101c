//! Bodies of records: the envelope of an event, its form lifted to the present one.

use interlink_model::event::{Event, decode, envelope};
use interlink_model::facts::{
    AssetEvent, CallEvent, InterlinkerEvent, LoginEvent, OrganizationEvent, PersonEvent, ProblemProfileEvent,
    ProcessEvent, SchemaEvent, SecretEvent, ServiceEvent, TrustEvent, UsageEvent,
};

/// An event that is read has the kind of its envelope and the present form, and is written as what reads as the same.
pub fn run(data: &[u8]) {
    if let Err(error) = envelope(data) {
        assert!(!error.to_string().is_empty());
        return;
    }
    reads::<AssetEvent>(data);
    reads::<CallEvent>(data);
    reads::<InterlinkerEvent>(data);
    reads::<LoginEvent>(data);
    reads::<OrganizationEvent>(data);
    reads::<PersonEvent>(data);
    reads::<ProblemProfileEvent>(data);
    reads::<ProcessEvent>(data);
    reads::<SchemaEvent>(data);
    reads::<SecretEvent>(data);
    reads::<TrustEvent>(data);
    reads::<ServiceEvent>(data);
    reads::<UsageEvent>(data);
}

fn reads<E: Event>(data: &[u8]) {
    let (event, stamp) = match decode::<E>(data) {
        Ok(read) => read,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let (kind, form, _) = envelope(data).expect("it was read");
    assert!(event.kind() == kind && event.form() >= form, "{kind} in form {form} is read as {}", event.kind());
    // Compared as bytes: a number that is none equals nothing, itself included.
    let written = event.encode(&stamp).expect("what was read is written");
    let (again, same_stamp) = decode::<E>(&written).unwrap_or_else(|error| panic!("{kind} is not read again: {error}"));
    assert_eq!(again.encode(&same_stamp).expect("and again"), written, "{kind} is read as another");
    assert_eq!(stamp, same_stamp);
    event.data();
}

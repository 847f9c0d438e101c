//! Facts in forms that are no longer written.
//!
//! A fact on disk is never changed. Where its form has changed since, it is lifted when it is read: by one pure function for
//! each step from a form to the next, over the decoded map. What applies facts knows the present form alone.

use rmpv::Value;

use crate::event::Unreadable;

/// One step: a kind of fact, the form that it lifts from, and how.
struct Upcast {
    kind: &'static str,
    from: u16,
    lift: fn(&mut Vec<(Value, Value)>),
}

const UPCASTS: [Upcast; 1] = [
    // Before there were zones, every process kept the hours of UTC.
    Upcast { kind: "ProcessCreated", from: 1, lift: |data| default(data, "zone", Value::from("UTC")) },
];

/// Adds a field where it is not there.
fn default(data: &mut Vec<(Value, Value)>, name: &str, value: Value) {
    if !data.iter().any(|(key, _)| key.as_str() == Some(name)) {
        data.push((Value::from(name), value));
    }
}

/// Lifts an envelope from a form to the present one.
pub fn lift(kind: &str, from: u16, to: u16, body: &[u8]) -> Result<Vec<u8>, Unreadable> {
    let mut envelope: Value = rmp_serde::from_slice(body)?;
    let unknown = || Unreadable::Unknown { kind: kind.into(), form: from };
    let Value::Map(fields) = &mut envelope else { return Err(unknown()) };
    let data = fields.iter_mut().find(|(key, _)| key.as_str() == Some("data")).map(|(_, data)| data);
    let Some(Value::Map(data)) = data else { return Err(unknown()) };
    for form in from..to {
        let step = UPCASTS.iter().find(|step| step.kind == kind && step.from == form);
        (step.ok_or_else(unknown)?.lift)(data);
    }
    rmp_serde::to_vec_named(&envelope).map_err(|_| unknown())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Actor, Event, Stamp, data, decode, encode};
    use crate::facts::{ProcessCreated, ProcessEvent, SchemaRef};
    use crate::id::Micros;
    use crate::time::zone::Zone;

    #[derive(serde::Serialize)]
    struct First {
        schema: SchemaRef,
        name: serde_bytes::ByteBuf,
    }

    #[test]
    fn a_fact_of_an_earlier_form_is_lifted_step_by_step() {
        let schema = SchemaRef { name: "s".into(), version: "1.0.0".into(), digest: "d".into() };
        let stamp = Stamp { at: Micros(7), actor: Actor::System, correlation: None, causation: None };
        let name = serde_bytes::ByteBuf::from(vec![1, 2, 3]);
        let body = encode("ProcessCreated", 1, &stamp, &First { schema: schema.clone(), name }).expect("encodes");
        let (event, read) = decode::<ProcessEvent>(&body).expect("an earlier form is read");
        let ProcessEvent::ProcessCreated(created) = &event else { panic!("another fact") };
        assert_eq!((&created.zone, &created.schema, read.at), (&Zone::UTC, &schema, Micros(7)));
        assert_eq!(created.name, crate::sealed::Sealed::Closed(vec![1, 2, 3]), "bytes stay bytes");
        assert_eq!(event.form(), 2);
        let again = event.encode(&stamp).expect("encodes");
        assert_eq!(data::<ProcessCreated>(&again).expect("the present form"), *created);
    }

    #[test]
    fn a_form_of_the_future_and_a_step_that_is_missing_are_refused() {
        let stamp = Stamp { at: Micros(7), actor: Actor::System, correlation: None, causation: None };
        let body = encode("ProcessCreated", 9, &stamp, &serde_json::json!({})).expect("encodes");
        assert!(matches!(decode::<ProcessEvent>(&body), Err(Unreadable::Unknown { form: 9, .. })));
        assert!(matches!(lift("TaskSkipped", 1, 2, &body), Err(Unreadable::Unknown { .. })));
        assert!(lift("ProcessCreated", 1, 2, b"not a map").is_err());
    }

    #[test]
    fn every_form_has_the_steps_that_lead_to_the_next() {
        for step in &UPCASTS {
            let before = UPCASTS.iter().filter(|other| other.kind == step.kind && other.from < step.from).count();
            assert_eq!(before, usize::from(step.from) - 1, "{} has a gap before form {}", step.kind, step.from);
        }
        assert_eq!(usize::from(ProcessCreated::FORM), 2);
    }
}

//! Authored schemas, as YAML and as JSON.

use std::collections::BTreeSet;

use interlink_model::schema::authoring::{Parsed, Syntax, parse};
use interlink_model::schema::digest;
use interlink_model::schema::outline::Outline;

use super::places;

/// A schema that is taken reads as the same from what is kept of it; one that is refused is told where.
pub fn run(data: &[u8]) {
    for syntax in [Syntax::Yaml, Syntax::Json] {
        match parse(data, syntax) {
            Ok(parsed) => reads_as_the_same(&parsed),
            Err(refusal) => places::lie_inside(&refusal, |_| std::str::from_utf8(data).ok()),
        }
    }
}

/// The canonical document is the schema, read as JSON and as YAML, and its digest is the schema's.
pub fn reads_as_the_same(parsed: &Parsed) {
    let kept = digest::canonical(&parsed.document);
    assert_eq!(parsed.schema.digest, digest::of(&kept));
    for syntax in [Syntax::Json, Syntax::Yaml] {
        assert_eq!(parse(&kept, syntax).as_ref(), Ok(parsed), "what is kept is another schema as {syntax:?}");
    }
    ids_are_unique(parsed);
}

/// Every item has an id of its own.
pub fn ids_are_unique(parsed: &Parsed) {
    let outline = Outline::of(&parsed.schema);
    let phases = outline.phases.iter().map(|phase| phase.id.as_str());
    let objectives = outline.objectives.iter().map(|objective| objective.id.as_str());
    let ids: Vec<_> = phases.chain(objectives).chain(outline.tasks.iter().map(|task| task.id.as_str())).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "an id is there twice: {ids:?}");
}

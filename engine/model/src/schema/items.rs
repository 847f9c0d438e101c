//! The items of a document in tree order, with the places of what they are known by and what they wait for.
//!
//! Both readers, of authored documents and of bundles, fill it while they walk; what must hold between items is
//! checked on it afterwards, when all ids are known.

use std::collections::BTreeMap;

use serde_json::Value;

use super::finding::{Findings, Span};
use super::limits::ITEMS_MAX;
use super::node::Node;
use super::{Prerequisite, PrerequisiteKind, Text};

/// Where in the tree an item stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Phase,
    Objective,
    Task,
}

impl Level {
    pub fn name(self) -> &'static str {
        match self {
            Level::Phase => "phase",
            Level::Objective => "objective",
            Level::Task => "task",
        }
    }
}

/// An item as it was written, with its places.
#[derive(Debug)]
pub(super) struct Item {
    pub id: String,
    pub level: Level,
    /// Number of the item that this one is part of.
    pub parent: Option<usize>,
    /// Where its id stands.
    pub span: Span,
    pub pointer: String,
    pub named: Vec<Named>,
}

/// A prerequisite as it was written.
#[derive(Debug)]
pub(super) struct Named {
    pub item: String,
    pub kind: PrerequisiteKind,
    pub span: Span,
    pub pointer: String,
}

/// The items so far, each after what it is part of.
#[derive(Debug, Default)]
pub(super) struct Items {
    pub list: Vec<Item>,
    too_many: bool,
}

impl Items {
    /// Takes a number for an item; `None` once there are too many, which ends the walk.
    pub fn begin(
        &mut self,
        node: &Node,
        at: &str,
        level: Level,
        parent: Option<usize>,
        findings: &mut Findings<'_>,
    ) -> Option<usize> {
        if self.list.len() >= ITEMS_MAX {
            if !std::mem::replace(&mut self.too_many, true) {
                let message = format!("a schema has at most {ITEMS_MAX} phases, objectives and tasks together");
                findings.error(node.span, at, message, None);
            }
            return None;
        }
        let (id, pointer, named) = (String::new(), at.to_owned(), Vec::new());
        self.list.push(Item { id, level, parent, span: node.span, pointer, named });
        Some(self.list.len() - 1)
    }

    /// Notes what an item waits for, and gives it in the form that a schema has.
    pub fn waits_for(&mut self, number: usize, named: Vec<Named>) -> Vec<Prerequisite> {
        let prerequisites = named.iter().map(|named| Prerequisite { item: named.item.clone(), kind: named.kind });
        let prerequisites = prerequisites.collect();
        self.list[number].named = named;
        prerequisites
    }
}

/// What phases, objectives and tasks have in common.
pub(super) struct Common {
    pub id: String,
    pub name: Text,
    pub description: Text,
    pub prerequisites: Vec<Prerequisite>,
    pub extensions: BTreeMap<String, Value>,
}

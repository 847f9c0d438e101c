//! What an author says that an item waits for: `after` and `prerequisites`.

use super::walk::Walk;
use crate::schema::PrerequisiteKind;
use crate::schema::fields::{self, Letters};
use crate::schema::finding::{did_you_mean, quoted};
use crate::schema::items::Named;
use crate::schema::limits::PREREQUISITES_MAX;
use crate::schema::node::{Content, Entry, Node, get};

impl Walk<'_> {
    pub(super) fn prerequisites(&mut self, entries: &[Entry], at: &str) -> Vec<Named> {
        let mut named: Vec<Named> = Vec::new();
        let after = format!("{at}/after");
        match get(entries, "after") {
            Some(node @ Node { content: Content::Text(_), .. }) => self.name_finished(node, after, &mut named),
            node => {
                let list = fields::list(node, &after, "`after`", PREREQUISITES_MAX, &mut self.findings);
                for (index, node) in list.iter().enumerate() {
                    self.name_finished(node, format!("{after}/{index}"), &mut named);
                }
            }
        }
        let at = format!("{at}/prerequisites");
        let node = get(entries, "prerequisites");
        let list = fields::list(node, &at, "`prerequisites`", PREREQUISITES_MAX, &mut self.findings);
        for (index, node) in list.iter().enumerate() {
            self.prerequisite(node, &format!("{at}/{index}"), &mut named);
        }
        named
    }

    fn name_finished(&mut self, node: &Node, pointer: String, named: &mut Vec<Named>) {
        let item = fields::id(node, &pointer, "an id in `after`", Letters::Lower, &mut self.findings);
        if let Some(item) = item {
            self.add(Named { item, kind: PrerequisiteKind::Finished, span: node.span, pointer }, named);
        }
    }

    fn prerequisite(&mut self, node: &Node, at: &str, named: &mut Vec<Named>) {
        if let Some(text) = node.text() {
            let message = "a prerequisite is a map with `item` and `type`";
            let help = format!("write `{{ item: {text}, type: finished }}`, or `after: {text}`");
            self.findings.error(node.span, at, message, Some(help));
            return;
        }
        let entries = fields::map(node, at, "a prerequisite", &mut self.findings);
        self.keys(entries, at, "a prerequisite", &["item", "type"]);
        let kind = match get(entries, "type") {
            None => PrerequisiteKind::Finished,
            Some(node) => match node.text() {
                Some("finished") => PrerequisiteKind::Finished,
                Some("previous") => PrerequisiteKind::Previous,
                other => {
                    let help = other.and_then(|text| did_you_mean(text, ["finished", "previous"]));
                    let message = "the type of a prerequisite is `finished` or `previous`";
                    self.findings.error(node.span, &format!("{at}/type"), message, help);
                    return;
                }
            },
        };
        let Some(node) = get(entries, "item") else {
            if matches!(node.content, Content::Map(_)) {
                self.findings.error(node.span, at, "this prerequisite has no `item`", None);
            }
            return;
        };
        let pointer = format!("{at}/item");
        if let Some(item) = fields::id(node, &pointer, "a prerequisite", Letters::Lower, &mut self.findings) {
            self.add(Named { item, kind, span: node.span, pointer }, named);
        }
    }

    fn add(&mut self, new: Named, named: &mut Vec<Named>) {
        if let Some(first) = named.iter().find(|named| named.item == new.item) {
            let place = self.findings.place(first.span);
            let message = format!("{} is a prerequisite twice: first at {place}, again here", quoted(&new.item));
            self.findings.error(new.span, &new.pointer, message, None);
        } else if named.len() >= PREREQUISITES_MAX {
            let message = format!("an item has at most {PREREQUISITES_MAX} prerequisites");
            self.findings.error(new.span, &new.pointer, message, None);
        } else {
            named.push(new);
        }
    }
}

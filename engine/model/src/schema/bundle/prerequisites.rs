//! Prerequisites, in each of the forms in which bundles have them.

use super::walk::Walk;
use crate::near::nearest;
use crate::schema::PrerequisiteKind;
use crate::schema::fields::{self, Letters};
use crate::schema::finding::quoted;
use crate::schema::items::Named;
use crate::schema::limits::PREREQUISITES_MAX;
use crate::schema::node::{Content, Node, get, join};

impl Walk<'_> {
    /// Prerequisites in each of the forms in which bundles have them.
    pub(super) fn prerequisites(&mut self, node: Option<&Node>, at: &str) -> Vec<Named> {
        let mut named = Vec::new();
        match node.map(|node| (node, &node.content)) {
            None | Some((_, Content::Null)) => {}
            Some((_, Content::List(list))) if list.len() <= PREREQUISITES_MAX => {
                for (index, node) in list.iter().enumerate() {
                    self.prerequisite(node, &format!("{at}/{index}"), &mut named);
                }
            }
            // The published JSON Schema: a map from ids to what is asked of them.
            Some((_, Content::Map(entries)))
                if get(entries, "item").is_none() && entries.len() <= PREREQUISITES_MAX =>
            {
                for entry in entries {
                    let at = join(at, &entry.key);
                    let item = Node { content: Content::Text(entry.key.clone()), span: entry.key_span };
                    if let Some(kind) = self.kind(&entry.value, &at) {
                        self.add(&item, kind, at, &mut named);
                    }
                }
            }
            Some((node, Content::List(_) | Content::Map(_))) if get_item(node).is_none() => {
                let message = format!("an item has at most {PREREQUISITES_MAX} prerequisites");
                self.findings.error(node.span, at, message, None);
            }
            Some((node, _)) => self.prerequisite(node, at, &mut named),
        }
        named
    }

    fn prerequisite(&mut self, node: &Node, at: &str, named: &mut Vec<Named>) {
        // Older bundles name the item alone.
        if node.text().is_some() {
            return self.add(node, PrerequisiteKind::Finished, at.to_owned(), named);
        }
        let (Content::Map(entries), Some(item)) = (&node.content, get_item(node)) else {
            let message = format!("a prerequisite is {}, a form that is not known", node.described());
            let help = "it is `{\"item\": id, \"status\": \"finished\"}` or `{\"item\": id, \"type\": \"previous\"}`";
            return self.findings.error(node.span, at, message, Some(help.to_owned()));
        };
        for entry in entries.iter().filter(|entry| !["item", "status", "type"].contains(&entry.key.as_str())) {
            let message = format!("{} means nothing in a prerequisite and was left out", quoted(&entry.key));
            self.findings.repaired(entry.key_span, &join(at, &entry.key), message);
        }
        let mut asked = Vec::new();
        for key in ["status", "type"] {
            if let Some(value) = get(entries, key) {
                let Some(kind) = self.kind(value, &join(at, key)) else {
                    return;
                };
                asked.push(kind);
            }
        }
        let kind = match asked[..] {
            [kind] => kind,
            [first, second] if first == second => first,
            _ => {
                let message = "the prerequisite does not say one of finished and previous; finished was taken";
                self.findings.repaired(node.span, at, message);
                PrerequisiteKind::Finished
            }
        };
        self.add(item, kind, format!("{at}/item"), named);
    }

    fn kind(&mut self, node: &Node, at: &str) -> Option<PrerequisiteKind> {
        let written = node.text().map(str::trim).unwrap_or_default();
        let meant = match written {
            "finished" => return Some(PrerequisiteKind::Finished),
            "previous" => return Some(PrerequisiteKind::Previous),
            _ => nearest(&written.to_lowercase(), ["finished", "previous"])
                .or_else(|| ["finished", "previous"].into_iter().find(|word| written.eq_ignore_ascii_case(word))),
        };
        let Some(meant) = meant else {
            let message = format!("a prerequisite asks for {}, which is not known", quoted(written));
            self.findings.error(node.span, at, message, Some("it is `finished` or `previous`".to_owned()));
            return None;
        };
        self.findings.repaired(node.span, at, format!("{} was taken for `{meant}`", quoted(written)));
        Some(if meant == "finished" { PrerequisiteKind::Finished } else { PrerequisiteKind::Previous })
    }

    fn add(&mut self, item: &Node, kind: PrerequisiteKind, pointer: String, named: &mut Vec<Named>) {
        let id = fields::id(item, &pointer, "a prerequisite", Letters::Any, &mut self.findings);
        let Some(id) = id else { return };
        match named.iter_mut().find(|named| named.item == id) {
            Some(first) => {
                if kind == PrerequisiteKind::Finished {
                    first.kind = kind;
                }
                let message = format!("{} is a prerequisite twice; the stronger one counts", quoted(&id));
                self.findings.repaired(item.span, &pointer, message);
            }
            None => named.push(Named { item: id, kind, span: item.span, pointer }),
        }
    }
}

fn get_item(node: &Node) -> Option<&Node> {
    match &node.content {
        Content::Map(entries) => get(entries, "item"),
        _ => None,
    }
}

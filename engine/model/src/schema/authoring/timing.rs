//! When an item opens, closes, is due and comes again.

use super::walk::Walk;
use crate::schema::PrerequisiteKind;
use crate::schema::fields::{self, Letters};
use crate::schema::finding::{did_you_mean, quoted};
use crate::schema::items::Named;
use crate::schema::limits::{EXPRESSION_BYTES_MAX, REMINDERS_MAX, RUNS_MAX};
use crate::schema::node::{Content, Entry, Node, get};
use crate::schema::timing::{Escalation, Opening, Recurrence, Timing};
use crate::time::cron::Cron;
use crate::time::misfire::Misfire;
use crate::time::moment::{Anchor, Moment};
use crate::time::zone::Zone;

/// What a moment may be relative to, where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// The process's start, and the end of other items.
    Outside,
    /// Also when the task became ready.
    Task,
    /// Also when the task is due.
    Due,
}

impl Walk<'_> {
    /// `opens` and `closes`. What opens after the end of another item waits for that item.
    pub(super) fn opening(&mut self, entries: &[Entry], at: &str, number: usize) -> Opening {
        let opens = self.moment(get(entries, "opens"), &format!("{at}/opens"), "`opens`", Known::Outside);
        let closes = self.moment(get(entries, "closes"), &format!("{at}/closes"), "`closes`", Known::Outside);
        if let (Some(Anchor::Item(item)), Some(node)) = (opens.as_ref().and_then(Moment::anchor), get(entries, "opens"))
            && !self.items.list[number].named.iter().any(|named| named.item == *item)
        {
            let pointer = format!("{at}/opens");
            let named = Named { item: item.clone(), kind: PrerequisiteKind::Finished, span: node.span, pointer };
            self.items.list[number].named.push(named);
        }
        Opening { opens, closes }
    }

    /// `due`, `reminder`, `escalation` and `every`, with the keys that belong to it.
    pub(super) fn timing(&mut self, entries: &[Entry], at: &str) -> Timing {
        let due = self.moment(get(entries, "due"), &format!("{at}/due"), "`due`", Known::Task);
        let known = if due.is_some() { Known::Due } else { Known::Task };
        Timing {
            reminders: self.reminders(get(entries, "reminder"), &format!("{at}/reminder"), known),
            escalation: self.escalation(get(entries, "escalation"), &format!("{at}/escalation"), known),
            every: self.recurrence(entries, at),
            due,
        }
    }

    fn reminders(&mut self, node: Option<&Node>, at: &str, known: Known) -> Vec<Moment> {
        match node {
            Some(node @ Node { content: Content::Text(_), .. }) => {
                self.moment(Some(node), at, "`reminder`", known).into_iter().collect()
            }
            node => {
                let list = fields::list(node, at, "`reminder`", REMINDERS_MAX, &mut self.findings);
                let each = list.iter().enumerate();
                each.filter_map(|(n, node)| self.moment(Some(node), &format!("{at}/{n}"), "a reminder", known))
                    .collect()
            }
        }
    }

    fn escalation(&mut self, node: Option<&Node>, at: &str, known: Known) -> Option<Escalation> {
        let node = node.filter(|node| !node.is_null())?;
        let entries = fields::map(node, at, "`escalation`", &mut self.findings);
        self.keys(entries, at, "an escalation", &["to", "at"]);
        let to = get(entries, "to").and_then(|to| self.role(to, &format!("{at}/to")));
        let moment = self.moment(get(entries, "at"), &format!("{at}/at"), "the time of an escalation", known);
        if let (Content::Map(_), true) = (&node.content, get(entries, "to").is_none() || get(entries, "at").is_none()) {
            let help = Some("write `escalation: { to: coordinator, at: 2 days after due }`".to_owned());
            self.findings.error(node.span, at, "an escalation says to whom (`to`) and when (`at`)", help);
        }
        Some(Escalation { to: to?, at: moment? })
    }

    /// A role that somebody can have here.
    pub(super) fn role(&mut self, node: &Node, at: &str) -> Option<String> {
        let role = fields::id(node, at, "a role", Letters::Lower, &mut self.findings)?;
        self.known_role(&role, node.span, at);
        Some(role)
    }

    fn recurrence(&mut self, entries: &[Entry], at: &str) -> Option<Recurrence> {
        let Some(node) = get(entries, "every").filter(|node| !node.is_null()) else {
            for key in ["misfire", "until", "times"] {
                if let Some(node) = get(entries, key) {
                    let message = format!("`{key}` says how a task comes again, and this one has no `every`");
                    self.findings.error(node.span, &format!("{at}/{key}"), message, None);
                }
            }
            return None;
        };
        let pointer = format!("{at}/every");
        let text = fields::text(node, &pointer, "`every`", EXPRESSION_BYTES_MAX, &mut self.findings);
        let cron = text.and_then(|text| match Cron::parse(&text) {
            Ok(cron) => Some(cron),
            Err(error) => {
                self.findings.error(node.span, &pointer, format!("`every`: {error}"), None);
                None
            }
        });
        let words = Misfire::NAMES.map(|(name, _)| name);
        let misfire = self.one_of(get(entries, "misfire"), &format!("{at}/misfire"), "`misfire`", words);
        let until = self.moment(get(entries, "until"), &format!("{at}/until"), "`until`", Known::Task);
        let times = self.whole(get(entries, "times"), &format!("{at}/times"), "`times`", 1..=RUNS_MAX);
        Some(Recurrence { cron: cron?, misfire: misfire.and_then(Misfire::named).unwrap_or_default(), until, times })
    }

    /// A moment. What it names is looked up when all ids are known.
    pub(super) fn moment(&mut self, node: Option<&Node>, at: &str, what: &str, known: Known) -> Option<Moment> {
        let node = node.filter(|node| !node.is_null())?;
        let text = fields::text(node, at, what, EXPRESSION_BYTES_MAX, &mut self.findings)?;
        let moment = match Moment::parse(&text) {
            Ok(moment) => moment,
            Err(error) => {
                self.findings.error(node.span, at, format!("{what}: {error}"), None);
                return None;
            }
        };
        let refused = match (moment.anchor(), known) {
            (Some(Anchor::Ready), Known::Outside) => Some("only a task becomes ready"),
            (Some(Anchor::Due), Known::Outside | Known::Task) => Some("nothing here is due: `due` is missing"),
            (Some(Anchor::Item(item)), _) => {
                self.mentioned.push((item.clone(), node.span, at.to_owned()));
                None
            }
            _ => None,
        };
        if let Some(why) = refused {
            let help = Some("write it after `start`, or after the id of another item".to_owned());
            self.findings.error(node.span, at, format!("{what} cannot be {}: {why}", quoted(&text)), help);
            return None;
        }
        Some(moment)
    }

    /// `zone` of a schema.
    pub(super) fn zone(&mut self, node: Option<&Node>) -> Zone {
        let Some(node) = node.filter(|node| !node.is_null()) else { return Zone::UTC };
        let text = fields::text(node, "/zone", "the zone", EXPRESSION_BYTES_MAX, &mut self.findings);
        match text.map(|text| Zone::parse(&text)) {
            Some(Ok(zone)) => zone,
            Some(Err(error)) => {
                self.findings.error(node.span, "/zone", error.to_string(), None);
                Zone::UTC
            }
            None => Zone::UTC,
        }
    }

    /// Whether everything that a moment names is there.
    pub(super) fn check_mentioned(&mut self) {
        let ids: Vec<_> = self.items.list.iter().map(|item| item.id.clone()).collect();
        for (item, span, pointer) in std::mem::take(&mut self.mentioned) {
            if !ids.contains(&item) {
                let message = format!("it is after {}, which is nowhere in this schema", quoted(&item));
                let words = ["start", "ready", "due"];
                let help = did_you_mean(&item, ids.iter().map(String::as_str).chain(words));
                self.findings.error(span, &pointer, message, help);
            }
        }
    }
}

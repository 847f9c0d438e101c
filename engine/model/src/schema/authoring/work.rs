//! How a task is done: its kind, and the keys of that kind.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde_json::Value;

use super::timing::Known;
use super::walk::Walk;
use crate::condition::{Condition, Expression};
use crate::schema::fields::{self, Letters};
use crate::schema::finding::{did_you_mean, quoted};
use crate::schema::limits::{
    ATTEMPTS_MAX, EXPRESSION_BYTES_MAX, FACTOR_MAX, ID_BYTES_MAX, INPUT_BYTES_MAX, NAMES_MAX, PAUSE_MS_MAX, QUORUM_MAX,
};
use crate::schema::node::{Content, Entry, Node, get};
use crate::schema::work::{
    Approval, ByInterlinker, Compensation, OnFailure, Retry, Subprocess, TaskKind, Tie, VoteRules, Work,
};
use crate::time::moment::Moment;
use crate::time::span::Span;

/// The keys that only one kind of task has.
pub(in crate::schema) const KEYS_OF_KINDS: [(TaskKind, &[&str]); 4] = [
    (TaskKind::Interlinker, &["interlinker", "input", "retry", "compensation"]),
    (TaskKind::Approval, &["voters", "quorum", "threshold", "veto", "deadline", "tie"]),
    (TaskKind::Timer, &["wait"]),
    (TaskKind::Subprocess, &["schema", "input", "output"]),
];

impl Walk<'_> {
    pub(super) fn work(&mut self, entries: &[Entry], node: &Node, at: &str) -> Work {
        let kind = self.kind(get(entries, "kind"), at);
        self.refuse_keys_of_others(entries, at, kind);
        let missing = |walk: &mut Self, key: &str, help: &str| {
            let message = format!("a task of kind `{}` says `{key}`, and this one does not", kind.as_str());
            walk.findings.error(node.span, at, message, Some(help.to_owned()));
        };
        let has = |key: &str| get(entries, key).is_some_and(|node| !node.is_null());
        match kind {
            TaskKind::Human => Work::Human,
            TaskKind::Timer if !has("wait") => {
                missing(self, "wait", "write `wait: 3 days`, or a date such as `wait: 2027-05-01 09:00`");
                Work::Human
            }
            TaskKind::Timer => self.wait(get(entries, "wait"), &format!("{at}/wait")).map_or(Work::Human, Work::Timer),
            TaskKind::Approval => Work::Approval(self.approval(entries, at)),
            TaskKind::Interlinker if !has("interlinker") => {
                missing(self, "interlinker", "write `interlinker: poll`, or `interlinker: poll@1.0.0`");
                Work::Human
            }
            TaskKind::Interlinker => Work::Interlinker(self.by_interlinker(entries, at)),
            TaskKind::Subprocess if !has("schema") => {
                missing(self, "schema", "write the name of another schema, such as `schema: accessibility-review`");
                Work::Human
            }
            TaskKind::Subprocess => Work::Subprocess(self.subprocess(entries, at)),
        }
    }

    fn kind(&mut self, node: Option<&Node>, at: &str) -> TaskKind {
        let names = TaskKind::ALL.map(TaskKind::as_str);
        let kind = self.one_of(node, &format!("{at}/kind"), "the kind of a task", names);
        TaskKind::ALL.into_iter().find(|known| Some(known.as_str()) == kind).unwrap_or(TaskKind::Human)
    }

    fn refuse_keys_of_others(&mut self, entries: &[Entry], at: &str, kind: TaskKind) {
        let own = KEYS_OF_KINDS.iter().find(|(of, _)| *of == kind).map_or(&[][..], |(_, keys)| keys);
        for entry in entries.iter().filter(|entry| !own.contains(&entry.key.as_str())) {
            let owners: Vec<_> = KEYS_OF_KINDS.iter().filter(|(_, keys)| keys.contains(&entry.key.as_str())).collect();
            if let Some((owner, _)) = owners.first() {
                let message = format!(
                    "`{}` belongs to tasks of kind `{}`, and this one is `{}`",
                    entry.key,
                    owner.as_str(),
                    kind.as_str()
                );
                let help = Some(format!("write `kind: {}`, or leave `{}` out", owner.as_str(), entry.key));
                self.findings.error(entry.key_span, &format!("{at}/{}", entry.key), message, help);
            }
        }
    }

    pub(super) fn on_failure(&mut self, node: Option<&Node>, at: &str) -> OnFailure {
        match self.one_of(node, at, "`on_failure`", ["wait", "compensate", "cancel"]) {
            Some("compensate") => OnFailure::Compensate,
            Some("cancel") => OnFailure::Cancel,
            _ => OnFailure::Wait,
        }
    }

    /// A span means that long after the task became ready.
    fn wait(&mut self, node: Option<&Node>, at: &str) -> Option<Moment> {
        let text = node.and_then(Node::text).filter(|text| Span::parse(text).is_ok());
        match text {
            Some(span) => Moment::parse(&format!("{span} after ready")).ok(),
            None => self.moment(node, at, "`wait`", Known::Task),
        }
    }

    fn approval(&mut self, entries: &[Entry], at: &str) -> Approval {
        let at = |key: &str| format!("{at}/{key}");
        let quorum = self.whole(get(entries, "quorum"), &at("quorum"), "`quorum`", 1..=QUORUM_MAX);
        let tie = self.one_of(get(entries, "tie"), &at("tie"), "`tie`", ["reject", "approve", "extend"]);
        let deadline = self.moment(get(entries, "deadline"), &at("deadline"), "`deadline`", Known::Task);
        Approval {
            rules: VoteRules {
                voters: self.role_list(get(entries, "voters"), &at("voters"), "`voters`"),
                quorum: quorum.unwrap_or(1),
                threshold: self.fraction(get(entries, "threshold"), &at("threshold")).unwrap_or((1, 2)),
                veto: self.role_list(get(entries, "veto"), &at("veto"), "`veto`"),
                tie: match tie {
                    Some("approve") => Tie::Approve,
                    Some("extend") => Tie::Extend,
                    _ => Tie::Reject,
                },
            },
            deadline,
        }
    }

    /// `1/2`, `2/3`: more than nothing, at most all.
    fn fraction(&mut self, node: Option<&Node>, at: &str) -> Option<(u32, u32)> {
        let node = node.filter(|node| !node.is_null())?;
        let parts = node.text().and_then(|text| text.split_once('/'));
        let numbers = parts.and_then(|(above, below)| above.trim().parse().ok().zip(below.trim().parse().ok()));
        match numbers {
            Some((above, below)) if above >= 1 && above <= below && below <= 1_000 => Some((above, below)),
            _ => {
                let help = Some("write a fraction such as `1/2` or `2/3`".to_owned());
                self.findings.error(node.span, at, "the threshold is a share of the votes, above 0 and up to 1", help);
                None
            }
        }
    }

    fn by_interlinker(&mut self, entries: &[Entry], at: &str) -> ByInterlinker {
        let interlinker = self.reference(get(entries, "interlinker"), &format!("{at}/interlinker"), "`interlinker`");
        ByInterlinker {
            interlinker: interlinker.unwrap_or_default(),
            input: self.literal(get(entries, "input"), &format!("{at}/input"), "`input`"),
            retry: self.retry(get(entries, "retry"), &format!("{at}/retry")),
            compensation: self.compensation(get(entries, "compensation"), &format!("{at}/compensation")),
        }
    }

    fn compensation(&mut self, node: Option<&Node>, at: &str) -> Option<Compensation> {
        let node = node.filter(|node| !node.is_null())?;
        let entries = fields::map(node, at, "`compensation`", &mut self.findings);
        self.keys(entries, at, "a compensation", &["action", "input"]);
        let Some(action) = get(entries, "action") else {
            let help = Some("write `compensation: { action: close }`".to_owned());
            self.findings.error(node.span, at, "a compensation says which `action` is run", help);
            return None;
        };
        let action = fields::id(action, &format!("{at}/action"), "an action", Letters::Lower, &mut self.findings)?;
        let input = self.literal(get(entries, "input"), &format!("{at}/input"), "`input`");
        Some(Compensation { action, input })
    }

    fn retry(&mut self, node: Option<&Node>, at: &str) -> Retry {
        let usual = Retry::default();
        let Some(node) = node.filter(|node| !node.is_null()) else { return usual };
        let entries = fields::map(node, at, "`retry`", &mut self.findings);
        self.keys(entries, at, "a retry policy", &["attempts", "first", "factor", "most", "except"]);
        let at = |key: &str| format!("{at}/{key}");
        let attempts = self.whole(get(entries, "attempts"), &at("attempts"), "`attempts`", 1..=ATTEMPTS_MAX);
        Retry {
            attempts: attempts.unwrap_or(usual.attempts),
            first_ms: self.pause(get(entries, "first"), &at("first"), "`first`").unwrap_or(usual.first_ms),
            factor_permille: self.factor(get(entries, "factor"), &at("factor")).unwrap_or(usual.factor_permille),
            most_ms: self.pause(get(entries, "most"), &at("most"), "`most`").unwrap_or(usual.most_ms),
            except: fields::short_texts(get(entries, "except"), &at("except"), "`except`", &mut self.findings),
        }
    }

    fn factor(&mut self, node: Option<&Node>, at: &str) -> Option<u32> {
        let node = node.filter(|node| !node.is_null())?;
        let factor = match &node.content {
            Content::Number(number) => number.as_f64(),
            _ => None,
        };
        match factor {
            // At most a thousand times FACTOR_MAX.
            Some(factor) if (1.0..=FACTOR_MAX).contains(&factor) => Some((factor * 1_000.0).round() as u32),
            _ => {
                let message = format!("`factor` is a number from 1 to {FACTOR_MAX}");
                self.findings.error(node.span, at, message, None);
                None
            }
        }
    }

    /// A pause between attempts, in milliseconds: `10 seconds`. Exact, unlike the spans of moments, whose days are days
    /// of a calendar.
    fn pause(&mut self, node: Option<&Node>, at: &str, what: &str) -> Option<u64> {
        let node = node.filter(|node| !node.is_null())?;
        let text = fields::text(node, at, what, EXPRESSION_BYTES_MAX, &mut self.findings)?;
        let parts = text.split_once(' ').and_then(|(number, unit)| Some((number.parse::<u32>().ok()?, unit.trim())));
        let pause = parts.and_then(|(number, unit)| {
            let unit_ms = match unit {
                "second" | "seconds" => 1_000,
                "minute" | "minutes" => 60_000,
                "hour" | "hours" => 3_600_000,
                "day" | "days" => 86_400_000,
                _ => return None,
            };
            Some(u64::from(number) * unit_ms)
        });
        let pause = pause.filter(|pause| (1..=PAUSE_MS_MAX).contains(pause));
        if pause.is_none() {
            let message = format!("{what} is a pause such as `10 seconds` or `5 minutes`, of 30 days at most");
            self.findings.error(node.span, at, message, None);
        }
        pause
    }

    fn subprocess(&mut self, entries: &[Entry], at: &str) -> Subprocess {
        let schema = self.reference(get(entries, "schema"), &format!("{at}/schema"), "`schema`");
        let mut inputs = BTreeMap::new();
        let input = get(entries, "input").filter(|node| !node.is_null());
        for entry in
            input.map_or(&[][..], |node| fields::map(node, &format!("{at}/input"), "`input`", &mut self.findings))
        {
            let at = format!("{at}/input/{}", entry.key);
            let text = fields::text(&entry.value, &at, "an input", EXPRESSION_BYTES_MAX, &mut self.findings);
            if let Some(expression) = text.and_then(|text| self.expression(&entry.value, &at, &text)) {
                inputs.insert(entry.key.clone(), expression);
            }
        }
        let mut outputs = BTreeMap::new();
        let output = get(entries, "output").filter(|node| !node.is_null());
        for entry in
            output.map_or(&[][..], |node| fields::map(node, &format!("{at}/output"), "`output`", &mut self.findings))
        {
            let at = format!("{at}/output/{}", entry.key);
            let text = fields::text(&entry.value, &at, "an output", ID_BYTES_MAX, &mut self.findings);
            outputs.extend(text.map(|text| (entry.key.clone(), text)));
        }
        if inputs.len().max(outputs.len()) > NAMES_MAX {
            let message = format!("a subprocess has at most {NAMES_MAX} inputs and {NAMES_MAX} outputs");
            self.findings.error(entries[0].key_span, at, message, None);
        }
        Subprocess { schema: schema.unwrap_or_default(), inputs, outputs }
    }

    fn expression(&mut self, node: &Node, at: &str, text: &str) -> Option<Expression> {
        match Expression::parse(text) {
            Ok(expression) => Some(expression),
            Err(error) => {
                self.findings.error(node.span, at, error.to_string(), None);
                None
            }
        }
    }

    /// `when`.
    pub(super) fn when(&mut self, node: Option<&Node>, at: &str) -> Option<Condition> {
        let node = node.filter(|node| !node.is_null())?;
        let text = fields::text(node, at, "`when`", EXPRESSION_BYTES_MAX, &mut self.findings)?;
        match Condition::parse(&text) {
            Ok(condition) => Some(condition),
            Err(error) => {
                self.findings.error(node.span, at, format!("`when`: {error}"), None);
                None
            }
        }
    }

    /// `name` or `name@version`.
    fn reference(&mut self, node: Option<&Node>, at: &str, what: &str) -> Option<String> {
        let text = fields::text(node?, at, what, ID_BYTES_MAX, &mut self.findings)?;
        let (name, version) =
            text.split_once('@').map_or((text.as_str(), None), |(name, version)| (name, Some(version)));
        let letters = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        let sound = !name.is_empty() && name.chars().all(letters);
        if !sound || version.is_some_and(|version| semver::Version::parse(version).is_err()) {
            let help = Some("write a name, or `name@1.0.0`".to_owned());
            let message = format!("{what} names something that is there, and {} cannot be a name", quoted(&text));
            self.findings.error(node?.span, at, message, help);
            return None;
        }
        Some(text)
    }

    /// Any JSON, as it stands.
    fn literal(&mut self, node: Option<&Node>, at: &str, what: &str) -> Value {
        let Some(node) = node.filter(|node| !node.is_null()) else { return Value::Object(Default::default()) };
        let value = node.to_json();
        let bytes = value.to_string().len();
        if bytes > INPUT_BYTES_MAX {
            let message = format!("{what} has {bytes} bytes; the limit is {INPUT_BYTES_MAX}");
            self.findings.error(node.span, at, message, None);
        }
        value
    }

    /// One of a few words.
    pub(super) fn one_of<const N: usize>(
        &mut self,
        node: Option<&Node>,
        at: &str,
        what: &str,
        words: [&'static str; N],
    ) -> Option<&'static str> {
        let node = node.filter(|node| !node.is_null())?;
        let text = fields::text(node, at, what, ID_BYTES_MAX, &mut self.findings)?;
        let found = words.into_iter().find(|word| *word == text);
        if found.is_none() {
            let list = words.map(|word| format!("`{word}`")).join(", ");
            let help = did_you_mean(&text, words);
            self.findings.error(node.span, at, format!("{what} is one of {list}, and not {}", quoted(&text)), help);
        }
        found
    }

    /// A whole number within bounds.
    pub(super) fn whole(
        &mut self,
        node: Option<&Node>,
        at: &str,
        what: &str,
        bounds: RangeInclusive<u32>,
    ) -> Option<u32> {
        let node = node.filter(|node| !node.is_null())?;
        let number = match &node.content {
            Content::Number(number) => number.as_u64().and_then(|number| u32::try_from(number).ok()),
            _ => None,
        };
        let number = number.filter(|number| bounds.contains(number));
        if number.is_none() {
            let message = format!("{what} is a whole number from {} to {}", bounds.start(), bounds.end());
            self.findings.error(node.span, at, message, None);
        }
        number
    }
}

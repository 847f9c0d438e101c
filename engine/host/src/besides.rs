//! What a call wants besides its changes: that people are told, that it is called again, that a blob is kept, that a word
//! is noted. It is collected while the call runs and becomes facts with its outcome, or nothing does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use interlink_model::asset::{ALARMS_MAX, BLOB_BYTES_MAX, BLOBS_BYTES_MAX, BLOBS_MAX};
use interlink_model::facts::Noted;
use serde::Deserialize;
use serde_json::Value;

use crate::call::Problem;
use crate::grants::Grants;
use crate::publish::{digest, is_name};

/// Words that one call notes, at most.
pub const NOTES_MAX: usize = 16;
/// Messages that one call sends, at most.
pub const MESSAGES_MAX: usize = 16;
/// People that one message is for, at most.
pub const RECIPIENTS_MAX: usize = 1_000;
/// A message as JSON, without whom it is for, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 4 << 10;
/// Alarms that one call sets or cancels, at most.
pub const ALARM_CHANGES_MAX: usize = 16;
/// What an alarm is set with, as JSON, in bytes.
pub const ALARM_INPUT_BYTES_MAX: usize = 4 << 10;
/// What one call puts into blobs, in bytes: it is written with all else that the call did. Larger ones are uploaded.
pub const PUT_BYTES_MAX: usize = 512 << 10;

/// What a call is given besides its asset's state: the same in every run of it.
#[derive(Clone, Default)]
pub struct Given {
    /// What an operator has set, a JSON object; nothing set is `{}`.
    pub settings: Value,
    /// What it may do without asking anybody.
    pub grants: Grants,
    /// Blobs of the asset.
    pub blobs: Option<Arc<dyn Blobs>>,
    /// Alarms of the asset that are set.
    pub alarms: BTreeSet<String>,
}

impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Given").field("grants", &self.grants).finish_non_exhaustive()
    }
}

/// Blobs of an asset, as they were when the call began. Read on the guest's thread.
pub trait Blobs: Send + Sync {
    /// How many bytes a blob has, if it is there.
    fn size(&self, digest: &str) -> Option<u64>;
    /// How many blobs there are, and how many bytes they have together.
    fn total(&self) -> (usize, u64);
    /// At most `limit` bytes of a blob from `offset` on, if it is there.
    ///
    /// # Errors
    ///
    /// Why it cannot be read now.
    fn read(&self, digest: &str, offset: u64, limit: usize) -> Result<Option<Vec<u8>>, String>;
}

/// A message to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Ids of people.
    pub to: Vec<String>,
    /// In a line.
    pub title: String,
    /// What is to be said.
    pub text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadMessage {
    to: Vec<String>,
    title: String,
    #[serde(default)]
    text: String,
}

/// An alarm that was set, or taken away.
#[derive(Debug, Clone, PartialEq)]
pub enum AlarmChange {
    /// It rings.
    Set {
        /// In microseconds since 1970.
        at: i64,
        /// With what.
        input: Value,
    },
    /// It was taken away.
    Cancelled,
}

/// A blob that a call put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// Its media type.
    pub media_type: String,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// What a call wants besides.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Besides {
    /// What it says happened.
    pub noted: Vec<Noted>,
    /// Whom it tells something.
    pub messages: Vec<Message>,
    /// Alarms that it set or took away, by name: the last change of each.
    pub alarms: BTreeMap<String, AlarmChange>,
    /// Blobs that it put, by digest.
    pub blobs: BTreeMap<String, Put>,
}

fn problem(code: &str, detail: impl Into<String>) -> Problem {
    Problem { code: code.into(), detail: detail.into(), pointer: None, data: None }
}

fn too_many(what: &str, max: usize) -> Problem {
    problem("too-many", format!("one call {what} at most {max}"))
}

/// Whether a text is a media type: `type/subtype` with parameters, printable ASCII.
pub fn is_media_type(text: &str) -> bool {
    let printable = text.len() <= 127 && text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    let plain = |part: &str| {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
        !part.is_empty() && part.bytes().all(token)
    };
    let essence = text.split(';').next().unwrap_or_default().trim();
    printable && essence.split_once('/').is_some_and(|(one, two)| plain(one) && plain(two))
}

impl Besides {
    /// Notes a word.
    pub fn note(&mut self, word: &str, amount: i64) -> Result<(), Problem> {
        if !is_name(word) {
            return Err(problem("not-a-word", format!("{word:?} is no word: letters, digits, `-`, `_` and `.`")));
        }
        if self.noted.len() == NOTES_MAX {
            return Err(too_many("notes", NOTES_MAX));
        }
        self.noted.push(Noted { word: word.into(), amount });
        Ok(())
    }

    /// Sends a message.
    pub fn send(&mut self, message: &str, grants: &Grants) -> Result<(), Problem> {
        let invalid = |detail: String| problem("invalid-message", detail);
        let read: ReadMessage = serde_json::from_str(message)
            .map_err(|error| invalid(format!("a message is JSON with `to`, `title` and `text`: {error}")))?;
        let ReadMessage { to, title, text } = read;
        if !grants.notify {
            return Err(Problem::not_granted("to tell people something"));
        }
        if to.is_empty() || title.trim().is_empty() {
            return Err(invalid("a message is for somebody, and has a title".into()));
        }
        if to.len() > RECIPIENTS_MAX {
            return Err(problem("too-many", format!("a message is for at most {RECIPIENTS_MAX} people")));
        }
        let bytes = title.len() + text.len();
        if bytes > MESSAGE_BYTES_MAX {
            return Err(invalid(format!("this message has {bytes} bytes; one has at most {MESSAGE_BYTES_MAX}")));
        }
        if self.messages.len() == MESSAGES_MAX {
            return Err(too_many("sends messages", MESSAGES_MAX));
        }
        self.messages.push(Message { to, title, text });
        Ok(())
    }

    /// Sets an alarm; `known` are those that were set when the call began, nothing where none can be set.
    pub fn set_alarm(
        &mut self,
        name: &str,
        at: i64,
        input: &str,
        known: Option<&BTreeSet<String>>,
    ) -> Result<(), Problem> {
        let Some(known) = known else {
            return Err(problem("no-alarms", "this Interlinker exports no `alarms`, which an alarm rings"));
        };
        let invalid = |detail: String| problem("invalid-alarm", detail);
        if !is_name(name) {
            return Err(invalid(format!("{name:?} names no alarm: letters, digits, `-`, `_` and `.`")));
        }
        if input.len() > ALARM_INPUT_BYTES_MAX {
            let bytes = input.len();
            return Err(invalid(format!("{bytes} bytes; an alarm is set with at most {ALARM_INPUT_BYTES_MAX}")));
        }
        let input = serde_json::from_str(input).map_err(|error| invalid(format!("its input is no JSON: {error}")))?;
        if self.alarms.len() == ALARM_CHANGES_MAX && !self.alarms.contains_key(name) {
            return Err(too_many("sets or cancels alarms", ALARM_CHANGES_MAX));
        }
        self.alarms.insert(name.into(), AlarmChange::Set { at, input });
        let kept = known.iter().filter(|known| !self.alarms.contains_key(*known)).count();
        let set = self.alarms.values().filter(|change| matches!(change, AlarmChange::Set { .. })).count();
        if kept + set > ALARMS_MAX {
            self.alarms.remove(name);
            return Err(problem("too-many", format!("an asset has at most {ALARMS_MAX} alarms")));
        }
        Ok(())
    }

    /// Takes an alarm away; `was_set` says whether it was when the call began.
    pub fn cancel_alarm(&mut self, name: &str, was_set: bool) -> bool {
        let here = self.alarms.get(name).map(|change| matches!(change, AlarmChange::Set { .. }));
        if was_set {
            self.alarms.insert(name.into(), AlarmChange::Cancelled);
        } else {
            self.alarms.remove(name);
        }
        here.unwrap_or(was_set)
    }

    /// Keeps a blob. `known` says how large one is that was there before the call, `total` how many there were and their
    /// bytes.
    pub fn put(
        &mut self,
        media_type: &str,
        content: Vec<u8>,
        known: impl Fn(&str) -> Option<u64>,
        total: (usize, u64),
    ) -> Result<String, Problem> {
        if !is_media_type(media_type) {
            return Err(problem("not-a-media-type", format!("{media_type:?} is no media type such as `image/png`")));
        }
        let named = digest(&content);
        if known(&named).is_some() || self.blobs.contains_key(&named) {
            return Ok(named);
        }
        let before: usize = self.blobs.values().map(|put| put.content.len()).sum();
        let bytes = before + content.len();
        if bytes > PUT_BYTES_MAX {
            let detail =
                format!("{bytes} bytes in blobs; one call puts at most {PUT_BYTES_MAX}, and larger is uploaded");
            return Err(problem("too-large", detail));
        }
        let (many, kept) = total;
        if many + self.blobs.len() >= BLOBS_MAX {
            return Err(problem("too-many", format!("an asset has at most {BLOBS_MAX} blobs")));
        }
        if kept + bytes as u64 > BLOBS_BYTES_MAX {
            let detail = format!("the blobs of an asset have at most {BLOBS_BYTES_MAX} bytes together");
            return Err(problem("too-large", detail));
        }
        self.blobs.insert(named.clone(), Put { media_type: media_type.into(), content });
        Ok(named)
    }
}

const _: () = assert!(PUT_BYTES_MAX <= BLOB_BYTES_MAX);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_is_a_type_and_a_subtype() {
        let fit = ["image/png", "text/plain; charset=utf-8", "application/vnd.oasis.opendocument.text"];
        assert!(fit.iter().all(|text| is_media_type(text)));
        let wrong = ["", "png", "image/", "/png", "image/p ng", "image/png\r\nx: y", "imäge/png"];
        assert!(!wrong.iter().any(|text| is_media_type(text)));
    }

    #[test]
    fn one_call_notes_so_many_words_that_are_words() {
        let mut besides = Besides::default();
        assert_eq!(besides.note("two words", 1).unwrap_err().code, "not-a-word");
        assert!((0..NOTES_MAX).all(|_| besides.note("meal-booked", 2).is_ok()));
        assert_eq!(besides.note("meal-booked", 2).unwrap_err().code, "too-many");
    }

    #[test]
    fn one_call_sends_so_many_messages_where_it_was_granted() {
        let grants = Grants { notify: true, ..Grants::default() };
        let mut besides = Besides::default();
        let message = r#"{"to": ["ana"], "title": "Come", "text": "At noon."}"#;
        assert_eq!(besides.send(message, &Grants::default()).unwrap_err().code, "not-granted");
        assert_eq!(besides.send("{}", &grants).unwrap_err().code, "invalid-message");
        let long = serde_json::json!({"to": ["ana"], "title": "x", "text": "x".repeat(MESSAGE_BYTES_MAX)});
        assert_eq!(besides.send(&long.to_string(), &grants).unwrap_err().code, "invalid-message");
        let many = serde_json::json!({"to": vec!["ana"; RECIPIENTS_MAX + 1], "title": "x"});
        assert_eq!(besides.send(&many.to_string(), &grants).unwrap_err().code, "too-many");
        assert!((0..MESSAGES_MAX).all(|_| besides.send(message, &grants).is_ok()));
        assert_eq!(besides.send(message, &grants).unwrap_err().code, "too-many");
    }

    #[test]
    fn one_call_changes_so_many_alarms_and_the_last_change_of_each_counts() {
        let mut besides = Besides::default();
        let none = BTreeSet::new();
        assert_eq!(besides.set_alarm("a", 1, "{}", None).unwrap_err().code, "no-alarms");
        assert_eq!(besides.set_alarm("a b", 1, "{}", Some(&none)).unwrap_err().code, "invalid-alarm");
        let long = format!("\"{}\"", "x".repeat(ALARM_INPUT_BYTES_MAX));
        assert_eq!(besides.set_alarm("a", 1, &long, Some(&none)).unwrap_err().code, "invalid-alarm");
        assert!((0..ALARM_CHANGES_MAX).all(|n| besides.set_alarm(&format!("a{n}"), 1, "{}", Some(&none)).is_ok()));
        assert_eq!(besides.set_alarm("b", 1, "{}", Some(&none)).unwrap_err().code, "too-many");
        let known: BTreeSet<_> = (0..ALARMS_MAX).map(|n| format!("k{n}")).collect();
        let mut full = Besides::default();
        assert_eq!(full.set_alarm("b", 1, "{}", Some(&known)).unwrap_err().code, "too-many");
        assert!(full.set_alarm("k3", 1, "{}", Some(&known)).is_ok());
        assert!(full.cancel_alarm("k4", true) && full.set_alarm("b", 1, "{}", Some(&known)).is_ok());
        assert!(besides.cancel_alarm("a1", false) && !besides.cancel_alarm("a1", false));
        assert!(besides.cancel_alarm("old", true) && !besides.cancel_alarm("old", true));
        assert_eq!(besides.alarms.get("old"), Some(&AlarmChange::Cancelled));
    }

    #[test]
    fn one_call_puts_so_much_and_the_same_blob_once() {
        let mut besides = Besides::default();
        let none = |_: &str| None;
        let half = vec![7; PUT_BYTES_MAX / 2];
        let first = besides.put("image/png", half.clone(), none, (0, 0)).unwrap();
        assert_eq!(besides.put("image/png", half, none, (0, 0)).unwrap(), first);
        let more = vec![8; PUT_BYTES_MAX / 2 + 1];
        assert_eq!(besides.put("image/png", more, none, (0, 0)).unwrap_err().code, "too-large");
        assert_eq!(besides.put("image/png", vec![9], none, (BLOBS_MAX - 1, 0)).unwrap_err().code, "too-many");
        assert_eq!(besides.put("image/png", vec![9], none, (1, BLOBS_BYTES_MAX)).unwrap_err().code, "too-large");
    }
}

//! What a state keeps, and what it refuses to.

use std::collections::BTreeMap;

use interlink_sdk::prelude::*;
use interlink_sdk::session::{CHANGES_BYTES_MAX, KEY_BYTES_MAX, VALUE_BYTES_MAX};

#[derive(Input)]
struct Put {
    key: String,
    #[serde(default)]
    size_bytes: usize,
    #[serde(default)]
    times: u32,
}

#[derive(Input)]
struct Pair {
    group: u32,
    name: String,
}

#[derive(Output)]
struct Seen {
    text: String,
    number: Option<u64>,
    entries: BTreeMap<String, usize>,
    number_of_entries: u64,
}

/// Every kind of field, and actions that use them one by one.
#[derive(State)]
struct Shelf {
    text: Value<String>,
    number: Value<Option<u64>>,
    written: Value<Put>,
    entries: Map<String, String>,
    pairs: Map<(u32, String), bool>,
}

#[interlinker(name = "shelf")]
impl Shelf {
    #[instantiate]
    fn open(&mut self) -> Result<()> {
        Ok(())
    }

    #[action]
    fn insert(&mut self, put: Put) -> Result<()> {
        self.entries.insert(&put.key, "x".repeat(put.size_bytes))
    }

    #[action]
    fn fill(&mut self, put: Put) -> Result<()> {
        for number in 0..put.times {
            self.entries.set(&format!("{}{number:04}", put.key), "x".repeat(put.size_bytes))?;
        }
        Ok(())
    }

    #[action]
    fn overwrite(&mut self, put: Put) -> Result<()> {
        for _ in 0..put.times {
            self.entries.set(&put.key, "x".repeat(put.size_bytes))?;
        }
        Ok(())
    }

    #[action]
    fn remove(&mut self, put: Put) -> Result<bool> {
        self.entries.remove(&put.key)
    }

    #[action]
    fn change_and_refuse(&mut self, cx: &Call) -> Result<()> {
        self.text.set("changed".into())?;
        self.entries.remove("a")?;
        self.entries.set("b", "changed".into())?;
        self.entries.set("new", "new".into())?;
        cx.declare_outcome("changed")?;
        refuse!(code "no", at "/here", "not {}", "today");
    }

    #[action]
    fn declare_twice(&mut self, cx: &Call) -> Result<()> {
        cx.declare_outcome(1)?;
        cx.declare_outcome(2)
    }

    #[action]
    fn set_pair(&mut self, pair: Pair) -> Result<Vec<u64>> {
        self.pairs.insert(&(pair.group, pair.name), true)?;
        Ok(vec![self.pairs.len(), self.pairs.len_under(&pair.group), self.pairs.iter_under(&pair.group).count() as u64])
    }

    #[action]
    fn keys_after(&self, put: Put) -> Result<Vec<String>> {
        Ok(self.entries.iter_after(&put.key).map(|(key, _)| key).collect())
    }

    #[action]
    fn read_what_was_never_set(&self) -> Result<String> {
        Ok(self.written.get().key)
    }

    #[view]
    fn show(&self) -> Seen {
        Seen {
            text: self.text.get(),
            number: self.number.get(),
            entries: self.entries.iter().map(|(key, value)| (key, value.len())).collect(),
            number_of_entries: self.entries.len(),
        }
    }
}

fn shelf() -> TestHost {
    TestHost::open::<Shelf>(json!({}))
}

#[test]
fn a_value_that_was_never_set_reads_as_nothing() {
    assert_eq!(shelf().view(), json!({"text": "", "number": null, "entries": {}, "number_of_entries": 0}));
}

#[test]
#[should_panic(expected = "`written` was never set: set it in #[instantiate]")]
fn a_value_whose_type_has_no_nothing_panics() {
    shelf().act_as("ana", "read-what-was-never-set", json!({})).ok();
}

#[test]
fn a_refused_call_changes_nothing() {
    let mut shelf = shelf();
    shelf.act_as("ana", "insert", json!({"key": "a"})).ok();
    shelf.act_as("ana", "insert", json!({"key": "b"})).ok();
    let before = shelf.state();

    let problem = shelf.act_as("ana", "change-and-refuse", json!({})).refused("no");

    assert_eq!(problem, Problem::new("no", "not today").at("/here"));
    assert_eq!(shelf.state(), before);
    assert_eq!(shelf.outcome(), None);
}

#[test]
fn an_entry_that_is_there_is_not_inserted_again() {
    let mut shelf = shelf();
    shelf.act_as("ana", "insert", json!({"key": "a", "size_bytes": 1})).ok();
    shelf.act_as("ana", "insert", json!({"key": "a", "size_bytes": 2})).refused("already-there");
    assert_eq!(shelf.state()["entries/a"], json!("x"));
}

#[test]
fn removing_says_whether_it_was_there() {
    let mut shelf = shelf();
    shelf.act_as("ana", "insert", json!({"key": "a"})).ok();
    assert_eq!(shelf.act_as("ana", "remove", json!({"key": "a"})).ok(), json!(true));
    assert_eq!(shelf.act_as("ana", "remove", json!({"key": "a"})).ok(), json!(false));
    assert_eq!(shelf.view()["number_of_entries"], 0);
}

#[test]
fn keys_of_any_text_come_back() {
    let mut shelf = shelf();
    for key in ["", "/", "a/b", "%2F", "ñ"] {
        shelf.act_as("ana", "insert", json!({"key": key})).ok();
    }
    assert_eq!(shelf.view()["entries"], json!({"": 0, "/": 0, "a/b": 0, "%2F": 0, "ñ": 0}));
    assert!(shelf.state().contains_key("entries/a%2Fb"));
}

#[test]
fn a_map_lists_all_its_entries_whatever_the_page() {
    let mut shelf = shelf();
    for (letter, times) in [("a", 63), ("b", 1), ("c", 1), ("d", 100)] {
        shelf.act_as("ana", "fill", json!({"key": letter, "times": times})).ok();
        let seen = shelf.view();
        let entries = seen["entries"].as_object().map_or(0, serde_json::Map::len) as u64;
        assert_eq!(seen["number_of_entries"], entries);
    }
    let after = shelf.act_as("ana", "keys-after", json!({"key": "d0097"})).ok();
    assert_eq!(after, json!(["d0098", "d0099"]));
}

#[test]
fn pairs_are_counted_and_listed_by_their_first_part() {
    let mut shelf = shelf();
    shelf.act_as("ana", "set-pair", json!({"group": 1, "name": "a/b"})).ok();
    shelf.act_as("ana", "set-pair", json!({"group": 10, "name": "c"})).ok();
    let counts = shelf.act_as("ana", "set-pair", json!({"group": 1, "name": ""})).ok();
    assert_eq!(counts, json!([3, 2, 2]));
}

#[test]
fn a_key_has_a_longest_length() {
    let mut shelf = shelf();
    let longest = KEY_BYTES_MAX - "entries/".len();
    shelf.act_as("ana", "insert", json!({"key": "k".repeat(longest)})).ok();
    let longer = json!({"key": "k".repeat(longest + 1)});
    shelf.act_as("ana", "insert", longer.clone()).refused("key-too-long");
    // The host of a server would stop a call that so much as asks for it.
    assert_eq!(shelf.act_as("ana", "remove", longer).ok(), false);
}

#[test]
fn a_value_has_a_largest_size() {
    let mut shelf = shelf();
    let largest = VALUE_BYTES_MAX - "\"\"".len();
    shelf.act_as("ana", "insert", json!({"key": "a", "size_bytes": largest})).ok();
    shelf.act_as("ana", "insert", json!({"key": "b", "size_bytes": largest + 1})).refused("value-too-large");
}

#[test]
fn a_call_has_a_largest_change_of_what_its_keys_have_in_the_end() {
    let mut shelf = shelf();
    let quarter = CHANGES_BYTES_MAX / 4 - "entries/k0000".len() - "\"\"".len();
    shelf.act_as("ana", "fill", json!({"key": "k", "times": 4, "size_bytes": quarter})).ok();
    shelf
        .act_as("ana", "fill", json!({"key": "k", "times": 4, "size_bytes": quarter + 1}))
        .refused("changes-too-large");
    shelf.act_as("ana", "overwrite", json!({"key": "k", "times": 20, "size_bytes": quarter})).ok();
}

#[test]
fn an_outcome_is_declared_once_a_call() {
    let mut shelf = shelf();
    shelf.act_as("ana", "declare-twice", json!({})).refused("outcome-declared-twice");
    assert_eq!(shelf.outcomes(), &[] as &[serde_json::Value]);
}

//! Conditions: what they mean, what they may name, and what is said about mistakes.

use interlink_model::condition::{Condition, ConditionError, Expression};
use serde_json::{Value, json};

fn inputs() -> Value {
    json!({
        "process": {"id": "p1", "title": "Park", "languages": ["es", "en"]},
        "tasks": {
            "choose-park": {"status": "completed", "votes": 30},
            "agree-goals": {"status": "in_progress", "votes": 4},
            "build": {"status": "waiting", "votes": 0},
        },
        "data": {"budget": 1200.5, "places": 7, "name": "Ana", "tags": ["green", "south"], "nothing": null},
        "now": 1_780_000_000_000_000i64,
    })
}

fn holds(source: &str) -> bool {
    let condition = Condition::parse(source).unwrap_or_else(|error| panic!("{source}: {error}"));
    condition.evaluate(&inputs()).unwrap_or_else(|error| panic!("{source}: {error}"))
}

fn value(source: &str) -> Value {
    let expression = Expression::parse(source).unwrap_or_else(|error| panic!("{source}: {error}"));
    expression.evaluate_value(&inputs()).unwrap_or_else(|error| panic!("{source}: {error}"))
}

/// The error of a source that is read, for the inputs above.
fn failure(source: &str) -> ConditionError {
    let condition = Condition::parse(source).unwrap_or_else(|error| panic!("{source}: {error}"));
    condition.evaluate(&inputs()).expect_err(source)
}

#[test]
fn a_condition_looks_at_the_process_its_tasks_its_data_and_the_time() {
    for source in [
        "tasks['choose-park'].status == 'completed'",
        "data.budget > 1000 && data.places >= 7",
        "process.languages.exists(language, language == 'en')",
        "'green' in data.tags && !('north' in data.tags)",
        "has(data.budget) && !has(data.deadline)",
        "data.nothing == null",
        "size(data.tags) == 2 && data.tags.size() == 2",
        "data.name.startsWith('A') && data.name.endsWith('a') && data.name.contains('n')",
        "tasks.all(id, tasks[id].votes >= 0)",
        "tasks.exists_one(id, tasks[id].votes > 10)",
        "now > timestamp('2026-05-01T00:00:00Z')",
        "now + duration('24h') > now",
        "now.getFullYear() == 2026 && now.getHours('Europe/Madrid') == now.getHours() + 2",
        "data.places == 7.0 && data.budget > data.places",
        "data.places > 5 ? true : 1 / 0 == 1",
        "false && 1 / 0 == 1 || true",
        "// a comment\ntrue",
    ] {
        assert!(holds(source), "{source}");
    }
    assert!(!holds("tasks.all(id, tasks[id].status == 'completed')"));
}

#[test]
fn an_expression_gives_any_value_of_json() {
    for (source, expected) in [
        ("{'title': process.title, 'votes': tasks['choose-park'].votes}", json!({"title": "Park", "votes": 30})),
        ("data.tags.map(tag, tag + '!')", json!(["green!", "south!"])),
        ("data.tags.filter(tag, tag != 'south')", json!(["green"])),
        ("[1, 2.5, 3u, null, true, 'x'] + [[]]", json!([1, 2.5, 3, null, true, "x", []])),
        ("18446744073709551615u", json!(18_446_744_073_709_551_615u64)),
        ("timestamp('2026-05-01T10:00:00+02:00')", json!("2026-05-01T08:00:00Z")),
        ("now", json!("2026-05-28T20:26:40Z")),
        ("data", inputs()["data"].clone()),
    ] {
        assert_eq!(value(source), expected, "{source}");
    }
}

#[test]
fn maps_are_gone_through_in_the_order_of_their_keys() {
    assert_eq!(value("tasks.map(id, id)"), json!(["agree-goals", "build", "choose-park"]));
    assert_eq!(value("tasks.filter(id, tasks[id].votes > 0)"), json!(["agree-goals", "choose-park"]));
    let many: serde_json::Map<String, Value> = (0..200).map(|n| (format!("k{n:03}"), json!(n))).collect();
    let expected: Vec<String> = many.keys().cloned().collect();
    let expression = Expression::parse("data.map(key, key)").expect("an expression");
    assert_eq!(expression.evaluate_value(&json!({"data": many})), Ok(json!(expected)));
    assert_eq!(value("{'b': 1, 'a': 2, 'c': 3}.map(key, key)"), json!(["a", "b", "c"]));
}

#[test]
fn only_what_is_named_has_to_be_given() {
    let condition = Condition::parse("data.places > 5").expect("a condition");
    assert_eq!(condition.evaluate(&json!({"data": {"places": 6}})), Ok(true));
    for (inputs, message) in [
        (json!({}), "the value of `data` is missing or is not given"),
        (json!([]), "the value of `inputs` is missing or is not a map of the variables"),
    ] {
        assert_eq!(condition.evaluate(&inputs).map_err(|error| error.to_string()), Err(message.to_owned()));
    }
    let condition = Condition::parse("now > timestamp('2026-05-01T00:00:00Z')").expect("a condition");
    for now in [json!("2026-05-01T00:00:00Z"), json!(1.5), json!(i64::MAX), json!(null)] {
        let wrong = ConditionError::Input { name: "now", wanted: "a time in microseconds since 1970" };
        assert_eq!(condition.evaluate(&json!({"now": now})), Err(wrong));
    }
}

#[test]
fn a_mistake_is_told_with_its_place_and_what_would_be_right() {
    for (source, offset, message) in [
        ("dta.x == 1", 0, "line 1, column 1: `dta` is not known here; did you mean `data`?"),
        ("'ñ' == data.x &&\n  task.a", 20, "line 2, column 3: `task` is not known here; did you mean `tasks`?"),
        (
            "completed",
            0,
            "line 1, column 1: `completed` is not known here; write process, tasks, data or now, and texts in quotes",
        ),
        ("tasks.all(task, tsk == 1)", 16, "line 1, column 17: `tsk` is not known here; did you mean `task`?"),
        (
            "data.map(x, x) == [x]",
            19,
            "line 1, column 20: `x` is not known here; write process, tasks, data or now, and texts in quotes",
        ),
        (
            "lenght(data)",
            0,
            "line 1, column 1: there is no function `lenght`; write one of CEL's functions for texts, numbers, lists and \
             times",
        ),
        ("data.sise() == 1", 5, "line 1, column 6: there is no function `sise`; did you mean `size`?"),
        ("data.tags.exist(t, t == 1)", 10, "line 1, column 11: there is no function `exist`; did you mean `exists`?"),
        (
            "data.name.matches('(a+)+$')",
            10,
            "line 1, column 11: there is no function `matches`; regular expressions are not evaluated: write contains, \
             startsWith or endsWith",
        ),
        ("b'x' == b'y'", 0, "line 1, column 1: bytes cannot be used here; write a text without `b`"),
        ("Point{x: 1}.x == 1", 5, "line 1, column 6: a message cannot be used here; write a map, as in `{'a': 1}`"),
        ("1 +", 3, "line 1, column 4: the expression ends too early; write what is missing"),
        ("", 0, "line 1, column 1: the expression ends too early; write what is missing"),
        ("data.x = 1", 7, "line 1, column 8: `=` is no operator; write `==`"),
        ("data.x &\ndata.y", 7, "line 1, column 8: `&` is no operator; write `&&`"),
        ("data.x data.y", 7, "line 1, column 8: `data.y` is not expected here; an operator may be missing before it"),
        (
            "data.x == 'abc",
            10,
            "line 1, column 11: this text does not end, or has an escape that is not known; close it, or write `\\\\` for `\\`",
        ),
        ("has(data)", 4, "line 1, column 5: invalid argument to has() macro; see the CEL language definition"),
        ("99999999999999999999 > 1", 0, "line 1, column 1: invalid int literal; see the CEL language definition"),
        ("'\\ud800' == ''", 0, "line 1, column 1: invalid string literal; see the CEL language definition"),
        ("true ? 1", 0, "line 1, column 1: a choice needs both `?` and `:`, as in `a ? b : c`"),
    ] {
        let error = Condition::parse(source).expect_err(source);
        let place = error.place().map(|place| place.offset);
        assert_eq!((error.to_string().as_str(), place), (message, Some(offset)), "{source}");
    }
}

#[test]
fn what_fails_is_told_without_values_of_the_inputs() {
    for (source, message) in [
        ("data.deadline == 1", "there is no `deadline`; ask `has(…)` first"),
        ("data[data.name] == 1", "there is no such key; ask with `in` first"),
        (
            "data.name > 1",
            "the kinds of values do not fit: _>_ of string and int; convert one, or ask what it is first",
        ),
        ("data.name + 1 == 'x'", "the kinds of values do not fit; convert one, or ask what it is first"),
        (
            "size(data.tags + data) > 1",
            "the kinds of values do not fit: _+_ of list and map; convert one, or ask what it is first",
        ),
        ("int(data.name) == 1", "`int` cannot be done with this value; check it first"),
        ("data.places / 0 == 1", "a division by zero; compare the divisor with 0 first"),
        ("data.places % 0 == 1", "a division by zero; compare the divisor with 0 first"),
        ("9223372036854775807 + data.places > 1", "a number or time is out of range; check it first"),
        ("-(-9223372036854775807 - 1) > 1", "a number or time is out of range; check it first"),
        (
            "timestamp('9999-12-31T23:59:59Z') + duration('1h') > now",
            "a number or time is out of range; check it first",
        ),
        ("data.tags[2] == 'x'", "a list has no entry of this number; ask its `size` first"),
        ("data.tags[-1] == 'x'", "a list has no entry of this number; ask its `size` first"),
        ("{1: 2, 1: 3} == {}", "a map has a key twice; write each key once"),
        ("data.name", "a condition is true or false, and this is a text; compare it with something"),
        ("data.tags", "a condition is true or false, and this is a list; compare it with something"),
    ] {
        assert_eq!(failure(source).to_string(), message, "{source}");
    }
}

#[test]
fn what_json_does_not_have_is_refused_as_a_result() {
    for (source, message) in [
        ("duration('1h')", "the result has a duration in it, which JSON does not have; write `string(…)` around it"),
        (
            "[double('1e999')]",
            "the result has a number without a finite value in it, which JSON does not have; check it before",
        ),
        (
            "{1: 2}",
            "the result has a map with keys that are no texts in it, which JSON does not have; write `string(…)` \
             around them",
        ),
    ] {
        let expression = Expression::parse(source).expect(source);
        assert_eq!(expression.evaluate_value(&inputs()).expect_err(source).to_string(), message, "{source}");
    }
}

#[test]
fn a_condition_can_be_shared_between_threads() {
    fn shared<T: Send + Sync + Clone>(_: &T) {}
    let condition = Condition::parse("true").expect("a condition");
    shared(&condition);
    assert_eq!(condition.source(), "true");
}

//! Expressions that mean harm: each limit is crossed, and nothing breaks.

use std::time::{Duration, Instant};

use interlink_model::condition::limits::{
    COMPREHENSIONS_MAX, DEPTH_MAX, INPUT_DEPTH_MAX, INPUT_LENGTH_MAX, INPUT_WEIGHT_MAX, NESTING_MAX, NODES_MAX,
    SOURCE_BYTES_MAX, TOKENS_MAX,
};
use interlink_model::condition::{ConditionError, Expression};
use proptest::prelude::*;
use serde_json::{Value, json};

/// What is left of it when a thread of a server is deep in its work.
const STACK_BYTES: usize = 1024 * 1024;

fn refusal(source: &str) -> ConditionError {
    Expression::parse(source).expect_err(source)
}

fn evaluated(source: &str, inputs: &Value) -> Result<Value, ConditionError> {
    Expression::parse(source).unwrap_or_else(|error| panic!("{source}: {error}")).evaluate_value(inputs)
}

/// Runs something on a thread with little stack.
fn on_little_stack<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(work).expect("a thread can be started");
    thread.join().expect("it does not panic")
}

/// Reads and evaluates; whether it gives a value does not matter.
fn tried(source: &str, inputs: &Value) -> Result<Value, ConditionError> {
    Expression::parse(source)?.evaluate_value(inputs)
}

#[test]
fn a_source_over_the_limit_is_refused() {
    let within = format!("'{}' == ''", "x".repeat(SOURCE_BYTES_MAX - 8));
    assert_eq!(evaluated(&within, &json!({})), Ok(json!(false)));
    assert_eq!(refusal(&format!("{within} ")), ConditionError::TooLong { bytes: SOURCE_BYTES_MAX + 1 });
}

#[test]
fn words_and_signs_over_the_limit_are_refused() {
    // Each adds a sign and a number.
    let chain = |terms: usize| format!("1{}", " && 1".repeat(terms - 1));
    let terms = TOKENS_MAX.div_ceil(3);
    assert!(Expression::parse(&chain(terms)).is_ok());
    assert_eq!(refusal(&chain(terms + 1)), ConditionError::TooManyTokens { tokens: 3 * terms + 1 });
}

#[test]
fn nesting_over_the_limit_is_refused() {
    let nested = |depth: usize| format!("{}1{}", "(".repeat(depth), ")".repeat(depth));
    let deepest = usize::from(NESTING_MAX);
    assert_eq!(evaluated(&nested(deepest), &json!({})), Ok(json!(1)));
    assert!(matches!(refusal(&nested(deepest + 1)), ConditionError::TooDeep { .. }));
}

#[test]
fn operators_in_a_row_nest_and_are_refused_over_the_limit() {
    let sum = |terms: usize| format!("1{}", " + 1".repeat(terms - 1));
    assert_eq!(evaluated(&sum(DEPTH_MAX), &json!({})), Ok(json!(DEPTH_MAX)));
    assert!(matches!(refusal(&sum(DEPTH_MAX + 1)), ConditionError::TooDeep { .. }));
}

#[test]
fn nodes_over_the_limit_are_refused() {
    // Nine words and signs, and thirteen nodes.
    let many = |count: usize| format!("[{}]", vec!["data.exists_one(x,x)"; count].join(","));
    assert!(Expression::parse(&many(NODES_MAX / 13 - 1)).is_ok());
    assert_eq!(refusal(&many(NODES_MAX / 13 + 1)), ConditionError::TooManyNodes);
}

#[test]
fn lists_are_gone_through_two_deep_and_no_deeper() {
    let nested = |depth: usize| (0..depth).fold("true".to_owned(), |inner, n| format!("data.all(v{n}, {inner})"));
    let inputs = json!({"data": [1, 2, 3]});
    assert_eq!(evaluated(&nested(COMPREHENSIONS_MAX), &inputs), Ok(json!(true)));
    assert!(matches!(refusal(&nested(COMPREHENSIONS_MAX + 1)), ConditionError::TooNested { .. }));
    // One behind the other is not nested.
    assert_eq!(evaluated("data.map(a, a).map(b, b).map(c, c).size()", &inputs), Ok(json!(3)));
}

#[test]
fn what_would_cost_too_much_is_refused_when_it_is_read() {
    assert!(Expression::parse("tasks.all(a, data.list.exists(b, b.id == a.id))").is_ok());
    let list = format!("[{}]", vec!["1"; 100].join(","));
    let long = format!("{list}.all(a, tasks.all(b, size(tasks + tasks) > a))");
    assert!(matches!(refusal(&long), ConditionError::TooCostly { place } if place.line == 1 && place.offset > 200));
    let large = "tasks.map(a, tasks.map(b, data))";
    assert!(matches!(refusal(large), ConditionError::TooCostly { .. } | ConditionError::TooLarge { .. }));
}

#[test]
fn what_would_cost_too_much_for_these_lists_is_refused_before_it_runs() {
    let pairs = Expression::parse("tasks.all(a, tasks.exists(b, a.id == b.id))").expect("it is cheap for short lists");
    let tasks = |count: usize| json!({"tasks": (0..count).map(|n| json!({"id": n})).collect::<Vec<_>>()});
    assert_eq!(pairs.evaluate_value(&tasks(100)), Ok(json!(true)));
    let clock = Instant::now();
    let refused = pairs.evaluate_value(&tasks(INPUT_LENGTH_MAX));
    assert!(matches!(refused, Err(ConditionError::TooCostly { place }) if place.offset > 0), "{refused:?}");
    assert!(clock.elapsed() < Duration::from_millis(500), "{:?}", clock.elapsed());
}

#[test]
fn one_pass_over_the_longest_list_is_not_too_costly() {
    let tasks: Vec<Value> = (0..INPUT_LENGTH_MAX)
        .map(|n| json!({"id": format!("task-{n}"), "title": "A title of some words", "status": "completed", "roles": ["a", "b"]}))
        .collect();
    let inputs = json!({"tasks": tasks});
    for source in ["tasks.all(t, t.status == 'completed')", "size(tasks.filter(t, 'a' in t.roles)) >= 2000"] {
        assert_eq!(evaluated(source, &inputs), Ok(json!(true)), "{source}");
    }
}

/// The dearest that are let run: each is near the limit in another way.
#[test]
fn what_is_let_run_ends_soon() {
    let numbers = |count: usize| json!({"data": (0..count).collect::<Vec<_>>(), "tasks": []});
    let text = json!({"data": ["x".repeat(10_000)], "tasks": []});
    for (source, inputs) in [
        ("data.all(a, data.all(b, a + b >= 0))", numbers(400)),
        ("size(data.map(a, data.map(b, 1))) > 0", numbers(300)),
        ("data.all(a, data.exists(b, b == a))", numbers(300)),
        ("data.map(a, data).size() > 0", numbers(300)),
        ("data.all(a, a in data)", numbers(900)),
        ("data.all(a, string(a) + string(a) != '')", numbers(2_000)),
        ("data.all(a, data.all(b, timestamp('2026-01-01T00:00:00Z').getHours('Europe/Madrid') == 1))", numbers(370)),
        ("data.all(a, data.exists(b, b.x) || true)", numbers(450)),
        ("data.all(a, data.exists(b, [b] < 'x') || true)", numbers(400)),
        ("data.all(a, data.all(b, {'a': {'b': b}} != {'c': [a]}))", numbers(250)),
        ("data.all(a, data.all(b, double(string(a)) >= 0.0))", numbers(300)),
        ("data.map(t, t + t + t + t + t + t + t + t).size() == 1", text),
    ] {
        let clock = Instant::now();
        let result = evaluated(source, &inputs);
        assert!(clock.elapsed() < Duration::from_secs(2), "{source}: {:?}", clock.elapsed());
        assert_eq!(result, Ok(json!(true)), "{source}");
    }
}

#[test]
fn texts_do_not_grow_without_bound() {
    let text = json!({"data": vec!["x".repeat(20_000); 100], "tasks": vec![0; 100]});
    let source = "tasks.map(a, data.map(t, t + t + t))";
    assert!(matches!(refusal(source), ConditionError::TooLarge { .. } | ConditionError::TooCostly { .. }));
    let grown = evaluated("data.map(t, t + t + t)", &text);
    assert!(matches!(grown, Err(ConditionError::TooLarge { .. })), "{grown:?}");
}

#[test]
fn inputs_over_the_limits_are_refused() {
    let refused = |data: Value| evaluated("data != null", &json!({"data": data}));
    let over = Err(ConditionError::InputTooLarge { name: "data" });
    assert_eq!(refused(json!(vec![0; INPUT_LENGTH_MAX])), Ok(json!(true)));
    assert_eq!(refused(json!(vec![0; INPUT_LENGTH_MAX + 1])), over);
    let nested = |depth: usize| (0..depth).fold(json!(0), |inner, _| json!([inner]));
    assert_eq!(refused(nested(INPUT_DEPTH_MAX)), Ok(json!(true)));
    assert_eq!(refused(nested(INPUT_DEPTH_MAX + 1)), over);
    assert_eq!(refused(nested(100)), over);
    let nodes = usize::try_from(INPUT_WEIGHT_MAX).expect("a small number");
    assert_eq!(refused(json!("x".repeat(32 * (nodes - 1)))), Ok(json!(true)));
    assert_eq!(refused(json!("x".repeat(32 * nodes))), over);
    // What is not named may be as large as it likes.
    assert_eq!(evaluated("data", &json!({"data": 1, "tasks": nested(100)})), Ok(json!(1)));
}

#[test]
fn deep_sources_do_not_overflow_a_small_stack() {
    let repeated = |text: &str, count: usize| text.repeat(count);
    let sources = vec![
        repeated("(", 300),
        repeated("[", 300),
        repeated("{", 300),
        repeated("{1:", 100),
        repeated("!", 299) + "true",
        repeated("-", 299) + "1",
        repeated("- ", 298) + "1",
        "1".to_owned() + &repeated("+1", 149),
        "1".to_owned() + &repeated(" in 1", 140),
        "1".to_owned() + &repeated("<1", 149),
        repeated("true?", 100) + "1" + &repeated(":1", 45),
        repeated("false?1:", 60) + "1",
        "data".to_owned() + &repeated(".a", 149),
        "data".to_owned() + &repeated("[0]", 99),
        "data".to_owned() + &repeated(".size()", 70),
        "data".to_owned() + &repeated(".map(a,a)", 33),
        repeated("size(", 99),
        repeated("data.all(a,", 40),
        repeated("[1].map(a,", 20) + "a" + &repeated(")", 20),
        repeated("(", 16) + "1" + &repeated("+1", 62) + &repeated(")", 16),
        repeated("[", 16) + "1" + &repeated("]", 16),
        "\"(\" + ".repeat(60),
    ];
    on_little_stack(move || {
        for source in sources {
            let read = tried(&source, &json!({"data": [1, 2]}));
            assert!(!matches!(read, Err(ConditionError::TooManyTokens { .. })), "it should reach the parser: {source}");
        }
    });
}

#[test]
fn hostile_literals_and_escapes_are_refused_or_evaluated() {
    for (source, fails) in [
        ("9223372036854775807 + 0 > 0", false),
        ("9223372036854775808 > 0", true),
        ("0xffffffffffffffffffff > 0", true),
        ("1e400 > 0.0", true),
        ("'\\u{110000}' == ''", true),
        ("'\\U00110000' == ''", true),
        ("'\\x' == ''", true),
        ("'\\777' == ''", true),
        ("'\\ud83d\\ude00' == ''", true),
        ("r'\\' == ''", false),
        ("'''a\nb''' == 'a\\nb'", false),
        ("'\u{0}' == ''", false),
        ("\u{feff}true", true),
        ("duration('9999999999999h') > duration('1h')", true),
        ("timestamp(-9223372036854775807) > now", true),
        ("int('9223372036854775808') > 0", true),
        ("int(1e19) > 0", true),
        ("uint(-1) > 0u", true),
        ("0u - 1u > 0u", true),
        ("-9223372036854775808 / -1 > 0", true),
        ("-9223372036854775808 % -1 > 0", true),
        ("now.getHours('Europe/Nowhere') > 0", true),
    ] {
        assert_eq!(tried(source, &json!({"now": 0})).is_err(), fails, "{source}");
    }
}

/// Pieces of CEL, which make more of the parser run than bytes do.
fn any_tokens() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "data",
        "tasks",
        "process",
        "now",
        "x",
        "y",
        "1",
        "-9223372036854775808",
        "2.5",
        "3u",
        "'a'",
        "\"b\"",
        "r'\\'",
        "true",
        "false",
        "null",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        "?",
        ".",
        "+",
        "-",
        "*",
        "/",
        "%",
        "!",
        "==",
        "!=",
        "<",
        "<=",
        ">",
        ">=",
        "&&",
        "||",
        "in",
        ".all(x,",
        ".exists(x,",
        ".map(x,",
        ".filter(y,",
        ".exists_one(x,",
        "has(",
        "size(",
        "timestamp(",
        "duration(",
        "'1h'",
        "'2026-01-01T00:00:00Z'",
        ".getHours()",
        "string(",
        "int(",
        "double(",
        "uint(",
        "bool(",
        ".a",
        "[0]",
        "data.list",
        "data.text",
        "data.map",
        "//",
        "\n",
        "@",
        "`",
        "\\",
        "'",
        "b'x'",
        ".contains(",
    ]);
    prop::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.join(" "))
}

/// Expressions that are well formed.
fn any_expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "data.list",
        "data.text",
        "data.map",
        "data",
        "now",
        "x",
        "1",
        "0",
        "2.5",
        "3u",
        "'a'",
        "true",
        "null",
        "[]",
        "{}",
        "9223372036854775807",
        "timestamp('9999-12-31T23:59:59Z')",
        "duration('2562047h')",
        "double('inf')",
        "double('nan')",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(4, 24, 3, |inner| {
        let two = (inner.clone(), inner.clone());
        let operator = prop::sample::select(vec!["+", "-", "*", "/", "%", "==", "!=", "<", ">=", "&&", "||", "in"]);
        let function = prop::sample::select(vec![
            "size",
            "string",
            "int",
            "uint",
            "double",
            "bool",
            "timestamp",
            "duration",
            "!",
            "-",
            "has",
        ]);
        let member =
            prop::sample::select(vec!["contains", "startsWith", "endsWith", "getHours", "getDayOfYear", "size"]);
        let gone_through = prop::sample::select(vec!["all", "exists", "exists_one", "map", "filter"]);
        prop_oneof![
            (two.clone(), operator).prop_map(|((a, b), operator)| format!("({a} {operator} {b})")),
            (inner.clone(), function).prop_map(|(a, function)| format!("{function}({a})")),
            (two.clone(), member).prop_map(|((a, b), member)| format!("({a}).{member}({b})")),
            (two.clone(), gone_through).prop_map(|((a, b), name)| format!("({a}).{name}(x, {b})")),
            two.clone().prop_map(|(a, b)| format!("({a})[{b}]")),
            two.clone().prop_map(|(a, b)| format!("[{a}, {b}]")),
            two.prop_map(|(a, b)| format!("{{{a}: {b}}}")),
            (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
        ]
    })
}

fn any_inputs() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
    ];
    let data = leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("list|text|map|a", inner, 0..4).prop_map(|map| json!(map)),
        ]
    });
    let now = prop_oneof![-62_000_000_000_000_000i64..250_000_000_000_000_000, any::<i64>()];
    (data, now).prop_map(|(data, now)| json!({"data": data, "now": now, "tasks": [1, 2], "process": {}}))
}

proptest! {
    #[test]
    fn no_bytes_break_it(bytes in prop::collection::vec(any::<u8>(), 0..300), inputs in any_inputs()) {
        let source = String::from_utf8_lossy(&bytes);
        prop_assert!(!broke_off(&tried(&source, &inputs)), "{source}");
    }

    #[test]
    fn no_tokens_break_it(source in any_tokens(), inputs in any_inputs()) {
        prop_assert!(!broke_off(&tried(&source, &inputs)), "{source}");
    }

    #[test]
    fn no_expression_breaks_it_and_each_gives_the_same_again(source in any_expression(), inputs in any_inputs()) {
        let first = tried(&source, &inputs);
        prop_assert!(!broke_off(&first), "{source}");
        prop_assert_eq!(tried(&source, &inputs), first, "{}", source);
    }
}

/// Whether the `cel` crate panicked and was caught.
fn broke_off(result: &Result<Value, ConditionError>) -> bool {
    match result {
        Err(ConditionError::Failed { message, .. }) => message == "the evaluation broke off",
        Err(ConditionError::Syntax { message, .. }) => message.starts_with("this cannot be read"),
        _ => false,
    }
}

//! Every limit is crossed once, and what would exhaust a reader is left early.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use interlink_model::schema::authoring::{Syntax, parse};
use interlink_model::schema::bundle;
use interlink_model::schema::finding::{Refusal, RefusalKind};
use interlink_model::schema::limits::*;

const SMALL: &str = "name: a\nversion: 1.0.0\nphases: [{ id: p }]\n";

fn refused(source: &str, syntax: Syntax) -> Refusal {
    let begun = Instant::now();
    let refusal = parse(source.as_bytes(), syntax).expect_err("this is refused");
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?} for {refusal}", begun.elapsed());
    refusal
}

/// `source` is taken with `count` at the limit, and refused with one more.
fn crossed(count_max: usize, wanted: RefusalKind, source: impl Fn(usize) -> String) {
    let at_limit = source(count_max);
    if let Err(refusal) = parse(at_limit.as_bytes(), Syntax::Yaml) {
        panic!("at the limit: {refusal}");
    }
    let refusal = refused(&source(count_max + 1), Syntax::Yaml);
    assert_eq!(refusal.kind, wanted, "{refusal}");
    assert!(refusal.findings[0].message.contains(&count_max.to_string()), "{refusal}");
}

#[test]
fn a_document_of_too_many_bytes_is_too_large() {
    crossed(DOCUMENT_BYTES_MAX, RefusalKind::TooLarge, |bytes| {
        format!("{SMALL}#{}", " ".repeat(bytes - SMALL.len() - 1))
    });
}

#[test]
fn a_document_that_grows_when_it_is_made_canonical_is_too_large() {
    // Four bytes each as written, six as canonical JSON.
    let source = format!("{SMALL}x-a: \"{}\"\n", "\\x01".repeat(DOCUMENT_BYTES_MAX / 5));
    assert_eq!(refused(&source, Syntax::Yaml).kind, RefusalKind::TooLarge);
}

#[test]
fn nesting_ends_at_its_limit() {
    // The root is one.
    let nested = |depth: usize| format!("{SMALL}x-a: {}{}\n", "[".repeat(depth - 1), "]".repeat(depth - 1));
    crossed(NESTING_MAX, RefusalKind::Malformed, nested);
    let json = |depth: usize| {
        let lists = format!("{}{}", "[".repeat(depth - 1), "]".repeat(depth - 1));
        format!(r#"{{"name":"a","version":"1.0.0","phases":[{{"id":"p"}}],"x-a":{lists}}}"#)
    };
    assert!(parse(json(NESTING_MAX).as_bytes(), Syntax::Json).is_ok());
    assert_eq!(refused(&json(NESTING_MAX + 1), Syntax::Json).kind, RefusalKind::Malformed);
}

#[test]
fn a_hundred_thousand_nested_brackets_are_malformed_at_once() {
    for open in ["[", "{\"a\":", "- ", "? ", "a: [", "{", "&a [", "!!seq [", "[ #\n"] {
        for syntax in [Syntax::Yaml, Syntax::Json] {
            let source = open.repeat(100_000);
            assert_eq!(refused(&source, syntax).kind, RefusalKind::Malformed, "{open}");
        }
    }
    let indented: String = (0..1_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    assert_eq!(refused(&indented, Syntax::Yaml).kind, RefusalKind::Malformed);
}

#[test]
fn aliases_that_multiply_are_left_before_they_have() {
    let mut laughs = String::from("x-0: &l0 [ha, ha, ha, ha, ha, ha, ha, ha, ha]\n");
    for level in 1..12 {
        let aliases = vec![format!("*l{}", level - 1); 9].join(", ");
        laughs.push_str(&format!("x-{level}: &l{level} [{aliases}]\n"));
    }
    assert_eq!(refused(&format!("{laughs}{SMALL}"), Syntax::Yaml).kind, RefusalKind::Malformed);
    let long = format!("x-a: &a {}\nx-b: [{}]\n{SMALL}", "a".repeat(100_000), "*a, ".repeat(20_000));
    assert_eq!(refused(&long, Syntax::Yaml).kind, RefusalKind::Malformed);
    let deep: String = (1..200).map(|level| format!("x-{level}: &l{level} [*l{}]\n", level - 1)).collect();
    assert_eq!(refused(&format!("x-0: &l0 [a]\n{deep}{SMALL}"), Syntax::Yaml).kind, RefusalKind::Malformed);
}

#[test]
fn values_are_counted() {
    let source = format!("{SMALL}x-a: [{}]\n", "1, ".repeat(NODES_MAX));
    assert_eq!(refused(&source, Syntax::Yaml).kind, RefusalKind::Malformed);
}

#[test]
fn phases_objectives_and_tasks_are_counted_together() {
    let source = |count: usize| {
        let tasks: String = (0..count - 2).map(|n| format!("        - {{ id: t{n} }}\n")).collect();
        format!("name: a\nversion: 1.0.0\nphases:\n  - id: p\n    objectives:\n      - id: o\n        tasks:\n{tasks}")
    };
    crossed(ITEMS_MAX, RefusalKind::Invalid, source);
}

#[test]
fn a_hundred_thousand_items_are_refused_at_once() {
    for syntax in [Syntax::Yaml, Syntax::Json] {
        let phases = vec!["{}"; 100_000].join(",");
        let source = format!(r#"{{"name":"a","version":"1.0.0","phases":[{phases}]}}"#);
        let refusal = refused(&source, syntax);
        assert!(refusal.findings.len() <= FINDINGS_MAX + 1);
    }
    let phases: Vec<String> = (0..100_000).map(|n| format!(r#"{{"id":"p{n}"}}"#)).collect();
    let source = format!(r#"{{"name":"a","version":"1.0.0","phases":[{}]}}"#, phases.join(","));
    assert_eq!(refused(&source, Syntax::Json).kind, RefusalKind::TooLarge);
}

#[test]
fn ids_and_texts_have_lengths() {
    crossed(ID_BYTES_MAX, RefusalKind::Invalid, |bytes| SMALL.replace("id: p", &format!("id: {}", "p".repeat(bytes))));
    crossed(NAME_BYTES_MAX, RefusalKind::Invalid, |bytes| format!("{SMALL}title: {}\n", "t".repeat(bytes)));
    crossed(DESCRIPTION_BYTES_MAX, RefusalKind::Invalid, |bytes| {
        format!("{SMALL}description: {}\n", "d".repeat(bytes))
    });
}

/// The `n`th word of letters.
fn word(n: usize) -> String {
    [b'a' + (n / 26) as u8, b'a' + (n % 26) as u8].map(char::from).iter().collect()
}

#[test]
fn languages_roles_and_prerequisites_are_counted() {
    let words = |count: usize| (0..count).map(word).collect::<Vec<_>>();
    crossed(LANGUAGES_MAX, RefusalKind::Invalid, |count| format!("{SMALL}languages: [{}]\n", words(count).join(", ")));
    crossed(LANGUAGES_MAX, RefusalKind::Invalid, |count| {
        let texts: Vec<String> = words(count).iter().map(|word| format!("{word}: x")).collect();
        format!("{SMALL}title: {{ {} }}\n", texts.join(", "))
    });
    crossed(NAMES_MAX, RefusalKind::Invalid, |count| format!("{SMALL}roles: [{}]\n", words(count).join(", ")));
    crossed(PREREQUISITES_MAX, RefusalKind::Invalid, |count| {
        let phases: Vec<String> = words(count).iter().map(|word| format!("{{ id: {word} }}")).collect();
        let last = format!("{{ id: last, after: [{}] }}", words(count).join(", "));
        format!("name: a\nversion: 1.0.0\nphases: [{}, {last}]\n", phases.join(", "))
    });
    let phases: Vec<String> = words(70).iter().map(|word| format!("{{ id: {word} }}")).collect();
    let both = format!(
        "name: a\nversion: 1.0.0\nphases: [{}, {{ id: last, after: [{}], prerequisites: [{}] }}]\n",
        phases.join(", "),
        words(40).join(", "),
        words(70)[40..].iter().map(|word| format!("{{ item: {word} }}")).collect::<Vec<_>>().join(", ")
    );
    assert!(refused(&both, Syntax::Yaml).findings[0].message.contains("at most 64 prerequisites"));
}

#[test]
fn findings_are_told_up_to_a_number_and_the_rest_counted() {
    let source = format!("{SMALL}{}", (0..FINDINGS_MAX + 50).map(|n| format!("k{n}: 1\n")).collect::<String>());
    let refusal = refused(&source, Syntax::Yaml);
    assert_eq!(refusal.findings.len(), FINDINGS_MAX + 1);
    assert_eq!(refusal.findings[FINDINGS_MAX].message, "50 problems more are not shown");
}

#[test]
fn a_long_chain_and_a_long_circle_are_walked_without_recursion() {
    let chain = |first: &str| {
        let tasks: String = (1..1_900).map(|n| format!("        - {{ id: t{n}, after: t{} }}\n", n - 1)).collect();
        format!(
            "name: a\nversion: 1.0.0\nphases:\n  - id: p\n    objectives:\n      - id: o\n        tasks:\n        - {first}\n{tasks}"
        )
    };
    let begun = Instant::now();
    assert!(parse(chain("id: t0").as_bytes(), Syntax::Yaml).is_ok());
    assert!(begun.elapsed() < Duration::from_secs(1));
    let refusal = refused(&chain("{ id: t0, after: t1899 }"), Syntax::Yaml);
    assert!(refusal.findings[0].message.ends_with("and so on over 1900 prerequisites"), "{refusal}");
}

#[test]
fn a_bundle_is_limited_in_files_and_bytes() {
    let many: BTreeMap<String, Vec<u8>> = (0..=ZIP_ENTRIES_MAX).map(|n| (n.to_string(), Vec::new())).collect();
    assert_eq!(bundle::import(&many).expect_err("too many files").kind, RefusalKind::TooLarge);
    let large = BTreeMap::from([("metadata.json".to_owned(), vec![b' '; ZIP_INFLATED_BYTES_MAX + 1])]);
    assert_eq!(bundle::import(&large).expect_err("too many bytes").kind, RefusalKind::TooLarge);
}

/// A task with a key, in a schema that is well otherwise.
fn with_task(keys: &str) -> String {
    format!("name: a\nversion: 1.0.0\nphases: [{{ id: p, objectives: [{{ id: o, tasks: [{{ id: t, {keys} }}] }}] }}]\n")
}

#[test]
fn everything_about_time_and_work_has_a_limit() {
    let list = |count: usize, one: &str| vec![one; count].join(", ");
    crossed(REMINDERS_MAX, RefusalKind::Invalid, |count| {
        with_task(&format!("reminder: [{}]", list(count, "1 day after ready")))
    });
    crossed(RUNS_MAX as usize, RefusalKind::Invalid, |count| with_task(&format!("every: \"@daily\", times: {count}")));
    crossed(QUORUM_MAX as usize, RefusalKind::Invalid, |count| with_task(&format!("kind: approval, quorum: {count}")));
    let by_interlinker = |keys: String| with_task(&format!("kind: interlinker, interlinker: poll, {keys}"));
    crossed(ATTEMPTS_MAX as usize, RefusalKind::Invalid, |count| {
        by_interlinker(format!("retry: {{ attempts: {count} }}"))
    });
    crossed(FACTOR_MAX as usize, RefusalKind::Invalid, |factor| {
        by_interlinker(format!("retry: {{ factor: {factor} }}"))
    });
    let pause_days_max = usize::try_from(PAUSE_MS_MAX / 86_400_000).expect("a small number");
    crossed(pause_days_max, RefusalKind::Invalid, |days| by_interlinker(format!("retry: {{ first: {days} days }}")));
    // As JSON, `{"q":""}` is around the text.
    crossed(INPUT_BYTES_MAX, RefusalKind::Invalid, |bytes| {
        by_interlinker(format!("input: {{ q: {} }}", "x".repeat(bytes - 8)))
    });
    crossed(EXPRESSION_BYTES_MAX, RefusalKind::Invalid, |bytes| {
        with_task(&format!("when: \"data.wanted{}\"", " ".repeat(bytes - "data.wanted".len())))
    });
}

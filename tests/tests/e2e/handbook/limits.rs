//! The page on limits is held to the constants of the code.

use std::collections::BTreeMap;

use super::{page, sources};

/// A number as it stands in the code: products, shifts, and other constants of the same file or of schemas.
fn number(expression: &str, file: &str, sources: &BTreeMap<String, String>) -> u64 {
    let constant = |name: &str| {
        let files = [file, "engine/model/src/schema/limits.rs"];
        let found = files.iter().find_map(|file| limits_of(&sources[*file]).remove(name));
        number(&found.unwrap_or_else(|| panic!("{file}: no `{name}`")), file, sources)
    };
    let one = |word: &str| {
        let digits = word.trim().trim_end_matches(".0").replace('_', "");
        digits.parse().unwrap_or_else(|_| constant(word.trim().rsplit("::").next().unwrap_or_default()))
    };
    match expression.split_once("<<") {
        Some((number, bits)) => one(number) << one(bits),
        None => expression.split('*').map(one).product(),
    }
}

/// Constants whose names say that they are limits, with what they are.
fn limits_of(source: &str) -> BTreeMap<String, String> {
    let constants =
        source.lines().filter_map(|line| line.trim_start().trim_start_matches("pub ").strip_prefix("const "));
    let parts = constants.filter_map(|line| {
        let (name, rest) = line.split_once(": ")?;
        let (_, value) = rest.split_once(" = ")?;
        name.ends_with("_MAX").then(|| (name.to_owned(), value.trim_end_matches(';').to_owned()))
    });
    parts.collect()
}

/// Digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group).into_owned());
    groups.collect::<Vec<_>>().join(",")
}

/// A limit as the page shows it, by the unit in its name.
fn shown(name: &str, value: u64) -> String {
    let upper = name.to_uppercase();
    if upper.contains("_MS") {
        let units = [(86_400_000, "days"), (3_600_000, "h"), (1_000, "s"), (1, "ms")];
        let (unit, word) = units.into_iter().find(|(unit, _)| value.is_multiple_of(*unit)).expect("milliseconds fit");
        format!("{} {word}", value / unit)
    } else if upper.contains("BYTES") {
        let units = [(1 << 20, "MiB"), (1 << 10, "KiB"), (1, "bytes")];
        let (unit, word) = units.into_iter().find(|(unit, _)| value.is_multiple_of(*unit)).expect("bytes fit");
        format!("{} {word}", grouped(value / unit))
    } else {
        grouped(value)
    }
}

#[test]
fn every_limit_of_the_code_is_on_the_page_on_limits_with_its_value() {
    let (sources, page) = (sources(), page("limits.md"));
    let of_tests = |file: &str| file.contains("/tests/") || file.ends_with("/tests.rs") || file.starts_with("tests/");
    let is_ours = |file: &str| !of_tests(file) && !file.starts_with("fuzz/");
    let mut limits = 0;
    for (file, source) in sources.iter().filter(|(file, _)| is_ours(file)) {
        for (name, value) in limits_of(source) {
            let row = page.lines().find(|line| line.starts_with(&format!("| `{file}` `{name}` |")));
            let row = row.unwrap_or_else(|| panic!("no row begins with | `{file}` `{name}` |"));
            let wanted = shown(&name, number(&value, file, &sources));
            assert!(row.contains(&format!("| {wanted} |")), "`{name}` of {file} is {wanted}, and the page says: {row}");
            limits += 1;
        }
    }
    let rows = page.lines().filter(|line| line.starts_with("| `") && line.contains("_MAX` |")).count();
    assert_eq!(rows, limits, "the page has rows of limits that are not in the code");
}

#[test]
fn every_limit_of_a_call_is_on_the_page_on_limits_with_its_value() {
    let file = "engine/host/src/limits.rs";
    let (sources, page) = (sources(), page("limits.md"));
    let (_, usual) = sources[file].split_once("fn default() -> Self {").expect("what is usual is there");
    let usual = usual.lines().take_while(|line| line.trim() != "}").filter_map(|line| line.trim().split_once(": "));
    let mut rows = 0;
    for (name, value) in usual {
        let wanted = shown(name, number(value.trim_end_matches(','), file, &sources));
        let row = page.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        let row = row.unwrap_or_else(|| panic!("no row begins with | `{name}` |"));
        assert!(row.contains(&format!("| {wanted} |")), "`{name}` is {wanted}, and the page says: {row}");
        rows += 1;
    }
    assert!(rows > 20, "only {rows} limits of a call");
}

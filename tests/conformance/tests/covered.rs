//! The cases are held to the code: each limit, each word for one, each import has a case, so that a new one wants one.

use std::collections::BTreeSet;

use interlink_conformance::{Case, Component, Group, cases};

/// A source file, by its path from the root.
fn source(path: &str) -> String {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../");
    std::fs::read_to_string(format!("{root}{path}")).expect("the file is there")
}

/// What stands behind `begin` and in front of `end` in each line of a text that has both.
fn between<'t>(text: &'t str, begin: &'t str, end: &'t str) -> impl Iterator<Item = &'t str> {
    text.lines().filter_map(move |line| line.trim().strip_prefix(begin)?.split_once(end).map(|(name, _)| name))
}

#[track_caller]
fn all_in(what: &str, wanted: &BTreeSet<&str>, found: &BTreeSet<&str>) {
    let missing: Vec<_> = wanted.difference(found).collect();
    assert!(missing.is_empty(), "no case for {what} {missing:?}");
}

#[test]
fn every_limit_of_the_host_has_a_case_that_crosses_it() {
    let cases = cases::all();
    let crossed: BTreeSet<_> = cases.iter().flat_map(|case| case.crosses.iter().copied()).collect();
    let limits = source("engine/host/src/limits.rs");
    let fields: BTreeSet<_> = between(&limits, "pub ", ": ").collect();
    assert!(fields.len() > 25 && fields.contains("fuel"), "{fields:?}");
    let besides = source("engine/host/src/besides.rs");
    let (state, asset) = (source("engine/model/src/keyvalues.rs"), source("engine/model/src/asset.rs"));
    // What one upload may have is a limit of the route; what fails by itself is not a guest's to cross.
    let elsewhere = ["BLOB_BYTES_MAX", "EARLIER_MAX", "ALARM_ATTEMPTS_MAX"];
    let call = source("engine/host/src/call.rs");
    let constants = [&besides, &state, &asset, &call].into_iter().flat_map(|text| between(text, "pub const ", ": "));
    let constants = constants.filter(|name| name.ends_with("_MAX") && !elsewhere.contains(name));
    let wanted: BTreeSet<_> = fields.iter().copied().chain(constants).collect();
    assert!(wanted.contains("NOTES_MAX") && wanted.contains("KEY_BYTES_MAX") && wanted.contains("ALARMS_MAX"));
    all_in("the limits", &wanted, &crossed);
    let unknown: Vec<_> = crossed.difference(&wanted).collect();
    assert!(unknown.is_empty(), "there are no such limits: {unknown:?}");
}

#[test]
fn every_word_with_which_a_call_fails_has_a_case() {
    let text = source("engine/host/src/fault.rs");
    let (_, text) = text.split_once("pub fn limit").expect("faults have words");
    let words: BTreeSet<_> = text.split("=> \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(words.len() > 28 && words.contains("fuel") && words.contains("busy"), "{words:?}");
    let cases = cases::all();
    all_in("the words", &words, &cases.iter().flat_map(Case::words).collect());
}

#[test]
fn every_way_to_refuse_a_component_has_a_case() {
    let text = source("engine/host/src/publish.rs");
    let slugs: BTreeSet<_> = text.split(" => \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(slugs.len() == 8 && slugs.contains("world"), "{slugs:?}");
    let cases = cases::all();
    all_in("the refusals", &slugs, &cases.iter().flat_map(Case::refusals).collect());
}

#[test]
fn every_function_that_the_world_has_is_called_by_a_well_behaved_guest_and_abused() {
    let wit = source("sdk/wit/interlinker.wit");
    let imports: BTreeSet<_> = between(&wit, "import ", ";").collect();
    assert_eq!(imports.len(), 16, "a new import wants guests: {imports:?}");
    let cases = cases::all();
    let calls = |group: Group, function: &str| {
        let texts = cases.iter().filter(|case| case.group == group).flat_map(|case| &case.components);
        texts
            .filter_map(|component| match component {
                Component::Guest(guest) => Some(guest.own()),
                Component::Bytes(_) => None,
            })
            .any(|own| own.contains(&format!("(call ${function} ")) || own.contains(&format!("(call ${function})")))
    };
    let functions = interlink_conformance::hand::functions();
    let interfaces: BTreeSet<_> = functions.iter().map(|(_, interface)| *interface).collect();
    assert_eq!(interfaces, imports, "the guests written by hand know the whole world");
    for (function, interface) in functions {
        assert!(calls(Group::Import, function), "no well-behaved guest calls `{function}` of {interface}");
        let abused = [Group::Abuse, Group::Exhaustion, Group::Deputy, Group::Value, Group::Inside];
        assert!(abused.iter().any(|group| calls(*group, function)), "nobody abuses `{function}` of {interface}");
    }
}

#[test]
fn there_are_enough_hostile_guests_of_every_kind_and_each_case_has_a_name_of_its_own() {
    let cases = cases::all();
    let names: BTreeSet<_> = cases.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), cases.len());
    let hostile: usize = cases.iter().filter(|case| case.group.is_hostile()).map(|case| case.components.len()).sum();
    assert!(hostile >= 40, "{hostile}");
    let groups: BTreeSet<_> = cases.iter().map(|case| case.group).collect();
    assert_eq!(groups.len(), 11, "{groups:?}");
    for group in groups {
        let many = cases.iter().filter(|case| case.group == group).count();
        assert!(many >= 5, "only {many} cases of {group:?}");
    }
    assert!(cases.iter().all(|case| !case.steps.is_empty() && !case.components.is_empty()));
}

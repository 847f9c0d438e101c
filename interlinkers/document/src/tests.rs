use super::*;

fn document() -> TestHost {
    TestHost::open::<Document>(json!({
        "title": "Our street",
        "sections": [{"id": "why", "heading": "Why", "text": "It floods."}],
    }))
}

fn write(document: &mut TestHost, name: &str, section: &str, text: &str) {
    document.act_as(name, "write", json!({"section": section, "text": text})).ok();
}

#[test]
fn a_document_begins_as_it_was_given() {
    let why = json!({"id": "why", "heading": "Why", "text": "It floods.", "revision": 1, "by": null});
    assert_eq!(document().view(), json!({"title": "Our street", "sections": [why]}));
    let mut empty = TestHost::open::<Document>(json!({"title": "Empty"}));
    assert_eq!(empty.view(), json!({"title": "Empty", "sections": []}));
}

#[test]
fn a_write_replaces_a_text_and_says_who_wrote_it() {
    let mut document = document();
    write(&mut document, "ana", "why", "It floods in autumn.");
    let why = document.view()["sections"][0].clone();
    let expected = json!({
        "id": "why", "heading": "Why", "text": "It floods in autumn.", "revision": 2, "by": "person-ana"
    });
    assert_eq!(why, expected);
    let heading = json!({"section": "why", "heading": "The problem", "text": "It floods."});
    document.act_as("boris", "write", heading).ok();
    assert_eq!(document.view()["sections"][0]["heading"], "The problem");
}

#[test]
fn new_sections_stand_at_the_end_in_the_order_in_which_they_came() {
    let mut document = document();
    write(&mut document, "ana", "zebra-crossing", "One more.");
    write(&mut document, "ana", "a-drain", "A wider one.");
    write(&mut document, "ana", "why", "Still.");
    let view = document.view();
    let ids: Vec<&str> = view["sections"].as_array().into_iter().flatten().filter_map(|s| s["id"].as_str()).collect();
    assert_eq!(ids, ["why", "zebra-crossing", "a-drain"]);
    assert_eq!(view["sections"][1]["heading"], "zebra crossing");
}

#[test]
fn a_write_on_an_old_revision_is_refused_where_it_says_so() {
    let mut document = document();
    let on_first = |text: &str| json!({"section": "why", "text": text, "based_on": 1});
    document.act_as("ana", "write", on_first("A")).ok();
    let problem = document.act_as("boris", "write", on_first("B")).refused("changed-meanwhile");
    assert_eq!(problem.pointer.as_deref(), Some("/based_on"));
    assert_eq!(document.view()["sections"][0]["text"], "A");
}

#[test]
fn history_lists_the_newest_first_by_pages() {
    let mut document = document();
    for number in 2..=120 {
        write(&mut document, if number % 2 == 0 { "ana" } else { "boris" }, "why", &number.to_string());
    }
    let mut before = json!(null);
    let mut numbers = Vec::new();
    loop {
        let page = document.act_as("ana", "history", json!({ "before": before })).ok();
        let revisions = page["revisions"].as_array().expect("a list").clone();
        assert!(revisions.len() as u64 <= HISTORY_PAGE);
        numbers.extend(revisions.iter().filter_map(|entry| entry["number"].as_u64()));
        before = page["next_before"].clone();
        if before.is_null() {
            break;
        }
    }
    assert_eq!(numbers, (1..=120).rev().collect::<Vec<u64>>());
    let newest = document.act_as("ana", "history", json!({"limit": 1})).ok();
    let expected = json!({
        "number": 120, "section": "why", "revision": 120, "by": "person-ana", "at": "2026-01-01T09:01:59Z"
    });
    assert_eq!(newest["revisions"], json!([expected]));
}

#[test]
fn a_text_that_no_value_holds_is_pointed_at() {
    let mut document = document();
    let before = document.state();
    let text = "x".repeat(64 * 1024);
    let problem = document.act_as("ana", "write", json!({"section": "why", "text": text})).refused("value-too-large");
    assert_eq!(problem.pointer.as_deref(), Some("/text"));
    assert_eq!(document.state(), before);
}

#[test]
fn a_document_holds_so_much_text_and_no_more() {
    let mut document = TestHost::open::<Document>(json!({"title": "Long"}));
    let text = "x".repeat(64 * 1000);
    for number in 0..8 {
        write(&mut document, "ana", &format!("part-{number}"), &text);
    }
    let more = |section: &str, text: &str| json!({"section": section, "text": text});
    document.act_as("ana", "write", more("part-8", &text)).refused("document-full");
    document.act_as("ana", "write", more("part-0", "short")).ok();
    document.act_as("ana", "write", more("part-8", &text)).ok();
}

#[test]
fn a_document_has_so_many_sections_and_no_more() {
    let mut document = TestHost::open::<Document>(json!({"title": "Long"}));
    for number in 0..SECTIONS_MAX {
        write(&mut document, "ana", &format!("part-{number}"), "");
    }
    let problem =
        document.act_as("ana", "write", json!({"section": "one-more", "text": ""})).refused("too-many-sections");
    assert_eq!(problem.pointer.as_deref(), Some("/section"));
    write(&mut document, "ana", "part-0", "still");
}

#[test]
fn ids_that_are_not_lower_case_words_are_refused() {
    for id in ["", "Why", "why not", "-why", "why-", "why--not", "why/not"] {
        document().act_as("ana", "write", json!({"section": id, "text": ""})).refused("invalid-input");
    }
    assert!(!is_kebab("why--not") && !is_kebab("") && is_kebab("why-not-2"), "the guest would refuse them, too");
    let twice = json!([{"id": "why", "heading": "1"}, {"id": "why", "heading": "2"}]);
    let problem =
        TestHost::try_open::<Document>(json!({"title": "T", "sections": twice})).expect_err("an id is there once");
    assert_eq!(problem.pointer.as_deref(), Some("/sections/1/id"));
}

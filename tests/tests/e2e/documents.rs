//! A document that people write together.

use serde_json::{Value, json};

use crate::given::{asset, library, running};

#[test]
fn a_document_says_who_wrote_what_in_which_revision() {
    let mut server = library();
    let (ana, boris) = (server.member("ana"), server.member("boris"));
    let process = running(&ana, "Rules");
    let sections = json!([{"id": "fees", "heading": "Fees", "text": "None."}]);
    let document = asset(&ana, &process, "find-room", "document", &json!({"title": "Rules", "sections": sections}));
    let write = |client: &crate::client::Client, body: Value| client.post(&format!("{document}/actions/write"), &body);

    let first = write(&boris, json!({"section": "hours", "heading": "Hours", "text": "Evenings."})).is(200);
    assert_eq!((&first["output"]["section"], &first["output"]["revision"]), (&json!("hours"), &json!(1)));
    let second = write(&ana, json!({"section": "hours", "text": "Evenings, and Saturdays."})).is(200);
    assert_eq!(second["output"]["revision"], json!(2));
    assert_eq!(second["state_version"], json!(2));
    let refused = write(&boris, json!({"section": "hours", "text": "Never.", "based_on": 1}));
    refused.points_at(409, "changed-meanwhile", &["/based_on"]);

    let shown = |server: &crate::server::Server| {
        let view = server.operator().get(&format!("{document}/view")).is(200);
        assert_eq!(view["title"], json!("Rules"));
        let expected = json!([
            {"id": "fees", "heading": "Fees", "text": "None.", "revision": 1, "by": ana.id()},
            {"id": "hours", "heading": "Hours", "text": "Evenings, and Saturdays.", "revision": 2, "by": ana.id()},
        ]);
        assert_eq!(view["sections"], expected);
        let history = server.operator().tell(&format!("{document}/actions/history")).is(200);
        let revisions = history["output"]["revisions"].as_array().expect("revisions").clone();
        let said: Vec<_> =
            revisions.iter().map(|entry| json!([entry["section"], entry["revision"], entry["by"]])).collect();
        let expected = json!([["hours", 2, ana.id()], ["hours", 1, boris.id()], ["fees", 1, ana.id()]]);
        assert_eq!(json!(said), expected);
    };
    shown(&server);
    server.crash();
    shown(&server);
    server.audit();
}

#[test]
fn the_markdown_of_a_document_is_shown_as_it_is_and_as_safe_html() {
    let server = library();
    let ana = server.member("ana");
    let process = running(&ana, "Rules");
    let text = "Open *late*.\n\n<img src=x onerror=a()> [here](javascript:b)";
    let sections = json!([{"id": "hours", "heading": "Hours", "text": text}]);
    let document = asset(&ana, &process, "find-room", "document", &json!({"title": "Rules", "sections": sections}));
    let plain = ana.get(&format!("{document}/view")).is(200);
    assert_eq!(plain["sections"][0]["text"], json!(text), "the source is the view, as ever");
    let shown = ana.get(&format!("{document}/view?rendered=true")).is(200);
    assert_eq!(shown["output"], plain);
    let html = "<p>Open <em>late</em>.</p>\n<p>&lt;img src=x onerror=a()&gt; \
                <a rel=\"noopener noreferrer nofollow\">here</a></p>\n";
    assert_eq!(shown["rendered"], json!({"/sections/0/text": html}));
    ana.get(&format!("{document}/view?rendered=maybe")).refused(400, "malformed");
}

#[test]
fn what_is_no_section_is_refused_with_its_place() {
    let server = library();
    let ana = server.member("ana");
    let process = running(&ana, "Rules");
    let document = asset(&ana, &process, "find-room", "document", &json!({"title": "Rules"}));
    let before = ana.get(&document).body;
    let write = |body: Value| ana.post(&format!("{document}/actions/write"), &body);
    write(json!({"section": "Not Kebab", "text": "x"})).points_at(422, "invalid-input", &["/section"]);
    write(json!({"section": "hours", "text": "x", "based_on": "one"})).points_at(422, "invalid-input", &["/based_on"]);
    write(json!({"section": "hours"})).points_at(422, "invalid-input", &[""]);
    let full = write(json!({"section": "hours", "text": "x".repeat(513 * 1024)}));
    full.refused(413, "too-large");
    let long = write(json!({"section": "hours", "text": "x".repeat(200 * 1024)}));
    assert_eq!(long.status, 409, "more than a value of state takes: {}", long.text());
    assert_eq!(ana.get(&document).body, before);
}

#[test]
fn an_old_section_stays_in_the_history_of_its_process() {
    let server = library();
    let ana = server.member("ana");
    let process = running(&ana, "Rules");
    let document = asset(&ana, &process, "find-room", "document", &json!({"title": "Rules"}));
    for text in ["First.", "Second."] {
        ana.post(&format!("{document}/actions/write"), &json!({"section": "hours", "text": text})).is(200);
    }
    let events = ana.all(&format!("{process}/events"), 100);
    let written: Vec<_> = events.iter().filter(|event| event["kind"] == "ActionPerformed").collect();
    let texts: Vec<_> = written.iter().map(|event| event["data"]["input"]["text"].clone()).collect();
    assert_eq!(json!(texts), json!(["First.", "Second."]));
    assert!(written.iter().all(|event| event["actor"] == json!(ana.id())));
}

//! HTML and Markdown in answers, through whole calls.

use interlink_host::{Entry, Fault, MARKUP_BYTES_MAX};
use interlink_model::keyvalues::KeyValues;
use serde_json::{Value, json};

use super::given::{action, done, fault, shared, view};
use super::guest::{Guest, manifest};

const HTML: &str = "text/html";
const MARKDOWN: &str = "text/markdown";

/// Room for a text that is longer than the limit.
const ROOM: &str = "(drop (memory.grow (i32.const 2)))";

/// A guest whose action and view answer with what these instructions leave, an object whose `text` is of this kind.
fn marking(kind: &str, answers: &str, data: &str) -> Guest {
    let schema = json!({"type": "object", "properties": {"text": {"type": "string", "contentMediaType": kind}}});
    let mut manifest = manifest();
    manifest["actions"][0]["output"] = schema.clone();
    manifest["view"] = json!({"output": schema});
    let escaped: String = data.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    let fields = format!("(data (i32.const 4096) \"{escaped}\")");
    Guest::calling(answers).whose_view(answers).with(&fields).with_manifest(Some(manifest.to_string().as_bytes()))
}

fn answering(kind: &str, answer: &Value) -> Guest {
    let text = answer.to_string();
    marking(kind, &format!("(call $answer (i32.const 4096) (i32.const {}))", text.len()), &text)
}

fn entries() -> [Entry; 2] {
    [action("go", json!({})), view()]
}

#[test]
fn html_in_an_answer_is_safe_before_anybody_sees_it() {
    let hostile = "<p onclick='x()'>a<script>b</script></p><a href='javascript:c'>d</a>";
    let guest = answering(HTML, &json!({"text": hostile, "other": "<b onclick=x>"}));
    let safe = "<p>a</p><a rel=\"noopener noreferrer nofollow\">d</a>";
    for entry in entries() {
        let done = done(shared().enter(&guest, entry, &KeyValues::default()));
        let expected = json!({"text": safe, "other": "<b onclick=x>"});
        assert_eq!((done.output, done.rendered.len()), (expected, 0), "what no schema marks is text");
    }
}

#[test]
fn markdown_in_an_answer_stays_and_its_html_is_beside() {
    let source = json!({"text": "*a* <script>b</script>"});
    let guest = answering(MARKDOWN, &source);
    let html = "<p><em>a</em> &lt;script&gt;b&lt;/script&gt;</p>\n";
    let [act, look] = entries();
    let acted = done(shared().enter(&guest, act, &KeyValues::default()));
    assert_eq!((&acted.output, acted.rendered["/text"].as_str()), (&source, html));
    let shown = done(shared().enter(&guest, look, &KeyValues::default()));
    assert_eq!((&shown.output, shown.rendered.len()), (&source, 0), "a view's is made where it is asked for");
    assert_eq!(shared().load(&guest).render_view(&shown.output)["/text"], html);
}

#[test]
fn html_beyond_its_limit_fails_the_call_and_says_where() {
    let opening = "{\"text\":\"";
    let bytes = MARKUP_BYTES_MAX + 1;
    let end = 4096 + opening.len() + bytes;
    let answers = format!(
        "{ROOM} (memory.fill (i32.const {}) (i32.const 120) (i32.const {bytes}))
        (i32.store16 (i32.const {end}) (i32.const 0x7d22))
        (call $answer (i32.const 4096) (i32.const {}))",
        4096 + opening.len(),
        opening.len() + bytes + 2,
    );
    for entry in entries() {
        let fault = fault(shared().enter(&marking(HTML, &answers, opening), entry.clone(), &KeyValues::default()));
        assert_eq!(fault.limit(), "markup");
        assert!(matches!(&fault, Fault::Markup(_)) && fault.to_string().contains("`/text` has 65537 bytes"), "{fault}");
        let done = done(shared().enter(&marking(MARKDOWN, &answers, opening), entry, &KeyValues::default()));
        assert!(done.rendered.is_empty(), "the source of Markdown is there, and is not rendered");
    }
}

#[test]
fn a_mark_that_the_host_cannot_follow_is_refused_at_publication() {
    let mut manifest = manifest();
    let marked = json!({"$anchor": "text", "contentMediaType": HTML});
    manifest["view"] = json!({"output": {"$ref": "#text", "$defs": {"Text": marked}}});
    let guest = Guest::new().with_manifest(Some(manifest.to_string().as_bytes()));
    let refused = shared().unpublished(&guest.bytes()).to_string();
    assert!(refused.contains("view/output") && refused.contains("#/$defs/Name"), "{refused}");
}

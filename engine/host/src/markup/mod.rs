//! HTML and Markdown in what an Interlinker answers: nobody sees it before it is safe.
//!
//! Where the JSON Schema of an action's or a view's output says that a string is `"contentMediaType": "text/html"`, that
//! string is put through a strict allow-list as soon as the guest has answered: what is recorded, remembered, shown and run
//! again is the safe one, and there is no other. Where it says `text/markdown` the source stays as it is, and the host renders
//! it beside, as safe HTML. A string that no schema marks is text, whatever stands in it.

mod places;

use std::collections::BTreeMap;

pub use interlink_markup::{MARKUP_BYTES_MAX, safe_html, safe_markdown};
use serde_json::Value;

use self::places::marked;
pub(crate) use self::places::{Kinds, said_kinds};
/// All such texts of one answer together, in bytes: what making them safe may cost.
pub const MARKUP_TOTAL_BYTES_MAX: usize = 512 << 10;
/// Such texts in one answer.
pub const MARKUP_PLACES_MAX: usize = 1_000;

/// What an answer's Markdown comes to: safe HTML by JSON pointer. A text that is not there is beyond what is rendered.
pub type Rendered = BTreeMap<String, String>;

/// Why an answer's HTML or Markdown is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MarkupFault {
    /// One text is too long.
    #[error("the HTML or Markdown at `{pointer}` has {bytes} bytes; such a text has at most {MARKUP_BYTES_MAX}")]
    Bytes {
        /// Where.
        pointer: String,
        /// Its size.
        bytes: usize,
    },
    /// All together are too long.
    #[error("its HTML and Markdown have {bytes} bytes together; an answer has at most {MARKUP_TOTAL_BYTES_MAX}")]
    Total {
        /// Their size.
        bytes: usize,
    },
    /// There are too many.
    #[error("it has {places} texts that are HTML or Markdown; an answer has at most {MARKUP_PLACES_MAX}")]
    Places {
        /// How many.
        places: usize,
    },
    /// Its schema takes too long to hold against it.
    #[error("looking for HTML and Markdown in it took more than {max} steps through its schema")]
    Steps {
        /// The limit.
        max: usize,
    },
    /// Its schema goes too deep.
    #[error("looking for HTML and Markdown in it went more than {max} steps deep into its schema")]
    Deep {
        /// The limit.
        max: usize,
    },
    /// Safe, it is too large.
    #[error("made safe, its HTML and Markdown have {bytes} bytes; an answer like this one has at most {max}")]
    Safe {
        /// What it would have.
        bytes: usize,
        /// The limit.
        max: usize,
    },
}

/// Makes the HTML of an answer safe, as its schema says; with it the answer has at most `bytes_max` bytes.
pub(crate) fn make_safe(schema: &Value, answer: &mut Value, bytes_max: usize) -> Result<(), MarkupFault> {
    let mut places = marked(schema, answer)?;
    places.retain(|_, kinds| kinds.html);
    check(places.keys(), answer)?;
    for pointer in places.keys() {
        if let Some(Value::String(text)) = answer.pointer_mut(pointer) {
            *text = safe_html(text);
        }
    }
    let bytes = answer.to_string().len();
    if bytes > bytes_max { Err(MarkupFault::Safe { bytes, max: bytes_max }) } else { Ok(()) }
}

fn check<'p>(places: impl ExactSizeIterator<Item = &'p String>, answer: &Value) -> Result<(), MarkupFault> {
    if places.len() > MARKUP_PLACES_MAX {
        return Err(MarkupFault::Places { places: places.len() });
    }
    let mut total = 0;
    for pointer in places {
        let bytes = text_at(answer, pointer).len();
        if bytes > MARKUP_BYTES_MAX {
            return Err(MarkupFault::Bytes { pointer: pointer.clone(), bytes });
        }
        total += bytes;
    }
    if total > MARKUP_TOTAL_BYTES_MAX { Err(MarkupFault::Total { bytes: total }) } else { Ok(()) }
}

fn text_at<'a>(answer: &'a Value, pointer: &str) -> &'a str {
    answer.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Renders the Markdown of an answer, as its schema says, into at most `bytes_max` bytes. The source is there in any case, so
/// what is too long, or too much, is left unrendered and fails nothing.
pub(crate) fn render(schema: &Value, answer: &Value, bytes_max: usize) -> Rendered {
    let mut places = marked(schema, answer).unwrap_or_default();
    places.retain(|_, kinds| kinds.markdown);
    let mut rendered = Rendered::new();
    let (mut read_bytes, mut bytes) = (0, 0);
    for pointer in places.into_keys().take(MARKUP_PLACES_MAX) {
        let text = text_at(answer, &pointer);
        if text.len() > MARKUP_BYTES_MAX || read_bytes + text.len() > MARKUP_TOTAL_BYTES_MAX {
            continue;
        }
        read_bytes += text.len();
        let html = safe_markdown(text);
        if bytes + html.len() <= bytes_max {
            bytes += html.len();
            rendered.insert(pointer, html);
        }
    }
    rendered
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn texts(kind: &str) -> Value {
        json!({"type": "array", "items": {"type": "string", "contentMediaType": kind}})
    }

    fn safe(answer: Value) -> Result<Value, MarkupFault> {
        let mut answer = answer;
        make_safe(&texts("text/html"), &mut answer, 1 << 20)?;
        Ok(answer)
    }

    fn rendered(answer: &Value) -> Rendered {
        render(&texts("text/markdown"), answer, 1 << 20)
    }

    #[test]
    fn html_is_replaced_and_markdown_has_its_html_beside() {
        assert_eq!(safe(json!(["<b onclick=x()>a</b><script>b</script>"])), Ok(json!(["<b>a</b>"])));
        assert_eq!(rendered(&json!(["*a* <b>"]))["/0"], "<p><em>a</em> &lt;b&gt;</p>\n");
        let mut markdown = json!(["<b onclick=x()>a</b>"]);
        make_safe(&texts("text/markdown"), &mut markdown, 1 << 20).expect("left");
        assert_eq!(markdown, json!(["<b onclick=x()>a</b>"]), "the source of Markdown stays");
        assert_eq!(render(&texts("text/html"), &markdown, 1 << 20), Rendered::new());
    }

    #[test]
    fn a_text_of_markup_has_a_greatest_length_and_so_have_all_of_them_together() {
        let fits = "x".repeat(MARKUP_BYTES_MAX);
        assert!(safe(json!([fits])).is_ok());
        let bytes = MARKUP_BYTES_MAX + 1;
        assert_eq!(safe(json!([format!("{fits}x")])), Err(MarkupFault::Bytes { pointer: "/0".into(), bytes }));
        assert_eq!(rendered(&json!([format!("{fits}x"), "b"])).into_keys().collect::<Vec<_>>(), ["/1"]);
        let full = vec![fits; MARKUP_TOTAL_BYTES_MAX / MARKUP_BYTES_MAX];
        assert!(safe(json!(full)).is_ok());
        assert_eq!(rendered(&json!(full)).len(), full.len());
        let many = full.len();
        let more = json!(full.into_iter().chain(["x".into()]).collect::<Vec<_>>());
        assert_eq!(safe(more.clone()), Err(MarkupFault::Total { bytes: MARKUP_TOTAL_BYTES_MAX + 1 }));
        assert_eq!(rendered(&more).len(), many, "the last one is left unrendered");
    }

    #[test]
    fn an_answer_has_so_many_texts_of_markup() {
        assert!(safe(json!(vec!["a"; MARKUP_PLACES_MAX])).is_ok());
        let places = MARKUP_PLACES_MAX + 1;
        assert_eq!(safe(json!(vec!["a"; places])), Err(MarkupFault::Places { places }));
        assert_eq!(rendered(&json!(vec!["a"; places])).len(), MARKUP_PLACES_MAX);
    }

    #[test]
    fn what_grows_too_large_when_it_is_made_safe_is_not_taken() {
        let mut answer = json!(["<a href='https://a.org'>b</a>".repeat(5)]);
        let over = make_safe(&texts("text/html"), &mut answer, 300);
        assert!(matches!(over, Err(MarkupFault::Safe { max: 300, .. })), "{over:?}");
        let rendered = render(&texts("text/markdown"), &json!(["-\n".repeat(100), "a"]), 300);
        assert_eq!(rendered.into_keys().collect::<Vec<_>>(), ["/1"]);
    }
}

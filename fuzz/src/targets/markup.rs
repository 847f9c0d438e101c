//! HTML and Markdown that anybody wrote: the same bytes as each.

use interlink_markup::reader::flaw;
use interlink_markup::{MARKUP_BYTES_MAX, safe_html, safe_markdown};

/// What a byte may become: `"` is `&quot;`, and in Markdown one letter may begin an element with its end.
const GROWTH_MAX: usize = 100;

/// What comes out has nothing in it but what is on the list, is no larger than it may be, and is left as it is when it goes in
/// again.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if text.len() > MARKUP_BYTES_MAX {
        return;
    }
    for (what, safe) in [("HTML", safe_html(text)), ("Markdown", safe_markdown(text))] {
        assert_eq!(flaw(&safe), None, "of {what}: {safe:?}");
        assert!(safe.len() <= GROWTH_MAX * text.len(), "{what} became {} bytes", safe.len());
        assert_eq!(safe_html(&safe), safe, "{what} that is safe becomes something else");
    }
}

//! HTML and Markdown that anybody may have written, as it may be shown: a crate of its own, so that a fuzzer reads what it reads
//! without the host of guests around it.
//!
//! There is an allow-list. What is left of a text has none but these elements and attributes, whatever was written.
//!
//! It is made in two passes. The first reads the text token by token, drops every tag that is not on the list, and closes what
//! was opened, in order and at a bounded depth; ammonia then builds the tree of that and keeps to the same list. Without the
//! first pass a text of some kilobytes could cost minutes: the tree that HTML asks to be built of unclosed tags grows with the
//! square of their number, and so does the time for letters that are escaped, which is why stand-ins go through the second.

#[cfg(any(test, feature = "suite"))]
pub mod reader;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use ammonia::{Builder, UrlRelative};
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{BufferQueue, StartTag, Tag, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};
use pulldown_cmark::{Event, Options, Parser, Tag as MarkdownTag, TagEnd};

/// The longest text that is HTML or Markdown, in bytes: what is longer is not to be given here.
pub const MARKUP_BYTES_MAX: usize = 64 << 10;
/// Elements inside each other that are kept; the text of deeper ones is kept without them.
pub const MARKUP_NESTING_MAX: usize = 24;

/// How often a text is read until it stays as it is. Of one that does not, its words alone are left.
const READINGS_MAX: usize = 6;

/// Elements that may stand in a paragraph.
const PHRASES: [&str; 17] = [
    "a", "abbr", "b", "br", "cite", "code", "del", "em", "i", "ins", "mark", "q", "s", "small", "strong", "sub", "sup",
];
/// Elements that end the paragraph before them.
const BLOCKS: [&str; 21] = [
    "blockquote",
    "dd",
    "dl",
    "dt",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "li",
    "ol",
    "p",
    "pre",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
];
/// One more block, which HTML has no short way to write without.
const LISTS: [&str; 1] = ["ul"];
/// Attributes that every element may have.
const ATTRIBUTES: [&str; 3] = ["dir", "lang", "title"];
/// What a link may lead to: something that says where it is by itself.
const SCHEMES: [&str; 4] = ["http", "https", "mailto", "tel"];
/// What every link says of where it leads.
const LINK_REL: &str = "noopener noreferrer nofollow";
/// Elements whose content is no text either.
const DROPPED: [(&str, RawKind); 9] = [
    ("iframe", RawKind::Rawtext),
    ("noembed", RawKind::Rawtext),
    ("noframes", RawKind::Rawtext),
    ("noscript", RawKind::Rawtext),
    ("script", RawKind::ScriptData),
    ("style", RawKind::Rawtext),
    ("textarea", RawKind::Rcdata),
    ("title", RawKind::Rcdata),
    ("xmp", RawKind::Rawtext),
];

/// Letters of a text that take long in the tree, each with what goes through it instead (no text has these: they are no letters)
/// and with what is written at last.
const STAND_INS: [(char, char, &str); 4] =
    [('&', '\u{fdd0}', "&amp;"), ('<', '\u{fdd1}', "&lt;"), ('>', '\u{fdd2}', "&gt;"), ('\n', '\u{fdd3}', "\n")];

fn elements() -> impl Iterator<Item = &'static str> {
    PHRASES.into_iter().chain(BLOCKS).chain(LISTS)
}

fn is_void(name: &str) -> bool {
    matches!(name, "br" | "hr")
}

static ALLOWED: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = Builder::empty();
    builder
        .tags(elements().collect())
        .clean_content_tags(DROPPED.into_iter().map(|(name, _)| name).collect())
        .generic_attributes(HashSet::from(ATTRIBUTES))
        .tag_attributes(HashMap::from([("a", HashSet::from(["href"])), ("ol", HashSet::from(["start"]))]))
        .url_schemes(HashSet::from(SCHEMES))
        .url_relative(UrlRelative::Deny)
        .link_rel(Some(LINK_REL))
        .strip_comments(true);
    builder
});

/// HTML that anybody may have written, as it may be shown: no scripts, styles, handlers, forms, images or frames, and no links
/// but to `http`, `https`, `mailto` and `tel`. Read again, as browsers do, it is what it is: a text that becomes something else by
/// being read could become what is not safe.
pub fn safe_html(text: &str) -> String {
    let mut safe = read(text, Keeps::Elements);
    for _ in 1..READINGS_MAX {
        let again = read(&safe, Keeps::Elements);
        if again == safe {
            return safe;
        }
        safe = again;
    }
    read(&safe, Keeps::Words)
}

/// What of a text is kept when it is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Keeps {
    /// All that is on the list.
    #[default]
    Elements,
    /// No element at all.
    Words,
}

/// A text, read once, as it may be shown.
fn read(text: &str, keeps: Keeps) -> String {
    let safe = ALLOWED.clean(&straightened(text, keeps)).to_string();
    let mut written = String::with_capacity(safe.len());
    for letter in safe.chars() {
        match STAND_INS.iter().find(|(_, stand_in, _)| *stand_in == letter) {
            Some((.., escaped)) => written.push_str(escaped),
            None => written.push(letter),
        }
    }
    written
}

/// Markdown that anybody may have written (CommonMark with tables and strikethrough), as HTML that may be shown. HTML in it is
/// text, and of an image only its words are left.
pub fn safe_markdown(text: &str) -> String {
    let events = Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH);
    let shown = events.filter_map(|event| match event {
        Event::Html(html) | Event::InlineHtml(html) => Some(Event::Text(html)),
        Event::Start(MarkdownTag::Image { .. } | MarkdownTag::HtmlBlock)
        | Event::End(TagEnd::Image | TagEnd::HtmlBlock) => None,
        other => Some(other),
    });
    let mut html = String::new();
    pulldown_cmark::html::push_html(&mut html, shown);
    safe_html(&html)
}

/// The same text with its tags in order: what is opened is closed, at a bounded depth, and nothing else is left.
fn straightened(text: &str, keeps: Keeps) -> String {
    let input = BufferQueue::default();
    input.push_back(StrTendril::from(text));
    let tokenizer =
        Tokenizer::new(Straight(RefCell::new(Written { keeps, ..Written::default() })), TokenizerOpts::default());
    // It stops at the end of a script; there is none to run.
    while !input.is_empty() {
        let _ = tokenizer.feed(&input);
    }
    tokenizer.end();
    tokenizer.sink.0.into_inner().ended()
}

struct Straight(RefCell<Written>);

#[derive(Default)]
struct Written {
    keeps: Keeps,
    html: String,
    /// Text since the last tag.
    text: String,
    open: Vec<&'static str>,
    /// The element whose content is being dropped.
    dropping: Option<&'static str>,
}

impl TokenSink for Straight {
    type Handle = ();

    fn process_token(&self, token: Token, _: u64) -> TokenSinkResult<()> {
        let mut written = self.0.borrow_mut();
        match token {
            Token::CharacterTokens(text) if written.dropping.is_none() => written.text.push_str(&text),
            Token::TagToken(tag) if tag.kind == StartTag => return written.start(&tag),
            Token::TagToken(tag) => written.end(&tag.name),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

impl Written {
    /// Writes the text since the last tag.
    fn flush(&mut self) {
        let text = std::mem::take(&mut self.text);
        if text.trim_ascii().is_empty() && !self.open.contains(&"pre") {
            // Between the rows of a table anything else would be put before it.
            return self.html.push_str(if text.contains('\n') { "\n" } else { text.get(..1).unwrap_or_default() });
        }
        let letters = text.chars().filter(|letter| STAND_INS.iter().all(|(_, stand_in, _)| stand_in != letter));
        self.html.extend(letters.map(|letter| {
            STAND_INS.iter().find(|(of, ..)| *of == letter).map_or(letter, |(_, stand_in, _)| *stand_in)
        }));
    }

    fn value(&mut self, value: &str) {
        for letter in value.chars() {
            match letter {
                '&' => self.html.push_str("&amp;"),
                '<' => self.html.push_str("&lt;"),
                '>' => self.html.push_str("&gt;"),
                '"' => self.html.push_str("&quot;"),
                _ if STAND_INS.iter().any(|(_, stand_in, _)| *stand_in == letter) => {}
                other => self.html.push(other),
            }
        }
    }

    fn start(&mut self, tag: &Tag) -> TokenSinkResult<()> {
        if &*tag.name == "plaintext" {
            self.dropping = Some("plaintext");
            return TokenSinkResult::Plaintext;
        }
        if let Some((name, kind)) = DROPPED.into_iter().find(|(name, _)| *name == &*tag.name) {
            self.dropping = Some(name);
            return TokenSinkResult::RawData(kind);
        }
        let known = elements().find(|name| *name == &*tag.name && self.keeps == Keeps::Elements);
        let Some(name) = known else { return TokenSinkResult::Continue };
        if !PHRASES.contains(&name) && self.open.contains(&"p") {
            self.close("p");
        }
        if self.open.len() >= MARKUP_NESTING_MAX {
            return TokenSinkResult::Continue;
        }
        self.flush();
        self.html.push('<');
        self.html.push_str(name);
        for attribute in &tag.attrs {
            let attribute_name = &*attribute.name.local;
            if ATTRIBUTES.contains(&attribute_name) || matches!((name, attribute_name), ("a", "href") | ("ol", "start"))
            {
                self.html.push(' ');
                self.html.push_str(attribute_name);
                self.html.push_str("=\"");
                match attribute_name {
                    "href" => self.value(&address(&attribute.value)),
                    _ => self.value(&attribute.value),
                }
                self.html.push('"');
            }
        }
        self.html.push('>');
        if !is_void(name) {
            self.open.push(name);
        }
        TokenSinkResult::Continue
    }

    fn end(&mut self, name: &str) {
        if self.dropping == Some(name) {
            self.dropping = None;
        } else if self.open.contains(&name) {
            self.close(name);
        }
    }

    /// Closes an element that is open, and what was opened in it.
    fn close(&mut self, name: &str) {
        self.flush();
        while let Some(last) = self.open.pop() {
            self.html.push_str("</");
            self.html.push_str(last);
            self.html.push('>');
            if last == name {
                return;
            }
        }
    }

    fn ended(mut self) -> String {
        self.flush();
        if let Some(first) = self.open.first().copied() {
            while !self.open.is_empty() {
                self.close(first);
            }
        }
        self.html
    }
}

/// An address as browsers read it: without what nobody sees before its scheme, or in it.
fn address(written: &str) -> String {
    let is_seen = |letter: &char| !letter.is_control() && STAND_INS.iter().all(|(_, stand_in, _)| stand_in != letter);
    let seen: String = written.chars().filter(is_seen).collect();
    seen.trim_matches(' ').to_owned()
}

#[cfg(test)]
mod tests;

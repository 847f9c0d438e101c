//! YAML 1.2, core schema, read with places.
//!
//! Built on the parser's events rather than on its ready trees: events are pulled one by one, so a document that is
//! nested too deep or whose aliases multiply is left at the limit, before memory or stack has been spent on it.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use super::finding::{Findings, Refusal, Span, quoted};
use super::limits::{DOCUMENT_BYTES_MAX, NESTING_MAX, NODES_MAX};
use super::node::{Content, Entry, Node, number};

/// Reads `text`, which is the source number `source` of `findings`.
pub(super) fn read(text: &str, source: usize, findings: &mut Findings<'_>) -> Result<Node, Refusal> {
    let skipped = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let body = &text[skipped..];
    let mut builder = Builder {
        offsets: (!body.is_ascii()).then(|| body.char_indices().map(|(at, _)| at + skipped).collect()),
        skipped,
        length: text.len(),
        source,
        findings,
        open: Vec::new(),
        anchors: HashMap::new(),
        nodes: 0,
        text_bytes: 0,
        root: None,
    };
    for event in Parser::new_from_str(body) {
        let (event, place) = match event {
            Ok(event) => event,
            Err(error) => {
                let start = builder.offset(error.marker().index());
                let span = Span { source, start, end: start };
                return Err(builder.findings.malformed(span, format!("this is not YAML: {}", error.info())));
            }
        };
        let start = builder.offset(place.start.index());
        let end = builder.offset(place.end.index()).max(start);
        builder.event(event, Span { source, start, end })?;
    }
    let end = Span { source, start: text.len(), end: text.len() };
    Ok(builder.root.take().unwrap_or(Node { content: Content::Null, span: end }))
}

/// A list or map that has begun and not ended.
enum Open {
    List { values: Vec<Node>, span: Span, anchor: usize },
    Map { entries: Vec<Entry>, key: Option<(String, Span)>, span: Span, anchor: usize },
}

struct Builder<'b, 's> {
    /// Byte of each character, since the parser counts characters; `None` when they are the same.
    offsets: Option<Vec<usize>>,
    skipped: usize,
    length: usize,
    source: usize,
    findings: &'b mut Findings<'s>,
    open: Vec<Open>,
    anchors: HashMap<usize, (Node, Weight)>,
    nodes: usize,
    text_bytes: usize,
    root: Option<Node>,
}

/// What a value adds to the document each time an alias repeats it.
#[derive(Clone, Copy)]
struct Weight {
    nodes: usize,
    text_bytes: usize,
    depth: usize,
}

fn weight(node: &Node) -> Weight {
    let mut total = Weight { nodes: 1, text_bytes: 0, depth: 0 };
    let mut add = |child: &Node| {
        let child = weight(child);
        total.nodes += child.nodes;
        total.text_bytes += child.text_bytes;
        total.depth = total.depth.max(child.depth + 1);
    };
    match &node.content {
        Content::Text(text) => total.text_bytes = text.len(),
        Content::List(values) => values.iter().for_each(&mut add),
        Content::Map(entries) => {
            let keys: usize = entries.iter().map(|entry| entry.key.len()).sum();
            entries.iter().for_each(|entry| add(&entry.value));
            total.text_bytes += keys;
        }
        _ => {}
    }
    total
}

impl Builder<'_, '_> {
    fn offset(&self, index: usize) -> usize {
        match &self.offsets {
            Some(offsets) => offsets.get(index).copied().unwrap_or(self.length),
            None => (index + self.skipped).min(self.length),
        }
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Refusal> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.count(span, 1, text.len())?;
                if self.awaits_key() {
                    self.set_key(text.into_owned(), span);
                    return Ok(());
                }
                let content = self.scalar(&text, style, tag.as_deref(), span);
                self.place(Node { content, span }, anchor, span)
            }
            Event::SequenceStart(anchor, tag) => {
                self.begin(span, tag.as_deref(), "seq")?;
                self.open.push(Open::List { values: Vec::new(), span, anchor });
                Ok(())
            }
            Event::MappingStart(anchor, tag) => {
                self.begin(span, tag.as_deref(), "map")?;
                self.open.push(Open::Map { entries: Vec::new(), key: None, span, anchor });
                Ok(())
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span),
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::DocumentStart(_) if self.root.is_some() => {
                self.findings.error(span, "", "a second document begins here; a schema is one document", None);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn count(&mut self, span: Span, nodes: usize, text_bytes: usize) -> Result<(), Refusal> {
        self.nodes += nodes;
        self.text_bytes += text_bytes;
        if self.nodes > NODES_MAX {
            return Err(self.findings.malformed(span, format!("the document has more than {NODES_MAX} values")));
        }
        if self.text_bytes > DOCUMENT_BYTES_MAX {
            let message = format!("with its aliases the document has more than {DOCUMENT_BYTES_MAX} bytes");
            return Err(self.findings.malformed(span, message));
        }
        Ok(())
    }

    fn begin(&mut self, span: Span, tag: Option<&Tag>, own: &str) -> Result<(), Refusal> {
        self.count(span, 1, 0)?;
        if self.open.len() >= NESTING_MAX {
            let message = format!("more than {NESTING_MAX} lists and maps are inside each other");
            return Err(self.findings.malformed(span, message));
        }
        if self.awaits_key() {
            return Err(self.findings.malformed(span, "a list or map stands as a key; keys are texts"));
        }
        if let Some(tag) = tag.filter(|tag| !(tag.is_yaml_core_schema() && tag.suffix == own)) {
            self.refuse_tag(tag, span);
        }
        Ok(())
    }

    fn refuse_tag(&mut self, tag: &Tag, span: Span) {
        let help = Some("of tags only `!!str` says something that is used".to_owned());
        self.findings.error(span, "", format!("the tag {} is not known", quoted(&tag.to_string())), help);
    }

    fn end(&mut self, span: Span) -> Result<(), Refusal> {
        let (content, start, anchor) = match self.open.pop() {
            Some(Open::List { values, span, anchor }) => (Content::List(values), span, anchor),
            Some(Open::Map { entries, span, anchor, .. }) => (Content::Map(entries), span, anchor),
            None => return Ok(()),
        };
        let whole = Span { source: self.source, start: start.start, end: span.end.max(start.end) };
        self.place(Node { content, span: whole }, anchor, span)
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Refusal> {
        let Some((node, weight)) = self.anchors.get(&anchor) else {
            let message = "an alias stands inside what it repeats, or repeats a key";
            return Err(self.findings.malformed(span, message));
        };
        let weight = *weight;
        if self.awaits_key() {
            let Some(key) = node.text().map(str::to_owned) else {
                return Err(self.findings.malformed(span, "a list or map stands as a key; keys are texts"));
            };
            self.count(span, 1, key.len())?;
            self.set_key(key, span);
            return Ok(());
        }
        if self.open.len() + weight.depth > NESTING_MAX {
            let message = format!("with this alias more than {NESTING_MAX} lists and maps are inside each other");
            return Err(self.findings.malformed(span, message));
        }
        // Before the copy is made: a copy is what a bomb wants.
        self.count(span, weight.nodes, weight.text_bytes)?;
        let content = self.anchors.get(&anchor).map_or(Content::Null, |(node, _)| node.content.clone());
        self.place(Node { content, span }, 0, span)
    }

    fn awaits_key(&self) -> bool {
        matches!(self.open.last(), Some(Open::Map { key: None, .. }))
    }

    fn set_key(&mut self, text: String, span: Span) {
        if let Some(Open::Map { key, .. }) = self.open.last_mut() {
            *key = Some((text, span));
        }
    }

    /// Puts a finished value where it belongs, and remembers it if an alias may repeat it.
    fn place(&mut self, node: Node, anchor: usize, span: Span) -> Result<(), Refusal> {
        if anchor > 0 {
            let weight = weight(&node);
            // What is remembered is a copy too, so it counts.
            self.count(span, weight.nodes, weight.text_bytes)?;
            self.anchors.insert(anchor, (node.clone(), weight));
        }
        match self.open.last_mut() {
            Some(Open::List { values, .. }) => values.push(node),
            Some(Open::Map { entries, key, .. }) => {
                // A value comes only after its key: `awaits_key` was false.
                if let Some((key, key_span)) = key.take() {
                    entries.push(Entry { key, key_span, value: node });
                }
            }
            None if self.root.is_none() => self.root = Some(node),
            None => {}
        }
        Ok(())
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Content {
        match tag {
            Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => {
                return Content::Text(text.to_owned());
            }
            Some(tag) => self.refuse_tag(tag, span),
            None => {}
        }
        if style != ScalarStyle::Plain {
            return Content::Text(text.to_owned());
        }
        match text {
            "" | "~" | "null" | "Null" | "NULL" => Content::Null,
            "true" | "True" | "TRUE" => Content::Bool(true),
            "false" | "False" | "FALSE" => Content::Bool(false),
            _ if is_number(text) => match number(text.trim_start_matches('+')) {
                Ok(number) => Content::Number(number),
                Err(message) => {
                    let help = Some("put it in quotes to keep it as a text".to_owned());
                    self.findings.error(span, "", message, help);
                    Content::Null
                }
            },
            _ => Content::Text(text.to_owned()),
        }
    }
}

/// Whether the core schema reads a plain scalar as a decimal number. Its other numbers (`0x1F`, `0o17`, `.inf`) are
/// taken as texts: JSON has no form for them, and no key of a schema wants one.
fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|exponent| !exponent.is_empty() && digits(exponent))
}

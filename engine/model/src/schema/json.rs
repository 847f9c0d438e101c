//! Strict JSON (RFC 8259), read with places.
//!
//! `serde_json` keeps the last of duplicate keys and no place for anything, and YAML readers accept as JSON what is
//! none; so this is the grammar once more, in two hundred lines.

use super::finding::{Findings, Refusal, Span, quoted};
use super::limits::NESTING_MAX;
use super::node::{Content, Entry, Node, number};

/// Reads `text`, which is the source number `source` of `findings`.
pub(super) fn read(text: &str, source: usize, findings: &mut Findings<'_>) -> Result<Node, Refusal> {
    // RFC 8259 lets a reader ignore a byte order mark, and editors on Windows write one.
    let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut reader = Reader { text, bytes: text.as_bytes(), at, source, findings };
    reader.skip_space();
    let node = reader.value(0)?;
    reader.skip_space();
    match reader.peek() {
        None => Ok(node),
        Some(_) => Err(reader.fail("something follows the end of the document")),
    }
}

struct Reader<'r, 's> {
    text: &'r str,
    bytes: &'r [u8],
    at: usize,
    source: usize,
    findings: &'r mut Findings<'s>,
}

impl Reader<'_, '_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn span(&self, start: usize) -> Span {
        Span { source: self.source, start, end: self.at }
    }

    fn fail(&self, message: impl Into<String>) -> Refusal {
        let mut end = (self.at + 1).min(self.bytes.len());
        while !self.text.is_char_boundary(end) {
            end += 1;
        }
        let span = Span { source: self.source, start: self.at.min(end), end };
        self.findings.malformed(span, format!("this is not JSON: {}", message.into()))
    }

    fn unexpected(&self, wanted: &str) -> Refusal {
        match self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
            Some(found) => self.fail(format!("{wanted} is expected here, not {}", quoted(&found.to_string()))),
            None => self.fail(format!("{wanted} is expected, and the document ends")),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Node, Refusal> {
        let start = self.at;
        let content = match self.peek() {
            Some(b'{' | b'[') if depth >= NESTING_MAX => {
                return Err(self.fail(format!("more than {NESTING_MAX} lists and maps are inside each other")));
            }
            Some(b'{') => self.map(depth)?,
            Some(b'[') => self.list(depth)?,
            Some(b'"') => Content::Text(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.word("true", Content::Bool(true))?,
            Some(b'f') => self.word("false", Content::Bool(false))?,
            Some(b'n') => self.word("null", Content::Null)?,
            _ => return Err(self.unexpected("a value")),
        };
        Ok(Node { content, span: self.span(start) })
    }

    fn word(&mut self, word: &str, content: Content) -> Result<Content, Refusal> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err(self.unexpected("a value"));
        }
        self.at += word.len();
        Ok(content)
    }

    fn list(&mut self, depth: usize) -> Result<Content, Refusal> {
        self.at += 1;
        let mut values = Vec::new();
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Content::List(values));
        }
        loop {
            self.skip_space();
            values.push(self.value(depth + 1)?);
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(self.unexpected("`,` or `]`")),
            }
        }
        self.at += 1;
        Ok(Content::List(values))
    }

    fn map(&mut self, depth: usize) -> Result<Content, Refusal> {
        self.at += 1;
        let mut entries = Vec::new();
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Content::Map(entries));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("a key in double quotes"));
            }
            let start = self.at;
            let key = self.string()?;
            let key_span = self.span(start);
            self.skip_space();
            if self.peek() != Some(b':') {
                return Err(self.unexpected("`:`"));
            }
            self.at += 1;
            self.skip_space();
            let value = self.value(depth + 1)?;
            entries.push(Entry { key, key_span, value });
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(self.unexpected("`,` or `}`")),
            }
        }
        self.at += 1;
        Ok(Content::Map(entries))
    }

    fn number(&mut self) -> Result<Content, Refusal> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return Err(self.unexpected("a digit")),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.some_digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.some_digits()?;
        }
        match number(&self.text[start..self.at]) {
            Ok(number) => Ok(Content::Number(number)),
            Err(message) => {
                let help = Some("put it in quotes to keep it as a text".to_owned());
                self.findings.error(self.span(start), "", message, help);
                Ok(Content::Null)
            }
        }
    }

    fn digits(&mut self) {
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }

    fn some_digits(&mut self) -> Result<(), Refusal> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.unexpected("a digit"));
        }
        self.digits();
        Ok(())
    }

    /// A string; the reader stands on its opening quote.
    fn string(&mut self) -> Result<String, Refusal> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let run = self.at;
            while !matches!(self.peek(), None | Some(b'"' | b'\\' | 0..=0x1f)) {
                self.at += 1;
            }
            // Both ends are at ASCII characters or at an end of the text, so at boundaries.
            out.push_str(&self.text[run..self.at]);
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => out.push(self.escape()?),
                Some(_) => {
                    return Err(self.fail("a text holds a line break or another control character"));
                }
                None => return Err(self.fail("a text is not closed")),
            }
        }
        self.at += 1;
        Ok(out)
    }

    fn escape(&mut self) -> Result<char, Refusal> {
        self.at += 1;
        let plain = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(),
            _ => return Err(self.unexpected("an escape such as `\\n`")),
        };
        self.at += 1;
        Ok(plain)
    }

    fn unicode_escape(&mut self) -> Result<char, Refusal> {
        let first = self.four_digits()?;
        if !(0xD800..0xE000).contains(&first) {
            return char::from_u32(first).ok_or_else(|| self.fail("an escape names no character"));
        }
        if first < 0xDC00 && self.bytes[self.at..].starts_with(b"\\u") {
            self.at += 1;
            let second = self.four_digits()?;
            if (0xDC00..0xE000).contains(&second) {
                let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                return char::from_u32(code).ok_or_else(|| self.fail("an escape names no character"));
            }
        }
        Err(self.fail("half of a surrogate pair stands alone"))
    }

    /// The four digits after the `u` on which the reader stands.
    fn four_digits(&mut self) -> Result<u32, Refusal> {
        let digits = self.bytes.get(self.at + 1..self.at + 5).unwrap_or_default();
        if digits.len() < 4 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(self.fail("`\\u` needs four hexadecimal digits"));
        }
        self.at += 5;
        // Each digit was checked to be hexadecimal.
        Ok(digits.iter().fold(0, |code, digit| code * 16 + (*digit as char).to_digit(16).unwrap_or(0)))
    }
}

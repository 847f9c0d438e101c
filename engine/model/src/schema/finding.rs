//! What is wrong with a document, where, and what would mend it.
//!
//! A person who writes a schema should mend everything in one go, so findings are collected rather than thrown; each
//! carries its place both for programs (a JSON pointer) and for people (line and column).

use serde::Serialize;

use super::limits::FINDINGS_MAX;
use crate::near::{nearest, shown};

/// One thing to mend, or, among repairs, one thing that was mended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Path of the file within a bundle; `None` for a document that came alone.
    pub file: Option<String>,
    /// JSON pointer (RFC 6901) to the value meant.
    pub pointer: String,
    /// Line, from 1.
    pub line: Option<usize>,
    /// Column, from 1, in characters.
    pub column: Option<usize>,
    /// Range of bytes in the source.
    pub span: Option<(usize, usize)>,
    /// What is wrong, in a sentence without a full stop.
    pub message: String,
    /// What would mend it, where that is known.
    pub help: Option<String>,
}

/// What kind of refusal it is; each has an HTTP status of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// Not a document at all: no UTF-8, no YAML, JSON or zip, or nested too deep to be read (400).
    Malformed,
    /// More bytes than are read (413).
    TooLarge,
    /// A document, and not a schema that can be run (422).
    Invalid,
}

/// Why a document was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{}", self.summary())]
pub struct Refusal {
    /// The kind, which decides the status.
    pub kind: RefusalKind,
    /// Everything found, in the order of the source; at least one.
    pub findings: Vec<Finding>,
}

impl Refusal {
    /// A refusal for one reason that has no place in a file.
    pub(super) fn of(kind: RefusalKind, message: impl Into<String>) -> Self {
        Refusal { kind, findings: vec![Finding::without_place(message)] }
    }

    /// The same for a document that is a file of a bundle.
    pub(super) fn in_file(mut self, file: &str) -> Self {
        self.findings.iter_mut().for_each(|finding| finding.file = Some(file.to_owned()));
        self
    }

    fn summary(&self) -> String {
        let first = self.findings.first().map_or("the document cannot be taken", |finding| finding.message.as_str());
        match self.findings.len() {
            0 | 1 => first.to_owned(),
            2 => format!("{first}, and one problem more"),
            count => format!("{first}, and {} problems more", count - 1),
        }
    }
}

impl Finding {
    pub(super) fn without_place(message: impl Into<String>) -> Self {
        Finding {
            file: None,
            pointer: String::new(),
            line: None,
            column: None,
            span: None,
            message: message.into(),
            help: None,
        }
    }

    /// The finding for a terminal: message, place, the line with what is meant underlined, help.
    ///
    /// `source` is the text that the finding is about and `file` the name that the reader knows it by. Control
    /// characters of the source do not reach the terminal.
    pub fn render(&self, source: &str, file: &str) -> String {
        let mut out = format!("error: {}\n", self.message);
        let (Some(line), Some(column)) = (self.line, self.column) else {
            out.push_str(&format!("  ┌─ {file}{}{}\n", if self.pointer.is_empty() { "" } else { " " }, self.pointer));
            return self.with_help(out);
        };
        out.push_str(&format!("  ┌─ {file}:{line}:{column}\n"));
        if let Some(text) = source.lines().nth(line - 1) {
            let chars: Vec<char> = text.trim_start_matches('\u{feff}').chars().collect();
            let caret = (column - 1).min(chars.len());
            let from = caret.saturating_sub(SHOWN_BEFORE);
            let to = chars.len().min(from + SHOWN_WIDTH);
            let shown: String = chars[from..to].iter().map(|c| if c.is_control() { ' ' } else { *c }).collect();
            let number = line.to_string();
            out.push_str(&format!("{number} │ {shown}\n"));
            let marked = self.marked_chars(source).clamp(1, (to - caret).max(1));
            out.push_str(&format!(
                "{} │ {}{}\n",
                " ".repeat(number.len()),
                " ".repeat(caret - from),
                "^".repeat(marked)
            ));
        }
        self.with_help(out)
    }

    fn marked_chars(&self, source: &str) -> usize {
        let marked = self.span.and_then(|(start, end)| source.get(start..end)).unwrap_or_default();
        marked.lines().next().unwrap_or_default().chars().count()
    }

    fn with_help(&self, mut out: String) -> String {
        if let Some(help) = &self.help {
            out.push_str(&format!("  = help: {help}\n"));
        }
        out
    }
}

/// Characters of a line shown before what is meant, and in all: a minified document is one line of 700 KB.
const SHOWN_BEFORE: usize = 80;
const SHOWN_WIDTH: usize = 120;

/// A range of bytes in one of the sources that [`Findings`] knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub source: usize,
    pub start: usize,
    pub end: usize,
}

struct Source<'s> {
    file: Option<String>,
    text: &'s str,
    line_starts: Vec<usize>,
}

/// The findings so far, and the sources that they are about.
#[derive(Default)]
pub(super) struct Findings<'s> {
    sources: Vec<Source<'s>>,
    errors: Vec<Finding>,
    omitted: usize,
    repairs: Vec<Finding>,
}

impl<'s> Findings<'s> {
    pub fn add_source(&mut self, file: Option<String>, text: &'s str) -> usize {
        let line_starts =
            std::iter::once(0).chain(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i + 1));
        self.sources.push(Source { file, text, line_starts: line_starts.collect() });
        self.sources.len() - 1
    }

    /// Line and column, from 1, of a byte in a source.
    fn position(&self, source: usize, byte: usize) -> (usize, usize) {
        let source = &self.sources[source];
        let line = source.line_starts.partition_point(|start| *start <= byte).max(1);
        let start = source.line_starts[line - 1];
        let before = source.text.get(start..byte).unwrap_or_default();
        (line, before.trim_start_matches('\u{feff}').chars().count() + 1)
    }

    /// A place in words, for a finding that names a second one: "line 3, column 5 of phases/a.json".
    pub fn place(&self, span: Span) -> String {
        let (line, column) = self.position(span.source, span.start);
        match &self.sources[span.source].file {
            Some(file) => format!("line {line}, column {column} of {file}"),
            None => format!("line {line}, column {column}"),
        }
    }

    fn finding(&self, span: Span, pointer: &str, message: String, help: Option<String>) -> Finding {
        let (line, column) = self.position(span.source, span.start);
        Finding {
            file: self.sources[span.source].file.clone(),
            pointer: pointer.to_owned(),
            line: Some(line),
            column: Some(column),
            span: Some((span.start, span.end)),
            message,
            help,
        }
    }

    pub fn error(&mut self, span: Span, pointer: &str, message: impl Into<String>, help: Option<String>) {
        if self.errors.len() < FINDINGS_MAX {
            self.errors.push(self.finding(span, pointer, message.into(), help));
        } else {
            self.omitted += 1;
        }
    }

    pub fn error_without_place(&mut self, message: impl Into<String>) {
        self.errors.push(Finding::without_place(message));
    }

    /// Something that was mended and is told; bounded as errors are.
    pub fn repaired(&mut self, span: Span, pointer: &str, message: impl Into<String>) {
        if self.repairs.len() < FINDINGS_MAX {
            self.repairs.push(self.finding(span, pointer, message.into(), None));
        }
    }

    pub fn repaired_without_place(&mut self, file: &str, message: impl Into<String>) {
        if self.repairs.len() < FINDINGS_MAX {
            self.repairs.push(Finding { file: Some(file.to_owned()), ..Finding::without_place(message) });
        }
    }

    /// Whether no more can be told, so that nothing dear need be computed for it.
    pub fn is_full(&self) -> bool {
        self.errors.len() >= FINDINGS_MAX
    }

    /// The refusal that the errors add up to, or the repairs if there was none.
    pub fn into_result(mut self) -> Result<Vec<Finding>, Refusal> {
        if self.errors.is_empty() {
            return Ok(self.repairs);
        }
        self.errors.sort_by(|a, b| (&a.file, a.span).cmp(&(&b.file, b.span)));
        if self.omitted > 0 {
            let message = format!("{} problems more are not shown", self.omitted);
            self.errors.push(Finding::without_place(message));
        }
        Err(Refusal { kind: RefusalKind::Invalid, findings: self.errors })
    }

    /// A refusal at one place, whatever else was found: the reader could not go on.
    pub fn malformed(&self, span: Span, message: impl Into<String>) -> Refusal {
        Refusal { kind: RefusalKind::Malformed, findings: vec![self.finding(span, "", message.into(), None)] }
    }
}

/// A text of the author as it may stand in a message: one line, no control characters, not long.
pub(super) fn quoted(text: &str) -> String {
    format!("`{}`", shown(text))
}

/// "did you mean …", if something known is near.
pub(super) fn did_you_mean<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(wanted, known).map(|near| format!("did you mean `{near}`?"))
}

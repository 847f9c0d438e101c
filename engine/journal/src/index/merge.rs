//! Going through several parts at once, in the order of the streams; of each stream the newest part has the word.

use std::iter::Peekable;
use std::ops::Bound;
use std::sync::Arc;

use crate::Stream;
use crate::index::heads::Entry;
use crate::index::table::Fault;
use crate::index::{Part, Unread};

type Rows<'a> = Box<dyn Iterator<Item = Result<(Stream, Entry), Fault>> + 'a>;

pub(crate) struct Merge<'a> {
    /// With each part what is left of it; from the oldest to the newest.
    sources: Vec<(&'a Arc<Part>, Peekable<Rows<'a>>)>,
}

impl<'a> Merge<'a> {
    /// The streams of some parts, given from the oldest to the newest, from a bound on.
    pub fn of(parts: &'a [Arc<Part>], from: Bound<Stream>) -> Self {
        Self { sources: parts.iter().map(|part| (part, part.from(from).peekable())).collect() }
    }
}

impl Iterator for Merge<'_> {
    /// A stream and where it ends, or the part that could not be read.
    type Item = Result<(Stream, Entry), Unread>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut least: Option<Stream> = None;
        for (part, rows) in &mut self.sources {
            if let Some(Err(fault)) = rows.next_if(Result::is_err) {
                return Some(Err(Unread { part: Arc::clone(part), fault }));
            }
            if let Some(Ok((stream, _))) = rows.peek() {
                least = Some(least.map_or(*stream, |least| least.min(*stream)));
            }
        }
        let least = least?;
        let mut newest = None;
        for (_, rows) in &mut self.sources {
            if let Some(Ok(row)) = rows.next_if(|row| matches!(row, Ok((stream, _)) if *stream == least)) {
                newest = Some(row);
            }
        }
        newest.map(Ok)
    }
}

//! Parts of a text that know where they stand in it.

/// A part of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'t> {
    pub text: &'t str,
    /// Bytes of the whole text before it.
    pub offset: usize,
}

impl<'t> Part<'t> {
    /// A whole text.
    pub fn whole(text: &'t str) -> Self {
        Part { text, offset: 0 }
    }

    /// Where it ends, in bytes of the whole text.
    pub fn end(self) -> usize {
        self.offset + self.text.len()
    }

    /// Its pieces between ASCII separators, each with its place.
    pub fn split(self, is_separator: fn(u8) -> bool) -> impl Iterator<Item = Part<'t>> {
        let mut offset = self.offset;
        self.text.split(move |c: char| u8::try_from(c).is_ok_and(is_separator)).map(move |text| {
            let part = Part { text, offset };
            // A separator is one byte.
            offset += text.len() + 1;
            part
        })
    }

    /// Its words.
    pub fn split_whitespace(self) -> impl Iterator<Item = Part<'t>> {
        self.split(|byte| byte.is_ascii_whitespace()).filter(|part| !part.text.is_empty())
    }

    /// What stands before and after the first `separator`.
    pub fn split_once(self, separator: char) -> Option<(Part<'t>, Part<'t>)> {
        let (before, after) = self.text.split_once(separator)?;
        let offset = self.offset + before.len() + separator.len_utf8();
        Some((Part { text: before, ..self }, Part { text: after, offset }))
    }

    /// What stands before and from `bytes` on, which must be a boundary between characters.
    pub fn split_at(self, bytes: usize) -> (Part<'t>, Part<'t>) {
        let (before, after) = self.text.split_at(bytes);
        (Part { text: before, ..self }, Part { text: after, offset: self.offset + bytes })
    }
}

//! Which of its languages a text is shown in.

use super::{Language, Text};

/// Languages of an `Accept-Language` that are looked at; browsers send five.
const ACCEPTED_MAX: usize = 32;

impl Text {
    /// The text in the best language there is, and which that is.
    ///
    /// First what the reader wants, in their order (`pt-br` is also content with `pt`, and `pt` with `pt-br`), then
    /// `fallback`, a schema's own languages, of which the first stands in, then English, then whatever there is.
    /// An empty text counts as missing. `None` if there is no text at all.
    pub fn pick(&self, wanted: &[Language], fallback: &[Language]) -> Option<(&str, &str)> {
        let near = wanted.iter().find_map(|language| self.near(&language.to_ascii_lowercase()));
        near.or_else(|| fallback.iter().find_map(|language| self.exactly(language)))
            .or_else(|| self.exactly("en"))
            .or_else(|| self.given().next())
    }

    /// The texts that are not empty, by language.
    fn given(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.0.iter().map(|(language, text)| (language.as_str(), text.as_str()));
        all.filter(|(_, text)| !text.trim().is_empty())
    }

    fn exactly(&self, language: &str) -> Option<(&str, &str)> {
        let (language, text) = self.0.get_key_value(language)?;
        (!text.trim().is_empty()).then_some((language.as_str(), text.as_str()))
    }

    /// As RFC 4647 looks up: the tag itself, then it with ever fewer parts; then a longer tag that begins with it.
    fn near(&self, wanted: &str) -> Option<(&str, &str)> {
        let mut tag = wanted;
        loop {
            if let Some(found) = self.exactly(tag) {
                return Some(found);
            }
            match tag.rsplit_once('-') {
                Some((shorter, _)) => tag = shorter,
                None => break,
            }
        }
        self.given().find(|(language, _)| language.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('-')))
    }
}

/// The languages of an `Accept-Language` header (RFC 9110), the most wanted first, in lower case.
///
/// What is not wanted (`q=0`), not understood, or any (`*`) is left out: it asks for nothing in particular.
pub fn accepted(header: &str) -> Vec<Language> {
    let mut wanted: Vec<(u16, Language)> = Vec::new();
    for part in header.split(',').take(ACCEPTED_MAX) {
        let mut pieces = part.split(';').map(str::trim);
        let Some(language) = pieces.next().and_then(super::fields::language_tag) else {
            continue;
        };
        let quality = pieces.find_map(|piece| piece.strip_prefix("q=").or_else(|| piece.strip_prefix("Q=")));
        let Some(quality) = quality.map_or(Some(1000), thousandths).filter(|quality| *quality > 0) else {
            continue;
        };
        if !wanted.iter().any(|(_, known)| *known == language) {
            wanted.push((quality, language));
        }
    }
    wanted.sort_by_key(|(quality, _)| std::cmp::Reverse(*quality));
    wanted.into_iter().map(|(_, language)| language).collect()
}

/// A weight such as `0.8`, in thousandths.
fn thousandths(weight: &str) -> Option<u16> {
    let weight: f32 = weight.trim().parse().ok()?;
    // The range was checked, so nothing is cut off.
    (0.0..=1.0).contains(&weight).then_some((weight * 1000.0).round() as u16)
}

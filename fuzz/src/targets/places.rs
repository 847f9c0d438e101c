//! Where findings point: into the text that they are about.

use interlink_model::schema::finding::{Finding, Refusal};

/// A refusal says something, and everything in it points into its text. `text_of` gives the text of a file.
pub fn lie_inside<'t>(refusal: &Refusal, text_of: impl Fn(Option<&str>) -> Option<&'t str>) {
    assert!(!refusal.findings.is_empty(), "a refusal gives no reason");
    assert!(!refusal.to_string().is_empty(), "a refusal says nothing");
    refusal.findings.iter().for_each(|finding| lies_inside(finding, &text_of));
}

/// A finding says something, and points into its text.
pub fn lies_inside<'t>(finding: &Finding, text_of: &impl Fn(Option<&str>) -> Option<&'t str>) {
    assert!(!finding.message.is_empty(), "a finding says nothing");
    let Some(text) = text_of(finding.file.as_deref()) else {
        assert!(finding.span.is_none(), "a place in what is no text: {finding:?}");
        return;
    };
    assert!(!finding.render(text, "any").is_empty());
    let Some((start, end)) = finding.span else { return };
    assert!(start <= end && text.get(start..end).is_some(), "no such place: {finding:?}");
    let (Some(line), Some(column)) = (finding.line, finding.column) else { panic!("no line: {finding:?}") };
    place_is(text, start, line, column);
}

/// A byte of a text is in this line and column.
pub fn place_is(text: &str, offset: usize, line: usize, column: usize) {
    let before = text.get(..offset).unwrap_or_else(|| panic!("byte {offset} begins no character"));
    assert_eq!(line, before.matches('\n').count() + 1, "the line of byte {offset}");
    let in_line = before.rsplit('\n').next().unwrap_or_default().trim_start_matches('\u{feff}');
    assert_eq!(column, in_line.chars().count() + 1, "the column of byte {offset}");
}

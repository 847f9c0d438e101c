//! A reader of what comes out, letter by letter, which has nothing of what made it.

use crate::MARKUP_NESTING_MAX;

/// The elements that a reader may meet, written down a second time.
const MAY_BE: &str = "a abbr b br cite code del em i ins mark q s small strong sub sup blockquote dd dl dt h1 h2 h3 h4 h5 h6 hr \
                      li ol p pre table tbody td th thead tr ul";

/// Reads HTML of the plainest form, and says what is wrong with it: tags of known elements with attributes in double quotes,
/// text without brackets, nothing else.
pub fn flaw(html: &str) -> Option<String> {
    let mut rest = html;
    let mut open: Vec<&str> = Vec::new();
    while let Some(at) = rest.find(['<', '>']) {
        if rest[at..].starts_with('>') {
            return Some("a bracket that closes nothing".into());
        }
        let Some(end) = rest[at..].find('>') else { return Some("a bracket that is never closed".into()) };
        let inner = &rest[at + 1..at + end];
        rest = &rest[at + end + 1..];
        if let Some(name) = inner.strip_prefix('/') {
            if open.pop() != Some(name) {
                return Some(format!("</{name}> closes what is not open"));
            }
            continue;
        }
        let (name, attributes) = inner.split_once(' ').unwrap_or((inner, ""));
        if !MAY_BE.split_whitespace().any(|known| known == name) {
            return Some(format!("an element {name:?}"));
        }
        if let Some(wrong) = flaw_of_attributes(name, attributes) {
            return Some(wrong);
        }
        if !matches!(name, "br" | "hr") {
            open.push(name);
            if open.len() > MARKUP_NESTING_MAX {
                return Some(format!("elements inside each other more than {MARKUP_NESTING_MAX} deep"));
            }
        }
    }
    (!open.is_empty()).then(|| format!("{open:?} is never closed"))
}

fn flaw_of_attributes(element: &str, attributes: &str) -> Option<String> {
    let mut rest = attributes.trim_start();
    let mut rel = None;
    let mut leads_away = false;
    while !rest.is_empty() {
        let Some((name, after)) = rest.split_once("=\"") else { return Some(format!("attributes {rest:?}")) };
        let Some((value, after)) = after.split_once('"') else { return Some(format!("attributes {rest:?}")) };
        rest = after.trim_start();
        match (element, name) {
            (_, "dir" | "lang" | "title") | ("ol", "start") => {}
            ("a", "rel") => rel = Some(value),
            ("a", "href") => {
                leads_away = true;
                let known = ["http:", "https:", "mailto:", "tel:"];
                let plain = value.to_ascii_lowercase();
                if !known.iter().any(|scheme| plain.starts_with(scheme)) {
                    return Some(format!("a link to {value:?}"));
                }
            }
            _ => return Some(format!("an attribute {name:?} of {element}")),
        }
    }
    (leads_away && rel != Some("noopener noreferrer nofollow")).then(|| format!("a link with rel {rel:?}"))
}

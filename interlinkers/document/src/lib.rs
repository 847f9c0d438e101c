//! A Markdown document that people write together, section by section.
//!
//! A section is one key, so writing one costs the same however long the document is. Who wrote what when is a key a
//! revision; the texts of earlier revisions are in the server's journal, which shows the document as of any time.

use std::collections::BTreeMap;

use interlink_sdk::prelude::*;

/// How many sections a document has, so that all of it can be shown at once.
const SECTIONS_MAX: u64 = 100;
/// How many bytes the texts of all sections have, for the same reason.
const TEXT_BYTES_MAX: u64 = 512 * 1024;
/// How many revisions one answer lists, unless asked for fewer.
const HISTORY_PAGE: u64 = 50;

/// What a document begins with.
#[derive(Input)]
struct Open {
    /// The title.
    #[schemars(length(min = 1, max = 300))]
    title: String,
    /// The sections that it has from the start, in their order.
    #[serde(default)]
    #[schemars(length(max = 100))]
    sections: Vec<Draft>,
}

/// A section to begin with.
#[derive(Input)]
struct Draft {
    /// Its id: lower-case words with `-` between them.
    #[schemars(length(max = 64), regex(pattern = "^[a-z0-9]+(-[a-z0-9]+)*$"))]
    id: String,
    /// Its heading.
    #[schemars(length(max = 300))]
    heading: String,
    /// Its text, in Markdown.
    #[serde(default)]
    text: String,
}

/// A new text of a section.
#[derive(Input)]
struct Write {
    /// The section's id: lower-case words with `-` between them. One that is not there is added at the end.
    #[schemars(length(max = 64), regex(pattern = "^[a-z0-9]+(-[a-z0-9]+)*$"))]
    section: String,
    /// Its heading; without one, it keeps the one it has.
    #[schemars(length(max = 300))]
    heading: Option<String>,
    /// Its whole text, in Markdown.
    text: String,
    /// The revision of the section that this was written on. If someone has written since, it is refused.
    based_on: Option<u64>,
}

/// Which part of the history to list.
#[derive(Input)]
struct Page {
    /// List what came before this number.
    #[schemars(range(min = 1))]
    before: Option<u64>,
    /// How many revisions to list.
    #[schemars(range(min = 1, max = 50))]
    limit: Option<u64>,
}

/// What is kept of a section.
#[derive(Output)]
struct Section {
    position: u64,
    heading: String,
    text: String,
    revision: u64,
    by: Option<PersonId>,
}

/// A section as it stands.
#[derive(Output)]
struct SectionView {
    id: String,
    heading: String,
    /// Its text.
    text: Markdown,
    /// How often it was written.
    revision: u64,
    /// Who wrote it last; nobody where it is as the document began.
    by: Option<PersonId>,
}

/// The document as it stands.
#[derive(Output)]
struct DocumentView {
    title: String,
    sections: Vec<SectionView>,
}

/// One write.
#[derive(Output)]
struct Revision {
    section: String,
    /// The section's revision that it made.
    revision: u64,
    by: Option<PersonId>,
    at: String,
}

/// What a write made.
#[derive(Output)]
struct Written {
    section: String,
    revision: u64,
    at: String,
}

/// A write with its number in the document.
#[derive(Output)]
struct Entry {
    number: u64,
    section: String,
    revision: u64,
    by: Option<PersonId>,
    at: String,
}

/// Writes, the newest first.
#[derive(Output)]
struct History {
    revisions: Vec<Entry>,
    /// What to ask for as `before` to read on; nothing at the end.
    next_before: Option<u64>,
}

#[derive(State)]
struct Document {
    title: Value<String>,
    sections: Map<String, Section>,
    /// The size of all sections' texts.
    text_bytes: Value<u64>,
    /// Every write, numbered from 1.
    revisions: Map<u64, Revision>,
}

#[interlinker(
    name = "document",
    version = "1.0.0",
    title(en = "Document", es = "Documento", it = "Documento"),
    description(
        en = "A text in sections that people write together, with who wrote what.",
        es = "Un texto por secciones que se escribe entre varias personas, con quién escribió qué.",
        it = "Un testo a sezioni che si scrive insieme, con chi ha scritto cosa."
    ),
    problems("write-together")
)]
impl Document {
    #[instantiate(title(en = "Begin a document", es = "Empezar un documento", it = "Inizia un documento"))]
    fn open(&mut self, cx: &Call, input: Open) -> Result<()> {
        ensure!(!input.title.trim().is_empty(), at "/title", "a document has a title");
        ensure!(
            input.sections.len() as u64 <= SECTIONS_MAX,
            code "too-many-sections", at "/sections", "a document has at most {SECTIONS_MAX} sections"
        );
        self.title.set(input.title)?;
        for (index, Draft { id, heading, text }) in input.sections.into_iter().enumerate() {
            let pointer = format!("/sections/{index}");
            ensure!(is_kebab(&id), at format!("{pointer}/id"), "an id is lower-case words with `-` between them");
            ensure!(!self.sections.contains(&id), at format!("{pointer}/id"), "`{id}` is a section already");
            let write = Write { section: id, heading: Some(heading), text, based_on: None };
            self.keep(cx, write).map_err(|problem| problem.at(pointer))?;
        }
        Ok(())
    }

    #[action(
        title(en = "Write a section", es = "Escribir una sección", it = "Scrivi una sezione"),
        help(
            en = "Replaces the text of a section, or adds the section at the end.",
            es = "Sustituye el texto de una sección o añade la sección al final.",
            it = "Sostituisce il testo di una sezione o aggiunge la sezione in fondo."
        ),
        allow(contributor)
    )]
    fn write(&mut self, cx: &Call, input: Write) -> Result<Written> {
        ensure!(is_kebab(&input.section), at "/section", "an id is lower-case words with `-` between them");
        let revision = self.sections.get(&input.section).map_or(0, |section| section.revision);
        ensure!(
            input.based_on.is_none_or(|based_on| based_on == revision),
            code "changed-meanwhile", at "/based_on",
            "`{}` has revision {revision}: someone has written since", input.section
        );
        ensure!(
            revision > 0 || self.sections.len() < SECTIONS_MAX,
            code "too-many-sections", at "/section", "a document has at most {SECTIONS_MAX} sections"
        );
        self.keep(cx, input).map_err(|problem| problem.at("/text"))
    }

    #[action(
        title(en = "Who wrote what", es = "Quién escribió qué", it = "Chi ha scritto cosa"),
        help(
            en = "Lists the writes, the newest first.",
            es = "Enumera lo escrito, lo más reciente primero.",
            it = "Elenca le scritture, la più recente per prima."
        )
    )]
    fn history(&self, input: Page) -> Result<History> {
        let end = self.revisions.len() + 1;
        let before = input.before.map_or(end, |before| before.clamp(1, end));
        let page = input.limit.unwrap_or(HISTORY_PAGE).min(HISTORY_PAGE);
        let first = before.saturating_sub(page).max(1);
        let writes = self.revisions.iter_after(&(first - 1)).take_while(|(number, _)| *number < before);
        let mut revisions: Vec<Entry> = writes
            .map(|(number, Revision { section, revision, by, at })| Entry { number, section, revision, by, at })
            .collect();
        revisions.reverse();
        Ok(History { revisions, next_before: (first > 1).then_some(first) })
    }

    #[view]
    fn show(&self) -> DocumentView {
        let in_order: BTreeMap<u64, SectionView> = self
            .sections
            .iter()
            .map(|(id, Section { position, heading, text, revision, by })| {
                (position, SectionView { id, heading, text: text.into(), revision, by })
            })
            .collect();
        DocumentView { title: self.title.get(), sections: in_order.into_values().collect() }
    }

    /// Keeps a section's new text as its next revision.
    fn keep(&mut self, cx: &Call, Write { section: id, heading, text, .. }: Write) -> Result<Written> {
        let old = self.sections.get(&id);
        let position = old.as_ref().map_or_else(|| self.sections.len(), |section| section.position);
        let old_bytes = old.as_ref().map_or(0, |section| section.text.len() as u64);
        let text_bytes = self.text_bytes.get() - old_bytes + text.len() as u64;
        ensure!(
            text_bytes <= TEXT_BYTES_MAX,
            code "document-full", "with this, the document has {text_bytes} bytes of text, it holds {TEXT_BYTES_MAX}"
        );
        let revision = old.as_ref().map_or(0, |section| section.revision) + 1;
        let heading = heading.or(old.map(|section| section.heading)).unwrap_or_else(|| id.replace('-', " "));
        let (by, at) = (cx.caller().cloned(), cx.at().to_owned());
        self.text_bytes.set(text_bytes)?;
        self.sections.set(&id, Section { position, heading, text, revision, by: by.clone() })?;
        let number = self.revisions.len() + 1;
        self.revisions.insert(&number, Revision { section: id.clone(), revision, by, at: at.clone() })?;
        Ok(Written { section: id, revision, at })
    }
}

/// Whether a text is lower-case words and numbers with `-` between them.
fn is_kebab(text: &str) -> bool {
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    text.len() <= 64 && text.split('-').all(is_word)
}

#[cfg(test)]
mod tests;

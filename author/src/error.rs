//! Why an Interlinker is not made, in its author's terms.

use std::io;
use std::path::Path;

/// Why an Interlinker is not made, built or tested.
#[derive(Debug, thiserror::Error)]
pub enum AuthorError {
    /// A file or folder could not be read or written.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted.
        what: String,
        /// The reason.
        source: io::Error,
    },
    /// What was asked for cannot be, and what can.
    #[error("{0}")]
    Asked(String),
    /// A program that the language needs is not here, and could not be had.
    #[error("{tool} is not here: {why}")]
    Missing {
        /// The program.
        tool: String,
        /// Why, and how it is had.
        why: String,
    },
    /// The author's code does not do: what a program said of it.
    #[error("{what}\n{said}")]
    Code {
        /// What does not work.
        what: String,
        /// Where, and why.
        said: String,
    },
}

impl AuthorError {
    /// A file or folder could not be read or written.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// A file could not be read.
    pub(crate) fn reading(path: &Path) -> impl FnOnce(io::Error) -> Self {
        Self::io(format!("reading {}", path.display()))
    }

    /// A file could not be written.
    pub(crate) fn writing(path: &Path) -> impl FnOnce(io::Error) -> Self {
        Self::io(format!("writing {}", path.display()))
    }
}

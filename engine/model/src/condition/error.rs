//! Why an expression is not read, or gives no value.

use std::fmt;

use super::limits::{
    COMPREHENSIONS_MAX, COST_MAX, DEPTH_MAX, INPUT_DEPTH_MAX, INPUT_LENGTH_MAX, INPUT_WEIGHT_MAX, NESTING_MAX,
    NODES_MAX, SOURCE_BYTES_MAX, TOKENS_MAX, WEIGHT_MAX,
};

/// A place in an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Bytes before it.
    pub offset: usize,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
}

impl Place {
    /// The place of a byte in a source; the end of it if the byte lies beyond.
    pub(super) fn of(source: &str, offset: usize) -> Place {
        let offset = source.floor_char_boundary(offset);
        let before = &source[..offset];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Place { offset, line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Why an expression is not read, or gives no value. Each message ends with what would help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// More bytes than are read.
    #[error("an expression has at most {SOURCE_BYTES_MAX} bytes, and this has {bytes}; let an Interlinker compute it")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// More words and signs than are read.
    #[error(
        "an expression has at most {TOKENS_MAX} words and signs, and this has {tokens}; let an Interlinker compute it"
    )]
    TooManyTokens {
        /// How many it has.
        tokens: usize,
    },
    /// More nodes than are evaluated.
    #[error("an expression has at most {NODES_MAX} nodes, and this has more; split it over several tasks")]
    TooManyNodes,
    /// Brackets, choices or operators nested deeper than is read.
    #[error(
        "{place}: brackets may be nested {NESTING_MAX} deep, and everything together {DEPTH_MAX}; split the expression"
    )]
    TooDeep {
        /// Where it becomes too deep.
        place: Place,
    },
    /// Not CEL.
    #[error("{place}: {message}")]
    Syntax {
        /// Where it goes wrong.
        place: Place,
        /// What is wrong.
        message: String,
    },
    /// A name that is not known.
    #[error("{place}: `{name}` is not known here; {help}")]
    Variable {
        /// Where it stands.
        place: Place,
        /// The name, shortened to be shown.
        name: String,
        /// What would be right.
        help: String,
    },
    /// A function that is not known, or not offered.
    #[error("{place}: there is no function `{name}`; {help}")]
    Function {
        /// Where it is called.
        place: Place,
        /// Its name, shortened to be shown.
        name: String,
        /// What would be right.
        help: String,
    },
    /// Something of CEL that is not offered.
    #[error("{place}: {what} cannot be used here; {help}")]
    NotOffered {
        /// Where it stands.
        place: Place,
        /// What it is.
        what: &'static str,
        /// What to use.
        help: &'static str,
    },
    /// Lists gone through inside each other, deeper than is evaluated.
    #[error("{place}: lists may be gone through {COMPREHENSIONS_MAX} deep; let a task prepare `data` for this")]
    TooNested {
        /// Where the innermost begins.
        place: Place,
    },
    /// It costs more than is spent on it.
    #[error("{place}: this may cost more than {COST_MAX} steps; go through fewer or shorter lists")]
    TooCostly {
        /// Where the limit is crossed.
        place: Place,
    },
    /// A value within it becomes too large.
    #[error("{place}: this value may grow over {WEIGHT_MAX} parts; build a smaller one")]
    TooLarge {
        /// Where it is made.
        place: Place,
    },
    /// The inputs are no object, or lack something that is named.
    #[error("the value of `{name}` is missing or is not {wanted}")]
    Input {
        /// What is missing.
        name: &'static str,
        /// What it should be.
        wanted: &'static str,
    },
    /// An input is larger than is looked at.
    #[error(
        "`{name}` is too large: lists and maps have at most {INPUT_LENGTH_MAX} entries, {INPUT_DEPTH_MAX} inside each \
         other, and all together {INPUT_WEIGHT_MAX} parts"
    )]
    InputTooLarge {
        /// Which input.
        name: &'static str,
    },
    /// The evaluation failed.
    #[error("{message}; {help}")]
    Failed {
        /// What went wrong, without values of the inputs.
        message: String,
        /// What would help.
        help: &'static str,
    },
    /// A condition gave something else than yes or no.
    #[error("a condition is true or false, and this is {found}; compare it with something")]
    NotABool {
        /// What it gave.
        found: &'static str,
    },
    /// The result cannot be written as JSON.
    #[error("the result has {found} in it, which JSON does not have; {help}")]
    NotJson {
        /// What it has.
        found: &'static str,
        /// What would help.
        help: &'static str,
    },
}

impl ConditionError {
    /// Where in the source to look, if it is about one place.
    pub fn place(&self) -> Option<Place> {
        use ConditionError::*;
        match self {
            TooDeep { place }
            | Syntax { place, .. }
            | Variable { place, .. }
            | Function { place, .. }
            | NotOffered { place, .. }
            | TooNested { place }
            | TooCostly { place }
            | TooLarge { place } => Some(*place),
            TooLong { .. }
            | TooManyTokens { .. }
            | TooManyNodes
            | Input { .. }
            | InputTooLarge { .. }
            | Failed { .. }
            | NotABool { .. }
            | NotJson { .. } => None,
        }
    }
}

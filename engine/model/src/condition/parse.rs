//! From source to a checked expression.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use cel::common::ast::SourceInfo;
use cel::{IdedExpr, ParseError, ParseErrors};

use super::check;
use super::cost::{Excess, Inputs, estimate};
use super::environment::ENVIRONMENT;
use super::error::{ConditionError, Place};
use super::limits::{NESTING_MAX, SOURCE_BYTES_MAX, TOKENS_MAX};
use crate::near::shown;

/// An expression that was checked.
pub(super) struct Parsed {
    pub source: String,
    pub expression: IdedExpr,
    /// Which of the variables it names.
    pub variables: BTreeSet<&'static str>,
    places: SourceInfo,
}

impl Parsed {
    /// What is said of something that crosses a limit.
    pub fn excess(&self, excess: Excess) -> ConditionError {
        let place = |id| place_of(&self.places, &self.source, id);
        match excess {
            Excess::Nested(id) => ConditionError::TooNested { place: place(id) },
            Excess::Cost(id) => ConditionError::TooCostly { place: place(id) },
            Excess::Weight(id) => ConditionError::TooLarge { place: place(id) },
        }
    }
}

/// Where a node stands; what a macro made stands where the macro does.
pub(super) fn place_of(places: &SourceInfo, source: &str, id: u64) -> Place {
    Place::of(source, places.offset_for(id).map_or(0, |(start, _)| start as usize))
}

pub(super) fn parse(source: &str) -> Result<Parsed, ConditionError> {
    if source.len() > SOURCE_BYTES_MAX {
        return Err(ConditionError::TooLong { bytes: source.len() });
    }
    let tokens = tokens(source);
    if tokens > TOKENS_MAX {
        return Err(ConditionError::TooManyTokens { tokens });
    }
    let (mut expression, places) = read(source)?;
    let variables = check::check(&mut expression, &places, source)?;
    let parsed = Parsed { source: source.to_owned(), expression, variables, places };
    estimate(&parsed.expression, Inputs::Assumed).map_err(|excess| parsed.excess(excess))?;
    Ok(parsed)
}

/// Words and signs, in texts and comments too.
fn tokens(source: &str) -> usize {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut in_word = false;
    let begins = |c: char| {
        let goes_on = in_word && is_word(c);
        in_word = is_word(c);
        !goes_on && !c.is_whitespace()
    };
    source.chars().map(begins).filter(|begins| *begins).count()
}

fn read(source: &str) -> Result<(IdedExpr, SourceInfo), ConditionError> {
    let parser = || ENVIRONMENT.parser().max_recursion_depth(NESTING_MAX);
    let read = catch_unwind(AssertUnwindSafe(|| parser().parse_with_source_info(source)));
    match read {
        Ok(Ok(read)) => Ok(read),
        Ok(Err(errors)) => Err(refusal(&errors, source)),
        Err(_) => {
            let message = "this cannot be read; write it in another way".to_owned();
            Err(ConditionError::Syntax { place: Place::of(source, 0), message })
        }
    }
}

/// The first of the parser's errors, in our words.
fn refusal(errors: &ParseErrors, source: &str) -> ConditionError {
    let Some(first) = errors.errors.iter().min_by_key(|error| error.pos) else {
        let message = "this is no CEL expression".to_owned();
        return ConditionError::Syntax { place: Place::of(source, 0), message };
    };
    let deep = errors.errors.iter().find(|error| error.msg.contains("Recursion limit"));
    if let Some(deep) = deep {
        return ConditionError::TooDeep { place: Place::of(source, offset(deep, source)) };
    }
    let place = Place::of(source, offset(first, source));
    ConditionError::Syntax { place, message: message(&first.msg, &source[place.offset..]) }
}

/// Bytes before a line and column of the parser, which count from 1.
fn offset(error: &ParseError, source: &str) -> usize {
    let (line, column) = (error.pos.0.max(1) as usize, error.pos.1.max(1) as usize);
    let line_start: usize = source.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let in_line = source[line_start..].char_indices().nth(column - 1).map_or(source.len(), |(at, _)| line_start + at);
    in_line.min(source.len())
}

/// What the parser says, without its names for what it expected.
fn message(said: &str, rest: &str) -> String {
    let word: String = rest.chars().take_while(|c| !c.is_whitespace()).collect();
    let Some(syntax) = said.strip_prefix("Syntax error: ") else {
        return match said.split_once(':').map_or(said, |(said, _)| said).trim() {
            said if said.starts_with("Incomplete") => "a choice needs both `?` and `:`, as in `a ? b : c`".to_owned(),
            said => format!("{}; see the CEL language definition", shown(said)),
        };
    };
    if syntax.starts_with("token recognition") && rest.starts_with(['"', '\'']) {
        return "this text does not end, or has an escape that is not known; close it, or write `\\\\` for `\\`"
            .to_owned();
    }
    match word.as_str() {
        "" => "the expression ends too early; write what is missing".to_owned(),
        "&" | "|" | "=" => format!("`{word}` is no operator; write `{word}{word}`"),
        word => format!("`{}` is not expected here; an operator may be missing before it", shown(word)),
    }
}

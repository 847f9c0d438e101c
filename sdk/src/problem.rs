//! Why an Interlinker refuses.
//!
//! One type for every refusal, with a code for programs and a sentence for people, because the world's `problem` is
//! frozen and an author should not have to map an enum of their own to it. A refusal rolls back whatever the call
//! changed; a panic does too, but counts as a failure of the Interlinker rather than as its answer.

use std::fmt;

use serde::Serialize;
use serde_json::Value as Json;

/// The code of a [`Problem`] whose author gave none.
pub const DEFAULT_CODE: &str = "refused";

/// The longest code of a [`Problem`], in bytes.
pub const CODE_BYTES_MAX: usize = 64;

/// Whether a text can be the code of a [`Problem`]: lower-case letters, digits, and single `-` between them. A server makes
/// `refused` of one that is none.
#[must_use]
pub const fn is_code(code: &str) -> bool {
    let bytes = code.as_bytes();
    let (mut at, mut may_end) = (0, false);
    while at < bytes.len() {
        may_end = match bytes[at] {
            b'a'..=b'z' | b'0'..=b'9' => true,
            b'-' if may_end => false,
            _ => return false,
        };
        at += 1;
    }
    may_end && bytes.len() <= CODE_BYTES_MAX
}

/// What an Interlinker's methods return: a value, or why not.
pub type Result<T, E = Problem> = std::result::Result<T, E>;

/// A refusal: what is wrong, where in the input, and with which facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// A slug for programs, such as `already-voted`.
    pub code: String,
    /// A sentence for people that says what would satisfy the Interlinker.
    pub detail: String,
    /// A JSON pointer (RFC 6901) into the input.
    pub pointer: Option<String>,
    /// The facts, for programs.
    pub data: Option<Json>,
}

impl Problem {
    /// A problem with a code and a sentence.
    pub fn new(code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { code: code.into(), detail: detail.into(), pointer: None, data: None }
    }

    /// Points at the part of the input that is wrong.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>) -> Self {
        self.pointer = Some(pointer.into());
        self
    }

    /// Gives it another code.
    #[must_use]
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.code = code.into();
        self
    }

    /// Adds facts for programs. A value that JSON cannot hold is left out.
    #[must_use]
    pub fn with(mut self, data: impl Serialize) -> Self {
        self.data = serde_json::to_value(data).ok();
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)?;
        match &self.pointer {
            Some(pointer) => write!(f, " (at {pointer})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}

/// Refuses unless a condition holds.
///
/// ```
/// # use interlink_sdk::prelude::*;
/// # fn check(options: &[String], voted: bool) -> Result<()> {
/// ensure!(!voted, "this poll is closed");
/// ensure!(options.len() >= 2, at "/options", "a poll needs two options or more, not {}", options.len());
/// ensure!(!voted, code "already-voted", "you have voted already");
/// ensure!(!voted, code "already-voted", at "/option", "you have voted already");
/// # Ok(())
/// # }
/// ```
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $($rest:tt)+) => {
        if !$condition {
            $crate::refuse!($($rest)+);
        }
    };
}

/// Refuses: returns a [`Problem`](crate::Problem) from the method. Takes what [`ensure!`](crate::ensure) takes after its condition.
/// A code that is written out, and is none, is not compiled.
#[macro_export]
macro_rules! refuse {
    (code $code:literal, at $pointer:expr, $($message:tt)+) => {{
        $crate::__check_code!($code);
        return ::std::result::Result::Err($crate::Problem::new($code, ::std::format!($($message)+)).at($pointer))
    }};
    (at $pointer:expr, code $code:literal, $($message:tt)+) => {
        $crate::refuse!(code $code, at $pointer, $($message)+)
    };
    (code $code:literal, $($message:tt)+) => {{
        $crate::__check_code!($code);
        return ::std::result::Result::Err($crate::Problem::new($code, ::std::format!($($message)+)))
    }};
    (code $code:expr, at $pointer:expr, $($message:tt)+) => {
        return ::std::result::Result::Err($crate::Problem::new($code, ::std::format!($($message)+)).at($pointer))
    };
    (at $pointer:expr, code $code:expr, $($message:tt)+) => {
        $crate::refuse!(code $code, at $pointer, $($message)+)
    };
    (code $code:expr, $($message:tt)+) => {
        return ::std::result::Result::Err($crate::Problem::new($code, ::std::format!($($message)+)))
    };
    (at $pointer:expr, $($message:tt)+) => {
        $crate::refuse!(code $crate::problem::DEFAULT_CODE, at $pointer, $($message)+)
    };
    ($($message:tt)+) => {
        $crate::refuse!(code $crate::problem::DEFAULT_CODE, $($message)+)
    };
}

/// Fails to compile for a code that is none.
#[doc(hidden)]
#[macro_export]
macro_rules! __check_code {
    ($code:literal) => {
        const _: () = ::std::assert!(
            $crate::problem::is_code($code),
            "a code is lower-case letters, digits and `-` between them, as in `already-voted`, at most 64 bytes"
        );
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_lower_case_letters_and_digits_with_hyphens_between_them() {
        let longest = "a".repeat(CODE_BYTES_MAX);
        for code in ["full", "already-voted", "404", "a-1-b", DEFAULT_CODE, &longest] {
            assert!(is_code(code), "{code:?}");
        }
        for code in ["", "-", "a-", "-a", "a--b", "Full", "is full", "is_full", "caf\u{e9}", &format!("{longest}a")] {
            assert!(!is_code(code), "{code:?}");
        }
    }
}

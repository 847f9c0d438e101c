//! From text to moment.

use jiff::civil::{Date, Time};

use super::{Anchor, Kind, MOMENT_BYTES_MAX, Moment, MomentError, Side};
use crate::near::{nearest, shown};
use crate::schema::limits::ID_BYTES_MAX;
use crate::time::part::Part;
use crate::time::span::Span;

const EXAMPLES: &str = "write a moment such as `2 weeks after start` or `2027-05-01 09:00`";

pub(super) fn moment(text: &str) -> Result<Moment, MomentError> {
    if text.len() > MOMENT_BYTES_MAX {
        return Err(MomentError::TooLong { bytes: text.len() });
    }
    let words: Vec<Part> = Part::whole(text).split_whitespace().collect();
    let kind = match words.as_slice() {
        [] => return Err(MomentError::Unexpected { offset: 0, found: String::new(), help: EXAMPLES.to_owned() }),
        [first, rest @ ..] if looks_like_date(first.text) => on(*first, rest)?,
        [first, rest @ ..] => match reserved(first.text) {
            Some(anchor) => Kind::From { anchor, distance: None, hour: at_hour(rest)? },
            None => from(Part::whole(text), &words)?,
        },
    };
    Ok(Moment(kind))
}

fn looks_like_date(word: &str) -> bool {
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    digits > 0 && word[digits..].starts_with('-')
}

fn reserved(word: &str) -> Option<Anchor> {
    match word {
        "start" => Some(Anchor::Start),
        "ready" => Some(Anchor::Ready),
        "due" => Some(Anchor::Due),
        _ => None,
    }
}

/// A day, and an hour behind a `T`, a space, or an `at`.
fn on(first: Part, rest: &[Part]) -> Result<Kind, MomentError> {
    if let Some((day, time)) = first.split_once('T') {
        nothing_more(rest)?;
        return Ok(Kind::On(date(day)?, Some(hour(time)?)));
    }
    let date = date(first)?;
    match rest {
        [time, rest @ ..] if time.text != "at" => {
            nothing_more(rest)?;
            Ok(Kind::On(date, Some(hour(*time)?)))
        }
        _ => Ok(Kind::On(date, at_hour(rest)?)),
    }
}

/// A span, its side, an anchor, and perhaps an hour.
fn from(whole: Part, words: &[Part]) -> Result<Kind, MomentError> {
    let Some(place) = words.iter().position(|word| matches!(word.text, "after" | "before")) else {
        return Err(without_side(words));
    };
    let side_word = words[place];
    let (span, _) = whole.split_at(side_word.offset);
    let span = Span::read(span)?;
    let [anchor_word, rest @ ..] = &words[place + 1..] else {
        let help = format!(
            "did you mean `{span} {} {}`?",
            side_word.text,
            if side_word.text == "after" { "start" } else { "due" }
        );
        return Err(MomentError::Unexpected { offset: whole.end(), found: String::new(), help });
    };
    let anchor = anchor(*anchor_word)?;
    let side = if side_word.text == "after" { Side::After } else { Side::Before };
    if side == Side::Before && matches!(anchor, Anchor::Ready | Anchor::Item(_)) {
        return Err(MomentError::Unforeseen { offset: side_word.offset, anchor: anchor.to_string() });
    }
    Ok(Kind::From { anchor, distance: Some((side, span)), hour: at_hour(rest)? })
}

fn anchor(word: Part) -> Result<Anchor, MomentError> {
    if let Some(anchor) = reserved(word.text) {
        return Ok(anchor);
    }
    let letters = word.text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b));
    if !letters || word.text.starts_with(['-', '_', '.']) || word.text.len() > ID_BYTES_MAX {
        return Err(MomentError::Id { offset: word.offset, found: shown(word.text) });
    }
    Ok(Anchor::Item(word.text.to_owned()))
}

/// What is said where neither `after` nor `before` is written: the longest span at the beginning, and what it lacks.
fn without_side(words: &[Part]) -> MomentError {
    let read = |count: usize| {
        let text: Vec<&str> = words[..count].iter().map(|word| word.text).collect();
        Span::parse(&text.join(" ")).ok().map(|span| (span, count))
    };
    let Some((span, count)) = (1..=words.len()).rev().find_map(read) else {
        let help = match nearest(words[0].text, ["start", "ready", "due"]) {
            Some(near) => format!("did you mean `{near}`?"),
            None => EXAMPLES.to_owned(),
        };
        return MomentError::Unexpected { offset: words[0].offset, found: shown(words[0].text), help };
    };
    let found = words.get(count);
    let side = found.and_then(|word| nearest(word.text, ["after", "before"])).unwrap_or("after");
    let anchor = match words.get(count + 1).map(|word| anchor(*word)) {
        Some(Ok(anchor)) => anchor.to_string(),
        _ if side == "after" => "start".to_owned(),
        _ => "due".to_owned(),
    };
    MomentError::Unexpected {
        offset: found.map_or(words[count - 1].end(), |word| word.offset),
        found: found.map_or(String::new(), |word| shown(word.text)),
        help: format!("did you mean `{span} {side} {anchor}`?"),
    }
}

/// ` at 09:00`, or nothing.
fn at_hour(rest: &[Part]) -> Result<Option<Time>, MomentError> {
    match rest {
        [] => Ok(None),
        [at, time, rest @ ..] if at.text == "at" => {
            nothing_more(rest)?;
            Ok(Some(hour(*time)?))
        }
        [at] if at.text == "at" => {
            let help = "write an hour, as in `at 09:00`".to_owned();
            Err(MomentError::Unexpected { offset: at.end(), found: String::new(), help })
        }
        [other, ..] => Err(too_much(*other)),
    }
}

fn nothing_more(rest: &[Part]) -> Result<(), MomentError> {
    rest.first().map_or(Ok(()), |word| Err(too_much(*word)))
}

fn too_much(word: Part) -> MomentError {
    let help = "only an hour may follow, as in `at 09:00`".to_owned();
    MomentError::Unexpected { offset: word.offset, found: shown(word.text), help }
}

fn date(part: Part) -> Result<Date, MomentError> {
    let read = || {
        let [year, month, day] = numbers(part.text, '-', [4, 2, 2])?;
        Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
    };
    read().ok_or_else(|| MomentError::Date { offset: part.offset, found: shown(part.text) })
}

fn hour(part: Part) -> Result<Time, MomentError> {
    let read = || {
        let [hour, minute] = numbers(part.text, ':', [2, 2])?;
        Time::new(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, 0, 0).ok()
    };
    read().ok_or_else(|| MomentError::Hour { offset: part.offset, found: shown(part.text) })
}

/// Numbers between separators, each of so many digits.
fn numbers<const COUNT: usize>(text: &str, separator: char, digits: [usize; COUNT]) -> Option<[i16; COUNT]> {
    let mut numbers = [0; COUNT];
    let mut pieces = text.split(separator);
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let piece = pieces.next().filter(|piece| piece.len() == digits && piece.bytes().all(|b| b.is_ascii_digit()))?;
        *number = piece.parse().ok()?;
    }
    pieces.next().is_none().then_some(numbers)
}

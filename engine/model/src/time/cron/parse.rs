//! From text to fields.

use super::error::{CronError, FieldProblem};
use super::fields::{CronField, Fields, Set};
use crate::near::{nearest, shown};
use crate::time::cron::CRON_BYTES_MAX;
use crate::time::part::Part;

/// Names of schedules, and the five fields that they stand for.
const NAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

pub(super) fn fields(text: &str) -> Result<Fields, CronError> {
    if text.len() > CRON_BYTES_MAX {
        return Err(CronError::TooLong { bytes: text.len() });
    }
    let parts: Vec<Part> = Part::whole(text).split_whitespace().collect();
    match parts.as_slice() {
        [name] if name.text.starts_with('@') => named(*name),
        [_, _, _, _, _] => written(&parts, &CronField::ALL[1..]),
        [_, _, _, _, _, _] => written(&parts, &CronField::ALL),
        _ => Err(CronError::FieldCount {
            found: parts.len(),
            offset: parts.get(6).map_or(text.trim_end().len(), |part| part.offset),
        }),
    }
}

fn named(name: Part) -> Result<Fields, CronError> {
    if let Some((_, meant)) = NAMES.iter().find(|(known, _)| *known == name.text) {
        return fields(meant);
    }
    let help = match nearest(name.text, NAMES.iter().map(|(known, _)| *known)) {
        _ if name.text == "@reboot" => "a process outlives restarts, so nothing can run at one".to_owned(),
        Some(near) => format!("did you mean `{near}`?"),
        None => "write one of @yearly, @monthly, @weekly, @daily and @hourly".to_owned(),
    };
    Err(CronError::Name { name: shown(name.text), offset: name.offset, help })
}

/// One field's values, and whether it leaves its unit free.
#[derive(Clone, Copy, Default)]
struct Parsed {
    set: Set,
    star: bool,
}

fn written(parts: &[Part], kinds: &[CronField]) -> Result<Fields, CronError> {
    let with_seconds = kinds.len() == CronField::ALL.len();
    let mut parsed = [Parsed::default(); 6];
    // What is not written is second 0.
    parsed[0].set.insert(0);
    let skipped = CronField::ALL.len() - kinds.len();
    if with_seconds {
        parsed[0] = Parsed::default();
    }
    for ((part, kind), slot) in parts.iter().zip(kinds).zip(&mut parsed[skipped..]) {
        *slot = field(*part, *kind, with_seconds)?;
    }
    let [seconds, minutes, hours, days, months, weekdays] = parsed;
    Ok(Fields {
        seconds: seconds.set,
        minutes: minutes.set,
        hours: hours.set,
        days: days.set,
        months: months.set,
        weekdays: weekdays.set,
        either_day: !days.star && !weekdays.star,
        interval: minutes.star || hours.star,
    })
}

fn field(part: Part, kind: CronField, with_seconds: bool) -> Result<Parsed, CronError> {
    let reader = Reader { kind, with_seconds };
    let mut parsed = Parsed { set: Set::default(), star: part.text.starts_with(['*', '?']) };
    for item in part.split(|byte| byte == b',') {
        reader.item(item, &mut parsed.set)?;
    }
    Ok(parsed)
}

/// Reads the items of one field.
struct Reader {
    kind: CronField,
    with_seconds: bool,
}

impl Reader {
    /// An item: a value, a range, or `*`, with a step or without.
    fn item(&self, item: Part, set: &mut Set) -> Result<(), CronError> {
        let (base, step) = match item.split_once('/') {
            Some((base, step)) => (base, Some(self.step(step)?)),
            None => (item, None),
        };
        let (first, last) = self.base(base, step.is_some())?;
        for value in (first..=last).step_by(step.unwrap_or(1)) {
            // Sunday may be written as 7.
            set.insert(if self.kind == CronField::DayOfWeek { value % 7 } else { value });
        }
        Ok(())
    }

    /// First and last value of what a step may stand behind; a lone value with a step goes on to the end.
    fn base(&self, base: Part, has_step: bool) -> Result<(u32, u32), CronError> {
        if base.text == "*" || base.text == "?" {
            return self.free(base);
        }
        let Some((first, last)) = base.split_once('-') else {
            let value = self.value(base)?;
            return Ok((value, if has_step { self.kind.last().max(value) } else { value }));
        };
        let (first, mut last) = (self.value(first)?, self.value(last)?);
        // `FRI-SUN` ends with the week's last day, by whichever number.
        if self.kind == CronField::DayOfWeek && last == 0 && first > 0 {
            last = 7;
        }
        if first <= last { Ok((first, last)) } else { Err(self.backwards(base, first, last)) }
    }

    fn free(&self, base: Part) -> Result<(u32, u32), CronError> {
        let may_be_asked = self.with_seconds && matches!(self.kind, CronField::DayOfMonth | CronField::DayOfWeek);
        if base.text == "?" && !may_be_asked {
            return Err(self.error(base, FieldProblem::QuestionMark));
        }
        Ok((self.kind.range().0, self.kind.last()))
    }

    fn value(&self, part: Part) -> Result<u32, CronError> {
        let (min, max) = self.kind.range();
        if part.text.is_empty() {
            return Err(self.error(part, FieldProblem::Empty { min }));
        }
        if let Some(place) = self.kind.names().iter().position(|name| is_name(part.text, name)) {
            return Ok(min + place as u32);
        }
        let Some(value) = number(part.text) else {
            let problem = FieldProblem::NotAValue { text: shown(part.text), help: self.help(part.text) };
            return Err(self.error(part, problem));
        };
        if !(min..=max).contains(&value) {
            return Err(self.error(part, FieldProblem::OutOfRange { value, min, max }));
        }
        if self.kind == CronField::DayOfWeek && self.with_seconds {
            let name = &CronField::DayOfWeek.names()[value as usize % 7][..3];
            let help = format!("`{name}` for what is {value} in schedules of five fields");
            return Err(self.error(part, FieldProblem::NumericWeekday { help }));
        }
        Ok(value)
    }

    fn step(&self, part: Part) -> Result<usize, CronError> {
        let (_, max) = self.kind.range();
        match number(part.text) {
            Some(step) if (1..=max).contains(&step) => Ok(step as usize),
            _ => Err(self.error(part, FieldProblem::Step { text: shown(part.text), max })),
        }
    }

    fn backwards(&self, base: Part, first: u32, last: u32) -> CronError {
        let (min, max) = self.kind.range();
        let text = shown(base.text);
        self.error(
            base,
            match self.kind {
                CronField::DayOfWeek => FieldProblem::BackwardsWeek { text },
                _ => FieldProblem::Backwards { text, first, last, min, max },
            },
        )
    }

    fn help(&self, text: &str) -> String {
        let (min, max) = self.kind.range();
        let names = self.kind.names();
        let upper = text.to_ascii_uppercase();
        let near = nearest(&upper, names.iter().flat_map(|name| [&name[..3], *name]));
        match (near, names.first(), names.last()) {
            (Some(near), _, _) => format!("did you mean `{near}`?"),
            (None, Some(first), Some(last)) if self.kind == CronField::DayOfWeek && self.with_seconds => {
                format!("write a name from {} to {}", &first[..3], &last[..3])
            }
            (None, Some(first), Some(last)) => {
                format!("write a number from {min} to {max}, or a name from {} to {}", &first[..3], &last[..3])
            }
            _ => format!("write a number from {min} to {max}, `*`, a range such as `{min}-{}` or a step", min + 2),
        }
    }

    fn error(&self, part: Part, problem: FieldProblem) -> CronError {
        CronError::Field { field: self.kind, offset: part.offset, problem }
    }
}

/// A name is written whole or by its first three letters, in whichever case.
fn is_name(text: &str, name: &str) -> bool {
    text.eq_ignore_ascii_case(name) || text.eq_ignore_ascii_case(&name[..3])
}

fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

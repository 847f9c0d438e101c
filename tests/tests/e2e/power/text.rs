//! One line of strace, taken apart.

use std::path::PathBuf;

/// A call: its name, what it was given, what it answered.
pub struct Arguments<'t> {
    pub name: &'t str,
    pub result: i64,
    /// The descriptor that it was given first, and what that stands for.
    pub descriptor: Option<(i64, PathBuf)>,
    /// Directories that it was given, and the one that it works in.
    pub directories: Vec<PathBuf>,
    /// Texts in quotes, as they are.
    pub texts: Vec<Vec<u8>>,
    /// Numbers, in their order.
    pub numbers: Vec<i64>,
    /// What was opened.
    pub opened: Option<PathBuf>,
    flags: Vec<&'t str>,
}

/// The time with which a line begins, in seconds with six digits, in microseconds.
pub fn micros(text: &[u8]) -> i64 {
    text.iter().filter(|byte| byte.is_ascii_digit()).fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'))
}

/// The bytes of a text as C writes it, without its quotes.
pub fn quoted(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        if text[at] != b'\\' {
            bytes.push(text[at]);
            at += 1;
            continue;
        }
        let digits = text[at + 1..].iter().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
        let octal = text[at + 1..at + 1 + digits].iter().fold(0_u32, |sum, digit| sum * 8 + u32::from(digit - b'0'));
        let escaped = text.get(at + 1).copied().unwrap_or_default();
        bytes.push(match escaped {
            // No more than 0o377.
            _ if digits > 0 => octal as u8,
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'v' => 0x0b,
            b'f' => 0x0c,
            other => other,
        });
        at += 1 + digits.max(1);
    }
    bytes
}

impl<'t> Arguments<'t> {
    /// Takes a line apart; nothing where it is no call that was answered.
    pub fn of(line: &'t [u8]) -> Option<Self> {
        let bracket = line.iter().position(|byte| *byte == b'(')?;
        let name = std::str::from_utf8(&line[..bracket]).ok()?;
        let mut call = Self {
            name,
            result: 0,
            descriptor: None,
            directories: Vec::new(),
            texts: Vec::new(),
            numbers: Vec::new(),
            opened: None,
            flags: Vec::new(),
        };
        let mut rest = &line[bracket + 1..];
        while !rest.starts_with(b")") {
            rest = call.take(rest)?;
        }
        let answer = rest.get(1..)?.trim_ascii_start().strip_prefix(b"= ")?;
        let (number, behind) = number(answer)?;
        call.result = number;
        call.opened = path(behind).map(|(path, _)| path);
        Some(call)
    }

    /// Takes one piece; gives what is behind it.
    fn take(&mut self, rest: &'t [u8]) -> Option<&'t [u8]> {
        match rest.first()? {
            b'"' => {
                let end = end_of_text(&rest[1..])?;
                self.texts.push(quoted(&rest[1..=end]));
                Some(&rest[end + 2..])
            }
            b'-' | b'0'..=b'9' => {
                let (number, behind) = number(rest)?;
                match path(behind) {
                    Some((path, behind)) => {
                        self.directories.push(path.clone());
                        self.descriptor.get_or_insert((number, path));
                        Some(behind)
                    }
                    None => {
                        self.numbers.push(number);
                        Some(behind)
                    }
                }
            }
            b'A'..=b'Z' | b'a'..=b'z' | b'_' => {
                let end = rest.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_')?;
                self.flags.push(std::str::from_utf8(&rest[..end]).ok()?);
                match path(&rest[end..]) {
                    Some((path, behind)) => {
                        self.directories.push(path);
                        Some(behind)
                    }
                    None => Some(&rest[end..]),
                }
            }
            _ => Some(&rest[1..]),
        }
    }

    /// Whether a word is among what it was given.
    pub fn says(&self, flag: &str) -> bool {
        self.flags.contains(&flag)
    }

    /// The bytes that it was given, as far as they were taken.
    pub fn data(&self, taken: usize) -> Vec<u8> {
        let mut bytes = self.texts.concat();
        bytes.truncate(taken);
        bytes
    }
}

/// Where a text ends whose opening quote has been taken.
fn end_of_text(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match text.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn number(text: &[u8]) -> Option<(i64, &[u8])> {
    let end = text.iter().skip(1).position(|byte| !byte.is_ascii_digit()).map_or(text.len(), |end| end + 1);
    Some((std::str::from_utf8(&text[..end]).ok()?.parse().ok()?, &text[end..]))
}

/// A path between angle brackets. None here has one in it.
fn path(text: &[u8]) -> Option<(PathBuf, &[u8])> {
    let inside = text.strip_prefix(b"<")?;
    let end = inside.iter().position(|byte| *byte == b'>')?;
    Some((PathBuf::from(String::from_utf8_lossy(&inside[..end]).into_owned()), &inside[end + 1..]))
}

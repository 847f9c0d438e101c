//! How large a value can be at most, without having it.

use serde_json::Value;

use super::limits::{INPUT_DEPTH_MAX, INPUT_LENGTH_MAX, INPUT_WEIGHT_MAX, LENGTH_ASSUMED, WEIGHTS_ASSUMED};

/// The most that the values at one depth of a value can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Level {
    /// Nodes, with all that is inside.
    weight: u64,
    /// Entries of a list or map.
    length: u64,
}

/// What a number, `true` or `null` is.
const SMALLEST: Level = Level { weight: 1, length: 0 };

impl Level {
    fn larger(self, other: Level) -> Level {
        Level { weight: self.weight.max(other.weight), length: self.length.max(other.length) }
    }
}

/// How large a value can be, what is inside it, what is inside that, and so on; deeper than it says is the smallest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bound(Vec<Level>);

impl Bound {
    /// A number, `true` or `null`.
    pub fn small() -> Bound {
        Bound(vec![SMALLEST])
    }

    /// A text of so many bytes, which may be as many nodes as it has.
    pub fn text(bytes: usize) -> Bound {
        Bound::of_weight(text_weight(bytes))
    }

    /// Something without parts, of so many nodes.
    pub fn of_weight(weight: u64) -> Bound {
        Bound(vec![Level { weight, length: 0 }])
    }

    /// What an input is taken to be when nothing is known of it.
    pub fn assumed() -> Bound {
        let last = WEIGHTS_ASSUMED.len() - 1;
        let weight = |depth: usize| WEIGHTS_ASSUMED[depth.min(last)];
        Bound((0..INPUT_DEPTH_MAX).map(|depth| Level { weight: weight(depth), length: LENGTH_ASSUMED }).collect())
    }

    /// What a value is.
    pub fn of_json(value: &Value) -> Bound {
        let mut levels = Vec::new();
        measure(value, 0, &mut levels);
        Bound(levels)
    }

    /// Whether it is an input that is looked at.
    pub fn is_within_limits(&self) -> bool {
        let longest = self.0.iter().map(|level| level.length).max().unwrap_or(0);
        // The innermost level is that of values which are neither list nor map.
        self.0.len() <= INPUT_DEPTH_MAX + 1 && longest <= INPUT_LENGTH_MAX as u64 && self.weight() <= INPUT_WEIGHT_MAX
    }

    /// Nodes, with all that is inside.
    pub fn weight(&self) -> u64 {
        self.level(0).weight
    }

    /// Entries of it.
    pub fn length(&self) -> u64 {
        self.level(0).length
    }

    fn level(&self, depth: usize) -> Level {
        self.0.get(depth).copied().unwrap_or(SMALLEST)
    }

    /// Any of its entries, or keys.
    pub fn inside(&self) -> Bound {
        Bound(self.0.get(1..).unwrap_or_default().to_vec())
    }

    /// One or the other.
    pub fn or(&self, other: &Bound) -> Bound {
        let depth = self.0.len().max(other.0.len());
        Bound((0..depth).map(|depth| self.level(depth).larger(other.level(depth))).collect())
    }

    /// Both, one behind the other: texts or lists.
    pub fn and(&self, other: &Bound) -> Bound {
        let mut both = self.or(other);
        both.set_outer(Level {
            weight: self.weight().saturating_add(other.weight()),
            length: self.length().saturating_add(other.length()),
        });
        both
    }

    /// A list of these, or a map of these keys and values.
    pub fn list(entries: &[Bound]) -> Bound {
        let inside = entries.iter().fold(Bound(Vec::new()), |inside, entry| inside.or(entry));
        let weight = entries.iter().fold(1, |sum: u64, entry| sum.saturating_add(entry.weight()));
        let outer = Level { weight, length: entries.len() as u64 };
        Bound([vec![outer], inside.0].concat())
    }

    /// A list to which this, an empty list and behind it a list of one entry, is added so many times.
    pub fn times(mut self, count: u64) -> Bound {
        const EMPTY_LISTS: u64 = 2;
        let outer = self.level(0);
        let entry = outer.weight.saturating_sub(EMPTY_LISTS);
        self.set_outer(Level {
            weight: entry.saturating_mul(count).saturating_add(1),
            length: outer.length.saturating_mul(count),
        });
        self
    }

    fn set_outer(&mut self, level: Level) {
        match self.0.first_mut() {
            Some(outer) => *outer = level,
            None => self.0.push(level),
        }
    }
}

/// A text's nodes: one for every 32 bytes begun.
fn text_weight(bytes: usize) -> u64 {
    const NODE_BYTES: usize = 32;
    (bytes / NODE_BYTES + 1) as u64
}

/// Puts a value into the levels from `depth` on, and says what it weighs. What is deeper than an input may be is
/// counted as a level and not looked into.
fn measure(value: &Value, depth: usize, levels: &mut Vec<Level>) -> u64 {
    if levels.len() == depth {
        levels.push(SMALLEST);
    }
    if depth > INPUT_DEPTH_MAX + 1 {
        return SMALLEST.weight;
    }
    let (weight, length) = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => (1, 0),
        Value::String(text) => (text_weight(text.len()), 0),
        Value::Array(values) => {
            (values.iter().map(|value| measure(value, depth + 1, levels)).sum::<u64>() + 1, values.len())
        }
        Value::Object(entries) => {
            let entry = |(key, value): (&String, &Value)| {
                let inside = measure(value, depth + 1, levels);
                let key = Level { weight: text_weight(key.len()), length: 0 };
                levels[depth + 1] = levels[depth + 1].larger(key);
                inside + key.weight
            };
            (entries.iter().map(entry).sum::<u64>() + 1, entries.len())
        }
    };
    levels[depth] = levels[depth].larger(Level { weight, length: length as u64 });
    weight
}

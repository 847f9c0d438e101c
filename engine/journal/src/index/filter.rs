//! Says of most streams that are not in a table that they are not, without a read.
//!
//! A Bloom filter: every command begins streams (an answer, a process), and each of them is looked for in every table
//! before it may begin. Without a filter that is a block of 4 KiB read and checked for each table.

use crate::Stream;

/// Bits for each stream: with seven probes one of a hundred streams that are not there is looked for in vain.
const BITS_PER_STREAM: u64 = 10;
/// Bits that are looked at for a stream.
const PROBES: u64 = 7;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    words: Vec<u64>,
}

impl Filter {
    /// An empty filter for at most that many streams.
    pub fn with_room_for(streams: u64) -> Self {
        Self { words: vec![0; (streams * BITS_PER_STREAM).div_ceil(64) as usize] }
    }

    /// A filter as it was written.
    pub fn of_words(words: Vec<u64>) -> Self {
        Self { words }
    }

    pub fn words(&self) -> &[u64] {
        &self.words
    }

    pub fn add(&mut self, stream: &Stream) {
        for bit in probes(stream, self.words.len()) {
            self.words[(bit / 64) as usize] |= 1 << (bit % 64);
        }
    }

    /// Whether a stream may be in the table; certainly not where this is false.
    pub fn may_have(&self, stream: &Stream) -> bool {
        !self.words.is_empty()
            && probes(stream, self.words.len()).all(|bit| self.words[(bit / 64) as usize] >> (bit % 64) & 1 == 1)
    }
}

/// The bits of a stream in a filter of that many words.
fn probes(stream: &Stream, words: usize) -> impl Iterator<Item = u64> {
    let half = |from: usize| u64::from_le_bytes(stream.id[from..from + 8].try_into().expect("eight bytes"));
    let first = mixed(half(0) ^ u64::from(stream.kind)).wrapping_add(half(8));
    let (first, step) = (mixed(first), mixed(first ^ 0x9e37_79b9_7f4a_7c15) | 1);
    let bits = words as u64 * 64;
    (0..PROBES).map(move |probe| first.wrapping_add(probe.wrapping_mul(step)) % bits)
}

/// Spreads the bits of a number over all of it.
fn mixed(mut number: u64) -> u64 {
    number ^= number >> 33;
    number = number.wrapping_mul(0xff51_afd7_ed55_8ccd);
    number ^= number >> 33;
    number = number.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    number ^ (number >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(number: u64) -> Stream {
        let mut id = [0; 16];
        id[8..].copy_from_slice(&number.to_be_bytes());
        Stream { kind: b'p', id }
    }

    #[test]
    fn every_stream_that_was_added_may_be_there_and_few_others() {
        let mut filter = Filter::with_room_for(10_000);
        (0..10_000).for_each(|number| filter.add(&stream(number)));
        assert!((0..10_000).all(|number| filter.may_have(&stream(number))));
        let wrong = (10_000..110_000).filter(|number| filter.may_have(&stream(*number))).count();
        assert!((100..2_000).contains(&wrong), "{wrong} of 100,000");
    }

    #[test]
    fn an_empty_filter_has_nothing() {
        assert!(!Filter::with_room_for(0).may_have(&stream(1)));
    }
}

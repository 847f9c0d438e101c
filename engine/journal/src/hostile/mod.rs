//! What must hold of any bytes that are read as a journal: asserted here, brought by a fuzzer (`cargo xtask fuzz`).
//!
//! Checksums would keep a fuzzer out, which cannot guess them. So what stands in an input gets the checksums and hashes that
//! it should have, but for those structures that the input leaves out: bit n of its first eight bytes says that structure
//! n, modulo 64, keeps what stands there.

mod layout;
mod opened;
#[cfg(test)]
mod samples;
mod tables;
mod walked;

pub use opened::directory;
pub use tables::{resealed_table, table};
pub use walked::segment;

use crate::format::SegmentHeader;

/// The header under which everything here is read.
fn header() -> SegmentHeader {
    SegmentHeader {
        journal: [7; 16],
        incarnation: 1,
        epoch: 1,
        salt: *b"saltsalt",
        first: 1,
        previous_batch: [0; 32],
        previous_time_us: 0,
    }
}

/// Which structures keep the checksums that they have.
struct Kept {
    mask: u64,
    met: u32,
}

impl Kept {
    /// Takes the choice from the front of an input, and gives the rest of it.
    fn of(data: &[u8]) -> (Self, &[u8]) {
        let (front, rest) = data.split_at_checked(8).unwrap_or_default();
        let mask = front.try_into().map_or(0, u64::from_le_bytes);
        (Self { mask, met: 0 }, rest)
    }

    /// Whether the next structure is one of them.
    fn next(&mut self) -> bool {
        let keeps = self.mask >> (self.met % u64::BITS) & 1 == 1;
        self.met += 1;
        keeps
    }
}

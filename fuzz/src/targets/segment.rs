//! The walk through a segment's bytes.

/// What [`interlink_journal::hostile::segment`] asserts.
pub fn run(data: &[u8]) {
    interlink_journal::hostile::segment(data);
}

//! Cursors: where a list goes on. Opaque and signed, so that one of another list, filter or journal, or an altered one,
//! is refused instead of answering from a wrong place.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::problem::Problem;

/// Makes and reads cursors.
pub struct Cursors {
    secret: [u8; 32],
    journal: Vec<u8>,
}

const MAC_BYTES: usize = 8;

impl Cursors {
    /// Cursors of one life of one journal.
    pub fn new(secret: [u8; 32], identity: interlink_journal::Identity) -> Self {
        let journal = [&identity.journal[..], &identity.incarnation.to_be_bytes()].concat();
        Self { secret, journal }
    }

    fn mac(&self, list: &str, place: &[u8]) -> [u8; MAC_BYTES] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("HMAC takes keys of any length");
        for part in [b"cursor", list.as_bytes(), &self.journal, place] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        let whole = mac.finalize().into_bytes();
        let mut short = [0; MAC_BYTES];
        short.copy_from_slice(&whole[..MAC_BYTES]);
        short
    }

    /// A cursor of a list (its name and filter) at a place.
    pub fn make(&self, list: &str, place: &[u8]) -> String {
        let mac = self.mac(list, place);
        place.iter().chain(&mac).map(|byte| format!("{byte:02x}")).collect()
    }

    /// The place of a cursor.
    pub fn read(&self, list: &str, cursor: &str) -> Result<Vec<u8>, Problem> {
        let refuse = || Problem::malformed("this cursor is not one of this list: begin again without it");
        let whole: Option<Vec<u8>> = cursor
            .as_bytes()
            .chunks(2)
            .map(|pair| std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2))
            .map(|pair| u8::from_str_radix(pair?, 16).ok())
            .collect();
        let whole = whole.ok_or_else(refuse)?;
        let (place, mac) = whole.split_at_checked(whole.len().saturating_sub(MAC_BYTES)).ok_or_else(refuse)?;
        if mac == self.mac(list, place) { Ok(place.to_vec()) } else { Err(refuse()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_by_its_own_list_only() {
        let identity = interlink_journal::Identity { journal: [1; 16], incarnation: 1 };
        let cursors = Cursors::new([3; 32], identity);
        let cursor = cursors.make("processes", b"place");
        assert_eq!(cursors.read("processes", &cursor).ok().as_deref(), Some(&b"place"[..]));
        assert!(cursors.read("usage?process=1", &cursor).is_err());
        let restored = Cursors::new([3; 32], interlink_journal::Identity { incarnation: 2, ..identity });
        assert!(restored.read("processes", &cursor).is_err(), "a restore renews the incarnation");
        for rubbish in ["", "rubbish", "é", "00", &format!("{cursor}00"), &cursor.replacen('0', "1", 1)] {
            assert!(rubbish == cursor || cursors.read("processes", rubbish).is_err(), "{rubbish}");
        }
    }
}

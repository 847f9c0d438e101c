//! Signed checkpoints: where the journal stood, so that one that was cut short is told from the one that was.

use interlink_journal::{Body, NewRecord, Position, RecordKind};
use interlink_model::id::StreamKind;

use super::Engine;
use crate::draft::stream;
use crate::keys::mac;

impl Engine {
    /// Writes a signed checkpoint into the journal: position and hash of the last batch.
    pub fn write_checkpoint(&self) {
        let at = stream(StreamKind::Checkpoint, [0; 16]);
        // One that cannot be written is missing, and nothing else is.
        let Ok(version) = self.core.next_version(&at) else { return };
        let position = self.core.journal.durable().unwrap_or(0);
        let (batch_hash, _) = self.core.journal.last_batch();
        let checkpoint = Checkpoint::signed(position, batch_hash, &self.core.keys.secrets().integrity);
        let record = NewRecord {
            stream: at,
            version,
            process: [0; 16],
            kind: RecordKind::Checkpoint,
            key: 0,
            body: Body::new(checkpoint.to_body()),
        };
        let (tell, told) = std::sync::mpsc::channel();
        let told_of = move |_| {
            // Waited for below.
            let _ = tell.send(());
        };
        drop(self.core.commit(&[], Some(record), told_of));
        // One that cannot be written is missing, and nothing else is.
        let _ = told.recv();
    }
}

/// Where the journal stood: position and hash of the last batch, signed, so that a journal that was cut short or written
/// anew does not pass for the one that was.
#[derive(serde::Serialize, serde::Deserialize)]
pub(crate) struct Checkpoint {
    position: Position,
    batch_hash: serde_bytes::ByteBuf,
    mac: serde_bytes::ByteBuf,
}

impl Checkpoint {
    fn signed(position: Position, batch_hash: [u8; 32], secret: &[u8; 32]) -> Self {
        let mac = mac(secret, &[b"checkpoint", &position.to_be_bytes(), &batch_hash]);
        Self { position, batch_hash: batch_hash.to_vec().into(), mac: mac.to_vec().into() }
    }

    fn to_body(&self) -> Vec<u8> {
        rmp_serde::to_vec_named(self).expect("numbers and bytes encode")
    }

    /// Whether a checkpoint's body is one that was signed with this secret.
    pub fn is_sound(body: &[u8], secret: &[u8; 32]) -> bool {
        let Ok(read) = rmp_serde::from_slice::<Self>(body) else { return false };
        let Ok(batch_hash) = <[u8; 32]>::try_from(read.batch_hash.as_slice()) else { return false };
        Self::signed(read.position, batch_hash, secret).mac == read.mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_sound_under_the_secret_that_signed_it_and_as_it_was() {
        let body = Checkpoint::signed(7, [3; 32], &[1; 32]).to_body();
        assert!(Checkpoint::is_sound(&body, &[1; 32]));
        assert!(!Checkpoint::is_sound(&body, &[2; 32]));
        let moved = Checkpoint { position: 8, ..Checkpoint::signed(7, [3; 32], &[1; 32]) };
        assert!(!Checkpoint::is_sound(&moved.to_body(), &[1; 32]));
        assert!(!Checkpoint::is_sound(b"", &[1; 32]));
    }
}

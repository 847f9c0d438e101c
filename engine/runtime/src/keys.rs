//! Keys: what seals what people write, so that destroying a key erases it.
//!
//! `keys/master.key` wraps everything else. Keys of people and processes lie in slots, filled with random wrapped keys
//! and synced in blocks of 4,096 ahead of use, so that making a process costs no sync of its own. A slot's number is
//! never used twice: the next one follows the highest that the journal names. A slot that is destroyed stands in the ledger
//! `keys/erased` before it is overwritten.

pub(crate) mod erasures;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use interlink_journal::sync_directory;
use parking_lot::{Mutex, RwLock};
use sha2::Sha256;

use crate::ambient::{Ambient, random};

/// Slots in a block: one file, one sync.
pub const SLOTS_PER_BLOCK: u64 = 4_096;
/// A block is made when fewer slots than this are left: making one takes some milliseconds.
const SLOTS_AHEAD: u64 = 2_048;
const NONCE_BYTES: usize = 24;
const KEY_BYTES: usize = 32;
const SLOT_BYTES: u64 = (NONCE_BYTES + KEY_BYTES + 16) as u64;

/// Why keys could not be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The operating system refused.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted.
        what: String,
        /// The reason.
        source: std::io::Error,
    },
    /// The data directory has no keys.
    #[error("{0} holds no keys/master.key; start `interlink serve` on it first")]
    Missing(PathBuf),
    /// A file is not what it should be.
    #[error("{0} is damaged")]
    Damaged(String),
    /// The slot was destroyed: what it sealed is erased.
    #[error("key {0} was destroyed")]
    Destroyed(u64),
}

fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> KeyError {
    let what = what.into();
    move |source| KeyError::Io { what, source }
}

/// An HMAC-SHA256.
pub(crate) fn mac(secret: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// The first 16 bytes of an HMAC: the id of a stream that nobody can tell without the secret.
pub(crate) fn mac_id(secret: &[u8; 32], parts: &[&[u8]]) -> [u8; 16] {
    let mut id = [0; 16];
    id.copy_from_slice(&mac(secret, parts)[..16]);
    id
}

/// Secrets of a data directory, each derived from the master key for one purpose.
#[derive(Clone)]
pub struct Secrets {
    /// Signs the data directory's own tokens (HS256).
    pub tokens: [u8; 32],
    /// Turns logins into stream ids.
    pub logins: [u8; 32],
    /// Turns the scopes of idempotency keys into stream ids, and bodies into what is compared.
    pub answers: [u8; 32],
    /// Signs the tokens of visits of services (HS256).
    pub visits: [u8; 32],
    /// Signs checkpoints and cached native code.
    pub integrity: [u8; 32],
}

impl Secrets {
    /// Reads the secrets of a data directory that exists.
    pub fn read(data: &Path) -> Result<Self, KeyError> {
        let path = data.join("keys/master.key");
        if !path.exists() {
            return Err(KeyError::Missing(data.into()));
        }
        Ok(Self::derive(&read_master(&path)?))
    }

    fn derive(master: &[u8; 32]) -> Self {
        let derive = |purpose: &str| mac(master, &[b"interlink 1 ", purpose.as_bytes()]);
        Self {
            tokens: derive("tokens"),
            logins: derive("logins"),
            answers: derive("answers"),
            visits: derive("visits"),
            integrity: derive("integrity"),
        }
    }
}

fn read_master(path: &Path) -> Result<[u8; 32], KeyError> {
    let bytes = std::fs::read(path).map_err(io("reading keys/master.key"))?;
    bytes.try_into().map_err(|_| KeyError::Damaged("keys/master.key".into()))
}

/// A key, ready to seal and open. It is never printed.
#[derive(Clone)]
pub struct SealingKey {
    /// Number of its slot.
    pub number: u64,
    cipher: Arc<XChaCha20Poly1305>,
    /// Makes pseudonyms; derived from the key, and gone with it.
    pseudonyms: Arc<[u8; 32]>,
}

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealingKey({})", self.number)
    }
}

impl SealingKey {
    fn new(number: u64, key: &[u8; KEY_BYTES]) -> Self {
        let pseudonyms = Arc::new(mac(key, &[b"interlink 1 pseudonyms"]));
        Self { number, cipher: Arc::new(XChaCha20Poly1305::new(&Key::from(*key))), pseudonyms }
    }

    /// An id that nobody can tell without the key.
    pub fn pseudonym(&self, of: &[&[u8]]) -> [u8; 16] {
        mac_id(&self.pseudonyms, of)
    }

    /// Seals: a random nonce, then the ciphertext. What it belongs to is bound to it.
    pub fn seal(&self, ambient: &dyn Ambient, belongs_to: &[&[u8]], plain: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE_BYTES] = random(ambient);
        let payload = Payload { msg: plain, aad: &belongs_to.concat() };
        let closed = self.cipher.encrypt(&XNonce::from(nonce), payload).expect("a message of less than 256 GB");
        [&nonce[..], &closed].concat()
    }

    /// Opens what was sealed for the same thing.
    pub fn open(&self, belongs_to: &[&[u8]], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, closed) = sealed.split_at_checked(NONCE_BYTES)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().ok()?;
        let payload = Payload { msg: closed, aad: &belongs_to.concat() };
        self.cipher.decrypt(&XNonce::from(nonce), payload).ok()
    }
}

/// The keys of a data directory.
pub struct Keys {
    directory: PathBuf,
    master: SealingKey,
    secrets: Secrets,
    ambient: Arc<dyn Ambient>,
    next: AtomicU64,
    blocks: RwLock<Vec<Arc<File>>>,
    making: Mutex<()>,
    destroying: Mutex<()>,
}

impl Keys {
    /// Opens the keys of a data directory, or makes them. `highest` is the highest number in use.
    pub fn open(data: &Path, highest: u64, ambient: Arc<dyn Ambient>) -> Result<Arc<Self>, KeyError> {
        let directory = data.join("keys");
        std::fs::create_dir_all(&directory).map_err(io("making keys/"))?;
        let path = directory.join("master.key");
        if !path.exists() {
            write_whole(&path, &random::<KEY_BYTES>(&*ambient)).map_err(io("writing keys/master.key"))?;
        }
        let master = read_master(&path)?;
        let mut blocks = Vec::new();
        loop {
            let path = block_path(&directory, blocks.len() as u64);
            if !path.exists() {
                break;
            }
            let file = File::options().read(true).write(true).open(&path).map_err(io("opening key slots"))?;
            blocks.push(Arc::new(file));
        }
        let keys = Arc::new(Self {
            directory,
            master: SealingKey::new(0, &master),
            secrets: Secrets::derive(&master),
            ambient,
            next: AtomicU64::new(highest + 1),
            blocks: RwLock::new(blocks),
            making: Mutex::new(()),
            destroying: Mutex::new(()),
        });
        keys.finish_erasures()?;
        while keys.capacity() < highest + 1 + SLOTS_AHEAD {
            keys.make_block()?;
        }
        Ok(keys)
    }

    /// The directory's secrets.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Numbers below this one have a slot.
    fn capacity(&self) -> u64 {
        self.blocks.read().len() as u64 * SLOTS_PER_BLOCK
    }

    /// A key that nothing has used yet. A slot that was destroyed is passed over: after a restore the ledger may have numbers
    /// that this journal has not reached.
    pub fn draw(self: &Arc<Self>) -> Result<SealingKey, KeyError> {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            while number >= self.capacity() {
                self.make_block()?;
            }
            if number + SLOTS_AHEAD == self.capacity() {
                let keys = Arc::clone(self);
                // A block that cannot be made now is made when it is needed, and the error is told then.
                std::thread::spawn(move || keys.make_block());
            }
            match self.key(number) {
                Err(KeyError::Destroyed(_)) => {}
                drawn => return drawn,
            }
        }
    }

    /// The key of a number.
    pub fn key(&self, number: u64) -> Result<SealingKey, KeyError> {
        let block = self.blocks.read().get((number / SLOTS_PER_BLOCK) as usize).cloned();
        let file = block.ok_or_else(|| KeyError::Damaged(format!("key slot {number}")))?;
        let mut slot = [0; SLOT_BYTES as usize];
        file.read_exact_at(&mut slot, (number % SLOTS_PER_BLOCK) * SLOT_BYTES).map_err(io("reading a key slot"))?;
        let key = self.master.open(&[b"slot", &number.to_be_bytes()], &slot).ok_or(KeyError::Destroyed(number))?;
        let key = key.try_into().map_err(|_| KeyError::Damaged(format!("key slot {number}")))?;
        Ok(SealingKey::new(number, &key))
    }

    /// Destroys keys: what they sealed is erased, here and, through the ledger, in what is restored from a backup. A number
    /// without a slot is written down and needs nothing more.
    pub fn destroy(&self, numbers: &[u64]) -> Result<(), KeyError> {
        let _destroying = self.destroying.lock();
        erasures::add(&self.ledger(), numbers)?;
        self.overwrite(numbers)
    }

    fn ledger(&self) -> PathBuf {
        self.directory.join("erased")
    }

    /// Overwrites what stands in the ledger and was not overwritten before a crash.
    fn finish_erasures(&self) -> Result<(), KeyError> {
        let named = erasures::read_if_there(&self.ledger())?;
        let left: Vec<u64> = named.into_iter().filter(|number| self.key(*number).is_ok()).collect();
        self.overwrite(&left)
    }

    fn overwrite(&self, numbers: &[u64]) -> Result<(), KeyError> {
        let mut written: BTreeMap<u64, Arc<File>> = BTreeMap::new();
        for number in numbers {
            let block = number / SLOTS_PER_BLOCK;
            let Some(file) = self.blocks.read().get(block as usize).cloned() else { continue };
            let at = (number % SLOTS_PER_BLOCK) * SLOT_BYTES;
            file.write_all_at(&[0; SLOT_BYTES as usize], at).map_err(io("overwriting a key slot"))?;
            written.insert(block, file);
        }
        written.values().try_for_each(|file| file.sync_all()).map_err(io("syncing key slots"))
    }

    /// Makes the next block, unless another thread has just done so.
    fn make_block(&self) -> Result<(), KeyError> {
        let before = self.blocks.read().len() as u64;
        let _making = self.making.lock();
        if self.blocks.read().len() as u64 > before {
            return Ok(());
        }
        let slots = before * SLOTS_PER_BLOCK..(before + 1) * SLOTS_PER_BLOCK;
        let wrapped = slots.flat_map(|number| {
            let key: [u8; KEY_BYTES] = random(&*self.ambient);
            self.master.seal(&*self.ambient, &[b"slot", &number.to_be_bytes()], &key)
        });
        let path = block_path(&self.directory, before);
        write_whole(&path, &wrapped.collect::<Vec<u8>>()).map_err(io("writing key slots"))?;
        let file = File::options().read(true).write(true).open(&path).map_err(io("opening key slots"))?;
        self.blocks.write().push(Arc::new(file));
        Ok(())
    }
}

fn block_path(directory: &Path, block: u64) -> PathBuf {
    directory.join(format!("slots-{block:08}.keys"))
}

/// Writes a file that is there whole or not at all, readable by its owner only; durable on return.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let making = path.with_extension("new-key");
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&making)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&making, path)?;
    sync_directory(path.parent().expect("keys lie in a directory"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ambient::System;

    fn keys(data: &Path, highest: u64) -> Arc<Keys> {
        Keys::open(data, highest, Arc::new(System)).expect("opens")
    }

    #[test]
    fn what_is_sealed_opens_with_its_key_for_what_it_belongs_to_and_with_nothing_else() {
        let data = tempfile::tempdir().expect("a directory");
        let keys = keys(data.path(), 0);
        let (ana, boris) = (keys.draw().expect("drawn"), keys.draw().expect("drawn"));
        let sealed = ana.seal(&System, &[b"stream", b"name"], b"Playground");
        assert_eq!(ana.open(&[b"stream", b"name"], &sealed).as_deref(), Some(&b"Playground"[..]));
        assert_eq!(ana.open(&[b"stream", b"reason"], &sealed), None);
        assert_eq!(boris.open(&[b"stream", b"name"], &sealed), None);
        assert!(!sealed.windows(10).any(|window| window == b"Playground"));
    }

    #[test]
    fn keys_survive_reopening_and_numbers_go_on_behind_the_highest_in_use() {
        let data = tempfile::tempdir().expect("a directory");
        let first = keys(data.path(), 0);
        let key = first.draw().expect("drawn");
        let sealed = key.seal(&System, &[], b"x");
        let second = keys(data.path(), 7);
        assert_eq!(second.draw().expect("drawn").number, 8);
        assert!(second.key(key.number).expect("there").open(&[], &sealed).is_some());
        assert_eq!(first.secrets().tokens, Secrets::read(data.path()).expect("there").tokens);
    }

    #[test]
    fn a_destroyed_key_opens_nothing_any_more_and_its_neighbours_do() {
        let data = tempfile::tempdir().expect("a directory");
        let keys = keys(data.path(), 0);
        let (gone, kept) = (keys.draw().expect("drawn"), keys.draw().expect("drawn"));
        keys.destroy(&[gone.number]).expect("destroyed");
        assert!(matches!(keys.key(gone.number), Err(KeyError::Destroyed(_))));
        assert!(keys.key(kept.number).is_ok());
        let slots = std::fs::read(block_path(&data.path().join("keys"), 0)).expect("there");
        let at = (gone.number * SLOT_BYTES) as usize;
        assert_eq!(slots[at..at + SLOT_BYTES as usize], [0; SLOT_BYTES as usize], "nothing of it is on disk");
    }

    #[test]
    fn an_erasure_that_a_crash_interrupted_is_finished_by_the_next_start() {
        let data = tempfile::tempdir().expect("a directory");
        let first = keys(data.path(), 0);
        let (gone, kept) = (first.draw().expect("drawn"), first.draw().expect("drawn"));
        erasures::add(&first.ledger(), &[gone.number, 9 * SLOTS_PER_BLOCK]).expect("written down");
        drop(first);
        let second = keys(data.path(), kept.number);
        assert!(matches!(second.key(gone.number), Err(KeyError::Destroyed(_))));
        assert!(second.key(kept.number).is_ok());
    }

    #[test]
    fn a_slot_that_was_destroyed_is_not_drawn() {
        let data = tempfile::tempdir().expect("a directory");
        let keys = keys(data.path(), 0);
        keys.destroy(&[1, 2]).expect("destroyed");
        assert_eq!(keys.draw().expect("drawn").number, 3);
    }

    #[test]
    fn blocks_are_made_ahead_of_use() {
        let data = tempfile::tempdir().expect("a directory");
        let keys = keys(data.path(), SLOTS_PER_BLOCK - 10);
        assert_eq!(keys.capacity(), 2 * SLOTS_PER_BLOCK);
        for _ in 0..20 {
            keys.draw().expect("drawn across the end of a block");
        }
    }
}

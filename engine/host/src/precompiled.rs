//! Native code kept from one start to the next: the one place where the engine loads code that it did not just compile.
//!
//! A cached file begins with an HMAC over the code, the engine's configuration and the component's digest, under a secret
//! of the data directory: whoever can write the file but not read the secret cannot have code loaded, and a file of
//! another compiler, configuration or component compiles again.

#![allow(unsafe_code)]

use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use wasmtime::Engine;
use wasmtime::component::Component;

const MAC_BYTES: usize = 32;

pub(crate) struct Cache {
    pub directory: PathBuf,
    pub secret: [u8; 32],
}

impl Cache {
    fn path(&self, digest: &str) -> PathBuf {
        self.directory.join(format!("{}.cwasm", digest.trim_start_matches("sha256:")))
    }

    fn mac(&self, engine: &Engine, digest: &str, code: &[u8]) -> Hmac<Sha256> {
        let mut configuration = std::hash::DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut configuration);
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("HMAC takes keys of any length");
        mac.update(b"native code");
        mac.update(&configuration.finish().to_be_bytes());
        mac.update(digest.as_bytes());
        mac.update(code);
        mac
    }

    /// The component's native code, where it is there and ours.
    pub fn load(&self, engine: &Engine, digest: &str) -> Option<Component> {
        let file = std::fs::read(self.path(digest)).ok()?;
        let (mac, code) = file.split_at_checked(MAC_BYTES)?;
        self.mac(engine, digest, code).verify_slice(mac).ok()?;
        // SAFETY: the bytes are what `store` below had from this very configuration of wasmtime: their HMAC, under a
        // secret that guests never see, says so.
        let loaded = unsafe { Component::deserialize(engine, code) };
        loaded.ok()
    }

    /// Keeps native code. A cache that cannot be written costs a compilation at the next start.
    pub fn store(&self, engine: &Engine, digest: &str, component: &Component) {
        let Ok(code) = component.serialize() else { return };
        let mac = self.mac(engine, digest, &code).finalize().into_bytes();
        let path = self.path(digest);
        let written = write(&self.directory, &path, &[&mac[..], &code].concat());
        if let Err(error) = written {
            tracing::warn!(%error, "native code could not be kept");
        }
    }
}

fn write(directory: &Path, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    std::fs::create_dir_all(directory)?;
    let making = path.with_extension("new");
    std::fs::write(&making, bytes)?;
    std::fs::rename(making, path)
}

//! `interlink interlinker keygen | export`, and the signature that `publish` sends: components as files, and who vouches for
//! them.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use interlink_model::schema::digest;
use interlink_model::signature::{KeyId, PrivateKey, Signature};
use serde_json::Value;

use crate::cli::{every, text};
use crate::client::Client;
use crate::request::COMPONENT_BYTES_MAX;

/// A file beside another: its name, and one word more.
fn beside(path: &Path, word: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(word);
    name.into()
}

fn told(path: &Path) -> impl Fn(std::io::Error) -> String {
    move |error| format!("{}: {error}", path.display())
}

/// Writes a file that was not there, for its owner alone or for everybody.
fn write_new(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), String> {
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    file.and_then(|mut file| file.write_all(bytes)).map_err(told(path))
}

/// Makes a key: its private half into a file for nobody else, its public half beside it, and, where it succeeds another, that
/// one's word for it.
pub fn keygen(path: &Path, id: Option<&str>, succeeds: Option<&Path>) -> Result<(), String> {
    let before = succeeds.map(private_key).transpose()?;
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let id = KeyId::parse(id.unwrap_or(&stem)).map_err(|error| format!("{error}; say it with --id"))?;
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(|error| format!("random bytes: {error}"))?;
    let key = PrivateKey::new(id, &random);
    write_new(path, 0o600, format!("{}\n", key.secret_line()).as_bytes())?;
    let public = beside(path, ".pub");
    write_new(&public, 0o644, format!("{}\n", key.public()).as_bytes())?;
    let succession = beside(path, ".succession");
    if let Some(before) = &before {
        write_new(&succession, 0o644, format!("{}\n", before.succeeded_by(&key.public())).as_bytes())?;
    }
    println!("{} signs; keep it where nobody else reads it", path.display());
    let goes = if before.is_some() { &succession } else { &public }.display();
    println!("{goes} goes to whoever is to trust it: interlink trust add {goes}");
    Ok(())
}

fn private_key(path: &Path) -> Result<PrivateKey, String> {
    let line = fs::read_to_string(path).map_err(told(path))?;
    PrivateKey::parse(&line).map_err(|error| format!("{}: {error}", path.display()))
}

/// Signs a component with the key in a file, and leaves the signature beside the component.
pub fn sign(component: &Path, bytes: &[u8], key: &Path) -> Result<String, String> {
    let key = private_key(key)?;
    let signature = key.sign(&digest::of(bytes)).to_string();
    let path = beside(component, ".sig");
    fs::write(&path, format!("{signature}\n")).map_err(told(&path))?;
    Ok(signature)
}

/// The signature that lies beside a component; nothing where none does.
pub fn signature_beside(component: &Path) -> Result<Option<String>, String> {
    let path = beside(component, ".sig");
    if !path.exists() {
        return Ok(None);
    }
    let line = fs::read_to_string(&path).map_err(told(&path))?;
    let signature = Signature::parse(&line).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(Some(signature.to_string()))
}

/// The entry of `NAME` or `NAME@VERSION` on a server.
pub fn entry_of(wanted: &str, client: &Client) -> Result<Value, String> {
    let Some((name, version)) = wanted.split_once('@') else {
        return client.get(&format!("/v1/interlinkers/{wanted}"));
    };
    let versions = every(&format!("/v1/interlinkers/{name}/versions"), client)?;
    let found = versions.into_iter().find(|one| one["version"] == version);
    found.ok_or_else(|| format!("there is no version {version} of `{name}`"))
}

/// The same, and its component, which has the digest that the entry says.
pub fn component_of(wanted: &str, client: &Client) -> Result<(Value, Vec<u8>), String> {
    let entry = entry_of(wanted, client)?;
    let [name, version, wanted_digest] = ["name", "version", "digest"].map(|field| text(&entry[field]));
    let body = client.download(&format!("/v1/interlinkers/{name}/versions/{version}/component"))?;
    let mut bytes = Vec::new();
    // One byte more than any component has, so that what is too long does not fit its digest either.
    body.take(COMPONENT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if digest::of(&bytes) != wanted_digest {
        return Err(format!("what came of {name} {version} does not fit its digest {wanted_digest}: try again"));
    }
    Ok((entry, bytes))
}

/// Writes a component into a file that is not there yet, with its signature beside it.
pub fn write_component(path: &Path, bytes: &[u8], signature: Option<&str>) -> Result<(), String> {
    write_new(path, 0o644, bytes)?;
    match signature {
        Some(signature) => write_new(&beside(path, ".sig"), 0o644, format!("{signature}\n").as_bytes()),
        None => Ok(()),
    }
}

/// Fetches the component of `NAME` or `NAME@VERSION` into a file that is not there yet, with its signature beside it.
pub fn export(wanted: &str, path: &Path, client: &Client) -> Result<(), String> {
    let (entry, bytes) = component_of(wanted, client)?;
    write_component(path, &bytes, entry["signed_by"]["signature"].as_str())?;
    let [name, version, wanted_digest] = ["name", "version", "digest"].map(|field| text(&entry[field]));
    println!("{name} {version}  {}  {} bytes  {wanted_digest}", path.display(), bytes.len());
    Ok(())
}

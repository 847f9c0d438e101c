//! What an Interlinker says of itself, as JSON in its component.

use interlink_model::manifest::Manifest;

/// A manifest that is read is written as what reads as the same.
pub fn run(data: &[u8]) {
    let Ok(manifest) = serde_json::from_slice::<Manifest>(data) else { return };
    let written = serde_json::to_vec(&manifest).expect("texts, numbers and lists are written");
    let again: Manifest = serde_json::from_slice(&written).expect("and read again");
    assert_eq!(again, manifest, "what is written is another manifest");
}

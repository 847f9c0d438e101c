//! From a core module to a component that says what it is and imports nothing but its world.

use wasmparser::{Parser, Payload};
use wit_component::ComponentEncoder;

use crate::{AuthorError, Outcome};

/// The custom section of the manifest.
const MANIFEST_SECTION: &str = "interlink:manifest";
/// What every import's name begins with.
const WORLD_PACKAGE: &str = "interlink:interlinker/";

/// Makes a component of a core module that wit-bindgen has written its world into, and appends the manifest.
///
/// # Errors
///
/// A module that is none of our world, or imports what no host offers.
pub fn component_of_module(module: &[u8], manifest: &str) -> Outcome<Vec<u8>> {
    let encoded = ComponentEncoder::default().validate(true).module(module).and_then(|encoder| encoder.encode());
    with_manifest(
        encoded.map_err(|error| AuthorError::Asked(format!("no component can be made of it: {error:?}")))?,
        manifest,
    )
}

/// Appends the manifest to a component.
///
/// # Errors
///
/// A component that imports what no host offers.
pub fn with_manifest(mut component: Vec<u8>, manifest: &str) -> Outcome<Vec<u8>> {
    refuse_foreign_imports(&component)?;
    append_section(&mut component, MANIFEST_SECTION, manifest.as_bytes());
    Ok(component)
}

/// Fails when a component imports what no host offers, such as WASI.
fn refuse_foreign_imports(component: &[u8]) -> Outcome<()> {
    let foreign = imports(component);
    let mut foreign = foreign.map_err(|error| AuthorError::Asked(format!("it is no component: {error}")))?;
    foreign.retain(|name| !name.starts_with(WORLD_PACKAGE));
    if foreign.is_empty() {
        return Ok(());
    }
    Err(AuthorError::Asked(format!("it imports what no host offers: {}", foreign.join(", "))))
}

/// The names of what the outermost component imports.
fn imports(component: &[u8]) -> Result<Vec<String>, wasmparser::BinaryReaderError> {
    let mut names = Vec::new();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(component) {
        match payload? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    names.push(import?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(names)
}

/// Appends a custom section: id 0, the size of the rest, the name with its length, the content.
fn append_section(component: &mut Vec<u8>, name: &str, content: &[u8]) {
    let mut section = Vec::new();
    append_leb128(&mut section, name.len());
    section.extend_from_slice(name.as_bytes());
    section.extend_from_slice(content);
    component.push(0);
    append_leb128(component, section.len());
    component.extend_from_slice(&section);
}

fn append_leb128(bytes: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A component that imports an empty instance of this name.
    fn importing(name: &str) -> Vec<u8> {
        let mut component = b"\0asm\x0d\0\x01\0".to_vec();
        component.extend([7, 3, 1, 0x42, 0]); // one type: an instance of nothing
        let length = u8::try_from(name.len()).expect("a short name");
        component.extend([10, length + 5, 1, 0, length]); // one import
        component.extend(name.bytes());
        component.extend([5, 0]); // an instance of type 0
        component
    }

    #[test]
    fn a_component_imports_its_world_and_nothing_else() {
        let own = importing("interlink:interlinker/state@0.1.0");
        assert!(refuse_foreign_imports(&own).is_ok());
        let error = refuse_foreign_imports(&importing("wasi:cli/environment@0.2.0")).expect_err("no host has it");
        assert_eq!(error.to_string(), "it imports what no host offers: wasi:cli/environment@0.2.0");
    }

    #[test]
    fn a_section_reads_back_whatever_its_size() {
        for size in [0, 1, 127, 128, 70_000] {
            let content = vec![b'x'; size];
            let mut component = b"\0asm\x0d\0\x01\0".to_vec();
            append_section(&mut component, MANIFEST_SECTION, &content);
            let sections: Vec<_> = Parser::new(0)
                .parse_all(&component)
                .filter_map(|payload| match payload.expect("well formed") {
                    Payload::CustomSection(section) => Some((section.name().to_owned(), section.data().to_owned())),
                    _ => None,
                })
                .collect();
            assert_eq!(sections, [(MANIFEST_SECTION.to_owned(), content)]);
        }
    }
}

//! Publication: what a component is, read without running it.

use interlink_model::manifest::{MANIFEST_SECTION, Manifest};
use serde_json::Value;
use sha2::{Digest, Sha256};
use wasmparser::{Parser, Payload};

use crate::asking::check_grants;
use crate::limits::Limits;
use crate::markup::{Kinds, said_kinds};

/// The newest world that this host speaks.
pub const WORLD: &str = "interlink:interlinker@1.1.0";
const PACKAGE: &str = "interlink:interlinker/";
const PACKAGE_NAME: &str = "interlink:interlinker";
/// The versions of the world that this host speaks, oldest first, each with what it added to the one before.
const VERSIONS: [(&str, &[&str]); 4] = [
    ("0.1.0", &["types", "state", "context", "outcome", "log"]),
    ("0.1.1", &["clock", "random", "http", "secrets"]),
    ("1.0.0", &["settings", "blobs", "people", "notify", "schedule", "usage", "assets"]),
    ("1.1.0", &["texts"]),
];
/// The longest name of an Interlinker or an action, in bytes.
const NAME_BYTES_MAX: usize = 128;
/// Actions of one Interlinker, at most.
const ACTIONS_MAX: usize = 200;
/// The largest manifest, in bytes: it goes into one record of the journal.
const MANIFEST_BYTES_MAX: usize = 512 << 10;

/// Parts of a JSON Schema of a manifest, at most, once its references are followed: what checking an input may cost.
const SCHEMA_PARTS_MAX: u32 = 20_000;
/// Levels of references in such a schema, at most.
const REFERENCES_DEEP_MAX: usize = 64;
/// Components and modules inside each other, at most: compiling costs their number times their depth, and tools that make
/// components need four.
const COMPONENTS_DEEP_MAX: usize = 32;
/// Components and modules in one component, at most: what compiling takes of memory grows with the square of their number, to
/// 2 GB for ten thousand, and tools that make components need some tens.
const COMPONENTS_MAX: usize = 1_000;

/// Why a component cannot be published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// Not WebAssembly at all.
    #[error("these bytes are no WebAssembly: a component begins with `\\0asm`")]
    NotWasm,
    /// Larger than is taken.
    #[error("a component of {bytes} bytes is over the limit of {max}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// A core module.
    #[error("this is a core module; make a component of it: `cargo xtask guests` shows how")]
    CoreModule,
    /// It does not parse or validate.
    #[error("this is no sound component: {reason}")]
    Invalid {
        /// Why.
        reason: String,
    },
    /// It imports what it may not.
    #[error(
        "it imports `{name}`, and a component imports nothing but {WORLD}: no files, no network, no clock and no \
         randomness of its own"
    )]
    Import {
        /// The import.
        name: String,
    },
    /// It was built for another world.
    #[error("it was built for `{found}`; this server speaks {WORLD} and the versions before it")]
    World {
        /// What it was built for.
        found: String,
    },
    /// It does not export what every Interlinker does.
    #[error("it does not export `{PACKAGE}asset` of {WORLD} with instantiate, call and view: {reason}")]
    Export {
        /// What is wrong.
        reason: String,
    },
    /// It has no manifest, or a wrong one.
    #[error("its manifest (custom section `{MANIFEST_SECTION}`) {reason}")]
    Manifest {
        /// What is wrong.
        reason: String,
    },
}

impl PublishError {
    /// A word for it: what programs know it by.
    pub fn slug(&self) -> &'static str {
        match self {
            Self::NotWasm => "not-wasm",
            Self::TooLarge { .. } => "too-large",
            Self::CoreModule => "core-module",
            Self::Invalid { .. } => "invalid",
            Self::Import { .. } => "import",
            Self::World { .. } => "world",
            Self::Export { .. } => "export",
            Self::Manifest { .. } => "manifest",
        }
    }
}

/// A component that can be published.
#[derive(Debug, Clone)]
pub struct Inspected {
    /// What it says of itself.
    pub manifest: Manifest,
    /// `sha256:` and 64 hex digits.
    pub digest: String,
}

/// The digest of a component, or of a blob: `sha256:` and 64 hex digits.
pub fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().fold(String::from("sha256:"), |text, byte| text + &format!("{byte:02x}"))
}

/// Reads a component's outside: what it is, what it imports and exports, its manifest.
pub(crate) fn read(bytes: &[u8], limits: &Limits) -> Result<Manifest, PublishError> {
    if bytes.len() > limits.component_bytes {
        return Err(PublishError::TooLarge { bytes: bytes.len(), max: limits.component_bytes });
    }
    if !bytes.starts_with(b"\0asm") {
        return Err(PublishError::NotWasm);
    }
    if Parser::is_core_wasm(bytes) {
        return Err(PublishError::CoreModule);
    }
    let invalid = |error: wasmparser::BinaryReaderError| PublishError::Invalid { reason: error.to_string() };
    let (mut depth, mut parts) = (0usize, 0usize);
    let mut sections = Vec::new();
    let mut exports = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(invalid)? {
            Payload::Version { .. } => {
                depth += 1;
                parts += 1;
                check_parts(depth, parts)?;
            }
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(imports) if depth == 1 => {
                for import in imports {
                    check_import(import.map_err(invalid)?.name.name)?;
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section {
                    exports.push(export.map_err(invalid)?.name.name.to_owned());
                }
            }
            Payload::CustomSection(section) if depth == 1 && section.name() == MANIFEST_SECTION => {
                sections.push(section.data());
            }
            _ => {}
        }
    }
    if !exported("asset").any(|name| exports.contains(&name)) {
        let asset = format!("{PACKAGE}asset@");
        if let Some(found) = exports.iter().find(|name| name.starts_with(&asset)) {
            return Err(PublishError::World { found: found.clone() });
        }
        return Err(PublishError::Export { reason: "it is not among its exports".into() });
    }
    match sections[..] {
        [] => Err(wrong("is missing; `cargo xtask guests` appends it")),
        [manifest] => check_manifest(manifest),
        _ => Err(wrong("is there twice")),
    }
}

/// Whether it stays within its bounds so far, at this depth, with so many components and modules.
fn check_parts(depth: usize, parts: usize) -> Result<(), PublishError> {
    let too_many = match (depth, parts) {
        (deep, _) if deep > COMPONENTS_DEEP_MAX => {
            format!("inside each other more than {COMPONENTS_DEEP_MAX} levels deep")
        }
        (_, many) if many > COMPONENTS_MAX => format!("in it, more than {COMPONENTS_MAX} in all"),
        _ => return Ok(()),
    };
    Err(PublishError::Invalid { reason: format!("it has components and modules {too_many}") })
}

/// The names that an interface may be exported by, one for each version of the world.
pub(crate) fn exported(interface: &str) -> impl Iterator<Item = String> {
    VERSIONS.iter().map(move |(version, _)| format!("{PACKAGE}{interface}@{version}"))
}

fn check_import(name: &str) -> Result<(), PublishError> {
    let foreign = || PublishError::Import { name: name.into() };
    let (interface, version) = name.strip_prefix(PACKAGE).and_then(|rest| rest.split_once('@')).ok_or_else(foreign)?;
    let Some(newest) = VERSIONS.iter().position(|(known, _)| *known == version) else {
        return Err(PublishError::World { found: name.into() });
    };
    let there = VERSIONS[..=newest].iter().any(|(_, added)| added.contains(&interface));
    if there { Ok(()) } else { Err(foreign()) }
}

fn is_spoken(world: &str) -> bool {
    world.strip_prefix(PACKAGE_NAME).and_then(|rest| rest.strip_prefix('@')).is_some_and(is_version)
}

fn is_version(version: &str) -> bool {
    VERSIONS.iter().any(|(known, _)| *known == version)
}

fn wrong(reason: impl Into<String>) -> PublishError {
    PublishError::Manifest { reason: reason.into() }
}

/// Whether a text can name an Interlinker, an action or a secret.
pub(crate) fn is_name(name: &str) -> bool {
    let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    letters && (1..=NAME_BYTES_MAX).contains(&name.len())
}

fn check_manifest(bytes: &[u8]) -> Result<Manifest, PublishError> {
    if bytes.len() > MANIFEST_BYTES_MAX {
        return Err(wrong(format!("has {} bytes; it has at most {MANIFEST_BYTES_MAX}", bytes.len())));
    }
    let manifest: Manifest =
        serde_json::from_slice(bytes).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    if manifest.manifest != 1 {
        return Err(wrong(format!("is of form {}; this server reads form 1", manifest.manifest)));
    }
    if !is_spoken(&manifest.world) {
        return Err(PublishError::World { found: manifest.world });
    }
    if !is_name(&manifest.name) {
        return Err(wrong(format!("names it {:?}; a name is letters, digits, `-`, `_` and `.`", manifest.name)));
    }
    if manifest.actions.len() > ACTIONS_MAX {
        return Err(wrong(format!("has {} actions; it has at most {ACTIONS_MAX}", manifest.actions.len())));
    }
    let mut seen = std::collections::BTreeSet::new();
    for action in &manifest.actions {
        if !is_name(&action.name) || !seen.insert(&action.name) {
            return Err(wrong(format!("has an action {:?} that is twice there or no name", action.name)));
        }
    }
    let is_address = ["https://", "http://"].iter().any(|scheme| manifest.source.starts_with(scheme));
    if !manifest.source.is_empty() && !is_address {
        return Err(wrong(format!(
            "has the source {:?}; a source begins with `https://` or `http://`",
            manifest.source
        )));
    }
    check_grants(&manifest.grants).map_err(wrong)?;
    Ok(manifest)
}

/// Compiles a JSON Schema of a manifest; an absent one takes anything.
pub(crate) fn compile(place: &str, schema: &Value) -> Result<Option<jsonschema::Validator>, PublishError> {
    if schema.is_null() {
        return Ok(None);
    }
    if !is_bounded(schema, schema, &mut Vec::new(), &mut { SCHEMA_PARTS_MAX }) {
        let most = format!("more than {SCHEMA_PARTS_MAX} parts or {REFERENCES_DEEP_MAX} levels of references");
        return Err(wrong(format!("has a JSON Schema at {place} with {most}, once its references are followed")));
    }
    let options = jsonschema::options().with_draft(jsonschema::Draft::Draft202012);
    let built = options.build(schema);
    built.map(Some).map_err(|error| wrong(format!("has no JSON Schema at {place}: {error}")))
}

/// Whether a JSON Schema of an answer says that HTML or Markdown is in it. One that does so where the host could not follow is
/// refused: what nobody finds nobody makes safe.
pub(crate) fn markup_in(place: &str, schema: &Value) -> Result<Kinds, PublishError> {
    said_kinds(schema).map_err(|reason| wrong(format!("has a JSON Schema at {place} that {reason}")))
}

/// Whether a schema stays within its bounds once its references are followed. Definitions that each refer twice to the next
/// double the work of checking an input at every level, in a manifest of a few kilobytes. A reference to what is being
/// followed already is left: it goes on with a part of the input, and the input is bounded.
fn is_bounded<'s>(root: &'s Value, part: &'s Value, following: &mut Vec<&'s str>, left: &mut u32) -> bool {
    let Some(rest) = left.checked_sub(1) else { return false };
    *left = rest;
    match part {
        Value::Array(parts) => parts.iter().all(|part| is_bounded(root, part, following, left)),
        Value::Object(parts) => parts.iter().all(|(name, part)| match (name.as_str(), part.as_str()) {
            ("$ref", Some(reference)) if !following.contains(&reference) => {
                let target = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
                let Some(target) = target else { return true };
                if following.len() == REFERENCES_DEEP_MAX {
                    return false;
                }
                following.push(reference);
                let bounded = is_bounded(root, target, following, left);
                following.pop();
                bounded
            }
            _ => is_bounded(root, part, following, left),
        }),
        _ => true,
    }
}

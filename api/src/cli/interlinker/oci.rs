//! `interlink interlinker push | pull`: components by way of a registry of OCI artifacts.
//!
//! What is pushed has the layout that the CNCF's working group on WebAssembly agreed on, so that other tools read it: a config
//! of its media type, one layer with the component as it was published. The signature travels as an annotation of the
//! manifest: it is over the component's digest, so whoever altered either is found out. Nothing that comes from a registry is
//! believed: bytes are bounded before they are read, and have to have the digest that the manifest says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use clap::Args;
use interlink_model::schema::digest;
use interlink_model::signature::Signature;
use oci_client::client::{ClientConfig, ClientProtocol, Config, ImageLayer};
use oci_client::manifest::{OciDescriptor, OciImageManifest};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client as Registry, Reference};
use serde_json::{Value, json};
use wasmparser::{ComponentTypeRef, Parser, Payload};

use super::signing::{component_of, write_component};
use crate::cli::{Output, print_json, text};
use crate::client::Client;
use crate::request::COMPONENT_BYTES_MAX;

/// The media type of the artifact's config.
const CONFIG_TYPE: &str = "application/vnd.wasm.config.v0+json";
/// The media type of its one layer.
const LAYER_TYPE: &str = "application/wasm";
/// The annotation that holds the component's signature.
const SIGNATURE: &str = "eu.interlink-project.signature";
/// Environment variables that say who logs in to a registry.
const USER: &str = "INTERLINK_REGISTRY_USER";
const PASSWORD: &str = "INTERLINK_REGISTRY_PASSWORD";
/// How long a registry may take to be connected to, and between two pieces of what it sends.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A component of a server, and where it goes.
#[derive(Debug, Args)]
pub struct Push {
    /// `NAME`, or `NAME@VERSION`.
    name: String,
    /// Where to: `HOST/REPOSITORY:TAG`.
    reference: String,
    #[command(flatten)]
    access: Access,
}

/// An artifact, and what becomes of it.
#[derive(Debug, Args)]
pub struct Pull {
    /// Where from: `HOST/REPOSITORY:TAG`, or `HOST/REPOSITORY@sha256:…`.
    reference: String,
    /// The file that it is written to, with its signature beside it; it must not be there.
    #[arg(short = 'o', long, required_unless_present = "publish")]
    file: Option<PathBuf>,
    /// Publishes it on the server.
    #[arg(long)]
    publish: bool,
    #[command(flatten)]
    access: Access,
}

/// How a registry is reached.
#[derive(Debug, Args)]
pub struct Access {
    /// Without TLS: for a registry on this machine.
    #[arg(long)]
    plain_http: bool,
}

impl Access {
    fn registry(&self) -> Result<Registry, String> {
        let protocol = if self.plain_http { ClientProtocol::Http } else { ClientProtocol::Https };
        // Needed without TLS, too. Whoever installed one before has installed the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = ClientConfig {
            protocol,
            connect_timeout: Some(TIMEOUT),
            read_timeout: Some(TIMEOUT),
            ..ClientConfig::default()
        };
        Registry::try_from(config).map_err(|error| error.to_string())
    }
}

/// Who logs in to a registry: whom the environment names, because arguments are seen by everybody on a machine.
fn auth(user: Option<String>, password: Option<String>) -> Result<RegistryAuth, String> {
    match (user, password) {
        (Some(user), Some(password)) => Ok(RegistryAuth::Basic(user, password)),
        (None, None) => Ok(RegistryAuth::Anonymous),
        _ => Err(format!("set both {USER} and {PASSWORD}, or neither")),
    }
}

fn auth_of_environment() -> Result<RegistryAuth, String> {
    auth(std::env::var(USER).ok(), std::env::var(PASSWORD).ok())
}

fn reference(said: &str) -> Result<Reference, String> {
    said.parse().map_err(|error| format!("`{said}` is no reference such as registry.example.org/poll:1.0.0: {error}"))
}

fn wait<T>(work: impl Future<Output = T>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.map_err(|error| format!("starting: {error}"))?.block_on(work))
}

/// Pushes a component of a server to a registry.
pub fn push(wanted: &Push, client: &Client, output: Output) -> Result<(), String> {
    let to = reference(&wanted.reference)?;
    let (entry, component) = component_of(&wanted.name, client)?;
    let layer = ImageLayer::new(component.clone(), LAYER_TYPE.to_owned(), None);
    let config = config_of(&entry, &component)?;
    let config = Config::new(config.to_string().into_bytes(), CONFIG_TYPE.to_owned(), None);
    let manifest = OciImageManifest::build(std::slice::from_ref(&layer), &config, Some(annotations_of(&entry)));
    let manifest = OciImageManifest { media_type: Some(oci_client::manifest::OCI_IMAGE_MEDIA_TYPE.into()), ..manifest };
    let (registry, auth) = (wanted.access.registry()?, auth_of_environment()?);
    let pushing = async {
        registry.push(&to, &[layer], config, &auth, Some(manifest)).await?;
        registry.fetch_manifest_digest(&to, &auth).await
    };
    let pushed = wait(pushing)?.map_err(|error| format!("{to}: {error}"))?;
    let [name, version] = ["name", "version"].map(|key| text(&entry[key]));
    if output == Output::Json {
        let digest = &entry["digest"];
        print_json(&json!({
            "name": name, "version": version, "digest": digest, "reference": to.to_string(), "manifest": pushed,
        }));
    } else {
        println!("pushed {name} {version} to {to}  {pushed}");
    }
    Ok(())
}

/// What the artifact says of itself, as the layout has it: what the component imports and exports, and its world.
fn config_of(entry: &Value, component: &[u8]) -> Result<Value, String> {
    let (imports, exports) = faces(component).map_err(|error| format!("the component cannot be read: {error}"))?;
    Ok(json!({
        "architecture": "wasm",
        "os": "wasip2",
        "layerDigests": [digest::of(component)],
        "component": {"imports": imports, "exports": exports, "target": entry["world"]},
    }))
}

/// The names of interfaces that a component imports, and those that it exports.
fn faces(component: &[u8]) -> wasmparser::Result<(Vec<String>, Vec<String>)> {
    let (mut imports, mut exports, mut depth) = (Vec::new(), Vec::new(), 0);
    for payload in Parser::new(0).parse_all(component) {
        match payload? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    let import = import?;
                    if let ComponentTypeRef::Instance(_) = import.ty {
                        imports.push(import.name.name.to_owned());
                    }
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    exports.push(export?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok((imports, exports))
}

/// Where it comes from, and who vouches for it.
fn annotations_of(entry: &Value) -> BTreeMap<String, String> {
    let provenance = &entry["provenance"];
    let said = [
        ("org.opencontainers.image.title", &entry["name"]),
        ("org.opencontainers.image.version", &entry["version"]),
        ("org.opencontainers.image.licenses", &provenance["licence"]),
        ("org.opencontainers.image.source", &provenance["source"]),
        (SIGNATURE, &entry["signed_by"]["signature"]),
    ];
    let said = said.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.as_str()?.to_owned())));
    said.collect()
}

/// Pulls a component from a registry: into a file, onto a server, or both.
pub fn pull(wanted: &Pull, client: impl Fn() -> Result<Client, String>, output: Output) -> Result<(), String> {
    let from = reference(&wanted.reference)?;
    let (registry, auth) = (wanted.access.registry()?, auth_of_environment()?);
    let (component, signature, manifest) = wait(pulled(&registry, &from, &auth))??;
    let signature = signature.map(|line| {
        let read = Signature::parse(&line).map_err(|error| format!("{from}: its signature cannot be read: {error}"));
        read.map(|read| read.to_string())
    });
    let signature = signature.transpose()?;
    if let Some(file) = &wanted.file {
        write_component(file, &component, signature.as_deref())?;
    }
    let published = match wanted.publish {
        true => Some(client()?.publish(&component, signature.as_deref())?),
        false => None,
    };
    let digest = digest::of(&component);
    if output == Output::Json {
        let file = wanted.file.as_deref().map(Path::display).map(|path| path.to_string());
        print_json(&json!({
            "reference": from.to_string(), "manifest": manifest, "digest": digest, "signature": signature, "file": file,
            "published": published,
        }));
        return Ok(());
    }
    println!("pulled {from}  {digest}");
    if let Some(published) = published {
        println!("published {} {}", text(&published["name"]), text(&published["version"]));
    }
    Ok(())
}

/// The component of an artifact, its signature, and the digest of its manifest.
async fn pulled(
    registry: &Registry,
    from: &Reference,
    auth: &RegistryAuth,
) -> Result<(Vec<u8>, Option<String>, String), String> {
    let told = |error: oci_client::errors::OciDistributionError| format!("{from}: {error}");
    let (manifest, manifest_digest) = registry.pull_image_manifest(from, auth).await.map_err(told)?;
    let layer = component_layer(&manifest).map_err(|why| format!("{from}: {why}"))?;
    let mut component = Bounded { bytes: Vec::new(), max: COMPONENT_BYTES_MAX };
    registry.pull_blob(from, layer, &mut component).await.map_err(told)?;
    let found = digest::of(&component.bytes);
    if found != layer.digest {
        return Err(format!("{from}: the component is {found}, and its manifest says {}", layer.digest));
    }
    let signature = manifest.annotations.as_ref().and_then(|all| all.get(SIGNATURE)).cloned();
    Ok((component.bytes, signature, manifest_digest))
}

/// The one layer of an artifact that holds a component.
fn component_layer(manifest: &OciImageManifest) -> Result<&OciDescriptor, String> {
    let config = &manifest.config.media_type;
    if config != CONFIG_TYPE {
        return Err(format!("it is no component: its config is {config}, and that of a component is {CONFIG_TYPE}"));
    }
    let [layer] = &manifest.layers[..] else {
        return Err(format!("it has {} layers, and a component has one", manifest.layers.len()));
    };
    if layer.media_type != LAYER_TYPE {
        return Err(format!("its layer is {}, and that of a component is {LAYER_TYPE}", layer.media_type));
    }
    match usize::try_from(layer.size) {
        Ok(bytes) if bytes <= COMPONENT_BYTES_MAX => Ok(layer),
        _ => Err(format!("its layer has {} bytes, and a component has {COMPONENT_BYTES_MAX} at most", layer.size)),
    }
}

/// Bytes that come from a stranger: so many and no more, whatever the manifest said.
struct Bounded {
    bytes: Vec<u8>,
    max: usize,
}

impl tokio::io::AsyncWrite for Bounded {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, piece: &[u8]) -> Poll<std::io::Result<usize>> {
        if self.bytes.len() + piece.len() > self.max {
            let max = self.max;
            return Poll::Ready(Err(std::io::Error::other(format!("it sends more than {max} bytes"))));
        }
        self.bytes.extend_from_slice(piece);
        Poll::Ready(Ok(piece.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLL: &[u8] = include_bytes!("../../../../interlinkers/dist/poll.wasm");

    fn manifest() -> OciImageManifest {
        let layer = ImageLayer::new(POLL, LAYER_TYPE.to_owned(), None);
        let config = Config::new(&b"{}"[..], CONFIG_TYPE.to_owned(), None);
        OciImageManifest::build(&[layer], &config, None)
    }

    #[test]
    fn a_config_says_what_the_component_imports_and_exports() {
        let config = config_of(&json!({"world": "interlink:interlinker@0.1.0"}), POLL).expect("it is a component");
        let exports = &config["component"]["exports"];
        assert!(exports[0].as_str().is_some_and(|name| name.starts_with("interlink:interlinker/asset@")), "{config}");
        let imports = config["component"]["imports"].as_array().expect("a list");
        assert!(imports.iter().any(|name| name.as_str().is_some_and(|name| name.contains("/state@"))), "{config}");
        assert_eq!(config["layerDigests"][0], json!(digest::of(POLL)));
    }

    #[test]
    fn a_login_has_a_name_and_a_password_or_neither() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(auth(None, None), Ok(RegistryAuth::Anonymous));
        assert_eq!(auth(text("ana"), text("x")), Ok(RegistryAuth::Basic("ana".into(), "x".into())));
        assert!(auth(text("ana"), None).is_err() && auth(None, text("x")).is_err());
    }

    #[test]
    fn what_is_no_component_is_refused_before_it_is_read() {
        assert!(component_layer(&manifest()).is_ok());
        let change = |change: &dyn Fn(&mut OciImageManifest)| {
            let mut manifest = manifest();
            change(&mut manifest);
            component_layer(&manifest).expect_err("it is refused")
        };
        assert!(
            change(&|manifest| manifest.config.media_type = "application/vnd.oci.image.config.v1+json".into())
                .contains("no component")
        );
        assert!(change(&|manifest| manifest.layers.clear()).contains("0 layers"));
        assert!(change(&|manifest| manifest.layers[0].media_type = "text/plain".into()).contains("text/plain"));
        assert!(change(&|manifest| manifest.layers[0].size = 1 << 40).contains("at most"));
        assert!(change(&|manifest| manifest.layers[0].size = -1).contains("at most"));
    }

    #[tokio::test]
    async fn a_registry_that_sends_more_than_a_component_has_is_not_listened_to() {
        use tokio::io::AsyncWrite;
        let mut bounded = Bounded { bytes: Vec::new(), max: 10 };
        let mut write = async |piece: &[u8]| {
            std::future::poll_fn(|context| Pin::new(&mut bounded).poll_write(context, piece)).await
        };
        assert_eq!(write(b"0123456789").await.expect("it fits"), 10);
        assert!(write(b"0").await.is_err());
    }
}

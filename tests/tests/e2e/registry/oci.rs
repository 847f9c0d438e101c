//! Components by way of a registry of OCI artifacts: a real one, of Debian's package `docker-registry`, where it is installed.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::poll;
use super::signing::{Desk, publish, signed_by, succeeds, trust};
use crate::given::text;
use crate::server::{Server, printed};

/// The program, where distributions install it.
const PROGRAMS: [&str; 2] = ["/usr/bin/docker-registry", "/usr/bin/registry"];
/// How long it may take to start.
const START: Duration = Duration::from_secs(30);

/// A registry on this machine. It is ended when it is dropped.
pub struct Registry {
    child: Child,
    pub address: String,
    place: PathBuf,
}

impl Registry {
    /// Starts one with its files below a directory; nothing where the program is not installed.
    pub fn start(folder: &Path) -> Option<Self> {
        let program = PROGRAMS.into_iter().find(|path| Path::new(path).exists())?;
        let begun = Instant::now();
        loop {
            let free = TcpListener::bind("127.0.0.1:0").expect("a port is free").local_addr().expect("it has one");
            let place = folder.join(format!("registry-{}", free.port()));
            let config = format!(
                "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: {free}}}\n",
                place.display()
            );
            let path = folder.join("registry.yml");
            std::fs::write(&path, config).expect("written");
            let child = Command::new(program)
                .arg("serve")
                .arg(&path)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("it runs");
            let mut registry = Self { child, address: free.to_string(), place };
            // Somebody else may have taken the port meanwhile: it ends then, and another is tried.
            while registry.child.try_wait().expect("it is ours").is_none() {
                if std::net::TcpStream::connect(free).is_ok() {
                    return Some(registry);
                }
                assert!(begun.elapsed() < START, "the registry does not listen");
                std::thread::sleep(Duration::from_millis(20));
            }
            assert!(begun.elapsed() < START, "the registry does not start");
        }
    }

    fn blob(&self, digest: &str) -> PathBuf {
        let hex = digest.trim_start_matches("sha256:");
        self.place.join(format!("docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]))
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // One that has ended by itself is as gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_component_goes_to_another_server_by_way_of_a_registry_with_its_signature() {
    let desk = Desk::new();
    let Some(registry) = Registry::start(desk.folder()) else {
        println!("skipped: docker-registry is not installed (apt-get install docker-registry)");
        return;
    };
    let (here, there) = (Server::start(), Server::start());
    let key = desk.key("town-2027");
    let component = desk.write("poll.wasm", &poll("1.1.0"));
    for server in [&here, &there] {
        trust(server, &desk, "town-2027", "Town hall");
        succeeds(&server.cli(&["trust", "require", "on"]));
    }
    succeeds(&publish(&here, &component, Some(&key)));

    let reference = format!("{}/interlinkers/poll:1.1.0", registry.address);
    let push = ["--output", "json", "interlinker", "push", "poll@1.1.0", &reference, "--plain-http"];
    let pushed: Value = serde_json::from_str(&succeeds(&here.cli(&push))).expect("JSON alone");
    let versions = here.operator().all("/v1/interlinkers/poll/versions", 10);
    let of_component = versions.iter().find(|one| one["version"] == "1.1.0").expect("there")["digest"].clone();
    assert_eq!(pushed["digest"], of_component, "{pushed}");
    let of_component = text(&of_component);
    assert!(registry.blob(of_component).exists(), "it is there as it was published");
    let manifest = registry.blob(pushed["manifest"].as_str().expect("a digest"));
    let manifest: Value = serde_json::from_slice(&std::fs::read(manifest).expect("it is there")).expect("a manifest");
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.wasm.config.v0+json", "{manifest}");
    assert_eq!(manifest["layers"][0]["mediaType"], "application/wasm", "{manifest}");
    assert_eq!(manifest["annotations"]["org.opencontainers.image.version"], "1.1.0", "{manifest}");

    let pulled = desk.path("pulled.wasm");
    succeeds(&there.cli(&["interlinker", "pull", &reference, "--plain-http", "-o", &pulled]));
    assert!(std::fs::read(&pulled).expect("it is there") == poll("1.1.0"));
    assert_eq!(desk.line("pulled.wasm.sig"), desk.line("poll.wasm.sig"));
    let by_digest = format!("{}/interlinkers/poll@{}", registry.address, pushed["manifest"].as_str().expect("one"));
    succeeds(&there.cli(&["interlinker", "pull", &by_digest, "--plain-http", "--publish"]));
    let by = signed_by(there.operator(), "1.1.0");
    assert_eq!((&by["key"], &by["trusted"]), (&"town-2027".into(), &true.into()), "{by}");

    let mut altered = poll("1.1.0");
    *altered.last_mut().expect("a byte") ^= 1;
    std::fs::write(registry.blob(of_component), altered).expect("written");
    let other = desk.path("altered.wasm");
    let refused = there.cli(&["interlinker", "pull", &reference, "--plain-http", "-o", &other]);
    assert!(!refused.status.success() && printed(&refused).contains("sha256:"), "{}", printed(&refused));
    assert!(!Path::new(&other).exists(), "nothing of it is kept");
    let missing = format!("{}/interlinkers/nothing:1.0.0", registry.address);
    let refused = there.cli(&["interlinker", "pull", &missing, "--plain-http", "--publish"]);
    assert!(!refused.status.success() && printed(&refused).contains("nothing:1.0.0"), "{}", printed(&refused));
    let refused = there.cli(&["interlinker", "pull", "not a reference", "--publish"]);
    assert!(!refused.status.success() && printed(&refused).contains("no reference"), "{}", printed(&refused));
}

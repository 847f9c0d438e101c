//! Components that are none, that are made to be costly to read, or for another world.

use serde_json::{Value, json};

use crate::case::{Case, Group};
use crate::hand::{Guest, boxed, leb128, manifest, with_section};

pub(super) fn cases() -> Vec<Case> {
    [bytes(), imports(), manifests(), schemas(), nested(), worlds()].into_iter().flatten().collect()
}

fn unfit(name: &'static str, slug: &'static str, component: Vec<u8>) -> Case {
    Case::unfit(Group::Component, name, slug, component)
}

fn bytes() -> Vec<Case> {
    let whole = Guest::new().bytes();
    let ends = |case: Case, at: usize| case.and_unfit("invalid", whole[..at].to_vec());
    let cut = [40, 200, 900, whole.len() / 2]
        .into_iter()
        .fold(Case::new(Group::Component, "a component that ends early"), ends);
    let two = "(memory 1) (memory 1)";
    vec![
        unfit("a text", "not-wasm", b"(component)".to_vec()).and_unfit("not-wasm", Vec::new()),
        unfit("a core module", "core-module", b"\0asm\x01\0\0\0".to_vec()),
        cut,
        unfit("more memory than there is room for", "invalid", Guest::new().with("(memory 1025)").bytes())
            .and_unfit("invalid", Guest::new().with(two).bytes())
            .and_unfit("invalid", Guest::new().with("(table 200000 funcref)").bytes()),
        unfit("memory that is shared with others", "invalid", Guest::new().with("(memory 1 1 shared)").bytes()),
        unfit("a component that exports nothing", "export", b"\0asm\x0d\0\x01\0".to_vec()),
    ]
}

fn imports() -> Vec<Case> {
    let importing = |import: &str| Guest::new().importing(import).bytes();
    let wasi = [
        "wasi:filesystem/types@0.2.0",
        "wasi:sockets/tcp@0.2.0",
        "wasi:clocks/wall-clock@0.2.0",
        "wasi:random/random@0.2.0",
        "wasi:cli/environment@0.2.0",
        "wasi:http/outgoing-handler@0.2.0",
    ];
    let all = Case::new(Group::Component, "files, sockets, clocks and randomness of its own");
    let all = wasi
        .iter()
        .fold(all, |case, name| case.and_unfit("import", importing(&format!(r#"(import "{name}" (instance))"#))));
    let steal = r#"(export "steal" (func (param "asset" string)))"#;
    let clock = r#"(import "interlink:interlinker/clock@0.1.1" (instance (export "now" (func (result string)))))"#;
    vec![
        all,
        unfit("a function that an interface does not have", "invalid", Guest::new().importing_of_state(steal).bytes()),
        unfit("a function of other types", "invalid", importing(clock)),
        unfit("an import that is no interface", "import", importing(r#"(import "steal" (func))"#)),
        unfit("a problem that is none of the world's", "export", Guest::new().with_wider_problem().bytes()),
    ]
}

fn manifests() -> Vec<Case> {
    let plain = || manifest().to_string();
    let with = |manifest: &[u8]| Guest::new().with_manifest(Some(manifest)).bytes();
    let saying = |field: &str, value: Value| Guest::new().saying(field, value).bytes();
    let reason = json!({"en": "why"});
    let http = |origin: &str| json!({"http": [{"origin": origin, "methods": ["GET"], "reason": reason}]});
    vec![
        unfit("no manifest", "manifest", Guest::new().with_manifest(None).bytes()),
        unfit(
            "two manifests",
            "manifest",
            with_section(Guest::new().bytes(), "interlink:manifest", plain().as_bytes()),
        ),
        unfit("a manifest that is no JSON", "manifest", with(b"{"))
            .and_unfit("manifest", with(b""))
            .and_unfit("manifest", with(b"\xff\xfe"))
            .and_unfit("manifest", with(&b"[".repeat(100_000))),
        unfit("a manifest without end", "manifest", saying("sdk", json!("x".repeat(600 << 10)))),
        unfit("a manifest of more actions than anybody reads", "manifest", {
            let actions: Vec<_> = (0..201).map(|number| json!({"name": format!("go-{number}")})).collect();
            saying("actions", json!(actions))
        }),
        unfit("a manifest that asks for everything", "manifest", saying("grants", json!({"everything": true})))
            .and_unfit("manifest", saying("grants", http("https://*")))
            .and_unfit("manifest", saying("grants", http("file:///")))
            .and_unfit("manifest", saying("grants", json!({"people": {"reason": {}}}))),
        unfit("a source that runs where it is opened", "manifest", saying("source", json!("javascript:alert(1)"))),
    ]
}

fn schemas() -> Vec<Case> {
    let input = |schema: Value| Guest::new().saying("instantiate", json!({ "input": schema })).bytes();
    let level = |next: usize| {
        let next = json!({"$ref": format!("#/$defs/d{next}")});
        json!({"allOf": [next, next]})
    };
    let mut doubling: serde_json::Map<String, Value> = (0..40).map(|at| (format!("d{at}"), level(at + 1))).collect();
    doubling.insert("d40".into(), json!({"type": "object"}));
    vec![
        unfit("a schema that is none", "manifest", input(json!({"type": 3}))),
        unfit(
            "a schema that doubles at every reference",
            "manifest",
            input(json!({"$ref": "#/$defs/d0", "$defs": doubling})),
        ),
        unfit("a schema that reads files or the network", "manifest", input(json!({"$ref": "file:///etc/passwd"})))
            .and_unfit("manifest", input(json!({"$ref": "http://127.0.0.1:9/schema.json"}))),
        unfit("a schema that refers to what is not there", "manifest", input(json!({"$ref": "#/$defs/nowhere"}))),
        unfit("a schema with a pattern that is none", "manifest", input(json!({"pattern": "("}))),
    ]
}

/// A component with types that each contain the one before.
fn typed(many: usize, of: impl Fn(usize) -> String) -> Vec<u8> {
    let types: String = (1..=many).map(|number| format!("(type $t{number} {})\n", of(number - 1))).collect();
    let import = format!("(type $t0 string)\n{types}");
    let deep = format!("(alias outer 1 $t{many} (type $deep)) (export \"deep\" (func (param \"it\" $deep)))");
    Guest::new().importing(&import).importing_of_state(&deep).bytes()
}

fn nested() -> Vec<Case> {
    let wide = |many: usize| {
        let row = [b"\0asm\x0d\0\x01\0".to_vec(), [&[4, 8][..], b"\0asm\x0d\0\x01\0"].concat().repeat(many)].concat();
        let mut bytes = Guest::new().bytes();
        for _ in 0..many {
            bytes.push(4);
            bytes.extend(leb128(row.len()));
            bytes.extend(&row);
        }
        bytes
    };
    let inside = |many: usize| {
        let mut bytes = Guest::new().bytes();
        bytes.extend(&boxed(many)[8..]);
        bytes
    };
    vec![
        unfit("lists of lists without end", "invalid", typed(90, |before| format!("(list $t{before})")))
            .and_unfit("invalid", typed(900, |before| format!("(list $t{before})")))
            .and_unfit("invalid", typed(50_000, |before| format!("(list $t{before})"))),
        unfit("options of options without end", "invalid", typed(5_000, |before| format!("(option $t{before})"))),
        unfit(
            "pairs of pairs that double at every level",
            "invalid",
            typed(60, |before| format!("(tuple $t{before} $t{before})")),
        ),
        unfit("components in components without end", "invalid", inside(1_000))
            .and_unfit("invalid", inside(100_000))
            .and_unfit("invalid", boxed(2_000)),
        unfit("components beside components, three hundred times three hundred", "invalid", wide(300)),
    ]
}

fn worlds() -> Vec<Case> {
    let case =
        |name: &'static str, slug: &'static str, component: Vec<u8>| Case::unfit(Group::World, name, slug, component);
    let newer = ["0.1.2", "0.2.0", "1.0.1", "1.1.1", "1.2.0", "2.0.0", "0.0.9"];
    let all = Case::new(Group::World, "a guest built for a world that is not spoken");
    let all =
        newer.into_iter().fold(all, |case, version| case.and_unfit("world", Guest::new().of_version(version).bytes()));
    let import =
        |name: &str| Guest::new().importing(&format!(r#"(import "interlink:interlinker/{name}" (instance))"#)).bytes();
    let early = Case::new(Group::World, "an interface that came later than the version that it is asked of");
    let early = ["clock@0.1.0", "http@0.1.0", "settings@0.1.1", "blobs@0.1.0", "assets@0.1.1", "texts@1.0.0"]
        .into_iter()
        .fold(early, |case, name| case.and_unfit("import", import(name)));
    let said = |world: &str| Guest::new().saying("world", json!(world)).bytes();
    let only = r#"(component (instance $asset) (export "interlink:interlinker/asset@2.0.0" (instance $asset)))"#;
    let older = |version| {
        let name = match version {
            "0.1.0" => "a guest of the first world runs",
            "0.1.1" => "a guest of the second world runs",
            "1.0.0" => "a guest of the third world runs",
            _ => "a guest of the newest world that asks for nothing runs",
        };
        Case::of(Group::World, name, Guest::new().of_version(version)).is_done()
    };
    vec![
        all,
        early,
        case("a guest that asks for an interface of the future", "import", import("telepathy@1.0.0"))
            .and_unfit("world", import("state@1.2.0")),
        case("a manifest that names a world of the future", "world", said("interlink:interlinker@1.2.0"))
            .and_unfit("world", said("interlink:interlinker@99999999999999999999.0.0"))
            .and_unfit("world", said("another:world@1.0.0")),
        case("a manifest of a form of the future", "manifest", Guest::new().saying("manifest", json!(2)).bytes()),
        case("a guest that only exports what a later world calls", "world", wat::parse_str(only).unwrap_or_default()),
        older("0.1.0"),
        older("0.1.1"),
        older("1.0.0"),
        older("1.1.0"),
    ]
}

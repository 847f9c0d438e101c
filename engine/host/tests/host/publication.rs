//! Components that are not taken: each is told why, and the host serves on.

use std::time::{Duration, Instant};

use interlink_host::{Limits, PublishError, WORLD, check_examples};
use interlink_model::manifest::EXAMPLES_MAX;
use interlink_model::manifest::MANIFEST_SECTION;
use serde_json::{Value, json};

use super::given::{dist, given, shared, small};
use super::guest::{Guest, boxed, manifest, with_section};

/// Why a component with this manifest is not taken.
fn unfit(manifest: &[u8]) -> PublishError {
    shared().unpublished(&Guest::new().with_manifest(Some(manifest)).bytes())
}

/// The same for the usual manifest with one field changed.
fn unfit_with(pointer: &str, value: Value) -> PublishError {
    let mut manifest = manifest();
    *manifest.pointer_mut(pointer).expect("a field of the manifest") = value;
    unfit(manifest.to_string().as_bytes())
}

#[track_caller]
fn says(error: &PublishError, words: &[&str]) {
    let said = error.to_string();
    for word in words {
        assert!(said.contains(word), "{said:?} does not say {word:?}");
    }
}

fn component(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the text is WebAssembly")
}

#[test]
fn a_guest_written_by_hand_is_taken_for_what_it_is() {
    let inspected = shared().host.inspect(&Guest::new().bytes()).expect("it is sound");
    assert_eq!((inspected.manifest.name.as_str(), inspected.digest.len()), ("guest", 71));
}

#[test]
fn imports_of_wasi_are_refused_by_name() {
    let wasi = "wasi:cli/environment@0.2.0";
    let import = format!(r#"(import "{wasi}" (instance (export "get-arguments" (func (result (list string))))))"#);
    let error = shared().unpublished(&Guest::new().importing(&import).bytes());
    assert_eq!(error, PublishError::Import { name: wasi.into() });
    says(&error, &[wasi, WORLD, "no files, no network, no clock and no randomness"]);
}

#[test]
fn an_interface_that_the_world_does_not_have_is_refused_by_name() {
    let name = "interlink:interlinker/clock@0.1.0";
    let import = format!(r#"(import "{name}" (instance (export "now" (func (result u64)))))"#);
    let error = shared().unpublished(&Guest::new().importing(&import).bytes());
    assert_eq!(error, PublishError::Import { name: name.into() });
}

#[test]
fn a_function_that_an_interface_does_not_have_is_refused_by_name() {
    let guest = Guest::new().importing_of_state(r#"(export "steal" (func (param "asset" string)))"#);
    let error = shared().unpublished(&guest.bytes());
    assert!(matches!(error, PublishError::Invalid { .. }), "{error:?}");
    says(&error, &["steal"]);
}

#[test]
fn text_is_no_component() {
    assert_eq!(shared().unpublished(b"(component)"), PublishError::NotWasm);
    assert_eq!(shared().unpublished(b""), PublishError::NotWasm);
}

#[test]
fn a_core_module_is_told_what_to_become() {
    let error = shared().unpublished(&component(r#"(module (func (export "call")))"#));
    assert_eq!(error, PublishError::CoreModule);
    says(&error, &["cargo xtask guests"]);
}

#[test]
fn a_component_that_ends_early_is_refused_wherever_it_ends() {
    let whole = Guest::new().bytes();
    for end in (4..whole.len()).step_by(97) {
        let error = shared().host.load(&whole[..end]).expect_err("it is not whole");
        assert!(!matches!(error, PublishError::NotWasm | PublishError::TooLarge { .. }), "{end}: {error:?}");
    }
    shared().serves();
}

#[test]
fn a_component_with_any_one_byte_changed_harms_nobody() {
    let whole = Guest::new().with_manifest(None).bytes();
    for at in (0..whole.len()).step_by(7) {
        let mut changed = whole.clone();
        changed[at] ^= 0x55;
        shared().host.load(&changed).expect_err("it has no manifest at best");
    }
    shared().serves();
}

#[test]
fn another_version_of_the_world_is_told_with_both() {
    let error = shared().unpublished(&Guest::new().of_version("0.2.0").bytes());
    assert!(matches!(&error, PublishError::World { found } if found.ends_with("@0.2.0")), "{error:?}");
    says(&error, &["@0.2.0", WORLD]);
}

#[test]
fn a_component_that_only_exports_another_version_is_told_so() {
    let text = r#"(component (instance $asset) (export "interlink:interlinker/asset@0.2.0" (instance $asset)))"#;
    let error = shared().unpublished(&component(text));
    assert_eq!(error, PublishError::World { found: "interlink:interlinker/asset@0.2.0".into() });
}

#[test]
fn a_component_that_exports_nothing_of_ours_is_refused() {
    let error = shared().unpublished(&component("(component)"));
    assert!(matches!(error, PublishError::Export { .. }), "{error:?}");
}

#[test]
fn an_export_without_its_functions_is_refused() {
    let text = r#"(component (instance $asset) (export "interlink:interlinker/asset@0.1.0" (instance $asset)))"#;
    let bytes = with_section(component(text), MANIFEST_SECTION, manifest().to_string().as_bytes());
    let error = shared().unpublished(&bytes);
    assert!(matches!(error, PublishError::Export { .. }), "{error:?}");
    says(&error, &["`instantiate` of `asset` is missing"]);
}

#[test]
fn an_export_with_other_types_is_refused() {
    let error = shared().unpublished(&Guest::new().with_wider_problem().bytes());
    assert!(matches!(error, PublishError::Export { .. }), "{error:?}");
    says(&error, &["`instantiate` has other types"]);
}

#[test]
fn a_component_without_a_manifest_is_told_what_appends_it() {
    let error = shared().unpublished(&Guest::new().with_manifest(None).bytes());
    assert!(matches!(error, PublishError::Manifest { .. }), "{error:?}");
    says(&error, &["is missing", "cargo xtask guests"]);
}

#[test]
fn a_manifest_that_is_there_twice_is_refused() {
    let twice = with_section(Guest::new().bytes(), MANIFEST_SECTION, manifest().to_string().as_bytes());
    let error = shared().unpublished(&twice);
    assert!(matches!(error, PublishError::Manifest { .. }), "{error:?}");
    says(&error, &["is there twice"]);
}

#[test]
fn a_broken_manifest_is_refused() {
    let deep = "[".repeat(100_000);
    let cases: [&[u8]; 5] = [b"", b"{", b"[]", b"\xff\xfe", deep.as_bytes()];
    for broken in cases {
        let error = unfit(broken);
        assert!(matches!(error, PublishError::Manifest { .. }), "{error:?}");
        says(&error, &["cannot be read"]);
    }
}

#[test]
fn a_manifest_says_only_what_this_server_reads() {
    let long = "n".repeat(129);
    let many: Vec<_> = (0..201).map(|number| json!({"name": format!("go-{number}")})).collect();
    for (pointer, value, said) in [
        ("/manifest", json!(2), "form 2"),
        ("/name", json!(""), "a name is letters"),
        ("/name", json!("../poll"), "a name is letters"),
        ("/name", json!(long), "a name is letters"),
        ("/actions/0/name", json!("a b"), "no name"),
        ("/actions", json!([{"name": "go"}, {"name": "go"}]), "twice there"),
        ("/actions", json!(many), "at most 200"),
        ("/instantiate", json!({"title": "x".repeat(512 << 10)}), "at most 524288"),
    ] {
        let error = unfit_with(pointer, value);
        assert!(matches!(error, PublishError::Manifest { .. }), "{error:?}");
        says(&error, &[said]);
    }
}

#[test]
fn a_manifest_for_another_world_is_told_with_both() {
    let other = "interlink:interlinker@0.2.0";
    let error = unfit_with("/world", json!(other));
    assert_eq!(error, PublishError::World { found: other.into() });
    says(&error, &[other, WORLD]);
}

#[test]
fn what_is_no_json_schema_is_told_with_its_place() {
    let wrong = json!({"type": 3});
    for (pointer, value, place) in [
        ("/instantiate", json!({"input": wrong}), "instantiate/input"),
        ("/actions", json!([{"name": "go", "input": wrong}]), "actions/go/input"),
        ("/instantiate", json!({"input": {"pattern": "("}}), "instantiate/input"),
        ("/instantiate", json!({"input": {"$ref": "#/$defs/nowhere"}}), "instantiate/input"),
    ] {
        let error = unfit_with(pointer, value);
        assert!(matches!(error, PublishError::Manifest { .. }), "{error:?}");
        says(&error, &[place]);
    }
    let mut view = manifest();
    view["view"] = json!({"query": wrong});
    says(&unfit(view.to_string().as_bytes()), &["view/query"]);
}

#[test]
fn a_schema_reads_neither_files_nor_the_network() {
    for elsewhere in ["http://127.0.0.1:9/schema.json", "file:///etc/passwd"] {
        let error = unfit_with("/instantiate", json!({"input": {"$ref": elsewhere}}));
        assert!(matches!(error, PublishError::Manifest { .. }), "{error:?}");
    }
}

#[test]
fn a_component_that_is_too_large_is_not_even_read() {
    let bytes = dist("poll");
    let given = given(Limits { component_bytes: bytes.len(), ..small() });
    let larger = with_section(bytes.clone(), "x", b"");
    let error = given.unpublished(&larger);
    assert_eq!(error, PublishError::TooLarge { bytes: larger.len(), max: bytes.len() });
}

#[test]
fn what_the_pool_keeps_no_room_for_is_not_published() {
    let two_memories = "(memory 1) (memory 1)";
    let two_tables = "(table 1 funcref) (table 1 funcref)";
    for fields in ["(memory 1000)", two_memories, two_tables, "(table 100000 funcref)"] {
        let error = shared().unpublished(&Guest::new().with(fields).bytes());
        assert!(matches!(error, PublishError::Invalid { .. }), "{error:?}");
    }
    let error = shared().unpublished(&Guest::new().owning(&["memory 1"; 16]).bytes());
    assert!(matches!(error, PublishError::Invalid { .. }), "seventeen memories: {error:?}");
}

#[test]
fn threads_and_shared_memory_are_not_to_be_had() {
    let error = shared().unpublished(&Guest::new().with("(memory 1 1 shared)").bytes());
    assert!(matches!(error, PublishError::Invalid { .. }), "{error:?}");
}

/// Whatever a schema is made of, it is refused or it answers soon.
fn checked(schema: &Value, input: &Value) {
    let mut manifest = manifest();
    manifest["instantiate"] = json!({ "input": schema });
    let guest = Guest::new().with_manifest(Some(manifest.to_string().as_bytes()));
    let began = Instant::now();
    if let Ok(loaded) = shared().host.load(&guest.bytes()) {
        // Whether it fits is not what is asked here.
        let _ = loaded.check_instantiate(input);
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{schema} took {:?}", began.elapsed());
}

#[test]
fn a_schema_that_refers_to_itself_harms_nobody() {
    let input = json!({"a": 1});
    checked(&json!({"$ref": "#"}), &input);
    checked(&json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}), &input);
    let both = json!({"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}});
    checked(&json!({"$ref": "#/$defs/a", "$defs": both}), &input);
    checked(&json!({"allOf": [{"$ref": "#"}]}), &input);
    checked(&json!({"$dynamicRef": "#a", "$dynamicAnchor": "a"}), &input);
}

/// What is said of the examples of a manifest in which a place has other content.
fn said_of_examples(place: &str, content: Value) -> String {
    let mut manifest = manifest();
    *manifest.pointer_mut(place).expect("it is a place") = content;
    let bytes = Guest::new().with_manifest(Some(manifest.to_string().as_bytes())).bytes();
    let inspected = shared().host.inspect(&bytes).expect("what was published before is loaded as ever");
    check_examples(&inspected.manifest).map_or_else(|error| PublishError::from(error).to_string(), |()| String::new())
}

#[track_caller]
fn holds(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "{said:?} does not say {word:?}");
    }
}

#[test]
fn an_example_that_its_own_form_refuses_is_not_published() {
    let form = json!({"type": "object", "properties": {"option": {"type": "string"}}, "required": ["option"]});
    let with = |examples: Value| json!([{"name": "vote", "input": form, "examples": examples}]);
    let said = said_of_examples("/actions", with(json!([{"title": "Monday", "input": {"option": 1}}])));
    holds(&said, &["Monday", "vote", "/option", "string"]);
    let both = json!([{"title": "Monday", "input": {"option": "a"}, "output": 1, "problem": "closed"}]);
    holds(&said_of_examples("/actions", with(both)), &["Monday", "`output` and `problem`"]);
    let coded = json!([{"title": "Monday", "input": {"option": "a"}, "problem": "Is Closed"}]);
    holds(&said_of_examples("/actions", with(coded)), &["Monday", "\"Is Closed\"", "`already-voted`"]);
    let fits = json!({"title": "Monday", "input": {"option": "a"}, "output": {"at": 1}});
    holds(&said_of_examples("/actions", with(json!(vec![&fits; EXAMPLES_MAX + 1]))), &["vote", "21", "20"]);
    let opening = json!({"input": form, "examples": [{"title": "Open", "input": {}}]});
    holds(&said_of_examples("/instantiate", opening), &["Open", "instantiate"]);
    assert_eq!(said_of_examples("/actions", with(json!(vec![fits; EXAMPLES_MAX]))), "");
}

#[test]
fn an_example_whose_answer_its_action_cannot_give_is_not_published() {
    let output =
        json!({"type": "object", "properties": {"left": {"type": "integer", "minimum": 0}}, "required": ["left"]});
    let with = |example: Value| json!([{"name": "vote", "output": output, "examples": [{"title": "A vote", "input": {}}, example]}]);
    let said =
        |answer: Value| said_of_examples("/actions", with(json!({"title": "Monday", "input": {}, "output": answer})));
    holds(&said(json!({"left": -1})), &["Monday", "vote", "output", "/left", "minimum of 0"]);
    holds(&said(json!({"right": 1})), &["Monday", "\"left\" is a required property"]);
    for sound in [json!({"left": 1}), Value::Null] {
        assert_eq!(said(sound.clone()), "", "{sound}");
    }
    let refused = json!({"title": "Tuesday", "input": {}, "problem": "closed"});
    assert_eq!(said_of_examples("/actions", with(refused)), "");
}

#[test]
fn a_schema_that_doubles_at_every_reference_is_refused() {
    let level =
        |next: usize| json!({"allOf": [{"$ref": format!("#/$defs/d{next}")}, {"$ref": format!("#/$defs/d{next}")}]});
    let levels = |many: usize| {
        let mut defs: serde_json::Map<String, Value> = (0..many).map(|at| (format!("d{at}"), level(at + 1))).collect();
        defs.insert(format!("d{many}"), json!({"type": "object"}));
        json!({"input": {"$ref": "#/$defs/d0", "$defs": defs}})
    };
    for many in [20, 40] {
        says(&unfit_with("/instantiate", levels(many)), &["instantiate/input", "20000"]);
    }
    let mut shallow = manifest();
    shallow["instantiate"] = levels(4);
    let guest = Guest::new().with_manifest(Some(shallow.to_string().as_bytes()));
    assert!(shared().host.load(&guest.bytes()).is_ok());
}

#[test]
fn references_lead_so_deep_and_no_deeper() {
    let levels = |many: usize| {
        let mut defs: serde_json::Map<String, Value> =
            (1..many).map(|at| (format!("d{at}"), json!({"$ref": format!("#/$defs/d{}", at + 1)}))).collect();
        defs.insert(format!("d{many}"), json!({"type": "object"}));
        json!({"input": {"$ref": "#/$defs/d1", "$defs": defs}})
    };
    let mut deep = manifest();
    deep["instantiate"] = levels(64);
    let guest = Guest::new().with_manifest(Some(deep.to_string().as_bytes()));
    assert!(shared().host.load(&guest.bytes()).is_ok());
    says(&unfit_with("/instantiate", levels(65)), &["instantiate/input", "64 levels of references"]);
}

#[test]
fn components_lie_inside_each_other_so_deep_and_no_deeper() {
    let inside = |levels: usize| {
        let mut bytes = Guest::new().bytes();
        bytes.extend(&boxed(levels)[8..]);
        bytes
    };
    // The outermost one is a level, too.
    assert!(shared().host.load(&inside(31)).is_ok());
    let begun = Instant::now();
    for levels in [32, 100_000] {
        let error = shared().unpublished(&inside(levels));
        assert!(matches!(error, PublishError::Invalid { .. }), "{error:?}");
        says(&error, &["more than 32 levels"]);
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn a_component_has_so_many_components_and_no_more() {
    let plain = Guest::new().bytes();
    let has = plain.windows(4).filter(|four| four == b"\0asm").count();
    let with = |many: usize| {
        let one = [&[4, 8][..], b"\0asm\x0d\0\x01\0"].concat();
        [plain.clone(), one.repeat(many - has)].concat()
    };
    assert!(shared().host.load(&with(1_000)).is_ok());
    let error = shared().unpublished(&with(1_001));
    assert!(matches!(error, PublishError::Invalid { .. }), "{error:?}");
    says(&error, &["more than 1000"]);
}

#[test]
fn so_many_places_of_an_input_are_told_and_no_more() {
    let mut manifest = manifest();
    manifest["instantiate"] = json!({"input": {"type": "array", "items": {"type": "string"}}});
    let guest = Guest::new().with_manifest(Some(manifest.to_string().as_bytes()));
    let loaded = shared().host.load(&guest.bytes()).expect("it is sound");
    let wrong = |many: usize| loaded.check_instantiate(&json!(vec![0; many])).expect_err("no text").len();
    assert_eq!([wrong(49), wrong(50), wrong(51)], [49, 50, 50]);
}

#[test]
fn a_schema_whose_pattern_goes_back_and_forth_is_bounded() {
    let text = json!(format!("{}!", "a".repeat(40)));
    for pattern in ["^(a+)+$", "^(a|a)*$", "^(?=(a+)+$)", r"^(a*)*\1$", "(((a{100}){100}){100}){100}"] {
        checked(&json!({ "pattern": pattern }), &text);
    }
}

//! INTERLINK's bundles: as published, with their quirks, and as a stranger might send them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Write};
use std::path::Path;

use interlink_model::schema::authoring::{Parsed, Syntax, parse};
use interlink_model::schema::bundle::{import, unzip};
use interlink_model::schema::finding::{Finding, Refusal, RefusalKind};
use interlink_model::schema::limits::*;
use interlink_model::schema::outline::Outline;
use interlink_model::schema::{PrerequisiteKind, Schema};
use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

type Files = BTreeMap<String, Vec<u8>>;

fn files(documents: &[(&str, Value)]) -> Files {
    documents.iter().map(|(path, document)| ((*path).to_owned(), document.to_string().into_bytes())).collect()
}

/// A bundle of two phases; the second one's file comes first in the alphabet.
fn small() -> Vec<(&'static str, Value)> {
    vec![
        ("metadata.json", json!({"id": "small", "name_translations": {"en": "Small"}, "languages": ["en", "es"]})),
        (
            "phases/a.json",
            json!({"id": "run", "prerequisites": [{"item": "engage", "status": "finished"}], "objectives": []}),
        ),
        (
            "phases/b.json",
            json!({"id": "engage", "prerequisites": [], "objectives": [{"id": "o", "problemprofiles": ["x"], "tasks": [
                {"id": "t2", "prerequisites": [{"item": "t1", "type": "previous"}]},
                {"id": "t1", "prerequisites": []}
            ]}]}),
        ),
    ]
}

fn taken(files: &Files) -> Parsed {
    import(files).unwrap_or_else(|refusal| panic!("{refusal:#?}"))
}

/// The small bundle with task `t1` having `prerequisites`.
fn with_prerequisites(prerequisites: Value) -> Files {
    let mut documents = small();
    documents[2].1["objectives"][0]["tasks"][0]["prerequisites"] = prerequisites;
    files(&documents)
}

fn messages(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.message.as_str()).collect()
}

#[test]
fn a_bundle_is_read_in_the_order_of_its_prerequisites() {
    let parsed = taken(&files(&small()));
    let schema = &parsed.schema;
    assert_eq!(schema.name, "small");
    assert_eq!(schema.phases.iter().map(|phase| phase.id.as_str()).collect::<Vec<_>>(), ["engage", "run"]);
    let tasks = &schema.phases[0].objectives[0].tasks;
    assert_eq!(tasks.iter().map(|task| task.id.as_str()).collect::<Vec<_>>(), ["t1", "t2"]);
    assert_eq!(tasks[1].prerequisites[0].kind, PrerequisiteKind::Previous);
    assert_eq!(parsed.document["format"], 1);
    assert_eq!(parsed.document["files"]["phases/a.json"]["id"], "run");
    assert_eq!(schema.version.to_string(), format!("0.0.0+{}", &schema.digest["sha256:".len()..][..12]));
    assert_eq!(parsed.repairs, []);
}

#[test]
fn below_which_folder_a_bundle_lies_does_not_matter() {
    let plain = files(&small());
    for root in ["small/", "a/b/"] {
        let mut moved: Files = plain.iter().map(|(path, bytes)| (format!("{root}{path}"), bytes.clone())).collect();
        moved.insert("__MACOSX/small/metadata.json".to_owned(), b"\0".to_vec());
        assert_eq!(taken(&moved), taken(&plain));
    }
    let mut two: Files = plain.iter().map(|(path, bytes)| (format!("one/{path}"), bytes.clone())).collect();
    two.extend(plain.iter().map(|(path, bytes)| (format!("two/{path}"), bytes.clone())));
    assert!(import(&two).expect_err("two bundles").findings[0].message.contains("more than one bundle"));
}

#[test]
fn prerequisites_are_read_in_each_of_their_forms() {
    let forms = [
        (json!([{"item": "t1", "status": "finished"}]), PrerequisiteKind::Finished),
        (json!([{"item": "t1", "type": "previous"}]), PrerequisiteKind::Previous),
        (json!({"item": "t1", "type": "previous"}), PrerequisiteKind::Previous),
        (json!({"t1": "finished"}), PrerequisiteKind::Finished),
        (json!({"t1": "previous"}), PrerequisiteKind::Previous),
        (json!(["t1"]), PrerequisiteKind::Finished),
        (json!("t1"), PrerequisiteKind::Finished),
    ];
    for (form, kind) in forms {
        let parsed = taken(&with_prerequisites(form.clone()));
        let prerequisites = &parsed.schema.phases[0].objectives[0].tasks[1].prerequisites;
        assert_eq!((prerequisites[0].item.as_str(), prerequisites[0].kind), ("t1", kind), "{form}");
        assert_eq!(parsed.repairs, [], "{form}");
    }
    for nothing in [json!(null), json!([]), json!({})] {
        assert!(taken(&with_prerequisites(nothing)).schema.phases[0].objectives[0].tasks[0].prerequisites.is_empty());
    }
}

#[test]
fn a_prerequisite_that_means_something_is_mended_and_told() {
    let forms = [
        (json!([{"item": "t1", "status": "Finished"}]), "`Finished` was taken for `finished`"),
        (json!([{"item": "t1", "type": "previuos"}]), "`previuos` was taken for `previous`"),
        (json!([{"item": "t1"}]), "the prerequisite does not say one of finished and previous; finished was taken"),
        (json!(["t1", {"item": "t1", "type": "previous"}]), "`t1` is a prerequisite twice; the stronger one counts"),
        (
            json!([{"item": "t1", "type": "previous", "note": 1}]),
            "`note` means nothing in a prerequisite and was left out",
        ),
    ];
    for (form, message) in forms {
        let parsed = taken(&with_prerequisites(form.clone()));
        assert_eq!(messages(&parsed.repairs), [message], "{form}");
        let repair = &parsed.repairs[0];
        assert_eq!(repair.file.as_deref(), Some("phases/b.json"));
        assert!(repair.pointer.starts_with("/objectives/0/tasks/0/prerequisites/"), "{repair:?}");
        assert!(repair.line.is_some());
    }
}

#[test]
fn a_prerequisite_of_an_unknown_form_is_told_with_file_and_pointer() {
    for (form, below) in [
        (json!([7]), "/0"),
        (json!([{"id": "t1"}]), "/0"),
        (json!([{"item": "t1", "status": "approved by all"}]), "/0/status"),
        (json!({"t1": {"state": "done"}}), "/t1"),
        (json!(true), ""),
        (json!([["t1"]]), "/0"),
        (json!([""]), "/0"),
    ] {
        let refusal = import(&with_prerequisites(form.clone())).expect_err("an unknown form");
        assert_eq!(refusal.kind, RefusalKind::Invalid);
        let finding = &refusal.findings[0];
        assert_eq!(finding.file.as_deref(), Some("phases/b.json"));
        assert_eq!(finding.pointer, format!("/objectives/0/tasks/0/prerequisites{below}"), "{form}");
    }
}

#[test]
fn a_bundle_is_refused_for_what_has_no_meaning() {
    let refused = |prerequisites| import(&with_prerequisites(prerequisites)).expect_err("refused").findings.remove(0);
    assert_eq!(refused(json!(["t3"])).help.as_deref(), Some("did you mean `t1`?"));
    assert!(refused(json!(["t2"])).message.contains("waits for itself"));
    assert!(refused(json!(["run"])).message.contains("in a circle"));
    let mut documents = small();
    documents[1].1["id"] = json!("t1");
    let refusal = import(&files(&documents)).expect_err("an id twice");
    let twice = refusal.findings.iter().find(|finding| finding.message.contains("given twice")).expect("told");
    assert!(twice.message.contains("of phases/a.json"), "{twice:?}");
    assert_eq!(twice.file.as_deref(), Some("phases/b.json"));
}

#[test]
fn what_is_not_understood_is_kept_and_what_is_left_out_is_told() {
    let mut documents = small();
    documents[0].1["author"] = json!("Zaragoza");
    documents[0].1["tags_translations"] = json!({"en": ["a"]});
    documents[0].1["languages"] = json!(["en", "english, I think"]);
    documents[1].1["is_part_of_codelivery"] = json!(true);
    let objective = &mut documents[2].1["objectives"][0];
    objective["name_translations"] = json!({"en": "  Aim\n", "es": "", "it": null, "lv": 7});
    objective["problemprofiles"] = json!(["x", "x", "", 3]);
    objective["effort"] = json!([1]);
    documents.push(("notes.txt", json!("x")));
    let parsed = taken(&files(&documents));
    let schema = &parsed.schema;
    assert_eq!(schema.extensions["author"], "Zaragoza");
    assert_eq!(schema.extensions["tags_translations"], json!({"en": ["a"]}));
    assert_eq!(schema.phases[1].extensions["is_part_of_codelivery"], true);
    let objective = &schema.phases[0].objectives[0];
    assert_eq!(objective.extensions["effort"], json!([1]));
    assert_eq!(objective.name.0, BTreeMap::from([("en".to_owned(), "Aim".to_owned())]));
    assert_eq!(objective.problem_profiles, ["x"]);
    let places: BTreeSet<(&str, &str)> = parsed
        .repairs
        .iter()
        .map(|repair| (repair.file.as_deref().unwrap_or_default(), repair.pointer.as_str()))
        .collect();
    let b = "phases/b.json";
    assert_eq!(
        places,
        BTreeSet::from([
            ("metadata.json", "/languages/1"),
            ("notes.txt", ""),
            (b, "/objectives/0/name_translations/lv"),
            (b, "/objectives/0/problemprofiles/1"),
            (b, "/objectives/0/problemprofiles/2"),
            (b, "/objectives/0/problemprofiles/3"),
        ])
    );
    assert_eq!(parsed.document["files"].as_object().map(|files| files.len()), Some(3));
}

#[test]
fn older_bundles_have_names_in_one_language_and_ids_with_capitals() {
    let mut documents = small();
    documents[2].1["name"] = json!("Involucrar");
    documents[0].1["languages"] = json!(["es"]);
    documents[0].1["id"] = json!("Default_Schema.v2");
    let schema = taken(&files(&documents)).schema;
    assert_eq!(schema.name, "Default_Schema.v2");
    assert_eq!(schema.phases[0].name.0["es"], "Involucrar");
}

#[test]
fn a_bundle_without_an_id_has_the_name_of_its_folder() {
    let mut documents = small();
    documents[0].1.as_object_mut().expect("a map").remove("id");
    let plain = files(&documents);
    assert!(import(&plain).is_err());
    let moved: Files = plain.into_iter().map(|(path, bytes)| (format!("parks/{path}"), bytes)).collect();
    let parsed = taken(&moved);
    assert_eq!((parsed.schema.name.as_str(), parsed.repairs.len()), ("parks", 1));
}

#[test]
fn a_file_that_is_not_json_is_malformed_and_named() {
    for (bytes, kind) in
        [(&b"{"[..], RefusalKind::Malformed), (b"\xff", RefusalKind::Malformed), (b"[]", RefusalKind::Invalid)]
    {
        let mut files = files(&small());
        files.insert("phases/b.json".to_owned(), bytes.to_vec());
        let refusal = import(&files).expect_err("not a phase");
        assert_eq!(refusal.kind, kind);
        assert!(refusal.findings.iter().any(|finding| finding.file.as_deref() == Some("phases/b.json")), "{refusal:?}");
    }
    let only_metadata = files(&small()[..1]);
    assert!(import(&only_metadata).expect_err("no phases").findings[0].message.contains("no phases"));
    assert!(import(&Files::new()).expect_err("nothing").findings[0].message.contains("neither a bundle"));
}

#[test]
fn a_key_given_twice_in_a_bundle_is_refused() {
    let mut files = files(&small());
    files.insert("phases/a.json".to_owned(), br#"{"id": "run", "id": "rum", "objectives": []}"#.to_vec());
    let refusal = import(&files).expect_err("a key twice");
    assert!(refusal.findings[0].message.contains("first at line 1, column 2 of phases/a.json"), "{refusal}");
}

#[test]
fn items_of_a_bundle_are_counted() {
    let bundle = |count: usize| {
        let tasks: Vec<Value> = (0..count).map(|n| json!({"id": format!("t{n}")})).collect();
        let mut documents = small();
        documents[2].1["objectives"][0]["tasks"] = json!(tasks);
        files(&documents)
    };
    assert!(import(&bundle(ITEMS_MAX - 3)).is_ok());
    let refusal = import(&bundle(ITEMS_MAX - 2)).expect_err("one too many");
    assert!(refusal.findings[0].message.contains("2000"), "{refusal}");
}

/// A zip of entries as given.
fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, bytes) in entries {
        writer.start_file(*path, SimpleFileOptions::default()).expect("an entry");
        writer.write_all(bytes).expect("its bytes");
    }
    writer.finish().expect("a zip").into_inner()
}

fn refused_zip(bytes: &[u8], kind: RefusalKind, part: &str) -> Refusal {
    let refusal = unzip(bytes).expect_err("this zip is refused");
    assert_eq!(refusal.kind, kind, "{refusal}");
    assert!(refusal.findings[0].message.contains(part), "{refusal}");
    refusal
}

#[test]
fn a_zip_of_a_bundle_is_the_bundle() {
    let plain = files(&small());
    let entries: Vec<(&str, &[u8])> = plain.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).collect();
    let unpacked = unzip(&zip(&entries)).expect("files");
    assert_eq!(unpacked, plain);
    assert_eq!(taken(&unpacked), taken(&plain));
}

#[test]
fn a_zip_of_a_document_in_our_format_is_that_document() {
    let source = include_bytes!("../../../examples/schemas/participatory-budget.yaml");
    let files = unzip(&zip(&[("budget/schema.yaml", source)])).expect("files");
    assert_eq!(taken(&files), parse(source, Syntax::Yaml).expect("a schema"));
    let files = unzip(&zip(&[("schema.yaml", b"name: [".as_slice())])).expect("files");
    assert_eq!(import(&files).expect_err("no YAML").findings[0].file.as_deref(), Some("schema.yaml"));
}

#[test]
fn what_is_no_zip_is_malformed() {
    let good = zip(&[("a", b"hello hello hello hello")]);
    for bytes in [&b""[..], b"PK\x03\x04", b"{}", &good[..good.len() - 4]] {
        refused_zip(bytes, RefusalKind::Malformed, "not a zip");
    }
    let mut damaged = good;
    damaged[34] ^= 0xff;
    refused_zip(&damaged, RefusalKind::Malformed, "damaged");
}

#[test]
fn a_zip_bomb_is_left_while_inflating() {
    let zeros = vec![0u8; ZIP_RATIO_FREE_BYTES * 8];
    refused_zip(&zip(&[("a", &zeros)]), RefusalKind::TooLarge, "more than 100 times larger");
    let mut random = 1u32;
    let noise: Vec<u8> = (0..ZIP_INFLATED_BYTES_MAX / 8)
        .map(|_| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            b'a' + (random >> 28) as u8
        })
        .collect();
    let paths: Vec<String> = (0..9).map(|n| format!("f{n}")).collect();
    let entries: Vec<(&str, &[u8])> = paths.iter().map(|path| (path.as_str(), noise.as_slice())).collect();
    assert!(unzip(&zip(&entries[..8])).is_ok());
    refused_zip(&zip(&entries), RefusalKind::TooLarge, &ZIP_INFLATED_BYTES_MAX.to_string());
}

#[test]
fn a_zip_whose_headers_lie_about_its_size_is_not_believed() {
    let zeros = vec![0u8; ZIP_INFLATED_BYTES_MAX * 2];
    let mut bytes = zip(&[("a", &zeros)]);
    let size = u32::try_from(zeros.len()).expect("small").to_le_bytes();
    while let Some(at) = bytes.windows(4).position(|window| window == size) {
        bytes[at..at + 4].copy_from_slice(&5u32.to_le_bytes());
    }
    // Whether the reader notices the lie or the limit is reached first: nothing of that size comes out.
    assert!(unzip(&bytes).is_err());
}

#[test]
fn a_zip_of_too_many_bytes_or_entries_is_too_large() {
    refused_zip(&vec![0; ZIP_BYTES_MAX + 1], RefusalKind::TooLarge, &ZIP_BYTES_MAX.to_string());
    let paths: Vec<String> = (0..=ZIP_ENTRIES_MAX).map(|n| n.to_string()).collect();
    let entries: Vec<(&str, &[u8])> = paths.iter().map(|path| (path.as_str(), &b""[..])).collect();
    assert!(unzip(&zip(&entries[1..])).is_ok());
    refused_zip(&zip(&entries), RefusalKind::TooLarge, &ZIP_ENTRIES_MAX.to_string());
}

#[test]
fn a_path_that_leads_out_of_a_zip_is_refused() {
    // The writer would mend such names, so they are put in place of a harmless one of the same length.
    for path in ["../aa", "a/../", "/etc/", "a\\..a", "c:/aa", "a//aa", "./aaa", "aa\0aa", "a\naaa"] {
        let mut bytes = zip(&[("zzzzz", b"x")]);
        while let Some(at) = bytes.windows(5).position(|window| window == b"zzzzz") {
            bytes[at..at + 5].copy_from_slice(path.as_bytes());
        }
        refused_zip(&bytes, RefusalKind::Invalid, "has a path");
    }
    refused_zip(&zip(&[(&"a".repeat(PATH_BYTES_MAX + 1), b"x")]), RefusalKind::Invalid, "longer than 512");
    assert!(unzip(&zip(&[(&"a".repeat(PATH_BYTES_MAX), b"x")])).is_ok());
}

#[test]
fn links_duplicates_and_encryption_in_a_zip_are_refused() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.add_symlink("a", "/etc/passwd", SimpleFileOptions::default()).expect("a link");
    let link = writer.finish().expect("a zip").into_inner();
    refused_zip(&link, RefusalKind::Invalid, "symbolic link");

    let mut twice = zip(&[("zzzz1", b"x"), ("zzzz2", b"y")]);
    while let Some(at) = twice.windows(5).position(|window| window == b"zzzz2") {
        twice[at + 4] = b'1';
    }
    refused_zip(&twice, RefusalKind::Invalid, "two entries of one name");

    let mut encrypted = zip(&[("a", b"x")]);
    let central = encrypted.windows(4).position(|window| window == b"PK\x01\x02").expect("a central header");
    encrypted[6] |= 1;
    encrypted[central + 8] |= 1;
    refused_zip(&encrypted, RefusalKind::Invalid, "encrypted");
}

#[test]
fn directories_in_a_zip_are_passed_over() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.add_directory("phases", SimpleFileOptions::default()).expect("a directory");
    let bytes = writer.finish().expect("a zip").into_inner();
    assert_eq!(unzip(&bytes), Ok(Files::new()));
}

/// The published catalogue, where it is there.
fn published(name: &str) -> Option<Files> {
    let Some(data) = std::env::var_os("INTERLINK_DATA") else {
        eprintln!("skipped: INTERLINK_DATA is not set");
        return None;
    };
    let root = Path::new(&data).join("schemas").join(name);
    let mut files = Files::new();
    for folder in ["", "phases"] {
        for entry in std::fs::read_dir(root.join(folder)).expect("the published schema") {
            let path = entry.expect("an entry").path();
            if path.is_file() {
                let below = path.strip_prefix(&root).expect("below").to_str().expect("UTF-8").replace('\\', "/");
                files.insert(below, std::fs::read(&path).expect("a file"));
            }
        }
    }
    Some(files)
}

fn named_profiles(schema: &Schema) -> usize {
    let objectives = schema.phases.iter().flat_map(|phase| &phase.objectives);
    let names = objectives.flat_map(|objective| {
        objective.problem_profiles.iter().chain(objective.tasks.iter().flat_map(|task| &task.problem_profiles))
    });
    names.collect::<BTreeSet<_>>().len()
}

#[test]
fn the_published_schemas_have_the_counts_and_the_order_that_they_are_known_for() {
    for (name, counts, phases) in [
        ("default", (17, 51, 37), "engage design build sustain"),
        ("hackathon", (10, 30, 34), "engage design run exploit"),
        ("servicedescriptionenhancement", (9, 16, 23), "engage design run refine"),
    ] {
        let Some(files) = published(name) else { return };
        let parsed = taken(&files);
        let schema = &parsed.schema;
        let outline = Outline::of(schema);
        assert_eq!((outline.objectives.len(), outline.tasks.len(), named_profiles(schema)), counts, "{name}");
        let order: Vec<&str> = schema.phases.iter().map(|phase| phase.id.rsplit('-').next().unwrap_or("")).collect();
        assert_eq!(order.join(" "), phases, "{name}");
        assert_eq!(schema.name, name);
        for repair in &parsed.repairs {
            eprintln!("{name}: {repair:?}");
        }
        for (number, task) in outline.tasks.iter().enumerate() {
            let phase = &schema.phases[task.phase];
            let objective = phase.objectives.iter().find(|o| o.id == outline.objectives[task.objective].id);
            let written = objective.and_then(|o| o.tasks.iter().find(|t| t.id == task.id)).expect("the task");
            for prerequisite in &written.prerequisites {
                assert!(outline.task_index(&prerequisite.item).is_some_and(|before| before < number), "{}", task.id);
            }
        }
    }
}

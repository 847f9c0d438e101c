//! Organizations: who hosts processes, and what the assets of all of these may be and hold together.

use serde_json::{Value, json};

use crate::client::{Answer, Ask, Client};
use crate::given::{asset, id_of, library, text};
use crate::server::{Server, interlink, printed};

#[track_caller]
fn succeeds(output: &std::process::Output) -> String {
    assert!(output.status.success(), "{}", printed(output));
    printed(output)
}

/// Path of a new organization.
#[track_caller]
fn organization(client: &Client, name: &str) -> String {
    let made = client.post("/v1/organizations", &json!({"name": name, "kind": "non_profit"}));
    let path = format!("/v1/organizations/{}", text(&made.is(201)["id"]));
    assert_eq!((made.header("location"), made.header("etag")), (path.as_str(), "\"0\""));
    path
}

fn set(client: &Client, organization: &str, quota: &Value) -> Answer {
    client.ask(&Ask::new("PUT", &format!("{organization}/quota")).body("application/json", quota.to_string()))
}

/// Path of a process that runs, hosted by an organization.
#[track_caller]
fn hosted(client: &Client, organization: &str) -> String {
    let body = json!({"schema": "tool-library", "name": "Hosted", "organization": id_of(organization)});
    let process = client.post("/v1/processes", &body).is(201);
    assert_eq!(process["organization"], id_of(organization));
    let path = format!("/v1/processes/{}", text(&process["id"]));
    client.tell(&format!("{path}/start")).is(200);
    path
}

fn minutes(client: &Client, process: &str) -> String {
    asset(client, process, "find-room", "document", &json!({"title": "Minutes"}))
}

fn one_more(client: &Client, process: &str) -> Answer {
    let new = json!({"interlinker": "document", "input": {"title": "Minutes"}});
    client.post(&format!("{process}/tasks/find-room/assets"), &new)
}

fn write(client: &Client, asset: &str, text: &str) -> Answer {
    client.post(&format!("{asset}/actions/write"), &json!({"section": "aim", "text": text}))
}

/// Of an organization, one after the other: assets and bytes.
#[track_caller]
fn held(client: &Client, organization: &str) -> [u64; 2] {
    let shown = client.get(organization).is(200)["held"].clone();
    ["assets", "state_bytes"].map(|key| shown[key].as_u64().expect("a number"))
}

#[test]
fn any_member_registers_an_organization_once_however_often_it_is_sent_and_everybody_sees_it() {
    let mut server = library();
    let (ana, boris) = (server.member("ana"), server.member("boris"));
    let body = json!({"name": "Allotments of the north", "kind": "citizens"});
    let send = || ana.ask(&Ask::post("/v1/organizations", &body).key("once"));
    let made = send().is(201);
    let path = format!("/v1/organizations/{}", text(&made["id"]));
    let quota = json!({"assets": 1_000_000, "state_bytes": 16_u64 << 30});
    assert_eq!((&made["name"], &made["kind"]), (&body["name"], &body["kind"]));
    assert_eq!((&made["quota"], &made["held"]), (&quota, &json!({"assets": 0, "state_bytes": 0})));
    assert_eq!((&made["version"], &made["created_by"]), (&json!(0), &json!(ana.id())));
    server.crash();
    assert_eq!(send().is(201), made, "the same key gives the same organization");
    let shown = boris.get(&path);
    assert_eq!(shown.is(200), made);
    boris.ask(&Ask::new("GET", &path).header("if-none-match", shown.header("etag"))).is(304);
    let others: Vec<_> = (0..4).map(|number| organization(&boris, &format!("Street {number}"))).collect();
    let all: Vec<_> = boris.all("/v1/organizations", 2).iter().map(|one| text(&one["id"]).to_owned()).collect();
    assert_eq!(all[0], id_of(&path));
    assert_eq!(all[1..], others.iter().map(|path| id_of(path).to_owned()).collect::<Vec<_>>());

    let position = server.position();
    let refused = |body: &Value, pointers: &[&str]| {
        ana.post("/v1/organizations", body).points_at(422, "invalid-input", pointers);
    };
    refused(&json!({}), &["/name", "/kind"]);
    refused(&json!({"name": " ", "kind": "company"}), &["/name", "/kind"]);
    refused(&json!({"name": "Street", "kind": "citizens", "teams": []}), &["/teams"]);
    refused(&json!({"name": "x".repeat(513), "kind": "citizens"}), &["/name"]);
    ana.get("/v1/organizations/nobody").refused(404, "not-found");
    ana.get("/v1/organizations/0192f3a0-0000-7000-8000-000000000000").refused(404, "not-found");
    assert_eq!(server.position(), position, "what is refused is written nowhere");
    organization(&ana, &"x".repeat(512));
    server.audit();
}

#[test]
fn an_organization_at_its_quota_takes_nothing_more_and_another_goes_on() {
    let mut server = library();
    let (ana, operator) = (server.member("ana"), server.operator().clone());
    let (full, other) = (organization(&ana, "Full"), organization(&ana, "Other"));
    let processes = [hosted(&ana, &full), hosted(&ana, &full)];
    let elsewhere = hosted(&ana, &other);
    let first = minutes(&ana, &processes[0]);
    let neighbour = minutes(&ana, &elsewhere);
    let [_, bytes] = held(&ana, &full);
    assert!(bytes > 0 && held(&ana, &full)[0] == 1 && held(&ana, &other)[0] == 1);

    set(&ana, &full, &json!({"assets": 2})).refused(403, "forbidden");
    set(&operator, &full, &json!({"assets": -1})).points_at(422, "invalid-input", &["/assets"]);
    set(&operator, "/v1/organizations/nobody", &json!({})).refused(404, "not-found");
    let quota = set(&operator, &full, &json!({"assets": 2}));
    assert_eq!((quota.is(200), quota.header("etag")), (json!({"assets": 2, "state_bytes": 16_u64 << 30}), "\"1\""));
    let path = format!("{full}/quota");
    let late = Ask::new("PUT", &path).body("application/json", "{}").header("if-match", "\"0\"");
    operator.ask(&late).refused(412, "wrong-version");

    // The second in another process of the same organization; then no more in any of them.
    minutes(&ana, &processes[1]);
    for process in &processes {
        let refused = one_more(&ana, process).refused(409, "quota-exceeded");
        let told = (&refused["limit"], &refused["wanted"], &refused["max"]);
        assert_eq!(told, (&json!("assets"), &json!(3), &json!(2)), "{refused}");
        assert!(text(&refused["detail"]).contains(&format!("organization {}", id_of(&full))), "{refused}");
    }
    one_more(&ana, &elsewhere).is(201);

    let [_, now] = held(&ana, &full);
    set(&operator, &full, &json!({"state_bytes": now + 500})).is(200);
    let refused = write(&ana, &first, &"long ".repeat(200)).refused(409, "quota-exceeded");
    assert_eq!((&refused["limit"], &refused["max"]), (&json!("state_bytes"), &json!(now + 500)), "{refused}");
    assert!(text(&refused["detail"]).contains(&format!("organization {}", id_of(&full))), "{refused}");
    let blob = ana.send(&format!("{first}/blobs"), "text/plain", vec![b'a'; 501]);
    blob.refused(409, "quota-exceeded");
    assert_eq!(held(&ana, &full)[1], now, "nothing of it was kept");
    write(&ana, &neighbour, &"long ".repeat(200)).is(200);
    write(&ana, &first, "A room.").is(200);
    let [assets, now] = held(&ana, &full);
    ana.ask(&Ask::new("DELETE", &first)).is(204);
    assert!(held(&ana, &full)[0] == assets - 1 && held(&ana, &full)[1] < now, "what is removed is given back");
    server.audit();
}

#[test]
fn many_at_once_do_not_get_past_the_quota_of_their_organization() {
    let mut server = library();
    let (ana, operator) = (server.member("ana"), server.operator().clone());
    let full = organization(&ana, "Full");
    let processes: Vec<_> = (0..4).map(|_| hosted(&ana, &full)).collect();
    let first = minutes(&ana, &processes[0]);
    let [_, bytes] = held(&ana, &full);
    set(&operator, &full, &json!({"assets": 3})).is(200);
    let made = std::thread::scope(|scope| {
        let (ana, processes) = (&ana, &processes);
        let many = (0..12).map(|turn| scope.spawn(move || one_more(ana, &processes[turn % 4]).status));
        let many: Vec<_> = many.collect();
        many.into_iter().map(|one| one.join().expect("answered")).collect::<Vec<_>>()
    });
    assert_eq!(made.iter().filter(|status| **status == 201).count(), 2, "{made:?}");
    assert_eq!(held(&ana, &full), [3, 3 * bytes]);
    // The same of bytes: there is room for one of these blobs.
    set(&operator, &full, &json!({"state_bytes": 3 * bytes + 1_500})).is(200);
    let put = |letter: u8| ana.send(&format!("{first}/blobs"), "text/plain", vec![letter; 1_000]).status;
    let put = &put;
    let kept = std::thread::scope(|scope| {
        let many: Vec<_> = (0..6).map(|turn| scope.spawn(move || put(b'a' + turn))).collect();
        many.into_iter().map(|one| one.join().expect("answered")).collect::<Vec<_>>()
    });
    assert_eq!(kept.iter().filter(|status| **status == 201).count(), 1, "{kept:?}");
    assert_eq!(held(&ana, &full), [3, 3 * bytes + 1_000]);
    server.audit();
}

#[test]
fn what_an_organization_holds_is_the_same_over_a_kill_a_rebuild_an_archive_a_fork_and_a_restore() {
    let mut server = library();
    let (ana, operator) = (server.member("ana"), server.operator().clone());
    let (host, other) = (organization(&ana, "Host"), organization(&ana, "Other"));
    let process = hosted(&ana, &host);
    let made = minutes(&ana, &process);
    write(&ana, &made, "A room for tools.").is(200);
    ana.send(&format!("{made}/blobs"), "text/plain", vec![b'a'; 1_000]).is(201);
    let once = held(&ana, &host);
    assert!(once[0] == 1 && once[1] > 1_000, "{once:?}");
    let forked = ana.post(&format!("{process}/fork"), &json!({"name": "Another way"}));
    assert_eq!(forked.is(201)["organization"], id_of(&host), "it stays with the same");
    let twice = once.map(|count| 2 * count);
    assert_eq!(held(&ana, &host), twice);
    set(&operator, &host, &json!({"assets": 2})).is(200);
    let refused = ana.post(&format!("{process}/fork"), &json!({"name": "No room"})).refused(409, "quota-exceeded");
    assert!(text(&refused["detail"]).contains(id_of(&host)), "{refused}");
    ana.tell(&format!("{process}/cancel")).is(200);
    ana.post(&format!("{process}/archive"), &json!({"reason": "over"})).is(200);
    assert_eq!(held(&ana, &host), twice, "what is archived counts");

    let shown = ana.get(&host).is(200);
    let of = |client: &Client, organization: &str| -> Vec<Value> {
        let listed = client.all(&format!("/v1/processes?organization={}", id_of(organization)), 1);
        listed.iter().map(|process| process["id"].clone()).collect()
    };
    let ours = of(&ana, &host);
    assert_eq!((ours.len(), of(&ana, &other).len()), (2, 0));
    ana.get("/v1/processes?organization=nobody").refused(400, "malformed");
    server.crash();
    assert_eq!((ana.get(&host).is(200), of(&ana, &host)), (shown.clone(), ours.clone()));
    let shelf = tempfile::tempdir().expect("a directory");
    let [file, data] = ["town.backup", "again"].map(|name| shelf.path().join(name).to_string_lossy().into_owned());
    succeeds(&server.cli(&["backup", &file]));
    server.audit();
    succeeds(&server.on_data(&["state", "rebuild"]));
    server.launch();
    assert_eq!((ana.get(&host).is(200), of(&ana, &host)), (shown.clone(), ours.clone()));
    one_more(&ana, forked.header("location")).refused(409, "quota-exceeded");
    server.audit();

    succeeds(&interlink(&["restore", &file, "--data", &data]));
    let again = tempfile::tempdir().expect("a directory");
    std::fs::remove_dir(again.path()).expect("it is empty");
    std::fs::rename(&data, again.path()).expect("moved");
    let mut restored = Server::start_on(again);
    assert_eq!((restored.operator().get(&host).is(200), of(restored.operator(), &host)), (shown, ours));
    restored.audit();
}

#[test]
fn a_process_of_an_organization_that_is_not_there_is_refused_and_nothing_is_made() {
    let mut server = library();
    let ana = server.member("ana");
    ana.id();
    let position = server.position();
    let body = |organization: Value| json!({"schema": "tool-library", "name": "P", "organization": organization});
    for unknown in ["nobody", "0192f3a0-0000-7000-8000-000000000000"] {
        ana.post("/v1/processes", &body(json!(unknown))).points_at(422, "no-such-thing", &["/organization"]);
    }
    ana.post("/v1/processes", &body(json!(7))).points_at(422, "invalid-input", &["/organization"]);
    assert_eq!(server.position(), position);
    assert_eq!(ana.all("/v1/processes", 10), Vec::<Value>::new());
    let alone = ana.post("/v1/processes", &body(Value::Null)).is(201);
    assert_eq!(alone["organization"], Value::Null, "one of nobody is made as before");
    server.audit();
}

#[test]
fn a_process_within_another_is_of_the_same_organization() {
    let mut server = library();
    let (ana, operator) = (server.member("ana"), server.operator().clone());
    let outer = "name: outer\nversion: 1.0.0\nphases: [{id: p, objectives: [{id: o, tasks: [{id: inner, kind: subprocess, schema: tool-library}]}]}]";
    operator.send("/v1/schemas", "application/yaml", outer).is(201);
    let host = organization(&ana, "Host");
    let body = json!({"schema": "outer", "name": "Outer", "organization": id_of(&host)});
    let process = format!("/v1/processes/{}", text(&ana.post("/v1/processes", &body).is(201)["id"]));
    ana.tell(&format!("{process}/start")).is(200);
    let within = || {
        let listed = ana.all(&format!("/v1/processes?organization={}", id_of(&host)), 10);
        listed.into_iter().find(|process| process["parent"].is_object())
    };
    crate::world::until("it was started", || within().is_some());
    let within = format!("/v1/processes/{}", text(&within().expect("it was started")["id"]));
    minutes(&ana, &within);
    assert_eq!(held(&ana, &host)[0], 1);
    server.audit();
}

const FILE: &str = "\
service: tool-lending
schema: tool-library
organization: Allotments
interlinkers: [document]
process: { name: Tools for everyone, start: true }
assets: [{ id: minutes, task: find-room, interlinker: document, input: { title: Minutes } }]
";

#[test]
fn a_service_file_names_the_organization_that_hosts_its_process() {
    let mut server = library();
    let (ana, operator) = (server.member("ana"), server.operator().clone());
    let apply = |file: &str| operator.send("/v1/provisions", "application/yaml", file);
    let told = |file: &str| {
        let plan = operator.send("/v1/provisions?dry_run=true", "application/yaml", file).is(200);
        let changes = plan["changes"].as_array().cloned().unwrap_or_default();
        let found = changes.into_iter().find(|change| change["kind"] == "organization").unwrap_or_default();
        (text(&found["action"]).to_owned(), text(&found["detail"]).to_owned())
    };
    let (action, detail) = told(FILE);
    assert!(action == "missing" && detail.contains("POST /v1/organizations"), "{detail}");
    apply(FILE).points_at(422, "invalid-input", &["/organization"]);
    let host = organization(&ana, "Allotments");
    assert_eq!(told(FILE).0, "keep");
    let namesake = organization(&ana, "Allotments");
    let (action, detail) = told(FILE);
    assert!(action == "missing" && [&host, &namesake].iter().all(|one| detail.contains(id_of(one))), "{detail}");
    apply(FILE).points_at(422, "invalid-input", &["/organization"]);
    assert_eq!(ana.all("/v1/processes", 10), Vec::<Value>::new(), "nothing was made");
    let by_id = FILE.replace("Allotments", id_of(&host));
    set(&operator, &host, &json!({"assets": 0})).is(200);
    let refused = apply(&by_id).refused(409, "quota-exceeded");
    assert!(text(&refused["detail"]).contains(id_of(&host)), "{refused}");
    assert_eq!(ana.all("/v1/processes", 10), Vec::<Value>::new(), "nothing was made");
    set(&operator, &host, &json!({})).is(200);
    let applied = apply(&by_id).is(201);
    let process = operator.get(&format!("/v1/processes/{}", text(&applied["process"]))).is(200);
    assert_eq!((&process["organization"], held(&ana, &host)[0]), (&json!(id_of(&host)), 1));
    server.crash();
    assert_eq!((held(&ana, &host)[0], held(&ana, &namesake)[0]), (1, 0));

    for moved in [FILE.replace("Allotments", id_of(&namesake)), FILE.replace("organization: Allotments\n", "")] {
        let (action, detail) = told(&moved);
        assert!(action == "conflict" && detail.contains("cannot be moved yet"), "{detail}");
        apply(&moved).points_at(409, "service-conflict", &["/organization"]);
    }
    assert_eq!(apply(&by_id).is(200)["process"], applied["process"], "it is as its file says");
    let service = operator.get("/v1/services/tool-lending").is(200);
    assert_eq!((&service["drift"], &service["file"]["organization"]), (&json!([]), &json!(id_of(&host))));
    server.audit();
}

#[test]
fn the_command_line_registers_organizations_shows_them_and_sets_their_quota() {
    let server = Server::start();
    let run = |arguments: &[&str]| succeeds(&server.cli(&[&["organization"], arguments].concat()));
    let json = |arguments: &[&str]| -> Value {
        serde_json::from_str(&run(&[arguments, &["--output", "json"]].concat())).expect("it is JSON")
    };
    let made = json(&["new", "Zaragoza", "--kind", "public_administration"]);
    let id = text(&made["id"]);
    assert_eq!((&made["name"], &made["kind"]), (&json!("Zaragoza"), &json!("public_administration")));
    let told = run(&["new", "Allotments", "--kind", "citizens"]);
    assert!(told.starts_with("Allotments is organization "), "{told}");
    assert!(run(&["list"]).contains("Zaragoza") && run(&["list"]).contains("Allotments"));
    assert_eq!(json(&["list"])["items"].as_array().map(Vec::len), Some(2));
    let told = run(&["quota", id, "--assets", "3", "--state-bytes", "4096"]);
    assert!(told.contains("at most 3 assets with 4096 bytes together"), "{told}");
    let told = run(&["show", id]);
    assert!(told.contains("Zaragoza") && told.contains("0 of at most 3"), "{told}");
    assert_eq!(json(&["show", id])["quota"], json!({"assets": 3, "state_bytes": 4_096}));
    assert_eq!(json(&["quota", id])["assets"], 1_000_000, "what is not said is as much as any may have");
    let unknown = server.cli(&["organization", "quota", "nobody"]);
    assert!(!unknown.status.success() && printed(&unknown).contains("nobody"), "{}", printed(&unknown));
    let unknown = server.cli(&["organization", "new", "X", "--kind", "company"]);
    assert!(!unknown.status.success() && printed(&unknown).contains("for_profit"), "{}", printed(&unknown));
}

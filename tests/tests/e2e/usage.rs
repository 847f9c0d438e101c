//! The registry of usage, and adoption: what was done is what they say.

use std::collections::BTreeSet;

use interlink_conformance::hand::Guest;
use serde_json::{Value, json};

use crate::client::{Ask, Client};
use crate::given::{asset, complete, created, id_of, library, poll, running, text, vote};
use crate::server::{Server, printed};

/// Two processes, two people, two Interlinkers.
struct Used {
    server: Server,
    ana: Client,
    boris: Client,
    first: String,
    second: String,
    poll: String,
    document: String,
    gone: String,
}

/// Uses that the scenario makes, in their order: kind, outcome, who, on which asset.
fn used() -> Used {
    let server = library();
    let (ana, boris) = (server.member("ana"), server.member("boris"));
    let (first, second) = (running(&ana, "First"), running(&boris, "Second"));
    let poll_path = poll(&ana, &first, "find-room", 2);
    vote(&ana, &poll_path, "Monday").is(200);
    vote(&ana, &poll_path, "Monday").refused(409, "already-voted");
    vote(&boris, &poll_path, "Thursday").is(200);
    let document = asset(&boris, &second, "collect-tools", "document", &json!({"title": "List"}));
    boris.post(&format!("{document}/actions/write"), &json!({"section": "saws", "text": "Two."})).is(200);
    let gone = poll(&boris, &second, "find-room", 1);
    boris.ask(&Ask::new("DELETE", &gone)).is(204);
    complete(&ana, &first, "find-room");
    Used { server, ana, boris, first, second, poll: poll_path, document, gone }
}

#[test]
fn a_code_that_is_none_is_told_to_who_asked_and_stands_in_no_registry() {
    let server = library();
    let words = "Ana, 3 River Street";
    // It refuses with what its action is given, the quotes left out.
    let guest =
        Guest::calling("(call $refuse (i32.add (local.get 2) (i32.const 1)) (i32.sub (local.get 3) (i32.const 2)))");
    let guest = guest.asking_for_all().saying("name", json!("repeats")).bytes();
    server.operator().send("/v1/interlinkers", "application/wasm", guest).is(201);
    let ana = server.member("ana");
    let process = running(&ana, "By the river");
    let made = asset(&ana, &process, "find-room", "repeats", &json!({}));
    let refused = |code: &str| ana.post(&format!("{made}/actions/go"), &json!(code));
    let problem = refused(words).refused(409, "refused");
    assert_eq!((&problem["code"], &problem["no_code"]), (&json!("refused"), &json!(words)));
    let problem = refused("is-full").refused(409, "is-full");
    assert_eq!((&problem["code"], problem.get("no_code")), (&json!("is-full"), None));
    // The server's own refusals have none.
    let own = ana.post(&format!("{made}/upgrade"), &json!({"version": "1.0.0"}));
    assert!(own.status >= 400 && own.json().get("code").is_none(), "{}", own.text());
    let said = uses(&ana, "").into_iter().map(|used| used["reason"].clone());
    let said: Vec<_> = said.filter(|reason| !reason.is_null()).collect();
    assert_eq!(said, [json!("refused"), json!("is-full")]);
}

fn uses(client: &Client, query: &str) -> Vec<Value> {
    client.all(&format!("/v1/usage?{query}"), 1_000)
}

#[test]
fn every_use_is_in_the_registry_with_who_what_where_and_what_came_of_it() {
    let used = used();
    let (ana, boris) = (used.ana.id(), used.boris.id());
    let all = uses(&used.ana, "");
    let said: Vec<_> = all
        .iter()
        .map(|used| json!([used["kind"], used["outcome"], used["actor"], used["interlinker"]["name"], used["action"]]))
        .collect();
    let expected = json!([
        ["instantiate", "done", ana, "poll", null],
        ["action", "done", ana, "poll", "vote"],
        ["action", "refused", ana, "poll", "vote"],
        ["action", "done", boris, "poll", "vote"],
        ["instantiate", "done", boris, "document", null],
        ["action", "done", boris, "document", "write"],
        ["instantiate", "done", boris, "poll", null],
        ["remove", "done", boris, "poll", null],
    ]);
    assert_eq!(json!(said), expected);
    let refused = &all[2];
    assert_eq!(refused["reason"], json!("already-voted"));
    for used in &all {
        assert_eq!(used["interlinker"]["version"], json!("1.0.0"));
        assert_eq!(used["phase"], json!("prepare"));
        let objective = if used["task"] == "collect-tools" { "stock" } else { "ground" };
        assert_eq!(used["objective"], json!(objective));
        assert!(text(&used["at"]).ends_with('Z'), "{used}");
        assert!(used["duration_ms"].as_f64().is_some_and(|length| length >= 0.0), "{used}");
    }
    assert_eq!((&all[0]["process"], &all[0]["asset"]), (&json!(id_of(&used.first)), &json!(id_of(&used.poll))));
}

#[test]
fn the_registry_is_filtered_by_each_of_its_dimensions() {
    let used = used();
    let client = used.server.operator();
    let count = |query: &str| uses(client, query).len();
    assert_eq!(count(""), 8);
    assert_eq!(count(&format!("process={}", id_of(&used.first))), 4);
    assert_eq!(count(&format!("process={}", id_of(&used.second))), 4);
    assert_eq!(count("task=find-room"), 6);
    assert_eq!(count(&format!("process={}&task=find-room", id_of(&used.second))), 2);
    assert_eq!(count(&format!("asset={}", id_of(&used.document))), 2);
    assert_eq!(count(&format!("asset={}", id_of(&used.gone))), 2);
    assert_eq!(count("interlinker=document"), 2);
    assert_eq!(count("interlinker=nothing"), 0);
    assert_eq!(count(&format!("user={}", used.ana.id())), 3);
    assert_eq!(count(&format!("user={}&interlinker=poll", used.boris.id())), 3);
    assert_eq!(count(&format!("user={}", client.id())), 0);

    let all = uses(client, "");
    let times: Vec<_> = all.iter().map(|used| text(&used["at"]).to_owned()).collect();
    let split = &times[4];
    let before = times.iter().filter(|at| *at < split).count();
    assert_eq!(count(&format!("to={split}")), before, "`to` is not in it");
    assert_eq!(count(&format!("from={split}")), all.len() - before, "`from` is");
    assert_eq!(count(&format!("from={split}&to={split}")), 0);
    assert_eq!(count("from=2000-01-01T00:00:00Z&to=2000-01-02T00:00:00Z"), 0);
    assert_eq!(count("from=2000-01-01T00:00:00%2B02:00"), all.len());
}

#[test]
fn pages_give_every_use_once_while_more_are_made() {
    let used = used();
    let client = used.server.operator();
    let first = uses(client, "");
    for limit in [1, 3, 8, 9] {
        assert_eq!(client.all("/v1/usage", limit), first, "in pages of {limit}");
        let of_process = format!("/v1/usage?process={}", id_of(&used.first));
        assert_eq!(client.all(&of_process, limit), first[..4], "in pages of {limit}");
    }
    let mut items = Vec::new();
    let mut path = "/v1/usage?limit=2".to_owned();
    for turn in 0..40 {
        let page = client.get(&path).is(200);
        items.extend(page["items"].as_array().expect("items").iter().cloned());
        if turn < 6 {
            used.boris
                .post(&format!("{}/actions/write", used.document), &json!({"section": "saws", "text": "More."}))
                .is(200);
        }
        match page["next_cursor"].as_str() {
            Some(next) => path = format!("/v1/usage?limit=2&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(items[..first.len()], first[..]);
    assert_eq!(items, uses(client, "")[..items.len()]);
    assert_eq!(items.len(), first.len() + 6, "what was added before the end was reached comes, too");
}

#[test]
fn the_registry_comes_as_csv_and_as_lines_of_json() {
    let used = used();
    let client = used.server.operator();
    let all = uses(client, "");
    let lines = client.get("/v1/usage?format=ndjson");
    assert_eq!(lines.header("content-type"), "application/x-ndjson");
    let parsed: Vec<Value> = lines.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(parsed, all);

    let table = client.get("/v1/usage?format=csv");
    assert!(table.header("content-type").starts_with("text/csv"));
    let rows: Vec<Vec<String>> =
        table.text().split_terminator("\r\n").map(|row| row.split(',').map(str::to_owned).collect()).collect();
    let column = |name: &str| rows[0].iter().position(|column| column == name).expect("a column");
    assert_eq!(rows.len(), all.len() + 1);
    for (row, used) in rows[1..].iter().zip(&all) {
        assert_eq!(row.len(), rows[0].len());
        for name in ["at", "actor", "kind", "process", "phase", "objective", "task", "outcome"] {
            assert_eq!(row[column(name)], text(&used[name]), "{name}");
        }
        assert_eq!(row[column("interlinker")], text(&used["interlinker"]["name"]));
        assert_eq!(row[column("action")], used["action"].as_str().unwrap_or_default());
    }
    let page = client.get("/v1/usage?format=csv&limit=3");
    assert_eq!(page.text().lines().count(), 4);
    let rest = client.get(&format!("/v1/usage?format=csv&cursor={}", page.header("next-cursor"))).text();
    assert_eq!(rest.lines().count(), all.len() - 3 + 1);

    let shown = used.server.cli(&["usage", "--interlinker", "document"]);
    assert!(shown.status.success(), "{}", printed(&shown));
    assert_eq!(printed(&shown).lines().count(), 3, "{}", printed(&shown));
}

#[test]
fn adoption_says_what_was_done_and_says_the_same_when_it_is_made_again() {
    let mut used = used();
    let client = used.server.operator().clone();
    created(&client, "Never begun");
    let rests = running(&client, "Resting");
    client.tell(&format!("{rests}/suspend")).is(200);
    let ended = running(&client, "Given up");
    client.tell(&format!("{ended}/cancel")).is(200);
    let short = running(&client, "Short");
    for item in ["prepare", "open"] {
        client.tell(&format!("{short}/items/{item}/skip")).is(200);
    }

    let paths = [
        "/v1/adoption".to_owned(),
        format!("/v1/adoption/processes/{}", id_of(&used.first)),
        format!("/v1/adoption/processes/{}", id_of(&used.second)),
        "/v1/adoption/interlinkers/poll".to_owned(),
        "/v1/adoption/interlinkers/document".to_owned(),
    ];
    let read = || paths.each_ref().map(|path| client.get(path).is(200));
    let [all, first, second, of_poll, of_document] = read();

    let processes = &all["processes"];
    let expected =
        [("created", 1), ("running", 2), ("suspended", 1), ("completed", 1), ("cancelled", 1), ("stalled", 0)];
    for (status, number) in expected {
        assert_eq!(processes[status], json!(number), "{status}: {processes}");
    }
    // Of two running, one created and one resting process, five tasks each, one is done.
    assert_eq!(all["tasks"], json!({"done": 1, "open": 19, "stalled": 0}));
    assert_eq!(all["people"]["active"], json!(3));
    assert_eq!(all["uses"], json!({"total": 8, "by_interlinker": {"document": 2, "poll": 6}, "by_word": {}}));

    assert_eq!((&first["status"], &first["progress"]), (&json!("running"), &json!(0.2)));
    assert_eq!(first["tasks"], json!({"done": 1, "open": 4, "stalled": 0}));
    assert_eq!(first["people"]["active"], json!(2));
    assert_eq!(first["uses"], json!({"total": 4, "by_interlinker": {"poll": 4}, "by_word": {}}));
    assert_eq!((&second["people"]["active"], &second["uses"]["total"]), (&json!(1), &json!(4)));
    assert_eq!(
        (&of_poll["uses"]["total"], &of_poll["people"]["active"], &of_poll["processes"]["total"]),
        (&json!(6), &json!(2), &json!(2))
    );
    assert_eq!((&of_document["uses"]["total"], &of_document["people"]["active"]), (&json!(2), &json!(1)));

    let shown = used.server.cli(&["adoption"]);
    assert!(shown.status.success() && printed(&shown).contains("8 in all"), "{}", printed(&shown));

    let before = read();
    used.server.kill();
    std::fs::remove_dir_all(used.server.place("state")).expect("it was there");
    used.server.launch();
    assert_eq!(read(), before);
    let actors: BTreeSet<_> = uses(&client, "").iter().map(|used| text(&used["actor"]).to_owned()).collect();
    assert_eq!(actors, BTreeSet::from([used.ana.id(), used.boris.id()]));
    used.server.audit();
}

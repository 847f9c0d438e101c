//! The door of a service: who may do what there, and what becomes of it.

use serde_json::{Value, json};

use super::file::component_with;
use super::{DESK, DOOR, apply, open_desk, prepared, visitor, vote};
use crate::client::Ask;
use crate::given::{becomes, text};

#[test]
fn what_is_open_is_listed_with_schemas_and_nothing_else_is_there() {
    let server = open_desk();
    let nobody = server.nobody();
    let open = nobody.get(&format!("{DOOR}/open")).is(200);
    let listed: Vec<_> = open["items"].as_array().expect("items").iter().map(|item| text(&item["id"])).collect();
    assert_eq!(listed, ["evening", "wishes"], "`inside` is not open");
    let evening = &open["items"][0];
    assert_eq!((&evening["name"], &evening["view"]), (&json!("Which evening"), &json!(true)));
    assert_eq!(evening["actions"].as_array().map(Vec::len), Some(1), "`close` is not open");
    assert_eq!(evening["actions"][0]["input"]["required"], json!(["option"]));
    let spanish = nobody.get(&format!("{DOOR}/open?lang=es")).is(200);
    assert_eq!(spanish["items"][0]["actions"][0]["title"], json!("Votar"));
    assert_eq!(nobody.all(&format!("{DOOR}/open"), 1).len(), 2, "page by page");

    let post = |path: &str| nobody.post(&format!("{DOOR}/{path}"), &json!({}));
    for (path, what) in
        [("evening/actions/close", "close"), ("inside/actions/write", "inside"), ("none/actions/vote", "none")]
    {
        let refused = post(path).refused(404, "not-found");
        assert!(text(&refused["detail"]).contains(what), "{refused}");
    }
    for path in ["wishes/view", "inside/view", "none/view"] {
        nobody.get(&format!("{DOOR}/{path}")).refused(404, "not-found");
    }
    nobody.get("/v1/services/none/open").refused(404, "not-found");
    nobody.get(DOOR).refused(401, "unauthorized");
}

#[test]
fn without_a_token_everybody_is_one_with_a_visit_one_each_and_a_member_is_themselves() {
    let server = open_desk();
    let (nobody, ana) = (server.nobody(), server.member("ana"));
    vote(&nobody, "Monday").is(200);
    vote(&nobody, "Thursday").refused(409, "already-voted");
    let (first, second) = (visitor(&server), visitor(&server));
    for client in [&first, &second, &ana] {
        vote(client, "Monday").is(200);
        vote(client, "Monday").refused(409, "already-voted");
    }
    let view = first.get(&format!("{DOOR}/evening/view"));
    assert_eq!(view.is(200)["votes"], json!({"Monday": 4, "Thursday": 0}));
    let fresh = Ask::new("GET", "/v1/services/tool-desk/evening/view").header("if-none-match", view.header("etag"));
    first.ask(&fresh).is(304);
    nobody.post(&format!("{DOOR}/evening/actions/vote"), &json!({"choice": 1})).points_at(
        422,
        "invalid-input",
        &["", ""],
    );
    nobody
        .ask(&Ask::new("POST", "/v1/services/tool-desk/evening/actions/vote").body("application/json", "{"))
        .refused(400, "malformed");
    let large = json!({"option": "x".repeat(300 << 10)});
    nobody.post(&format!("{DOOR}/evening/actions/vote"), &large).refused(413, "too-large");

    let uses = server.operator().all("/v1/usage?service=tool-desk", 100);
    let of = |who: &str| {
        let by = |used: &&Value| used["kind"] == "action" && text(&used["actor"]).contains(who);
        uses.iter().filter(by).count()
    };
    assert_eq!((of("visitor:"), of(&ana.id())), (6, 2), "what does not fit or cannot be read reaches no Interlinker");
}

#[test]
fn the_token_of_a_visit_opens_its_service_and_nothing_else() {
    let mut server = open_desk();
    let operator = server.operator().clone();
    let other = DESK.replacen("tool-desk", "other-desk", 1);
    apply(&operator, &other).is(201);
    operator.tell("/v1/services/other-desk/activate").is(200);
    let visit = server.nobody().tell(&format!("{DOOR}/visits")).is(201);
    assert!(text(&visit["expires_at"]).ends_with('Z'));
    let guest = server.nobody().with_token(Some(text(&visit["token"])));
    let refused = guest.get("/v1/services/other-desk/open").refused(403, "forbidden");
    assert!(text(&refused["detail"]).contains("/v1/services/other-desk/visits"), "{refused}");
    let elsewhere = ["/v1/me", "/v1/processes", DOOR, "/v1/services", "/v1/usage", "/v1/adoption", "/v1/interlinkers"];
    for path in elsewhere {
        let refused = guest.get(path).refused(403, "forbidden");
        assert!(text(&refused["detail"]).contains("token of a visit"), "{path}: {refused}");
    }
    guest.post("/v1/processes", &json!({"schema": "tool-library", "name": "x"})).refused(403, "forbidden");
    guest.tell(&format!("{DOOR}/retire")).refused(403, "forbidden");
    let forged = server.nobody().with_token(Some(&format!("{}x", text(&visit["token"]))));
    forged.get(&format!("{DOOR}/open")).refused(401, "unauthorized");
    let expired = server.mint("ana", &["--expires", "1s"]);
    let expired = server.nobody().with_token(Some(&expired));
    assert!(becomes(|| expired.get(&format!("{DOOR}/open")).status == 401));
    server.crash();
    let guest = server.nobody().with_token(Some(text(&visit["token"])));
    vote(&guest, "Monday").is(200);
}

#[test]
fn a_request_is_done_once_under_its_key_at_the_door_too() {
    let mut server = open_desk();
    let path = format!("{DOOR}/evening/actions/vote");
    let body = json!({"option": "Monday"});
    let ask = |key: &str| Ask::post(&path, &body).key(key);
    let (guest, other, nobody) = (visitor(&server), visitor(&server), server.nobody());
    let first = guest.ask(&ask("one"));
    first.is(200);
    let again = guest.ask(&ask("one"));
    assert_eq!((again.is(200), again.header("idempotent-replayed")), (first.json(), "true"));
    assert_eq!(other.ask(&ask("one")).header("idempotent-replayed"), "", "another visitor's key is another");
    nobody.ask(&ask("one")).is(200);
    assert_eq!(nobody.ask(&ask("one")).header("idempotent-replayed"), "true");
    guest.ask(&Ask::post(&path, &json!({"option": "Thursday"})).key("one")).refused(422, "key-reused");
    server.crash();
    server.operator().tell(&format!("{DOOR}/pause")).is(200);
    assert_eq!(guest.ask(&ask("one")).header("idempotent-replayed"), "true", "what was answered is answered so again");
    guest.ask(&ask("two")).refused(503, "service-paused");
    let refused = Ask::post(&path, &body).key("three");
    server.operator().tell(&format!("{DOOR}/activate")).is(200);
    guest.ask(&refused).refused(409, "already-voted");
    assert_eq!(guest.ask(&Ask::post(&path, &body).key("three")).header("idempotent-replayed"), "true");
}

#[test]
fn an_anonymous_vote_at_the_door_names_neither_visitor_nor_member() {
    let server = prepared();
    let operator = server.operator();
    let ballot = component_with(|manifest| {
        manifest["name"] = json!("ballot");
        manifest["actions"][0]["anonymous"] = json!(true);
    });
    operator.send("/v1/interlinkers", "application/wasm", ballot).is(201);
    apply(operator, &DESK.replace("name: poll", "name: ballot").replace("interlinker: poll", "interlinker: ballot"))
        .is(201);
    operator.tell(&format!("{DOOR}/activate")).is(200);
    let visit = server.nobody().tell(&format!("{DOOR}/visits")).is(201);
    let guest = server.nobody().with_token(Some(text(&visit["token"])));
    let ana = server.member("ana");
    let path = format!("{DOOR}/evening/actions/vote");
    for client in [&guest, &ana] {
        let cast = || client.ask(&Ask::post(&path, &json!({"option": "Monday"})).key("a-vote"));
        cast().is(200);
        assert_eq!(cast().header("idempotent-replayed"), "true");
        vote(client, "Thursday").refused(409, "already-voted");
    }
    let used = operator.all("/v1/usage?service=tool-desk", 100);
    assert_eq!(used.len(), 4);
    assert!(used.iter().all(|one| text(&one["actor"]).starts_with("pseudonym:")), "{used:?}");
    let shown = json!(used).to_string() + &operator.get("/v1/usage?format=csv").text();
    assert!(!shown.contains(&ana.id()) && !shown.contains(text(&visit["visitor"])), "{shown}");
    let counted = operator.get("/v1/adoption/services/tool-desk").is(200);
    assert_eq!((&counted["uses"]["anonymous"], &counted["people"]["active"]), (&json!(4), &json!(0)));
}

#[test]
fn the_markdown_of_what_is_open_is_shown_as_safe_html_too() {
    let server = prepared();
    let file = DESK.replace("open: { actions: [write] }", "open: { view: true, actions: [write] }");
    apply(server.operator(), &file).is(201);
    server.operator().tell(&format!("{DOOR}/activate")).is(200);
    let nobody = server.nobody();
    let text = "*Two*, <script>a()</script>";
    nobody.post(&format!("{DOOR}/wishes/actions/write"), &json!({"section": "saws", "text": text})).is(200);
    let shown = nobody.get(&format!("{DOOR}/wishes/view?rendered=true")).is(200);
    assert_eq!(shown["output"]["sections"][0]["text"], json!(text));
    let html = "<p><em>Two</em>, &lt;script&gt;a()&lt;/script&gt;</p>\n";
    assert_eq!(shown["rendered"]["/sections/0/text"], json!(html));
}

#[test]
fn a_service_that_is_not_open_says_so_in_plain_words() {
    let server = prepared();
    let operator = server.operator();
    apply(operator, DESK).is(201);
    let ask = |status: u16, slug: &str, says: &str| {
        let nobody = server.nobody();
        let answers = [
            nobody.get(&format!("{DOOR}/open")),
            nobody.get(&format!("{DOOR}/evening/view")),
            nobody.tell(&format!("{DOOR}/visits")),
            vote(&nobody, "Monday"),
            vote(&server.member("ana"), "Monday"),
        ];
        for answer in answers {
            let problem = answer.refused(status, slug);
            assert!(text(&problem["detail"]).contains(says), "{problem}");
        }
    };
    ask(404, "service-not-active", "not open yet");
    operator.tell(&format!("{DOOR}/activate")).is(200);
    vote(&server.nobody(), "Monday").is(200);
    operator.post(&format!("{DOOR}/pause"), &json!({"reason": "the hall is flooded"})).is(200);
    ask(503, "service-paused", "the hall is flooded");
    assert_eq!(server.nobody().get(&format!("{DOOR}/open")).header("retry-after"), "60");
    operator.tell(&format!("{DOOR}/activate")).is(200);
    operator.post(&format!("{DOOR}/retire"), &json!({"reason": "thank you all"})).is(200);
    ask(410, "service-retired", "thank you all");
    let asset = text(&operator.get(DOOR).is(200)["assets"]["evening"]).to_owned();
    operator.get(&format!("/v1/assets/{asset}/view")).is(200);
}

#[test]
fn what_is_used_at_the_door_is_counted_for_the_service_and_not_for_the_process() {
    let mut server = open_desk();
    let operator = server.operator().clone();
    let process = text(&operator.get(DOOR).is(200)["process"]).to_owned();
    let of_process = || operator.get(&format!("/v1/adoption/processes/{process}")).is(200);
    let summary = || operator.get("/v1/adoption").is(200);
    let (before, all_before) = (of_process(), summary());
    let (guest, ana) = (visitor(&server), server.member("ana"));
    vote(&guest, "Monday").is(200);
    vote(&guest, "Monday").refused(409, "already-voted");
    vote(&ana, "Monday").is(200);
    server.nobody().post(&format!("{DOOR}/wishes/actions/write"), &json!({"section": "saws", "text": "Two."})).is(200);
    server.nobody().get(&format!("{DOOR}/evening/view")).is(200);
    let used = || operator.get("/v1/adoption/services/tool-desk").is(200);
    assert!(becomes(|| used()["uses"]["total"] == json!(5)), "{}", used());
    let expected = json!({"total": 5, "anonymous": 2, "by_action": {"vote": 3, "write": 1, "view": 1},
        "by_outcome": {"done": 4, "refused": 1}});
    assert_eq!(used()["uses"], expected);
    assert_eq!(used()["people"], json!({"active": 2, "visitors": 1, "members": 1}));
    assert_eq!(of_process(), before, "the process knows nothing of it");
    let all = summary();
    for part in ["processes", "tasks", "people", "uses"] {
        assert_eq!(all[part], all_before[part], "{part}");
    }
    assert_eq!(all["services"]["tool-desk"]["uses"]["total"], json!(5));
    let items = operator.all("/v1/usage?service=tool-desk", 2);
    assert_eq!(items.len(), 5);
    assert!(items.iter().all(|used| used["service"] == "tool-desk" && used["process"] == json!(process)));
    assert_eq!(operator.all(&format!("/v1/usage?process={process}"), 100).len(), 3 + 5);
    assert_eq!(operator.all("/v1/usage?service=none", 100), Vec::<Value>::new());
    let table = operator.get("/v1/usage?service=tool-desk&format=csv").text();
    assert!(table.lines().next().is_some_and(|head| head.ends_with(",service")), "{table}");
    assert_eq!(table.matches(",tool-desk").count(), 5);

    let seen = (used(), of_process(), summary(), items);
    server.kill();
    std::fs::remove_dir_all(server.place("state")).expect("it was there");
    server.launch();
    assert_eq!((used(), of_process(), summary(), operator.all("/v1/usage?service=tool-desk", 2)), seen);
    operator.get("/v1/adoption/services/none").refused(404, "not-found");
    server.audit();
}

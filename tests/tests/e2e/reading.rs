//! How things are read: entity tags, HEAD, languages, lists.

use serde_json::{Value, json};

use crate::client::Ask;
use crate::given::{complete, id_of, library, poll, running, text, vote};

#[test]
fn everything_that_is_read_has_an_entity_tag_and_is_not_sent_twice() {
    let server = library();
    let operator = server.operator();
    let process = running(operator, "Tags");
    let poll = poll(operator, &process, "find-room", 2);
    operator
        .send("/v1/provisions", "application/yaml", "service: tools\nschema: tool-library\nprocess: { name: Tools }\n")
        .is(201);
    let below_process =
        ["", "/tree", "/guide", "/events", "/assets", "/tasks/find-room", "/tasks/find-room/recommendations"];
    let paths = below_process.map(|below| format!("{process}{below}")).into_iter();
    let others = [
        "/v1/processes",
        "/v1/schemas",
        "/v1/schemas/tool-library",
        "/v1/schemas/tool-library/versions",
        "/v1/interlinkers",
        "/v1/interlinkers/poll",
        "/v1/interlinkers/poll/versions",
        "/v1/interlinkers/poll/actions",
        "/v1/problem-profiles",
        "/v1/services",
        "/v1/services/tools",
        "/v1/adoption",
        "/v1/adoption/interlinkers/poll",
        "/v1/usage",
        "/v1/me",
    ];
    let paths = paths.chain(others.map(str::to_owned)).chain([poll.clone(), format!("/v1/adoption{}", &process[3..])]);
    for path in paths {
        let shown = operator.get(&path);
        shown.is(200);
        let tag = shown.header("etag").to_owned();
        assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() > 2, "{path}: {tag} is no strong tag");
        for seen in [tag.clone(), format!("\"other\", {tag}"), "*".into(), format!("W/{tag}")] {
            let again = operator.ask(&Ask::new("GET", &path).header("if-none-match", seen.as_str()));
            assert_eq!((again.status, again.body.len()), (304, 0), "{path} {seen}");
            assert_eq!(again.header("etag"), tag, "{path}");
        }
        let other = operator.ask(&Ask::new("GET", &path).header("if-none-match", "\"other\""));
        assert_eq!(other.body, shown.body, "{path}");
        let head = operator.ask(&Ask::new("HEAD", &path));
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        for header in ["etag", "content-type", "content-length", "content-language"] {
            assert_eq!(head.header(header), shown.header(header), "{path} {header}");
        }
    }
    let missing = operator.ask(&Ask::new("HEAD", "/v1/processes/nonsense"));
    assert_eq!((missing.status, missing.body.len()), (404, 0));
}

#[test]
fn an_entity_tag_changes_with_the_thing_and_with_the_language() {
    let server = library();
    let operator = server.operator();
    let process = running(operator, "Tags");
    let poll = poll(operator, &process, "find-room", 2);
    let tag = |path: &str| operator.get(path).header("etag").to_owned();
    let tree = format!("{process}/tree");
    let guide = format!("{process}/guide");
    let (view, usage) = (format!("{poll}/view"), format!("/v1/usage?asset={}", id_of(&poll)));
    let before = [&process, &tree, &guide, &poll, &view, &usage].map(|path| tag(path));
    assert_ne!(tag(&format!("{tree}?lang=es")), before[1]);
    vote(operator, &poll, "Monday").is(200);
    complete(operator, &process, "find-room");
    let after = [&process, &tree, &guide, &poll, &view, &usage].map(|path| tag(path));
    for (before, after) in before.iter().zip(&after) {
        assert_ne!(before, after);
    }
    let made = operator.post("/v1/processes", &json!({"schema": "tool-library", "name": "Tagged"}));
    let start = format!("{}/start", made.header("location"));
    operator.ask(&Ask::new("POST", &start).header("if-match", made.header("etag"))).is(200);
}

#[test]
fn texts_come_in_the_language_that_fits_best_and_the_answer_says_which() {
    let server = library();
    let operator = server.operator();
    let process = running(operator, "Languages");
    let title = |path: &str, accept: &str| -> (Value, String) {
        let shown = operator.ask(&Ask::new("GET", path).header("accept-language", accept));
        (shown.is(200)["title"].clone(), shown.header("content-language").to_owned())
    };
    let schema = "/v1/schemas/tool-library";
    let (english, spanish, italian) =
        ("A tool library", "Una biblioteca de herramientas", "Una biblioteca degli attrezzi");
    for (accept, expected, language) in [
        ("es", spanish, "es"),
        ("es-MX", spanish, "es"),
        ("lv, it;q=0.8, es;q=0.9", spanish, "es"),
        ("it;q=0.9, es;q=0", italian, "it"),
        ("fr", english, "en"),
        ("*", english, "en"),
        ("rubbish;;q=x", english, "en"),
        ("", english, "en"),
    ] {
        assert_eq!(title(schema, accept), (json!(expected), language.to_owned()), "{accept}");
    }
    assert_eq!(title(&format!("{schema}?lang=it"), "es"), (json!(italian), "it".to_owned()), "`lang` decides");
    let all = operator.get(&format!("{schema}?lang=*"));
    assert_eq!(all.is(200)["title"], json!({"en": english, "es": spanish, "it": italian}));
    assert_eq!(all.header("content-language"), "", "all of them are no one language");

    let tree = operator.get(&format!("{process}/tree?lang=es"));
    let (phase, tasks) = (tree.is(200)["phases"][0].clone(), crate::given::tasks(&tree.json()));
    assert_eq!((&phase["name"], tree.header("content-language")), (&json!("Preparar"), "es"));
    assert_eq!(phase["objectives"][0]["name"], json!("A room and its rules"), "what lacks Spanish comes in English");
    assert_eq!(tasks[0]["name"], json!("Buscar un local"));
    let guide = operator.get(&format!("{process}/guide?lang=it")).is(200);
    assert_eq!(guide["next"][0]["task"]["name"], json!("Trovare un locale"));
    let task = operator.get(&format!("{process}/tasks/set-rules?lang=*")).is(200);
    assert_eq!(task["name"]["it"], json!("Fissare le regole"));
    let actions = operator.get("/v1/interlinkers/poll/actions?lang=es").is(200);
    let titles: Vec<_> =
        actions["items"].as_array().into_iter().flatten().map(|action| text(&action["title"])).collect();
    assert!(titles.contains(&"Votar"), "{titles:?}");
}

#[test]
fn a_list_gives_what_is_there_throughout_exactly_once_whatever_is_added() {
    let server = library();
    let operator = server.operator();
    let name = |process: &Value| text(&process["name"]).to_owned();
    for number in 0..7 {
        crate::given::created(operator, &format!("Early {number}"));
    }
    let mut names = Vec::new();
    let mut path = "/v1/processes?limit=2".to_owned();
    for page_number in 0.. {
        let page = operator.get(&path).is(200);
        names.extend(page["items"].as_array().expect("items").iter().map(name));
        // It is there from now on; whether it comes is open, and twice it does not.
        crate::given::created(operator, &format!("Late {page_number}"));
        match page["next_cursor"].as_str() {
            Some(cursor) if page_number < 20 => path = format!("/v1/processes?limit=2&cursor={cursor}"),
            _ => break,
        }
    }
    let early: Vec<_> = names.iter().filter(|name| name.starts_with("Early")).collect();
    let expected: Vec<_> = (0..7).map(|number| format!("Early {number}")).collect();
    assert_eq!(early, expected.iter().collect::<Vec<_>>(), "in the order of their creation");
    let listed = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), listed, "one came twice");
    let whole = operator.all("/v1/processes", 1_000);
    let last = operator.get(&format!("/v1/processes?limit={}", whole.len())).is(200);
    assert_eq!(last["next_cursor"], Value::Null, "a page that ends with the list has no next");
}

#[test]
fn the_description_of_the_api_names_what_is_there() {
    let server = library();
    let document = server.nobody().get("/openapi.json").is(200);
    assert!(text(&document["openapi"]).starts_with("3.1"), "{}", document["openapi"]);
    let paths = document["paths"].as_object().expect("paths");
    for path in ["/v1/processes/{id}/guide", "/v1/assets/{id}/actions/{action}", "/v1/usage", "/v1/provisions"] {
        assert!(paths.contains_key(path), "{path}");
    }
    for (path, operations) in paths {
        if operations.get("get").is_some() && path.starts_with("/v1/") {
            let there = path.replace("{name}", "nothing").replace("{id}", "nothing").replace("{task}", "nothing");
            let asked = match path.as_str() {
                "/v1/schedules/preview" => "?cron=%40daily".into(),
                "/v1/backup/keys" => format!("?backup={}", "0".repeat(64)),
                _ => String::new(),
            };
            let answer = server.operator().get(&(there + &asked));
            assert!([200, 404].contains(&answer.status), "{path}: {}", answer.status);
            assert_ne!(answer.json()["type"], "/problems/no-such-route", "{path}");
        }
    }
}

//! Requests that do not fit: each is answered with a problem document, and nothing is changed.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Barrier;
use std::time::Duration;

use serde_json::json;

use crate::client::{Ask, Client};
use crate::given::{complete, created, id_of, library, poll, running, schema, seen, text, vote};
use crate::server::Server;

const NOBODYS: &str = "0190a000-0000-7000-8000-000000000000";

#[test]
fn a_token_that_is_forged_expired_or_foreign_is_refused() {
    let server = library();
    let foreign = Server::start_anew();
    let good = server.mint("ana", &[]);
    let short = server.mint("ana", &["--expires", "1s"]);
    let (head, rest) = good.split_once('.').expect("three parts");
    let (claims, signature) = rest.split_once('.').expect("three parts");
    let turned: String = signature.chars().rev().collect();
    let tokens = [
        format!("{head}.{claims}.{turned}"),
        format!("{head}.{claims}."),
        format!("eyJhbGciOiJub25lIn0.{claims}."),
        foreign.mint("ana", &["--role", "operator"]),
        "rubbish".into(),
        String::new(),
    ];
    std::thread::sleep(Duration::from_millis(1_100));
    let before = server.position();
    for token in tokens.iter().chain([&short]) {
        let refused = server.nobody().with_token(Some(token)).get("/v1/processes");
        refused.refused(401, "unauthorized");
        assert_eq!(refused.header("www-authenticate"), "Bearer");
    }
    let basic = Ask::new("GET", "/v1/processes").header("authorization", "Basic YTpi");
    server.nobody().ask(&basic).refused(401, "unauthorized");
    for path in ["/v1/processes", "/v1/schemas", "/v1/interlinkers", "/v1/provisions"] {
        server.nobody().post(path, &json!({"name": "x"})).refused(401, "unauthorized");
    }
    assert_eq!(server.position(), before, "something was written");
    server.nobody().with_token(Some(&good)).get("/v1/processes").is(200);
    for path in ["/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"] {
        server.nobody().get(path).is(200);
    }
}

#[test]
fn a_route_or_method_that_is_not_there_is_answered_like_every_refusal() {
    let server = library();
    for path in ["/nowhere", "/v1", "/v1/processes/x/y/z", "/v1/processes/"] {
        server.operator().get(path).refused(404, "no-such-route");
    }
    let process = created(server.operator(), "Methods");
    for (method, path, allowed) in [
        ("DELETE", "/healthz", "GET"),
        ("PUT", "/v1/processes", "POST"),
        ("DELETE", process.as_str(), "GET"),
        ("GET", "/v1/provisions", "POST"),
        ("PATCH", "/v1/schemas/tool-library", "GET"),
    ] {
        let answer = server.operator().ask(&Ask::new(method, path));
        answer.refused(405, "method-not-allowed");
        assert!(answer.header("allow").contains(allowed), "{method} {path}: Allow is {}", answer.header("allow"));
    }
}

#[test]
fn an_id_that_is_not_there_is_not_found_whatever_it_looks_like() {
    let server = library();
    let operator = server.operator();
    let process = running(operator, "Here");
    for id in [NOBODYS, "nonsense", "%00", "..%2f..%2fetc", "a%20b", &"9".repeat(300)] {
        let asset = format!("/v1/assets/{id}");
        for path in [
            format!("/v1/processes/{id}"),
            format!("/v1/processes/{id}/tree"),
            format!("/v1/processes/{id}/guide"),
            format!("/v1/processes/{id}/events"),
            format!("/v1/processes/{id}/assets"),
            format!("/v1/adoption/processes/{id}"),
            format!("/v1/adoption/interlinkers/{id}"),
            format!("/v1/schemas/{id}"),
            format!("/v1/schemas/{id}/versions"),
            format!("/v1/interlinkers/{id}"),
            format!("/v1/services/{id}"),
            format!("{process}/tasks/{id}"),
            asset.clone(),
            format!("{asset}/view"),
        ] {
            operator.get(&path).refused(404, "not-found");
        }
        operator.post(&format!("/v1/processes/{id}/start"), &json!({})).refused(404, "not-found");
        operator.post(&format!("{asset}/actions/vote"), &json!({"option": "A"})).refused(404, "not-found");
        operator.post(&format!("{process}/tasks/{id}/claim"), &json!({})).refused(404, "no-such-item");
        operator.post(&format!("{process}/items/{id}/skip"), &json!({})).refused(404, "no-such-item");
        operator.ask(&Ask::new("DELETE", &asset)).refused(404, "not-found");
    }
}

#[test]
fn a_limit_or_cursor_that_is_none_is_refused_on_every_list() {
    let server = library();
    let operator = server.operator();
    let process = running(operator, "Listed");
    for number in 0..3 {
        running(operator, &format!("More {number}"));
        poll(operator, &process, "find-room", 2);
    }
    let lists = [
        "/v1/processes".to_owned(),
        "/v1/schemas".into(),
        "/v1/schemas/tool-library/versions".into(),
        "/v1/interlinkers".into(),
        "/v1/interlinkers/poll/versions".into(),
        "/v1/problem-profiles".into(),
        "/v1/services".into(),
        "/v1/usage".into(),
        format!("{process}/events"),
        format!("{process}/assets"),
    ];
    for list in &lists {
        for query in [
            "limit=0",
            "limit=-1",
            "limit=1001",
            "limit=many",
            "limit=",
            "cursor=rubbish",
            "cursor=",
            "cursor=00",
            "cursor=é",
        ] {
            operator.get(&format!("{list}?{query}")).refused(400, "malformed");
        }
    }
    let cursor = |list: &str| {
        let page = operator.get(&format!("{list}limit=1")).is(200);
        text(&page["next_cursor"]).to_owned()
    };
    let of_processes = cursor("/v1/processes?");
    for list in lists.iter().filter(|list| *list != "/v1/processes") {
        operator.get(&format!("{list}?cursor={of_processes}")).refused(400, "malformed");
    }
    operator.get(&format!("/v1/processes?status=running&cursor={of_processes}")).refused(400, "malformed");
    operator.get(&format!("/v1/usage?interlinker=poll&cursor={}", cursor("/v1/usage?"))).refused(400, "malformed");
    let turned: String = of_processes.chars().rev().collect();
    for altered in [turned, format!("{of_processes}00"), of_processes[2..].to_owned()] {
        operator.get(&format!("/v1/processes?cursor={altered}")).refused(400, "malformed");
    }
    operator.get(&format!("/v1/processes?cursor={of_processes}")).is(200);
    for query in ["status=asleep", "limit=%ff"] {
        operator.get(&format!("/v1/processes?{query}")).refused(400, "malformed");
    }
    for query in ["from=yesterday", "to=1", "format=xml"] {
        operator.get(&format!("/v1/usage?{query}")).refused(400, "malformed");
    }
    for id in ["process=nonsense", "asset=nonsense", "user=nonsense"] {
        assert_eq!(
            operator.get(&format!("/v1/usage?{id}")).is(200)["items"],
            json!([]),
            "an id that is not there has no uses"
        );
    }
}

#[test]
fn a_body_may_be_empty_where_nothing_in_it_is_needed_and_says_what_is_missing_elsewhere() {
    let server = library();
    let operator = server.operator();
    let process = created(operator, "Brief");
    for path in ["/start", "/tasks/find-room/claim", "/tasks/find-room/release", "/tasks/find-room/start"] {
        operator.tell(&format!("{process}{path}")).is(200);
    }
    operator.tell("/v1/processes").points_at(422, "invalid-input", &["/schema", "/name"]);
    operator.tell(&format!("{process}/tasks/find-room/assets")).points_at(422, "invalid-input", &["/interlinker"]);
    operator.tell("/v1/provisions").refused(400, "malformed");
    operator.tell("/v1/interlinkers").is(415);
}

#[test]
fn input_that_does_not_fit_is_refused_with_its_place_and_changes_nothing() {
    let server = library();
    let operator = server.operator();
    let process = running(operator, "Unmoved");
    let poll = poll(operator, &process, "find-room", 2);
    let before = (server.position(), seen(operator, &process), operator.get(&poll).body);
    let invalid = "invalid-input";

    let processes = "/v1/processes";
    operator.send(processes, "application/json", "{").refused(400, "malformed");
    operator.send(processes, "application/json", b"{\"name\": \"\xff\"}".to_vec()).refused(400, "malformed");
    operator.post(processes, &json!([1])).points_at(422, invalid, &[""]);
    operator.post(processes, &json!({"schema": "tool-library", "name": 7})).points_at(422, invalid, &["/name"]);
    operator.post(processes, &json!({"schema": "tool-library", "name": "  "})).points_at(422, invalid, &["/name"]);
    let long = json!({"schema": "tool-library", "name": "n".repeat(513)});
    operator.post(processes, &long).points_at(422, invalid, &["/name"]);
    let more = json!({"schema": "tool-library", "name": "x", "nmae": "y"});
    operator.post(processes, &more).points_at(422, invalid, &["/nmae"]);
    let nowhere = json!({"schema": "nowhere", "name": "x"});
    operator.post(processes, &nowhere).points_at(422, "no-such-thing", &["/schema"]);

    let comment = json!({"comment": "c".repeat(17 << 10)});
    operator.post(&format!("{process}/tasks/find-room/claim"), &comment).points_at(422, invalid, &["/comment"]);
    operator.post(&format!("{process}/suspend"), &json!({"why": "x"})).points_at(422, invalid, &["/why"]);

    let action = format!("{poll}/actions/vote");
    operator.post(&action, &json!({"option": 7})).points_at(422, invalid, &["/option"]);
    operator.post(&action, &json!({})).points_at(422, invalid, &[""]);
    operator.post(&action, &json!("Monday")).points_at(422, invalid, &[""]);
    operator.post(&format!("{poll}/actions/dance"), &json!({})).refused(404, "not-found");
    operator.get(&format!("{poll}/view?query=rubbish")).refused(400, "malformed");

    let assets = format!("{process}/tasks/find-room/assets");
    let open = |input: serde_json::Value| operator.post(&assets, &json!({"interlinker": "poll", "input": input}));
    let question = json!({"question": "Which?", "options": "A", "quorum": 0});
    open(question).points_at(422, invalid, &["/input/options", "/input/quorum"]);
    open(json!({})).refused(422, invalid);
    assert_eq!((server.position(), seen(operator, &process), operator.get(&poll).body), before);

    // What only the Interlinker can say is a use of it: it is in the registry, and in nothing else.
    let blank = json!({"question": " ", "options": ["A", "B"], "quorum": 1});
    let refused = open(blank).is(409);
    assert_eq!(refused["errors"][0]["pointer"], json!("/input/question"), "{refused}");
    vote(operator, &poll, "Never").points_at(409, "no-such-option", &["/option"]);
    assert_eq!((seen(operator, &process), operator.get(&poll).body), (before.1, before.2));
}

#[test]
fn a_task_out_of_order_is_refused_with_what_it_waits_for() {
    let server = library();
    let ana = server.member("ana");
    let process = running(&ana, "In order");
    let before = (server.position(), seen(&ana, &process));
    for command in ["claim", "start", "complete"] {
        let refused = ana.tell(&format!("{process}/tasks/set-rules/{command}")).refused(409, "task-not-ready");
        let room = json!([{"id": "find-room", "name": "Find a room", "status": "ready"}]);
        assert_eq!(refused["waiting_for"], room, "{refused}");
        let refused = ana.tell(&format!("{process}/tasks/open-day/{command}")).refused(409, "task-not-ready");
        assert_eq!(refused["waiting_for"][0]["id"], json!("prepare"), "{refused}");
    }
    for (command, slug) in [("release", "task-not-claimed"), ("reopen", "task-not-finished")] {
        ana.tell(&format!("{process}/tasks/find-room/{command}")).refused(409, slug);
    }
    ana.tell(&format!("{process}/start")).refused(409, "process-started");
    ana.tell(&format!("{process}/resume")).refused(409, "process-not-suspended");
    assert_eq!((server.position(), seen(&ana, &process)), before);
    complete(&ana, &process, "find-room");
    ana.tell(&format!("{process}/tasks/find-room/complete")).refused(409, "task-finished");
}

#[test]
fn of_two_people_who_take_a_task_at_once_exactly_one_has_it() {
    let server = library();
    let people = [server.member("ana"), server.member("boris")];
    let names = people.each_ref().map(Client::id);
    let barrier = Barrier::new(2);
    for round in 0..10 {
        let process = running(server.operator(), &format!("Race {round}"));
        let claim = format!("{process}/tasks/find-room/claim");
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let taking = people.each_ref().map(|person| {
                scope.spawn(|| {
                    barrier.wait();
                    let answer = person.tell(&claim);
                    if answer.status != 200 {
                        answer.refused(409, "task-claimed");
                    }
                    answer.status
                })
            });
            taking.into_iter().map(|taking| taking.join().expect("answered")).collect()
        });
        let winner = statuses.iter().position(|status| *status == 200).expect("one of them has it");
        assert_eq!(statuses[1 - winner], 409, "{statuses:?}");
        let task = server.operator().get(&format!("{process}/tasks/find-room")).is(200);
        assert_eq!((&task["status"], &task["assignee"]), (&json!("reserved"), &json!(names[winner])));
        let loser = &people[1 - winner];
        for command in ["start", "complete", "release"] {
            loser.tell(&format!("{process}/tasks/find-room/{command}")).refused(409, "task-claimed");
        }
    }
}

#[test]
fn a_change_on_a_version_that_is_stale_is_refused() {
    let server = library();
    let operator = server.operator();
    let process = running(operator, "Versions");
    let stale = operator.get(&process).header("etag").to_owned();
    complete(operator, &process, "find-room");
    let fresh = operator.get(&process).header("etag").to_owned();
    let before = seen(operator, &process);
    let claim = format!("{process}/tasks/set-rules/claim");
    for tag in [stale.as_str(), "\"999\"", "\"stale\"", "rubbish", "W/\"3\""] {
        let refused = operator.ask(&Ask::new("POST", &claim).header("if-match", tag)).refused(412, "wrong-version");
        assert_eq!(refused["version"], operator.get(&process).is(200)["version"]);
    }
    assert_eq!(seen(operator, &process), before);
    operator.ask(&Ask::new("POST", &claim).header("if-match", fresh)).is(200);

    let poll = poll(operator, &process, "set-rules", 2);
    let old = operator.get(&poll).header("etag").to_owned();
    vote(operator, &poll, "Monday").is(200);
    let close = format!("{poll}/actions/close");
    operator.ask(&Ask::new("POST", &close).header("if-match", old)).refused(412, "wrong-version");
    let other_language = operator.get(&format!("{poll}/view?lang=es")).header("etag").to_owned();
    operator.ask(&Ask::new("POST", &close).header("if-match", other_language)).is(200);
    operator.ask(&Ask::new("POST", &format!("{process}/suspend")).header("if-match", "*")).is(200);
}

#[test]
fn a_body_without_end_is_refused_before_it_is_sent() {
    let server = library();
    let operator = server.operator();
    operator.id();
    let before = server.position();
    for path in ["/v1/processes", "/v1/schemas", "/v1/interlinkers", "/v1/provisions"] {
        let mut socket = TcpStream::connect(server.socket()).expect("it listens");
        socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a socket");
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: here\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: 1000000000\r\n\r\n",
            operator.token()
        );
        socket.write_all(head.as_bytes()).expect("sent");
        let mut answer = Vec::new();
        // What comes before the connection is closed is the answer.
        let _ = socket.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.starts_with("HTTP/1.1 413 "), "{path}: {answer}");
        assert!(
            answer.contains("application/problem+json") && answer.contains("/problems/too-large"),
            "{path}: {answer}"
        );
    }
    for path in ["/v1/processes", "/v1/provisions"] {
        let body = format!("{{\"name\": \"{}\"}}", "x".repeat(2 << 20));
        operator.send(path, "application/json", body).refused(413, "too-large");
    }
    operator.send("/v1/schemas", "application/yaml", "#".repeat(9 << 20)).refused(413, "too-large");
    assert_eq!(server.position(), before);
}

#[test]
fn a_body_in_pieces_is_cut_off_where_it_grows_too_large() {
    let server = library();
    let mut socket = TcpStream::connect(server.socket()).expect("it listens");
    socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a socket");
    let head = format!(
        "POST /v1/processes HTTP/1.1\r\nhost: here\r\nauthorization: Bearer {}\r\ntransfer-encoding: chunked\r\n\r\n",
        server.operator().token()
    );
    socket.write_all(head.as_bytes()).expect("sent");
    let piece = [b"10000\r\n".to_vec(), vec![b' '; 0x10000], b"\r\n".to_vec()].concat();
    for _ in 0..17 {
        // It may have been cut off already.
        let _ = socket.write_all(&piece);
    }
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[test]
fn rubbish_on_the_socket_does_not_bring_the_server_down() {
    let mut server = Server::start();
    for rubbish in [
        &b"\0\0\0\0"[..],
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        &[b'A'; 100_000],
        b"POST /v1/processes HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
    ] {
        let mut socket = TcpStream::connect(server.socket()).expect("it listens");
        socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a socket");
        // It may hang up in the middle.
        let _ = socket.write_all(rubbish);
        let _ = socket.shutdown(std::net::Shutdown::Write);
        let _ = socket.read_to_end(&mut Vec::new());
    }
    schema(server.operator());
    let process = running(server.operator(), "Still there");
    assert!(!id_of(&process).is_empty());
    server.audit();
}

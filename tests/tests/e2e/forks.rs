//! What a fork takes along of what belongs to its assets.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{Ask, Client};
use crate::given::{complete, id_of, text};
use crate::server::Server;
use crate::world::{done, made, now_micros, town, until, view};

/// A fork of a process from a moment.
fn fork(client: &Client, process: &str, as_of: &Value) -> String {
    let made = client.post(&format!("{process}/fork"), &json!({"as_of": as_of, "name": "Another way"}));
    made.is(201);
    made.header("location").to_owned()
}

/// The one asset of a process.
fn asset_of(client: &Client, process: &str) -> String {
    let all = client.all(&format!("{process}/assets"), 10);
    assert_eq!(all.len(), 1, "{all:?}");
    format!("/v1/assets/{}", text(&all[0]["id"]))
}

/// The time of now, with nothing else at it.
fn moment(client: &Client, process: &str) -> Value {
    std::thread::sleep(Duration::from_millis(20));
    let at = client.all(&format!("{process}/events"), 1_000).last().expect("events")["at"].clone();
    std::thread::sleep(Duration::from_millis(20));
    at
}

fn alarms(client: &Client, asset: &str) -> Vec<Value> {
    let shown = client.get(asset).is(200)["alarms"].clone();
    shown.as_array().into_iter().flatten().map(|alarm| alarm["name"].clone()).collect()
}

fn held(server: &Server) -> Value {
    server.operator().get("/v1/interlinkers/probe").is(200)["held"].clone()
}

#[test]
fn a_fork_has_the_blobs_and_alarms_of_then_over_a_kill_and_whatever_becomes_of_the_original() {
    let (mut server, process) = town();
    let ana = server.operator().clone();
    let probe = made(&ana, &process);
    let list = text(&done(&ana, &probe, "put-blob", &json!({"text": "a list of tools"}))).to_owned();
    let picture: Vec<u8> = (0..3_000_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let kept = ana.send(&format!("{probe}/blobs"), "image/png", picture.clone()).is(201);
    let picture_at = |asset: &str| format!("{asset}/blobs/{}", text(&kept["digest"]));
    let set = |name: &str, at: i64| {
        let input = json!({"text": name, "number": at, "value": {"says": name}});
        done(&ana, &probe, "set-alarm", &input);
    };
    let soon = now_micros() + 6_000_000;
    set("rings", soon);
    set("far", soon + 86_400_000_000);
    let then = moment(&ana, &process);
    done(&ana, &probe, "cancel-alarm", &json!({"text": "far"}));
    let later = text(&done(&ana, &probe, "put-blob", &json!({"text": "what came later"}))).to_owned();

    let before = held(&server);
    let forked = fork(&ana, &process, &then);
    let copy = asset_of(&ana, &forked);
    // The other one may have rung by now, on a busy machine.
    assert!(alarms(&ana, &copy).contains(&json!("far")) && !alarms(&ana, &probe).contains(&json!("far")));
    server.crash();
    let look = |server: &Server, copy: &str| {
        let blobs = server.operator().all(&format!("{copy}/blobs"), 10);
        assert_eq!(blobs.len(), 2, "{blobs:?}");
        assert_eq!(server.operator().get(&format!("{copy}/blobs/{list}")).text(), "a list of tools");
        let answer = server.operator().get(&picture_at(copy));
        assert_eq!((answer.header("content-type"), answer.body == picture), ("image/png", true));
        server.operator().get(&format!("{copy}/blobs/{later}")).refused(404, "not-found");
    };
    look(&server, &copy);
    // Its Interlinker reads them, too, and putting one that is there is nothing new.
    let read = done(&ana, &copy, "get-blob", &json!({"text": list, "number": 6}));
    assert_eq!(read, json!({"size": 15, "text": "a list"}));
    ana.send(&format!("{copy}/blobs"), "image/png", picture.clone()).is(200);
    let after = held(&server);
    let grown = |of: &Value| of["state_bytes"].as_u64().expect("a number");
    assert!(grown(&after) >= grown(&before) + 3_000_015 && after["assets"] == 2, "{before} {after}");
    until("the alarm rang in both", || {
        [&probe, &copy].iter().all(|asset| view(&ana, asset)["rung"] == json!(["rings"]))
    });
    assert_eq!(alarms(&ana, &copy), [json!("far")]);
    // What has rung since then rings at once in a fork from then.
    let again = asset_of(&ana, &fork(&ana, &process, &then));
    until("it rings at once", || view(&ana, &again)["rung"] == json!(["rings"]));

    // A fork of the fork, and the original removed and archived.
    let of_fork = asset_of(&ana, &fork(&ana, &forked, &moment(&ana, &forked)));
    ana.ask(&Ask::new("DELETE", &probe)).is(204);
    ana.tell(&format!("{process}/cancel")).is(200);
    ana.post(&format!("{process}/archive"), &json!({"reason": "over"})).is(200);
    [&copy, &of_fork].iter().for_each(|copy| look(&server, copy));
    let counted = held(&server);
    server.audit();
    let rebuilt = server.on_data(&["state", "rebuild"]);
    assert!(rebuilt.status.success(), "{rebuilt:?}");
    server.launch();
    [&copy, &of_fork].iter().for_each(|copy| look(&server, copy));
    assert_eq!((held(&server), alarms(&ana, &copy)), (counted, vec![json!("far")]));
    complete(&ana, &forked, "find-room");
    ana.tell(&format!("{forked}/cancel")).is(200);
    ana.post(&format!("{forked}/archive"), &json!({"reason": "over"})).is(200);
    ana.tell(&format!("{forked}/unarchive")).is(200);
    look(&server, &copy);
    server.audit();
}

#[test]
fn a_fork_for_whose_assets_there_is_no_room_is_not_made_and_one_without_them_is() {
    let (server, process) = town();
    let operator = server.operator();
    let probe = made(operator, &process);
    operator.send(&format!("{probe}/blobs"), "image/png", vec![7; 100_000]).is(201);
    let quota = |quota: Value| {
        let ask = Ask::new("PUT", "/v1/interlinkers/probe/quota").body("application/json", quota.to_string());
        operator.ask(&ask).is(200);
    };
    let body = |assets: bool| json!({"name": "No room", "assets": assets});
    let before = held(&server);
    let bytes = before["state_bytes"].as_u64().expect("a number");
    for (limit, room) in [("assets", json!({"assets": 1})), ("state_bytes", json!({"state_bytes": bytes + 100_000}))] {
        quota(json!({"assets": 10, "state_bytes": 10 * bytes}));
        quota(room);
        let refused = operator.post(&format!("{process}/fork"), &body(true)).refused(409, "quota-exceeded");
        assert_eq!(refused["limit"], limit, "{refused}");
        assert_eq!((held(&server), operator.all("/v1/processes", 10).len()), (before.clone(), 1));
    }
    operator.post(&format!("{process}/fork"), &body(false)).is(201);
    quota(json!({"assets": 2, "state_bytes": 2 * bytes}));
    let made = operator.post(&format!("{process}/fork"), &body(true));
    made.is(201);
    assert_eq!(held(&server), json!({"assets": 2, "state_bytes": 2 * bytes}));
    assert_ne!(id_of(made.header("location")), id_of(&process));
}

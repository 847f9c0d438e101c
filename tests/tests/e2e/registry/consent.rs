//! What an Interlinker asks for, and what an operator consents to: when it is published, and afterwards.

use serde_json::{Value, json};

use super::signing::{Desk, publish, succeeds};
use super::{WASM, in_version};
use crate::server::{Server, printed};

const REASON: &str = "Reminds people of the place that they booked.";

#[test]
fn whoever_publishes_is_told_what_is_not_granted_and_nothing_but_a_yes_grants_it() {
    let (mut server, desk) = (Server::start(), Desk::new());
    let operator = server.operator().clone();
    let published = operator.send("/v1/interlinkers", WASM, in_version("booking", "1.1.0")).is(201);
    assert_eq!(published["not_granted"]["notify"]["reason"]["en"], REASON, "{published}");
    let file = desk.write("booking.wasm", &in_version("booking", "1.2.0"));
    let told = succeeds(&publish(&server, &file, None));
    assert!(told.contains(REASON) && told.contains("interlink interlinker grant booking"), "{told}");
    let granted = || operator.get("/v1/interlinkers/booking/grants").is(200)["notify"].clone();
    let position = server.position();
    for answer in ["", "n\n", "perhaps\n"] {
        let refused = server.cli_typing(&["interlinker", "grant", "booking"], answer);
        assert!(!refused.status.success() && printed(&refused).contains(REASON), "{}", printed(&refused));
    }
    assert_eq!((server.position(), granted()), (position, Value::Null), "nothing was granted");
    let given = server.cli_typing(&["interlinker", "grant", "booking"], "y\n");
    assert!(succeeds(&given).contains("was granted what it asks for"));
    server.crash();
    assert_eq!(granted(), true);
    let again = succeeds(&server.cli(&["interlinker", "grant", "booking@1.1.0"]));
    assert!(again.contains("asks for nothing that it was not granted"), "{again}");
    let published = operator.send("/v1/interlinkers", WASM, in_version("booking", "1.3.0")).is(201);
    assert_eq!(
        published["not_granted"],
        json!({"http": [], "secrets": []}),
        "the consent is for what it was given for"
    );
}

#[test]
fn who_publishes_grants_at_once_where_that_is_said() {
    let (server, desk) = (Server::start(), Desk::new());
    let file = desk.write("booking.wasm", &in_version("booking", "1.1.0"));
    let told = succeeds(&server.cli(&["interlinker", "publish", &file, "--grant"]));
    assert!(told.contains("was granted what it asks for"), "{told}");
    assert_eq!(server.operator().get("/v1/interlinkers/booking/grants").is(200)["notify"], true);
}

#[test]
fn an_operator_sets_a_quota_from_the_command_line_and_takes_it_back() {
    let server = Server::start();
    let quota = || server.operator().get("/v1/interlinkers/poll").is(200)["quota"].clone();
    let before = quota();
    let told = succeeds(&server.cli(&["interlinker", "quota", "poll", "--assets", "3"]));
    assert!(told.contains("poll  at most 3 assets"), "{told}");
    assert_eq!(quota(), json!({"assets": 3, "state_bytes": before["state_bytes"]}));
    succeeds(&server.cli(&["interlinker", "quota", "poll"]));
    assert_eq!(quota(), before);
    let unknown = server.cli(&["interlinker", "quota", "nobody", "--assets", "3"]);
    assert!(!unknown.status.success() && printed(&unknown).contains("nobody"), "{}", printed(&unknown));
}

//! Resources used up, each in a way of its own.

use serde_json::json;

use super::{harming, harming_forever, whole};
use crate::case::{Case, Comes, Group, Step};
use crate::hand::Guest;
use crate::hand::asking::{Asking, KEEP};
use crate::subject::Place;

fn case(name: &'static str, guest: Guest) -> Case {
    Case::of(Group::Exhaustion, name, guest)
}

/// A guest that is published, and cannot be made.
fn not_made(name: &'static str, guest: Guest, fails: &'static [&'static str]) -> Case {
    let make = Step::Make { asset: "a", of: 0, place: Place::Here, input: json!({}), comes: Comes::Failed(fails) };
    Case::new(Group::Exhaustion, name).published(guest).then(make)
}

pub(super) fn cases() -> Vec<Case> {
    let through = |name: &str| format!("(drop (memory.grow {name} (i32.const 1)))");
    let all: String = (1..=10).map(|number| through(&number.to_string())).collect();
    let endless = "(func $begin (loop $again (br $again))) (start $begin)";
    let deep_host = "(func $deeper (result i32)
        (call $log (i32.const 32) (i32.const 3) (i32.const 32) (i32.const 3))
        (i32.add (call $deeper) (i32.const 1)))";
    vec![
        not_made("a guest that loops while its instance is made", Guest::new().with(endless), &["fuel", "deadline"]),
        not_made(
            "a guest that loops while its asset is made",
            whole("(call $null)").made_by("(loop $again (br $again)) unreachable"),
            &["fuel", "deadline"],
        ),
        not_made("a guest that traps while its asset is made", whole("(call $null)").made_by("unreachable"), &["trap"]),
        case("a guest that takes all memory at once", harming("(drop (memory.grow (i32.const 60000))) (call $null)"))
            .fails(&["memory"]),
        case("a guest with ten memories that all grow", harming_forever(&all).owning(&["memory 1"; 10]))
            .fails(&["memory"]),
        case(
            "a guest with wide addresses that asks for all there is",
            harming("(drop (memory.grow 1 (i64.const 0xfffffffffffe))) (call $null)").with("(memory i64 1)"),
        )
        .fails(&["memory"]),
        case(
            "a guest with two tables that both grow",
            harming_forever(
                "(drop (table.grow 0 (ref.null func) (i32.const 1)))
                (drop (table.grow 1 (ref.null func) (i32.const 1)))",
            )
            .owning(&["table 1 funcref"; 2]),
        )
        .fails(&["table"]),
        case(
            "a guest that fills a table of all elements there are",
            harming("(drop (table.grow 0 (ref.null func) (i64.const -2))) (call $null)")
                .owning(&["table i64 1 funcref", "table 1 funcref"]),
        )
        .fails(&["fuel", "table", "deadline"]),
        case("a guest that recurses through the host", harming("(drop (call $deeper)) (call $null)").with(deep_host))
            .fails(&["stack", "host-calls", "deadline"]),
        case(
            "a guest that fills its memory again and again",
            harming_forever("(memory.fill (i32.const 4096) (i32.const 7) (i32.const 60000))"),
        )
        .fails(&["fuel", "deadline"]),
        case(
            "a guest that divides slowly without end",
            harming_forever("(global.set $x (f64.sqrt (f64.div (global.get $x) (f64.const 3))))")
                .with("(global $x (mut f64) (f64.const 7))"),
        )
        .fails(&["fuel", "deadline"]),
        case(
            "a guest that draws random bytes until there are none",
            Asking::new().random(4_000).repeated().asking_for_all().made_by(KEEP).showing(),
        )
        .fails(&["random-bytes"]),
        case(
            "a guest that calls the host with nothing, without end",
            harming_forever("(drop (call $cancel_alarm (i32.const 0) (i32.const 0)))"),
        )
        .fails(&["host-calls", "deadline"]),
        case(
            "a guest that keeps blobs until there is no room",
            harming_forever(
                "(i32.store (i32.const 4096) (i32.add (i32.load (i32.const 4096)) (i32.const 1)))
                (call $put_blob (i32.const 8192) (i32.const 10) (i32.const 4096) (i32.const 4) (i32.const 2048))",
            )
            .with(r#"(data (i32.const 8192) "text/plain")"#),
        )
        .fails(&["host-calls", "fuel", "memory", "deadline"]),
    ]
}

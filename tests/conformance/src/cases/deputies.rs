//! The state of others, by way of whoever may read or change it.

use serde_json::{Value, json};

use crate::case::{Case, Comes, Group, Is, Step};
use crate::hand::asking::Asking;
use crate::subject::Place;

/// A guest that would run `go` of whichever asset it is told, and an asset `b` of another Interlinker.
fn case(name: &'static str, action: &str, input: &str, place: Place, grants: Option<Value>) -> Case {
    let asking = Asking::new().act_on_input(action, input);
    let make = Step::Make { asset: "b", of: 1, place, input: json!("before"), comes: Comes::Done };
    let case = Case::of(Group::Deputy, name, asking.whole()).published(victim().whole()).then(make);
    match grants {
        Some(grants) => case.granted(grants),
        None => case,
    }
}

/// What a victim does when it is asked.
fn victim() -> Asking {
    Asking::new().set("asked", b"yes")
}

fn granted() -> Value {
    json!({"assets": [{"interlinker": "{name:1}", "actions": ["go"]}]})
}

/// It is told why not, and the other is as it was.
fn refused(case: Case, input: &str, code: &str) -> Case {
    case.goes(json!(input), Comes::Done).keeps_text("1/code", code).then(Step::Keeps("b", "asked", Is::Absent))
}

pub(super) fn cases() -> Vec<Case> {
    let other = json!({"assets": [{"interlinker": "{name:0}", "actions": ["go"]}]});
    let other_action = json!({"assets": [{"interlinker": "{name:1}", "actions": ["look", "GO", "go "]}]});
    let here = Place::Here;
    let clock = case("a victim has no outside where another asks it", "go", "{}", here, Some(granted()));
    let mut clock = clock;
    clock.components[1] = Asking::new().now().set("asked", b"yes").whole().into();
    vec![
        refused(case("an asset whose actions nobody granted", "go", "{}", here, None), "{asset:b}", "not-granted"),
        refused(
            case(
                "an asset of another Interlinker than the one that was granted",
                "go",
                "{}",
                here,
                Some(other.clone()),
            ),
            "{asset:b}",
            "not-granted",
        ),
        refused(
            case("another action than those that were granted", "go", "{}", here, Some(other_action)),
            "{asset:b}",
            "not-granted",
        ),
        refused(
            case("an asset of another process", "go", "{}", Place::Elsewhere, Some(granted())),
            "{asset:b}",
            "no-such-asset",
        ),
        refused(case("an asset that runs its own action", "go", "{}", here, Some(other)), "{asset:a}", "too-deep"),
        refused(
            case("an asset that is not there", "go", "{}", here, Some(granted())),
            "00000000-0000-7000-8000-000000000000",
            "no-such-asset",
        ),
        refused(case("an asset by a path", "go", "{}", here, Some(granted())), "../{asset:b}", "no-such-asset"),
        refused(
            case("an asset by its id with white space", "go", "{}", here, Some(granted())),
            " {asset:b}",
            "no-such-asset",
        ),
        refused(
            case(
                "an action that is not there, though it was granted",
                "stay",
                "{}",
                here,
                Some(json!({"assets": [{"interlinker": "{name:1}", "actions": ["stay"]}]})),
            ),
            "{asset:b}",
            "no-such-action",
        ),
        refused(case("an input that is no JSON", "go", "{", here, Some(granted())), "{asset:b}", "invalid-input"),
        refused(clock, "{asset:b}", "failed"),
        keys(),
        blobs(),
        settings(),
        secrets(),
    ]
}

/// An asset that reads by the names of another's.
fn keys() -> Case {
    let names = ["{asset}/key", "../key", "key/../key", "assets/b/key", "*"];
    let asking = names.iter().fold(Asking::new(), |asking, name| asking.get(name)).range("", None, 9);
    let case = Case::of(Group::Deputy, "an asset that looks for the state of another by its name", asking.whole());
    let make = Step::Make { asset: "b", of: 0, place: Place::Here, input: json!("t0p-secret"), comes: Comes::Done };
    let case = case.then(make).is_done().keeps_text("6/first", "1/none");
    (1..=5).fold(case, |case, number| {
        let key = ["1/none", "2/none", "3/none", "4/none", "5/none"][number - 1];
        case.keeps(key, Is::There)
    })
}

/// An asset that knows the digest of another's blob.
fn blobs() -> Case {
    let digest = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    let guest = Asking::new().blob(digest, 0, 9).blob_size(digest).whole();
    let make = Step::Make { asset: "b", of: 0, place: Place::Here, input: json!("before"), comes: Comes::Done };
    Case::of(Group::Deputy, "an asset that knows what another's blob is known by", guest)
        .then(make)
        .then(Step::PutBlob("b", "text/plain", b"hello".to_vec(), Comes::Done))
        .is_done()
        .keeps("1/none", Is::There)
        .keeps("2/none", Is::There)
}

/// An Interlinker that reads the settings of another.
fn settings() -> Case {
    Case::of(Group::Deputy, "an Interlinker that looks for the settings of another", Asking::new().settings().whole())
        .published(victim().whole())
        .then(Step::Settings(1, json!({"token": "t0p-secret"}), Comes::Done))
        .is_done()
        .keeps_text("1/settings", "{}")
}

/// A secret that was granted to another.
fn secrets() -> Case {
    let guest = Asking::new().secret("conformance-theirs").whole();
    Case::of(Group::Deputy, "an Interlinker that looks for a secret that another was granted", guest)
        .published(victim().whole())
        .then(Step::Secret("conformance-theirs", "t0p-secret"))
        .then(Step::Grant(1, json!({"secrets": ["conformance-theirs"]})))
        .is_done()
        .keeps("1/none", Is::There)
}

//! Requests to where nobody may go: by name, by redirect, by a name that changes its address, by a URL that reads two
//! ways.

use serde_json::{Value, json};

use super::imports::grant;
use crate::case::{Case, Comes, Group, Is, Step};
use crate::hand::asking::Asking;
use crate::subject::Need;

fn case(name: &'static str) -> Case {
    Case::of(Group::Inside, name, Asking::new().http_of_input().whole()).needing(Need::Outside)
}

fn get(url: &str) -> Value {
    json!({"method": "GET", "url": url})
}

/// Lets it go to an origin, and asks for a URL; nothing arrives, and the guest is told why.
fn refused(case: Case, origin: &str, url: &str, code: &str) -> Case {
    case.granted(grant(&["GET"], origin))
        .goes(get(url), Comes::Done)
        .keeps_text("1/code", code)
        .then(Step::Arrived("/inside", 0))
}

/// A name whose address changes.
fn named(name: &'static str, answers: &'static [&'static [&'static str]]) -> Case {
    case(name).needing(Need::Name("rebinding.example", answers))
}

pub(super) fn cases() -> Vec<Case> {
    let rebinding = "http://rebinding.example:{port}";
    let asked = format!("{rebinding}/inside");
    let named_once = |name, answers| refused(named(name, answers), rebinding, &asked, "not-sent");
    let redirect = |name, path: &str, status| {
        case(name)
            .granted(grant(&["GET"], "{outside}"))
            .goes(get(&format!("{{outside}}{path}")), Comes::Done)
            .keeps("1/head", Is::With(status))
            .then(Step::Arrived("/inside", 0))
    };
    let urls = |name, urls: &[&str]| {
        let asking = urls.iter().fold(Asking::new(), |asking, url| asking.http(&get(url).to_string(), b""));
        let case =
            Case::of(Group::Inside, name, asking.whole()).granted(grant(&["GET"], "https://example.org")).is_done();
        let keys = ["1/code", "2/code", "3/code", "4/code", "5/code", "6/code", "7/code", "8/code"];
        keys[..urls.len()].iter().fold(case, |case, key| case.keeps_text(key, "invalid-request"))
    };
    vec![
        redirect("a redirect to this machine is an answer", "/redirect", "302"),
        redirect("a redirect to where clouds keep credentials is an answer", "/metadata", "307"),
        refused(
            case("this machine by its name"),
            "http://localhost:{port}",
            "http://localhost:{port}/inside",
            "not-sent",
        ),
        refused(
            case("this machine, where another port was granted"),
            "http://127.0.0.1:1",
            "{outside}/inside",
            "not-granted",
        ),
        refused(case("this machine by its other address"), "{outside}", "http://[::1]:{port}/inside", "not-granted"),
        case("another method than those that were granted")
            .granted(grant(&["POST"], "{outside}"))
            .goes(get("{outside}/inside"), Comes::Done)
            .keeps_text("1/code", "not-granted")
            .then(Step::Arrived("/inside", 0)),
        named_once("a name that stands for this machine", &[&["127.0.0.1"]]),
        named_once("a name that stands for this machine by an address of version 6", &[&["::ffff:127.0.0.1"]]),
        named_once("a name that stands for a private network", &[&["10.0.0.1"]]),
        named_once("a name that stands for where clouds keep credentials", &[&["169.254.169.254"]]),
        named_once("a name of two addresses, of which one is inside", &[&["1.1.1.1", "127.0.0.1"]]),
        rebound(rebinding),
        urls(
            "a URL in which two readers find two hosts",
            &[
                "https://example.org@127.0.0.1/",
                "https://127.0.0.1\\@example.org/",
                "https://example.org#@127.0.0.1/",
                "https://example.org:443:80/",
                "https://exam\tple.org/",
                "https://example.org%2f@127.0.0.1/",
            ],
        ),
        urls(
            "an address that is written in another way",
            &[
                "http://2130706433/",
                "http://0x7f.1/",
                "http://127.1/",
                "http://0177.0.0.1/",
                "http://[::ffff:7f00:1%25lo]/",
            ],
        ),
        urls(
            "a scheme that is none of the web's",
            &["file:///etc/passwd", "gopher://127.0.0.1/", "HTTPS://example.org/", "//example.org/"],
        ),
        urls(
            "a host with letters that look like others",
            &["https://ехаmple.org/", "https://example。org/", "https://ⓔxample.org/"],
        ),
    ]
}

/// The name stands for a public address when it is asked for first, and for this machine ever after: whoever checks one
/// answer and connects to the next is led inside.
fn rebound(origin: &str) -> Case {
    // What it stands for first was given back by whoever had it: nobody is there.
    let url = format!("{origin}/inside");
    let hurried = json!({"method": "GET", "url": url, "timeout_ms": 50});
    named("a name that stands for this machine once it was looked at", &[&["3ffe::1"], &["127.0.0.1"]])
        .granted(grant(&["GET"], origin))
        .goes(hurried.clone(), Comes::Done)
        .keeps("1/code", Is::There)
        .then(Step::Arrived("/inside", 0))
        .goes(hurried, Comes::Done)
        .keeps_text("1/code", "not-sent")
        .then(Step::Arrived("/inside", 0))
}

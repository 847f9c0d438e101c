//! How calls reach an Interlinker, and what its manifest says of them.

use interlink_sdk::manifest::Manifest;
use interlink_sdk::prelude::*;
use interlink_sdk::session::{Host, Session};
use interlink_sdk::{Interlinker, data, log::Level};

/// Something to say.
#[derive(Input)]
struct Say {
    #[schemars(length(min = 1))]
    lines: Vec<Line>,
}

#[derive(Input)]
struct Line {
    text: String,
    #[serde(default)]
    tone: Tone,
}

#[derive(Input, Default, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum Tone {
    #[default]
    Plain,
    VeryLoud,
}

#[derive(Output)]
struct Said {
    by: PersonId,
    roles: Vec<String>,
    at: String,
    lines: u64,
    loud: bool,
}

#[derive(Input)]
struct Query {
    length: Option<u32>,
}

#[derive(Output)]
struct Letter {
    body: Markdown,
    footer: Html,
}

#[derive(State)]
struct Room {
    lines: Map<u64, String>,
}

#[interlinker(
    name = "room",
    version = "2.1.0-beta.1",
    licence = "MIT",
    title(en = "Room", es = "Sala", it = "Sala"),
    description(en = "Say something."),
    problems("talk-together", "decide-together")
)]
impl Room {
    #[instantiate(title(en = "Open a room", es = "Abrir una sala"), example("A room", input({})))]
    fn open(&mut self, cx: &Call) -> Result<()> {
        ensure!(cx.caller().is_none(), "the server opens rooms");
        Ok(())
    }

    #[action(
        title(en = "Say", es = "Decir"),
        help(en = "Out loud."),
        allow(contributor, "town crier"),
        example("A greeting", input({"lines": [{"text": "Oyez"}]})),
        example(
            "Shouted",
            input({"lines": [{"text": "Fire", "tone": "very-loud"}]}),
            output({"by": "person-somebody", "roles": [], "at": "2026-01-01T09:00:01Z", "lines": 1, "loud": true})
        ),
    )]
    fn say_lines(&mut self, input: Say, cx: &Call) -> Result<Said> {
        log::info!("{} says {} lines", cx.person(), input.lines.len());
        let loud = input.lines.iter().any(|line| matches!(line.tone, Tone::VeryLoud));
        for line in input.lines {
            self.lines.insert(&self.lines.len(), line.text)?;
        }
        let (by, roles, at) = (cx.person().clone(), cx.roles().to_vec(), cx.at().to_owned());
        Ok(Said { by, roles, at, lines: self.lines.len(), loud })
    }

    #[action(title(en = "Whisper", es = "Susurrar"), allow("town crier"), anonymous)]
    fn whisper(&mut self, input: Say, cx: &Call) -> Result<Said> {
        self.say_lines(input, cx)
    }

    #[view]
    fn listen(&self, cx: &Call, query: Query) -> Result<Vec<String>> {
        ensure!(cx.caller().is_none_or(|person| *person != TestHost::person("deaf")), code "deaf", "you hear nothing");
        Ok(self
            .lines
            .iter()
            .map(|(_, text)| text.chars().take(query.length.unwrap_or(99) as usize).collect())
            .collect())
    }
}

fn room() -> TestHost {
    TestHost::open::<Room>(json!({}))
}

#[test]
fn an_action_knows_who_calls_and_when() {
    let mut room = room();
    room.give_roles("boris", &["town crier"]);
    room.wait_seconds(60);
    let said = room.act_as("boris", "say-lines", json!({"lines": [{"text": "Oyez", "tone": "very-loud"}]})).ok();
    let expected = json!({
        "by": "person-boris", "roles": ["town crier"], "at": "2026-01-01T09:01:01Z", "lines": 1, "loud": true
    });
    assert_eq!(said, expected);
    assert_eq!(room.logs(), [(Level::Info, "person-boris says 1 lines".to_owned())]);
}

#[test]
fn an_anonymous_action_knows_a_pseudonym_and_no_roles() {
    let mut room = room();
    room.give_roles("boris", &["town crier"]);
    let mut whisper = |name: &str| room.act_as(name, "whisper", json!({"lines": [{"text": "Psst"}]})).ok();
    let [first, again, other] = ["boris", "boris", "eva"].map(|name| whisper(name)["by"].clone());
    assert_eq!(first, json!(TestHost::pseudonym("boris")));
    assert!(first == again && first != other && first != json!(TestHost::person("boris")));
    assert_eq!(whisper("boris")["roles"], json!([]), "whether he may was checked before");
    room.give_roles("eva", &["observer"]);
    room.act_as("eva", "whisper", json!({"lines": [{"text": "?"}]})).refused("not-allowed");
}

#[test]
fn texts_that_the_server_makes_safe_are_marked_in_the_schema() {
    let schema = data::output_schema::<Letter>();
    let of = |name: &str| schema["properties"][name].clone();
    assert_eq!(of("body"), json!({"type": "string", "contentMediaType": "text/markdown"}));
    assert_eq!(of("footer"), json!({"type": "string", "contentMediaType": "text/html"}));
    let letter = Letter { body: "*a*".into(), footer: Html::from("<b>c</b>") };
    assert_eq!(serde_json::to_value(&letter).expect("JSON"), json!({"body": "*a*", "footer": "<b>c</b>"}));
    assert_eq!((letter.body.len(), letter.footer.to_string().as_str()), (3, "<b>c</b>"));
}

#[test]
fn a_view_takes_a_query_and_may_refuse() {
    let mut room = room();
    room.act_as("boris", "say-lines", json!({"lines": [{"text": "Oyez"}]})).ok();
    assert_eq!(room.view(), json!(["Oyez"]));
    assert_eq!(room.view_as("eva", json!({"length": 2})).ok(), json!(["Oy"]));
    room.view_as("deaf", json!({})).refused("deaf");
}

#[test]
fn who_has_none_of_the_roles_is_refused() {
    let mut room = room();
    room.give_roles("eva", &["observer"]);
    room.act_as("eva", "say-lines", json!({"lines": [{"text": "?"}]})).refused("not-allowed");
}

#[test]
fn input_is_checked_against_the_schema_first() {
    let mut room = room();
    assert_eq!(
        room.act_as("eva", "say-lines", json!({"lines": []})).refused("invalid-input").pointer.as_deref(),
        Some("/lines")
    );
    room.act_as("eva", "say-lines", json!({"lines": [{"text": "?"}], "more": 1})).refused("invalid-input");
    room.act_as("eva", "sing", json!({})).refused("no-such-action");
    assert!(TestHost::try_open::<Room>(json!({"size": 3})).is_err());
}

#[test]
fn a_guest_points_at_input_that_does_not_fit_by_itself_too() {
    let pointer = |input: &str| data::parse::<Say>(input).err().and_then(|problem| problem.pointer);
    assert_eq!(pointer(r#"{"lines": [{"text": "a"}, {"text": 1}]}"#).as_deref(), Some("/lines/1/text"));
    assert_eq!(pointer(r#"{"lines": [], "more": 1}"#).as_deref(), Some("/more"));
    assert_eq!(pointer("{}").as_deref(), Some(""));
    assert_eq!(data::parse::<Say>("{}").err().map(|problem| problem.detail).as_deref(), Some("missing field `lines`"));
    assert!(data::parse::<Query>("").is_ok(), "nothing is an empty input");
}

#[test]
fn the_manifest_says_what_the_macros_were_told() {
    let manifest = Room::manifest();
    assert_eq!(
        (manifest.name.as_str(), manifest.version.as_str(), manifest.licence.as_str()),
        ("room", "2.1.0-beta.1", "MIT")
    );
    assert_eq!(manifest.languages, ["en", "es"], "the languages that all titles have");
    assert_eq!(manifest.problem_profiles, ["talk-together", "decide-together"]);
    let action = &manifest.actions[0];
    assert_eq!(
        (action.name.as_str(), action.title["es"].as_str(), action.help["en"].as_str()),
        ("say-lines", "Decir", "Out loud.")
    );
    assert_eq!(
        (action.allow.as_slice(), action.anonymous, manifest.actions[1].anonymous),
        (&["contributor".to_owned(), "town crier".to_owned()][..], false, true)
    );
    let titles = |examples: &[interlink_sdk::manifest::Example]| {
        examples.iter().map(|one| one.title.clone()).collect::<Vec<_>>()
    };
    assert_eq!(titles(&manifest.instantiate.examples), ["A room"]);
    assert_eq!(titles(&action.examples), ["A greeting", "Shouted"]);
    assert_eq!((&action.examples[0].output, &action.examples[1].output["loud"]), (&json!(null), &json!(true)));
    assert_eq!(action.input["properties"]["lines"]["items"]["additionalProperties"], json!(false));
    assert_eq!(
        action.input["properties"]["lines"]["items"]["properties"]["tone"]["enum"],
        json!(["plain", "very-loud"])
    );
    assert_eq!(action.output["properties"]["by"]["type"], "string");
    assert_eq!(manifest.view.output["items"]["type"], "string");
    assert_eq!(manifest.instantiate.input["additionalProperties"], json!(false));
    let json = serde_json::to_value(&manifest).expect("a manifest is JSON");
    assert_eq!(serde_json::from_value::<Manifest>(json).expect("and reads back"), manifest);
}

/// A host whose context is of a later version, and that nobody may change.
struct Fixed;

impl Host for Fixed {
    fn get(&self, _: &str) -> Option<Vec<u8>> {
        None
    }
    fn set(&self, _: &str, _: &[u8]) {}
    fn delete(&self, _: &str) {}
    fn range(&self, _: &str, _: Option<&str>, _: u32) -> Vec<(String, Vec<u8>)> {
        Vec::new()
    }
    fn count(&self, _: &str) -> u64 {
        0
    }
    fn declare_outcome(&self, _: &str) {}
}

#[test]
fn a_context_of_a_later_host_is_understood() {
    let context = r#"{"person": {"id": "p", "team": "t"}, "asset": "a", "at": "2026-01-01T00:00:00Z", "moon": "full"}"#;
    let cx = Call::new(context, Session::new(Fixed)).expect("what is new is ignored");
    assert_eq!((cx.person().as_str(), cx.asset(), cx.task(), cx.roles()), ("p", Some("a"), None, &[][..]));
}

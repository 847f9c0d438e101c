//! The state is the only copy of nothing: whatever happens to it, the answers are the same.

use std::path::Path;

use serde_json::{Value, json};

use crate::client::Client;
use crate::files::{below, copy};
use crate::given::{asset, complete, id_of, library, poll, running, seen, vote};
use crate::server::{Server, printed};

/// A server with work in it, and the paths of what to look at.
struct Worked {
    server: Server,
    client: Client,
    process: String,
    assets: Vec<String>,
}

fn worked() -> Worked {
    let server = library();
    let (ana, boris) = (server.member("ana"), server.member("boris"));
    let process = running(&ana, "A library of tools");
    let poll = poll(&ana, &process, "find-room", 2);
    vote(&ana, &poll, "Monday").is(200);
    vote(&boris, &poll, "Thursday").is(200);
    vote(&boris, &poll, "Monday").refused(409, "already-voted");
    let input = json!({"title": "Rules", "sections": [{"id": "fees", "heading": "Fees", "text": "None."}]});
    let document = asset(&boris, &process, "find-room", "document", &input);
    boris.post(&format!("{document}/actions/write"), &json!({"section": "hours", "text": "Evenings."})).is(200);
    complete(&ana, &process, "find-room");
    let other = running(&boris, "Another");
    boris.tell(&format!("{other}/items/open/skip")).is(200);
    let client = server.operator().clone();
    let worked = Worked { server, client, process, assets: vec![poll, document] };
    worked.views();
    worked
}

impl Worked {
    fn views(&self) -> Value {
        let view = |asset: &String| self.client.get(&format!("{asset}/view")).is(200);
        json!(self.assets.iter().map(view).collect::<Vec<_>>())
    }

    /// Everything that is answered of it, but for how often it was looked at: comparing looks at it.
    fn answers(&self) -> Value {
        let client = &self.client;
        let read = |path: &str| client.get(path).is(200);
        let used = |path: &str| -> Vec<Value> {
            client.all(path, 500).into_iter().filter(|used| used["kind"] != "view").collect()
        };
        let adoption = |path: &str| {
            let mut figures = read(path);
            figures.as_object_mut().map(|figures| figures.remove("uses"));
            figures
        };
        json!({
            "process": seen(client, &self.process),
            "assets": self.assets.iter().map(|asset| read(asset)).collect::<Vec<_>>(),
            "views": self.views(),
            "usage": used("/v1/usage"),
            "usage of the poll": used("/v1/usage?interlinker=poll"),
            "adoption": adoption("/v1/adoption"),
            "adoption of the process": adoption(&format!("/v1/adoption/processes/{}", id_of(&self.process))),
            "processes": client.all("/v1/processes", 10),
            "schema": read("/v1/schemas/tool-library"),
            "interlinkers": client.all("/v1/interlinkers", 10),
            "me": client.id(),
        })
    }
}

#[test]
fn a_state_that_is_not_there_is_made_again_and_the_answers_are_the_same() {
    let mut worked = worked();
    let before = worked.answers();
    worked.server.kill();
    std::fs::remove_dir_all(worked.server.place("state")).expect("it was there");
    worked.server.launch();
    assert_eq!(worked.answers(), before);
    worked.server.audit();
}

#[test]
fn counters_and_views_are_the_same_after_the_state_was_made_again() {
    let mut worked = worked();
    let client = worked.client.clone();
    let figures = || {
        let paths = ["/v1/adoption", "/v1/adoption/interlinkers/poll", "/v1/adoption/interlinkers/document"];
        json!([paths.map(|path| client.get(path).is(200)), client.all("/v1/usage", 500)])
    };
    // A stop in order writes what views left, which no answer waits for.
    worked.server.stop();
    worked.server.launch();
    let before = figures();
    assert_eq!(before[0][0]["uses"]["total"], json!(before[1].as_array().map(Vec::len)));
    worked.server.stop();
    let rebuilt = worked.server.on_data(&["state", "rebuild"]);
    assert!(rebuilt.status.success(), "{}", printed(&rebuilt));
    assert!(printed(&rebuilt).contains("made again from"), "{}", printed(&rebuilt));
    worked.server.audit();
    worked.server.launch();
    assert_eq!(figures(), before);
}

#[test]
fn whatever_file_of_the_state_is_damaged_the_answers_are_the_same() {
    let mut worked = worked();
    let before = worked.answers();
    worked.server.stop();
    let state = worked.server.place("state");
    let kept = tempfile::tempdir().expect("a directory");
    copy(&state, kept.path());
    let files = below(&state);
    assert!(files.len() >= 2, "{files:?}");
    for file in files {
        let size = std::fs::metadata(&file).expect("it is there").len();
        for damage in [Damage::Flipped, Damage::Halved, Damage::Emptied] {
            if size == 0 {
                continue;
            }
            std::fs::remove_dir_all(&state).expect("it was there");
            copy(kept.path(), &state);
            damage.do_to(&file);
            worked.server.launch();
            let name = file.strip_prefix(&state).expect("below it").display().to_string();
            assert_eq!(worked.answers(), before, "{name} {damage:?}");
            worked.server.stop();
            // The next damage is done to a state that is whole.
            let _ = std::fs::remove_file(worked.server.place("state.damaged"));
        }
    }
    worked.server.audit();
}

#[derive(Debug, Clone, Copy)]
enum Damage {
    /// Every 97th byte of what is written.
    Flipped,
    Halved,
    Emptied,
}

impl Damage {
    fn do_to(self, file: &Path) {
        let mut bytes = std::fs::read(file).expect("it can be read");
        match self {
            Self::Flipped => bytes.iter_mut().step_by(97).for_each(|byte| *byte ^= 0x10),
            Self::Halved => bytes.truncate(bytes.len() / 2),
            Self::Emptied => bytes.clear(),
        }
        std::fs::write(file, bytes).expect("written");
    }
}

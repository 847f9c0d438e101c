//! `interlink repair`: what the audit finds damaged in the journal is mended, from a backup or from the state.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::automation::{started, task, until};
use crate::client::Client;
use crate::files::below;
use crate::given::{asset, complete, library, poll, running, seen, vote};
use crate::server::{Server, interlink, printed};

/// A stopped server with work in it, and a backup of all of that.
struct Hurt {
    server: Server,
    shelf: TempDir,
    process: String,
    poll: String,
    before: Value,
}

impl Hurt {
    fn new() -> Self {
        let mut server = library();
        let ana = server.member("ana");
        let process = running(&ana, "A library of tools");
        let poll = poll(&ana, &process, "find-room", 3);
        vote(&ana, &poll, "Monday").is(200);
        complete(&ana, &process, "find-room");
        let document = json!({"title": "Rules", "sections": [{"id": "fees", "heading": "Fees", "text": "None."}]});
        asset(&ana, &process, "set-rules", "document", &document);
        let shelf = tempfile::tempdir().expect("a directory");
        // Two lives, so that the segment of the first has its footer.
        server.stop();
        server.launch();
        complete(&ana, &process, "set-rules");
        let before = json!([seen(&ana, &process), ana.get(&format!("{poll}/view")).is(200)]);
        server.stop();
        let hurt = Self { server, shelf, process, poll, before };
        let output = hurt.server.on_data(&["backup", letters(&hurt.backup())]);
        assert!(output.status.success(), "{}", printed(&output));
        hurt
    }

    fn backup(&self) -> PathBuf {
        self.shelf.path().join("town.backup")
    }

    fn now(&self) -> Value {
        let client = self.server.member("ana");
        json!([seen(&client, &self.process), client.get(&format!("{}/view", self.poll)).is(200)])
    }

    fn repair(&self, options: &[&str]) -> Output {
        self.server.on_data(&[&["repair"], options].concat())
    }

    fn audit(&self) -> Output {
        self.server.on_data(&["audit", "verify"])
    }

    /// Segments in which there is something, the oldest first.
    fn segments(&self) -> Vec<PathBuf> {
        let mut segments = below(&self.server.place("journal"));
        segments.retain(|path| path.extension().is_some_and(|extension| extension == "segment"));
        segments
    }

    /// The answers are those of before, the audit finds nothing, and work goes on.
    #[track_caller]
    fn is_as_before(&mut self) {
        self.server.audit();
        // The state would answer for what is damaged.
        std::fs::remove_dir_all(self.server.place("state")).expect("it was there");
        self.server.launch();
        assert_eq!(self.now(), self.before);
        let ana = self.server.member("ana");
        ana.tell(&format!("{}/tasks/collect-tools/claim", self.process)).is(200);
        self.server.audit();
    }
}

fn letters(path: &Path) -> &str {
    path.to_str().expect("a path of letters")
}

/// Flips a bit of a file.
fn flip(file: &Path, at: usize) {
    let mut bytes = std::fs::read(file).expect("it can be read");
    bytes[at] ^= 4;
    std::fs::write(file, bytes).expect("written");
}

/// Where a text stands in a file, for the first time.
#[track_caller]
fn place_of(file: &Path, text: &str) -> usize {
    let bytes = std::fs::read(file).expect("it can be read");
    let found = bytes.windows(text.len()).position(|window| window == text.as_bytes());
    found.unwrap_or_else(|| panic!("{text} is not in {}", file.display()))
}

#[test]
fn whatever_bit_of_the_journal_flipped_a_backup_puts_it_back_and_the_answers_are_the_same() {
    let hurt = Hurt::new();
    let segment = hurt.segments().remove(0);
    let end = std::fs::metadata(&segment).expect("it is there").len() as usize;
    let event = place_of(&segment, "TaskCompleted");
    for (what, at) in [("an event", event), ("the header", 20), ("the frame of a batch", 8_192 + 20)] {
        flip(&segment, at);
        let said = hurt.audit();
        assert_eq!(said.status.code(), Some(1), "{what}: {}", printed(&said));
        // What would be done is said, and nothing is done.
        let plan = hurt.repair(&[]);
        assert_eq!(plan.status.code(), Some(1), "{}", printed(&plan));
        assert!(printed(&plan).contains("--from"), "{what}: {}", printed(&plan));
        assert_eq!(hurt.audit().status.code(), Some(1));
        let output = hurt.repair(&["--from", letters(&hurt.backup())]);
        assert!(output.status.success(), "{what}: {}", printed(&output));
        assert!(printed(&output).contains("put back"), "{what}: {}", printed(&output));
        assert!(hurt.audit().status.success(), "{what}: {}", printed(&hurt.audit()));
    }
    // The footer counts as nothing that is damaged: it is made again.
    flip(&segment, end - 100);
    let output = hurt.repair(&["--from", letters(&hurt.backup())]);
    assert!(output.status.success(), "{}", printed(&output));
    let mut hurt = hurt;
    hurt.is_as_before();
    let kept = below(&hurt.server.place("quarantine"));
    assert_eq!(kept.len(), 3, "each segment that was mended is kept as it was: {kept:?}");
    assert!(!hurt.server.place("repair.part").exists());
}

#[test]
fn what_the_journal_says_twice_is_put_back_without_a_backup() {
    let mut hurt = Hurt::new();
    let segment = hurt.segments().remove(0);
    for at in [20, 8_192 + 20] {
        flip(&segment, at);
        assert_eq!(hurt.audit().status.code(), Some(1));
        let output = hurt.repair(&["--from-state"]);
        assert!(output.status.success(), "{}", printed(&output));
        assert!(printed(&output).contains("put back"), "{}", printed(&output));
    }
    hurt.is_as_before();
}

#[test]
fn a_segment_that_is_gone_is_put_back_from_a_backup() {
    let mut hurt = Hurt::new();
    std::fs::remove_file(&hurt.segments()[0]).expect("it was there");
    assert_eq!(hurt.audit().status.code(), Some(1));
    let output = hurt.repair(&["--from", letters(&hurt.backup())]);
    assert!(output.status.success(), "{}", printed(&output));
    hurt.is_as_before();
}

#[test]
fn a_backup_of_something_else_one_that_is_damaged_and_a_directory_in_use_are_refused() {
    let mut hurt = Hurt::new();
    let other = Hurt::new();
    let segment = hurt.segments().remove(0);
    flip(&segment, place_of(&segment, "TaskCompleted"));
    let bytes = std::fs::read(&segment).expect("read");
    let ids = [&hurt, &other].map(|hurt| {
        let manifest = std::fs::read(hurt.backup()).expect("read");
        let at = place_of(&hurt.backup(), "\"journal\": \"") + 12;
        String::from_utf8(manifest[at..at + 32].to_vec()).expect("digits")
    });
    let output = hurt.repair(&["--from", letters(&other.backup())]);
    assert_eq!(output.status.code(), Some(1));
    assert!(ids.iter().all(|id| printed(&output).contains(id)), "{ids:?}: {}", printed(&output));

    let sound = std::fs::read(hurt.backup()).expect("read");
    flip(&hurt.backup(), sound.len() / 2);
    let output = hurt.repair(&["--from", letters(&hurt.backup())]);
    assert_eq!(output.status.code(), Some(1));
    assert!(printed(&output).contains("is damaged"), "{}", printed(&output));
    assert_eq!(std::fs::read(&segment).expect("read"), bytes, "a refused backup changes nothing");
    std::fs::write(hurt.backup(), sound).expect("written");

    hurt.server.launch();
    let output = hurt.repair(&["--from", letters(&hurt.backup())]);
    assert_eq!(output.status.code(), Some(1));
    assert!(printed(&output).contains("in use by another interlink"), "{}", printed(&output));
}

#[test]
fn a_later_life_of_the_journal_mends_an_earlier_one_and_the_other_way_round() {
    let mut hurt = Hurt::new();
    // Restored elsewhere, where it goes on as another life.
    let again = hurt.shelf.path().join("again");
    let output = interlink(&["restore", letters(&hurt.backup()), "--data", letters(&again)]);
    assert!(output.status.success(), "{}", printed(&output));
    let later = hurt.shelf.path().join("later.backup");
    let output = interlink(&["backup", letters(&later), "--data", letters(&again)]);
    assert!(output.status.success(), "{}", printed(&output));
    let segment = hurt.segments().remove(0);
    flip(&segment, place_of(&segment, "TaskCompleted"));
    let output = hurt.repair(&["--from", letters(&later)]);
    assert!(output.status.success(), "{}", printed(&output));
    let theirs = again.join("journal").join(segment.file_name().expect("a name"));
    flip(&theirs, place_of(&theirs, "TaskCompleted"));
    let earlier = hurt.backup();
    let output = interlink(&["repair", "--data", letters(&again), "--from", letters(&earlier)]);
    assert!(output.status.success(), "{}", printed(&output));
    hurt.is_as_before();
}

/// A task of a process looks so for whoever asks.
#[track_caller]
fn status(client: &Client, process: &str, id: &str) -> Value {
    task(client, process, id)["status"].clone()
}

#[test]
fn without_a_backup_a_process_goes_on_from_the_state_with_all_that_it_had_and_says_what_is_lost() {
    let mut server = Server::start();
    let ana = server.member("ana");
    let tasks = "          - { id: first }
          - { id: second }
          - { id: later, opens: 2999-05-01 09:00 }
          - { id: clean, every: \"* * * * * *\" }\n";
    let process = started(&ana, "hurt", tasks);
    let poll = poll(&ana, &process, "first", 3);
    vote(&ana, &poll, "Monday").is(200);
    ana.post(&format!("{process}/tasks/first/complete"), &json!({"comment": "the old school"})).is(200);
    ana.tell(&format!("{process}/tasks/second/claim")).is(200);
    let seen = |client: &Client| {
        let values = client.get(&process).is(200);
        let [first, second, later] = ["first", "second", "later"].map(|id| {
            let mut task = task(client, &process, id);
            // The process's, which goes on.
            task.as_object_mut().map(|task| task.remove("version"));
            task
        });
        let second = [&second["status"], &second["assignee"]];
        json!([values["name"], values["status"], first, second, later, client.get(&format!("{poll}/view")).is(200)])
    };
    let before = seen(&ana);
    let events = ana.all(&format!("{process}/events"), 100);
    let lost = events.iter().find(|event| event["kind"] == "TaskCompleted").expect("in the history")["version"].clone();
    server.stop();
    let file = flipped(&server, "TaskCompleted");
    let plan = server.on_data(&["repair"]);
    assert_eq!(plan.status.code(), Some(1), "{}", printed(&plan));
    for says in [file.as_str(), "--from-state", "--from", &format!("versions {lost} to {lost} for good")] {
        assert!(printed(&plan).contains(says), "it does not say {says}: {}", printed(&plan));
    }
    server.launch();
    ana.tell(&format!("{process}/tasks/second/release")).refused(500, "damaged");
    server.stop();

    let output = server.on_data(&["repair", "--from-state"]);
    assert!(output.status.success(), "{}", printed(&output));
    assert!(printed(&output).contains("goes on from the state"), "{}", printed(&output));
    let audit = server.on_data(&["audit", "verify"]);
    assert!(audit.status.success(), "{}", printed(&audit));
    assert!(printed(&audit).contains("known, mended from the state"), "{}", printed(&audit));
    let again = server.on_data(&["repair", "--from-state"]);
    assert!(again.status.success() && printed(&again).contains("mended from the state before"), "{}", printed(&again));

    for round in 0..3 {
        match round {
            0 => server.launch(),
            1 => server.crash(),
            _ => {
                server.stop();
                let rebuilt = server.on_data(&["state", "rebuild"]);
                assert!(rebuilt.status.success(), "{}", printed(&rebuilt));
                server.launch();
            }
        }
        assert_eq!(seen(&ana), before, "{round}");
        let metrics = server.operator().get("/metrics").text();
        assert!(metrics.contains("interlink_journal_damage 0"), "what is known is no alarm: {metrics}");
        // What is lost is said, what was before and after it is there.
        let now = ana.all(&format!("{process}/events"), 3);
        let told = now.iter().find(|event| event["kind"] == "HistoryLost").expect("it is told");
        assert_eq!((&told["data"], &told["actor"]), (&json!({"from": lost, "to": lost}), &json!("system")), "{told}");
        let known = |event: &&Value| now.iter().any(|now| now == *event);
        assert_eq!(events.iter().filter(known).count(), events.len() - 1, "{now:?}");
        // Looking back.
        let lost = lost.as_u64().expect("a version");
        let was = ana.get(&format!("{process}/tree?as_of={}", lost - 1)).is(200);
        assert_eq!(crate::given::tasks(&was)[0]["status"], "ready", "before the damage");
        for moment in [lost, lost + 1] {
            let problem = ana.get(&format!("{process}/tree?as_of={moment}")).refused(410, "history-lost");
            assert_eq!(problem["lost"], json!({"from": lost, "to": lost}));
        }
        let version = told["version"].as_u64().expect("a version");
        let then = ana.get(&format!("{process}/tree?as_of={version}")).is(200);
        assert_eq!(crate::given::tasks(&then)[0]["status"], "completed", "from where it goes on");
        // It goes on: by hand, and by itself.
        ana.tell(&format!("{process}/tasks/second/release")).is(200);
        assert_eq!(status(&ana, &process, "second"), "ready");
        ana.tell(&format!("{process}/tasks/second/claim")).is(200);
        until(&ana, &process, "clean", |clean| clean["occurrence"]["open"] == json!(true));
        ana.tell(&format!("{process}/tasks/clean/complete")).is(200);
    }
    vote(&ana, &poll, "Thursday").refused(409, "already-voted");
    server.stop();
    assert!(server.on_data(&["audit", "verify"]).status.success());
}

/// Flips a bit in the first event of a kind; says in which file.
pub fn flipped(server: &Server, kind: &str) -> String {
    flipped_at(server, kind.as_bytes())
}

/// Flips a bit where bytes stand for the first time; says in which file.
fn flipped_at(server: &Server, wanted: &[u8]) -> String {
    for path in below(&server.place("journal")) {
        let bytes = std::fs::read(&path).expect("it can be read");
        if let Some(at) = bytes.windows(wanted.len()).position(|window| window == wanted) {
            flip(&path, at);
            return path.file_name().expect("a name").to_string_lossy().into_owned();
        }
    }
    panic!("{wanted:?} is nowhere");
}

#[test]
fn an_asset_goes_on_from_the_state_with_every_key_that_it_had() {
    let mut server = library();
    let (ana, boris) = (server.member("ana"), server.member("boris"));
    let process = running(&ana, "Voting");
    let poll = poll(&ana, &process, "find-room", 3);
    vote(&ana, &poll, "Monday").is(200);
    vote(&boris, &poll, "Monday").is(200);
    let before = json!([ana.get(&format!("{poll}/view")).is(200), ana.get(&process).is(200)]);
    server.stop();
    flipped(&server, "ActionPerformed");
    let output = server.on_data(&["repair", "--from-state"]);
    assert!(output.status.success(), "{}", printed(&output));
    for round in 0..2 {
        if round == 1 {
            std::fs::remove_dir_all(server.place("state")).expect("it was there");
        }
        server.launch();
        assert_eq!(json!([ana.get(&format!("{poll}/view")).is(200), ana.get(&process).is(200)]), before);
        vote(&ana, &poll, "Thursday").refused(409, "already-voted");
        ana.get(&format!("{poll}/view?as_of=1")).refused(410, "history-lost");
        assert_eq!(ana.get(&format!("{poll}/view?as_of=0")).is(200)["votes"]["Monday"], 0);
        let events = ana.all(&format!("{process}/events"), 2);
        let told: Vec<_> = events.iter().filter(|event| event["kind"] == "HistoryLost").collect();
        assert_eq!(told.len(), 1, "{events:?}");
        assert_eq!(told[0]["stream"].as_str().map(|stream| stream.starts_with("a:")), Some(true));
        server.stop();
    }
    server.launch();
    vote(&server.member("eva"), &poll, "Thursday").is(200);
    server.audit();
    // What is known is no reason to refuse a backup.
    let shelf = tempfile::tempdir().expect("a directory");
    let (backup, again) = (shelf.path().join("town.backup"), shelf.path().join("again"));
    let output = server.on_data(&["backup", letters(&backup)]);
    assert!(output.status.success(), "{}", printed(&output));
    let output = interlink(&["restore", letters(&backup), "--data", letters(&again)]);
    assert!(output.status.success(), "{}", printed(&output));
}

#[test]
fn without_a_state_that_has_it_nothing_is_given_up() {
    let mut server = library();
    let ana = server.member("ana");
    let process = running(&ana, "Alone");
    complete(&ana, &process, "find-room");
    ana.tell(&format!("{process}/tasks/set-rules/claim")).is(200);
    server.stop();
    std::fs::remove_dir_all(server.place("state")).expect("it was there");
    flipped(&server, "TaskCompleted");
    let before =
        below(&server.place("journal")).iter().map(|path| std::fs::read(path).expect("read")).collect::<Vec<_>>();
    for options in [&["repair"][..], &["repair", "--from-state"]] {
        let output = server.on_data(options);
        assert_eq!(output.status.code(), Some(1), "{}", printed(&output));
        assert!(printed(&output).contains("not from the state"), "{}", printed(&output));
    }
    let after =
        below(&server.place("journal")).iter().map(|path| std::fs::read(path).expect("read")).collect::<Vec<_>>();
    assert!(before == after, "the journal has changed");
    assert_eq!(server.on_data(&["audit", "verify"]).status.code(), Some(1));
}

#[test]
fn a_damaged_snapshot_costs_its_process_nothing_once_its_stream_goes_on() {
    let mut server = library();
    let ana = server.member("ana");
    let process = running(&ana, "Over");
    ana.tell(&format!("{process}/cancel")).is(200);
    server.operator().tell(&format!("{process}/archive")).is(200);
    let before = seen(&ana, &process);
    server.stop();
    // How the map begins that a snapshot is.
    flipped_at(&server, b"\x82\xa7version");
    let output = server.on_data(&["repair", "--from-state"]);
    assert!(output.status.success(), "{}", printed(&output));
    assert!(server.on_data(&["audit", "verify"]).status.success());
    server.launch();
    assert_eq!(seen(&ana, &process), before);
    server.operator().tell(&format!("{process}/unarchive")).is(200);
    // It brings a snapshot, which the stream takes.
    server.operator().tell(&format!("{process}/archive")).is(200);
    server.stop();
    assert!(server.on_data(&["audit", "verify"]).status.success());
}

#[test]
fn a_damaged_snapshot_costs_its_process_nothing_but_time() {
    let mut server = library();
    let (ana, operator) = (server.member("ana"), server.operator().clone());
    let process = running(&ana, "Over");
    ana.tell(&format!("{process}/cancel")).is(200);
    operator.tell(&format!("{process}/archive")).is(200);
    let before = seen(&ana, &process);
    server.stop();
    flipped_at(&server, b"\x82\xa7version");
    server.launch();
    assert_eq!(seen(&ana, &process), before);
    operator.tell(&format!("{process}/unarchive")).is(200);
    // It would bring another.
    operator.tell(&format!("{process}/archive")).is(200);
    server.stop();
    std::fs::remove_dir_all(server.place("state")).expect("it was there");
    server.launch();
    assert_eq!(ana.get(&process).is(200)["status"], "archived");
}

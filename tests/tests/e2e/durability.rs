//! The journal is the truth: what was acknowledged is there, whatever happens to the process or to the state.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::Ask;
use crate::files::{below, copy, copy_written, written};
use crate::given::{library, running, tasks, text};
use crate::server::{Server, interlink, printed};

#[test]
fn a_kill_under_load_loses_and_doubles_nothing_that_was_acknowledged() {
    const WRITERS: usize = 4;
    let mut server = library();
    let operator = server.operator().clone();
    // By idempotency key: the process and how many of its tasks were acknowledged as completed.
    let mut acknowledged: BTreeMap<String, (String, usize)> = BTreeMap::new();
    for round in 0..3 {
        let stop = AtomicBool::new(false);
        let of_round = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..WRITERS)
                .map(|writer| {
                    let (operator, stop) = (&operator, &stop);
                    scope.spawn(move || {
                        let mut mine = Vec::new();
                        for number in 0.. {
                            if stop.load(Ordering::Relaxed) {
                                break;
                            }
                            let key = format!("{round}-{writer}-{number}");
                            let body = json!({"schema": "tool-library", "name": key});
                            let made = operator.try_ask(&Ask::post("/v1/processes", &body).key(&key));
                            let Some(made) = made.filter(|made| made.status == 201) else { continue };
                            let process = made.header("location").to_owned();
                            let steps = [
                                ("/start", 0),
                                ("/tasks/find-room/complete", 1),
                                ("/tasks/set-rules/complete", 1),
                                ("/tasks/collect-tools/complete", 1),
                            ];
                            let mut completed = 0;
                            for (step, counts) in steps {
                                let told = operator.try_ask(&Ask::new("POST", &format!("{process}{step}")));
                                if told.is_none_or(|told| told.status != 200) {
                                    break;
                                }
                                completed += counts;
                            }
                            mine.push((key, (process, completed)));
                        }
                        mine
                    })
                })
                .collect();
            std::thread::sleep(Duration::from_millis(700));
            server.kill();
            stop.store(true, Ordering::Relaxed);
            let all: Vec<_> = writers.into_iter().flat_map(|writer| writer.join().expect("it ended")).collect();
            all
        });
        acknowledged.extend(of_round);
        server.launch();
    }
    assert!(acknowledged.len() > 10, "only {} processes were acknowledged", acknowledged.len());
    for (key, (process, completed)) in &acknowledged {
        assert_eq!(operator.get(process).is(200)["name"], json!(key));
        let tree = operator.get(&format!("{process}/tree")).is(200);
        let found = tasks(&tree).iter().filter(|task| task["status"] == "completed").count();
        assert!((*completed..=completed + 1).contains(&found), "{completed} acknowledged, {found} there");
        let body = json!({"schema": "tool-library", "name": key});
        let again = operator.ask(&Ask::post("/v1/processes", &body).key(key));
        assert_eq!((again.status, again.header("location")), (201, process.as_str()));
    }
    let mut names: Vec<_> =
        operator.all("/v1/processes", 37).iter().map(|process| text(&process["name"]).to_owned()).collect();
    let listed = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), listed, "a process is there twice");
    assert!(acknowledged.keys().all(|key| names.contains(key)), "one is not listed");
    server.audit();
}

#[test]
fn a_directory_that_a_server_has_is_left_alone_by_everything_else() {
    let mut server = library();
    let process = crate::given::running(server.operator(), "In use");
    let data = server.data().to_str().expect("a path of letters").to_owned();
    let serve = ["serve", "--listen", "127.0.0.1:0", "--data", &data];
    for command in [&serve[..], &["audit", "verify", "--data", &data], &["state", "rebuild", "--data", &data]] {
        let output = interlink(command);
        assert_eq!(output.status.code(), Some(1), "{command:?}: {}", printed(&output));
        let said = printed(&output);
        assert!(said.contains(&data) && said.contains("in use by another interlink"), "{command:?}: {said}");
    }
    crate::given::complete(server.operator(), &process, "find-room");
    server.audit();
}

#[test]
fn what_is_no_data_directory_is_said_to_be_none() {
    let empty = tempfile::tempdir().expect("a directory");
    let data = empty.path().to_str().expect("a path of letters");
    for command in [["audit", "verify"], ["state", "rebuild"], ["token", "ana"]] {
        let output = interlink(&[&command[..], &["--data", data]].concat());
        assert_eq!(output.status.code(), Some(1), "{command:?}");
        assert!(printed(&output).contains(data), "{command:?}: {}", printed(&output));
        let left = std::fs::read_dir(data).expect("it is there").count();
        assert_eq!(left, 0, "{command:?} left something behind");
    }
}

#[test]
fn a_stop_in_order_leaves_a_state_that_is_whole_and_a_start_goes_on_from_it() {
    let mut server = library();
    let operator = server.operator().clone();
    let process = crate::given::running(&operator, "Stop and go");
    crate::given::complete(&operator, &process, "find-room");
    let before = crate::given::seen(&operator, &process);
    server.stop();
    server.launch();
    assert_eq!(crate::given::seen(&operator, &process), before);
    let metrics = operator.get("/metrics").text();
    let figure = |name: &str| -> u64 {
        let line = metrics.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("no {name} in {metrics}")).parse().expect("a number")
    };
    assert_eq!(figure("interlink_processes"), 1);
    assert_eq!(figure("interlink_journal_damage"), 0);
    assert_eq!(figure("interlink_state_position"), figure("interlink_journal_position"));
    assert_eq!(figure("interlink_replayed_records"), 0);
    server.audit();
}

#[test]
fn wherever_a_bit_of_the_journal_flips_the_server_starts_loses_one_process_at_most_and_the_audit_says_so() {
    const PROCESSES: usize = 20;
    const FLIPS: usize = 24;
    let mut server = library();
    let operator = server.operator().clone();
    let processes: Vec<_> = (0..PROCESSES).map(|number| running(&operator, &format!("Number {number}"))).collect();
    let before: Vec<_> = processes.iter().map(|process| operator.get(&format!("{process}/tree")).body).collect();
    server.stop();
    // The state would answer for what is damaged: it is away, so that everything is read from the journal.
    std::fs::remove_dir_all(server.place("state")).expect("it was there");
    let kept = tempfile::tempdir().expect("a directory");
    copy_written(server.data(), kept.path());
    let segment = below(&kept.path().join("journal")).into_iter().max_by_key(|path| written(path).len());
    let segment = segment.expect("a segment");
    let segment = segment.strip_prefix(kept.path()).expect("below it").to_owned();
    let name = segment.file_name().and_then(|name| name.to_str()).expect("a name of letters");
    let sound = written(&server.place("journal").join(name));
    let set: Vec<usize> = (0..sound.len()).filter(|at| sound[*at] != 0).collect();
    let mut hurt_at_all = 0;
    for flip in 0..FLIPS {
        for file in below(server.data()) {
            std::fs::remove_file(file).expect("it was there");
        }
        copy(kept.path(), server.data());
        let at = set[flip * (set.len() - 1) / (FLIPS - 1)];
        let file = std::fs::File::options().write(true).open(server.place("journal").join(name)).expect("it is there");
        std::os::unix::fs::FileExt::write_all_at(&file, &[sound[at] ^ 4], at as u64).expect("written");
        drop(file);

        let audit = server.on_data(&["audit", "verify"]);
        server.launch();
        let same = |(process, tree): (&String, &Vec<u8>)| operator.get(&format!("{process}/tree")).body == *tree;
        let hurt = PROCESSES - processes.iter().zip(&before).filter(|pair| same(*pair)).count();
        assert!(hurt <= 1, "a flip at {at} hurts {hurt} processes: {}", server.said());
        if hurt == 1 {
            hurt_at_all += 1;
            assert_eq!(audit.status.code(), Some(1), "{at}: {}", printed(&audit));
            assert!(printed(&audit).contains(name), "{at}: it does not say where: {}", printed(&audit));
        }
        operator.get("/v1/processes").is(200);
        server.stop();
    }
    assert!(hurt_at_all > 0, "no flip hit a process: the test looks at nothing");
}

#[test]
fn a_new_directory_is_made_where_there_is_none() {
    let server = Server::start_anew();
    for below in ["journal", "state", "keys/master.key"] {
        assert!(server.place(below).exists(), "{below}");
    }
    assert_eq!(server.operator().all("/v1/processes", 1), Vec::<Value>::new());
}

//! What was measured, for people and for programs.

use serde_json::{Value, json};

use super::calls::Calls;
use super::disk::Disk;
use super::killed::Killed;
use super::measured::Measured;
use super::timers::{ARCHIVED, TIMERS, Timers};
use crate::cli::{Output, print_json, print_table};

/// Everything of one run.
pub struct Report {
    /// Writers, the engine, the file.
    pub commands: Vec<(usize, Measured, Measured)>,
    /// Calls of Interlinkers.
    pub calls: Calls,
    /// Interlinkers, one of each language.
    pub guests: Vec<Value>,
    /// Bytes of a process.
    pub disk: Disk,
    /// Timers.
    pub timers: Timers,
    /// With many processes.
    pub scales: Vec<Value>,
    /// With a long history.
    pub long: Vec<Value>,
    /// A kill under load.
    pub killed: Option<Killed>,
}

/// Where and how it was measured.
fn circumstances() -> Value {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let after = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).and_then(|line| line.split_once(':'));
        line.map_or("not known", |(_, value)| value.trim()).to_owned()
    };
    json!({
        "processor": after(&read("/proc/cpuinfo"), "model name"),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "memory": after(&read("/proc/meminfo"), "MemTotal"),
        "date": jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
        "command": std::env::args().skip(1).fold("interlink".to_owned(), |line, word| line + " " + &word),
        "durability": "an fdatasync of the journal before each answer",
    })
}

/// Prints what Interlinkers cost, beside one write and sync of a file.
pub fn print_guests(guests: &[Value], file: Measured, output: Output) {
    match output {
        Output::Json => print_json(&json!({"circumstances": circumstances(), "file": file.json(), "guests": guests})),
        Output::Table => guests_table(guests, file),
    }
}

fn guests_table(guests: &[Value], file: Measured) {
    if guests.is_empty() {
        return;
    }
    println!("\nInterlinkers, one of each language: they read an entry and write a number; one caller\n");
    let row = |guest: &Value, state: &Value| {
        let committed = state["with_commit"]["p50_us"].as_f64().unwrap_or_default();
        vec![
            guest["name"].as_str().unwrap_or_default().to_owned(),
            state["state_kib"].to_string(),
            format!("{:.0}", state["fuel"].as_f64().unwrap_or_default() / 1e3),
            figure(&state["made"]["p50_us"], 0),
            figure(&state["call"]["p50_us"], 0),
            figure(&state["call"]["p99_us"], 0),
            format!("{committed:.0}"),
            figure(&state["with_commit"]["p99_us"], 0),
            format!("{:.2}", committed / file.p50_us),
        ]
    };
    let states = |guest: &Value| guest["states"].as_array().cloned().unwrap_or_default();
    let rows = guests.iter().flat_map(|guest| states(guest).iter().map(|state| row(guest, state)).collect::<Vec<_>>());
    let header = [
        "",
        "state KiB",
        "fuel, thousands",
        "made p50 µs",
        "call p50 µs",
        "p99 µs",
        "committed p50 µs",
        "p99 µs",
        "of a file's sync",
    ];
    print_table(&header, &rows.collect::<Vec<_>>());
    println!("\nA write of 300 bytes and its sync take {:.0} µs (p99 {:.0})\n", file.p50_us, file.p99_us);
    let row = |guest: &Value| {
        vec![
            guest["name"].as_str().unwrap_or_default().to_owned(),
            format!("{:.0}", guest["component_bytes"].as_f64().unwrap_or_default() / 1024.0),
            format!("{:.0}", guest["published"]["p50_us"].as_f64().unwrap_or_default() / 1e3),
            format!("{:.0}", guest["ready"]["p50_us"].as_f64().unwrap_or_default() / 1e3),
            format!("{:.1}", guest["idle_bytes"].as_f64().unwrap_or_default() / 1e6),
            figure(&guest["instances_per_second"], 0),
        ]
    };
    for guest in guests.iter().filter(|guest| guest["pressure"].is_object()) {
        let pressure = &guest["pressure"];
        let of = |what: &str| {
            format!("p50 {} µs, p99 {} µs", figure(&pressure[what]["p50_us"], 0), figure(&pressure[what]["p99_us"], 0))
        };
        println!(
            "A thousand assets of a hundred {}, with commits: alone {}; while thirty of the hundred never end {} ({} hostile calls \
             ended at a limit, {} were refused)\n",
            guest["name"].as_str().unwrap_or_default(),
            of("alone"),
            of("attacked"),
            pressure["hostile_calls"],
            pressure["hostile_refused"]
        );
    }
    let header = ["", "component KiB", "published ms", "then ready ms", "idle MB", "instances and calls/s"];
    print_table(&header, &guests.iter().map(row).collect::<Vec<_>>());
}

fn figure(value: &Value, digits: usize) -> String {
    format!("{:.digits$}", value.as_f64().unwrap_or_default())
}

impl Report {
    /// Prints it.
    pub fn print(&self, output: Output) {
        match output {
            Output::Json => print_json(&self.json()),
            Output::Table => self.tables(),
        }
    }

    fn json(&self) -> Value {
        let commands = self.commands.iter().map(|(writers, ours, raw)| {
            json!({"writers": writers, "engine": ours.json(), "file": raw.json(), "share": ours.per_second / raw.per_second})
        });
        let Self { calls, disk, timers, .. } = self;
        let killed = self.killed.as_ref().map(|killed| {
            json!({"commands": killed.commands.json(), "acknowledged": killed.acknowledged, "lost": killed.lost,
                "start_s": killed.start_s})
        });
        json!({
            "circumstances": circumstances(),
            "commands": commands.collect::<Vec<_>>(),
            "calls": {"instantiate": calls.instantiate.json(), "call": calls.call.json(), "both": calls.both.json(),
                "with_commit": calls.with_commit.json(), "with_request": calls.with_request.json()},
            "guests": self.guests,
            "disk": {"journal_bytes": disk.journal, "state_bytes": disk.state, "commands": disk.commands},
            "timers": {"armed": timers.armed.json(), "fired_per_second": timers.fired_per_second},
            "archived": timers.archived.json(),
            "scales": self.scales,
            "long": self.long,
            "killed": killed,
        })
    }

    fn tables(&self) {
        for (name, value) in circumstances().as_object().into_iter().flatten() {
            println!("{name:<10} {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        }
        self.commands_table();
        self.calls_table();
        guests_table(&self.guests, self.commands[0].2);
        println!(
            "\nA process of {:.0} commands driven to its end: {:.0} bytes of journal, {:.0} of state",
            self.disk.commands, self.disk.journal, self.disk.state
        );
        println!(
            "\n{TIMERS} timers: {:.0} armed a second (a process made and started each, p50 {:.0} µs, p99 {:.0} µs), {:.0} fired \
             a second",
            self.timers.armed.per_second,
            self.timers.armed.p50_us,
            self.timers.armed.p99_us,
            self.timers.fired_per_second
        );
        println!(
            "{ARCHIVED} of their processes archived one after the other: {:.0} a second, p50 {:.0} µs, p99 {:.0} µs",
            self.timers.archived.per_second, self.timers.archived.p50_us, self.timers.archived.p99_us
        );
        self.scales_table();
        self.long_table();
        if let Some(killed) = &self.killed {
            println!(
                "\nKilled under load: {:.0} commands a second through HTTP (p50 {:.0} µs, p99 {:.0} µs), {} acknowledged, {} \
                 lost, ready again in {:.2} s",
                killed.commands.per_second,
                killed.commands.p50_us,
                killed.commands.p99_us,
                killed.acknowledged,
                killed.lost,
                killed.start_s
            );
        }
    }

    fn commands_table(&self) {
        println!("\nDurable commands a second, beside an append-only file with a shared fdatasync\n");
        let row = |(writers, ours, raw): &(usize, Measured, Measured)| {
            let both = [ours, raw].map(|measured| [measured.per_second, measured.p50_us, measured.p99_us]);
            let figures = both.concat().into_iter().map(|value| format!("{value:.0}"));
            let share = format!("{:.2}", ours.per_second / raw.per_second);
            [writers.to_string()].into_iter().chain(figures).chain([share]).collect()
        };
        let header = ["writers", "engine/s", "p50 µs", "p99 µs", "file/s", "p50 µs", "p99 µs", "share"];
        print_table(&header, &self.commands.iter().map(row).collect::<Vec<Vec<_>>>());
    }

    fn calls_table(&self) {
        println!(
            "\nA call of an Interlinker (a view of `poll`; with commit: `write` of `document`; with a request: `send` of `webhook`, \
             answered at once), one caller\n"
        );
        let row = |what: &str, measured: Measured| {
            let figures = [measured.p50_us, measured.p99_us, measured.per_second].map(|value| format!("{value:.0}"));
            [what.to_owned()].into_iter().chain(figures).collect::<Vec<_>>()
        };
        let rows = [
            row("instantiate", self.calls.instantiate),
            row("call", self.calls.call),
            row("both, without commit", self.calls.both),
            row("with input check, seal, commit", self.calls.with_commit),
            row("the same with one recorded request outside", self.calls.with_request),
        ];
        print_table(&["part", "p50 µs", "p99 µs", "calls/s"], &rows);
    }

    fn scales_table(&self) {
        if self.scales.is_empty() {
            return;
        }
        println!("\nWith many processes, each with a timer that waits\n");
        let row = |scale: &Value| {
            vec![
                scale["processes"].to_string(),
                figure(&scale["made_per_second"], 0),
                figure(&scale["start_s"], 2),
                figure(&scale["resident_mb"], 1),
                figure(&scale["command"]["p50_us"], 0),
                figure(&scale["command"]["p99_us"], 0),
                figure(&scale["backup"]["mb"], 0),
                figure(&scale["backup"]["taken_mb_per_s"], 0),
                figure(&scale["backup"]["restored_mb_per_s"], 0),
            ]
        };
        let header = [
            "processes",
            "made and started/s",
            "start s",
            "memory MB",
            "command p50 µs",
            "p99 µs",
            "backup MB",
            "taken MB/s",
            "restored MB/s",
        ];
        print_table(&header, &self.scales.iter().map(row).collect::<Vec<_>>());
    }

    fn long_table(&self) {
        if self.long.is_empty() {
            return;
        }
        println!("\nA process with a long history\n");
        let row = |long: &Value| {
            vec![
                long["events"].to_string(),
                figure(&long["made_per_second"], 0),
                figure(&long["from_row_us"], 0),
                figure(&long["folded_us"], 0),
                figure(&long["half_way_us"], 0),
                figure(&long["page_us"], 0),
                figure(&long["command"]["p50_us"], 0),
                figure(&long["command"]["p99_us"], 0),
            ]
        };
        let header = [
            "events",
            "events/s",
            "from its row µs",
            "folded µs",
            "as it was half way µs",
            "a page of history there µs",
            "command p50 µs",
            "p99 µs",
        ];
        print_table(&header, &self.long.iter().map(row).collect::<Vec<_>>());
    }
}

//! Figures of each Interlinker for `/metrics`, in the text format of Prometheus.
//!
//! A monitoring system keeps a series for each value of a label for ever, so there are so many Interlinkers with series of
//! their own, in the order in which they were first called, and the rest are added up.

use std::collections::BTreeMap;
use std::fmt::Write;

use interlink_host::Load;
use interlink_runtime::guard::Tally;
use interlink_runtime::guard::breaker::Status;

/// Versions of Interlinkers that have series of their own; those that were called later are `other`.
pub const SERIES_OF_INTERLINKERS_MAX: usize = 100;

/// What is told of one label.
#[derive(Default)]
struct Row {
    name: String,
    version: String,
    done: u64,
    refused: u64,
    failed: u64,
    not_made: BTreeMap<&'static str, u64>,
    cpu_us: u64,
    owed_us: u64,
    waiting: usize,
    running: usize,
    /// Breakers that are open, and half open.
    breakers: [u64; 2],
}

impl Row {
    fn take(&mut self, tally: &Tally, load: Option<&Load>) {
        self.done += tally.done;
        self.refused += tally.refused;
        self.failed += tally.failed;
        tally.not_made.iter().for_each(|(why, count)| *self.not_made.entry(why).or_default() += count);
        if let Some(load) = load {
            self.cpu_us += load.cpu_us;
            self.owed_us += load.budget_left_us.min(0).unsigned_abs();
            self.waiting += load.waiting;
            self.running += load.running;
        }
        match tally.breaker.status {
            Status::Closed => {}
            Status::Open => self.breakers[0] += 1,
            Status::HalfOpen => self.breakers[1] += 1,
        }
    }

    fn labels(&self) -> String {
        // Names and versions have none of the letters that would have to be escaped: publication sees to it.
        format!("interlinker=\"{}\",version=\"{}\"", self.name, self.version)
    }
}

/// The figures of all Interlinkers that were called.
pub fn of_interlinkers(tallies: &[Tally], loads: &[Load]) -> String {
    let mut rows: Vec<Row> = Vec::new();
    let mut crossed: BTreeMap<&'static str, u64> = BTreeMap::new();
    let by_digest: BTreeMap<_, _> = loads.iter().map(|load| (load.digest.as_str(), load)).collect();
    for (number, tally) in tallies.iter().enumerate() {
        if number <= SERIES_OF_INTERLINKERS_MAX {
            let (name, version) = match number < SERIES_OF_INTERLINKERS_MAX {
                true => (tally.interlinker.name.clone(), tally.interlinker.version.clone()),
                false => ("other".into(), String::new()),
            };
            rows.push(Row { name, version, ..Row::default() });
        }
        let row = rows.last_mut().expect("there is one for the first");
        row.take(tally, by_digest.get(tally.interlinker.digest.as_str()).copied());
        tally
            .crossed
            .iter()
            .chain(&tally.not_made)
            .for_each(|(slug, count)| *crossed.entry(slug).or_default() += count);
    }
    let mut text = String::new();
    let mut family = |name: &str, kind: &str, help: &str, lines: Vec<String>| {
        // Writing to a text does not fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        lines.iter().for_each(|line| {
            let _ = writeln!(text, "{name}{line}");
        });
    };
    let calls = rows.iter().flat_map(|row| {
        [("done", row.done), ("refused", row.refused), ("failed", row.failed)]
            .map(|(outcome, count)| format!("{{{},outcome=\"{outcome}\"}} {count}", row.labels()))
    });
    family("interlink_interlinker_calls_total", "counter", "Calls that were made", calls.collect());
    let not_made = rows.iter().flat_map(|row| {
        row.not_made.iter().map(|(why, count)| format!("{{{},limit=\"{why}\"}} {count}", row.labels()))
    });
    let help = "Calls that were not made, by what stood against them";
    family("interlink_interlinker_refusals_total", "counter", help, not_made.collect());
    let each = |figure: &dyn Fn(&Row) -> String| -> Vec<String> {
        rows.iter().map(|row| format!("{{{}}} {}", row.labels(), figure(row))).collect()
    };
    let seconds = each(&|row| format!("{:.6}", row.cpu_us as f64 / 1e6));
    family("interlink_interlinker_cpu_seconds_total", "counter", "CPU time that calls have used", seconds);
    let owed = each(&|row| format!("{:.6}", row.owed_us as f64 / 1e6));
    family("interlink_interlinker_cpu_owed_seconds", "gauge", "CPU time that was used beyond the budget", owed);
    let waiting = each(&|row| row.waiting.to_string());
    family("interlink_interlinker_waiting", "gauge", "Calls that wait for their turn", waiting);
    let running = each(&|row| row.running.to_string());
    family("interlink_interlinker_running", "gauge", "Calls that compute, or have begun and wait for others", running);
    let breakers = rows.iter().flat_map(|row| {
        ["open", "half_open"]
            .into_iter()
            .zip(row.breakers)
            .map(|(status, count)| format!("{{{},status=\"{status}\"}} {count}", row.labels()))
    });
    family("interlink_interlinker_breaker", "gauge", "1 while the breaker stands so", breakers.collect());
    let limits = crossed.iter().map(|(slug, count)| format!("{{limit=\"{slug}\"}} {count}"));
    family("interlink_limit_crossed_total", "counter", "Limits that calls crossed", limits.collect());
    text
}

#[cfg(test)]
mod tests {
    use interlink_model::facts::InterlinkerRef;
    use interlink_runtime::guard::BreakerView;

    use super::*;

    fn tally(number: usize) -> Tally {
        let digest = format!("sha256:{number}");
        Tally {
            interlinker: InterlinkerRef { name: format!("one-{number}"), version: "1.0.0".into(), digest },
            done: 2,
            refused: 0,
            failed: 1,
            not_made: [("busy", 3)].into(),
            crossed: [("fuel", 1)].into(),
            breaker: BreakerView { status: Status::Open, failures: 5, retry_at: None, last: None, held_off: 0 },
        }
    }

    #[test]
    fn so_many_interlinkers_have_series_of_their_own_and_the_rest_are_added_up() {
        let tallies: Vec<_> = (0..SERIES_OF_INTERLINKERS_MAX + 7).map(tally).collect();
        let load = |number: usize| Load {
            digest: format!("sha256:{number}"),
            cpu_us: 1_500_000,
            budget_left_us: -250_000,
            waiting: 1,
            running: 2,
        };
        let text = of_interlinkers(&tallies, &[load(0), load(SERIES_OF_INTERLINKERS_MAX + 1)]);
        let series = text.lines().filter(|line| line.starts_with("interlink_interlinker_waiting{")).count();
        assert_eq!(series, SERIES_OF_INTERLINKERS_MAX + 1);
        for line in [
            "interlink_interlinker_calls_total{interlinker=\"one-0\",version=\"1.0.0\",outcome=\"done\"} 2",
            "interlink_interlinker_calls_total{interlinker=\"other\",version=\"\",outcome=\"failed\"} 7",
            "interlink_interlinker_refusals_total{interlinker=\"other\",version=\"\",limit=\"busy\"} 21",
            "interlink_interlinker_cpu_seconds_total{interlinker=\"one-0\",version=\"1.0.0\"} 1.500000",
            "interlink_interlinker_cpu_owed_seconds{interlinker=\"other\",version=\"\"} 0.250000",
            "interlink_interlinker_running{interlinker=\"other\",version=\"\"} 2",
            "interlink_interlinker_breaker{interlinker=\"other\",version=\"\",status=\"open\"} 7",
            "interlink_limit_crossed_total{limit=\"fuel\"} 107",
            "interlink_limit_crossed_total{limit=\"busy\"} 321",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}

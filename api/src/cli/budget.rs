//! `serve`: what CPU time each Interlinker has.

use clap::{Args, value_parser};
use interlink_host::{BURST_MS_MIN, Limits};

/// The most CPU time a second that may be given to one, milliseconds: a hundred cores.
const CPU_MS_PER_S_MAX: u32 = 100_000;
/// The most that may be saved up, milliseconds: a minute.
const CPU_BURST_MS_MAX: u32 = 60_000;
/// The most calls that may wait while it owes: about as many as may wait at all.
const WAITING_OVER_BUDGET_MAX: u32 = 4_096;

/// What CPU time each Interlinker has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
pub struct Budget {
    /// CPU time of each Interlinker a second, in milliseconds: one that uses more waits behind the others.
    #[arg(long, default_value_t = Limits::default().cpu_ms_per_s)]
    #[arg(value_parser = value_parser!(u32).range(1..=i64::from(CPU_MS_PER_S_MAX)))]
    cpu_ms_per_s: u32,
    /// CPU time that an Interlinker that was idle may use at once, in milliseconds.
    #[arg(long, default_value_t = Limits::default().cpu_burst_ms)]
    #[arg(value_parser = value_parser!(u32).range(i64::from(BURST_MS_MIN)..=i64::from(CPU_BURST_MS_MAX)))]
    cpu_burst_ms: u32,
    /// Calls of an Interlinker that may wait while it owes CPU time; one more is refused with 429. With 0 none waits.
    #[arg(long, default_value_t = Limits::default().waiting_over_budget as u32)]
    #[arg(value_parser = value_parser!(u32).range(0..=i64::from(WAITING_OVER_BUDGET_MAX)))]
    waiting_over_budget: u32,
}

impl Budget {
    /// The limits of calls with this.
    pub fn limits(self) -> Limits {
        let Self { cpu_ms_per_s, cpu_burst_ms, waiting_over_budget } = self;
        Limits { cpu_ms_per_s, cpu_burst_ms, waiting_over_budget: waiting_over_budget as usize, ..Limits::default() }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Asked {
        #[command(flatten)]
        budget: Budget,
    }

    fn asked(option: &str, value: u64) -> Option<Limits> {
        Asked::try_parse_from(["serve", option, &value.to_string()]).ok().map(|asked| asked.budget.limits())
    }

    #[test]
    fn a_budget_that_nobody_chooses_is_that_of_the_limits() {
        let limits = Asked::try_parse_from(["serve"]).expect("all have a value").budget.limits();
        let [chosen, default] = [limits, Limits::default()].map(|limits| format!("{limits:?}"));
        assert_eq!(chosen, default);
    }

    #[test]
    fn a_budget_is_as_large_as_it_may_be_and_no_larger() {
        let bounds = [
            ("--cpu-ms-per-s", 1, u64::from(CPU_MS_PER_S_MAX)),
            ("--cpu-burst-ms", u64::from(BURST_MS_MIN), u64::from(CPU_BURST_MS_MAX)),
            ("--waiting-over-budget", 0, u64::from(WAITING_OVER_BUDGET_MAX)),
        ];
        for (option, least, most) in bounds {
            let refused = [least.checked_sub(1), Some(most + 1), Some(u64::MAX)];
            assert!(refused.into_iter().flatten().all(|value| asked(option, value).is_none()), "{option}");
            assert!([least, most].into_iter().all(|value| asked(option, value).is_some()), "{option}");
        }
        let chosen = asked("--cpu-ms-per-s", 7).expect("it may be chosen");
        assert_eq!((chosen.cpu_ms_per_s, chosen.cpu_burst_ms), (7, Limits::default().cpu_burst_ms));
        assert_eq!(asked("--cpu-burst-ms", 70).map(|limits| limits.cpu_burst_ms), Some(70));
        assert_eq!(asked("--waiting-over-budget", 0).map(|limits| limits.waiting_over_budget), Some(0));
    }
}

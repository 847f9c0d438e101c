//! What neighbours are held to, in figures: half of the calls of those that do no harm take no longer than twice what half of
//! them take alone, and 99 of a hundred no longer than twice that and two ticks of the clock of deadlines.
//!
//! A machine that does something else meanwhile slows everything down, and makes nothing faster than it is. So rounds are measured
//! in turn, and the best alone is held against the best under attack. Alone the calls need little of a machine, and under attack
//! all of it: one that is given to others, too, makes only the latter slow. So each round measures which share of the cores this
//! process is given when it wants all; where that is never nearly everything, it may take longer by as much.

use std::time::{Duration, Instant};

/// Two ticks of the clock of deadlines.
pub const TICKS: Duration = Duration::from_millis(20);
/// From which share of the cores on a machine counts as ours alone: what others do beside is little.
const OURS: f64 = 0.9;
/// How long is wanted what there is.
const WANTED: Duration = Duration::from_millis(400);
/// Ticks of a second in which `/proc` counts CPU time.
const PROC_TICKS_PER_S: f64 = 100.0;

/// How long calls took: half of them, and 99 of a hundred, took no longer than this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Took {
    /// Half of them.
    pub median: Duration,
    /// 99 of a hundred.
    pub p99: Duration,
}

/// What one round measured.
#[derive(Debug, Clone, Copy)]
pub struct Round {
    /// With nobody else there.
    pub alone: Took,
    /// Under attack.
    pub attacked: Took,
    /// Which share of the cores there was, from 0 to 1.
    pub share: f64,
}

/// Whether what neighbours are held to was kept, by the best of these rounds.
pub fn is_kept(rounds: &[Round]) -> bool {
    let best = |which: fn(&Round) -> Took| {
        let least = |each: fn(Took) -> Duration| rounds.iter().map(which).map(each).min().unwrap_or_default();
        Took { median: least(|took| took.median), p99: least(|took| took.p99) }
    };
    let (alone, attacked) = (best(|round| round.alone), best(|round| round.attacked));
    let share = rounds.iter().map(|round| round.share).fold(0.01, f64::max);
    let longer = if share >= OURS { 1.0 } else { 1.0 / share };
    let most = |promised: Duration| promised.mul_f64(longer);
    attacked.median <= most(2 * alone.median) && attacked.p99 <= most(2 * alone.p99 + TICKS)
}

/// Which share of the cores this process is given when it wants all of them. Where that cannot be told, all.
pub fn share_of_cores() -> f64 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (Some(before), began) = (cpu_s(), Instant::now()) else { return 1.0 };
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while began.elapsed() < WANTED {
                    std::hint::spin_loop();
                }
            });
        }
    });
    let used = cpu_s().map_or(0.0, |after| after - before);
    (used / (began.elapsed().as_secs_f64() * cores as f64)).clamp(0.0, 1.0)
}

/// CPU time of this process, in seconds.
fn cpu_s() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // Behind the name, which may have anything in it: the time of the program is the twelfth, that of the system the next.
    let (_, behind) = stat.rsplit_once(')')?;
    let ticks = behind.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<f64>().ok());
    ticks.sum::<Option<f64>>().map(|ticks| ticks / PROC_TICKS_PER_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn took(median_ms: u64, p99_ms: u64) -> Took {
        Took { median: Duration::from_millis(median_ms), p99: Duration::from_millis(p99_ms) }
    }

    fn round(alone: Took, attacked: Took, share: f64) -> Round {
        Round { alone, attacked, share }
    }

    #[test]
    fn either_figure_breaks_it_and_a_busy_round_does_not() {
        let alone = took(5, 10);
        assert!(is_kept(&[round(alone, took(10, 40), 1.0)]));
        assert!(!is_kept(&[round(alone, took(11, 40), 1.0)]));
        assert!(!is_kept(&[round(alone, took(10, 41), 0.95)]));
        let slow = round(took(50, 100), took(90, 900), 0.2);
        assert!(is_kept(&[slow, round(alone, took(10, 40), 1.0)]), "the best of each counts");
        assert!(!is_kept(&[slow, round(alone, took(11, 40), 1.0)]), "and a slow round excuses nothing");
    }

    #[test]
    fn a_machine_that_is_given_to_others_too_is_held_to_what_is_left_of_it() {
        let alone = took(5, 10);
        assert!(is_kept(&[round(alone, took(20, 80), 0.5), round(alone, took(90, 900), 0.2)]));
        assert!(!is_kept(&[round(alone, took(21, 80), 0.5)]));
        assert!(!is_kept(&[round(alone, took(20, 81), 0.5)]));
        assert!(!is_kept(&[round(alone, took(1_001, 40), 0.0)]), "some of it there always is");
    }

    #[test]
    fn a_share_is_some_of_the_cores_and_no_more_than_all() {
        let share = share_of_cores();
        assert!(share > 0.0 && share <= 1.0, "{share}");
    }
}

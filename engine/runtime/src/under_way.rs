//! How many effects and alarms are under way, and whether another may begin: bounded in all, for each process, and for each thing that
//! effects need, so that nobody's work holds up everybody's.

use std::collections::{HashMap, HashSet};

use interlink_model::id::{AssetId, ProcessId};

/// Effects that may be under way at once.
pub const EFFECTS_UNDER_WAY_MAX: usize = 64;
/// Effects of one Interlinker, or of one schema, that may be under way at once.
pub const EFFECTS_OF_ONE_MAX: usize = 8;
/// Effects of one process that may be under way at once.
pub const EFFECTS_OF_PROCESS_MAX: usize = 4;

/// What is under way, and of which process.
pub(crate) type WorkId = (ProcessId, Which);

/// Which work of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Which {
    /// The effect of this number.
    Effect(u64),
    /// The next alarm of this asset.
    Alarm(AssetId),
}

/// Effects under way, counted.
#[derive(Default)]
pub(crate) struct UnderWay {
    all: HashSet<WorkId>,
    of_process: HashMap<ProcessId, usize>,
    of_one: HashMap<String, usize>,
}

impl UnderWay {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether no effect may begin, whosever it is.
    pub fn is_full(&self) -> bool {
        self.all.len() >= EFFECTS_UNDER_WAY_MAX
    }

    /// Whether a process may have another.
    pub fn admits(&self, process: ProcessId) -> bool {
        !self.is_full() && self.of_process.get(&process).is_none_or(|count| *count < EFFECTS_OF_PROCESS_MAX)
    }

    /// Whether one that needs `of` may begin, where its process may have another: it is not under way, and not too many
    /// need the same.
    pub fn admits_one(&self, effect: WorkId, of: &str) -> bool {
        !self.all.contains(&effect) && self.of_one.get(of).is_none_or(|count| *count < EFFECTS_OF_ONE_MAX)
    }

    /// Counts one that begins.
    pub fn begin(&mut self, effect: WorkId, of: &str) {
        self.all.insert(effect);
        *self.of_process.entry(effect.0).or_default() += 1;
        *self.of_one.entry(of.to_owned()).or_default() += 1;
    }

    /// Counts one that has ended.
    pub fn end(&mut self, effect: WorkId, of: &str) {
        self.all.remove(&effect);
        count_down(&mut self.of_process, &effect.0);
        count_down(&mut self.of_one, of);
    }
}

fn count_down<K, Q>(counts: &mut HashMap<K, usize>, key: &Q)
where
    K: std::hash::Hash + Eq + std::borrow::Borrow<Q>,
    Q: ?Sized + std::hash::Hash + Eq,
{
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(number: usize) -> ProcessId {
        ProcessId::from_bytes([number as u8; 16])
    }

    /// Begins what is admitted of so many effects; answers how many that is.
    fn begun(under_way: &mut UnderWay, effects: impl IntoIterator<Item = (usize, u64, String)>) -> usize {
        let mut begun = 0;
        for (of_process, number, of) in effects {
            let effect = (process(of_process), Which::Effect(number));
            if under_way.admits(effect.0) && under_way.admits_one(effect, &of) {
                under_way.begin(effect, &of);
                begun += 1;
            }
        }
        begun
    }

    #[test]
    fn one_process_has_so_many_and_another_has_its_own() {
        let mut under_way = UnderWay::default();
        let of = |process| (0..1_000).map(move |number| (process, number, format!("one-{number}")));
        assert_eq!(begun(&mut under_way, of(1)), EFFECTS_OF_PROCESS_MAX, "however many it has");
        assert_eq!(begun(&mut under_way, of(2)), EFFECTS_OF_PROCESS_MAX);
    }

    #[test]
    fn one_interlinker_is_needed_by_so_many_and_the_others_go_on() {
        let mut under_way = UnderWay::default();
        let of = |one: &'static str| (0..20).map(move |process| (process, 0, one.to_owned()));
        assert_eq!(begun(&mut under_way, of("slow")), EFFECTS_OF_ONE_MAX);
        let quick = (0..20).map(|process| (process, 1, "quick".to_owned()));
        assert_eq!(begun(&mut under_way, quick), EFFECTS_OF_ONE_MAX);
    }

    #[test]
    fn there_are_so_many_in_all_and_one_that_ends_makes_room_for_one() {
        let mut under_way = UnderWay::default();
        let all = || (0..100).map(|process| (process, 0, format!("one-{}", process % 50)));
        assert_eq!(begun(&mut under_way, all()), EFFECTS_UNDER_WAY_MAX);
        assert!(under_way.is_full() && !under_way.admits(process(99)));
        under_way.end((process(0), Which::Effect(0)), "one-0");
        assert_eq!((begun(&mut under_way, all()), under_way.len()), (1, EFFECTS_UNDER_WAY_MAX));
    }

    #[test]
    fn what_is_under_way_does_not_begin_again_and_what_has_ended_leaves_nothing() {
        let mut under_way = UnderWay::default();
        under_way.begin((process(1), Which::Effect(7)), "poll");
        assert!(
            !under_way.admits_one((process(1), Which::Effect(7)), "poll")
                && under_way.admits_one((process(1), Which::Effect(8)), "poll")
        );
        under_way.end((process(1), Which::Effect(7)), "poll");
        assert!(under_way.of_process.is_empty() && under_way.of_one.is_empty() && under_way.len() == 0);
    }
}

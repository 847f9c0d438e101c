//! How many failed calls are kept whole: so many of each Interlinker in a while. A failed call's input may be large, and one
//! that fails again and again says the same each time.

use std::collections::HashMap;

use interlink_model::id::Micros;

/// Failed calls of one Interlinker that are kept in one while.
pub const FAILURES_KEPT_MAX: u32 = 20;
/// The while.
const WHILE_US: i64 = 3_600 * 1_000_000;

/// What was kept lately, by Interlinker.
#[derive(Debug, Default)]
pub(super) struct KeptFailures(HashMap<String, (Micros, u32)>);

impl KeptFailures {
    /// Whether another is kept now; counts it, where it is.
    pub fn admits(&mut self, interlinker: &str, now: Micros) -> bool {
        self.0.retain(|_, (since, _)| now.0 - since.0 < WHILE_US);
        let (_, kept) = self.0.entry(interlinker.to_owned()).or_insert((now, 0));
        let admitted = *kept < FAILURES_KEPT_MAX;
        *kept += u32::from(admitted);
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_failures_of_each_are_kept_in_a_while_and_then_more() {
        let mut kept = KeptFailures::default();
        let admitted = (0..FAILURES_KEPT_MAX + 5).filter(|_| kept.admits("poll", Micros(0))).count();
        assert_eq!(admitted as u32, FAILURES_KEPT_MAX);
        assert!(kept.admits("document", Micros(1)) && !kept.admits("poll", Micros(WHILE_US - 1)));
        assert!(kept.admits("poll", Micros(WHILE_US)));
    }
}

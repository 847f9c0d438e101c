//! Threads that have nothing to run, and which of them is woken for a call.
//!
//! Whoever has waited for the shortest time comes first: its stack, and what it computes with, are still near the core. A thread
//! that has once stepped back, so that the operating system prefers others to it, cannot come forward again: it runs what is
//! behind, and nothing that is prompt.

use std::sync::Arc;

use parking_lot::Condvar;

use crate::budget::Standing;

/// What wakes one thread, and nobody else.
pub(crate) type Wake = Arc<Condvar>;

/// Threads that wait for a call.
#[derive(Default)]
pub(crate) struct Idle {
    forward: Vec<Wake>,
    /// Those that have stepped back.
    back: Vec<Wake>,
}

impl Idle {
    /// A thread waits from now on.
    pub fn put(&mut self, thread: Wake, has_stepped_back: bool) {
        if has_stepped_back { self.back.push(thread) } else { self.forward.push(thread) }
    }

    /// The thread that is to run a call of this standing; it waits no more. For one that is behind, a thread steps back only
    /// where none that has done so waits.
    pub fn take(&mut self, standing: Standing) -> Option<Wake> {
        let back = if standing == Standing::Behind { self.back.pop() } else { None };
        back.or_else(|| self.forward.pop())
    }

    /// All of them.
    pub fn drain(&mut self) -> impl Iterator<Item = Wake> {
        self.forward.drain(..).chain(self.back.drain(..))
    }

    /// How many wait that have stepped back.
    pub fn stepped_back(&self) -> usize {
        self.back.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threads<const N: usize>() -> [Wake; N] {
        std::array::from_fn(|_| Arc::default())
    }

    fn is(taken: Option<Wake>, thread: &Wake) -> bool {
        taken.is_some_and(|taken| Arc::ptr_eq(&taken, thread))
    }

    #[test]
    fn whoever_has_waited_for_the_shortest_time_is_woken_and_waits_no_more() {
        let (mut idle, [first, second]) = (Idle::default(), threads());
        idle.put(Arc::clone(&first), false);
        idle.put(Arc::clone(&second), false);
        assert!(is(idle.take(Standing::Prompt), &second));
        assert!(is(idle.take(Standing::Prompt), &first));
        assert!(idle.take(Standing::Prompt).is_none());
    }

    #[test]
    fn a_thread_that_has_stepped_back_runs_what_is_behind_and_nothing_that_is_prompt() {
        let (mut idle, [forward, back]) = (Idle::default(), threads());
        idle.put(Arc::clone(&forward), false);
        idle.put(Arc::clone(&back), true);
        assert_eq!(idle.stepped_back(), 1);
        assert!(is(idle.take(Standing::Behind), &back), "rather than that another steps back");
        idle.put(Arc::clone(&back), true);
        assert!(is(idle.take(Standing::Prompt), &forward));
        assert!(idle.take(Standing::Prompt).is_none(), "none is left for it");
        assert!(is(idle.take(Standing::Behind), &back));
    }

    #[test]
    fn for_what_is_behind_a_thread_steps_back_where_none_has() {
        let (mut idle, [forward]) = (Idle::default(), threads());
        idle.put(Arc::clone(&forward), false);
        assert!(is(idle.take(Standing::Behind), &forward));
    }
}

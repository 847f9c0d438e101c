//! Things in memory, the least recently used of which are put away when there are too many.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use lru::LruCache;
use parking_lot::Mutex;

const SHARDS: usize = 64;

/// A bounded map of cells. A cell that somebody holds (an append on its way does) is never put away: two cells of one
/// thing would decide against each other.
pub(crate) struct Cells<K, V> {
    shards: Vec<Mutex<LruCache<K, Arc<V>>>>,
    per_shard: usize,
}

impl<K: Hash + Eq + Copy, V> Cells<K, V> {
    pub fn new(max: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::new(LruCache::unbounded())).collect(),
            per_shard: max.div_ceil(SHARDS),
        }
    }

    fn shard(&self, key: &K) -> &Mutex<LruCache<K, Arc<V>>> {
        let mut hasher = std::hash::DefaultHasher::new();
        key.hash(&mut hasher);
        &self.shards[hasher.finish() as usize % SHARDS]
    }

    pub fn get(&self, key: &K) -> Option<Arc<V>> {
        self.shard(key).lock().get(key).cloned()
    }

    /// Puts a cell in, unless another came first; answers the one that is there.
    pub fn insert(&self, key: K, value: V) -> Arc<V> {
        let mut shard = self.shard(&key).lock();
        let cell = Arc::clone(shard.get_or_insert(key, || Arc::new(value)));
        // As many tries as there can be cells on their way: an idle one is found at once in practice.
        let mut tries = shard.len();
        while shard.len() > self.per_shard && tries > 0 {
            tries -= 1;
            let Some((old, held)) = shard.pop_lru() else { break };
            if Arc::strong_count(&held) > 1 {
                shard.put(old, held);
            }
        }
        cell
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_cells_are_put_away_and_held_ones_are_not() {
        let cells = Cells::new(SHARDS);
        let held = cells.insert(0u32, "held");
        for number in 1..2_000 {
            cells.insert(number, "idle");
        }
        let there = (0..2_000).filter(|number| cells.get(number).is_some()).count();
        assert!(there <= 2 * SHARDS, "{there} cells are in memory");
        assert!(Arc::ptr_eq(&held, &cells.get(&0).expect("what is held stays")));
    }
}

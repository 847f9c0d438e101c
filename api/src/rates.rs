//! How often somebody may ask at the door of a service: token buckets, in memory.
//!
//! Who takes part is known and answers for what they do; whom a service serves may be anybody, so what one of them can cost is
//! bounded: for each visitor, and for each address, whoever uses it. A bucket that is full again is forgotten. Where so many
//! are under way that no more are kept, all the others share one.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};

use parking_lot::Mutex;

/// Requests that a visitor may make at once; one more each second.
pub const USES_OF_VISITOR_MAX: u32 = 30;
/// Requests that an address may make at once, for all who use it; twenty more each second.
pub const USES_OF_ADDRESS_MAX: u32 = 600;
/// Visits that an address may begin at once; one more each second. A visit is a vote, where a service counts votes.
pub const VISITS_OF_ADDRESS_MAX: u32 = 200;
/// Buckets of one kind that are kept; about 5 MB.
pub const BUCKETS_MAX: usize = 50_000;
/// Full buckets are looked for at most this often, in microseconds.
const SWEPT_EVERY_US: i64 = 1_000_000;

/// A rate.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// At once.
    pub burst: u32,
    /// More each second.
    pub per_s: u32,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// What is left, in millionths of a request.
    left: i64,
    at_us: i64,
}

/// A request, in the units of a bucket.
const ONE: i64 = 1_000_000;

impl Rate {
    fn full(self, at_us: i64) -> Bucket {
        Bucket { left: i64::from(self.burst) * ONE, at_us }
    }

    /// A bucket as it is at an instant. A clock that was set back fills nothing.
    fn now(self, bucket: Bucket, at_us: i64) -> Bucket {
        let passed = at_us.saturating_sub(bucket.at_us).max(0);
        let more = passed.saturating_mul(i64::from(self.per_s));
        Bucket { left: bucket.left.saturating_add(more).min(i64::from(self.burst) * ONE), at_us }
    }
}

struct Held<K> {
    buckets: HashMap<K, Bucket>,
    /// Of all who have none of their own.
    others: Bucket,
    swept_at_us: i64,
}

/// Buckets of one kind.
pub struct Buckets<K> {
    rate: Rate,
    held: Mutex<Held<K>>,
}

impl<K: Eq + Hash> Buckets<K> {
    /// Buckets that are all full.
    pub fn new(rate: Rate) -> Self {
        let held = Held { buckets: HashMap::new(), others: rate.full(0), swept_at_us: 0 };
        Self { rate, held: Mutex::new(held) }
    }

    /// Takes a request out of a bucket; otherwise says in how many seconds there is one again.
    pub fn take(&self, key: K, at_us: i64) -> Result<(), u32> {
        let rate = self.rate;
        let mut held = self.held.lock();
        if held.buckets.len() >= BUCKETS_MAX && at_us.saturating_sub(held.swept_at_us).abs() >= SWEPT_EVERY_US {
            held.swept_at_us = at_us;
            held.buckets.retain(|_, bucket| rate.now(*bucket, at_us).left < rate.full(at_us).left);
        }
        let room = held.buckets.len() < BUCKETS_MAX;
        let Held { buckets, others, .. } = &mut *held;
        let bucket = match buckets.entry(key) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) if room => entry.insert(rate.full(at_us)),
            std::collections::hash_map::Entry::Vacant(_) => others,
        };
        *bucket = rate.now(*bucket, at_us);
        if bucket.left >= ONE {
            bucket.left -= ONE;
            return Ok(());
        }
        let missing_us = (ONE - bucket.left) / i64::from(rate.per_s);
        Err(u32::try_from(missing_us.div_euclid(1_000_000) + 1).unwrap_or(u32::MAX))
    }
}

/// Where a request comes from, for its rate: of an IPv6 address the half that a household or a firm has.
pub fn place(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    #[test]
    fn so_many_requests_are_taken_at_once_and_one_more_when_its_time_has_passed() {
        for most in [USES_OF_VISITOR_MAX, USES_OF_ADDRESS_MAX, VISITS_OF_ADDRESS_MAX] {
            let buckets = Buckets::new(Rate { burst: most, per_s: 1 });
            assert!((0..most).all(|_| buckets.take("ana", 7).is_ok()), "{most}");
            assert_eq!(buckets.take("ana", 7), Err(2));
            assert!(buckets.take("boris", 7).is_ok(), "another has a bucket of their own");
            assert!(buckets.take("ana", 7 + SECOND).is_ok());
            assert!(buckets.take("ana", 7 + SECOND).is_err(), "and no more than one");
            assert!(buckets.take("ana", 0).is_err(), "a clock that was set back gives nothing");
        }
    }

    #[test]
    fn so_many_buckets_are_kept_and_all_the_others_share_one() {
        let buckets = Buckets::new(Rate { burst: 2, per_s: 1 });
        assert!((0..BUCKETS_MAX).all(|number| buckets.take(number, SECOND).is_ok()));
        let others = (0..4).filter(|number| buckets.take(BUCKETS_MAX + number, SECOND).is_ok()).count();
        assert_eq!(others, 2, "two for all of them");
        assert!(buckets.take(0, SECOND).is_ok(), "whoever has one keeps it");
        assert_eq!(buckets.held.lock().buckets.len(), BUCKETS_MAX);
        assert!(buckets.take(BUCKETS_MAX, 9 * SECOND).is_ok());
        assert_eq!(buckets.held.lock().buckets.len(), 1, "those that are full again are forgotten");
    }

    #[test]
    fn a_household_is_one_place() {
        let of = |text: &str| place(text.parse().expect("an address"));
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.7"), of("192.0.2.7"));
        assert_ne!(of("192.0.2.7"), of("192.0.2.8"));
    }
}

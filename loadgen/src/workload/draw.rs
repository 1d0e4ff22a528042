//! Random draws with the same values on every machine.
//!
//! Requests draw integers only: the last bit of a logarithm differs between
//! mathematical libraries, and a plan must be the same everywhere.

use std::ops::RangeInclusive;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Random numbers of one pod or phase.
#[derive(Debug)]
pub struct Draw(ChaCha8Rng);

/// Purpose of random numbers. Each purpose has its own stream, so draws for one do
/// not change the others.
#[derive(Debug, Clone, Copy)]
enum Stream {
    Requests,
    Lifecycles,
    Arrivals,
}

impl Draw {
    /// Returns the stream for the requests of the pod at `index` under `seed`,
    /// independent of time and order of calls.
    pub(crate) fn new(seed: u64, index: u64) -> Self {
        Self::of(Stream::Requests, seed, index)
    }

    /// Returns the stream for the lifecycle of the pod at `index`.
    pub(crate) fn of_lifecycle(seed: u64, index: u64) -> Self {
        Self::of(Stream::Lifecycles, seed, index)
    }

    /// Returns the stream for the arrivals of a phase.
    pub(crate) fn of_arrivals(seed: u64, phase: u64) -> Self {
        Self::of(Stream::Arrivals, seed, phase)
    }

    fn of(stream: Stream, seed: u64, index: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&index.to_le_bytes());
        key[16] = stream as u8;
        Self(ChaCha8Rng::from_seed(key))
    }

    /// Returns a uniform integer in `0..bound`, by multiplication; the bias is below
    /// `bound / 2^64`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.0.next_u64()) * u128::from(bound);
        // The upper half of a 128-bit product fits into 64 bits.
        u64::try_from(wide >> 64).unwrap_or(u64::MAX)
    }

    /// Returns a uniform number above 0 and up to 1, in steps of 2^-53.
    pub(crate) fn unit(&mut self) -> f64 {
        ((self.0.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// Returns an exponentially distributed number with mean 1, by inversion.
    pub(crate) fn exponential(&mut self) -> f64 {
        -libm::log(self.unit())
    }

    /// Returns a normally distributed number with mean 0 and standard deviation 1, by
    /// the Box-Muller transform.
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (2.0 * self.exponential()).sqrt();
        radius * libm::cos(std::f64::consts::TAU * self.unit())
    }

    /// Returns a uniform integer in `range`.
    pub(crate) fn uniform(&mut self, range: &RangeInclusive<u64>) -> u64 {
        let width = range.end().saturating_sub(*range.start());
        range.start() + self.below(width.saturating_add(1))
    }

    /// Returns an approximately log-uniform integer in `range`: every power of two
    /// that the range touches is equally likely, and so is every value within one.
    pub(crate) fn log_uniform(&mut self, range: &RangeInclusive<u64>) -> u64 {
        let (low, high) = (*range.start(), *range.end());
        let (first, last) = (low.max(1).ilog2(), high.max(1).ilog2());
        let octave = self.uniform(&(u64::from(first)..=u64::from(last)));
        let start = 1_u64 << octave;
        let end = start + (start - 1);
        self.uniform(&(start.max(low)..=end.min(high)))
    }

    /// Returns one of `choices`, each equally likely.
    pub(crate) fn pick<T: Copy, const N: usize>(&mut self, choices: [T; N]) -> T {
        const { assert!(N > 0) };
        let place = usize::try_from(self.below(N as u64)).unwrap_or(0);
        choices[place]
    }

    /// Returns true with probability 1/`n`.
    pub(crate) fn once_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// Returns 64 hexadecimal digits, the form of containerd's ids.
    pub(crate) fn hex_id(&mut self) -> String {
        use std::fmt::Write;
        let mut id = String::with_capacity(64);
        for _ in 0..4 {
            // Writing to a string cannot fail.
            let _ = write!(id, "{:016x}", self.0.next_u64());
        }
        id
    }

    /// Returns a random UUID (RFC 9562, version 4), the form of pod uids.
    pub(crate) fn uuid(&mut self) -> String {
        let (high, low) = (self.0.next_u64(), self.0.next_u64());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            (low >> 48) & 0x3fff | 0x8000,
            low & 0xffff_ffff_ffff
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn seed_and_index_each_change_the_numbers() {
        let first = |seed, index| Draw::new(seed, index).hex_id();
        assert_eq!(first(1, 2), first(1, 2));
        assert_ne!(first(1, 2), first(2, 1));
        assert_ne!(first(1, 2), first(1, 3));
    }

    #[test]
    fn every_octave_is_about_equally_likely() {
        let mut draw = Draw::new(1, 1);
        let mut seen = [0_u32; 4];
        for _ in 0..4000 {
            seen[draw.log_uniform(&(1..=15)).ilog2() as usize] += 1;
        }
        assert!(seen.iter().all(|n| (850..1150).contains(n)), "{seen:?}");
    }

    #[test]
    fn a_uuid_has_its_version_and_variant() {
        let uuid = Draw::new(5, 5).uuid();
        assert_eq!(uuid.len(), 36);
        assert_eq!(&uuid[14..15], "4");
        assert!("89ab".contains(&uuid[19..20]), "{uuid}");
    }

    proptest! {
        #[test]
        fn draws_stay_in_range(seed: u64, low in 0..1_u64 << 40, width in 0..1_u64 << 40) {
            // From 1, as a logarithm demands.
            let range = low + 1..=low + 1 + width;
            let mut draw = Draw::new(seed, 0);
            prop_assert!(range.contains(&draw.uniform(&range)));
            prop_assert!(range.contains(&draw.log_uniform(&range)));
            prop_assert!([3, 5].contains(&draw.pick([3, 5])));
        }
    }
}

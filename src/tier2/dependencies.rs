//! What an executor relies on: code objects, types, dictionaries. Source: `_PyBloomFilter` in `pycore_optimizer.h`.

use crate::host::ffi;
#[cfg(feature = "attach")]
use crate::host::tier2;

/// A set of addresses that may contain more than was added: a Bloom filter of 256 bits. An executor is
/// invalidated when something that its set *may* contain changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(transparent)]
pub(crate) struct Dependencies {
    bits: [u32; WORDS],
}

static_assertions::assert_eq_size!(Dependencies, ffi::_PyBloomFilter);

const WORDS: usize = ffi::_Py_BLOOM_FILTER_WORDS as usize;
/// The number of bits that stand for one address.
#[cfg(not(feature = "attach"))]
const PROBES: usize = 6;

impl Dependencies {
    pub(crate) const NONE: Dependencies = Dependencies { bits: [0; WORDS] };

    /// The set that contains every address.
    pub(crate) const ALL: Dependencies = Dependencies { bits: [u32::MAX; WORDS] };

    /// The set that contains only `address`.
    pub(crate) fn only<T>(address: *const T) -> Dependencies {
        let mut set = Dependencies::NONE;
        set.add(address);
        set
    }

    /// Adds an object or a structure of the host by its address.
    #[cfg(not(feature = "attach"))]
    pub(crate) fn add<T>(&mut self, address: *const T) {
        for probe in hash(address.addr() as u64).to_le_bytes().into_iter().take(PROBES) {
            self.bits[usize::from(probe >> 5)] |= 1 << (probe & 31);
        }
    }

    /// Adds an object or a structure of the host by its address: the host's functions look for it, too.
    #[cfg(feature = "attach")]
    pub(crate) fn add<T>(&mut self, address: *const T) {
        let mut filter = self.into_host();
        tier2::add_dependency(&mut filter, address.cast());
        *self = Dependencies::from_host(filter);
    }

    /// Adds all that is in the other set.
    #[cfg(feature = "jit")]
    pub(crate) fn add_all(&mut self, other: &Dependencies) {
        for (mine, theirs) in self.bits.iter_mut().zip(other.bits) {
            *mine |= theirs;
        }
    }

    /// Whether all addresses of `other` may have been added to this set.
    pub(crate) fn may_contain(&self, other: &Dependencies) -> bool {
        self.bits.iter().zip(other.bits).all(|(mine, wanted)| mine & wanted == wanted)
    }

    pub(crate) fn from_host(filter: ffi::_PyBloomFilter) -> Dependencies {
        Dependencies { bits: filter.bits }
    }

    pub(crate) fn into_host(self) -> ffi::_PyBloomFilter {
        ffi::_PyBloomFilter { bits: self.bits }
    }
}

/// Mixes the bits of an address (the finalizer of SplitMix64), so that each byte of the result depends on all of
/// them.
#[cfg(not(feature = "attach"))]
const fn hash(address: u64) -> u64 {
    let mut bits = address;
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn contains_what_was_added(addresses: Vec<usize>) {
            let mut set = Dependencies::NONE;
            for &address in &addresses {
                set.add(address as *const u8);
            }
            for &address in &addresses {
                prop_assert!(set.may_contain(&Dependencies::only(address as *const u8)));
            }
        }
    }

    #[test]
    fn seldom_contains_anything_else() {
        let object = |index: usize| (0x7F00_0000_0000 + index * 48) as *const u8;
        let mut set = Dependencies::NONE;
        for index in 0..10 {
            set.add(object(index));
        }
        let false_hits = (10..100_000).filter(|&index| set.may_contain(&Dependencies::only(object(index))));
        // Ten addresses set at most 60 of 256 bits: (60 / 256)^6 is less than 0.02 %.
        assert!(false_hits.count() < 100);
    }
}

//! A set of small numbers, a bit for each.

use std::ops::{BitAndAssign, BitOrAssign};

const WORD: usize = u64::BITS as usize;

/// Some of the numbers below a length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bits {
    /// No bit at or above the length is set.
    words: Vec<u64>,
    length: usize,
}

impl Bits {
    /// None of the numbers below `length`.
    pub fn none(length: usize) -> Self {
        Self { words: vec![0; length.div_ceil(WORD)], length }
    }

    /// All of them.
    pub fn all(length: usize) -> Self {
        let mut words = vec![u64::MAX; length.div_ceil(WORD)];
        if let Some(last) = words.last_mut()
            && !length.is_multiple_of(WORD)
        {
            *last >>= WORD - length % WORD;
        }
        Self { words, length }
    }

    /// The length that they are below.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Puts `number` in; one at or above the length stays out.
    pub fn insert(&mut self, number: usize) {
        if number < self.length
            && let Some(word) = self.words.get_mut(number / WORD)
        {
            *word |= 1 << (number % WORD);
        }
    }

    /// Takes `number` out.
    pub fn remove(&mut self, number: usize) {
        if let Some(word) = self.words.get_mut(number / WORD) {
            *word &= !(1 << (number % WORD));
        }
    }

    /// Whether `number` is in it.
    pub fn contains(&self, number: usize) -> bool {
        self.words.get(number / WORD).is_some_and(|word| word >> (number % WORD) & 1 == 1)
    }

    /// The least number in it that is at least `from`.
    pub fn next(&self, from: usize) -> Option<usize> {
        let first = from / WORD;
        let mut word = self.words.get(first)? & (u64::MAX << (from % WORD));
        for (n, later) in (first + 1..).zip(self.words[first + 1..].iter().copied().chain([0])) {
            if word != 0 {
                return Some((n - 1) * WORD + word.trailing_zeros() as usize);
            }
            word = later;
        }
        None
    }

    /// What is in it, in order.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        std::iter::successors(self.next(0), |last| self.next(last + 1))
    }

    /// How many are in it.
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }
}

/// Keeps what is in both; both are of one length.
impl BitAndAssign<&Self> for Bits {
    fn bitand_assign(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(own, other)| *own &= other);
    }
}

/// Adds what is in the other; both are of one length.
impl BitOrAssign<&Self> for Bits {
    fn bitor_assign(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(own, other)| *own |= other);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn all_ends_at_the_length() {
        for length in [0, 1, 63, 64, 65, 128] {
            assert_eq!(Bits::all(length).iter().collect::<Vec<_>>(), (0..length).collect::<Vec<_>>());
            assert_eq!(Bits::all(length).count(), length);
            let mut none = Bits::none(length);
            none.insert(length);
            assert_eq!((none.next(0), none.length()), (None, length));
        }
    }

    proptest! {
        #[test]
        fn it_is_a_set(
            one in proptest::collection::btree_set(0_usize..200, 0..30),
            other in proptest::collection::btree_set(0_usize..200, 0..30),
            from in 0_usize..300,
        ) {
            let bits = |numbers: &BTreeSet<usize>| {
                let mut bits = Bits::none(200);
                numbers.iter().for_each(|number| bits.insert(*number));
                bits
            };
            let listed = |bits: &Bits| bits.iter().collect::<BTreeSet<_>>();
            prop_assert_eq!(&listed(&bits(&one)), &one);
            prop_assert_eq!(bits(&one).next(from), one.range(from..).next().copied());
            prop_assert_eq!(bits(&one).contains(from), one.contains(&from));
            let (mut both, mut either, mut without) = (bits(&one), bits(&one), bits(&one));
            both &= &bits(&other);
            either |= &bits(&other);
            other.iter().for_each(|number| without.remove(*number));
            prop_assert_eq!(listed(&both), &one & &other);
            prop_assert_eq!(listed(&either), &one | &other);
            prop_assert_eq!(listed(&without), &one - &other);
        }
    }
}

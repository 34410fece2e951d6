//! The kinds of state that expire, as most behaviours see them: numbers are written under a key,
//! and what they come to is read.

use std::ops::ControlFlow;

use holdwater::key::{At, In};
use holdwater::state::{Aggregate, Backend, Descriptor, Visitor};
use holdwater::ttl::{
    Census, ExpiringList, ExpiringMap, ExpiringOrderedMap, ExpiringValue, Ttl, TtlAggregating,
    TtlReducing, When,
};

/// A key and its window.
pub(in crate::keyed) type Place = In<u64, u8>;

/// A kind of state that expires.
pub(in crate::keyed) trait Kind: 'static {
    type Held<B: Backend>;

    fn open<B: Backend>(store: &mut B, name: &str, ttl: Ttl) -> Result<Self::Held<B>, B::Error>;

    fn visit<B: Backend, V: Visitor<B::Error>>(
        held: &mut Self::Held<B>,
        visitor: &mut V,
    ) -> Result<(), V::Stop>;

    fn write<B: Backend>(held: &mut Self::Held<B>, at: At<'_, Place>, number: i64, when: When);

    fn read<B: Backend>(held: &mut Self::Held<B>, at: At<'_, Place>, when: When) -> Vec<i64>;

    fn remove<B: Backend>(held: &mut Self::Held<B>, at: At<'_, Place>);

    fn census<B: Backend>(held: &mut Self::Held<B>, when: When) -> Census;

    /// Returns what is read once these were written, and nothing else that lives.
    fn after(numbers: &[i64]) -> Vec<i64>;
}

/// A value: the last number.
#[derive(Debug)]
pub(in crate::keyed) struct Values;

impl Kind for Values {
    type Held<B: Backend> = ExpiringValue<B, Place, i64>;

    fn open<B: Backend>(store: &mut B, name: &str, ttl: Ttl) -> Result<Self::Held<B>, B::Error> {
        ttl.value(store, Descriptor::new(name))
    }

    fn visit<B: Backend, V: Visitor<B::Error>>(
        held: &mut Self::Held<B>,
        visitor: &mut V,
    ) -> Result<(), V::Stop> {
        visitor.state(held)
    }

    fn write<B: Backend>(held: &mut Self::Held<B>, at: At<'_, Place>, number: i64, when: When) {
        held.put(at, number, when).unwrap();
    }

    fn read<B: Backend>(held: &mut Self::Held<B>, at: At<'_, Place>, when: When) -> Vec<i64> {
        held.get(at, when).unwrap().map(|number| *number).into_iter().collect()
    }

    fn remove<B: Backend>(held: &mut Self::Held<B>, at: At<'_, Place>) {
        held.remove(at).unwrap();
    }

    fn census<B: Backend>(held: &mut Self::Held<B>, when: When) -> Census {
        held.census(when).unwrap()
    }

    fn after(numbers: &[i64]) -> Vec<i64> {
        numbers.last().copied().into_iter().collect()
    }
}

/// A list of items of one length: the last number and its successor.
#[derive(Debug)]
pub(in crate::keyed) struct Lists;

/// A list of items of any length.
#[derive(Debug)]
pub(in crate::keyed) struct TextLists;

macro_rules! lists {
    ($kind:ident, $item:ty, $to:expr, $from:expr) => {
        impl Kind for $kind {
            type Held<B: Backend> = ExpiringList<B, Place, $item>;

            fn open<B: Backend>(
                store: &mut B,
                name: &str,
                ttl: Ttl,
            ) -> Result<Self::Held<B>, B::Error> {
                ttl.list(store, Descriptor::new(name))
            }

            fn visit<B: Backend, V: Visitor<B::Error>>(
                held: &mut Self::Held<B>,
                visitor: &mut V,
            ) -> Result<(), V::Stop> {
                visitor.state(held)
            }

            fn write<B: Backend>(
                held: &mut Self::Held<B>,
                at: At<'_, Place>,
                number: i64,
                when: When,
            ) {
                held.set(at, [number, number + 1].map($to), when).unwrap();
            }

            fn read<B: Backend>(
                held: &mut Self::Held<B>,
                at: At<'_, Place>,
                when: When,
            ) -> Vec<i64> {
                let mut items = Vec::new();
                let visited = held.items(at, when, |item| {
                    items.push($from(item));
                    ControlFlow::Continue(())
                });
                visited.unwrap();
                items
            }

            fn remove<B: Backend>(held: &mut Self::Held<B>, at: At<'_, Place>) {
                held.remove(at).unwrap();
            }

            fn census<B: Backend>(held: &mut Self::Held<B>, when: When) -> Census {
                held.census(when).unwrap()
            }

            fn after(numbers: &[i64]) -> Vec<i64> {
                numbers.last().map_or(Vec::new(), |number| vec![*number, number + 1])
            }
        }
    };
}

lists!(Lists, i64, |number| number, |item: &i64| *item);
lists!(TextLists, String, |number| number.to_string(), |item: &String| item.parse().unwrap());

macro_rules! maps {
    ($kind:ident, $held:ident, $open:ident) => {
        impl Kind for $kind {
            type Held<B: Backend> = $held<B, Place, String, i64>;

            fn open<B: Backend>(
                store: &mut B,
                name: &str,
                ttl: Ttl,
            ) -> Result<Self::Held<B>, B::Error> {
                ttl.$open(store, Descriptor::new(name))
            }

            fn visit<B: Backend, V: Visitor<B::Error>>(
                held: &mut Self::Held<B>,
                visitor: &mut V,
            ) -> Result<(), V::Stop> {
                visitor.state(held)
            }

            fn write<B: Backend>(
                held: &mut Self::Held<B>,
                at: At<'_, Place>,
                number: i64,
                when: When,
            ) {
                held.put(at, "one", number, when).unwrap();
                held.put(at, "other", number + 1, when).unwrap();
            }

            fn read<B: Backend>(
                held: &mut Self::Held<B>,
                at: At<'_, Place>,
                when: When,
            ) -> Vec<i64> {
                let mut numbers = Vec::new();
                let visited = held.entries(at, when, |_, number| {
                    numbers.push(*number);
                    ControlFlow::Continue(())
                });
                visited.unwrap();
                numbers.sort_unstable();
                numbers
            }

            fn remove<B: Backend>(held: &mut Self::Held<B>, at: At<'_, Place>) {
                held.remove_all(at).unwrap();
            }

            fn census<B: Backend>(held: &mut Self::Held<B>, when: When) -> Census {
                held.census(when).unwrap()
            }

            fn after(numbers: &[i64]) -> Vec<i64> {
                numbers.last().map_or(Vec::new(), |number| vec![*number, number + 1])
            }
        }
    };
}

/// A map of two fields: the last number and its successor.
#[derive(Debug)]
pub(in crate::keyed) struct Maps;

/// An ordered map of two fields.
#[derive(Debug)]
pub(in crate::keyed) struct OrderedMaps;

maps!(Maps, ExpiringMap, map);
maps!(OrderedMaps, ExpiringOrderedMap, ordered_map);

/// A reducing state: the sum of the numbers.
#[derive(Debug)]
pub(in crate::keyed) struct Sums;

impl Kind for Sums {
    type Held<B: Backend> =
        TtlReducing<B::Value<Place, holdwater::ttl::Expiring<i64>>, fn(&mut i64, i64)>;

    fn open<B: Backend>(store: &mut B, name: &str, ttl: Ttl) -> Result<Self::Held<B>, B::Error> {
        Ok(TtlReducing::new(ttl.value(store, Descriptor::new(name))?, |sum, more| *sum += more))
    }

    fn visit<B: Backend, V: Visitor<B::Error>>(
        held: &mut Self::Held<B>,
        visitor: &mut V,
    ) -> Result<(), V::Stop> {
        visitor.state(held.state())
    }

    fn write<B: Backend>(held: &mut Self::Held<B>, at: At<'_, Place>, number: i64, when: When) {
        held.add(at, number, when).unwrap();
    }

    fn read<B: Backend>(held: &mut Self::Held<B>, at: At<'_, Place>, when: When) -> Vec<i64> {
        held.get(at, when).unwrap().into_iter().collect()
    }

    fn remove<B: Backend>(held: &mut Self::Held<B>, at: At<'_, Place>) {
        held.remove(at).unwrap();
    }

    fn census<B: Backend>(held: &mut Self::Held<B>, when: When) -> Census {
        held.state().census(when).unwrap()
    }

    fn after(numbers: &[i64]) -> Vec<i64> {
        if numbers.is_empty() { Vec::new() } else { vec![numbers.iter().sum()] }
    }
}

/// An aggregating state: the sum of the numbers and how many there were.
#[derive(Debug)]
pub(in crate::keyed) struct Means;

#[derive(Clone, Copy, Debug)]
pub(in crate::keyed) struct Mean;

impl Aggregate for Mean {
    type Input = i64;
    type Accumulator = (i64, i64);
    type Output = Vec<i64>;

    fn start(&self) -> (i64, i64) {
        (0, 0)
    }

    fn add(&self, (sum, count): &mut (i64, i64), input: i64) {
        *sum += input;
        *count += 1;
    }

    fn result(&self, (sum, count): &(i64, i64)) -> Vec<i64> {
        vec![*sum, *count]
    }

    fn merge(&self, (sum, count): &mut (i64, i64), other: (i64, i64)) {
        *sum += other.0;
        *count += other.1;
    }
}

impl Kind for Means {
    type Held<B: Backend> =
        TtlAggregating<B::Value<Place, holdwater::ttl::Expiring<(i64, i64)>>, Mean>;

    fn open<B: Backend>(store: &mut B, name: &str, ttl: Ttl) -> Result<Self::Held<B>, B::Error> {
        Ok(TtlAggregating::new(ttl.value(store, Descriptor::new(name))?, Mean))
    }

    fn visit<B: Backend, V: Visitor<B::Error>>(
        held: &mut Self::Held<B>,
        visitor: &mut V,
    ) -> Result<(), V::Stop> {
        visitor.state(held.state())
    }

    fn write<B: Backend>(held: &mut Self::Held<B>, at: At<'_, Place>, number: i64, when: When) {
        held.add(at, number, when).unwrap();
    }

    fn read<B: Backend>(held: &mut Self::Held<B>, at: At<'_, Place>, when: When) -> Vec<i64> {
        held.get(at, when).unwrap().unwrap_or_default()
    }

    fn remove<B: Backend>(held: &mut Self::Held<B>, at: At<'_, Place>) {
        held.remove(at).unwrap();
    }

    fn census<B: Backend>(held: &mut Self::Held<B>, when: When) -> Census {
        held.state().census(when).unwrap()
    }

    fn after(numbers: &[i64]) -> Vec<i64> {
        let count = numbers.len() as i64;
        if count == 0 { Vec::new() } else { vec![numbers.iter().sum(), count] }
    }
}

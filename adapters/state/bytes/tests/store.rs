//! Stores of byte rows: the one in memory, and one that fails.
#![allow(clippy::unwrap_used)]

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::{Bound, ControlFlow, RangeBounds};
use std::rc::Rc;

use holdwater::error::{ErrorKind, StateError};
use holdwater::key::KeyGroups;
use holdwater::state::{
    Backend, Cut, Descriptor, List, Map, OrderedMap, State, TimeDomain, Timers, Value,
};
use holdwater_bytes::{
    ByteRows, ByteStore, ByteTable, Bytes, BytesError, Layout, OrderedRows, OrderedTable,
};
use proptest::collection::vec;
use proptest::prelude::*;

fn table() -> OrderedTable {
    OrderedTable::default()
}

fn scan(rows: &impl ByteRows, prefix: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut found = Vec::new();
    let scanned = rows.scan(prefix, |key, value| {
        found.push((key.into(), value.into()));
        ControlFlow::Continue(())
    });
    assert!(scanned.is_ok());
    found
}

/// Keys of few different bytes, the last one among them.
fn any_key() -> impl Strategy<Value = Vec<u8>> {
    vec(prop::sample::select(vec![0, 1, 254, 255]), 0..4)
}

proptest! {
    #[test]
    fn a_prefix_finds_exactly_the_rows_that_begin_with_it(
        keys in vec((any_key(), any::<bool>()), 0..40),
        prefix in any_key(),
    ) {
        let (mut table, mut truth) = (table(), BTreeMap::new());
        for (number, (key, stays)) in keys.into_iter().enumerate() {
            let value = vec![number as u8; number % 3];
            table.put(&key, &value).unwrap();
            truth.insert(key.clone(), value);
            if !stays {
                table.delete(&key).unwrap();
                truth.remove(&key);
            }
        }
        let bytes: usize = truth.iter().map(|(key, value)| key.len() + value.len()).sum();
        prop_assert_eq!(table.bytes(), bytes as u64);
        let expected: Vec<_> =
            truth.into_iter().filter(|(key, _)| key.starts_with(&prefix)).collect();
        let last = table.last(&prefix, |key, value| (key.to_vec(), value.to_vec())).unwrap();
        prop_assert_eq!(last, expected.last().cloned());
        prop_assert_eq!(scan(&table, &prefix), expected);
    }
}

proptest! {
    #[test]
    fn a_range_holds_the_rows_between_its_bounds_both_ways(
        keys in vec(any_key(), 0..40),
        start in any_bound(),
        end in any_bound(),
    ) {
        let mut table = table();
        for key in &keys {
            table.put(key, key).unwrap();
        }
        let (start, end) = (start.as_ref().map(Vec::as_slice), end.as_ref().map(Vec::as_slice));
        let is_within = |key: &&Vec<u8>| (start, end).contains(&key[..]);
        let expected: BTreeSet<_> = keys.iter().filter(is_within).cloned().collect();
        let (mut found, mut back) = (Vec::new(), Vec::new());
        let Ok(()) = table.range(start, end, |key, _| {
            found.push(key.to_vec());
            ControlFlow::Continue(())
        });
        let Ok(()) = table.range_back(start, end, |key, _| {
            back.push(key.to_vec());
            ControlFlow::Continue(())
        });
        prop_assert!(found.iter().eq(&expected));
        prop_assert!(back.iter().eq(expected.iter().rev()));
    }
}

fn any_bound() -> impl Strategy<Value = Bound<Vec<u8>>> {
    prop_oneof![
        any_key().prop_map(Bound::Included),
        any_key().prop_map(Bound::Excluded),
        Just(Bound::Unbounded),
    ]
}

#[test]
fn frozen_rows_stay_and_are_counted_while_they_differ() {
    let cut = Cut { checkpoint: 1, base: None, now: 0, watermark: 0 };
    let mut table = table();
    table.put(b"a", b"12").unwrap();
    let frozen: OrderedRows = table.freeze(&cut).unwrap();
    assert_eq!(table.bytes(), 3);
    table.delete(b"absent").unwrap();
    assert_eq!(table.bytes(), 3);
    table.put(b"a", b"1").unwrap();
    assert_eq!(table.bytes(), 2 + 3);
    assert_eq!(scan(&frozen, b""), [(b"a".to_vec(), b"12".to_vec())]);
    assert_eq!(frozen.get(b"a", <[u8]>::to_vec), Ok(Some(b"12".to_vec())));
    drop(frozen);
    assert_eq!(table.bytes(), 2);
}

#[test]
fn what_the_store_fails_at_is_told() {
    let groups = KeyGroups::all(4);
    let medium = Medium::new();
    let mut store = Bytes::new(Failing(medium.clone()), groups);
    let mut value = store.value(Descriptor::<u32, u8>::new("value")).unwrap();
    let mut list = store.list(Descriptor::<u32, u8>::new("list")).unwrap();
    let mut map = store.map(Descriptor::<u32, (u8, u8)>::new("map")).unwrap();
    let timers = Descriptor::<u32, ()>::new("timers");
    let mut timers = store.timers(timers, TimeDomain::Event).unwrap();
    let at = groups.locate::<u32>(1);
    value.put(at, 1).unwrap();
    list.set(at, [1, 2]).unwrap();
    map.put(at, 1, 1).unwrap();
    map.put(at, 2, 2).unwrap();
    timers.register(at, 1).unwrap();
    medium.left.set(0);
    let cut = Cut { checkpoint: 1, base: None, now: 0, watermark: 0 };
    let failures = [
        value.put(at, 2).unwrap_err(),
        value.update(at, || 0, |_| ()).unwrap_err(),
        value.remove(at).unwrap_err(),
        list.push(at, 3).unwrap_err(),
        list.set(at, [4]).unwrap_err(),
        map.put(at, 1, 9).unwrap_err(),
        map.remove(at, 1).unwrap_err(),
        map.remove_all(at).unwrap_err(),
        map.clear().unwrap_err(),
        timers.register(at, 2).unwrap_err(),
        timers.take(1).unwrap_err(),
        value.freeze(&cut).unwrap_err(),
    ];
    for failure in failures {
        assert_eq!((failure.kind(), &failure), (ErrorKind::Io, &BytesError::Store(Failed)));
    }
    medium.left.set(u32::MAX);
    assert_eq!(value.get(at).unwrap().as_deref(), Some(&1));
    assert_eq!((list.len(at), map.len(at)), (Ok(2), Ok(2)));
    assert_eq!(timers.next(), Ok(Some(1)));
}

#[test]
fn an_item_is_pushed_and_a_range_begun_without_a_look_at_the_others() {
    let groups = KeyGroups::all(4);
    let touched = |entries: u32| {
        let medium = Medium::new();
        let mut store = Bytes::new(Failing(medium.clone()), groups);
        let mut list = store.list(Descriptor::<u32, u32>::new("list")).unwrap();
        let mut map = store.ordered_map(Descriptor::<u32, (u32, u32)>::new("map")).unwrap();
        let at = groups.locate::<u32>(1);
        list.set(at, 0..entries).unwrap();
        (0..entries).for_each(|field| assert!(map.put(at, field, 0).unwrap()));
        let before = (medium.left.get(), medium.shown.get());
        list.push(at, 7).unwrap();
        map.put(at, entries / 2, 1).unwrap();
        map.put(at, entries, 1).unwrap();
        let mut seen = 0;
        let ten = map.range(at, entries / 2.., |_, _| {
            seen += 1;
            if seen == 10 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        ten.unwrap();
        (before.0 - medium.left.get(), medium.shown.get() - before.1)
    };
    let (written, shown) = touched(20);
    assert!(written == 3 && (10..20).contains(&shown), "{written} rows written, {shown} shown");
    assert_eq!(touched(5000), (written, shown));
}

/// Tables on a medium.
struct Failing(Rc<Medium>);

/// Takes so many more changes and then fails, and counts the rows that it shows.
#[derive(Debug)]
struct Medium {
    left: Cell<u32>,
    shown: Cell<u32>,
}

struct FailingTable {
    rows: OrderedTable,
    medium: Rc<Medium>,
}

#[derive(Debug)]
struct FailingRows {
    rows: OrderedRows,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Failed;

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the medium failed")
    }
}

impl std::error::Error for Failed {}

impl StateError for Failed {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Io
    }
}

impl Medium {
    fn new() -> Rc<Self> {
        Rc::new(Self { left: Cell::new(u32::MAX), shown: Cell::new(0) })
    }

    fn spend(&self) -> Result<(), Failed> {
        self.left.set(self.left.get().checked_sub(1).ok_or(Failed)?);
        Ok(())
    }
}

impl FailingTable {
    fn show(&self) {
        self.medium.shown.set(self.medium.shown.get() + 1);
    }
}

impl FailingRows {
    /// What is frozen may be read by another thread, which counts nothing.
    const fn show(&self) {}
}

impl ByteStore for Failing {
    type Error = Failed;
    type Table = FailingTable;

    fn open(&mut self, _: &Layout) -> Result<FailingTable, Failed> {
        Ok(FailingTable { rows: OrderedTable::default(), medium: self.0.clone() })
    }
}

impl ByteTable for FailingTable {
    type Frozen = FailingRows;

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), Failed> {
        self.medium.spend()?;
        let Ok(()) = self.rows.put(key, value);
        Ok(())
    }

    fn delete(&mut self, key: &[u8]) -> Result<(), Failed> {
        self.medium.spend()?;
        let Ok(()) = self.rows.delete(key);
        Ok(())
    }

    fn freeze(&mut self, cut: &Cut) -> Result<FailingRows, Failed> {
        self.medium.spend()?;
        let Ok(rows) = self.rows.freeze(cut);
        Ok(FailingRows { rows })
    }

    fn bytes(&self) -> u64 {
        self.rows.bytes()
    }
}

macro_rules! read_through {
    ($table:ty) => {
        impl ByteRows for $table {
            type Error = Failed;

            fn get<R>(
                &self,
                key: &[u8],
                read: impl FnOnce(&[u8]) -> R,
            ) -> Result<Option<R>, Failed> {
                self.show();
                let Ok(found) = self.rows.get(key, read);
                Ok(found)
            }

            fn range(
                &self,
                start: Bound<&[u8]>,
                end: Bound<&[u8]>,
                mut visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
            ) -> Result<(), Failed> {
                let Ok(()) = self.rows.range(start, end, |row, value| {
                    self.show();
                    visit(row, value)
                });
                Ok(())
            }

            fn range_back(
                &self,
                start: Bound<&[u8]>,
                end: Bound<&[u8]>,
                mut visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
            ) -> Result<(), Failed> {
                let Ok(()) = self.rows.range_back(start, end, |row, value| {
                    self.show();
                    visit(row, value)
                });
                Ok(())
            }
        }
    };
}

read_through!(FailingTable);
read_through!(FailingRows);

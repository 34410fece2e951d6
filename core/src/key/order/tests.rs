use std::string::String;
use std::vec::Vec;

use postcard_schema_ng::Schema;
use proptest::collection::vec;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::*;

#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Schema, Serialize)]
struct Seat {
    row: i16,
    name: String,
    letter: char,
}
crate::key!(Seat);
crate::ordered_key!(Seat { row: i16, name: String, letter: char });

fn encoded<F: OrderedKey>(key: &F) -> Vec<u8> {
    let mut bytes = Vec::new();
    let Ok(()) = F::write_ordered(key.view(), &mut bytes);
    bytes
}

#[test]
fn encodings_in_order_follow_the_golden_vectors() {
    // Also in docs/format.md 2.6.
    assert_eq!(encoded(&258u16), [1, 2]);
    assert_eq!(encoded(&i32::MIN), [0, 0, 0, 0]);
    assert_eq!(encoded(&-1i64), [0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    assert_eq!(encoded(&0i8), [0x80]);
    assert_eq!(encoded(&true), [1]);
    assert_eq!(encoded(&'a'), [0, 0, 0, 0x61]);
    assert_eq!(encoded(&String::new()), [0, 0]);
    assert_eq!(encoded(&String::from("a\0b")), [0x61, 0, 0xff, 0x62, 0, 0]);
    assert_eq!(encoded(&(String::from("a"), 255u8)), [0x61, 0, 0, 0xff]);
    assert_eq!(encoded(&[3u8, 0, 1]), [3, 0, 1]);
    assert_eq!(encoded(&()), []);
}

/// Text of few characters, the ones that are escaped and the longest ones among them.
fn text() -> impl Strategy<Value = String> {
    const CHARS: [char; 6] = ['\0', '\u{1}', 'a', '\u{ff}', '\u{ffff}', '\u{10ffff}'];
    vec(prop::sample::select(&CHARS[..]), 0..5).prop_map(String::from_iter)
}

fn seat() -> impl Strategy<Value = Seat> {
    let parts = (-1i16..2, text(), any::<char>());
    parts.prop_map(|(row, name, letter)| Seat { row, name, letter })
}

fn keys_are_in_order<F: OrderedKey + Ord + core::fmt::Debug>(a: &F, b: &F) {
    let (left, right) = (encoded(a), encoded(b));
    assert_eq!(left.cmp(&right), a.cmp(b), "{a:?} and {b:?}");
    assert_eq!(F::compare(a.view(), b.view()), a.cmp(b), "{a:?} and {b:?}");
    assert!(a == b || !right.starts_with(&left), "{a:?} begins {b:?}");
    let both = [left, right].concat();
    let mut reader = Reader::new(&both);
    assert_eq!(F::read_ordered(&mut reader).as_ref(), Ok(a));
    assert_eq!(F::read_ordered(&mut reader).as_ref(), Ok(b));
    assert!(reader.is_empty());
}

/// What bytes give is what would have been encoded so.
fn bytes_are_refused_or_canonical<F: OrderedKey>(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    if let Ok(key) = F::read_ordered(&mut reader) {
        assert_eq!(encoded(&key), bytes[..bytes.len() - reader.len()]);
    }
}

macro_rules! in_order {
    ($($name:ident: $key:ty, $strategy:expr;)*) => {
        proptest! {
            $(
                #[test]
                fn $name(a in $strategy, b in $strategy, bytes in vec(any::<u8>(), 0..20)) {
                    keys_are_in_order::<$key>(&a, &b);
                    keys_are_in_order::<$key>(&a, &a);
                    bytes_are_refused_or_canonical::<$key>(&bytes);
                }
            )*
        }
    };
}

in_order! {
    bytes_are_in_order: u8, any::<u8>();
    short_integers_are_in_order: i16, any::<i16>();
    integers_are_in_order: i32, any::<i32>();
    long_integers_are_in_order: (u64, i64), any::<(u64, i64)>();
    the_longest_integers_are_in_order: (u128, i128), any::<(u128, i128)>();
    bools_and_chars_are_in_order: (bool, char), any::<(bool, char)>();
    texts_are_in_order: String, text();
    texts_with_what_follows_them_are_in_order: (String, u8), (text(), any::<u8>());
    tuples_are_in_order: ((String, ()), i8, String), ((text(), Just(())), any::<i8>(), text());
    longer_tuples_are_in_order: (u8, String, bool, i8),
        (0u8..2, text(), any::<bool>(), any::<i8>());
    arrays_are_in_order: [u8; 3], any::<[u8; 3]>();
    types_of_ones_own_are_in_order: Seat, seat();
}

#[test]
fn text_that_is_cut_wrongly_escaped_or_not_utf8_is_refused() {
    let read = |bytes| String::read_ordered(&mut Reader::new(bytes));
    for bytes in [&b""[..], b"a", b"a\0"] {
        assert_eq!(read(bytes).unwrap_err().fault, Fault::End);
    }
    assert_eq!(read(b"a\0\x01\0\0"), Err(Malformed::new(Fault::Range, 1)));
    assert_eq!(read(b"\xff\0\0"), Err(Malformed::new(Fault::Utf8, 0)));
    assert_eq!(bool::read_ordered(&mut Reader::new(&[2])).unwrap_err().fault, Fault::Range);
    let surrogate = char::read_ordered(&mut Reader::new(&[0, 0, 0xd8, 0]));
    assert_eq!(surrogate, Err(Malformed::new(Fault::Range, 0)));
}

#[test]
fn bounds_tell_what_lies_before_and_behind_them() {
    let within = |bounds: Bounds<'_, i32>| {
        (0..6).filter(|key| !bounds.is_before(*key) && !bounds.is_behind(*key)).collect::<Vec<_>>()
    };
    assert_eq!(within(Bounds::of(..)), [0, 1, 2, 3, 4, 5]);
    assert_eq!(within(Bounds::of(2..4)), [2, 3]);
    assert_eq!(within(Bounds::of(2..=4)), [2, 3, 4]);
    assert_eq!(within(Bounds::of((Bound::Excluded(2), Bound::Excluded(4)))), [3]);
    assert_eq!(within(Bounds::of((Bound::Included(4), Bound::Excluded(2)))), []);
}

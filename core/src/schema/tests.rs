// Types that only their schema is asked of have fields nobody reads.
#![allow(clippy::indexing_slicing, dead_code)]

mod evolution;
mod opaque;

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Debug;

use postcard_schema_ng::Schema as Described;
use postcard_schema_ng::schema::DataModelType;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::*;
use crate::codec::{EncodeError, Encoding, Reader, decode, encode};
use crate::error::{Fault, Malformed};

#[derive(Clone, Debug, Deserialize, PartialEq, Described, Serialize)]
struct Point {
    x: i32,
    y: (u8, char),
    grid: [[u16; 3]; 2],
    sure: bool,
    mass: f64,
    big: i128,
    nothing: (),
}

#[derive(Clone, Debug, Deserialize, PartialEq, Described, Serialize)]
struct Id(u64);

#[derive(Clone, Debug, Deserialize, PartialEq, Described, Serialize)]
enum Event {
    Idle,
    Moved(Point),
    Named { id: Id, text: String },
    Pair(i8, Option<char>),
}

#[derive(Clone, Debug, Deserialize, PartialEq, Described, Serialize)]
struct Trip {
    id: Id,
    events: Vec<Event>,
    tags: BTreeMap<String, Vec<u8>>,
    last: Option<Event>,
    total: u128,
}

fn point() -> impl Strategy<Value = Point> {
    any::<(i32, (u8, char), [[u16; 3]; 2], bool, f64, i128)>().prop_map(
        |(x, y, grid, sure, mass, big)| Point { x, y, grid, sure, mass, big, nothing: () },
    )
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        Just(Event::Idle),
        point().prop_map(Event::Moved),
        any::<(u64, String)>().prop_map(|(id, text)| Event::Named { id: Id(id), text }),
        any::<(i8, Option<char>)>().prop_map(|(a, b)| Event::Pair(a, b)),
    ]
}

fn trip() -> impl Strategy<Value = Trip> {
    let tags = any::<BTreeMap<String, Vec<u8>>>();
    let events = proptest::collection::vec(event(), 0..5);
    (any::<u64>(), events, tags, proptest::option::of(event()), any::<u128>())
        .prop_map(|(id, events, tags, last, total)| Trip { id: Id(id), events, tags, last, total })
}

fn bytes<T: Serialize>(value: &T, encoding: Encoding) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(value, encoding, &mut bytes).unwrap();
    bytes
}

/// Encodes, walks and decodes `value`, with a byte behind it that must stay.
fn round_trip<T: Data + PartialEq + Debug>(value: &T, encoding: Encoding) {
    let schema = StoredSchema::of::<T>().unwrap();
    let mut bytes = bytes(value, encoding);
    assert_eq!(check(schema.view(), encoding, &bytes), Ok(()));
    let length = bytes.len();
    bytes.push(0xee);
    let mut reader = Reader::new(&bytes);
    walk(schema.view(), encoding, &mut reader, &mut Budget::of_row(length)).unwrap();
    assert_eq!((reader.rest(), reader.offset()), (&[0xee][..], length as u64));
    let mut reader = Reader::new(&bytes);
    assert_eq!(decode::<T>(encoding, &mut reader).as_ref(), Ok(value));
    assert_eq!((reader.rest(), reader.offset()), (&[0xee][..], length as u64));
    if encoding == Encoding::Fixed {
        assert_eq!(schema.view().fixed_len(), Some(length));
    }
}

proptest! {
    #[test]
    fn fixed_values_come_back_in_both_encodings(value in point()) {
        assert_eq!(encoding_of(Point::SCHEMA), Encoding::Fixed);
        round_trip(&value, Encoding::Fixed);
        round_trip(&value, Encoding::Postcard);
    }

    #[test]
    fn other_values_come_back_from_postcard(value in trip()) {
        assert_eq!(encoding_of(Trip::SCHEMA), Encoding::Postcard);
        round_trip(&value, Encoding::Postcard);
    }

    #[test]
    fn any_bytes_are_a_schema_or_an_error(
        bytes in proptest::collection::vec(schema_byte(), 0..64)
    ) {
        if let Ok(schema) = Schema::parse(&bytes) {
            assert!(!schema.to_string().is_empty());
            let (_, _) = (schema.fingerprint(), schema.fixed_len());
        }
    }

    #[test]
    fn a_damaged_schema_is_refused_or_still_sound(at in 0usize..200, bit in 0u8..8) {
        let stored = StoredSchema::of::<Trip>().unwrap();
        let mut bytes = stored.bytes().to_vec();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        if let Ok(schema) = Schema::parse(&bytes) {
            assert!(!schema.to_string().is_empty());
        }
    }

    #[test]
    fn a_damaged_value_is_refused_or_decodes(value in trip(), at in any::<usize>(), bit in 0u8..8) {
        let schema = StoredSchema::of::<Trip>().unwrap();
        let mut bytes = bytes(&value, Encoding::Postcard);
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        if check(schema.view(), Encoding::Postcard, &bytes).is_ok() {
            let mut reader = Reader::new(&bytes);
            let again = decode::<Trip>(Encoding::Postcard, &mut reader).unwrap();
            assert!(reader.is_empty());
            // A map may have lost an entry whose key now equals another's.
            if again.tags.len() == value.tags.len() {
                assert_eq!(self::bytes(&again, Encoding::Postcard).len(), bytes.len());
            }
        }
    }
}

/// Bytes that occur in schemas, and any others.
fn schema_byte() -> impl Strategy<Value = u8> {
    prop_oneof![0u8..0x12, 0x20u8..0x27, 0x30u8..0x32, any::<u8>()]
}

#[test]
fn a_schema_reads_in_words() {
    let trip = StoredSchema::of::<Trip>().unwrap();
    assert_eq!(
        trip.to_string(),
        "{ id: u64, events: [<Idle | Moved { x: i32, y: (u8, char), grid: [[u16; 3]; 2], \
         sure: bool, mass: f64, big: i128, nothing: () } | Named { id: u64, text: String } | \
         Pair(i8, Option<char>)>], tags: Map<String, [u8]>, last: Option<<Idle | Moved { x: i32, \
         y: (u8, char), grid: [[u16; 3]; 2], sure: bool, mass: f64, big: i128, nothing: () } | \
         Named { id: u64, text: String } | Pair(i8, Option<char>)>>, total: u128 }"
    );
    assert_eq!(trip.view().name(), Some("Trip"));
}

#[test]
fn the_stored_form_is_as_specified() {
    #[derive(Serialize, Described)]
    struct Key {
        origin: String,
        legs: [Id; 2],
    }
    let stored = StoredSchema::of::<Key>().unwrap();
    let expected = b"\x30\x03Key\x25\x16\x02\x06origin\x10\x04legs\x23\x06\x02\x30\x02Id\x07";
    assert_eq!(stored.bytes(), expected);
    let view = stored.view();
    assert_eq!(
        view.fingerprint(),
        xxhash_rust::xxh3::xxh3_64(b"\x25\x02\x06origin\x10\x04legs\x23\x02\x07")
    );
    assert_eq!(StaticSchema::of::<Key>().unwrap().fingerprint(), view.fingerprint());
    assert_eq!(StaticSchema::of::<Key>().unwrap().stored_len(), stored.bytes().len() as u64);
}

#[test]
fn names_of_types_and_limits_are_outside_the_fingerprint() {
    let fingerprint = |schema: &StoredSchema| schema.view().fingerprint();
    let text = StoredSchema::leaf(Leaf::String);
    assert_eq!(fingerprint(&text), fingerprint(&text.limited(16).unwrap().named("Code").unwrap()));
    let short = StoredSchema::from(
        StaticSchema::new(&DataModelType::String { max_len: Some(16) }).unwrap(),
    );
    assert_eq!(short.bytes(), text.limited(16).unwrap().bytes());
    let unlike = StoredSchema::leaf(Leaf::Bytes);
    assert_ne!(fingerprint(&text), fingerprint(&unlike));
    assert_eq!(
        fingerprint(&StoredSchema::of::<Id>().unwrap()),
        fingerprint(&StoredSchema::of::<u64>().unwrap())
    );
}

#[test]
fn a_schema_built_at_run_time_equals_that_of_the_type() {
    #[derive(Described)]
    struct Built {
        a: (u8, u8),
        b: Option<Vec<i64>>,
        c: BTreeMap<String, (bool, char)>,
        d: Choice,
    }
    #[derive(Described)]
    enum Choice {
        No,
        Yes(f32),
    }
    let leaf = StoredSchema::leaf;
    let byte = leaf(Leaf::U8);
    let (no, yes) = (leaf(Leaf::Unit), leaf(Leaf::F32));
    let built = StoredSchema::fields([
        ("a", &StoredSchema::tuple([&byte, &byte]).unwrap()),
        ("b", &StoredSchema::option(&StoredSchema::seq(&leaf(Leaf::I64)).unwrap()).unwrap()),
        (
            "c",
            &StoredSchema::map(
                &leaf(Leaf::String),
                &StoredSchema::tuple([&leaf(Leaf::Bool), &leaf(Leaf::Char)]).unwrap(),
            )
            .unwrap(),
        ),
        (
            "d",
            &StoredSchema::variants([("No", &no), ("Yes", &yes)]).unwrap().named("Choice").unwrap(),
        ),
    ]);
    assert_eq!(built.unwrap().named("Built"), Ok(StoredSchema::of::<Built>().unwrap()));
}

#[test]
fn a_pointer_sized_integer_is_refused_with_its_place() {
    #[derive(Described)]
    struct Window {
        slots: Vec<Slot>,
    }
    #[derive(Described)]
    struct Slot {
        at: Pointer,
    }
    struct Pointer;
    impl Described for Pointer {
        const SCHEMA: &'static DataModelType = &DataModelType::Usize;
    }
    let error = StaticSchema::of::<Window>().unwrap_err();
    assert_eq!(error, Unsupported { reason: Unportable::Pointer, place: "at" });
    assert_eq!(
        error.to_string(),
        "no schema for at: usize and isize differ between targets, use u64 or i64"
    );
}

#[test]
fn a_type_refuses_what_has_no_fixed_width() {
    let mut out = Vec::new();
    let error = encode("text", Encoding::Fixed, &mut out).unwrap_err();
    assert_eq!(error, EncodeError::Width);
    let mut reader = Reader::new(&[1, 0, 0, 0]);
    let error = decode::<Option<u8>>(Encoding::Fixed, &mut reader).unwrap_err();
    assert_eq!(error, Malformed::new(Fault::Value, 0));
    assert_eq!(bytes(&0x0102_0304_0506_0708u64, Encoding::Fixed), [8, 7, 6, 5, 4, 3, 2, 1]);
}

#[test]
fn a_schema_beyond_the_limits_is_refused() {
    let mut deep = StoredSchema::leaf(Leaf::U8);
    for _ in 1..SCHEMA_DEPTH_MAX {
        deep = StoredSchema::option(&deep).unwrap();
    }
    assert_eq!(StoredSchema::option(&deep).unwrap_err().fault, Fault::Budget);
    let unit = StoredSchema::leaf(Leaf::Unit);
    let twice = StoredSchema::fields([("a", &unit), ("b", &unit), ("a", &unit)]);
    assert_eq!(twice.unwrap_err().fault, Fault::Duplicate);
    assert_eq!(Schema::parse(&[0; SCHEMA_BYTES_MAX + 1]).unwrap_err().fault, Fault::Budget);
    assert_eq!(Schema::parse(&[0x07, 0x07]).unwrap_err(), Malformed::new(Fault::Trailing, 1));
}

#[test]
fn what_repeats_takes_bytes() {
    #[derive(Described)]
    struct Nothing {
        unit: (),
        none: [(); 0],
    }
    #[derive(Described)]
    struct Tags {
        marks: Vec<Nothing>,
    }
    let refused = [
        StaticSchema::of::<Vec<()>>(),
        StaticSchema::of::<Option<[(); 70_000]>>(),
        StaticSchema::of::<BTreeMap<(), Nothing>>(),
    ];
    for refused in refused {
        assert_eq!(refused.unwrap_err().reason, Unportable::Empty);
    }
    let error = StaticSchema::of::<Tags>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "no schema for marks: elements that take no bytes, store how many there are instead"
    );
    StaticSchema::of::<(Nothing, BTreeMap<u8, ()>, Vec<Option<()>>)>().unwrap();

    let unit = StoredSchema::leaf(Leaf::Unit);
    let nothing = StoredSchema::fields([("unit", &unit), ("again", &unit)]).unwrap();
    let refused = [
        StoredSchema::seq(&nothing),
        StoredSchema::map(&unit, &nothing),
        StoredSchema::tuple([&nothing, &nothing]),
    ];
    for refused in refused {
        assert_eq!(refused.unwrap_err().fault, Fault::Range);
    }
    // [(); 2^32 - 1], built by hand.
    let array = [0x23, 0x06, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x01];
    assert_eq!(Schema::parse(&array).unwrap_err(), Malformed::new(Fault::Range, 7));
}

#[test]
fn bytes_that_claim_more_elements_than_are_granted_end_at_once() {
    let schema = StoredSchema::of::<Vec<Option<()>>>().unwrap();
    let claimed = [0x80, 0x80, 0x80, 0x80, 0x10];
    let mut budget = Budget::of_row(claimed.len());
    let walked = walk(schema.view(), Encoding::Postcard, &mut Reader::new(&claimed), &mut budget);
    assert_eq!(walked.unwrap_err().fault, Fault::Budget);
}

#[test]
fn what_is_not_canonical_is_refused_where_it_stands() {
    fn fault<T: Described>(bytes: &[u8]) -> Malformed {
        let schema = StoredSchema::of::<T>().unwrap();
        check(schema.view(), Encoding::Postcard, bytes).unwrap_err().malformed
    }
    assert_eq!(fault::<u32>(&[0x80, 0x00]), Malformed::new(Fault::Range, 0));
    assert_eq!(fault::<u16>(&[0xff, 0xff, 0x04]), Malformed::new(Fault::Range, 0));
    assert_eq!(fault::<(u8, bool)>(&[1, 2]), Malformed::new(Fault::Range, 1));
    assert_eq!(fault::<Option<u8>>(&[2, 0]), Malformed::new(Fault::Range, 0));
    assert_eq!(fault::<char>(&[2, b'a', b'b']), Malformed::new(Fault::Range, 0));
    assert_eq!(fault::<String>(&[1, 0xff]), Malformed::new(Fault::Utf8, 0));
    assert_eq!(fault::<Event>(&[4]), Malformed::new(Fault::Range, 0));
    assert_eq!(fault::<Vec<u8>>(&[3, 1, 2]), Malformed::new(Fault::End, 1));
    assert_eq!(fault::<u8>(&[1, 1]), Malformed::new(Fault::Trailing, 1));
    let schema = StoredSchema::of::<char>().unwrap();
    let surrogate = check(schema.view(), Encoding::Fixed, &[0, 0xd8, 0, 0]).unwrap_err();
    assert_eq!(surrogate.malformed, Malformed::new(Fault::Range, 0));
}

#[test]
fn serde_attributes_that_the_schema_does_not_see_are_found_and_named() {
    #[derive(Serialize, Described)]
    struct Outer {
        count: u8,
        inner: Inner,
    }
    #[derive(Serialize, Described)]
    struct Inner {
        #[serde(skip)]
        cache: String,
        text: String,
    }
    let value = Outer { count: 1, inner: Inner { cache: "c".into(), text: "text".into() } };
    let schema = StoredSchema::of::<Outer>().unwrap();
    let bytes = bytes(&value, Encoding::Postcard);
    let error = check(schema.view(), Encoding::Postcard, &bytes).unwrap_err();
    assert_eq!(error.to_string(), "not as its schema says in inner.text: unexpected end at byte 6");
}

#[test]
fn a_walk_takes_no_more_than_its_budget() {
    let schema = StoredSchema::of::<Vec<u8>>().unwrap();
    let bytes = bytes(&Vec::from([7u8; 10]), Encoding::Postcard);
    let mut budget = Budget { bytes: 10, ..Budget::of_row(11) };
    let mut reader = Reader::new(&bytes);
    let error = walk(schema.view(), Encoding::Postcard, &mut reader, &mut budget).unwrap_err();
    assert_eq!((error.fault, reader.offset()), (Fault::Budget, 0));
    budget.bytes = 30;
    walk(schema.view(), Encoding::Postcard, &mut reader, &mut budget).unwrap();
    assert_eq!(budget.bytes, 19);
}

#[test]
fn a_row_of_plain_numbers_is_walked_in_one_step_and_others_part_by_part() {
    let mut budget = Budget { fuel: 0, ..Budget::of_row(16) };
    let numbers = StoredSchema::of::<(u64, [i16; 4])>().unwrap();
    let mut reader = Reader::new(&[0xff; 16]);
    walk(numbers.view(), Encoding::Fixed, &mut reader, &mut budget).unwrap();
    assert_eq!((reader.offset(), budget.bytes), (16, 0));
    let mixed = StoredSchema::of::<(u64, bool)>().unwrap();
    let mut reader = Reader::new(&[0xff; 9]);
    let error = walk(mixed.view(), Encoding::Fixed, &mut reader, &mut Budget::of_row(9));
    assert_eq!(error.unwrap_err(), Malformed::new(Fault::Range, 8));
}

/// A reader takes a step for each part, and a few bytes must not claim a great many.
#[test]
fn a_row_of_more_parts_than_bytes_is_walked_part_by_part() {
    let units = [(); 63].map(|()| StoredSchema::leaf(Leaf::Unit));
    let byte = StoredSchema::leaf(Leaf::U8);
    let steps = |parts: &[StoredSchema]| {
        let rows = StoredSchema::tuple(parts).unwrap();
        let (mut reader, granted) = (Reader::new(&[0xff]), Budget::of_row(1));
        let mut left = granted;
        walk(rows.view(), Encoding::Fixed, &mut reader, &mut left).unwrap();
        granted.fuel - left.fuel
    };
    let with = |count: usize| [&units[..count], core::slice::from_ref(&byte)].concat();
    assert_eq!(steps(&with(62)), 0);
    assert_eq!(steps(&with(63)), 65);
    let empty = StoredSchema::tuple(&units[..1]).unwrap();
    assert_eq!(empty.view().any_bytes(), None);
}

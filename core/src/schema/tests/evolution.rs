//! What a type may become between one version of a program and the next.

// The two versions of a type stand in modules of their own.
#![allow(unreachable_pub)]

use alloc::boxed::Box;
use alloc::vec;
use core::fmt;
use core::net::{IpAddr, SocketAddr, SocketAddrV4};
use core::time::Duration;

use serde::de::{DeserializeOwned, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};

use super::*;

/// Writes `value` and reads it as an `R`, in every encoding it has; what is told of the two types
/// beforehand must foretell what comes of it.
fn read<W, R>(value: &W) -> Result<R, DecodeError>
where
    W: Serialize + Described,
    R: DeserializeOwned + Described + PartialEq + Debug,
{
    let writer = StoredSchema::of::<W>().unwrap();
    let reader = StoredSchema::of::<R>().unwrap();
    let outcome = read_as(&writer, value, Encoding::Postcard);
    if writer.view().encoding() == Encoding::Fixed {
        let fixed = read_as::<_, R>(&writer, value, Encoding::Fixed);
        assert_eq!(outcome.as_ref().ok(), fixed.as_ref().ok());
    }
    match compare_type(writer.view(), reader.view(), TypeProbe::of::<R>()) {
        Ok(Compatibility::Same) => {
            let bytes = bytes(value, Encoding::Postcard);
            let direct: R = decode(Encoding::Postcard, &mut Reader::new(&bytes)).unwrap();
            assert!(outcome.is_err() || outcome == Ok(direct));
        }
        Ok(Compatibility::Evolved) => match &outcome {
            Ok(_) => {}
            // What only the value can tell.
            Err(DecodeError { refusal: Refusal::UnknownVariant | Refusal::Value(_), .. }) => {}
            Err(error) => panic!("allowed, but read: {error}"),
        },
        Err(Incompatible { path, refusal }) => {
            let refused = outcome.as_ref().map_err(|error| (error.path, error.refusal.clone()));
            assert_eq!(refused.err(), Some((path, refusal)));
        }
    }
    outcome
}

fn read_as<W, R>(writer: &StoredSchema, value: &W, encoding: Encoding) -> Result<R, DecodeError>
where
    W: Serialize,
    R: DeserializeOwned,
{
    let mut bytes = bytes(value, encoding);
    assert_eq!(check(writer.view(), encoding, &bytes), Ok(()));
    bytes.push(0xee);
    let mut reader = Reader::new(&bytes);
    let outcome = decode_as(writer.view(), encoding, &mut reader);
    let rest: &[u8] = if outcome.is_ok() { &[0xee] } else { &bytes };
    assert_eq!(reader.rest(), rest);
    outcome
}

fn compared<W: Described, R: Described>() -> Result<Compatibility, Incompatible> {
    let writer = StoredSchema::of::<W>().unwrap();
    compare(writer.view(), StoredSchema::of::<R>().unwrap().view())
}

/// Two versions of a type, a value of the first, and what it is read as.
macro_rules! evolution {
    ($($name:ident: { $($old:item)* } to { $($new:item)* } $value:expr => $expected:expr;)*) => {
        $(#[test]
        fn $name() {
            mod old {
                use super::*;
                $(#[derive(Clone, Debug, Deserialize, Described, PartialEq, Serialize)] $old)*
            }
            mod new {
                use super::*;
                $(#[derive(Clone, Debug, Deserialize, Described, PartialEq, Serialize)] $new)*
            }
            let value: old::T = { use old::*; $value };
            let expected: Result<new::T, &str> = {
                #[allow(unused_imports)]
                use new::*;
                $expected
            };
            let outcome = read::<old::T, new::T>(&value).map_err(|error| error.to_string());
            assert_eq!(outcome, expected.map_err(String::from));
        })*
    };
}

evolution! {
    fields_may_be_reordered:
        { pub struct T { pub a: u8, pub b: i16 } } to { pub struct T { pub b: i16, pub a: u8 } }
        T { a: 1, b: -2 } => Ok(T { b: -2, a: 1 });
    a_field_may_be_dropped:
        { pub struct T { pub a: String, pub b: Vec<u8> } } to { pub struct T { pub b: Vec<u8> } }
        T { a: "x".into(), b: vec![1] } => Ok(T { b: vec![1] });
    a_field_may_be_added_with_a_default:
        { pub struct T { pub a: u8 } }
        to { pub struct T { pub a: u8, #[serde(default)] pub b: String } }
        T { a: 1 } => Ok(T { a: 1, b: String::new() });
    an_added_option_needs_no_attribute:
        { pub struct T { pub a: u8 } } to { pub struct T { pub a: u8, pub b: Option<String> } }
        T { a: 1 } => Ok(T { a: 1, b: None });
    a_field_added_without_a_default_is_refused:
        { pub struct T { pub a: u8 } } to { pub struct T { pub a: u8, pub b: u8 } }
        T { a: 1 } => Err("no field `b` is stored, give it serde(default) or serde(alias) (byte 1)");
    a_field_may_be_renamed_by_alias:
        { pub struct T { pub count: u8 } } to { pub struct T { #[serde(alias = "count")] pub total: u8 } }
        T { count: 7 } => Ok(T { total: 7 });
    integers_may_become_wider:
        { pub struct T { pub a: u8, pub b: i16, pub c: u64, pub d: u32 } }
        to { pub struct T { pub a: u16, pub b: i64, pub c: u128, pub d: i128 } }
        T { a: 255, b: -3, c: u64::MAX, d: u32::MAX }
        => Ok(T { a: 255, b: -3, c: u64::MAX.into(), d: u32::MAX.into() });
    integers_may_not_become_narrower:
        { pub struct T { pub a: u16 } } to { pub struct T { pub a: u8 } }
        T { a: 1 } => Err("a: what is stored as u16 cannot become u8 (byte 0)");
    an_integer_may_not_lose_its_sign:
        { pub struct T { pub a: i8 } } to { pub struct T { pub a: u64 } }
        T { a: 1 } => Err("a: what is stored as i8 cannot become u64 (byte 0)");
    an_unsigned_integer_needs_room_for_a_sign:
        { pub struct T { pub a: u32 } } to { pub struct T { pub a: i32 } }
        T { a: 1 } => Err("a: what is stored as u32 cannot become i32 (byte 0)");
    floats_may_become_wider:
        { pub struct T(pub f32, pub u8); } to { pub struct T(pub f64, pub u8); }
        T(0.5, 1) => Ok(T(0.5, 1));
    an_integer_does_not_become_a_float:
        { pub struct T { pub a: u32 } } to { pub struct T { pub a: f64 } }
        T { a: 1 } => Err("a: what is stored as u32 cannot become f64 (byte 0)");
    a_number_does_not_become_text:
        { pub struct T { pub a: u32 } } to { pub struct T { pub a: String } }
        T { a: 1 } => Err("a: what is stored as u32 cannot become String (byte 1)");
    a_value_may_become_an_option:
        { pub struct T { pub a: u32 } } to { pub struct T { pub a: Option<u64> } }
        T { a: 1 } => Ok(T { a: Some(1) });
    an_option_may_not_become_a_value:
        { pub struct T { pub a: Option<u8> } } to { pub struct T { pub a: u8 } }
        T { a: Some(1) } => Err("a: what is stored as option cannot become u8 (byte 0)");
    a_newtype_may_be_put_on:
        { pub struct T { pub a: u32 } }
        to { pub struct T { pub a: Id } pub struct Id(pub u32); }
        T { a: 1 } => Ok(T { a: Id(1) });
    a_newtype_may_be_taken_off:
        { pub struct T { pub a: Id } pub struct Id(pub Name); pub struct Name(pub String); }
        to { pub struct T { pub a: String } }
        T { a: Id(Name("n".into())) } => Ok(T { a: "n".into() });
    variants_may_be_added_and_reordered:
        { pub enum T { A, B { x: u8 }, C(u8, bool), D(u16) } }
        to { pub enum T { New, D(u32), C(u8, bool), B { x: u64, #[serde(default)] y: bool }, A } }
        T::B { x: 7 } => Ok(T::B { x: 7, y: false });
    a_tuple_variant_keeps_its_place:
        { pub enum T { A, C(u8, bool) } } to { pub enum T { C(u16, bool), A } }
        T::C(1, true) => Ok(T::C(1, true));
    a_variant_may_be_renamed_by_alias:
        { pub enum T { Old(u8), Z } } to { pub enum T { #[serde(alias = "Old")] New(u8), Z } }
        T::Old(3) => Ok(T::New(3));
    a_removed_variant_is_refused:
        { pub enum T { A, B { x: u8 } } } to { pub enum T { A } }
        T::B { x: 1 } => Err("B: the type has no such variant, keep it or give one serde(alias) (byte 1)");
    a_variant_may_not_lose_its_data:
        { pub enum T { A(u8), B } } to { pub enum T { A, B } }
        T::A(1) => Err("A: what is stored as u8 cannot become a variant without data (byte 1)");
    the_place_of_a_deep_mismatch_is_named:
        {
            pub struct T { pub trips: Vec<Trip> }
            pub struct Trip { pub delay: Delay }
            pub enum Delay { Known { minutes: i64 } }
        } to {
            pub struct T { pub trips: Vec<Trip> }
            pub struct Trip { pub delay: Delay }
            pub enum Delay { Known { minutes: i32 } }
        }
        T { trips: vec![Trip { delay: Delay::Known { minutes: 4 } }] }
        => Err("trips.delay.Known.minutes: what is stored as i64 cannot become i32 (byte 2)");
    tuples_keep_their_length:
        { pub struct T(pub (u8, bool)); } to { pub struct T(pub (u8, bool, u8)); }
        T((1, true)) => Err("another number of elements is stored (byte 0)");
    an_array_may_become_a_list:
        { pub struct T { pub a: [u16; 3] } } to { pub struct T { pub a: Vec<u32> } }
        T { a: [1, 2, 3] } => Ok(T { a: vec![1, 2, 3] });
    a_list_does_not_become_an_array:
        { pub struct T { pub a: Vec<u8> } } to { pub struct T { pub a: [u8; 2] } }
        T { a: vec![1, 2] } => Err("a: what is stored as sequence cannot become tuple (byte 0)");
    elements_and_pairs_evolve:
        { pub struct T { pub a: Vec<u8>, pub b: BTreeMap<u8, u8> } }
        to { pub struct T { pub b: BTreeMap<u32, Option<i16>>, pub a: Vec<u64> } }
        T { a: vec![9], b: [(1, 2)].into() } => Ok(T { b: [(1, Some(2))].into(), a: vec![9] });
    unknown_fields_may_be_denied:
        { pub struct T { pub a: u8, pub b: u8 } }
        to { #[serde(deny_unknown_fields)] pub struct T { pub a: u8 } }
        T { a: 1, b: 2 } => Err("b: the type denies fields it does not know (byte 1)");
    what_a_field_drops_is_skipped_whole:
        { pub struct T { pub gone: BTreeMap<String, Vec<Option<char>>>, pub kept: u8 } }
        to { pub struct T { pub kept: u8 } }
        T { gone: [("k".into(), vec![Some('c'), None])].into(), kept: 5 } => Ok(T { kept: 5 });
    types_of_the_standard_library_evolve_inside:
        {
            pub struct T {
                pub ip: IpAddr,
                pub to: SocketAddrV4,
                pub wait: Duration,
                pub end: Result<u8, u8>,
            }
        } to {
            pub struct T {
                pub end: Result<u16, u8>,
                pub wait: Duration,
                pub to: SocketAddrV4,
                pub ip: IpAddr,
            }
        }
        T {
            ip: [1, 2, 3, 4].into(),
            to: SocketAddrV4::new([5; 4].into(), 80),
            wait: Duration::from_millis(1),
            end: Ok(3),
        } => Ok(T {
            end: Ok(3),
            wait: Duration::from_millis(1),
            to: SocketAddrV4::new([5; 4].into(), 80),
            ip: [1, 2, 3, 4].into(),
        });
}

#[test]
fn comparing_tells_what_can_never_be_read() {
    assert_eq!(compared::<Trip, Trip>(), Ok(Compatibility::Same));
    assert_eq!(compared::<Id, u64>(), Ok(Compatibility::Same));
    assert_eq!(compared::<u32, u64>(), Ok(Compatibility::Evolved));
    assert_eq!(compared::<(u8, u8), [u8; 2]>(), Ok(Compatibility::Same));
    assert_eq!(
        compared::<Vec<Event>, Vec<Point>>().unwrap_err().to_string(),
        "what is stored as enum cannot become struct"
    );
}

fn probed<W: Described, R: DeserializeOwned>() -> Probed {
    TypeProbe::of::<R>().ask(StoredSchema::of::<W>().unwrap().view())
}

#[test]
fn a_type_tells_without_a_value_what_it_never_reads() {
    #[derive(Deserialize, Described, Serialize)]
    enum Sort {
        Gone,
        Kept(u8),
        Deep(Vec<Point>),
    }
    mod later {
        use super::*;
        #[derive(Deserialize)]
        pub enum Sort {
            Kept(u16),
            Deep(Vec<Point>),
        }
        #[derive(Deserialize)]
        pub struct Point {
            pub x: i64,
            pub z: u8,
        }
        #[derive(Deserialize)]
        pub struct Holder {
            pub first: core::num::NonZeroU8,
            pub sort: Sort,
            pub none: core::marker::PhantomData<u8>,
        }
    }
    let never = |probed: Probed| match probed.verdict {
        Verdict::Never(incompatible) => incompatible.to_string(),
        verdict => panic!("{verdict:?}"),
    };
    assert_eq!(
        never(probed::<(Sort, Sort), (later::Sort, later::Sort)>()),
        "Deep: no field `z` is stored, give it serde(default) or serde(alias)"
    );
    assert_eq!(
        never(probed::<Vec<Event>, Result<u8, u8>>()),
        "what is stored as sequence cannot become Result"
    );
    assert_eq!(
        never(probed::<Vec<Event>, Vec<Result<u8, u8>>>()),
        "Idle: the type has no such variant, keep it or give one serde(alias)"
    );
    let missing = StoredSchema::fields([("first", &StoredSchema::leaf(Leaf::U8))]).unwrap();
    let probe = TypeProbe::of::<later::Holder>();
    assert_eq!(
        never(probe.ask(missing.view())),
        "no field `sort` is stored, give it serde(default) or serde(alias)"
    );
}

#[test]
fn a_type_tells_which_fields_and_variants_it_passes_over() {
    #[derive(Deserialize, Described, Serialize)]
    enum Sort {
        Gone,
        Kept { a: u8, b: Option<(u8, bool)> },
    }
    mod later {
        use super::*;
        #[derive(Deserialize)]
        pub enum Sort {
            Kept { a: u8 },
        }
    }
    type Both = (u8, BTreeMap<u8, Sort>);
    let probed = probed::<Both, (u8, BTreeMap<u8, later::Sort>)>();
    assert_eq!(probed.verdict, Verdict::Reads);
    assert_eq!(probed.dropped.map(|path| path.to_string()), Some("Kept.b".into()));
    assert_eq!(probed.unknown.map(|path| path.to_string()), Some("Gone".into()));
    let own = self::probed::<Both, Both>();
    assert_eq!(own, Probed { verdict: Verdict::Reads, dropped: None, unknown: None, merged: None });
}

#[test]
fn a_type_that_takes_some_values_only_is_told_by_its_schema() {
    /// A number that is stored as text.
    #[derive(Debug)]
    struct Even(#[allow(dead_code)] u64);
    impl<'de> Deserialize<'de> for Even {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let text = String::deserialize(deserializer)?;
            let number = text.parse().ok().filter(|number| number % 2 == 0);
            number.map(Self).ok_or(serde::de::Error::custom("odd"))
        }
    }
    impl Described for Even {
        const SCHEMA: &'static DataModelType = String::SCHEMA;
    }
    #[derive(Deserialize, Described)]
    struct Holder {
        a: Even,
        b: u16,
    }
    let holder = |b: Leaf| {
        let (a, b) = (StoredSchema::leaf(Leaf::String), StoredSchema::leaf(b));
        StoredSchema::fields([("b", &b), ("a", &a)]).unwrap()
    };
    let own = StoredSchema::of::<Holder>().unwrap();
    let told =
        |stored: &StoredSchema| compare_type(stored.view(), own.view(), TypeProbe::of::<Holder>());
    assert_eq!(TypeProbe::of::<Holder>().ask(own.view()).verdict, Verdict::Depends);
    assert_eq!(told(&holder(Leaf::U8)), Ok(Compatibility::Evolved));
    assert_eq!(
        told(&holder(Leaf::U32)).unwrap_err().to_string(),
        "b: what is stored as u32 cannot become u16"
    );
}

#[test]
fn asking_ends_whatever_the_schema() {
    let byte = StoredSchema::leaf(Leaf::U8);
    let names: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
    let wide = StoredSchema::variants(names.iter().map(|name| (name.as_str(), &byte))).unwrap();
    let deep = (0..20).try_fold(wide.clone(), |deep, _| StoredSchema::tuple([&deep; 2])).unwrap();
    let fields = names.iter().take(10).map(|name| (name.as_str(), &wide));
    let fields = StoredSchema::fields(fields).unwrap();
    let verdict = |schema: &StoredSchema| TypeProbe::of::<Any>().ask(schema.view()).verdict;
    assert_eq!((verdict(&wide), verdict(&deep)), (Verdict::Reads, Verdict::Reads));
    // Ten times a thousand variants, in each round ten enums of a thousand.
    assert_eq!(verdict(&fields), Verdict::Depends);
}

#[test]
fn a_rename_that_the_derive_does_not_see_needs_an_alias() {
    #[derive(Debug, Deserialize, Described, PartialEq, Serialize)]
    struct Unseen {
        #[serde(rename = "short")]
        long: u8,
    }
    #[derive(Debug, Deserialize, Described, PartialEq, Serialize)]
    struct Aliased {
        #[serde(rename = "short", alias = "long")]
        long: u8,
    }
    let writer = StoredSchema::of::<Unseen>().unwrap();
    assert_eq!(writer.to_string(), "{ long: u8 }");
    assert_eq!(decode(Encoding::Fixed, &mut Reader::new(&[3])), Ok(Unseen { long: 3 }));
    let outcome = read::<_, Unseen>(&Unseen { long: 3 });
    assert_eq!(outcome.unwrap_err().refusal, Refusal::Absent("short"));
    assert_eq!(read(&Unseen { long: 3 }), Ok(Aliased { long: 3 }));
}

#[test]
fn a_schema_that_a_library_got_wrong_is_found() {
    // The schema has a flow and a scope, which serde does not write.
    let address: SocketAddr = ([5u16; 8], 80).into();
    let schema = StoredSchema::of::<SocketAddr>().unwrap();
    let row = bytes(&address, Encoding::Postcard);
    let error = check(schema.view(), Encoding::Postcard, &row).unwrap_err();
    assert_eq!(
        error.to_string(),
        "not as its schema says in V6.flowinfo: unexpected end at byte 18"
    );
}

#[test]
fn a_type_that_holds_itself_ends_in_an_error() {
    #[derive(Debug, Deserialize)]
    struct Endless(#[allow(dead_code)] Option<Box<Self>>);
    let schema = StoredSchema::leaf(Leaf::U8);
    let outcome = decode_as::<Endless>(schema.view(), Encoding::Fixed, &mut Reader::new(&[1]));
    assert_eq!(outcome.unwrap_err().refusal, Refusal::Malformed(Fault::Budget));
}

#[test]
fn a_key_of_any_fields_reads_as_one_type() {
    let text = StoredSchema::leaf(Leaf::String);
    let schema = StoredSchema::fields([("origin", &text), ("carrier", &text)]).unwrap();
    let row = bytes(&("JFK", "AA"), Encoding::Postcard);
    let read =
        |reader: &mut Reader<'_>| decode_as::<Any>(schema.view(), Encoding::Postcard, reader);
    let text = |text: &str| Any::Text(text.into());
    let expected = vec![(text("origin"), text("JFK")), (text("carrier"), text("AA"))];
    assert_eq!(read(&mut Reader::new(&row)), Ok(Any::Pairs(expected)));
    let cells = decode_as::<Vec<String>>(schema.view(), Encoding::Postcard, &mut Reader::new(&row));
    assert_eq!(cells.unwrap(), ["JFK", "AA"]);
    let cells: BTreeMap<String, &str> =
        decode_as(schema.view(), Encoding::Postcard, &mut Reader::new(&row)).unwrap();
    assert_eq!(cells["carrier"], "AA");
}

#[test]
fn bytes_and_lists_of_bytes_read_as_each_other() {
    let bytes = StoredSchema::leaf(Leaf::Bytes);
    let list = StoredSchema::of::<Vec<u8>>().unwrap();
    assert_eq!(compare(bytes.view(), list.view()), Ok(Compatibility::Evolved));
    assert_eq!(compare(list.view(), bytes.view()), Ok(Compatibility::Evolved));
    let row = [2, 7, 8];
    let read = decode_as::<Vec<u8>>(bytes.view(), Encoding::Postcard, &mut Reader::new(&row));
    assert_eq!(read, Ok(vec![7, 8]));
    let mut reader = Reader::new(&row);
    let read = decode_as::<&[u8]>(list.view(), Encoding::Postcard, &mut reader);
    assert_eq!((read, reader.offset()), (Ok(&[7, 8][..]), 3));
}

#[test]
fn errors_do_not_show_what_is_stored() {
    #[derive(Debug, Deserialize)]
    struct T {
        #[allow(dead_code)]
        name: core::num::NonZeroU8,
    }
    let schema = StoredSchema::fields([("name", &StoredSchema::leaf(Leaf::U8))]).unwrap();
    let outcome = decode_as::<T>(schema.view(), Encoding::Fixed, &mut Reader::new(&[0]));
    let words = outcome.unwrap_err().to_string();
    assert_eq!(words, "name: this integer is not a nonzero u8 (byte 1)");
}

proptest! {
    #[test]
    fn a_type_reads_itself_by_its_schema(trip in trip(), point in point()) {
        let writer = StoredSchema::of::<Trip>().unwrap();
        assert_eq!(read_as(&writer, &trip, Encoding::Postcard), Ok(trip));
        let writer = StoredSchema::of::<Point>().unwrap();
        for encoding in [Encoding::Fixed, Encoding::Postcard] {
            assert_eq!(read_as(&writer, &point, encoding).as_ref(), Ok(&point));
        }
    }

    #[test]
    fn whatever_is_stored_describes_itself(trip in trip()) {
        let writer = StoredSchema::of::<Trip>().unwrap();
        let Any::Pairs(fields) = read_as(&writer, &trip, Encoding::Postcard).unwrap() else {
            panic!("a struct is a map")
        };
        assert_eq!(fields[0], (Any::Text("id".into()), Any::Number(trip.id.0.into())));
        let Any::List(events) = &fields[1].1 else { panic!("a list") };
        assert_eq!(events.len(), trip.events.len());
    }

    #[test]
    fn any_bytes_read_by_any_schema_end(
        schema in proptest::collection::vec(schema_byte(), 0..24),
        row in proptest::collection::vec(any::<u8>(), 0..32),
    ) {
        let Ok(schema) = Schema::parse(&schema) else { return Ok(()) };
        for encoding in [Encoding::Fixed, Encoding::Postcard] {
            let mut reader = Reader::new(&row);
            let mut budget = Budget::of_row(row.len());
            if walk(schema, encoding, &mut reader, &mut budget).is_ok() {
                let mut again = Reader::new(&row);
                decode_as::<Any>(schema, encoding, &mut again).unwrap();
                assert_eq!(again.offset(), reader.offset());
            }
        }
    }
}

/// Whatever is stored.
#[derive(Clone, Debug, PartialEq)]
enum Any {
    Bool(bool),
    Bytes(Vec<u8>),
    Char(char),
    Float(f64),
    List(Vec<Self>),
    None,
    Number(i128),
    Pairs(Vec<(Self, Self)>),
    Text(String),
    Unit,
    Variant(String),
}

impl<'de> Deserialize<'de> for Any {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyVisitor)
    }
}

struct AnyVisitor;

macro_rules! visit {
    ($($method:ident($type:ty) $make:expr;)*) => {
        $(fn $method<E>(self, value: $type) -> Result<Any, E> {
            Ok($make(value))
        })*
    };
}

impl<'de> Visitor<'de> for AnyVisitor {
    type Value = Any;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    visit! {
        visit_bool(bool) Any::Bool;
        visit_char(char) Any::Char;
        visit_f32(f32) |value| Any::Float(f64::from(value));
        visit_f64(f64) Any::Float;
        visit_i64(i64) |value| Any::Number(i128::from(value));
        visit_u64(u64) |value| Any::Number(i128::from(value));
        visit_i128(i128) Any::Number;
        visit_u128(u128) |value| Any::Number(value as i128);
        visit_str(&str) |value: &str| Any::Text(value.into());
        visit_bytes(&[u8]) |value: &[u8]| Any::Bytes(value.into());
    }

    fn visit_unit<E>(self) -> Result<Any, E> {
        Ok(Any::Unit)
    }

    fn visit_none<E>(self) -> Result<Any, E> {
        Ok(Any::None)
    }

    fn visit_some<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Any, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Any, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = seq.next_element()? {
            list.push(element);
        }
        Ok(Any::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Any, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Any::Pairs(pairs))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Any, A::Error> {
        let (name, variant) = data.variant::<String>()?;
        variant.newtype_variant::<Any>()?;
        Ok(Any::Variant(name))
    }
}

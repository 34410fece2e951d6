//! Options, newtypes, tuples, arrays, lists and maps.

use std::collections::{BTreeMap, BTreeSet};

use holdwater::state::Backend;
use postcard_schema_ng::Schema;
use serde::{Deserialize, Serialize};

use super::{Make, Outcome, evolve, pairs};

pairs! {
    /// 121: what was stored is there.
    a_value_becomes_an_option:
        { pub struct T { pub a: u32, pub b: Vec<u8> } }
        to { pub struct T { pub a: Option<u64>, pub b: Option<Vec<u8>> } }
        T { a: 1, b: vec![2] } => Reads(T { a: Some(1), b: Some(vec![2]) });
    /// 125: there may be none.
    an_option_becomes_a_value:
        { pub struct T { pub a: Option<u8> } } to { pub struct T { pub a: u8 } }
        T { a: Some(1) } => Never("a: what is stored as option cannot become u8");
    /// 124: a newtype is what it holds.
    a_newtype_is_put_on:
        { pub struct T { pub a: u32 } }
        to { pub struct T { pub a: Id } pub struct Id(pub u32); }
        T { a: 1 } => Reads(T { a: Id(1) });
    /// 124: also where it is taken off.
    a_newtype_is_taken_off:
        { pub struct T { pub a: Id } pub struct Id(pub Name); pub struct Name(pub String); }
        to { pub struct T { pub a: String } }
        T { a: Id(Name("n".into())) } => Reads(T { a: "n".into() });
    /// 124: a tuple struct is a tuple.
    a_tuple_becomes_a_tuple_struct:
        { pub struct T { pub a: (u8, String) } }
        to { pub struct T { pub a: Pair } pub struct Pair(pub u8, pub String); }
        T { a: (1, "x".into()) } => Reads(T { a: Pair(1, "x".into()) });
    /// 135: elements are found by their place.
    elements_of_a_tuple_become_wider:
        { pub struct T(pub u8, pub String, pub i16); }
        to { pub struct T(pub u64, pub String, pub Option<i32>); }
        T(1, "x".into(), -1) => Reads(T(1, "x".into(), Some(-1)));
    /// 125: a tuple has no names that could have defaults.
    a_tuple_becomes_longer:
        { pub struct T(pub (u8, bool)); } to { pub struct T(pub (u8, bool, u8)); }
        T((1, true)) => Never("another number of elements is stored");
    /// 124: elements that are all alike are an array.
    a_tuple_becomes_an_array:
        { pub struct T { pub a: (u8, u8, u8) } } to { pub struct T { pub a: [u16; 3] } }
        T { a: (1, 2, 3) } => Reads(T { a: [1, 2, 3] });
    /// 125: the added element has no value.
    an_array_becomes_longer:
        { pub struct T { pub a: [u8; 2] } } to { pub struct T { pub a: [u8; 3] } }
        T { a: [1, 2] } => Never("a: another number of elements is stored");
    /// 121: its elements, in their order.
    an_array_becomes_a_list:
        { pub struct T { pub a: [u16; 3] } } to { pub struct T { pub a: Vec<u32> } }
        T { a: [1, 2, 3] } => Reads(T { a: vec![1, 2, 3] });
    /// 125: it may have any number of elements.
    a_list_becomes_an_array:
        { pub struct T { pub a: Vec<u8> } } to { pub struct T { pub a: [u8; 2] } }
        T { a: vec![1, 2] } => Never("a: what is stored as sequence cannot become tuple");
    /// 124: both are sequences.
    a_list_becomes_a_set:
        { pub struct T { pub a: Vec<u8> } } to { pub struct T { pub a: BTreeSet<u32> } }
        T { a: vec![2, 1, 2] } => Reads(T { a: [1, 2].into() });
    /// 129: elements are no pairs.
    a_list_becomes_a_map:
        { pub struct T { pub a: Vec<(u8, u8)> } }
        to { pub struct T { pub a: BTreeMap<u8, u8> } }
        T { a: vec![(1, 2)] } => Never("a: what is stored as sequence cannot become map");
    /// 129: pairs are no elements.
    a_map_becomes_a_list:
        { pub struct T { pub a: BTreeMap<u8, u8> } }
        to { pub struct T { pub a: Vec<(u8, u8)> } }
        T { a: [(1, 2)].into() } => Never("a: what is stored as map cannot become sequence");
    /// 121: both of a pair.
    keys_and_values_of_a_map_become_wider:
        { pub struct T { pub a: BTreeMap<u8, i8> } }
        to { pub struct T { pub a: BTreeMap<u32, Option<i16>> } }
        T { a: [(1, -2)].into() } => Reads(T { a: [(1, Some(-2))].into() });
    /// 129: one value is no list of one.
    a_value_becomes_a_list:
        { pub struct T { pub a: u8 } } to { pub struct T { pub a: Vec<u8> } }
        T { a: 1 } => Never("a: what is stored as u8 cannot become sequence");
    /// 124: fields in their order, as many as there are.
    a_struct_becomes_a_tuple:
        { pub struct T { pub a: Point } pub struct Point { pub x: u8, pub y: u16 } }
        to { pub struct T { pub a: (u8, u32) } }
        T { a: Point { x: 1, y: 2 } } => Reads(T { a: (1, 2) });
    /// 124: fields by their names.
    a_struct_becomes_a_map:
        { pub struct T { pub a: Point } pub struct Point { pub x: u8, pub y: u16 } }
        to { pub struct T { pub a: BTreeMap<String, u32> } }
        T { a: Point { x: 1, y: 2 } }
        => Reads(T { a: [("x".into(), 1), ("y".into(), 2)].into() });
    /// 135: the changes of what is inside are those of the whole.
    what_is_deep_inside_evolves:
        {
            pub struct T { pub a: Option<Vec<BTreeMap<u8, Id>>> }
            pub struct Id(pub Sort);
            pub enum Sort { One(Leaf), Other }
            pub struct Leaf { pub x: u8, pub gone: String }
        } to {
            pub struct T { pub a: Option<Vec<BTreeMap<u8, Id>>> }
            pub struct Id(pub Sort);
            pub enum Sort { Other, One(Leaf) }
            pub struct Leaf { #[serde(alias = "x")] pub y: u64, pub new: Option<u8> }
        }
        T { a: Some(vec![[(1, Id(Sort::One(Leaf { x: 2, gone: "g".into() })))].into()]) }
        => Reads(T { a: Some(vec![[(1, Id(Sort::One(Leaf { y: 2, new: None })))].into()]) });
    /// 125, 135: the worst of what is inside decides for the whole, and is named.
    what_is_deep_inside_is_refused_by_its_place:
        {
            pub struct T { pub trips: Vec<Option<Trip>> }
            pub struct Trip { pub delay: Delay }
            pub enum Delay { Unknown, Known { minutes: i64 } }
        } to {
            pub struct T { pub trips: Vec<Option<Trip>> }
            pub struct Trip { pub delay: Delay }
            pub enum Delay { Unknown, Known { minutes: i32 } }
        }
        T { trips: vec![None, Some(Trip { delay: Delay::Unknown })] }
        => Never("trips.delay.Known.minutes: what is stored as i64 cannot become i32");
}

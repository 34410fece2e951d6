//! Fields of structs.

use holdwater::state::Backend;
use postcard_schema_ng::Schema;
use serde::{Deserialize, Serialize};

use super::{Make, Outcome, evolve, pairs};

pairs! {
    /// 121, 135: fields are found by name.
    fields_are_reordered:
        { pub struct T { pub a: u8, pub b: i16 } }
        to { pub struct T { pub b: i16, pub a: u8 } }
        T { a: 1, b: -2 } => Reads(T { b: -2, a: 1 });
    /// 135, 136: a field that the type has no more is passed over.
    a_field_is_dropped:
        { pub struct T { pub a: String, pub b: Vec<u8> } } to { pub struct T { pub b: Vec<u8> } }
        T { a: "x".into(), b: vec![1] } => Reads(T { b: vec![1] });
    /// 135, 136: a field that was not stored has its default.
    a_field_is_added_with_a_default:
        { pub struct T { pub a: u8 } }
        to { pub struct T { pub a: u8, #[serde(default)] pub b: String } }
        T { a: 1 } => Reads(T { a: 1, b: String::new() });
    /// 135: a field that was not stored has the default that is given.
    a_field_is_added_with_a_default_of_its_own:
        { pub struct T { pub a: u8 } }
        to { pub struct T { pub a: u8, #[serde(default = "ten")] pub b: u32 } }
        T { a: 1 } => Reads(T { a: 1, b: 10 });
    /// 135: an option that was not stored is none.
    an_option_is_added:
        { pub struct T { pub a: u8 } } to { pub struct T { pub a: u8, pub b: Option<String> } }
        T { a: 1 } => Reads(T { a: 1, b: None });
    /// 125: a field that was not stored and has no default.
    a_field_is_added_without_a_default:
        { pub struct T { pub a: u8 } } to { pub struct T { pub a: u8, pub b: u8 } }
        T { a: 1 } => Never("no field `b` is stored, give it serde(default) or serde(alias)");
    /// 135: a field is found by the name that it had.
    a_field_is_renamed_with_an_alias:
        { pub struct T { pub count: u8, pub b: u8 } }
        to { pub struct T { #[serde(alias = "count")] pub total: u8, pub b: u8 } }
        T { count: 7, b: 1 } => Reads(T { total: 7, b: 1 });
    /// 125: a field of another name is another field.
    a_field_is_renamed_without_an_alias:
        { pub struct T { pub count: u8 } } to { pub struct T { pub total: u8 } }
        T { count: 7 }
        => Never("no field `total` is stored, give it serde(default) or serde(alias)");
    /// 125: with `rename` serde looks for a name that schemas do not have.
    a_field_is_renamed_by_rename:
        { pub struct T { pub count: u8, pub b: u8 } }
        to { pub struct T { #[serde(rename = "n")] pub count: u8 } }
        T { count: 7, b: 1 }
        => Never("no field `n` is stored, give it serde(default) or serde(alias)");
    /// 124: the name of a type is a note.
    a_type_is_renamed:
        { pub struct T { pub a: Inner } pub struct Inner { pub x: u8 } }
        to { pub struct T { pub a: Other } pub struct Other { pub x: u8 } }
        T { a: Inner { x: 1 } } => Reads(T { a: Other { x: 1 } });
    /// 135: all of it at once.
    fields_are_added_and_dropped_and_reordered:
        { pub struct T { pub a: u8, pub b: String, pub c: i32 } }
        to {
            pub struct T {
                #[serde(default)] pub new: Vec<u8>,
                pub c: i64,
                pub last: Option<u8>,
                pub a: u8,
            }
        }
        T { a: 1, b: "x".into(), c: -3 } => Reads(T { new: vec![], c: -3, last: None, a: 1 });
    /// 125: a type that denies what it does not know.
    unknown_fields_are_denied:
        { pub struct T { pub a: u8, pub b: u8 } }
        to { #[serde(deny_unknown_fields)] pub struct T { pub a: u8 } }
        T { a: 1, b: 2 } => Never("b: the type denies fields it does not know");
    /// 125: two fields that are stored cannot be one.
    two_fields_become_one:
        { pub struct T { pub a: u8, pub b: u8 } }
        to { pub struct T { #[serde(alias = "b")] pub a: u8 } }
        T { a: 1, b: 2 } => Never("field `a` is stored under two names");
}

const fn ten() -> u32 {
    10
}

//! Serde attributes by which a type is not written, or not read, as its schema says.

use core::fmt::Debug;
use std::collections::BTreeMap;

use holdwater::schema::Data;
use holdwater::state::{Backend, Descriptor};
use postcard_schema_ng::Schema;
use serde::{Deserialize, Serialize};

use super::job::Job;
use super::{Make, keeps, owner};

macro_rules! declined {
    ($(
        $(#[doc = $doc:literal])+
        $name:ident: { $($item:item)* } $value:expr => $words:literal;
    )*) => {
        $($(#[doc = $doc])+
        pub fn $name<B: Backend + 'static>(make: Make<B>) {
            #[allow(dead_code, unreachable_pub, reason = "what is written is all that counts")]
            mod types {
                use super::*;
                $(#[derive(Clone, Debug, Deserialize, PartialEq, Schema, Serialize)] $item)*
            }
            let value = { use types::*; $value };
            declines::<B, types::T>(make, value, $words);
        })*

        #[cfg(test)]
        pub(super) const PAIRS: &[(&str, &str)] = &[$((stringify!($name), "Declined"),)*
            ("a_type_that_is_written_as_another_declines_the_checkpoint", "Declined")];
    };
}

declined! {
    /// 134: the schema has a field that is not written.
    a_field_that_is_skipped_declines_the_checkpoint:
        { pub struct T { #[serde(skip)] pub cache: u32, pub b: u8 } }
        T { cache: 1, b: 2 } => "cache";
    /// 134: the schema has a struct where fields are.
    fields_that_are_flattened_decline_the_checkpoint:
        { pub struct T { pub a: u8, #[serde(flatten)] pub rest: BTreeMap<String, u8> } }
        T { a: 1, rest: [("x".into(), 2)].into() } => "sequence of unknown length";
    /// 134: serde does not look for the names that the schema has.
    fields_that_are_all_renamed_decline_the_checkpoint:
        { #[serde(rename_all = "camelCase")] pub struct T { pub first_leg: u8, pub b: u8 } }
        T { first_leg: 1, b: 2 } => "first_leg";
    /// 134: nor for this one.
    a_field_that_is_renamed_declines_the_checkpoint:
        { pub struct T { #[serde(rename = "n", default)] pub count: u8 } }
        T { count: 1 } => "count";
    /// 134: nor for that of a variant.
    a_variant_that_is_renamed_declines_the_checkpoint:
        { pub enum T { A, #[serde(rename = "b")] B(u8) } }
        T::B(1) => "B";
    /// 134: which variant it is, is not written.
    an_untagged_enum_declines_the_checkpoint:
        { #[serde(untagged)] pub enum T { A(u32), B { x: String } } }
        T::B { x: "long enough".into() } => "not as its schema says";
    /// 134: it is written as a struct.
    an_internally_tagged_enum_declines_the_checkpoint:
        { #[serde(tag = "sort")] pub enum T { A { a: u8 }, B { x: String } } }
        T::B { x: "x".into() } => "not as its schema says";
    /// 134: it is written as text.
    a_field_with_a_format_of_its_own_declines_the_checkpoint:
        { pub struct T { #[serde(with = "printed")] pub a: u32, pub b: String } }
        T { a: 123_456, b: "x".into() } => "not as its schema says";
}

/// 134: it is written as another type.
pub fn a_type_that_is_written_as_another_declines_the_checkpoint<B: Backend + 'static>(
    make: Make<B>,
) {
    #[derive(Clone, Debug, Deserialize, PartialEq, Schema, Serialize)]
    #[serde(into = "String", from = "String")]
    struct T {
        a: u8,
        b: Vec<u8>,
    }
    impl From<String> for T {
        fn from(text: String) -> Self {
            Self { a: 0, b: text.into() }
        }
    }
    impl From<T> for String {
        fn from(value: T) -> Self {
            format!("{} and {:?}", value.a, value.b)
        }
    }
    declines::<B, T>(make, T { a: 1, b: vec![2] }, "not as its schema says");
}

/// A number as text.
mod printed {
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::{Serialize, Serializer};

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    pub(super) fn serialize<S: Serializer>(number: &u32, serializer: S) -> Result<S::Ok, S::Error> {
        number.to_string().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(Error::custom)
    }
}

/// Stores a value of a type that the next checkpoint cannot have; the job goes on.
pub(super) fn declines<B, V>(make: Make<B>, value: V, words: &str)
where
    B: Backend + 'static,
    V: Data + PartialEq + Debug,
{
    let open = |store: &mut B| keeps(store, Descriptor::new("value"), Some(value.clone()));
    let mut job = Job::begin(make, &open, 1);
    if let Err(error) = owner(&mut job, 7).put(7) {
        // A store that writes each row finds out at once.
        assert!(error.to_string().contains(words), "{error}");
        return;
    }
    let reason = job.checkpoint().unwrap_err();
    assert!(reason.contains("state value") && reason.contains(words), "{reason}");
    owner(&mut job, 7).remove(7).unwrap();
    job.checkpoint().unwrap();
}

//! Variants of enums.

use holdwater::state::Backend;
use postcard_schema_ng::Schema;
use serde::{Deserialize, Serialize};

use super::{Make, Outcome, evolve, pairs};

pairs! {
    /// 121, 135: variants are found by name.
    variants_are_added_and_reordered:
        { pub enum T { A, B { x: u8 }, C(u8, bool), D(u16) } }
        to { pub enum T { New, D(u32), C(u8, bool), B { x: u64 }, A } }
        T::C(7, true) => Reads(T::C(7, true));
    /// 135: a variant is found by the name that it had.
    a_variant_is_renamed_with_an_alias:
        { pub enum T { Old(u8), Z } } to { pub enum T { Z, #[serde(alias = "Old")] New(u8) } }
        T::Old(3) => Reads(T::New(3));
    /// 125: a variant of another name is another variant, which rows may not have.
    a_variant_is_renamed_without_an_alias:
        { pub enum T { Old(u8), Z } } to { pub enum T { New(u8), Z } }
        T::Old(3) => Row("Old: the type has no such variant, keep it or give one serde(alias)");
    /// 135: a variant that is in no row is not missed.
    a_variant_that_no_row_has_is_removed:
        { pub enum T { A, B { x: u8 }, C } } to { pub enum T { C, A } }
        T::C => Reads(T::C);
    /// 125: only the rows can tell that they have it.
    a_variant_that_a_row_has_is_removed:
        { pub enum T { A, B { x: u8 } } } to { pub enum T { A } }
        T::B { x: 1 } => Row("B: the type has no such variant, keep it or give one serde(alias)");
    /// 124: `other` takes what is not known.
    a_removed_variant_becomes_another:
        { pub struct T { pub a: Sort } pub enum Sort { A, B, C } }
        to { pub struct T { pub a: Sort } pub enum Sort { A, #[serde(other)] Rest } }
        T { a: Sort::C } => Reads(T { a: Sort::Rest });
    /// 129: an enum of which no variant is left.
    all_variants_are_others:
        { pub enum T { A(u8), B } } to { pub enum T { Ok(u8), Err } }
        T::B => Never("A: the type has no such variant, keep it or give one serde(alias)");
    /// 135: as a struct does.
    a_variant_gets_a_field:
        { pub enum T { A, B { x: u8 } } }
        to { pub enum T { A, B { x: u8, #[serde(default)] y: bool, z: Option<u8> } } }
        T::B { x: 7 } => Reads(T::B { x: 7, y: false, z: None });
    /// 125: what it holds would be lost.
    a_variant_loses_its_data:
        { pub enum T { A(u8), B } } to { pub enum T { A, B } }
        T::B => Never("A: what is stored as u8 cannot become a variant without data");
    /// 125: what it is to hold is not there.
    a_variant_gets_data:
        { pub enum T { A, B } } to { pub enum T { A(u8), B } }
        T::B => Never("A: what is stored as () cannot become u8");
    /// 121: as other data does.
    the_data_of_a_variant_becomes_wider:
        { pub enum T { A(u8), B(u8, i8) } } to { pub enum T { A(Option<u16>), B(u32, i16) } }
        T::B(1, -1) => Reads(T::B(1, -1));
    /// 129: places have no names.
    the_data_of_a_variant_gets_named:
        { pub enum T { A(u8, u8), B } } to { pub enum T { A { x: u8, y: u8 }, B } }
        T::B => Never("A: what is stored as array cannot become a variant with fields");
    /// 129: a struct has no variants.
    a_struct_becomes_an_enum:
        { pub struct T { pub a: Inner } pub struct Inner { pub x: u8 } }
        to { pub struct T { pub a: Inner } pub enum Inner { X { x: u8 } } }
        T { a: Inner { x: 1 } } => Never("a: what is stored as struct cannot become Inner");
    /// 129: a variant is no field.
    an_enum_becomes_a_struct:
        { pub struct T { pub a: Inner } pub enum Inner { X { x: u8 } } }
        to { pub struct T { pub a: Inner } pub struct Inner { pub x: u8 } }
        T { a: Inner::X { x: 1 } } => Never("a: what is stored as enum cannot become Inner");
    /// 129: variants are no numbers.
    an_enum_becomes_a_number:
        { pub struct T { pub a: Sort } pub enum Sort { A, B } }
        to { pub struct T { pub a: u8 } }
        T { a: Sort::B } => Never("a: what is stored as enum cannot become u8");
}

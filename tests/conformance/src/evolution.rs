//! How state outlives the types that it was written with, on every store.
//!
//! A store's tests are one line: `evolution!(Heap::new);`. Each pair of an old and a new type is
//! written by two tasks, as a full checkpoint and as one with deltas, and restored by three tasks
//! of the new type: read, and read again from the checkpoint that these take, or refused, and then
//! where and with what words. docs/evolution.md says of each pair how it is done; the numbers are
//! those of docs/conformance.md.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

pub mod attributes;
pub mod fields;
pub mod keys;
pub mod kinds;
pub mod lifetimes;
pub mod map_fields;
pub mod numbers;
pub mod shapes;
pub mod variants;
pub mod versions;

mod erased;
mod job;

use core::fmt::Debug;
use core::ops::Range;

use holdwater::checkpoint::LoadFailure;
use holdwater::codec::encode;
use holdwater::key::{At, KeyGroups};
use holdwater::schema::{Data, StoredSchema};
use holdwater::state::{Backend, Description, Descriptor, Kind};
use postcard_schema_ng::Schema;
use postcard_schema_ng::schema::DataModelType;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, SerializeTuple, Serializer};

use self::erased::{Erased, Keeps, OneValue};
pub use self::job::Make;
use self::job::{Job, Open, Refused};

/// Makes a test of each pair of types on a store.
#[macro_export]
macro_rules! evolution {
    ($make:expr) => {
        $crate::evolution! { @tests $make;
            fields:
                fields_are_reordered,
                a_field_is_dropped,
                a_field_is_added_with_a_default,
                a_field_is_added_with_a_default_of_its_own,
                an_option_is_added,
                a_field_is_added_without_a_default,
                a_field_is_renamed_with_an_alias,
                a_field_is_renamed_without_an_alias,
                a_field_is_renamed_by_rename,
                a_type_is_renamed,
                fields_are_added_and_dropped_and_reordered,
                unknown_fields_are_denied,
                two_fields_become_one;
            numbers:
                unsigned_integers_become_wider,
                signed_integers_become_wider,
                unsigned_integers_become_wider_signed_ones,
                floats_become_wider,
                an_integer_becomes_narrower,
                an_integer_loses_its_sign,
                an_unsigned_integer_gets_a_sign_at_its_width,
                a_float_becomes_narrower,
                an_integer_becomes_a_float,
                a_bool_becomes_an_integer,
                a_number_becomes_text,
                text_becomes_a_number,
                a_number_becomes_text_by_a_function,
                text_becomes_a_char,
                a_type_takes_fewer_values,
                a_type_takes_fewer_values_of_its_schema;
            shapes:
                a_value_becomes_an_option,
                an_option_becomes_a_value,
                a_newtype_is_put_on,
                a_newtype_is_taken_off,
                a_tuple_becomes_a_tuple_struct,
                elements_of_a_tuple_become_wider,
                a_tuple_becomes_longer,
                a_tuple_becomes_an_array,
                an_array_becomes_longer,
                an_array_becomes_a_list,
                a_list_becomes_an_array,
                a_list_becomes_a_set,
                a_list_becomes_a_map,
                a_map_becomes_a_list,
                keys_and_values_of_a_map_become_wider,
                a_value_becomes_a_list,
                a_struct_becomes_a_tuple,
                a_struct_becomes_a_map,
                what_is_deep_inside_evolves,
                what_is_deep_inside_is_refused_by_its_place;
            variants:
                variants_are_added_and_reordered,
                a_variant_is_renamed_with_an_alias,
                a_variant_is_renamed_without_an_alias,
                a_variant_that_no_row_has_is_removed,
                a_variant_that_a_row_has_is_removed,
                a_removed_variant_becomes_another,
                all_variants_are_others,
                a_variant_gets_a_field,
                a_variant_loses_its_data,
                a_variant_gets_data,
                the_data_of_a_variant_becomes_wider,
                the_data_of_a_variant_gets_named,
                a_struct_becomes_an_enum,
                an_enum_becomes_a_struct,
                an_enum_becomes_a_number;
            attributes:
                a_field_that_is_skipped_declines_the_checkpoint,
                fields_that_are_flattened_decline_the_checkpoint,
                fields_that_are_all_renamed_decline_the_checkpoint,
                a_field_that_is_renamed_declines_the_checkpoint,
                a_variant_that_is_renamed_declines_the_checkpoint,
                an_untagged_enum_declines_the_checkpoint,
                an_internally_tagged_enum_declines_the_checkpoint,
                a_field_with_a_format_of_its_own_declines_the_checkpoint,
                a_type_that_is_written_as_another_declines_the_checkpoint;
            versions:
                a_type_without_a_schema_is_restored,
                an_older_version_is_migrated,
                an_older_version_inside_a_struct_is_migrated,
                each_older_version_is_migrated_by_its_own_function,
                a_version_without_a_migration_is_refused,
                a_newer_version_is_refused,
                a_migration_that_fails_is_refused,
                a_type_loses_its_schema,
                a_type_gets_a_schema,
                what_nests_too_deep_declines_the_checkpoint;
            keys:
                keys_that_become_wider_stay_in_their_groups,
                keys_that_become_wider_and_signed_stay_in_their_groups,
                keys_that_become_wider_than_a_word_move,
                keys_in_a_newtype_stay_in_their_groups,
                keys_whose_fields_are_reordered_move,
                keys_that_get_a_field_move,
                keys_of_two_parts_that_become_wider_move,
                windows_that_become_wider_are_found,
                keys_in_windows_that_become_wider_are_found,
                keys_with_variants_that_are_reordered_move,
                a_key_without_one_of_its_fields_is_refused,
                a_key_of_another_type_is_refused,
                a_key_whose_variants_become_one_is_refused,
                keys_that_become_one_are_refused,
                states_of_one_operator_keep_to_one_type_of_keys;
            kinds:
                states_of_every_kind_evolve,
                what_does_not_evolve_is_refused_in_states_of_every_kind;
            map_fields:
                fields_of_maps_become_wider,
                fields_of_maps_get_a_field,
                fields_of_maps_in_text_stay_as_they_are,
                a_map_field_without_one_of_its_fields_is_refused,
                a_map_field_of_another_type_is_refused,
                a_map_field_whose_variants_become_one_is_refused,
                map_fields_that_become_one_are_refused;
            lifetimes:
                what_is_given_a_time_to_live_begins_with_the_checkpoint,
                what_loses_its_time_to_live_is_kept_if_it_lived,
                what_expires_by_another_clock_begins_with_the_checkpoint,
                a_time_to_live_becomes_shorter,
                a_time_to_live_becomes_longer,
                a_time_to_live_needs_the_time_of_its_clock;
        }
    };
    (@tests $make:expr; $($room:ident: $($name:ident),+;)+) => {
        fn store(
            groups: $crate::holdwater::key::KeyGroups,
        ) -> impl $crate::holdwater::state::Backend {
            ($make)(groups)
        }

        $(mod $room {
            $(
                #[test]
                fn $name() {
                    $crate::evolution::$room::$name(super::store);
                }
            )+
        })+
    };
}

/// What comes of reading an old type's rows by a new type.
#[derive(Debug)]
pub(crate) enum Outcome<T> {
    /// They are this.
    Reads(T),
    /// They are refused before any row is read, in these words.
    Never(&'static str),
    /// The row is refused, in these words.
    Row(&'static str),
}

/// An old and a new type, a value of the old one, and what comes of it.
macro_rules! pairs {
    ($(
        $(#[doc = $doc:literal])+
        $name:ident: { $($old:item)* } to { $($new:item)* }
        $value:expr => $outcome:ident($expected:expr);
    )*) => {
        $($(#[doc = $doc])+
        pub fn $name<B: Backend + 'static>(make: Make<B>) {
            #[allow(unreachable_pub, reason = "the two versions stand in modules of their own")]
            mod old {
                use super::*;
                $(#[derive(Clone, Debug, Deserialize, PartialEq, Schema, Serialize)] $old)*
            }
            #[allow(unreachable_pub, reason = "the two versions stand in modules of their own")]
            mod new {
                use super::*;
                $(#[derive(Clone, Debug, Deserialize, PartialEq, Schema, Serialize)] $new)*
            }
            let value: old::T = { use old::*; $value };
            let outcome: Outcome<new::T> = Outcome::$outcome({
                #[allow(unused_imports, reason = "an outcome may be words")]
                use new::*;
                $expected
            });
            evolve(make, &value, &outcome);
        })*

        #[cfg(test)]
        pub(super) const PAIRS: &[(&str, &str)] =
            &[$((stringify!($name), stringify!($outcome)),)*];
    };
}

use pairs;

/// Writes `value` under some keys, and restores them as the new type.
fn evolve<B, O, N>(make: Make<B>, value: &O, outcome: &Outcome<N>)
where
    B: Backend + 'static,
    O: Data,
    N: Data + PartialEq + Debug,
{
    let schema = StoredSchema::of::<O>().unwrap();
    let mut value_bytes = Vec::new();
    encode(value, schema.view().encoding(), &mut value_bytes).unwrap();
    let old = Old { schema, value: Encoded(value_bytes) };
    let new = Descriptor::<u64, N>::new("value");
    match outcome {
        Outcome::Reads(expected) => {
            let open = |store: &mut B| keeps(store, new.clone(), Some(expected.clone()));
            reads(make, &old, &StoredSchema::of::<N>().unwrap(), &open);
        }
        Outcome::Never(words) => never(make, &old, &new.describe(Kind::Value).unwrap(), words),
        Outcome::Row(words) => {
            refused_by_row(make, &old, words, &|store: &mut B| keeps(store, new.clone(), None));
        }
    }
}

/// A value of the old type.
struct Old {
    schema: StoredSchema,
    value: Encoded,
}

impl Old {
    /// Opens a state of such values.
    fn open<B: Backend + 'static>(&self, store: &mut B) -> Result<One<B>, B::Error> {
        let descriptor = Descriptor::new("value").value_schema(self.schema.clone());
        keeps(store, descriptor, Some(self.value.clone()))
    }

    /// Takes a checkpoint of the value under some keys, or one with deltas, and returns which keys.
    fn written<B: Backend + 'static>(
        &self,
        make: Make<B>,
        deltas: bool,
    ) -> (Job<B, One<B>>, Range<u64>) {
        let mut job = Job::begin(make, &|store| self.open(store), 2);
        (0..12).for_each(|key| owner(&mut job, key).put(key).unwrap());
        job.checkpoint().unwrap();
        if !deltas {
            return (job, 0..12);
        }
        owner(&mut job, 0).remove(0).unwrap();
        (12..20).for_each(|key| owner(&mut job, key).put(key).unwrap());
        job.checkpoint().unwrap();
        (job, 1..20)
    }
}

/// A value as the old type encodes it: one type for all of them, which is not read.
#[derive(Clone, Debug, PartialEq)]
struct Encoded(Vec<u8>);

impl Schema for Encoded {
    const SCHEMA: &'static DataModelType = <Vec<u8>>::SCHEMA;
}

impl Serialize for Encoded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = serializer.serialize_tuple(self.0.len())?;
        self.0.iter().try_for_each(|byte| bytes.serialize_element(byte))?;
        bytes.end()
    }
}

impl<'de> Deserialize<'de> for Encoded {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom("only written"))
    }
}

/// Restores the rows as the new type, and again from the checkpoint that this takes.
fn reads<B>(make: Make<B>, old: &Old, own: &StoredSchema, open: &Open<'_, B, One<B>>)
where
    B: Backend + 'static,
{
    for deltas in [false, true] {
        let (job, keys) = old.written(make, deltas);
        let (mut later, restored) = job.restore(open, 3).unwrap();
        assert!(!restored.full, "keys stay where they are");
        check(&mut later, keys.clone());
        owner(&mut later, keys.end).put(keys.end).unwrap();
        later.checkpoint().unwrap();
        let state = &later.manifest().operators[0].states[0];
        assert_eq!(state.schema.value, own.bytes(), "what is written has the new schema");
        let is_same = old.schema.view().fingerprint() == own.view().fingerprint();
        assert!(is_same || later.is_full(), "no delta stands on rows of an older type");
        later.checkpoint().unwrap();
        let (mut last, _) = later.restore(open, 2).unwrap();
        check(&mut last, keys.start..keys.end + 1);
    }
}

/// Fails to restore the rows into a state that says of itself that it has values of the new type:
/// nothing is loaded into it.
fn never<B: Backend + 'static>(make: Make<B>, old: &Old, new: &Description, words: &str) {
    for deltas in [false, true] {
        let (job, _) = old.written(make, deltas);
        let open = |store: &mut B| {
            let says = Some(new.clone());
            old.open(store).map(|erased| Erased { says, ..erased })
        };
        let Refused { failure, rows } = *refused(job.restore(&open, 3));
        let LoadFailure::OtherType { operator, state, mismatch } = failure else {
            panic!("{failure}")
        };
        assert_eq!((&*operator, &*state, mismatch.piece), ("operator", "value", "value"));
        assert_eq!(mismatch.incompatible.to_string(), words);
        assert_eq!(rows, 0, "nothing is loaded");
    }
}

/// Fails to restore a row, and names it.
fn refused_by_row<B>(make: Make<B>, old: &Old, words: &str, open: &Open<'_, B, One<B>>)
where
    B: Backend + 'static,
{
    for deltas in [false, true] {
        let (job, _) = old.written(make, deltas);
        let failure = refused(job.restore(open, 3)).failure;
        let LoadFailure::Refused { section, error, .. } = failure else { panic!("{failure}") };
        let place = section.split(", ").collect::<Vec<_>>();
        assert_eq!(place[0], "part of state value");
        assert!(place[1].starts_with("key group ") && place[2].starts_with("row "));
        assert!(error.to_string().starts_with(words), "{error}");
    }
}

fn refused<T, E>(outcome: Result<T, E>) -> E {
    match outcome {
        Ok(_) => panic!("it is restored"),
        Err(refused) => refused,
    }
}

fn check<B: Backend + 'static>(job: &mut Job<B, One<B>>, keys: Range<u64>) {
    for key in keys.clone() {
        owner(job, key).check(key);
    }
    let states = job.tasks.iter_mut().flat_map(|task| task.task.states());
    let rows: u64 = states.map(|state| state.rows()).sum();
    assert_eq!(rows, keys.end - keys.start, "no other key has a row");
}

/// A task with one value state, whatever the type of its values.
type One<B> = Erased<dyn OneValue<Error = <B as Backend>::Error>>;

/// Opens a state that keeps `value`.
fn keeps<B, V>(
    store: &mut B,
    descriptor: Descriptor<'_, u64, V>,
    value: Option<V>,
) -> Result<One<B>, B::Error>
where
    B: Backend + 'static,
    V: Data + PartialEq + Debug,
{
    let task: Box<dyn OneValue<Error = B::Error>> =
        Box::new(Keeps { state: store.value(descriptor)?, value });
    Ok(task.into())
}

fn owner<B: Backend + 'static>(
    job: &mut Job<B, One<B>>,
    key: u64,
) -> &mut dyn OneValue<Error = B::Error> {
    &mut *job.owner(at(key).group()).task
}

fn at<'k>(key: u64) -> At<'k, u64> {
    KeyGroups::all(job::GROUPS).locate(key)
}

#[cfg(test)]
pub(crate) use self::tests::behaviours;

#[cfg(test)]
mod tests {
    use super::{attributes, fields, numbers, shapes, variants, versions};

    const DOCUMENT: &str = include_str!("../../../docs/evolution.md");
    const PAIRS: [(&str, &[(&str, &str)]); 6] = [
        ("attributes", attributes::PAIRS),
        ("fields", fields::PAIRS),
        ("numbers", numbers::PAIRS),
        ("shapes", shapes::PAIRS),
        ("variants", variants::PAIRS),
        ("versions", versions::PAIRS),
    ];
    const KEYS: [(&str, &str); 4] = [
        ("keys", include_str!("evolution/keys.rs")),
        ("kinds", include_str!("evolution/kinds.rs")),
        ("lifetimes", include_str!("evolution/lifetimes.rs")),
        ("map_fields", include_str!("evolution/map_fields.rs")),
    ];

    /// Returns each behaviour with its room.
    pub(crate) fn behaviours() -> impl Iterator<Item = (&'static str, &'static str)> {
        let pairs = PAIRS
            .into_iter()
            .flat_map(|(room, pairs)| pairs.iter().map(move |(name, _)| (room, *name)));
        let keys = KEYS.into_iter().flat_map(|(room, text)| {
            let names = text.lines().filter_map(|line| line.strip_prefix("pub fn "));
            names.filter_map(move |line| Some((room, line.split('<').next()?)))
        });
        pairs.chain(keys)
    }

    #[test]
    fn every_pair_is_listed_to_be_tested() {
        let macros = include_str!("evolution.rs");
        for (room, name) in behaviours() {
            let listed = |line: &str| line.trim().trim_end_matches([',', ';']) == name;
            assert!(macros.lines().any(listed), "{room}::{name} is in no list");
        }
    }

    #[test]
    fn the_document_has_a_row_for_every_pair_and_says_what_comes_of_it() {
        for (room, name) in behaviours() {
            let cell = format!("| `{room}::{name}` |");
            assert_eq!(DOCUMENT.matches(&cell).count(), 1, "{room}::{name}");
        }
        for (room, pairs) in PAIRS {
            for (name, outcome) in pairs {
                let row = DOCUMENT.lines().find(|row| row.contains(&format!("`{room}::{name}`")));
                let told = row.and_then(|row| row.split('|').nth(2)).unwrap_or_default().trim();
                let expected = match *outcome {
                    "Declined" => "declined",
                    "Never" => "refused",
                    "Reads" => "read",
                    _ => "refused by row",
                };
                assert_eq!(told, expected, "{room}::{name}");
            }
        }
        let rows = DOCUMENT.lines().filter(|row| row.starts_with('|') && row.contains("::"));
        assert_eq!(rows.count(), behaviours().count(), "a row is of no pair");
    }
}

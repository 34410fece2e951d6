//! Types without a schema: their bytes have a version, and older ones are migrated by functions.

use holdwater::schema::{DecodeError, Migration, Opaque, Versioned};
use holdwater::state::Backend;
use postcard_schema_ng::Schema;
use serde::de::Error;
use serde::{Deserialize, Serialize};

use super::attributes::declines;
use super::{Make, Outcome, evolve};

/// An old and a new type, a value of the old one, and what comes of it.
macro_rules! versions {
    ($(
        $(#[doc = $doc:literal])+
        $name:ident: $old:ty as $value:expr, $new:ty => $outcome:ident($expected:expr);
    )*) => {
        $($(#[doc = $doc])+
        pub fn $name<B: Backend + 'static>(make: Make<B>) {
            let (value, outcome): ($old, Outcome<$new>) = ($value, Outcome::$outcome($expected));
            evolve(make, &value, &outcome);
        })*

        #[cfg(test)]
        pub(super) const PAIRS: &[(&str, &str)] = &[$((stringify!($name), stringify!($outcome)),)*
            ("what_nests_too_deep_declines_the_checkpoint", "Declined")];
    };
}

versions! {
    /// 121: of one version, it is read as it is.
    a_type_without_a_schema_is_restored:
        Opaque<Bare> as bare(), Opaque<Bare> => Reads(bare());
    /// 121, 124: the migration makes the new type of the old one.
    an_older_version_is_migrated:
        Opaque<Bare> as bare(), Opaque<Heavy> => Reads(Opaque(heavy(1)));
    /// 135: a struct evolves around it by its fields.
    an_older_version_inside_a_struct_is_migrated:
        Plot<u8, Opaque<Bare>> as Plot { number: 7, tree: bare() }, Plot<u64, Opaque<Heavy>>
        => Reads(Plot { number: 7, tree: Opaque(heavy(1)) });
    /// 124: each version has its own.
    each_older_version_is_migrated_by_its_own_function:
        Opaque<Heavy> as Opaque(heavy(5)), Opaque<Named> => Reads(Opaque(named("5")));
    /// 125: a version that no migration is kept of.
    a_version_without_a_migration_is_refused:
        Opaque<Bare> as bare(), Opaque<Named>
        => Never("version 1 is stored, wanted tree of version 3 or 2: keep a migration from it, or \
                use a program that has one");
    /// 125: a version of a later program.
    a_newer_version_is_refused:
        Plot<u8, Opaque<Heavy>> as Plot { number: 7, tree: Opaque(heavy(1)) },
        Plot<u8, Opaque<Bare>>
        => Never("tree: version 2 is stored, wanted tree of version 1: keep a migration from it, \
                  or use a program that has one");
    /// 125, 137: only the value can tell, and nothing that was stored is changed.
    a_migration_that_fails_is_refused:
        Opaque<Bare> as bare(), Opaque<Picky> => Row("no tree is as high as this");
    /// 129: the bytes of a type with a schema are no version of it.
    a_type_loses_its_schema:
        Pair as Pair { a: 1, b: "x".into() }, Opaque<Heavy>
        => Never("what is stored as struct cannot become opaque");
    /// 129: nor the other way round.
    a_type_gets_a_schema:
        Opaque<Bare> as bare(), Pair => Never("what is stored as opaque cannot become Pair");
}

/// 134: it could not be read back.
pub fn what_nests_too_deep_declines_the_checkpoint<B: Backend + 'static>(make: Make<B>) {
    let mut tree = Bare { children: Vec::new() };
    for _ in 0..Bare::DEPTH_MAX {
        tree = Bare { children: vec![tree] };
    }
    declines(make, Opaque(tree), "refused to serialize");
}

#[derive(Clone, Debug, Deserialize, PartialEq, Schema, Serialize)]
struct Pair {
    a: u8,
    b: String,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Schema, Serialize)]
struct Plot<N, T> {
    number: N,
    tree: T,
}

/// Holds itself, so that no schema of it would end.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Bare {
    children: Vec<Self>,
}

/// Holds a number whose width differs between targets, too.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Heavy {
    weight: usize,
    children: Vec<Self>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Named {
    name: String,
    children: Vec<Self>,
}

/// Takes no tree of version 1.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Picky;

impl Versioned for Bare {
    const NAME: &'static str = "tree";
    const VERSION: u32 = 1;
}

impl Versioned for Heavy {
    const NAME: &'static str = "tree";
    const VERSION: u32 = 2;
    const MIGRATIONS: &'static [(u32, Migration<Self>)] =
        &[(1, |bytes| Self::decode(bytes).map(weigh))];
}

impl Versioned for Named {
    const NAME: &'static str = "tree";
    const VERSION: u32 = 3;
    const MIGRATIONS: &'static [(u32, Migration<Self>)] =
        &[(2, |bytes| Self::decode(bytes).map(name))];
}

impl Versioned for Picky {
    const NAME: &'static str = "tree";
    const VERSION: u32 = 2;
    const MIGRATIONS: &'static [(u32, Migration<Self>)] =
        &[(1, |_| Err(DecodeError::custom("no tree is as high as this")))];
}

fn weigh(Bare { children }: Bare) -> Heavy {
    Heavy { weight: 1, children: children.into_iter().map(weigh).collect() }
}

fn name(Heavy { weight, children }: Heavy) -> Named {
    Named { name: weight.to_string(), children: children.into_iter().map(name).collect() }
}

fn bare() -> Opaque<Bare> {
    let leaf = || Bare { children: Vec::new() };
    Opaque(Bare { children: vec![leaf(), Bare { children: vec![leaf()] }] })
}

fn heavy(weight: usize) -> Heavy {
    let leaf = || Heavy { weight, children: Vec::new() };
    Heavy { weight, children: vec![leaf(), Heavy { weight, children: vec![leaf()] }] }
}

fn named(name: &str) -> Named {
    let leaf = || Named { name: name.into(), children: Vec::new() };
    Named {
        name: name.into(),
        children: vec![leaf(), Named { name: name.into(), children: vec![leaf()] }],
    }
}

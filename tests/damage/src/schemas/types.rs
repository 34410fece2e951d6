//! Types of today, of every shape that reads what was stored as another, which count their parts.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use holdwater::codec::Encoding;
use holdwater::schema::{DecodeError, Migration, Opaque, Schema, TypeProbe, Versioned};
use serde::de::{
    DeserializeOwned, Deserializer, EnumAccess, Error, IgnoredAny, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use serde::{Deserialize, Serialize};

use super::read;

/// A type that is asked to read what was stored.
pub(super) struct Asked {
    pub(super) probe: TypeProbe,
    pub(super) read: fn(Schema<'_>, Encoding, &[u8]) -> Option<bool>,
    /// Whether it takes any value of any schema.
    pub(super) takes_all: bool,
}

impl Asked {
    const fn of<T: DeserializeOwned>(takes_all: bool) -> Self {
        Self { probe: TypeProbe::of::<T>(), read: read::<T>, takes_all }
    }
}

pub(super) const ALL: &[Asked] = &[
    Asked::of::<Anything>(true),
    Asked::of::<IgnoredAny>(true),
    Asked::of::<Flat>(false),
    Asked::of::<Vec<Nested>>(false),
    Asked::of::<Nested>(false),
    Asked::of::<Sort>(false),
    Asked::of::<Strict>(false),
    Asked::of::<Chain>(false),
    Asked::of::<Either>(false),
    Asked::of::<Vec<Tick<Option<u64>>>>(false),
    Asked::of::<BTreeMap<Tick<String>, Tick<Flat>>>(false),
    Asked::of::<BTreeSet<Tick<i64>>>(false),
    Asked::of::<(Tick<u16>, Tick<f64>, Tick<Vec<u8>>)>(false),
    Asked::of::<[Tick<i32>; 6]>(false),
    Asked::of::<Option<Option<Tick<String>>>>(false),
    Asked::of::<(IpAddr, Duration, char, NonZeroU32)>(false),
    Asked::of::<Opaque<Tree>>(false),
    Asked::of::<BTreeMap<String, Opaque<Tree>>>(false),
    Asked::of::<u128>(false),
    Asked::of::<String>(false),
    Asked::of::<()>(false),
];

thread_local! {
    static TICKS: Cell<u64> = const { Cell::new(0) };
}

/// Counts the parts that are read.
pub(super) struct Ticks;

impl Ticks {
    pub(super) fn begin() -> Self {
        TICKS.set(0);
        Self
    }

    pub(super) fn count(self) -> u64 {
        TICKS.get()
    }
}

/// A part that is counted when it is read.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub(super) struct Tick<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Tick<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        TICKS.set(TICKS.get() + 1);
        T::deserialize(deserializer).map(Self)
    }
}

impl<T: Default> Default for Tick<T> {
    fn default() -> Self {
        Self(T::default())
    }
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
#[allow(dead_code, reason = "what is read is all that counts")]
pub(super) struct Flat {
    a: Tick<u64>,
    #[serde(alias = "old")]
    b: Tick<String>,
    c: Option<Tick<i128>>,
    d: Tick<f64>,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "what is read is all that counts")]
pub(super) struct Nested {
    #[serde(default)]
    a: Vec<Tick<Flat>>,
    #[serde(default)]
    b: BTreeMap<Tick<String>, Tick<Sort>>,
    c: Option<Box<Tick<Self>>>,
    #[serde(default)]
    d: (Tick<u8>, Tick<u16>),
    #[serde(default, alias = "old")]
    e: Vec<Tick<Sort>>,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "what is read is all that counts")]
enum Sort {
    C {
        a: Tick<i64>,
        #[serde(default)]
        b: Tick<bool>,
    },
    #[serde(alias = "Old")]
    A,
    D(Tick<u8>, Tick<String>),
    B(Box<Tick<Nested>>),
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "what is read is all that counts")]
struct Strict {
    a: Tick<u32>,
    b: Option<Box<Tick<Self>>>,
}

/// Holds itself, and nothing that bytes are taken for.
#[derive(Deserialize)]
#[allow(dead_code, reason = "what is read is all that counts")]
struct Chain(Option<Box<Tick<Self>>>);

#[derive(Deserialize)]
#[serde(untagged)]
#[allow(dead_code, reason = "what is read is all that counts")]
enum Either {
    Number(Tick<u64>),
    Text(Tick<String>),
    Flat(Flat),
    Many(Vec<Tick<Self>>),
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Tree {
    weight: u64,
    children: Vec<Tick<Self>>,
}

impl Versioned for Tree {
    const NAME: &'static str = "tree";
    const VERSION: u32 = 2;
    const MIGRATIONS: &'static [(u32, Migration<Self>)] = &[
        (0, |_| Err(DecodeError::custom("no tree is so old"))),
        (1, |bytes| {
            let weights = Self::decode::<Vec<()>>(bytes)?;
            Ok(Self { weight: weights.len() as u64, children: Vec::new() })
        }),
    ];
}

/// Takes whatever is stored, part by part, and keeps nothing.
struct Anything;

impl<'de> Deserialize<'de> for Anything {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        TICKS.set(TICKS.get() + 1);
        deserializer.deserialize_any(Self)
    }
}

macro_rules! scalars {
    ($($method:ident $type:ty,)*) => {
        $(fn $method<E: Error>(self, _: $type) -> Result<Self, E> {
            Ok(self)
        })*
    };
}

impl<'de> Visitor<'de> for Anything {
    type Value = Self;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("anything")
    }

    scalars! {
        visit_bool bool, visit_i64 i64, visit_i128 i128, visit_u64 u64, visit_u128 u128,
        visit_f64 f64, visit_str &str, visit_bytes &[u8],
    }

    fn visit_unit<E: Error>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_none<E: Error>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Self, D::Error> {
        Self::deserialize(inner)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Self, D::Error> {
        Self::deserialize(inner)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Self, A::Error> {
        while parts.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut parts: A) -> Result<Self, A::Error> {
        while parts.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, stored: A) -> Result<Self, A::Error> {
        let (_, variant) = stored.variant::<IgnoredAny>()?;
        variant.newtype_variant::<Self>()
    }
}

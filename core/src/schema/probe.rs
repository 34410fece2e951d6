//! What a type reads, asked without any value of it: its own `Deserialize` is run on made-up
//! values of a schema, so that serde's attributes have their say before a row is read.

use core::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::emit::Fingerprint;
use super::evolve::Source;
use super::feed::Feed;
use super::{DecodeError, Incompatible, Kind, Member, Members, Path, Refusal, Schema};
use crate::codec::{Encoding, encode};
use crate::error::{Fault, Malformed};

/// A type that can be asked what it reads.
#[derive(Clone, Copy)]
pub struct TypeProbe {
    ask: for<'s> fn(Schema<'s>, &mut Probe<'s>) -> Option<DecodeError>,
}

/// What a type says of values of a schema.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Probed {
    /// Whether it reads them.
    pub verdict: Verdict,
    /// The first field that is stored and that the type passes over.
    pub dropped: Option<Path>,
    /// The first variant that the type does not know.
    pub unknown: Option<Path>,
    /// Of a key, a variant that is read as another one is, so that two keys would become one.
    pub merged: Option<Path>,
}

/// Whether a type reads values of a schema.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It depends on the value: the type refuses what was made up, in words of its own.
    Depends,
    /// It reads none, or none that has the part named here.
    Never(Incompatible),
    /// It reads them all, but those with a variant that it does not know.
    Reads,
}

impl TypeProbe {
    /// Returns the type `T`, to be asked.
    pub const fn of<T: DeserializeOwned>() -> Self {
        Self { ask: ask::<T> }
    }

    /// Returns the type `T` of keys, to be asked also whether it keeps them apart.
    pub const fn of_key<T: DeserializeOwned + Serialize>() -> Self {
        Self { ask: ask_key::<T> }
    }

    /// Asks whether the type reads values that were written by the schema `writer`.
    ///
    /// Every variant is tried, each once, so the cost is at most the number of variants times the
    /// length of the schema; a schema that asks for more than 2,097,152 steps is tried so far.
    /// Nothing is allocated but what the type itself makes of some small values: numbers of 1 and
    /// 0, texts and sequences of one element and of none.
    pub fn ask(self, writer: Schema<'_>) -> Probed {
        let probed = Probed { verdict: Verdict::Reads, dropped: None, unknown: None, merged: None };
        let mut inquiry = Inquiry { probe: self, writer, fuel: FUEL, probed };
        if inquiry.round(None, true).is_some_and(|round| round.depends) {
            // As little of everything as there can be may do, or tell more.
            inquiry.round(None, false);
        }
        inquiry.variants(writer);
        inquiry.probed
    }
}

impl fmt::Debug for TypeProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TypeProbe")
    }
}

fn ask<'s, T>(writer: Schema<'s>, probe: &mut Probe<'s>) -> Option<DecodeError>
where
    T: DeserializeOwned,
{
    T::deserialize(Source::new(writer, Feed::Probe(probe))).err()
}

fn ask_key<'s, T>(writer: Schema<'s>, probe: &mut Probe<'s>) -> Option<DecodeError>
where
    T: DeserializeOwned + Serialize,
{
    match T::deserialize(Source::new(writer, Feed::Probe(probe))) {
        Err(error) => Some(error),
        Ok(key) => {
            let mut digest = Fingerprint::new();
            let written = encode(&key, Encoding::Postcard, &mut digest);
            probe.digest = written.ok().map(|()| digest.finish());
            None
        }
    }
}

/// All rounds of asking one type about one schema.
struct Inquiry<'s> {
    probe: TypeProbe,
    writer: Schema<'s>,
    fuel: u32,
    probed: Probed,
}

/// What came of a round.
struct Round {
    depends: bool,
    reached: bool,
    known: bool,
    /// That of the key that was read.
    digest: Option<u64>,
}

impl<'s> Inquiry<'s> {
    /// Asks once, with the variant `target` where it can be; not any more once all is told.
    fn round(&mut self, target: Option<Schema<'s>>, full: bool) -> Option<Round> {
        if matches!(self.probed.verdict, Verdict::Never(_)) || self.fuel == 0 {
            return None;
        }
        let mut probe = Probe { full, target, fuel: self.fuel, ..Probe::new() };
        let refused = (self.probe.ask)(self.writer, &mut probe);
        self.fuel = probe.fuel;
        let found = &mut self.probed;
        found.dropped = found.dropped.or(probe.dropped.path);
        found.unknown = found.unknown.or(probe.unknown.path);
        let mut depends = false;
        if let Some(DecodeError { path, refusal, .. }) = refused {
            match refusal {
                // Told of each variant on its own.
                Refusal::UnknownVariant => {}
                Refusal::Malformed(_) | Refusal::Value(..) => depends = true,
                Refusal::Length if probe.depends => depends = true,
                refusal => found.verdict = Verdict::Never(Incompatible { path, refusal }),
            }
        }
        if depends {
            found.verdict = Verdict::Depends;
        }
        let Probe { reached, known, digest, .. } = probe;
        Some(Round { depends, reached, known, digest })
    }

    /// Asks for every variant in `schema`, a part of the whole. An enum of which the type knows no
    /// variant is never read.
    fn variants(&mut self, schema: Schema<'s>) {
        match schema.kind() {
            Kind::Leaf(_) | Kind::Opaque(_) => {}
            Kind::Option(inner) | Kind::Seq(inner) | Kind::Array { element: inner, .. } => {
                self.variants(inner);
            }
            Kind::Map { key, value } => {
                self.variants(key);
                self.variants(value);
            }
            Kind::Tuple(members) | Kind::Struct(members) => {
                members.schemas().for_each(|part| self.variants(part));
            }
            Kind::Enum(members) => {
                let (mut reached, mut known) = (false, false);
                let mut digests = Digests::new();
                for Member { name, schema: variant } in members {
                    if let Some(round) = self.round(Some(variant), true) {
                        reached |= round.reached;
                        known |= round.known;
                        let digest = round.digest.filter(|_| round.reached);
                        if digest.is_some_and(|digest| !digests.insert(digest)) {
                            self.probed.merged = Some(Path::new().inside(name));
                        }
                    }
                    self.variants(variant);
                }
                if let Some(path) = self.probed.unknown.filter(|_| reached && !known) {
                    let refusal = Refusal::UnknownVariant;
                    self.probed.verdict = Verdict::Never(Incompatible { path, refusal });
                }
            }
        }
    }
}

/// Makes up the values of one round.
pub(super) struct Probe<'s> {
    /// One of everything rather than none.
    full: bool,
    /// The variant to be tried.
    target: Option<Schema<'s>>,
    fuel: u32,
    /// How many names there are around what is read now.
    depth: u32,
    dropped: Mark,
    unknown: Mark,
    /// The target was come to, and the type knows its name.
    reached: bool,
    known: bool,
    /// How many elements the type takes depends on what is stored.
    depends: bool,
    /// That of the key that was read, in all.
    digest: Option<u64>,
}

/// A place that was found, its path put together on the way out.
#[derive(Default)]
struct Mark {
    path: Option<Path>,
    depth: u32,
}

impl<'s> Probe<'s> {
    fn new() -> Self {
        Self {
            full: true,
            target: None,
            fuel: 0,
            depth: 0,
            dropped: Mark::default(),
            unknown: Mark::default(),
            reached: false,
            known: false,
            depends: false,
            digest: None,
        }
    }

    /// Returns 1 or 0: a number, or how many there are.
    pub(super) fn count(&mut self) -> Result<u64, Malformed> {
        self.spend(1)?;
        Ok(self.full.into())
    }

    /// Returns the variant to be tried, or leads to it; else one of those that the type knows.
    pub(super) fn variant(
        &mut self,
        members: Members<'s>,
        known: &[&str],
    ) -> Result<u32, Malformed> {
        self.spend(members.len() as u32)?;
        let target = self.target;
        let mut leads = members.schemas();
        let index = match target.and_then(|target| leads.position(|part| part.contains(target))) {
            Some(index) => {
                let is_target = |part: Schema<'s>| target.is_some_and(|target| part.is_at(target));
                self.reached |= members.schemas().nth(index).is_some_and(is_target);
                Some(index)
            }
            None => members.clone().position(|member| known.contains(&member.name)),
        };
        Ok(index.unwrap_or(0) as u32)
    }

    /// Takes note of whether the type knows the variant that was given.
    pub(super) const fn named(&mut self, known: bool) {
        if known {
            self.known |= self.reached;
        } else {
            self.unknown.set(self.depth);
        }
    }

    /// Takes note that the type passes over what was to come.
    pub(super) const fn ignored(&mut self) {
        self.dropped.set(self.depth);
    }

    /// Takes note that it depends on the value how many elements the type takes.
    pub(super) const fn any_length(&mut self) {
        self.depends = true;
    }

    /// Takes note that a part with a name comes next.
    pub(super) const fn enter(&mut self) {
        self.depth += 1;
    }

    /// Takes note that the part is done with.
    pub(super) fn leave(&mut self, name: &str) {
        self.dropped.leave(self.depth, name);
        self.unknown.leave(self.depth, name);
        self.depth -= 1;
    }

    fn spend(&mut self, steps: u32) -> Result<(), Malformed> {
        let left = self.fuel.checked_sub(steps);
        self.fuel = left.unwrap_or(0);
        left.map(drop).ok_or(Malformed::new(Fault::Budget, 0))
    }
}

impl Mark {
    const fn set(&mut self, depth: u32) {
        if self.path.is_none() {
            *self = Self { path: Some(Path::new()), depth };
        }
    }

    fn leave(&mut self, depth: u32, name: &str) {
        if let Some(path) = self.path.filter(|_| self.depth == depth) {
            *self = Self { path: Some(path.inside(name)), depth: depth - 1 };
        }
    }
}

/// What the variants of an enum are read as, told apart.
#[cfg(feature = "alloc")]
type Digests = alloc::collections::BTreeSet<u64>;

/// Without an allocator nobody reads keys of another type.
#[cfg(not(feature = "alloc"))]
struct Digests;

#[cfg(not(feature = "alloc"))]
impl Digests {
    const fn new() -> Self {
        Self
    }

    const fn insert(&mut self, _: u64) -> bool {
        true
    }
}

const FUEL: u32 = 1 << 21;

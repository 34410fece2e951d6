use core::error::Error;
use core::fmt;

use super::{Kind, Leaf, Members, Path, Refusal, Schema};

/// Tells whether what was written by one schema can be read by a type of another.
///
/// Refuses what can never be read, before anything is. What depends on serde attributes, which a
/// schema does not show, is allowed here and found by [`decode_as`](super::decode_as): whether an
/// added field has a default, and whether a field or variant that replaces another is its alias.
/// Costs no more than the product of both lengths.
pub fn compare(writer: Schema<'_>, reader: Schema<'_>) -> Result<Compatibility, Incompatible> {
    match (writer.kind(), reader.kind()) {
        (Kind::Leaf(stored), Kind::Leaf(wanted)) if stored == wanted => Ok(Compatibility::Same),
        (Kind::Leaf(stored), Kind::Leaf(wanted)) if stored.widens_to(wanted) => EVOLVED,
        (Kind::Option(stored), Kind::Option(wanted)) | (Kind::Seq(stored), Kind::Seq(wanted)) => {
            compare(stored, wanted)
        }
        (_, Kind::Option(wanted)) => compare(writer, wanted).and(EVOLVED),
        (Kind::Array { element, .. }, Kind::Seq(wanted)) => compare(element, wanted).and(EVOLVED),
        (Kind::Leaf(Leaf::Bytes), Kind::Seq(wanted)) => compare(Schema::BYTE, wanted).and(EVOLVED),
        (Kind::Seq(element) | Kind::Array { element, .. }, Kind::Leaf(Leaf::Bytes))
            if element.is_leaf(Leaf::U8) =>
        {
            EVOLVED
        }
        (Kind::Map { key: a, value: b }, Kind::Map { key: c, value: d }) => all([(a, c), (b, d)]),
        (Kind::Array { count: a, element }, Kind::Array { count: b, element: wanted })
            if a == b =>
        {
            compare(element, wanted)
        }
        (Kind::Array { count, element }, Kind::Tuple(wanted)) if count as usize == wanted.len() => {
            all(wanted.schemas().map(|wanted| (element, wanted))).and(EVOLVED)
        }
        (Kind::Tuple(stored), Kind::Array { count, element }) if count as usize == stored.len() => {
            all(stored.schemas().map(|stored| (stored, element))).and(EVOLVED)
        }
        (Kind::Tuple(stored), Kind::Tuple(wanted)) if stored.len() == wanted.len() => {
            all(stored.schemas().zip(wanted.schemas()))
        }
        (Kind::Tuple(_) | Kind::Array { .. }, Kind::Tuple(_) | Kind::Array { .. }) => {
            Err(Incompatible::new(Refusal::Length))
        }
        (Kind::Struct(stored), Kind::Struct(wanted)) => members(stored, wanted, false),
        (Kind::Enum(stored), Kind::Enum(wanted)) => members(stored, wanted, true),
        (stored, wanted) => {
            Err(Incompatible::new(Refusal::Type { stored: stored.word(), wanted: wanted.word() }))
        }
    }
}

/// How what was written can be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Compatibility {
    /// The type of today writes the same bytes: read them directly.
    Same,
    /// Its bytes may differ: read by the writer's schema.
    Evolved,
}

/// What was written can never be read by the type of today.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Incompatible {
    /// The stored field or variant that cannot be read.
    pub path: Path,
    /// Why.
    pub refusal: Refusal,
}

impl Incompatible {
    const fn new(refusal: Refusal) -> Self {
        Self { path: Path::new(), refusal }
    }
}

impl fmt::Display for Incompatible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        self.refusal.fmt(f)
    }
}

impl Error for Incompatible {}

/// Compares members by name. A field may be missing on either side; a stored variant only if the
/// type has gained another that may be its alias.
fn members(
    stored: Members<'_>,
    wanted: Members<'_>,
    variants: bool,
) -> Result<Compatibility, Incompatible> {
    let mut outcome = Compatibility::Same;
    let mut missing = None;
    let mut found = 0;
    for (place, member) in stored.enumerate() {
        match wanted.enumerate().find(|(_, other)| other.name == member.name) {
            Some((other_place, other)) => {
                found += 1;
                let part = compare(member.schema, other.schema).map_err(|mut error| {
                    error.path = error.path.inside(member.name);
                    error
                })?;
                if part == Compatibility::Evolved || place != other_place {
                    outcome = Compatibility::Evolved;
                }
            }
            None => missing = missing.or(Some(member.name)),
        }
    }
    if let Some(name) = missing.filter(|_| variants && stored.len() > wanted.len()) {
        let path = Path::new().inside(name);
        return Err(Incompatible { path, refusal: Refusal::UnknownVariant });
    }
    if found < stored.len() || found < wanted.len() { EVOLVED } else { Ok(outcome) }
}

fn all<'a>(
    pairs: impl IntoIterator<Item = (Schema<'a>, Schema<'a>)>,
) -> Result<Compatibility, Incompatible> {
    let mut outcome = Compatibility::Same;
    for (stored, wanted) in pairs {
        if compare(stored, wanted)? == Compatibility::Evolved {
            outcome = Compatibility::Evolved;
        }
    }
    Ok(outcome)
}

const EVOLVED: Result<Compatibility, Incompatible> = Ok(Compatibility::Evolved);

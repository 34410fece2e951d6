use core::cmp::Ordering;
use core::error::Error;
use core::fmt;

use super::{Kind, Leaf, Members, Path, Refusal, Schema, TypeProbe, Verdict};

/// Tells how a type reads what was written by the schema `writer`, or why it never can: before
/// anything is read. `own` is the schema that the type writes by today.
///
/// What the type's own `Deserialize` says of made-up values counts ([`TypeProbe`]), so all of
/// serde's attributes do. Where it refuses what was made up (a text that is to be an address), the
/// two schemas are [`compare`]d instead. What depends on the value alone is found when it is read:
/// a variant that the type does not know any more, a number that it does not take, and a field
/// without a default next to a value that it refused.
pub fn compare_type(
    writer: Schema<'_>,
    own: Schema<'_>,
    probe: TypeProbe,
) -> Result<Compatibility, Incompatible> {
    let compared = compare(writer, own);
    if compared == Ok(Compatibility::Same) {
        return compared;
    }
    match probe.ask(writer).verdict {
        Verdict::Depends => compared,
        Verdict::Never(incompatible) => Err(incompatible),
        Verdict::Reads => EVOLVED,
    }
}

/// Tells whether what was written by one schema can be read by a type of another, as far as
/// schemas alone can tell.
///
/// What depends on serde attributes, which a schema does not show, is allowed here: whether an
/// added field has a default, and whether a field or variant that replaces another is its alias.
/// Costs no more than the product of both lengths.
pub fn compare(writer: Schema<'_>, reader: Schema<'_>) -> Result<Compatibility, Incompatible> {
    match (writer.kind(), reader.kind()) {
        (Kind::Leaf(stored), Kind::Leaf(wanted)) if stored == wanted => Ok(Compatibility::Same),
        (Kind::Leaf(stored), Kind::Leaf(wanted)) if stored.widens_to(wanted) => EVOLVED,
        (Kind::Option(stored), Kind::Option(wanted)) | (Kind::Seq(stored), Kind::Seq(wanted)) => {
            compare(stored, wanted)
        }
        (Kind::Opaque(stored), Kind::Opaque(wanted)) => match stored.cmp(&wanted) {
            Ordering::Equal => Ok(Compatibility::Same),
            // Whether there is a migration, the type knows.
            Ordering::Less => EVOLVED,
            Ordering::Greater => {
                Err(Incompatible::of(Refusal::version(stored, format_args!("version {wanted}"))))
            }
        },
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
            Err(Incompatible::of(Refusal::Length))
        }
        (Kind::Struct(stored), Kind::Struct(wanted)) => members(stored, wanted),
        (Kind::Enum(stored), Kind::Enum(wanted)) => members(stored, wanted),
        (stored, wanted) => {
            Err(Incompatible::of(Refusal::Type { stored: stored.word(), wanted: wanted.word() }))
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
    /// States that the whole value is refused.
    pub const fn of(refusal: Refusal) -> Self {
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

/// Compares members by name. Each may be missing on either side.
fn members(stored: Members<'_>, wanted: Members<'_>) -> Result<Compatibility, Incompatible> {
    let mut outcome = Compatibility::Same;
    let mut found = 0;
    for (place, member) in stored.enumerate() {
        let counterpart = wanted.enumerate().find(|(_, other)| other.name == member.name);
        let Some((other_place, other)) = counterpart else { continue };
        found += 1;
        let part = compare(member.schema, other.schema).map_err(|mut error| {
            error.path = error.path.inside(member.name);
            error
        })?;
        if part == Compatibility::Evolved || place != other_place {
            outcome = Compatibility::Evolved;
        }
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

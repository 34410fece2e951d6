//! From a type's schema to its stored form, the length of that, or its fingerprint: one walk,
//! three outputs.

use core::convert::Infallible;
use core::ptr;

use postcard_schema_ng::schema::{Data as Shape, DataModelType, NamedField, Variant};
use xxhash_rust::xxh3::Xxh3;

use super::node::{ARRAY, ENUM, LIMIT, MAP, NAME, OPAQUE, OPTION, SEQ, STRUCT, TUPLE};
use super::{Leaf, types::leaf};
use crate::codec::{Count, Write, write_bytes, write_varint};

type Types = &'static [&'static DataModelType];

/// Where a schema is put.
pub(super) trait Output: Write {
    /// Takes the name of a type.
    fn name(&mut self, name: &str) -> Result<(), Self::Error>;

    /// Takes a maximum length.
    fn limit(&mut self, limit: u64) -> Result<(), Self::Error>;

    /// Takes note that `body` comes next, and returns where it begins.
    fn open(&mut self, body: Body) -> Result<u64, Self::Error>;

    /// Takes note that the body that began at `start` has ended.
    fn close(&mut self, start: u64);
}

/// The stored form, put into a writer.
pub(super) struct Stored<'w, W>(pub(super) &'w mut W);

/// The length of the stored form.
#[derive(Default)]
pub(super) struct Length(Count);

/// The fingerprint: notes and lengths are left out.
pub(super) struct Fingerprint(Xxh3);

/// What follows the code of a node with parts.
#[derive(Clone, Copy)]
pub(super) enum Body {
    Array(u32, &'static DataModelType),
    Fields(&'static [&'static NamedField]),
    One(&'static DataModelType),
    Pair(&'static DataModelType, &'static DataModelType),
    Tuple(Types),
    Variants(&'static [&'static Variant]),
    Version(u32),
}

/// What marks an opaque value in the schema of a type: a newtype of a name that no type of a
/// program has, around one of the type's name, around bytes; the version stands where the most
/// bytes would.
pub(super) const OPAQUE_NAME: &str = "holdwater::schema::Opaque";

/// Puts `ty` and its notes.
pub(super) fn node<O: Output>(ty: &'static DataModelType, out: &mut O) -> Result<(), O::Error> {
    if let DataModelType::String { max_len: Some(limit) }
    | DataModelType::ByteArray { max_len: Some(limit) }
    | DataModelType::Seq { max_len: Some(limit), .. }
    | DataModelType::Map { max_len: Some(limit), .. } = *ty
    {
        out.limit(limit as u64)?;
    }
    match *ty {
        DataModelType::Option(inner) => block(OPTION, Body::One(inner), out),
        DataModelType::Seq { element, .. } => block(SEQ, Body::One(element), out),
        DataModelType::Map { key, val, .. } => block(MAP, Body::Pair(key, val), out),
        DataModelType::Tuple(types) => tuple(types, out),
        DataModelType::Struct { name, data } => match opaque(ty) {
            Some((name, version)) => {
                out.name(name)?;
                block(OPAQUE, Body::Version(version), out)
            }
            None => {
                out.name(name)?;
                shape(data, out)
            }
        },
        DataModelType::Enum { name, variants } => {
            out.name(name)?;
            block(ENUM, Body::Variants(variants), out)
        }
        _ => match leaf(ty) {
            Some(leaf) => out.write(&[leaf.code()]),
            None => unreachable!("`StaticSchema` refuses what has no stored form"),
        },
    }
}

/// Returns the fingerprint of `ty`.
pub(super) fn fingerprint(ty: &'static DataModelType) -> u64 {
    let mut out = Fingerprint::new();
    let Ok(()) = node(ty, &mut out);
    out.finish()
}

/// Returns the schema of each element if there are several and all are alike.
pub(super) fn repeated(types: Types) -> Option<&'static DataModelType> {
    let (first, rest) = types.split_first()?;
    (!rest.is_empty() && rest.iter().all(|ty| alike(first, ty))).then_some(*first)
}

/// Returns the name and the version of an opaque type, if `ty` is one.
pub(super) fn opaque(ty: &'static DataModelType) -> Option<(&'static str, u32)> {
    let DataModelType::Struct { name: OPAQUE_NAME, data: Shape::Newtype(marked) } = ty else {
        return None;
    };
    match marked {
        DataModelType::Struct {
            name,
            data: Shape::Newtype(DataModelType::ByteArray { max_len: Some(version) }),
        } => Some((name, *version as u32)),
        _ => None,
    }
}

fn shape<O: Output>(shape: Shape, out: &mut O) -> Result<(), O::Error> {
    match shape {
        Shape::Unit => out.write(&[Leaf::Unit.code()]),
        Shape::Newtype(ty) => node(ty, out),
        Shape::Tuple(types) => tuple(types, out),
        Shape::Struct(fields) => block(STRUCT, Body::Fields(fields), out),
    }
}

fn tuple<O: Output>(types: Types, out: &mut O) -> Result<(), O::Error> {
    match (repeated(types), u32::try_from(types.len())) {
        (Some(element), Ok(count)) => block(ARRAY, Body::Array(count, element), out),
        _ => block(TUPLE, Body::Tuple(types), out),
    }
}

fn block<O: Output>(code: u8, body: Body, out: &mut O) -> Result<(), O::Error> {
    out.write(&[code])?;
    let start = out.open(body)?;
    parts(body, out)?;
    out.close(start);
    Ok(())
}

fn parts<O: Output>(body: Body, out: &mut O) -> Result<(), O::Error> {
    match body {
        Body::One(ty) => node(ty, out),
        Body::Version(version) => write_varint(version.into(), out),
        Body::Pair(key, value) => {
            node(key, out)?;
            node(value, out)
        }
        Body::Array(count, element) => {
            write_varint(count.into(), out)?;
            node(element, out)
        }
        Body::Tuple(types) => {
            write_varint(types.len() as u128, out)?;
            types.iter().try_for_each(|ty| node(ty, out))
        }
        Body::Fields(fields) => {
            write_varint(fields.len() as u128, out)?;
            fields.iter().try_for_each(|field| {
                write_bytes(field.name.as_bytes(), out)?;
                node(field.ty, out)
            })
        }
        Body::Variants(variants) => {
            write_varint(variants.len() as u128, out)?;
            variants.iter().try_for_each(|variant| {
                write_bytes(variant.name.as_bytes(), out)?;
                shape(variant.data, out)
            })
        }
    }
}

impl<W: Write> Write for Stored<'_, W> {
    type Error = W::Error;

    fn write(&mut self, bytes: &[u8]) -> Result<(), W::Error> {
        self.0.write(bytes)
    }
}

impl<W: Write> Output for Stored<'_, W> {
    fn name(&mut self, name: &str) -> Result<(), W::Error> {
        self.write(&[NAME])?;
        write_bytes(name.as_bytes(), self)
    }

    fn limit(&mut self, limit: u64) -> Result<(), W::Error> {
        self.write(&[LIMIT])?;
        write_varint(limit.into(), self)
    }

    fn open(&mut self, body: Body) -> Result<u64, W::Error> {
        let mut length = Length::default();
        let Ok(()) = parts(body, &mut length);
        write_varint(length.total().into(), self)?;
        Ok(0)
    }

    fn close(&mut self, _: u64) {}
}

impl Length {
    /// Returns how many bytes were put.
    pub(super) const fn total(&self) -> u64 {
        self.0.0
    }
}

impl Write for Length {
    type Error = Infallible;

    fn write(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.0.write(bytes)
    }
}

impl Output for Length {
    fn name(&mut self, name: &str) -> Result<(), Infallible> {
        Stored(self).name(name)
    }

    fn limit(&mut self, limit: u64) -> Result<(), Infallible> {
        Stored(self).limit(limit)
    }

    fn open(&mut self, _: Body) -> Result<u64, Infallible> {
        Ok(self.total())
    }

    /// Adds the length field, so that no body is measured twice.
    fn close(&mut self, start: u64) {
        let Ok(()) = write_varint((self.total() - start).into(), self);
    }
}

impl Fingerprint {
    pub(super) fn new() -> Self {
        Self(Xxh3::new())
    }

    pub(super) fn finish(&self) -> u64 {
        self.0.digest()
    }
}

impl Write for Fingerprint {
    type Error = Infallible;

    fn write(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.0.update(bytes);
        Ok(())
    }
}

impl Output for Fingerprint {
    fn name(&mut self, _: &str) -> Result<(), Infallible> {
        Ok(())
    }

    fn limit(&mut self, _: u64) -> Result<(), Infallible> {
        Ok(())
    }

    fn open(&mut self, _: Body) -> Result<u64, Infallible> {
        Ok(0)
    }

    fn close(&mut self, _: u64) {}
}

/// Returns whether two types are the same but for names of types and maximum lengths.
fn alike(a: &'static DataModelType, b: &'static DataModelType) -> bool {
    ptr::eq(a, b) || fingerprint(a) == fingerprint(b)
}

//! Values from bytes and back, in either encoding (docs/format.md 2.5).

use holdwater::codec::{Encoding, Reader, decode, encode, write_bytes, write_varint};
use holdwater::error::{Fault, Malformed};
use holdwater::schema::{Kind, Leaf, Schema};
use serde::Serialize;

use super::{Datum, Unfit, may_hold_nothing};

impl Datum {
    /// Takes a value of `schema`, which was [walked](holdwater::schema::walk) before.
    pub fn take(
        schema: Schema<'_>,
        encoding: Encoding,
        reader: &mut Reader<'_>,
    ) -> Result<Self, Malformed> {
        Ok(match schema.kind() {
            Kind::Leaf(leaf) => Self::leaf(leaf, encoding, reader)?,
            Kind::Opaque(_) => Self::Bytes(reader.bytes()?.to_vec()),
            Kind::Option(inner) => {
                let start = *reader;
                match reader.byte()? {
                    0 => Self::Nothing,
                    1 if may_hold_nothing(inner) => {
                        Self::Some(Box::new(Self::take(inner, encoding, reader)?))
                    }
                    1 => Self::take(inner, encoding, reader)?,
                    _ => return Err(start.fault(Fault::Range)),
                }
            }
            Kind::Array { count, element } => Self::list(count.into(), element, encoding, reader)?,
            Kind::Seq(element) => {
                let count = reader.varint_u64()?;
                Self::list(count, element, encoding, reader)?
            }
            Kind::Map { key, value } => {
                let mut pairs = Vec::new();
                for _ in 0..reader.varint_u64()? {
                    let key = Self::take(key, encoding, reader)?;
                    pairs.push((key, Self::take(value, encoding, reader)?));
                }
                Self::Pairs(pairs)
            }
            Kind::Tuple(members) => {
                let mut list = Vec::with_capacity(members.len());
                for member in members {
                    list.push(Self::take(member.schema, encoding, reader)?);
                }
                Self::List(list)
            }
            Kind::Struct(members) => {
                let mut pairs = Vec::with_capacity(members.len());
                for member in members {
                    let name = Self::Text(member.name.to_owned());
                    pairs.push((name, Self::take(member.schema, encoding, reader)?));
                }
                Self::Pairs(pairs)
            }
            Kind::Enum(mut members) => {
                let start = *reader;
                let chosen = usize::try_from(reader.varint_u32()?).unwrap_or(usize::MAX);
                let member = members.nth(chosen).ok_or(start.fault(Fault::Range))?;
                let held = Self::take(member.schema, encoding, reader)?;
                Self::Variant(member.name.to_owned(), Box::new(held))
            }
        })
    }

    fn list(
        count: u64,
        element: Schema<'_>,
        encoding: Encoding,
        reader: &mut Reader<'_>,
    ) -> Result<Self, Malformed> {
        let mut list = Vec::new();
        for _ in 0..count {
            list.push(Self::take(element, encoding, reader)?);
        }
        Ok(Self::List(list))
    }

    fn leaf(leaf: Leaf, encoding: Encoding, reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        macro_rules! number {
            ($variant:ident $type:ty) => {
                Self::$variant(decode::<$type>(encoding, reader)?.into())
            };
        }
        Ok(match leaf {
            Leaf::Unit => Self::Nothing,
            Leaf::Bool => number!(Bool bool),
            Leaf::Char => Self::Text(decode::<char>(encoding, reader)?.into()),
            Leaf::U8 => number!(Unsigned u8),
            Leaf::U16 => number!(Unsigned u16),
            Leaf::U32 => number!(Unsigned u32),
            Leaf::U64 => number!(Unsigned u64),
            Leaf::U128 => number!(Unsigned u128),
            Leaf::I8 => number!(Signed i8),
            Leaf::I16 => number!(Signed i16),
            Leaf::I32 => number!(Signed i32),
            Leaf::I64 => number!(Signed i64),
            Leaf::I128 => number!(Signed i128),
            Leaf::F32 => number!(Single f32),
            Leaf::F64 => number!(Float f64),
            Leaf::String => Self::Text(reader.text()?.to_owned()),
            Leaf::Bytes => Self::Bytes(reader.bytes()?.to_vec()),
        })
    }

    /// Appends the encoding of this as a value of `schema`, or says where it is none. Part of it
    /// may have been appended then.
    pub fn put(
        &self,
        schema: Schema<'_>,
        encoding: Encoding,
        out: &mut Vec<u8>,
    ) -> Result<(), Unfit> {
        let unfit = || Err(Unfit::new(schema, &self.cell()));
        match (schema.kind(), self) {
            (Kind::Leaf(leaf), _) => self.put_leaf(leaf, encoding, out),
            (Kind::Opaque(_), Self::Bytes(bytes)) => {
                let Ok(()) = write_bytes(bytes, out);
                Ok(())
            }
            (Kind::Option(_), Self::Nothing) => {
                out.push(0);
                Ok(())
            }
            (Kind::Option(inner), held) => {
                out.push(1);
                match held {
                    Self::Some(held) if may_hold_nothing(inner) => held.put(inner, encoding, out),
                    _ if may_hold_nothing(inner) => unfit(),
                    held => held.put(inner, encoding, out),
                }
            }
            (Kind::Array { count, element }, Self::List(list)) if list.len() == count as usize => {
                put_all(list, element, encoding, out)
            }
            (Kind::Seq(element), Self::List(list)) => {
                put_count(list.len(), out);
                put_all(list, element, encoding, out)
            }
            (Kind::Map { key, value }, Self::Pairs(pairs)) => {
                put_count(pairs.len(), out);
                for (name, held) in pairs {
                    name.put(key, encoding, out).map_err(|unfit| unfit.inside("key"))?;
                    held.put(value, encoding, out).map_err(|unfit| unfit.inside(&name.cell()))?;
                }
                Ok(())
            }
            (Kind::Tuple(members), Self::List(list)) if list.len() == members.len() => {
                for (place, (member, held)) in members.zip(list).enumerate() {
                    held.put(member.schema, encoding, out).map_err(|unfit| unfit.at(place))?;
                }
                Ok(())
            }
            (Kind::Struct(members), Self::Pairs(pairs)) if pairs.len() == members.len() => {
                for (member, (name, held)) in members.zip(pairs) {
                    if !matches!(name, Self::Text(name) if name == member.name) {
                        return unfit();
                    }
                    held.put(member.schema, encoding, out)
                        .map_err(|unfit| unfit.inside(member.name))?;
                }
                Ok(())
            }
            (Kind::Enum(mut members), Self::Variant(name, held)) => {
                let chosen = members.clone().position(|member| member.name == name);
                let Some((place, member)) =
                    chosen.and_then(|place| Some((place, members.nth(place)?)))
                else {
                    return unfit();
                };
                put_count(place, out);
                held.put(member.schema, encoding, out).map_err(|unfit| unfit.inside(name))
            }
            _ => unfit(),
        }
    }

    pub(crate) fn put_leaf(
        &self,
        leaf: Leaf,
        encoding: Encoding,
        out: &mut Vec<u8>,
    ) -> Result<(), Unfit> {
        let unfit = || Unfit::of(leaf.word(), &self.cell());
        macro_rules! number {
            ($($leaf:ident $type:ty),*) => {
                match (leaf, self) {
                    $((Leaf::$leaf, Self::Signed(number)) => {
                        append(&<$type>::try_from(*number).map_err(|_| unfit())?, encoding, out)
                    }
                    (Leaf::$leaf, Self::Unsigned(number)) => {
                        append(&<$type>::try_from(*number).map_err(|_| unfit())?, encoding, out)
                    })*
                    (Leaf::Unit, Self::Nothing) => {}
                    (Leaf::Bool, Self::Bool(value)) => append(value, encoding, out),
                    (Leaf::F32, Self::Single(number)) => append(number, encoding, out),
                    (Leaf::F64, Self::Float(number)) => append(number, encoding, out),
                    (Leaf::Char, Self::Text(text)) => {
                        let mut chars = text.chars();
                        match (chars.next(), chars.next()) {
                            (Some(char), None) => append(&char, encoding, out),
                            _ => return Err(unfit()),
                        }
                    }
                    (Leaf::String, Self::Text(text)) => append(text, encoding, out),
                    (Leaf::Bytes, Self::Bytes(bytes)) => {
                        let Ok(()) = write_bytes(bytes, out);
                    }
                    _ => return Err(unfit()),
                }
            };
        }
        number!(
            U8 u8, U16 u16, U32 u32, U64 u64, U128 u128, I8 i8, I16 i16, I32 i32, I64 i64,
            I128 i128
        );
        Ok(())
    }
}

fn append<T: Serialize + ?Sized>(value: &T, encoding: Encoding, out: &mut Vec<u8>) {
    encode(value, encoding, out).expect("a leaf has an encoding");
}

fn put_count(count: usize, out: &mut Vec<u8>) {
    let Ok(()) = write_varint(count as u128, out);
}

fn put_all(
    list: &[Datum],
    element: Schema<'_>,
    encoding: Encoding,
    out: &mut Vec<u8>,
) -> Result<(), Unfit> {
    for (place, held) in list.iter().enumerate() {
        held.put(element, encoding, out).map_err(|unfit| unfit.at(place))?;
    }
    Ok(())
}

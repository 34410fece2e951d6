//! Reads JSON as a value of a schema: every digit as it is written, every field by its name.

use std::fmt;

use holdwater::schema::{Kind, Leaf, Members, Schema};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Datum, Unfit, may_hold_nothing};

/// Whether the variant of an enum has to be named.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Names {
    /// It has to be: `{"Integer": 7}`.
    Given,
    /// Where it is not, the first variant is meant whose content it fits: `7`.
    Inferred,
}

impl Datum {
    /// Reads JSON, as [`write_json`](Self::write_json) writes it, as a value of `schema`.
    ///
    /// A field that is missing, unknown or given twice is refused, and so is a number that does not
    /// fit: nothing is rounded or guessed.
    pub fn from_json(schema: Schema<'_>, text: &str) -> Result<Self, Unfit> {
        Self::from_json_with(schema, text, Names::Given)
    }

    /// Reads JSON in which the names of variants may be left out.
    pub fn from_json_with(schema: Schema<'_>, text: &str, names: Names) -> Result<Self, Unfit> {
        let raw: &RawValue = serde_json::from_str(text)
            .map_err(|_| Unfit::of(&format!("{schema} as JSON"), &super::brief(text)))?;
        Input { names }.value(schema, raw.get())
    }

    /// Reads a cell, as [`cell`](Self::cell) writes it, as a value of `schema`.
    pub fn from_cell(schema: Schema<'_>, cell: &str) -> Result<Self, Unfit> {
        match schema.kind() {
            Kind::Leaf(leaf) => scalar(leaf, cell),
            Kind::Option(_) if cell.is_empty() => Ok(Self::Nothing),
            Kind::Option(inner) if !may_hold_nothing(inner) => Self::from_cell(inner, cell),
            Kind::Opaque(_) => scalar(Leaf::Bytes, cell),
            _ => Self::from_json(schema, cell),
        }
    }
}

/// How JSON is read.
struct Input {
    names: Names,
}

impl Input {
    fn value(&self, schema: Schema<'_>, text: &str) -> Result<Datum, Unfit> {
        let unfit = || Unfit::new(schema, text);
        match schema.kind() {
            Kind::Leaf(leaf) => leaf_value(leaf, text),
            Kind::Opaque(_) => leaf_value(Leaf::Bytes, text),
            Kind::Option(_) if text == "null" => Ok(Datum::Nothing),
            Kind::Option(inner) if may_hold_nothing(inner) => match &*members(text, unfit)? {
                [(name, held)] if name == SOME => {
                    Ok(Datum::Some(Box::new(self.value(inner, held.get())?)))
                }
                _ => Err(unfit()),
            },
            Kind::Option(inner) => self.value(inner, text),
            Kind::Array { count, element } => {
                let list = elements(text, unfit)?;
                if list.len() != count as usize {
                    return Err(unfit());
                }
                self.list(&list, |_| element)
            }
            Kind::Seq(element) => self.list(&elements(text, unfit)?, |_| element),
            Kind::Tuple(parts) => {
                let (list, parts) = (elements(text, unfit)?, parts.collect::<Vec<_>>());
                if list.len() != parts.len() {
                    return Err(unfit());
                }
                self.list(&list, |place| parts[place].schema)
            }
            Kind::Struct(fields) => self.fields(fields, &members(text, unfit)?),
            Kind::Map { key, value } => self.pairs(key, value, text),
            Kind::Enum(variants) => self.variant(variants, text).or_else(|refused| {
                let bare = variants.into_iter().find_map(|variant| {
                    let held = self.value(variant.schema, text).ok()?;
                    Some(Datum::Variant(variant.name.to_owned(), Box::new(held)))
                });
                let inferred = bare.filter(|_| self.names == Names::Inferred);
                inferred.ok_or_else(|| refused.unwrap_or_else(unfit))
            }),
        }
    }

    fn list<'s>(
        &self,
        list: &[&RawValue],
        schema: impl Fn(usize) -> Schema<'s>,
    ) -> Result<Datum, Unfit> {
        let read = list.iter().enumerate().map(|(place, held)| {
            self.value(schema(place), held.get()).map_err(|unfit| unfit.at(place))
        });
        read.collect::<Result<_, _>>().map(Datum::List)
    }

    fn fields(&self, fields: Members<'_>, given: &[(String, &RawValue)]) -> Result<Datum, Unfit> {
        let mut left: Vec<_> = given.iter().collect();
        let mut pairs = Vec::with_capacity(given.len());
        for field in fields {
            let Some(place) = left.iter().position(|(name, _)| name == field.name) else {
                let said = "the field is missing".to_owned();
                return Err(Unfit { path: field.name.to_owned(), said });
            };
            let (_, held) = left.remove(place);
            let held = self.value(field.schema, held.get());
            let held = held.map_err(|unfit| unfit.inside(field.name))?;
            pairs.push((Datum::Text(field.name.to_owned()), held));
        }
        match left.first() {
            None => Ok(Datum::Pairs(pairs)),
            Some((name, _)) => {
                let names: Vec<_> = fields.map(|field| field.name).collect();
                let said = match names.contains(&&**name) {
                    true => "the field is given twice".to_owned(),
                    false => format!("there is no such field; there are {}", names.join(", ")),
                };
                Err(Unfit { path: name.clone(), said })
            }
        }
    }

    /// Reads an object if keys have no parts, or an array of pairs.
    fn pairs(&self, key: Schema<'_>, value: Schema<'_>, text: &str) -> Result<Datum, Unfit> {
        let unfit = || Unfit::of(&format!("Map<{key}, {value}>"), text);
        let mut pairs = Vec::new();
        if text.starts_with('{') {
            for (name, held) in members(text, unfit)? {
                let held = self.value(value, held.get()).map_err(|unfit| unfit.inside(&name))?;
                pairs.push((from_name(key, &name)?, held));
            }
            return Ok(Datum::Pairs(pairs));
        }
        for (place, pair) in elements(text, unfit)?.into_iter().enumerate() {
            let [name, held] = *elements(pair.get(), unfit)? else { return Err(unfit()) };
            let name = self.value(key, name.get()).map_err(|unfit| unfit.at(place))?;
            pairs.push((name, self.value(value, held.get()).map_err(|unfit| unfit.at(place))?));
        }
        Ok(Datum::Pairs(pairs))
    }

    /// Reads a variant by its name; returns nothing where none is named.
    fn variant(&self, variants: Members<'_>, text: &str) -> Result<Datum, Option<Unfit>> {
        let named = |name: &str| variants.into_iter().find(|variant| variant.name == name);
        if text.starts_with('"') {
            let name: String = serde_json::from_str(text).map_err(|_| None)?;
            let variant = named(&name).filter(|variant| may_hold_nothing(variant.schema));
            let variant = variant.ok_or(None)?;
            return Ok(Datum::Variant(variant.name.to_owned(), Box::new(Datum::Nothing)));
        }
        let given = members(text, || None)?;
        let [(name, held)] = &*given else { return Err(None) };
        let variant = named(name).ok_or(None)?;
        let held = self.value(variant.schema, held.get());
        let held = held.map_err(|unfit| Some(unfit.inside(name)))?;
        Ok(Datum::Variant(variant.name.to_owned(), Box::new(held)))
    }
}

/// Reads the name of a member as the key of a map.
fn from_name(schema: Schema<'_>, name: &str) -> Result<Datum, Unfit> {
    match schema.kind() {
        Kind::Leaf(leaf) => scalar(leaf, name).map_err(|unfit| unfit.inside("key")),
        Kind::Opaque(_) => scalar(Leaf::Bytes, name).map_err(|unfit| unfit.inside("key")),
        Kind::Option(inner) if !may_hold_nothing(inner) => from_name(inner, name),
        _ => Err(Unfit::new(schema, name).inside("key")),
    }
}

/// Reads a JSON value without parts.
fn leaf_value(leaf: Leaf, text: &str) -> Result<Datum, Unfit> {
    let unfit = || Unfit::of(leaf.word(), text);
    let is_text = text.starts_with('"');
    let wants_text = match leaf {
        Leaf::Unit => return if text == "null" { Ok(Datum::Nothing) } else { Err(unfit()) },
        Leaf::Char | Leaf::String | Leaf::Bytes => true,
        // What JSON has no number for.
        Leaf::F32 | Leaf::F64 => ["\"NaN\"", "\"inf\"", "\"-inf\""].contains(&text),
        _ => false,
    };
    match (wants_text, is_text) {
        (true, true) => {
            let text: String = serde_json::from_str(text).map_err(|_| unfit())?;
            scalar(leaf, &text)
        }
        (false, false) => {
            // Finite, as it is written.
            let datum = scalar(leaf, text)?;
            let is_finite = match datum {
                Datum::Float(number) => number.is_finite(),
                Datum::Single(number) => number.is_finite(),
                _ => true,
            };
            if is_finite { Ok(datum) } else { Err(unfit()) }
        }
        _ => Err(unfit()),
    }
}

/// Reads plain text as a value without parts.
fn scalar(leaf: Leaf, text: &str) -> Result<Datum, Unfit> {
    let unfit = || Unfit::of(leaf.word(), text);
    macro_rules! parse {
        ($variant:ident $type:ty) => {
            text.parse::<$type>().map(|value| Datum::$variant(value.into())).map_err(|_| unfit())
        };
    }
    match leaf {
        Leaf::Unit if text.is_empty() => Ok(Datum::Nothing),
        Leaf::Unit => Err(unfit()),
        Leaf::Bool => parse!(Bool bool),
        Leaf::Char => parse!(Text char),
        Leaf::U8 => parse!(Unsigned u8),
        Leaf::U16 => parse!(Unsigned u16),
        Leaf::U32 => parse!(Unsigned u32),
        Leaf::U64 => parse!(Unsigned u64),
        Leaf::U128 => parse!(Unsigned u128),
        Leaf::I8 => parse!(Signed i8),
        Leaf::I16 => parse!(Signed i16),
        Leaf::I32 => parse!(Signed i32),
        Leaf::I64 => parse!(Signed i64),
        Leaf::I128 => parse!(Signed i128),
        Leaf::F32 => parse!(Single f32),
        Leaf::F64 => parse!(Float f64),
        Leaf::String => Ok(Datum::Text(text.to_owned())),
        Leaf::Bytes => hexadecimal(text).map(Datum::Bytes).ok_or_else(unfit),
    }
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
        _ => None,
    });
    pairs.collect()
}

fn elements<E>(text: &str, unfit: impl Fn() -> E) -> Result<Vec<&RawValue>, E> {
    serde_json::from_str(text).map_err(|_| unfit())
}

fn members<E>(text: &str, unfit: impl Fn() -> E) -> Result<Vec<(String, &RawValue)>, E> {
    serde_json::from_str(text).map(|Object(members)| members).map_err(|_| unfit())
}

/// The members of an object in their order, also those of one name.
struct Object<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Object(members))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

/// The name under which a value stands where there may be none.
pub(super) const SOME: &str = "Some";

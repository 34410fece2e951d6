use core::fmt::{self, Display};

use super::{Kind, Leaf, Members, Schema};

/// In words, much as in Rust: `{ origin: String, delay: i64 }`; with `#`, also the names of types.
impl Display for Schema<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = self.name().filter(|_| f.alternate()) {
            write!(f, "{name} ")?;
        }
        match self.kind() {
            Kind::Leaf(leaf) => f.write_str(leaf.word()),
            Kind::Opaque(version) => write!(f, "opaque version {version}"),
            Kind::Option(inner) => wrap(f, "Option<", &[inner], ">"),
            Kind::Seq(element) => wrap(f, "[", &[element], "]"),
            Kind::Map { key, value } => wrap(f, "Map<", &[key, value], ">"),
            Kind::Array { count, element } => {
                wrap(f, "[", &[element], "; ")?;
                write!(f, "{count}]")
            }
            Kind::Tuple(members) => elements(f, members),
            Kind::Struct(members) => fields(f, members),
            Kind::Enum(members) => variants(f, members),
        }
    }
}

fn wrap(f: &mut fmt::Formatter<'_>, open: &str, parts: &[Schema<'_>], close: &str) -> fmt::Result {
    f.write_str(open)?;
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        part.fmt(f)?;
    }
    f.write_str(close)
}

fn elements(f: &mut fmt::Formatter<'_>, members: Members<'_>) -> fmt::Result {
    let single = members.len() == 1;
    f.write_str("(")?;
    for (index, element) in members.schemas().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        element.fmt(f)?;
    }
    f.write_str(if single { ",)" } else { ")" })
}

fn fields(f: &mut fmt::Formatter<'_>, members: Members<'_>) -> fmt::Result {
    if members.len() == 0 {
        return f.write_str("{}");
    }
    for (index, field) in members.enumerate() {
        f.write_str(if index == 0 { "{ " } else { ", " })?;
        write!(f, "{}: ", field.name)?;
        field.schema.fmt(f)?;
    }
    f.write_str(" }")
}

fn variants(f: &mut fmt::Formatter<'_>, members: Members<'_>) -> fmt::Result {
    f.write_str("<")?;
    for (index, variant) in members.enumerate() {
        if index > 0 {
            f.write_str(" | ")?;
        }
        f.write_str(variant.name)?;
        match variant.schema.kind() {
            Kind::Leaf(Leaf::Unit) => {}
            Kind::Tuple(_) => variant.schema.fmt(f)?,
            Kind::Struct(_) => {
                f.write_str(" ")?;
                variant.schema.fmt(f)?;
            }
            _ => wrap(f, "(", &[variant.schema], ")")?,
        }
    }
    f.write_str(">")
}

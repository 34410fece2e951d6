//! Whether a state of today reads what was stored, told before any row of it is read.

use alloc::vec::Vec;
use core::error::Error;
use core::fmt::{self, Write as _};

use super::{Description, TypeSchema};
use crate::key;
use crate::schema::{
    Compatibility, Incompatible, Path, Refusal, Schema, StoredSchema, TypeProbe, compare,
    compare_type,
};

/// The schemas that rows were written with.
#[derive(Clone, Copy, Debug)]
pub struct Schemas<'s> {
    /// That of the keys.
    pub key: Schema<'s>,
    /// That of the fields of a map.
    pub field: Option<Schema<'s>>,
    /// That of the values.
    pub value: Schema<'s>,
}

/// How stored rows fit a state that can read them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fit {
    /// A key may belong to another key group than it did.
    Moves,
    /// Every key belongs to the key group that it did.
    Stays,
}

/// Stored rows that a state can never read, by their types alone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TypeMismatch {
    /// Which type: that of the keys, fields or values.
    pub piece: &'static str,
    /// What was stored.
    pub stored: StoredSchema,
    /// What the type is today.
    pub own: StoredSchema,
    /// Where and why the two do not fit.
    pub incompatible: Incompatible,
}

impl fmt::Display for TypeMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { piece, stored, own, incompatible } = self;
        write!(f, "its {piece}s do not evolve: {incompatible}; stored is ")?;
        brief(f, stored)?;
        f.write_str(", the type is ")?;
        brief(f, own)
    }
}

impl Error for TypeMismatch {}

impl Description {
    /// Tells how rows of the schemas `stored` fit this state, or why they never do.
    ///
    /// Reads no row. What it cannot know is whether a row holds a variant that the type does not
    /// have any more, or a value that the type itself refuses.
    pub fn fit(&self, stored: &Schemas<'_>) -> Result<Fit, TypeMismatch> {
        let key = piece("key", stored.key, &self.key, self.types.key)?;
        let field = (stored.field, &self.field, self.types.field);
        if let (Some(stored), Some(own), Some(probe)) = field {
            piece("field", stored, own, probe)?;
        }
        piece("value", stored.value, &self.value, self.types.value)?;
        let moves = key != Compatibility::Same
            && key::may_move(stored.key, StoredSchema::from(&self.key).view());
        Ok(if moves { Fit::Moves } else { Fit::Stays })
    }

    /// Returns the first field or variant that a type does not read by the name that its own schema
    /// has, and which of the types it is.
    pub(crate) fn unread_name(&self) -> Option<(&'static str, Path)> {
        let field = self.field.as_ref().zip(self.types.field);
        let pieces = [
            Some(("key", &self.key, self.types.key)),
            field.map(|(schema, probe)| ("field", schema, probe)),
            Some(("value", &self.value, self.types.value)),
        ];
        // What was given a schema at run time has no names of its own.
        let own = pieces.into_iter().flatten().filter(|(_, schema, _)| !schema.is_stored());
        let mut unread = own.filter_map(|(piece, schema, probe)| {
            let probed = probe.ask(StoredSchema::from(schema).view());
            probed.dropped.or(probed.unknown).map(|path| (piece, path))
        });
        unread.next()
    }
}

fn piece(
    piece: &'static str,
    stored: Schema<'_>,
    own: &TypeSchema,
    probe: TypeProbe,
) -> Result<Compatibility, TypeMismatch> {
    if own.is(stored) {
        return Ok(Compatibility::Same);
    }
    let form = StoredSchema::from(own);
    let outcome = match own.is_stored() {
        // Such a type reads anything, and would give it other names.
        true => compare(stored, form.view()).and_then(|compatibility| match compatibility {
            Compatibility::Same => Ok(compatibility),
            Compatibility::Evolved => Err(Incompatible::of(Refusal::RunTime)),
        }),
        false => compare_type(stored, form.view(), probe),
    };
    let outcome = outcome.and_then(|compatibility| match compatibility {
        Compatibility::Evolved if piece != "value" => keep_apart(stored, probe),
        compatibility => Ok(compatibility),
    });
    outcome.map_err(|incompatible| TypeMismatch {
        piece,
        stored: stored.into(),
        own: form,
        incompatible,
    })
}

/// Refuses to read keys without one of their fields, or two of their variants as one.
fn keep_apart(stored: Schema<'_>, probe: TypeProbe) -> Result<Compatibility, Incompatible> {
    let probed = probe.ask(stored);
    match probed.dropped.or(probed.merged) {
        None => Ok(Compatibility::Evolved),
        Some(path) => Err(Incompatible { path, refusal: Refusal::Merge }),
    }
}

impl From<&TypeSchema> for StoredSchema {
    fn from(schema: &TypeSchema) -> Self {
        match schema {
            TypeSchema::Static(schema) => (*schema).into(),
            TypeSchema::Stored(schema) => schema.clone(),
        }
    }
}

/// Writes a schema in words, and of a long one the beginning.
fn brief(f: &mut fmt::Formatter<'_>, schema: &StoredSchema) -> fmt::Result {
    let mut words = Beginning(Vec::new());
    // It fails where there is no more room.
    let cut = write!(words, "{:#}", schema.view()).is_err();
    f.write_str(core::str::from_utf8(&words.0).unwrap_or_default())?;
    f.write_str(if cut { " .." } else { "" })
}

/// Takes whole pieces of text, some 200 bytes of them.
struct Beginning(Vec<u8>);

impl fmt::Write for Beginning {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > 200 {
            return Err(fmt::Error);
        }
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::schema::{Migration, Opaque, Versioned};
    use crate::state::{Descriptor, Kind};

    #[derive(Clone, Deserialize, Serialize)]
    struct Tree<const VERSION: u32>;

    impl Versioned for Tree<1> {
        const NAME: &'static str = "Tree";
        const VERSION: u32 = 1;
    }

    impl Versioned for Tree<300> {
        const NAME: &'static str = "Tree";
        const VERSION: u32 = 300;
        const MIGRATIONS: &'static [(u32, Migration<Self>)] =
            &[(2, |_| Ok(Self)), (3, |_| Ok(Self))];
    }

    #[test]
    fn a_version_that_is_not_read_is_told_with_those_that_are() {
        let (key, value) = (StoredSchema::of::<u64>(), StoredSchema::of::<Opaque<Tree<1>>>());
        let (key, value) = (key.expect("a schema"), value.expect("a schema"));
        let stored = Schemas { key: key.view(), field: None, value: value.view() };
        let own = Descriptor::<u64, Opaque<Tree<300>>>::new("trees").describe(Kind::Value);
        let mismatch = own.expect("a state").fit(&stored).expect_err("another version");
        assert_eq!(
            mismatch.to_string(),
            "its values do not evolve: version 1 is stored, wanted Tree of version 300 or 3 or 2: \
             keep a migration from it, or use a program that has one; stored is Tree opaque \
             version 1, the type is Tree opaque version 300"
        );
    }
}

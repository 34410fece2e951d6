//! What the types of a state can be asked: what they read, and where a key belongs.

use serde::de::IgnoredAny;

use super::Form;
use crate::codec::Reader;
use crate::key::{Key, KeyGroup};
use crate::schema::{Data, DecodeError, Refusal, TypeProbe};

/// The types of a state, for those that do not know them.
#[derive(Clone, Copy, Debug)]
pub struct Types {
    #[cfg_attr(not(feature = "alloc"), expect(dead_code, reason = "asked by who reads tables"))]
    pub(super) key: TypeProbe,
    #[cfg_attr(not(feature = "alloc"), expect(dead_code, reason = "asked by who reads tables"))]
    pub(super) field: Option<TypeProbe>,
    #[cfg_attr(not(feature = "alloc"), expect(dead_code, reason = "asked by who reads tables"))]
    pub(super) value: TypeProbe,
    group: fn(&Form<'_>, &[u8], u16) -> Result<KeyGroup, DecodeError>,
}

impl Types {
    pub(super) const fn of<K: Key, V: Data>(field: Option<TypeProbe>) -> Self {
        let (key, value) = (TypeProbe::of_key::<K>(), TypeProbe::of::<V>());
        Self { key, field, value, group: group::<K> }
    }

    /// The types of a state that is known by its schemas alone: for those who write rows that
    /// others have encoded.
    pub const UNKNOWN: Self = {
        let any = TypeProbe::of::<IgnoredAny>();
        Self { key: any, field: Some(any), value: any, group: unknown }
    };

    /// Returns the group, of `total`, that the key of a row belongs to.
    pub fn group(&self, form: &Form<'_>, row: &[u8], total: u16) -> Result<KeyGroup, DecodeError> {
        (self.group)(form, row, total)
    }
}

fn unknown(_: &Form<'_>, _: &[u8], _: u16) -> Result<KeyGroup, DecodeError> {
    Err(DecodeError::of(Refusal::RunTime))
}

fn group<K: Key>(form: &Form<'_>, row: &[u8], total: u16) -> Result<KeyGroup, DecodeError> {
    let key: K = form.key(&mut Reader::new(row))?;
    Ok(KeyGroup::of(K::digest(key.view()), total))
}

//! Which key group a key belongs to, by the schema of keys alone (docs/format.md 2.2).

use holdwater::codec::Encoding;
use holdwater::key::{KeyGroup, digest_integer, digest_wide};
use holdwater::schema::{Kind, Leaf, Schema};
use xxhash_rust::xxh3::xxh3_64;

use crate::datum::{Datum, Unfit};

/// Returns the digest of a key of `schema`.
///
/// It is that of every key but those whose type has a digest of its own making: whoever relies on
/// it compares it with where rows lie.
pub fn digest(schema: Schema<'_>, key: &Datum) -> Result<u64, Unfit> {
    let word = |leaf: Leaf| leaf.width().is_some_and(|width| width <= 8);
    Ok(match (schema.kind(), key) {
        (Kind::Leaf(Leaf::Unit), Datum::Nothing) => digest_integer(0),
        (Kind::Leaf(Leaf::Bool), Datum::Bool(value)) => digest_integer(u64::from(*value)),
        (Kind::Leaf(Leaf::Char), Datum::Text(text)) if text.chars().count() == 1 => {
            let code = text.chars().next().map_or(0, u32::from);
            digest_integer(code.into())
        }
        (Kind::Leaf(Leaf::U128), Datum::Unsigned(number)) => digest_wide(*number),
        (Kind::Leaf(Leaf::I128), Datum::Signed(number)) => digest_wide(number.cast_unsigned()),
        // Signed ones are extended by their sign: the low word has it.
        (Kind::Leaf(leaf), Datum::Signed(number)) if word(leaf) => {
            digest_integer(number.cast_unsigned() as u64)
        }
        (Kind::Leaf(leaf), Datum::Unsigned(number)) if word(leaf) => digest_integer(*number as u64),
        _ => {
            let mut bytes = Vec::new();
            key.put(schema, Encoding::Postcard, &mut bytes)?;
            xxh3_64(&bytes)
        }
    })
}

/// Returns the group, of `total`, of a key of `schema`.
pub fn group_of(schema: Schema<'_>, key: &Datum, total: u16) -> Result<u16, Unfit> {
    Ok(KeyGroup::of(digest(schema, key)?, total).index())
}

/// Returns the schemas of the key and of the window in that of both; no window where there is none.
pub fn key_and_window(schema: Schema<'_>) -> (Schema<'_>, Option<Schema<'_>>) {
    let Kind::Struct(mut members) = schema.kind() else { return (schema, None) };
    match (members.next(), members.next(), members.next()) {
        (Some(key), Some(window), None) if (key.name, window.name) == ("key", "window") => {
            (key.schema, Some(window.schema))
        }
        _ => (schema, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdwater::codec::{Reader, encode};
    use holdwater::key::{In, Key, KeyGroups};
    use holdwater::schema::{Data, StoredSchema};
    use holdwater::window::Window;

    /// Compares the digest by the schema with that by the type.
    fn same<K: Key + Data>(key: K) {
        let schema = StoredSchema::of::<K>().unwrap();
        let (mut bytes, encoding) = (Vec::new(), schema.view().encoding());
        encode(&key, encoding, &mut bytes).unwrap();
        let datum = Datum::take(schema.view(), encoding, &mut Reader::new(&bytes)).unwrap();
        assert_eq!(digest(schema.view(), &datum), Ok(K::digest(key.view())), "{schema}");
        let group = KeyGroups::all(1000).locate::<K>(key.view()).group().index();
        assert_eq!(group_of(schema.view(), &datum, 1000), Ok(group));
    }

    #[test]
    fn keys_have_the_digests_that_their_types_give_them() {
        [0, 1, u64::MAX, 1 << 40].into_iter().for_each(same);
        [i64::MIN, -1, 42].into_iter().for_each(same);
        [i8::MIN, -1, 7].into_iter().for_each(same);
        [u128::MAX, 1 << 64].into_iter().for_each(same);
        [i128::MIN, -1].into_iter().for_each(same);
        ['a', '\u{1f600}'].into_iter().for_each(same);
        [true, false].into_iter().for_each(same);
        ["", "SFO"].into_iter().for_each(|text| same(text.to_owned()));
        same(());
        same((7u16, "a".to_owned()));
        same((7u16, -7i32));
        same([1u8, 2, 3]);
    }

    #[test]
    fn a_window_is_no_part_of_the_key() {
        let schema = StoredSchema::of::<In<u32, Window>>().unwrap();
        let (key, window) = key_and_window(schema.view());
        assert_eq!(key.fingerprint(), StoredSchema::of::<u32>().unwrap().view().fingerprint());
        assert!(window.is_some());
        let plain = StoredSchema::of::<(u32, Window)>().unwrap();
        assert!(key_and_window(plain.view()).1.is_none());
    }
}

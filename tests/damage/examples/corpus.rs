//! Writes the files of a real checkpoint directory, and values with their schemas, into the corpus
//! of the fuzz targets.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use holdwater::codec::encode;
use holdwater::schema::{Data, StoredSchema};
use holdwater::storage::ObjectKind;
use holdwater_damage::job::{JOB, directory};
use postcard_schema_ng::Schema;
use serde::{Deserialize, Serialize};

fn main() -> Result<(), Box<dyn Error>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (id, bytes) in directory(JOB, 0).objects {
        let target = match id.kind {
            ObjectKind::Data => "snapshot",
            ObjectKind::Manifest => "manifest",
            _ => continue,
        };
        let folder = corpus.join(target);
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(id.to_string()), &*bytes)?;
    }
    for target in ["evolving", "walker"] {
        let folder = corpus.join(target);
        std::fs::create_dir_all(&folder)?;
        for (name, bytes) in values()? {
            std::fs::write(folder.join(name), bytes)?;
        }
    }
    Ok(())
}

/// A file: what it is called, and its bytes.
type Named = (&'static str, Vec<u8>);

/// Returns values of types that those of the targets read, in whole or in part.
fn values() -> Result<Vec<Named>, Box<dyn Error>> {
    let flat = Flat { a: 300, old: "text".into(), c: Some(-1), d: 0.5 };
    let sorts = vec![Sort::A, Sort::C { a: -1 }, Sort::D(1, "d".into()), Sort::Gone([1; 3])];
    let b = BTreeMap::from([("key".to_owned(), Sort::A)]);
    let inner = Inner { a: vec![flat.clone()], e: sorts.clone() };
    let nested = Nested { a: vec![flat.clone(), flat.clone()], b, c: Some(inner), d: (1, 2) };
    let opaque = [&[0, 3, 0, 0x27, 1, 1][..], &[2, 1, 0]].concat();
    let built =
        [&[1, 12, 0][..], &[6, 3, 12, 9, 2, 0, 12, 16, 3, 0, 12, 4, 1, 7], &[7; 40]].concat();
    Ok(vec![
        ("built", built),
        ("flat", value(&flat)?),
        ("nested", value(&nested)?),
        ("numbers", value(&(7_u8, [-1_i32; 6], 0.5_f32))?),
        ("opaque", opaque),
        ("sorts", value(&sorts)?),
    ])
}

/// Returns a value behind its schema, as the targets take it.
fn value<T: Data>(value: &T) -> Result<Vec<u8>, Box<dyn Error>> {
    let schema = StoredSchema::of::<T>()?;
    let [a, b] = u16::try_from(schema.bytes().len())?.to_le_bytes();
    let mut bytes = [&[0, a, b][..], schema.bytes()].concat();
    encode(value, schema.view().encoding(), &mut bytes)?;
    Ok(bytes)
}

#[derive(Clone, Deserialize, Schema, Serialize)]
struct Flat {
    a: u16,
    old: String,
    c: Option<i64>,
    d: f32,
}

#[derive(Clone, Deserialize, Schema, Serialize)]
enum Sort {
    A,
    C { a: i8 },
    D(u8, String),
    Gone([u8; 3]),
}

#[derive(Clone, Deserialize, Schema, Serialize)]
struct Nested {
    a: Vec<Flat>,
    b: BTreeMap<String, Sort>,
    c: Option<Inner>,
    d: (u8, u8),
}

#[derive(Clone, Deserialize, Schema, Serialize)]
struct Inner {
    a: Vec<Flat>,
    e: Vec<Sort>,
}

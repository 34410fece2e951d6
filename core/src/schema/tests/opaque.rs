//! Types without a schema: what is stored of them, and how their bytes are read.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec;

use super::*;
use crate::codec::decode_guarded;

/// Holds itself.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Tree {
    weight: usize,
    children: Vec<Self>,
}

/// The same of a later version.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Later;

/// Writes what it does not read.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(untagged)]
enum Untold {
    Number(u8),
}

impl Versioned for Tree {
    const NAME: &'static str = "Tree";
    const VERSION: u32 = 1;
}

impl Versioned for Later {
    const NAME: &'static str = "Tree";
    const VERSION: u32 = 300;
    const MIGRATIONS: &'static [(u32, Migration<Self>)] = &[(2, |_| Ok(Self)), (3, |_| Ok(Self))];
}

impl Versioned for Untold {
    const NAME: &'static str = "Untold";
    const VERSION: u32 = 1;
}

#[test]
fn what_is_stored_of_an_opaque_type_is_its_name_and_its_version() {
    let tree = StoredSchema::of::<Opaque<Tree>>().unwrap();
    assert_eq!(tree.bytes(), [0x30, 4, b'T', b'r', b'e', b'e', 0x27, 1, 1]);
    let later = StoredSchema::of::<Opaque<Later>>().unwrap();
    assert_eq!(later.bytes(), [0x30, 4, b'T', b'r', b'e', b'e', 0x27, 2, 0xac, 2]);
    assert_eq!(
        format!("{:#} {}", later.view(), tree.view()),
        "Tree opaque version 300 opaque version 1"
    );
    assert_ne!(tree.view().fingerprint(), later.view().fingerprint());
    let of_run_time = StoredSchema::opaque(300).unwrap();
    assert_eq!(of_run_time.view().fingerprint(), later.view().fingerprint());
    assert_eq!(of_run_time.named("Tree").unwrap().bytes(), later.bytes());
    assert_eq!(StaticSchema::of::<Opaque<Tree>>().unwrap().fixed_len(), None);
    assert_eq!(Schema::parse(&[0x27, 1, 0x80]).unwrap_err().fault, Fault::End);
    assert_eq!(Schema::parse(&[0x27, 2, 1, 1]).unwrap_err().fault, Fault::Trailing);
}

#[test]
fn an_opaque_value_is_written_as_bytes_that_can_be_read_back() {
    let leaf = Tree { weight: 300, children: Vec::new() };
    let tree = Opaque(Tree { weight: 1, children: vec![leaf.clone(), leaf] });
    let bytes = bytes(&tree, Encoding::Postcard);
    assert_eq!(bytes, [8, 1, 2, 0xac, 2, 0, 0xac, 2, 0]);
    assert_eq!(decode(Encoding::Postcard, &mut Reader::new(&bytes)), Ok(tree));
    let untold = encode(&Opaque(Untold::Number(1)), Encoding::Postcard, &mut Vec::new());
    assert_eq!(untold, Err(EncodeError::Refused));
}

#[test]
fn bytes_of_a_type_that_holds_itself_nest_no_deeper_than_granted() {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Chain(Option<Box<Self>>);
    let fault =
        |length: usize, depth| decode_guarded::<Chain>(&vec![1; length], depth).unwrap_err().fault;
    assert_eq!(fault(1 << 20, 128), Fault::Budget);
    assert_eq!(fault(10, 128), Fault::End);
    let two = Chain(Some(Box::new(Chain(None))));
    assert_eq!(decode_guarded(&[1, 0], 4), Ok(two));
    assert_eq!(decode_guarded::<Chain>(&[1, 0], 2).unwrap_err().fault, Fault::Budget);
}

#[test]
fn what_bytes_claim_of_a_type_without_a_schema_is_bounded() {
    let claims = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    assert_eq!(decode_guarded::<Vec<()>>(&claims, 8).unwrap_err().fault, Fault::Budget);
    assert_eq!(decode_guarded::<String>(&claims, 8).unwrap_err().fault, Fault::End);
    assert_eq!(decode_guarded::<Vec<()>>(&[3], 8), Ok(vec![(), (), ()]));
    assert_eq!(decode_guarded::<u8>(&[3, 3], 8).unwrap_err().fault, Fault::Trailing);
}

proptest! {
    #[test]
    fn values_are_read_as_by_the_schema_where_there_is_one(value in trip()) {
        let bytes = bytes(&value, Encoding::Postcard);
        prop_assert_eq!(decode_guarded(&bytes, 32), Ok(value));
    }

    #[test]
    fn damaged_bytes_without_a_schema_are_read_as_others_or_refused(
        value in trip(), at in any::<usize>(), bit in 0u8..8,
    ) {
        let mut bytes = bytes(&value, Encoding::Postcard);
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        let schema = StoredSchema::of::<Trip>().unwrap();
        let mut reader = Reader::new(&bytes);
        let mut budget = Budget::of_row(bytes.len());
        let walked = walk(schema.view(), Encoding::Postcard, &mut reader, &mut budget);
        let is_value = walked.is_ok() && reader.is_empty();
        prop_assert_eq!(decode_guarded::<Trip>(&bytes, 32).is_ok(), is_value);
    }
}

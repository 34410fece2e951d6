//! A schema of any bytes: those that are one are not found by chance.

use holdwater::codec::write_varint;

/// Returns the schema that `bytes` tell to build, in its stored form (docs/format.md 4.2).
pub fn schema(bytes: &[u8]) -> Vec<u8> {
    node(&mut bytes.iter().copied(), 0)
}

fn node(bytes: &mut impl Iterator<Item = u8>, depth: u32) -> Vec<u8> {
    let (kind, size) = (bytes.next().unwrap_or_default(), bytes.next().unwrap_or_default());
    if depth == DEPTH_MAX {
        return vec![UNIT];
    }
    let (names, mut body) = (usize::from(kind) / 16, Vec::new());
    let mut part = || node(bytes, depth + 1);
    let code = match kind % 16 {
        1 => 0x20,
        2 => 0x21,
        3 => 0x22,
        4 => 0x23,
        5 => 0x24,
        6 | 7 => 0x25,
        8 | 9 => 0x26,
        10 => 0x27,
        11 => return [&[0x30, 1, b'T'][..], &part()].concat(),
        12 => return [&[0x31, size % 128][..], &part()].concat(),
        _ => return vec![UNIT + size % LEAVES],
    };
    match code {
        0x20 | 0x21 => body.extend(part()),
        0x22 => body.extend([part(), part()].concat()),
        0x23 => {
            varint(2 + u128::from(size).pow(2), &mut body);
            body.extend(part());
        }
        0x27 => varint((size % 4).into(), &mut body),
        _ => {
            body.push(size % 7);
            for place in 0..usize::from(size % 7) {
                match code {
                    0x25 => text(FIELDS[(names + place) % FIELDS.len()], &mut body),
                    0x26 => text(VARIANTS[(names + place) % VARIANTS.len()], &mut body),
                    _ => {}
                }
                body.extend(part());
            }
        }
    }
    let mut node = vec![code];
    varint(body.len() as u128, &mut node);
    node.extend(body);
    node
}

fn text(text: &str, out: &mut Vec<u8>) {
    varint(text.len() as u128, out);
    out.extend_from_slice(text.as_bytes());
}

fn varint(number: u128, out: &mut Vec<u8>) {
    let Ok(()) = write_varint(number, out);
}

const DEPTH_MAX: u32 = 12;
const UNIT: u8 = 1;
/// How many leaves there are.
const LEAVES: u8 = 17;
/// Those that the types ask for, and some more.
const FIELDS: [&str; 7] = ["a", "b", "c", "d", "old", "secs", "nanos"];
const VARIANTS: [&str; 7] = ["A", "B", "C", "D", "Old", "V4", "V6"];

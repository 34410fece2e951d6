use super::Leaf;
use super::node::{ARRAY, ENUM, LIMIT, MAP, NAME, OPAQUE, OPTION, SEQ, STRUCT, TUPLE, skip_node};
use crate::codec::Reader;
use crate::error::{Fault, Malformed};
use crate::schema::{SCHEMA_DEPTH_MAX, SCHEMA_MEMBERS_MAX};

/// Checks the next node, at `depth` nodes and notes from the top. Returns whether each of its
/// values takes at least one byte.
pub(super) fn verify(reader: &mut Reader<'_>, depth: usize) -> Result<bool, Malformed> {
    let start = *reader;
    if depth > SCHEMA_DEPTH_MAX {
        return Err(start.fault(Fault::Budget));
    }
    let code = reader.byte()?;
    if let Some(leaf) = Leaf::from_code(code) {
        return Ok(leaf != Leaf::Unit);
    }
    match code {
        NAME => {
            reader.text()?;
            return verify(reader, depth + 1);
        }
        LIMIT => {
            reader.varint_u64()?;
            return verify(reader, depth + 1);
        }
        _ => {}
    }
    let length = reader.length()?;
    let offset = reader.offset();
    let mut body = Reader::at(reader.take(length)?, offset);
    let takes_bytes = match code {
        OPTION => {
            verify(&mut body, depth + 1)?;
            true
        }
        SEQ | MAP | ARRAY => verify_repeated(code, &mut body, depth)?,
        TUPLE => verify_members(&mut body, depth, false)?,
        STRUCT => verify_members(&mut body, depth, true)?,
        OPAQUE => {
            body.varint_u32()?;
            true
        }
        ENUM => {
            verify_members(&mut body, depth, true)?;
            true
        }
        _ => return Err(start.fault(Fault::Range)),
    };
    body.finish()?;
    Ok(takes_bytes)
}

/// Checks that what repeats takes bytes: otherwise a few could claim any number of elements.
fn verify_repeated(code: u8, body: &mut Reader<'_>, depth: usize) -> Result<bool, Malformed> {
    let start = *body;
    if code == ARRAY && body.varint_u32()? < 2 {
        return Err(start.fault(Fault::Range));
    }
    let element = *body;
    let mut takes_bytes = verify(body, depth + 1)?;
    if code == MAP {
        takes_bytes |= verify(body, depth + 1)?;
    }
    if takes_bytes { Ok(true) } else { Err(element.fault(Fault::Range)) }
}

fn verify_members(body: &mut Reader<'_>, depth: usize, named: bool) -> Result<bool, Malformed> {
    let start = *body;
    let count = body.varint_u32()? as usize;
    if count > SCHEMA_MEMBERS_MAX {
        return Err(start.fault(Fault::Budget));
    }
    let (first, mut take_bytes) = (*body, false);
    for index in 0..count {
        if named {
            let place = *body;
            let name = body.text()?;
            let mut earlier = first;
            for _ in 0..index {
                if earlier.bytes()? == name.as_bytes() {
                    return Err(place.fault(Fault::Duplicate));
                }
                skip_node(&mut earlier)?;
            }
        }
        take_bytes |= verify(body, depth + 1)?;
    }
    Ok(take_bytes)
}

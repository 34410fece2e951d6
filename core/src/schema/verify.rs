use super::Leaf;
use super::node::{ARRAY, ENUM, LIMIT, MAP, NAME, OPTION, SEQ, STRUCT, TUPLE, skip_node};
use crate::codec::Reader;
use crate::error::{Fault, Malformed};
use crate::schema::{SCHEMA_DEPTH_MAX, SCHEMA_MEMBERS_MAX};

/// Checks the next node, at `depth` nodes and notes from the top.
pub(super) fn verify(reader: &mut Reader<'_>, depth: usize) -> Result<(), Malformed> {
    let start = *reader;
    if depth > SCHEMA_DEPTH_MAX {
        return Err(start.fault(Fault::Budget));
    }
    let code = reader.byte()?;
    if Leaf::from_code(code).is_some() {
        return Ok(());
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
    match code {
        OPTION | SEQ => verify(&mut body, depth + 1)?,
        MAP => {
            verify(&mut body, depth + 1)?;
            verify(&mut body, depth + 1)?;
        }
        ARRAY => {
            let count = body;
            if body.varint_u32()? < 2 {
                return Err(count.fault(Fault::Range));
            }
            verify(&mut body, depth + 1)?;
        }
        TUPLE => verify_members(&mut body, depth, false)?,
        STRUCT | ENUM => verify_members(&mut body, depth, true)?,
        _ => return Err(start.fault(Fault::Range)),
    }
    body.finish()
}

fn verify_members(body: &mut Reader<'_>, depth: usize, named: bool) -> Result<(), Malformed> {
    let start = *body;
    let count = body.varint_u32()? as usize;
    if count > SCHEMA_MEMBERS_MAX {
        return Err(start.fault(Fault::Budget));
    }
    let first = *body;
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
        verify(body, depth + 1)?;
    }
    Ok(())
}

//! What a manifest says of the job in bytes that only this program reads.

use crate::duration::duration_in_words;
use crate::event_time::EventPosition;
use crate::failure::Failure;
use crate::input::Position;

/// Writes the signature of a job in words; of another program's the number of its bytes.
///
/// ```text
/// key origin; count, mean:delay; 1 input: csv
/// ```
pub(crate) fn job_in_words(signature: &[u8]) -> String {
    words(signature).unwrap_or_else(|| format!("of another program, {} bytes", signature.len()))
}

/// Returns how far an input was read, if this program has read it.
pub(crate) fn position_of(position: &[u8], signature: &[u8]) -> Option<Position> {
    words(signature)?;
    decode_position(position).ok().map(|(position, _)| position)
}

/// Reads a position as the checkpoint holds it: behind it stands, with windows, how far event time
/// has come.
pub(crate) fn decode_position(bytes: &[u8]) -> Result<(Position, Option<EventPosition>), Failure> {
    let malformed = |_| malformed_position();
    let (position, rest) = postcard::take_from_bytes(bytes).map_err(malformed)?;
    if rest.is_empty() {
        return Ok((position, None));
    }
    match postcard::take_from_bytes(rest).map_err(malformed)? {
        (event_time, []) => Ok((position, Some(event_time))),
        _ => Err(malformed_position()),
    }
}

/// Says that a position is none.
pub(crate) fn malformed_position() -> Failure {
    Failure::Corrupt("the position of an input in the checkpoint is malformed".to_owned())
}

fn words(signature: &[u8]) -> Option<String> {
    let (texts, rest): (Vec<String>, _) = postcard::take_from_bytes(signature).ok()?;
    let mut texts = texts.into_iter();
    if texts.next()? != "holdwater run 1" || !rest.is_empty() {
        return None;
    }
    let (key, specs) = (list("key", &mut texts)?, list("agg", &mut texts)?);
    let inputs = list("input", &mut texts)?;
    let formats: Vec<_> = inputs.iter().map(|format| format.to_lowercase()).collect();
    let one = if inputs.len() == 1 { "input" } else { "inputs" };
    Some(format!(
        "key {}; {}; {}{} {one}: {}",
        key.join(", "),
        specs.join(", "),
        windows(texts)?,
        inputs.len(),
        formats.join(", ")
    ))
}

/// Takes the texts that stand behind their name and their number.
fn list(name: &str, texts: &mut impl Iterator<Item = String>) -> Option<Vec<String>> {
    let count: usize = texts.next()?.strip_prefix(name)?.strip_prefix(' ')?.parse().ok()?;
    let taken: Vec<_> = texts.take(count).collect();
    (taken.len() == count).then_some(taken)
}

/// Reads what the last texts say of windows; nothing if there are none.
fn windows(texts: impl Iterator<Item = String>) -> Option<String> {
    let texts: Vec<_> = texts.collect();
    let texts: Vec<_> = texts.iter().map(String::as_str).collect();
    let time = |text: &str| text.parse().ok().map(duration_in_words);
    Some(match texts[..] {
        [] => String::new(),
        ["window 2", size, slide] if size == slide => format!("windows of {}; ", time(size)?),
        ["window 2", size, slide] => {
            format!("windows of {} every {}; ", time(size)?, time(slide)?)
        }
        ["session 1", gap] => format!("sessions of {}; ", time(gap)?),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_reads_as_what_was_asked_for() {
        let texts = |texts: &[&str]| postcard::to_allocvec(texts).unwrap();
        let signature = texts(&[
            "holdwater run 1",
            "key 2",
            "a",
            "b",
            "agg 2",
            "count",
            "sum:x",
            "input 1",
            "Csv",
        ]);
        assert_eq!(job_in_words(&signature), "key a, b; count, sum:x; 1 input: csv");
        for foreign in [&b"\xff\xff"[..], b"", &texts(&["holdwater run 1", "key 9", "a"])] {
            assert!(job_in_words(foreign).starts_with("of another program"), "{foreign:?}");
            assert_eq!(position_of(&[], foreign), None);
        }
        let position = Position { bytes: 7, line: 2, rows: 1, bad_rows: 0, hash: 9 };
        let bytes = postcard::to_allocvec(&position).unwrap();
        assert_eq!(position_of(&bytes, &signature), Some(position));
        assert_eq!(position_of(&bytes[1..], &signature), None);
    }
}

//! What a manifest says of the job in bytes that only this program reads.

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
    match postcard::take_from_bytes(position) {
        Ok((position, [])) => Some(position),
        _ => None,
    }
}

fn words(signature: &[u8]) -> Option<String> {
    let (texts, rest): (Vec<String>, _) = postcard::take_from_bytes(signature).ok()?;
    let mut texts = texts.into_iter();
    if texts.next()? != "holdwater run 1" || !rest.is_empty() {
        return None;
    }
    let mut list = |name: &str| -> Option<Vec<String>> {
        let count: usize = texts.next()?.strip_prefix(name)?.strip_prefix(' ')?.parse().ok()?;
        let taken: Vec<_> = texts.by_ref().take(count).collect();
        (taken.len() == count).then_some(taken)
    };
    let (key, specs, inputs) = (list("key")?, list("agg")?, list("input")?);
    let formats: Vec<_> = inputs.iter().map(|format| format.to_lowercase()).collect();
    let one = if inputs.len() == 1 { "input" } else { "inputs" };
    Some(format!(
        "key {}; {}; {} {one}: {}",
        key.join(", "),
        specs.join(", "),
        inputs.len(),
        formats.join(", ")
    ))
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

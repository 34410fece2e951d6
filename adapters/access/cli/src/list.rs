//! `holdwater list`: the checkpoints of a directory, newest first.

use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use holdwater::manifest::{CheckpointId, CheckpointKind, Manifest, Origin};
use holdwater::storage::{Area, Failure as StorageFailure, ObjectId, Storage};
use holdwater_files::{Files, FilesError};
use serde_json::{Value, json};

use crate::accumulators::Answer;
use crate::arguments::List;
use crate::failure::Failure;
use crate::table::Table;

/// Prints the checkpoints of a directory. Nothing is locked: one may vanish while it is read.
pub fn list(list: &List, out: &mut impl Write) -> Result<(), Failure> {
    let mut files = Files::open_existing(&list.dir)
        .map_err(|error| Failure::Data(format!("{error}; give a directory of checkpoints")))?;
    let mut found = read(&mut files)?;
    found.sort_by_key(|listed| std::cmp::Reverse((listed.id.epoch, listed.id.checkpoint)));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let shown = if list.json { objects(&found, out) } else { table(&found, now, out) };
    match shown {
        // A reader that has seen enough, such as `head`, is no failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        shown => shown.map_err(|source| Failure::io("cannot write the list", source)),
    }
}

/// A checkpoint, as far as it can be read.
struct Listed {
    id: CheckpointId,
    content: Result<Content, String>,
}

struct Content {
    manifest: Manifest,
    /// The first file that is not there in full.
    missing: Option<String>,
}

fn read(files: &mut Files) -> Result<Vec<Listed>, Failure> {
    let mut ids = Vec::new();
    files
        .list(Area::Manifests, &mut |id| ids.extend(CheckpointId::of_manifest(id)))
        .map_err(|error| Failure::Data(error.to_string()))?;
    let mut listed = Vec::new();
    for id in ids {
        let bytes = match whole(files, id.manifest()) {
            Ok(bytes) => bytes,
            // Removed by the running job since it was listed.
            Err(StorageFailure::Missing(_)) => continue,
            Err(error) => return Err(Failure::Data(error.to_string())),
        };
        let content = match Manifest::from_file(id, &bytes) {
            Ok(manifest) => {
                let missing = missing(files, &manifest);
                Ok(Content { manifest, missing })
            }
            Err(malformed) => Err(format!("manifest {}: {malformed}", id.manifest())),
        };
        listed.push(Listed { id, content });
    }
    Ok(listed)
}

fn missing(files: &mut Files, manifest: &Manifest) -> Option<String> {
    manifest.files.iter().find_map(|file| match files.length(file.id) {
        Ok(length) if length == file.length => None,
        Ok(length) => Some(format!("{} has {length} bytes, not {}", file.id, file.length)),
        Err(error) => Some(error.to_string()),
    })
}

/// Reads an object whole.
pub(crate) fn whole(
    files: &mut Files,
    id: ObjectId,
) -> Result<Vec<u8>, StorageFailure<FilesError>> {
    let length = usize::try_from(files.length(id)?).unwrap_or(usize::MAX);
    let mut bytes = vec![0; length];
    let read = files.read(id, 0, &mut bytes)?;
    bytes.truncate(read);
    Ok(bytes)
}

impl Content {
    /// Returns the bytes of all files that the checkpoint names.
    fn bytes(&self) -> u64 {
        self.manifest.files.iter().map(|file| file.length).sum()
    }

    /// Returns the bytes of the files that were written for it.
    fn new_bytes(&self) -> u64 {
        let id = self.manifest.id;
        let own = |file: &&holdwater::manifest::FileEntry| {
            (file.id.checkpoint, file.id.epoch) == (id.checkpoint, id.epoch)
        };
        self.manifest.files.iter().filter(own).map(|file| file.length).sum()
    }

    fn kind(&self) -> &'static str {
        match (self.manifest.kind, self.manifest.depth) {
            (CheckpointKind::Savepoint, _) => "savepoint",
            (CheckpointKind::Checkpoint, 0) => "full",
            (CheckpointKind::Checkpoint, _) => "incremental",
        }
    }

    fn parallelism(&self) -> u16 {
        self.manifest.operators.iter().map(|operator| operator.parallelism).max().unwrap_or(0)
    }
}

fn table(found: &[Listed], now: u128, out: &mut impl Write) -> io::Result<()> {
    let header = [
        "checkpoint",
        "age",
        "kind",
        "bytes",
        "new bytes",
        "files",
        "tasks",
        "parent",
        "started from",
        "status",
    ];
    let mut table = Table::new(header.len());
    table.row(&header.map(|name| Answer::Text(name.into())), out)?;
    for Listed { id, content } in found {
        let text = |text: String| Answer::Text(text.into());
        let mut row = vec![text(id.to_string())];
        match content {
            Ok(content) => {
                let Manifest { created_ms, files, parent, origin, .. } = &content.manifest;
                row.extend([
                    text(age(now.saturating_sub(u128::from(*created_ms)))),
                    text(content.kind().to_owned()),
                    Answer::Integer(content.bytes().into()),
                    Answer::Integer(content.new_bytes().into()),
                    Answer::Integer(files.len() as i128),
                    Answer::Integer(content.parallelism().into()),
                    text(parent.map_or(String::new(), |parent| parent.to_string())),
                    text(origin.to_string()),
                    text(content.missing.clone().unwrap_or_else(|| "ok".to_owned())),
                ]);
            }
            Err(damage) => {
                row.resize_with(header.len() - 1, || Answer::Nothing);
                row.push(text(damage.clone()));
            }
        }
        table.row(&row, out)?;
    }
    table.finish(out)?;
    out.flush()
}

fn objects(found: &[Listed], out: &mut impl Write) -> io::Result<()> {
    for Listed { id, content } in found {
        let object = match content {
            Ok(content) => object(*id, content),
            Err(damage) => json!({
                "checkpoint": id.to_string(), "number": id.checkpoint, "epoch": id.epoch,
                "status": damage, "intact": false,
            }),
        };
        writeln!(out, "{object}")?;
    }
    out.flush()
}

fn object(id: CheckpointId, content: &Content) -> Value {
    let Manifest { created_ms, files, parent, origin, key_groups, counters, depth, .. } =
        &content.manifest;
    json!({
        "checkpoint": id.to_string(),
        "number": id.checkpoint,
        "epoch": id.epoch,
        "kind": content.kind(),
        "created_ms": created_ms,
        "bytes": content.bytes(),
        "new_bytes": content.new_bytes(),
        "files": files.len(),
        "parallelism": content.parallelism(),
        "key_groups": key_groups,
        "depth": depth,
        "parent": parent.map(|parent| parent.to_string()),
        "restored_from": match origin {
            Origin::Fresh => None,
            Origin::Imported { id, .. } | Origin::Restored(id) => Some(id.to_string()),
        },
        "counters": counters.iter().map(|(name, count)| (name.clone(), json!(count)))
            .collect::<serde_json::Map<_, _>>(),
        "status": content.missing.as_deref().unwrap_or("ok"),
        "intact": content.missing.is_none(),
    })
}

/// Writes an age in its two largest units, as a person reads it.
fn age(millis: u128) -> String {
    let seconds = millis / 1000;
    match (seconds / 86_400, seconds / 3600, seconds / 60) {
        (0, 0, 0) => format!("{}.{}s", seconds, millis % 1000 / 100),
        (0, 0, minutes) => format!("{minutes}m{:02}s", seconds % 60),
        (0, hours, minutes) => format!("{hours}h{:02}m", minutes % 60),
        (days, hours, _) => format!("{days}d{:02}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_in_its_two_largest_units() {
        let ages = [0, 999, 61_000, 3_600_000, 90_000_000].map(age);
        assert_eq!(ages, ["0.0s", "0.9s", "1m01s", "1h00m", "1d01h"]);
    }
}

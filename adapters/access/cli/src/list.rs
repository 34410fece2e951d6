//! `holdwater list`: the checkpoints of a directory, newest first.

use std::io::{self, Write};

use holdwater::checkpoint::Living;
use holdwater::manifest::{CheckpointId, CheckpointKind, Manifest, Origin};
use holdwater::storage::Storage;
use serde_json::{Value, json};

use crate::accumulators::Answer;
use crate::arguments::List;
use crate::directory::{Unread, checkpoints, living, open, whole};
use crate::duration::{age_in_words, now_ms};
use crate::failure::Failure;
use crate::place::Place;
use crate::size::size_in_words;
use crate::table::Table;
use crate::terminal::shown;

/// Prints the checkpoints of a directory. Nothing is locked: one may vanish while it is read.
pub fn list(list: &List, out: &mut impl Write) -> Result<(), Failure> {
    let mut files = open(&list.dir)?;
    let found = read(&mut files)?;
    let sound = found.iter().filter_map(|listed| listed.content.as_ref().ok());
    let living = living(&mut files, sound.map(|content| &content.manifest))?;
    let (objects, now) = (list.json, now_ms());
    shown(if objects {
        write_objects(&found, &living, out)
    } else {
        table(&found, &living, now, out)
    })
}

/// Returns the word for what a checkpoint holds.
pub(crate) const fn kind(manifest: &Manifest) -> &'static str {
    match (manifest.kind, manifest.depth) {
        (CheckpointKind::Savepoint, _) => "savepoint",
        (CheckpointKind::Checkpoint, 0) => "full",
        (CheckpointKind::Checkpoint, _) => "incremental",
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

/// Reads every manifest; lists again if a job has removed one, or a file of one, meanwhile.
fn read(files: &mut Place) -> Result<Vec<Listed>, Failure> {
    let mut ids = checkpoints(files)?;
    for _ in 0..ROUNDS_MAX {
        let found: Vec<_> = ids.iter().filter_map(|id| read_one(files, *id).transpose()).collect();
        let found = found.into_iter().collect::<Result<Vec<_>, Failure>>()?;
        let complete = found.iter().all(|listed| match &listed.content {
            Ok(content) => content.missing.is_none(),
            Err(_) => true,
        });
        let again = checkpoints(files)?;
        if found.len() == ids.len() && complete || again == ids {
            return Ok(found);
        }
        ids = again;
    }
    Err(Failure::Data(format!(
        "{} changes faster than it is read; list it again",
        files.name().display()
    )))
}

fn read_one(files: &mut Place, id: CheckpointId) -> Result<Option<Listed>, Failure> {
    let bytes = match whole(files, id.manifest()) {
        Ok(bytes) => bytes,
        Err(Unread::Missing(_)) => return Ok(None),
        Err(error) => return Err(Failure::Data(error.to_string())),
    };
    let content = match Manifest::from_file(id, &bytes) {
        Ok(manifest) => {
            let missing = missing(files, &manifest);
            Ok(Content { manifest, missing })
        }
        Err(malformed) => Err(format!("manifest {}: {malformed}", id.manifest())),
    };
    Ok(Some(Listed { id, content }))
}

fn missing(files: &mut Place, manifest: &Manifest) -> Option<String> {
    manifest.files.iter().find_map(|file| match files.length(file.id) {
        Ok(length) if length == file.length => None,
        Ok(length) => Some(format!("{} has {length} bytes, not {}", file.id, file.length)),
        Err(error) => Some(error.to_string()),
    })
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

    fn parallelism(&self) -> u16 {
        self.manifest.operators.iter().map(|operator| operator.parallelism).max().unwrap_or(0)
    }
}

fn table(found: &[Listed], living: &Living, now: u64, out: &mut impl Write) -> io::Result<()> {
    let header = [
        "checkpoint",
        "age",
        "kind",
        "size",
        "new",
        "files",
        "tasks",
        "parent",
        "started from",
        "lineage",
        "status",
    ];
    let mut table = Table::new(header.len());
    table.row(&header.map(|name| Answer::Text(name.into())), out)?;
    for Listed { id, content } in found {
        let text = |text: String| Answer::Text(text.into());
        let mut row = vec![text(id.to_string())];
        let status = match content {
            Ok(content) => {
                let Manifest { created_ms, files, parent, origin, .. } = &content.manifest;
                row.extend([
                    text(age_in_words(now.saturating_sub(*created_ms))),
                    text(kind(&content.manifest).to_owned()),
                    text(size_in_words(content.bytes())),
                    text(size_in_words(content.new_bytes())),
                    Answer::Integer(files.len() as i128),
                    Answer::Integer(content.parallelism().into()),
                    text(parent.map_or(String::new(), |parent| parent.to_string())),
                    text(origin.to_string()),
                ]);
                content.missing.clone()
            }
            Err(damage) => {
                row.resize_with(header.len() - 2, || Answer::Nothing);
                Some(damage.clone())
            }
        };
        row.push(text(if living.contains(*id) { "living" } else { "dead" }.to_owned()));
        row.push(text(status.map_or("ok".to_owned(), |damage| format!("damaged: {damage}"))));
        table.row(&row, out)?;
    }
    table.finish(out)?;
    out.flush()
}

fn write_objects(found: &[Listed], living: &Living, out: &mut impl Write) -> io::Result<()> {
    for Listed { id, content } in found {
        let mut object = match content {
            Ok(content) => object(*id, content),
            Err(damage) => json!({
                "checkpoint": id.to_string(), "number": id.checkpoint, "epoch": id.epoch,
                "status": damage, "intact": false,
            }),
        };
        object["living"] = living.contains(*id).into();
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
        "kind": kind(&content.manifest),
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

/// How often a directory is looked at whose job removes faster than it is read.
const ROUNDS_MAX: usize = 10;

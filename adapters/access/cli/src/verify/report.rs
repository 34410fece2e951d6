//! Shows what was verified.

use std::io::{self, Write};
use std::path::Path;

use holdwater_processor::verify::{Damage, Verdict, Verified};
use serde_json::{Value, json};

use crate::accumulators::Answer;
use crate::duration::{age_in_words, now_ms};
use crate::list::kind;
use crate::size::size_in_words;
use crate::table::Table;
use crate::terminal::Paint;

/// Shows what was found.
pub(super) struct Report<'v>(pub(super) &'v Verified);

impl Report<'_> {
    /// Writes each damage as a line, then the checkpoints, then what was read.
    pub(super) fn write(
        &self,
        directory: &Path,
        paint: Paint,
        out: &mut impl Write,
    ) -> io::Result<()> {
        for damage in &self.0.damages {
            writeln!(out, "{} {}", paint.bad("damaged:"), damage.line(directory))?;
        }
        self.table(out)?;
        for epoch in &self.0.never_ran {
            writeln!(out, "epoch {epoch} was begun and never ran")?;
        }
        let (count, bytes) = self.0.unnamed;
        if count > 0 {
            writeln!(
                out,
                "{} of {} belong to no checkpoint: a crash left them, or one is being taken",
                counted(count as u64, "file"),
                size_in_words(bytes)
            )?;
        }
        let rows = match self.0.rows {
            Some(rows) => format!(", {}", counted(rows, "row")),
            None => String::new(),
        };
        let verdict = match self.0.damages.len() {
            0 => "all intact".to_owned(),
            damages => counted(damages as u64, "damage"),
        };
        writeln!(
            out,
            "read {}, {}{rows}: {verdict}",
            counted(self.0.files as u64, "file"),
            size_in_words(self.0.bytes)
        )?;
        out.flush()
    }

    fn table(&self, out: &mut impl Write) -> io::Result<()> {
        let header = ["checkpoint", "age", "kind", "size", "files", "lineage", "verdict"];
        let mut table = Table::new(header.len());
        let text = |text: String| Answer::Text(text.into());
        table.row(&header.map(|name| Answer::Text(name.into())), out)?;
        for verdict in &self.0.checkpoints {
            let mut row = vec![text(verdict.id.to_string())];
            match &verdict.manifest {
                Some(manifest) => row.extend([
                    text(age_in_words(now_ms().saturating_sub(manifest.created_ms))),
                    text(kind(manifest).to_owned()),
                    text(size_in_words(manifest.files.iter().map(|file| file.length).sum())),
                    Answer::Integer(manifest.files.len() as i128),
                ]),
                None => row.extend([const { Answer::Nothing }; 4]),
            }
            row.push(text(if verdict.is_living { "living" } else { "dead" }.to_owned()));
            row.push(text(in_words(verdict)));
            table.row(&row, out)?;
        }
        table.finish(out)
    }

    /// Returns it for a program.
    pub(super) fn object(&self) -> Value {
        let checkpoints = self.0.checkpoints.iter().map(|verdict| {
            json!({
                "checkpoint": verdict.id.to_string(),
                "usable": verdict.is_usable(),
                "living": verdict.is_living,
                "damaged_files": verdict.damaged.iter()
                    .map(|file| format!("{}/{file}", file.area().name())).collect::<Vec<_>>(),
            })
        });
        json!({
            "intact": self.0.damages.is_empty(),
            "checkpoints": checkpoints.collect::<Vec<_>>(),
            "damages": self.0.damages.iter().map(Damage::object).collect::<Vec<_>>(),
            "files": self.0.files,
            "bytes": self.0.bytes,
            "rows": self.0.rows,
            "epochs_never_ran": self.0.never_ran,
            "unnamed_files": self.0.unnamed.0,
            "unnamed_bytes": self.0.unnamed.1,
        })
    }
}

fn in_words(verdict: &Verdict) -> String {
    match (verdict.damaged.as_slice(), &verdict.manifest) {
        ([], _) => "usable".to_owned(),
        (_, None) => "damaged: its manifest".to_owned(),
        ([one], _) => format!("damaged: {one}"),
        (more, _) => format!("damaged: {} files", more.len()),
    }
}

/// Writes a number and what it counts.
fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

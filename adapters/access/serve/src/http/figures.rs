//! Figures as text that Prometheus reads (docs/serve.md 4).

use std::fmt::{Display, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use holdwater::manifest::StateEntry;
use holdwater_threads::RestorePhases;

use crate::checkpoints::Checkpoints;
use crate::view::{Size, View};

/// Figures that are written one after the other, each name with its kind once.
#[derive(Debug, Default)]
struct Text(String);

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.head(name, kind, help);
        self.line(format_args!("{name} {value}"));
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.0, "{line}").expect("a string takes what is written");
    }
}

/// Writes what is known of the newest checkpoint, its states, and what is read of them.
pub(super) fn text(checkpoints: &Checkpoints) -> String {
    let mut text = Text::default();
    if let Some(view) = checkpoints.newest() {
        of_checkpoint(&view, checkpoints, &mut text);
        of_states(&view, &mut text);
        for (name, count) in checkpoints.counts(view.manifest()) {
            text.one(&format!("holdwater_{name}"), "gauge", "counted by the job", count);
        }
    }
    if let Some(phases) = checkpoints.restore_phases() {
        let RestorePhases { chosen, loaded, settled } = phases;
        let name = "holdwater_restore_seconds";
        text.head(name, "gauge", "how long the parts of the start of the job took");
        for (phase, time) in [("choose", chosen), ("load", loaded), ("settle", settled)] {
            text.line(format_args!("{name}{{phase=\"{phase}\"}} {}", time.as_secs_f64()));
        }
    }
    let usage = checkpoints.usage();
    text.one("holdwater_serve_kept_bytes", "gauge", "kept of key groups", usage.bytes);
    text.one("holdwater_serve_hits_total", "counter", "key groups that were kept", usage.hits);
    text.one("holdwater_serve_misses_total", "counter", "key groups read", usage.misses);
    text.one("holdwater_serve_parts_total", "counter", "parts read for them", usage.parts);
    text.0
}

fn of_checkpoint(view: &View, checkpoints: &Checkpoints, text: &mut Text) {
    let manifest = view.manifest();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let created = manifest.created_ms as f64 / 1e3;
    let age = (now.as_secs_f64() - created).max(0.0);
    let bytes: u64 = manifest.files.iter().map(|file| file.length).sum();
    let mut one = |name: &str, help, value: &dyn Display| {
        text.one(&format!("holdwater_checkpoint_{name}"), "gauge", help, value);
    };
    one("number", "number of the newest checkpoint", &manifest.id.checkpoint);
    one("epoch", "epoch that took it", &manifest.id.epoch);
    one("created_seconds", "when it was begun, since 1970", &created);
    one("age_seconds", "how long ago that is", &age);
    one("bytes", "size of all its files", &bytes);
    let seen = checkpoints.seen().into_iter().find(|seen| seen.id == view.id());
    if let Some(seen) = &seen {
        one("new_bytes", "size of the files that were written for it", &seen.new_bytes);
    }
    if let Some(duration) = seen.and_then(|seen| seen.duration) {
        let seconds = duration.as_secs_f64();
        one("duration_seconds", "how long it took, from its first barrier", &seconds);
    }
}

fn of_states(view: &View, text: &mut Text) {
    let states: Vec<_> = view.checkpoint().states().collect();
    let each = |text: &mut Text, name: &str, help, value: &dyn Fn(&StateEntry) -> u64| {
        text.head(name, "gauge", help);
        for (operator, entry) in &states {
            text.line(format_args!("{name}{{{}}} {}", labels(operator, entry), value(entry)));
        }
    };
    let rows = |entry: &StateEntry| Size::of_state(entry).rows;
    each(text, "holdwater_state_rows", "rows in parts; at most so many where deltas are", &rows);
    each(text, "holdwater_state_bytes", "bytes of parts", &|entry| Size::of_state(entry).bytes);
    let groups = |entry: &StateEntry| entry.chains.len() as u64;
    each(text, "holdwater_state_groups", "key groups that have rows", &groups);
    let name = "holdwater_group_bytes";
    text.head(name, "gauge", "bytes of the largest key groups of each state");
    for (operator, entry) in states {
        let sizes = entry.chains.iter().map(|chain| chain.group);
        let mut sizes: Vec<_> =
            sizes.map(|group| (Size::of_group(entry, group).bytes, group)).collect();
        sizes.sort_by_key(|(bytes, group)| (std::cmp::Reverse(*bytes), *group));
        for (bytes, group) in sizes.into_iter().take(LARGEST) {
            let labels = labels(operator, entry);
            text.line(format_args!("{name}{{{labels},group=\"{group}\"}} {bytes}"));
        }
    }
}

fn labels(operator: &str, entry: &StateEntry) -> String {
    format!("operator=\"{}\",state=\"{}\"", escaped(operator), escaped(&entry.name))
}

fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// How many key groups of a state are told of: each is a series of its own.
const LARGEST: usize = 5;

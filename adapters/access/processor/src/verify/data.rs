//! Verifies snapshot files (docs/format.md 3, 5): every block, and on request every row.

use std::collections::{BTreeMap, HashSet};
use std::convert::Infallible;

use holdwater::codec::{Encoding, Reader};
use holdwater::error::{Fault, Malformed};
use holdwater::manifest::{FileEntry, Manifest, Part};
use holdwater::page::{FileKind, HEADER_LEN, Pages, Portable, ReadAt, ReadError, SectionKind};
use holdwater::schema::{Budget, Schema, walk};
use holdwater::snapshot::{PartEntry, PartError, Snapshot, StateTable};
use holdwater::state::{Change, Kind, LoadError, Op, Shape};
use holdwater::storage::ObjectId;
use xxhash_rust::xxh3::xxh3_128;

use super::damage::{Damage, What};
use super::small::ends;
use crate::directory::{Object, Unread};
use crate::place::Place;

/// What is known of a snapshot file once it was read.
#[derive(Debug, Default)]
pub(super) struct Checked {
    /// What is wrong with it.
    pub(super) damages: Vec<Damage>,
    /// Its job, table and parts, as far as they are sound.
    content: Option<Content>,
    /// How many rows were decoded.
    pub(super) rows: u64,
}

#[derive(Debug)]
struct Content {
    job: u128,
    seal: (u64, u128),
    table: StateTable,
    parts: Option<Vec<PartEntry>>,
}

/// Reads a whole file, which a manifest names so and with these parts.
pub(super) fn check(
    files: &Place,
    entry: &FileEntry,
    hints: &BTreeMap<u64, String>,
    deep: bool,
) -> Checked {
    let mut checked = Checked::default();
    if let Err(damage) = checked.read(files, entry, hints, deep) {
        checked.damages.push(damage);
    }
    checked
}

impl Checked {
    /// Is what is known of a file without parts.
    pub(super) fn of(damages: Vec<Damage>) -> Self {
        Self { damages, ..Self::default() }
    }

    fn read(
        &mut self,
        files: &Place,
        entry: &FileEntry,
        hints: &BTreeMap<u64, String>,
        deep: bool,
    ) -> Result<(), Damage> {
        let id = entry.id;
        let mut object = Object::new(files, id);
        let length = object.length().map_err(|unread| Damage::unread(id, &unread))?;
        if length != entry.length {
            let what = What::Length { expected: entry.length, found: length };
            let offset = length.min(entry.length);
            return Err(Damage { file: id, section: "end of the file".to_owned(), offset, what });
        }
        let mut pages = Pages::open(object, Portable).map_err(|error| match error {
            ReadError::Malformed(malformed) => ends(id, length, malformed),
            ReadError::Medium(unread) => Damage::unread(id, &unread),
        })?;
        let header = *pages.header();
        let shown = ObjectId::data(header.checkpoint, header.epoch, header.attempt, header.part);
        if header.kind != FileKind::Snapshot || shown != id {
            return Err(Damage::new(id, "header", Malformed::new(Fault::Identity, 0)));
        }
        let unsound = self.open(files, id);
        let sections = self.sections(pages.index(), hints);
        let mut buffer = vec![0; header.block.bytes()];
        let sound = self.walk(&mut pages, id, &sections, &mut buffer);
        // Sound blocks may hold what is no table or index.
        let told = |section: &str| self.damages.iter().any(|damage| damage.section == section);
        let unsound: Vec<_> = unsound.into_iter().filter(|more| !told(&more.section)).collect();
        self.damages.extend(unsound);
        if self.damages.is_empty() {
            pages
                .verify_hash(&mut buffer)
                .map_err(|error| Damage::read(id, "hash of the file", error))?;
        }
        if deep {
            self.decode(files, id, &sound);
        }
        Ok(())
    }

    /// Reads table and index; returns what is wrong with them.
    fn open(&mut self, files: &Place, id: ObjectId) -> Vec<Damage> {
        let mut snapshot = match Snapshot::open(Object::new(files, id), Portable) {
            Ok(snapshot) => snapshot,
            Err(error) => return vec![Damage::read(id, TABLE, error)],
        };
        let (parts, unsound) = match snapshot.parts() {
            Ok(parts) => (Some(parts), Vec::new()),
            Err(error) => (None, vec![Damage::read(id, INDEX, error)]),
        };
        let seal = (snapshot.seal().length, snapshot.seal().hash);
        let table = snapshot.table().clone();
        self.content = Some(Content { job: snapshot.header().job, seal, table, parts });
        unsound
    }

    /// Returns where each section begins: by the index, else by what manifests say.
    fn sections(&self, index: u64, hints: &BTreeMap<u64, String>) -> BTreeMap<u64, String> {
        let mut sections = hints.clone();
        if let Some(Content { table, parts: Some(parts), .. }) = &self.content {
            let name = |part: &PartEntry| {
                let state = table.states.get(usize::from(part.state));
                {
                    let kind = state.map_or(0, |state| state.kind.code());
                    part_in_words(state.map_or("?", |state| &state.name), kind, part.group)
                }
            };
            sections.extend(parts.iter().map(|part| (part.offset, name(part))));
        }
        sections.insert(HEADER_LEN as u64, TABLE.to_owned());
        sections.insert(index, INDEX.to_owned());
        sections
    }

    /// Verifies the blocks of each section; returns where those begin that are sound. Behind a
    /// damaged block, it goes on with the next section.
    fn walk(
        &mut self,
        pages: &mut Pages<Object, Portable>,
        id: ObjectId,
        sections: &BTreeMap<u64, String>,
        buffer: &mut [u8],
    ) -> HashSet<u64> {
        let mut sound = HashSet::new();
        let starts: Vec<u64> = sections.keys().copied().collect();
        let ends = starts.iter().skip(1).copied().chain([pages.end()]);
        for ((start, name), end) in sections.iter().zip(ends) {
            let kind = match name.as_str() {
                TABLE => SectionKind::Table,
                INDEX => SectionKind::Index,
                _ => SectionKind::Part,
            };
            match walk_section(pages, kind, *start, end, buffer) {
                Ok(()) => _ = sound.insert(*start),
                Err(error) => self.damages.push(Damage::read(id, name, error)),
            }
        }
        sound
    }

    /// Decodes every row of the parts that begin at `sound`.
    fn decode(&mut self, files: &Place, id: ObjectId, sound: &HashSet<u64>) {
        let Some(Content { table, parts: Some(parts), .. }) = &self.content else { return };
        let Ok(mut snapshot) = Snapshot::open(Object::new(files, id), Portable) else { return };
        for part in parts.iter().filter(|part| sound.contains(&part.offset)) {
            let Some(state) = table.states.get(usize::from(part.state)) else { continue };
            let mut keys = Keys {
                seen: HashSet::new(),
                last: None,
                kind: state.kind,
                encoding: state.encoding,
                key: state.key.view(),
            };
            let fresh = part.shape == Shape::Full;
            let read = snapshot
                .rows::<Infallible>(*part, |change| if fresh { keys.take(change) } else { Ok(()) });
            match read {
                Ok(loaded) => self.rows += loaded.rows,
                Err(error) => {
                    let section = part_in_words(&state.name, state.kind.code(), part.group);
                    self.damages.push(in_part(id, &section, error));
                }
            }
        }
    }

    /// Compares the file with what a manifest says of it and of its parts.
    pub(super) fn fits(&self, manifest: &Manifest, entry: &FileEntry) -> Vec<Damage> {
        let Some(content) = &self.content else { return Vec::new() };
        let identity = |section: &str, offset| {
            Damage::new(entry.id, section, Malformed::new(Fault::Identity, offset))
        };
        let mut damages = Vec::new();
        if content.job != manifest.job {
            damages.push(identity("header", 0));
        }
        if content.seal != (entry.length, entry.hash) {
            damages.push(identity("seal", content.seal.0));
        }
        let table = &content.table;
        let groups = (table.groups, table.hash_function);
        if groups != (manifest.key_groups, manifest.hash_function) {
            damages.push(identity(TABLE, HEADER_LEN as u64));
        }
        for (operator, state, group, part) in parts_in(manifest, entry.id) {
            let stored = table.states.get(usize::from(part.state));
            let same = stored.is_some_and(|stored| {
                stored.name == state.name && stored.kind.code() == state.schema.kind
            });
            if !same || table.operator != operator {
                damages.push(identity(TABLE, HEADER_LEN as u64));
                break;
            }
            if let Some(parts) = &content.parts
                && !parts.contains(&state.index_entry(group, part))
            {
                damages.push(identity(
                    &part_in_words(&state.name, state.schema.kind, group),
                    part.offset,
                ));
            }
        }
        damages
    }
}

/// Names the parts that a manifest says lie in a file, by where they begin.
pub(super) fn hints(manifest: &Manifest, file: ObjectId) -> impl Iterator<Item = (u64, String)> {
    parts_in(manifest, file).map(|(_, state, group, part)| {
        (part.offset, part_in_words(&state.name, state.schema.kind, group))
    })
}

/// Names a part: of a key group, or of a task where the state is an operator's.
pub fn part_in_words(state: &str, kind: u8, group: u16) -> String {
    let is_keyed = Kind::from_code(kind).is_none_or(Kind::is_keyed);
    format!("part of state {state}, {} {group}", if is_keyed { "key group" } else { "task" })
}

/// Says what is wrong with a part.
pub fn in_part(file: ObjectId, section: &str, error: PartError<Unread, Infallible>) -> Damage {
    match error {
        PartError::Malformed(malformed) => Damage::new(file, section, malformed),
        PartError::Medium(unread) => Damage::unread(file, &unread),
        PartError::Row { offset, .. } => {
            Damage::new(file, section, Malformed::new(Fault::Value, offset))
        }
    }
}

fn parts_in(
    manifest: &Manifest,
    file: ObjectId,
) -> impl Iterator<Item = (&str, &holdwater::manifest::StateEntry, u16, &Part)> {
    manifest
        .operators
        .iter()
        .flat_map(|operator| operator.states.iter().map(|state| (operator.name.as_str(), state)))
        .flat_map(|(operator, state)| {
            state.chains.iter().map(move |chain| (operator, state, chain))
        })
        .flat_map(|(operator, state, chain)| {
            chain.parts.iter().map(move |part| (operator, state, chain.group, part))
        })
        .filter(move |(.., part)| part.file == file)
}

fn walk_section(
    pages: &mut Pages<Object, Portable>,
    kind: SectionKind,
    start: u64,
    end: u64,
    buffer: &mut [u8],
) -> Result<(), ReadError<Unread>> {
    let (mut offset, mut start, mut kind) = (start, start, kind);
    while offset < end {
        let block = pages.block(offset, end, buffer).map_err(|error| at(error, offset))?;
        if kind == SectionKind::Part && block.kind == SectionKind::Locator && offset > start {
            // Behind a part may stand where its rows lie.
            (kind, start) = (SectionKind::Locator, offset);
        }
        if block.kind != kind || block.continued != (offset > start) {
            return Err(Malformed::new(Fault::Identity, offset).into());
        }
        offset = block.next;
    }
    Ok(())
}

/// States that a block is wrong as a whole: its checksum covers it so.
pub(super) fn at<E>(error: ReadError<E>, offset: u64) -> ReadError<E> {
    match error {
        ReadError::Malformed(malformed) => Malformed::new(malformed.fault, offset).into(),
        medium @ ReadError::Medium(_) => medium,
    }
}

/// The keys of a full part, by their hashes: none occurs twice.
struct Keys<'s> {
    seen: HashSet<u128>,
    last: Option<u128>,
    kind: Kind,
    encoding: Encoding,
    key: Schema<'s>,
}

impl Keys<'_> {
    fn take(&mut self, change: Change<'_>) -> Result<(), LoadError<Infallible>> {
        let Change { op: Op::Put, row } = change else { return Ok(()) };
        let mut reader = Reader::new(row);
        walk(self.key, self.encoding, &mut reader, &mut Budget::of_row(row.len()))?;
        let key = xxh3_128(row.get(..row.len() - reader.len()).unwrap_or_default());
        // The items of a long list, and the fields of a large map, take several rows in turn.
        let goes_on = self.kind != Kind::Value && self.last == Some(key);
        self.last = Some(key);
        if !goes_on && !self.seen.insert(key) {
            return Err(Malformed::new(Fault::Duplicate, 0).into());
        }
        Ok(())
    }
}

const TABLE: &str = "state table";
const INDEX: &str = "index";

//! `holdwater dump`: the rows of a state of a checkpoint, from its files alone.

mod write;

use std::io::{self, Write};

use holdwater::codec::Reader;
use holdwater::error::{Fault, Malformed};
use holdwater::key::{HASH_FUNCTION, KeyGroup};
use holdwater::manifest::{Chain, Manifest, StateEntry};
use holdwater::schema::{Kind as Sort, Leaf, Schema, StoredSchema};
use holdwater::window::Window;
use xxhash_rust::xxh3::xxh3_64;

use self::write::{KeyColumns, Printer, RowKey, key_columns};
use crate::arguments::{Dump, Format};
use crate::checkpoint::{Found, find};
use crate::failure::{Failure, quoted};
use crate::fields::Fields;
use crate::rows::{Parts, Row, Types};
use crate::timestamp::Timestamp;
use crate::value::{Datum, is_of_a_spec, is_placed};

/// Prints the rows of a state. Only one key group is held in memory at a time.
pub fn dump(dump: &Dump, out: &mut impl Write) -> Result<(), Failure> {
    for _ in 1..ROUNDS_MAX {
        match attempt(dump, out) {
            // A job has removed the checkpoint since it was found; there is a newer one.
            Err(Stop::Vanished) => {}
            ended => return ended.or_else(Stop::end),
        }
    }
    attempt(dump, out).or_else(Stop::end)
}

/// Why rows are printed no further.
enum Stop {
    Failed(Failure),
    Vanished,
    Unwritten(io::Error),
}

impl Stop {
    fn end(self) -> Result<(), Failure> {
        match self {
            Self::Failed(failure) => Err(failure),
            Self::Vanished => Err(Failure::Corrupt(
                "a file of the checkpoint is missing; holdwater verify names it".to_owned(),
            )),
            Self::Unwritten(error) => crate::terminal::shown(Err(error)),
        }
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

fn attempt(dump: &Dump, out: &mut impl Write) -> Result<(), Stop> {
    let Found { manifest, files, passed_over } = find(&dump.checkpoint)?.portable()?;
    for line in passed_over {
        eprintln!("holdwater: warning: {line}");
    }
    let (operator, state) = find_state(&manifest, &dump.state)?;
    let types = Types::of(state).map_err(|malformed| unreadable(&manifest, state, malformed))?;
    let key = dump.key.as_deref();
    let windowed = key_in_window(types.key.view());
    let key_schema = windowed.unwrap_or(types.key.view());
    let columns = key_columns(key_schema);
    if let Some(key) = key
        && key.len() != columns.len()
    {
        let text =
            format!("--key has {} fields; the key of {} is {key_schema}", key.len(), state.name);
        return Err(Failure::Usage(text).into());
    }
    let group = key.and_then(|key| group_of(key, key_schema, &manifest));
    let chains = state.chains.iter().filter(|chain| group.is_none_or(|group| chain.group == group));
    let chains: Vec<&Chain> = chains.collect();
    let damaged = |damage: crate::verify::Damage| {
        Failure::Corrupt(format!(
            "{}; name an older checkpoint, as list prints them",
            damage.line(files.name())
        ))
    };
    let mut parts = Parts::open(&files, &manifest, operator, state, types.clone(), &chains)
        .map_err(|damage| match damage.is_missing() {
            true => Stop::Vanished,
            false => damaged(damage).into(),
        })?;
    let format = if dump.json { Format::Jsonl } else { dump.format };
    let mut printer =
        Printer::new(format, &columns, windowed.is_some(), out).map_err(Stop::Unwritten)?;
    let shown = types.without_stamps();
    let plain = is_of_a_spec(shown.value.view());
    let mut found = false;
    for chain in chains {
        for (bytes, mut row) in parts.read(chain).map_err(damaged)? {
            let told = |_| {
                let place = format!("a row of state {} does not decode", state.name);
                Failure::Corrupt(format!("{place}; holdwater verify --deep names it"))
            };
            let key_of_row =
                Datum::take(types.key.view(), types.encoding, &mut Reader::new(&bytes));
            let row_key = row_key(&columns, windowed.is_some(), key_of_row.map_err(told)?);
            if let Some(key) = key
                && !row_key.parts.iter().map(Datum::cell).eq(key.iter().cloned())
            {
                continue;
            }
            found = true;
            types.take_stamps(&mut row);
            let value = value(row, &shown, plain).map_err(told)?;
            printer.row(&row_key, &value).map_err(Stop::Unwritten)?;
        }
    }
    printer.finish().map_err(Stop::Unwritten)?;
    match key {
        Some(key) if !found => {
            let key = quoted(&key.join(","));
            Err(Failure::Data(format!("state {} has no key {key}", state.name)).into())
        }
        _ => Ok(()),
    }
}

/// Finds a state by its name, with its operator in front where several have one of that name.
fn find_state<'m>(
    manifest: &'m Manifest,
    name: &str,
) -> Result<(&'m str, &'m StateEntry), Failure> {
    let all = || {
        manifest.operators.iter().flat_map(|operator| {
            operator.states.iter().map(move |state| (operator.name.as_str(), state))
        })
    };
    let full = |(operator, state): &(&str, &StateEntry)| format!("{operator}/{}", state.name);
    let mut found: Vec<_> = all().filter(|(_, state)| state.name == name).collect();
    if found.is_empty() {
        found = all().filter(|one| full(one) == name).collect();
    }
    match found.as_slice() {
        [one] => Ok(*one),
        [] => {
            let names: Vec<_> = all().map(|(_, state)| state.name.as_str()).collect();
            Err(Failure::Data(format!(
                "checkpoint {} has no state {}; it has {}",
                manifest.id,
                quoted(name),
                names.join(", ")
            )))
        }
        several => {
            let names: Vec<_> = several.iter().map(full).collect();
            Err(Failure::Usage(format!(
                "several states are called so; give {}",
                names.join(" or ")
            )))
        }
    }
}

/// Says that the types of a state cannot be read.
pub(crate) fn unreadable(manifest: &Manifest, state: &StateEntry, malformed: Malformed) -> Failure {
    let place = format!("state {} of checkpoint {}", state.name, manifest.id);
    match malformed.fault {
        Fault::Version => {
            Failure::Newer(format!("{place} is of a newer version; read it with that"))
        }
        fault => Failure::Corrupt(format!("{place} has a schema that does not read: {fault}")),
    }
}

/// Returns the group of a key of text fields; other keys are looked for in all groups.
fn group_of(key: &[String], schema: Schema<'_>, manifest: &Manifest) -> Option<u16> {
    let Sort::Struct(mut members) = schema.kind() else { return None };
    let text = |schema: Schema<'_>| matches!(schema.kind(), Sort::Leaf(Leaf::String));
    if !members.all(|member| text(member.schema)) || manifest.hash_function != HASH_FUNCTION {
        return None;
    }
    let key = Fields::new(key.iter().map(String::as_str));
    Some(KeyGroup::of(xxh3_64(key.view().as_bytes()), manifest.key_groups).index())
}

/// Returns the schema of the key in that of key and window; none if there is no window.
fn key_in_window(schema: Schema<'_>) -> Option<Schema<'_>> {
    let Sort::Struct(mut members) = schema.kind() else { return None };
    let (key, window, end) = (members.next()?, members.next()?, members.next());
    let expected = StoredSchema::of::<Window>().ok()?;
    let same = window.schema.fingerprint() == expected.view().fingerprint();
    (end.is_none() && key.name == "key" && window.name == "window" && same).then_some(key.schema)
}

/// Takes a key apart: into its window, and into parts as [`key_columns`] names them.
fn row_key(columns: &KeyColumns, windowed: bool, key: Datum) -> RowKey {
    let (key, window_start) = match key {
        Datum::Pairs(mut pairs) if windowed && pairs.len() == 2 => {
            let (window, key) = (pairs.remove(1).1, pairs.remove(0).1);
            (key, window.field("start").and_then(Datum::whole_number).map(Timestamp))
        }
        key => (key, None),
    };
    let parts = match (columns, key) {
        (KeyColumns::Fields(_), Datum::Pairs(fields)) => {
            fields.into_iter().map(|(_, held)| held).collect()
        }
        (_, key) => vec![key],
    };
    RowKey { parts, window_start }
}

/// Puts together what a row holds: of a set an array of its members, sorted.
fn value(row: Row, types: &Types, plain: bool) -> Result<Datum, holdwater::schema::DecodeError> {
    let take = |schema: Schema<'_>, bytes: &[u8]| {
        let datum = Datum::take(schema, types.encoding, &mut Reader::new(bytes))?;
        Ok(if plain { datum.without_variants() } else { datum })
    };
    let value = types.value.view();
    match (row, &types.field) {
        (Row::Fields(fields), Some(field)) => {
            let is_set = matches!(value.kind(), Sort::Leaf(Leaf::Unit));
            let mut pairs = Vec::with_capacity(fields.len());
            for (key, held) in &fields {
                pairs.push((take(field.view(), key)?, take(value, held)?));
            }
            pairs.sort_by(|(one, _), (other, _)| one.order(other));
            Ok(match is_set {
                true => Datum::List(pairs.into_iter().map(|(member, _)| member).collect()),
                false => Datum::Pairs(pairs),
            })
        }
        (Row::Items(items), _) => {
            let items = items.iter().map(|item| take(value, item));
            let mut items = items.collect::<Result<Vec<_>, _>>()?;
            if is_placed(value) {
                items.sort_by(Datum::order);
                items = items.into_iter().map(Datum::without_place).collect();
            }
            Ok(Datum::List(items))
        }
        (Row::Value(bytes), _) if is_placed(value) => Ok(take(value, &bytes)?.without_place()),
        (Row::Value(bytes), _) => take(value, &bytes),
        (Row::Fields(_), None) => Ok(Datum::Nothing),
    }
}

/// How often a directory is looked at whose job removes faster than it is read.
const ROUNDS_MAX: usize = 10;

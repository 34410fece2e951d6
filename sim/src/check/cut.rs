//! A complete checkpoint holds exactly what came before its cut.

use holdwater::key::KeyGroups;
use holdwater::manifest::CheckpointId;

use super::{Check, Violation, durability};
use crate::in_flight::{self, Taken};
use crate::load;
use crate::marks::Mark;
use crate::model::Model;
use crate::output::Row;
use crate::setting::Setting;
use crate::source;

/// Checks a checkpoint that has just been completed, by what is on the disk for certain.
pub fn completed(setting: &mut Setting, id: CheckpointId) -> Result<(), Violation> {
    let disk = setting.disk();
    let manifest = durability::whole(id, |object| disk.durable_content(object))
        .map_err(|why| Check::Durability.violated(format!("{id} is complete: {why}")))?;
    let files = manifest.files.iter();
    let files = files.filter_map(|file| Some((file.id, disk.durable_content(file.id)?)));
    let groups = KeyGroups::all(manifest.key_groups);
    let storage = load::storage(files).map_err(super::protocol)?;
    let begun = load::load(&manifest, &storage, groups).map_err(|why| violated(id, &why))?;
    let to_sink = in_flight::to_sink(&manifest, &storage).map_err(|why| violated(id, &why))?;
    let mut model = begun.totals.read(groups).map_err(super::protocol)?;
    let to_come = replay(setting, begun.in_flight.iter(), &mut model);
    if !to_come.is_empty() || !to_sink.is_empty() {
        setting.marks.reach(Mark::InFlight);
    }
    let positions = source::positions(&manifest.sources);
    let positions = positions.ok_or_else(|| violated(id, "a source has no position"))?;
    restored(setting, id, &positions, &model)?;
    let named = manifest.sinks.iter().flat_map(|sink| &sink.transactions);
    let mut rows: Vec<Row> = setting.output.committed_rows().collect();
    for name in named {
        if !setting.output.committed_names().any(|committed| committed == name) {
            rows.extend(setting.output.rows(name).unwrap_or_default());
        }
    }
    rows.extend(to_come.into_iter().chain(to_sink));
    super::output::exactly(setting, rows, &positions).map_err(|why| violated(id, &why))
}

/// Applies the records in flight, with their sources, to the state; returns what comes of them.
pub fn replay<'r>(
    setting: &Setting,
    records: impl Iterator<Item = &'r (u16, Taken)>,
    model: &mut Model,
) -> Vec<Row> {
    records
        .filter_map(|(source, Taken { offset, .. })| {
            let source = usize::from(*source);
            // A source that there is none of is found by the cut.
            let record = setting.logs.get(source)?.get(*offset as usize)?;
            Some(Row { source, offset: *offset, value: model.apply(record) })
        })
        .collect()
}

/// Checks state that was read from a checkpoint against its positions.
pub fn restored(
    setting: &Setting,
    id: CheckpointId,
    positions: &[u32],
    model: &Model,
) -> Result<(), Violation> {
    let logs = &setting.logs;
    let inside = |(log, position): (&Vec<_>, &u32)| *position as usize <= log.len();
    if positions.len() != logs.len() || !logs.iter().zip(positions).all(inside) {
        return Err(violated(id, &format!("the sources stand at {positions:?}")));
    }
    match model.difference(&Model::at(logs, positions)) {
        Some(difference) => Err(violated(id, &difference)),
        None => Ok(()),
    }
}

/// Checks the state of the tasks once everything was read.
pub fn ended(setting: &Setting, state: Result<Model, String>) -> Result<(), Violation> {
    let state = state.map_err(super::protocol)?;
    let all: Vec<u32> = setting.logs.iter().map(|log| log.len() as u32).collect();
    match state.difference(&Model::at(&setting.logs, &all)) {
        Some(difference) => Err(Check::Cut.violated(format!("at the end, {difference}"))),
        None => Ok(()),
    }
}

fn violated(id: CheckpointId, found: &str) -> Violation {
    Check::Cut.violated(format!("in checkpoint {id}, {found}"))
}

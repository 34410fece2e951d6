//! Every result is committed once, and only with its checkpoint.

use holdwater::storage::Area;

use super::{Check, Violation};
use crate::output::Row;
use crate::setting::Setting;

/// Checks the transactions that were committed since the last check: a checkpoint that nothing can
/// take away any more names each of them (I-11), and no row is committed twice (I-13).
pub fn committed(setting: &mut Setting) -> Result<(), Violation> {
    let commits = setting.output.take_commits();
    if commits.is_empty() {
        return Ok(());
    }
    let (disk, witness) = setting.watch();
    for name in commits {
        let mut named = false;
        for id in disk.durable_names(Area::Manifests) {
            let bytes = disk.durable_content(id).unwrap_or_default();
            let Some(manifest) = witness.manifest(id, bytes) else { continue };
            named |= manifest.sinks.iter().any(|sink| sink.transactions.contains(&name));
        }
        if !named {
            let name = String::from_utf8_lossy(&name);
            let found = format!(
                "transaction {name} is committed, and no checkpoint that is sure to stay names it"
            );
            return Err(Check::Output.violated(found));
        }
    }
    let mut places: Vec<_> =
        setting.output.committed_rows().map(|row| (row.source, row.offset)).collect();
    places.sort_unstable();
    match places.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => {
            let (source, offset) = pair[0];
            let found = format!("the result of record {offset} of source {source} came twice");
            Err(Check::Output.violated(found))
        }
        None => Ok(()),
    }
}

/// Checks that a start of the job commits what came before its positions, and no more, but what is
/// `to_come` of what was in flight.
pub fn resumed(setting: &Setting, positions: &[u32], to_come: Vec<Row>) -> Result<(), Violation> {
    let nothing = vec![0; setting.logs.len()];
    let positions = if positions.is_empty() { &nothing } else { positions };
    let rows = setting.output.committed_rows().chain(to_come).collect();
    exactly(setting, rows, positions)
        .map_err(|why| Check::Output.violated(format!("after a restore, {why}")))
}

/// Checks the output when the job has ended.
pub fn ended(setting: &Setting) -> Result<(), Violation> {
    let all: Vec<u32> = setting.logs.iter().map(|log| log.len() as u32).collect();
    let rows = setting.output.committed_rows().collect();
    exactly(setting, rows, &all)
        .map_err(|why| Check::Output.violated(format!("at the end, {why}")))?;
    match setting.output.dangling().next() {
        Some(name) => {
            let name = String::from_utf8_lossy(name);
            Err(Check::Output.violated(format!("transaction {name} is neither committed nor not")))
        }
        None => Ok(()),
    }
}

/// Says how `rows` differ from the results of the first `positions` records of each source.
pub(super) fn exactly(
    setting: &Setting,
    mut rows: Vec<Row>,
    positions: &[u32],
) -> Result<(), String> {
    rows.sort_unstable();
    let results = setting.witness.results.iter().zip(positions).enumerate();
    let expected = results.flat_map(|(source, (results, position))| {
        (0..*position).map(move |offset| Row { source, offset, value: results[offset as usize] })
    });
    let mut rows = rows.into_iter();
    for expected in expected {
        match rows.next() {
            Some(row) if row == expected => {}
            Some(row) => return Err(format!("the output has {row:?} in place of {expected:?}")),
            None => return Err(format!("the output lacks {expected:?}")),
        }
    }
    rows.next().map_or(Ok(()), |row| Err(format!("the output has {row:?} too many")))
}

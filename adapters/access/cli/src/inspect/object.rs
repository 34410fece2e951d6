//! A checkpoint for a program: every key group of every state.

use holdwater::manifest::{Manifest, NativePart, NativeState, Origin, StateEntry};
use serde_json::{Value, json};

use super::measure::{Size, Spread};
use super::tree::{kind_in_words, schema_in_words};
use crate::list::kind;
use crate::signature::{job_in_words, position_of};

/// Returns everything that the manifest says.
pub(super) fn object(manifest: &Manifest) -> Value {
    let Manifest { id, job, created_ms, parent, origin, depth, key_groups, .. } = manifest;
    let files = manifest.files.iter().map(|file| {
        json!({
            "file": format!("{}/{}", file.id.area().name(), file.id),
            "bytes": file.length,
            "hash": format!("{:032x}", file.hash),
        })
    });
    let operators = manifest.operators.iter().map(|operator| {
        let states = operator.states.iter().map(|state| self::state(state, *key_groups));
        json!({
            "operator": operator.name,
            "parallelism": operator.parallelism,
            "states": states.collect::<Vec<_>>(),
            "natives": operator.natives.iter().map(native).collect::<Vec<_>>(),
        })
    });
    let sources = manifest.sources.iter().map(|source| {
        let position = position_of(&source.position, &manifest.signature);
        json!({
            "source": source.name,
            "rows": position.map(|position| position.rows),
            "bytes": position.map(|position| position.bytes),
        })
    });
    json!({
        "checkpoint": id.to_string(),
        "number": id.checkpoint,
        "epoch": id.epoch,
        "kind": kind(manifest),
        "created_ms": created_ms,
        "depth": depth,
        "parent": parent.map(|parent| parent.to_string()),
        "restored_from": match origin {
            Origin::Fresh => None,
            Origin::Imported { id, .. } | Origin::Restored(id) => Some(id.to_string()),
        },
        "job": format!("{job:032x}"),
        "signature": job_in_words(&manifest.signature),
        "key_groups": key_groups,
        "files": files.collect::<Vec<_>>(),
        "operators": operators.collect::<Vec<_>>(),
        "sources": sources.collect::<Vec<_>>(),
        "sinks": manifest.sinks.iter().map(|sink| sink.name.clone()).collect::<Vec<_>>(),
        "counters": manifest.counters.iter().map(|(name, count)| (name.clone(), json!(count)))
            .collect::<serde_json::Map<_, _>>(),
    })
}

fn native(native: &NativePart) -> Value {
    let keys = |state: &NativeState| (state.name.clone(), json!(state.keys.iter().sum::<u64>()));
    json!({
        "store": native.store,
        "first_group": native.groups.start,
        "last_group": native.groups.end - 1,
        "keys": native.states.iter().map(keys).collect::<serde_json::Map<_, _>>(),
        "files": native.files.iter().map(|file| json!({
            "name": file.name,
            "file": format!("{}/{}", file.file.area().name(), file.file),
        })).collect::<Vec<_>>(),
    })
}

fn state(state: &StateEntry, key_groups: u16) -> Value {
    let whole = Size::of_state(state);
    let sizes: Vec<_> =
        state.chains.iter().map(|chain| (chain.group, Size::of_chain(chain))).collect();
    let spread = Spread::of(sizes.iter().map(|(_, size)| size.bytes), key_groups);
    let groups = sizes.iter().map(|(group, size)| {
        json!({ "group": group, "rows": size.rows, "bytes": size.bytes, "parts": size.parts })
    });
    json!({
        "state": state.name,
        "kind": kind_in_words(state.schema.kind),
        "schema": schema_in_words(&state.schema),
        "rows": whole.rows,
        "rows_are_exact": !whole.has_deltas,
        "bytes": whole.bytes,
        "parts": whole.parts,
        "files": whole.files.len(),
        "bytes_per_group": {
            "min": spread.min, "median": spread.median, "max": spread.max, "skew": spread.skew,
        },
        "groups": groups.collect::<Vec<_>>(),
    })
}

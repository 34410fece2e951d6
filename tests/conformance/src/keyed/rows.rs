//! What stores that write deltas by row do beyond the others.

use holdwater::state::{Backend, Descriptor, List, Map, State, States, Value};

use super::{Run, Sole, Stage};

/// 92: a delta holds the rows that changed, and no other of their group.
pub fn a_delta_holds_the_changed_rows_alone<B: Backend>(run: &Run<B>) {
    let mut state = run.open(|store| Ok(Sole(store.value(Descriptor::<u64, u64>::new("value"))?)));
    for key in 0..200 {
        state.put(run.at(key), key).unwrap();
    }
    state.turn();
    state.update(run.at(1), || 0, |value| *value += 1).unwrap();
    state.put(run.at(2), 7).unwrap();
    state.put(run.at(500), 7).unwrap();
    state.turn();
    assert_eq!(written(&state), if run.mode().is_incremental() { 3 } else { 201 });
}

/// 92: a removal is written without the rows that stay.
pub fn a_removal_is_written_alone<B: Backend>(run: &Run<B>) {
    let mut state = run.open(|store| Ok(Sole(store.value(Descriptor::<u64, u64>::new("value"))?)));
    for key in 0..200 {
        state.put(run.at(key), key).unwrap();
    }
    state.turn();
    state.remove(run.at(1)).unwrap();
    state.turn();
    assert_eq!(written(&state), if run.mode().is_incremental() { 0 } else { 199 });
    assert_eq!(state.rows(), 199);
}

/// 21, 23: what is pushed to a list is written without the items before it.
pub fn pushed_items_are_written_alone<B: Backend>(run: &Run<B>) {
    let mut state = run.open(|store| Ok(Sole(store.list(Descriptor::<u64, u64>::new("list"))?)));
    state.set(run.at(1), 0..300).unwrap();
    state.turn();
    state.push(run.at(1), 300).unwrap();
    state.push(run.at(1), 301).unwrap();
    state.turn();
    assert_eq!(written(&state), if run.mode().is_incremental() { 2 } else { 302 });
}

/// 50: a field that changed is written without the others of its map.
pub fn changed_fields_are_written_alone<B: Backend>(run: &Run<B>) {
    let mut state =
        run.open(|store| Ok(Sole(store.map(Descriptor::<u64, (u64, u64)>::new("map"))?)));
    for field in 0..200 {
        state.put(run.at(1), field, field).unwrap();
    }
    state.turn();
    state.put(run.at(1), 3, 30).unwrap();
    state.remove(run.at(1), 4).unwrap();
    state.turn();
    assert_eq!(written(&state), if run.mode().is_incremental() { 1 } else { 199 });
}

/// 92: after an unknown outcome a delta holds the rows of both.
pub fn a_delta_holds_the_rows_of_an_unknown_outcome<B: Backend>(run: &Run<B>) {
    let mut state = run.open(|store| Ok(Sole(store.value(Descriptor::<u64, u64>::new("value"))?)));
    for key in 0..200 {
        state.put(run.at(key), key).unwrap();
    }
    state.turn();
    state.put(run.at(1), 0).unwrap();
    let unknown = state.freeze();
    state.save(&unknown);
    state.put(run.at(2), 0).unwrap();
    let aborted = state.freeze();
    state.abort(aborted.cut().checkpoint);
    state.put(run.at(3), 0).unwrap();
    state.turn();
    assert_eq!(written(&state), if run.mode().is_incremental() { 3 } else { 200 });
}

fn written<B: Backend, S: States<Error = B::Error>>(stage: &Stage<B, S>) -> u64 {
    let checkpoints = stage.checkpoints();
    checkpoints.rows_written(checkpoints.last().unwrap())
}

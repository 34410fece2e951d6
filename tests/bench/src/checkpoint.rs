//! Checkpoints of one state, without a job around it.

use core::convert::Infallible;

use holdwater::codec::Write;
use holdwater::error::StateError;
use holdwater::page::{BlockSize, FileHeader, FileKind, Portable};
use holdwater::snapshot::{FrozenStates, Portion, freeze};
use holdwater::state::{Cut, State, States, Visitor};

/// Freezes `state`: the part of a checkpoint that the owner waits for.
///
/// # Errors
///
/// Those of the state.
pub fn freeze_state<S: State>(
    state: &mut S,
    checkpoint: u64,
    base: Option<u64>,
) -> Result<FrozenStates<S::Error>, S::Error> {
    let groups = state.groups();
    freeze(&mut One(state), groups, Cut { checkpoint, base, now: 0, watermark: 0 })
}

/// Writes a snapshot file to nowhere; returns its length.
///
/// # Panics
///
/// If the state cannot be written.
pub fn save<E: StateError>(frozen: &FrozenStates<E>) -> u64 {
    let header = FileHeader {
        kind: FileKind::Snapshot,
        block: BlockSize::HOST,
        job: 1,
        checkpoint: frozen.cut().checkpoint,
        epoch: 1,
        attempt: 0,
        part: 0,
    };
    let mut buffer = vec![0; header.block.bytes()];
    let saved = frozen.save(Portion::All, header, "bench", Nowhere(0), &mut buffer, Portable);
    saved.expect("the state can be written").out.0
}

/// An operator with one state.
struct One<'s, S>(&'s mut S);

impl<S: State> States for One<'_, S> {
    type Error = S::Error;

    fn each<V: Visitor<S::Error>>(&mut self, visitor: &mut V) -> Result<(), V::Stop> {
        visitor.state(self.0)
    }
}

/// Counts what is written to it.
struct Nowhere(u64);

impl Write for Nowhere {
    type Error = Infallible;

    fn write(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        // As if it were copied away.
        self.0 += core::hint::black_box(bytes).len() as u64;
        Ok(())
    }
}

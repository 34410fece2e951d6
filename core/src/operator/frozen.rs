//! What a task holds of an operator's state, frozen.

use super::LONE;
use crate::key::KeyGroup;
use crate::state::{Frozen, RowWriter, SaveError, Shape};

/// The state of one task as it was at one moment.
#[derive(Debug)]
pub struct FrozenTask<F> {
    frozen: F,
    /// Written in full whenever it changed: its digest is to be comparable.
    whole: bool,
}

impl<F: Frozen> FrozenTask<F> {
    pub(super) const fn new(frozen: F, whole: bool) -> Self {
        Self { frozen, whole }
    }
}

impl<F: Frozen> Frozen for FrozenTask<F> {
    type Error = F::Error;

    fn shape(&self, _: KeyGroup) -> Shape {
        match self.frozen.shape(LONE) {
            Shape::Delta if self.whole => Shape::Full,
            shape => shape,
        }
    }

    fn save(&self, _: KeyGroup, out: &mut RowWriter<'_>) -> Result<(), SaveError<F::Error>> {
        if self.whole { self.frozen.scan(LONE, out) } else { self.frozen.save(LONE, out) }
    }

    fn get(
        &self,
        _: KeyGroup,
        key: &[u8],
        out: &mut RowWriter<'_>,
    ) -> Result<(), SaveError<F::Error>> {
        self.frozen.get(LONE, key, out)
    }

    fn scan(&self, _: KeyGroup, out: &mut RowWriter<'_>) -> Result<(), SaveError<F::Error>> {
        self.frozen.scan(LONE, out)
    }
}

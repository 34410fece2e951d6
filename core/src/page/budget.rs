//! What decoding a file from outside may cost: limits that the caller gives.

#[cfg(feature = "alloc")]
use crate::error::Fault;

/// What decoding one file from outside may cost, whatever its bytes are.
///
/// Each limit holds for one call, beside the state that rows are loaded into: that has a budget of
/// its own. What would go beyond is refused with [`Fault::Budget`](crate::error::Fault::Budget)
/// before it is allocated or done.
///
/// | file | memory | elements | steps |
/// |---|---|---|---|
/// | manifest, claim, record | 64 KiB + 16 x length | - | - |
/// | snapshot | 64 KiB + 8 x length | 4,096 + 16 x part | 4,096 + 256 x part |
///
/// A smaller budget than that of [`of_manifest`](Self::of_manifest) or
/// [`of_snapshot`](Self::of_snapshot) may refuse sound files; a larger one changes nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RestoreBudget {
    /// The bytes of memory that are held at any moment.
    pub memory: u64,
    /// The elements, pairs and items in one part.
    pub items: u64,
    /// How deep the values of a row may nest.
    pub depth: u32,
    /// The steps for one part: one for each row, and for each node of a schema that is visited.
    pub fuel: u64,
}

impl RestoreBudget {
    /// Returns what a manifest, claim or record of `length` bytes may cost.
    pub const fn of_manifest(length: u64) -> Self {
        Self { memory: linear(64 * 1024, 16, length), ..Self::of_part(length) }
    }

    /// Returns what a snapshot file of `length` bytes may cost.
    pub const fn of_snapshot(length: u64) -> Self {
        Self { memory: linear(64 * 1024, 8, length), ..Self::of_part(length) }
    }

    /// Returns what one part of `length` bytes may cost at most, within this budget.
    pub(crate) const fn for_part(&self, length: u64) -> Self {
        let Self { items, fuel, .. } = Self::of_part(length);
        let items = if self.items < items { self.items } else { items };
        let fuel = if self.fuel < fuel { self.fuel } else { fuel };
        Self { items, fuel, ..*self }
    }

    /// Takes `count` times `bytes` of memory, before that is allocated.
    #[cfg(feature = "alloc")]
    pub(crate) fn take(&mut self, count: usize, bytes: usize) -> Result<(), Fault> {
        let bytes = (count as u64).saturating_mul(bytes as u64);
        self.memory = self.memory.checked_sub(bytes).ok_or(Fault::Budget)?;
        Ok(())
    }

    const fn of_part(length: u64) -> Self {
        Self {
            memory: length,
            items: linear(4096, 16, length),
            depth: crate::schema::SCHEMA_DEPTH_MAX as u32,
            fuel: linear(4096, 256, length),
        }
    }
}

const fn linear(constant: u64, factor: u64, length: u64) -> u64 {
    length.saturating_mul(factor).saturating_add(constant)
}

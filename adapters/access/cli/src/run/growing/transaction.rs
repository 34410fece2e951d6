//! The name of a transaction: all that is known of it.

use std::fmt;

use holdwater::manifest::CheckpointId;

/// Rows that were prepared for a checkpoint.
///
/// ```text
/// 7.e2.1234.567.89abcdef01234567     checkpoint, epoch, offset in the output, length, XXH3-64
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Transaction {
    pub(super) id: CheckpointId,
    /// Where it begins in the output.
    pub(super) offset: u64,
    pub(super) length: u64,
    /// The XXH3-64 of its bytes.
    pub(super) hash: u64,
}

impl Transaction {
    /// Returns where it ends in the output.
    pub(super) const fn end(&self) -> u64 {
        self.offset.saturating_add(self.length)
    }

    /// Reads a name; none is written in two ways.
    pub(super) fn parse(name: &[u8]) -> Option<Self> {
        let text = str::from_utf8(name).ok()?;
        let mut words = text.split('.');
        let mut word = || words.next();
        let checkpoint = word()?.parse().ok()?;
        let epoch = word()?.strip_prefix('e')?.parse().ok()?;
        let (offset, length) = (word()?.parse().ok()?, word()?.parse().ok()?);
        let hash = u64::from_str_radix(word()?, 16).ok()?;
        let transaction = Self { id: CheckpointId { checkpoint, epoch }, offset, length, hash };
        (transaction.to_string() == text).then_some(transaction)
    }
}

impl fmt::Display for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, offset, length, hash } = self;
        write!(f, "{}.e{}.{offset}.{length}.{hash:016x}", id.checkpoint, id.epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_is_its_name() {
        let id = CheckpointId { checkpoint: 7, epoch: 2 };
        let transaction = Transaction { id, offset: 1234, length: 567, hash: 0xabc };
        let name = transaction.to_string();
        assert_eq!(name, "7.e2.1234.567.0000000000000abc");
        assert_eq!(Transaction::parse(name.as_bytes()), Some(transaction));
        for other in ["", "open", "7.2.1.1.0", "07.e2.1234.567.0000000000000abc", &name[1..]] {
            assert_eq!(Transaction::parse(other.as_bytes()), None, "{other}");
        }
        assert_eq!(Transaction::parse(format!("{name}.0").as_bytes()), None);
    }
}

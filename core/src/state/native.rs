//! Files that a store keeps itself: saved as they are, and read by a store of the same kind alone.

use core::fmt;
use core::ops::Range;

/// A file that a checkpoint keeps: which it is, and what is in it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct KeptFile {
    /// The checkpoint that it was written for.
    pub checkpoint: u64,
    /// The epoch that wrote it.
    pub epoch: u64,
    /// Which try of the epoch.
    pub attempt: u32,
    /// Which of the files of that checkpoint.
    pub part: u32,
    /// Its length in bytes.
    pub length: u64,
    /// XXH3-128 of all of them.
    pub hash: u128,
}

/// Files in which a store left the rows of some groups, to be attached to one of the same kind.
pub trait Native {
    /// Returns the kind of store.
    fn store(&self) -> &str;

    /// Returns the checkpoint that holds the files.
    fn checkpoint(&self) -> u64;

    /// Returns the groups, as numbers.
    fn groups(&self) -> Range<u16>;

    /// Returns how many keys the state that is being attached has in `group`.
    fn keys(&self, group: u16) -> u64;

    /// Returns how many files there are.
    fn files(&self) -> usize;

    /// Returns the name that a file has in its store, and what is known of it.
    fn file(&self, index: usize) -> (&str, KeptFile);

    /// Hands out a file as its storage does ([`Storage::native`](crate::storage::Storage::native)):
    /// of a directory a `std::fs::File`, of which a store may keep another name instead of a copy.
    /// What is in it is verified by [`fetch`](Self::fetch) alone.
    #[cfg(feature = "alloc")]
    fn handle(&mut self, index: usize) -> Option<alloc::boxed::Box<dyn core::any::Any>>;

    /// Shows a file to `put`, piece by piece in order, until that returns `false`. Only if all of
    /// it was shown, and was what is known of it, is it done.
    fn fetch(&mut self, index: usize, put: &mut dyn FnMut(&[u8]) -> bool) -> Result<(), Unfetched>;
}

/// A file was not shown to its end, or is not what is known of it. Who shows it says why.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Unfetched;

impl fmt::Display for Unfetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a file of the checkpoint cannot be read")
    }
}

/// What a frozen state says of the files that hold its rows.
#[cfg(feature = "alloc")]
#[derive(Clone, Copy)]
pub struct NativeFrozen<'f> {
    /// The files, which are those of all states of the store.
    pub snapshot: &'f dyn NativeSnapshot,
    /// How many keys the state has in each owned group, in their order.
    pub keys: &'f [u64],
}

#[cfg(feature = "alloc")]
impl fmt::Debug for NativeFrozen<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NativeFrozen").field("keys", &self.keys).finish_non_exhaustive()
    }
}

/// The files of a store as they were at one moment, in pieces that hold the rows of some groups
/// each, of all its states.
#[cfg(feature = "alloc")]
pub trait NativeSnapshot: Send + Sync {
    /// Returns the kind of store.
    fn store(&self) -> &str;

    /// Returns how many pieces there are. Their groups are apart, and those of the store.
    fn pieces(&self) -> usize;

    /// Returns the groups of a piece, as numbers.
    fn groups(&self, piece: usize) -> Range<u16>;

    /// Returns how many files a piece has.
    fn files(&self, piece: usize) -> usize;

    /// Returns the name that a file has in its store, and where the base of the snapshot keeps the
    /// same file, if it does.
    fn file(&self, piece: usize, index: usize) -> (&str, Option<KeptFile>);

    /// Fills `buffer` with what the file has from `offset` on; returns less than its length only at
    /// the end of the file. What fails is told in words.
    fn read(
        &self,
        piece: usize,
        index: usize,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize, alloc::string::String>;

    /// Takes note of where the file is kept now.
    fn kept(&self, piece: usize, index: usize, file: KeptFile);
}

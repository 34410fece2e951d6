use core::ops::{Deref, DerefMut};

use holdwater::key::{At, Key, KeyGroups};
use holdwater::snapshot::{self, FrozenStates};
use holdwater::state::{Backend, State, States, Visitor};

use super::checkpoints::{Checkpoints, Native, contents};

/// Which checkpoints are taken while a behaviour is shown, and what goes on after each.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// Full ones; the state that took one goes on.
    Full,
    /// Full ones; a restored state goes on.
    FullRestored,
    /// Deltas on the one before; the state that took one goes on.
    Incremental,
    /// Deltas on the one before; a restored state goes on.
    IncrementalRestored,
}

/// All modes.
pub const MODES: [Mode; 4] =
    [Mode::Full, Mode::FullRestored, Mode::Incremental, Mode::IncrementalRestored];

impl Mode {
    /// Returns whether checkpoints are deltas.
    pub const fn is_incremental(self) -> bool {
        matches!(self, Self::Incremental | Self::IncrementalRestored)
    }

    /// Returns whether a restored state goes on.
    pub const fn restores(self) -> bool {
        matches!(self, Self::FullRestored | Self::IncrementalRestored)
    }
}

/// How a behaviour is shown: on which store, in which mode.
#[derive(Debug)]
pub struct Run<B> {
    make: fn(KeyGroups) -> B,
    mode: Mode,
    native: Option<Native>,
}

impl<B: Backend> Run<B> {
    /// Shows behaviours of the stores that `make` makes.
    pub const fn new(make: fn(KeyGroups) -> B, mode: Mode) -> Self {
        Self { make, mode, native: None }
    }

    /// Hands out the files of checkpoints as `native` makes them, if it is given.
    #[must_use]
    pub const fn handing_out(self, native: Option<Native>) -> Self {
        Self { native, ..self }
    }

    /// Returns the mode.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Returns the groups of the job: 16.
    pub const fn groups(&self) -> KeyGroups {
        KeyGroups::all(16)
    }

    /// Returns where a key lives.
    pub fn at<'k, K: Key>(&self, key: K::View<'k>) -> At<'k, K> {
        self.groups().locate(key)
    }

    /// Makes an empty store of `groups`.
    pub fn store(&self, groups: KeyGroups) -> B {
        (self.make)(groups)
    }

    /// Opens states on an empty store of all groups.
    pub fn open<S>(&self, open: fn(&mut B) -> Result<S, B::Error>) -> Stage<B, S>
    where
        S: States<Error = B::Error>,
    {
        let states = open(&mut self.store(self.groups())).unwrap();
        let run = Self { ..*self };
        let checkpoints = Checkpoints::handing_out(run.native);
        Stage { run, open, states, checkpoints }
    }
}

/// States on a store, and the checkpoints that were taken of them.
#[derive(Debug)]
pub struct Stage<B: Backend, S> {
    run: Run<B>,
    open: fn(&mut B) -> Result<S, B::Error>,
    states: S,
    checkpoints: Checkpoints,
}

impl<B: Backend, S: States<Error = B::Error>> Stage<B, S> {
    /// Takes a checkpoint, restores it, compares the two, and goes on as the mode says.
    pub fn turn(&mut self) {
        let frozen = self.freeze();
        self.checkpoints.save(&frozen);
        self.complete(frozen.cut().checkpoint);
        let mut restored = self.restored(frozen.cut().checkpoint);
        assert_eq!(
            contents(&self.freeze_other(&mut restored)),
            contents(&frozen),
            "what was restored is not what was frozen"
        );
        if self.run.mode.restores() {
            self.states = restored;
        }
    }

    /// Sets the time of later checkpoints, by both clocks.
    pub const fn set_time(&mut self, now: i64) {
        self.checkpoints.set_time(now);
    }

    /// Freezes the states for a new checkpoint: a delta on the last one, if the mode says so.
    pub fn freeze(&mut self) -> FrozenStates<S::Error> {
        let base = self.checkpoints.last().filter(|_| self.run.mode.is_incremental());
        self.freeze_on(base)
    }

    /// Freezes the states for a new checkpoint: a delta on `base`.
    pub fn freeze_on(&mut self, base: Option<u64>) -> FrozenStates<S::Error> {
        let cut = self.checkpoints.cut(base);
        snapshot::freeze(&mut self.states, self.run.groups(), cut).unwrap()
    }

    /// Freezes all of `states`, for another checkpoint.
    pub fn freeze_other(&mut self, states: &mut S) -> FrozenStates<S::Error> {
        let cut = self.checkpoints.cut(None);
        snapshot::freeze(states, self.run.groups(), cut).unwrap()
    }

    /// Writes what was frozen to a file.
    pub fn save(&mut self, frozen: &FrozenStates<S::Error>) {
        self.checkpoints.save(frozen);
    }

    /// Tells the states that `checkpoint` is complete.
    pub fn complete(&mut self, checkpoint: u64) {
        self.checkpoints.complete(&mut self.states, checkpoint);
    }

    /// Tells the states that `checkpoint` will never be complete.
    pub fn abort(&mut self, checkpoint: u64) {
        self.checkpoints.abort(&mut self.states, checkpoint);
    }

    /// Returns the checkpoints taken so far.
    pub const fn checkpoints(&self) -> &Checkpoints {
        &self.checkpoints
    }

    /// Returns the states as `checkpoint` restores them, on a store of their own.
    pub fn restored(&self, checkpoint: u64) -> S {
        let mut restored = self.empty();
        self.checkpoints.load(checkpoint, &mut restored);
        restored
    }

    /// Returns the states with nothing in them, on a store of their own.
    pub fn empty(&self) -> S {
        (self.open)(&mut self.run.store(self.run.groups())).unwrap()
    }
}

impl<B: Backend, S> Deref for Stage<B, S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.states
    }
}

impl<B: Backend, S> DerefMut for Stage<B, S> {
    fn deref_mut(&mut self) -> &mut S {
        &mut self.states
    }
}

/// An operator of one state.
#[derive(Debug)]
pub struct Sole<S>(pub S);

impl<S: State> States for Sole<S> {
    type Error = S::Error;

    fn each<V: Visitor<S::Error>>(&mut self, visitor: &mut V) -> Result<(), V::Stop> {
        visitor.state(&mut self.0)
    }
}

impl<S> Deref for Sole<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.0
    }
}

impl<S> DerefMut for Sole<S> {
    fn deref_mut(&mut self) -> &mut S {
        &mut self.0
    }
}

/// An operator of two states.
#[derive(Debug)]
pub struct Pair<S, T>(pub S, pub T);

impl<S: State, T: State<Error = S::Error>> States for Pair<S, T> {
    type Error = S::Error;

    fn each<V: Visitor<S::Error>>(&mut self, visitor: &mut V) -> Result<(), V::Stop> {
        visitor.state(&mut self.0)?;
        visitor.state(&mut self.1)
    }
}

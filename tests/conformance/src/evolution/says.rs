use holdwater::key::{KeyGroup, KeyGroups};
use holdwater::state::{Change, Cut, Description, Form, LoadError, State};

/// A state that says of itself that it is another: for restores that end before a row is loaded,
/// so that stores need not be compiled for types that they never hold.
pub(super) struct SaysOfItself<S>(pub(super) S, pub(super) Description);

impl<S: State> State for SaysOfItself<S> {
    type Error = S::Error;
    type Frozen = S::Frozen;

    fn description(&self) -> &Description {
        &self.1
    }

    fn groups(&self) -> KeyGroups {
        self.0.groups()
    }

    fn freeze(&mut self, cut: &Cut) -> Result<S::Frozen, S::Error> {
        self.0.freeze(cut)
    }

    fn completed(&mut self, checkpoint: u64) {
        self.0.completed(checkpoint);
    }

    fn aborted(&mut self, checkpoint: u64) {
        self.0.aborted(checkpoint);
    }

    fn load(
        &mut self,
        group: KeyGroup,
        change: Change<'_>,
        form: &Form<'_>,
    ) -> Result<(), LoadError<S::Error>> {
        self.0.load(group, change, form)
    }

    fn loaded(&mut self, checkpoint: u64) {
        self.0.loaded(checkpoint);
    }

    fn clear(&mut self) -> Result<(), S::Error> {
        self.0.clear()
    }

    fn sweep(&mut self, now: i64, steps: usize) -> Result<usize, S::Error> {
        self.0.sweep(now, steps)
    }

    fn bytes(&self) -> u64 {
        self.0.bytes()
    }

    fn rows(&self) -> u64 {
        self.0.rows()
    }
}

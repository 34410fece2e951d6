use std::any::Any;
use std::collections::BTreeMap;
use std::convert::Infallible;

use holdwater::error::StateError;
use holdwater::key::KeyGroup;
use holdwater::manifest::StateSchema;
use holdwater::page::{BlockSize, FileHeader, FileKind, Portable};
use holdwater::snapshot::{FrozenStates, GroupReport, PartEntry, Portion, Snapshot, StateTable};
use holdwater::state::{
    Cut, Description, Moment, Output, OutputFailed, PlacedPart, RowWriter, Shape, State, States,
    Visitor,
};

/// The checkpoints of an operator: files in memory, and what each checkpoint consists of.
#[derive(Clone, Debug, Default)]
pub struct Checkpoints {
    files: Vec<Vec<u8>>,
    taken: BTreeMap<u64, Chains>,
    given: u64,
    completed: Option<u64>,
    /// The time of the next cut, by both clocks.
    now: i64,
    native: Option<Native>,
}

/// Makes of the bytes of a file what a storage hands out for stores that read rows where they lie.
pub type Native = fn(&[u8]) -> Box<dyn Any>;

/// By name of the state and group: the parts to be loaded one after the other, and their files.
type Chains = BTreeMap<(String, u16), Vec<(usize, PartEntry)>>;

/// What states hold: equal for equal content, on whichever store.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Contents {
    /// By name of the state and group: how many values, items and fields there are, and their
    /// digest.
    pub groups: BTreeMap<(String, u16), (u64, u128)>,
}

impl Contents {
    /// Returns how many values, items and fields there are.
    pub fn rows(&self) -> u64 {
        self.groups.values().map(|(rows, _)| rows).sum()
    }
}

impl Checkpoints {
    /// Offers each full part to the store as it lies, if `native` is given.
    pub fn handing_out(native: Option<Native>) -> Self {
        Self { native, ..Self::default() }
    }

    /// Returns the checkpoint that was completed last.
    pub const fn last(&self) -> Option<u64> {
        self.completed
    }

    /// Sets the time of later cuts, by both clocks; it begins with 0.
    pub const fn set_time(&mut self, now: i64) {
        self.now = now;
    }

    /// Returns the cut of a new checkpoint.
    pub const fn cut(&mut self, base: Option<u64>) -> Cut {
        self.given += 1;
        Cut { checkpoint: self.given, base, now: self.now, watermark: self.now }
    }

    /// Writes what was frozen, through a file: it can be loaded from now on.
    pub fn save<E: StateError>(&mut self, frozen: &FrozenStates<E>) {
        let cut = *frozen.cut();
        frozen.verify().unwrap_or_else(|error| panic!("{error}"));
        let reports = if frozen.has_parts(Portion::All) {
            let block = BlockSize::SMALL;
            let (kind, checkpoint, part) = (FileKind::Snapshot, cut.checkpoint, 0);
            let header = FileHeader { kind, block, job: 1, checkpoint, epoch: 1, attempt: 1, part };
            let mut buffer = vec![0; block.bytes()];
            let saved =
                frozen.save(Portion::All, header, "operator", Vec::new(), &mut buffer, Portable);
            let saved = saved.unwrap_or_else(|error| panic!("{error}"));
            self.files.push(saved.out);
            saved.states
        } else {
            frozen.report_without_parts(Portion::All)
        };
        let base = cut.base.and_then(|base| self.taken.get(&base)).cloned().unwrap_or_default();
        let taken = self.taken.entry(cut.checkpoint).or_default();
        for state in reports {
            for (group, report) in state.groups {
                let place = (state.description.name.to_string(), group);
                let mut chain = base.get(&place).cloned().unwrap_or_default();
                match report {
                    GroupReport::Empty => chain.clear(),
                    GroupReport::Unchanged => {}
                    GroupReport::Part(part) => {
                        if part.shape == Shape::Full {
                            chain.clear();
                        }
                        chain.push((self.files.len() - 1, part));
                    }
                }
                taken.insert(place, chain);
            }
        }
    }

    /// Takes note that the states were told that `checkpoint` is complete.
    pub fn complete<S: States>(&mut self, states: &mut S, checkpoint: u64) {
        states.completed(checkpoint);
        self.completed = Some(checkpoint);
    }

    /// Tells the states that `checkpoint` will never be complete.
    pub fn abort<S: States>(&self, states: &mut S, checkpoint: u64) {
        states.aborted(checkpoint);
    }

    /// Loads what `checkpoint` holds of the groups that the states own.
    pub fn load<S: States>(&self, checkpoint: u64, states: &mut S) {
        self.try_load(checkpoint, states).unwrap_or_else(|refusal| panic!("{refusal}"));
    }

    /// Loads what `checkpoint` holds of the groups that the states own, or says what is refused.
    pub fn try_load<S: States>(&self, checkpoint: u64, states: &mut S) -> Result<(), String> {
        let chains = self.taken.get(&checkpoint).expect("a checkpoint that was saved");
        let (files, native, handed) = (&self.files[..], self.native, BTreeMap::new());
        states.each(&mut Load { checkpoint, chains, files, native, handed })
    }

    /// Changes one byte of the file that was written for `checkpoint`.
    pub fn damage(&mut self, checkpoint: u64, at: u64) {
        let is_of = |file: &&mut Vec<u8>| {
            Snapshot::open(&file[..], Portable).unwrap().header().checkpoint == checkpoint
        };
        let mut files = self.files.iter_mut();
        files.find(is_of).expect("a checkpoint with a file")[at as usize] ^= 0x10;
    }

    /// Returns how many values, items and fields the parts written for `checkpoint` put.
    pub fn rows_written(&self, checkpoint: u64) -> u64 {
        self.parts_written(checkpoint).map(|part| part.rows).sum()
    }

    /// Returns the parts that were written for `checkpoint`.
    pub fn parts_written(&self, checkpoint: u64) -> impl Iterator<Item = PartEntry> {
        let file = |file: &usize| Snapshot::open(&self.files[*file][..], Portable).unwrap();
        let chains = self.taken.get(&checkpoint).into_iter().flatten();
        let parts = chains.filter_map(|(_, chain)| chain.last());
        parts.filter(move |(at, _)| file(at).header().checkpoint == checkpoint).map(|part| part.1)
    }
}

/// Returns what was frozen, all of it.
pub fn contents<E: StateError>(frozen: &FrozenStates<E>) -> Contents {
    let mut groups = BTreeMap::new();
    for (description, state) in frozen.states() {
        for group in frozen.groups().iter() {
            let content = written(description, |rows| state.scan(group, rows).unwrap());
            groups.insert((description.name.to_string(), group.index()), content);
        }
    }
    Contents { groups }
}

/// Returns how many rows `write` writes, and the sum of their digests.
pub(super) fn written(
    description: &Description,
    write: impl FnOnce(&mut RowWriter<'_>),
) -> (u64, u128) {
    let (mut nowhere, mut buffer) = (Nowhere, [0; 256]);
    let mut rows = RowWriter::new(description, &mut nowhere, &mut buffer);
    write(&mut rows);
    rows.finish().unwrap()
}

/// Returns for each state how many rows it shows of `group` as it is, at `now` by both clocks, and
/// the sum of their digests.
pub(super) fn shown<S: States>(
    states: &mut S,
    group: KeyGroup,
    key: Option<&[u8]>,
    now: i64,
) -> Vec<(u64, u128)> {
    let moment = Moment { now, watermark: now };
    let mut show = Show { group, key, moment, shown: Vec::new() };
    let Ok(()) = states.each(&mut show);
    show.shown
}

struct Show<'k> {
    group: KeyGroup,
    key: Option<&'k [u8]>,
    moment: Moment,
    shown: Vec<(u64, u128)>,
}

impl<E: StateError> Visitor<E> for Show<'_> {
    type Stop = Infallible;

    fn state<S: State<Error = E>>(&mut self, state: &mut S) -> Result<(), Infallible> {
        let Self { group, key, moment, shown } = self;
        shown.push(written(state.description(), |rows| {
            state.show(*group, *key, *moment, rows).unwrap();
        }));
        Ok(())
    }
}

/// Loads a checkpoint into states.
struct Load<'c> {
    checkpoint: u64,
    chains: &'c Chains,
    files: &'c [Vec<u8>],
    native: Option<Native>,
    handed: BTreeMap<usize, Box<dyn Any>>,
}

impl<E: StateError> Visitor<E> for Load<'_> {
    type Stop = String;

    fn state<S: State<Error = E>>(&mut self, state: &mut S) -> Result<(), String> {
        let name = state.description().name.to_string();
        for group in state.groups().iter().map(KeyGroup::index) {
            for (file, part) in self.chains.get(&(name.clone(), group)).into_iter().flatten() {
                let snapshot = Snapshot::open(&self.files[*file][..], Portable);
                let mut snapshot = snapshot.map_err(|error| error.to_string())?;
                let same = StateSchema::from(state.description());
                let is_same =
                    |table: &StateTable| same.is_of(&table.states[usize::from(part.state)]);
                if let (Some(native), Shape::Full) = (self.native, part.shape)
                    && is_same(snapshot.table())
                {
                    let handed = self.handed.entry(*file);
                    let placed = PlacedPart {
                        file: &**handed.or_insert_with(|| native(&self.files[*file])),
                        name: "file",
                        hash: snapshot.seal().hash,
                        offset: part.offset,
                        length: part.length,
                        rows: part.rows,
                        digest: part.digest,
                    };
                    let adopted = state.adopt(KeyGroup::new(group), &placed);
                    if adopted.map_err(|error| error.to_string())? {
                        continue;
                    }
                }
                snapshot.load(*part, state).map_err(|error| error.to_string())?;
            }
        }
        state.loaded(self.checkpoint);
        Ok(())
    }
}

/// Takes rows, and keeps none.
struct Nowhere;

impl Output for Nowhere {
    fn append(&mut self, _: &[u8]) -> Result<(), OutputFailed> {
        Ok(())
    }
}

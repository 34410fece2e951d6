//! Parts through a file and back, on the smallest possible store; the stores' own tests do more.

use std::collections::BTreeMap;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use super::*;
use crate::error::{ErrorKind, StateError};
use crate::key::{KeyGroup, KeyGroups};
use crate::page::{BlockSize, FileHeader, FileKind, Portable, RestoreBudget};
use crate::state::{
    Change, Cut, Description, Descriptor, Expiry, Form, Frozen, Kind, Life, LoadError, Moment, Op,
    RowWriter, SaveError, Stamped, State, States, TimeDomain, Visitor,
};
use crate::ttl::Expiring;

const HEADER: FileHeader = FileHeader {
    kind: FileKind::Snapshot,
    block: BlockSize::SMALL,
    job: 7,
    checkpoint: 3,
    epoch: 2,
    attempt: 0,
    part: 1,
};

/// Texts by number, all in one group.
#[derive(Clone, Debug)]
struct Texts {
    description: Description,
    rows: BTreeMap<u32, String>,
}

#[derive(Debug, PartialEq)]
struct Never;

impl core::fmt::Display for Never {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("never")
    }
}

impl core::error::Error for Never {}

impl StateError for Never {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Io
    }
}

impl Texts {
    fn new(rows: &[(u32, &str)]) -> Self {
        let description = Descriptor::<u32, String>::new("texts").describe(Kind::Value).unwrap();
        let rows = rows.iter().map(|(key, text)| (*key, (*text).into())).collect();
        Self { description, rows }
    }
}

impl Frozen for Texts {
    type Error = Never;

    fn shape(&self, _: KeyGroup) -> Shape {
        if self.rows.is_empty() { Shape::Empty } else { Shape::Full }
    }

    fn save(&self, _: KeyGroup, out: &mut RowWriter<'_>) -> Result<(), SaveError<Never>> {
        self.rows.iter().try_for_each(|(key, text)| Ok(out.value(key, text)?))
    }

    fn get(&self, _: KeyGroup, _: &[u8], _: &mut RowWriter<'_>) -> Result<(), SaveError<Never>> {
        Err(SaveError::State(Never))
    }

    fn scan(&self, group: KeyGroup, out: &mut RowWriter<'_>) -> Result<(), SaveError<Never>> {
        self.save(group, out)
    }
}

impl State for Texts {
    type Error = Never;
    type Frozen = Self;

    fn description(&self) -> &Description {
        &self.description
    }

    fn groups(&self) -> KeyGroups {
        KeyGroups::all(1)
    }

    fn freeze(&mut self, _: &Cut) -> Result<Self, Never> {
        Ok(self.clone())
    }

    fn completed(&mut self, _: u64) {}

    fn aborted(&mut self, _: u64) {}

    fn load(
        &mut self,
        _: KeyGroup,
        change: Change<'_>,
        form: &Form<'_>,
    ) -> Result<(), LoadError<Never>> {
        let mut reader = Reader::new(change.row);
        let key = form.key::<u32>(&mut reader)?;
        self.rows.insert(key, form.value::<String>(&mut reader)?);
        Ok(())
    }

    fn loaded(&mut self, _: u64) {}

    fn clear(&mut self) -> Result<(), Never> {
        self.rows.clear();
        Ok(())
    }

    fn sweep(&mut self, _: i64, _: usize) -> Result<usize, Never> {
        Ok(0)
    }

    fn show(
        &self,
        group: KeyGroup,
        _: Option<&[u8]>,
        _: Moment,
        out: &mut RowWriter<'_>,
    ) -> Result<(), SaveError<Never>> {
        self.scan(group, out)
    }

    fn bytes(&self) -> u64 {
        0
    }

    fn rows(&self) -> u64 {
        self.rows.len() as u64
    }
}

impl States for Texts {
    type Error = Never;

    fn each<V: Visitor<Never>>(&mut self, visitor: &mut V) -> Result<(), V::Stop> {
        visitor.state(self)
    }
}

fn save(texts: &mut Texts) -> Vec<u8> {
    let cut = Cut { checkpoint: 3, base: None, now: 0, watermark: 0 };
    let frozen = freeze(texts, KeyGroups::all(1), cut).unwrap();
    let mut buffer = vec![0; HEADER.block.bytes()];
    frozen.save(Portion::All, HEADER, "demo", Vec::new(), &mut buffer, Portable).unwrap().out
}

fn load(bytes: &[u8]) -> Result<Texts, PartError<core::convert::Infallible, Never>> {
    let mut snapshot = Snapshot::open(bytes, Portable)?;
    if *snapshot.header() != HEADER {
        return Err(Malformed::new(Fault::Identity, 0).into());
    }
    snapshot.verify_hash()?;
    let mut texts = Texts::new(&[]);
    for part in snapshot.parts()? {
        snapshot.load(part, &mut texts)?;
    }
    Ok(texts)
}

#[test]
fn rows_read_back_from_a_file_also_when_they_are_longer_than_a_block() {
    let long = "x".repeat(5000);
    let mut texts = Texts::new(&[(1, "one"), (2, ""), (3, &long), (4, "four")]);
    assert_eq!(load(&save(&mut texts)).unwrap().rows, texts.rows);
    let many: Vec<(u32, &str)> = (0..3000).map(|n| (n, "some text")).collect();
    let mut texts = Texts::new(&many);
    assert_eq!(load(&save(&mut texts)).unwrap().rows, texts.rows);
}

#[test]
fn the_rows_of_a_part_are_shown_to_whoever_has_no_state() {
    let bytes = save(&mut Texts::new(&[(1, "one"), (300, "two")]));
    let mut snapshot = Snapshot::open(&bytes[..], Portable).unwrap();
    let part = snapshot.parts().unwrap()[0];
    let mut rows = Vec::new();
    let shown = snapshot.rows::<Never>(part, |Change { op, row }| {
        rows.push((op, row.to_vec()));
        Ok(())
    });
    assert_eq!(shown, Ok(Loaded { rows: 2, digest: part.digest }));
    assert_eq!(rows, [(Op::Put, b"\x01\x03one".to_vec()), (Op::Put, b"\xac\x02\x03two".to_vec())]);
    let other = PartEntry { digest: 0, ..part };
    assert!(snapshot.rows::<Never>(other, |_| Ok(())).is_err());
}

#[test]
fn a_state_without_rows_needs_no_part() {
    let mut texts = Texts::new(&[]);
    let bytes = save(&mut texts);
    assert_eq!(Snapshot::open(&bytes[..], Portable).unwrap().parts().unwrap(), []);
}

#[test]
fn the_digest_depends_on_the_rows_and_not_on_their_order_or_encoding_in_runs() {
    let digest = |rows: &[(u32, &str)]| {
        let bytes = save(&mut Texts::new(rows));
        Snapshot::open(&bytes[..], Portable).unwrap().parts().unwrap()[0].digest
    };
    let long = "y".repeat(4000);
    assert_eq!(digest(&[(1, "a"), (2, &long)]), digest(&[(2, &long), (1, "a")]));
    assert_ne!(digest(&[(1, "a"), (2, "b")]), digest(&[(1, "b"), (2, "a")]));
}

#[test]
fn every_changed_byte_of_a_snapshot_is_found() {
    let rows = [(1, "one"), (2, "two"), (300, "three hundred")];
    let bytes = save(&mut Texts::new(&rows));
    for at in 0..bytes.len() {
        for flip in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
            let mut bytes = bytes.clone();
            bytes[at] ^= flip;
            assert!(load(&bytes).is_err(), "byte {at} ^ {flip}");
        }
        assert!(load(&bytes[..at]).is_err(), "cut at {at}");
    }
}

#[test]
fn the_example_in_the_format_document_is_what_is_written() {
    let bytes = save(&mut Texts::new(&[(1, "one"), (300, "two")]));
    let document = include_str!("../../../docs/format.md");
    let example = document.split("<!-- example -->").nth(1).unwrap();
    let words = example.lines().filter_map(|line| line.split_once("  |")).map(|line| line.0);
    let digits: String = words.flat_map(str::split_whitespace).collect();
    let written: String = bytes.iter().map(|byte| std::format!("{byte:02x}")).collect();
    assert_eq!(digits, written);
}

/// A state table of one state whose rows live so long, frozen at 50 and watermark 40.
fn table_of(expiry: Expiry) -> Vec<u8> {
    let stamped = Stamped::new(expiry, |_| 0);
    let descriptor = Descriptor::<u32, String>::new("texts");
    let descriptor = descriptor.stamped::<Expiring<String>>(stamped, Ok);
    let description = descriptor.describe(Kind::Value).unwrap();
    let moment = Moment { now: 50, watermark: 40 };
    let head = TableHead { operator: "demo", groups: 1, moment };
    let mut bytes = Vec::new();
    let Ok(()) = table::write_head(head, 1, &mut bytes);
    let Ok(()) = table::write_entry(&description, moment, &mut bytes);
    bytes
}

fn read_table(bytes: &[u8]) -> Result<StateTable, Malformed> {
    let mut budget = RestoreBudget::of_snapshot(bytes.len() as u64);
    StateTable::decode_within(Reader::new(bytes), &mut budget)
}

#[test]
fn a_state_table_says_how_long_rows_live_and_when_they_were_frozen() {
    for (domain, time) in [(TimeDomain::Event, 40), (TimeDomain::Processing, 50)] {
        for duration_ms in [1, 300, i64::MAX] {
            let expiry = Expiry { domain, duration_ms };
            let table = read_table(&table_of(expiry)).unwrap();
            assert_eq!(table.states[0].life, Some(Life { expiry, time }));
        }
    }
}

#[test]
fn a_time_to_live_of_no_known_clock_of_nothing_or_of_values_without_stamps_is_refused() {
    let bytes = table_of(Expiry { domain: TimeDomain::Event, duration_ms: 1 });
    let life = bytes.windows(4).position(|codes| codes == [1, 1, 2, 1]).unwrap();
    let stamp = bytes.windows(5).position(|name| name == b"stamp").unwrap();
    let changed = |at: usize, byte| {
        let mut bytes = bytes.clone();
        bytes[at] = byte;
        read_table(&bytes).map(|_| ()).map_err(|malformed| malformed.fault)
    };
    assert_eq!(changed(life + 1, 2), Ok(()));
    assert_eq!(changed(life + 1, 3), Err(Fault::Range));
    assert_eq!(changed(life + 3, 0), Err(Fault::Range));
    assert_eq!(changed(stamp, b'S'), Err(Fault::Range));
}

/// Text that says of itself that it is a number.
#[derive(Clone, Copy)]
struct Liar;

impl serde::Serialize for Liar {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("not a bool")
    }
}

impl Frozen for Liar {
    type Error = Never;

    fn shape(&self, _: KeyGroup) -> Shape {
        Shape::Full
    }

    fn save(&self, _: KeyGroup, out: &mut RowWriter<'_>) -> Result<(), SaveError<Never>> {
        Ok(out.value(&1u32, &("fine", *self))?)
    }

    fn get(
        &self,
        group: KeyGroup,
        _: &[u8],
        out: &mut RowWriter<'_>,
    ) -> Result<(), SaveError<Never>> {
        self.save(group, out)
    }

    fn scan(&self, group: KeyGroup, out: &mut RowWriter<'_>) -> Result<(), SaveError<Never>> {
        self.save(group, out)
    }
}

#[test]
fn a_type_that_does_not_write_what_its_schema_says_declines_the_checkpoint() {
    let descriptor = Descriptor::<u32, (String, bool)>::new("liars");
    let description = descriptor.describe(Kind::Value).unwrap();
    let mut buffer = vec![0; HEADER.block.bytes()];
    let table = [&description];
    let moment = Moment { now: 0, watermark: 0 };
    let head = TableHead { operator: "demo", groups: 1, moment };
    let table = table.into_iter();
    let mut writer =
        SnapshotWriter::new(HEADER, head, table, Vec::new(), &mut buffer, Portable).unwrap();
    let error = writer.part(0, &description, &Liar, KeyGroup::new(0), 0).unwrap_err();
    let text = std::format!("{error}");
    assert!(text.starts_with("state liars: the type of its values is not as its schema"), "{text}");
}

#[test]
fn a_snapshot_is_read_within_the_budget_that_is_given() {
    let long = "x".repeat(5000);
    let bytes = save(&mut Texts::new(&[(1, "one"), (2, &long)]));
    let within = |change: &dyn Fn(&mut RestoreBudget)| {
        let mut budget = RestoreBudget::of_snapshot(bytes.len() as u64);
        change(&mut budget);
        let mut snapshot = Snapshot::open_within(&bytes[..], Portable, budget)?;
        let part = snapshot.parts()?[0];
        snapshot.load(part, &mut Texts::new(&[]))
    };
    assert!(within(&|_| ()).is_ok());
    let limits: [&dyn Fn(&mut RestoreBudget); 3] =
        [&|budget| budget.memory = 100, &|budget| budget.memory = 5_000, &|budget| budget.fuel = 2];
    for (number, limit) in limits.into_iter().enumerate() {
        let error = within(limit).unwrap_err();
        assert!(
            matches!(error, PartError::Malformed(Malformed { fault: Fault::Budget, .. })),
            "{number}: {error:?}"
        );
    }
}

const OWNER: Owner<'static> = Owner { job: 7, operator: "demo", groups: KeyGroups::all(1) };

fn save_directly(texts: &mut Texts) -> Vec<u8> {
    let cut = Cut { checkpoint: 3, base: Some(1), now: 0, watermark: 0 };
    let mut workspace = Workspace::<0, 1>::new();
    save_states(texts, &OWNER, &cut, HEADER, Vec::new(), workspace.lend(), Portable).unwrap().1
}

fn load_directly<const BYTES: usize, const PARTS: usize>(
    bytes: &[u8],
    owner: &Owner<'_>,
) -> Result<Texts, LoadStatesError<core::convert::Infallible, Never>> {
    let (mut texts, mut workspace) = (Texts::new(&[]), Workspace::<BYTES, PARTS>::new());
    load_states(bytes, owner, &mut texts, workspace.lend(), Portable)?;
    Ok(texts)
}

#[test]
fn states_that_go_straight_to_a_file_make_the_one_that_frozen_states_make() {
    for rows in [&[][..], &[(1, "one"), (300, "two")]] {
        let mut texts = Texts::new(rows);
        let bytes = save_directly(&mut texts);
        assert_eq!(bytes, save(&mut texts));
        assert_eq!(load_directly::<256, 1>(&bytes, &OWNER).unwrap().rows, texts.rows);
    }
}

#[test]
fn states_load_straight_from_a_file_of_many_blocks() {
    let long = "x".repeat(1500);
    let rows: Vec<(u32, &str)> = (0..100).map(|n| (n, &long[..n as usize * 15])).collect();
    let mut texts = Texts::new(&rows);
    let loaded = load_directly::<2048, 1>(&save(&mut texts), &OWNER).unwrap();
    assert_eq!(loaded.rows, texts.rows);
}

#[test]
fn every_changed_byte_of_a_snapshot_is_found_by_loading_it_straight() {
    let mut texts = Texts::new(&[(1, "one"), (2, "two"), (300, "three hundred")]);
    let bytes = save(&mut texts);
    // The hash of the whole is not computed: what it adds to the checksums of blocks is identity.
    for at in 0..bytes.len() {
        for flip in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
            let mut bytes = bytes.clone();
            bytes[at] ^= flip;
            let error = load_directly::<256, 1>(&bytes, &OWNER).map(drop).unwrap_err();
            assert!(error.is_damage(), "byte {at} ^ {flip}: {error}");
        }
        assert!(load_directly::<256, 1>(&bytes[..at], &OWNER).is_err(), "cut at {at}");
    }
}

#[test]
fn a_snapshot_of_something_else_is_refused_and_is_no_damage() {
    type Refused = LoadStatesError<core::convert::Infallible, Never>;
    let bytes = save(&mut Texts::new(&[(1, "one")]));
    let refused = |owner: Owner<'_>| load_directly::<256, 1>(&bytes, &owner).unwrap_err();
    assert_eq!(refused(Owner { job: 8, ..OWNER }), Refused::OtherJob);
    assert_eq!(refused(Owner { operator: "other", ..OWNER }), Refused::OtherJob);
    let groups = KeyGroups::all(2);
    let error = refused(Owner { groups, ..OWNER });
    assert_eq!(error, Refused::KeyGroups { stored: 1, asked: 2 });
    assert!(!error.is_damage());
    assert_eq!(error.to_string(), "the snapshot has 1 key groups, not 2: ask for 1");
    let parts = load_directly::<256, 0>(&bytes, &OWNER).unwrap_err();
    assert_eq!(parts, Refused::Parts { parts: 1, room: 0 });
    let table = load_directly::<20, 1>(&bytes, &OWNER).unwrap_err();
    assert_eq!(table, Refused::Table { room: 20 });
}

#[test]
fn states_are_declared_under_the_names_and_kinds_that_a_file_has() {
    let bytes = save(&mut Texts::new(&[(1, "one")]));
    let load = |description| {
        let mut texts = Texts { description, rows: BTreeMap::new() };
        let mut workspace = Workspace::<256, 1>::new();
        load_states(&bytes[..], &OWNER, &mut texts, workspace.lend(), Portable).unwrap_err()
    };
    let other = Descriptor::<u32, String>::new("other").describe(Kind::Value).unwrap();
    let error = load(other).to_string();
    assert_eq!(error, "the snapshot has state texts, which is not declared: declare it");
    let list = Descriptor::<u32, String>::new("texts").describe(Kind::List).unwrap();
    assert!(matches!(load(list), LoadStatesError::OtherKind(_, Kind::List)));
}

use std::io::Cursor;

use holdwater_heap::Heap;
use proptest::prelude::*;

use super::*;
use crate::arguments::{BadRows, Format};
use crate::fields::key_schema;
use crate::input::Input;
use crate::record::Record;
use crate::run::batch::digest;
use crate::selection::Selection;

const SPECS: [&str; 6] = ["count", "sum:n", "mean:n", "min:t", "max:t", "last:t"];

/// A job that reads the columns `k`, `n` and `t`.
struct Tested {
    specs: Vec<Spec>,
    selection: Selection,
    states: Aggregates<Heap>,
}

impl Tested {
    /// The values of so many keys may lie beside the states.
    fn new(recent: usize) -> Self {
        let specs: Vec<Spec> = SPECS.iter().map(|text| text.parse().unwrap()).collect();
        let schema = key_schema(&["k"]).unwrap();
        let mut heap = Heap::new(KeyGroups::all(8));
        let states = Aggregates::open(&mut heap, &specs, &schema, None, recent).unwrap();
        Self { selection: Selection::new(&["k"], &specs), specs, states }
    }

    /// Adds rows in batches of that size.
    fn add(&mut self, rows: &str, size: usize) {
        let text = format!("k,n,t\n{rows}");
        let reader = Box::new(Cursor::new(text.into_bytes()));
        let input = Input::from_reader("rows", reader, Format::Csv, &self.selection, BadRows::Fail);
        let (mut input, mut record, mut more) = (input.unwrap(), Record::default(), true);
        while more {
            let mut batch = RowBatch::default();
            for _ in 0..size {
                more = more && input.next(&mut record).unwrap();
                if more {
                    batch.push(&record, digest(&record), &self.selection, &self.specs);
                }
            }
            self.states.add(&batch, 0, 0, &self.specs).unwrap();
        }
    }

    fn results(&mut self) -> Vec<String> {
        self.states.write_back().unwrap();
        let mut shown = Vec::new();
        let show = |key, answers| shown.push(format!("{key:?} {answers:?}"));
        self.states.results(0, show).unwrap();
        shown.sort_unstable();
        shown
    }
}

proptest! {
    #[test]
    fn values_beside_the_states_are_those_that_the_states_would_hold(
        parts in prop::collection::vec(
            prop::collection::vec("[a-e]{1,2},[0-9]{0,2}(\\.5)?,[0-9x]{0,3}\n", 0..60), 1..5
        ),
        size in 1..40usize,
    ) {
        let (mut direct, mut few, mut all) = (Tested::new(0), Tested::new(20), Tested::new(1000));
        for part in parts {
            let rows = part.concat();
            for tested in [&mut direct, &mut few, &mut all] {
                tested.add(&rows, size);
                // As before a checkpoint.
                tested.states.write_back().unwrap();
            }
        }
        let expected = direct.results();
        prop_assert_eq!(few.results(), expected.clone());
        prop_assert_eq!(all.results(), expected);
    }
}

#[test]
fn keys_of_which_few_rows_come_pass_by() {
    let mut tested = Tested::new(100);
    let rows: Vec<String> = (0..1000).map(|key| format!("{key},1,x\n")).collect();
    tested.add(&rows.concat(), 10);
    let held = |tested: &Tested| tested.states.recent.as_ref().unwrap().len();
    assert_eq!(held(&tested), 0, "a hundred keys came once each, and nine hundred passed by");
    tested.add(&"a,1,x\n".repeat(1000), 10);
    assert_eq!(held(&tested), 1);
    assert_eq!(tested.results().len(), 1001);
}

#[test]
fn text_beside_the_states_is_bounded() {
    let mut tested = Tested::new(1000);
    for key in 0..20 {
        tested.add(&format!("{key},1,{}\n", "x".repeat(1 << 20)).repeat(4), 4);
        assert!(tested.states.recent.as_ref().unwrap().len() <= 2);
    }
    assert_eq!(tested.results().len(), 20);
}

#[test]
fn every_value_is_in_its_state_once_written_back() {
    let mut tested = Tested::new(100);
    tested.add("a,1,x\nb,2,y\n", 10);
    let rows = |tested: &mut Tested| {
        let mut count = 0;
        let groups = tested.states.groups;
        groups.iter().for_each(|group| {
            count += tested.states.columns.keys(group, 0.into()).unwrap().len();
        });
        count
    };
    assert_eq!(rows(&mut tested), 0);
    tested.states.write_back().unwrap();
    assert_eq!(rows(&mut tested), 2);
}

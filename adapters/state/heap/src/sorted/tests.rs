use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};

use proptest::prelude::*;

use core::ops::Bound;

use super::*;
use crate::budget::Meter;
use crate::cell::Inline;

type Fields<F> = Sorted<F, Inline<u32>>;

const fn touch() -> Touch {
    let meter = Meter { table: 0, owned: 0, held: 0 };
    Touch { before: 1, now: 1, base: None, encoding: Encoding::Postcard, meter }
}

/// Returns the depth of a node and the bytes of its tree, and states what always holds.
fn check<'n, F: OrderedKey>(
    node: &'n Node<F, Inline<u32>>,
    bounds: &Bounds<'n, F>,
) -> (u32, usize) {
    let (count, max) = node.fill();
    assert!(count <= max, "{count} of {max}");
    let bytes = node.bytes(Encoding::Postcard);
    match node {
        Node::Leaf(fields) => {
            let is_within = |view: F::View<'_>| !bounds.is_before(view) && !bounds.is_behind(view);
            assert!(fields.iter().all(|field| is_within(field.field.view())));
            let ascends = |a: &Field<F, _>, b: &Field<F, _>| {
                F::compare(a.field.view(), b.field.view()).is_lt()
            };
            assert!(fields.is_sorted_by(ascends));
            (1, bytes)
        }
        Node::Branch { starts, children } => {
            assert_eq!(children.len(), starts.len() + 1);
            let mut bytes = bytes;
            let depths: Vec<u32> = (0..children.len())
                .map(|at| {
                    assert!(children[at].fill().0 > 0, "no child is empty");
                    let within = Bounds {
                        start: match at.checked_sub(1) {
                            Some(at) => Bound::Included(starts[at].view()),
                            None => bounds.start,
                        },
                        end: match starts.get(at) {
                            Some(start) => Bound::Excluded(start.view()),
                            None => bounds.end,
                        },
                    };
                    let (depth, more) = check(&children[at], &within);
                    bytes += more;
                    depth
                })
                .collect();
            assert!(depths.iter().all(|depth| *depth == depths[0]), "leaves are at one depth");
            (depths[0] + 1, bytes)
        }
    }
}

/// Fields, the truth about them, and what they were counted to take.
struct Run<F: OrderedKey + Ord> {
    fields: Fields<F>,
    truth: BTreeMap<F, u32>,
    bytes: isize,
    snapshots: Vec<(Fields<F>, BTreeMap<F, u32>)>,
}

impl<F: OrderedKey + Ord + core::fmt::Debug> Run<F> {
    fn new() -> Self {
        let bytes = Fields::<F>::bytes_min().cast_signed();
        Self { fields: Sorted::new(), truth: BTreeMap::new(), bytes, snapshots: Vec::new() }
    }

    fn put(&mut self, key: F, value: u32) {
        let mut touch = touch();
        match self.fields.get_mut(key.view(), &mut touch) {
            Some(field) => field.cell.edit(&mut touch, |old| *old = value),
            None => {
                let cell = Inline::new(value, &mut touch);
                self.fields.insert(Field { field: key.clone(), changed: 1, cell }, &mut touch);
            }
        }
        self.bytes += touch.meter.owned;
        self.truth.insert(key, value);
    }

    fn remove(&mut self, key: &F) {
        let mut touch = touch();
        let gone = self.fields.remove(key.view(), &mut touch).map(|field| *field.cell.get());
        self.bytes += touch.meter.owned;
        assert_eq!(gone, self.truth.remove(key));
    }

    fn check(&self) -> u32 {
        let (depth, bytes) = check(&self.fields.root, &Bounds::of(..));
        assert_eq!(bytes.cast_signed(), self.bytes, "what it takes is counted");
        let snapshots = self.snapshots.iter().map(|(fields, truth)| (fields, truth));
        for (fields, truth) in snapshots.chain([(&self.fields, &self.truth)]) {
            let mut rest = truth.iter();
            let done = fields.each(|field| {
                assert_eq!(Some((&field.field, field.cell.get())), rest.next());
                ControlFlow::<()>::Continue(())
            });
            assert!(done.is_continue() && rest.next().is_none());
        }
        depth
    }
}

#[test]
fn fields_that_come_in_their_order_fill_the_nodes() {
    let mut run = Run::new();
    (0..20_000u64).for_each(|key| run.put(key, 1));
    assert_eq!(run.check(), 3);
    let exact = 20_000 * size_of::<Field<u64, Inline<u32>>>();
    assert!(run.bytes.unsigned_abs() < exact + exact / 8, "{} for {exact}", run.bytes);
}

#[test]
fn memory_shrinks_with_the_fields_whatever_their_order() {
    let mut run = Run::new();
    let spread = |key: u32| key.wrapping_mul(2_654_435_761);
    (0..20_000).for_each(|key| run.put(spread(key), key));
    let full = run.bytes;
    (0..20_000).filter(|key| key % 50 != 0).for_each(|key| run.remove(&spread(key)));
    run.check();
    assert!(run.bytes < full / 10, "{} of {full}", run.bytes);
    (0..20_000).filter(|key| key % 50 == 0).for_each(|key| run.remove(&spread(key)));
    assert_eq!(run.check(), 1);
}

#[derive(Clone, Debug)]
enum Step {
    Put(u32, u32),
    Remove(u32, u32),
    Hold,
    Drop(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let run = || prop_oneof![3 => 1..5u32, 1 => 0..400u32];
    let step = prop_oneof![
        6 => (0..1000u32, run()).prop_map(|(first, count)| Step::Put(first, count)),
        4 => (0..1000u32, run()).prop_map(|(first, count)| Step::Remove(first, count)),
        2 => Just(Step::Hold),
        1 => any::<usize>().prop_map(Step::Drop),
    ];
    proptest::collection::vec(step, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_changes_keep_the_tree_in_order_and_snapshots_as_they_were(steps in steps()) {
        let mut run = Run::<(String, u8)>::new();
        let key = |number: u32| ((number / 3 * 7 % 1000).to_string(), (number % 3) as u8);
        for step in steps {
            match step {
                Step::Put(first, count) => {
                    (first..first + count).for_each(|number| run.put(key(number), first));
                }
                Step::Remove(first, count) => {
                    (first..first + count).for_each(|number| run.remove(&key(number)));
                }
                Step::Hold => run.snapshots.push((run.fields.clone(), run.truth.clone())),
                Step::Drop(choice) => {
                    if let Some(index) = choice.checked_rem(run.snapshots.len()) {
                        run.snapshots.remove(index);
                    }
                }
            }
            run.check();
        }
    }
}

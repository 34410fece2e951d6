//! What the first write to a large container costs after a freeze, beside that to a small one.
//!
//! One key holds a map, an ordered map or a list. A checkpoint holds what was frozen while the
//! write is timed. Beside them a tree of the standard library that is copied whole on its first
//! write, as Flink's heap store copies the list or map of a key.
//!
//! `HOLDWATER_ENTRIES` sets how many entries the large containers have (1 million).

use std::collections::BTreeMap;
use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use holdwater::key::{At, KeyGroups};
use holdwater::state::{Backend, Descriptor, List, Map, State};
use holdwater_bench::checkpoint::freeze_state;
use holdwater_bench::{Sequence, median, print_table};
use holdwater_heap::{Heap, HeapError};

const GROUPS: KeyGroups = KeyGroups::all(128);
const SMALL: u64 = 1000;
const ROUNDS: u64 = 301;

fn main() -> Result<(), Box<dyn Error>> {
    let large = match std::env::var("HOLDWATER_ENTRIES") {
        Ok(entries) => entries.parse()?,
        Err(_) => 1_000_000,
    };
    println!("the first write after a freeze, to one key with {SMALL} and with {large} entries\n");
    let mut rows = Vec::new();
    for (name, measure) in [
        ("map, put", maps as fn(u64) -> Result<[Touches; 2], Box<dyn Error>>),
        ("ordered map, put", ordered_maps),
        ("list, push", lists),
        ("tree copied whole, put", trees),
    ] {
        let [few, many] = measure(large)?.map(Touches::median);
        let ratio = many.0 / few.0;
        let bytes = |bytes: f64| if bytes.is_nan() { "-".into() } else { format!("{bytes:.0}") };
        let cells = vec![
            format!("{:.2}", few.0 / 1e3),
            format!("{:.2}", many.0 / 1e3),
            format!("{ratio:.1}"),
            bytes(few.1),
            bytes(many.1),
        ];
        rows.push((name.into(), cells));
    }
    let head = ["median", "us, small", "us, large", "ratio", "bytes, small", "bytes, large"];
    print_table(&head, &rows);
    Ok(())
}

/// How long first writes took, and by how many bytes they let the state grow.
#[derive(Default)]
struct Touches {
    nanoseconds: Vec<f64>,
    bytes: Vec<f64>,
}

impl Touches {
    fn median(self) -> (f64, f64) {
        let bytes = if self.bytes.is_empty() { f64::NAN } else { median(self.bytes) };
        (median(self.nanoseconds), bytes)
    }
}

fn maps(large: u64) -> Result<[Touches; 2], Box<dyn Error>> {
    let mut maps = Vec::new();
    for entries in [SMALL, large] {
        let mut map = Heap::new(GROUPS).map::<u64, u64, u64>(Descriptor::new("map"))?;
        (0..entries).try_for_each(|field| map.put(at(), field, 0).map(drop))?;
        maps.push((map, entries));
    }
    touch(maps, |map, field| map.put(at(), field, 1).map(drop))
}

fn ordered_maps(large: u64) -> Result<[Touches; 2], Box<dyn Error>> {
    let mut maps = Vec::new();
    for entries in [SMALL, large] {
        let mut map = Heap::new(GROUPS).ordered_map::<u64, u64, u64>(Descriptor::new("map"))?;
        (0..entries).try_for_each(|field| map.put(at(), field, 0).map(drop))?;
        maps.push((map, entries));
    }
    touch(maps, |map, field| map.put(at(), field, 1).map(drop))
}

fn lists(large: u64) -> Result<[Touches; 2], Box<dyn Error>> {
    let mut lists = Vec::new();
    for entries in [SMALL, large] {
        let mut list = Heap::new(GROUPS).list::<u64, u64>(Descriptor::new("list"))?;
        list.set(at(), 0..entries)?;
        lists.push((list, entries));
    }
    touch(lists, |list, item| list.push(at(), item))
}

/// Times the first write after each of many freezes, of the small state and the large one in turn.
fn touch<S: State<Error = HeapError>>(
    mut states: Vec<(S, u64)>,
    write: impl Fn(&mut S, u64) -> Result<(), HeapError>,
) -> Result<[Touches; 2], Box<dyn Error>> {
    let (mut touches, mut sequence) = (<[Touches; 2]>::default(), Sequence::new(1));
    for round in 1..=ROUNDS {
        for ((state, entries), touches) in states.iter_mut().zip(&mut touches) {
            let frozen = freeze_state(state, round, None)?;
            let (field, before) = (sequence.below(*entries), state.bytes());
            let start = Instant::now();
            write(state, field)?;
            touches.nanoseconds.push(start.elapsed().as_nanos() as f64);
            touches.bytes.push((state.bytes() - before) as f64);
            drop(frozen);
            state.aborted(round);
            while state.sweep(0, 1000)? > 0 {}
        }
    }
    Ok(touches)
}

/// Times the first write to a tree that somebody else holds too: a few times, since it copies all.
fn trees(large: u64) -> Result<[Touches; 2], Box<dyn Error>> {
    let mut touches = <[Touches; 2]>::default();
    let mut trees = [SMALL, large].map(|entries| {
        let tree: BTreeMap<u64, u64> = (0..entries).map(|field| (field, 0)).collect();
        (Arc::new(tree), entries)
    });
    let mut sequence = Sequence::new(1);
    for _ in 0..ROUNDS / 30 {
        for ((tree, entries), touches) in trees.iter_mut().zip(&mut touches) {
            let frozen = tree.clone();
            let field = sequence.below(*entries);
            let start = Instant::now();
            Arc::make_mut(tree).insert(field, 1);
            touches.nanoseconds.push(start.elapsed().as_nanos() as f64);
            drop(black_box(frozen));
        }
    }
    Ok(touches)
}

fn at() -> At<'static, u64> {
    GROUPS.locate(7)
}

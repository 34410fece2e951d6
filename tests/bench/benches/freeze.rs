//! What a checkpoint costs the owner of a heap state: the freeze, and the writes while it is saved.
//!
//! `HOLDWATER_KEYS` sets the number of keys (10 million); arguments choose among `accesses`,
//! `wall`, `processor` and `deltas`.

use std::error::Error;
use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use holdwater::key::KeyGroups;
use holdwater::state::{Backend, Descriptor, State, Value};
use holdwater_bench::checkpoint::{freeze_state, save};
use holdwater_bench::{Clock, Latencies, Sequence, median, nanoseconds_each, print_table, scatter};
use holdwater_heap::{Heap, HeapValue};

const GROUPS: KeyGroups = KeyGroups::all(128);
const ROUNDS: u64 = 5;
const ACCESSES: usize = 2_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let keys = match std::env::var("HOLDWATER_KEYS") {
        Ok(keys) => keys.parse()?,
        Err(_) => 10_000_000,
    };
    let mut state = filled(keys)?;
    println!("{keys} keys of u64 with values of u64 in {} groups\n", GROUPS.total());
    let names: Vec<String> = std::env::args().skip(1).filter(|name| name != "--bench").collect();
    let wanted = |name: &str| names.is_empty() || names.iter().any(|wanted| wanted == name);
    if wanted("accesses") {
        accesses(&mut state, keys)?;
    }
    if wanted("wall") {
        pauses(&mut state, keys, "update, us", Clock::Wall)?;
    }
    if wanted("processor") {
        pauses(&mut state, keys, "its own time", Clock::Processor)?;
    }
    if wanted("deltas") {
        deltas(keys / 10)?;
    }
    Ok(())
}

fn filled(keys: u64) -> Result<HeapValue<u64, u64>, Box<dyn Error>> {
    let mut state = Heap::new(GROUPS).value(Descriptor::new("sums"))?;
    for index in 0..keys {
        state.put(GROUPS.locate::<u64>(scatter(index)), index)?;
    }
    Ok(state)
}

/// Compares reads and updates, one at a time, with those of one hash map.
fn accesses(state: &mut HeapValue<u64, u64>, keys: u64) -> Result<(), Box<dyn Error>> {
    let mut raw: hashbrown::HashMap<u64, u64> = hashbrown::HashMap::new();
    for index in 0..keys {
        raw.insert(scatter(index), index);
    }
    let mut samples = [const { Vec::new() }; 4];
    for round in 0..ROUNDS {
        let mut sequence = Sequence::new(round);
        let wanted: Vec<u64> = (0..ACCESSES).map(|_| scatter(sequence.below(keys))).collect();
        samples[0].push(nanoseconds_each(ACCESSES, || {
            let sum = wanted.iter().map(|key| raw.get(key).copied().unwrap_or(0));
            black_box(sum.fold(0, u64::wrapping_add));
        }));
        samples[1].push(nanoseconds_each(ACCESSES, || {
            let found = |key: &u64| match state.get(GROUPS.locate::<u64>(*key)) {
                Ok(Some(value)) => *value,
                _ => 0,
            };
            black_box(wanted.iter().map(found).fold(0, u64::wrapping_add));
        }));
        samples[2].push(nanoseconds_each(ACCESSES, || {
            for key in &wanted {
                *raw.entry(*key).or_insert(0) += 1;
            }
        }));
        let mut failed = Ok(());
        samples[3].push(nanoseconds_each(ACCESSES, || {
            for key in &wanted {
                let at = GROUPS.locate::<u64>(*key);
                if let Err(error) = state.update(at, || 0, |value| *value += 1) {
                    failed = Err(error);
                }
            }
        }));
        failed?;
    }
    let [raw_get, get, raw_update, update] = samples.map(median);
    let row = |name: &str, raw: f64, own: f64| {
        (name.into(), vec![format!("{raw:.1}"), format!("{own:.1}"), format!("{:.2}", own / raw)])
    };
    let rows = [row("get", raw_get, get), row("update", raw_update, update)];
    print_table(&["ns, median", "hashbrown", "heap", "ratio"], &rows);
    let raw_bytes = raw.allocation_size() as f64 / keys as f64;
    let bytes = state.bytes() as f64 / keys as f64;
    println!("bytes per row: hashbrown {raw_bytes:.1}, heap {bytes:.1}\n");
    Ok(())
}

/// Measures freezes, and updates with and without a checkpoint being saved, in turn.
fn pauses(
    state: &mut HeapValue<u64, u64>,
    keys: u64,
    title: &str,
    clock: Clock,
) -> Result<(), Box<dyn Error>> {
    // Checkpoints count on from those of an earlier call.
    let first = if clock == Clock::Wall { 1 } else { 1000 };
    let (mut quiet, mut busy) = (Latencies::default(), Latencies::default());
    let mut freezes = Vec::new();
    let (mut saves, mut base) = (Vec::new(), None);
    for round in 0..2 * ROUNDS {
        let mut sequence = Sequence::new(100 + round);
        quiet.extend(updates(state, &mut sequence, keys, clock)?);
        let start = clock.now();
        let frozen = freeze_state(state, first + round, base)?;
        freezes.push((clock.now() - start).as_secs_f64() * 1e3);
        let saving = thread::spawn(move || {
            let start = Instant::now();
            let bytes = save(&frozen);
            (bytes, start.elapsed().as_secs_f64())
        });
        busy.extend(updates(state, &mut sequence, keys, clock)?);
        let (bytes, seconds) = saving.join().map_err(|_| "saving failed")?;
        saves.push((base.is_some(), bytes, seconds));
        state.completed(first + round);
        // Full and delta in turn.
        base = base.is_none().then_some(first + round);
    }
    let worst = freezes.iter().copied().fold(0.0, f64::max);
    println!("freeze: median {:.3} ms, worst of {} {worst:.3} ms\n", median(freezes), 2 * ROUNDS);
    let mut rows = Vec::new();
    let millisecond = Duration::from_millis(1);
    for (name, taken) in [("no checkpoint", &mut quiet), ("being saved", &mut busy)] {
        let mut cells: Vec<String> = taken
            .microseconds(&[0.5, 0.99, 0.999, 0.9999, 1.0])
            .iter()
            .map(|us| format!("{us:.2}"))
            .collect();
        cells.push(taken.over(millisecond).to_string());
        rows.push((name.into(), cells));
    }
    print_table(&[title, "p50", "p99", "p99.9", "p99.99", "max", "over 1 ms"], &rows);
    if clock == Clock::Processor {
        return Ok(());
    }
    let rows: Vec<_> = saves
        .iter()
        .map(|(is_delta, bytes, seconds)| {
            let name = if *is_delta { "delta" } else { "full" };
            (name.into(), vec![bytes.to_string(), format!("{:.0}", seconds * 1e3)])
        })
        .collect();
    print_table(&["saved", "bytes", "ms"], &rows);
    Ok(())
}

fn updates(
    state: &mut HeapValue<u64, u64>,
    sequence: &mut Sequence,
    keys: u64,
    clock: Clock,
) -> Result<Latencies, Box<dyn Error>> {
    let mut taken = Latencies::default();
    for _ in 0..ACCESSES {
        let at = GROUPS.locate::<u64>(scatter(sequence.below(keys)));
        let start = clock.now();
        state.update(at, || 0, |value| *value += 1)?;
        taken.add(clock.now() - start);
    }
    Ok(taken)
}

/// Compares a delta after one key in a hundred changed with a full snapshot.
fn deltas(keys: u64) -> Result<(), Box<dyn Error>> {
    let mut state = filled(keys)?;
    let full = save(&freeze_state(&mut state, 1, None)?);
    state.completed(1);
    let mut sequence = Sequence::new(7);
    for _ in 0..keys / 100 {
        let at = GROUPS.locate::<u64>(scatter(sequence.below(keys)));
        state.update(at, || 0, |value| *value += 1)?;
    }
    let delta = save(&freeze_state(&mut state, 2, Some(1))?);
    println!(
        "{keys} keys: full {full} bytes; after 1 % of updates {delta} bytes, {:.2} % of it",
        100.0 * delta as f64 / full as f64
    );
    Ok(())
}

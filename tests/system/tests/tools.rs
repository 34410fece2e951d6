//! The commands that look at checkpoints, driven as a person would.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use holdwater_system::expected::expected;
use holdwater_system::place::{Place, flip};
use holdwater_system::rows::{Rows, assert_same};
use serde_json::Value;
use serde_json::value::RawValue;

const SPECS: [&str; 7] = [
    "count",
    "sum:delay",
    "min:delay",
    "max:delay",
    "last:destination",
    "distinct:destination",
    "collect:destination",
];

/// Runs a job over the flights in four parts: a full checkpoint, and deltas upon it.
fn flights() -> (Place, Rows) {
    let (place, rows) = Place::with_flights();
    let job = format!(
        "run --input flights.csv --key origin --agg {} mean:delay --output out.csv \
         --checkpoints dir --checkpoint-every 1h --retain 4 --parallelism 2",
        SPECS.join(" ")
    );
    place.run_in_parts(&job, "flights.csv", &rows, 4);
    (place, rows)
}

/// Reads what `dump` prints: the value of each key, as it is written.
fn dumped(place: &Place, state: &str) -> BTreeMap<String, Box<RawValue>> {
    let line = format!("dump dir --state {state}");
    let stdout = place.holdwater(&line).succeed().stdout;
    let mut found = BTreeMap::new();
    for line in stdout.lines() {
        let mut row: BTreeMap<String, Box<RawValue>> = serde_json::from_str(line).unwrap();
        let key: BTreeMap<String, String> =
            serde_json::from_str(row.remove("key").unwrap().get()).unwrap();
        assert_eq!(key.keys().collect::<Vec<_>>(), ["origin"], "{line}");
        let value = row.remove("value").unwrap();
        assert!(row.is_empty(), "{line}");
        assert!(found.insert(key["origin"].clone(), value).is_none(), "twice: {line}");
    }
    found
}

#[test]
fn a_dump_of_full_parts_and_deltas_is_what_the_job_computes() {
    let (place, rows) = flights();
    let wanted = expected(&[&rows], &["origin"], &SPECS);
    for (place_of, spec) in SPECS.iter().enumerate() {
        let found = dumped(&place, spec);
        assert_eq!(found.len(), wanted.rows.len(), "{spec}");
        for row in &wanted.rows {
            let (value, wanted) = (found[&row[0]].get(), &row[place_of + 1]);
            let shown = match serde_json::from_str(value).unwrap() {
                Value::Array(items) if spec.starts_with("distinct") => {
                    let texts: Vec<_> = items.iter().map(|item| item.as_str().unwrap()).collect();
                    let sorted: BTreeSet<_> = texts.iter().collect();
                    assert!(sorted.iter().copied().eq(&texts), "sorted, none twice: {value}");
                    texts.len().to_string()
                }
                Value::Array(items) => {
                    let texts: Vec<_> = items.iter().map(|item| item.as_str().unwrap()).collect();
                    texts.join(";")
                }
                Value::String(text) => text,
                Value::Null => String::new(),
                _ => value.to_owned(),
            };
            assert_eq!(shown, *wanted, "{spec} of {}", row[0]);
        }
    }
}

#[test]
fn a_mean_is_dumped_as_its_sum_and_count() {
    let (place, rows) = flights();
    let wanted = expected(&[&rows], &["origin"], &["sum:delay", "count"]);
    let found = dumped(&place, "mean:delay");
    let delays = |origin: &str| {
        let cells = rows.column("origin").zip(rows.column("delay"));
        cells.filter(|(from, delay)| *from == origin && !delay.is_empty()).count()
    };
    for row in &wanted.rows {
        let sum = if row[1].is_empty() { "0" } else { &row[1] };
        let mean = format!(r#"{{"sum":{sum},"count":{}}}"#, delays(&row[0]));
        assert_eq!(found[&row[0]].get(), mean, "{}", row[0]);
    }
}

#[test]
fn a_dump_as_csv_has_a_column_for_each_key_field() {
    let (place, rows) = Place::with_flights();
    let job = "run --input flights.csv --key origin,destination --agg count --output out.csv \
               --checkpoints dir";
    place.holdwater(job).succeed();
    let found = place.holdwater("dump dir --state count --format csv").succeed().rows();
    let mut wanted = expected(&[&rows], &["origin", "destination"], &["count"]);
    wanted.columns[2] = "value".to_owned();
    assert_same(&found, &wanted);
    let one = place.holdwater("dump dir --state count --format csv --key SFO,JFK").succeed().rows();
    let pair = |row: &&Vec<String>| row[0] == "SFO" && row[1] == "JFK";
    assert_eq!(
        one.rows.iter().collect::<Vec<_>>(),
        wanted.rows.iter().filter(pair).collect::<Vec<_>>()
    );
    assert_eq!(one.rows.len(), 1);
}

#[test]
fn what_is_not_in_a_checkpoint_cannot_be_dumped() {
    let (place, _) = flights();
    place.holdwater("dump dir --state nothing").refuse(1, &["nothing", "count", "mean:delay"]);
    place.holdwater("dump dir --state count --key NONE").refuse(1, &["no key", "NONE"]);
    place.holdwater("dump dir --state count --key A,B").refuse(2, &["--key", "origin"]);
    place.holdwater("dump dir@99.e1 --state count").refuse(1, &["99.e1", "list"]);
    place.holdwater("dump dir@nine --state count").refuse(2, &["nine"]);
    place.holdwater("dump elsewhere --state count").refuse(1, &["elsewhere"]);
}

#[test]
fn digits_beyond_64_bits_are_dumped() {
    let place = Place::new();
    place.write("a.csv", &format!("key,x\n{}", format!("a,{}\n", i64::MAX).repeat(3)));
    let job = "run --input a.csv --key key --agg sum:x --output out.csv --checkpoints dir";
    place.holdwater(job).succeed();
    let line = place.holdwater("dump dir --state sum:x").succeed().stdout;
    assert_eq!(line, "{\"key\":{\"key\":\"a\"},\"value\":27670116110564327421}\n");
}

#[test]
fn an_older_checkpoint_is_named_by_its_id_or_its_manifest() {
    let (place, rows) = flights();
    let listed = place.checkpoints("dir");
    let oldest = &listed[0].id;
    let first = rows.first(rows.rows.len() / 4);
    let mut wanted = expected(&[&first], &["origin"], &["count"]);
    wanted.columns[1] = "value".to_owned();
    for name in [format!("dir@{oldest}"), format!("dir/manifests/m{oldest}")] {
        let line = format!("dump {name} --state count --format csv");
        assert_same(&place.holdwater(&line).succeed().rows(), &wanted);
    }
}

#[test]
fn damage_is_named_with_its_checkpoints_and_the_one_before_is_used() {
    let (place, _) = flights();
    let listed = place.checkpoints("dir");
    let (newest, before) = (&listed[3].id, &listed[2].id);
    let number = listed[3].order.1;
    let files = place.objects("dir", "data");
    let (_, file) = files.iter().find(|(checkpoint, _)| *checkpoint == number).unwrap();
    flip(file);
    let name = file.file_name().unwrap().to_str().unwrap();

    let verified = place.holdwater("verify dir").finish();
    assert_eq!(verified.code, Some(3), "{}", verified.stderr);
    let damages: Vec<_> =
        verified.stdout.lines().filter(|line| line.starts_with("damaged:")).collect();
    assert!(matches!(damages[..], [one] if one.contains(name) && one.contains("at byte ")));
    verified.warned(&["1 damage", before]);
    let line_of = |id: &str| verified.stdout.lines().find(|line| line.starts_with(id)).unwrap();
    assert!(line_of(newest).contains("damaged"), "{}", verified.stdout);
    assert!(line_of(before).ends_with("usable"), "{}", verified.stdout);

    let one = place.holdwater(&format!("verify dir@{newest}")).finish();
    assert_eq!(one.code, Some(3));
    place.holdwater(&format!("verify dir@{before} --deep")).succeed();
    for command in ["inspect dir --json", "dump dir --state count"] {
        place.holdwater(command).succeed().warned(&["warning", newest, name]);
    }
    let shown: Value =
        serde_json::from_str(&place.holdwater("inspect dir --json").succeed().stdout).unwrap();
    assert_eq!(shown["checkpoint"], **before);
}

#[test]
fn damage_is_placed_at_the_start_of_the_block_it_lies_in() {
    let (place, _) = flights();
    let (_, file) = place.objects("dir", "data").remove(0);
    let name = file.file_name().unwrap().to_str().unwrap().to_owned();
    let sound = fs::read(&file).unwrap();
    // docs/format.md 3: header, blocks, seal; each block has its length in bytes 1 to 3.
    let (mut starts, mut at) = (vec![0], 64);
    while at < sound.len() - 40 {
        starts.push(at);
        let length = u32::from_le_bytes([sound[at + 1], sound[at + 2], sound[at + 3], 0]);
        at += 8 + length as usize;
    }
    starts.push(at);
    let ends = starts[1..].iter().copied().chain([sound.len()]);
    for (start, end) in starts.iter().zip(ends).step_by(7) {
        let mut bytes = sound.clone();
        bytes[end - 1] ^= 1;
        fs::write(&file, &bytes).unwrap();
        let verified = place.holdwater("verify dir").finish();
        assert_eq!(verified.code, Some(3), "{}", verified.stdout);
        let told = verified.stdout.lines().find(|line| line.starts_with("damaged:")).unwrap();
        let wanted = format!("at byte {start}:");
        assert!(told.contains(&name) && told.contains(&wanted), "{wanted} {told}");
    }
}

#[test]
fn claims_and_records_are_verified_and_locks_and_foreign_files_are_not() {
    let (place, _) = flights();
    for name in ["LOCK", "RESERVE", "notes.txt", "data/notes.txt", "manifests/m1"] {
        place.write(&format!("dir/{name}"), "anything");
    }
    place.holdwater("verify dir --deep").succeed();
    let epochs = ["e2.claim", "e2.record"].map(|name| place.path("dir/epochs").join(name));
    for epoch in epochs {
        let sound = fs::read(&epoch).unwrap();
        flip(&epoch);
        let verified = place.holdwater("verify dir").finish();
        assert_eq!(verified.code, Some(3), "{}", verified.stdout);
        let name = epoch.file_name().unwrap().to_str().unwrap();
        assert!(verified.stdout.contains(&format!("epochs/{name}")), "{}", verified.stdout);
        fs::write(epoch, sound).unwrap();
    }
}

#[test]
fn reading_changes_nothing_and_waits_for_no_job() {
    let (place, _) = flights();
    let job = format!(
        "run --input flights.csv --key origin --agg {} mean:delay --output out.csv \
         --checkpoints dir --checkpoint-every 1h --fresh --rate 10",
        SPECS.join(" ")
    );
    let mut running = place.holdwater(&job).start();
    // The job writes its record once it has the lock, and then goes on for half an hour.
    running.until(|| fs::metadata(place.path("dir/epochs/e5.record")).is_ok_and(|it| it.len() > 0));
    let content = || {
        let areas = ["data", "epochs", "manifests"];
        let objects = areas.iter().flat_map(|area| place.objects("dir", area));
        objects.map(|(_, path)| (fs::read(&path).unwrap(), path)).collect::<Vec<_>>()
    };
    let before = content();
    for command in ["list dir", "verify dir --deep", "inspect dir", "dump dir --state count"] {
        place.holdwater(command).succeed();
    }
    assert!(content() == before && running.is_running());
    running.kill();
}

#[test]
fn a_tree_shows_every_state_with_its_schema_in_words() {
    let (place, rows) = flights();
    let tree = place.holdwater("inspect dir").succeed().stdout;
    for spec in SPECS {
        assert!(tree.contains(&format!("state {spec}: ")), "{spec}: {tree}");
    }
    assert!(tree.contains("{ origin: String } -> u64"), "{tree}");
    assert!(tree.contains("####"), "{tree}");
    assert!(tree.contains("key origin; "), "{tree}");
    assert!(tree.is_ascii() && !tree.contains('\u{1b}'), "no colours but on a terminal");
    assert!(tree.lines().count() < 120, "to be read by a person: {tree}");

    let shown = place.holdwater("inspect dir --json").succeed().stdout;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let operators = shown["operators"].as_array().unwrap();
    let states = operators.iter().flat_map(|operator| operator["states"].as_array().unwrap());
    let count = states.into_iter().find(|state| state["state"] == "count").unwrap();
    let groups = count["groups"].as_array().unwrap();
    let sum = |name: &str| groups.iter().map(|group| group[name].as_u64().unwrap()).sum::<u64>();
    assert_eq!(count["bytes"], sum("bytes"));
    assert_eq!(count["rows"], sum("rows"));
    assert_eq!(shown["sources"][0]["rows"], rows.rows.len());
}

#[test]
fn lineages_that_a_fresh_start_left_behind_are_shown_as_dead() {
    let (place, _) = flights();
    let job = format!(
        "run --input flights.csv --key origin --agg {} mean:delay --output out.csv \
         --checkpoints dir --fresh",
        SPECS.join(" ")
    );
    place.holdwater(&job).succeed();
    let listed = place.checkpoints("dir");
    let living: Vec<_> = listed.iter().map(|one| one.shown["living"].as_bool().unwrap()).collect();
    assert_eq!(living, [false, false, false, false, true]);
    let table = place.holdwater("list dir").succeed().stdout;
    assert_eq!(table.lines().filter(|line| line.contains("  dead  ")).count(), 4, "{table}");
}

#[test]
fn every_shell_that_has_completions_gets_them() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = place.holdwater(&format!("completions {shell}")).succeed().stdout;
        for word in ["inspect", "checkpoint-every", "deep"] {
            assert!(script.contains(word), "{shell} lacks {word}");
        }
    }
    place.holdwater("completions tcl").refuse(2, &["tcl", "bash"]);
}

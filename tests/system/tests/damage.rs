//! Checkpoint directories damaged at random: `verify` names what it finds, and `run` gives the
//! right output or says why it cannot.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use holdwater_system::generate::{Random, rows};
use holdwater_system::place::Place;
use holdwater_system::rows::Rows;

#[test]
fn a_damaged_directory_is_named_by_verify_and_run_gives_the_right_output_or_refuses() {
    let place = Place::new();
    let input = rows(5, 600, 12);
    place.write("in.csv", &input.to_csv());
    place.holdwater(&format!("{JOB} --output wanted.csv")).succeed();
    let wanted = place.rows("wanted.csv").sorted();
    // The newest three stand on one full checkpoint, and one that is kept for it on another.
    place.run_in_parts(&format!("{JOB} {EVERY} --checkpoints sound"), "in.csv", &input, 6);
    let sound = place.content("sound");
    place.holdwater("verify sound").succeed();

    let (mut random, mut tally) = (Random::new(11), Tally::default());
    for case in 0..CASES {
        let mut files = sound.clone();
        let what = damage(&mut files, &mut random);
        write(&place.path("dir"), &files);
        check(&place, &format!("case {case}: {what}"), files == sound, &wanted, &mut tally);
    }
    println!("{tally:?}");
    assert!(tally.named * 2 > CASES && tally.right * 10 > 9 * CASES, "{tally:?}");
    assert!(tally.fallen_back > 0, "{tally:?}");
}

#[derive(Debug, Default)]
struct Tally {
    /// `verify` found the damage.
    named: usize,
    /// `run` gave the right output.
    right: usize,
    /// It did so from an older checkpoint.
    fallen_back: usize,
    /// `run` refused.
    refused: usize,
}

/// Verifies a damaged directory and resumes from it.
fn check(place: &Place, what: &str, sound: bool, wanted: &Rows, tally: &mut Tally) {
    let verified = place.holdwater("verify dir").finish();
    assert!(!verified.stderr.contains("panicked"), "{what}: {}", verified.stderr);
    match verified.code {
        Some(0) => {}
        Some(3) => tally.named += 1,
        code => panic!("{what}: verify ends with {code:?}: {}", verified.stderr),
    }
    assert!(!sound || verified.code == Some(0), "{what}: {}", verified.stdout);

    let run =
        place.holdwater(&format!("{JOB} {EVERY} --checkpoints dir --output out.csv")).finish();
    assert!(!run.stderr.contains("panicked"), "{what}: {}", run.stderr);
    match run.code {
        Some(0) => {
            assert_eq!(place.rows("out.csv").sorted(), *wanted, "{what}: {}", run.stderr);
            fs::remove_file(place.path("out.csv")).unwrap();
            tally.right += 1;
            if run.stderr.contains("is passed over") {
                assert_eq!(verified.code, Some(3), "{what}: verify overlooks {}", run.stderr);
                tally.fallen_back += 1;
            }
        }
        Some(3) => {
            assert_eq!(verified.code, Some(3), "{what}: verify overlooks {}", run.stderr);
            assert!(!place.path("out.csv").exists(), "{what}: a refused job touches its output");
            tally.refused += 1;
        }
        code => panic!("{what}: run ends with {code:?}: {}", run.stderr),
    }
}

type Files = BTreeMap<String, Vec<u8>>;

/// Damages one file, or two; returns what was done.
fn damage(files: &mut Files, random: &mut Random) -> String {
    let mut below = |limit: usize| random.below(limit as u64) as usize;
    let names: Vec<_> = files.keys().cloned().collect();
    let (name, other) = (&names[below(names.len())], &names[below(names.len())]);
    let bytes = files.get_mut(name).unwrap();
    let at = below(bytes.len());
    match below(8) {
        0 => {
            bytes.truncate(at);
            format!("{name} cut to {at} bytes")
        }
        1 => {
            bytes.extend_from_slice(&vec![0; 1 + at]);
            format!("{name} with {} zeros more", 1 + at)
        }
        2 => {
            let end = bytes.len().min(at + 512);
            bytes[at..end].fill(0);
            format!("{name} with zeros from {at} to {end}")
        }
        3 => {
            files.remove(name);
            format!("{name} missing")
        }
        4 => {
            let copy = files[other].clone();
            files.insert(name.clone(), copy);
            format!("{other} also as {name}")
        }
        _ => {
            let bit = below(8);
            bytes[at] ^= 1 << bit;
            format!("{name}, byte {at}, bit {bit}")
        }
    }
}

fn write(directory: &Path, files: &Files) {
    let _ = fs::remove_dir_all(directory);
    for area in ["data", "epochs", "manifests"] {
        fs::create_dir_all(directory.join(area)).unwrap();
    }
    for (name, bytes) in files {
        fs::write(directory.join(name), bytes).unwrap();
    }
}

const CASES: usize = 200;
const JOB: &str = "run --input in.csv --key key --agg count sum:amount distinct:word collect:price \
                   --parallelism 2 --key-groups 4";
const EVERY: &str = "--checkpoint-every 100rows --full-every 3";

//! What is refused, with which exit code and what advice.

use holdwater_system::generate::rows;
use holdwater_system::place::Place;

/// Makes a place in which the job [`JOB`] has run over `a.csv`.
fn with_checkpoints() -> Place {
    let place = Place::new();
    place.write("a.csv", &rows(1, 3_000, 30).to_csv());
    place.write("b.csv", &rows(2, 3_000, 30).to_csv());
    place.holdwater(JOB).succeed();
    place
}

const JOB: &str = "run --input a.csv --key key --agg count sum:amount --output out.csv \
                   --checkpoints dir --checkpoint-every 1000rows --key-groups 16 --parallelism 2";

#[test]
fn a_wrong_command_line_is_exit_code_2_in_one_line() {
    let place = Place::new();
    place.write("a.csv", "k,v\na,1\n");
    for (line, said) in [
        ("", "holdwater --help"),
        ("walk", "walk"),
        ("run --key k --agg count", "--input"),
        ("run --input a.csv --agg count", "--key"),
        ("run --input a.csv --key k", "--agg"),
        ("run --input a.csv --key k --agg median:v", "median:v"),
        ("run --input a.csv --key k --agg sum", "sum"),
        ("run --input a.csv --key k --agg count count", "count"),
        ("run --input a.csv --key k --agg max:v --agg max:v", "max:v"),
        ("run --input a.csv --key k,k --agg count", "k"),
        ("run --input a.csv --key count --agg count", "count"),
        ("run --input a.csv --key k --agg count --format xml", "xml"),
        ("run --input a.csv --key k --agg count --parallelism 0", "--parallelism"),
        ("run --input a.csv --key k --agg count --key-groups 0", "--key-groups"),
        ("run --input a.csv --key k --agg count --parallelism 5 --key-groups 4", "4 key groups"),
        ("run --input a.csv --key k --agg count --checkpoint-every 5", "10000rows"),
        ("run --input a.csv --key k --agg count --retain 0", "--retain"),
        ("run --input a.csv --key k --agg count --memory-limit lots", "512MiB"),
        ("run --input a.csv --key k --agg count --bad-rows eat", "skip"),
        ("run --input a.csv --key k --agg count --checkpoints x --fresh --from dir", "--from"),
        ("run --input a.csv --key k --agg count --from dir", "--checkpoints"),
        ("run --input a.csv --key k --agg count --output", "--output"),
        ("list", "DIR"),
        ("list a b", "'b'"),
    ] {
        let refused = place.holdwater(line).finish().refused(2, &[said]);
        assert_eq!(refused.stderr.lines().count(), 1, "{line}: {}", refused.stderr);
    }
}

#[test]
fn help_and_version_go_to_standard_output() {
    let place = Place::new();
    for line in ["--help", "--version", "run --help", "list --help"] {
        let shown = place.holdwater(line).succeed();
        assert!(!shown.stdout.is_empty() && shown.stderr.is_empty(), "{line}");
    }
}

#[test]
fn more_subtasks_than_stored_key_groups_are_a_wrong_command_line() {
    let place = with_checkpoints();
    let job = JOB.replace("--key-groups 16 --parallelism 2", "--parallelism 17");
    place.holdwater(&job).refuse(2, &["17", "16 key groups"]);
    let job = JOB.replace("--key-groups 16 --parallelism 2", "--parallelism 16");
    place.holdwater(&job).succeed();
}

#[test]
fn stored_key_groups_bound_the_subtasks_not_those_that_a_new_job_would_have() {
    let place = Place::new();
    place.write("a.csv", &rows(4, 1_000, 300).to_csv());
    let job = "run --input a.csv --key key --agg count --checkpoints";
    // As many subtasks as there are cores would be too many; nobody asked for them.
    place.holdwater(&format!("{job} one --key-groups 1")).succeed();
    place.holdwater(&format!("{job} one")).succeed();
    place.holdwater(&format!("{job} many --key-groups 200")).succeed();
    place.holdwater(&format!("{job} many --parallelism 150")).succeed();
    place.holdwater(&format!("{job} new --parallelism 150")).refuse(2, &["128 key groups"]);
}

#[test]
fn checkpoints_of_another_job_are_exit_code_3() {
    let place = with_checkpoints();
    let (before, checkpoints) = (place.read("out.csv"), place.content("dir"));
    for (from, to) in [
        ("--key key", "--key shop"),
        ("--key key", "--key key,shop"),
        ("count sum:amount", "count"),
        ("count sum:amount", "count sum:price"),
        ("count sum:amount", "count sum:amount max:amount"),
        ("--input a.csv", "--input a.csv --input b.csv"),
        ("--key-groups 16", "--key-groups 17"),
        ("--key-groups 16", "--key-groups 128"),
    ] {
        let job = JOB.replace(from, to);
        assert_ne!(job, JOB);
        let refused = place.holdwater(&job).finish().refused(3, &["dir", "--fresh"]);
        assert_eq!(refused.stderr.lines().count(), 1, "{to}: {}", refused.stderr);
        assert_eq!(place.read("out.csv"), before, "{to}");
        place.assert_kept("dir", &checkpoints);
    }
}

#[test]
fn another_format_is_another_job() {
    let place = with_checkpoints();
    place.write("a.jsonl", &rows(1, 3_000, 30).to_jsonl());
    place.holdwater(&JOB.replace("a.csv", "a.jsonl")).refuse(3, &["dir"]);
}

#[test]
fn a_changed_or_shorter_input_is_exit_code_3() {
    let place = with_checkpoints();
    let text = place.read("a.csv");
    let (before, checkpoints) = (place.read("out.csv"), place.content("dir"));
    let shorter = &text[..text.len() - 20];
    let changed = {
        let (head, tail) = text.split_at(text.len() - 1_000);
        format!("{head}{}", tail.replacen('k', "q", 1))
    };
    for other in [shorter, changed.as_str(), "key,shop,amount,price,word\n"] {
        place.write("a.csv", other);
        place.holdwater(JOB).refuse(3, &["a.csv", "--fresh"]);
        assert_eq!(place.read("out.csv"), before);
        place.assert_kept("dir", &checkpoints);
    }
    place.write("a.csv", &text);
    place.holdwater(JOB).succeed();
}

#[test]
fn a_header_that_has_changed_is_a_changed_input() {
    let place = with_checkpoints();
    let text = place.read("a.csv").replacen("amount,price", "price,amount", 1);
    place.write("a.csv", &text);
    place.holdwater(JOB).refuse(3, &["a.csv"]);
}

#[test]
fn a_last_row_without_a_line_end_may_be_followed_but_not_continued() {
    let place = Place::new();
    let job = "run --input a.csv --key k --agg sum:v --checkpoints dir";
    place.write("a.csv", "k,v\na,1");
    assert_eq!(place.holdwater(job).succeed().stdout, "k,sum:v\na,1\n");
    place.append("a.csv", "0\n");
    place.holdwater(job).refuse(3, &["a.csv", "--fresh"]);
    place.write("a.csv", "k,v\na,1\na,10\n");
    assert_eq!(place.holdwater(job).succeed().stdout, "k,sum:v\na,11\n");
}

#[test]
fn a_directory_that_a_job_uses_is_busy_until_it_dies() {
    let place = Place::new();
    place.write("a.csv", &rows(3, 2_000, 30).to_csv());
    let job = "run --input a.csv --key key --agg count --checkpoints dir \
               --checkpoint-every 100rows";
    let mut running = place.holdwater(&format!("{job} --rate 200")).start();
    running.until(|| !place.checkpoints("dir").is_empty());
    for more in ["", "--fresh", "--agg max:amount"] {
        let refused = place.holdwater(&format!("{job} {more}")).finish().refused(1, &["dir"]);
        assert_eq!(refused.stderr.lines().count(), 1, "{more}: {}", refused.stderr);
    }
    assert!(running.is_running());
    running.kill();
    place.holdwater(job).succeed();
}

#[test]
fn a_checkpoint_directory_that_is_a_file_is_refused() {
    let place = Place::new();
    place.write("a.csv", "k\na\n");
    let job = "run --input a.csv --key k --agg count --checkpoints a.csv";
    place.holdwater(job).refuse(1, &["a.csv"]);
    assert_eq!(place.read("a.csv"), "k\na\n");
}

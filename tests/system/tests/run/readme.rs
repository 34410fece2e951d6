//! The commands that the README shows.

use std::fs;

use holdwater_system::expected::expected;
use holdwater_system::place::Place;
use holdwater_system::process::Invocation;
use holdwater_system::program::repository;
use holdwater_system::rows::assert_same;

/// Returns the commands in the blocks of the shell, one for each line; a line that ends with a
/// backslash goes on.
fn commands() -> Vec<String> {
    let readme = fs::read_to_string(repository().join("README.md")).unwrap();
    let blocks = readme.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let text = blocks.collect::<String>().replace("\\\n", " ");
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn the_first_command_prints_flights_per_origin() {
    let (_, flights) = Place::with_flights();
    let commands = commands();
    let line = commands[0].strip_prefix("cargo run --release -p holdwater-cli -- ");
    let line = line.unwrap_or_else(|| panic!("{}", commands[0]));
    let done = Invocation::new(&repository(), line).succeed();
    let specs = ["count", "mean:delay", "distinct:destination"];
    assert_same(&done.rows(), &expected(&[&flights], &["origin"], &specs));
}

#[test]
fn the_second_command_is_that_of_all_tests() {
    assert_eq!(commands()[1], "make test");
}

/// Returns the block of text that follows a line.
fn shown_behind(line: &str) -> String {
    let readme = fs::read_to_string(repository().join("README.md")).unwrap();
    let (_, rest) = readme.split_once(line).unwrap();
    let (_, block) = rest.split_once("```text\n").unwrap();
    block.split("```").next().unwrap().to_owned()
}

#[test]
fn every_other_command_does_what_it_shows() {
    let (place, flights) = Place::with_flights();
    // The same paths below a place of its own.
    fs::create_dir_all(place.path("tests/data")).unwrap();
    fs::create_dir_all(place.path("target")).unwrap();
    fs::copy(place.path("flights.csv"), place.path("tests/data/flights.csv")).unwrap();
    let commands = commands();
    for line in commands[2..].iter().filter_map(|line| line.split_once(" -- ")) {
        place.holdwater(line.1).succeed();
    }
    let specs = ["count", "mean:delay", "distinct:destination"];
    let wanted = expected(&[&flights], &["origin"], &specs);
    assert_same(&place.rows("target/flights.csv"), &wanted);
    let weeks = place.read("target/weeks.csv");
    let shown = shown_behind("head -n 4 target/weeks.csv\n");
    assert_eq!(weeks.split_inclusive('\n').take(4).collect::<String>(), shown);
}

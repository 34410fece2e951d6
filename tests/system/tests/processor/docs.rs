//! The commands of pages in docs.

use holdwater_system::page::{Block, blocks};
use holdwater_system::place::Place;

/// Runs the commands of a page, and compares what they print where the page shows it.
fn follow(page: &str) {
    let (place, _) = Place::with_flights();
    for Block { commands, printed } in blocks(page) {
        let script = format!("set -e\nPATH=$(dirname \"$0\"):$PATH\n{commands}");
        let finished = place.shell(&script).succeed();
        if let Some(printed) = printed {
            assert_eq!(finished.stdout, printed, "{commands}");
        }
    }
}

#[test]
fn the_commands_of_the_page_print_what_it_shows() {
    assert!(blocks("processor.md").iter().any(|block| block.printed.is_some()));
    follow("processor.md");
}

#[test]
fn the_commands_that_operate_a_job_do_what_their_page_says() {
    assert!(blocks("operating.md").len() >= 7);
    follow("operating.md");
}

#[cfg(feature = "sql")]
#[test]
fn the_queries_of_their_page_print_what_it_shows() {
    assert!(blocks("sql.md").iter().any(|block| block.printed.is_some()));
    follow("sql.md");
}

#[test]
fn a_job_changes_its_store_as_the_page_about_stores_says() {
    assert_eq!(blocks("stores.md").len(), 1);
    follow("stores.md");
}

#[test]
fn what_is_verified_and_damaged_is_as_its_page_says() {
    assert_eq!(blocks("verifying.md").len(), 3);
    follow("verifying.md");
}

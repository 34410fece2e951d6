//! The commands of docs/processor.md, docs/sql.md and docs/operating.md.

use holdwater_system::page::{Block, blocks};
use holdwater_system::place::Place;

/// Runs the commands of a page, and compares what they print where the page shows it.
fn follow(page: &str) {
    let (place, _) = Place::with_flights();
    for Block { commands, printed } in blocks(page) {
        let script = format!("set -e\nholdwater() {{ \"$0\" \"$@\"; }}\n{commands}");
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

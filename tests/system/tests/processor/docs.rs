//! The commands of docs/processor.md and docs/operating.md.

use std::fs;

use holdwater_system::place::Place;
use holdwater_system::program::repository;

/// A block of commands on the page, and what they print where the page shows it.
struct Block {
    commands: String,
    printed: Option<String>,
}

/// Returns the blocks of commands of a page, in their order.
fn blocks(page: &str) -> Vec<Block> {
    let page = fs::read_to_string(repository().join("docs").join(page)).unwrap();
    let mut blocks: Vec<Block> = Vec::new();
    let mut fences = page.split("```");
    // Text, block, text, block.
    while let (Some(text), Some(block)) = (fences.next(), fences.next()) {
        let (language, lines) = block.split_once('\n').unwrap();
        match (language, blocks.last_mut()) {
            ("sh", _) => blocks.push(Block { commands: lines.to_owned(), printed: None }),
            ("text", Some(last)) if text.trim().is_empty() => last.printed = Some(lines.to_owned()),
            _ => {}
        }
    }
    blocks
}

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

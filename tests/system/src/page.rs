//! Pages of the documentation, whose commands are run.

use std::fs;

use crate::program::repository;

/// A block of commands on a page, and what they print where the page shows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Block {
    /// The commands, as a shell reads them.
    pub commands: String,
    /// What they write to standard output, where it stands right behind them.
    pub printed: Option<String>,
}

/// Returns the blocks of commands of a page below `docs`, in their order.
pub fn blocks(page: &str) -> Vec<Block> {
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

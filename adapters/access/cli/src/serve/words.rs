//! States in answers as the other commands print them.

use holdwater::manifest::Manifest;
use holdwater_processor::StateReader;
use holdwater_processor::datum::Datum;
use holdwater_processor::row::Held;
use holdwater_serve::words::{Shown, Words};

use crate::arguments::WINDOW_START;
use crate::shown::{Columns, window_start};
use crate::signature::{decode_position, position_of};
use crate::timestamp::parse_timestamp;

/// Shows rows by their columns.
#[derive(Debug)]
pub(super) struct Columned;

impl Words for Columned {
    fn of(&self, state: &StateReader<'_>) -> Box<dyn Shown> {
        Box::new(Columns::of(state))
    }

    fn counts(&self, manifest: &Manifest) -> Vec<(&'static str, u64)> {
        let (mut rows, mut bad_rows, mut late_rows) = (0, 0, 0);
        for source in &manifest.sources {
            if position_of(&source.position, &manifest.signature).is_none() {
                return Vec::new();
            }
            let Ok((position, event_time)) = decode_position(&source.position) else { continue };
            rows += position.rows;
            bad_rows += position.bad_rows;
            late_rows += event_time.map_or(0, |event_time| event_time.late_rows);
        }
        vec![("input_rows", rows), ("bad_rows", bad_rows), ("late_rows", late_rows)]
    }
}

impl Shown for Columns {
    fn window_name(&self) -> &'static str {
        self.window.unwrap_or("window")
    }

    fn window(&self, window: Datum) -> Datum {
        self.window(window)
    }

    fn is_window(&self, window: &Datum, text: &str) -> bool {
        match (self.window, parse_timestamp(text)) {
            (Some(WINDOW_START), Some(start)) => {
                window_start(window).is_some_and(|begin| begin.0 == start)
            }
            _ => Shown::window(self, window.clone()).cell() == text,
        }
    }

    fn value(&self, held: Held) -> Datum {
        self.value(held)
    }
}

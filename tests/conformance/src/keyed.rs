//! What every store of keyed state must do.
//!
//! A store's tests are three lines; each behaviour becomes a test of its own, four times: with full
//! and with incremental checkpoints taken on the way, going on with the state that took them, and
//! with one that was restored.
//!
//! ```text
//! mod conformance {
//!     use holdwater_heap::Heap;
//!     holdwater_conformance::keyed!(Heap::new);
//! }
//! ```
//!
//! In every mode each checkpoint is also restored to the side, from the bytes of its files, and
//! compared by digest with what was frozen. A store needs room for 512 rows of each state.
//!
//! The numbers at the behaviours are those of docs/conformance.md, which lists what the tests of
//! Flink's state backends demand.
//!
//! # What Flink must test and these types rule out
//!
//! - 4, 5, 16, 42, 51, null as value, item, key or namespace: there is none; `Option` is a value
//!   like others.
//! - 7, 51, 58, 61, reads that move the current key, one that was not set or stays changed,
//!   listeners to it: there is no current key, the place is an argument.
//! - 3, 60, a default or stored object that the caller still holds and changes: a value moves into
//!   the store, a default is made for each use, and what is lent cannot be changed.
//! - 8, torn values under concurrent readers: a live state cannot be read while it is written to;
//!   others read what is frozen.
//! - 35, 36, 37, 49, 57, changes through or under an iterator: iterating borrows the state, so that
//!   nothing can change; the change follows, by `update` or `remove`.
//! - 55, iterators that stay open: there are none, keys are shown to a closure.
//! - 39, comparing entries of two states: entries are plain pairs.
//! - 31, a function that fails in `reduce` or `add`: it returns no error. One in `update` is handed
//!   to the caller, and what was changed before it stays.
//! - 53, two handles to one state: the operator owns its states, opening a name again is an error.
//! - 63, registries of serializers: a type has one encoding, its own.
//! - 80, 81, 82, 84, 86, snapshots to be cancelled or released, serializers shared with them: what
//!   is frozen owns what it needs, and dropping it is all.
//!
//! Elsewhere: 22, 23, 48 and 50 in the tests of the stores themselves; 62 with metrics; 109 to 112
//! in `holdwater::key`; 113 to 117 with the coordinator; 133 and 151 in
//! [`evolution`](mod@crate::evolution).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

pub mod deltas;
pub mod firing;
pub mod list;
pub mod map;
pub mod opening;
pub mod ordered_map;
pub mod reducing;
pub mod rescaling;
pub mod rows;
pub mod snapshots;
pub mod sweeping;
pub mod tapes;
pub mod timers;
pub mod ttl;
pub mod value;
pub mod windows;

mod alike;
mod all;
mod checkpoints;
mod maps;
mod portability;
mod read;
mod spread;
mod stage;
mod tape;

pub use alike::Alike;
pub use all::All;
pub use checkpoints::{Checkpoints, Contents, Native, contents};
pub use maps::{Maps, Ordered, Plain};
pub use portability::{agree, agree_over_time, move_over};
pub(crate) use read::{entries, items};
pub use stage::{MODES, Mode, Pair, Run, Sole, Stage};
pub use tape::{Outcome, Step, any_tape, play};

/// Makes a test of each behaviour of a store, in each mode. The argument makes the store of some
/// groups: `keyed!(Heap::new);` A second one makes a file of bytes, for stores that read rows where
/// they lie ([`Native`]).
#[macro_export]
macro_rules! keyed {
    ($make:expr $(, $native:expr)?) => {
        $crate::keyed! { @modes $make $(, $native)?;
            value:
                keys_do_not_see_each_other,
                keys_of_any_type_are_told_apart,
                keys_of_one_digest_are_told_apart,
                an_absent_value_is_none,
                each_update_starts_from_a_default_of_its_own,
                an_update_edits_what_is_there,
                an_edit_that_fails_keeps_what_it_changed,
                a_batch_updates_in_order,
                a_removed_value_is_absent_and_takes_no_row,
                removing_an_absent_value_is_done,
                a_value_of_none_is_not_an_absent_one,
                states_of_one_store_do_not_collide,
                long_values_are_kept_whole,
                visiting_shows_each_key_once,
                a_visit_shows_one_group_and_ends_early,
                windows_of_a_key_are_apart,
                keys_can_be_gathered_and_then_changed,
                a_cleared_state_is_empty;
            list:
                an_absent_list_is_empty,
                items_stay_in_their_order,
                the_list_of_no_key_grows_and_is_replaced,
                lists_of_one_digest_are_told_apart,
                setting_replaces_the_list,
                setting_to_nothing_drops_the_list,
                items_stay_change_or_go_one_by_one,
                a_list_that_was_cut_grows_on,
                dropped_lists_leave_no_row,
                lists_of_windows_join,
                a_list_joined_with_itself_stays_as_it_is,
                a_list_that_moved_grows_on,
                pushes_and_replacements_take_effect_in_order,
                a_visit_of_items_ends_early,
                keys_with_a_list_are_listed_once,
                a_long_list_is_kept_whole,
                cleared_lists_are_gone;
            map (Plain as map, Ordered as ordered):
                fields_are_put_read_and_dropped,
                entries_agree_with_single_reads,
                fields_that_begin_like_others_do_not_mix,
                fields_of_one_digest_are_told_apart,
                an_update_edits_one_field,
                fields_stay_change_or_go_one_by_one,
                a_map_of_many_fields_shows_each_once,
                a_map_without_fields_takes_no_row,
                a_field_of_none_is_not_an_absent_one,
                an_absent_map_has_no_entries,
                keys_with_a_map_are_listed_once,
                dropping_a_map_drops_its_fields_alone,
                maps_of_windows_join,
                large_maps_join,
                a_visit_of_entries_ends_early,
                cleared_maps_are_gone;
            ordered_map:
                entries_come_in_their_order,
                a_range_holds_what_lies_between_its_bounds,
                a_range_ends_early,
                the_first_and_the_last_field_are_found,
                ranges_of_keys_and_windows_are_apart,
                fields_of_every_type_are_in_their_order,
                a_map_restores_what_an_ordered_one_saved,
                any_changes_agree_with_a_tree;
            reducing:
                additions_are_reduced_in_order,
                reducing_windows_join,
                an_accumulator_grows_in_place,
                an_accumulator_is_replaced,
                aggregating_windows_join,
                reading_changes_no_accumulator;
            timers:
                timers_come_in_the_order_of_time,
                a_timer_is_registered_once,
                deleting_a_timer_deletes_it_alone,
                times_of_any_sign_are_in_order,
                timers_of_one_time_come_in_the_order_of_encoded_keys,
                timers_of_one_digest_are_told_apart,
                windows_have_timers_of_their_own,
                a_mix_of_changes_keeps_the_order,
                cleared_timers_do_not_fire;
            firing:
                services_are_independent,
                timers_of_another_time_are_of_another_kind,
                the_earliest_time_is_known,
                a_timer_registered_by_another_fires_in_its_place,
                a_timer_that_renews_itself_does_not_hold_the_sweep,
                an_interrupted_sweep_goes_on_after_a_checkpoint,
                a_failure_between_two_sweeps_repeats_what_the_checkpoint_has,
                a_visit_shows_the_timers_of_a_group;
            windows:
                tumbling_windows_hold_their_rows,
                sliding_windows_hold_their_rows,
                sessions_hold_their_rows,
                windows_do_not_depend_on_the_order_of_rows,
                a_session_begins_at_its_earliest_row,
                a_row_joins_the_sessions_that_are_open_to_its_input,
                windows_close_once_at_any_parallelism,
                rows_at_both_ends_of_time_are_in_windows,
                an_aggregate_of_each_window_is_given_once;
            opening:
                a_name_is_opened_once,
                a_state_that_cannot_be_stored_is_refused,
                a_state_describes_itself,
                a_key_of_another_task_is_refused,
                a_row_of_another_group_is_not_loaded,
                a_type_that_serializes_itself_is_stored_so,
                types_made_at_run_time_are_stored_by_their_schema;
            snapshots:
                a_state_without_rows_writes_nothing,
                what_was_not_accessed_is_in_the_next_checkpoints,
                a_frozen_state_does_not_see_later_writes,
                each_checkpoint_restores_its_own_moment,
                a_frozen_state_outlives_its_store,
                dropping_what_was_frozen_changes_nothing,
                the_digest_depends_on_the_content_alone,
                a_frozen_state_is_read_by_encoded_key,
                what_is_shown_is_what_would_be_frozen,
                a_changed_byte_is_found,
                what_a_full_part_holds_twice_is_refused,
                rows_of_an_older_type_are_read_and_written_anew;
            deltas:
                a_delta_contains_what_an_aborted_checkpoint_took,
                a_delta_contains_what_an_unknown_outcome_took,
                a_late_completion_is_a_base,
                an_unknown_base_yields_everything,
                no_base_yields_everything,
                what_did_not_change_is_not_written_again,
                a_chain_of_three_deltas_restores_each_moment,
                a_removal_is_in_the_delta,
                changed_lists_are_in_the_delta,
                a_group_that_was_emptied_is_empty,
                each_operation_of_a_delta_is_applied,
                an_operation_that_does_not_fit_is_refused;
            rescaling:
                tasks_double_and_halve,
                tasks_change_to_uneven_shares,
                what_was_dropped_before_a_change_of_tasks_stays_dropped,
                a_delta_follows_a_change_of_tasks,
                each_timer_fires_in_one_task;
            ttl:
                what_was_never_written_is_not_there,
                what_was_dropped_is_not_there,
                what_was_written_lives_for_its_time,
                what_has_expired_is_shown_once_where_asked_for,
                what_was_read_lives_for_its_time,
                what_was_read_is_shown_once_where_asked_for,
                the_longest_time_to_live_does_not_overflow,
                keys_expire_each_by_itself,
                windows_expire_each_by_itself,
                states_expire_each_by_its_own_time,
                stamps_come_from_the_checkpoint,
                what_has_expired_does_not_join,
                items_expire_one_by_one,
                fields_expire_one_by_one,
                what_has_expired_does_not_count,
                event_time_is_the_same_in_every_replay,
                any_tape_with_times_agrees_with_the_truth;
            sweeping:
                a_sweep_finds_what_has_expired,
                a_sweep_is_done_in_bounded_steps,
                a_sweep_finds_keys_of_one_digest,
                a_sweep_leaves_what_was_frozen_alone,
                what_was_swept_is_in_no_checkpoint,
                a_full_part_holds_what_lived_at_the_cut,
                a_group_that_expired_is_empty,
                what_lives_and_what_has_expired_are_counted_apart,
                a_clock_that_goes_back_brings_nothing_back;
            tapes:
                any_tape_agrees_with_the_truth;
        }
    };
    (@modes $make:expr $(, $native:expr)?; $($list:tt)*) => {
        fn store(
            groups: $crate::holdwater::key::KeyGroups,
        ) -> impl $crate::holdwater::state::Backend {
            ($make)(groups)
        }

        fn handing_out() -> Option<$crate::keyed::Native> {
            let native: &[$crate::keyed::Native] = &[$($native)?];
            native.first().copied()
        }

        mod full {
            $crate::keyed!(@tests Full; $($list)*);
        }

        mod full_restored {
            $crate::keyed!(@tests FullRestored; $($list)*);
        }

        mod incremental {
            $crate::keyed!(@tests Incremental; $($list)*);
        }

        mod incremental_restored {
            $crate::keyed!(@tests IncrementalRestored; $($list)*);
        }
    };
    (@tests $mode:ident;) => {};
    (@tests $mode:ident; $room:ident: $($name:ident),+; $($rest:tt)*) => {
        mod $room {
            $(
                #[test]
                fn $name() {
                    use $crate::keyed::{$room, Mode, Run};
                    let run = Run::new(super::super::store, Mode::$mode);
                    $room::$name(&run.handing_out(super::super::handing_out()));
                }
            )+
        }

        $crate::keyed!(@tests $mode; $($rest)*);
    };
    // Of each kind, what holds of all.
    (@tests $mode:ident; $room:ident (): $($name:ident),+; $($rest:tt)*) => {
        $crate::keyed!(@tests $mode; $($rest)*);
    };
    (
        @tests $mode:ident;
        $room:ident ($kind:ident as $module:ident $(, $other:ident as $more:ident)*):
        $($name:ident),+; $($rest:tt)*
    ) => {
        mod $module {
            $(
                #[test]
                fn $name() {
                    use $crate::keyed::{$kind, $room, Mode, Run};
                    let run = Run::new(super::super::store, Mode::$mode);
                    $room::$name::<_, $kind>(&run.handing_out(super::super::handing_out()));
                }
            )+
        }

        $crate::keyed!(
            @tests $mode; $room ($($other as $more),*): $($name),+; $($rest)*
        );
    };
}

/// Makes a test of what a store does beyond [`keyed!`](crate::keyed!) if its deltas hold rows, not
/// groups: `row_deltas!(Heap::new);`
#[macro_export]
macro_rules! row_deltas {
    ($make:expr $(, $native:expr)?) => {
        $crate::keyed! { @modes $make $(, $native)?;
            rows:
                a_delta_holds_the_changed_rows_alone,
                a_removal_is_written_alone,
                pushed_items_are_written_alone,
                changed_fields_are_written_alone,
                a_delta_holds_the_rows_of_an_unknown_outcome;
        }
    };
}

#[cfg(test)]
mod tests {
    const ROOMS: [(&str, &str); 19] = [
        ("deltas", include_str!("keyed/deltas.rs")),
        ("firing", include_str!("keyed/firing.rs")),
        ("lifetimes", include_str!("evolution/lifetimes.rs")),
        ("list", include_str!("keyed/list.rs")),
        ("map", include_str!("keyed/map.rs")),
        ("opening", include_str!("keyed/opening.rs")),
        ("operator", include_str!("operator.rs")),
        ("ordered_map", include_str!("keyed/ordered_map.rs")),
        ("reducing", include_str!("keyed/reducing.rs")),
        ("rescaling", include_str!("keyed/rescaling.rs")),
        ("rows", include_str!("keyed/rows.rs")),
        ("snapshots", include_str!("keyed/snapshots.rs")),
        ("sweeping", include_str!("keyed/sweeping.rs")),
        ("tapes", include_str!("keyed/tapes.rs")),
        ("timers", include_str!("keyed/timers.rs")),
        ("ttl", include_str!("keyed/ttl.rs")),
        ("ttl", include_str!("keyed/ttl/elements.rs")),
        ("value", include_str!("keyed/value.rs")),
        ("windows", include_str!("keyed/windows.rs")),
    ];

    /// Returns each behaviour: its room, its name and the numbers in its documentation.
    fn behaviours() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
        ROOMS.into_iter().flat_map(|(room, text)| {
            let mut numbers = "";
            text.lines().filter_map(move |line| {
                if let Some((begin, _)) =
                    line.strip_prefix("/// ").and_then(|doc| doc.split_once(':'))
                {
                    numbers = begin;
                }
                let name = line.strip_prefix("pub fn ")?.split('<').next()?;
                Some((room, name, numbers))
            })
        })
    }

    #[test]
    fn every_behaviour_is_listed_to_be_tested() {
        let macros =
            [include_str!("keyed.rs"), include_str!("operator.rs"), include_str!("evolution.rs")];
        for (room, name, _) in behaviours() {
            let listed = |line: &str| line.trim().trim_end_matches([',', ';']) == name;
            let is_listed = macros.iter().any(|text| text.lines().any(listed));
            assert!(is_listed, "{room}::{name} is in no list");
        }
    }

    #[test]
    fn the_document_names_every_behaviour_by_its_numbers() {
        let document = include_str!("../../../docs/conformance.md");
        for (room, name, numbers) in behaviours() {
            for number in numbers.split(", ") {
                let row = document.lines().find(|line| line.starts_with(&format!("| {number} |")));
                let named = row.is_some_and(|row| row.contains(&format!("`{room}::{name}`")));
                assert!(named, "{number} does not name {room}::{name}");
            }
        }
        for name in document.split('`').skip(1).step_by(2).filter(|name| name.contains("::")) {
            let is_named = |(room, test, _)| format!("{room}::{test}") == name;
            let is_room = name.ends_with("::") || name.starts_with("portability::");
            let evolves = |(room, test)| format!("{room}::{test}") == name;
            let is_pair = crate::evolution::behaviours().any(evolves);
            assert!(is_room || is_pair || behaviours().any(is_named), "{name} is no test");
        }
    }
}

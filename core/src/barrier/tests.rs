use super::*;
use Guarantee::{AtLeastOnce, ExactlyOnce};
use proptest::prelude::*;
use std::vec::Vec;

const EPOCH: u64 = 3;

fn barrier(checkpoint: u64) -> Barrier {
    let id = CheckpointId { checkpoint, epoch: EPOCH };
    Barrier { id, kind: CheckpointKind::Checkpoint, base: None }
}

fn steps(aligner: &mut Aligner) -> Vec<Step> {
    core::iter::from_fn(|| aligner.poll()).collect()
}

fn after(aligner: &mut Aligner, input: usize, checkpoint: u64) -> Vec<Step> {
    aligner.barrier(input, barrier(checkpoint)).unwrap();
    steps(aligner)
}

#[test]
fn an_input_is_blocked_from_its_barrier_to_the_last_one() {
    let mut aligner = Aligner::new(ExactlyOnce, EPOCH, 3);
    assert_eq!(after(&mut aligner, 1, 1), [Step::Block(1)]);
    assert!(aligner.is_blocked(1) && !aligner.is_blocked(0));
    assert_eq!(after(&mut aligner, 0, 1), [Step::Block(0)]);
    assert_eq!(after(&mut aligner, 2, 1), [Step::Checkpoint(barrier(1)), Step::Unblock]);
    assert!((0..3).all(|input| !aligner.is_blocked(input)));
}

#[test]
fn a_single_input_is_never_blocked() {
    let mut aligner = Aligner::new(ExactlyOnce, EPOCH, 1);
    assert_eq!(after(&mut aligner, 0, 1), [Step::Checkpoint(barrier(1))]);
}

#[test]
fn at_least_once_takes_the_checkpoint_at_the_last_barrier_and_never_blocks() {
    let mut aligner = Aligner::new(AtLeastOnce, EPOCH, 2);
    assert_eq!(after(&mut aligner, 0, 1), []);
    assert_eq!(after(&mut aligner, 1, 1), [Step::Checkpoint(barrier(1))]);
}

#[test]
fn a_newer_barrier_cancels_the_older_alignment_and_starts_from_nothing() {
    let mut aligner = Aligner::new(ExactlyOnce, EPOCH, 3);
    after(&mut aligner, 0, 1);
    after(&mut aligner, 1, 1);
    let first = barrier(1).id;
    assert_eq!(after(&mut aligner, 2, 2), [Step::Abort(first), Step::Unblock, Step::Block(2)]);
    assert_eq!(after(&mut aligner, 0, 2), [Step::Block(0)]);
    assert_eq!(after(&mut aligner, 1, 2), [Step::Checkpoint(barrier(2)), Step::Unblock]);
}

#[test]
fn an_aborted_checkpoint_unblocks_and_its_late_barriers_are_dropped() {
    let mut aligner = Aligner::new(ExactlyOnce, EPOCH, 2);
    after(&mut aligner, 0, 1);
    aligner.aborted(barrier(1).id);
    assert_eq!(steps(&mut aligner), [Step::Abort(barrier(1).id), Step::Unblock]);
    assert_eq!(after(&mut aligner, 1, 1), []);
    aligner.aborted(barrier(2).id);
    assert_eq!(after(&mut aligner, 0, 2), []);
    assert_eq!(after(&mut aligner, 0, 3), [Step::Block(0)]);
    // Overtaken by the trigger of the next: too old to matter.
    aligner.aborted(barrier(2).id);
    assert_eq!(steps(&mut aligner), []);
}

#[test]
fn an_ended_input_counts_as_aligned_once() {
    let mut aligner = Aligner::new(ExactlyOnce, EPOCH, 3);
    after(&mut aligner, 0, 1);
    aligner.finished(1);
    assert_eq!(steps(&mut aligner), []);
    aligner.finished(2);
    assert_eq!(steps(&mut aligner), [Step::Checkpoint(barrier(1)), Step::Unblock]);
    assert_eq!(after(&mut aligner, 0, 2), [Step::Checkpoint(barrier(2))]);
    aligner.finished(0);
    assert_eq!(steps(&mut aligner), []);
}

#[test]
fn a_repeated_barrier_and_one_of_another_epoch_are_dropped() {
    let mut aligner = Aligner::new(ExactlyOnce, EPOCH, 2);
    after(&mut aligner, 0, 1);
    assert_eq!(after(&mut aligner, 0, 1), []);
    let mut old = barrier(1);
    old.id.epoch = EPOCH - 1;
    aligner.barrier(1, old).unwrap();
    assert_eq!(steps(&mut aligner), []);
    assert_eq!(aligner.current(), Some(barrier(1).id));
}

#[test]
fn a_barrier_out_of_order_is_an_error() {
    let mut aligner = Aligner::new(ExactlyOnce, EPOCH, 2);
    after(&mut aligner, 0, 2);
    assert_eq!(
        aligner.barrier(0, barrier(1)),
        Err(BarrierError::Regression { input: 0, newest: 2, got: 1 })
    );
    aligner.finished(1);
    assert_eq!(aligner.barrier(1, barrier(3)), Err(BarrierError::AfterEnd { input: 1, got: 3 }));
}

/// What travels in a channel.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Item {
    Barrier(u64),
    Element,
}

/// One channel: after each checkpoint number some elements, and its barrier unless that was lost.
fn channel(checkpoints: u64, losses: bool) -> impl Strategy<Value = Vec<Item>> {
    let count = checkpoints as usize;
    let lost = if losses { 0.2 } else { 0.0 };
    let spans = prop::collection::vec((0..4usize, prop::bool::weighted(lost)), count);
    spans.prop_map(|spans| {
        let mut items = Vec::new();
        for ((elements, lost), number) in spans.into_iter().zip(1..) {
            items.extend([Item::Element].repeat(elements));
            if !lost {
                items.push(Item::Barrier(number));
            }
        }
        items.push(Item::Element);
        items
    })
}

fn channels(losses: bool) -> impl Strategy<Value = Vec<Vec<Item>>> {
    (1..5usize, 1..6u64).prop_flat_map(move |(count, checkpoints)| {
        prop::collection::vec(channel(checkpoints, losses), count)
    })
}

/// Elements of a channel before a barrier; all of them if it was lost.
fn elements_before(items: &[Item], number: u64) -> usize {
    let end = items.iter().position(|item| *item == Item::Barrier(number));
    let before = &items[..end.unwrap_or(items.len())];
    before.iter().filter(|item| **item == Item::Element).count()
}

/// Delivers the channels in the order of `schedule`, as a task that honours blocked inputs does.
/// Returns each checkpoint with the number of elements consumed from each input before it.
fn deliver(
    guarantee: Guarantee,
    channels: &[Vec<Item>],
    schedule: &[prop::sample::Index],
) -> Vec<(u64, Vec<usize>)> {
    let mut aligner = Aligner::new(guarantee, EPOCH, channels.len());
    let mut at = std::vec![0; channels.len()];
    let mut ended = std::vec![false; channels.len()];
    let mut consumed = std::vec![0; channels.len()];
    let mut taken = Vec::new();
    let mut schedule = schedule.iter();
    loop {
        let open: Vec<_> =
            (0..channels.len()).filter(|c| !ended[*c] && !aligner.is_blocked(*c)).collect();
        if open.is_empty() {
            break;
        }
        let chosen = schedule.next().map_or(open[0], |index| open[index.index(open.len())]);
        match channels[chosen].get(at[chosen]) {
            None => {
                ended[chosen] = true;
                aligner.finished(chosen);
            }
            Some(Item::Element) => consumed[chosen] += 1,
            Some(Item::Barrier(number)) => aligner.barrier(chosen, barrier(*number)).unwrap(),
        }
        at[chosen] += 1;
        for step in steps(&mut aligner) {
            match step {
                Step::Checkpoint(barrier) => taken.push((barrier.id.checkpoint, consumed.clone())),
                Step::Block(_) => assert_eq!(guarantee, ExactlyOnce),
                Step::Abort(_) | Step::Unblock => {}
                Step::Logged(_) | Step::Overtake(_) => panic!("aligned, nothing overtakes"),
            }
        }
    }
    assert!(ended.iter().all(|ended| *ended), "an input stays blocked for ever: {ended:?}");
    taken
}

proptest! {
    /// I-01 and I-02, with lost barriers and inputs that end; nothing waits for ever (I-29).
    #[test]
    fn exactly_what_comes_before_the_barrier_is_in_the_checkpoint(
        channels in channels(true),
        schedule in prop::collection::vec(any::<prop::sample::Index>(), 0..80),
    ) {
        let taken = deliver(ExactlyOnce, &channels, &schedule);
        prop_assert!(taken.is_sorted_by(|a, b| a.0 < b.0));
        for (number, consumed) in taken {
            for (items, consumed) in channels.iter().zip(consumed) {
                prop_assert_eq!(consumed, elements_before(items, number));
            }
        }
    }

    #[test]
    fn every_checkpoint_is_taken_when_no_barrier_is_lost(
        channels in channels(false),
        schedule in prop::collection::vec(any::<prop::sample::Index>(), 0..80),
    ) {
        let numbers = channels[0].iter().filter(|item| matches!(item, Item::Barrier(_))).count();
        let taken = deliver(ExactlyOnce, &channels, &schedule);
        prop_assert!(taken.iter().map(|taken| taken.0).eq(1..=numbers as u64));
    }

    #[test]
    fn at_least_what_comes_before_the_barrier_is_in_the_checkpoint(
        channels in channels(true),
        schedule in prop::collection::vec(any::<prop::sample::Index>(), 0..80),
    ) {
        for (number, consumed) in deliver(AtLeastOnce, &channels, &schedule) {
            for (items, consumed) in channels.iter().zip(consumed) {
                prop_assert!(consumed >= elements_before(items, number));
            }
        }
    }
}

fn unaligned(inputs: usize) -> Aligner {
    Aligner::new(ExactlyOnce, EPOCH, inputs).with_barriers(Barriers::Unaligned)
}

#[test]
fn unaligned_the_first_sign_takes_the_checkpoint_and_the_last_barrier_ends_the_log() {
    for is_announced in [true, false] {
        let (mut aligner, id) = (unaligned(3), barrier(1).id);
        if is_announced {
            aligner.announced(barrier(1), 0);
            assert_eq!(steps(&mut aligner), [Step::Overtake(barrier(1))]);
            assert!((0..3).all(|input| aligner.is_logged(input)));
            assert_eq!(after(&mut aligner, 1, 1), []);
        } else {
            assert_eq!(after(&mut aligner, 1, 1), [Step::Overtake(barrier(1))]);
        }
        let logged: Vec<_> = (0..3).filter(|input| aligner.is_logged(*input)).collect();
        assert_eq!(logged, [0, 2]);
        assert!((0..3).all(|input| !aligner.is_blocked(input)));
        assert_eq!(after(&mut aligner, 0, 1), []);
        assert_eq!(after(&mut aligner, 2, 1), [Step::Logged(id)]);
        assert!(!aligner.is_overtaken() && (0..3).all(|input| !aligner.is_logged(input)));
        aligner.announced(barrier(1), 0);
        assert_eq!(steps(&mut aligner), [], "it comes behind the barriers");
    }
}

#[test]
fn an_aborted_log_is_dropped_whenever_that_comes() {
    let mut aligner = unaligned(2);
    aligner.announced(barrier(1), 0);
    aligner.aborted(barrier(1).id);
    assert_eq!(steps(&mut aligner), [Step::Overtake(barrier(1)), Step::Abort(barrier(1).id)]);
    assert!(!aligner.is_logged(0));
    assert_eq!(after(&mut aligner, 0, 1), []);
    aligner.announced(barrier(2), 0);
    aligner.announced(barrier(3), 0);
    let (second, third) = (Step::Abort(barrier(2).id), Step::Overtake(barrier(3)));
    assert_eq!(steps(&mut aligner), [Step::Overtake(barrier(2)), second, third]);
    assert_eq!(after(&mut aligner, 1, 2), [], "what was given up");
    assert!(aligner.is_logged(1), "the barrier of another ends no log");
    aligner.finished(0);
    assert_eq!(after(&mut aligner, 1, 3), [Step::Logged(barrier(3).id)]);
}

#[test]
fn aligned_turns_unaligned_when_it_takes_too_long() {
    let barriers = Barriers::Within(500);
    let mut aligner = Aligner::new(ExactlyOnce, EPOCH, 3).with_barriers(barriers);
    aligner.tick(10);
    assert_eq!(aligner.due_in(10), None);
    aligner.announced(barrier(1), 20);
    assert_eq!(aligner.due_in(20), Some(500));
    aligner.tick(20);
    assert_eq!(aligner.due_in(30), Some(490));
    assert_eq!(after(&mut aligner, 0, 1), [Step::Block(0)]);
    aligner.tick(519);
    assert_eq!(steps(&mut aligner), []);
    aligner.tick(520);
    assert_eq!(steps(&mut aligner), [Step::Overtake(barrier(1)), Step::Unblock]);
    assert_eq!(aligner.due_in(521), None);
    aligner.tick(1_100);
    assert_eq!(after(&mut aligner, 1, 1), [], "it is not blocked");
    assert_eq!(after(&mut aligner, 2, 1), [Step::Logged(barrier(1).id)]);
    // The next is aligned in time, and nothing turns it after that.
    after(&mut aligner, 0, 2);
    aligner.tick(2_000);
    after(&mut aligner, 1, 2);
    assert_eq!(after(&mut aligner, 2, 2), [Step::Checkpoint(barrier(2)), Step::Unblock]);
    aligner.tick(3_000);
    assert_eq!(steps(&mut aligner), []);
}

#[test]
fn a_savepoint_stays_aligned() {
    let mut savepoint = barrier(1);
    savepoint.kind = CheckpointKind::Savepoint;
    for barriers in [Barriers::Unaligned, Barriers::Within(1)] {
        let mut aligner = Aligner::new(ExactlyOnce, EPOCH, 2).with_barriers(barriers);
        aligner.announced(savepoint, 0);
        aligner.barrier(0, savepoint).unwrap();
        aligner.tick(1_000);
        aligner.tick(9_000);
        aligner.barrier(1, savepoint).unwrap();
        let taken = [Step::Block(0), Step::Checkpoint(savepoint), Step::Unblock];
        assert_eq!(steps(&mut aligner), taken);
    }
}

/// Delivers the channels as [`deliver`] does, and announces each checkpoint, late, early or never.
/// A task processes what it took later. Returns, of each checkpoint, what it holds of each input:
/// how much was processed before it, and how much is in flight.
fn overtake(
    barriers: Barriers,
    channels: &[Vec<Item>],
    schedule: &[prop::sample::Index],
) -> Vec<(u64, Vec<usize>)> {
    let mut aligner = Aligner::new(ExactlyOnce, EPOCH, channels.len()).with_barriers(barriers);
    let mut at = std::vec![0; channels.len()];
    let (mut taken, mut waiting) = (std::vec![0; channels.len()], Vec::new());
    let (mut open, mut complete) = (None, Vec::new());
    for (turn, index) in schedule.iter().enumerate() {
        match index.index(channels.len() + 3) {
            input if input < channels.len() => {
                // Behind what waits, only what is in flight may be taken.
                let may = waiting.is_empty() || aligner.is_logged(input);
                if !may || aligner.is_blocked(input) || at[input] > channels[input].len() {
                    continue;
                }
                match channels[input].get(at[input]) {
                    None => aligner.finished(input),
                    Some(Item::Barrier(number)) => {
                        aligner.barrier(input, barrier(*number)).unwrap();
                    }
                    Some(Item::Element) => {
                        if aligner.is_logged(input) {
                            let (_, held): &mut (u64, Vec<usize>) = open.as_mut().unwrap();
                            held[input] += 1;
                        }
                        waiting.push(input);
                    }
                }
                at[input] += 1;
            }
            more => match more - channels.len() {
                0 => aligner.announced(barrier(turn as u64 % 6 + 1), turn as u64),
                1 => aligner.tick(turn as u64),
                _ => waiting.drain(..waiting.len().min(1)).for_each(|input| taken[input] += 1),
            },
        }
        for step in steps(&mut aligner) {
            match step {
                Step::Checkpoint(barrier) => {
                    assert!(waiting.is_empty(), "all that was taken is processed");
                    complete.push((barrier.id.checkpoint, taken.clone()));
                }
                Step::Overtake(barrier) => {
                    let mut held = taken.clone();
                    waiting.iter().for_each(|input: &usize| held[*input] += 1);
                    open = Some((barrier.id.checkpoint, held));
                }
                Step::Logged(_) => complete.extend(open.take()),
                Step::Abort(_) => open = None,
                Step::Block(_) | Step::Unblock => {}
            }
        }
    }
    complete
}

proptest! {
    /// I-01: what was processed and what is in flight are together what came before the barrier.
    #[test]
    fn exactly_what_comes_before_the_barrier_is_processed_or_in_flight(
        channels in channels(true),
        schedule in prop::collection::vec(any::<prop::sample::Index>(), 0..400),
        patience in prop::option::of(0..300u64),
    ) {
        let barriers = patience.map_or(Barriers::Unaligned, Barriers::Within);
        let complete = overtake(barriers, &channels, &schedule);
        prop_assert!(complete.is_sorted_by(|a, b| a.0 < b.0));
        for (number, held) in complete {
            for (items, held) in channels.iter().zip(held) {
                prop_assert_eq!(held, elements_before(items, number));
            }
        }
    }
}

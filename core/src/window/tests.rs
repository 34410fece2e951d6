use std::vec::Vec;

use proptest::prelude::*;

use super::*;

/// Returns the windows that hold `time` and end after `watermark`, from their definition alone.
fn by_definition(size: i64, slide: i64, time: i64, watermark: i64) -> Vec<Window> {
    let (size, slide, time) = (i128::from(size), i128::from(slide), i128::from(time));
    let last = time.div_euclid(slide) * slide;
    let earliest = (0..).map(|back| last - back * slide).take_while(|start| start + size > time);
    let mut windows: Vec<_> = earliest.map(|start| cut(start, start + size)).collect();
    windows.reverse();
    windows.retain(|window| window.end > watermark);
    windows
}

fn cut(start: i128, end: i128) -> Window {
    let within = |time: i128| time.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
    Window { start: within(start), end: within(end) }
}

fn times() -> impl Strategy<Value = i64> {
    prop_oneof![-50..50i64, i64::MIN..i64::MIN + 50, i64::MAX - 50..=i64::MAX, any::<i64>()]
}

proptest! {
    #[test]
    fn a_time_falls_in_the_windows_that_hold_it_and_have_not_ended(
        slide in 1..40i64,
        more in 0..100i64,
        time in times(),
        watermark in times(),
    ) {
        let aligned = Aligned::sliding(slide + more, slide).unwrap();
        let expected = by_definition(slide + more, slide, time, watermark);
        prop_assert_eq!(aligned.is_late(time, watermark), expected.is_empty());
        prop_assert_eq!(aligned.of(time, watermark).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn windows_of_any_size_are_cut_where_times_end(
        size in 1..=i64::MAX,
        few in 1..20i64,
        time in times(),
        watermark in times(),
    ) {
        let slide = (size / few).max(1);
        let aligned = Aligned::sliding(size, slide).unwrap();
        let expected = by_definition(size, slide, time, watermark);
        prop_assert_eq!(aligned.of(time, watermark).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_row_touches_a_session_when_it_is_less_than_the_gap_away(
        gap in prop_oneof![1..50i64, 1..=i64::MAX],
        time in times(),
        ends in (times(), times()),
    ) {
        let (first, last) = (ends.0.min(ends.1), ends.0.max(ends.1));
        let wide = |time: i64| i128::from(time);
        let away = (wide(first) - wide(time)).max(wide(time) - wide(last)).max(0);
        let touches = Session::new(gap).unwrap().touches(time, first, last);
        prop_assert_eq!(touches, away < wide(gap));
    }
}

#[test]
fn windows_before_1970_start_at_multiples_of_the_slide_too() {
    let days = Aligned::tumbling(86_400_000).unwrap();
    let yesterday = Window { start: -86_400_000, end: 0 };
    assert_eq!(days.of(-1, i64::MIN).collect::<Vec<_>>(), [yesterday]);
    assert_eq!(days.of(-86_400_000, i64::MIN).collect::<Vec<_>>(), [yesterday]);
    let today = Window { start: 0, end: 86_400_000 };
    assert_eq!(days.of(0, i64::MIN).collect::<Vec<_>>(), [today]);
}

#[test]
fn sizes_that_no_windows_can_have_are_refused() {
    assert_eq!(Assigner::tumbling(0), Err(Sizes::Size(0)));
    assert_eq!(Assigner::sliding(-1, 1), Err(Sizes::Size(-1)));
    assert_eq!(Assigner::sliding(10, 0), Err(Sizes::Slide { size: 10, slide: 0 }));
    assert_eq!(Assigner::sliding(10, 11), Err(Sizes::Slide { size: 10, slide: 11 }));
    assert_eq!(Assigner::session(0), Err(Sizes::Gap(0)));
    assert!(Assigner::sliding(10, 3).is_ok(), "a size that is no multiple of the slide");
}

//! Memory and disk that do not suffice.

use std::io::Write;
use std::sync::mpsc;

use holdwater_system::expected::expected;
use holdwater_system::generate::rows;
use holdwater_system::place::Place;
use holdwater_system::rows::assert_same;

#[test]
fn state_beyond_the_memory_limit_ends_the_job_and_a_higher_limit_resumes_it() {
    let place = Place::new();
    let input = rows(1, 40_000, 20_000);
    place.write("out.csv", "older\n");
    let job = "run --input - --key key --agg count collect:price --output out.csv \
               --checkpoints dir --checkpoint-every 500rows --parallelism 2";
    let (first, all) = (input.first(1_000).to_csv(), input.to_csv());
    let text = all.clone();
    let (go_on, told) = mpsc::channel();
    let mut limited =
        place.holdwater(&format!("{job} --memory-limit 1MiB")).feed(move |mut pipe| {
            pipe.write_all(first.as_bytes()).unwrap();
            told.recv().unwrap();
            // The job ends before all is written.
            let _ = pipe.write_all(&text.as_bytes()[first.len()..]);
        });
    limited.until(|| !place.checkpoints("dir").is_empty());
    go_on.send(()).unwrap();
    let refused = limited.wait().refused(1, &["--memory-limit"]);
    let last = refused.stderr.lines().last().unwrap();
    let sizes = last.split(" takes ").nth(1).unwrap_or_else(|| panic!("{last}"));
    let numbers = sizes.split(' ').filter_map(|word| word.parse::<u64>().ok()).collect::<Vec<_>>();
    let [state, used, allowed] = numbers[..] else { panic!("{last}") };
    assert!(last.contains("state count") || last.contains("state collect:price"), "{last}");
    assert!(state < used && used > allowed && allowed == 1 << 20, "{last}");
    assert_eq!(place.read("out.csv"), "older\n");
    place.holdwater("verify dir --deep").succeed();
    let newest = place.checkpoints("dir").pop().unwrap();

    let raised = place.holdwater(&format!("{job} --memory-limit 1GiB"));
    raised.finish_with(&all).succeeded().warned(&["resumed from checkpoint", &newest.id]);
    let wanted = expected(&[&input], &["key"], &["count", "collect:price"]);
    assert_same(&place.rows("out.csv"), &wanted);
}

#[test]
fn a_state_that_does_not_fit_on_restore_names_the_flag_too() {
    let place = Place::new();
    place.write("a.csv", &rows(2, 20_000, 20_000).to_csv());
    let job = "run --input a.csv --key key --agg count collect:price --checkpoints dir";
    place.holdwater(job).succeed();
    place.holdwater(&format!("{job} --memory-limit 64KiB")).refuse(1, &["--memory-limit"]);
    place.holdwater(&format!("{job} --memory-limit 1GiB")).succeed();
}

#[test]
fn a_checkpoint_that_cannot_be_written_warns_and_the_job_goes_on() {
    let place = Place::new();
    let input = rows(3, 20_000, 10_000);
    place.write("a.csv", &input.to_csv());
    // No file may grow beyond some kilobytes, which the state needs and its result does not.
    let script = "ulimit -f 8; exec \"$0\" run --input a.csv --key shop \
                  --agg count distinct:key --checkpoints dir --checkpoint-every 5000rows \
                  --parallelism 2";
    let done = place.shell(script).succeed();
    done.warned(&["checkpoint"]);
    let wanted = expected(&[&input], &["shop"], &["count", "distinct:key"]);
    assert_same(&done.rows(), &wanted);
    assert!(place.checkpoints("dir").is_empty());
}

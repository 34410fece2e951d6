//! `holdwater list`.

use std::fs;

use holdwater_system::generate::rows;
use holdwater_system::place::{Place, flip};
use serde_json::Value;

const JOB: &str = "run --input a.csv --key key --agg count distinct:word --checkpoints dir \
                   --checkpoint-every 1h --retain 3 --full-every 3 --key-groups 8 \
                   --parallelism 2";

fn place() -> Place {
    let place = Place::new();
    place.run_in_parts(JOB, "a.csv", &rows(1, 4_200, 300), 6);
    place
}

#[test]
fn each_checkpoint_is_an_object_with_the_same_members() {
    let place = place();
    let listed = place.checkpoints("dir");
    assert!(listed.len() >= 3);
    let text = |checkpoint: &Value, name: &str| checkpoint[name].as_str().unwrap().to_owned();
    let number = |checkpoint: &Value, name: &str| checkpoint[name].as_u64().unwrap();
    let names =
        |checkpoint: &Value| checkpoint.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    for checkpoint in &listed {
        let shown = &checkpoint.shown;
        assert_eq!(names(shown), names(&listed[0].shown));
        assert!(checkpoint.intact);
        assert_eq!(text(shown, "status"), "ok");
        assert_eq!((number(shown, "parallelism"), number(shown, "key_groups")), (2, 8));
        assert!(number(shown, "created_ms") > 1_700_000_000_000);
        assert!(number(shown, "bytes") >= number(shown, "new_bytes"));
        let kind = text(shown, "kind");
        assert_eq!(kind == "full", number(shown, "depth") == 0, "{shown}");
        assert!(number(shown, "depth") < 3, "{shown}");
        if kind == "full" {
            assert_eq!(number(shown, "bytes"), number(shown, "new_bytes"));
        }
    }
    let sizes: u64 = fs::read_dir(place.path("dir/data"))
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    let shown: u64 = listed.iter().map(|checkpoint| number(&checkpoint.shown, "new_bytes")).sum();
    assert!(shown <= sizes, "{shown} of {sizes}");
    let parents = listed.windows(2).filter(|pair| pair[1].shown["parent"] == *pair[0].id);
    assert!(parents.count() >= 2, "{listed:?}");
}

#[test]
fn a_person_gets_a_table_of_the_same() {
    let place = place();
    let listed = place.checkpoints("dir");
    let table = place.holdwater("list dir").succeed().stdout;
    assert_eq!(table.lines().count(), 1 + listed.len(), "{table}");
    for (line, checkpoint) in table.lines().skip(1).zip(listed.iter().rev()) {
        assert!(line.starts_with(&checkpoint.id), "the newest first: {table}");
    }
}

#[test]
fn what_is_damaged_or_missing_is_shown_as_such() {
    let place = place();
    let ids: Vec<_> = place.checkpoints("dir").into_iter().map(|listed| listed.id).collect();
    flip(&place.objects("dir", "manifests").last().unwrap().1);
    let listed = place.checkpoints("dir");
    assert_eq!(
        listed.iter().map(|listed| &listed.id).collect::<Vec<_>>(),
        ids.iter().collect::<Vec<_>>()
    );
    assert!(!listed.last().unwrap().intact);
    assert!(listed[0].intact);

    fs::remove_file(&place.objects("dir", "data")[0].1).unwrap();
    let listed = place.checkpoints("dir");
    let missing = listed
        .iter()
        .find(|listed| !listed.intact && listed.shown["status"].as_str().unwrap().contains("d"));
    assert!(missing.is_some());
    assert!(place.holdwater("list dir").succeed().stdout.lines().count() > 3);
}

#[test]
fn listing_needs_no_lock_and_changes_nothing() {
    let place = Place::new();
    place.write("a.csv", &rows(2, 4_200, 300).to_csv());
    let job = JOB.replace("--checkpoint-every 1h", "--checkpoint-every 100rows --rate 1500");
    let mut running = place.holdwater(&job).start();
    running.until(|| place.checkpoints("dir").len() >= 2);
    assert!(running.is_running());
    running.wait().succeeded();
}

#[test]
fn a_directory_without_checkpoints_is_told_apart_from_one_that_is_not_there() {
    let place = Place::new();
    fs::create_dir(place.path("empty")).unwrap();
    place.write("file", "");
    for name in ["absent", "empty", "file"] {
        for json in ["", "--json"] {
            place.holdwater(&format!("list {name} {json}")).refuse(1, &[name]);
        }
    }
    assert_eq!(fs::read_dir(place.path("empty")).unwrap().count(), 0);
    assert!(!place.path("absent").exists());
}

//! The commands of docs/timely.md.

use std::fs;

use holdwater_system::expected::expected;
use holdwater_system::place::Place;
use holdwater_system::process::{Invocation, Running};
use holdwater_system::program::repository;
use holdwater_system::rows::{Rows, assert_same};

use crate::cluster::Cluster;

/// Returns the blocks of a language on the page, their broken lines joined.
fn blocks(language: &str) -> Vec<String> {
    let page = fs::read_to_string(repository().join("docs/timely.md")).unwrap();
    let fence = format!("```{language}\n");
    let blocks = page.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.map(|block| block.replace("\\\n", " ")).collect()
}

/// Has a command of the page name what lies in `place`.
fn placed(place: &Place, cluster: &Cluster<'_>, command: &str) -> String {
    let shared = place.path("shared").display().to_string();
    command
        .replace("/etc/flights/hosts.txt", "hosts.txt")
        .replace("hosts.txt", cluster.hosts())
        .replace("/shared", &shared)
}

/// Runs all processes of one block to their end, and compares what they wrote.
#[track_caller]
fn run_together(place: &Place, flights: &Rows, processes: Vec<Invocation>) {
    let running: Vec<Running> = processes.into_iter().map(Invocation::start).collect();
    for process in running {
        process.wait().succeeded();
    }
    let wanted = expected(&[flights], &["origin"], &["count", "mean:delay"]);
    assert_same(&place.rows("out.csv"), &wanted);
}

#[test]
fn the_commands_of_the_page_go_on_from_each_other() {
    let (place, flights) = Place::with_flights();
    let blocks = blocks("sh");
    assert_eq!(blocks.len(), 4);
    for block in blocks {
        let cluster = Cluster::new(&place, 3, 1);
        let lines = block.lines().map(|line| line.strip_prefix("holdwater ").unwrap());
        let processes = lines.map(|line| place.holdwater(&placed(&place, &cluster, line)));
        run_together(&place, &flights, processes.collect());
    }
}

#[test]
fn the_unit_and_the_stateful_set_of_the_page_run_the_job() {
    let (place, flights) = Place::with_flights();
    let unit = &blocks("ini")[0];
    let (_, exec) = unit.split_once("ExecStart=/usr/bin/holdwater ").unwrap();
    let exec = exec.lines().next().unwrap();
    let cluster = Cluster::new(&place, 3, 2);
    let process = |index: usize| {
        let line = exec.replace("%i", &index.to_string());
        place.holdwater(&placed(&place, &cluster, &line))
    };
    run_together(&place, &flights, (0..3).map(process).collect());

    let set = &blocks("yaml")[0];
    let (_, script) = set.split_once("exec holdwater ").unwrap();
    let (script, _) = script.split_once("volumeMounts").unwrap();
    let script = script.split_whitespace().collect::<Vec<_>>().join(" ");
    let cluster = Cluster::new(&place, 2, 1);
    let pod = |index: usize| {
        let line = placed(&place, &cluster, &script);
        place.shell(&format!("HOSTNAME=flights-{index}\nexec \"$0\" {line}"))
    };
    run_together(&place, &flights, (0..2).map(pod).collect());
}

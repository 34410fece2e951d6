//! The commands of docs/serve.md.

use std::net::TcpListener;

use holdwater_system::page::blocks;
use holdwater_system::place::Place;

#[test]
fn the_commands_of_the_page_print_what_it_shows() {
    let (place, _) = Place::with_flights();
    let blocks = blocks("serve.md");
    assert!(blocks.len() >= 3);
    // The port of the page may be taken.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut script = "set -e\nPATH=$(dirname \"$0\"):$PATH\ntrap 'kill $server' EXIT\n".to_owned();
    for block in &blocks {
        for line in block.commands.replace("7411", &free.to_string()).split_inclusive('\n') {
            script.push_str(line);
            if line.trim_end().ends_with('&') {
                script.push_str("server=$!\n");
            }
        }
        script.push_str("echo 'end of a block'\n");
    }
    let finished = place.shell(&script).succeed();
    let printed: Vec<_> = finished.stdout.split("end of a block\n").collect();
    assert_eq!(printed.len(), blocks.len() + 1);
    for (block, printed) in blocks.iter().zip(&printed) {
        if let Some(shown) = &block.printed {
            assert_eq!(printed, shown, "{}", block.commands);
        }
    }
    let states = "\"states\":[{\"operator\":\"aggregate\",\"state\":\"count\",\"rows\":\
                  [{\"key\":{\"origin\":\"ABQ\"},\"value\":123}]}";
    assert!(printed[1].contains(states), "{}", printed[1]);
}

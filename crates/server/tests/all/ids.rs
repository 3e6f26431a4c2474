//! The ids of peers, which nobody may guess: who knows one can call the peer.

use std::collections::HashSet;

use wigwag_server::Config;

use crate::running::Running;

/// Servers of one process, started in one moment, have no id in common, in whatever order their peers come.
#[test]
fn ids_of_servers_that_start_together_all_differ() {
    let mut ids = HashSet::new();
    for _ in 0..5 {
        let servers = [(); 4].map(|()| Running::start(Config::default()));
        for server in &servers {
            let peers = [(); 4].map(|()| server.peer());
            assert!(peers.iter().all(|peer| ids.insert(peer.id.clone())));
        }
    }
}

/// Ids that follow from a clock or a number of a process differ as well, and can be guessed; only the source of the seed
/// shows that they cannot.
#[test]
fn ids_seeded_by_the_random_source_of_the_system() {
    let source = include_str!("../../src/json_hub.rs");
    let (_, rest) = source
        .split_once("Hub::new(")
        .expect("the hub is made there");
    let (arguments, _) = rest.split_once(')').expect("it ends");
    assert_eq!(arguments.trim_end_matches('('), "policy, rand::random");
    for other in ["seed_from_u64", "SystemTime", "process::id"] {
        assert!(!source.contains(other), "{other}");
    }
}

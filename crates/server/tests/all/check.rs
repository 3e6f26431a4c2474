//! Whether a server could start: asked without one, and with nothing left behind.

use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use wigwag_server::{
    AcmeConfig, AdminConfig, Config, Policy, Server, Sockets, StartError, TlsConfig, TlsError,
};

use crate::running::Running;
use crate::tls_stage::Authority;

/// What a check says, and then what a start says.
fn both(config: &Config) -> [Result<(), StartError>; 2] {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let checked = runtime.block_on(Server::check(config));
    let started = runtime.block_on(Server::bind(config.clone()));
    [checked, started.map(drop)]
}

fn local(config: Config) -> Config {
    Config {
        host: "127.0.0.1".to_owned(),
        port: 0,
        ..config
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

#[test]
fn a_check_makes_no_folder_and_a_start_does() {
    let authority = Authority::new();
    let folder = authority.path("acme/cache");
    let mut order = AcmeConfig::new(vec!["a.example".to_owned()], folder.clone());
    order.authority = Some(authority.file());
    let config = local(Config {
        tls: Some(order.into()),
        ..Config::default()
    });
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime
        .block_on(Server::check(&config))
        .expect("it is in order");
    assert!(!authority.path("acme").exists());
    runtime.block_on(Server::bind(config)).expect("it starts");
    assert!(folder.is_dir());
    assert_eq!(fs::read_dir(folder).expect("readable").count(), 0);
}

#[test]
fn no_port_is_listened_on_twice() {
    let port = free_port();
    let admin = |host: &str| AdminConfig {
        host: host.to_owned(),
        port,
        ..AdminConfig::default()
    };
    let text = Config {
        port,
        text_port: Some(port),
        ..local(Config::default())
    };
    let local_admin = Config {
        port,
        admin: Some(admin("127.0.0.1")),
        ..local(Config::default())
    };
    let everywhere = Config {
        host: "0.0.0.0".to_owned(),
        ..local_admin.clone()
    };
    for config in [text, local_admin.clone(), everywhere] {
        for said in both(&config) {
            let error = said.expect_err("a port is named twice");
            let StartError::SamePort { port: named } = error else {
                panic!("{error}");
            };
            assert_eq!(named, port);
        }
    }
    // Where a socket listens already, the configured port does not count.
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let sockets = Sockets {
        admin: Some(socket),
        ..Sockets::default()
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let started = runtime.block_on(Server::bind_with(local_admin, sockets));
    started.map(drop).expect("they are apart");
}

#[test]
fn ports_that_the_system_chooses_are_apart() {
    let config = local(Config {
        text_port: Some(0),
        admin: Some(AdminConfig {
            port: 0,
            ..AdminConfig::default()
        }),
        ..Config::default()
    });
    for said in both(&config) {
        said.expect("it starts");
    }
}

#[test]
fn nothing_that_is_zero_by_mistake_gets_through() {
    let authority = Authority::new();
    authority.write(&authority.issue());
    let tls = TlsConfig {
        watch_interval: Duration::ZERO,
        ..authority.tls()
    };
    let config = local(Config {
        tls: Some(tls.clone()),
        ..Config::default()
    });
    for said in both(&config) {
        let error = said.expect_err("it would look all the time");
        let is_meant = matches!(error, StartError::Tls(TlsError::WatchInterval));
        assert!(is_meant, "{error}");
    }
    let server = Running::start(Config {
        tls: Some(authority.tls()),
        ..Config::default()
    });
    let mut config = server.config.clone();
    config.tls = Some(tls);
    assert!(server.handle.reload(config).is_err());
    let config = Config {
        policy: Policy {
            max_peers: 0,
            ..Policy::default()
        },
        ..server.config.clone()
    };
    assert!(server.handle.reload(config).is_err());
}

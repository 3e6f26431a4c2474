//! Certificates that are replaced while a server runs: nobody is dropped, and nothing unusable comes into use.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{SanType, date_time_ymd};
use wigwag_server::{ClientCertificates, Config, TlsConfig, TlsError, TlsFiles};

use crate::tls_stage::{Authority, Issued, logged, put, serve, wait_for_log};

/// Tells the clients to end, also when something fails.
struct Finish<'a>(&'a AtomicBool);

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn nobody_is_dropped_while_certificates_are_replaced_under_load() {
    const ROUNDS: usize = 10;
    let authority = Authority::new();
    let all: Vec<Issued> = (0..=ROUNDS).map(|_| authority.issue()).collect();
    let shown: HashSet<_> = all.iter().map(|issued| issued.der.to_vec()).collect();
    let server = authority.serve(&all[0]);
    let client = authority.client();
    let mut staying: Vec<_> = (0..10).map(|_| client.connect(&server)).collect();
    let (done, connected) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let _finish = Finish(&done);
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    // Panics if it is not served.
                    let mut peer = client.connect(&server);
                    assert!(shown.contains(peer.certificate().as_ref()));
                    peer.converse();
                    connected.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for next in &all[1..] {
            // The certificate a moment before its key.
            put(&authority.files().certificate, &next.certificate);
            thread::yield_now();
            put(&authority.files().key, &next.key);
            client.wait_for(&server, next);
            for peer in &mut staying {
                peer.converse();
            }
        }
    });
    assert!(connected.load(Ordering::Relaxed) > 0);
    for peer in &mut staying {
        peer.converse();
        assert_eq!(peer.certificate(), all[0].der, "it was not disturbed");
    }
    let tls = server.handle.tls().expect("it has TLS");
    assert_eq!(tls.handshakes_failed(), 0);
}

#[test]
fn a_pair_that_does_not_match_waits_for_its_other_half() {
    let authority = Authority::new();
    let (old, new) = (authority.issue(), authority.issue());
    let server = authority.serve(&old);
    let client = authority.client();
    let files = authority.files();
    put(&files.certificate, &new.certificate);
    let path = files.certificate.to_string_lossy().into_owned();
    let line = wait_for_log(&["WARN", &path, "cannot be used together", "stay in use"]);
    assert!(!line.contains("PRIVATE"), "{line}");
    assert_eq!(client.connect(&server).certificate(), old.der);
    let tls = server.handle.tls().expect("it has TLS");
    let error = tls.reload().expect_err("they do not match");
    assert!(matches!(error, TlsError::Mismatch { .. }), "{error}");
    put(&files.key, &new.key);
    client.wait_for(&server, &new);
    wait_for_log(&["INFO", &path, "was replaced", "until"]);
    // It was looked at many times, and said once.
    let said = logged(&["WARN", &path, "cannot be used together"]);
    assert_eq!(said.len(), 1, "{said:?}");
}

#[test]
fn files_that_are_gone_for_a_moment_are_waited_for() {
    let authority = Authority::new();
    let (old, new) = (authority.issue(), authority.issue());
    let server = authority.serve(&old);
    let files = authority.files();
    fs::remove_file(&files.certificate).expect("removed");
    fs::remove_file(&files.key).expect("removed");
    let path = files.certificate.to_string_lossy().into_owned();
    wait_for_log(&["WARN", &path, "cannot read"]);
    assert_eq!(authority.client().connect(&server).certificate(), old.der);
    authority.write(&new);
    authority.client().wait_for(&server, &new);
}

#[test]
fn a_replacement_that_has_expired_is_refused() {
    let authority = Authority::new();
    let old = authority.issue();
    let expired = authority.issue_with(|params| {
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(2001, 1, 1);
    });
    let server = authority.serve(&old);
    let client = authority.client();
    authority.write(&expired);
    let path = authority.files().certificate;
    wait_for_log(&["WARN", &path.to_string_lossy(), "2001", "not now"]);
    assert_eq!(client.connect(&server).certificate(), old.der);
    let tls = server.handle.tls().expect("it has TLS");
    let error = tls.reload().expect_err("it has expired");
    assert!(matches!(error, TlsError::NotValidNow { .. }), "{error}");
    let new = authority.issue();
    authority.write(&new);
    client.wait_for(&server, &new);
}

/// As Kubernetes does: all files are links through one link to a folder, and that link is replaced.
#[test]
fn one_link_to_all_files_can_be_replaced() {
    let authority = Authority::new();
    let (old, new) = (authority.issue(), authority.issue());
    let place = |name: &str, issued: &Issued| {
        let folder = authority.path(name);
        fs::create_dir(&folder).expect("a folder");
        put(&folder.join("cert.pem"), &issued.certificate);
        put(&folder.join("key.pem"), &issued.key);
    };
    place("..first", &old);
    symlink("..first", authority.path("..data")).expect("a link");
    for name in ["cert.pem", "key.pem"] {
        symlink(Path::new("..data").join(name), authority.path(name)).expect("a link");
    }
    let server = serve(authority.tls());
    let client = authority.client();
    assert_eq!(client.connect(&server).certificate(), old.der);
    place("..second", &new);
    symlink("..second", authority.path("..new")).expect("a link");
    fs::rename(authority.path("..new"), authority.path("..data")).expect("renamed");
    client.wait_for(&server, &new);
    fs::remove_dir_all(authority.path("..first")).expect("removed");
    assert_eq!(client.connect(&server).certificate(), new.der);
}

/// As certbot does: each file is a link of its own into an archive.
#[test]
fn links_can_be_replaced_one_by_one() {
    let authority = Authority::new();
    let all = [authority.issue(), authority.issue()];
    for (number, issued) in all.iter().enumerate() {
        put(
            &authority.path(&format!("fullchain{number}.pem")),
            &issued.certificate,
        );
        put(
            &authority.path(&format!("privkey{number}.pem")),
            &issued.key,
        );
    }
    let files = authority.files();
    let link = |number: usize, kind: &str, at: &Path| {
        let _ = fs::remove_file(at);
        symlink(format!("{kind}{number}.pem"), at).expect("a link");
    };
    link(0, "fullchain", &files.certificate);
    link(0, "privkey", &files.key);
    let server = serve(authority.tls());
    let client = authority.client();
    assert_eq!(client.connect(&server).certificate(), all[0].der);
    link(1, "privkey", &files.key);
    let path = files.key.to_string_lossy().into_owned();
    wait_for_log(&["WARN", &path, "cannot be used together"]);
    link(1, "fullchain", &files.certificate);
    client.wait_for(&server, &all[1]);
}

#[test]
fn it_is_known_until_when_the_certificate_is_valid() {
    let authority = Authority::new();
    let until = |year| authority.issue_with(|params| params.not_after = date_time_ymd(year, 1, 1));
    let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).expect("later").as_secs();
    let server = authority.serve(&until(2100));
    let tls = server.handle.tls().expect("it has TLS");
    assert_eq!(tls.certificate_expires().map(seconds), Some(4_102_444_800));
    let soon = SystemTime::now() + Duration::from_secs(3 * 24 * 60 * 60);
    let late = authority.issue_with(|params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = soon.into();
    });
    authority.write(&late);
    tls.reload().expect("good files");
    assert_eq!(tls.certificate_expires().map(seconds), Some(seconds(soon)));
    wait_for_log(&["WARN", "expires soon", "days=2"]);
}

#[test]
fn other_settings_are_in_force_for_the_next_handshakes() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let (old, new) = (authority.issue(), authority.issue());
    let server = authority.serve(&old);
    let tls = server.handle.tls().expect("it has TLS");
    let client = authority.client();
    let mut staying = client.connect(&server);
    let files = TlsFiles {
        certificate: authority.path("other-cert.pem"),
        key: authority.path("other-key.pem"),
    };
    put(&files.certificate, &new.certificate);
    put(&files.key, &new.key);
    let config = TlsConfig {
        client_certificates: Some(ClientCertificates {
            authority: clients.file(),
            required: true,
        }),
        ..files.clone().into()
    };
    assert!(tls.reconfigure(&config).expect("good settings"));
    staying.converse();
    client
        .try_connect(&server)
        .err()
        .expect("it is asked for a certificate");
    let mut known = client.clone();
    known.identity = Some(clients.issue());
    assert_eq!(known.connect(&server).certificate(), new.der);
    // A defect changes nothing.
    let missing = TlsFiles {
        key: authority.path("missing.pem"),
        ..files
    };
    tls.reconfigure(&missing.into()).expect_err("no key");
    tls.reload().expect("the files in use are good");
    assert_eq!(known.connect(&server).certificate(), new.der);
    // Where certificates come from, and whether there are any, is settled at the start.
    let acme = wigwag_server::AcmeConfig::new(vec!["localhost".into()], authority.path("acme"));
    for tls in [Some(acme.into()), None] {
        let wanted = Config {
            tls,
            ..server.config.clone()
        };
        let reloaded = server.handle.reload(wanted).expect("good settings");
        assert_eq!(reloaded.needs_restart, ["tls"]);
    }
    let reloaded = server.handle.reload(server.config.clone());
    assert!(reloaded.expect("as at first").needs_restart.is_empty());
    assert_eq!(client.connect(&server).certificate(), old.der);
}

#[test]
fn server_known_by_the_names_in_the_certificate_in_use() {
    let authority = Authority::new();
    let names = |names: &[&str]| {
        let names: Vec<_> = names
            .iter()
            .map(|name| SanType::DnsName((*name).try_into().expect("a name")))
            .collect();
        authority.issue_with(|params| params.subject_alt_names.extend(names))
    };
    let server = authority.serve(&names(&["cam.test", "*.home.test"]));
    let client = authority.client();
    let status = |host: &str| client.get_page(&server, host)[9..12].to_owned();
    for (host, expected) in [
        ("cam.test:8443", "200"),
        ("a.home.test", "200"),
        ("home.test", "403"),
        ("later.test", "403"),
    ] {
        assert_eq!(status(host), expected, "{host}");
    }
    let renewed = names(&["later.test"]);
    authority.write(&renewed);
    client.wait_for(&server, &renewed);
    assert_eq!(status("later.test"), "200");
    assert_eq!(status("cam.test"), "403");
}

#[test]
fn page_of_a_certified_name_says_to_use_tls_alone_on_request() {
    const DAY: Duration = Duration::from_secs(86_400);
    let authority = Authority::new();
    let issued = authority.issue_with(|params| {
        let name = "cam.test".try_into().expect("a name");
        params.subject_alt_names.push(SanType::DnsName(name));
    });
    authority.write(&issued);
    let client = authority.client();
    let header = "strict-transport-security: ";
    let server = serve(authority.tls());
    assert!(!client.get_page(&server, "cam.test").contains(header));
    let server = serve(TlsConfig {
        hsts_max_age: DAY,
        ..authority.tls()
    });
    let page = client.get_page(&server, "cam.test:8443");
    assert!(
        page.contains("strict-transport-security: max-age=86400\r\n"),
        "{page}"
    );
    // What a certificate does not name, or no other machine has.
    for host in ["127.0.0.1", "localhost"] {
        let page = client.get_page(&server, host);
        assert!(
            page.starts_with("HTTP/1.1 200") && !page.contains(header),
            "{host} {page}"
        );
    }
}

//! Whatever bytes come where a TLS handshake is expected: the connection ends, and nothing is kept.
//!
//! The last byte says in which pieces they come, so that the seeds are plain ClientHellos.
#![no_main]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::OnceLock;
use std::time::Duration;
use std::{env, fs, process};

use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::time::timeout;
use wigwag_server::in_memory::InMemoryServer;
use wigwag_server::{Config, Limits, TlsFiles};

/// More than any connection that has said everything may last.
const DEADLINE: Duration = Duration::from_secs(3600);
const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));

fuzz_target!(|bytes: &[u8]| {
    static SERVER: OnceLock<InMemoryServer> = OnceLock::new();
    let Some((piece, bytes)) = bytes.split_last() else {
        return;
    };
    let server = SERVER.get_or_init(server);
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime")
        .block_on(async {
            let (client, stream) = duplex(1_024);
            server.accept_from(ADDRESS, stream).await;
            let (mut from, mut to) = tokio::io::split(client);
            let say = async {
                for piece in bytes.chunks((usize::from(*piece) * 64).max(1)) {
                    if to.write_all(piece).await.is_err() {
                        return;
                    }
                    tokio::task::yield_now().await;
                }
                let _ = to.shutdown().await;
            };
            let mut answers = Vec::new();
            let hear = from.read_to_end(&mut answers);
            let ended = timeout(DEADLINE, async { tokio::join!(say, hear) }).await;
            ended.expect("the connection ends").1.ok();
            while server.connections() > 0 {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            assert_eq!(server.remembered(), 0, "something is kept of a handshake");
        });
});

/// A server with a certificate of this run, in files that it reads at its start.
fn server() -> InMemoryServer {
    let made = rcgen::generate_simple_self_signed(["fuzz.example".to_owned()]);
    let made = made.expect("a certificate");
    let folder = env::temp_dir();
    let write = |name: &str, text: String| {
        let file = folder.join(format!("wigwag-fuzz-{}-{name}.pem", process::id()));
        fs::write(&file, text).expect("written");
        file
    };
    let files = TlsFiles {
        certificate: write("certificate", made.cert.pem()),
        key: write("key", made.signing_key.serialize_pem()),
    };
    let config = Config {
        tls: Some(files.clone().into()),
        limits: Limits {
            // All inputs come from one address.
            address_connections_per_second: u32::MAX,
            ..Limits::default()
        },
        ..Config::default()
    };
    let server = InMemoryServer::new(&config).expect("a good configuration");
    for file in [files.certificate, files.key] {
        fs::remove_file(file).expect("removed");
    }
    server
}

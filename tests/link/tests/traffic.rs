//! Real packets between two hosts. It takes root, as everything that makes hosts inside the kernel.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::panic::{self, AssertUnwindSafe};
use std::process::{self, Command};
use std::thread;
use std::time::{Duration, Instant};

use wigwag_link::{Conditions, Counters, Direction, LinkPair, Loss, QueueLimit, Side};

/// How long to wait for anything: long enough for a busy machine, since success never waits it out.
const DEADLINE: Duration = Duration::from_secs(60);

/// IPv4's header and UDP's, in bytes.
const HEADERS: usize = 28;

fn link(a_to_b: Conditions) -> LinkPair {
    LinkPair::new(a_to_b, Conditions::default()).expect("a link")
}

fn socket(link: &LinkPair, side: Side, address: impl Into<IpAddr>) -> UdpSocket {
    let address = SocketAddr::new(address.into(), 0);
    let socket = link.run(side, || UdpSocket::bind(address));
    let socket = socket.expect("a host").expect("a socket");
    let timeout = socket.set_read_timeout(Some(DEADLINE));
    timeout.expect("a deadline");
    socket
}

/// A socket of A that sends to one of B.
fn sockets(link: &LinkPair) -> (UdpSocket, UdpSocket) {
    let from = socket(link, Side::A, Side::A.ipv4());
    let to = socket(link, Side::B, Side::B.ipv4());
    from.connect(address(&to)).expect("connected");
    (from, to)
}

fn address(socket: &UdpSocket) -> SocketAddr {
    socket.local_addr().expect("an address")
}

fn send(socket: &UdpSocket, number: usize, bytes: usize) {
    let mut datagram = vec![0; bytes];
    datagram[..8].copy_from_slice(&(number as u64).to_be_bytes());
    socket.send(&datagram).expect("sent");
}

fn receive(socket: &UdpSocket) -> u64 {
    let mut buffer = [0; 2_048];
    // A socket with a time limit does not go on by itself after a signal (signal(7)).
    while let Err(error) = socket.recv(&mut buffer) {
        assert_eq!(error.kind(), ErrorKind::Interrupted, "no datagram: {error}");
    }
    u64::from_be_bytes(*buffer.first_chunk().expect("eight bytes"))
}

/// What is counted from A to B once that is so.
fn wait_until(link: &LinkPair, mut done: impl FnMut(&Counters) -> bool) -> Counters {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let counters = link.counters(Direction::AToB).expect("counters");
        if done(&counters) {
            return counters;
        }
        assert!(Instant::now() < deadline, "not in time: {counters:?}");
        thread::sleep(Duration::from_millis(1));
    }
}

fn ip(link: &LinkPair, side: Side, arguments: &[&str]) -> String {
    let mut command = Command::new("ip");
    command.args(arguments);
    let output = link.enter(side, &command).output().expect("output");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn echo_takes_the_delays_of_both_directions() {
    let (there, back) = (Duration::from_millis(30), Duration::from_millis(20));
    let link = LinkPair::new(Conditions::delayed(there), Conditions::delayed(back));
    let link = link.expect("a link");
    let families: [fn(Side) -> IpAddr; 2] = [|side| side.ipv4().into(), |side| side.ipv6().into()];
    for family in families {
        let here = socket(&link, Side::A, family(Side::A));
        let echo = socket(&link, Side::B, family(Side::B));
        here.connect(address(&echo)).expect("connected");
        for number in 0..5 {
            let sent_at = Instant::now();
            send(&here, number, 100);
            let mut buffer = [0; 2_048];
            let (length, from) = echo.recv_from(&mut buffer).expect("a datagram");
            assert!(sent_at.elapsed() >= there);
            assert_eq!(from, address(&here));
            echo.send_to(&buffer[..length], from).expect("sent");
            assert_eq!(receive(&here), number as u64);
            assert!(sent_at.elapsed() >= there + back);
        }
    }
}

#[test]
fn flood_is_limited_to_the_rate_and_the_queue_and_keeps_its_order() {
    const PACKETS: usize = 500;
    const BYTES: usize = 1_200;
    let rate = 4_000_000;
    let queue = 20 * (BYTES + HEADERS);
    let link = link(Conditions {
        delay: Duration::from_millis(10),
        ..Conditions::limited(rate, QueueLimit::Bytes(queue))
    });
    let (from, to) = sockets(&link);
    to.set_nonblocking(true).expect("non-blocking");
    let begin = Instant::now();
    for number in 0..PACKETS {
        send(&from, number, BYTES);
    }
    let mut numbers = Vec::new();
    let counters = wait_until(&link, |counters| {
        // Before its socket is full.
        let mut datagram = [0; BYTES];
        while to.recv(&mut datagram).is_ok() {
            numbers.push(*datagram.first_chunk().expect("eight bytes"));
        }
        let gone = counters.passed.packets + counters.dropped_at_queue.packets;
        gone == PACKETS as u64
    });
    let elapsed = begin.elapsed();
    assert_eq!(counters.arrived.bytes, (PACKETS * (BYTES + HEADERS)) as u64);
    // What was transmitted first and what waited behind it; more if the sender was slow.
    assert!(counters.passed.packets >= 21, "{counters:?}");
    let most = elapsed.as_secs_f64() * rate as f64 / 8.0;
    let passed = counters.passed.bytes as f64;
    assert!(passed <= most, "{counters:?} in {elapsed:?}");
    let numbers: Vec<_> = numbers.into_iter().map(u64::from_be_bytes).collect();
    assert!(!numbers.is_empty() && numbers.is_sorted(), "{numbers:?}");
}

#[test]
fn loss_is_what_the_seed_makes_it() {
    const PACKETS: usize = 2_000;
    let probability = 0.1;
    let link = link(Conditions {
        loss: Loss::Independent(probability),
        ..Conditions::default()
    });
    let (from, to) = sockets(&link);
    let mut received = Vec::new();
    // So few at once that the socket has room for them.
    for first in (0..PACKETS).step_by(50) {
        for number in first..first + 50 {
            send(&from, number, 100);
        }
        let sent = first as u64 + 50;
        let counters = wait_until(&link, |counters| {
            counters.passed.packets + counters.lost.packets == sent
        });
        while (received.len() as u64) < counters.passed.packets {
            received.push(receive(&to));
        }
    }
    assert!(received.is_sorted());
    let lost = 1.0 - received.len() as f64 / PACKETS as f64;
    // Five standard deviations.
    let deviation = (probability * (1.0 - probability) / PACKETS as f64).sqrt();
    assert!((lost - probability).abs() < 5.0 * deviation, "{lost}");
}

#[test]
fn conditions_change_while_packets_flow() {
    let link = link(Conditions::default());
    let (from, to) = sockets(&link);
    send(&from, 0, 100);
    assert_eq!(receive(&to), 0);

    let dead = Conditions {
        loss: Loss::Independent(1.0),
        ..Conditions::default()
    };
    link.set(Direction::AToB, dead.clone()).expect("set");
    assert_eq!(link.conditions(Direction::AToB).expect("conditions"), dead);
    send(&from, 1, 100);
    wait_until(&link, |counters| counters.lost.packets == 1);

    let delay = Duration::from_millis(25);
    let delayed = link.set(Direction::AToB, Conditions::delayed(delay));
    delayed.expect("set");
    let sent_at = Instant::now();
    send(&from, 2, 100);
    assert_eq!(receive(&to), 2);
    assert!(sent_at.elapsed() >= delay);
}

#[test]
fn impossible_conditions_are_refused_and_the_link_goes_on() {
    let link = link(Conditions::default());
    let slow = Conditions::limited(1, QueueLimit::Bytes(1));
    let refused = link.set(Direction::AToB, slow).expect_err("refused");
    assert!(
        refused.to_string().contains("below the slowest"),
        "{refused}"
    );
    let (from, to) = sockets(&link);
    send(&from, 0, 100);
    assert_eq!(receive(&to), 0);
}

#[test]
fn tcp_arrives_whole_over_a_bad_link() {
    let bad = Conditions {
        delay: Duration::from_millis(5),
        jitter: Duration::from_millis(2),
        reorder: true,
        loss: Loss::bursts(0.01, 2.0).expect("possible"),
        ..Conditions::limited(20_000_000, QueueLimit::Bytes(60_000))
    };
    let link = LinkPair::new(bad.clone(), bad).expect("a link");
    let listener = link.run(Side::B, || TcpListener::bind((Side::B.ipv6(), 0)));
    let listener = listener.expect("a host").expect("a listener");
    let address = listener.local_addr().expect("an address");
    let text: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
    let sent = text.clone();
    let stream = link.run(Side::A, || TcpStream::connect(address));
    let mut stream = stream.expect("a host").expect("a connection");
    let sender = thread::spawn(move || stream.write_all(&sent));
    let (mut stream, _) = listener.accept().expect("a connection");
    stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
    let mut received = Vec::new();
    stream.read_to_end(&mut received).expect("all of it");
    sender.join().expect("no panic").expect("sent");
    assert!(received == text);
}

#[test]
fn datagram_above_the_mtu_comes_in_fragments() {
    let link = link(Conditions::default());
    let (from, to) = sockets(&link);
    from.send(&[7; 4_000]).expect("sent");
    let mut buffer = [0; 5_000];
    assert_eq!(to.recv(&mut buffer).expect("a datagram"), 4_000);
    let counters = wait_until(&link, |counters| counters.passed.packets == 3);
    assert_eq!(counters.dropped_at_mtu.packets, 0);
}

#[test]
fn multicast_stays_on_its_host() {
    let link = link(Conditions::default());
    let (from, to) = sockets(&link);
    from.send_to(b"anybody?", ("224.0.0.251", 5_353))
        .expect("sent");
    send(&from, 0, 100);
    assert_eq!(receive(&to), 0);
    // Had it crossed, it would have been before the other.
    let counters = link.counters(Direction::AToB).expect("counters");
    assert_eq!(counters.arrived.packets, 1);
}

#[test]
fn program_on_a_host_has_its_addresses_and_no_others() {
    let link = link(Conditions::default());
    for side in Side::BOTH {
        let addresses = ip(
            &link,
            side,
            &["-oneline", "address", "show", "dev", "link0"],
        );
        assert!(
            addresses.contains(&format!("{}/24", side.ipv4())),
            "{addresses}"
        );
        assert!(
            addresses.contains(&format!("{}/64", side.ipv6())),
            "{addresses}"
        );
        assert_eq!(addresses.lines().count(), 2, "{addresses}");
    }
}

#[test]
fn interface_that_is_down_refuses_packets() {
    let link = link(Conditions::default());
    let (from, _to) = sockets(&link);
    ip(&link, Side::B, &["link", "set", "link0", "down"]);
    send(&from, 0, 100);
    let counters = wait_until(&link, |counters| counters.refused.packets == 1);
    assert_eq!(counters.passed.packets, 0);
}

#[test]
fn interface_that_is_gone_is_reported() {
    let link = link(Conditions::default());
    ip(&link, Side::A, &["link", "delete", "link0"]);
    let deadline = Instant::now() + DEADLINE;
    let error = loop {
        match link.counters(Direction::AToB) {
            Err(error) => break error.to_string(),
            Ok(_) => assert!(Instant::now() < deadline, "still there"),
        }
        thread::sleep(Duration::from_millis(1));
    };
    assert!(error.contains("the link has stopped"), "{error}");
    assert!(error.contains("network interface"), "{error}");
}

/// The network namespaces of the hosts, kept for as long as these are open.
fn networks(link: &LinkPair) -> [File; 2] {
    Side::BOTH.map(|side| {
        let network = link.run(side, || File::open("/proc/thread-self/ns/net"));
        network.expect("a host").expect("a network")
    })
}

/// How many processes are in a network.
fn processes_in(network: &File) -> usize {
    let number = network.metadata().expect("metadata").ino();
    let processes = fs::read_dir("/proc").expect("processes");
    processes
        .filter_map(|process| fs::metadata(process.ok()?.path().join("ns/net")).ok())
        .filter(|network| network.ino() == number)
        .count()
}

fn interfaces_of(network: &File) -> String {
    let path = format!("/proc/{}/fd/{}", process::id(), network.as_raw_fd());
    let mut command = Command::new("nsenter");
    command.arg(format!("--net={path}")).args(["ip", "link"]);
    let output = command.output().expect("output");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Waits until nobody is in a network and its interface is gone: a process that another test has just started may have the
/// device open until it runs its program.
fn wait_until_gone(network: &File) {
    let deadline = Instant::now() + DEADLINE;
    while processes_in(network) > 0 || interfaces_of(network).contains("link0") {
        assert!(Instant::now() < deadline, "still there");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn hosts_are_gone_with_the_link() {
    let link = link(Conditions::default());
    let networks = networks(&link);
    for network in &networks {
        assert_eq!(processes_in(network), 1);
        assert!(interfaces_of(network).contains("link0"));
    }
    drop(link);
    networks.iter().for_each(wait_until_gone);
}

#[test]
fn hosts_are_gone_after_a_panic() {
    let mut networks_of_link = None;
    let panicked = panic::catch_unwind(AssertUnwindSafe(|| {
        let link = link(Conditions::default());
        networks_of_link = Some(networks(&link));
        panic!("as a test that fails");
    }));
    assert!(panicked.is_err());
    let networks = networks_of_link.expect("networks");
    networks.iter().for_each(wait_until_gone);
}

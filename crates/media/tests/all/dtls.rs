//! The DTLS provider: handshakes with RSA and ECDSA peers in both roles, over links that lose, with an
//! implementation that is not ours, and with hostile datagrams.

use std::thread;
use std::time::Instant;

use openssl::asn1::Asn1Time;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use openssl::x509::{X509, X509NameBuilder};
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use str0m_proto::crypto::dtls::{DtlsCert, DtlsInstance, DtlsProvider, SrtpProfile};
use str0m_proto::crypto::{CryptoProvider, DtlsVersion};

use crate::lossy_link::{End, Link};

fn ours() -> &'static dyn DtlsProvider {
    wigwag_media::crypto_provider().dtls_provider
}

/// str0m's own DTLS, which shares no code with OpenSSL.
fn foreign() -> CryptoProvider {
    str0m_aws_lc_rs::default_provider()
}

fn ecdsa() -> DtlsCert {
    ours().generate_certificate().expect("a certificate")
}

/// What `webrtcbin` makes for itself: RSA with 2,048 bits.
fn rsa() -> DtlsCert {
    let key = PKey::from_rsa(Rsa::generate(2048).expect("a key")).expect("a key");
    let mut name = X509NameBuilder::new().expect("a name");
    name.append_entry_by_nid(Nid::COMMONNAME, "GStreamer")
        .expect("a name");
    let name = name.build();
    let mut certificate = X509::builder().expect("a certificate");
    let (start, end) = (Asn1Time::days_from_now(0), Asn1Time::days_from_now(30));
    certificate.set_version(2).expect("set");
    certificate.set_subject_name(&name).expect("set");
    certificate.set_issuer_name(&name).expect("set");
    certificate
        .set_not_before(&start.expect("a time"))
        .expect("set");
    certificate
        .set_not_after(&end.expect("a time"))
        .expect("set");
    certificate.set_pubkey(&key).expect("set");
    certificate
        .sign(&key, MessageDigest::sha256())
        .expect("signed");
    DtlsCert {
        certificate: certificate.build().to_der().expect("DER"),
        private_key: key.private_key_to_pkcs8().expect("DER"),
    }
}

fn end(provider: &dyn DtlsProvider, certificate: &DtlsCert, active: bool) -> End {
    let dtls = provider.new_dtls(
        certificate,
        Instant::now(),
        DtlsVersion::Dtls12,
        Some(1_200),
    );
    End::new(dtls.expect("an instance"), active)
}

fn instance(certificate: &DtlsCert) -> Box<dyn DtlsInstance> {
    ours()
        .new_dtls(
            certificate,
            Instant::now(),
            DtlsVersion::Dtls12,
            Some(1_200),
        )
        .expect("an instance")
}

fn both_connected(a: &End, b: &End) -> bool {
    a.connected && b.connected && a.keys.is_some() && b.keys.is_some()
}

fn check(a: &End, b: &End, a_certificate: &DtlsCert, b_certificate: &DtlsCert) {
    assert_eq!(a.keys, b.keys, "both have the same keys");
    let of_peer = |end: &End| end.peer_certificate.clone().expect("a certificate");
    assert_eq!(of_peer(a), b_certificate.certificate);
    assert_eq!(of_peer(b), a_certificate.certificate);
    assert!(a.failure.is_none() && b.failure.is_none());
}

#[test]
fn peers_with_rsa_and_ecdsa_connect_in_both_roles() {
    let (rsa, ecdsa) = (rsa(), ecdsa());
    for (client, server) in [
        (&ecdsa, &ecdsa),
        (&rsa, &ecdsa),
        (&ecdsa, &rsa),
        (&rsa, &rsa),
    ] {
        let (mut a, mut b) = (end(ours(), client, true), end(ours(), server, false));
        Link::new(0.0, 0).run(&mut a, &mut b, both_connected);
        check(&a, &b, client, server);
        let (_, profile) = a.keys.expect("keys");
        assert_eq!(profile, SrtpProfile::AEAD_AES_128_GCM, "the cheapest first");
    }
}

#[test]
fn a_handshake_survives_the_loss_of_a_fifth() {
    let (rsa, ecdsa) = (rsa(), ecdsa());
    // Each waits for its retransmissions in real time, so all at once.
    thread::scope(|scope| {
        for seed in 0..24 {
            let (rsa, ecdsa) = (&rsa, &ecdsa);
            scope.spawn(move || {
                let client = if seed % 2 == 0 { rsa } else { ecdsa };
                let server = if seed % 4 < 2 { rsa } else { ecdsa };
                let (mut a, mut b) = (end(ours(), client, true), end(ours(), server, false));
                Link::new(0.2, seed).run(&mut a, &mut b, both_connected);
                check(&a, &b, client, server);
            });
        }
    });
}

#[test]
fn an_implementation_that_is_not_ours_connects_in_both_roles_over_a_lossy_link() {
    let foreign = foreign().dtls_provider;
    let ecdsa = ecdsa();
    let theirs = foreign.generate_certificate().expect("a certificate");
    thread::scope(|scope| {
        for seed in 0..12 {
            let (ecdsa, theirs) = (&ecdsa, &theirs);
            scope.spawn(move || {
                let we_begin = seed % 2 == 0;
                let loss = if seed < 2 { 0.0 } else { 0.2 };
                let mut a = end(ours(), ecdsa, we_begin);
                let mut b = end(foreign, theirs, !we_begin);
                Link::new(loss, seed).run(&mut a, &mut b, both_connected);
                check(&a, &b, ecdsa, theirs);
            });
        }
    });
}

#[test]
fn data_passes_both_ways_and_a_close_is_heard() {
    let certificate = ecdsa();
    let (mut a, mut b) = (
        end(ours(), &certificate, true),
        end(ours(), &certificate, false),
    );
    let mut link = Link::new(0.0, 0);
    assert_eq!(a.dtls.send_application_data(b"early").expect("waits"), 0);
    link.run(&mut a, &mut b, both_connected);
    for size in [1, 100, 1_100] {
        let data = vec![7; size];
        assert_eq!(a.dtls.send_application_data(&data).expect("sent"), size);
        assert_eq!(b.dtls.send_application_data(&data).expect("sent"), size);
        link.run(&mut a, &mut b, |a, b| {
            a.received.last() == Some(&data) && b.received.last() == Some(&data)
        });
    }
    a.dtls.close().expect("closed");
    link.run(&mut a, &mut b, |_, b| b.closed_by_peer);
    assert!(a.dtls.is_closed() && b.dtls.is_closed());
    assert!(a.dtls.send_application_data(b"late").is_err());
}

#[test]
fn a_peer_that_never_answers_is_given_up() {
    let certificate = ecdsa();
    let (mut a, mut b) = (
        end(ours(), &certificate, true),
        end(ours(), &certificate, false),
    );
    Link::new(1.0, 0).run(&mut a, &mut b, |a, _| a.failure.is_some());
    let left = ErrorStack::get();
    assert!(
        left.errors().is_empty(),
        "another connection would find {left}"
    );
}

#[test]
fn garbage_during_a_handshake_does_no_harm() {
    let certificate = ecdsa();
    for seed in 0..50 {
        let mut random = StdRng::seed_from_u64(seed);
        let (mut a, mut b) = (
            end(ours(), &certificate, true),
            end(ours(), &certificate, false),
        );
        for _ in 0..20 {
            let mut datagram = vec![0; random.random_range(0..1_500)];
            random.fill_bytes(&mut datagram);
            // A record's head now and then, so that it is looked at more closely.
            if datagram.len() > 13 && random.random_bool(0.5) {
                datagram[..3].copy_from_slice(&[22, 254, 253]);
            }
            // Anybody may send it, so it must not even be an error.
            let taken = b.dtls.handle_packet(&datagram);
            taken.expect("it is thrown away");
        }
        Link::new(0.0, seed).run(&mut a, &mut b, |a, b| {
            both_connected(a, b) || a.failure.is_some() || b.failure.is_some()
        });
        check(&a, &b, &certificate, &certificate);
    }
}

/// Leaves an error in OpenSSL's queue of this thread, as another connection might.
fn leave_error() {
    let error = X509::from_pem(b"nonsense").expect_err("it is no certificate");
    assert!(!error.errors().is_empty());
    error.put();
}

#[test]
fn error_that_another_connection_left_behind_ends_nothing() {
    let certificate = ecdsa();
    let mut link = Link::new(0.0, 0);
    let (mut a, mut b) = (
        end(ours(), &certificate, true),
        end(ours(), &certificate, false),
    );
    leave_error();
    link.run(&mut a, &mut b, |a, b| {
        leave_error();
        both_connected(a, b)
    });
    check(&a, &b, &certificate, &certificate);
    for _ in 0..3 {
        leave_error();
        a.dtls.send_application_data(b"data").expect("it is sent");
        let before = b.received.len();
        link.run(&mut a, &mut b, |_, b| {
            leave_error();
            b.received.len() > before
        });
    }
    leave_error();
    a.dtls.close().expect("it is closed");
    link.run(&mut a, &mut b, |_, b| {
        leave_error();
        b.closed_by_peer
    });
    assert!(a.failure.is_none() && b.failure.is_none());
}

#[test]
fn an_empty_packet_begins_a_handshake_and_does_no_harm() {
    let certificate = ecdsa();
    let (mut a, mut b) = (
        end(ours(), &certificate, true),
        end(ours(), &certificate, false),
    );
    for end in [&mut a, &mut b] {
        end.dtls.handle_packet(&[]).expect("nothing wrong");
    }
    Link::new(0.0, 0).run(&mut a, &mut b, both_connected);
}

#[test]
fn only_dtls_1_2_is_offered() {
    let refused = ours().new_dtls(&ecdsa(), Instant::now(), DtlsVersion::Dtls13, None);
    let error = refused.expect_err("DTLS 1.3 is not there").to_string();
    assert!(error.contains("DTLS 1.2"), "{error}");
    assert_eq!(instance(&ecdsa()).protocol_version(), None);
}

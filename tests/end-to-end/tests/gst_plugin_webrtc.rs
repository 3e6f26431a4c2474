//! webrtcsink and webrtcsrc, as published, meet at the server and exchange video.

use anyhow::{Result, ensure};
use wigwag_end_to_end::gst_plugin_webrtc::{Endpoint, consume, listed_producer, listen, produce};
use wigwag_end_to_end::{Authority, Peer, SignallingServer};

const ENOUGH: u64 = 60;
const NEVER_ENOUGH: u64 = 1_000_000;

#[test]
fn video_arrives_over_ws() -> Result<()> {
    let server = SignallingServer::start()?;
    let endpoint = Endpoint::plain(&server);
    let (mut producer, id) = listed_producer(&endpoint)?;
    let mut consumer = consume(&endpoint, &id, ENOUGH)?;
    assert_video_arrives(&mut consumer)?;
    producer.stop()
}

#[test]
fn video_arrives_over_wss() -> Result<()> {
    let authority = Authority::new()?;
    let server = SignallingServer::start_secure(&authority.certify_server()?)?;
    let by_address = Endpoint::trusting(server.uri(), &authority.file());
    let by_name = Endpoint::trusting(server.uri_for("localhost"), &authority.file());
    let (_producer, id) = listed_producer(&by_address)?;
    let mut consumer = consume(&by_name, &id, ENOUGH)?;
    assert_video_arrives(&mut consumer)?;

    // Proves that the certificate was checked above.
    let stranger = Authority::new()?;
    let distrustful = Endpoint::trusting(server.uri(), &stranger.file());
    let refused = listen(&distrustful)?.wait_for_text("error", "details")?;
    ensure!(refused.contains("certificate"), "unexpected: {refused}");
    Ok(())
}

#[test]
fn two_consumers_receive_at_the_same_time() -> Result<()> {
    let server = SignallingServer::start()?;
    let endpoint = Endpoint::plain(&server);
    let (mut producer, id) = listed_producer(&endpoint)?;
    let mut first = consume(&endpoint, &id, NEVER_ENOUGH)?;
    first.wait_for("progress")?;

    let mut second = consume(&endpoint, &id, ENOUGH)?;
    assert_video_arrives(&mut second)?;
    let first_id = first.wait_for_text("registered", "peer")?;
    let second_id = second.wait_for_text("registered", "peer")?;
    for consumer in [&first_id, &second_id] {
        producer.wait_until("consumer-added", |event| event["peer"] == consumer.as_str())?;
    }

    // The second one leaving must not disturb the first.
    producer.wait_until("consumer-removed", |event| {
        event["peer"] == second_id.as_str()
    })?;
    let so_far = first.take_past("progress").iter().map(count).max();
    let more = so_far.unwrap_or(0) + ENOUGH;
    first.wait_until("progress", |event| count(event) >= more)?;
    Ok(())
}

#[test]
fn producer_hears_that_its_consumer_was_killed() -> Result<()> {
    let server = SignallingServer::start()?;
    let endpoint = Endpoint::plain(&server);
    let (mut producer, id) = listed_producer(&endpoint)?;
    let mut consumer = consume(&endpoint, &id, NEVER_ENOUGH)?;
    consumer.wait_for("progress")?;
    let consumer_id = consumer.wait_for_text("registered", "peer")?;

    consumer.kill()?;
    let removed = producer.wait_for_text("consumer-removed", "peer")?;
    assert_eq!(removed, consumer_id, "another consumer was removed");

    let mut next = consume(&endpoint, &id, ENOUGH)?;
    assert_video_arrives(&mut next)
}

#[test]
fn consumer_and_listener_hear_that_the_producer_was_killed() -> Result<()> {
    let server = SignallingServer::start()?;
    let endpoint = Endpoint::plain(&server);
    let (mut producer, id) = listed_producer(&endpoint)?;
    let mut listener = listen(&endpoint)?;
    listener.wait_for("producer-added")?;
    let mut consumer = consume(&endpoint, &id, NEVER_ENOUGH)?;
    consumer.wait_for("progress")?;

    producer.kill()?;
    consumer.wait_for("session-ended")?;
    let removed = listener.wait_for_text("producer-removed", "peer")?;
    assert_eq!(removed, id, "another producer was removed");
    Ok(())
}

#[test]
fn listeners_hear_of_present_and_of_new_producers() -> Result<()> {
    let server = SignallingServer::start()?;
    let endpoint = Endpoint::plain(&server);
    // Once it has heard of this one, the early listener is settled: see LISTENER_PATIENCE.
    let (_present, present_id) = listed_producer(&endpoint)?;
    let mut early = listen(&endpoint)?;
    early.wait_until("producer-added", |event| {
        event["peer"] == present_id.as_str()
    })?;

    let mut producer = produce(&endpoint, "Garden gate")?;
    let id = producer.wait_for_text("registered", "peer")?;
    let is_new = |event: &serde_json::Value| event["peer"] == id.as_str();
    let announced = early.wait_until("producer-added", is_new)?;
    let mut late = listen(&endpoint)?;
    let listed = late.wait_until("producer-added", is_new)?;
    for heard in [announced, listed] {
        assert_eq!(heard["name"], "Garden gate", "metadata changed");
    }

    // A producer that leaves in good order is gone as well.
    producer.stop()?;
    for listener in [&mut early, &mut late] {
        let removed = listener.wait_for_text("producer-removed", "peer")?;
        assert_eq!(removed, id, "another producer was removed");
    }
    Ok(())
}

#[test]
fn consumer_is_told_that_its_producer_is_unknown() -> Result<()> {
    let server = SignallingServer::start()?;
    let mut consumer = consume(&Endpoint::plain(&server), "nobody", ENOUGH)?;
    let details = consumer.wait_for_text("error", "details")?;
    ensure!(
        details.contains("'nobody' not found"),
        "unexpected: {details}"
    );
    assert_eq!(consumer.wait_for_exit()?.code(), Some(1));
    Ok(())
}

// Both elements report an error when the connection breaks off, though the media itself needs no
// server, and neither connects again: whoever runs them starts them anew.
#[test]
fn peers_notice_that_the_server_was_killed_and_can_meet_again_after_its_restart() -> Result<()> {
    let mut server = SignallingServer::start()?;
    let endpoint = Endpoint::plain(&server);
    let (mut producer, id) = listed_producer(&endpoint)?;
    let mut consumer = consume(&endpoint, &id, NEVER_ENOUGH)?;
    consumer.wait_for("progress")?;

    server.kill()?;
    for peer in [&mut producer, &mut consumer] {
        peer.wait_for("error")?;
        assert_eq!(peer.wait_for_exit()?.code(), Some(1));
    }

    server.start_again()?;
    let (_producer, id) = listed_producer(&endpoint)?;
    let mut consumer = consume(&endpoint, &id, ENOUGH)?;
    assert_video_arrives(&mut consumer)
}

fn assert_video_arrives(consumer: &mut Peer) -> Result<()> {
    let frames = consumer.wait_for("frames")?;
    assert_eq!(count(&frames), ENOUGH, "{frames}");
    assert_eq!(
        (&frames["width"], &frames["height"]),
        (&320.into(), &240.into())
    );
    assert_eq!(consumer.wait_for_exit()?.code(), Some(0));
    Ok(())
}

fn count(event: &serde_json::Value) -> u64 {
    event["count"].as_u64().unwrap_or(0)
}

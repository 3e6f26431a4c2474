//! An owner that has no room for events for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;

use wigwag_client::{NativeSignaller, Signaller, SignallerEvent};

use crate::running::{DEADLINE, Running, producer};

#[test]
fn event_without_room_is_offered_again_in_order() {
    let server = Running::new();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (send, events) = channel();
    let has_room = Arc::new(AtomicBool::new(true));
    let refused = Arc::new(AtomicUsize::new(0));
    let (room, count) = (Arc::clone(&has_room), Arc::clone(&refused));
    let signaller =
        NativeSignaller::start(producer(server.uri()), runtime.handle(), move |event| {
            if !room.load(Ordering::SeqCst) {
                count.fetch_add(1, Ordering::SeqCst);
                return Err(event);
            }
            let _ = send.send(event);
            Ok(())
        });
    let signaller = signaller.expect("it starts");
    let next = || events.recv_timeout(DEADLINE).expect("an event");
    let SignallerEvent::Connected { peer_id } = next() else {
        panic!("the first event is that it is connected");
    };
    has_room.store(false, Ordering::SeqCst);
    let mut viewers = [server.peer(), server.peer()];
    let sessions = viewers
        .each_mut()
        .map(|viewer| viewer.call(peer_id.as_str()));
    let begun = std::time::Instant::now();
    while refused.load(Ordering::SeqCst) < 3 {
        assert!(begun.elapsed() < DEADLINE, "it is offered again");
        std::thread::yield_now();
    }
    has_room.store(true, Ordering::SeqCst);
    for expected in &sessions {
        match next() {
            SignallerEvent::SessionRequested { session, .. } => {
                assert_eq!(session.as_str(), expected);
            }
            other => panic!("{other:?} in the place of a session"),
        }
    }
    // One that is stopped has its say as soon as there is room.
    has_room.store(false, Ordering::SeqCst);
    signaller.stop();
    has_room.store(true, Ordering::SeqCst);
    assert!(matches!(next(), SignallerEvent::Stopped));
}

use std::time::Duration;

use super::*;

fn after(from: Instant, ms: u64) -> Instant {
    from + Duration::from_millis(ms)
}

fn ended(wire: &Wire, id: u32) -> Option<Duration> {
    wire.ledger().end(id)
}

#[test]
fn a_call_is_on_the_wire_from_the_last_byte_of_its_request_to_the_first_of_its_reply() {
    let (wire, begun) = (Wire::default(), Instant::now());
    let mut first = wire.begin();
    let mut second = wire.begin();
    assert_eq!((first.id, second.id), (Some(1), Some(3)));
    wire.written(1, after(begun, 1));
    wire.written(1, after(begun, 2));
    wire.written(3, after(begun, 3));
    wire.read(3, after(begun, 10));
    wire.read(1, after(begun, 11));
    wire.read(1, after(begun, 12));
    assert_eq!(first.end(), Some(Duration::from_millis(9)));
    assert_eq!(second.end(), Some(Duration::from_millis(7)));
    assert!(wire.ledger().calls.is_empty());
}

#[test]
fn after_a_call_that_was_not_written_no_time_is_certain() {
    let (wire, now) = (Wire::default(), Instant::now());
    let mut earlier = wire.begin();
    drop(wire.begin());
    let mut later = wire.begin();
    assert_eq!(later.id, None);
    wire.written(1, now);
    wire.read(1, now);
    wire.written(3, now);
    assert_eq!((earlier.end(), later.end()), (None, None));
}

#[test]
fn a_written_call_that_is_dropped_leaves_the_others_their_times() {
    let (wire, now) = (Wire::default(), Instant::now());
    let dropped = wire.begin();
    wire.written(1, now);
    drop(dropped);
    let id = wire.begin().id.take();
    assert_eq!(id, Some(3));
}

#[test]
fn more_calls_than_the_queue_of_the_client_holds_have_no_times() {
    let wire = Wire::default();
    let mut calls: Vec<_> = (0..MOST_UNANSWERED).map(|_| wire.begin()).collect();
    assert_eq!(wire.begin().id, None);
    assert!(ended(&wire, 1).is_none());
    calls.clear();
    assert_eq!(wire.begin().id, None);
}

//! The decoder of a connection for the fuzz target: not part of the interface.

use crate::machine::{Event, Machine};

/// Receives the bytes of a client in pieces of `cut` bytes, and returns a text of what happened,
/// which does not depend on the cuts.
#[doc(hidden)]
pub fn connection(bytes: &[u8], cut: usize) -> String {
    let mut machine = Machine::new();
    let mut seen: Vec<Event> = Vec::new();
    for piece in bytes.chunks(cut.max(1)) {
        let events = match machine.receive(piece) {
            Ok(events) => events,
            // Events before the error depend on the cuts.
            Err(error) => return error.to_string(),
        };
        for event in events {
            match (seen.last_mut(), event) {
                (
                    Some(Event::Data { id, bytes }),
                    Event::Data {
                        id: next,
                        bytes: more,
                    },
                ) if *id == next => {
                    bytes.extend(more);
                }
                (_, event) => seen.push(event),
            }
        }
    }
    // Content is answered with updates whose number depends on the cuts only if it is dropped.
    format!("{seen:?}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frame::{self, FIN, ID_MASK};
    use crate::machine::tests::Client;

    /// Step of a client.
    #[derive(Debug, Clone)]
    enum Step {
        Open(u32, bool),
        Data(u32, Vec<u8>, bool),
        Window(u32, u32),
        Reset(u32),
        Raw(Vec<u8>),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let id = 0_u32..12;
        let step = prop_oneof![
            (id.clone(), any::<bool>()).prop_map(|(id, fin)| Step::Open(id, fin)),
            (
                id.clone(),
                prop::collection::vec(any::<u8>(), 0..40),
                any::<bool>()
            )
                .prop_map(|(id, bytes, fin)| Step::Data(id, bytes, fin)),
            (id.clone(), any::<u32>()).prop_map(|(id, delta)| Step::Window(id, delta)),
            id.prop_map(Step::Reset),
            prop::collection::vec(any::<u8>(), 0..20).prop_map(Step::Raw),
        ];
        prop::collection::vec(step, 0..30)
    }

    proptest! {
        #[test]
        fn the_cuts_between_bytes_change_nothing(steps in steps(), cut in 1_usize..50) {
            let mut client = Client::new();
            let mut bytes = Vec::new();
            for step in steps {
                let fin = |fin| if fin { FIN } else { 0 };
                bytes.extend(match step {
                    Step::Open(id, last) => client.open(id, &[("a", "b")], fin(last)),
                    Step::Data(id, content, last) => Client::data(id, &content, fin(last)),
                    Step::Window(id, delta) => Client::window_update(id, delta & ID_MASK),
                    Step::Reset(id) => {
                        let payload = [id.to_be_bytes(), [0, 0, 0, 5]].concat();
                        Client::control(frame::RST_STREAM, 0, &payload)
                    }
                    Step::Raw(raw) => raw,
                });
            }
            prop_assert_eq!(
                connection(&bytes, cut),
                connection(&bytes, usize::MAX)
            );
        }
    }
}

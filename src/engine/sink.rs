//! The sending end of the event channel.

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::event::{Event, Stamped, millis};

/// Events that may queue up before the engine waits for its reporters: about a second of a fast run. A full
/// channel slows the engine down, so no fact is ever lost. Reporters never wait for the engine, so the two
/// cannot block one another.
pub const EVENTS_IN_FLIGHT: usize = 4096;

/// A number of entities as the subject of a sentence, and its verb.
pub(super) fn counted(entities: usize) -> (String, &'static str) {
    match entities {
        1 => ("1 entity".to_owned(), "is"),
        more => (format!("{more} entities"), "are"),
    }
}

/// The sending end of a run's events; what is done for several runs at once is an event of each.
#[derive(Clone, Debug)]
pub struct Sink {
    started: Instant,
    events: mpsc::Sender<Stamped>,
    /// The other runs.
    others: Vec<Self>,
}

impl Sink {
    /// A sink whose moments count from now.
    pub fn new(events: mpsc::Sender<Stamped>) -> Self {
        Self {
            started: Instant::now(),
            events,
            others: Vec::new(),
        }
    }

    /// The same for what is done for other runs as well.
    #[must_use]
    pub fn with_others(mut self, others: Vec<Self>) -> Self {
        self.others = others;
        self
    }

    /// Sends a fact. When the receiver is gone the fact is dropped: it is in the store already.
    pub async fn emit(&self, event: Event) {
        for other in &self.others {
            other.send(event.clone()).await;
        }
        self.send(event).await;
    }

    async fn send(&self, event: Event) {
        let stamped = Stamped {
            at_ms: self.elapsed_ms(),
            event,
        };
        // The receiver is gone only when the reporters have ended, and then nothing needs the event.
        drop(self.events.send(stamped).await);
    }

    /// Milliseconds since the run started.
    pub fn elapsed_ms(&self) -> u64 {
        millis(self.started.elapsed())
    }
}

//! What the operators of a test program log. The listener is the whole program's: one of a thread's own misses what another
//! thread was the first to log.

use std::cell::RefCell;
use std::fmt::{self, Write};
use std::io;
use std::sync::Once;

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::layer::Context;
use tracing_subscriber::prelude::*;

use super::plain;

thread_local! {
    /// What was logged on this thread since somebody listens.
    static HEARD: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// Has every line be read that the operator logs for people: it is to be plain.
pub fn read() {
    static LISTENER: Once = Once::new();
    LISTENER.call_once(|| {
        let is_heard = dynamic_filter_fn(|_, _| HEARD.with_borrow(Option::is_some));
        let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(|| Ear).with_filter(is_heard);
        tracing_subscriber::registry().with(lines).with(Reader.with_filter(LevelFilter::INFO)).init();
    });
}

/// Listens to everything that is logged on this thread, on which the operator runs as well.
pub fn listen() {
    read();
    HEARD.set(Some(Vec::new()));
}

/// What was logged since.
pub fn heard() -> String {
    String::from_utf8(HEARD.take().unwrap()).unwrap()
}

/// The log of the thread that writes it.
struct Ear;

impl io::Write for Ear {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        HEARD.with_borrow_mut(|heard| heard.iter_mut().for_each(|heard| heard.extend_from_slice(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads what is logged.
struct Reader;

impl<S: Subscriber> tracing_subscriber::Layer<S> for Reader {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target().starts_with("tokencache_operator") {
            let mut line = Line(String::new());
            event.record(&mut line);
            plain::note(&line.0);
        }
    }
}

/// A line of the log: each field with its value.
struct Line(String);

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = write!(self.0, "{}={value} ", field.name());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0, "{}={value:?} ", field.name());
    }
}

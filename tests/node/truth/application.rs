//! An application at work through the published binding (`application.yaml`), and what became of each of its operations.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{AsyncBufReadExt, TryStreamExt};
use jiff::Timestamp;
use kube::api::LogParams;
use tokio::task::AbortHandle;

use crate::cluster::{PATIENCE, Scene, repository};
use crate::support::eventually::within;

/// One write or read.
#[derive(Debug, Clone)]
pub struct Operation {
    pub begun: Timestamp,
    pub took: Duration,
    /// What was answered where that is none that it may have.
    pub refused: Option<String>,
}

/// The application. It is at work until the scene's namespace goes.
pub struct Application {
    done: Arc<Mutex<Vec<Operation>>>,
    listener: AbortHandle,
}

impl Application {
    /// Starts it, and waits until it works.
    pub async fn start(scene: &Scene) -> Self {
        let manifest = repository().join("tests/node/truth/application.yaml").display().to_string();
        scene.kubectl(&["apply", "--filename", &manifest]);
        let pods = scene.pods();
        let follow = LogParams { follow: true, ..LogParams::default() };
        // What is asked for a moment too early ends at once, and is empty.
        let mut log = within(PATIENCE, "the application runs, and says something", async || {
            let log = pods.log_stream("application", &follow).await.map_err(|error| error.to_string())?;
            let mut lines = log.lines();
            let first = lines.try_next().await.map_err(|error| error.to_string())?;
            first.map(|first| (first, lines)).ok_or_else(|| "nothing was said".to_owned())
        })
        .await;
        let done = Arc::<Mutex<Vec<Operation>>>::default();
        let heard = Arc::clone(&done);
        let listener = tokio::spawn(async move {
            let (mut line, lines) = (Some(log.0), &mut log.1);
            while let Some(said) = line {
                let operation = Operation::read(&said).unwrap_or_else(|| panic!("no operation: {said}"));
                heard.lock().unwrap_or_else(PoisonError::into_inner).push(operation);
                line = lines.try_next().await.expect("the application's log can be read");
            }
        });
        let application = Self { done, listener: listener.abort_handle() };
        within(PATIENCE, "the application works", async || {
            let done = application.done();
            let works = done.iter().rev().take(4).filter(|operation| operation.is_good()).count() == 4;
            if works { Ok(()) } else { Err(format!("{:?}", done.last())) }
        })
        .await;
        application
    }

    /// All that it has done so far.
    pub fn done(&self) -> Vec<Operation> {
        assert!(!self.listener.is_finished(), "the application ended, or its log did");
        self.done.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl Operation {
    /// From a line of the log.
    fn read(line: &str) -> Option<Self> {
        let mut words = line.splitn(4, ' ');
        let begun = Timestamp::from_millisecond(words.next()?.parse().ok()?).ok()?;
        let took = Duration::from_millis(words.next()?.parse().ok()?);
        let (what, answer) = (words.next()?, words.next()?);
        // redis-cli says first to whom it could not connect.
        let why = answer.rsplit(": ").next().unwrap_or(answer);
        let refused = (answer != "ok").then(|| format!("{what}: {why}"));
        Some(Self { begun, took, refused })
    }

    /// Whether it did what it should, and not too slowly.
    pub fn is_good(&self) -> bool {
        self.refused.is_none() && self.took <= super::judge::SLOW
    }
}

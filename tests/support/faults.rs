//! A layer around a Kubernetes client that numbers its writes, and at a chosen one lets the client die: before the write
//! is sent, or after it was sent, with the answer lost. What runs on that client then meets the same end as a process that
//! was killed at this moment: nothing it does reaches the cluster any more.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use http::{Method, Request, Response};
use kube::client::Body;
use tower::{BoxError, Layer, Service};

/// When the client dies. Writes are numbered from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// This write is never sent.
    BeforeWrite(usize),
    /// This write is sent and carried out; its answer never arrives.
    AfterWrite(usize),
}

/// One write that the client tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Its number.
    pub index: usize,
    /// Its method.
    pub method: Method,
    /// Its path and query.
    pub path: String,
}

/// The writes of one client. Clones share them.
#[derive(Clone)]
pub struct Writes {
    death: Option<Death>,
    lost: Option<usize>,
    hears: bool,
    lists: bool,
    rival: Option<Rival>,
    state: Arc<Mutex<State>>,
    died: Arc<tokio::sync::watch::Sender<bool>>,
}

/// What somebody else does at the moment at which the client first makes an object of a kind.
#[derive(Clone)]
struct Rival {
    /// The end of the path of the kind's collection.
    collection: String,
    acts: Arc<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>,
}

#[derive(Default)]
struct State {
    log: Vec<Write>,
    closed: bool,
    /// Whether the rival has acted.
    acted: bool,
}

enum Verdict {
    Pass,
    /// After what somebody else does.
    Wait(Rival),
    LoseAnswer,
    Refuse,
    Hold,
}

impl Writes {
    /// Only counts.
    pub fn counted() -> Self {
        Self {
            death: None,
            lost: None,
            hears: true,
            lists: true,
            rival: None,
            state: Arc::default(),
            died: Arc::default(),
        }
    }

    /// Counts, and dies.
    pub fn until(death: Death) -> Self {
        Self { death: Some(death), ..Self::counted() }
    }

    /// Counts, and loses the answer to this write. The client lives on.
    pub fn losing_answer(index: usize) -> Self {
        Self { lost: Some(index), ..Self::counted() }
    }

    /// Counts, and lets somebody else act between the client's decision to make an object in this collection, such as
    /// `/services`, and the first request that does it.
    pub fn overtaken<F>(collection: &str, acts: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let acts = Arc::new(move || Box::pin(acts()) as Pin<Box<dyn Future<Output = ()> + Send>>);
        Self { rival: Some(Rival { collection: collection.to_owned(), acts }), ..Self::counted() }
    }

    /// Whether that has happened.
    pub fn overtook(&self) -> bool {
        self.state.lock().expect("no panic while locked").acted
    }

    /// Hears nothing of Secrets after it has listed them: a watch that lags behind, for ever.
    pub fn deaf(self) -> Self {
        Self { hears: false, ..self }
    }

    /// Gets no list of Secrets with their content.
    pub fn unlisted(self) -> Self {
        Self { lists: false, ..self }
    }

    /// Every write so far, with the one that was fatal.
    pub fn log(&self) -> Vec<Write> {
        self.state.lock().expect("no panic while locked").log.clone()
    }

    /// Whether the client is dead, and the fatal write carried out if it was to be.
    pub fn dead(&self) -> bool {
        *self.died.borrow()
    }

    /// Returns when the client is dead: drop then what runs on it.
    pub async fn death(&self) {
        self.died.subscribe().wait_for(|dead| *dead).await.expect("the sender lives as long as self");
    }

    fn judge(&self, request: &Request<Body>) -> Verdict {
        let mut state = self.state.lock().expect("no panic while locked");
        if state.closed {
            return Verdict::Refuse;
        }
        if !is_write(request) {
            return match request {
                request if !self.hears && is_watch_of_secrets(request) => Verdict::Hold,
                request if !self.lists && is_list_of_secrets(request) => Verdict::Refuse,
                _ => Verdict::Pass,
            };
        }
        let index = state.log.len();
        state.log.push(Write { index, method: request.method().clone(), path: request.uri().to_string() });
        match self.death {
            Some(Death::BeforeWrite(fatal)) if fatal == index => {
                state.closed = true;
                self.died.send_replace(true);
                Verdict::Refuse
            }
            Some(Death::AfterWrite(fatal)) if fatal == index => {
                state.closed = true;
                Verdict::LoseAnswer
            }
            _ if self.lost == Some(index) => Verdict::LoseAnswer,
            _ => match &self.rival {
                Some(rival) if !state.acted && rival.is_met(request) => {
                    state.acted = true;
                    Verdict::Wait(rival.clone())
                }
                _ => Verdict::Pass,
            },
        }
    }
}

impl Rival {
    fn is_met(&self, request: &Request<Body>) -> bool {
        request.method() == Method::POST && request.uri().path().ends_with(&self.collection)
    }
}

/// Reviews are questions that are asked by POST, and dry runs change nothing.
fn is_write(request: &Request<Body>) -> bool {
    let writes = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE].contains(request.method());
    let question = request.uri().path().ends_with("reviews");
    let dry = request.uri().query().is_some_and(|query| query.contains("dryRun=All"));
    writes && !question && !dry
}

fn is_watch_of_secrets(request: &Request<Body>) -> bool {
    request.uri().path().ends_with("/secrets")
        && request.uri().query().is_some_and(|query| query.contains("watch=true"))
}

fn is_list_of_secrets(request: &Request<Body>) -> bool {
    let is_of_metadata = |accepted: &str| accepted.contains("PartialObjectMetadata");
    let accepted = request.headers().get(http::header::ACCEPT).and_then(|accepted| accepted.to_str().ok());
    request.uri().path().ends_with("/secrets") && !accepted.is_some_and(is_of_metadata)
}

impl fmt::Display for Write {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {} {}", self.index, self.method, self.path)
    }
}

impl fmt::Display for Writes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.death.map(|death| format!(" (dies: {death:?})")).unwrap_or_default();
        writeln!(formatter, "the client's writes{end}:")?;
        self.log().iter().try_for_each(|write| writeln!(formatter, "  {write}"))
    }
}

impl<S> Layer<S> for Writes {
    type Service = Witnessed<S>;

    fn layer(&self, inner: S) -> Witnessed<S> {
        Witnessed { inner, writes: self.clone() }
    }
}

/// A client's connection with [`Writes`] watching.
pub struct Witnessed<S> {
    inner: S,
    writes: Writes,
}

impl<S, B> Service<Request<Body>> for Witnessed<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: Into<BoxError> + Send + 'static,
    S::Future: Send + 'static,
    B: Send + 'static,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match self.writes.judge(&request) {
            Verdict::Pass => {
                let answer = self.inner.call(request);
                Box::pin(async move { answer.await.map_err(Into::into) })
            }
            // Nothing is sent before its future is polled.
            Verdict::Wait(rival) => {
                let answer = self.inner.call(request);
                Box::pin(async move {
                    (rival.acts)().await;
                    answer.await.map_err(Into::into)
                })
            }
            Verdict::Refuse => Box::pin(async { Err("the request was not sent".into()) }),
            Verdict::Hold => Box::pin(std::future::pending()),
            Verdict::LoseAnswer => {
                let answer = self.inner.call(request);
                let (died, is_fatal) = (Arc::clone(&self.writes.died), self.writes.death.is_some());
                // A task of its own: the write is carried out even if the caller goes away now.
                let sent = tokio::spawn(async move {
                    let _ = answer.await;
                    died.send_replace(is_fatal);
                });
                Box::pin(async move {
                    let _ = sent.await;
                    Err("the request was sent, and its answer is lost".into())
                })
            }
        }
    }
}

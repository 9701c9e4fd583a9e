//! A layer around the operator's client that reads every message which the operator writes, into statuses and events.

use std::task::{Context, Poll};

use futures::FutureExt;
use http::{Method, Request};
use kube::client::Body;
use serde_json::Value;
use tower::{Layer, Service};

use super::{plain, told};

/// The operator's user agent. What tests write themselves may be anything.
const READ: &str = "tokencache-operator";

/// Reads messages, or lets them pass.
#[derive(Clone, Copy)]
pub struct Witness {
    reads: bool,
}

impl Witness {
    /// Of a client that calls itself so.
    pub fn of(user_agent: &str) -> Self {
        Self { reads: user_agent == READ }
    }
}

impl<S> Layer<S> for Witness {
    type Service = Witnessed<S>;

    fn layer(&self, inner: S) -> Witnessed<S> {
        Witnessed { inner, reads: self.reads }
    }
}

/// A client's connection whose messages are read.
pub struct Witnessed<S> {
    inner: S,
    reads: bool,
}

impl<S: Service<Request<Body>>> Service<Request<Body>> for Witnessed<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if self.reads && tells(&request) {
            // What is written is in memory as a whole.
            let body = request.body().try_clone().and_then(|body| body.collect_bytes().now_or_never());
            let body = body.expect("a body that is there").expect("a body");
            let body = serde_json::from_slice(&body).expect("JSON");
            messages(&body).into_iter().for_each(plain::note);
            told::faults(&body["status"]).into_iter().for_each(plain::note_fault);
        }
        self.inner.call(request)
    }
}

/// Whether a request writes what people read.
fn tells(request: &Request<Body>) -> bool {
    let path = request.uri().path();
    let of_status = path.contains("/tokencaches/") && path.ends_with("/status");
    [Method::POST, Method::PATCH].contains(request.method()) && (of_status || path.contains("/events"))
}

/// Every message in an object.
fn messages(value: &Value) -> Vec<&str> {
    let Value::Object(fields) = value else {
        return value.as_array().into_iter().flatten().flat_map(messages).collect();
    };
    let own = fields.iter().filter(|(name, _)| ["message", "note"].contains(&name.as_str()));
    own.filter_map(|(_, text)| text.as_str()).chain(fields.values().flat_map(messages)).collect()
}

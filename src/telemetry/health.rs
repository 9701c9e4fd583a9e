//! What kubelet asks: `/livez` is true while the process answers, `/readyz` once the watches have listed what there is.
//!
//! In: a path, and whether the watches are in step. Out: the answer.

use http::{Response, StatusCode};
use http_body_util::Full;
use hyper::body::Bytes;

/// The answer to a path.
#[must_use]
pub fn answer(path: &str, synced: bool) -> Response<Full<Bytes>> {
    let (status, body) = match (path, synced) {
        ("/livez", _) | ("/readyz", true) => (StatusCode::OK, "ok\n"),
        ("/readyz", false) => (StatusCode::SERVICE_UNAVAILABLE, "the watches have not listed what there is yet\n"),
        _ => (StatusCode::NOT_FOUND, "livez or readyz\n"),
    };
    let mut response = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
    *response.status_mut() = status;
    response
}

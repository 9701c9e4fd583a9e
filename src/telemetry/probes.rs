//! What kubelet asks: `/livez` is true while the process answers, `/readyz` once the watches have listed what there is.

use std::convert::Infallible;

use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, sync::watch};

/// Answers until the listener fails.
///
/// # Errors
/// Where connections cannot be accepted any more.
pub async fn serve(listener: TcpListener, synced: watch::Receiver<bool>) -> std::io::Result<()> {
    loop {
        let (connection, _) = listener.accept().await?;
        let synced = synced.clone();
        tokio::spawn(async move {
            let answers =
                service_fn(|request| std::future::ready(Ok::<_, Infallible>(answer(&request, *synced.borrow()))));
            if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(connection), answers).await {
                tracing::debug!(%error, "a probe's connection ended");
            }
        });
    }
}

fn answer(request: &Request<Incoming>, synced: bool) -> Response<Full<Bytes>> {
    let (status, body) = match (request.uri().path(), synced) {
        ("/livez", _) | ("/readyz", true) => (StatusCode::OK, "ok\n"),
        ("/readyz", false) => (StatusCode::SERVICE_UNAVAILABLE, "the watches have not listed what there is yet\n"),
        _ => (StatusCode::NOT_FOUND, "livez or readyz\n"),
    };
    let mut response = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
    *response.status_mut() = status;
    response
}

//! What kubelet asks: `/livez` is true while the process answers, `/readyz` once the watches have listed what there is.
//!
//! In: a listener, and whether the watches are in step. Out: answers. A connection that asks nothing is closed, and of all
//! connections only so many are served at a time: nobody can keep kubelet from its answer, or end the operator.

use std::{convert::Infallible, sync::Arc, time::Duration};

use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    time::{MissedTickBehavior, interval, timeout},
};

/// How many connections are served at a time.
const CONNECTIONS: usize = 64;
/// How long one may last.
const CONNECTION_LIMIT: Duration = Duration::from_secs(5);
/// How long to wait where the system has no connection to give, such as for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(200);

/// Answers for ever.
pub async fn serve(listener: TcpListener, synced: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut pause = interval(PAUSE);
    pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((connection, _)) => {
                let synced = synced.clone();
                tokio::spawn(async move {
                    answer_all(connection, synced).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the health port could not take a connection");
                pause.tick().await;
            }
        }
    }
}

async fn answer_all(connection: TcpStream, synced: watch::Receiver<bool>) {
    let answers = service_fn(|request| std::future::ready(Ok::<_, Infallible>(answer(&request, *synced.borrow()))));
    let served = http1::Builder::new().serve_connection(TokioIo::new(connection), answers);
    if let Ok(Err(error)) = timeout(CONNECTION_LIMIT, served).await {
        tracing::debug!(%error, "a probe's connection ended");
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

//! A port on which short questions are answered over HTTP.
//!
//! In: a listener, and the answer to each path. Out: answers. A connection that asks nothing is closed, and of all connections
//! only so many are served at a time: nobody can keep others from their answer, or end the operator.

use std::{convert::Infallible, sync::Arc, time::Duration};

use http::{Request, Response};
use http_body_util::Full;
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{MissedTickBehavior, interval, timeout},
};

/// How many connections are served at a time.
const CONNECTIONS: usize = 64;
/// How long one may last.
const CONNECTION_LIMIT: Duration = Duration::from_secs(5);
/// How long to wait where the system has no connection to give, such as for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(200);

/// Answers for ever.
pub async fn serve<A>(listener: TcpListener, answer: A)
where
    A: Fn(&str) -> Response<Full<Bytes>> + Clone + Send + Sync + 'static,
{
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut pause = interval(PAUSE);
    pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((connection, _)) => {
                let answer = answer.clone();
                tokio::spawn(async move {
                    answer_all(connection, answer).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a port could not take a connection");
                pause.tick().await;
            }
        }
    }
}

async fn answer_all<A>(connection: TcpStream, answer: A)
where
    A: Fn(&str) -> Response<Full<Bytes>>,
{
    let answers =
        service_fn(|request: Request<Incoming>| std::future::ready(Ok::<_, Infallible>(answer(request.uri().path()))));
    let served = http1::Builder::new().serve_connection(TokioIo::new(connection), answers);
    if let Ok(Err(error)) = timeout(CONNECTION_LIMIT, served).await {
        tracing::debug!(%error, "a connection ended");
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn asked(address: std::net::SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let question = format!("GET {path} HTTP/1.1\r\nHost: operator\r\nConnection: close\r\n\r\n");
        stream.write_all(question.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn each_path_gets_its_answer_also_while_others_ask_nothing() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(serve(listener, |path: &str| Response::new(Full::new(Bytes::from(path.to_owned())))));
        let _silent = TcpStream::connect(address).await.unwrap();
        for path in ["/metrics", "/livez?verbose"] {
            let answer = asked(address, path).await;
            let wanted = path.split('?').next().unwrap();
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with(wanted), "{answer}");
        }
        task.abort();
    }
}

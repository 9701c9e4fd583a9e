//! A port on which short questions are answered over HTTP.
//!
//! In: a listener, and the answer to each path. Out: answers. Nobody can keep others from theirs, or end the operator: every
//! connection is taken soon, and has to ask soon; of all connections only so many are held, and the one that has been there
//! longest is closed for another, once it had time to ask.

use std::{
    collections::VecDeque,
    convert::Infallible,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use http::{Request, Response};
use http_body_util::Full;
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    task::AbortHandle,
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};

/// How many connections are held at a time.
const CONNECTIONS: usize = 256;
/// How long each of them stays, however many others come. As many as the kernel holds are then taken within a second.
const LEAST: Duration = Duration::from_millis(50);
/// How many more the kernel holds until they are taken: beyond that it has them come again a second later, and kubelet, which
/// waits no longer than that, with them. The kernel's own limit is as high, usually.
const BACKLOG: u32 = 4096;
/// How long the question may take.
const QUESTION_LIMIT: Duration = Duration::from_secs(2);
/// How long question and answer may take.
const CONNECTION_LIMIT: Duration = Duration::from_secs(5);
/// How much of a question is kept: the least that hyper takes.
const LONGEST_QUESTION: usize = 8 * 1024;
/// How long to wait where the system has no connection to give, such as for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(200);

/// Opens a port. Where every address is meant and the kernel has no IPv6, that is every IPv4 address.
///
/// # Errors
/// Where it cannot be opened.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let open = |address: SocketAddr| {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // Another operator may have had the port a moment ago.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    match open(address) {
        Err(_) if address.ip() == Ipv6Addr::UNSPECIFIED => open((Ipv4Addr::UNSPECIFIED, address.port()).into()),
        opened => opened,
    }
}

/// Answers for ever.
pub async fn serve<A>(listener: TcpListener, answer: A)
where
    A: Fn(&str) -> Response<Full<Bytes>> + Clone + Send + Sync + 'static,
{
    let mut held = VecDeque::<(Instant, AbortHandle)>::new();
    let mut pause = interval(PAUSE);
    pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        match listener.accept().await {
            Ok((connection, _)) => {
                let task = tokio::spawn(answer_one(connection, answer.clone())).abort_handle();
                held.push_back((Instant::now(), task));
                held.retain(|(_, task)| !task.is_finished());
                if held.len() > CONNECTIONS {
                    sleep_until(held[0].0 + LEAST).await;
                    held.retain(|(_, task)| !task.is_finished());
                }
                if held.len() > CONNECTIONS
                    && let Some((_, longest)) = held.pop_front()
                {
                    longest.abort();
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a port could not take a connection");
                pause.tick().await;
            }
        }
    }
}

/// Answers the one question of a connection, and closes it.
async fn answer_one<A>(connection: TcpStream, answer: A)
where
    A: Fn(&str) -> Response<Full<Bytes>>,
{
    let answers =
        service_fn(|request: Request<Incoming>| std::future::ready(Ok::<_, Infallible>(answer(request.uri().path()))));
    let served = http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(QUESTION_LIMIT)
        .max_buf_size(LONGEST_QUESTION)
        .serve_connection(TokioIo::new(connection), answers);
    if let Ok(Err(error)) = timeout(CONNECTION_LIMIT, served).await {
        tracing::debug!(%error, "a connection ended");
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        sync::oneshot,
        task::JoinSet,
    };

    use super::*;

    /// A server that answers each path with itself.
    fn echo() -> (SocketAddr, JoinSet<()>) {
        let listener = listen((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, |path: &str| Response::new(Full::new(Bytes::from(path.to_owned())))));
        (address, tasks)
    }

    async fn ask(address: SocketAddr, question: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(question.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    /// As kubelet asks, which gives it a second, and closes the connection; and as Prometheus asks, which would keep it.
    async fn answers(address: SocketAddr) {
        for (path, also) in [("/livez", "Connection: close\r\n"), ("/metrics?verbose", "")] {
            let question = format!("GET {path} HTTP/1.1\r\nHost: operator\r\n{also}\r\n");
            let answer = timeout(Duration::from_secs(1), ask(address, &question)).await.expect(path).unwrap();
            let wanted = path.split('?').next().unwrap();
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with(wanted), "{answer}");
        }
    }

    /// Comes for as long as it can, and once a second comes again. Either says nothing, or one letter a second.
    async fn starve(address: SocketAddr, is_silent: bool) {
        let mut second = interval(Duration::from_secs(1));
        loop {
            second.tick().await;
            let Ok(mut stream) = TcpStream::connect(address).await else { continue };
            if is_silent {
                let _ = stream.read(&mut [0]).await;
                continue;
            }
            for letter in "GET /livez HTTP/1.1\r\n".bytes().cycle() {
                if stream.write_all(&[letter]).await.is_err() {
                    break;
                }
                second.tick().await;
            }
        }
    }

    /// So many who starve the server, in a thread of their own as if they were elsewhere, until this value goes.
    fn crowd(address: SocketAddr, size: usize) -> oneshot::Sender<()> {
        let (end, ended) = oneshot::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut tasks = JoinSet::new();
                for index in 0..size {
                    tasks.spawn(starve(address, index % 2 == 0));
                }
                let _ = ended.await;
            });
        });
        end
    }

    #[tokio::test]
    async fn each_path_gets_its_answer_within_a_second_however_many_ask_nothing_or_ask_slowly() {
        let limit = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
        let (address, _tasks) = echo();
        answers(address).await;
        for size in [400, 2000] {
            let _crowd = crowd(address, size);
            let end = Instant::now() + QUESTION_LIMIT * 2;
            while Instant::now() < end {
                answers(address).await;
            }
        }
    }

    #[tokio::test]
    async fn who_does_not_ask_in_time_or_asks_at_too_great_a_length_is_closed() {
        let (address, _tasks) = echo();
        let too_long = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", "a".repeat(LONGEST_QUESTION));
        for question in ["", "GET /livez HTTP/1.1\r\n", &too_long] {
            let ended = timeout(CONNECTION_LIMIT, ask(address, question)).await;
            // Closed with an error, with a refusal, or without a word.
            let answer = ended.expect("the connection ends").unwrap_or_default();
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
        }
    }

    #[tokio::test]
    async fn one_connection_more_than_are_held_closes_the_one_that_was_there_first() {
        let (address, _tasks) = echo();
        let mut held = VecDeque::new();
        for _ in 0..=CONNECTIONS {
            held.push_back(TcpStream::connect(address).await.unwrap());
        }
        let mut first = held.pop_front().unwrap();
        let closed = timeout(QUESTION_LIMIT / 2, first.read(&mut [0])).await.expect("the first is closed at once");
        assert_eq!(closed.unwrap_or_default(), 0);
        answers(address).await;
        let mut last = held.pop_back().unwrap();
        last.write_all(b"GET /livez HTTP/1.1\r\nHost: operator\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        last.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("/livez"), "{answer}");
    }
}

//! Servers that no real program can play: tiny, each on an address of its own, gone when dropped.

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokencache_operator::redis::look::Server;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::scene::{server_at, want};
use crate::support::process::own_address;

const PORT: u16 = 6379;

pub struct Fake {
    pub server: Server,
    open: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// On an address that is still free when it is taken, and not only when it was looked for.
async fn listen() -> (IpAddr, TcpListener) {
    for _ in 0..10 {
        let address = own_address(PORT);
        if let Ok(listener) = TcpListener::bind((address, PORT)).await {
            return (address, listener);
        }
    }
    panic!("no address is free for long enough to be taken");
}

impl Fake {
    /// Treats every connection in one way, one after the other.
    pub async fn start<F, T>(treat: F) -> Self
    where
        F: Fn(TcpStream) -> T + Send + 'static,
        T: Future<Output = ()> + Send + 'static,
    {
        let (address, listener) = listen().await;
        let open = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&open);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let (count, treatment) = (Arc::clone(&count), treat(stream));
                tokio::spawn(async move {
                    treatment.await;
                    count.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
        Self { server: server_at(address, PORT), open, task }
    }

    /// Connections that are open now.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Says something at once, and then nothing.
    pub async fn says(words: &'static [u8]) -> Self {
        Self::start(move |mut stream| async move {
            let _ = stream.write_all(words).await;
            listen_forever(stream).await;
        })
        .await
    }

    /// Says the same over and over again, as fast as it can.
    pub async fn never_stops_saying(words: &'static [u8]) -> Self {
        Self::start(move |mut stream| async move { while stream.write_all(words).await.is_ok() {} }).await
    }

    /// Answers commands of Redis; `None` closes the connection.
    pub async fn answers(reply: impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        let reply = Arc::new(reply);
        Self::start(move |stream| {
            let reply = Arc::clone(&reply);
            async move {
                let mut stream = BufReader::new(stream);
                while let Some(command) = read_command(&mut stream).await {
                    let Some(answer) = reply(&command) else { return };
                    let _ = stream.write_all(&answer).await;
                }
            }
        })
        .await
    }

    /// Answers every command rightly, each after a while.
    pub async fn slow(pause: Duration) -> Self {
        Self::start(move |stream| async move {
            let mut stream = BufReader::new(stream);
            while let Some(command) = read_command(&mut stream).await {
                sleep(pause).await;
                let _ = stream.write_all(&healthy(&command)).await;
            }
        })
        .await
    }

    /// As a healthy Redis answers, but for what `other` answers.
    pub async fn redis_but(other: impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        Self::answers(move |command| other(command).or_else(|| Some(healthy(command)))).await
    }
}

/// The answer of a Redis whose policy is always `noeviction`, and who accepts every change.
fn healthy(command: &str) -> Vec<u8> {
    let info = "redis_version:7.0.15\r\nrole:master\r\nloading:0\r\nrun_id:1\r\nserver_time_usec:1\r\nused_memory:1\r\n\
        used_memory_dataset:1\r\nmaxmemory:268435456\r\nevicted_keys:0\r\nused_cpu_sys:0.1\r\nused_cpu_user:0.1\r\n";
    match command.split(' ').next().unwrap() {
        "PING" => b"+PONG\r\n".to_vec(),
        "INFO" => format!("${}\r\n{info}\r\n", info.len()).into_bytes(),
        _ if command.starts_with("CONFIG GET appendonly") => {
            b"*4\r\n$10\r\nappendonly\r\n$2\r\nno\r\n$11\r\nappendfsync\r\n$8\r\neverysec\r\n".to_vec()
        }
        _ if command.starts_with("CONFIG GET") => {
            b"*4\r\n$9\r\nmaxmemory\r\n$9\r\n268435456\r\n$16\r\nmaxmemory-policy\r\n$10\r\nnoeviction\r\n".to_vec()
        }
        _ if command.starts_with("ACL LOG") => b"*0\r\n".to_vec(),
        _ if command.starts_with("ACL LIST") => acl_list(),
        "SCAN" => [&b"*2\r\n$1\r\n0\r\n*1\r\n"[..], &string("shop:1")].concat(),
        "TYPE" => b"+hash\r\n".to_vec(),
        "PTTL" => b":1000\r\n".to_vec(),
        "HSTRLEN" => b":18\r\n".to_vec(),
        "HGET" => string("{\"AccessToken\":{}}"),
        _ => b"+OK\r\n".to_vec(),
    }
}

/// The users that are wanted.
fn acl_list() -> Vec<u8> {
    let users = want().users;
    let lines = users.iter().map(|user| string(&format!("user {} {}", user.name, user.words(false).join(" "))));
    [format!("*{}\r\n", users.len()).into_bytes()].into_iter().chain(lines).collect::<Vec<_>>().concat()
}

fn string(text: &str) -> Vec<u8> {
    format!("${}\r\n{text}\r\n", text.len()).into_bytes()
}

async fn read_command(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut words = Vec::new();
    for _ in 0..read_number(stream).await? {
        let mut word = vec![0; read_number(stream).await? + 2];
        stream.read_exact(&mut word).await.ok()?;
        words.push(String::from_utf8(word).ok()?.trim_end().to_owned());
    }
    Some(words.join(" "))
}

async fn read_number(stream: &mut BufReader<TcpStream>) -> Option<usize> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    line.get(1..)?.trim_end().parse().ok()
}

/// Keeps the connection open until the other side closes it.
pub async fn listen_forever(mut stream: TcpStream) {
    let mut heard = [0; 1024];
    while matches!(stream.read(&mut heard).await, Ok(1..)) {}
}

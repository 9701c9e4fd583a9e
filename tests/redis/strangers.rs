//! What sits behind a port may be anything: a look ends in time, in little memory, with words that help.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokencache_operator::redis::look::{Server, answer::Answer, fault::Fault};
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use crate::fake::{Fake, listen_forever};
use crate::scene::{login, look, operator_password, probe, server_at, want};
use crate::support::process::{Process, own_address};

async fn look_at(server: &Server) -> Result<Answer, Fault> {
    timeout(Duration::from_secs(8), look(&probe(), server, &login(), &want())).await.expect("a look ends in time")
}

#[tokio::test]
async fn an_http_server_is_not_redis() {
    let (address, folder) = (own_address(8080), tempfile::tempdir().unwrap());
    let args = ["-m", "http.server", "--bind", &address.to_string(), "8080"].map(str::to_owned);
    let http = Process::start("python3", &args, folder.path(), &folder.path().join("log"));
    http.wait_until_it_accepts(SocketAddr::new(address, 8080)).await;
    match look_at(&server_at(address, 8080)).await {
        Err(Fault::NotRedis(said)) => assert!(said.contains("HTML") || said.starts_with("HTTP"), "{said}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_banner_is_quoted_in_printable_characters() {
    let banners: [(&[u8], &str); 5] = [
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", "SSH-2.0-OpenSSH_9.2p1"),
        (b"220 mail ESMTP\r\n", "220 mail ESMTP"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\nno", "HTTP/1.1 400 Bad Request"),
        (b"+OK POP3\r\n", "+OK POP3"),
        (b"\x00\xff\x07garbage\x1b[31m", "garbage"),
    ];
    for (said, told) in banners {
        let fake = Fake::says(said).await;
        assert_eq!(look_at(&fake.server).await, Err(Fault::NotRedis(told.to_owned())));
    }
}

#[tokio::test]
async fn a_port_that_closes_every_connection_is_not_redis() {
    let fake = Fake::start(|stream| async move { drop(stream) }).await;
    assert_eq!(look_at(&fake.server).await, Err(Fault::NotRedis(String::new())));
}

#[tokio::test]
async fn a_port_that_is_silent_is_frozen() {
    let fake = Fake::start(listen_forever).await;
    assert_eq!(look_at(&fake.server).await, Err(Fault::Frozen));
}

#[tokio::test]
async fn endless_bytes_end_in_time() {
    for words in [&b"garbage "[..], b"+", b"-ERR ", b"\n"] {
        let fake = Fake::never_stops_saying(words).await;
        let outcome = look_at(&fake.server).await;
        assert!(matches!(outcome, Err(Fault::NotRedis(_))), "{outcome:?}");
    }
}

#[tokio::test]
async fn endless_answers_after_a_good_beginning_end_at_the_limit() {
    for endless in [&b"+"[..], b"$999999999999\r\n", b"*999999999\r\n:1\r\n", b"%4611686018427387903\r\n"] {
        let mut answer = endless.to_vec();
        answer.extend(std::iter::repeat_n(b'1', 4 << 20));
        let fake = Fake::redis_but(move |command| command.starts_with("INFO").then(|| answer.clone())).await;
        let outcome = look_at(&fake.server).await;
        assert!(matches!(&outcome, Err(Fault::Unexpected(_))), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_nest_without_a_bottom_is_unexpected() {
    let fake = Fake::redis_but(|command| command.starts_with("INFO").then(|| b"*1\r\n".repeat(10_000))).await;
    assert!(matches!(look_at(&fake.server).await, Err(Fault::Unexpected(_))));
}

#[tokio::test]
async fn answers_of_the_wrong_type_are_unexpected() {
    let wrong: [&[u8]; 8] = [
        b":1\r\n",
        b"$-1\r\n",
        b"*-1\r\n",
        b"*0\r\n",
        b"*1\r\n$-1\r\n",
        b"+QUEUED\r\n",
        b"$2\r\n\xff\xfe\r\n",
        b",nan\r\n",
    ];
    for command in ["AUTH", "INFO", "CONFIG GET", "ACL LIST"] {
        for answer in wrong {
            if command == "ACL LIST" && answer == b"*0\r\n" {
                continue; // There is no user.
            }
            let fake = Fake::redis_but(move |asked| asked.starts_with(command).then(|| answer.to_vec())).await;
            let outcome = look_at(&fake.server).await;
            assert!(matches!(outcome, Err(Fault::Unexpected(_))), "{command} {answer:?}: {outcome:?}");
        }
    }
}

#[tokio::test]
async fn half_an_answer_is_unexpected() {
    let halves = [
        Fake::says(b"+PO").await,
        Fake::answers(|asked| asked.starts_with("AUTH").then(|| b"+OK\r\n".to_vec())).await,
        Fake::redis_but(|asked| asked.starts_with("INFO").then(|| b"$100\r\nredis_version".to_vec())).await,
    ];
    let outcomes =
        [look_at(&halves[0].server).await, look_at(&halves[1].server).await, look_at(&halves[2].server).await];
    assert_eq!(outcomes[0], Err(Fault::Unexpected("half an answer to PING: +PO".to_owned())));
    assert_eq!(outcomes[1], Err(Fault::NotRedis(String::new())), "closed at the PING");
    assert_eq!(outcomes[2], Err(Fault::Unexpected("info: the answer never ended".to_owned())));
}

#[tokio::test]
async fn a_connection_that_ends_in_the_middle_of_a_look_is_told_with_the_command() {
    let fake = Fake::answers(|asked| match asked {
        "PING" => Some(b"+PONG\r\n".to_vec()),
        asked if asked.starts_with("AUTH") => Some(b"+OK\r\n".to_vec()),
        _ => None,
    })
    .await;
    match look_at(&fake.server).await {
        Err(Fault::Unreachable(reason)) => assert!(reason.contains("during info"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn errors_without_a_fault_of_their_own_are_quoted_and_cut() {
    for error in ["MISCONF no disk", "ERR odd", "WEIRD"] {
        let line = format!("-{error}\r\n");
        let fake = Fake::redis_but(move |asked| asked.starts_with("INFO").then(|| line.clone().into_bytes())).await;
        assert_eq!(look_at(&fake.server).await, Err(Fault::Unexpected(error.to_owned())));
    }
    let long = format!("-ERR {}\r\n", "long ".repeat(1000));
    let fake = Fake::redis_but(move |asked| asked.starts_with("INFO").then(|| long.clone().into_bytes())).await;
    match look_at(&fake.server).await {
        Err(Fault::Unexpected(words)) => assert_eq!(words.len(), 203, "{words}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_login_goes_to_nothing_that_has_not_answered_as_redis() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&heard);
    let fake = Fake::start(move |mut stream| {
        let ear = Arc::clone(&ear);
        async move {
            let mut part = [0; 1024];
            while let Ok(count @ 1..) = stream.read(&mut part).await {
                ear.lock().unwrap().extend_from_slice(&part[..count]);
            }
        }
    })
    .await;
    assert_eq!(look_at(&fake.server).await, Err(Fault::Frozen));
    let heard = String::from_utf8_lossy(&heard.lock().unwrap()).into_owned();
    assert!(heard.contains("PING") && !heard.contains(operator_password().reveal()), "{heard}");
}

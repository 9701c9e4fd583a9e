//! The first exchange on a connection: a PING, whose answer shows whether Redis is there at all. Nothing secret is
//! sent before, and a stranger's bytes never reach a parser.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";

/// The longest first line of a Redis is the refusal in protected mode, about 1,000 bytes.
const LONGEST_LINE: usize = 4096;

/// First words of refusals after which the connection can be used: before a login, and in states that the commands of
/// a probe are allowed in, or refused in by themselves.
const GOES_ON_AFTER: [&str; 6] = ["NOAUTH", "NOPERM", "LOADING", "MASTERDOWN", "MISCONF", "BUSY"];

/// What the other side turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Greeting {
    /// Redis, ready for commands.
    Redis,
    /// Redis that serves nobody on this connection, in its words; or half of an answer.
    Refused(String),
    /// Something else, and the beginning of what it said.
    Stranger(String),
    /// Something that answers with a TLS alert.
    TlsAlert,
    /// It closed the connection without a word.
    Closed,
    /// It said nothing within the limit.
    Silent,
}

/// Sends a PING and judges what comes.
pub(crate) async fn exchange<S>(stream: &mut S, limit: Duration) -> Greeting
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut said = Vec::new();
    match timeout(limit, listen(stream, &mut said)).await {
        Ok(greeting) => greeting,
        Err(_) if said.is_empty() => Greeting::Silent,
        Err(_) => half(&said),
    }
}

async fn listen<S>(stream: &mut S, said: &mut Vec<u8>) -> Greeting
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // A failed write says less than what may still be read: a server that refuses writes its reason and closes.
    let _ = stream.write_all(PING).await;
    let mut part = [0; LONGEST_LINE];
    loop {
        match stream.read(&mut part).await {
            Ok(0) | Err(_) if said.is_empty() => return Greeting::Closed,
            Ok(0) | Err(_) => return half(said),
            Ok(count) => said.extend_from_slice(&part[..count]),
        }
        if let Some(greeting) = judge(said) {
            return greeting;
        }
    }
}

/// What the bytes so far mean; `None` while that is open.
fn judge(said: &[u8]) -> Option<Greeting> {
    let stranger = || Some(Greeting::Stranger(first_words(said)));
    match said {
        [] => None,
        [0x15, 0x03, ..] => Some(Greeting::TlsAlert),
        [b'+' | b'-', rest @ ..] => {
            match rest.split(|&byte| byte == b'\n').next().filter(|line| line.len() < rest.len()) {
                Some(line) if line.len() + 2 < said.len() => stranger(),
                Some(b"PONG\r") if said[0] == b'+' => Some(Greeting::Redis),
                Some(line) if said[0] == b'-' => Some(refusal(line)),
                Some(_) => stranger(),
                None if said.len() >= LONGEST_LINE => stranger(),
                None => None,
            }
        }
        _ => stranger(),
    }
}

fn refusal(line: &[u8]) -> Greeting {
    let words = text(line);
    let code = words.split_whitespace().next().unwrap_or_default();
    if GOES_ON_AFTER.contains(&code) {
        Greeting::Redis
    } else if !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_uppercase()) {
        Greeting::Refused(words)
    } else {
        Greeting::Stranger(format!("-{words}"))
    }
}

fn half(said: &[u8]) -> Greeting {
    Greeting::Refused(format!("half an answer to PING: {}", text(said)))
}

/// The first words that can be read, up to the end of their line: what follows may differ each time, as a date does.
fn first_words(said: &[u8]) -> String {
    let readable = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
    let words: Vec<u8> = said.iter().copied().skip_while(|byte| !readable(byte)).take_while(readable).collect();
    if words.is_empty() { "bytes that are no text".to_owned() } else { text(&words) }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stranger(said: &str) -> Greeting {
        Greeting::Stranger(said.to_owned())
    }

    #[test]
    fn a_pong_and_the_refusals_of_a_working_redis_open_the_conversation() {
        for line in ["+PONG\r\n", "-NOAUTH Authentication required.\r\n", "-LOADING Redis is loading\r\n"] {
            assert_eq!(judge(line.as_bytes()), Some(Greeting::Redis), "{line}");
        }
    }

    #[test]
    fn an_answer_that_is_not_complete_is_waited_for() {
        for line in ["", "+", "+PONG", "-NOAUTH Authen"] {
            assert_eq!(judge(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn a_redis_that_serves_nobody_here_is_quoted() {
        let full = judge(b"-ERR max number of clients reached\r\n");
        assert_eq!(full, Some(Greeting::Refused("ERR max number of clients reached".to_owned())));
    }

    #[test]
    fn strangers_are_known_by_their_first_words() {
        assert_eq!(judge(b"SSH-2.0-OpenSSH_9.2\r\n"), Some(stranger("SSH-2.0-OpenSSH_9.2")));
        assert_eq!(judge(b"+OK POP3 ready\r\n"), Some(stranger("+OK POP3 ready")));
        assert_eq!(judge(b"- what?\r\n"), Some(stranger("- what?")));
        assert_eq!(judge(PING), Some(stranger("*1")), "an echo service");
        assert_eq!(judge(b"+PONG\r\n+PONG\r\n"), Some(stranger("+PONG")), "more than was asked");
    }

    #[test]
    fn what_a_stranger_says_differently_each_time_is_left_out() {
        let http = |date: &str| judge(format!("HTTP/1.1 400 Bad Request\r\nDate: {date}\r\n\r\n").as_bytes());
        assert_eq!(http("Mon, 01 Jan"), http("Tue, 02 Jan"));
        let mysql = |salt: &str| judge(format!("J\0\0\0\n8.0.36\0\x08\0\0\0{salt}\0").as_bytes());
        assert_eq!(mysql("abcdefgh"), mysql("hgfedcba"));
        assert_eq!(judge(&[0, 1, 2, 255]), Some(stranger("bytes that are no text")));
    }

    #[test]
    fn a_line_that_never_ends_is_not_waited_for_forever() {
        assert!(matches!(judge(&[b'+'; LONGEST_LINE]), Some(Greeting::Stranger(_))));
    }

    #[test]
    fn a_tls_alert_is_recognised() {
        assert_eq!(judge(&[0x15, 0x03, 0x01, 0, 2, 2, 70]), Some(Greeting::TlsAlert));
    }
}

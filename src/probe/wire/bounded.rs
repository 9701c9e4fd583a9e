//! A stream of answers in which no string is longer than may be kept, and which ends when as much was read as may be: so
//! that no answer can fill the memory, and one long string in it does not hide the rest.
//!
//! In: the bytes of a server in the protocol of Redis. Out: the same, but long strings cut to their beginning. The rest of
//! them is read and thrown away, so that the next answer begins where it should.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use ::redis::Value;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How many bytes are read at a time.
const PART: usize = 16 * 1024;
/// The longest line that can tell the length of a string.
const LONGEST_LENGTH: usize = 32;
/// So much would have to be skipped that it is not.
const OUT_OF_REACH: usize = usize::MAX;

/// How much of one answer is read, and how much is kept of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Bytes kept of each string. One that is as long as that may have been longer.
    pub(crate) each: usize,
    /// Bytes kept of all of it.
    pub(crate) kept: usize,
    /// Bytes read.
    pub(crate) read: usize,
    /// Whether an answer that is one string is of use where it is cut.
    pub(crate) beginning: bool,
}

impl Bounds {
    /// Whether a string may have been longer.
    pub(crate) fn cut(self, string: &[u8]) -> bool {
        string.len() >= self.each
    }

    /// Whether an answer is a string, and of no use.
    pub(crate) fn spoils(self, answer: &Value) -> bool {
        !self.beginning && !matches!(answer, Value::Array(_) | Value::Set(_) | Value::Map(_)) && self.cut_any(answer)
    }

    /// Whether any string in an answer may have been longer.
    pub(crate) fn cut_any(self, answer: &Value) -> bool {
        match answer {
            Value::BulkString(bytes) => self.cut(bytes),
            Value::VerbatimString { text, .. } => self.cut(text.as_bytes()),
            Value::Array(items) | Value::Set(items) => items.iter().any(|item| self.cut_any(item)),
            Value::Map(pairs) => pairs.iter().any(|(name, value)| self.cut_any(name) || self.cut_any(value)),
            _ => false,
        }
    }
}

/// What may still come of the answer that is awaited. Shared by the stream, which spends it, and the one who asks, who
/// renews it.
#[derive(Clone, Default)]
pub(crate) struct Allowance(Arc<Left>);

#[derive(Default)]
struct Left {
    each: AtomicUsize,
    kept: AtomicUsize,
    read: AtomicUsize,
    granted: AtomicUsize,
    is_spent: AtomicBool,
}

impl Allowance {
    pub(crate) fn new(bounds: Bounds) -> Self {
        let allowance = Self::default();
        allowance.renew(bounds);
        allowance
    }

    /// Grants this for the next answer.
    pub(crate) fn renew(&self, bounds: Bounds) {
        self.0.each.store(bounds.each, Ordering::Relaxed);
        self.0.kept.store(bounds.kept, Ordering::Relaxed);
        self.0.read.store(bounds.read, Ordering::Relaxed);
        self.0.granted.store(bounds.read, Ordering::Relaxed);
    }

    /// How many bytes came since it was renewed.
    pub(crate) fn came(&self) -> usize {
        self.0.granted.load(Ordering::Relaxed) - self.left()
    }

    /// Whether more came than may. Nothing can come any more then: the stream has ended in the middle of an answer.
    pub(crate) fn is_spent(&self) -> bool {
        self.0.is_spent.load(Ordering::Relaxed)
    }

    fn each(&self) -> usize {
        self.0.each.load(Ordering::Relaxed)
    }

    fn left(&self) -> usize {
        self.0.read.load(Ordering::Relaxed)
    }

    fn read(&self, bytes: usize) {
        self.0.read.store(self.left().saturating_sub(bytes), Ordering::Relaxed);
    }

    /// Takes note that so much is kept, and says whether that is allowed.
    fn keep(&self, bytes: usize) -> bool {
        let left = self.0.kept.load(Ordering::Relaxed);
        self.0.kept.store(left.saturating_sub(bytes), Ordering::Relaxed);
        bytes <= left
    }

    fn spend(&self) {
        self.0.is_spent.store(true, Ordering::Relaxed);
    }
}

/// A connection whose answers are cut, and that ends once its allowance is spent.
pub(crate) struct Bounded<S> {
    stream: S,
    allowance: Allowance,
    at: At,
    /// What may be kept and was not taken yet, and how much of it was.
    ready: Vec<u8>,
    taken: usize,
}

/// Where in an answer the stream is.
enum At {
    /// At the first byte of a value.
    Value,
    /// In a line that ends a value, or begins an array.
    Line,
    /// In a line that tells the length of a string: what it says so far.
    Length(Vec<u8>),
    /// In a string: so many bytes are kept, then so many are skipped, then so many end it.
    String { kept: usize, skipped: usize, end: usize },
    /// In a string whose end is too far away: nothing more is passed on.
    Nowhere,
}

impl<S> Bounded<S> {
    pub(crate) fn new(stream: S, allowance: Allowance) -> Self {
        Self { stream, allowance, at: At::Value, ready: Vec::new(), taken: 0 }
    }

    /// Passes on what may be kept of these bytes.
    fn pass(&mut self, mut bytes: &[u8]) {
        while let Some((&first, rest)) = bytes.split_first() {
            bytes = match &mut self.at {
                At::Value if matches!(first, b'$' | b'=' | b'!') => {
                    self.at = At::Length(vec![first]);
                    rest
                }
                At::Value => {
                    self.at = At::Line;
                    bytes
                }
                At::Line => {
                    let end = bytes.iter().position(|&byte| byte == b'\n').map(|end| end + 1);
                    let (line, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
                    self.ready.extend_from_slice(line);
                    if end.is_some() {
                        self.at = At::Value;
                    }
                    rest
                }
                At::Length(line) => {
                    line.push(first);
                    if first == b'\n' {
                        let line = std::mem::take(line);
                        self.begin_string(&line, rest.len());
                    } else if line.len() > LONGEST_LENGTH {
                        self.ready.append(line);
                        self.at = At::Line;
                    }
                    rest
                }
                At::String { kept, skipped, end } => {
                    let (part, is_passed_on) = match (*kept, *skipped) {
                        (0, 0) => (&mut *end, true),
                        (0, _) => (&mut *skipped, false),
                        _ => (&mut *kept, true),
                    };
                    let (now, rest) = bytes.split_at(bytes.len().min(*part));
                    *part -= now.len();
                    if is_passed_on {
                        self.ready.extend_from_slice(now);
                    }
                    match (*kept, *skipped, *end) {
                        (0, 0, 0) => self.at = At::Value,
                        (0, OUT_OF_REACH, _) => {
                            self.ready.extend_from_slice(b"\r\n");
                            self.at = At::Nowhere;
                            self.allowance.spend();
                        }
                        _ => {}
                    }
                    rest
                }
                At::Nowhere => &[],
            };
        }
    }

    /// A line says how long a string is. So many bytes of it are `here` already.
    fn begin_string(&mut self, line: &[u8], here: usize) {
        let length = line.get(1..).and_then(|length| str::from_utf8(length).ok()?.trim_end().parse::<usize>().ok());
        let Some(length) = length else {
            // There is no string, or nobody knows what this is.
            self.ready.extend_from_slice(line);
            self.at = At::Value;
            return;
        };
        let each = self.allowance.each();
        if length <= each {
            self.ready.extend_from_slice(line);
            self.at = At::String { kept: length, skipped: 0, end: 2 };
            return;
        }
        self.ready.push(line[0]);
        self.ready.extend_from_slice(format!("{each}\r\n").as_bytes());
        let in_reach = self.allowance.left().saturating_add(here) >= length.saturating_add(2);
        self.at = At::String { kept: each, skipped: if in_reach { length - each } else { OUT_OF_REACH }, end: 2 };
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.taken == this.ready.len() {
            (this.taken, this.ready) = (0, Vec::new());
            let may_come = this.allowance.left().min(PART);
            if may_come == 0 || this.allowance.is_spent() {
                this.allowance.spend();
                return Poll::Ready(Err(io::Error::other("too many bytes")));
            }
            let mut part = vec![0; may_come];
            let mut part = ReadBuf::new(&mut part);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut part))?;
            if part.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.allowance.read(part.filled().len());
            this.ready.reserve_exact(part.filled().len() + LONGEST_LENGTH);
            this.pass(part.filled());
            if !this.allowance.keep(this.ready.len()) {
                this.allowance.spend();
                this.ready.clear();
            }
        }
        let part = &this.ready[this.taken..];
        let part = &part[..part.len().min(into.remaining())];
        into.put_slice(part);
        this.taken += part.len();
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const BOUNDS: Bounds = Bounds { each: 4, kept: 1000, read: 1000, beginning: false };

    /// What comes of these bytes where they arrive in parts of this length, and whether the stream ended early.
    async fn passed(bytes: &[u8], part: usize, bounds: Bounds) -> (String, bool) {
        let (mut source, stream) = tokio::io::duplex(part);
        let bytes = bytes.to_vec();
        tokio::spawn(async move { source.write_all(&bytes).await });
        let allowance = Allowance::new(bounds);
        let mut stream = Bounded::new(stream, allowance.clone());
        let mut passed = Vec::new();
        let mut some = [0; 7];
        while let Ok(count @ 1..) = stream.read(&mut some).await {
            passed.extend_from_slice(&some[..count]);
        }
        (String::from_utf8_lossy(&passed).into_owned(), allowance.is_spent())
    }

    #[tokio::test]
    async fn a_long_string_is_cut_and_everything_around_it_passes() {
        let answers = [
            ("+OK\r\n:1\r\n-ERR no\r\n", "+OK\r\n:1\r\n-ERR no\r\n"),
            ("$4\r\nfour\r\n", "$4\r\nfour\r\n"),
            ("$0\r\n\r\n$-1\r\n:2\r\n", "$0\r\n\r\n$-1\r\n:2\r\n"),
            ("$5\r\nfives\r\n:1\r\n", "$4\r\nfive\r\n:1\r\n"),
            ("*2\r\n$11\r\n$9\r\n\r\n+OK\r\n\r\n:1\r\n", "*2\r\n$4\r\n$9\r\n\r\n:1\r\n"),
            ("=9\r\ntxt:long!\r\n!7\r\nERR bad\r\n", "=4\r\ntxt:\r\n!4\r\nERR \r\n"),
            ("%1\r\n$7\r\nseveral\r\n*0\r\n_\r\n", "%1\r\n$4\r\nseve\r\n*0\r\n_\r\n"),
            ("$one\r\n+OK\r\n", "$one\r\n+OK\r\n"),
        ];
        for (answer, cut) in answers {
            for part in 1..=answer.len() {
                assert_eq!(
                    passed(answer.as_bytes(), part, BOUNDS).await,
                    (cut.to_owned(), false),
                    "{answer:?} by {part}"
                );
            }
        }
    }

    #[tokio::test]
    async fn of_a_string_whose_end_is_too_far_away_the_beginning_comes_and_nothing_after_it() {
        let answer = "$999999\r\nlong and longer";
        for part in 1..answer.len() {
            assert_eq!(passed(answer.as_bytes(), part, BOUNDS).await, ("$4\r\nlong\r\n".to_owned(), true), "{part}");
        }
    }

    #[tokio::test]
    async fn no_more_is_read_or_kept_than_may_be() {
        let numbers = ":1\r\n".repeat(10);
        for bounds in [Bounds { read: 20, ..BOUNDS }, Bounds { kept: 20, ..BOUNDS }] {
            let (passed, ended) = passed(numbers.as_bytes(), 4, bounds).await;
            assert_eq!((passed.len(), ended), (20, true), "{bounds:?}");
        }
        let many = "$9\r\nnine long\r\n".repeat(4);
        assert!(!passed(many.as_bytes(), 8, Bounds { kept: 48, ..BOUNDS }).await.1, "what is cut is not kept");
    }

    #[test]
    fn what_is_as_long_as_may_be_counts_as_cut_wherever_it_stands() {
        let string = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        assert!(!BOUNDS.cut_any(&Value::Array(vec![string("abc"), Value::Int(1), Value::Nil])));
        assert!(BOUNDS.cut_any(&Value::Array(vec![Value::Map(vec![(string("a"), string("abcd"))])])));
    }
}

//! Why a look gave no answer: values only.

use jiff::Timestamp;

use crate::redis::tls::certificate::{Distrust, Fingerprint};

/// What came of ending a script that keeps a server from everything else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kill {
    /// It may end by itself: it is ended if another look finds it so.
    NotYet,
    /// It is left alone: the cache is paused.
    Withheld,
    /// It has written already, and then the server ends it no more.
    Unkillable,
    /// The server refused, in its own words.
    Refused(String),
    /// The server said OK, and the script goes on.
    Ineffective,
}

/// Why a server gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// No connection: refused, no route, or no answer to the connection request within the limit. Holds the reason.
    Unreachable(String),
    /// It accepts connections and does not answer within the limit.
    Frozen,
    /// It answers, but so slowly that the look was not over within its limit.
    Slow,
    /// It answers, and keeps writes waiting.
    WritesWait,
    /// It wants another password than the operator's.
    WrongPassword,
    /// It refuses a command to the operator's user: the command, and the server's words.
    NoPermission {
        /// The command, such as `config|get`.
        command: String,
        /// The server's words.
        message: String,
    },
    /// It is loading its data set into memory.
    Loading,
    /// A script has run for some seconds, and until it ends everything else is refused.
    Busy(Kill),
    /// It has as many clients as it may, and refused this one.
    Full,
    /// The port speaks TLS.
    TlsPort,
    /// The port speaks plain text where TLS was expected.
    PlainText,
    /// Its certificate does not prove who it is.
    Certificate(Untrusted),
    /// What answered is not Redis. Holds the beginning of what it said, printable characters only; empty where it
    /// closed the connection without a word.
    NotRedis(String),
    /// It answered something that Redis would not, or an error that has no place above. Holds it.
    Unexpected(String),
}

impl From<Distrust> for Fault {
    fn from(why: Distrust) -> Self {
        Self::Certificate(Untrusted { why, shown: None, since: None })
    }
}

/// A certificate that does not prove who a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untrusted {
    /// Why not.
    pub why: Distrust,
    /// The certificate; `None` where none was shown that can be read.
    pub shown: Option<Foreign>,
    /// Since when every look found this very certificate; `None` while the cache is paused, since nothing follows from it then.
    pub since: Option<Timestamp>,
}

/// What a certificate says of itself, which nobody vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// Which one it is.
    pub fingerprint: Fingerprint,
    /// Who signed it.
    pub issuer: String,
}

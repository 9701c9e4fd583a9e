//! Why there is no answer: from a server that is connected, or from what a connection was made to.
//!
//! In: errors of the crate, the first words that were read. Out: [`Failure`], and what it means as a [`Fault`]. It sends nothing.

use std::error::Error;

use ::redis::{ErrorKind, RedisError, ServerError};

use super::{greeting::Greeting, tcp::why};
use crate::redis::look::fault::{Fault, Kill};

/// Why a command got no answer.
pub(crate) enum Failure {
    /// Nothing came within the limit.
    Silent,
    /// The connection ended. Holds the reason.
    Closed(String),
    /// What came is not an answer. Holds what is wrong with it.
    Malformed(String),
    /// The answer is longer than what is read of one. Holds how that was noticed.
    TooLong(&'static str),
    /// There was no other connection to be had, after one on which an answer was too long.
    NotReplaced(Fault),
    /// The server refused: the first word, and all of its words.
    Refused { code: String, words: String },
}

impl Failure {
    /// Whether another connection could fare better.
    pub(crate) fn is_of_the_connection(&self) -> bool {
        matches!(self, Self::Silent | Self::Closed(_))
    }

    /// What this means where it happened to this command.
    pub(crate) fn of(self, command: &str) -> Fault {
        match self {
            Self::Silent => Fault::Frozen,
            Self::Closed(reason) => Fault::Unreachable(format!("the connection was lost during {command}: {reason}")),
            Self::Malformed(what) => Fault::Unexpected(format!("{command}: {what}")),
            Self::TooLong(how) => Fault::Unexpected(format!("{command}: the answer {how}")),
            Self::NotReplaced(fault) => fault,
            Self::Refused { code, words } => match code.as_str() {
                "WRONGPASS" | "NOAUTH" => Fault::WrongPassword,
                "NOPERM" => Fault::NoPermission { command: command.to_owned(), message: words },
                "LOADING" => Fault::Loading,
                "BUSY" => Fault::Busy(Kill::NotYet),
                _ => Fault::Unexpected(words),
            },
        }
    }
}

impl From<ServerError> for Failure {
    fn from(error: ServerError) -> Self {
        let code = error.code().to_owned();
        let words = error.details().map_or_else(|| code.clone(), |details| format!("{code} {details}"));
        Self::Refused { code, words }
    }
}

impl From<RedisError> for Failure {
    /// The crate's text for bytes that it cannot parse quotes them, and they are of no help: it is left out.
    fn from(error: RedisError) -> Self {
        if error.kind() == ErrorKind::Io {
            let source = error.source().and_then(|source| source.downcast_ref());
            Self::Closed(source.map_or_else(|| "it was closed".to_owned(), why))
        } else {
            Self::Malformed("the answer is cut short, or not in the protocol of Redis".to_owned())
        }
    }
}

/// What a greeting that opens no conversation means.
pub(crate) fn refusal(greeting: Greeting) -> Fault {
    match greeting {
        Greeting::Silent => Fault::Frozen,
        Greeting::TlsAlert => Fault::TlsPort,
        Greeting::Redis | Greeting::Closed => Fault::NotRedis(String::new()),
        Greeting::Stranger(said) => Fault::NotRedis(said),
        Greeting::Refused(words) if words.contains("max number of clients") => Fault::Full,
        Greeting::Refused(words) => Fault::Unexpected(words),
    }
}

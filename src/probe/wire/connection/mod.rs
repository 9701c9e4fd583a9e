//! A connection to one server: opened by address, bounded in time and bytes, closed when dropped.
//!
//! In: an address, whom to trust, a login. Out: a [`Connection`], in whose place another one comes where an answer was too
//! long. What goes over it is in `exchange`.

mod exchange;

use std::collections::BTreeSet;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, RedisConnectionInfo, Value, cmd};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;

use super::{
    Limits,
    bounded::{Allowance, Bounded, Bounds},
    failure::{Failure, refusal},
    greeting::{self, Greeting},
    handshake::{self, Shown},
    hello,
    tcp::connect,
};
use crate::redis::look::{Login, Server, Trust, fault::Fault};

/// A connection to something that answers as Redis does. One on which an answer was too long is replaced before the next
/// command: what is left of that answer could be taken for the next one.
pub(crate) struct Connection {
    redis: MultiplexedConnection,
    driver: AbortHandle,
    allowance: Allowance,
    limits: Limits,
    server: Server,
    trust: Option<Trust>,
    login: Option<Login>,
    shown: Option<Shown>,
    /// An answer did not end.
    is_spoilt: bool,
    /// How the log of refusals is read here.
    pub(crate) log: Log,
    /// Of which user the server says what by itself, whoever set it.
    pub(crate) own_words: BTreeSet<(&'static str, String)>,
    /// Whether its reads leave alone when a key was last used; `None` while that has not been asked for.
    pub(crate) spares_clock: Option<bool>,
    /// Whether it is settled that the server keeps it where it closes others for their memory.
    is_kept: bool,
}

impl Connection {
    /// Connects, and makes sure that Redis answers: over TLS where the server has to prove who it is.
    pub(crate) async fn open(server: &Server, trust: Option<&Trust>, limits: Limits) -> Result<Self, Fault> {
        match trust {
            None => Self::open_plain(server, limits).await,
            Some(trust) => Self::open_encrypted(server, trust, limits).await,
        }
    }

    async fn open_encrypted(server: &Server, trust: &Trust, limits: Limits) -> Result<Self, Fault> {
        let (mut stream, shown) = handshake::make(server, trust, limits).await?;
        match greeting::exchange(&mut stream, limits.answer).await {
            Greeting::Redis => {
                let mut connection = Self::over(stream, server, Some(trust), limits).await?;
                connection.shown = Some(shown);
                Ok(connection)
            }
            Greeting::Silent => Err(Fault::Frozen),
            Greeting::Closed | Greeting::TlsAlert => Err(Fault::NotRedis(String::new())),
            other => Err(refusal(other)),
        }
    }

    async fn open_plain(server: &Server, limits: Limits) -> Result<Self, Fault> {
        let mut stream = connect(server, limits.connect).await?;
        match greeting::exchange(&mut stream, limits.answer).await {
            Greeting::Redis => Self::over(stream, server, None, limits).await,
            Greeting::Silent => Err(Fault::Frozen),
            Greeting::TlsAlert => Err(Fault::TlsPort),
            Greeting::Closed if hello::is_spoken(server, limits).await? => Err(Fault::TlsPort),
            Greeting::Closed => Err(Fault::NotRedis(String::new())),
            other => Err(refusal(other)),
        }
    }

    /// The certificate that the server showed when this connection was opened.
    pub(crate) fn shown(&self) -> Option<&Shown> {
        self.shown.as_ref()
    }

    async fn over<S>(stream: S, server: &Server, trust: Option<&Trust>, limits: Limits) -> Result<Self, Fault>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let allowance = Allowance::new(bounds(limits));
        let stream = Bounded::new(stream, allowance.clone());
        let settings = RedisConnectionInfo::default().set_skip_set_lib_name();
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let (redis, driver) = MultiplexedConnection::new_with_config(&settings, stream, config)
            .await
            .map_err(|error| Failure::from(error).of("connect"))?;
        let driver = tokio::spawn(driver).abort_handle();
        Ok(Self {
            redis,
            driver,
            allowance,
            limits,
            server: server.clone(),
            trust: trust.cloned(),
            login: None,
            shown: None,
            is_spoilt: false,
            log: Log::default(),
            own_words: BTreeSet::new(),
            spares_clock: None,
            is_kept: false,
        })
    }

    /// Proves that the server accepts this login, now.
    pub(crate) async fn log_in(&mut self, login: &Login) -> Result<(), Failure> {
        self.login = Some(login.clone());
        if self.is_spoilt() { self.replace().await } else { self.authenticate().await }
    }

    async fn authenticate(&mut self) -> Result<(), Failure> {
        let Some(login) = &self.login else { return Ok(()) };
        let mut command = cmd("AUTH");
        command.arg(&login.username).arg(login.password.reveal());
        match self.exchange(&command, bounds(self.limits)).await? {
            Value::Okay => Ok(()),
            _ => Err(Failure::Malformed("the answer is not OK".to_owned())),
        }
    }

    fn is_spoilt(&self) -> bool {
        self.is_spoilt || self.allowance.is_spent()
    }

    /// Opens another connection in place of one on which an answer was too long.
    async fn replace(&mut self) -> Result<(), Failure> {
        let mut other =
            Self::open(&self.server, self.trust.as_ref(), self.limits).await.map_err(Failure::NotReplaced)?;
        other.login.clone_from(&self.login);
        other.log = self.log;
        other.own_words = std::mem::take(&mut self.own_words);
        other.authenticate().await?;
        if self.is_kept {
            other.is_kept = other.is_kept_now().await?;
        }
        if let Some(spares) = self.spares_clock {
            other.spares_clock = Some(spares && other.spares_clock_now().await?);
        }
        *self = other;
        Ok(())
    }

    /// Whom to believe who the server is, where another connection has to take the place of this one.
    pub(crate) fn trust_in(&mut self, trust: Option<&Trust>) {
        self.trust = trust.cloned();
    }

    /// Has what this connection reads leave alone when a key was last used, and says whether the server does that.
    pub(crate) async fn spares_clock_now(&mut self) -> Result<bool, Failure> {
        let mut command = cmd("CLIENT");
        command.arg("NO-TOUCH").arg("ON");
        match self.exchange(&command, bounds(self.limits)).await {
            Ok(_) => Ok(true),
            Err(Failure::Refused { .. } | Failure::TooLong(_)) => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// Has the server keep this connection where it closes others because clients hold too much memory. A server that does
    /// not know that is not asked again; one that refuses it may have been given the right by the next look.
    pub(crate) async fn keep(&mut self) -> Result<(), Fault> {
        if self.is_spoilt() {
            self.replace().await.map_err(|failure| failure.of("client|no-evict"))?;
        }
        if !self.is_kept {
            self.is_kept = self.is_kept_now().await.map_err(|failure| failure.of("client|no-evict"))?;
        }
        Ok(())
    }

    /// Whether it is settled, once the server was asked.
    async fn is_kept_now(&mut self) -> Result<bool, Failure> {
        let mut command = cmd("CLIENT");
        command.arg("NO-EVICT").arg("ON");
        match self.exchange(&command, bounds(self.limits)).await {
            Err(Failure::Refused { code, .. }) => Ok(code == "ERR"),
            answer => answer.map(|_| true),
        }
    }
}

impl Drop for Connection {
    /// The crate leaves it to who spawned its task to end it: a server that owes an answer must not keep it alive.
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// What an answer may usually have. Whoever gets one with a string that is as long as that is wary of it.
fn bounds(limits: Limits) -> Bounds {
    Bounds { each: limits.answer_bytes, kept: limits.answer_bytes, read: limits.read_bytes, beginning: false }
}

/// How the log of a server is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Log {
    pub(crate) entries: usize,
    pub(crate) rest: u32,
}

impl Default for Log {
    fn default() -> Self {
        Self { entries: MOST / FEWER, rest: 0 }
    }
}

/// So many entries a server keeps, unless it is told otherwise. It joins those that say the same.
pub(crate) const MOST: usize = 128;

/// How many times fewer are asked for where these were too long.
pub(crate) const FEWER: usize = 16;

//! A connection to one server: opened by address, bounded in time and bytes, closed when dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;

use ::redis::aio::MultiplexedConnection;
use ::redis::{
    AsyncConnectionConfig, Cmd, ErrorKind, Pipeline, RedisConnectionInfo, RedisError, ServerError, Value, cmd,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;
use tokio::time::{error::Elapsed, timeout};

use super::{
    Limits,
    bounded::{Allowance, Bounded, Bounds},
    greeting::{self, Greeting},
    handshake::{self, Shown},
    hello,
    tcp::{connect, why},
};
use crate::redis::look::{
    Login, Server, Trust,
    answer::{Section, Unread},
    fault::{Fault, Kill},
};

const TOO_LONG: Failure = Failure::TooLong("is over the limit");

/// Bytes of a setting: a path is the longest that there is.
const LONGEST_SETTING: usize = 8 * 1024;

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

    /// Asks for a PONG: the words of a server that refuses writes for want of a place to save its data to. It answers
    /// everything else as if nothing were wrong.
    pub(crate) async fn ping(&mut self) -> Result<Option<String>, Fault> {
        match self.send(&cmd("PING")).await {
            Ok(Value::SimpleString(pong)) if pong == "PONG" => Ok(None),
            Ok(_) => Err(Failure::Malformed("the answer is not PONG".to_owned()).of("ping")),
            Err(Failure::Refused { code, words }) if code == "MISCONF" => Ok(Some(words)),
            // A replica that lost its primary; INFO tells what it is.
            Err(Failure::Refused { code, .. }) if code == "MASTERDOWN" => Ok(None),
            Err(failure) => Err(failure.of("ping")),
        }
    }

    /// Asks for something. The name tells people which command it was.
    pub(crate) async fn ask(&mut self, name: &str, command: &Cmd) -> Result<Value, Fault> {
        self.send(command).await.map_err(|failure| failure.of(name))
    }

    /// Asks for something that a look goes on without where the answer is too long: then this is noted.
    pub(crate) async fn ask_for(
        &mut self,
        part: Section,
        command: &Cmd,
        unread: &mut BTreeMap<Section, Unread>,
    ) -> Result<Option<Value>, Fault> {
        let bounds = Bounds { each: LONGEST_SETTING, ..bounds(self.limits) };
        match self.send_within(command, bounds).await {
            Ok(answer) if !bounds.cut_any(&answer) => Ok(Some(answer)),
            Ok(_) | Err(Failure::TooLong(_)) => {
                unread.insert(part, Unread::TooLong);
                Ok(None)
            }
            Err(failure) => Err(failure.of(part.command())),
        }
    }

    /// Changes something: whether the server said OK, or its words of refusal.
    pub(crate) async fn change(&mut self, name: &str, command: &Cmd) -> Result<Result<(), String>, Fault> {
        match self.send(command).await.and_then(|answer| accepted(&answer)) {
            Ok(()) => Ok(Ok(())),
            Err(Failure::Refused { words, .. }) => Ok(Err(words)),
            Err(Failure::TooLong(how)) => Ok(Err(format!("its answer {how}"))),
            Err(failure) => Err(failure.of(name)),
        }
    }

    /// Sends one command.
    pub(crate) async fn send(&mut self, command: &Cmd) -> Result<Value, Failure> {
        self.send_within(command, bounds(self.limits)).await
    }

    /// Sends one command whose answer has bounds of its own. Strings in it may be cut.
    pub(crate) async fn send_within(&mut self, command: &Cmd, bounds: Bounds) -> Result<Value, Failure> {
        if self.is_spoilt() {
            self.replace().await?;
        }
        self.exchange(command, bounds).await
    }

    /// How many bytes the last answer had.
    pub(crate) fn came(&self) -> usize {
        self.allowance.came()
    }

    async fn exchange(&mut self, command: &Cmd, bounds: Bounds) -> Result<Value, Failure> {
        self.allowance.renew(bounds);
        let answer = timeout(self.limits.answer, self.redis.send_packed_command(command)).await;
        match self.judge(answer)? {
            Value::ServerError(refusal) => Err(refusal.into()),
            answer if bounds.spoils(&answer) => Err(TOO_LONG),
            answer => Ok(answer),
        }
    }

    /// Sends several in one go, whose answers together have the bounds of one. A refusal stands among the answers.
    pub(crate) async fn send_all(&mut self, commands: Vec<Cmd>) -> Result<Vec<Value>, Failure> {
        self.send_all_within(commands, bounds(self.limits)).await
    }

    /// The same with bounds of its own. Strings in the answers may be cut.
    pub(crate) async fn send_all_within(&mut self, commands: Vec<Cmd>, bounds: Bounds) -> Result<Vec<Value>, Failure> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        if self.is_spoilt() {
            self.replace().await?;
        }
        self.allowance.renew(bounds);
        let mut pipeline = Pipeline::with_capacity(commands.len());
        let count = commands.len();
        for command in commands {
            pipeline.add_command(command);
        }
        let answers = timeout(self.limits.answer, self.redis.send_packed_commands(&pipeline, 0, count)).await;
        let answers = self.judge(answers)?;
        if answers.iter().any(|answer| bounds.spoils(answer)) {
            Err(TOO_LONG)
        } else if answers.len() == count {
            Ok(answers)
        } else {
            Err(Failure::Malformed("there are more answers or fewer than questions".to_owned()))
        }
    }

    fn judge<T>(&mut self, answer: Result<Result<T, RedisError>, Elapsed>) -> Result<T, Failure> {
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) if self.allowance.is_spent() => Err(TOO_LONG),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => {
                self.is_spoilt = true;
                Err(if self.allowance.came() > 0 { Failure::TooLong("never ended") } else { Failure::Silent })
            }
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

impl Drop for Connection {
    /// The crate leaves it to who spawned its task to end it: a server that owes an answer must not keep it alive.
    fn drop(&mut self) {
        self.driver.abort();
    }
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

/// What an answer may usually have. Whoever gets one with a string that is as long as that is wary of it.
fn bounds(limits: Limits) -> Bounds {
    Bounds { each: limits.answer_bytes, kept: limits.answer_bytes, read: limits.read_bytes, beginning: false }
}

fn accepted(answer: &Value) -> Result<(), Failure> {
    match answer {
        Value::Okay | Value::Int(_) => Ok(()),
        _ => Err(Failure::Malformed("the answer is neither OK, a number nor an error".to_owned())),
    }
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

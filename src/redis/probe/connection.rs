//! A connection to one server: opened by address, bounded in time and bytes, closed when dropped.

use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{
    AsyncConnectionConfig, Cmd, ErrorKind, Pipeline, RedisConnectionInfo, RedisError, ServerError, Value, cmd,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::time::{error::Elapsed, timeout};

use super::bounded::{Allowance, Bounded};
use super::greeting::{self, Greeting};
use super::handshake::{self, Shown};
use super::{Limits, tls};
use crate::redis::acl::User;
use crate::redis::sample::{Fault, Login, Server, Trust};

/// As many entries of `ACL LOG` are read. Redis joins those that say the same.
const LATEST_REFUSALS: usize = 32;

/// A connection to something that answers as Redis does.
pub(super) struct Connection {
    redis: MultiplexedConnection,
    driver: AbortHandle,
    allowance: Allowance,
    limit: Duration,
    shown: Option<Shown>,
    /// Whether its reads leave alone when a key was last used; `None` while that has not been asked for.
    pub(super) spares_clock: Option<bool>,
    /// Whether it is settled that the server keeps it where it closes others for their memory.
    is_kept: bool,
}

/// Why a command got no answer.
pub(super) enum Failure {
    /// Nothing came within the limit.
    Silent,
    /// The connection ended. Holds the reason.
    Closed(String),
    /// What came is not an answer. Holds what is wrong with it.
    Malformed(String),
    /// The server refused: the first word, and all of its words.
    Refused { code: String, words: String },
}

impl Connection {
    /// Connects, and makes sure that Redis answers: over TLS where the server has to prove who it is.
    pub(super) async fn open(server: &Server, trust: Option<&Trust>, limits: Limits) -> Result<Self, Fault> {
        match trust {
            None => Self::open_plain(server, limits).await,
            Some(trust) => Self::open_encrypted(server, trust, limits).await,
        }
    }

    async fn open_encrypted(server: &Server, trust: &Trust, limits: Limits) -> Result<Self, Fault> {
        let (mut stream, shown) = handshake::make(server, trust, limits).await?;
        match greeting::exchange(&mut stream, limits.answer).await {
            Greeting::Redis => {
                let mut connection = Self::over(stream, limits).await?;
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
            Greeting::Redis => Self::over(stream, limits).await,
            Greeting::Silent => Err(Fault::Frozen),
            Greeting::TlsAlert => Err(Fault::TlsPort),
            Greeting::Closed if tls::is_spoken(server, limits).await? => Err(Fault::TlsPort),
            Greeting::Closed => Err(Fault::NotRedis(String::new())),
            other => Err(refusal(other)),
        }
    }

    /// The certificate that the server showed when this connection was opened.
    pub(super) fn shown(&self) -> Option<&Shown> {
        self.shown.as_ref()
    }

    async fn over<S>(stream: S, limits: Limits) -> Result<Self, Fault>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let allowance = Allowance::new(limits.answer_bytes);
        let stream = Bounded::new(stream, allowance.clone());
        let settings = RedisConnectionInfo::default().set_skip_set_lib_name();
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let (redis, driver) = MultiplexedConnection::new_with_config(&settings, stream, config)
            .await
            .map_err(|error| Failure::from(error).of("connect"))?;
        let driver = tokio::spawn(driver).abort_handle();
        Ok(Self { redis, driver, allowance, limit: limits.answer, shown: None, spares_clock: None, is_kept: false })
    }

    /// Proves that the server accepts this login, now.
    pub(super) async fn log_in(&mut self, login: &Login) -> Result<(), Failure> {
        let answer = self.send(cmd("AUTH").arg(&login.username).arg(login.password.reveal())).await?;
        accepted(&answer)
    }

    /// Has the server keep this connection where it closes others because clients hold too much memory. A server that does
    /// not know that is not asked again; one that refuses it may have been given the right by the next look.
    pub(super) async fn keep(&mut self) -> Result<(), Fault> {
        if self.is_kept {
            return Ok(());
        }
        let mut command = cmd("CLIENT");
        command.arg("NO-EVICT").arg("ON");
        match self.send(&command).await {
            Err(Failure::Refused { code, .. }) if code != "ERR" => Ok(()),
            Ok(_) | Err(Failure::Refused { .. }) => {
                self.is_kept = true;
                Ok(())
            }
            Err(failure) => Err(failure.of("client|no-evict")),
        }
    }

    /// Asks for a PONG: the words of a server that refuses writes for want of a place to save its data to. It answers
    /// everything else as if nothing were wrong.
    pub(super) async fn ping(&mut self) -> Result<Option<String>, Fault> {
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
    pub(super) async fn ask(&mut self, name: &str, command: &Cmd) -> Result<Value, Fault> {
        self.send(command).await.map_err(|failure| failure.of(name))
    }

    /// Changes something: whether the server said OK, or its words of refusal.
    pub(super) async fn change(&mut self, name: &str, command: &Cmd) -> Result<Result<(), String>, Fault> {
        match self.send(command).await.and_then(|answer| accepted(&answer)) {
            Ok(()) => Ok(Ok(())),
            Err(Failure::Refused { words, .. }) => Ok(Err(words)),
            Err(failure) => Err(failure.of(name)),
        }
    }

    /// Sends one command.
    pub(super) async fn send(&mut self, command: &Cmd) -> Result<Value, Failure> {
        self.allowance.renew();
        self.answer(command).await
    }

    /// Sends one command, whose answer may have so many bytes.
    pub(super) async fn send_for(&mut self, command: &Cmd, bytes: usize) -> Result<Value, Failure> {
        self.allowance.renew_to(bytes);
        self.answer(command).await
    }

    async fn answer(&mut self, command: &Cmd) -> Result<Value, Failure> {
        let answer = timeout(self.limit, self.redis.send_packed_command(command)).await;
        match self.judge(answer)? {
            Value::ServerError(refusal) => Err(refusal.into()),
            answer => Ok(answer),
        }
    }

    /// Sends several in one go, whose answers together have the bounds of one. A refusal stands among the answers.
    pub(super) async fn send_all(&mut self, commands: Vec<Cmd>) -> Result<Vec<Value>, Failure> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        self.allowance.renew();
        let mut pipeline = Pipeline::with_capacity(commands.len());
        let count = commands.len();
        for command in commands {
            pipeline.add_command(command);
        }
        let answers = timeout(self.limit, self.redis.send_packed_commands(&pipeline, 0, count)).await;
        let answers = self.judge(answers)?;
        if answers.len() == count {
            Ok(answers)
        } else {
            Err(Failure::Malformed("there are more answers or fewer than questions".to_owned()))
        }
    }

    fn judge<T>(&self, answer: Result<Result<T, RedisError>, Elapsed>) -> Result<T, Failure> {
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) if self.allowance.is_spent() => {
                Err(Failure::Malformed("the answer is over the limit".to_owned()))
            }
            Ok(Err(error)) => Err(error.into()),
            Err(_) if self.allowance.is_touched() => Err(Failure::Malformed("the answer never ended".to_owned())),
            Err(_) => Err(Failure::Silent),
        }
    }
}

/// What a greeting that opens no conversation means.
pub(super) fn refusal(greeting: Greeting) -> Fault {
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
    pub(super) fn is_of_the_connection(&self) -> bool {
        matches!(self, Self::Silent | Self::Closed(_))
    }

    /// What this means where it happened to this command.
    pub(super) fn of(self, command: &str) -> Fault {
        match self {
            Self::Silent => Fault::Frozen,
            Self::Closed(reason) => Fault::Unreachable(format!("the connection was lost during {command}: {reason}")),
            Self::Malformed(what) => Fault::Unexpected(format!("{command}: {what}")),
            Self::Refused { code, words } => match code.as_str() {
                "WRONGPASS" | "NOAUTH" => Fault::WrongPassword,
                "NOPERM" => Fault::NoPermission { command: command.to_owned(), message: words },
                "LOADING" => Fault::Loading,
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
            Self::Closed(error.to_string())
        } else {
            Self::Malformed("the answer is cut short, or not in the protocol of Redis".to_owned())
        }
    }
}

/// Opens a connection to the server's address.
pub(super) async fn connect(server: &Server, limit: Duration) -> Result<TcpStream, Fault> {
    let address = (server.address, server.port);
    match timeout(limit, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(Fault::Unreachable(error.kind().to_string())),
        Err(_) => Err(Fault::Unreachable(format!("no answer to the connection request within {limit:?}"))),
    }
}

/// `INFO` of what a probe reads. Several sections in one command: Redis 7.0 and later, every Valkey.
pub(super) fn info() -> Cmd {
    let mut command = cmd("INFO");
    command.arg("server").arg("clients").arg("replication").arg("persistence");
    command
}

/// `CONFIG GET` of both memory settings.
pub(super) fn memory_settings() -> Cmd {
    let mut command = cmd("CONFIG");
    command.arg("GET").arg("maxmemory").arg("maxmemory-policy");
    command
}

/// `CONFIG GET` of how what is written is saved.
pub(super) fn append_settings() -> Cmd {
    let mut command = cmd("CONFIG");
    command.arg("GET").arg("appendonly").arg("appendfsync");
    command
}

/// `CONFIG GET` of what clients may take. What a server does not know is not in its answer.
pub(super) fn client_limits(settings: &[&str]) -> Cmd {
    let mut command = cmd("CONFIG");
    command.arg("GET").arg(settings);
    command
}

/// `CONFIG GET` of the port for plain text.
pub(super) fn plain_port() -> Cmd {
    let mut command = cmd("CONFIG");
    command.arg("GET").arg("port");
    command
}

/// `CONFIG SET` of one setting.
pub(super) fn set(parameter: &str, value: &str) -> Cmd {
    let mut command = cmd("CONFIG");
    command.arg("SET").arg(parameter).arg(value);
    command
}

/// `CONFIG GET` of the files with the certificate.
pub(super) fn certificate_files() -> Cmd {
    let mut command = cmd("CONFIG");
    command.arg("GET").arg("tls-cert-file").arg("tls-key-file").arg("tls-ca-cert-file");
    command
}

/// `CONFIG SET` of the files with the certificate, in one command: that loads them, also where their paths are the same.
pub(super) fn load_certificate(files: &[(String, String)]) -> Cmd {
    let mut command = cmd("CONFIG");
    command.arg("SET");
    for (parameter, path) in files {
        command.arg(parameter).arg(path);
    }
    command
}

/// `ACL LIST`.
pub(super) fn users() -> Cmd {
    let mut command = cmd("ACL");
    command.arg("LIST");
    command
}

/// `ACL SETUSER` of a whole user.
pub(super) fn set_user(user: &User, knows_7_2: bool) -> Cmd {
    let mut command = cmd("ACL");
    command.arg("SETUSER").arg(user.name).arg(user.words(knows_7_2));
    command
}

/// `ACL DELUSER`.
pub(super) fn delete_users(names: &[&str]) -> Cmd {
    let mut command = cmd("ACL");
    command.arg("DELUSER").arg(names);
    command
}

/// `ACL LOG` of the latest entries, which stay there for others to read.
pub(super) fn refusals() -> Cmd {
    let mut command = cmd("ACL");
    command.arg("LOG").arg(LATEST_REFUSALS);
    command
}

fn accepted(answer: &Value) -> Result<(), Failure> {
    match answer {
        Value::Okay | Value::Int(_) => Ok(()),
        _ => Err(Failure::Malformed("the answer is neither OK, a number nor an error".to_owned())),
    }
}

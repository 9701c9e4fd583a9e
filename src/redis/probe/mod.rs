//! One look at one Redis server, over the network.
//!
//! In: a server's address, the operator's login, what the server should be, a clock. Out: a [`Sample`], always, and
//! within [`Limits::look`]: every way to fail is a [`Fault`]. What differs from [`Want`] is set right where that is
//! asked for, and then read back, since a server may answer OK and change nothing.
//!
//! It sends the login only to what has answered a PING as Redis does, proves the login at every look, and holds the
//! connection for the next one. What it finds out about a server's use adds up from one look to the next, and never
//! makes a look fail or take longer than it may. It never touches Kubernetes, the environment or anything global, never changes more
//! than the named settings, and lets no password and no unbounded text into a sample. No other module names the
//! `redis` crate.
//!
//! The commands: PING, AUTH, INFO, CONFIG GET, CONFIG SET, ACL GETUSER, ACL SETUSER; of use SLOWLOG GET, CLIENT NO-TOUCH,
//! SCAN, TYPE, PTTL, HSTRLEN, HGET.

mod bounded;
mod connection;
mod greeting;
mod reading;
mod reply;
mod settings;
mod tell;
mod tls;
mod usage;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};

use self::connection::Connection;
use super::sample::{Answer, Fault, Impediment, LONGEST_LOOK, Login, Sample, Server, Want};
use super::usage::{History, Usage};

/// How long a probe waits, and how much it listens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For a connection to come up.
    pub connect: Duration,
    /// For each answer.
    pub answer: Duration,
    /// For one look as a whole, however many answers it takes.
    pub look: Duration,
    /// Bytes of one answer: some kilobytes are usual.
    pub answer_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            answer: Duration::from_secs(2),
            look: LONGEST_LOOK,
            answer_bytes: 256 * 1024,
        }
    }
}

/// Looks at servers, and holds one connection to each of them in between.
pub struct Probe {
    limits: Limits,
    clock: fn() -> Timestamp,
    held: Mutex<HashMap<Server, Held>>,
    histories: Mutex<HashMap<Server, History>>,
}

/// A connection that was good at the last look, and whose it is.
struct Held {
    login: Login,
    connection: Connection,
}

impl Probe {
    /// A probe that holds nothing yet. The clock dates the samples.
    #[must_use]
    pub fn new(limits: Limits, clock: fn() -> Timestamp) -> Self {
        Self { limits, clock, held: Mutex::default(), histories: Mutex::default() }
    }

    /// Looks at one server. Looks at several servers can run at the same time; none waits for another.
    pub async fn sample(&self, server: &Server, login: &Login, want: &Want) -> Sample {
        let answered = AtomicBool::new(false);
        let end = Instant::now() + self.limits.look;
        let look = timeout_at(end, self.look(server, login, want, &answered)).await;
        let look =
            look.unwrap_or_else(|_| Err(if answered.load(Ordering::Relaxed) { Fault::Slow } else { Fault::Frozen }));
        let outcome = match look {
            Ok((answer, connection)) => {
                Ok(Answer { usage: self.usage(server, login, want, &answer, connection, end).await, ..answer })
            }
            Err(fault) => Err(fault),
        };
        let outcome = tell::fit_to_tell(outcome, login, want);
        Sample { server: server.clone(), taken: (self.clock)(), want: want.clone(), outcome }
    }

    /// Closes the connections held to servers that are gone. One that is being looked at right now is closed by the
    /// next call.
    pub fn forget(&self, is_gone: impl Fn(&Server) -> bool) {
        self.held().retain(|server, _| !is_gone(server));
        self.histories().retain(|server, _| !is_gone(server));
    }

    /// Notes in `answered` once the server has answered, since what takes long after that is not frozen.
    async fn look(
        &self,
        server: &Server,
        login: &Login,
        want: &Want,
        answered: &AtomicBool,
    ) -> Result<(Answer, Connection), Fault> {
        let mut connection = self.logged_in(server, login).await?;
        answered.store(true, Ordering::Relaxed);
        let cannot_save = connection.ping().await?.map(Impediment::CannotSave);
        let about = reply::about(connection.ask("info", &connection::info()).await?)?;
        let (settings, drift) = settings::bring_in_line(&mut connection, want).await?;
        let answer = Answer {
            version: about.version,
            role: about.role,
            impediment: cannot_save.or(about.impediment),
            max_memory: settings.max_memory,
            eviction_policy: settings.eviction_policy,
            drift,
            usage: Usage::default(),
        };
        Ok((answer, connection))
    }

    /// How the server is used, in what is left of a look's time. Where that does not suffice, or something is odd, it is as
    /// it was; the connection, on which an answer may be owed, is then closed.
    async fn usage(
        &self,
        server: &Server,
        login: &Login,
        want: &Want,
        answer: &Answer,
        mut connection: Connection,
        end: Instant,
    ) -> Usage {
        let mut history = self.histories().remove(server).unwrap_or_default();
        let read = usage::read(&mut connection, &mut history, &want.instance_name, &answer.version);
        if let Ok(Ok(())) = timeout_at(end, read).await {
            self.held().insert(server.clone(), Held { login: login.clone(), connection });
        }
        let usage = history.usage().clone();
        self.histories().insert(server.clone(), history);
        usage
    }

    /// A connection on which this login was accepted just now. Where the held one is of no use any more, because the
    /// server was restarted or the path to it was cut, a new one tells what is really the matter.
    async fn logged_in(&self, server: &Server, login: &Login) -> Result<Connection, Fault> {
        if let Some(mut connection) = self.take(server, login) {
            match connection.log_in(login).await {
                Ok(()) => return Ok(connection),
                Err(failure) if failure.is_of_the_connection() => {}
                Err(failure) => return Err(failure.of("auth")),
            }
        }
        let mut connection = Connection::open(server, self.limits).await?;
        connection.log_in(login).await.map_err(|failure| failure.of("auth"))?;
        Ok(connection)
    }

    fn take(&self, server: &Server, login: &Login) -> Option<Connection> {
        self.held().remove(server).filter(|held| held.login == *login).map(|held| held.connection)
    }

    fn histories(&self) -> MutexGuard<'_, HashMap<Server, History>> {
        self.histories.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Server, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

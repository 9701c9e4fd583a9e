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
//! Over TLS a server has to prove who it is first: that it has the name of the cache's Service, whatever its address.
//! A server that answers in plain text there is told of, and gets no login.
//!
//! The commands: PING, AUTH, INFO, CONFIG GET, CONFIG SET, ACL LIST, ACL SETUSER, ACL DELUSER, ACL LOG; of use SLOWLOG GET,
//! CLIENT NO-TOUCH, SCAN, TYPE, PTTL, HSTRLEN, HGET; of a sweep also WATCH, UNWATCH, MULTI, EXEC, UNLINK.

mod bounded;
mod certificate;
mod connection;
mod greeting;
mod handshake;
mod payloads;
mod reading;
mod reply;
mod settings;
pub mod sweep;
mod tell;
mod tls;
mod usage;
mod users;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};

use self::connection::Connection;
use super::acl;
use super::sample::{
    Answer, Fault, Impediment, LONGEST_LOOK, Login, REFUSALS_COUNT_FOR, Refusal, Sample, Server, Trust, Untrusted, Want,
};
use super::tls::certificate::Fingerprint;
use super::usage::{History, Usage, payloads::Counts};

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
    /// Certificates that prove nothing, and since when every look has found them.
    untrusted: Mutex<HashMap<Server, (Fingerprint, Timestamp)>>,
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
        Self { limits, clock, held: Mutex::default(), histories: Mutex::default(), untrusted: Mutex::default() }
    }

    /// Looks at one server. Looks at several servers can run at the same time; none waits for another.
    pub async fn sample(&self, server: &Server, login: &Login, want: &Want) -> Sample {
        let answered = AtomicBool::new(false);
        let end = Instant::now() + self.limits.look;
        let look = timeout_at(end, self.look(server, login, want, &answered)).await;
        let look =
            look.unwrap_or_else(|_| Err(if answered.load(Ordering::Relaxed) { Fault::Slow } else { Fault::Frozen }));
        let (outcome, counts) = match look {
            Ok((answer, connection)) => {
                let (usage, counts) = self.usage(server, login, want, &answer, connection, end).await;
                (Ok(Answer { usage, ..answer }), counts)
            }
            Err(fault) => (Err(fault), Counts::default()),
        };
        let outcome = tell::fit_to_tell(self.dated(server, want, outcome), login, want);
        Sample { server: server.clone(), taken: (self.clock)(), want: want.clone(), outcome, counts }
    }

    /// Closes the connections held to servers that are gone. One that is being looked at right now is closed by the
    /// next call.
    pub fn forget(&self, is_gone: impl Fn(&Server) -> bool) {
        self.held().retain(|server, _| !is_gone(server));
        self.histories().retain(|server, _| !is_gone(server));
        self.untrusted.lock().unwrap_or_else(PoisonError::into_inner).retain(|server, _| !is_gone(server));
    }

    /// Notes in `answered` once the server has answered, since what takes long after that is not frozen. Gives the
    /// connection back where no answer is owed on it.
    async fn look(
        &self,
        server: &Server,
        login: &Login,
        want: &Want,
        answered: &AtomicBool,
    ) -> Result<(Answer, Option<Connection>), Fault> {
        let (mut connection, is_new) = self.logged_in(server, login, want.trust.as_ref()).await?;
        answered.store(true, Ordering::Relaxed);
        let own = want.users.iter().find(|user| want.correct && user.name == login.username);
        let mut answer = match (ask(&mut connection, want).await, own) {
            (Err(denied @ Fault::NoPermission { .. }), Some(own)) => {
                // Taken away by hand, or never given: the users are of an earlier operator's making.
                let restored = users::restore(&mut connection, own).await?.ok_or(denied)?;
                let mut answer = ask(&mut connection, want).await?;
                answer.drift.retain(|drift| drift.parameter != restored.parameter);
                answer.drift.push(restored);
                answer
            }
            (answer, _) => answer?,
        };
        if let Some(trust) = &want.trust {
            let state = (want.correct, answer.impediment.as_ref());
            let (certificate, drift) =
                match certificate::bring_in_line(&mut connection, server, trust, is_new, state, self.limits).await {
                    Err(fault @ Fault::Certificate(_)) => {
                        // None is opened to a server that proves nothing; over this one it can be set right still.
                        self.hold(server, login, connection);
                        return Err(fault);
                    }
                    found => found?,
                };
            answer.certificate = certificate;
            answer.drift.extend(drift);
        }
        match refusals(&mut connection).await {
            Ok(refusals) => answer.refusals = refusals,
            // A log that cannot be read, such as one of huge keys, makes no server unavailable; but the rest of it may be
            // on its way still.
            Err(Fault::NoPermission { .. } | Fault::Unexpected(_)) => return Ok((answer, None)),
            Err(fault) => return Err(fault),
        }
        Ok((answer, Some(connection)))
    }

    /// How the server is used, in what is left of a look's time. Where that does not suffice, or something is odd, it is as
    /// it was; the connection, on which an answer may be owed, is then closed.
    async fn usage(
        &self,
        server: &Server,
        login: &Login,
        want: &Want,
        answer: &Answer,
        connection: Option<Connection>,
        end: Instant,
    ) -> (Usage, Counts) {
        let mut history = self.histories().remove(server).unwrap_or_default();
        if let Some(mut connection) = connection {
            let read = usage::read(&mut connection, &mut history, want, &answer.version);
            if let Ok(Ok(())) = timeout_at(end, read).await {
                self.hold(server, login, connection);
            }
        }
        let used = (history.usage().clone(), history.counts());
        self.histories().insert(server.clone(), history);
        used
    }

    /// A connection on which this login was accepted just now. Where the held one is of no use any more, because the
    /// server was restarted or the path to it was cut, a new one tells what is really the matter.
    /// Says whether it is a new one.
    async fn logged_in(
        &self,
        server: &Server,
        login: &Login,
        trust: Option<&Trust>,
    ) -> Result<(Connection, bool), Fault> {
        if let Some(mut connection) = self.take(server, login, trust) {
            match connection.log_in(login).await {
                Ok(()) => return Ok((connection, false)),
                Err(failure) if failure.is_of_the_connection() => {}
                Err(failure) => return Err(failure.of("auth")),
            }
        }
        let mut connection = Connection::open(server, trust, self.limits).await?;
        connection.log_in(login).await.map_err(|failure| failure.of("auth"))?;
        Ok((connection, true))
    }

    /// The held connection. Whom else is trusted by now makes no difference to it: every look shakes hands anew.
    fn take(&self, server: &Server, login: &Login, trust: Option<&Trust>) -> Option<Connection> {
        let same = |held: &Held| held.login == *login && held.connection.shown().is_some() == trust.is_some();
        self.held().remove(server).filter(same).map(|held| held.connection)
    }

    fn hold(&self, server: &Server, login: &Login, connection: Connection) {
        self.held().insert(server.clone(), Held { login: login.clone(), connection });
    }

    /// With the time since when every look that could have set it right found the same certificate that proves nothing.
    fn dated(&self, server: &Server, want: &Want, outcome: Result<Answer, Fault>) -> Result<Answer, Fault> {
        let mut untrusted = self.untrusted.lock().unwrap_or_else(PoisonError::into_inner);
        let before = untrusted.remove(server);
        if !want.correct {
            return outcome;
        }
        let Err(Fault::Certificate(Untrusted { why, shown: Some(shown), since: _ })) = outcome else { return outcome };
        let since = before.filter(|(fingerprint, _)| *fingerprint == shown.fingerprint).map(|(_, since)| since);
        let since = since.unwrap_or_else(self.clock);
        untrusted.insert(server.clone(), (shown.fingerprint.clone(), since));
        Err(Fault::Certificate(Untrusted { why, shown: Some(shown), since: Some(since) }))
    }

    fn histories(&self) -> MutexGuard<'_, HashMap<Server, History>> {
        self.histories.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Server, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Everything but the log.
async fn ask(connection: &mut Connection, want: &Want) -> Result<Answer, Fault> {
    let cannot_save = connection.ping().await?.map(Impediment::CannotSave);
    let about = reply::about(connection.ask("info", &connection::info()).await?)?;
    let knows_7_2 = acl::knows_7_2(&about.version);
    // First, since this gives the operator's own user back what it needs for the rest.
    let users = users::bring_in_line(connection, want, knows_7_2).await?;
    let (settings, mut drift) = settings::bring_in_line(connection, want).await?;
    drift.extend(users);
    Ok(Answer {
        version: about.version,
        role: about.role,
        impediment: cannot_save.or(about.impediment),
        max_memory: settings.max_memory,
        eviction_policy: settings.eviction_policy,
        saving: about.saving,
        drift,
        refusals: Vec::new(),
        certificate: None,
        usage: Usage::default(),
    })
}

async fn refusals(connection: &mut Connection) -> Result<Vec<Refusal>, Fault> {
    reply::refusals(connection.ask("acl|log", &connection::refusals()).await?, acl::APP, REFUSALS_COUNT_FOR)
}

//! One look at one Redis server, over the network.
//!
//! In: a server's address, the operator's login, what the server should be, a clock. Out: a [`Sample`], always, and
//! within [`Limits::look`]: every way to fail is a [`Fault`]. What differs from [`Desired`] is set right where that is
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
//! The commands: PING, AUTH, INFO, CONFIG GET, CONFIG SET, ACL LIST, ACL SETUSER, ACL DELUSER, ACL LOG,
//! CLIENT NO-EVICT, CLIENT LIST, SCRIPT KILL, FUNCTION KILL, UNLINK of a key that nobody has; of use SLOWLOG GET,
//! CLIENT NO-TOUCH, SCAN, TYPE, PTTL, HSTRLEN, HGET; of a sweep also WATCH, UNWATCH, MULTI, EXEC, UNLINK.

pub mod look;
pub mod prober;
pub(crate) mod redact;
pub mod sweep;
pub mod sweeper;
pub mod wire;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};

use crate::{
    entries::look::{Inspection, Look},
    redis::{
        access::acl,
        look::{
            Desired, Login, Question, Sample, Server, Trust,
            answer::{Answer, Detour, Impediment, Section, ShutOut, Unread},
            drift::Drift,
            fault::{Fault, Kill, Untrusted},
            load::Usage,
        },
        tls::certificate::Fingerprint,
    },
};
use look::{Histories, address::Names, callers, certificate, refusals, script, settings, usage, users, writes};
use wire::{Limits, connection::Connection, failure::Failure, reply};

/// Looks at servers, and holds one connection to each of them in between.
pub struct Probe {
    limits: Limits,
    clock: fn() -> Timestamp,
    held: Mutex<HashMap<Server, Held>>,
    histories: Mutex<HashMap<Server, Histories>>,
    /// Certificates that prove nothing, and since when every look has found them.
    untrusted: Mutex<HashMap<Server, (Fingerprint, Timestamp)>>,
    names: Names,
    /// Servers to which the address that applications are given did not lead at the last look.
    missed: Mutex<HashSet<Server>>,
    /// Since when servers are kept from everything by a script, as far as looks have seen it.
    busy: Mutex<HashMap<Server, Instant>>,
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
        Self {
            limits,
            clock,
            held: Mutex::default(),
            histories: Mutex::default(),
            untrusted: Mutex::default(),
            names: Names::default(),
            missed: Mutex::default(),
            busy: Mutex::default(),
        }
    }

    /// Looks at one server. Looks at several servers can run at the same time; none waits for another.
    pub async fn sample(
        &self,
        server: &Server,
        login: &Login,
        want: &Desired,
        inspection: &Inspection,
    ) -> (Sample, Option<Look>) {
        let answered = AtomicBool::new(false);
        let end = Instant::now() + self.limits.look;
        let look = timeout_at(end, self.look(server, login, want, &answered)).await;
        let look =
            look.unwrap_or_else(|_| Err(if answered.load(Ordering::Relaxed) { Fault::Slow } else { Fault::Frozen }));
        // A script that keeps a server busy leaves it little time to say so, or to take connections.
        if look.is_ok() {
            self.busy().remove(server);
        }
        let (outcome, entries) = match look {
            Ok((answer, connection)) => {
                let (usage, entries, unread) =
                    self.usage((server, login), (want, inspection), &answer, connection, end).await;
                let unread = answer.unread.into_iter().chain(unread).collect();
                // A connection that is opened for each write is seldom open when it is looked for.
                let is_written_to = || self.histories().get(server).is_some_and(|history| history.load.is_written_to());
                let shut_out = match answer.shut_out {
                    ShutOut::Perhaps if !is_written_to() => ShutOut::Everybody,
                    shut_out => shut_out,
                };
                (Ok(Answer { shut_out, usage, unread, ..answer }), Some(entries))
            }
            Err(fault) => (Err(fault), None),
        };
        let outcome = redact::fit_to_tell(self.dated(server, want, outcome), login, want);
        let entries = entries.map(|entries| redact::entries_fit_to_tell(entries, login, want));
        (Sample { server: server.clone(), taken: (self.clock)(), want: want.clone(), outcome }, entries)
    }

    /// Closes the connections held to servers that are gone. One that is being looked at right now is closed by the
    /// next call.
    pub fn forget(&self, is_gone: impl Fn(&Server) -> bool) {
        self.held().retain(|server, _| !is_gone(server));
        self.histories().retain(|server, _| !is_gone(server));
        self.untrusted.lock().unwrap_or_else(PoisonError::into_inner).retain(|server, _| !is_gone(server));
        self.missed.lock().unwrap_or_else(PoisonError::into_inner).retain(|server| !is_gone(server));
        self.busy().retain(|server, _| !is_gone(server));
    }

    /// Notes in `answered` once the server has answered, since what takes long after that is not frozen. Gives the
    /// connection back where no answer is owed on it.
    async fn look(
        &self,
        server: &Server,
        login: &Login,
        want: &Desired,
        answered: &AtomicBool,
    ) -> Result<(Answer, Connection), Fault> {
        let own = want.users.iter().find(|user| want.correct && user.name == login.username);
        let (mut connection, is_new) = self.logged_in(server, login, want.trust.as_ref(), own).await?;
        answered.store(true, Ordering::Relaxed);
        let mut asked = ask(&mut connection, want).await;
        if let Err(Fault::Busy(_)) = asked {
            let ended = match self.end_script(&mut connection, server, want).await {
                Err(fault @ Fault::Busy(_)) => {
                    // There may be no other to be had at the next look, which is to end it.
                    self.hold(server, login, connection);
                    return Err(fault);
                }
                ended => ended?,
            };
            asked = ask(&mut connection, want).await.map(|mut answer| {
                answer.drift.extend(ended);
                answer
            });
        }
        let mut answer = match (asked, own) {
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
        connection.keep().await?;
        writes::are_taken(&mut connection, want).await?;
        let reached = self.names.reach(server, want, self.limits).await;
        answer.detour = self.detour(server, reached.detour);
        if let Some(trust) = &want.trust {
            let state = (want.correct, answer.impediment.as_ref());
            let shown = reached.shown.or_else(|| connection.shown().filter(|_| is_new).cloned());
            let (certificate, drift) =
                match certificate::bring_in_line(&mut connection, server, trust, shown, state, self.limits).await {
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
        let refused = refusals::read(&mut connection).await?;
        answer.refusals = refused.what;
        answer.unread.extend(refused.unread.map(|why| (Section::Refusals, why)));
        if refused.refuses_logins {
            let callers = callers::read(&mut connection, Duration::ZERO).await.unwrap_or_default();
            if callers.is_some_and(|callers| callers.is_empty()) {
                answer.shut_out = ShutOut::Perhaps;
            }
        }
        if want.question == Some(Question::Callers) {
            // What is not known is asked again.
            answer.callers = callers::read(&mut connection, self.limits.reconnect).await.unwrap_or_default();
        }
        Ok((answer, connection))
    }

    /// How the server is used, in what is left of a look's time, and what could not be read of that. Where the time does not
    /// suffice, it is as it was; the connection, on which an answer may be owed, is then closed.
    async fn usage(
        &self,
        (server, login): (&Server, &Login),
        (want, inspection): (&Desired, &Inspection),
        answer: &Answer,
        mut connection: Connection,
        end: Instant,
    ) -> (Usage, Look, BTreeMap<Section, Unread>) {
        let mut history = self.histories().remove(server).unwrap_or_default();
        let mut unread = BTreeMap::new();
        let read = usage::read(&mut connection, &mut history, (want, inspection), &answer.version, &mut unread);
        if let Ok(Ok(())) = timeout_at(end, read).await {
            self.hold(server, login, connection);
            history.load.was_in_time();
        } else if history.load.was_late() {
            unread.insert(Section::Use, Unread::Late);
        }
        let used = (history.load.usage().clone(), history.entries.look(server, inspection), unread);
        self.histories().insert(server.clone(), history);
        used
    }

    /// A connection on which this login was accepted just now. Where the held one is of no use any more, because the
    /// server was restarted or the path to it was cut, a new one tells what is really the matter. A held one that has an earlier
    /// login teaches the server the new one, where the operator's own user may be set. Says whether it is a new one.
    async fn logged_in(
        &self,
        server: &Server,
        login: &Login,
        trust: Option<&Trust>,
        own: Option<&acl::User>,
    ) -> Result<(Connection, bool), Fault> {
        if let Some(Held { login: earlier, mut connection }) = self.take(server, trust) {
            match connection.log_in(login).await {
                Ok(()) => return Ok((connection, false)),
                Err(failure) if failure.is_of_the_connection() => {}
                Err(failure) if earlier == *login => return Err(failure.of("auth")),
                Err(_) => {
                    if let Some(own) = own
                        && teach(&mut connection, &earlier, own, login).await.is_ok()
                    {
                        return Ok((connection, false));
                    }
                }
            }
        }
        let mut connection = Connection::open(server, trust, self.limits).await?;
        connection.log_in(login).await.map_err(|failure| failure.of("auth"))?;
        Ok((connection, true))
    }

    /// The held connection. Whom else is trusted by now makes no difference to it: every look shakes hands anew.
    fn take(&self, server: &Server, trust: Option<&Trust>) -> Option<Held> {
        let same = |held: &Held| held.connection.shown().is_some() == trust.is_some();
        let mut held = self.held().remove(server).filter(same)?;
        held.connection.trust_in(trust);
        Some(held)
    }

    fn hold(&self, server: &Server, login: &Login, connection: Connection) {
        self.held().insert(server.clone(), Held { login: login.clone(), connection });
    }

    /// What keeps applications from the server at the address that they are given. What has failed once may have been on its way.
    fn detour(&self, server: &Server, why: Option<String>) -> Option<Detour> {
        let mut missed = self.missed.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(why) = why else {
            missed.remove(server);
            return None;
        };
        Some(Detour { why, is_confirmed: !missed.insert(server.clone()) })
    }

    /// With the time since when every look that could have set it right found the same certificate that proves nothing.
    fn dated(&self, server: &Server, want: &Desired, outcome: Result<Answer, Fault>) -> Result<Answer, Fault> {
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

    /// Ends a script that keeps a server from everything else: where it was found so before, and the server is to be
    /// corrected.
    async fn end_script(
        &self,
        connection: &mut Connection,
        server: &Server,
        want: &Desired,
    ) -> Result<Option<Drift>, Fault> {
        let since = *self.busy().entry(server.clone()).or_insert_with(Instant::now);
        if !want.correct {
            return Err(Fault::Busy(Kill::Withheld));
        }
        if since.elapsed() < self.limits.script {
            return Err(Fault::Busy(Kill::NotYet));
        }
        script::end(connection).await
    }

    fn busy(&self) -> MutexGuard<'_, HashMap<Server, Instant>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn histories(&self) -> MutexGuard<'_, HashMap<Server, Histories>> {
        self.histories.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Server, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives the operator's own user the passwords that it should have, over a connection that has an earlier one, and logs in with
/// the new one. What the user may do stays as it is.
async fn teach(connection: &mut Connection, earlier: &Login, own: &acl::User, login: &Login) -> Result<(), Failure> {
    connection.log_in(earlier).await?;
    connection.send(&wire::commands::add_passwords(own)).await?;
    connection.log_in(login).await
}

/// Everything but the log.
async fn ask(connection: &mut Connection, want: &Desired) -> Result<Answer, Fault> {
    let cannot_save = connection.ping().await?.map(Impediment::CannotSave);
    let mut unread = BTreeMap::new();
    let about = connection.send_within(&crate::probe::wire::commands::info(), usage::INFO).await;
    let about = reply::about(about.map_err(|failure| failure.of(Section::Server.command()))?, usage::INFO)?;
    if about.role.is_none() {
        unread.insert(Section::Server, Unread::TooLong);
    }
    let knows_7_2 = acl::knows_7_2(&about.version);
    // First, since this gives the operator's own user back what it needs for the rest.
    let (users, unknown_words) = users::bring_in_line(connection, want, knows_7_2, &mut unread).await?;
    let (settings, mut drift) = settings::bring_in_line(connection, want, about.clients, &mut unread).await?;
    drift.extend(users);
    Ok(Answer {
        product: about.product,
        version: about.version,
        is_preview: about.is_preview,
        role: about.role,
        impediment: cannot_save.or(about.impediment),
        memory: settings.memory,
        is_crowded: settings.is_crowded,
        saving: about.saving,
        drift,
        unknown_words,
        refusals: Vec::new(),
        shut_out: ShutOut::Nobody,
        detour: None,
        certificate: None,
        callers: None,
        usage: Usage::default(),
        unread,
    })
}

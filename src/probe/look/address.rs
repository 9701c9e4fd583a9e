//! The address that applications are given, tried as they would: its name is looked up, and a connection is opened to it, as far
//! as the handshake and the answer to a PING.
//!
//! In: the address, and by what a server proves who it is. Out: the certificate that was shown, and what came of it instead. It
//! logs in nowhere. There is one server behind the address, so that what is shown there is what that server shows.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{net::lookup_host, sync::Semaphore, time::timeout};

use crate::{
    probe::wire::{
        Limits,
        connection::Connection,
        handshake::{self, Shown},
    },
    redis::look::{Address, Desired, Server, Trust, fault::Fault},
};

/// How many names are looked up at the same time. Where no server of names answers, each of them takes a thread for long.
const CONCURRENT_LOOKUPS: usize = 16;

/// What came of an address.
#[derive(Default)]
pub(crate) struct Reached {
    /// The certificate that was shown there.
    pub(crate) shown: Option<Shown>,
    /// Why applications do not reach the server there, in words that do not change from one look to the next.
    pub(crate) detour: Option<String>,
}

/// The names of the cluster, as the operator's pod has them looked up.
pub(crate) struct Names {
    permits: Arc<Semaphore>,
    known: Arc<Known>,
}

/// What is known of all names.
#[derive(Default)]
struct Known {
    /// Whether one was ever found: a pod may be given another server of names than applications are, and then it knows of none.
    has_worked: AtomicBool,
    /// Whether the last one was not found. It holds of those too for which there is no turn.
    fails: AtomicBool,
}

impl Known {
    fn note(&self, is_found: bool) {
        self.has_worked.fetch_or(is_found, Ordering::Relaxed);
        self.fails.store(!is_found, Ordering::Relaxed);
    }

    fn unresolved(&self) -> Option<String> {
        let is_told = self.has_worked.load(Ordering::Relaxed) && self.fails.load(Ordering::Relaxed);
        is_told.then(|| "its name is not resolved".to_owned())
    }
}

impl Default for Names {
    fn default() -> Self {
        Self { permits: Arc::new(Semaphore::new(CONCURRENT_LOOKUPS)), known: Arc::default() }
    }
}

impl Names {
    /// Tries the address, where there is one to be tried.
    pub(crate) async fn reach(&self, server: &Server, want: &Desired, limits: Limits) -> Reached {
        let Some(address) = &want.address else { return Reached::default() };
        let (unresolved, connected) =
            tokio::join!(self.resolve(address, limits.answer), connect(server, address, want.trust.as_ref(), limits));
        match connected {
            Ok(shown) => Reached { shown, detour: unresolved },
            // One that takes no further connection says so itself.
            Err(Fault::Full) => Reached { shown: None, detour: unresolved },
            Err(fault) => Reached { shown: None, detour: unresolved.or_else(|| Some(in_words(&fault))) },
        }
    }

    /// Looks up the name; tells what is wrong with it.
    async fn resolve(&self, address: &Address, limit: Duration) -> Option<String> {
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else { return self.known.unresolved() };
        let (host, port, known) = (address.host.clone(), address.at.port(), Arc::clone(&self.known));
        // It goes on for as long as the system takes, and keeps its turn until then.
        let lookup = tokio::spawn(async move {
            let found = lookup_host((host, port)).await.map(|found| found.map(|it| it.ip()).collect::<Vec<_>>());
            known.note(found.is_ok());
            drop(permit);
            found
        });
        match timeout(limit, lookup).await {
            Ok(Ok(Ok(found))) => (!found.contains(&address.at.ip())).then(|| "its name leads elsewhere".to_owned()),
            Ok(_) => self.known.unresolved(),
            Err(_) => {
                self.known.note(false);
                self.known.unresolved()
            }
        }
    }
}

async fn connect(
    server: &Server,
    address: &Address,
    trust: Option<&Trust>,
    limits: Limits,
) -> Result<Option<Shown>, Fault> {
    let there = Server { address: address.at.ip(), port: address.at.port(), ..server.clone() };
    match trust {
        Some(trust) => handshake::look(&there, trust, limits).await.map(Some),
        None => Connection::open(&there, None, limits).await.map(|_| None),
    }
}

fn in_words(fault: &Fault) -> String {
    match fault {
        Fault::Unreachable(why) => why.clone(),
        Fault::Certificate(_) => "another server answers there".to_owned(),
        Fault::Frozen | Fault::Slow => "nothing answers there".to_owned(),
        _ => "what answers there is not this Redis".to_owned(),
    }
}

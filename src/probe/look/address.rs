//! The address that applications are given, tried as they would: a connection to it, the handshake, and the answer to a PING.
//!
//! In: the address, and by what a server proves who it is. Out: the certificate that was shown, or what came of it instead. It
//! logs in nowhere. There is one server behind the address, so that what is shown there is what that server shows.

use crate::{
    probe::wire::{
        Limits,
        connection::Connection,
        handshake::{self, Shown},
    },
    redis::look::{Desired, Server, fault::Fault},
};

/// Tries the address, where there is one to be tried.
pub(crate) async fn reach(server: &Server, want: &Desired, limits: Limits) -> Result<Option<Shown>, Fault> {
    let Some(address) = want.address else { return Ok(None) };
    let there = Server { address: address.ip(), port: address.port(), ..server.clone() };
    match &want.trust {
        Some(trust) => handshake::look(&there, trust, limits).await.map(Some),
        None => Connection::open(&there, None, limits).await.map(|_| None),
    }
}

/// What came of it, in words that do not change from one look to the next.
pub(crate) fn in_words(fault: &Fault) -> String {
    match fault {
        Fault::Unreachable(why) => why.clone(),
        Fault::Certificate(_) => "another server answers there".to_owned(),
        Fault::Frozen | Fault::Slow => "nothing answers there".to_owned(),
        _ => "what answers there is not this Redis".to_owned(),
    }
}

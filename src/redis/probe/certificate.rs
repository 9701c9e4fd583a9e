//! The certificate that a server shows to whom connects now: compared with the wanted one, loaded where it is another, and
//! looked at again, since a server may answer OK and go on with the old one.

use super::connection::{self, Connection};
use super::handshake::{self, Shown};
use super::{Limits, reply};
use crate::redis::sample::{Fault, Impediment, Reload, Served, Server, Trust};

/// Looks at the certificate, and has the wanted one loaded where `correct` asks for that. `None` where the server takes no
/// connection to show it on.
pub(super) async fn bring_in_line(
    connection: &mut Connection,
    server: &Server,
    trust: &Trust,
    is_new: bool,
    (correct, impediment): (bool, Option<&Impediment>),
    limits: Limits,
) -> Result<Option<Served>, Fault> {
    let shown = match connection.shown().filter(|_| is_new) {
        Some(shown) => shown.clone(),
        None => match handshake::look(server, trust, limits).await {
            Ok(shown) => shown,
            Err(_) if matches!(impediment, Some(Impediment::Full { .. })) => return Ok(None),
            Err(fault) => return Err(fault),
        },
    };
    if is_wanted(&shown, trust) {
        return Ok(Some(served(shown, Reload::Done)));
    }
    if !correct {
        return Ok(Some(served(shown, Reload::Withheld)));
    }
    let files = reply::files(connection.ask("config|get", &connection::certificate_files()).await?)?;
    if let Err(words) = connection.change("config|set", &connection::load_certificate(&files)).await? {
        return Ok(Some(served(shown, Reload::Refused(words))));
    }
    let shown = handshake::look(server, trust, limits).await?;
    let reload = if is_wanted(&shown, trust) { Reload::Done } else { Reload::Pending };
    Ok(Some(served(shown, reload)))
}

fn is_wanted(shown: &Shown, trust: &Trust) -> bool {
    trust.certificate.as_ref().is_none_or(|wanted| *wanted == shown.fingerprint)
}

fn served(Shown { fingerprint, not_after }: Shown, reload: Reload) -> Served {
    Served { fingerprint, not_after, reload }
}

//! The certificate that a server shows to whom connects now: compared with the wanted one, loaded where it is another, and
//! looked at again, since a server may answer OK and go on with the old one.
//!
//! It is loaded from the files that the server names, and where these hold another one and are not those that it should
//! name, from those.

use super::connection::{self, Connection};
use super::handshake::{self, Shown};
use super::{Limits, reply};
use crate::redis::sample::{Correction, Drift, Fault, Impediment, Parameter, Reload, Served, Server, Trust};

/// What a look found: the certificate, `None` where the server takes no connection to show it on; and whether other files
/// were named for it.
pub(super) type Found = (Option<Served>, Option<Drift>);

/// Looks at the certificate, and has the wanted one loaded where `correct` asks for that.
pub(super) async fn bring_in_line(
    connection: &mut Connection,
    server: &Server,
    trust: &Trust,
    is_new: bool,
    (correct, impediment): (bool, Option<&Impediment>),
    limits: Limits,
) -> Result<Found, Fault> {
    let shown = match connection.shown().filter(|_| is_new) {
        Some(shown) => shown.clone(),
        None => match handshake::look(server, trust, limits).await {
            Ok(shown) => shown,
            Err(_) if matches!(impediment, Some(Impediment::Full { .. })) => return Ok((None, None)),
            Err(fault) => return Err(fault),
        },
    };
    if is_wanted(&shown, trust) {
        return Ok((Some(served(shown, Reload::Done)), None));
    }
    if !correct {
        return Ok((Some(served(shown, Reload::Withheld)), None));
    }
    let named = reply::files(connection.ask("config|get", &connection::certificate_files()).await?)?;
    let (loaded, shown) = load(connection, server, trust, shown, &named, limits).await?;
    let strays: Vec<&str> =
        named.iter().filter(|file| !trust.files.contains(file)).map(|(_, path)| path.as_str()).collect();
    if loaded == Reload::Done || strays.is_empty() {
        return Ok((Some(served(shown, loaded)), None));
    }
    let (reloaded, shown) = load(connection, server, trust, shown, &trust.files, limits).await?;
    if matches!(reloaded, Reload::Refused(_)) {
        return Ok((Some(served(shown, loaded)), None));
    }
    let drift =
        Drift { parameter: Parameter::CertificateFiles, found: strays.join(", "), correction: Correction::Corrected };
    Ok((Some(served(shown, reloaded)), Some(drift)))
}

/// Has the certificate loaded from these files, and says what came of it and what is shown then.
async fn load(
    connection: &mut Connection,
    server: &Server,
    trust: &Trust,
    before: Shown,
    files: &[(String, String)],
    limits: Limits,
) -> Result<(Reload, Shown), Fault> {
    if let Err(words) = connection.change("config|set", &connection::load_certificate(files)).await? {
        return Ok((Reload::Refused(words), before));
    }
    let shown = handshake::look(server, trust, limits).await?;
    Ok((if is_wanted(&shown, trust) { Reload::Done } else { Reload::Pending }, shown))
}

fn is_wanted(shown: &Shown, trust: &Trust) -> bool {
    trust.certificate.as_ref().is_none_or(|wanted| *wanted == shown.fingerprint)
}

fn served(Shown { fingerprint, not_after }: Shown, reload: Reload) -> Served {
    Served { fingerprint, not_after, reload }
}

//! The certificate that a server shows to whom connects now: compared with the wanted one, loaded where it is another, and
//! looked at again, since a server may answer OK and go on with the old one.
//!
//! It is loaded from the files that the server should name and from no other: those that it names may hold anything by now.
//! Where what it shows proves nothing, but the connection is from before that, on which it did prove who it is, the wanted one
//! is loaded over that: connections outlive the certificate that they were opened with.

use std::path::Path;

use super::connection::{self, Connection};
use super::handshake::{self, Shown};
use super::{Limits, reply};
use crate::redis::sample::{
    Correction, Drift, Fault, Impediment, Parameter, Reload, Served, Server, Trust, Untrusted, Wanted,
};

type Files = [(String, String)];

/// What a look found: the certificate, `None` where the server takes no connection to show it on; and whether other files
/// were named for it.
pub(super) type Found = (Option<Served>, Option<Drift>);

/// Looks at the certificate, and has the wanted one loaded where `correct` asks for that. After [`Fault::Certificate`] no answer
/// is owed on the connection.
pub(super) async fn bring_in_line(
    connection: &mut Connection,
    server: &Server,
    trust: &Trust,
    is_new: bool,
    (correct, impediment): (bool, Option<&Impediment>),
    limits: Limits,
) -> Result<Found, Fault> {
    let looked = match connection.shown().filter(|_| is_new) {
        Some(shown) => Ok(shown.clone()),
        None => handshake::look(server, trust, limits).await,
    };
    let shown = match (looked, &trust.certificate) {
        (Ok(shown), Some(_)) => shown,
        (Ok(shown), None) => return Ok((Some(served(shown, Reload::Done, false)), None)),
        (Err(_), _) if matches!(impediment, Some(Impediment::Full { .. })) => return Ok((None, None)),
        (Err(Fault::Certificate(untrusted)), Some(wanted)) if correct => {
            return win_back(connection, server, trust, wanted, untrusted, limits).await;
        }
        (Err(fault), _) => return Err(fault),
    };
    let Some(wanted) = &trust.certificate else { return Ok((Some(served(shown, Reload::Done, false)), None)) };
    let named = reply::files(connection.ask("config|get", &connection::certificate_files()).await?)?;
    let is_shown = is_wanted(&shown, wanted);
    if is_shown && names(&named, &wanted.files) {
        return Ok((Some(served(shown, Reload::Done, true)), None));
    }
    if !correct {
        let reload = if is_shown { Reload::Done } else { Reload::Withheld };
        return Ok((Some(served(shown, reload, false)), None));
    }
    if let Err(words) = load(connection, &wanted.files).await? {
        let reload = if is_shown { Reload::Done } else { Reload::Refused(words) };
        return Ok((Some(served(shown, reload, false)), None));
    }
    match handshake::look(server, trust, limits).await {
        Ok(after) => {
            let is_done = is_wanted(&after, wanted);
            let reload = if is_done { Reload::Done } else { Reload::Pending };
            let drift = strays(&named, &wanted.files).map(corrected);
            Ok((Some(served(after, reload, is_done)), drift))
        }
        // What reached the pod is not what was checked: with what it had before it at least proved who it is.
        Err(Fault::Certificate(_)) if !names(&named, &wanted.files) => {
            load(connection, &named).await?.map_err(Fault::Unexpected)?;
            let before = handshake::look(server, trust, limits).await?;
            Ok((Some(served(before, Reload::Pending, false)), None))
        }
        Err(fault) => Err(fault),
    }
}

/// Has the wanted certificate loaded in place of one that proves nothing, by a server that proved who it is when the connection
/// was opened.
async fn win_back(
    connection: &mut Connection,
    server: &Server,
    trust: &Trust,
    wanted: &Wanted,
    untrusted: Untrusted,
    limits: Limits,
) -> Result<Found, Fault> {
    if load(connection, &wanted.files).await?.is_err() {
        return Err(Fault::Certificate(untrusted));
    }
    let shown = handshake::look(server, trust, limits).await?;
    let is_done = is_wanted(&shown, wanted);
    let foreign =
        untrusted.shown.map_or_else(String::new, |foreign| format!(" (SHA-256 {}…)", foreign.fingerprint.short()));
    let drift = corrected(format!("a file with one that no application trusts{foreign}"));
    Ok((Some(served(shown, if is_done { Reload::Done } else { Reload::Pending }, is_done)), Some(drift)))
}

/// Has the server load these files: whether it did, or its words of refusal.
async fn load(connection: &mut Connection, files: &Files) -> Result<Result<(), String>, Fault> {
    connection.change("config|set", &connection::load_certificate(files)).await
}

fn names(named: &Files, files: &Files) -> bool {
    files.iter().all(|file| named.contains(file))
}

/// Files elsewhere than where the operator's are; `None` where there are none.
fn strays(named: &Files, files: &Files) -> Option<String> {
    let folder = |path: &str| Path::new(path).parent().map(Path::to_owned);
    let ours = files.first().and_then(|(_, path)| folder(path));
    let is_stray = |path: &&str| !path.is_empty() && folder(path) != ours;
    let strays: Vec<&str> = named.iter().map(|(_, path)| path.as_str()).filter(is_stray).collect();
    (!strays.is_empty()).then(|| strays.join(", "))
}

fn corrected(found: String) -> Drift {
    Drift { parameter: Parameter::CertificateFiles, found, correction: Correction::Corrected }
}

fn is_wanted(shown: &Shown, wanted: &Wanted) -> bool {
    wanted.fingerprint == shown.fingerprint
}

fn served(Shown { fingerprint, not_after }: Shown, reload: Reload, is_named: bool) -> Served {
    Served { fingerprint, not_after, reload, is_named }
}

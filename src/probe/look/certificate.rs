//! The certificate that a server shows to whom connects now: compared with the wanted one, loaded where it is another, and
//! looked at again, since a server may answer OK and go on with the old one.
//!
//! It is loaded from a file of the name that the wanted one has, and of no other: what the server names may hold anything by now.
//! Where what it shows proves nothing, but the connection is from before that, on which it did prove who it is, the wanted one
//! is loaded over that: connections outlive the certificate that they were opened with.

use std::path::Path;

use crate::{
    probe::wire::{
        Limits,
        connection::Connection,
        handshake::{self, Shown},
        reply,
    },
    redis::look::{
        DesiredCertificate, Server, Trust,
        answer::{Impediment, Reload, Served},
        drift::{Correction, Drift, Parameter},
        fault::{Fault, Untrusted},
    },
};

type Files = [(String, String)];

/// What a look found: the certificate, `None` where the server takes no connection to show it on; and whether other files
/// were named for it.
pub(crate) type Found = (Option<Served>, Option<Drift>);

/// Looks at the certificate, unless it was shown a moment ago, and has the wanted one loaded where `correct` asks for that. After
/// [`Fault::Certificate`] no answer is owed on the connection.
pub(crate) async fn bring_in_line(
    connection: &mut Connection,
    server: &Server,
    trust: &Trust,
    shown: Option<Shown>,
    (correct, impediment): (bool, Option<&Impediment>),
    limits: Limits,
) -> Result<Found, Fault> {
    let looked = match shown {
        Some(shown) => Ok(shown),
        None => handshake::look(server, trust, limits).await,
    };
    let (shown, wanted) = match (looked, &trust.certificate) {
        (Ok(shown), Some(wanted)) => (shown, wanted),
        (Ok(shown), None) => return Ok((Some(served(shown, Reload::Done, false)), None)),
        (Err(_), _) if matches!(impediment, Some(Impediment::Full { .. })) => return Ok((None, None)),
        (Err(Fault::Certificate(untrusted)), Some(wanted)) if correct => {
            return win_back(connection, server, trust, wanted, untrusted, limits).await;
        }
        (Err(fault), _) => return Err(fault),
    };
    let named = files(connection).await?;
    let is_shown = is_wanted(&shown, wanted);
    if is_shown && places(&named, wanted).contains(&named) {
        return Ok((Some(served(shown, Reload::Done, true)), None));
    }
    if !correct {
        let reload = if is_shown { Reload::Done } else { Reload::Withheld };
        return Ok((Some(served(shown, reload, false)), None));
    }
    let (loaded, drift) = load(connection, server, trust, wanted, &named, limits).await?;
    let found = match loaded {
        Loaded::Wanted(shown) => served(shown, Reload::Done, true),
        Loaded::Other(shown) => served(shown, Reload::Pending, false),
        Loaded::Refused(_) if is_shown => served(shown, Reload::Done, false),
        Loaded::Refused(words) => served(shown, Reload::Refused(words), false),
        Loaded::Untrusted(untrusted) => return Err(Fault::Certificate(untrusted)),
    };
    Ok((Some(found), drift))
}

/// Has the wanted certificate loaded in place of one that proves nothing, by a server that proved who it is when the connection
/// was opened.
async fn win_back(
    connection: &mut Connection,
    server: &Server,
    trust: &Trust,
    wanted: &DesiredCertificate,
    untrusted: Untrusted,
    limits: Limits,
) -> Result<Found, Fault> {
    let named = files(connection).await?;
    let found = match load(connection, server, trust, wanted, &named, limits).await?.0 {
        Loaded::Wanted(shown) => served(shown, Reload::Done, true),
        Loaded::Other(shown) => served(shown, Reload::Pending, false),
        Loaded::Refused(_) => return Err(Fault::Certificate(untrusted)),
        Loaded::Untrusted(untrusted) => return Err(Fault::Certificate(untrusted)),
    };
    let foreign =
        untrusted.shown.map_or_else(String::new, |foreign| format!(" (SHA-256 {}…)", foreign.fingerprint.short()));
    Ok((Some(found), Some(corrected(format!("a file with one that no application trusts{foreign}")))))
}

/// What came of having a certificate loaded.
enum Loaded {
    /// It is shown.
    Wanted(Shown),
    /// The files hold another one.
    Other(Shown),
    /// They were refused, in the server's words.
    Refused(String),
    /// One is shown that proves nothing.
    Untrusted(Untrusted),
}

/// Has the wanted certificate loaded: from beside the files that the server names, or from where they should be. Where what is
/// there proves nothing, the server is left with the files that it named.
async fn load(
    connection: &mut Connection,
    server: &Server,
    trust: &Trust,
    wanted: &DesiredCertificate,
    named: &Files,
    limits: Limits,
) -> Result<(Loaded, Option<Drift>), Fault> {
    let mut loaded = None;
    for place in places(named, wanted) {
        if let Err(words) = set(connection, &place).await? {
            loaded = loaded.or(Some(Loaded::Refused(words)));
            continue;
        }
        match handshake::look(server, trust, limits).await {
            Ok(shown) if is_wanted(&shown, wanted) => {
                let drift = strays(named, &place).map(corrected);
                return Ok((Loaded::Wanted(shown), drift));
            }
            Ok(shown) => loaded = Some(Loaded::Other(shown)),
            Err(Fault::Certificate(untrusted)) => {
                // What reached the pod is not what was checked. Where what was named before is gone, the next look tries again.
                let _refused = set(connection, named).await?;
                loaded = Some(match handshake::look(server, trust, limits).await {
                    Ok(before) => Loaded::Other(before),
                    Err(Fault::Certificate(_)) => Loaded::Untrusted(untrusted),
                    Err(fault) => return Err(fault),
                });
            }
            Err(fault) => return Err(fault),
        }
    }
    loaded
        .map(|loaded| (loaded, None))
        .ok_or_else(|| Fault::Unexpected("CONFIG GET has no file with a certificate".to_owned()))
}

/// The files that the server names for its certificate.
async fn files(connection: &mut Connection) -> Result<Vec<(String, String)>, Fault> {
    let mut files =
        reply::files(connection.ask("config|get", &crate::probe::wire::commands::certificate_files()).await?)?;
    files.sort();
    Ok(files)
}

/// Has the server load these files: whether it did, or its words of refusal.
async fn set(connection: &mut Connection, files: &Files) -> Result<Result<(), String>, Fault> {
    connection.change("config|set", &crate::probe::wire::commands::load_certificate(files)).await
}

/// Where the wanted files may be: in the folder of those that the server names, and where they should be.
fn places(named: &Files, wanted: &DesiredCertificate) -> Vec<Vec<(String, String)>> {
    let mut should: Vec<(String, String)> = wanted.files.clone();
    should.sort();
    let folder =
        named.iter().map(|(_, path)| path).find(|path| !path.is_empty()).and_then(|path| Path::new(path).parent());
    let beside = folder.map(|folder| {
        let beside = |path: &str| Path::new(path).file_name().map(|name| folder.join(name).display().to_string());
        should.iter().map(|(setting, path)| (setting.clone(), beside(path).unwrap_or_default())).collect::<Vec<_>>()
    });
    let mut places: Vec<_> = beside.into_iter().chain([should]).collect();
    places.dedup();
    places
}

/// Files in another folder than these; `None` where there are none.
fn strays(named: &Files, files: &Files) -> Option<String> {
    let folder = |path: &str| Path::new(path).parent().map(Path::to_owned);
    let set =
        |files: &Files| files.iter().map(|(_, path)| path.clone()).filter(|path| !path.is_empty()).collect::<Vec<_>>();
    let ours = set(files).first().and_then(|path| folder(path));
    let mut strays = set(named);
    strays.retain(|path| folder(path) != ours);
    (!strays.is_empty()).then(|| strays.join(", "))
}

fn corrected(found: String) -> Drift {
    Drift { parameter: Parameter::CertificateFiles, found, correction: Correction::Corrected, corrected_at: None }
}

fn is_wanted(shown: &Shown, wanted: &DesiredCertificate) -> bool {
    wanted.fingerprint == shown.fingerprint
}

fn served(Shown { fingerprint, not_after }: Shown, reload: Reload, is_named: bool) -> Served {
    Served { fingerprint, not_after, reload, is_named }
}

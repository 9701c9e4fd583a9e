//! A script that keeps a server from everything else, ended where it has written nothing.
//!
//! A server says BUSY once a script has run for some seconds, and then lets nobody do anything but end it. One that has
//! written it does not end: half of what it does would stay.

use ::redis::cmd;

use crate::{
    probe::wire::connection::Connection,
    redis::look::{
        drift::{Correction, Drift, Parameter},
        fault::{Fault, Kill},
    },
};

/// What can run, and the command that ends it.
const KINDS: [(&str, &str); 2] = [("script", "SCRIPT"), ("function", "FUNCTION")];
/// How many times a server is asked whether what was ended has ended. It answers between two steps of the script, which
/// takes it some milliseconds each time.
const TRIES: u32 = 50;

/// Ends what runs, and tells so; `None` where it ended by itself.
pub(crate) async fn end(connection: &mut Connection) -> Result<Option<Drift>, Fault> {
    let mut refusal = String::new();
    for (kind, command) in KINDS {
        let name = format!("{kind}|kill");
        let mut kill = cmd(command);
        kill.arg("KILL");
        match connection.change(&name, &kill).await? {
            Ok(()) if serves(connection).await? => {
                let found = format!("a {kind} for seconds, and refused everything else meanwhile");
                return Ok(Some(Drift {
                    parameter: Parameter::Script,
                    found,
                    correction: Correction::Corrected,
                    corrected_at: None,
                }));
            }
            Ok(()) => return Err(Fault::Busy(Kill::Ineffective)),
            Err(words) if words.starts_with("UNKILLABLE") => return Err(Fault::Busy(Kill::Unkillable)),
            // It is of the other kind, or has ended.
            Err(words) if words.starts_with("BUSY") => refusal = words,
            Err(words) if words.starts_with("NOTBUSY") => {
                if serves(connection).await? {
                    return Ok(None);
                }
                refusal = words;
            }
            Err(words) => return Err(Fault::Busy(Kill::Refused(words))),
        }
    }
    Err(Fault::Busy(Kill::Refused(refusal)))
}

/// Whether the server serves again.
async fn serves(connection: &mut Connection) -> Result<bool, Fault> {
    for _ in 0..TRIES {
        match connection.ping().await {
            Ok(_) => return Ok(true),
            Err(Fault::Busy(_)) => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(false)
}

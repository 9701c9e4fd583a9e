//! Whether a server takes writes, by one that changes nothing: UNLINK of an entry that nobody has.
//!
//! In: a connection, and what keys begin with. Out: nothing, or that writes wait. Why it refuses one is known from what it says of
//! itself.

use ::redis::cmd;

use crate::{
    probe::wire::{connection::Connection, failure::Failure},
    redis::look::{Desired, fault::Fault},
};

/// The end of a key that no application has.
const NOBODYS: &str = "tokencache.dev/nobodys";

/// Has the server remove nothing. The connection is of no use any more where it does not answer.
pub(crate) async fn are_taken(connection: &mut Connection, want: &Desired) -> Result<(), Fault> {
    let mut command = cmd("UNLINK");
    command.arg([&want.instance_name, NOBODYS].concat());
    match connection.send(&command).await {
        Ok(_) | Err(Failure::Refused { .. }) => Ok(()),
        Err(Failure::Silent) => Err(Fault::WritesWait),
        Err(failure) => Err(failure.of("unlink")),
    }
}

//! What a server refused of late, by its `ACL LOG`: as many entries as can be read.
//!
//! An entry holds what was asked for, such as the name of a key, at any length. Where the answer is too long, fewer are asked
//! for, and where a single one is, none for some looks: a server has to hold in memory all that it is asked for.

use crate::{
    probe::wire::{
        bounded::Bounds,
        connection::{Connection, FEWER, MOST},
        failure::Failure,
        reply::{self, Refused},
    },
    redis::{
        access::acl::APP,
        look::{
            REFUSALS_COUNT_FOR,
            answer::{Refusal, Section, Unread},
            fault::Fault,
        },
    },
};

/// For how many looks none is asked for where the latest one alone is too long.
const REST: u32 = 10;
/// Of each string enough to tell a command, and who sent it.
const BOUNDS: Bounds = Bounds { each: 1024, kept: 2 << 20, read: 16 << 20, beginning: false };

/// What the user of the applications was refused.
#[derive(Default)]
pub(crate) struct Refusals {
    /// Of late, each kind once.
    pub what: Vec<Refusal>,
    /// Whether a login was a moment ago.
    pub refuses_logins: bool,
    /// Why that is not all, where it may not be.
    pub unread: Option<Unread>,
}

impl From<Unread> for Refusals {
    fn from(why: Unread) -> Self {
        Self { unread: Some(why), ..Self::default() }
    }
}

/// What the user of the applications was refused of late.
pub(crate) async fn read(connection: &mut Connection) -> Result<Refusals, Fault> {
    if let Some(rest) = connection.log.rest.checked_sub(1) {
        connection.log.rest = rest;
        return Ok(Unread::TooLong.into());
    }
    loop {
        let entries = connection.log.entries;
        match connection.send_within(&crate::probe::wire::commands::refusals(entries), BOUNDS).await {
            Ok(answer) => {
                let told = reply::refusals(answer, APP, REFUSALS_COUNT_FOR, entries);
                // Few at first: a server has to hold all that it is asked for, and closes connections of others for it.
                if connection.came() < BOUNDS.read / (2 * FEWER) && entries < MOST {
                    connection.log.entries = (entries * FEWER).min(MOST);
                    if told.as_ref().is_ok_and(|told| !told.is_all) {
                        continue;
                    }
                }
                return Ok(match told {
                    Ok(Refused { what, is_all, refuses_logins }) => {
                        Refusals { what, refuses_logins, unread: (!is_all).then_some(Unread::TooLong) }
                    }
                    Err(what) => Unread::Odd(what).into(),
                });
            }
            Err(Failure::TooLong(_)) if entries > 1 => connection.log.entries = (entries / FEWER).max(1),
            Err(Failure::TooLong(_)) => {
                connection.log.rest = REST;
                return Ok(Unread::TooLong.into());
            }
            Err(failure) => match failure.of(Section::Refusals.command()) {
                Fault::NoPermission { message, .. } => return Ok(Unread::Refused(message).into()),
                Fault::Unexpected(what) => return Ok(Unread::Odd(what).into()),
                fault => return Err(fault),
            },
        }
    }
}

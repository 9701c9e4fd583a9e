//! What is asked of a server in one look, each question in a module. Whatever fails is told as unread.
//!
//! In: a connection, and what is wanted. Out: part of an answer.

pub(crate) mod address;
pub(crate) mod callers;
pub(crate) mod certificate;
pub(crate) mod payloads;
pub(crate) mod reading;
pub(crate) mod refusals;
pub(crate) mod script;
pub(crate) mod settings;
pub(crate) mod usage;
pub(crate) mod users;
pub(crate) mod writes;

use crate::{entries, redis::look::load};

/// What is remembered of one server from one look to the next.
#[derive(Default)]
pub(crate) struct Histories {
    /// Of how it is used.
    pub(crate) load: load::History,
    /// Of its entries.
    pub(crate) entries: entries::look::EntryHistory,
}

//! What is asked of a server in one look, each question in a module. Whatever fails is told as unread.
//!
//! In: a connection, and what is wanted. Out: part of an answer.

pub mod callers;
pub mod certificate;
pub mod payloads;
pub mod reading;
pub mod refusals;
pub mod script;
pub mod settings;
pub mod usage;
pub mod users;

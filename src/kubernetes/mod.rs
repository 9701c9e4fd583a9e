//! What any operator needs of Kubernetes: identity, names, what the watches show, the write verbs, reading Secrets, who uses
//! them, events. It knows no `TokenCache`.

pub mod cache;
pub mod event;
pub mod handshake;
pub mod identity;
pub mod managed_fields;
pub mod name;
pub mod object;
pub mod process;
pub mod quantity;
pub mod read;
pub mod secret;
pub mod words;
pub mod workload;
pub mod write;

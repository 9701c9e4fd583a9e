//! What any operator needs of Kubernetes: identity, names, what the watches show, the write verbs, reading Secrets, who uses
//! them, events. It knows no `TokenCache`.

pub mod event;
pub mod identity;
pub mod name;
pub mod object;
pub mod quantity;
pub mod read;
pub mod words;
pub mod write;

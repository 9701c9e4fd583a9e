//! What is read of the cluster beside the objects that the operator owns: the Secrets that users provide, and the pods that use
//! what is published. Many ask about the same; each is watched or listed once for all of them.

pub mod cache;
pub mod consumers;
pub mod named;
pub mod packed;
pub mod process;
pub mod secret;
pub mod workload;

//! An operator for the token caches of Microsoft.Identity.Web and MSAL.NET applications.
//!
//! | room | what | talks to |
//! |---|---|---|
//! | [`api`] | the types that users write | nothing |
//! | [`condition`] | types, reasons and merging of conditions | nothing |
//! | [`kubernetes`] | identity, names, reads, writes, Events; knows no `TokenCache` | Kubernetes |
//! | [`capability`] | words that capabilities share | nothing |
//! | [`data_protection`] | a capability: the shared key ring of ASP.NET Core | nothing |
//! | [`redis`] | a capability: a dedicated server | nothing |
//! | [`entries`] | a capability: what is stored there, and what of it is removed | nothing |
//! | [`probe`] | looks at servers, and sweeps of their entries | Redis |
//! | [`telemetry`] | log, health and metrics | whoever asks |
//! | [`controller`] | observe, decide, apply, report | Kubernetes |
//! | [`cli`] | flags and environment variables | nothing |
//!
//! `docs/architecture.md` tells how they work together.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod api;
pub mod capability;
pub mod cli;
pub mod condition;
pub mod controller;
pub mod data_protection;
pub mod entries;
pub mod kubernetes;
pub mod probe;
pub mod redis;
pub mod telemetry;

//! An operator for the token caches of Microsoft.Identity.Web and MSAL.NET applications.
//!
//! | module | what | talks to |
//! |---|---|---|
//! | [`api`] | the types that users write | nothing |
//! | [`condition`] | types, reasons and merging of conditions | nothing |
//! | [`redis`] | one capability: settings, objects, health; and [`crate::probe`] | Redis, in `probe` only |
//! | [`data_protection`] | one capability: the shared key ring of ASP.NET Core | nothing |
//! | [`request`] | what annotations ask for | nothing |
//! | [`sweep`] | which stored entries are counted or removed | nothing |
//! | [`time`] | durations and times | nothing |
//! | [`controller`] | observe, plan, apply, report | Kubernetes |
//! | [`kubernetes`] | identity, names, write verbs, events; knows no `TokenCache` | Kubernetes |
//! | [`telemetry`] | log, health and metrics | whoever asks |
//! | [`cli`] | flags and environment variables | nothing |
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

//! An operator for the token caches of Microsoft.Identity.Web and MSAL.NET applications.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod redis;

//! What capabilities share: words, and nothing that decides. Pure.
//!
//! | module | what |
//! |---|---|
//! | [`time`] | durations and times |
//! | [`progress`] | how far a sweep of entries is |
//! | [`operation`] | what annotations ask for, and what is said of that |
//! | [`token_cache`] | which `TokenCache` is meant |

pub mod operation;
pub mod progress;
pub mod time;
pub mod token_cache;

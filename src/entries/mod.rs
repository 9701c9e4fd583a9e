//! The entries that applications store: what they are, how they are told from each other, and which are removed.
//!
//! In: what was read of entries, requests, the key ring. Out: what is said of them, and the sweep that is to be made. Only `probe`
//! reads and removes entries.
//!
//! | module | what |
//! |---|---|
//! | [`entry`] | what one entry is, by its bytes |
//! | [`look`] | what a look at a server shows of all of them |
//! | [`sweep`] | which entries are counted or removed |
//! | [`flush`] | the removal that an annotation asks for |
//! | [`findings`] | what is said of them |

pub mod entry;
pub mod findings;
pub mod flush;
pub mod look;
pub mod settings;
pub mod sweep;

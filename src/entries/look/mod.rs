//! What looks at a server show of its entries, added up over time. Pure.
//!
//! | module | what |
//! |---|---|
//! | [`census`] | how many there are, and which expire |
//! | [`payloads`] | what those are that were read |
//! | [`ledger`] | what became of those that were read before |

pub mod census;
pub mod ledger;
pub mod payloads;

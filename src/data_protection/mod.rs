//! The shared key ring of ASP.NET Core Data Protection: which keys there are, which is to be made, what is published.
//!
//! In: settings, the Secrets of keys and of certificates, the time. Out: what is to be written, and what is said. Nothing is drawn and
//! nothing is written here, and no key is ever removed.
//!
//! | part | what |
//! |---|---|
//! | [`certificate`], [`key`], [`payload`] | the pieces of a ring and what it protects, as ASP.NET Core reads and writes them |
//! | [`ring`] | the ring as a whole: which key encrypts, when the next one is made, what is published |
//! | [`settings`], [`secrets`] | what a cache wants, and the Secrets that a pass saw |
//! | [`objects`], [`import`], [`operations`] | Secrets as they are to be, what is taken over, what annotations ask for |
//! | [`state`] | how far the ring is |
//! | [`plan`], [`findings`] | what is to be written, and what is said of it |

pub mod certificate;
pub mod findings;
pub mod import;
pub mod key;
pub mod objects;
pub mod operations;
pub mod payload;
pub mod plan;
pub mod ring;
pub mod secrets;
pub mod settings;
pub mod state;

pub use key::cipher::CipherError;
pub use key::write::File;

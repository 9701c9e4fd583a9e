//! The shared key ring of ASP.NET Core Data Protection: which keys there are, which is to be made, what is published, and
//! what a stored entry is.
//!
//! In: the files of key Secrets and of the published ring, the certificates at hand, how often keys change, the time. Out:
//! [`DataProtection`]. Nothing is drawn and nothing is written here: what is to be made is a [`KeyMint`], which random bytes
//! turn into a file. No key is ever removed.
//!
//! | module | what |
//! |---|---|
//! | [`key_id`], [`master_key`], [`algorithm`], [`key`], [`revocation`] | the parts of a ring |
//! | [`key_file`], `descriptor`, [`date`], `xml_text`, `xml_outline` | their files, read as ASP.NET Core does it, within bounds |
//! | `key_writer`, `earlier_file` | written byte for byte as ASP.NET Core does it, and read as earlier versions did |
//! | [`certificate`], [`encrypted_xml`], [`certificates`], `pfx`, `der` | master keys that are encrypted to an RSA certificate |
//! | [`ring`], [`rotation`], [`schedule`], [`room`] | which key encrypts, when the next one is to be made, and whether it has room |
//! | [`published`], [`import`], [`objects`] | the Secret that applications mount, and what comes into it |
//! | [`payload`], `derivation`, `cipher`, [`key_ring`] | protecting and reading payloads |
//! | [`token_cache`], [`entry`], [`class`], [`reader`] | what MSAL writes, what a stored entry is, in one word, and what reads it |
//! | [`in_use`] | which keys and names stored entries show to be in use |
//! | [`settings`], [`observed`], [`provided`] | what a cache wants of its ring, what a pass saw, what of it the user provides |
//! | [`standing`], [`request`], [`revoke`], [`plan`] | how far it is, what is asked for, what is to be written |
//! | [`health`], [`news`] | what is said of it, and of what happened to it |
//! | [`directory`] | the ring as an application reads it from a folder |

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

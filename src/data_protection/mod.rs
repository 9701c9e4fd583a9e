//! The shared key ring of ASP.NET Core Data Protection.
pub mod algorithm;
pub mod certificate;
mod cipher;
mod derivation;
pub mod encrypted_xml;
pub mod key;
pub mod key_file;
pub mod key_id;
mod key_writer;
pub mod master_key;
pub mod revocation;

pub use key_writer::File;

//! The shared key ring of ASP.NET Core Data Protection.
pub mod algorithm;
pub mod certificate;
pub mod certificates;
mod cipher;
mod derivation;
pub mod encrypted_xml;
pub mod entry;
pub mod import;
pub mod key;
pub mod key_file;
pub mod key_id;
pub mod key_ring;
mod key_writer;
pub mod master_key;
pub mod payload;
pub mod published;
pub mod revocation;
pub mod ring;
pub mod rotation;
pub mod schedule;

pub use key_writer::File;

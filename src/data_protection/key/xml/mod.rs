//! The XML of key files, read as ASP.NET Core reads it, within bounds.

pub mod outline;
pub mod text;

//! The XML of key files, read as ASP.NET Core reads it, within bounds.

pub(crate) mod outline;
pub(crate) mod text;

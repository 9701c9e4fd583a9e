//! TODO-DOC

pub mod acl;
pub mod password;
pub mod rules;

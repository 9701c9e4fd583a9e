//! Who may do what on a server: users, their rules, their passwords. Pure.
//!
//! | module | what |
//! |---|---|
//! | [`acl`] | the users that there are to be |
//! | [`rules`] | the users that a server has, and how they differ |
//! | [`password`] | passwords and their hashes |

pub mod acl;
pub mod password;
pub mod rules;

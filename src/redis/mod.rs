//! Everything that is about Redis: what a cache wants, the objects that make it, and how its health is read.

pub mod password;
pub mod probe;
pub mod sample;

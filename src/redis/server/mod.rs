//! The objects that make a server, and what its pod tells. Pure.
//!
//! | module | what |
//! |---|---|
//! | [`objects`], [`pod`], [`config`] | what is to be there: objects, the pod template, the configuration file |
//! | [`fit`] | whether an object that nobody owns can be taken up |
//! | [`pods`] | what a pod tells of itself |

pub mod config;
pub mod fit;
pub mod objects;
pub mod pod;
pub mod pods;

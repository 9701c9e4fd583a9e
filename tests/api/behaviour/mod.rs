//! What the operator does for a cache, and what it says of it, as its users see both.

mod access;
mod advice;
mod drift;
mod faults;
mod pods;
mod ready;
mod scene;
mod sight;
mod silence;
mod spec;

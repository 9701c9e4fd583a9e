//! The types that users write, one module a version. They hold no behaviour and know nothing else of this crate.

pub mod v1alpha1;

//! Key rings and payloads against what ASP.NET Core itself made, and ten years of simulated applications.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod application;
mod bounds;
mod certificates;
mod directory;
mod doctor;
mod entries;
mod files;
mod observed;
mod oracle;
mod payloads;
mod published;
mod scheduled;
mod variants;
mod vectors;
mod whole;
mod world;
mod years;
#[allow(dead_code)]
#[path = "../support"]
mod support {
    pub mod plain;
    pub mod stored;
}

//! How big the image is.

use crate::report::{Goal, Report, megabytes};
use crate::support::api_server::repository;

/// Tells how much of the image that `make image` left is transferred.
pub fn measure(report: &mut Report) {
    let archive = repository().join("target/image.tar");
    let bytes = std::fs::metadata(&archive).unwrap_or_else(|error| panic!("{}: {error}", archive.display())).len();
    report.figure("the image, compressed", megabytes(bytes), "MB", Goal::None);
}

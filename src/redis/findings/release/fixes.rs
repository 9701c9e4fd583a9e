//! Which releases have upstream's security fixes: a table, and since when it holds.
//!
//! In: nothing. Out: data. It says what upstream released, and never that a server can be attacked: distributions put fixes
//! into older versions.
//!
//! **How it is kept up to date.** Sources are the release notes of <https://github.com/redis/redis/releases> and
//! <https://github.com/valkey-io/valkey/releases>, and the records that they name. For a fix that an attacker can use
//! against a server as the operator sets one up (TLS, a user without administrative commands, Lua where
//! `spec.redis.acl` grants it), add an entry to [`FIXES`] with the first release of every line that has it, newest entry
//! first, lines in order. For a line that upstream has begun or ended, change [`MAINTAINED`]. Then set [`AS_OF`], and see
//! whether [`DEFAULT_IMAGE`](crate::api::v1alpha1::DEFAULT_IMAGE) still has every fix; the tests below ask for all of that.

use super::{Line, Version};
use crate::redis::look::answer::Product;

/// The day on which the table was last compared with what upstream had released.
pub const AS_OF: &str = "2026-11-28";

/// A security fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fix {
    /// What it is called, and what it is about: what a server is "older than".
    pub name: &'static str,
    /// When it was published.
    pub published: &'static str,
    /// Whose server it is in.
    pub product: Product,
    /// Which servers it is about.
    pub about: About,
    /// The first release of each line that has it. A line that is not among them and older than the last never got it; a
    /// later line has it from its beginning.
    pub releases: &'static [Version],
}

/// Which servers a fix is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// Every one.
    All,
    /// Those that speak TLS.
    Tls,
    /// Those where applications may run Lua scripts.
    Lua,
}

const fn release(major: u32, minor: u32, patch: u32) -> Version {
    Version { line: Line { major, minor }, patch }
}

const fn line(major: u32, minor: u32) -> Line {
    Line { major, minor }
}

/// The fixes, newest first.
pub const FIXES: &[Fix] = &[
    Fix {
        name: "upstream's fixes of July and August 2026 (among them CVE-2026-56684, a use after free with TLS)",
        published: "2026-08-31",
        product: Product::Valkey,
        about: About::All,
        releases: &[release(8, 0, 11), release(8, 1, 10), release(9, 0, 5), release(9, 1, 2)],
    },
    Fix {
        name: "upstream's fix of CVE-2026-81934 (a use after free with TLS, before login)",
        published: "2026-08-27",
        product: Product::Redis,
        about: About::Tls,
        releases: &[
            release(7, 2, 16),
            release(7, 4, 11),
            release(8, 2, 9),
            release(8, 4, 6),
            release(8, 6, 6),
            release(8, 8, 2),
            release(8, 10, 1),
        ],
    },
    Fix {
        name: "upstream's fix of CVE-2025-49844 (a use after free in Lua)",
        published: "2025-10-03",
        product: Product::Redis,
        about: About::Lua,
        releases: &[release(7, 2, 11), release(7, 4, 6), release(8, 0, 4), release(8, 2, 2)],
    },
];

/// The lines that get fixes upstream, oldest first. Lines after the last are taken for maintained.
pub const MAINTAINED: &[(Product, &[Line])] = &[
    (Product::Redis, &[line(7, 2), line(7, 4), line(8, 2), line(8, 4), line(8, 6), line(8, 8), line(8, 10)]),
    (Product::Valkey, &[line(8, 0), line(8, 1), line(9, 0), line(9, 1)]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::v1alpha1::DEFAULT_IMAGE,
        redis::findings::release::{ReleaseState, Reported, pinned, state},
    };

    #[test]
    fn every_fix_has_a_day_and_they_stand_newest_first_and_none_after_the_day_of_the_table() {
        let days: Vec<&str> = [AS_OF].into_iter().chain(FIXES.iter().map(|fix| fix.published)).collect();
        assert!(days.iter().all(|day| day.parse::<jiff::civil::Date>().is_ok()), "{days:?}");
        assert!(days.is_sorted_by(|newer, older| newer >= older), "{days:?}");
    }

    #[test]
    fn releases_and_lines_stand_in_order_and_no_line_twice() {
        for fix in FIXES {
            assert!(fix.releases.is_sorted_by(|one, next| one.line < next.line), "{}", fix.name);
        }
        for (product, lines) in MAINTAINED {
            assert!(lines.is_sorted_by(|one, next| one < next), "{product:?}");
        }
    }

    #[test]
    fn every_maintained_line_has_every_fix_in_some_release() {
        for (product, lines) in MAINTAINED {
            for line in *lines {
                for fix in FIXES.iter().filter(|fix| fix.product == *product) {
                    let newest = fix.releases.last().unwrap().line;
                    let has = fix.releases.iter().any(|release| release.line == *line) || *line > newest;
                    assert!(has, "{product:?} {line} has no release with {}: is it maintained still?", fix.name);
                }
            }
        }
    }

    #[test]
    fn the_default_image_names_a_patch_level_that_has_every_fix() {
        let version = pinned(DEFAULT_IMAGE).unwrap();
        let reported = Reported { product: Product::Redis, version, is_preview: false };
        assert_eq!(state(&reported, &[About::All, About::Tls, About::Lua]), ReleaseState::Fixed { is_new: false });
    }
}

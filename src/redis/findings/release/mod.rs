//! Which release a server is of, and whether it has upstream's security fixes: the finding about `ServerSupported`.
//!
//! In: what a server says of itself, and the settings. Out: a finding. It compares with the table in
//! [`fixes`], and says "older than the fix", never more.

pub mod fixes;

use std::fmt;

use crate::{
    api::v1alpha1::{DEFAULT_IMAGE, Remedy},
    condition::{ConditionType::ServerSupported, Finding, Message, Reason},
    redis::{
        access::acl::APP,
        look::{
            Desired,
            answer::{Answer, Product},
        },
        restart::Restart,
        settings::Settings,
    },
};
use fixes::{AS_OF, About, FIXES, Fix, MAINTAINED};

/// Redis counts what comes before a release as patches of the line before, from 200 on: 8.1.240 is 8.2-rc1.
const FIRST_PREVIEW: u32 = 200;
/// What a server says that was built from a branch that is no line.
const DEVELOPMENT: u32 = 255;

/// What a server says of its release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    /// Whose it is.
    pub product: Product,
    /// The version, in the server's words.
    pub version: String,
    /// Whether it says that it is no release yet.
    pub is_preview: bool,
}

/// A line of releases, such as 8.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// The first number.
    pub major: u32,
    /// The second number.
    pub minor: u32,
}

impl fmt::Display for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}

/// A release, such as 8.2.9.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The line that it is of.
    pub line: Line,
    /// The third number.
    pub patch: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.line, self.patch)
    }
}

impl Version {
    /// Reads three numbers with dots between them; `None` where it is anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok()).flatten();
        let numbers: Option<Vec<u32>> = text.split('.').map(number).collect();
        let [major, minor, patch] = numbers?.try_into().ok()?;
        Some(Self { line: Line { major, minor }, patch })
    }
}

/// What the table says of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReleaseState {
    /// It has every fix that is about this server.
    Fixed {
        /// Whether its line is newer than the table.
        is_new: bool,
    },
    /// Its line is maintained, and it is older than these fixes, the newest first.
    Older(Vec<&'static Fix>),
    /// Its line gets no fixes any more; it lacks these.
    Ended(Vec<&'static Fix>),
    /// It is no release yet.
    Preview,
    /// Another product than those in the table.
    OtherProduct(&'static str),
    /// Its version is none that can be compared.
    Unreadable,
}

/// What the table says of a server that is of this release, and that these fixes are about.
#[must_use]
pub fn state(reported: &Reported, about: &[About]) -> ReleaseState {
    if let Product::Other(name) = reported.product {
        return ReleaseState::OtherProduct(name);
    }
    let Some(version) = Version::parse(&reported.version).filter(|version| version.line.major != DEVELOPMENT) else {
        return ReleaseState::Unreadable;
    };
    if reported.is_preview || reported.product == Product::Redis && version.patch >= FIRST_PREVIEW {
        return ReleaseState::Preview;
    }
    let lacking = |fix: &&Fix| fix.product == reported.product && about.contains(&fix.about) && !has(version, fix);
    let lacking: Vec<&Fix> = FIXES.iter().filter(lacking).collect();
    let lines = MAINTAINED.iter().find(|(product, _)| *product == reported.product).map(|(_, lines)| *lines);
    let lines = lines.unwrap_or_default();
    let is_new = lines.last().is_some_and(|newest| version.line > *newest);
    match lacking {
        lacking if !is_new && !lines.contains(&version.line) => ReleaseState::Ended(lacking),
        lacking if lacking.is_empty() => ReleaseState::Fixed { is_new },
        lacking => ReleaseState::Older(lacking),
    }
}

fn has(version: Version, fix: &Fix) -> bool {
    match fix.releases.iter().find(|release| release.line == version.line) {
        Some(release) => version >= *release,
        None => fix.releases.last().is_some_and(|newest| version.line > newest.line),
    }
}

/// The version that the name of an image is pinned to by its tag; `None` where the tag moves, or tells none.
#[must_use]
pub fn pinned(image: &str) -> Option<String> {
    let name = image.split_once('@').map_or(image, |(name, _)| name);
    let (_, tag) = name.rsplit_once('/').map_or(name, |(_, last)| last).split_once(':')?;
    let version = tag.split_once('-').map_or(tag, |(version, _)| version);
    Version::parse(version).map(|version| version.to_string())
}

/// Whether the name of an image stands for the same image for ever.
fn is_fixed(image: &str) -> bool {
    image.contains('@') || pinned(image).is_some()
}

/// Which fixes a server is concerned by.
fn about(settings: &Settings, want: &Desired) -> Vec<About> {
    let app = want.users.iter().find(|user| user.name == APP);
    let runs_lua = app.is_some_and(|app| app.rule.split_ascii_whitespace().any(|word| word == "+eval"));
    let about = [Some(About::All), settings.has_tls().then_some(About::Tls), runs_lua.then_some(About::Lua)];
    about.into_iter().flatten().collect()
}

/// Whether a server's release has upstream's security fixes.
#[must_use]
pub fn finding(settings: &Settings, pod: &str, want: &Desired, answer: &Answer) -> Finding {
    let Answer { product, version, is_preview, .. } = answer;
    let reported = Reported { product: *product, version: version.clone(), is_preview: *is_preview };
    let runs = format!("{pod} runs {product} {version}");
    let unknown = |reason, why: &str| {
        let accept = Remedy::free(format!("if it has, set spec.redis.acceptedVersion: {version:?}"));
        let message = format!("{runs}, {why}. It is unknown whether it has upstream's security fixes");
        Finding::unknown(ServerSupported, reason, Message::from(message).remedy(accept))
    };
    let found = match state(&reported, &about(settings, want)) {
        ReleaseState::Fixed { is_new } => {
            let message = fixed(settings, answer, &runs, is_new);
            return Finding::holds(ServerSupported, Reason::Supported, message);
        }
        ReleaseState::Older(lacking) => {
            Finding::fails(ServerSupported, Reason::SecurityUpdate, older(settings, answer, &runs, &lacking))
        }
        ReleaseState::Ended(lacking) => {
            Finding::fails(ServerSupported, Reason::Unsupported, ended(settings, answer, &runs, &lacking))
        }
        ReleaseState::Preview => unknown(Reason::PreRelease, "a pre-release"),
        ReleaseState::OtherProduct(_) => unknown(Reason::OtherProduct, "which is neither Redis nor Valkey"),
        ReleaseState::Unreadable => unknown(Reason::VersionUnknown, "which is no comparable version"),
    };
    match &settings.accepted_version {
        Some(accepted) if accepted == version => Finding::holds(
            ServerSupported,
            Reason::Accepted,
            format!("{runs}, which spec.redis.acceptedVersion accepts as it is"),
        ),
        Some(accepted) => {
            let but = format!("spec.redis.acceptedVersion is {accepted}");
            Finding { message: found.message.and(&but), ..found }
        }
        None => found,
    }
}

fn fixed(settings: &Settings, answer: &Answer, runs: &str, is_new: bool) -> Message {
    let known = if is_new {
        format!("a newer line than this operator knows; no fix known on {AS_OF} is missing")
    } else {
        format!("with every upstream security fix known on {AS_OF}")
    };
    if is_fixed(&settings.image) {
        return format!("{runs}, {known}").into();
    }
    let costs = Restart::of(settings, Some(answer)).costs();
    let remedy = Remedy::costing(costs, "set spec.redis.image to a patch level");
    Message::from(format!("{runs}, {known}. {MOVES}")).remedy(remedy)
}

/// What goes for a tag that moves.
const MOVES: &str = "The tag of spec.redis.image moves, but a node keeps what it pulled once";

fn older(settings: &Settings, answer: &Answer, runs: &str, lacking: &[&Fix]) -> Message {
    let line = Version::parse(&answer.version).map(|version| version.line);
    let of_line = |fix: &&Fix| fix.releases.iter().copied().find(|release| Some(release.line) == line);
    // Within the line: what is newest there has what came before it.
    let target = lacking.iter().filter_map(of_line).max().map(|release| release.to_string());
    with_remedies(settings, answer, format!("{runs}, older than {}", names(lacking)), target.as_deref())
}

fn ended(settings: &Settings, answer: &Answer, runs: &str, lacking: &[&Fix]) -> Message {
    let Answer { product, version, .. } = answer;
    let line = Version::parse(version).map_or_else(String::new, |version| version.line.to_string());
    let lacks = if lacking.is_empty() { String::new() } else { format!(", and is older than {}", names(lacking)) };
    with_remedies(settings, answer, format!("{runs}. {product} {line} gets no more fixes{lacks}"), None)
}

fn names(fixes: &[&Fix]) -> String {
    fixes.iter().map(|fix| fix.name).collect::<Vec<_>>().join(" and ")
}

/// With what to set: the version as accepted; a later release of the same line, or else the image that new caches get.
fn with_remedies(settings: &Settings, answer: &Answer, text: String, target: Option<&str>) -> Message {
    let image = &settings.image;
    let accept =
        Remedy::free(format!("if the image has the fixes, set spec.redis.acceptedVersion: {:?}", answer.version));
    let costs = Restart::of(settings, Some(answer)).costs();
    let message = Message::from(text).remedy(accept);
    if image == DEFAULT_IMAGE {
        return message
            .remedy(Remedy::look(format!("see why the registry or the node has another image as {image}")))
            .remedy(Remedy::costing(costs, "restart Redis with the right image"));
    }
    let to = target.map_or_else(
        || format!("a maintained line, such as {DEFAULT_IMAGE}"),
        |version| format!("a release of {version} or later"),
    );
    message.remedy(Remedy::costing(costs, format!("set spec.redis.image to {to}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TLS: [About; 2] = [About::All, About::Tls];
    const TLS_AND_LUA: [About; 3] = [About::All, About::Tls, About::Lua];

    fn of(product: Product, version: &str, about: &[About]) -> ReleaseState {
        state(&Reported { product, version: version.to_owned(), is_preview: false }, about)
    }

    fn redis(version: &str, about: &[About]) -> ReleaseState {
        of(Product::Redis, version, about)
    }

    /// How many fixes a release of a maintained line lacks.
    fn lacking(state: ReleaseState) -> Option<usize> {
        if let ReleaseState::Older(lacking) = state { Some(lacking.len()) } else { None }
    }

    const FIXED: ReleaseState = ReleaseState::Fixed { is_new: false };

    #[test]
    fn the_first_release_with_a_fix_has_it_and_the_one_before_has_not() {
        for (fixed, before) in [
            ("7.2.16", "7.2.15"),
            ("7.4.11", "7.4.10"),
            ("8.2.9", "8.2.8"),
            ("8.4.6", "8.4.5"),
            ("8.6.6", "8.6.5"),
            ("8.8.2", "8.8.1"),
            ("8.10.1", "8.10.0"),
        ] {
            assert_eq!((redis(fixed, &TLS_AND_LUA), lacking(redis(before, &TLS_AND_LUA))), (FIXED, Some(1)));
        }
        for (fixed, before) in [("8.0.11", "8.0.10"), ("8.1.10", "8.1.9"), ("9.0.5", "9.0.4"), ("9.1.2", "9.1.1")] {
            let valkey = |version| of(Product::Valkey, version, &[About::All]);
            assert_eq!((valkey(fixed), lacking(valkey(before))), (FIXED, Some(1)), "Valkey {fixed}");
        }
        assert_eq!(redis("8.2.10", &TLS), FIXED, "numbers are compared, not their digits");
    }

    #[test]
    fn a_fix_is_missed_only_by_servers_that_it_is_about() {
        assert_eq!(redis("8.2.2", &[About::All, About::Lua]), FIXED, "without TLS");
        assert_eq!(lacking(redis("8.2.1", &[About::All, About::Lua])), Some(1));
        assert_eq!(redis("8.2.1", &[About::All]), FIXED, "without Lua either");
        assert_eq!(lacking(redis("8.2.1", &TLS_AND_LUA)), Some(2));
    }

    #[test]
    fn a_line_without_fixes_has_ended_whatever_its_patch() {
        let ended = |version| match redis(version, &TLS_AND_LUA) {
            ReleaseState::Ended(lacking) => lacking.len(),
            other => panic!("{version}: {other:?}"),
        };
        assert_eq!(["7.0.15", "7.0.99", "6.2.24", "8.0.2", "8.0.6"].map(ended), [2, 2, 2, 2, 1]);
        assert_eq!(redis("8.0.6", &[About::All]), ReleaseState::Ended(vec![]));
        assert!(matches!(of(Product::Valkey, "7.2.16", &TLS), ReleaseState::Ended(_)));
    }

    #[test]
    fn a_line_that_came_after_the_table_has_what_came_before_it() {
        for newer in ["8.12.0", "9.0.0", "10.0.1"] {
            assert_eq!(redis(newer, &TLS_AND_LUA), ReleaseState::Fixed { is_new: true }, "{newer}");
        }
        assert_eq!(of(Product::Valkey, "9.2.0", &TLS), ReleaseState::Fixed { is_new: true });
    }

    #[test]
    fn what_is_no_release_is_told_apart() {
        for odd in
            ["", "unknown", "8.2", "8.2.9.1", "8.2.x", "v8.2.9", "8.2.9-rc1", "+8.2.9", "99999999999.0.0", "8..9"]
        {
            assert_eq!(redis(odd, &TLS), ReleaseState::Unreadable, "{odd:?}");
        }
        assert_eq!(redis("255.255.255", &TLS), ReleaseState::Unreadable, "a server that was built from a branch");
        assert_eq!(of(Product::Valkey, "255.255.255", &TLS), ReleaseState::Unreadable);
        for preview in ["8.1.240", "8.11.224", "7.9.225"] {
            assert_eq!(redis(preview, &TLS), ReleaseState::Preview, "{preview}");
        }
        let candidate = Reported { product: Product::Valkey, version: "9.2.0".to_owned(), is_preview: true };
        assert_eq!(state(&candidate, &TLS), ReleaseState::Preview);
        assert_eq!(of(Product::Other("Garnet"), "1.0.99", &TLS), ReleaseState::OtherProduct("Garnet"));
    }

    #[test]
    fn an_image_is_pinned_by_a_patch_level_or_a_digest() {
        let digest = format!("sha256:{}", "0".repeat(64));
        for (image, version) in [
            ("docker.io/library/redis:8.2.9", Some("8.2.9")),
            ("redis:8.2.9-alpine3.22", Some("8.2.9")),
            ("host:5000/cache/valkey:9.1.2-trixie", Some("9.1.2")),
            ("redis:8.2", None),
            ("redis:8", None),
            ("redis:latest", None),
            ("redis", None),
            ("host:5000/redis", None),
        ] {
            assert_eq!(pinned(image).as_deref(), version, "{image}");
            assert_eq!(is_fixed(image), version.is_some(), "{image}");
            let with_digest = format!("{image}@{digest}");
            assert_eq!(pinned(&with_digest).as_deref(), version, "{with_digest}");
            assert!(is_fixed(&with_digest));
        }
    }
}

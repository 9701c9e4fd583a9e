//! Requests in the audit log, counted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::support::audit::Request;

/// A kind, as the API server's paths have it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    group: String,
    version: String,
    /// Plural, in lower case.
    pub resource: String,
}

/// What a client asked, without watches and the lease.
#[derive(Debug, Default)]
pub struct Tally {
    /// By verb, resource and answer.
    counts: BTreeMap<(String, String, u16), usize>,
    /// What was created, without events.
    pub created: BTreeMap<Kind, usize>,
    with_status: BTreeSet<(String, String)>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    last_created: Option<Timestamp>,
    writes: usize,
    /// Lists of all namespaces: what watches begin with.
    whole_lists: usize,
}

impl Tally {
    /// Counts requests in, and returns whether there was any that counts.
    pub fn add(&mut self, requests: Vec<Request>) -> bool {
        let mut any = false;
        for request in requests {
            if request.verb == "watch" || request.object_ref.resource == "leases" {
                continue;
            }
            any = true;
            self.count(&request);
        }
        any
    }

    fn count(&mut self, request: &Request) {
        let code = request.response_status.code;
        let verb = if request.uri.contains("dryRun=All") {
            format!("{} (dry run)", request.verb)
        } else {
            request.verb.clone()
        };
        *self.counts.entry((verb, request.what(), code)).or_default() += 1;
        self.first = self.first.into_iter().chain([request.received]).min();
        self.last = self.last.into_iter().chain([request.answered]).max();
        let object = &request.object_ref;
        if request.verb == "list" && object.namespace.is_empty() {
            self.whole_lists += 1;
        }
        if !request.is_write() {
            return;
        }
        self.writes += 1;
        if object.resource == "tokencaches" && object.subresource == "status" && code == 200 {
            self.with_status.insert((object.namespace.clone(), object.name.clone()));
        }
        if code == 201 && object.resource != "events" {
            self.last_created = self.last_created.into_iter().chain([request.answered]).max();
            *self.created.entry(Kind::of(request)).or_default() += 1;
        }
    }

    /// How many there are.
    pub fn requests(&self) -> usize {
        self.counts.values().sum()
    }

    /// How many there are without the lists that watches begin with, of which there are as many whatever there is to be listed.
    pub fn requests_beside_watches(&self) -> usize {
        self.requests() - self.whole_lists
    }

    /// How many of them could have changed something.
    pub fn writes(&self) -> usize {
        self.writes
    }

    /// How many objects were created, without events.
    pub fn objects(&self) -> usize {
        self.created.values().sum()
    }

    /// How many caches got a status.
    pub fn caches_with_status(&self) -> usize {
        self.with_status.len()
    }

    /// From the first request to the last created object.
    pub fn until_created(&self) -> SignedDuration {
        span(self.first, self.last_created)
    }

    /// From the first request to the last answer.
    pub fn until_answered(&self) -> SignedDuration {
        span(self.first, self.last)
    }

    /// How many objects were created a second.
    #[allow(clippy::cast_precision_loss)]
    pub fn objects_a_second(&self) -> f64 {
        self.objects() as f64 / self.until_created().as_secs_f64()
    }
}

fn span(from: Option<Timestamp>, to: Option<Timestamp>) -> SignedDuration {
    from.zip(to).map_or(SignedDuration::ZERO, |(from, to)| to.duration_since(from))
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((verb, what, code), count) in &self.counts {
            writeln!(f, "{count:>8}  {verb} {what} ({code})")?;
        }
        Ok(())
    }
}

impl Kind {
    fn of(request: &Request) -> Self {
        let object = &request.object_ref;
        Self { group: object.api_group.clone(), version: object.api_version.clone(), resource: object.resource.clone() }
    }

    /// Where objects of this kind are, in one namespace or in all.
    pub fn path(&self, namespace: Option<&str>) -> String {
        let Self { group, version, resource } = self;
        let base = if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
        match namespace {
            Some(namespace) => format!("{base}/namespaces/{namespace}/{resource}"),
            None => format!("{base}/{resource}"),
        }
    }
}

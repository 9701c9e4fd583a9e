//! The API server's own record of requests: the only witness that cannot be fooled when a test says "nothing was written".

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Deserialize;

/// The audit log of a cluster.
#[derive(Clone)]
pub struct AuditLog {
    path: PathBuf,
}

/// A moment in the audit log; by default its beginning.
#[derive(Clone, Copy, Default)]
pub struct Mark(u64);

/// One answered request.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// `ResponseComplete`; of a watch, and of what else lasts, there is a line of `ResponseStarted` before.
    pub stage: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: String,
    /// Path and query.
    #[serde(rename = "requestURI")]
    pub uri: String,
    /// What the client calls itself.
    #[serde(default)]
    pub user_agent: String,
    /// What the request is about; absent for paths such as `/readyz`.
    #[serde(default)]
    pub object_ref: Object,
    /// What it was answered.
    #[serde(default)]
    pub response_status: Response,
    /// When it came.
    #[serde(rename = "requestReceivedTimestamp")]
    pub received: Timestamp,
    /// When it was answered.
    #[serde(rename = "stageTimestamp")]
    pub answered: Timestamp,
}

/// What a request is about.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Object {
    /// Empty for the core group.
    pub api_group: String,
    /// Such as `v1`.
    pub api_version: String,
    /// Plural, in lower case.
    pub resource: String,
    /// Such as `status`; empty for the object itself.
    pub subresource: String,
    /// Empty for what lives in no namespace.
    pub namespace: String,
    /// Empty for lists, and for creations.
    pub name: String,
}

/// What a request was answered.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Response {
    /// The HTTP status.
    pub code: u16,
}

/// Writes by user agent, verb and resource (with its subresource).
pub type Counts = BTreeMap<(String, String, String), usize>;

impl AuditLog {
    /// Opens nothing yet.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Now. The server writes a request's line in the moment that it answers, so wait for the last line of what came
    /// before if it must not be counted.
    pub fn mark(&self) -> Mark {
        Mark(std::fs::metadata(&self.path).expect("the audit log is there").len())
    }

    /// All requests in `namespace` since `mark`, oldest first.
    pub fn since(&self, mut mark: Mark, namespace: &str) -> Vec<Request> {
        self.next(&mut mark, namespace)
    }

    /// As [`Self::since`], with the mark moved to the end of what was read: who asks again and again reads each line once.
    pub fn next(&self, mark: &mut Mark, namespace: &str) -> Vec<Request> {
        // Many others write to it; only what may be of this namespace is worth parsing.
        let mut requests = self.next_with(mark, &format!("\"{namespace}\""));
        requests.retain(|request| request.object_ref.namespace == namespace);
        requests
    }

    /// All requests of clients whose user agent starts with `user_agent` since `mark`, which is moved to the end of what was
    /// read.
    pub fn next_by(&self, mark: &mut Mark, user_agent: &str) -> Vec<Request> {
        let mut requests = self.next_with(mark, user_agent);
        requests.retain(|request| request.user_agent.starts_with(user_agent));
        requests
    }

    /// The requests whose lines have a text in them.
    fn next_with(&self, mark: &mut Mark, text_of_line: &str) -> Vec<Request> {
        let mut file = File::open(&self.path).expect("the audit log is there");
        let length = file.metadata().expect("a file has a length").len();
        assert!(length >= mark.0, "the audit log was rotated: what came before can't be counted any more");
        file.seek(SeekFrom::Start(mark.0)).expect("a file can be sought");
        let mut text = String::new();
        file.read_to_string(&mut text).expect("UTF-8");
        // The last line may be half written, and so may the one in which the mark lies.
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        mark.0 += whole.len() as u64;
        let lines = whole.lines().filter(|line| line.contains(text_of_line));
        lines.filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Writes in `namespace` since `mark` by clients whose user agent starts with `user_agent`.
    pub fn writes_since(&self, mut mark: Mark, namespace: &str, user_agent: &str) -> Vec<Request> {
        self.next_writes(&mut mark, namespace, user_agent)
    }

    /// As [`Self::writes_since`], with the mark moved to the end of what was read.
    pub fn next_writes(&self, mark: &mut Mark, namespace: &str, user_agent: &str) -> Vec<Request> {
        let mut requests = self.next(mark, namespace);
        requests.retain(|request| request.is_write() && request.user_agent.starts_with(user_agent));
        requests
    }
}

impl Request {
    /// Whether it could have changed something: dry runs and questions that are asked by POST could not.
    pub fn is_write(&self) -> bool {
        let changing = ["create", "update", "patch", "delete", "deletecollection"].contains(&self.verb.as_str());
        changing && !self.object_ref.resource.ends_with("reviews") && !self.uri.contains("dryRun=All")
    }

    /// The resource, with its subresource.
    pub fn what(&self) -> String {
        let Object { resource, subresource, .. } = &self.object_ref;
        if subresource.is_empty() { resource.clone() } else { format!("{resource}/{subresource}") }
    }

    fn key(&self) -> (String, String, String) {
        (self.user_agent.clone(), self.verb.clone(), self.what())
    }
}

/// Counts requests by user agent, verb and resource.
pub fn count(requests: &[Request]) -> Counts {
    requests.iter().fold(Counts::new(), |mut counts, request| {
        *counts.entry(request.key()).or_default() += 1;
        counts
    })
}

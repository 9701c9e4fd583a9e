//! A cluster of its own with `TokenCache`s in it, and what is asked of its API server.

use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use http::Request as HttpRequest;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use kube::core::{DynamicObject, ObjectList};
use kube::{Client, ResourceExt};
use serde_json::json;
use tokencache_operator::api::v1alpha1::TokenCache;
use tokencache_operator::kubernetes::identity::labels::MANAGED_SELECTOR;

use crate::operator::{Operator, Setup, USER_AGENT};
use crate::support::api_server::{ApiServer, the_crd};
use crate::support::audit::Mark;
use crate::tally::{Kind, Tally};

/// As many as the operator has passes at the same time.
pub const AT_THE_SAME_TIME: usize = 16;
/// What the benchmark calls itself in the audit log.
pub const BENCH: &str = "bench";
/// How many caches share a namespace.
const IN_A_NAMESPACE: usize = 100;
/// Longer than the pauses that the operator makes between two requests on purpose.
const QUIET: Duration = Duration::from_secs(6);
const PATIENCE: Duration = Duration::from_mins(2);
/// For a cache, on machines much slower than this one.
const PATIENCE_EACH: Duration = Duration::from_millis(600);

/// A control plane, and the client that the benchmark uses.
pub struct World {
    server: ApiServer,
    client: Client,
    caches: usize,
}

/// What an operator did until it was done.
pub struct Settled {
    /// Its requests, without watches and the lease.
    pub tally: Tally,
    /// The processor time it had used when it was answered for the last time.
    pub cpu: Duration,
}

impl World {
    /// A control plane without any cache.
    pub async fn empty() -> Self {
        let server = ApiServer::another(&the_crd());
        let client = server.client(BENCH).await;
        Self { server, client, caches: 0 }
    }

    /// A control plane with caches, of which no operator has heard yet.
    pub async fn with(caches: usize) -> Self {
        let mut world = Self::empty().await;
        world.grow(caches).await;
        world
    }

    /// Creates caches with an empty spec, until there are so many.
    pub async fn grow(&mut self, caches: usize) {
        let namespaces = self.caches.div_ceil(IN_A_NAMESPACE)..caches.div_ceil(IN_A_NAMESPACE);
        for number in namespaces {
            let body = serde_json::from_value(json!({"metadata": {"name": format!("team-{number}")}})).unwrap();
            let namespaces: Api<Namespace> = Api::all(self.client.clone());
            namespaces.create(&PostParams::default(), &body).await.unwrap();
        }
        let made = stream::iter(self.caches..caches).map(async |number| {
            let body = json!({
                "apiVersion": "tokencache.dev/v1alpha1", "kind": "TokenCache", "metadata": {"name": format!("cache-{number}")}, "spec": {},
            });
            let namespace = format!("team-{}", number / IN_A_NAMESPACE);
            let caches: Api<TokenCache> = Api::namespaced(self.client.clone(), &namespace);
            caches.create(&PostParams::default(), &serde_json::from_value(body).unwrap()).await
        });
        made.buffer_unordered(AT_THE_SAME_TIME).try_for_each(async |_| Ok(())).await.unwrap();
        self.caches = caches;
    }

    /// A client that calls itself `user_agent` in the audit log.
    pub async fn client(&self, user_agent: &'static str) -> Client {
        self.server.client(user_agent).await
    }

    /// How to start the operator here.
    pub fn setup(&self, program: &std::path::Path) -> Setup {
        Setup {
            program: program.to_owned(),
            kubeconfig: self.server.kubeconfig().to_owned(),
            log: self.server.folder().join("operator.log"),
        }
    }

    /// How many caches there are.
    pub fn caches(&self) -> usize {
        self.caches
    }

    /// Changes the spec of one cache.
    pub async fn edit_one(&self) {
        let patch = Patch::Merge(json!({"spec": {"redis": {"evictionPolicy": "allkeys-lru"}}}));
        let caches: Api<TokenCache> = Api::namespaced(self.client.clone(), "team-0");
        caches.patch("cache-0", &PatchParams::default(), &patch).await.unwrap();
    }

    /// The version of Kubernetes.
    pub async fn version(&self) -> String {
        self.client.apiserver_version().await.unwrap().git_version
    }

    /// What kubectl prints.
    pub async fn kubectl(&self, arguments: &[&str]) -> String {
        self.server.kubectl(arguments).await
    }

    /// Now, in the audit log.
    pub fn mark(&self) -> Mark {
        self.server.audit_log().mark()
    }

    /// What a client asked since a mark, without watches and the lease.
    pub fn asked_since(&self, mut mark: Mark, user_agent: &str) -> Tally {
        let mut tally = Tally::default();
        tally.add(self.server.audit_log().next_by(&mut mark, user_agent));
        tally
    }

    /// Waits until the operator has asked nothing and nobody has written anything for a while, and until the operator has
    /// written so many statuses.
    pub async fn settled(&self, operator: &Operator, since: Mark, statuses: usize) -> Settled {
        let log = self.server.audit_log();
        let (mut mark, mut tally) = (since, Tally::default());
        let begun = Instant::now();
        let (mut last, mut cpu) = (begun, operator.cpu());
        let patience = PATIENCE + PATIENCE_EACH * u32::try_from(self.caches).unwrap();
        loop {
            tokio::time::sleep(Duration::from_millis(200)).await;
            operator.check();
            let (asked, others): (Vec<_>, Vec<_>) =
                log.next_by(&mut mark, "").into_iter().partition(|request| request.user_agent.starts_with(USER_AGENT));
            if tally.add(asked) {
                (last, cpu) = (Instant::now(), operator.cpu());
            } else if others.iter().any(|request| request.is_write() && request.object_ref.resource != "leases") {
                last = Instant::now();
            }
            if tally.caches_with_status() >= statuses && last.elapsed() > QUIET {
                return Settled { tally, cpu };
            }
            assert!(
                begun.elapsed() < patience,
                "{} of {statuses} caches have a status after {patience:?}, the last request was {:?} ago:\n{tally}",
                tally.caches_with_status(),
                last.elapsed()
            );
        }
    }

    /// All objects of these kinds that the operator made.
    pub async fn owned(&self, kinds: impl IntoIterator<Item = &Kind>) -> Vec<(Kind, DynamicObject)> {
        let mut owned = Vec::new();
        for kind in kinds {
            let uri = format!("{}?labelSelector={MANAGED_SELECTOR}", kind.path(None));
            let request = HttpRequest::get(uri).body(Vec::new()).unwrap();
            let list: ObjectList<DynamicObject> = self.client.request(request).await.unwrap();
            owned.extend(list.items.into_iter().map(|object| (kind.clone(), object)));
        }
        owned
    }

    /// The `TokenCache`s.
    pub async fn token_caches(&self) -> Vec<TokenCache> {
        Api::all(self.client.clone()).list(&ListParams::default()).await.unwrap().items
    }

    /// Fails where a cache has no status of its generation.
    pub async fn check_statuses(&self) {
        let without = self.token_caches().await.into_iter().filter(|cache| {
            let seen = cache.status.as_ref().map(|status| status.observed_generation);
            seen != cache.metadata.generation
        });
        let without: Vec<String> = without.map(|cache| cache.name_any()).collect();
        assert!(without.is_empty(), "caches without a status: {without:?}");
    }
}

//! What the chart lets the operator do: what it does, and no more.

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::api::{Api, PostParams};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

use crate::cluster::{OPERATOR, OPERATOR_NAMESPACE, PATIENCE, Scene, cluster, repository};
use crate::support::eventually::within;

/// Every right of the operator, with what it is for: group, resources, verbs.
const GRANTED: [(&str, &[&str], &[&str]); 9] = [
    // Watched; read again where a pass needs the status that stands there.
    ("tokencache.dev", &["tokencaches"], &["get", "list", "watch"]),
    ("tokencache.dev", &["tokencaches/status"], &["patch"]),
    // Asked for by an admission plug-in of the API server, for owner references that block the owner's deletion.
    ("tokencache.dev", &["tokencaches/finalizers"], &["update"]),
    // Watched; looked up where the watch shows nothing; applied (create and patch), minted (create), retired (delete).
    (
        "",
        &["serviceaccounts", "services", "configmaps", "secrets"],
        &["get", "list", "watch", "create", "patch", "delete"],
    ),
    ("apps", &["statefulsets"], &["get", "list", "watch", "create", "patch", "delete"]),
    ("networking.k8s.io", &["networkpolicies"], &["get", "list", "watch", "create", "patch", "delete"]),
    ("", &["pods"], &["list", "watch"]),
    // Looked up once for each pod, and labelled.
    ("", &["persistentvolumeclaims"], &["get", "patch"]),
    // Published, and counted when they repeat.
    ("events.k8s.io", &["events"], &["get", "create", "patch"]),
];

/// Some of what would make a stolen token worth having.
const REFUSED: [(&str, &str, &str); 11] = [
    ("*", "*", "*"),
    ("", "nodes", "get"),
    ("", "pods", "create"),
    ("", "persistentvolumeclaims", "delete"),
    ("", "pods", "delete"),
    ("", "pods/exec", "create"),
    ("", "serviceaccounts/token", "create"),
    ("", "secrets", "deletecollection"),
    ("apps", "deployments", "patch"),
    ("tokencache.dev", "tokencaches", "delete"),
    ("rbac.authorization.k8s.io", "clusterroles", "create"),
];

/// Who asks, and where; an empty namespace is all of them.
struct Asker<'a> {
    client: &'a Client,
    user: String,
    namespace: &'a str,
}

impl Asker<'_> {
    async fn may(&self, group: &str, resource: &str, verb: &str) -> bool {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let attributes = ResourceAttributes {
            group: Some(group.to_owned()),
            resource: Some(resource.to_owned()),
            subresource: Some(subresource.to_owned()),
            verb: Some(verb.to_owned()),
            namespace: Some(self.namespace.to_owned()),
            ..ResourceAttributes::default()
        };
        let spec = SubjectAccessReviewSpec {
            resource_attributes: Some(attributes),
            user: Some(self.user.clone()),
            ..SubjectAccessReviewSpec::default()
        };
        let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
        let answer = Api::all(self.client.clone()).create(&PostParams::default(), &review).await;
        answer.expect("an answer").status.expect("a status").allowed
    }

    /// Those of [`GRANTED`] for which the answer is this one.
    async fn granted(&self, answer: bool) -> Vec<String> {
        let mut found = Vec::new();
        for (group, resources, verbs) in GRANTED {
            for resource in resources {
                for verb in verbs {
                    if self.may(group, resource, verb).await == answer {
                        found.push(format!("{verb} {resource}"));
                    }
                }
            }
        }
        found
    }
}

#[tokio::test]
async fn the_operator_may_do_what_it_does_and_no_more() {
    let scene = Scene::new("rights").await;
    let role = Api::<ClusterRole>::all(scene.client.clone()).get(OPERATOR).await.unwrap();
    let rules: Vec<Value> = role.rules.unwrap().iter().map(|rule| serde_json::to_value(rule).unwrap()).collect();
    let granted =
        GRANTED.map(|(group, resources, verbs)| json!({"apiGroups": [group], "resources": resources, "verbs": verbs}));
    assert_eq!(rules, granted);

    let user = format!("system:serviceaccount:{OPERATOR_NAMESPACE}:{OPERATOR}");
    let asker = Asker { client: &scene.client, user, namespace: "" };
    assert!(asker.granted(false).await.is_empty());
    for (group, resource, verb) in REFUSED {
        assert!(!asker.may(group, resource, verb).await, "{verb} {resource}");
    }
}

#[tokio::test]
async fn where_one_namespace_is_watched_the_operator_gets_by_with_rights_in_that_one() {
    let scene = Scene::new("narrow").await;
    let values =
        cluster(&["helm", "get", "values", OPERATOR, "--namespace", OPERATOR_NAMESPACE, "--output", "yaml"], "");
    let chart = repository().join("charts/tokencache-operator").display().to_string();
    let watched = format!("watchNamespace={},crds.enabled=false", scene.namespace);
    // It is ready when it has listed all that it watches.
    let install = ["helm", "install", "narrow", &chart, "--namespace", &scene.namespace, "--wait", "--timeout", "3m"];
    cluster(&[install.as_slice(), &["--values", "-", "--set", &watched]].concat(), &values);

    let user = format!("system:serviceaccount:{}:narrow-{OPERATOR}", scene.namespace);
    let inside = Asker { client: &scene.client, user: user.clone(), namespace: &scene.namespace };
    assert_eq!(inside.granted(false).await, Vec::<String>::new());
    for namespace in ["", "default", OPERATOR_NAMESPACE] {
        let outside = Asker { client: &scene.client, user: user.clone(), namespace };
        assert_eq!(outside.granted(true).await, Vec::<String>::new(), "in {namespace:?}");
    }
}

#[tokio::test]
async fn what_an_earlier_spec_needed_is_removed() {
    let scene = Scene::new("surplus").await;
    scene.apply(json!({"maxMemory": "32Mi"})).await;
    scene.ready().await;
    scene.change(json!({"spec": {"redis": {"tls": {"mode": "Disabled"}}}})).await;
    let secrets = Api::<Secret>::namespaced(scene.client.clone(), &scene.namespace);
    for name in ["shop-redis-ca", "shop-redis-tls"] {
        within(PATIENCE, &format!("Secret {name} is removed"), async || match secrets.get_opt(name).await {
            Ok(None) => Ok(()),
            Ok(Some(still)) => Err(still.name_any()),
            Err(error) => Err(error.to_string()),
        })
        .await;
    }
    scene.ready().await;
}

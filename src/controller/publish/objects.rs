//! Events about objects, which the status does not tell, or tells in other words: fights over them that begin, what was done to them
//! as a whole, and which are left alone.
//!
//! In: what was decided, and what was done. Out: Events; and the fights that are on, which the report tells too.

use super::publish_once;
use crate::{
    api::v1alpha1::TokenCache,
    controller::{
        apply::ObjectChange,
        brake::{Contest, Subject},
        context::Context,
        decide::Decision,
        report::{
            contest,
            events::objects::{of_changes, of_copy},
        },
        watch::GuardedRef,
    },
    kubernetes::{event::Event, object::Reference, write::Write},
};

/// Publishes them. Returns the fights that are on.
pub async fn publish(
    context: &Context,
    key: &GuardedRef,
    cache: &TokenCache,
    (decision, changes): (&Decision, &[ObjectChange]),
) -> Vec<Contest> {
    let contests = contests(context, key, cache, &decision.plan.held).await;
    tell_of_objects(context, key, cache, changes, &decision.left).await;
    contests
}

/// The fights that are on, with those over these writes, which wait. One that has begun is told in an event.
async fn contests(context: &Context, key: &GuardedRef, cache: &TokenCache, held: &[Write]) -> Vec<Contest> {
    let namespace = key.namespace.as_deref().unwrap_or_default();
    let live = |target: &Subject| match target {
        Subject::Object(kind, name) => context.live(namespace, *kind, name),
        Subject::Status => None,
    };
    let now = Context::now();
    let (contests, begun) = context.brake(key, |brake| {
        contest::blame(brake, held, live);
        (brake.contests(now), brake.begun(now))
    });
    let told = contest::events(&begun, &key.name);
    publish_once(&context.client, cache, &told, &context.reporter, now).await;
    contests
}

/// Tells in events of what was done to objects as a whole, and of those that are left alone. The status may say the same as
/// before.
async fn tell_of_objects(
    context: &Context,
    key: &GuardedRef,
    cache: &TokenCache,
    changes: &[ObjectChange],
    left: &[Reference],
) {
    let (client, reporter) = (&context.client, &context.reporter);
    super::publish(client, cache, &of_changes(changes), reporter, Context::now()).await;
    let left = context.remember(key, |it| it.not_told_of(left));
    let left: Vec<Event> = left.into_iter().map(|child| of_copy(cache, child)).collect();
    publish_once(client, cache, &left, reporter, Context::now()).await;
}

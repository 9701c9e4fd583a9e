//! Whether entries expire: the finding about `EntriesExpire`.
//!
//! In: the settings, what the looks at a server show of its keys. Out: a finding.

use super::{sampling, unnamed};
use crate::{
    api::v1alpha1::EvictionPolicy,
    condition::{ConditionType::EntriesExpire, Finding, Reason},
    entries::look::census::{Expiry, Population, Share},
    redis::settings::{Settings, expiring_only},
};

pub(crate) fn expiry(settings: &Settings, pod: &str, population: &Population) -> Finding {
    let (prefix, policy) = (settings.instance_name.as_str(), settings.eviction_policy);
    if matches!(policy, EvictionPolicy::AllkeysLru | EvictionPolicy::AllkeysLfu) {
        let message = format!("{} evicts entries whether or not they have an expiration", policy.as_str());
        return Finding::holds(EntriesExpire, Reason::AnyCanBeEvicted, message);
    }
    let share = match population.expiry {
        Expiry::NotYetKnown if population.unnamed => return unnamed(EntriesExpire, pod),
        Expiry::NotYetKnown => {
            let message = format!(
                "every entry that was seen on {pod} expires, and not all were: some hundred are looked at each time"
            );
            return sampling(EntriesExpire, message);
        }
        Expiry::All => {
            let message = format!("no entry with the prefix {prefix:?} on {pod} is without an expiration");
            return Finding::holds(EntriesExpire, Reason::AllExpire, message);
        }
        Expiry::Never(Share::All) => "the entries",
        Expiry::Never(Share::Most) => "half of the entries or more",
        Expiry::Never(Share::Some) => "one in ten entries or more",
        Expiry::Never(Share::Few) => "some entries, fewer than one in ten,",
    };
    let policy = if expiring_only(policy) {
        format!(
            "{} never evicts them, so that they fill the memory in time, and then writes are refused",
            policy.as_str()
        )
    } else {
        format!(
            "under {} nothing else removes them, so that they fill the memory in time, and then writes are refused",
            policy.as_str()
        )
    };
    let message = format!(
        "{share} with the prefix {prefix:?} on {pod} have no expiration: {policy}. Entries of users who sign in, and of \
         long-running on-behalf-of sessions, have none unless the application sets one. Set SlidingExpiration or \
         AbsoluteExpirationRelativeToNow of MsalDistributedTokenCacheAdapterOptions, and make sure that the application binds \
         them, since nothing does so by itself: services.Configure<MsalDistributedTokenCacheAdapterOptions>(\
         configuration.GetSection(\"TokenCache\")). Entries get it when they are written next. Costs \
         the entries that it evicts: spec.redis.evictionPolicy: allkeys-lru"
    );
    Finding::fails(EntriesExpire, Reason::NeverExpire, message)
}

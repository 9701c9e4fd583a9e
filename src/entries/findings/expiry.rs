//! Whether entries expire: the finding about `EntriesExpire`.
//!
//! In: the settings, what the looks at a server show of its keys. Out: a finding.

use super::{prefix, sampling, unnamed};
use crate::{
    api::v1alpha1::{EvictionPolicy, Remedy},
    condition::{ConditionType::EntriesExpire, Finding, Message, Reason},
    entries::look::census::{Expiry, Population, Share},
    redis::settings::{Settings, expiring_only},
};

pub(crate) fn expiry(settings: &Settings, pod: &str, population: &Population) -> Finding {
    let (prefix, policy) = (prefix(settings), settings.eviction_policy);
    if matches!(policy, EvictionPolicy::AllkeysLru | EvictionPolicy::AllkeysLfu) {
        let message = format!("maxmemory-policy {} evicts entries with and without an expiration", policy.as_str());
        return Finding::holds(EntriesExpire, Reason::AnyCanBeEvicted, message);
    }
    let share = match population.expiry {
        Expiry::NotYetKnown if population.unnamed => return unnamed(EntriesExpire, pod),
        Expiry::NotYetKnown => {
            let message = format!("every entry seen on {pod} so far has an expiration; not all were seen yet");
            return sampling(EntriesExpire, message);
        }
        Expiry::All => {
            let message = format!("every entry with the prefix {prefix} on {pod} has an expiration");
            return Finding::holds(EntriesExpire, Reason::AllExpire, message);
        }
        Expiry::Never(Share::All) => "the entries",
        Expiry::Never(Share::Most) => "50% or more of the entries",
        Expiry::Never(Share::Some) => "10% or more of the entries",
        Expiry::Never(Share::Few) => "fewer than 10% of the entries",
    };
    let evicts = if expiring_only(policy) { "does not evict them" } else { "evicts nothing" };
    let message = format!(
        "{share} with the prefix {prefix} on {pod} never expire, and {} {evicts}: memory fills up, then Redis refuses writes",
        policy.as_str()
    );
    let message = Message::from(message)
        .remedy(Remedy::look("set SlidingExpiration of MsalDistributedTokenCacheAdapterOptions"))
        .remedy(Remedy::costing("the entries that it evicts", "set spec.redis.evictionPolicy: allkeys-lru"));
    Finding::fails(EntriesExpire, Reason::NeverExpire, message)
}

//! Whether applications write to the cache: the finding about `InUse`.
//!
//! In: the settings, what the looks at a server show of its keys. Out: a finding.

use super::{sampling, unnamed};
use crate::{
    condition::{ConditionType::InUse, Finding, Reason},
    entries::look::census::{Population, Prefix},
    redis::settings::Settings,
};

pub(crate) fn in_use(settings: &Settings, pod: &str, population: &Population) -> Finding {
    let prefix = settings.instance_name.as_str();
    let beside = match (population.others, population.other_database) {
        (_, Some(database)) => format!(
            ". Database {database} holds keys too, which are not looked at: an application whose connection has \
             defaultDatabase={database} writes there"
        ),
        (true, None) => ". There are keys without that prefix as well".to_owned(),
        (false, None) => String::new(),
    };
    match population.prefix {
        Prefix::Unused | Prefix::NotYetKnown if population.unnamed => unnamed(InUse, pod),
        Prefix::NotYetKnown => {
            let message =
                format!("no entry with the prefix {prefix:?} was seen on {pod} so far, and not all keys were");
            sampling(InUse, message)
        }
        Prefix::Used => {
            let message = format!("applications write entries with the prefix {prefix:?} to {pod}{beside}");
            Finding::holds(InUse, Reason::Used, message)
        }
        Prefix::Unused => Finding::fails(
            InUse,
            Reason::NeverWritten,
            format!(
                "nothing with the prefix {prefix:?} was written to {pod} since it was started: tokens stay in the memory of \
                 each application's pod, where the others do not find them and a restart loses them. If users have signed \
                 in since, the usual causes are AddInMemoryTokenCaches in place of AddDistributedTokenCaches; \
                 AddDistributedMemoryCache registered after AddStackExchangeRedisCache; another InstanceName than \
                 {prefix:?}; a configuration section that nothing binds, such as Redis__Configuration without \
                 Configuration.Bind(\"Redis\", options){beside}"
            ),
        ),
    }
}

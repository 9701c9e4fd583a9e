//! Whether applications write to the cache: the finding about `InUse`.
//!
//! In: the settings, what the looks at a server show of its keys. Out: a finding.

use super::{prefix, sampling, unnamed};
use crate::{
    api::v1alpha1::Remedy,
    condition::{ConditionType::InUse, Finding, Message, Reason},
    entries::look::census::{Population, Prefix},
    redis::settings::Settings,
};

pub(crate) fn in_use(settings: &Settings, pod: &str, population: &Population) -> Finding {
    let prefix = prefix(settings);
    let beside = match (population.others, population.other_database) {
        (_, Some(database)) => {
            format!(". Database {database} has keys: a connection sets defaultDatabase={database}")
        }
        (true, None) => ". Other keys lack this prefix".to_owned(),
        (false, None) => String::new(),
    };
    match population.prefix {
        Prefix::Unused | Prefix::NotYetKnown if population.unnamed => unnamed(InUse, pod),
        Prefix::NotYetKnown => {
            let message =
                format!("no entry with the prefix {prefix} was seen on {pod} so far; not all keys were seen yet");
            sampling(InUse, message)
        }
        Prefix::Used => {
            let message = format!("applications write entries with the prefix {prefix} to {pod}{beside}");
            Finding::holds(InUse, Reason::Used, message)
        }
        Prefix::Unused => {
            let message = format!(
                "no entry with the prefix {prefix} was written since {pod} started; tokens since then are in the memory of pods \
                 only{beside}"
            );
            let step = "check AddDistributedTokenCaches and InstanceName in the application";
            Finding::fails(InUse, Reason::NeverWritten, Message::from(message).remedy(Remedy::look(step)))
        }
    }
}

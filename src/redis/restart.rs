//! What a restart of a cache's server costs, which is what a replacement of its pod comes to. Nobody else says so.
//!
//! In: the settings, and what the server said last. Out: a [`Restart`], as the cost of a remedy or as what follows from one
//! that happens.

use super::{
    live::Live,
    look::{
        answer::Answer,
        drift::{Drift, Parameter},
    },
    settings::{MaxMemory, Settings},
};
use crate::{api::v1alpha1::Remedy, kubernetes::quantity::format_bytes};

/// What a restart leaves of the entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// They come back from the volume.
    Kept,
    /// Those come back that the volume has, which is not all.
    Unsaved,
    /// None. There are about so many, where that is known.
    Lost(Option<u64>),
}

impl Restart {
    /// By what the server answered last, where it did.
    #[must_use]
    pub fn of(settings: &Settings, answer: Option<&Answer>) -> Self {
        let goes_nowhere = |drift: &Drift| drift.parameter == Parameter::AppendOnly && !drift.correction.is_done();
        let lacks = |answer: &Answer| answer.saving.write_failed || answer.drift.iter().any(goes_nowhere);
        match (&settings.persistence, answer) {
            (None, answer) => Self::Lost(answer.and_then(|answer| answer.usage.entries)),
            (Some(_), Some(answer)) if lacks(answer) => Self::Unsaved,
            (Some(_), _) => Self::Kept,
        }
    }

    /// By the latest look that was answered, if any.
    #[must_use]
    pub fn seen(settings: &Settings, live: &Live) -> Self {
        Self::of(settings, live.samples.iter().find_map(|sample| sample.outcome.as_ref().ok()))
    }

    /// The cost of a remedy that restarts the server.
    #[must_use]
    pub fn costs(self) -> String {
        match self {
            Self::Kept | Self::Lost(Some(0)) => "seconds of outage and no entry".to_owned(),
            Self::Unsaved => "seconds of outage and what is not on the volume yet".to_owned(),
            Self::Lost(None) => "all entries (users sign in again)".to_owned(),
            Self::Lost(Some(1)) => "the only entry (its user signs in again)".to_owned(),
            Self::Lost(Some(number)) => format!("all {} (users sign in again)", entries(number)),
        }
    }

    /// Whether entries are lost by it.
    #[must_use]
    pub fn loses_entries(self) -> bool {
        !matches!(self, Self::Kept | Self::Lost(Some(0)))
    }

    /// A restart of the server in this pod, which then has its own configuration and the users from its Secret.
    #[must_use]
    pub fn remedy(self, settings: &Settings, pod: &str) -> Remedy {
        Remedy::costing(self.costs(), format!("restart pod {pod}"))
            .command(format!("kubectl -n {} delete pod {pod}", settings.owner.namespace))
    }

    /// A higher `maxMemory`, where the server's container has this memory: first as much as that has room for. `enough` is what
    /// suffices, where that is known. All in bytes.
    #[must_use]
    pub fn more_memory(self, settings: &Settings, container: Option<u64>, enough: Option<u64>) -> Vec<Remedy> {
        let set = |bytes, what: &str| format!("set spec.redis.maxMemory: {} ({what})", format_bytes(bytes));
        let most = container.map(|container| settings.most_in(container));
        let most = most.filter(|most| *most > settings.max_memory.bytes());
        let suffices = enough.map(|enough| set(enough, &format!("suffices{}", of_volume(settings, enough))));
        if let (Some(most), Some(enough), Some(suffices)) = (most, enough, &suffices)
            && most >= enough
        {
            return vec![Remedy::free(suffices)];
        }
        let more = suffices.unwrap_or_else(|| "set a higher spec.redis.maxMemory".to_owned());
        let room = most.map(|most| Remedy::free(set(most, "may not suffice")));
        room.into_iter().chain([Remedy::costing(self.costs(), more)]).collect()
    }

    /// What becomes of the entries when the server ends.
    #[must_use]
    pub fn leads_to(self) -> String {
        match self {
            Self::Kept => "the entries come back from its volume".to_owned(),
            Self::Unsaved => "what is not on its volume yet is lost".to_owned(),
            Self::Lost(None) => "all entries are lost (users sign in again)".to_owned(),
            Self::Lost(Some(0)) => "no entry is stored that could be lost".to_owned(),
            Self::Lost(Some(1)) => "the only entry is lost (its user signs in again)".to_owned(),
            Self::Lost(Some(number)) => format!("all {} are lost (users sign in again)", entries(number)),
        }
    }
}

/// That a volume has to be larger for so much memory, in bytes, where it has.
fn of_volume(settings: &Settings, memory: u64) -> String {
    let least = MaxMemory::volume_for(memory);
    let is_small = settings.persistence.as_ref().is_some_and(|persistence| persistence.size < least);
    if is_small { format!(", with a volume of {}", format_bytes(least)) } else { String::new() }
}

/// `7 entries`, `of about 1,200 entries`.
fn entries(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|group| str::from_utf8(group).ok()).collect();
    let (about, entries) = (if number < 100 { "" } else { "of about " }, if number == 1 { "entry" } else { "entries" });
    format!("{about}{} {entries}", groups.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_entries_is_told_as_people_write_it() {
        let told = [1, 2, 99, 120, 1_200, 1_200_000].map(entries);
        let wanted = ["1 entry", "2 entries", "99 entries", "of about 120 entries", "of about 1,200 entries"];
        assert_eq!(told[..5], wanted.map(str::to_owned));
        assert_eq!(told[5], "of about 1,200,000 entries");
        assert_eq!(Restart::Lost(Some(1)).costs(), "the only entry (its user signs in again)");
        assert_eq!(Restart::Lost(Some(2)).costs(), "all 2 entries (users sign in again)");
    }
}

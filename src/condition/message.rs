//! What is told: a fact with its evidence, and what helps.
//!
//! In: the two of them. Out: the message of a condition or an operation, in at most [`LONGEST`] characters: the fact, and the first
//! step. Commands and objects to apply stand in the status beside it, and what is longer in the text of the reason.

use crate::{api::v1alpha1::Remedy, kubernetes::words};

/// The longest message, in characters.
pub const LONGEST: usize = 300;

/// What `Ready` adds to the message that it repeats needs so many characters at most.
const OF_WARNINGS: usize = 15;

/// A fact with its evidence, and what helps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// What is so, where, and how that is known.
    pub text: String,
    /// What helps, first what costs nothing.
    pub remedies: Vec<Remedy>,
}

impl Message {
    /// With one more sentence about what is so.
    #[must_use]
    pub fn and(mut self, sentence: &str) -> Self {
        self.text = format!("{}. {sentence}", without_stop(&self.text));
        self
    }

    /// With one more remedy.
    #[must_use]
    pub fn remedy(mut self, remedy: Remedy) -> Self {
        self.remedies.push(remedy);
        self
    }

    /// With a remedy before all others.
    #[must_use]
    pub fn first(mut self, remedy: Remedy) -> Self {
        self.remedies.insert(0, remedy);
        self
    }

    /// With more remedies.
    #[must_use]
    pub fn remedies(mut self, remedies: impl IntoIterator<Item = Remedy>) -> Self {
        self.remedies.extend(remedies);
        self
    }

    /// The fact and the first step. Where that is too long, the fact is cut: words of others stand in it.
    #[must_use]
    pub fn told(&self) -> String {
        self.told_within(LONGEST - OF_WARNINGS)
    }

    /// The same, of one that nothing is added to.
    #[must_use]
    pub fn told_within(&self, longest: usize) -> String {
        let step = self.remedies.first().map(|remedy| format!(". {}", remedy.sentence())).unwrap_or_default();
        let room = longest.saturating_sub(step.chars().count());
        words::cut(&format!("{}{step}", words::cut(without_stop(&self.text), room)), longest)
    }
}

/// A text without a full stop at its end, which words of others may have.
fn without_stop(text: &str) -> &str {
    text.strip_suffix('.').unwrap_or(text)
}

impl<T: Into<String>> From<T> for Message {
    fn from(text: T) -> Self {
        Self { text: text.into(), remedies: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_the_fact_and_the_first_step() {
        let message = Message::from("it is full")
            .remedy(Remedy::free("set spec.redis.acl: Strict").command("echo"))
            .remedy(Remedy::costing("all entries", "restart it"));
        assert_eq!(message.told(), "it is full. Costs nothing: set spec.redis.acl: Strict");
        assert_eq!(Message::from("it is full").remedy(Remedy::look("see its log")).told(), "it is full. See its log");
        assert_eq!(Message::from("all is well").told(), "all is well");
        assert_eq!(Message::from("it said: no.").and("Then it ended").told(), "it said: no. Then it ended");
    }

    #[test]
    fn words_of_others_are_cut_and_the_step_stays() {
        let message = Message::from("x".repeat(900)).remedy(Remedy::look("see its log"));
        assert!(message.told().ends_with(". See its log"), "{}", message.told());
        let longest = Message::from("x".repeat(900)).remedy(Remedy::look("y".repeat(900))).told();
        for told in [message.told(), longest] {
            assert!(told.chars().count() <= LONGEST - OF_WARNINGS, "{told}");
        }
    }
}

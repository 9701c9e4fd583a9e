//! Closed lists, each member of which is called in the status as it is here; with a column beside it, what each means.

macro_rules! closed {
    ($(#[$meta:meta])+ pub enum $list:ident: $column:ident {
        $($(#[doc = $doc:literal])+ $name:ident: $value:ident),+ $(,)?
    }) => {
        closed! {
            $(#[$meta])+
            pub enum $list { $($(#[doc = $doc])+ $name),+ }
        }

        impl $list {
            /// What it means for applications.
            #[must_use]
            pub fn effect(self) -> $column {
                match self {
                    $(Self::$name => $column::$value),+
                }
            }

            /// What is written beside it: what it says in a sentence; then, in paragraphs, what is too long for a message.
            #[must_use]
            pub fn texts(self) -> Vec<String> {
                let lines: &[&str] = match self {
                    $(Self::$name => &[$($doc),+]),+
                };
                let paragraphs = lines.split(|line| line.is_empty()).map(|lines| lines.concat().trim_start().to_owned());
                paragraphs.collect()
            }
        }
    };
    ($(#[$meta:meta])+ pub enum $list:ident { $($(#[$doc:meta])+ $name:ident),+ $(,)? }) => {
        $(#[$meta])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $list {
            $($(#[$doc])+ $name),+
        }

        impl $list {
            /// Every one there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The word in the status.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name)),+
                }
            }

            /// The one that is called so in the status.
            #[must_use]
            pub fn named(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == word)
            }
        }
    };
}

pub(super) use closed;

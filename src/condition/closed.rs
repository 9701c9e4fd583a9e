//! Closed lists, each member of which is called in the status as it is here.

macro_rules! closed {
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
        }
    };
}

pub(super) use closed;

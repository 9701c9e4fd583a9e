//! The closed list of reasons: the same word stands in a condition, in an event and in the log.

use super::closed::closed;

closed! {
    /// Why a condition has its status.
    pub enum Reason {
        /// Everything that the cache needs was verified.
        AllVerified,
        /// Nothing waits for the user.
        NotStalled,

        /// The spec can be carried out.
        Valid,
        /// The spec cannot be read or holds what cannot be carried out.
        Invalid,
        /// The API server refuses what the spec leads to.
        RejectedByApiServer,

        /// The operator could not read what there is.
        ReadFailed,

        /// Redis answers and takes writes.
        Available,
        /// A setting had been changed on the server; it was set again and read back.
        DriftCorrected,
        /// Objects or pods are on their way.
        Provisioning,
        /// An object of a needed name exists and is not ours.
        NameTaken,
        /// Somebody changes an object of ours back as often as it is put right.
        Contested,
        /// The operator may not write what the cache needs.
        WriteForbidden,
        /// The API server refused a write, or did not answer.
        WriteFailed,
        /// A password in a Secret is not the one that Redis knows.
        PasswordMismatch,
        /// The applications' password is a new one, and Redis has it.
        NewPassword,
        /// Redis restarts to learn a new operator password.
        RestartingForPassword,
        /// The image cannot be pulled.
        ImagePullFailed,
        /// The image's name cannot be one.
        InvalidImageName,
        /// No node takes the pod.
        Unschedulable,
        /// The container was killed for its memory.
        OutOfMemory,
        /// The container ends again and again.
        CrashLoop,
        /// The container cannot be made.
        ContainerNotCreated,
        /// Redis answers the operator, but its readiness probe fails.
        PodNotReady,
        /// No connection.
        Unreachable,
        /// Connections are accepted and never answered.
        Frozen,
        /// Redis wants another password than the operator's.
        WrongPassword,
        /// Redis refuses a command to the operator.
        PermissionDenied,
        /// Redis is loading its data.
        Loading,
        /// Redis runs a script, and refuses everything else until it ends.
        Busy,
        /// A script kept Redis from everything else; it was ended.
        ScriptEnded,
        /// Redis refuses writes.
        ReadOnly,
        /// Redis has as many clients as it may, and refuses every other.
        TooManyClients,
        /// The port speaks TLS.
        TlsPort,
        /// What answers is not Redis.
        NotRedis,
        /// The answer is none that Redis gives.
        UnexpectedAnswer,
        /// The last answer is too old to say anything.
        NoRecentAnswer,
        /// The answer is too long to be read.
        AnswerTooLong,

        /// The wanted certificate is served.
        CertificateServed,
        /// The wanted certificate has not reached the pod yet; another one is served.
        ReloadPending,
        /// Redis refuses to load the wanted certificate.
        ReloadRefused,
        /// There is no Secret with a certificate.
        CertificateMissing,
        /// What should be a certificate or a key is none.
        CertificateMalformed,
        /// The certificate has a key of another kind than RSA.
        CertificateNotRsa,
        /// The key belongs to another certificate.
        KeyMismatch,
        /// The certificate's time is over.
        CertificateExpired,
        /// The certificate's time has not come.
        CertificateNotYetValid,
        /// The certificate is for other names.
        CertificateNameMismatch,
        /// No trusted authority signed the certificate.
        CertificateUntrusted,
        /// Redis answers in plain text where TLS was expected.
        PlainText,
        /// What `TlsReady` tells keeps Redis from starting, or the operator from asking it.
        TlsNotReady,

        /// The settings were read back as wanted.
        Verified,
        /// The users were read back as wanted, and more is said of them than this version knows.
        UnknownRules,
        /// Redis could not be asked.
        RedisUnavailable,
        /// A setting is not as wanted and the cache is paused.
        DriftWhilePaused,
        /// A setting is not as wanted and Redis refuses to change it.
        CorrectionRefused,
        /// Redis accepted a change, and still has the old value.
        CorrectionIneffective,

        /// The key ring is published, and a key of this `TokenCache` encrypts.
        Published,
        /// The key ring is published, and a key of an earlier `TokenCache` of the same name encrypts.
        Adopted,
        /// The key ring is published, and there is room for few more keys.
        RingNearlyFull,
        /// There is no room for another key.
        RingFull,
        /// A key is due, and another one was made less than an hour ago.
        KeysTooFrequent,
        /// No key can encrypt.
        NoActiveKey,
        /// A Secret of a key holds something else.
        KeyMalformed,
        /// There is no Secret with the ring that is to be taken over.
        ImportMissing,
        /// Something of the ring that is to be taken over cannot be.
        ImportRefused,
        /// A key was made, and will encrypt.
        KeyMinted,

        /// Nothing was refused of late.
        NothingRefused,
        /// A login with a wrong password was refused.
        LoginRefused,
        /// A command was refused.
        CommandRefused,
        /// A key outside of the prefix was refused.
        KeyRefused,
        /// A channel was refused.
        ChannelRefused,

        /// What is written is brought to a volume.
        Persisted,
        /// Entries are held in memory only, as the spec asks.
        InMemory,
        /// Redis could not append what was written to its file.
        SaveFailed,
        /// Redis could not write its file anew.
        RewriteFailed,

        /// The server's release has every security fix that is known.
        Supported,
        /// The server's release is older than a security fix of its line.
        SecurityUpdate,
        /// The server's line of releases gets no security fixes any more.
        Unsupported,
        /// The spec accepts the server's release as it is.
        Accepted,
        /// The server is no release yet.
        PreRelease,
        /// The server is neither Redis nor Valkey.
        OtherProduct,
        /// The server's version cannot be compared.
        VersionUnknown,

        /// A `NetworkPolicy` says who reaches Redis.
        Restricted,
        /// An application is connected from where a `NetworkPolicy` would cut it off.
        ConnectionFromOutside,
        /// The operator runs where no `NetworkPolicy` can let it through.
        OperatorOutside,

        /// It takes more looks to tell.
        Sampling,
        /// Memory suffices.
        Sufficient,
        /// Nearly all memory is used.
        NearlyFull,
        /// Entries were evicted for want of memory.
        EntriesEvicted,
        /// Writes were refused for want of memory.
        WritesRefused,
        /// Redis answers fast.
        Acceptable,
        /// Redis is slow because of a command.
        SlowCommand,
        /// Redis is slow because of big entries.
        BigEntries,
        /// Redis is slow for want of CPU.
        ProcessorBusy,
        /// Redis is slow to reach.
        SlowNetwork,
        /// Every entry has an expiration.
        AllExpire,
        /// The eviction policy can remove any entry.
        AnyCanBeEvicted,
        /// Entries have no expiration.
        NeverExpire,
        /// Applications write entries.
        Used,
        /// Nobody has written an entry.
        NeverWritten,

        /// Applications can read every entry.
        AllReadable,
        /// No entry is stored.
        NothingStored,
        /// Entries are not looked into, as the spec asks.
        NotInspected,
        /// Entries are encrypted, and there is no key to try them with.
        NoKeyRing,
        /// Entries are encrypted with a key that is not in the ring.
        KeyMissing,
        /// A key is never to be used again, because somebody asked for that; or entries are encrypted with one.
        KeyRevoked,
        /// Entries are encrypted with a key that the operator cannot open.
        KeyClosed,
        /// Entries are encrypted under another application name than they should, or under several.
        ApplicationNameMismatch,
        /// Entries are encrypted under an application name that is not known.
        OtherApplication,
        /// Entries are no token cache.
        Undeserializable,
        /// Entries are encrypted and should not be.
        EncryptedEntries,
        /// Entries are not encrypted and should be.
        PlainEntries,

        /// No pod has the applications' earlier password.
        RolledOut,
        /// Pods have the applications' earlier password, which ends within a day.
        EarlierPasswordInUse,
        /// The applications' earlier password is valid for longer, since pods have it.
        PasswordOverlapExtended,
        /// It cannot be found out which pods use what is published.
        ConsumersUnknown,

        /// A request of an annotation is not followed.
        RequestIgnored,
        /// Another password of the applications is being made valid beside the earlier one.
        PasswordRotationStarted,
        /// The applications' new password is published, and the earlier one is valid still.
        PasswordPublished,
        /// The applications' earlier password is being removed.
        PasswordOverlapOver,
        /// The applications' earlier password is removed.
        PasswordRotated,
        /// The applications' password cannot be changed before somebody helps.
        PasswordRotationBlocked,
        /// Another key encrypts, because somebody asked for it.
        KeyRotated,
        /// Stored entries are being removed, because somebody asked for it.
        RemovingEntries,
        /// Processes go on with a key that is revoked until they are restarted, and what they store is removed then.
        AwaitingRestart,
        /// Stored entries were removed, because somebody asked for it.
        EntriesRemoved,

        /// Objects that nobody owned, and that have all labels of the cache's own, are its own again.
        ObjectsAdopted,
        /// An object that the operator had made, and that nothing needs any more, was deleted.
        ObjectDeleted,
        /// An object has labels and owner of those that the operator makes, was made by somebody else, and is left alone.
        ObjectLeftAlone,
    }
}

impl Reason {
    /// Whether a condition that does not hold for this is as the spec asks.
    #[must_use]
    pub fn is_asked_for(self) -> bool {
        matches!(self, Self::InMemory)
    }

    /// Whether waiting is in vain: only a change by the user helps.
    #[must_use]
    pub fn needs_user(self) -> bool {
        matches!(
            self,
            Self::Invalid
                | Self::RejectedByApiServer
                | Self::NameTaken
                | Self::Contested
                | Self::WriteForbidden
                | Self::PasswordMismatch
                | Self::InvalidImageName
                | Self::CertificateMalformed
                | Self::CertificateNotRsa
                | Self::KeyMismatch
                | Self::CertificateNameMismatch
                | Self::RingFull
                | Self::KeyMalformed
                | Self::ImportMissing
                | Self::ImportRefused
        )
    }
}

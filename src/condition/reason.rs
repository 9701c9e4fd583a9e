//! The closed list of reasons, and what each means for applications: the same word stands in a condition, in an event and in the log.

use super::{Effect, closed::closed};

closed! {
    /// Why a condition has its status.
    pub enum Reason: Effect {
        /// Everything that the cache needs was verified.
        AllVerified: Note,
        /// Nothing waits for the user.
        NotStalled: Note,

        /// The annotation that holds a cache still is set.
        Paused: Note,

        /// The spec can be carried out.
        Valid: Note,
        /// The spec cannot be read or holds what cannot be carried out.
        Invalid: Outage,
        /// The API server refuses what the spec leads to.
        RejectedByApiServer: Outage,
        /// An annotation that looks as if it were meant for the operator is not known, or its value is not: it does nothing.
        UnknownAnnotation: Risk,

        /// The operator could not read what there is.
        ReadFailed: Outage,

        /// Redis answers and takes writes.
        Available: Note,
        /// The Service that applications connect to is missing, or leads elsewhere.
        AddressUnusable: Outage,
        /// The Secret with the connection, or the `ConfigMap` with the settings, is missing or says something else.
        NotPublished: Outage,
        /// A setting had been changed on the server; it was set again and read back.
        DriftCorrected: Risk,
        /// Objects or pods are on their way.
        Provisioning: Outage,
        /// An object of a needed name exists and is not ours.
        NameTaken: Outage,
        /// A `NetworkPolicy` of the needed name exists and is not ours.
        NetworkPolicyNameTaken: Risk,
        /// Somebody changes an object of ours back as often as it is put right.
        Contested: Outage,
        /// Somebody changes our `NetworkPolicy` back as often as it is put right.
        NetworkPolicyContested: Risk,
        /// The operator may not write what the cache needs.
        WriteForbidden: Outage,
        /// The API server refused a write, or did not answer.
        WriteFailed: Outage,
        /// Redis does not take the password in the Secret that applications read, and the cache is paused.
        PasswordMismatch: Outage,
        /// The applications' password is a new one, and Redis has it.
        NewPassword: Risk,
        /// Somebody changed the applications' password to one that no connection string can carry; it was put back.
        PasswordEditUndone: Risk,
        /// Redis restarts to learn a new operator password.
        RestartingForPassword: Outage,
        /// The image cannot be pulled.
        ImagePullFailed: Outage,
        /// The image's name cannot be one.
        InvalidImageName: Outage,
        /// No node takes the pod.
        Unschedulable: Outage,
        /// The container was killed for its memory.
        OutOfMemory: Outage,
        /// The container ends again and again.
        CrashLoop: Outage,
        /// The container cannot be made.
        ContainerNotCreated: Outage,
        /// Redis answers the operator, but its readiness probe fails.
        PodNotReady: Outage,
        /// No connection.
        Unreachable: Outage,
        /// Connections are accepted and never answered.
        Frozen: Outage,
        /// Redis wants another password than the operator's.
        WrongPassword: Outage,
        /// Redis refuses a command to the operator.
        PermissionDenied: Outage,
        /// Redis is loading its data.
        Loading: Outage,
        /// Redis runs a script, and refuses everything else until it ends.
        Busy: Outage,
        /// A script kept Redis from everything else; it was ended.
        ScriptEnded: Risk,
        /// Redis refuses writes.
        ReadOnly: Outage,
        /// Redis has as many clients as it may, and refuses every other.
        TooManyClients: Outage,
        /// More clients are connected than the next start allows.
        ClientLimitExceeded: Risk,
        /// The port speaks TLS.
        TlsPort: Outage,
        /// What answers is not Redis.
        NotRedis: Outage,
        /// The answer is none that Redis gives.
        UnexpectedAnswer: Outage,
        /// The last answer is too old to say anything.
        NoRecentAnswer: Outage,
        /// The answer is too long to be read.
        AnswerTooLong: Outage,
        /// What a condition goes by could not be read of a server that serves.
        NotRead: Note,

        /// The wanted certificate is served.
        CertificateServed: Note,
        /// The wanted certificate has not reached the pod yet; another one is served.
        ReloadPending: Note,
        /// Redis refuses to load the wanted certificate.
        ReloadRefused: Outage,
        /// There is no Secret with a certificate.
        CertificateMissing: Outage,
        /// The certificate that the next key needs cannot be used; the keys that there are do not need it.
        NextCertificateUnusable: Risk,
        /// Nobody has the certificate of a key, and no stored entry needs that key.
        UnusedCertificateMissing: Risk,
        /// What should be a certificate or a key is none.
        CertificateMalformed: Outage,
        /// The certificate has a key of another kind than RSA.
        CertificateNotRsa: Outage,
        /// The key belongs to another certificate.
        KeyMismatch: Outage,
        /// The certificate's time is over.
        CertificateExpired: Outage,
        /// The certificate's time has not come.
        CertificateNotYetValid: Outage,
        /// The certificate is for other names.
        CertificateNameMismatch: Outage,
        /// No trusted authority signed the certificate.
        CertificateUntrusted: Outage,
        /// Redis answers in plain text where TLS was expected.
        PlainText: Outage,
        /// What `TlsReady` tells keeps Redis from starting, or the operator from asking it.
        TlsNotReady: Outage,

        /// The settings were read back as wanted.
        Verified: Note,
        /// The users were read back as wanted, and more is said of them than this version knows.
        UnknownRules: Note,
        /// Redis could not be asked.
        RedisUnavailable: Outage,
        /// A setting is not as wanted and the cache is paused.
        DriftWhilePaused: Outage,
        /// A setting is not as wanted and Redis refuses to change it.
        CorrectionRefused: Outage,
        /// Redis accepted a change, and still has the old value.
        CorrectionIneffective: Outage,

        /// The key ring is published, and a key of this `TokenCache` encrypts.
        Published: Note,
        /// The key ring is published, and a key of an earlier `TokenCache` of the same name encrypts.
        Adopted: Note,
        /// The key ring is published, and there is room for few more keys.
        RingNearlyFull: Risk,
        /// There is no room for another key.
        RingFull: Risk,
        /// A key is due, and another one was made less than an hour ago.
        KeysTooFrequent: Outage,
        /// No key can encrypt.
        NoActiveKey: Outage,
        /// A Secret of a key holds something else.
        KeyMalformed: Outage,
        /// There is no Secret with the ring that is to be taken over.
        ImportMissing: Outage,
        /// Something of the ring that is to be taken over cannot be.
        ImportRefused: Outage,
        /// A key was made, and will encrypt.
        KeyMinted: Note,
        /// New keys are encrypted to a renewed certificate from now on.
        KeyCertificateRenewed: Note,

        /// Nothing was refused of late.
        NothingRefused: Note,
        /// A login with a wrong password was refused.
        LoginRefused: Risk,
        /// Logins with a wrong password are refused, and no application is logged in.
        EveryLoginRefused: Outage,
        /// A command was refused.
        CommandRefused: Risk,
        /// A key outside of the prefix was refused.
        KeyRefused: Risk,
        /// A channel was refused.
        ChannelRefused: Risk,

        /// What is written is brought to a volume.
        Persisted: Note,
        /// Entries are held in memory only, as the spec asks.
        InMemory: Note,
        /// Redis could not append what was written to its file.
        SaveFailed: Risk,
        /// Redis could not write its file anew.
        RewriteFailed: Risk,
        /// The volume is smaller than three times `maxMemory`, and writes are refused once it is full.
        VolumeTooSmall: Risk,
        /// A setting of how Redis saves what is written is not as wanted, and stays so.
        SaveSettingDiffers: Risk,

        /// The server's release has every security fix that is known.
        Supported: Note,
        /// The server's release is older than a security fix of its line.
        SecurityUpdate: Risk,
        /// The server's line of releases gets no security fixes any more.
        Unsupported: Risk,
        /// The spec accepts the server's release as it is.
        Accepted: Note,
        /// The server is no release yet.
        PreRelease: Risk,
        /// The server is neither Redis nor Valkey.
        OtherProduct: Risk,
        /// The server's version cannot be compared.
        VersionUnknown: Risk,

        /// A `NetworkPolicy` says who reaches Redis.
        Restricted: Note,
        /// There is no `NetworkPolicy`, and none is made while the cache is paused.
        NetworkPolicyMissing: Risk,
        /// An application is connected from where a `NetworkPolicy` would cut it off.
        ConnectionFromOutside: Risk,
        /// The operator runs where no `NetworkPolicy` can let it through.
        OperatorOutside: Risk,

        /// It takes more looks to tell.
        Sampling: Note,
        /// Memory suffices.
        Sufficient: Note,
        /// Nearly all memory is used.
        NearlyFull: Risk,
        /// Entries were evicted for want of memory.
        EntriesEvicted: Risk,
        /// Writes are refused for want of memory.
        WritesRefused: Outage,
        /// Writes were refused for want of memory, and are not any more.
        WritesRefusedEarlier: Risk,
        /// Redis answers fast.
        Acceptable: Note,
        /// Redis is slow because of a command.
        SlowCommand: Risk,
        /// Redis is slow because of big entries.
        BigEntries: Risk,
        /// Redis is slow for want of CPU.
        ProcessorBusy: Risk,
        /// Redis is slow to reach.
        SlowNetwork: Risk,
        /// Every entry has an expiration.
        AllExpire: Note,
        /// The eviction policy can remove any entry.
        AnyCanBeEvicted: Note,
        /// Entries have no expiration.
        NeverExpire: Risk,
        /// Applications write entries.
        Used: Note,
        /// Nobody has written an entry.
        NeverWritten: Risk,

        /// Applications can read every entry.
        AllReadable: Note,
        /// No entry is stored.
        NothingStored: Note,
        /// Entries are not looked into, as the spec asks.
        NotInspected: Note,
        /// Entries are encrypted, and there is no key to try them with.
        NoKeyRing: Note,
        /// Entries are encrypted with a key that is not in the ring.
        KeyMissing: Risk,
        /// A key is never to be used again, because somebody asked for that.
        KeyRevoked: Note,
        /// Entries are encrypted with a key that is revoked.
        RevokedKeyInUse: Risk,
        /// Entries are encrypted with a key that the operator cannot open.
        KeyClosed: Risk,
        /// Entries are encrypted under another application name than they should, or under several.
        ApplicationNameMismatch: Risk,
        /// Entries are encrypted under an application name that is not known.
        OtherApplication: Risk,
        /// Entries are no token cache.
        Undeserializable: Risk,
        /// Entries are encrypted and should not be.
        EncryptedEntries: Risk,
        /// Entries are not encrypted and should be.
        PlainEntries: Risk,

        /// No pod has the applications' earlier password.
        RolledOut: Note,
        /// Pods have the applications' earlier password, which ends within a day.
        EarlierPasswordInUse: Risk,
        /// The applications' earlier password is valid for longer, since pods have it.
        PasswordOverlapExtended: Risk,
        /// It cannot be found out which pods use what is published.
        ConsumersUnknown: Note,

        /// A request of an annotation is not followed.
        RequestIgnored: Risk,
        /// Another password of the applications is being made valid beside the earlier one.
        PasswordRotationStarted: Note,
        /// The applications' new password is published, and the earlier one is valid still.
        PasswordPublished: Note,
        /// The applications' earlier password is being removed.
        PasswordOverlapOver: Note,
        /// The applications' earlier password is removed.
        PasswordRotated: Note,
        /// The applications' password cannot be changed before somebody helps.
        PasswordRotationBlocked: Risk,
        /// Another key encrypts, because somebody asked for it.
        KeyRotated: Note,
        /// Stored entries are being removed, because somebody asked for it.
        RemovingEntries: Note,
        /// Processes go on with a key that is revoked until they are restarted, and what they store is removed then.
        AwaitingRestart: Risk,
        /// Stored entries were removed, because somebody asked for it.
        EntriesRemoved: Note,

        /// Objects that nobody owned, and that have all labels of the cache's own, are its own again.
        ObjectsAdopted: Note,
        /// An object that the operator had made, and that nothing needs any more, was deleted.
        ObjectDeleted: Note,
        /// An object has labels and owner of those that the operator makes, was made by somebody else, and is left alone.
        ObjectLeftAlone: Risk,
    }
}

impl Reason {
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
                | Self::KeyMalformed
                | Self::ImportMissing
                | Self::ImportRefused
        )
    }
}

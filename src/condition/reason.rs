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
        ///
        /// Some of what is refused was accepted by the API server, because its rules were other ones then. A volume that is
        /// smaller than three times `maxMemory` is refused only while its claim does not exist: an append-only file grows to
        /// twice the entries before Redis writes it anew, and the new file needs room beside it. Nothing is lost by a smaller
        /// `maxMemory` or by a new `TokenCache` then, since nothing was made yet.
        ///
        /// Of the key ring: applications read it once a day, and one read may fail, so `publishAhead` is 48h or more. Keys that
        /// are encrypted to a certificate take four times the room, and none is ever removed, so `every` is 30d or more with a
        /// certificate.
        Invalid: Outage,
        /// The API server refuses what the spec leads to.
        ///
        /// The operator shows the API server what a spec leads to before it changes anything. Where that is refused, nothing was
        /// changed, and the field that the answer names has one of the same name in the spec, most often in `spec.redis.pod`.
        /// Where the spec has none of that name, an admission policy or webhook of the cluster refuses it.
        RejectedByApiServer: Outage,
        /// An annotation that looks as if it were meant for the operator is not known, or its value is not: it does nothing.
        ///
        /// The message has the nearest one that exists. Correct or remove the annotation: nothing was done for it.
        UnknownAnnotation: Risk,

        /// The operator could not read what there is.
        ///
        /// The message has the object, and what the API server answered. With `forbidden`, the operator lacks a right: compare its
        /// `ClusterRole` or `Role` with the chart. Otherwise the API server does not answer; the operator goes on by itself once
        /// it does.
        ReadFailed: Outage,

        /// Redis answers and takes writes.
        Available: Note,
        /// The Service that applications connect to is missing, or leads elsewhere.
        ///
        /// Applications connect to the Service. Where the server answers at the pod's own address and not at the Service's,
        /// look at the `EndpointSlices` of the Service, at kube-proxy on the operator's node and at the cluster's DNS.
        ///
        /// The Service leads elsewhere where somebody changed its type, its selector or its ports, or where a pod that is no
        /// server has all labels of one: a copy of the server's pod for debugging, for example, which the Service then gives a
        /// share of the connections. The operator makes the Service again and puts its fields right, but not while the cache is
        /// paused or `SpecValid` is False. Another pod is left alone: remove the label, or delete the pod.
        AddressUnusable: Outage,
        /// The Secret with the connection, or the `ConfigMap` with the settings, is missing or says something else.
        ///
        /// The Secret with the connection has the password, so it cannot simply be written again where it was deleted: a new
        /// password is made, Redis takes it beside the earlier one, and the Secret comes back with it within seconds. Pods that
        /// run keep their connections meanwhile; those that start wait for the Secret, as `kubectl describe pod` tells.
        /// `Redis__InstanceName` in the `ConfigMap` is what each key begins with: with another one Redis refuses the
        /// application's keys (NOPERM). While the cache is paused, or `SpecValid` is False, nothing of it is made again.
        NotPublished: Outage,
        /// A setting had been changed on the server; it was set again and read back.
        ///
        /// The setting is right again and no entry was lost by that. A change of the spec shows the same for a moment.
        /// Otherwise somebody or something sends `CONFIG SET` or `ACL SETUSER`, for which it needs the operator's login: look
        /// for scripts and for people who can read Secret `<name>-redis-operator` or run commands in the pod. While the cache
        /// is paused nothing is corrected.
        ///
        /// Of users: deleting Secret `<name>-redis-operator` makes another login. No pod is replaced for that where the
        /// operator holds a connection, and the earlier login ends with `spec.redis.passwordRotation.overlap`.
        ///
        /// Of the key ring: somebody changed Secret `<name>-keys` or `<name>-keys-certificates`, or gave a Secret an owner with
        /// which it would have been deleted. No key was lost by that.
        DriftCorrected: Risk,
        /// Objects or pods are on their way.
        ///
        /// A pod that stays so for more than two minutes waits for a node, an image, a volume or the `StatefulSet`'s controller:
        /// the events of the `StatefulSet` and of the pod tell for which. A pod that was evicted is made again by the
        /// `StatefulSet`'s controller.
        ///
        /// A pod that is being replaced has its grace period to end. If its node is gone, it cannot, and the `StatefulSet`'s
        /// controller makes no other before the pod is deleted by force. Do that only when you know that the node is down:
        /// otherwise two servers may run at once, and with a volume both write to it.
        ///
        /// What becomes of the entries stands in the message: without a volume they are lost with each pod, and users whose
        /// session goes on get new tokens or sign in again.
        Provisioning: Outage,
        /// An object of a needed name exists and is not ours.
        ///
        /// An object that has lost its owner, but has the labels that its kind has in each cache, is taken up again. If the
        /// labels are there and it is still left alone, something of it differs that cannot be changed, such as the type of a
        /// Secret: then it has to be deleted.
        ///
        /// Of the key ring: a Secret of a key that has lost its labels is left alone, and its key then stands only in Secret
        /// `<name>-keys`. With the labels back it counts again; deleted, it is made again from what is published. While Secret
        /// `<name>-keys-certificates` is somebody else's, no key is encrypted to a certificate, and keys whose certificate only
        /// that Secret has cannot be read. A `TokenCache` of another name is another cache: it begins without entries and with a
        /// ring of its own. With `spec.dataProtection.mode: None`, the cache does without a ring of its own, and so do the
        /// applications.
        NameTaken: Outage,
        /// A `NetworkPolicy` of the needed name exists and is not ours.
        ///
        /// The operator changes no `NetworkPolicy` that somebody else made. If yours is to stay and lets the operator's pods reach
        /// Redis, `spec.redis.networkPolicy: None` says that no other is needed. If it is to go, rename or delete it: the operator
        /// then makes its own. One that was restored from a backup has all labels of the `TokenCache`, no owner, and another field
        /// manager; the annotation `tokencache.dev/adopt=restored` has the operator take up all that was restored.
        NetworkPolicyNameTaken: Risk,
        /// Somebody changes an object of ours back as often as it is put right.
        ///
        /// Whoever it is, they write again as often as the operator does. To spare the cluster, the operator then waits longer and
        /// longer before it writes, up to 5 minutes; until then the object is as they want it, or missing. Other findings stand
        /// behind "Besides". Usual causes: a tool that applies the object from a repository (Argo CD, Flux), another operator, a
        /// mutating admission policy, a cleanup job. What is to be otherwise belongs into the spec of the `TokenCache`. Of deletions, of
        /// fields that are removed and of admission policies, the object does not record who it was: the API server's audit log
        /// may. An object whose label `tokencache.dev/cache` is taken away looks deleted to the operator.
        Contested: Outage,
        /// Somebody changes our `NetworkPolicy` back as often as it is put right.
        ///
        /// The same as [`Contested`](#contested), over the `NetworkPolicy`: applications go on, but who reaches Redis may be
        /// others than the spec says.
        NetworkPolicyContested: Risk,
        /// The operator may not write what the cache needs.
        ///
        /// Usual causes: a `ResourceQuota` that is used up, an admission policy or webhook, or an operator whose `ClusterRole` is
        /// older than the operator. The API server's answer names which.
        ///
        /// Of Secret `<name>-keys-certificates`: somebody made it immutable. What it holds may be nowhere else, so the operator
        /// neither changes nor deletes it. The command in the status copies it to a file, pauses the `TokenCache` so that nobody
        /// makes another one meanwhile, replaces the Secret, lets the `TokenCache` go on, and deletes the file, which holds
        /// private keys.
        WriteForbidden: Outage,
        /// The API server refused a write, or did not answer.
        WriteFailed: Outage,
        /// Redis does not take the password in the Secret that applications read, and the cache is paused.
        ///
        /// Somebody put another password into the Secret, and the operator does not follow it while the cache is paused. Remove
        /// the annotation, and Redis takes it beside the earlier one; or put the earlier one back.
        PasswordMismatch: Outage,
        /// The applications' password is a new one, and Redis has it.
        ///
        /// The Secret was deleted or replaced as a whole, so the operator could not know that the earlier password should stay
        /// valid. Applications read the Secret when they start, and go on with the connections that they have; the next
        /// connection is refused (WRONGPASS). Restarting them makes them read it again. To change a password without that, use
        /// the annotation `tokencache.dev/rotate-password-requested`.
        NewPassword: Risk,
        /// Somebody changed the applications' password to one that no connection string can carry; it was put back.
        ///
        /// StackExchange.Redis splits a connection string at commas, cuts off white space around its parts, and knows no
        /// escape. A password that it cannot carry is put back to the one that Redis takes; another one is followed, and the
        /// earlier one stays valid for the overlap.
        PasswordEditUndone: Risk,
        /// Redis restarts to learn a new operator password.
        ///
        /// The Secret `<name>-redis-operator` was lost or changed, and the server knows only the earlier password. The
        /// operator's user cannot be changed without it, so the pod is replaced.
        RestartingForPassword: Outage,
        /// The image cannot be pulled.
        ///
        /// The message has the last cause that kubelet gives; the events of the pod have the whole of it. `not found`: the name
        /// or the tag is wrong, or the image is not mirrored. `401` or `403`: the registry needs a login, in
        /// `spec.redis.pod.imagePullSecrets`. `no such host`, `timeout`: the node does not reach the registry.
        /// `ErrImageNeverPull`: `spec.redis.imagePullPolicy` is `Never`, and the node does not have the image.
        ImagePullFailed: Outage,
        /// The image's name cannot be one.
        InvalidImageName: Outage,
        /// No node takes the pod.
        ///
        /// The message has the scheduler's words without what it says of preemption. `Insufficient memory` or `cpu`: the pod
        /// asks for one and a half times `maxMemory` and 64Mi, and for the CPU in `spec.redis.pod.resources`. Taints and
        /// selectors: `spec.redis.pod`.
        ///
        /// Where the scheduler speaks of volumes, look at what the claim waits for: most often its `StorageClass` does not exist
        /// or has no free volume of that size, or the cluster has no default class, and making one binds the claim. Or the
        /// nodes that reach the volume have no room for the pod, or `spec.redis.pod` keeps it off them. A claim cannot get
        /// another `StorageClass`: for that the `TokenCache` and its claim have to be deleted, with what is on the volume.
        Unschedulable: Outage,
        /// The container was killed for its memory.
        ///
        /// The container has `maxMemory` for the entries, and half as much and 64Mi beside it for connections, fragmentation
        /// and the process. Very many connections, or clients that read slowly, take more than that. A higher `maxMemory`
        /// raises both. Fewer connections help as well: each process of an application should share one
        /// `ConnectionMultiplexer`, which the caching packages do by themselves.
        OutOfMemory: Outage,
        /// The container ends again and again.
        ///
        /// The server's last words stand in the message, the rest in the log of its last run. Exit code 126 or 127: the image
        /// has neither `redis-server` nor `valkey-server`. 137: it was killed, by kubelet when its liveness probe failed, or by
        /// the node for want of memory; the events of the pod tell which. 139: it crashed. Where the last words speak of the
        /// append-only file, the volume is full, read-only or damaged.
        CrashLoop: Outage,
        /// The container cannot be made.
        ///
        /// A Secret or `ConfigMap` that is missing is made by the operator within moments. `executable file not found`: the image
        /// must contain a shell, the server, and `redis-cli` or `valkey-cli`, which the probes use.
        ContainerNotCreated: Outage,
        /// Redis answers the operator, but its readiness probe fails.
        ///
        /// kubelet runs the readiness probe in the pod, with a login of its own. It fails where the server refuses that login,
        /// where the CPU is so busy that the probe takes too long, or where the image has no client; the events of the pod have
        /// the probe's words. Until it passes, the Service leads nowhere, and applications ask the identity provider for every
        /// token.
        PodNotReady: Outage,
        /// No connection.
        ///
        /// The operator cannot open a connection to the pod's address. If the pod runs and its node is well, something keeps
        /// the operator out, such as a `NetworkPolicy` of yours; then applications may well be served. If applications cannot
        /// connect either, they ask the identity provider for every token.
        Unreachable: Outage,
        /// Connections are accepted and never answered.
        ///
        /// The pod is ready: either the server has just begun to hang, and the pod becomes unready soon; or something between
        /// the operator and the pod takes connections and forwards nothing, such as a service mesh's proxy; or the operator is
        /// short of CPU.
        ///
        /// The pod is not ready: the server hangs, or its node is overloaded. Applications wait a second for every token.
        /// kubelet restarts the server after a minute; deleting the pod does so at once.
        ///
        /// It answers, but too slowly: the node or the operator's node is overloaded, or slow commands such as `KEYS` keep the
        /// server busy.
        Frozen: Outage,
        /// Redis wants another password than the operator's.
        ///
        /// Somebody changed the user `operator` on the server. Applications are served as long as nothing else is wrong, but
        /// nothing can be verified or corrected. A restart of the pod loads the users from the Secret `<name>-redis-users`
        /// again.
        WrongPassword: Outage,
        /// Redis refuses a command to the operator.
        ///
        /// Somebody took rights from the user `operator` on the server, and with them the means to give them back. A restart of
        /// the pod loads the users from the Secret `<name>-redis-users` again.
        PermissionDenied: Outage,
        /// Redis is loading its data.
        ///
        /// Redis reads its append-only file after a start. How long that takes depends on the size of the file and the speed of
        /// the volume. It ends by itself.
        Loading: Outage,
        /// Redis runs a script, and refuses everything else until it ends.
        ///
        /// While a script or a function runs, Redis refuses every other command, and applications ask the identity provider for
        /// every token. The operator ends one that two looks in a row find (`SCRIPT KILL`, `FUNCTION KILL`), unless the cache
        /// is paused or `SpecValid` is False. That loses no entry, and Redis allows it only while the script has written
        /// nothing (`UNKILLABLE`).
        ///
        /// Then only a restart helps. The liveness probe does that after a minute, except in pods that an earlier version of
        /// the operator made.
        ///
        /// `spec.redis.acl: Compatible` lets whoever has the applications' password run scripts. Only
        /// `Microsoft.Extensions.Caching.StackExchangeRedis` 8.0.x needs that. With `Standard` and `Strict` the user `app` may
        /// run none, so somebody with another login does.
        Busy: Outage,
        /// A script kept Redis from everything else; it was ended.
        ///
        /// The script had written nothing, or Redis would not have let it be ended, so every entry is there. Where it came
        /// from: see `Busy`.
        ScriptEnded: Risk,
        /// Redis refuses writes.
        ///
        /// A replica: somebody sent `REPLICAOF`. No replicas: somebody set `min-replicas-to-write`. Both are gone after a
        /// restart of the pod, which has its own configuration.
        ///
        /// Writes that wait while reads are answered: somebody sent `CLIENT PAUSE`, which ends by itself after the time that
        /// was given, or with `CLIENT UNPAUSE`.
        ///
        /// Data that cannot be saved (`MISCONF`): most often the volume is full, or without a volume the node's disk; or
        /// somebody changed where Redis saves. The log tells which.
        ReadOnly: Outage,
        /// Redis has as many clients as it may, and refuses every other.
        ///
        /// Most often an application opens a connection for each request, where one `ConnectionMultiplexer` should serve all of
        /// a process; restarting it frees its connections. `maxclients` derives from `maxMemory`: where so many connections are
        /// right, raise that.
        TooManyClients: Outage,
        /// More clients are connected than the next start allows.
        ///
        /// The server was started before there was a limit. It keeps the connections that it has; after its next start the ones
        /// beyond the limit are refused. See `TooManyClients`.
        ClientLimitExceeded: Risk,
        /// The port speaks TLS.
        ///
        /// Something other than this Redis listens on the port, such as a service mesh's proxy that encrypts by itself. Exclude
        /// the port from the mesh, by its annotation on the namespace or its own configuration.
        TlsPort: Outage,
        /// What answers is not Redis.
        ///
        /// Either the image is none of Redis or Valkey, or a service mesh's proxy answers in place of the server. A server with
        /// TLS that has reached `maxclients` closes connections as well, without a word: applications that open many
        /// connections free them when they are restarted.
        NotRedis: Outage,
        /// The answer is none that Redis gives.
        ///
        /// No Redis answers so. See the server's log, what `spec.redis.image` names, and what stands between the operator and
        /// the pod.
        UnexpectedAnswer: Outage,
        /// The last answer is too old to say anything.
        ///
        /// The operator looks at each server once in a probe period. Either it could not (its log tells why), or looks take so
        /// long that parts of them are left out: then the server's node or the operator's is overloaded, or slow commands keep
        /// the server busy.
        NoRecentAnswer: Outage,
        /// The answer is too long to be read.
        ///
        /// `ACL LIST`: somebody made very many users or rules; `ACL DELUSER` removes them. For anything else no Redis does that
        /// by itself: see what `spec.redis.image` names, and what stands between the operator and the pod.
        AnswerTooLong: Outage,
        /// What a condition goes by could not be read of a server that serves.
        ///
        /// Applications are served; only this condition is not known. `ACL LOG`: an entry of that log holds what was asked for,
        /// such as a key of some megabytes, or somebody tries many logins; `ACL LOG RESET` empties it. `INFO errorstats`: Redis
        /// counts each kind of error, and a script can make up as many as it likes; `CONFIG RESETSTAT` resets them. `SCAN`:
        /// there are keys with very long names, which no token cache writes; what writes them needs a Redis of its own. A
        /// command that is refused: a restart of the pod loads the users from the Secret `<name>-redis-users` again.
        ///
        /// Keys with names of 2 KiB and more are not read. Nothing of Microsoft.Identity.Web writes such; whatever does needs a
        /// Redis of its own.
        NotRead: Note,

        /// The wanted certificate is served.
        CertificateServed: Note,
        /// The wanted certificate has not reached the pod yet; another one is served.
        ///
        /// kubelet brings a changed Secret to a pod within a minute or two, and Redis then loads the certificate without a
        /// restart. Where it takes longer, the pod's events tell why; often kubelet on that node has no connection to the API
        /// server.
        ReloadPending: Note,
        /// Redis refuses to load the wanted certificate.
        ///
        /// Redis gives the same error for a file that is not there and for one that it cannot read. The operator tries again at
        /// every look. The server's log tells more: where it names a missing file, kubelet has not brought the Secret to the
        /// pod, and the pod's events tell why; where it names the file's content, the certificate or its key is of a kind that
        /// the server's OpenSSL does not take.
        ReloadRefused: Outage,
        /// There is no Secret with a certificate.
        ///
        /// For `TlsReady`: a Secret of type `kubernetes.io/tls`, as cert-manager makes it for a Certificate with the Service's
        /// name in `dnsNames`: the server's certificate in `tls.crt`, its key in `tls.key`, and in `ca.crt` the root that
        /// applications are to trust.
        ///
        /// Of the key ring, where the Secret that `spec.dataProtection.certificate` names does not exist: no key is made, and
        /// none without encryption. Make the Secret, or have cert-manager make it, with `tls.crt` and `tls.key` of an RSA
        /// certificate.
        ///
        /// Where a key needs a certificate that is missing, the message has the first digits of its thumbprint (SHA-1, as
        /// `openssl x509 -fingerprint` shows it). Put the certificate and its private key into a Secret of type
        /// `kubernetes.io/tls`, and name that in `spec.dataProtection.previous`. A backup of Secret `<name>-keys-certificates`
        /// has both, as `THUMBPRINT.crt` and `THUMBPRINT.key`. Whatever that Secret still has of the certificate stays in it.
        ///
        /// No other key takes the place of one that cannot be read while its certificate may still come, which is so as long as a
        /// Secret in `spec.dataProtection.previous` does not exist or cannot be used; nor where the other key would not be
        /// encrypted, since `spec.dataProtection.certificate` is not set. The annotation `tokencache.dev/rotate-key-requested`
        /// asks for one all the same. Revoking the key gives up what it encrypted.
        CertificateMissing: Outage,
        /// The certificate that the next key needs cannot be used; the keys that there are do not need it.
        ///
        /// The keys that are published stay and are used. No other key is made until the certificate can be used, so applications
        /// cannot encrypt once the last key has expired. The message tells when the next one is due. What may be wrong with the
        /// certificate: see [`CertificateMissing`](#certificatemissing), [`CertificateMalformed`](#certificatemalformed),
        /// [`CertificateNotRsa`](#certificatenotrsa) and [`KeyMismatch`](#keymismatch).
        NextCertificateUnusable: Risk,
        /// Nobody has the certificate of a key, and no stored entry needs that key.
        ///
        /// The same as [`CertificateMissing`](#certificatemissing), but every stored entry was looked at, and none was encrypted
        /// with that key. Cookies and whatever else applications protect with the ring is not seen by the operator.
        UnusedCertificateMissing: Risk,
        /// What should be a certificate or a key is none.
        ///
        /// The value under the key that is named is not what it should be, in PEM: often it is DER, is encoded with base64
        /// twice, or lacks its first or last line. For `TlsReady`, without a CA in `ca.crt`, applications would not know whom
        /// to trust. `kubectl get secret -o yaml` shows each value encoded once.
        ///
        /// Of the key ring: `tls.crt` must hold a certificate in PEM, and `tls.key` its private RSA key in PEM, as PKCS#8 or
        /// PKCS#1 and not encrypted. The key must have 2048 to 8192 bits.
        CertificateMalformed: Outage,
        /// The certificate has a key of another kind than RSA.
        ///
        /// ASP.NET Core encrypts keys to RSA certificates only. Make one with an RSA key of 2048 bits or more; in a `Certificate`
        /// of cert-manager: `privateKey: {algorithm: RSA, size: 2048}`. An RSASSA-PSS key can only sign.
        CertificateNotRsa: Outage,
        /// The key belongs to another certificate.
        ///
        /// Certificate and key come from two different orders: often one was renewed, and only one of the two files was
        /// written. Write both at once.
        KeyMismatch: Outage,
        /// The certificate's time is over.
        ///
        /// Where cert-manager makes the certificate, see the conditions of its Certificate and its `CertificateRequests`. Where
        /// the operator makes it, it is renewed after 60 of its 90 days, unless the cache is paused: then remove the
        /// annotation. A renewed certificate is loaded without a restart. Where the certificate in the Secret is good, one
        /// between it and the root may have expired, or the operator's clock is wrong.
        CertificateExpired: Outage,
        /// The certificate's time has not come.
        ///
        /// The clock of whoever made the certificate is ahead, or the operator's node is behind. Compare `notBefore` with the
        /// time on both.
        CertificateNotYetValid: Outage,
        /// The certificate is for other names.
        ///
        /// Applications connect to `NAME-redis.NAMESPACE.svc` and compare it with the certificate's subject alternative names
        /// of type DNS; the common name does not count. Add this name where the certificate is ordered, in cert-manager to
        /// `dnsNames`.
        CertificateNameMismatch: Outage,
        /// No trusted authority signed the certificate.
        ///
        /// .NET trusts roots only, so `ca.crt` must hold the root; an intermediate CA alone is not enough, and may stand in
        /// `tls.crt` after the server's certificate or in `ca.crt` beside the root. A CA certificate in `tls.crt` is refused as
        /// a server's: sign a server certificate with it.
        ///
        /// Before the root changes, put both roots into `ca.crt`, and the certificate of the new one a day later.
        ///
        /// Where the server shows one that is not in any Secret of the cache, somebody used CONFIG SET or another image: the
        /// operator has it replaced over a connection that it still holds, and otherwise replaces the pod at the time that is
        /// told, unless the server shows the right one by then. It sends its password to nobody who cannot prove who it is.
        /// Where that did not help, something else is at work: see the pod's image, and who can write Secrets and pods in the
        /// namespace.
        CertificateUntrusted: Outage,
        /// Redis answers in plain text where TLS was expected.
        ///
        /// Something other than the configuration of this cache is at work: a service mesh's proxy that ends TLS before Redis,
        /// another configuration file, or CONFIG SET. Nothing secret was sent. A restart brings the server's own configuration
        /// back; a proxy has to be taken off port 6380.
        PlainText: Outage,
        /// What `TlsReady` tells keeps Redis from starting, or the operator from asking it.
        TlsNotReady: Outage,

        /// The settings were read back as wanted.
        Verified: Note,
        /// The users were read back as wanted, and more is said of them than this version knows.
        ///
        /// A later version of the server describes its users with words that this version of the operator has never seen, such
        /// as new kinds of rights. What is known of the users was compared, and is as wanted. Update the operator.
        UnknownRules: Note,
        /// Redis could not be asked.
        RedisUnavailable: Outage,
        /// A setting is not as wanted and the cache is paused.
        ///
        /// While the annotation `tokencache.dev/reconcile` is `paused`, or `SpecValid` is False, the operator changes nothing
        /// on the server. Take the annotation away, or correct the spec, and the setting is corrected within a probe period.
        /// More memory than the container has room for waits until the pod has been replaced.
        ///
        /// Of the key ring: applications mount Secret `<name>-keys` and `<name>-keys-certificates`, which lack something or have
        /// been changed.
        DriftWhilePaused: Outage,
        /// A setting is not as wanted and Redis refuses to change it.
        ///
        /// Most often somebody took rights from the user `operator`. A restart of the pod loads its own configuration and the
        /// users from its Secret.
        CorrectionRefused: Outage,
        /// Redis accepted a change, and still has the old value.
        ///
        /// Redis answered OK and did not change the value: a module, a proxy or another client that sets it again at once. A
        /// restart of the pod loads its own configuration and the users from its Secret; if it comes back, look for what sends
        /// `CONFIG SET` or `ACL SETUSER`.
        CorrectionIneffective: Outage,

        /// The key ring is published, and a key of this `TokenCache` encrypts.
        ///
        /// A renewed certificate is used for new keys once every pod that uses the ring has started at least two minutes after it
        /// was published: applications read certificates when they start, and kubelet takes up to two minutes to bring a Secret
        /// to a pod. No clock ends that. Until then new keys are encrypted to the earlier certificate, which applications have.
        /// The message names the workloads to restart. Where the operator cannot list pods, its log says why.
        ///
        /// Keys that were made before `spec.dataProtection.certificate` was set are not encrypted, and stay so. The dates of
        /// certificates are told, and not judged: ASP.NET Core decrypts with an expired one.
        ///
        /// A ring that was taken over is in the operator's own Secrets: what `spec.dataProtection.import` names is not needed any
        /// more. A key that expires in the last minutes of the year 9999, as a ring that was taken over may have, cannot be used
        /// to encrypt on .NET 8.
        Published: Note,
        /// The key ring is published, and a key of an earlier `TokenCache` of the same name encrypts.
        ///
        /// The keys were made for an earlier `TokenCache` of this name, whose Secrets are still there. What they encrypted stays
        /// readable.
        Adopted: Note,
        /// The key ring is published, and there is room for few more keys.
        ///
        /// No key is ever removed, since what it encrypted could not be read then, and a Secret holds 1 MiB. A second
        /// `TokenCache` with a longer `spec.dataProtection.rotation.every` begins an empty ring, which lasts longer, beside an
        /// empty cache: users sign in again when applications move to it. Move them in good time.
        RingNearlyFull: Risk,
        /// There is no room for another key.
        ///
        /// What is there works until the last key expires. The room for one key and its revocation is kept for an emergency: a
        /// key is still made when one is asked for by an annotation, when the active one is revoked, or when the last one
        /// expires. What to do: see [`RingNearlyFull`](#ringnearlyfull).
        RingFull: Risk,
        /// A key is due, and another one was made less than an hour ago.
        ///
        /// No key is ever removed, so the operator makes at most one an hour that nobody asks for. Something takes the keys away
        /// as soon as they are made: `status.keyRing` tells what became of each, such as revoked or unreadable. A clock that
        /// steps does it too. The annotation `tokencache.dev/rotate-key-requested` asks for a key at once.
        KeysTooFrequent: Outage,
        /// No key can encrypt.
        ///
        /// Each key is expired, revoked, cannot be read, or activates in the future. ASP.NET Core then makes do with a key that
        /// is not meant to encrypt, if there is one, and otherwise every `Protect` fails. The operator makes another key at once,
        /// unless the cache is paused. A clock that was wrong leads to keys that activate in the future.
        NoActiveKey: Outage,
        /// A Secret of a key holds something else.
        ///
        /// What is no well-formed key or revocation is not published: one malformed file keeps applications from reading the
        /// whole ring. If the key is still in Secret `<name>-keys`, delete its own Secret, and the operator makes it again from
        /// there. Otherwise restore its Secret from a backup.
        ///
        /// A key that cannot be used although its certificate is there is damaged: restore its Secret, `<name>-key-ID`, from a
        /// backup.
        KeyMalformed: Outage,
        /// There is no Secret with the ring that is to be taken over.
        ///
        /// `spec.dataProtection.import` names a Secret that does not exist or holds no key. Put the key files of the ring
        /// (`*.xml`) into it, or the one file that Azure Blob Storage holds. Until then no first key is made, since that would
        /// begin another ring, and what only the keys of that ring can read cannot be read. Without `spec.dataProtection.import`
        /// the operator begins a new ring, or goes on with its own.
        ImportMissing: Outage,
        /// Something of the ring that is to be taken over cannot be.
        ///
        /// Half a ring is none: where one file cannot be taken over, none is. What was taken over before stays. The message names
        /// the files, and why the first of them is refused. A key whose master key is protected by Azure Key Vault or DPAPI
        /// cannot be used outside of the application: write the ring anew, without that protection or with a certificate. A key
        /// that is there already with another content is kept as it is there. Other files than keys and revocations are passed
        /// over, as by ASP.NET Core.
        ///
        /// Where there is no room, the message has what Secret `<name>-keys` would hold, with the revocations that the ring leads
        /// to; what is kept free is for an emergency. Take keys out that expired long ago and that no stored entry and no cookie
        /// needs.
        ImportRefused: Outage,
        /// A key was made, and will encrypt.
        KeyMinted: Note,
        /// New keys are encrypted to a renewed certificate from now on.
        ///
        /// Keys that were encrypted to the earlier certificate stay so, and it stays published for them.
        KeyCertificateRenewed: Note,

        /// Nothing was refused of late.
        NothingRefused: Note,
        /// A login with a wrong password was refused.
        ///
        /// An application has a password from before the last change, and asks the identity provider for every token, as if
        /// there were no cache. Applications read the Secret when they start, also where it is mounted as a file: restart those
        /// that started before the password changed. Some are named where pods can be listed; a process outside of the cluster,
        /// and a copy of the Secret elsewhere, cannot be seen.
        LoginRefused: Risk,
        /// Logins with a wrong password are refused, and no application is logged in.
        ///
        /// As `LoginRefused`, and no application is logged in: no token is read or written. After a rotation all applications
        /// are to be restarted within the overlap. Where the Secret and every application agree, somebody changed the user on
        /// the server, and `UsersVerified` or `RedisAvailable` tells so.
        EveryLoginRefused: Outage,
        /// A command was refused.
        ///
        /// Package Microsoft.Extensions.Caching.StackExchangeRedis 8.0.x writes entries with Lua scripts (`eval`, `evalsha`,
        /// `script|load`), which only `acl: Compatible` allows: without it, that package writes nothing and says nothing. From
        /// 9.0 on it needs none. `acl: Strict` has what that package sends with the published connectionString, and nothing
        /// else; other options of a connection string need `Standard`.
        ///
        /// No client of the cache sends any other command, so another application or a person uses the login: `ACL LOG` on the
        /// server tells from which address.
        CommandRefused: Risk,
        /// A key outside of the prefix was refused.
        ///
        /// The application has another `InstanceName` than the cache: it has to read `Redis__InstanceName` from the
        /// `ConfigMap`, which `envFrom` does, and must not set `InstanceName` in its code. Another application that uses this
        /// login needs a `TokenCache` of its own.
        KeyRefused: Risk,
        /// A channel was refused.
        ///
        /// StackExchange.Redis subscribes to channels where its connection string does not say otherwise; the published
        /// connectionString does (`configChannel=`). Where applications use that, another application uses this login.
        ChannelRefused: Risk,

        /// What is written is brought to a volume.
        ///
        /// A restart loses the last second of writes at most. So does the loss of the node, unless the volume is a part of that
        /// node (a local volume). With `whenDeleted: Retain`, a `TokenCache` of the same name takes the claim up again with its
        /// entries.
        Persisted: Note,
        /// Entries are held in memory only, as the spec asks.
        ///
        /// This is what `spec: {}` means, and no warning. Applications whose entries are lost ask the identity provider again,
        /// and users who still have a session cookie may have to sign in again. A volume cannot be added to a `TokenCache`
        /// later: make a second one with `spec.redis.persistence`, and move applications to it.
        InMemory: Note,
        /// Redis could not append what was written to its file.
        ///
        /// Most often the volume is full, which the server's log says (`No space left on device`). Enlarge the claim, where its
        /// `StorageClass` has `allowVolumeExpansion: true`; Redis goes on by itself as soon as it can write. Otherwise the
        /// volume or its node is at fault.
        SaveFailed: Risk,
        /// Redis could not write its file anew.
        ///
        /// The append-only file is written anew from time to time, so that it holds each entry once. Most often the volume has
        /// no room for the new file beside the old one, or no memory was left for the fork. Until it succeeds, nothing is lost.
        /// Enlarge the claim, where its `StorageClass` has `allowVolumeExpansion: true`.
        RewriteFailed: Risk,
        /// The volume is smaller than three times `maxMemory`, and writes are refused once it is full.
        ///
        /// The append-only file may take three times what the entries take: it grows to twice their size before it is written
        /// anew, and the new file needs room beside it. A claim cannot get smaller, and can be enlarged where its
        /// `StorageClass` has `allowVolumeExpansion: true`. With a lower `spec.redis.maxMemory`, entries that find no room are
        /// evicted.
        VolumeTooSmall: Risk,
        /// A setting of how Redis saves what is written is not as wanted, and stays so.
        SaveSettingDiffers: Risk,

        /// The server's release has every security fix that is known.
        ///
        /// Only fixes count that concern this server: those for TLS where it has TLS, those for Lua where `spec.redis.acl` allows
        /// scripts. Where the tag of `spec.redis.image` moves from release to release, a node keeps the image that it once pulled
        /// under it, so that the next pod may run another release: name a patch level or a digest.
        Supported: Note,
        /// The server's release is older than a security fix of its line.
        ///
        /// The operator compares with a table of upstream releases: distributions put fixes into older versions, so an older
        /// version need not lack them. Where the image's maker has put the fixes in, `spec.redis.acceptedVersion` says so, for
        /// this version only. Otherwise set `spec.redis.image` to the release in `status.remedies` or a later one; see
        /// [docs/edits.md](edits.md) for what that restarts. A tag that moves, such as `redis:8.2`, may bring another release only
        /// on a node that has not pulled it yet.
        ///
        /// Where `spec.redis.image` is the default and the server reports something else, another image stands under that name:
        /// look into the registry or mirror that nodes pull from, and the node's image store.
        SecurityUpdate: Risk,
        /// The server's line of releases gets no security fixes any more.
        ///
        /// Upstream makes no more releases of this line, so the next fix will be missing too. The operator compares with a table
        /// of upstream releases: distributions put fixes into older versions, so an older version need not lack them. See
        /// [`SecurityUpdate`](#securityupdate) for the remedies.
        Unsupported: Risk,
        /// The spec accepts the server's release as it is.
        Accepted: Note,
        /// The server is no release yet.
        ///
        /// Fixes reach releases only. If you know that this version has them, `spec.redis.acceptedVersion` says so.
        PreRelease: Risk,
        /// The server is neither Redis nor Valkey.
        ///
        /// The operator was tried with Redis and Valkey only. If you know that this version has the security fixes that concern
        /// it, `spec.redis.acceptedVersion` says so.
        OtherProduct: Risk,
        /// The server's version cannot be compared.
        ///
        /// A server that was built from a branch, for example, has no version that can be compared with releases. If you know that
        /// it has upstream's security fixes, `spec.redis.acceptedVersion` says so.
        VersionUnknown: Risk,

        /// A `NetworkPolicy` says who reaches Redis.
        ///
        /// A network plugin that does not enforce a `NetworkPolicy` lets everybody through.
        Restricted: Note,
        /// There is no `NetworkPolicy`, and none is made while the cache is paused.
        ///
        /// A paused cache, and one whose spec is refused, gets no `NetworkPolicy`: until then whoever reaches the port may try
        /// passwords and use up connections.
        NetworkPolicyMissing: Risk,
        /// An application is connected from where a `NetworkPolicy` would cut it off.
        ///
        /// Applications connect from an address that no pod of the cache's namespace has: from another namespace, from a node, or
        /// from a pod with `hostNetwork`. Move them into the namespace, or let them through by a `NetworkPolicy` of your own: the
        /// one in `status.remedies` lets through the namespace, the operator, and one namespace more; for a node or a pod with
        /// `hostNetwork` put an `ipBlock` with its address in place of that namespace. While yours is there,
        /// `spec.redis.networkPolicy: Namespace` cuts nobody off.
        ConnectionFromOutside: Risk,
        /// The operator runs where no `NetworkPolicy` can let it through.
        ///
        /// A `NetworkPolicy` lets the operator through by its namespace. The chart tells it by the variable `POD_NAMESPACE`; an
        /// operator that runs outside of the cluster has none.
        OperatorOutside: Risk,

        /// It takes more looks to tell.
        Sampling: Note,
        /// Memory suffices.
        Sufficient: Note,
        /// Nearly all memory is used.
        ///
        /// At the limit Redis evicts entries, or refuses writes under `noeviction`. A `maxMemory` for which the container has
        /// room costs nothing; more replaces the pod. Earlier expirations in the application make room too: an entry need not
        /// outlive the session of its user.
        NearlyFull: Risk,
        /// Entries were evicted for want of memory.
        ///
        /// Users whose entries are evicted get new tokens from the identity provider, or sign in again. The proposed
        /// `maxMemory` counts what was evicted. Earlier expirations in the application make room too.
        EntriesEvicted: Risk,
        /// Writes are refused for want of memory.
        ///
        /// Tokens that cannot be written are not kept, and applications ask the identity provider again. Under a `volatile`
        /// policy Redis evicts only entries with an expiration: if there are none, see `EntriesExpire`. Under `noeviction` it
        /// evicts nothing; another policy makes it evict instead. Once writes are accepted again, this becomes
        /// `WritesRefusedEarlier`, which clears after ten looks.
        ///
        /// A `maxMemory` for which the container has room costs nothing, but may not suffice; more replaces the pod. With a
        /// volume, three times `maxMemory` should fit on it.
        WritesRefused: Outage,
        /// Writes were refused for want of memory, and are not any more.
        ///
        /// See `WritesRefused`: it will happen again unless there is more memory or less to keep.
        WritesRefusedEarlier: Risk,
        /// Redis answers fast.
        Acceptable: Note,
        /// Redis is slow because of a command.
        ///
        /// Redis runs one command after the other, so every other waits for a slow one. `SLOWLOG GET` tells the command, its
        /// arguments and the client that sent it. The user `app` may not run `KEYS` and the like.
        SlowCommand: Risk,
        /// Redis is slow because of big entries.
        ///
        /// Most often an application keeps the tokens of many users under one key. Each user should have an entry of their own.
        ///
        /// Where `EntriesReadable` has this reason, the entries are too big for the operator to read them, so it is unknown
        /// whether applications can.
        BigEntries: Risk,
        /// Redis is slow for want of CPU.
        ///
        /// The server's CPU is used up, or the limit in `spec.redis.pod.resources` throttles it. Another value replaces the
        /// pod.
        ProcessorBusy: Risk,
        /// Redis is slow to reach.
        ///
        /// `PING` is slow although the server is idle: the network between the operator and the pod is slow, the nodes are
        /// overloaded or far apart, or a CPU limit throttles the server. Another node or limit, in `spec.redis.pod`, replaces
        /// the pod.
        SlowNetwork: Risk,
        /// Every entry has an expiration.
        AllExpire: Note,
        /// The eviction policy can remove any entry.
        AnyCanBeEvicted: Note,
        /// Entries have no expiration.
        ///
        /// Entries of users who sign in, and of long-running on-behalf-of sessions, expire only where the application says so. Set
        /// `SlidingExpiration` or `AbsoluteExpirationRelativeToNow` of `MsalDistributedTokenCacheAdapterOptions`, and bind them,
        /// since nothing does so by itself:
        /// `services.Configure<MsalDistributedTokenCacheAdapterOptions>(configuration.GetSection("TokenCache"))`. An entry gets
        /// its expiration when it is written next. With `evictionPolicy: allkeys-lru`, Redis evicts entries without one too, once
        /// memory is full; users of evicted entries may have to sign in again.
        NeverExpire: Risk,
        /// Applications write entries.
        Used: Note,
        /// Nobody has written an entry.
        ///
        /// If nobody has signed in since Redis started, nothing is wrong. Otherwise tokens stay in the memory of each pod: other
        /// pods do not find them, and a restart loses them. Usual causes: `AddInMemoryTokenCaches` in place of
        /// `AddDistributedTokenCaches`; `AddDistributedMemoryCache` registered after `AddStackExchangeRedisCache`; another
        /// `InstanceName` than the prefix in the message (then there are keys without this prefix); a connection string with
        /// `defaultDatabase` (then another database has keys); a configuration section that nothing binds, such as
        /// `Redis__Configuration` without `Configuration.Bind("Redis", options)`.
        NeverWritten: Risk,

        /// Applications can read every entry.
        ///
        /// Some entries may not be those of Microsoft.Identity.Web; they are left alone. Of another kind are the sessions of an
        /// application that keeps them in the same `IDistributedCache`. Encrypted ones whose keys MSAL does not make are what an
        /// application protects itself, or tokens of long-running processes (under a session key of the application's own) that
        /// the published keys do not read.
        AllReadable: Note,
        /// No entry is stored.
        ///
        /// Of entries that are no tokens, see [`AllReadable`](#allreadable).
        NothingStored: Note,
        /// Entries are not looked into, as the spec asks.
        ///
        /// `spec.entries.inspect` is `Metadata` by default where `spec.dataProtection.mode` is `None`. With `Payloads`, the
        /// operator reads some of the entries at each look, and keeps nothing of them.
        NotInspected: Note,
        /// Entries are encrypted, and there is no key to try them with.
        ///
        /// `spec.dataProtection.mode` is `None`, so the applications' keys are elsewhere. Entries that are not encrypted are read
        /// all the same.
        NoKeyRing: Note,
        /// Entries are encrypted with a key that is not in the ring.
        ///
        /// An application that cannot read an entry fails with IDW10802 (`json_parse_failed`) whenever the entry's user needs a
        /// token, until the entry expires or is removed. Each pod also keeps what it has read in its own memory (L1): restart the
        /// applications after entries were removed. This clears once every entry, or of very many a thousand, was read again
        /// without such a one.
        ///
        /// The key was one of an earlier ring, or its Secret was deleted. If a backup has the Secret, apply it; if there is an
        /// earlier ring, name its Secret in `spec.dataProtection.import`: entries are then readable again. Otherwise remove the
        /// unreadable entries; readable ones stay.
        KeyMissing: Risk,
        /// A key is never to be used again, because somebody asked for that.
        ///
        /// Pods that read the ring before go on with the key for up to a day, or until they are restarted. Entries that it
        /// encrypted cannot be read any more, and applications fail on them (IDW10802) until they expire or are removed. The
        /// annotation `tokencache.dev/flush-requested` with `unreadable` removes those and no others; for that the operator has
        /// to look into entries (`spec.entries.inspect: Payloads`).
        KeyRevoked: Note,
        /// Entries are encrypted with a key that is revoked.
        ///
        /// Applications refuse a revoked key, whoever revoked it: nothing makes these entries readable again. Removing the
        /// unreadable entries leaves all others. What applications do with such entries, and when this clears: see
        /// [`KeyMissing`](#keymissing).
        RevokedKeyInUse: Risk,
        /// Entries are encrypted with a key that the operator cannot open.
        ///
        /// The key is encrypted to a certificate that the operator does not have; `KeyRingReady` says which. Applications that
        /// have the certificate read these entries, those that have not fail. Name a Secret with it in
        /// `spec.dataProtection.previous`: it is published too, so that every application gets it. What applications do with such
        /// entries, and when this clears: see [`KeyMissing`](#keymissing).
        KeyClosed: Risk,
        /// Entries are encrypted under another application name than they should, or under several.
        ///
        /// Data Protection separates applications by name: the one given to `SetApplicationName`, or else the folder that the
        /// application runs in (such as /app). Applications of different names cannot read each other's entries. If the name that
        /// was found is right, the spec is to say it too, which changes nothing in applications. Otherwise decide for one name,
        /// and call `services.AddDataProtection().SetApplicationName` with it in every application that uses the cache. Entries of
        /// another name stay unreadable to those; they can be removed only together with all others. What applications do with
        /// such entries, and when this clears: see [`KeyMissing`](#keymissing).
        ApplicationNameMismatch: Risk,
        /// Entries are encrypted under an application name that is not known.
        ///
        /// The key is in the ring, and yet no known name decrypts: applications use another name; or something else than
        /// Microsoft.Identity.Web encrypted the entries; or they were changed since. Set `spec.dataProtection.applicationName` to
        /// what applications give to `SetApplicationName`, or to the folder that they run in. Until a name is known that reads
        /// them, these entries are not removed as unreadable. What applications do with such entries, and when this clears: see
        /// [`KeyMissing`](#keymissing).
        OtherApplication: Risk,
        /// Entries are no token cache.
        ///
        /// These entries have keys as MSAL makes them, or can be decrypted, but hold no token cache as MSAL writes it. Usual
        /// causes: another version of an application wrote them, before an upgrade or after it; or something else uses the same
        /// prefix and such keys. What applications do with such entries, and when this clears: see [`KeyMissing`](#keymissing).
        Undeserializable: Risk,
        /// Entries are encrypted and should not be.
        ///
        /// Either the spec is wrong (set `spec.entries.encrypt: true`), or these entries are left from when applications
        /// encrypted: those with `Encrypt` off cannot read them, and the request to remove `encrypted` entries leaves all others.
        /// What applications do with such entries, and when this clears: see [`KeyMissing`](#keymissing).
        EncryptedEntries: Risk,
        /// Entries are not encrypted and should be.
        ///
        /// Whoever can read Redis, its volume or a copy of it has the tokens. To encrypt, an application needs
        /// `services.Configure<MsalDistributedTokenCacheAdapterOptions>(configuration.GetSection("TokenCache"))`, and
        /// `TokenCache__Encrypt=true` in its environment. A worker also needs `services.AddDataProtection()`: without it, it goes
        /// on storing plain text and says nothing. Entries are encrypted when they are written next. This clears once every entry,
        /// or of very many a thousand, was read again without such a one.
        PlainEntries: Risk,

        /// No pod has the applications' earlier password.
        ///
        /// No pod that was seen to use the Secret started before the new password had reached its node. What is outside of the
        /// cluster, or reads a copy, cannot be seen.
        RolledOut: Note,
        /// Pods have the applications' earlier password, which ends within a day.
        ///
        /// A pod that started before the new password was published, or within two minutes after that, may have read the
        /// earlier one, however it uses the Secret. Restart each workload that is named. With `passwordRotation.wait:
        /// Consumers`, the default, the end waits for these pods, for a further overlap at most; with `Clock` it does not, and
        /// they are refused (WRONGPASS) when they connect next. Open connections stay.
        EarlierPasswordInUse: Risk,
        /// The applications' earlier password is valid for longer, since pods have it.
        ///
        /// The overlap is over, and pods that may have the earlier password still run. It ends about a minute after the last
        /// of them, and at the latest after a further overlap; whoever has it then is refused (WRONGPASS) when connecting
        /// next.
        PasswordOverlapExtended: Risk,
        /// It cannot be found out which pods use what is published.
        ///
        /// The operator's log says why it cannot list pods: most often its Role lacks that right, or the API server does not
        /// answer. With `passwordRotation.wait: Consumers` the earlier password then stays valid for the further overlap, in
        /// case somebody uses it.
        ConsumersUnknown: Note,

        /// A request of an annotation is not followed.
        ///
        /// A request counts only while it is new, since a manifest or a backup that is applied again brings its annotations with
        /// it. Nothing is done for one that is older than the `TokenCache`, that was more than an hour old when the operator
        /// first saw it, or that is more than 5 minutes in the future. The annotation begins with a time, as `date -u +%FT%TZ`
        /// writes it. The message tells why it was ignored, and the status has a command for one that would be followed, with
        /// what that costs.
        RequestIgnored: Risk,
        /// Another password of the applications is being made valid beside the earlier one.
        ///
        /// Nothing is published for two minutes: so long kubelet may take to bring the users' file to the pod, and a server
        /// that restarted before would not know the new password. Then each server is looked at, and has to take both.
        PasswordRotationStarted: Note,
        /// The applications' new password is published, and the earlier one is valid still.
        ///
        /// Restart what reads the Secret within the overlap. Where the annotation `tokencache.dev/password-published` on the
        /// Secret lies in the future, a clock was wrong when it was written; without the annotation, the overlap counts from
        /// now. A password that somebody else put into the Secret during the rotation is valid too, and stays.
        PasswordPublished: Note,
        /// The applications' earlier password is being removed.
        PasswordOverlapOver: Note,
        /// The applications' earlier password is removed.
        ///
        /// Open connections stay. An application that has not read the Secret since is refused (WRONGPASS) when it connects
        /// next, which `AccessAllowed` tells: restart it.
        PasswordRotated: Note,
        /// The applications' password cannot be changed before somebody helps.
        ///
        /// Somebody changed the Secret that holds the next password and the hashes of the earlier ones. Deleting it loses
        /// nothing: a password that is published stays so, and the earlier one is valid until the overlap is over; one that is
        /// not published is made anew.
        PasswordRotationBlocked: Risk,
        /// Another key encrypts, because somebody asked for it.
        ///
        /// Applications read the ring when they start, and once a day. A pod that read it before the new key was published cannot
        /// read what other pods encrypt with that key until it reads it again: what applications do with such entries, see
        /// [`KeyMissing`](#keymissing). A pod that starts two minutes after the key was published has it, since kubelet takes up
        /// to two minutes to bring a Secret to a pod. The message tells by when each pod has read the ring by itself.
        KeyRotated: Note,
        /// Stored entries are being removed, because somebody asked for it.
        RemovingEntries: Note,
        /// Processes go on with a key that is revoked until they are restarted, and what they store is removed then.
        ///
        /// Pods that read the ring before may go on with the key, and store what was removed once more. They are waited for as
        /// long as they run; then the entries are removed for the last time. Where the operator cannot list pods, it waits for a
        /// day and two minutes, after which each pod has read the ring by itself; its log says why it cannot list them.
        AwaitingRestart: Risk,
        /// Stored entries were removed, because somebody asked for it.
        ///
        /// Applications keep what they read in their own memory (L1): users go on failing there until those copies expire or the
        /// application is restarted. Left alone are: entries under an unknown application name, which applications of that name
        /// can read (see [`OtherApplication`](#otherapplication)); encrypted ones where `spec.entries.encrypt` is false, which
        /// applications with `Encrypt` on can read (if none has, ask for `encrypted`); encrypted ones under keys that MSAL does
        /// not make, of which nothing shows whether they are tokens; and those that are too big to be read.
        EntriesRemoved: Note,

        /// Objects that nobody owned, and that have all labels of the cache's own, are its own again.
        ///
        /// After a restore from a backup, objects have all labels of the `TokenCache` and no owner. Passwords and keys in them are
        /// kept.
        ObjectsAdopted: Note,
        /// An object that the operator had made, and that nothing needs any more, was deleted.
        ObjectDeleted: Note,
        /// An object has labels and owner of those that the operator makes, was made by somebody else, and is left alone.
        ///
        /// Most likely somebody copied an object with its labels and owner, for example by `kubectl get -o yaml` and `kubectl
        /// create`. Nothing uses it, and the garbage collector deletes it together with the `TokenCache`. To keep it, take the
        /// owner from it: `kubectl -n NAMESPACE patch KIND NAME --type=json -p
        /// '[{"op":"remove","path":"/metadata/ownerReferences"}]'`. Otherwise delete it.
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

"""The cluster commands as typed methods, their results as frozen records.

Generated from the list of commands (core/src/api); do not edit. After a change there:
``HAMQ_WRITE=1 cargo test -p hamq-tests --test python_package``.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from ._convert import Duration, content, milliseconds, texts


@dataclass(frozen=True, slots=True)
class ClusterInfo:
    """A failover cluster."""

    name: str
    """The cluster's name."""
    state: str
    """`Up`, or `Down` when no node answers."""
    nodes: list[str]
    """Its nodes."""
    groups: list[str]
    """Its groups."""
    path: str
    """Its folder on this machine, with `disks` in it for virtual servers; empty for a cluster
    elsewhere.
    """
    subnet: str
    """The first three numbers of its loopback addresses; .101 and up are free for virtual servers.
    """
    quorum: str
    """Where the cluster database lies."""
    same_subnet_delay: int
    """How often a node sends a heartbeat to each other node, in milliseconds."""
    same_subnet_threshold: int
    """How many heartbeats may be missed before a node counts as down."""
    lease_ttl: int
    """How long a node may go without renewing its lease before others may claim its groups, in
    milliseconds.
    """
    fencing: str
    """`Kill`: a node that hangs on the same machine is ended before its groups are taken, as a
    power switch would; `Storage`: only the epoch in the message store keeps it out.
    """
    cluster_functional_level: int
    """What its nodes can do together (Update-ClusterFunctionalLevel); 0 when no node answers."""
    create_time: str
    """The wall-clock time of its creation."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            name=record["Name"],
            state=record["State"],
            nodes=record["Nodes"],
            groups=record["Groups"],
            path=record["Path"],
            subnet=record["Subnet"],
            quorum=record["Quorum"],
            same_subnet_delay=record["SameSubnetDelay"],
            same_subnet_threshold=record["SameSubnetThreshold"],
            lease_ttl=record["LeaseTtl"],
            fencing=record["Fencing"],
            cluster_functional_level=record["ClusterFunctionalLevel"],
            create_time=record["CreateTime"],
        )


@dataclass(frozen=True, slots=True)
class ClusterQuorumInfo:
    """The cluster database of a cluster."""

    cluster: str
    """The cluster's name."""
    quorum: str
    """Where its database lies."""
    state: str
    """`Online`, or `Failed` when it does not answer."""
    notices: list[str]
    """What an operator should know: members that do not answer, versions with known faults."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            cluster=record["Cluster"],
            quorum=record["Quorum"],
            state=record["State"],
            notices=record["Notices"],
        )


@dataclass(frozen=True, slots=True)
class ClusterBackupInfo:
    """A backup of a cluster database."""

    cluster: str
    """The cluster's name."""
    path: str
    """The file."""
    backup_time: str
    """When it was taken."""
    revision: int
    """The database's revision at that time."""
    quorum: str
    """Where the database lay."""
    rows: int
    """Rows in it."""
    groups: int
    """Groups in it."""
    resources: int
    """Resources in it."""
    bytes: int
    """The file's size."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            cluster=record["Cluster"],
            path=record["Path"],
            backup_time=record["BackupTime"],
            revision=record["Revision"],
            quorum=record["Quorum"],
            rows=record["Rows"],
            groups=record["Groups"],
            resources=record["Resources"],
            bytes=record["Bytes"],
        )


@dataclass(frozen=True, slots=True)
class ClusterPolicyInfo:
    """What the cluster does with nodes and groups."""

    enforced_anti_affinity: int
    """1: groups that share an anti-affinity class never share a node; 0: they avoid it."""
    quarantine_threshold: int
    """Unexpected departures within an hour that quarantine a node; 0 never does."""
    quarantine_duration: int
    """Seconds that a quarantine lasts."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            enforced_anti_affinity=record["EnforcedAntiAffinity"],
            quarantine_threshold=record["QuarantineThreshold"],
            quarantine_duration=record["QuarantineDuration"],
        )


@dataclass(frozen=True, slots=True)
class ClusterNodeInfo:
    """A node of the cluster."""

    name: str
    """The node's name."""
    id: int
    """Its number, given when it joined."""
    state: str
    """`Up`, `Down`, `Paused` or `Joining` (MS-CMRP 3.1.4.2.69), or `Quarantined`."""
    address: str
    """Where its agent listens."""
    process_id: int | None
    """The process number of its agent, where it runs."""
    features: list[str]
    """Installed subcomponents of Message Queuing."""
    build_number: str
    """The version of its program; empty for one of before version 0.1.0."""
    node_lowest_version: int
    """The lowest functional level its program knows."""
    node_highest_version: int
    """The highest."""
    status_information: str | None
    """Whether it is paused, drained or quarantined, and why."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            name=record["Name"],
            id=record["ID"],
            state=record["State"],
            address=record["Address"],
            process_id=record["ProcessId"],
            features=record["Features"],
            build_number=record["BuildNumber"],
            node_lowest_version=record["NodeLowestVersion"],
            node_highest_version=record["NodeHighestVersion"],
            status_information=record["StatusInformation"],
        )


@dataclass(frozen=True, slots=True)
class ClearedClusterNodeInfo:
    """A node that was cleared."""

    name: str
    """Its name."""
    path: str
    """The folder that was removed."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            name=record["Name"],
            path=record["Path"],
        )


@dataclass(frozen=True, slots=True)
class ClusterGroupInfo:
    """A group: resources that are always on one node together; with a Network Name, a virtual
    server.
    """

    name: str
    """The group's name."""
    owner_node: str | None
    """The node that owns it."""
    state: str
    """`Online`, `Offline`, `Failed`, `PartialOnline` or `Pending` (MS-CMRP 3.1.4.2.46)."""
    epoch: int
    """Raised by each change of owner; the storage refuses anyone with a lower one."""
    persistent_state: int
    """Whether it is meant to be online: 1 or 0."""
    preferred_owners: list[str]
    """In order of preference."""
    auto_failback_type: int
    """1: goes back to a preferred owner when that returns."""
    failover_threshold: int
    """Failovers allowed within FailoverPeriod; 4294967295 is one less than the number of nodes."""
    failover_period: int
    """Hours."""
    failback_window: str
    """Hours of the local day between which it may fail back: `22-6`; empty is any time."""
    priority: int
    """0 (not started by itself after its node was lost), 1000, 2000 or 3000: the order of claims
    and starts.
    """
    anti_affinity_class_names: list[str]
    """Groups that share one of these keep apart."""
    default_owner: str | None
    """The node it was last moved to on purpose; it comes after the preferred owners."""
    status_information: str | None
    """What is in the way, if anything is."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            name=record["Name"],
            owner_node=record["OwnerNode"],
            state=record["State"],
            epoch=record["Epoch"],
            persistent_state=record["PersistentState"],
            preferred_owners=record["PreferredOwners"],
            auto_failback_type=record["AutoFailbackType"],
            failover_threshold=record["FailoverThreshold"],
            failover_period=record["FailoverPeriod"],
            failback_window=record["FailbackWindow"],
            priority=record["Priority"],
            anti_affinity_class_names=record["AntiAffinityClassNames"],
            default_owner=record["DefaultOwner"],
            status_information=record["StatusInformation"],
        )


@dataclass(frozen=True, slots=True)
class ClusterResourceInfo:
    """A resource: one thing that is brought online and taken offline."""

    name: str
    """The resource's name."""
    state: str
    """`Online`, `Offline`, `Failed`, `OnlinePending`, `OfflinePending` … (MS-CMRP 3.1.4.2.13)."""
    group: str
    """The group it is in."""
    resource_type: str
    """Its type."""
    owner_node: str | None
    """The node that owns its group."""
    persistent_state: int
    """Whether it is meant to be online: 1 or 0."""
    possible_owners: list[str]
    """The nodes that may own it; empty means all."""
    restart_threshold: int
    """Restarts allowed within RestartPeriod before the group fails over."""
    restart_period: int
    """Milliseconds."""
    restart_count: int
    """Restarts counted within the running period."""
    restart_action: int
    """0: stays failed; 1: is restarted, and never fails over; 2: is restarted, then fails over."""
    restart_delay: int
    """Milliseconds before a restart."""
    retry_period_on_failure: int
    """Milliseconds until a resource that rests is tried again; 4294967295 is never."""
    pending_timeout: int
    """Milliseconds between two signs of progress of an online or offline."""
    deadlock_timeout: int
    """Milliseconds an entry point may take without an answer."""
    looks_alive_poll_interval: int
    """Milliseconds between two cheap checks; 4294967295 is that of the type."""
    is_alive_poll_interval: int
    """Milliseconds between two thorough checks; 4294967295 is that of the type."""
    status_information: str | None
    """Why it is in this state."""
    maintenance_mode: int
    """Whether it is in maintenance: 1 or 0."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            name=record["Name"],
            state=record["State"],
            group=record["Group"],
            resource_type=record["ResourceType"],
            owner_node=record["OwnerNode"],
            persistent_state=record["PersistentState"],
            possible_owners=record["PossibleOwners"],
            restart_threshold=record["RestartThreshold"],
            restart_period=record["RestartPeriod"],
            restart_count=record["RestartCount"],
            restart_action=record["RestartAction"],
            restart_delay=record["RestartDelay"],
            retry_period_on_failure=record["RetryPeriodOnFailure"],
            pending_timeout=record["PendingTimeout"],
            deadlock_timeout=record["DeadlockTimeout"],
            looks_alive_poll_interval=record["LooksAlivePollInterval"],
            is_alive_poll_interval=record["IsAlivePollInterval"],
            status_information=record["StatusInformation"],
            maintenance_mode=record["MaintenanceMode"],
        )


@dataclass(frozen=True, slots=True)
class ClusterResourceTypeInfo:
    """A type of resources."""

    name: str
    """Its name."""
    display_name: str
    """What it is."""
    class_: str
    """`Storage`, `Network` or `Other`."""
    required_dependencies: list[str]
    """What its resources must depend on."""
    feature: str | None
    """What must be installed on the node."""
    properties: list[str]
    """Its private properties, each as `Name (Type): what it is`."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            name=record["Name"],
            display_name=record["DisplayName"],
            class_=record["Class"],
            required_dependencies=record["RequiredDependencies"],
            feature=record["Feature"],
            properties=record["Properties"],
        )


@dataclass(frozen=True, slots=True)
class ClusterResourceDependencyInfo:
    """What a resource depends on."""

    resource: str
    """The resource."""
    dependency_expression: str
    """`([Disk]) and ([Name])`; empty when it depends on nothing."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            resource=record["Resource"],
            dependency_expression=record["DependencyExpression"],
        )


@dataclass(frozen=True, slots=True)
class ClusterResourceDependencyReportInfo:
    """The page that was written."""

    path: str
    """Where it is."""
    groups: int
    """Groups in it."""
    resources: int
    """Resources in it."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            path=record["Path"],
            groups=record["Groups"],
            resources=record["Resources"],
        )


@dataclass(frozen=True, slots=True)
class ClusterCheckpointInfo:
    """Files or settings of a node that follow a resource."""

    resource: str
    """The resource."""
    type: str
    """`Settings` or `File`."""
    key: str
    """The settings key, or the path of the file or folder."""
    version: int
    """Of the newest capture; 0 before the first."""
    bytes: int
    """Its size in bytes."""
    owner_node: str | None
    """The node that has it in use, or had it last."""
    captured_by: str | None
    """Where the newest version was captured."""
    capture_time: str | None
    """When."""
    kept: list[str]
    """Copies that were edited where the resource was not, each with its node:
    `n2:/etc/app.conf.kept-…`.
    """
    status: str
    """Why there is no newer version, if one could not be captured; otherwise `Captured` or
    `Waiting`.
    """

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            resource=record["Resource"],
            type=record["Type"],
            key=record["Key"],
            version=record["Version"],
            bytes=record["Bytes"],
            owner_node=record["OwnerNode"],
            captured_by=record["CapturedBy"],
            capture_time=record["CaptureTime"],
            kept=record["Kept"],
            status=record["Status"],
        )


@dataclass(frozen=True, slots=True)
class ClusterNodeSettingInfo:
    """A setting of a node."""

    node: str
    """The node."""
    key: str
    """The key: a folder in `settings` of the node's data folder."""
    name: str
    """The value's name: a file in that folder."""
    value: str
    """The value."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            node=record["Node"],
            key=record["Key"],
            name=record["Name"],
            value=record["Value"],
        )


@dataclass(frozen=True, slots=True)
class ClusterParameterInfo:
    """A private property of a resource."""

    object: str
    """The resource."""
    name: str
    """The property."""
    value: str
    """Its value as text."""
    type: str
    """`String` or `UInt32`."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            object=record["Object"],
            name=record["Name"],
            value=record["Value"],
            type=record["Type"],
        )


@dataclass(frozen=True, slots=True)
class ClusterOwnerNodeInfo:
    """The nodes of a group (preferred, in order) or of a resource (possible)."""

    cluster_object: str
    """The group or resource."""
    owner_nodes: list[str]
    """The nodes."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            cluster_object=record["ClusterObject"],
            owner_nodes=record["OwnerNodes"],
        )


@dataclass(frozen=True, slots=True)
class MsmqFeatureInfo:
    """A subcomponent of Message Queuing on a node."""

    node: str
    """The node."""
    feature: str
    """`MSMQ-Server`, `MSMQ-Triggers`, `MSMQ-HTTP-Support`, `MSMQ-Routing`, `MSMQ-ADIntegration`."""
    install_state: str
    """`Installed` or `Available`."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            node=record["Node"],
            feature=record["Feature"],
            install_state=record["InstallState"],
        )


@dataclass(frozen=True, slots=True)
class MsmqServiceInfo:
    """A node's own queue manager."""

    node: str
    """The node; it is also the computer name of its queues."""
    status: str
    """`Running`, `Stopped`, or `NotInstalled`."""
    start_type: str
    """`Manual`: it is not started by itself."""
    address: str | None
    """Where it accepts clients."""
    rule: str | None
    """Which rule chose the address: `OnlyAddress`, `BindInterfaceIP`, `NotPrivate` or `Private`."""
    multicast_address: str | None
    """The address that multicast messages are sent from: MulticastBindIP, or that for messaging."""
    since: str | None
    """Since when it runs."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            node=record["Node"],
            status=record["Status"],
            start_type=record["StartType"],
            address=record["Address"],
            rule=record["Rule"],
            multicast_address=record["MulticastAddress"],
            since=record["Since"],
        )


@dataclass(frozen=True, slots=True)
class MsmqMemoryPoolInfo:
    """A node's pool of message memory."""

    node: str
    """The node."""
    megabytes: int
    """Its size."""
    instances: int
    """Queue managers that fit in at once; each takes 4 MB."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            node=record["Node"],
            megabytes=record["Megabytes"],
            instances=record["Instances"],
        )


@dataclass(frozen=True, slots=True)
class ClusterNetworkInfo:
    """A network of the cluster."""

    name: str
    """Its name."""
    state: str
    """`Up`, `Partitioned`, `Down` or `Unavailable` (MS-CMRP 3.1.4.2.83)."""
    subnet: str
    """Its addresses: `10.0.0.0/24`."""
    role: int
    """0: not used by the cluster; 1: heartbeats; 3: heartbeats and clients."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            name=record["Name"],
            state=record["State"],
            subnet=record["Subnet"],
            role=record["Role"],
        )


@dataclass(frozen=True, slots=True)
class ClusterNetworkInterfaceInfo:
    """The interface of a node in a network."""

    name: str
    """The interface's name on its node."""
    node: str
    """The node."""
    network: str
    """The network."""
    state: str
    """`Up`, `Unreachable`, `Failed` or `Unavailable` (MS-CMRP 3.1.4.2.94)."""
    address: str
    """Its address."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            name=record["Name"],
            node=record["Node"],
            network=record["Network"],
            state=record["State"],
            address=record["Address"],
        )


@dataclass(frozen=True, slots=True)
class ClusterJoinTokenInfo:
    """A permission for one host to join the cluster."""

    token: str
    """What `hamq node join` is given. It is shown once, here."""
    expires: str
    """Until when it can be used."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            token=record["Token"],
            expires=record["Expires"],
        )


@dataclass(frozen=True, slots=True)
class ClusterClientCertificateInfo:
    """A certificate by which a client on another machine proves itself."""

    name: str
    """Whose it is."""
    cluster: str
    """The cluster that believes it."""
    text: str
    """The file: certificate, private key and the cluster's authority."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            name=record["Name"],
            cluster=record["Cluster"],
            text=record["Text"],
        )


@dataclass(frozen=True, slots=True)
class ClusterAccessInfo:
    """What a client may do at the cluster."""

    user: str
    """The client: the name that its certificate was made for."""
    access: str
    """`Full`; `ReadOnly`: what changes nothing; `Blocked`: nothing."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            user=record["User"],
            access=record["Access"],
        )


@dataclass(frozen=True, slots=True)
class ClusterLogInfo:
    """A line of the cluster log."""

    time: str
    """When, in UTC."""
    process_id: int | None
    """The process that wrote it."""
    node: str
    """On which node."""
    level: str
    """`ERR`, `WARN`, `INFO` or `DBG`."""
    component: str
    """`[NM]`, `[FM]`, `[RCM]`, `[DB]` …, the part that speaks."""
    group: str | None
    """The group it is about."""
    text: str
    """What happened."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            time=record["Time"],
            process_id=record["ProcessId"],
            node=record["Node"],
            level=record["Level"],
            component=record["Component"],
            group=record["Group"],
            text=record["Text"],
        )


@dataclass(frozen=True, slots=True)
class ClusterLogSettingInfo:
    """What each node keeps of its cluster log."""

    size: int
    """Megabytes."""
    level: int
    """0: nothing; 1: errors; 2: and warnings; 3: and what happens; 4 and 5: everything."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            size=record["Size"],
            level=record["Level"],
        )


@dataclass(frozen=True, slots=True)
class ClusterWhyInfo:
    """A decision of the cluster and its cause."""

    time: str
    """When, in UTC."""
    node: str
    """The node that decided."""
    group: str | None
    """The group it is about."""
    resource: str | None
    """The resource it is about."""
    event: str
    """What was done."""
    cause: str
    """Why."""
    epoch: int | None
    """The group's epoch after it."""
    elapsed_ms: float | None
    """Milliseconds since the first event of the same failover."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            time=record["Time"],
            node=record["Node"],
            group=record["Group"],
            resource=record["Resource"],
            event=record["Event"],
            cause=record["Cause"],
            epoch=record["Epoch"],
            elapsed_ms=record["ElapsedMs"],
        )


@dataclass(frozen=True, slots=True)
class ClusterDiagnosticInfo:
    """A file of a diagnosis."""

    file: str
    """Where it is."""
    command: str
    """What was asked."""
    records: int
    """How much was answered."""
    error: str | None
    """What could not be asked, and why."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            file=record["File"],
            command=record["Command"],
            records=record["Records"],
            error=record["Error"],
        )


@dataclass(frozen=True, slots=True)
class ClusterValidationInfo:
    """What a check found about one object."""

    category: str
    """`Cluster Configuration`, `Inventory`, `Network`, `Storage` or `System Configuration`;
    `Summary` in the last record.
    """
    name: str
    """The check."""
    object: str
    """The node, group, resource or folder."""
    result: str
    """`Passed`, `Warning`, `Failed`, `NotApplicable` or `Cancelled`."""
    detail: str
    """What is so."""
    advice: str
    """What to do about it."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            category=record["Category"],
            name=record["Name"],
            object=record["Object"],
            result=record["Result"],
            detail=record["Detail"],
            advice=record["Advice"],
        )


@dataclass(frozen=True, slots=True)
class MsmqQueueInfo:
    """A queue."""

    name: str
    """Its path name: `VS1\\private$\\orders`."""
    queue_type: str
    """Private, Journal, Subqueue, SystemJournal, SystemDeadLetter, SystemTransactionalDeadLetter,
    Internal or Outgoing.
    """
    transactional: bool
    """Whether it takes only messages that are sent in a transaction."""
    label: str
    """A free text, up to 124 characters."""
    message_count: int
    """Messages in it: available, held by transactions and leases, and delayed ones."""
    bytes_in_queue: int
    """Their bodies together."""
    locked_count: int
    """Messages held by transactions and leases that are not finished."""
    delayed_count: int
    """Messages that are not due yet."""
    journal_message_count: int
    """Messages in its journal."""
    bytes_in_journal: int
    """Their bodies together."""
    journaling: bool
    """Whether copies of received messages are kept in its journal."""
    queue_quota: int | None
    """Bytes of messages at most; nothing: no limit."""
    journal_quota: int | None
    """Bytes of its journal at most; nothing: no limit."""
    authenticate: bool
    """Whether it takes only signed messages."""
    privacy_level: str
    """None, Optional or Body: whether its messages must be encrypted."""
    multicast_address: str
    """Where it listens for multicast messages; empty: nowhere."""
    service_type: str
    """What the application takes it for: a GUID."""
    base_priority: int
    """Which queues go first between queue managers."""
    receive_retry_count: int
    """Aborted receives in a row before a message is sent round; 0: no poison policy."""
    max_retry_cycles: int
    """How often it goes to the subqueue retry and back."""
    retry_cycle_delay: float
    """How long it stays there."""
    receive_error_handling: str
    """What becomes of it then."""
    duplicate_window: float
    """How long an idempotency key is remembered."""
    faulted_lookup_id: int | None
    """The place of a poisonous message that stops all receivers; nothing: there is none."""
    number: int
    """Its number on its queue manager."""
    create_time: str
    """When it was created."""
    last_modify_time: str
    """When its properties were set last."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            name=record["Name"],
            queue_type=record["QueueType"],
            transactional=record["Transactional"],
            label=record["Label"],
            message_count=record["MessageCount"],
            bytes_in_queue=record["BytesInQueue"],
            locked_count=record["LockedCount"],
            delayed_count=record["DelayedCount"],
            journal_message_count=record["JournalMessageCount"],
            bytes_in_journal=record["BytesInJournal"],
            journaling=record["Journaling"],
            queue_quota=record["QueueQuota"],
            journal_quota=record["JournalQuota"],
            authenticate=record["Authenticate"],
            privacy_level=record["PrivacyLevel"],
            multicast_address=record["MulticastAddress"],
            service_type=record["ServiceType"],
            base_priority=record["BasePriority"],
            receive_retry_count=record["ReceiveRetryCount"],
            max_retry_cycles=record["MaxRetryCycles"],
            retry_cycle_delay=record["RetryCycleDelay"] / 1000,
            receive_error_handling=record["ReceiveErrorHandling"],
            duplicate_window=record["DuplicateWindow"] / 1000,
            faulted_lookup_id=record["FaultedLookupId"],
            number=record["Number"],
            create_time=record["CreateTime"],
            last_modify_time=record["LastModifyTime"],
        )


@dataclass(frozen=True, slots=True)
class MsmqAccessInfo:
    """What one user or group may, or may not, do."""

    name: str
    """The queue's path name, or the computer."""
    user_name: str
    """A user, a group, Everyone, ANONYMOUS LOGON or Administrators."""
    access_type: str
    """Owner, Allow or Deny. A denial counts more than any permission."""
    rights: list[str]
    """Which rights; the owner's are to see and to change the list."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            name=record["Name"],
            user_name=record["UserName"],
            access_type=record["AccessType"],
            rights=record["Rights"],
        )


@dataclass(frozen=True, slots=True)
class MsmqQueueManagerInfo:
    """A queue manager."""

    name: str
    """The virtual server or node."""
    id: str
    """Its GUID, with which its message ids begin."""
    message_count: int
    """Messages in all of its queues."""
    bytes_in_queues: int
    """Their bodies together."""
    bytes_in_journals: int
    """Bytes in journals and dead-letter queues."""
    message_quota: int | None
    """Bytes of all messages at most; nothing: no limit."""
    journal_quota: int | None
    """Bytes of all journals and dead-letter queues at most; nothing: no limit."""
    long_live_time: float
    """The longest time to reach a queue."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            name=record["Name"],
            id=record["Id"],
            message_count=record["MessageCount"],
            bytes_in_queues=record["BytesInQueues"],
            bytes_in_journals=record["BytesInJournals"],
            message_quota=record["MessageQuota"],
            journal_quota=record["JournalQuota"],
            long_live_time=record["LongLiveTime"] / 1000,
        )


@dataclass(frozen=True, slots=True)
class MsmqCounterInfo:
    """A performance counter."""

    object: str
    """`MSMQ Queue`, `MSMQ Service` or `HAMQ Store`."""
    instance: str
    """The queue, or `Computer Queues`; empty for the service."""
    counter: str
    """`Messages in Queue` and its like."""
    value: int
    """The value."""
    total: bool
    """Whether it only rises, from 0 at the start of the queue manager."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            object=record["Object"],
            instance=record["Instance"],
            counter=record["Counter"],
            value=record["Value"],
            total=record["Total"],
        )


@dataclass(frozen=True, slots=True)
class MsmqPreparedTransactionInfo:
    """A transaction that is prepared and waits for its coordinator."""

    computer_name: str
    """The virtual server or node."""
    id: str
    """The coordinator's name for it, in hexadecimal digits."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            computer_name=record["ComputerName"],
            id=record["Id"],
        )


@dataclass(frozen=True, slots=True)
class MsmqMessageObjectInfo:
    """A message that is not sent yet; what it does not say is as usual."""

    body: bytes | None
    """The content."""
    label: str | None
    """A free text."""
    priority: int | None
    """0 to 7."""
    express: bool
    """Kept in memory only."""
    recoverable: bool
    """Kept on disk."""
    journaling: bool
    """A copy is kept in the journal of the sender's computer."""
    authenticated: bool
    """To be signed."""
    correlation_id: str | None
    """The id of the message it answers."""
    app_specific: int | None
    """A number for the application."""
    body_type: int | None
    """The VARTYPE of the content."""
    acknowledge_type: str | None
    """Which acknowledgements are wanted."""
    admin_queue_path: str | None
    """The queue for acknowledgements."""
    response_queue_path: str | None
    """The queue for answers."""
    time_to_reach_queue: float | None
    """Milliseconds it may take to reach its queue."""
    time_to_be_received: float | None
    """Milliseconds it may be received within."""
    extension: bytes | None
    """More bytes of the application."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            body=None if record["Body"] is None else content(record["Body"]),
            label=record["Label"],
            priority=record["Priority"],
            express=record["Express"],
            recoverable=record["Recoverable"],
            journaling=record["Journaling"],
            authenticated=record["Authenticated"],
            correlation_id=record["CorrelationId"],
            app_specific=record["AppSpecific"],
            body_type=record["BodyType"],
            acknowledge_type=record["AcknowledgeType"],
            admin_queue_path=record["AdminQueuePath"],
            response_queue_path=record["ResponseQueuePath"],
            time_to_reach_queue=None
            if record["TimeToReachQueue"] is None
            else record["TimeToReachQueue"] / 1000,
            time_to_be_received=None
            if record["TimeToBeReceived"] is None
            else record["TimeToBeReceived"] / 1000,
            extension=None if record["Extension"] is None else content(record["Extension"]),
        )


@dataclass(frozen=True, slots=True)
class MsmqSentMessageInfo:
    """What became of a sent message."""

    queue: str
    """The queue."""
    id: str
    """The id it was given."""
    lookup_id: int
    """Its place in the queue."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            queue=record["Queue"],
            id=record["Id"],
            lookup_id=record["LookupId"],
        )


@dataclass(frozen=True, slots=True)
class MsmqMessageInfo:
    """A message as it was received or peeked."""

    queue: str
    """The queue it is or was in."""
    label: str
    """A free text, up to 249 characters."""
    body: bytes
    """The content: text where it is text, bytes otherwise. Above 4 MiB a -Peek needs -RetrieveBody
    for it.
    """
    body_size: int
    """How many bytes the content has."""
    body_type: int
    """The VARTYPE of the content, as the sender set it; 0 for none."""
    priority: int
    """0 to 7; always 0 in a transactional queue."""
    recoverable: bool
    """Whether it survives a restart."""
    id: str
    """GUID of the queue manager and a number: unique for ever."""
    correlation_id: str
    """The id of the message this one answers; empty for none."""
    lookup_id: int
    """Its place in the queue: rises in order of priority and arrival."""
    lease_id: str | None
    """What must be settled with Complete-, Undo- or Deny-MsmqMessage; nothing: no lease."""
    sent_time: str
    """When it was sent."""
    arrived_time: str
    """When it arrived."""
    app_specific: int
    """A number for the application."""
    class_: int
    """0 for what applications send; else what an acknowledgement or a dead letter says
    (MQMSG_CLASS_*).
    """
    acknowledge_type: str
    """Which acknowledgements were asked for."""
    admin_queue_path: str
    """Where acknowledgements go; empty: nowhere."""
    response_queue_path: str
    """Where answers go; empty: the sender wants none."""
    destination_queue: str
    """Where it was going, if it is a copy in a journal or a dead-letter queue; else empty."""
    dead_letter_queue: str
    """The sender's own dead-letter queue; empty: the system's."""
    journaling: bool
    """Whether a copy is kept in the journal of the sender's computer."""
    dead_letter: bool
    """Whether it becomes a dead letter when it cannot be delivered."""
    time_to_reach_queue: float | None
    """How long it may take to reach its queue; nothing: for ever."""
    time_to_be_received: float | None
    """How long after its sending it may be received; nothing: for ever."""
    extension: bytes
    """More bytes of the application."""
    idempotency_key: bytes
    """A second message with this key is the same message; empty for none."""
    trace: bool
    """Whether reports on its route are sent."""
    sender_id: str
    """Who sent it, as the queue manager saw it; empty: unknown."""
    abort_count: int
    """Aborted receives since it entered this queue."""
    move_count: int
    """How often it was moved."""
    last_move_time: str | None
    """When it was moved last; nothing: never."""
    due_time: str | None
    """When it can be received; nothing: at once."""
    transaction_id: int | None
    """The transaction that sent it; nothing: none."""
    is_first_in_transaction: bool
    """Whether it is the first of its transaction."""
    is_last_in_transaction: bool
    """Whether it is the last of its transaction."""
    out_file: str | None
    """The file that the content was written to; nothing: none."""
    soap_header: str
    """More of the SOAP header; empty for none."""
    soap_body: str
    """More of the SOAP body; empty for none."""
    connector_type: str
    """The connector that protected it, a GUID; empty: none. Nothing below was verified by a queue
    manager.
    """
    privacy_level: str
    """How its connector encrypted it: None, Body, BodyEnhanced or BodyAes."""
    encryption_algorithm: str
    """The algorithm of that; empty: not said."""
    symmetric_key: bytes
    """The encrypted key of that."""
    signature: bytes
    """Its connector's signature."""
    hash_algorithm: str
    """The algorithm of the signature's hash; empty: not said."""
    sender_certificate: bytes
    """The certificate (X.509, DER) that its connector gave."""
    provider_type: int
    """The type of the cryptographic provider; 0: not said."""
    provider_name: str
    """The name of the cryptographic provider."""
    sender_id_type: str
    """What its sender is called by: None, Sid or QueueManager; empty: not said."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            queue=record["Queue"],
            label=record["Label"],
            body=content(record["Body"]),
            body_size=record["BodySize"],
            body_type=record["BodyType"],
            priority=record["Priority"],
            recoverable=record["Recoverable"],
            id=record["Id"],
            correlation_id=record["CorrelationId"],
            lookup_id=record["LookupId"],
            lease_id=record["LeaseId"],
            sent_time=record["SentTime"],
            arrived_time=record["ArrivedTime"],
            app_specific=record["AppSpecific"],
            class_=record["Class"],
            acknowledge_type=record["AcknowledgeType"],
            admin_queue_path=record["AdminQueuePath"],
            response_queue_path=record["ResponseQueuePath"],
            destination_queue=record["DestinationQueue"],
            dead_letter_queue=record["DeadLetterQueue"],
            journaling=record["Journaling"],
            dead_letter=record["DeadLetter"],
            time_to_reach_queue=None
            if record["TimeToReachQueue"] is None
            else record["TimeToReachQueue"] / 1000,
            time_to_be_received=None
            if record["TimeToBeReceived"] is None
            else record["TimeToBeReceived"] / 1000,
            extension=content(record["Extension"]),
            idempotency_key=content(record["IdempotencyKey"]),
            trace=record["Trace"],
            sender_id=record["SenderId"],
            abort_count=record["AbortCount"],
            move_count=record["MoveCount"],
            last_move_time=record["LastMoveTime"],
            due_time=record["DueTime"],
            transaction_id=record["TransactionId"],
            is_first_in_transaction=record["IsFirstInTransaction"],
            is_last_in_transaction=record["IsLastInTransaction"],
            out_file=record["OutFile"],
            soap_header=record["SoapHeader"],
            soap_body=record["SoapBody"],
            connector_type=record["ConnectorType"],
            privacy_level=record["PrivacyLevel"],
            encryption_algorithm=record["EncryptionAlgorithm"],
            symmetric_key=content(record["SymmetricKey"]),
            signature=content(record["Signature"]),
            hash_algorithm=record["HashAlgorithm"],
            sender_certificate=content(record["SenderCertificate"]),
            provider_type=record["ProviderType"],
            provider_name=record["ProviderName"],
            sender_id_type=record["SenderIdType"],
        )


@dataclass(frozen=True, slots=True)
class MsmqMessageTraceInfo:
    """One step of a message's life."""

    time: str
    """When."""
    queue: str
    """The queue."""
    what: str
    """What happened, or where it is."""
    detail: str
    """Who did it or why; empty: nothing to say."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            time=record["Time"],
            queue=record["Queue"],
            what=record["What"],
            detail=record["Detail"],
        )


@dataclass(frozen=True, slots=True)
class MsmqSettledMessageInfo:
    """A message that was settled or moved."""

    queue: str
    """The queue it is or was in."""
    lookup_id: int
    """Its place there."""
    outcome: str
    """Completed, Released, Rejected, Extended or Moved."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            queue=record["Queue"],
            lookup_id=record["LookupId"],
            outcome=record["Outcome"],
        )


@dataclass(frozen=True, slots=True)
class MsmqStoreInfo:
    """What is in a message store."""

    path: str
    """The folder."""
    sound: bool
    """Whether nothing is wrong."""
    id: str
    """Its GUID."""
    queues: int
    """Queues in it, journals and dead letters among them."""
    message_count: int
    """Messages in them, express ones aside."""
    bytes: int
    """Bytes of their bodies."""
    prepared: int
    """Prepared transactions that wait for their coordinator."""
    faults: list[str]
    """What is wrong, a line each."""
    remarks: list[str]
    """What is unusual and loses nothing."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            path=record["Path"],
            sound=record["Sound"],
            id=record["Id"],
            queues=record["Queues"],
            message_count=record["MessageCount"],
            bytes=record["Bytes"],
            prepared=record["Prepared"],
            faults=record["Faults"],
            remarks=record["Remarks"],
        )


@dataclass(frozen=True, slots=True)
class MsmqRepairedStoreInfo:
    """What was saved of a message store."""

    destination: str
    """The new store."""
    queues: int
    """Users' queues in it."""
    message_count: int
    """Messages in it."""
    bytes: int
    """Bytes of their bodies."""
    lost: list[str]
    """What was lost or is wrong, a line each."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            destination=record["Destination"],
            queues=record["Queues"],
            message_count=record["MessageCount"],
            bytes=record["Bytes"],
            lost=record["Lost"],
        )


@dataclass(frozen=True, slots=True)
class TransactionInfo:
    """The transaction of this session."""

    status: str
    """`Active`, `Committed` or `Aborted`."""
    computer_name: str | None
    """The virtual server or node whose queues it is about; the first command in it says which."""
    operations: int
    """Commands given in it."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            status=record["Status"],
            computer_name=record["ComputerName"],
            operations=record["Operations"],
        )


@dataclass(frozen=True, slots=True)
class DrillWorkloadInfo:
    """A load that a drill keeps on a queue."""

    queue: str
    """The queue's path name."""
    sent: int
    """Messages handed to the virtual server."""
    acknowledged: int
    """Of these, the ones it acknowledged."""
    received: int
    """Messages taken out by a committed receive."""
    waiting: int
    """Acknowledged and not received yet."""
    unknown: int
    """Sends whose outcome the client could not learn in time."""
    input: int
    """Messages in the input file."""
    last_error: str | None
    """The last error a sender or consumer met, if any."""
    step: str | None
    """What Start-Drill is doing."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            queue=record["Queue"],
            sent=record["Sent"],
            acknowledged=record["Acknowledged"],
            received=record["Received"],
            waiting=record["Waiting"],
            unknown=record["Unknown"],
            input=record["Input"],
            last_error=record["LastError"],
            step=record["Step"],
        )


@dataclass(frozen=True, slots=True)
class DrillVerdictInfo:
    """What a drill found after everything was received."""

    sent: int
    """Messages handed to the virtual server."""
    acknowledged: int
    """Of these, the ones it acknowledged."""
    received: int
    """Different messages received."""
    lost: int
    """Acknowledged and never received."""
    duplicated: int
    """Received more than once."""
    out_of_order: int
    """Received behind a later message of the same sender."""
    altered: int
    """Received with a content that nobody sent."""
    unknown: int
    """Sends whose outcome the client could not learn: they may or may not have arrived."""
    seconds: float
    """How long the load ran."""
    passed: bool
    """Whether nothing was lost, duplicated, out of order or altered."""
    examples: list[str]
    """One example of each kind of violation, for the search."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            sent=record["Sent"],
            acknowledged=record["Acknowledged"],
            received=record["Received"],
            lost=record["Lost"],
            duplicated=record["Duplicated"],
            out_of_order=record["OutOfOrder"],
            altered=record["Altered"],
            unknown=record["Unknown"],
            seconds=record["Seconds"],
            passed=record["Passed"],
            examples=record["Examples"],
        )


@dataclass(frozen=True, slots=True)
class DrillFaultInfo:
    """A fault that was made on purpose."""

    kind: str
    """`Kill`, `KillQueueManager`, `Freeze`, `DiskFull`, `SlowDisk`, `Move`, `Undo` or `Restart`."""
    group: str
    """The group it was aimed at."""
    node: str
    """The node that owned it."""
    target: str
    """What was hit: `agent 4711, queue manager 4712`."""
    time: str
    """When, in UTC."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            kind=record["Kind"],
            group=record["Group"],
            node=record["Node"],
            target=record["Target"],
            time=record["Time"],
        )


@dataclass(frozen=True, slots=True)
class DrillPhaseInfo:
    """A step on the way from a fault to service."""

    phase: str
    """`detected`, `fenced`, `claimed`, `disk`, `address`, `replayed`, `ready`, `first send`, `first
    receive`, `outage`.
    """
    elapsed_ms: float
    """Milliseconds since the fault; for `outage` the longest time without a successful send."""
    node: str
    """The node that took the step; `client` for what a client saw."""
    detail: str
    """What the cluster recorded about it."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            phase=record["Phase"],
            elapsed_ms=record["ElapsedMs"],
            node=record["Node"],
            detail=record["Detail"],
        )


@dataclass(frozen=True, slots=True)
class DrillPlanInfo:
    """What a fault would hit."""

    fault: str
    """The fault."""
    node: str
    """The node it would hit now."""
    possible: bool
    """Whether it can be made here."""
    groups: list[str]
    """The groups that would be interrupted."""
    target: str
    """The processes or the folder it acts on."""
    clients: str
    """Who would notice."""
    expected_outage: str
    """How long."""
    undo: str
    """How it ends."""
    reason: str | None
    """Why it is not possible."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            fault=record["Fault"],
            node=record["Node"],
            possible=record["Possible"],
            groups=record["Groups"],
            target=record["Target"],
            clients=record["Clients"],
            expected_outage=record["ExpectedOutage"],
            undo=record["Undo"],
            reason=record["Reason"],
        )


@dataclass(frozen=True, slots=True)
class DrillInfo:
    """A drill: a load, faults, and what came of it."""

    name: str
    """Its name."""
    cluster: str
    """The cluster."""
    group: str
    """The group whose owners were hit."""
    queue: str
    """The queue under load."""
    started: str
    """When it began, in UTC."""
    seconds: float
    """How long the load ran."""
    passed: bool
    """Whether every check passed."""
    sent: int
    """Messages handed to the virtual server."""
    acknowledged: int
    """Of these, the ones it acknowledged."""
    received: int
    """Different messages received."""
    lost: int
    """Acknowledged and never received."""
    duplicated: int
    """Received more than once."""
    out_of_order: int
    """Received behind a later message of the same sender."""
    altered: int
    """Received with a content that nobody sent."""
    unknown: int
    """Sends whose outcome the client could not learn."""
    worst_outage_ms: float
    """The longest time without a successful send around one of its faults."""
    latency_p50_ms: float
    """Half of the sends were acknowledged within this."""
    latency_p99_ms: float
    """All but one in a hundred were."""
    faults: list[Any]
    """The faults, each with its node, its outage and its phases."""
    checks: list[Any]
    """What was judged, each with its outcome."""
    text: str
    """The report as text."""
    files: list[str]
    """The reports that were written."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            name=record["Name"],
            cluster=record["Cluster"],
            group=record["Group"],
            queue=record["Queue"],
            started=record["Started"],
            seconds=record["Seconds"],
            passed=record["Passed"],
            sent=record["Sent"],
            acknowledged=record["Acknowledged"],
            received=record["Received"],
            lost=record["Lost"],
            duplicated=record["Duplicated"],
            out_of_order=record["OutOfOrder"],
            altered=record["Altered"],
            unknown=record["Unknown"],
            worst_outage_ms=record["WorstOutageMs"],
            latency_p50_ms=record["LatencyP50Ms"],
            latency_p99_ms=record["LatencyP99Ms"],
            faults=record["Faults"],
            checks=record["Checks"],
            text=record["Text"],
            files=record["Files"],
        )


@dataclass(frozen=True, slots=True)
class DrillDifferenceInfo:
    """A figure of two drills."""

    figure: str
    """What is compared."""
    before: float | None
    """In the earlier drill."""
    after: float | None
    """In the later one."""
    verdict: str
    """`better`, `same`, `worse`, `new` or `gone`."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            figure=record["Figure"],
            before=record["Before"],
            after=record["After"],
            verdict=record["Verdict"],
        )


class QueueCommands(ABC):
    """The commands that manage a queue manager and its queues, and need no cluster."""

    @abstractmethod
    def _call(self, command: str, arguments: Mapping[str, object]) -> list[dict[str, Any]]:
        """Runs a command to its records; arguments that are None were not given."""

    def new_msmq_queue(
        self,
        name: str,
        *,
        transactional: bool = False,
        label: str | None = None,
        journaling: bool = False,
        queue_quota: str | None = None,
        journal_quota: str | None = None,
        authenticate: bool = False,
        privacy_level: str | None = None,
        multicast_address: str | None = None,
        service_type: str | None = None,
        base_priority: str | None = None,
        receive_retry_count: int | None = None,
        max_retry_cycles: int | None = None,
        retry_cycle_delay: Duration | None = None,
        receive_error_handling: str | None = None,
        duplicate_window: Duration | None = None,
    ) -> MsmqQueueInfo:
        """Creates a private queue on a virtual server.

        The shell's ``New-MsmqQueue``.

        Args:
            name: Its path name.
            transactional: Take only messages that are sent in a transaction, each exactly once
                and in order.
            label: A free text, up to 124 characters.
            journaling: Keep copies of received messages in the queue's journal.
            queue_quota: Bytes of messages at most, as 5000000, 5MB or None; by default none.
            journal_quota: Bytes of the journal at most, in the same way.
            authenticate: Take only signed messages.
            privacy_level: Whether messages must be encrypted.
            multicast_address: An address to listen at for multicast messages, as 234.1.1.1:8001;
                empty for none.
            service_type: A GUID by which the application knows what the queue is for.
            base_priority: -32768 to 32767: which queues go first between queue managers.
            receive_retry_count: Aborted receives in a row before a message is sent round; 0: no
                poison policy.
            max_retry_cycles: How often it goes to the subqueue retry and back (default 2).
            retry_cycle_delay: How long it stays there (default 30m).
            receive_error_handling: What becomes of it then: Fault stops its receivers, Move puts
                it into the subqueue poison.
            duplicate_window: How long an idempotency key is remembered (default 30m).
        """
        records = self._call(
            "New-MsmqQueue",
            {
                "Name": name,
                "Transactional": transactional,
                "Label": label,
                "Journaling": journaling,
                "QueueQuota": queue_quota,
                "JournalQuota": journal_quota,
                "Authenticate": authenticate,
                "PrivacyLevel": privacy_level,
                "MulticastAddress": multicast_address,
                "ServiceType": service_type,
                "BasePriority": base_priority,
                "ReceiveRetryCount": receive_retry_count,
                "MaxRetryCycles": max_retry_cycles,
                "RetryCycleDelay": milliseconds(retry_cycle_delay),
                "ReceiveErrorHandling": receive_error_handling,
                "DuplicateWindow": milliseconds(duplicate_window),
            },
        )
        return MsmqQueueInfo._of(records[0])

    def get_msmq_queue(
        self,
        name: str,
        *,
        queue_type: str | None = None,
        journal: bool = False,
        sub_queue: str | None = None,
    ) -> list[MsmqQueueInfo]:
        """Shows queues.

        The shell's ``Get-MsmqQueue``.

        Args:
            name: A path name, whose last part may be a pattern with * and ?; VS1 alone means all
                queues of VS1.
            queue_type: Which kind (default Private); All shows journals, subqueues and the
                system's own as well.
            journal: Show the journals of the queues, not the queues.
            sub_queue: Show this subqueue of the queues, or with * every one.
        """
        records = self._call(
            "Get-MsmqQueue",
            {
                "Name": name,
                "QueueType": queue_type,
                "Journal": journal,
                "SubQueue": sub_queue,
            },
        )
        return [MsmqQueueInfo._of(record) for record in records]

    def set_msmq_queue(
        self,
        name: str,
        *,
        label: str | None = None,
        journaling: bool = False,
        queue_quota: str | None = None,
        journal_quota: str | None = None,
        authenticate: bool = False,
        privacy_level: str | None = None,
        multicast_address: str | None = None,
        service_type: str | None = None,
        base_priority: str | None = None,
        receive_retry_count: int | None = None,
        max_retry_cycles: int | None = None,
        retry_cycle_delay: Duration | None = None,
        receive_error_handling: str | None = None,
        duplicate_window: Duration | None = None,
    ) -> MsmqQueueInfo:
        """Changes properties of a queue; what is not given stays.

        Whether a queue is transactional cannot be changed.

        The shell's ``Set-MsmqQueue``.

        Args:
            name: Its path name.
            label: A free text, up to 124 characters.
            journaling: Keep copies of received messages in the queue's journal.
            queue_quota: Bytes of messages at most, as 5000000, 5MB or None.
            journal_quota: Bytes of the journal at most, in the same way.
            authenticate: Take only signed messages.
            privacy_level: Whether messages must be encrypted.
            multicast_address: An address to listen at for multicast messages, as 234.1.1.1:8001;
                empty for none.
            service_type: A GUID by which the application knows what the queue is for.
            base_priority: -32768 to 32767: which queues go first between queue managers.
            receive_retry_count: Aborted receives in a row before a message is sent round; 0: no
                poison policy.
            max_retry_cycles: How often it goes to the subqueue retry and back.
            retry_cycle_delay: How long it stays there.
            receive_error_handling: What becomes of it then: Fault stops its receivers, Move puts
                it into the subqueue poison.
            duplicate_window: How long an idempotency key is remembered.
        """
        records = self._call(
            "Set-MsmqQueue",
            {
                "Name": name,
                "Label": label,
                "Journaling": journaling,
                "QueueQuota": queue_quota,
                "JournalQuota": journal_quota,
                "Authenticate": authenticate,
                "PrivacyLevel": privacy_level,
                "MulticastAddress": multicast_address,
                "ServiceType": service_type,
                "BasePriority": base_priority,
                "ReceiveRetryCount": receive_retry_count,
                "MaxRetryCycles": max_retry_cycles,
                "RetryCycleDelay": milliseconds(retry_cycle_delay),
                "ReceiveErrorHandling": receive_error_handling,
                "DuplicateWindow": milliseconds(duplicate_window),
            },
        )
        return MsmqQueueInfo._of(records[0])

    def remove_msmq_queue(
        self,
        name: str,
        *,
        force: bool = False,
    ) -> MsmqQueueInfo:
        """Deletes a queue and the messages in it, or a subqueue.

        It destroys configuration or messages. The shell's ``Remove-MsmqQueue``.

        Args:
            name: Its path name.
            force: Do not ask.
        """
        records = self._call(
            "Remove-MsmqQueue",
            {
                "Name": name,
                "Force": force,
            },
        )
        return MsmqQueueInfo._of(records[0])

    def clear_msmq_queue(
        self,
        name: str,
        *,
        force: bool = False,
    ) -> MsmqQueueInfo:
        """Deletes all messages of a queue, a subqueue, a journal or a system queue.

        Those that transactions hold are deleted when they come back.

        It destroys configuration or messages. The shell's ``Clear-MsmqQueue``.

        Args:
            name: Its path name.
            force: Do not ask.
        """
        records = self._call(
            "Clear-MsmqQueue",
            {
                "Name": name,
                "Force": force,
            },
        )
        return MsmqQueueInfo._of(records[0])

    def get_msmq_outgoing_queue(
        self,
        computer_name: str,
        name: str | None = None,
    ) -> list[MsmqQueueInfo]:
        """Shows the queues in which messages wait for other queue managers.

        The shell's ``Get-MsmqOutgoingQueue``.

        Args:
            computer_name: The virtual server or node.
            name: A pattern that their names fit.
        """
        records = self._call(
            "Get-MsmqOutgoingQueue",
            {
                "ComputerName": computer_name,
                "Name": name,
            },
        )
        return [MsmqQueueInfo._of(record) for record in records]

    def get_msmq_queue_acl(
        self,
        name: str,
    ) -> list[MsmqAccessInfo]:
        """Shows who may do what with a queue.

        The shell's ``Get-MsmqQueueACL``.

        Args:
            name: The queue's path name.
        """
        records = self._call(
            "Get-MsmqQueueACL",
            {
                "Name": name,
            },
        )
        return [MsmqAccessInfo._of(record) for record in records]

    def set_msmq_queue_acl(
        self,
        name: str,
        user_name: str | Iterable[str] = (),
        *,
        allow: str | Iterable[str] = (),
        deny: str | Iterable[str] = (),
        remove: str | Iterable[str] = (),
        owner: str | None = None,
    ) -> list[MsmqAccessInfo]:
        """Changes who may do what with a queue.

        Rights that are allowed are no longer denied, and the other way round; what is not named
        stays.

        It interrupts service. The shell's ``Set-MsmqQueueACL``.

        Args:
            name: The queue's path name.
            user_name: Users and groups, Everyone, ANONYMOUS LOGON or Administrators.
            allow: Rights to allow, for example ReceiveMessage,WriteMessage or FullControl.
            deny: Rights to deny.
            remove: Rights that are neither allowed nor denied any more.
            owner: A new owner of the queue.
        """
        records = self._call(
            "Set-MsmqQueueACL",
            {
                "Name": name,
                "UserName": texts(user_name),
                "Allow": texts(allow),
                "Deny": texts(deny),
                "Remove": texts(remove),
                "Owner": owner,
            },
        )
        return [MsmqAccessInfo._of(record) for record in records]

    def get_msmq_queue_manager_acl(
        self,
        computer_name: str,
    ) -> list[MsmqAccessInfo]:
        """Shows who may do what with a queue manager.

        The shell's ``Get-MsmqQueueManagerACL``.

        Args:
            computer_name: The virtual server or node.
        """
        records = self._call(
            "Get-MsmqQueueManagerACL",
            {
                "ComputerName": computer_name,
            },
        )
        return [MsmqAccessInfo._of(record) for record in records]

    def set_msmq_queue_manager_acl(
        self,
        computer_name: str,
        user_name: str | Iterable[str] = (),
        *,
        allow: str | Iterable[str] = (),
        deny: str | Iterable[str] = (),
        remove: str | Iterable[str] = (),
        owner: str | None = None,
    ) -> list[MsmqAccessInfo]:
        """Changes who may do what with a queue manager; WriteMessage is the right to create queues
        there.

        It interrupts service. The shell's ``Set-MsmqQueueManagerACL``.

        Args:
            computer_name: The virtual server or node.
            user_name: Users and groups, Everyone, ANONYMOUS LOGON or Administrators.
            allow: Rights to allow.
            deny: Rights to deny.
            remove: Rights that are neither allowed nor denied any more.
            owner: A new owner.
        """
        records = self._call(
            "Set-MsmqQueueManagerACL",
            {
                "ComputerName": computer_name,
                "UserName": texts(user_name),
                "Allow": texts(allow),
                "Deny": texts(deny),
                "Remove": texts(remove),
                "Owner": owner,
            },
        )
        return [MsmqAccessInfo._of(record) for record in records]

    def get_msmq_queue_manager(
        self,
        computer_name: str,
    ) -> MsmqQueueManagerInfo:
        """Shows a queue manager.

        The shell's ``Get-MsmqQueueManager``.

        Args:
            computer_name: The virtual server or node.
        """
        records = self._call(
            "Get-MsmqQueueManager",
            {
                "ComputerName": computer_name,
            },
        )
        return MsmqQueueManagerInfo._of(records[0])

    def set_msmq_queue_manager(
        self,
        computer_name: str,
        *,
        message_quota: str | None = None,
        journal_quota: str | None = None,
        long_live_time: Duration | None = None,
    ) -> MsmqQueueManagerInfo:
        """Changes properties of a queue manager; what is not given stays.

        The shell's ``Set-MsmqQueueManager``.

        Args:
            computer_name: The virtual server or node.
            message_quota: Bytes of all messages at most, as 5000000, 5GB or None.
            journal_quota: Bytes of all journals and dead-letter queues at most, in the same way.
            long_live_time: The longest time to reach a queue, in whole seconds.
        """
        records = self._call(
            "Set-MsmqQueueManager",
            {
                "ComputerName": computer_name,
                "MessageQuota": message_quota,
                "JournalQuota": journal_quota,
                "LongLiveTime": milliseconds(long_live_time),
            },
        )
        return MsmqQueueManagerInfo._of(records[0])

    def get_msmq_counter(
        self,
        computer_name: str,
        instance: str | None = None,
        *,
        counter: str | None = None,
    ) -> list[MsmqCounterInfo]:
        """Shows performance counters of queues, idle ones included, and of the service.

        The shell's ``Get-MsmqCounter``.

        Args:
            computer_name: The virtual server or node.
            instance: A pattern for the queue.
            counter: A pattern for the counter, for example 'Messages*'.
        """
        records = self._call(
            "Get-MsmqCounter",
            {
                "ComputerName": computer_name,
                "Instance": instance,
                "Counter": counter,
            },
        )
        return [MsmqCounterInfo._of(record) for record in records]

    def get_msmq_prepared_transaction(
        self,
        computer_name: str,
    ) -> list[MsmqPreparedTransactionInfo]:
        """Shows transactions that are prepared and wait for the decision of their coordinator.

        The shell's ``Get-MsmqPreparedTransaction``.

        Args:
            computer_name: The virtual server or node.
        """
        records = self._call(
            "Get-MsmqPreparedTransaction",
            {
                "ComputerName": computer_name,
            },
        )
        return [MsmqPreparedTransactionInfo._of(record) for record in records]

    def resolve_msmq_prepared_transaction(
        self,
        computer_name: str,
        id: str,
        decision: str,
        *,
        force: bool = False,
    ) -> MsmqPreparedTransactionInfo:
        """Decides a prepared transaction in place of its coordinator.

        Only when the coordinator will never come back: it may have decided otherwise elsewhere.

        It destroys configuration or messages. The shell's ``Resolve-MsmqPreparedTransaction``.

        Args:
            computer_name: The virtual server or node.
            id: Its id, as Get-MsmqPreparedTransaction shows it.
            decision: Commit, or Abort.
            force: Do not ask.
        """
        records = self._call(
            "Resolve-MsmqPreparedTransaction",
            {
                "ComputerName": computer_name,
                "Id": id,
                "Decision": decision,
                "Force": force,
            },
        )
        return MsmqPreparedTransactionInfo._of(records[0])

    def trace_msmq_message(
        self,
        computer_name: str,
        id: str,
    ) -> list[MsmqMessageTraceInfo]:
        """Tells where a message is and what happened to it, oldest step first.

        The shell's ``Trace-MsmqMessage``.

        Args:
            computer_name: The virtual server or node.
            id: The message's id.
        """
        records = self._call(
            "Trace-MsmqMessage",
            {
                "ComputerName": computer_name,
                "Id": id,
            },
        )
        return [MsmqMessageTraceInfo._of(record) for record in records]


class Commands(QueueCommands):
    """Every command of the shell as a method."""

    def new_cluster(
        self,
        name: str,
        node: str | Iterable[str] = (),
        *,
        local: bool = False,
        detach: bool = False,
        path: str | None = None,
        quorum: str | Iterable[str] = (),
        same_subnet_delay: Duration | None = None,
        same_subnet_threshold: int | None = None,
        lease_ttl: Duration | None = None,
        fencing: str | None = None,
    ) -> ClusterInfo:
        """Creates a cluster and starts its nodes.

        With -Local each node is a process on this machine with a loopback address, a data folder
        and a log of its own, around one quorum disk (an SQLite file), or the etcd cluster that
        -Quorum names. The nodes belong to the session that made them: they stop when it ends,
        however it ends. -Detach lets them outlive it; Stop-Cluster ends them then.

        The shell's ``New-Cluster``.

        Args:
            name: The cluster's name.
            node: The names of its nodes.
            local: Make every node a process on this machine.
            detach: Keep the nodes running after this session.
            path: The folder for the quorum disk and the nodes' data; by default one under the
                user's state folder.
            quorum: Where the cluster database lies instead: etcd://HOST:PORT,…/PREFIX (see
                docs/operating.md).
            same_subnet_delay: Heartbeat interval (default 100ms).
            same_subnet_threshold: Missed heartbeats until a node counts as down (default 10).
            lease_ttl: The node lease (default 2s).
            fencing: How a hung node is kept from doing harm.
        """
        records = self._call(
            "New-Cluster",
            {
                "Name": name,
                "Node": texts(node),
                "Local": local,
                "Detach": detach,
                "Path": path,
                "Quorum": texts(quorum),
                "SameSubnetDelay": milliseconds(same_subnet_delay),
                "SameSubnetThreshold": same_subnet_threshold,
                "LeaseTtl": milliseconds(lease_ttl),
                "Fencing": fencing,
            },
        )
        return ClusterInfo._of(records[0])

    def get_cluster(
        self,
        name: str | None = None,
    ) -> list[ClusterInfo]:
        """Shows the cluster.

        The shell's ``Get-Cluster``.

        Args:
            name: The cluster's name; by default every cluster known on this machine.
        """
        records = self._call(
            "Get-Cluster",
            {
                "Name": name,
            },
        )
        return [ClusterInfo._of(record) for record in records]

    def start_cluster(
        self,
        name: str,
        *,
        detach: bool = False,
    ) -> ClusterInfo:
        """Starts the nodes of a cluster that was stopped.

        The shell's ``Start-Cluster``.

        Args:
            name: The cluster's name.
            detach: Keep the nodes running after this session.
        """
        records = self._call(
            "Start-Cluster",
            {
                "Name": name,
                "Detach": detach,
            },
        )
        return ClusterInfo._of(records[0])

    def stop_cluster(
        self,
        name: str | None = None,
    ) -> ClusterInfo:
        """Stops every node of the cluster; groups are taken offline first.

        It interrupts service. The shell's ``Stop-Cluster``.

        Args:
            name: The cluster's name; by default the one in use.
        """
        records = self._call(
            "Stop-Cluster",
            {
                "Name": name,
            },
        )
        return ClusterInfo._of(records[0])

    def get_cluster_quorum(
        self,
        cluster: str | None = None,
    ) -> ClusterQuorumInfo:
        """Shows where the cluster database lies, and how it is.

        The shell's ``Get-ClusterQuorum``.

        Args:
            cluster: The cluster's name; by default the one in use.
        """
        records = self._call(
            "Get-ClusterQuorum",
            {
                "Cluster": cluster,
            },
        )
        return ClusterQuorumInfo._of(records[0])

    def set_cluster_quorum(
        self,
        quorum: str | Iterable[str] = (),
        cluster: str | None = None,
        *,
        force: bool = False,
    ) -> ClusterQuorumInfo:
        """Moves the cluster database of a stopped cluster to another place.

        Everything is copied and compared; then the old place is marked as moved, so that no node
        can go on with it, and the new one becomes the cluster's. What was interrupted is
        completed by the same command. The old place is left as it is, with its mark.

        It destroys configuration or messages. The shell's ``Set-ClusterQuorum``.

        Args:
            quorum: The new place: etcd://HOST:PORT,…/PREFIX, or the path of an SQLite file.
            cluster: The cluster's name; by default the one in use.
            force: Do not ask.
        """
        records = self._call(
            "Set-ClusterQuorum",
            {
                "Quorum": texts(quorum),
                "Cluster": cluster,
                "Force": force,
            },
        )
        return ClusterQuorumInfo._of(records[0])

    def remove_cluster(
        self,
        name: str,
        *,
        force: bool = False,
    ) -> ClusterInfo:
        """Deletes a stopped cluster with its quorum disk and the data folders of its nodes.

        Disks of virtual servers in its folder `disks` go with it; those that lie elsewhere are
        left alone.

        It destroys configuration or messages. The shell's ``Remove-Cluster``.

        Args:
            name: The cluster's name.
            force: Do not ask.
        """
        records = self._call(
            "Remove-Cluster",
            {
                "Name": name,
                "Force": force,
            },
        )
        return ClusterInfo._of(records[0])

    def update_cluster_functional_level(
        self,
    ) -> ClusterInfo:
        """Raises the functional level of the cluster to the highest that every node knows; there is
        no way back.

        A rolling upgrade installs the new program on one node after the other
        (Suspend-ClusterNode -Drain, Stop-ClusterNode, install, Start-ClusterNode,
        Resume-ClusterNode); nodes of both programs work together meanwhile, and what only the
        new one knows is refused. This command ends it: from then on a node with the old program
        does not join.

        It interrupts service. The shell's ``Update-ClusterFunctionalLevel``.
        """
        records = self._call(
            "Update-ClusterFunctionalLevel",
            {},
        )
        return ClusterInfo._of(records[0])

    def backup_cluster(
        self,
        path: str,
        cluster: str | None = None,
        *,
        quorum: str | Iterable[str] = (),
    ) -> ClusterBackupInfo:
        """Writes everything that is in the cluster database to a file, also while the cluster runs.

        The configuration, owners with their epochs, decisions and checkpoints are in it;
        messages are not: they lie on the disks of the virtual servers. The file is for its user
        alone: checkpoints may hold secrets.

        The shell's ``Backup-Cluster``.

        Args:
            path: The new file.
            cluster: The cluster's name; by default the one in use.
            quorum: Where the database lies, for a cluster that this machine does not know.
        """
        records = self._call(
            "Backup-Cluster",
            {
                "Path": path,
                "Cluster": cluster,
                "Quorum": texts(quorum),
            },
        )
        return ClusterBackupInfo._of(records[0])

    def restore_cluster(
        self,
        path: str,
        cluster: str | None = None,
        *,
        quorum: str | Iterable[str] = (),
        force: bool = False,
    ) -> ClusterBackupInfo:
        """Replaces the cluster database of a stopped cluster by a backup.

        The restore is authoritative: epochs are raised by a million, so that no owner and no
        token of the time after the backup is believed, and every message store accepts its next
        owner. What changed since the backup is gone, except for messages. What was interrupted
        is completed by the same command; until then no node starts.

        It destroys configuration or messages. The shell's ``Restore-Cluster``.

        Args:
            path: The file.
            cluster: The cluster's name; by default the one in use.
            quorum: Where the database lies, for a cluster that this machine does not know.
            force: Do not ask.
        """
        records = self._call(
            "Restore-Cluster",
            {
                "Path": path,
                "Cluster": cluster,
                "Quorum": texts(quorum),
                "Force": force,
            },
        )
        return ClusterBackupInfo._of(records[0])

    def set_cluster(
        self,
        *,
        enforced_anti_affinity: int | None = None,
        quarantine_threshold: int | None = None,
        quarantine_duration: int | None = None,
    ) -> ClusterPolicyInfo:
        """Sets properties of the cluster, and shows them.

        The shell's ``Set-Cluster``.

        Args:
            enforced_anti_affinity: 1: groups that share an anti-affinity class never share a
                node (default 0).
            quarantine_threshold: Unexpected departures within an hour that quarantine a node
                (default 3; 0 never does).
            quarantine_duration: Seconds that a quarantine lasts (default 7200).
        """
        records = self._call(
            "Set-Cluster",
            {
                "EnforcedAntiAffinity": enforced_anti_affinity,
                "QuarantineThreshold": quarantine_threshold,
                "QuarantineDuration": quarantine_duration,
            },
        )
        return ClusterPolicyInfo._of(records[0])

    def add_cluster_node(
        self,
        name: str,
    ) -> ClusterNodeInfo:
        """Adds a node to the cluster and starts it.

        The shell's ``Add-ClusterNode``.

        Args:
            name: The node's name.
        """
        records = self._call(
            "Add-ClusterNode",
            {
                "Name": name,
            },
        )
        return ClusterNodeInfo._of(records[0])

    def get_cluster_node(
        self,
        name: str | None = None,
    ) -> list[ClusterNodeInfo]:
        """Shows the nodes.

        The shell's ``Get-ClusterNode``.

        Args:
            name: A name or a pattern with * and ?.
        """
        records = self._call(
            "Get-ClusterNode",
            {
                "Name": name,
            },
        )
        return [ClusterNodeInfo._of(record) for record in records]

    def start_cluster_node(
        self,
        name: str,
        *,
        clear_quarantine: bool = False,
        force_quorum: bool = False,
    ) -> ClusterNodeInfo:
        """Starts the Cluster service of a node that is down.

        -ForceQuorum is the operator's word that every node that does not answer is dead: their
        sessions end at once and their groups are claimed without waiting for leases. A node that
        lives after all ends what it runs when it sees that. It cannot stand in for a cluster
        database that is gone: with etcd, restore its majority first.

        The shell's ``Start-ClusterNode``.

        Args:
            name: The node's name.
            clear_quarantine: End its quarantine.
            force_quorum: Declare the nodes dead that do not answer.
        """
        records = self._call(
            "Start-ClusterNode",
            {
                "Name": name,
                "ClearQuarantine": clear_quarantine,
                "ForceQuorum": force_quorum,
            },
        )
        return ClusterNodeInfo._of(records[0])

    def stop_cluster_node(
        self,
        name: str,
    ) -> ClusterNodeInfo:
        """Stops the Cluster service of a node; its groups move to other nodes first.

        It interrupts service. The shell's ``Stop-ClusterNode``.

        Args:
            name: The node's name.
        """
        records = self._call(
            "Stop-ClusterNode",
            {
                "Name": name,
            },
        )
        return ClusterNodeInfo._of(records[0])

    def restart_cluster_node(
        self,
        name: str,
    ) -> ClusterNodeInfo:
        """Restarts the Cluster service of a node under its resources: they go on as if nothing had
        happened.

        The agent becomes the program that is installed now, in the same process: this is how a
        new version gets onto a node without moving its groups. Queue managers and applications
        go on; what cannot be kept (block devices, addresses beyond loopback, scripts, services,
        OCF agents) is refused with the group to move first.

        The shell's ``Restart-ClusterNode``.

        Args:
            name: The node's name.
        """
        records = self._call(
            "Restart-ClusterNode",
            {
                "Name": name,
            },
        )
        return ClusterNodeInfo._of(records[0])

    def suspend_cluster_node(
        self,
        name: str,
        *,
        drain: bool = False,
        force_drain: bool = False,
        target_node: str | None = None,
        wait: Duration | None = None,
    ) -> ClusterNodeInfo:
        """Pauses a node: it takes no group any more. With -Drain its groups move to other nodes.

        A group that no other node may own stays, or is taken offline with -ForceDrain.

        It interrupts service. The shell's ``Suspend-ClusterNode``.

        Args:
            name: The node's name.
            drain: Move its groups away.
            force_drain: Drain, and take offline what cannot move.
            target_node: Where to; by default each group goes to its best other node.
            wait: How long to wait for the drain (default 30s; 0 returns at once).
        """
        records = self._call(
            "Suspend-ClusterNode",
            {
                "Name": name,
                "Drain": drain,
                "ForceDrain": force_drain,
                "TargetNode": target_node,
                "Wait": milliseconds(wait),
            },
        )
        return ClusterNodeInfo._of(records[0])

    def resume_cluster_node(
        self,
        name: str,
        *,
        failback: str | None = None,
    ) -> ClusterNodeInfo:
        """Resumes a paused node.

        The shell's ``Resume-ClusterNode``.

        Args:
            name: The node's name.
            failback: Which of the groups that were drained away come back: none (default), all
                at once, or those that prefer this node to the one they are on.
        """
        records = self._call(
            "Resume-ClusterNode",
            {
                "Name": name,
                "Failback": failback,
            },
        )
        return ClusterNodeInfo._of(records[0])

    def remove_cluster_node(
        self,
        name: str,
        *,
        force: bool = False,
    ) -> ClusterNodeInfo:
        """Evicts a node: it leaves the cluster's configuration and every owner list.

        The node must be down; its data folder stays.

        It destroys configuration or messages. The shell's ``Remove-ClusterNode``.

        Args:
            name: The node's name.
            force: Do not ask, and stop the node first if it is up.
        """
        records = self._call(
            "Remove-ClusterNode",
            {
                "Name": name,
                "Force": force,
            },
        )
        return ClusterNodeInfo._of(records[0])

    def clear_cluster_node(
        self,
        name: str,
        *,
        force: bool = False,
    ) -> ClearedClusterNodeInfo:
        """Removes what an evicted node of this machine still has: its logs, settings and
        certificates.

        A node that is still a member is refused: Remove-ClusterNode first. On another machine it
        is its data folder.

        It destroys configuration or messages. The shell's ``Clear-ClusterNode``.

        Args:
            name: The node's name.
            force: Do not ask.
        """
        records = self._call(
            "Clear-ClusterNode",
            {
                "Name": name,
                "Force": force,
            },
        )
        return ClearedClusterNodeInfo._of(records[0])

    def add_cluster_group(
        self,
        name: str,
        *,
        preferred_owners: str | Iterable[str] = (),
        auto_failback_type: int | None = None,
        failover_threshold: int | None = None,
        failover_period: int | None = None,
    ) -> ClusterGroupInfo:
        """Creates an empty group.

        The shell's ``Add-ClusterGroup``.

        Args:
            name: The group's name.
            preferred_owners: The nodes in order of preference; they may also be set later with
                Set-ClusterOwnerNode.
            auto_failback_type: 1: goes back to a preferred owner when that returns (default 0).
            failover_threshold: Failovers allowed within FailoverPeriod.
            failover_period: Hours (default 6).
        """
        records = self._call(
            "Add-ClusterGroup",
            {
                "Name": name,
                "PreferredOwners": texts(preferred_owners),
                "AutoFailbackType": auto_failback_type,
                "FailoverThreshold": failover_threshold,
                "FailoverPeriod": failover_period,
            },
        )
        return ClusterGroupInfo._of(records[0])

    def get_cluster_group(
        self,
        name: str | None = None,
    ) -> list[ClusterGroupInfo]:
        """Shows the groups.

        The shell's ``Get-ClusterGroup``.

        Args:
            name: A name or a pattern with * and ?.
        """
        records = self._call(
            "Get-ClusterGroup",
            {
                "Name": name,
            },
        )
        return [ClusterGroupInfo._of(record) for record in records]

    def remove_cluster_group(
        self,
        name: str,
        *,
        remove_resources: bool = False,
        force: bool = False,
    ) -> ClusterGroupInfo:
        """Deletes a group.

        It destroys configuration or messages. The shell's ``Remove-ClusterGroup``.

        Args:
            name: The group's name.
            remove_resources: Delete its resources too, after taking them offline.
            force: Do not ask.
        """
        records = self._call(
            "Remove-ClusterGroup",
            {
                "Name": name,
                "RemoveResources": remove_resources,
                "Force": force,
            },
        )
        return ClusterGroupInfo._of(records[0])

    def start_cluster_group(
        self,
        name: str,
        *,
        wait: Duration | None = None,
    ) -> ClusterGroupInfo:
        """Brings every resource of a group online, providers first.

        The shell's ``Start-ClusterGroup``.

        Args:
            name: The group's name.
            wait: How long to wait for it (default 30s; 0 returns at once).
        """
        records = self._call(
            "Start-ClusterGroup",
            {
                "Name": name,
                "Wait": milliseconds(wait),
            },
        )
        return ClusterGroupInfo._of(records[0])

    def stop_cluster_group(
        self,
        name: str,
        *,
        wait: Duration | None = None,
    ) -> ClusterGroupInfo:
        """Takes every resource of a group offline, dependents first.

        It interrupts service. The shell's ``Stop-ClusterGroup``.

        Args:
            name: The group's name.
            wait: How long to wait for it (default 30s; 0 returns at once).
        """
        records = self._call(
            "Stop-ClusterGroup",
            {
                "Name": name,
                "Wait": milliseconds(wait),
            },
        )
        return ClusterGroupInfo._of(records[0])

    def move_cluster_group(
        self,
        name: str,
        node: str | None = None,
        *,
        wait: Duration | None = None,
    ) -> ClusterGroupInfo:
        """Moves a group to another node: offline here in order, online there in order.

        Nothing of the move stays behind in the configuration, also when it fails.

        It interrupts service. The shell's ``Move-ClusterGroup``.

        Args:
            name: The group's name.
            node: The target; by default the best other node.
            wait: How long to wait for it (default 30s; 0 returns at once).
        """
        records = self._call(
            "Move-ClusterGroup",
            {
                "Name": name,
                "Node": node,
                "Wait": milliseconds(wait),
            },
        )
        return ClusterGroupInfo._of(records[0])

    def set_cluster_group(
        self,
        name: str,
        *,
        failover_threshold: int | None = None,
        failover_period: int | None = None,
        auto_failback_type: int | None = None,
        failback_window_start: int | None = None,
        failback_window_end: int | None = None,
        priority: int | None = None,
        anti_affinity_class_names: str | Iterable[str] = (),
        default_owner: str | None = None,
    ) -> ClusterGroupInfo:
        """Sets the failover and failback policy of a group.

        The shell's ``Set-ClusterGroup``.

        Args:
            name: The group's name.
            failover_threshold: Failovers allowed within FailoverPeriod; 4294967295 (default) is
                one less than the number of nodes.
            failover_period: Hours, 0 to 1193 (default 6).
            auto_failback_type: 1: goes back to a preferred owner when that returns (default 0).
            failback_window_start: The first hour of the local day, 0 to 23, in which it may fail
                back; 4294967295 takes the window away.
            failback_window_end: The hour at which the window ends.
            priority: 0 (not started by itself after its node was lost), 1000, 2000 (default) or
                3000.
            anti_affinity_class_names: Groups that share one of these keep apart; an empty name
                clears them.
            default_owner: The node that comes after the preferred owners; an empty name clears
                it.
        """
        records = self._call(
            "Set-ClusterGroup",
            {
                "Name": name,
                "FailoverThreshold": failover_threshold,
                "FailoverPeriod": failover_period,
                "AutoFailbackType": auto_failback_type,
                "FailbackWindowStart": failback_window_start,
                "FailbackWindowEnd": failback_window_end,
                "Priority": priority,
                "AntiAffinityClassNames": texts(anti_affinity_class_names),
                "DefaultOwner": default_owner,
            },
        )
        return ClusterGroupInfo._of(records[0])

    def add_cluster_resource(
        self,
        name: str,
        group: str | None = None,
        *,
        resource_type: str,
        parameters: str | Iterable[str] = (),
        depends_on: str | Iterable[str] = (),
        restart_threshold: int | None = None,
        restart_period: Duration | None = None,
        restart_delay: Duration | None = None,
    ) -> ClusterResourceInfo:
        """Adds a resource to a group; it starts offline.

        Get-ClusterResourceType lists the types with their properties; any OCF agent that is
        installed on the nodes is a type too: ocf:heartbeat:Filesystem. Private properties can be
        given at once with -Parameters as Name=Value, or later with Set-ClusterParameter. A
        Distributed Transaction Coordinator goes into the first group that has an address, a name
        and a disk, if none is named.

        The shell's ``Add-ClusterResource``.

        Args:
            name: The resource's name.
            group: The group.
            resource_type: The type.
            parameters: Private properties: Name=Value.
            depends_on: Resources it depends on.
            restart_threshold: Restarts allowed within RestartPeriod (default 3).
            restart_period: Milliseconds (default 900000).
            restart_delay: Milliseconds before a restart (default 500; 0 restarts at once).
        """
        records = self._call(
            "Add-ClusterResource",
            {
                "Name": name,
                "Group": group,
                "ResourceType": resource_type,
                "Parameters": texts(parameters),
                "DependsOn": texts(depends_on),
                "RestartThreshold": restart_threshold,
                "RestartPeriod": milliseconds(restart_period),
                "RestartDelay": milliseconds(restart_delay),
            },
        )
        return ClusterResourceInfo._of(records[0])

    def get_cluster_resource(
        self,
        name: str | None = None,
        *,
        group: str | None = None,
    ) -> list[ClusterResourceInfo]:
        """Shows the resources.

        The shell's ``Get-ClusterResource``.

        Args:
            name: A name or a pattern with * and ?.
            group: Only those of this group.
        """
        records = self._call(
            "Get-ClusterResource",
            {
                "Name": name,
                "Group": group,
            },
        )
        return [ClusterResourceInfo._of(record) for record in records]

    def remove_cluster_resource(
        self,
        name: str,
        *,
        force: bool = False,
    ) -> ClusterResourceInfo:
        """Deletes a resource and those that depend on it, after taking them offline.

        It destroys configuration or messages. The shell's ``Remove-ClusterResource``.

        Args:
            name: The resource's name.
            force: Do not ask.
        """
        records = self._call(
            "Remove-ClusterResource",
            {
                "Name": name,
                "Force": force,
            },
        )
        return ClusterResourceInfo._of(records[0])

    def move_cluster_resource(
        self,
        name: str,
        group: str,
    ) -> list[ClusterResourceInfo]:
        """Moves a resource to another group, with everything that is tied to it by dependencies.

        All of it must be offline. A message store never takes an owner of a lower epoch: where a
        disk comes into a group that was owned fewer times, that group must be offline too, and
        is owned anew.

        It interrupts service. The shell's ``Move-ClusterResource``.

        Args:
            name: The resource's name.
            group: The group it is to be in.
        """
        records = self._call(
            "Move-ClusterResource",
            {
                "Name": name,
                "Group": group,
            },
        )
        return [ClusterResourceInfo._of(record) for record in records]

    def add_cluster_generic_application_role(
        self,
        command_line: str,
        *,
        parameters: str | Iterable[str] = (),
        checkpoint_key: str | Iterable[str] = (),
        storage: str | Iterable[str] = (),
        static_address: str | None = None,
        name: str | None = None,
        wait: Duration | None = None,
    ) -> ClusterGroupInfo:
        """Makes a program highly available: a group with all it needs, online.

        With -StaticAddress the group has an IP Address and a Network Name of the role's name (a
        virtual server without queues); Message Queuing comes into it with Add-ClusterResource.
        It is made as one: a refusal leaves nothing behind.

        The shell's ``Add-ClusterGenericApplicationRole``.

        Args:
            command_line: The command with its arguments.
            parameters: More private properties of the resource: CurrentDirectory=/srv/app,
                UseNetworkName=1.
            checkpoint_key: Settings that are carried from node to node (Add-ClusterCheckpoint
                -SettingsKey).
            storage: Its disks: a Physical Disk that is offline, which moves into the group, or
                the path of a new one.
            static_address: The address at which clients find it.
            name: The role's name (default: the program's).
            wait: How long to wait for it (default 30s; 0 returns at once).
        """
        records = self._call(
            "Add-ClusterGenericApplicationRole",
            {
                "CommandLine": command_line,
                "Parameters": texts(parameters),
                "CheckpointKey": texts(checkpoint_key),
                "Storage": texts(storage),
                "StaticAddress": static_address,
                "Name": name,
                "Wait": milliseconds(wait),
            },
        )
        return ClusterGroupInfo._of(records[0])

    def add_cluster_generic_service_role(
        self,
        service_name: str,
        *,
        checkpoint_key: str | Iterable[str] = (),
        storage: str | Iterable[str] = (),
        static_address: str | None = None,
        name: str | None = None,
        wait: Duration | None = None,
    ) -> ClusterGroupInfo:
        """Makes a systemd service highly available: a group with all it needs, online.

        As Add-ClusterGenericApplicationRole. The service must not start at boot: the cluster
        starts it where the group is.

        The shell's ``Add-ClusterGenericServiceRole``.

        Args:
            service_name: The unit.
            checkpoint_key: Settings that are carried from node to node.
            storage: Its disks: a Physical Disk that is offline, which moves into the group, or
                the path of a new one.
            static_address: The address at which clients find it.
            name: The role's name (default: the service's).
            wait: How long to wait for it (default 30s; 0 returns at once).
        """
        records = self._call(
            "Add-ClusterGenericServiceRole",
            {
                "ServiceName": service_name,
                "CheckpointKey": texts(checkpoint_key),
                "Storage": texts(storage),
                "StaticAddress": static_address,
                "Name": name,
                "Wait": milliseconds(wait),
            },
        )
        return ClusterGroupInfo._of(records[0])

    def add_cluster_generic_script_role(
        self,
        script_file_path: str,
        *,
        storage: str | Iterable[str] = (),
        static_address: str | None = None,
        name: str | None = None,
        wait: Duration | None = None,
    ) -> ClusterGroupInfo:
        """Makes a program that is called with online, offline, looksalive, isalive and terminate
        highly available.

        As Add-ClusterGenericApplicationRole. The program must be on every node.

        The shell's ``Add-ClusterGenericScriptRole``.

        Args:
            script_file_path: The program.
            storage: Its disks: a Physical Disk that is offline, which moves into the group, or
                the path of a new one.
            static_address: The address at which clients find it.
            name: The role's name (default: the program's).
            wait: How long to wait for it (default 30s; 0 returns at once).
        """
        records = self._call(
            "Add-ClusterGenericScriptRole",
            {
                "ScriptFilePath": script_file_path,
                "Storage": texts(storage),
                "StaticAddress": static_address,
                "Name": name,
                "Wait": milliseconds(wait),
            },
        )
        return ClusterGroupInfo._of(records[0])

    def start_cluster_resource(
        self,
        name: str,
        *,
        wait: Duration | None = None,
    ) -> ClusterResourceInfo:
        """Brings a resource online, after the ones it depends on.

        The shell's ``Start-ClusterResource``.

        Args:
            name: The resource's name.
            wait: How long to wait for it (default 30s; 0 returns at once).
        """
        records = self._call(
            "Start-ClusterResource",
            {
                "Name": name,
                "Wait": milliseconds(wait),
            },
        )
        return ClusterResourceInfo._of(records[0])

    def stop_cluster_resource(
        self,
        name: str,
        *,
        wait: Duration | None = None,
    ) -> ClusterResourceInfo:
        """Takes a resource offline, after the ones that depend on it.

        It interrupts service. The shell's ``Stop-ClusterResource``.

        Args:
            name: The resource's name.
            wait: How long to wait for it (default 30s; 0 returns at once).
        """
        records = self._call(
            "Stop-ClusterResource",
            {
                "Name": name,
                "Wait": milliseconds(wait),
            },
        )
        return ClusterResourceInfo._of(records[0])

    def test_cluster_resource_failure(
        self,
        name: str,
    ) -> ClusterResourceInfo:
        """Makes a resource fail its health check, to rehearse what happens then.

        It interrupts service. The shell's ``Test-ClusterResourceFailure``.

        Args:
            name: The resource's name.
        """
        records = self._call(
            "Test-ClusterResourceFailure",
            {
                "Name": name,
            },
        )
        return ClusterResourceInfo._of(records[0])

    def suspend_cluster_resource(
        self,
        name: str,
    ) -> ClusterResourceInfo:
        """Puts a disk into maintenance: its health is not checked, and it stays online.

        What happens to it meanwhile is no failure; its dependents go on. Maintenance lasts until
        Resume-ClusterResource, also over a move.

        It interrupts service. The shell's ``Suspend-ClusterResource``.

        Args:
            name: The disk.
        """
        records = self._call(
            "Suspend-ClusterResource",
            {
                "Name": name,
            },
        )
        return ClusterResourceInfo._of(records[0])

    def resume_cluster_resource(
        self,
        name: str,
    ) -> ClusterResourceInfo:
        """Ends the maintenance of a disk: its health is checked again, at once.

        The shell's ``Resume-ClusterResource``.

        Args:
            name: The disk.
        """
        records = self._call(
            "Resume-ClusterResource",
            {
                "Name": name,
            },
        )
        return ClusterResourceInfo._of(records[0])

    def get_cluster_resource_type(
        self,
        name: str | None = None,
    ) -> list[ClusterResourceTypeInfo]:
        """Shows the types of resources with their properties.

        The shell's ``Get-ClusterResourceType``.

        Args:
            name: A name, a pattern with * and ?, or an OCF agent, whose own description is then
                shown.
        """
        records = self._call(
            "Get-ClusterResourceType",
            {
                "Name": name,
            },
        )
        return [ClusterResourceTypeInfo._of(record) for record in records]

    def set_cluster_resource(
        self,
        name: str,
        *,
        restart_action: int | None = None,
        restart_threshold: int | None = None,
        restart_period: Duration | None = None,
        restart_delay: Duration | None = None,
        retry_period_on_failure: Duration | None = None,
        pending_timeout: Duration | None = None,
        deadlock_timeout: Duration | None = None,
        looks_alive_poll_interval: Duration | None = None,
        is_alive_poll_interval: Duration | None = None,
    ) -> ClusterResourceInfo:
        """Sets the restart policy of a resource; it holds from the next failure or start on.

        The shell's ``Set-ClusterResource``.

        Args:
            name: The resource's name.
            restart_action: 0: stays failed; 1: is restarted, and never fails over; 2 (default):
                is restarted, then fails over.
            restart_threshold: Restarts allowed within RestartPeriod (default 3).
            restart_period: Default 15m.
            restart_delay: Before a restart (default 500ms).
            retry_period_on_failure: How long a resource rests before another try, at least
                RestartPeriod (default 1h; 4294967295 is never).
            pending_timeout: Between two signs of progress of an online or offline (default 3m,
                at least 10ms).
            deadlock_timeout: An entry point may take so long without an answer (default 5m, at
                least 1s).
            looks_alive_poll_interval: Between two cheap checks (4294967295, the default, is that
                of the type: 5s).
            is_alive_poll_interval: Between two thorough checks (4294967295, the default, is that
                of the type: 60s).
        """
        records = self._call(
            "Set-ClusterResource",
            {
                "Name": name,
                "RestartAction": restart_action,
                "RestartThreshold": restart_threshold,
                "RestartPeriod": milliseconds(restart_period),
                "RestartDelay": milliseconds(restart_delay),
                "RetryPeriodOnFailure": milliseconds(retry_period_on_failure),
                "PendingTimeout": milliseconds(pending_timeout),
                "DeadlockTimeout": milliseconds(deadlock_timeout),
                "LooksAlivePollInterval": milliseconds(looks_alive_poll_interval),
                "IsAlivePollInterval": milliseconds(is_alive_poll_interval),
            },
        )
        return ClusterResourceInfo._of(records[0])

    def add_cluster_resource_dependency(
        self,
        resource: str,
        provider: str,
    ) -> ClusterResourceDependencyInfo:
        """Makes a resource depend on another of its group.

        The shell's ``Add-ClusterResourceDependency``.

        Args:
            resource: The resource that needs the other.
            provider: The resource it needs.
        """
        records = self._call(
            "Add-ClusterResourceDependency",
            {
                "Resource": resource,
                "Provider": provider,
            },
        )
        return ClusterResourceDependencyInfo._of(records[0])

    def remove_cluster_resource_dependency(
        self,
        resource: str,
        provider: str,
    ) -> ClusterResourceDependencyInfo:
        """Ends a dependency of a resource; where it was one of alternatives the others stay.

        It interrupts service. The shell's ``Remove-ClusterResourceDependency``.

        Args:
            resource: The resource that needed the other.
            provider: The resource it needed.
        """
        records = self._call(
            "Remove-ClusterResourceDependency",
            {
                "Resource": resource,
                "Provider": provider,
            },
        )
        return ClusterResourceDependencyInfo._of(records[0])

    def set_cluster_resource_dependency(
        self,
        resource: str,
        dependency: str,
    ) -> ClusterResourceDependencyInfo:
        """Sets all that a resource depends on, as an expression of and, or and parentheses.

        Of alternatives (or) one is enough: the resource comes online with the first that is
        there, stays online as long as one is, and is restarted on another when what it was given
        goes (an address, a disk, a name). and beside or needs parentheses. An empty expression
        ends all dependencies.

        It interrupts service. The shell's ``Set-ClusterResourceDependency``.

        Args:
            resource: The resource.
            dependency: For example `([IP 1] or [IP 2]) and [Disk]`; empty ends all.
        """
        records = self._call(
            "Set-ClusterResourceDependency",
            {
                "Resource": resource,
                "Dependency": dependency,
            },
        )
        return ClusterResourceDependencyInfo._of(records[0])

    def get_cluster_resource_dependency(
        self,
        resource: str | None = None,
    ) -> list[ClusterResourceDependencyInfo]:
        """Shows what a resource depends on.

        The shell's ``Get-ClusterResourceDependency``.

        Args:
            resource: A name or a pattern with * and ?; by default all resources.
        """
        records = self._call(
            "Get-ClusterResourceDependency",
            {
                "Resource": resource,
            },
        )
        return [ClusterResourceDependencyInfo._of(record) for record in records]

    def get_cluster_resource_dependency_report(
        self,
        group: str | None = None,
        *,
        resource: str | None = None,
        path: str,
    ) -> ClusterResourceDependencyReportInfo:
        """Writes a page with a picture of what the resources of groups depend on.

        It needs nothing but itself: it opens from disk, without a network.

        The shell's ``Get-ClusterResourceDependencyReport``.

        Args:
            group: Only this group.
            resource: Only the group of this resource.
            path: The file.
        """
        records = self._call(
            "Get-ClusterResourceDependencyReport",
            {
                "Group": group,
                "Resource": resource,
                "Path": path,
            },
        )
        return ClusterResourceDependencyReportInfo._of(records[0])

    def add_cluster_checkpoint(
        self,
        resource_name: str,
        *,
        settings_key: str | None = None,
        file_path: str | None = None,
        crypto_checkpoint_name: str | None = None,
    ) -> ClusterCheckpointInfo:
        """Makes files or settings of the nodes follow a resource.

        They are captured within a second after each change while the resource is online, stored
        in the cluster database (the newest four versions, up to 960 KiB each), and put in place
        on the node where it comes online next, before it does. What was edited on a node that
        did not have the resource is kept beside it as NAME.kept-TIME, and told.

        The shell's ``Add-ClusterCheckpoint``.

        Args:
            resource_name: The resource.
            settings_key: A key of the nodes' settings, with all below it: the folder of this
                name in `settings` of a node's data folder.
            file_path: The absolute path of a file, or of a folder with all in it.
            crypto_checkpoint_name: Refused: there are no containers of keys here; give the file
                that holds the key as -FilePath.
        """
        records = self._call(
            "Add-ClusterCheckpoint",
            {
                "ResourceName": resource_name,
                "SettingsKey": settings_key,
                "FilePath": file_path,
                "CryptoCheckpointName": crypto_checkpoint_name,
            },
        )
        return ClusterCheckpointInfo._of(records[0])

    def get_cluster_checkpoint(
        self,
        resource_name: str | None = None,
        *,
        settings_key: str | None = None,
        file_path: str | None = None,
    ) -> list[ClusterCheckpointInfo]:
        """Shows the checkpoints of resources.

        The shell's ``Get-ClusterCheckpoint``.

        Args:
            resource_name: A resource, or a pattern with * and ?; by default all.
            settings_key: Only this settings key.
            file_path: Only this path.
        """
        records = self._call(
            "Get-ClusterCheckpoint",
            {
                "ResourceName": resource_name,
                "SettingsKey": settings_key,
                "FilePath": file_path,
            },
        )
        return [ClusterCheckpointInfo._of(record) for record in records]

    def remove_cluster_checkpoint(
        self,
        resource_name: str,
        *,
        settings_key: str | None = None,
        file_path: str | None = None,
    ) -> list[ClusterCheckpointInfo]:
        """Ends a checkpoint of a resource, or all of them; the files stay on the nodes as they are.

        It interrupts service. The shell's ``Remove-ClusterCheckpoint``.

        Args:
            resource_name: The resource.
            settings_key: Only this settings key.
            file_path: Only this path.
        """
        records = self._call(
            "Remove-ClusterCheckpoint",
            {
                "ResourceName": resource_name,
                "SettingsKey": settings_key,
                "FilePath": file_path,
            },
        )
        return [ClusterCheckpointInfo._of(record) for record in records]

    def get_cluster_node_setting(
        self,
        node: str,
        key: str,
    ) -> list[ClusterNodeSettingInfo]:
        """Shows the settings of a node under a key.

        The shell's ``Get-ClusterNodeSetting``.

        Args:
            node: The node.
            key: The key, for example `app/limits`.
        """
        records = self._call(
            "Get-ClusterNodeSetting",
            {
                "Node": node,
                "Key": key,
            },
        )
        return [ClusterNodeSettingInfo._of(record) for record in records]

    def set_cluster_node_setting(
        self,
        node: str,
        key: str,
        name: str,
        value: str | None = None,
        *,
        delete: bool = False,
    ) -> ClusterNodeSettingInfo:
        """Sets a value in the settings of a node, or removes it.

        Settings that follow a resource (Add-ClusterCheckpoint) are edited on the node that owns
        it; elsewhere the edit is refused with that node's name.

        The shell's ``Set-ClusterNodeSetting``.

        Args:
            node: The node.
            key: The key, for example `app/limits`.
            name: The value's name.
            value: Its value, up to 64 KiB.
            delete: Remove it.
        """
        records = self._call(
            "Set-ClusterNodeSetting",
            {
                "Node": node,
                "Key": key,
                "Name": name,
                "Value": value,
                "Delete": delete,
            },
        )
        return ClusterNodeSettingInfo._of(records[0])

    def get_cluster_parameter(
        self,
        resource: str,
        name: str | None = None,
    ) -> list[ClusterParameterInfo]:
        """Shows the private properties of a resource.

        The shell's ``Get-ClusterParameter``.

        Args:
            resource: The resource.
            name: One property; by default all.
        """
        records = self._call(
            "Get-ClusterParameter",
            {
                "Resource": resource,
                "Name": name,
            },
        )
        return [ClusterParameterInfo._of(record) for record in records]

    def set_cluster_parameter(
        self,
        resource: str,
        name: str,
        value: Any | None = None,
        *,
        delete: bool = False,
    ) -> ClusterParameterInfo:
        """Sets a private property of a resource; it takes effect the next time the resource comes
        online.

        The shell's ``Set-ClusterParameter``.

        Args:
            resource: The resource.
            name: The property.
            value: Its new value.
            delete: Take it back to its default.
        """
        records = self._call(
            "Set-ClusterParameter",
            {
                "Resource": resource,
                "Name": name,
                "Value": value,
                "Delete": delete,
            },
        )
        return ClusterParameterInfo._of(records[0])

    def get_cluster_owner_node(
        self,
        *,
        group: str | None = None,
        resource: str | None = None,
    ) -> list[ClusterOwnerNodeInfo]:
        """Shows the preferred owners of groups, or the possible owners of resources.

        The shell's ``Get-ClusterOwnerNode``.

        Args:
            group: A group.
            resource: A resource.
        """
        records = self._call(
            "Get-ClusterOwnerNode",
            {
                "Group": group,
                "Resource": resource,
            },
        )
        return [ClusterOwnerNodeInfo._of(record) for record in records]

    def set_cluster_owner_node(
        self,
        *,
        group: str | None = None,
        resource: str | None = None,
        owners: str | Iterable[str] = (),
    ) -> ClusterOwnerNodeInfo:
        """Sets the preferred owners of a group, or the possible owners of a resource.

        The shell's ``Set-ClusterOwnerNode``.

        Args:
            group: A group: the nodes are preferred, in order.
            resource: A resource: the nodes are the only ones that may own it.
            owners: The nodes.
        """
        records = self._call(
            "Set-ClusterOwnerNode",
            {
                "Group": group,
                "Resource": resource,
                "Owners": texts(owners),
            },
        )
        return ClusterOwnerNodeInfo._of(records[0])

    def install_msmq_feature(
        self,
        node: str | Iterable[str] = (),
        *,
        feature: str | Iterable[str] = (),
    ) -> list[MsmqFeatureInfo]:
        """Installs Message Queuing on a node of the cluster.

        Each node of the cluster needs it, with the same subcomponents, before an MSMQ resource
        can come online there. The cluster must exist before. The node's own queue manager is not
        started.

        The shell's ``Install-MsmqFeature``.

        Args:
            node: The nodes; by default all.
            feature: The subcomponents (default MSMQ-Server).
        """
        records = self._call(
            "Install-MsmqFeature",
            {
                "Node": texts(node),
                "Feature": texts(feature),
            },
        )
        return [MsmqFeatureInfo._of(record) for record in records]

    def uninstall_msmq_feature(
        self,
        node: str,
        *,
        force: bool = False,
    ) -> list[MsmqFeatureInfo]:
        """Removes Message Queuing from a node.

        Refused while an MSMQ resource could still come online there.

        It destroys configuration or messages. The shell's ``Uninstall-MsmqFeature``.

        Args:
            node: The node.
            force: Permanently delete the queues and messages of the node's own queue manager,
                without asking.
        """
        records = self._call(
            "Uninstall-MsmqFeature",
            {
                "Node": node,
                "Force": force,
            },
        )
        return [MsmqFeatureInfo._of(record) for record in records]

    def get_msmq_feature(
        self,
        node: str | None = None,
    ) -> list[MsmqFeatureInfo]:
        """Shows what of Message Queuing is installed where.

        The shell's ``Get-MsmqFeature``.

        Args:
            node: A node; by default all.
        """
        records = self._call(
            "Get-MsmqFeature",
            {
                "Node": node,
            },
        )
        return [MsmqFeatureInfo._of(record) for record in records]

    def get_msmq_service(
        self,
        node: str | None = None,
    ) -> list[MsmqServiceInfo]:
        """Shows the nodes' own queue managers.

        The shell's ``Get-MsmqService``.

        Args:
            node: A node, or a pattern with * and ?; by default all.
        """
        records = self._call(
            "Get-MsmqService",
            {
                "Node": node,
            },
        )
        return [MsmqServiceInfo._of(record) for record in records]

    def start_msmq_service(
        self,
        node: str,
    ) -> MsmqServiceInfo:
        """Starts the node's own queue manager.

        Its queues are those of the node (n1/private$/orders) and do not fail over. It is not
        started by itself when the node starts again; virtual servers come back without it. The
        address for messaging is the node's only one, else the setting BindInterfaceIP under
        MSMQ/Parameters, else one in a network that is for clients, else any; where the node has
        more than one, the cluster log tells which was chosen and why. MulticastBindIP is the
        same for multicast messages.

        The shell's ``Start-MsmqService``.

        Args:
            node: The node.
        """
        records = self._call(
            "Start-MsmqService",
            {
                "Node": node,
            },
        )
        return MsmqServiceInfo._of(records[0])

    def stop_msmq_service(
        self,
        node: str,
    ) -> MsmqServiceInfo:
        """Stops the node's own queue manager in order; its queues and messages stay.

        It interrupts service. The shell's ``Stop-MsmqService``.

        Args:
            node: The node.
        """
        records = self._call(
            "Stop-MsmqService",
            {
                "Node": node,
            },
        )
        return MsmqServiceInfo._of(records[0])

    def restart_msmq_service(
        self,
        node: str,
    ) -> MsmqServiceInfo:
        """Stops the node's own queue manager and starts it again, so that changed settings take
        effect.

        It interrupts service. The shell's ``Restart-MsmqService``.

        Args:
            node: The node.
        """
        records = self._call(
            "Restart-MsmqService",
            {
                "Node": node,
            },
        )
        return MsmqServiceInfo._of(records[0])

    def get_msmq_memory_pool(
        self,
        node: str | None = None,
    ) -> list[MsmqMemoryPoolInfo]:
        """Shows the pool of message memory of nodes: how many queue managers may work there at
        once.

        The shell's ``Get-MsmqMemoryPool``.

        Args:
            node: A node; by default all.
        """
        records = self._call(
            "Get-MsmqMemoryPool",
            {
                "Node": node,
            },
        )
        return [MsmqMemoryPoolInfo._of(record) for record in records]

    def set_msmq_memory_pool(
        self,
        node: str,
        megabytes: int,
    ) -> MsmqMemoryPoolInfo:
        """Sets the pool of message memory of a node: 4 MB for each queue manager that may work
        there.

        By default 12 MB, for three. A virtual server that comes to a node whose pool is full is
        refused there, and goes to the next node. Enlarge it on each node for the virtual servers
        that may meet.

        The shell's ``Set-MsmqMemoryPool``.

        Args:
            node: The node.
            megabytes: The size, from 4 MB on.
        """
        records = self._call(
            "Set-MsmqMemoryPool",
            {
                "Node": node,
                "Megabytes": megabytes,
            },
        )
        return MsmqMemoryPoolInfo._of(records[0])

    def get_cluster_network(
        self,
        name: str | None = None,
    ) -> list[ClusterNetworkInfo]:
        """Shows the networks of the cluster.

        A network is a subnet that nodes have interfaces in; nodes tell theirs by themselves.

        The shell's ``Get-ClusterNetwork``.

        Args:
            name: A name or a pattern with * and ?.
        """
        records = self._call(
            "Get-ClusterNetwork",
            {
                "Name": name,
            },
        )
        return [ClusterNetworkInfo._of(record) for record in records]

    def get_cluster_network_interface(
        self,
        *,
        network: str | None = None,
        node: str | None = None,
    ) -> list[ClusterNetworkInterfaceInfo]:
        """Shows the interfaces of the nodes, and whether they reach each other.

        The shell's ``Get-ClusterNetworkInterface``.

        Args:
            network: Only of this network.
            node: Only of this node.
        """
        records = self._call(
            "Get-ClusterNetworkInterface",
            {
                "Network": network,
                "Node": node,
            },
        )
        return [ClusterNetworkInterfaceInfo._of(record) for record in records]

    def set_cluster_network(
        self,
        name: str,
        *,
        role: int | None = None,
        new_name: str | None = None,
    ) -> ClusterNetworkInfo:
        """Changes what a network is for, or its name.

        It interrupts service. The shell's ``Set-ClusterNetwork``.

        Args:
            name: The network.
            role: 0: not used by the cluster; 1: heartbeats; 3: heartbeats and clients.
            new_name: Its new name.
        """
        records = self._call(
            "Set-ClusterNetwork",
            {
                "Name": name,
                "Role": role,
                "NewName": new_name,
            },
        )
        return ClusterNetworkInfo._of(records[0])

    def new_cluster_join_token(
        self,
        *,
        lifetime: Duration | None = None,
    ) -> ClusterJoinTokenInfo:
        """Makes a token by which one new host joins the cluster.

        On the new host: `hamq node join TOKEN -…`. The token holds the fingerprint of the
        cluster's authority, so that the host joins this cluster and no other, and a secret that
        can be used once. Whoever has it can become a node: pass it on as a password.

        The shell's ``New-ClusterJoinToken``.

        Args:
            lifetime: How long it can be used (default 1h, at most 7d).
        """
        records = self._call(
            "New-ClusterJoinToken",
            {
                "Lifetime": milliseconds(lifetime),
            },
        )
        return ClusterJoinTokenInfo._of(records[0])

    def new_cluster_client_certificate(
        self,
        name: str,
    ) -> ClusterClientCertificateInfo:
        """Makes a certificate by which a client on another machine gives commands to this cluster.

        Save the field Text as NAME.pem in the folder `clusters` of the client's state folder,
        readable by its user alone, and Connect-Cluster NAME there. Whoever has the file can do
        what an operator can.

        The shell's ``New-ClusterClientCertificate``.

        Args:
            name: Whose it is: letters, digits and hyphens.
        """
        records = self._call(
            "New-ClusterClientCertificate",
            {
                "Name": name,
            },
        )
        return ClusterClientCertificateInfo._of(records[0])

    def get_cluster_access(
        self,
        user: str | None = None,
    ) -> list[ClusterAccessInfo]:
        """Shows what clients may do, where something was said of it.

        A client is who comes from another machine with a certificate
        (New-ClusterClientCertificate). Of whom nothing was said may do everything. Whoever is on
        a node's own machine needs no certificate; its users are kept apart by the system.

        The shell's ``Get-ClusterAccess``.

        Args:
            user: A name or a pattern with * and ?.
        """
        records = self._call(
            "Get-ClusterAccess",
            {
                "User": user,
            },
        )
        return [ClusterAccessInfo._of(record) for record in records]

    def grant_cluster_access(
        self,
        user: str | Iterable[str] = (),
        *,
        full: bool = False,
        read_only: bool = False,
    ) -> list[ClusterAccessInfo]:
        """Gives clients a right at the cluster.

        It counts from the next command of the client on. Queues have access lists of their own
        (Set-MsmqQueueACL); there a client that may only look here is one user among others, and
        no administrator.

        It interrupts service. The shell's ``Grant-ClusterAccess``.

        Args:
            user: The clients.
            full: They may do everything (the default).
            read_only: They may only look.
        """
        records = self._call(
            "Grant-ClusterAccess",
            {
                "User": texts(user),
                "Full": full,
                "ReadOnly": read_only,
            },
        )
        return [ClusterAccessInfo._of(record) for record in records]

    def block_cluster_access(
        self,
        user: str | Iterable[str] = (),
    ) -> list[ClusterAccessInfo]:
        """Blocks clients: their certificates are worth nothing any more.

        Their connections to queue managers end within a second, and no new one is let in.

        It interrupts service. The shell's ``Block-ClusterAccess``.

        Args:
            user: The clients.
        """
        records = self._call(
            "Block-ClusterAccess",
            {
                "User": texts(user),
            },
        )
        return [ClusterAccessInfo._of(record) for record in records]

    def remove_cluster_access(
        self,
        user: str | Iterable[str] = (),
    ) -> list[ClusterAccessInfo]:
        """Forgets what was said of clients: their certificates allow everything again.

        It interrupts service. The shell's ``Remove-ClusterAccess``.

        Args:
            user: The clients.
        """
        records = self._call(
            "Remove-ClusterAccess",
            {
                "User": texts(user),
            },
        )
        return [ClusterAccessInfo._of(record) for record in records]

    def get_cluster_log(
        self,
        *,
        node: str | Iterable[str] = (),
        time_span: Duration | None = None,
        group: str | None = None,
        destination: str | None = None,
    ) -> list[ClusterLogInfo]:
        """Shows the cluster log of all nodes on one time line.

        The shell's ``Get-ClusterLog``.

        Args:
            node: Only these nodes.
            time_span: Only the last so much.
            group: Only lines about this group.
            destination: Write the lines, in the classic format, into this file as well.
        """
        records = self._call(
            "Get-ClusterLog",
            {
                "Node": texts(node),
                "TimeSpan": milliseconds(time_span),
                "Group": group,
                "Destination": destination,
            },
        )
        return [ClusterLogInfo._of(record) for record in records]

    def set_cluster_log(
        self,
        size: int | None = None,
        level: int | None = None,
    ) -> ClusterLogSettingInfo:
        """Sets how much each node keeps of its cluster log, and what it writes into it; without a
        parameter it shows that.

        The shell's ``Set-ClusterLog``.

        Args:
            size: Megabytes (default 16).
            level: 0: nothing; 1: errors; 2: and warnings; 3: and what happens (the default); 4
                and 5: everything.
        """
        records = self._call(
            "Set-ClusterLog",
            {
                "Size": size,
                "Level": level,
            },
        )
        return ClusterLogSettingInfo._of(records[0])

    def get_cluster_why(
        self,
        name: str,
        *,
        last: int | None = None,
        replay: bool = False,
        if_node_dies: str | None = None,
    ) -> list[ClusterWhyInfo]:
        """Explains a group or resource: why it is here, why it is not started, what happens if a
        node dies now.

        The last decisions come first in time; then where it stands: `is here` or `is nowhere`,
        `not started` for each resource that is not online, `not chosen` for each node that
        cannot take it. With -Replay each stored decision is made again on what it was made on:
        `same plan`, or `OTHER PLAN`, which is a fault of HAMQ or a decision of another version.

        The shell's ``Get-ClusterWhy``.

        Args:
            name: A group or resource.
            last: How many of the last decisions (default 20).
            replay: Instead: make the stored decisions again, and say whether they come out the
                same.
            if_node_dies: Instead: what would happen if this node died now.
        """
        records = self._call(
            "Get-ClusterWhy",
            {
                "Name": name,
                "Last": last,
                "Replay": replay,
                "IfNodeDies": if_node_dies,
            },
        )
        return [ClusterWhyInfo._of(record) for record in records]

    def get_cluster_diagnostic_info(
        self,
        write_to_path: str,
        *,
        time_span: Duration | None = None,
        include_validation: bool = False,
    ) -> list[ClusterDiagnosticInfo]:
        """Collects what is needed to understand a cluster from outside: configuration, states,
        causes, counters, logs of all nodes.

        It reads and changes nothing; no message, key or password is in it. What does not answer
        is told in its row, and the rest is collected all the same.

        The shell's ``Get-ClusterDiagnosticInfo``.

        Args:
            write_to_path: A folder that does not exist yet, or is empty.
            time_span: Only the last so much of the logs.
            include_validation: Run the checks of Test-Cluster as well.
        """
        records = self._call(
            "Get-ClusterDiagnosticInfo",
            {
                "WriteToPath": write_to_path,
                "TimeSpan": milliseconds(time_span),
                "IncludeValidation": include_validation,
            },
        )
        return [ClusterDiagnosticInfo._of(record) for record in records]

    def test_cluster(
        self,
        node: str | Iterable[str] = (),
        *,
        include: str | Iterable[str] = (),
        exclude: str | Iterable[str] = (),
        report_path: str | None = None,
    ) -> list[ClusterValidationInfo]:
        """Checks the cluster: configuration, nodes, networks, storage and systems.

        Nothing is interrupted or changed: on storage a temporary file is written and removed. A
        disk is tried by its owner alone. The last record sums up; the shell's exit code is 3
        when something failed.

        The shell's ``Test-Cluster``.

        Args:
            node: Ask only these nodes what they are made of.
            include: Only these categories and checks; patterns are allowed.
            exclude: Not these.
            report_path: Write a report into this file, which ends with .html or .json.
        """
        records = self._call(
            "Test-Cluster",
            {
                "Node": texts(node),
                "Include": texts(include),
                "Exclude": texts(exclude),
                "ReportPath": report_path,
            },
        )
        return [ClusterValidationInfo._of(record) for record in records]

    def new_msmq_message(
        self,
        body: bytes | str | None = None,
        *,
        label: str | None = None,
        priority: int | None = None,
        express: bool = False,
        recoverable: bool = False,
        journaling: bool = False,
        authenticated: bool = False,
        correlation_id: str | None = None,
        app_specific: int | None = None,
        body_type: int | None = None,
        acknowledge_type: str | None = None,
        admin_queue_path: str | None = None,
        response_queue_path: str | None = None,
        time_to_reach_queue: Duration | None = None,
        time_to_be_received: Duration | None = None,
        extension: bytes | str | None = None,
    ) -> MsmqMessageObjectInfo:
        """Makes a message, to be sent with Send-MsmqQueue -MessageObject.

        The shell's ``New-MsmqMessage``.

        Args:
            body: The content, up to 1 GiB.
            label: A free text, up to 249 characters.
            priority: 0 to 7 (default 3).
            express: Keep it in memory only: it is lost at a restart or failover.
            recoverable: Keep it on disk: the default.
            journaling: Keep a copy in the journal of the sender's computer.
            authenticated: Sign it. No queue manager can do that without a directory yet, so it
                is refused when it is sent.
            correlation_id: The id of the message this one answers.
            app_specific: A number for the application.
            body_type: The VARTYPE of the content: 8 for text in UTF-16, 8209 for bytes.
            acknowledge_type: Which acknowledgements -AdminQueuePath gets.
            admin_queue_path: The queue for acknowledgements; it must not be transactional.
            response_queue_path: The queue for answers.
            time_to_reach_queue: How long it may take to reach its queue, in whole seconds
                (default: for ever).
            time_to_be_received: How long it may be received, in whole seconds (default: for
                ever).
            extension: More bytes of the application.
        """
        records = self._call(
            "New-MsmqMessage",
            {
                "Body": body,
                "Label": label,
                "Priority": priority,
                "Express": express,
                "Recoverable": recoverable,
                "Journaling": journaling,
                "Authenticated": authenticated,
                "CorrelationId": correlation_id,
                "AppSpecific": app_specific,
                "BodyType": body_type,
                "AcknowledgeType": acknowledge_type,
                "AdminQueuePath": admin_queue_path,
                "ResponseQueuePath": response_queue_path,
                "TimeToReachQueue": milliseconds(time_to_reach_queue),
                "TimeToBeReceived": milliseconds(time_to_be_received),
                "Extension": extension,
            },
        )
        return MsmqMessageObjectInfo._of(records[0])

    def send_msmq_queue(
        self,
        name: str,
        body: bytes | str | None = None,
        *,
        message_object: Any | None = None,
        body_file: str | None = None,
        label: str | None = None,
        priority: int | None = None,
        express: bool = False,
        recoverable: bool = False,
        correlation_id: str | None = None,
        app_specific: int | None = None,
        body_type: int | None = None,
        acknowledge_type: str | None = None,
        admin_queue_path: str | None = None,
        response_queue_path: str | None = None,
        dead_letter_queue: str | None = None,
        journaling: bool = False,
        dead_letter: bool = False,
        time_to_reach_queue: Duration | None = None,
        time_to_be_received: Duration | None = None,
        delay: Duration | None = None,
        idempotency_key: bytes | str | None = None,
        extension: bytes | str | None = None,
        trace: bool = False,
        transactional: bool = False,
        use_transaction: bool = False,
        soap_header: str | None = None,
        soap_body: str | None = None,
        authenticated: bool = False,
        connector_type: str | None = None,
        class_: int | None = None,
        privacy_level: str | None = None,
        encryption_algorithm: str | None = None,
        symmetric_key: bytes | str | None = None,
        signature: bytes | str | None = None,
        hash_algorithm: str | None = None,
        sender_certificate: bytes | str | None = None,
        provider_type: int | None = None,
        provider_name: str | None = None,
        sender_id_type: str | None = None,
    ) -> MsmqSentMessageInfo:
        """Sends a message; it is on disk when the command returns, unless -Express is given.

        To a transactional queue it is sent as a transaction of its own. From the pipeline it
        takes a content, or a message: then its label, priority and what else it says to its
        receiver as well.

        The shell's ``Send-MsmqQueue``.

        Args:
            name: The queue's path name or direct format name.
            body: The content, up to 1 GiB.
            message_object: A message (New-MsmqMessage, or one that was received): what is not
                said here is taken from it.
            body_file: A file with the content, up to 1 GiB.
            label: A free text, up to 249 characters.
            priority: 0 to 7 (default 3).
            express: Keep it in memory only: it is lost at a restart or failover.
            recoverable: Keep it on disk: the default.
            correlation_id: The id of the message this one answers.
            app_specific: A number for the application.
            body_type: The VARTYPE of the content: 8 for text in UTF-16, 8209 for bytes.
            acknowledge_type: Which acknowledgements -AdminQueuePath gets.
            admin_queue_path: The queue for acknowledgements; it must not be transactional.
            response_queue_path: The queue for answers.
            dead_letter_queue: The sender's own queue for what cannot be delivered (default: the
                system's dead-letter queue).
            journaling: Keep a copy in the journal of the sender's computer.
            dead_letter: Keep it as a dead letter when it cannot be delivered (default true).
            time_to_reach_queue: How long it may take to reach its queue, in whole seconds
                (default: for ever).
            time_to_be_received: How long from now it may be received, in whole seconds (default:
                for ever).
            delay: Not to be received before so much time has passed.
            idempotency_key: A second message with the same key in the queue's window is the same
                message.
            extension: More bytes of the application.
            trace: Send reports on its route.
            transactional: Send it as a transaction of its own. A transactional queue needs no
                such word; another one refuses it.
            use_transaction: Take part in the transaction of this session (Start-Transaction).
            soap_header: More of the SOAP header.
            soap_body: More of the SOAP body.
            authenticated: Sign it. No queue manager can do that without a directory yet, so it
                is refused.
            connector_type: The GUID of a connector: an application that says with it that it has
                itself protected the message.
            class_: What an acknowledgement or a dead letter says, if a connector sends it
                (MQMSG_CLASS_*).
            privacy_level: How a connector has encrypted the content.
            encryption_algorithm: The algorithm of that.
            symmetric_key: The encrypted key of that.
            signature: A connector's signature.
            hash_algorithm: The algorithm of the signature's hash.
            sender_certificate: The certificate (X.509, DER) of the signature.
            provider_type: The type of the cryptographic provider.
            provider_name: The name of the cryptographic provider.
            sender_id_type: What the sender is called by.
        """
        records = self._call(
            "Send-MsmqQueue",
            {
                "Name": name,
                "Body": body,
                "MessageObject": message_object,
                "BodyFile": body_file,
                "Label": label,
                "Priority": priority,
                "Express": express,
                "Recoverable": recoverable,
                "CorrelationId": correlation_id,
                "AppSpecific": app_specific,
                "BodyType": body_type,
                "AcknowledgeType": acknowledge_type,
                "AdminQueuePath": admin_queue_path,
                "ResponseQueuePath": response_queue_path,
                "DeadLetterQueue": dead_letter_queue,
                "Journaling": journaling,
                "DeadLetter": dead_letter,
                "TimeToReachQueue": milliseconds(time_to_reach_queue),
                "TimeToBeReceived": milliseconds(time_to_be_received),
                "Delay": milliseconds(delay),
                "IdempotencyKey": idempotency_key,
                "Extension": extension,
                "Trace": trace,
                "Transactional": transactional,
                "UseTransaction": use_transaction,
                "SoapHeader": soap_header,
                "SoapBody": soap_body,
                "Authenticated": authenticated,
                "ConnectorType": connector_type,
                "Class": class_,
                "PrivacyLevel": privacy_level,
                "EncryptionAlgorithm": encryption_algorithm,
                "SymmetricKey": symmetric_key,
                "Signature": signature,
                "HashAlgorithm": hash_algorithm,
                "SenderCertificate": sender_certificate,
                "ProviderType": provider_type,
                "ProviderName": provider_name,
                "SenderIdType": sender_id_type,
            },
        )
        return MsmqSentMessageInfo._of(records[0])

    def receive_msmq_queue(
        self,
        name: str,
        *,
        timeout: Duration | None = None,
        peek: bool = False,
        count: int | None = None,
        lookup_id: int | None = None,
        next: bool = False,
        previous: bool = False,
        first: bool = False,
        last: bool = False,
        correlation_id: str | None = None,
        id: str | None = None,
        lease: Duration | None = None,
        transactional: bool = False,
        use_transaction: bool = False,
        retrieve_body: bool = False,
        out_file: str | None = None,
    ) -> list[MsmqMessageInfo]:
        """Receives a message, or looks at it with -Peek.

        With -Lease the message is only hidden: Complete-MsmqMessage deletes it, Undo-MsmqMessage
        gives it back, and when neither comes in time it is back by itself.

        The shell's ``Receive-MsmqQueue``.

        Args:
            name: The queue's path name, also of a subqueue, a journal or a system queue.
            timeout: How long to wait for one (default 0: fail at once when there is none).
            peek: Leave it in the queue.
            count: How many at most (default 1); the wait is for the first.
            lookup_id: The message at this place; with -Next or -Previous the one behind or
                before it.
            next: The one behind -LookupId.
            previous: The one before -LookupId.
            first: The first one: the default.
            last: The last one.
            correlation_id: The first one with this correlation id.
            id: The one with this id.
            lease: Hide it for so long instead of deleting it.
            transactional: Take it in a transaction of its own. A transactional queue needs no
                such word; another one refuses it.
            use_transaction: Take part in the transaction of this session (Start-Transaction).
            retrieve_body: With -Peek: read contents above 4 MiB too, which else stay in the
                queue.
            out_file: Write the content to this file; the message leaves the queue when the file
                is on disk.
        """
        records = self._call(
            "Receive-MsmqQueue",
            {
                "Name": name,
                "Timeout": milliseconds(timeout),
                "Peek": peek,
                "Count": count,
                "LookupId": lookup_id,
                "Next": next,
                "Previous": previous,
                "First": first,
                "Last": last,
                "CorrelationId": correlation_id,
                "Id": id,
                "Lease": milliseconds(lease),
                "Transactional": transactional,
                "UseTransaction": use_transaction,
                "RetrieveBody": retrieve_body,
                "OutFile": out_file,
            },
        )
        return [MsmqMessageInfo._of(record) for record in records]

    def get_msmq_message(
        self,
        name: str,
        *,
        count: int | None = None,
        after: int | None = None,
        delayed: bool = False,
    ) -> list[MsmqMessageInfo]:
        """Looks at messages without disturbing them; no messages are no error.

        The shell's ``Get-MsmqMessage``.

        Args:
            name: The queue's path name.
            count: How many at most (default 100).
            after: Only those behind this place.
            delayed: Those that are not due yet, instead of those that can be received.
        """
        records = self._call(
            "Get-MsmqMessage",
            {
                "Name": name,
                "Count": count,
                "After": after,
                "Delayed": delayed,
            },
        )
        return [MsmqMessageInfo._of(record) for record in records]

    def move_msmq_message(
        self,
        queue: str,
        lookup_id: int,
        destination_queue: str,
        *,
        transactional: bool = False,
        use_transaction: bool = False,
    ) -> MsmqSettledMessageInfo:
        """Moves a message between a queue and its subqueues; it keeps its id.

        The shell's ``Move-MsmqMessage``.

        Args:
            queue: The path name of the queue it is in.
            lookup_id: Its place there.
            destination_queue: The path name of the subqueue, or of the queue it is to go back
                to.
            transactional: Move it in a transaction of its own. A transactional queue needs no
                such word; another one refuses it.
            use_transaction: Take part in the transaction of this session (Start-Transaction).
        """
        records = self._call(
            "Move-MsmqMessage",
            {
                "Queue": queue,
                "LookupId": lookup_id,
                "DestinationQueue": destination_queue,
                "Transactional": transactional,
                "UseTransaction": use_transaction,
            },
        )
        return MsmqSettledMessageInfo._of(records[0])

    def complete_msmq_message(
        self,
        queue: str,
        lease_id: str,
    ) -> MsmqSettledMessageInfo:
        """Deletes a message that was received with a lease: it was dealt with.

        The shell's ``Complete-MsmqMessage``.

        Args:
            queue: The queue's path name.
            lease_id: The lease, as Receive-MsmqQueue shows it.
        """
        records = self._call(
            "Complete-MsmqMessage",
            {
                "Queue": queue,
                "LeaseId": lease_id,
            },
        )
        return MsmqSettledMessageInfo._of(records[0])

    def undo_msmq_message(
        self,
        queue: str,
        lease_id: str,
    ) -> MsmqSettledMessageInfo:
        """Gives a message that was received with a lease back to its queue; that counts as an
        aborted receive.

        The shell's ``Undo-MsmqMessage``.

        Args:
            queue: The queue's path name.
            lease_id: The lease, as Receive-MsmqQueue shows it.
        """
        records = self._call(
            "Undo-MsmqMessage",
            {
                "Queue": queue,
                "LeaseId": lease_id,
            },
        )
        return MsmqSettledMessageInfo._of(records[0])

    def deny_msmq_message(
        self,
        queue: str,
        lease_id: str,
    ) -> MsmqSettledMessageInfo:
        """Makes a message that was received with a lease a dead letter.

        The shell's ``Deny-MsmqMessage``.

        Args:
            queue: The queue's path name.
            lease_id: The lease, as Receive-MsmqQueue shows it.
        """
        records = self._call(
            "Deny-MsmqMessage",
            {
                "Queue": queue,
                "LeaseId": lease_id,
            },
        )
        return MsmqSettledMessageInfo._of(records[0])

    def update_msmq_message(
        self,
        queue: str,
        lease_id: str,
        lease: Duration,
    ) -> MsmqSettledMessageInfo:
        """Extends the lease of a message, from now on.

        The shell's ``Update-MsmqMessage``.

        Args:
            queue: The queue's path name.
            lease_id: The lease, as Receive-MsmqQueue shows it.
            lease: How long it lasts from now on.
        """
        records = self._call(
            "Update-MsmqMessage",
            {
                "Queue": queue,
                "LeaseId": lease_id,
                "Lease": milliseconds(lease),
            },
        )
        return MsmqSettledMessageInfo._of(records[0])

    def test_msmq_store(
        self,
        path: str,
    ) -> MsmqStoreInfo:
        """Reads a message store that nobody serves, and says whether it is sound and what is in it.

        Only on the machine that has the disk; nothing is written, nothing taken over.

        The shell's ``Test-MsmqStore``.

        Args:
            path: The store's folder: `msmq/storage` on the disk of a virtual server.
        """
        records = self._call(
            "Test-MsmqStore",
            {
                "Path": path,
            },
        )
        return MsmqStoreInfo._of(records[0])

    def repair_msmq_store(
        self,
        path: str,
        destination: str,
    ) -> MsmqRepairedStoreInfo:
        """Writes a new store with everything that is intact in a damaged one, which is only read.

        The shell's ``Repair-MsmqStore``.

        Args:
            path: The damaged store's folder.
            destination: An empty or new folder elsewhere.
        """
        records = self._call(
            "Repair-MsmqStore",
            {
                "Path": path,
                "Destination": destination,
            },
        )
        return MsmqRepairedStoreInfo._of(records[0])

    def start_transaction(
        self,
    ) -> TransactionInfo:
        """Begins a transaction over queues of one virtual server.

        Send-, Receive- and Move-MsmqMessage take part in it with -UseTransaction. Nobody else
        sees what was sent, and what was received is held back, until Complete-Transaction;
        Undo-Transaction, and the end of this session, put everything back.

        The shell's ``Start-Transaction``.
        """
        records = self._call(
            "Start-Transaction",
            {},
        )
        return TransactionInfo._of(records[0])

    def get_transaction(
        self,
    ) -> TransactionInfo:
        """Shows the transaction of this session.

        The shell's ``Get-Transaction``.
        """
        records = self._call(
            "Get-Transaction",
            {},
        )
        return TransactionInfo._of(records[0])

    def complete_transaction(
        self,
    ) -> TransactionInfo:
        """Commits the transaction of this session: all of it is done now.

        The shell's ``Complete-Transaction``.
        """
        records = self._call(
            "Complete-Transaction",
            {},
        )
        return TransactionInfo._of(records[0])

    def undo_transaction(
        self,
    ) -> TransactionInfo:
        """Aborts the transaction of this session: nothing of it has happened.

        The shell's ``Undo-Transaction``.
        """
        records = self._call(
            "Undo-Transaction",
            {},
        )
        return TransactionInfo._of(records[0])

    def start_drill_workload(
        self,
        queue: str,
        messages: str,
        *,
        senders: int | None = None,
        consumers: int | None = None,
        rate: int | None = None,
        seed: int | None = None,
    ) -> DrillWorkloadInfo:
        """Puts a load on a transactional queue: senders and a consumer in this process, every
        message accounted for.

        The input is read from a file: JSON lines, CSV (each row becomes a JSON object) or plain
        lines. Each sender sends its share over and over, in order, one message at a time.

        The shell's ``Start-DrillWorkload``.

        Args:
            queue: The queue's path name.
            messages: The input file.
            senders: Senders (default 4).
            consumers: Consumers (default 1); with more than one, order is not checked.
            rate: Messages a second of each sender (default 250; 0 is as fast as it goes).
            seed: Where in the input each sender starts.
        """
        records = self._call(
            "Start-DrillWorkload",
            {
                "Queue": queue,
                "Messages": messages,
                "Senders": senders,
                "Consumers": consumers,
                "Rate": rate,
                "Seed": seed,
            },
        )
        return DrillWorkloadInfo._of(records[0])

    def get_drill_workload(
        self,
    ) -> DrillWorkloadInfo:
        """Shows how far the load is.

        The shell's ``Get-DrillWorkload``.
        """
        records = self._call(
            "Get-DrillWorkload",
            {},
        )
        return DrillWorkloadInfo._of(records[0])

    def stop_drill_workload(
        self,
        *,
        timeout: Duration | None = None,
    ) -> DrillVerdictInfo:
        """Ends the load, receives what is left in the queue and gives the verdict.

        The shell's ``Stop-DrillWorkload``.

        Args:
            timeout: How long to wait for the queue to run empty (default 60s).
        """
        records = self._call(
            "Stop-DrillWorkload",
            {
                "Timeout": milliseconds(timeout),
            },
        )
        return DrillVerdictInfo._of(records[0])

    def invoke_fault(
        self,
        kind: str,
        group: str,
        *,
        duration: Duration | None = None,
    ) -> DrillFaultInfo:
        """Makes a fault on the node that owns a group, on a leash that undoes it by itself.

        Kill: SIGKILL to its agent and queue manager. KillQueueManager: to the queue manager
        alone. Freeze: SIGSTOP to both. DiskFull: takes all room of the group's disk, where it is
        a file system of its own. SlowDisk: keeps that disk busy with synced writes. Move: moves
        the group to the best other node, without waiting. Undo (or Thaw): ends the faults on
        that group's leashes now. Restart: starts every node that is down.

        Freeze, DiskFull and SlowDisk end by themselves after -Duration, and when this client
        ends, however it ends: a process beside the fault sees to that. CutOff and ClockStep are
        refused with the reason: nodes on one machine share its network and its clock.
        Get-DrillPlan, or -WhatIf, says beforehand what a fault would hit.

        It interrupts service. The shell's ``Invoke-Fault``.

        Args:
            kind: The fault.
            group: The group whose owner is hit.
            duration: How long it lasts at most (default 30s). A killed node of a detached
                cluster is started again after it; by default it stays dead.
        """
        records = self._call(
            "Invoke-Fault",
            {
                "Kind": kind,
                "Group": group,
                "Duration": milliseconds(duration),
            },
        )
        return DrillFaultInfo._of(records[0])

    def measure_drill_fault(
        self,
        *,
        timeout: Duration | None = None,
    ) -> list[DrillPhaseInfo]:
        """Waits until the load gets through again after the last fault, and shows every step on the
        way.

        The shell's ``Measure-DrillFault``.

        Args:
            timeout: How long to wait (default 60s).
        """
        records = self._call(
            "Measure-DrillFault",
            {
                "Timeout": milliseconds(timeout),
            },
        )
        return [DrillPhaseInfo._of(record) for record in records]

    def get_drill_plan(
        self,
        group: str,
        fault: str | Iterable[str] = (),
    ) -> list[DrillPlanInfo]:
        """Says what faults would hit, before anything is hit.

        The shell's ``Get-DrillPlan``.

        Args:
            group: The group whose owner would be hit.
            fault: The faults (default: those of Start-Drill).
        """
        records = self._call(
            "Get-DrillPlan",
            {
                "Group": group,
                "Fault": texts(fault),
            },
        )
        return [DrillPlanInfo._of(record) for record in records]

    def start_drill(
        self,
        group: str | None = None,
        fault: str | Iterable[str] = (),
        *,
        queue: str | None = None,
        messages: str | None = None,
        senders: int | None = None,
        consumers: int | None = None,
        rate: int | None = None,
        seed: int | None = None,
        duration: Duration | None = None,
        timeout: Duration | None = None,
        max_outage: Duration | None = None,
        report: str | Iterable[str] = (),
        compare_with: str | None = None,
        throwaway: bool = False,
        force: bool = False,
    ) -> DrillInfo:
        """Rehearses failures of a group under load, and judges what became of every message.

        A load runs on a queue of the group's virtual server; each fault strikes its owner at a
        moment that follows from the seed; then the cluster is made whole again. Without -Queue
        it makes a transactional queue and removes it; a queue of your own must be transactional
        and empty, and a message of anybody else in it ends the drill untouched. Ctrl-C, a fault
        that is not survived and the end of this client undo everything.

        -Throwaway makes a cluster of three nodes for it and removes it afterwards. The kind of a
        report follows from the file's ending: .txt, .json, .xml (JUnit) or .html (one page with
        its pictures inside).

        It destroys configuration or messages. The shell's ``Start-Drill``.

        Args:
            group: The group whose owners are hit.
            fault: The faults in order (default Kill,Freeze,KillQueueManager,Move).
            queue: The queue to use.
            messages: The file of messages; by default they are made up.
            senders: Senders (default 4).
            consumers: Consumers (default 1); with more than one, order is not checked.
            rate: Messages a second of each sender (default 100; 0 is as fast as it goes).
            seed: When each fault strikes, and where in the messages each sender starts (default
                1).
            duration: How long DiskFull and SlowDisk last, and Freeze at most (default 5s).
            timeout: How long the group may take to serve again (default 60s).
            max_outage: The longest outage that passes; by default any that ends in time.
            report: Files for the report.
            compare_with: An earlier report (.json) to compare with.
            throwaway: Use a cluster made for this drill.
            force: Do not ask.
        """
        records = self._call(
            "Start-Drill",
            {
                "Group": group,
                "Fault": texts(fault),
                "Queue": queue,
                "Messages": messages,
                "Senders": senders,
                "Consumers": consumers,
                "Rate": rate,
                "Seed": seed,
                "Duration": milliseconds(duration),
                "Timeout": milliseconds(timeout),
                "MaxOutage": milliseconds(max_outage),
                "Report": texts(report),
                "CompareWith": compare_with,
                "Throwaway": throwaway,
                "Force": force,
            },
        )
        return DrillInfo._of(records[0])

    def export_drill_report(
        self,
        path: str | Iterable[str] = (),
        *,
        from_: str | None = None,
    ) -> DrillInfo:
        """Writes the report of the last drill, or of one kept as JSON.

        The shell's ``Export-DrillReport``.

        Args:
            path: The files; their endings tell the kind: .txt, .json, .xml (JUnit) or .html.
            from_: The JSON report to start from (default: the last drill of this session).
        """
        records = self._call(
            "Export-DrillReport",
            {
                "Path": texts(path),
                "From": from_,
            },
        )
        return DrillInfo._of(records[0])

    def compare_drill(
        self,
        reference: str,
        difference: str | None = None,
    ) -> list[DrillDifferenceInfo]:
        """Compares two drills by their JSON reports.

        The shell's ``Compare-Drill``.

        Args:
            reference: The earlier report.
            difference: The later one (default: the last drill of this session).
        """
        records = self._call(
            "Compare-Drill",
            {
                "Reference": reference,
                "Difference": difference,
            },
        )
        return [DrillDifferenceInfo._of(record) for record in records]

    def assert_no_loss(
        self,
    ) -> DrillVerdictInfo:
        """Fails unless every acknowledged message of the last load was received.

        The shell's ``Assert-NoLoss``.
        """
        records = self._call(
            "Assert-NoLoss",
            {},
        )
        return DrillVerdictInfo._of(records[0])

    def assert_no_duplicate(
        self,
    ) -> DrillVerdictInfo:
        """Fails if one message of the load came more than once.

        The shell's ``Assert-NoDuplicate``.
        """
        records = self._call(
            "Assert-NoDuplicate",
            {},
        )
        return DrillVerdictInfo._of(records[0])

    def assert_in_order(
        self,
    ) -> DrillVerdictInfo:
        """Fails if one message of the load came behind a later one of the same sender.

        The shell's ``Assert-InOrder``.
        """
        records = self._call(
            "Assert-InOrder",
            {},
        )
        return DrillVerdictInfo._of(records[0])

    def wait_cluster_group(
        self,
        name: str,
        *,
        state: str | None = None,
        node: str | None = None,
        timeout: Duration | None = None,
    ) -> ClusterGroupInfo:
        """Waits until a group is in a state, or on a node.

        The shell's ``Wait-ClusterGroup``.

        Args:
            name: The group's name.
            state: The state (default Online).
            node: The node that shall own it.
            timeout: How long to wait (default 60s).
        """
        records = self._call(
            "Wait-ClusterGroup",
            {
                "Name": name,
                "State": state,
                "Node": node,
                "Timeout": milliseconds(timeout),
            },
        )
        return ClusterGroupInfo._of(records[0])


__all__ = [
    "ClearedClusterNodeInfo",
    "ClusterAccessInfo",
    "ClusterBackupInfo",
    "ClusterCheckpointInfo",
    "ClusterClientCertificateInfo",
    "ClusterDiagnosticInfo",
    "ClusterGroupInfo",
    "ClusterInfo",
    "ClusterJoinTokenInfo",
    "ClusterLogInfo",
    "ClusterLogSettingInfo",
    "ClusterNetworkInfo",
    "ClusterNetworkInterfaceInfo",
    "ClusterNodeInfo",
    "ClusterNodeSettingInfo",
    "ClusterOwnerNodeInfo",
    "ClusterParameterInfo",
    "ClusterPolicyInfo",
    "ClusterQuorumInfo",
    "ClusterResourceDependencyInfo",
    "ClusterResourceDependencyReportInfo",
    "ClusterResourceInfo",
    "ClusterResourceTypeInfo",
    "ClusterValidationInfo",
    "ClusterWhyInfo",
    "DrillDifferenceInfo",
    "DrillFaultInfo",
    "DrillInfo",
    "DrillPhaseInfo",
    "DrillPlanInfo",
    "DrillVerdictInfo",
    "DrillWorkloadInfo",
    "MsmqAccessInfo",
    "MsmqCounterInfo",
    "MsmqFeatureInfo",
    "MsmqMemoryPoolInfo",
    "MsmqMessageInfo",
    "MsmqMessageObjectInfo",
    "MsmqMessageTraceInfo",
    "MsmqPreparedTransactionInfo",
    "MsmqQueueInfo",
    "MsmqQueueManagerInfo",
    "MsmqRepairedStoreInfo",
    "MsmqSentMessageInfo",
    "MsmqServiceInfo",
    "MsmqSettledMessageInfo",
    "MsmqStoreInfo",
    "TransactionInfo",
]

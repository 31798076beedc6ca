//! Commands on what the certificates of clients allow.

use super::spec::{command, record};

record! {
    /// What a client may do at the cluster.
    ClusterAccessInfo as "ClusterAccess", columns ["User", "Access"], {
        /// The client: the name that its certificate was made for.
        user "User": String,
        /// `Full`; `ReadOnly`: what changes nothing; `Blocked`: nothing.
        access "Access": String,
    }
}

command! {
    /// Shows what clients may do, where something was said of it.
    ///
    /// A client is who comes from another machine with a certificate (New-ClusterClientCertificate). Of whom nothing was said
    /// may do everything. Whoever is on a node's own machine needs no certificate; its users are kept apart by the system.
    GetClusterAccess = "Get-ClusterAccess" => Vec<ClusterAccessInfo>, at Agent, risk None, aliases [],
    {
        /// A name or a pattern with * and ?.
        user "User": Option<String>, position 0;
    }
    examples { "Get-ClusterAccess" => "Who may only look, and who is blocked." }
}

command! {
    /// Gives clients a right at the cluster.
    ///
    /// It counts from the next command of the client on. Queues have access lists of their own (Set-MsmqQueueACL); there a client that may
    /// only look here is one user among others, and no administrator.
    GrantClusterAccess = "Grant-ClusterAccess" => Vec<ClusterAccessInfo>, at Agent, risk Medium, aliases [],
    {
        /// The clients.
        users "User": Vec<String>, position 0;
        /// They may do everything (the default).
        full "Full": bool;
        /// They may only look.
        read_only "ReadOnly": bool;
    }
    examples { "Grant-ClusterAccess alice -ReadOnly" => "alice may look at everything and change nothing." }
}

command! {
    /// Blocks clients: their certificates are worth nothing any more.
    ///
    /// Their connections to queue managers end within a second, and no new one is let in.
    BlockClusterAccess = "Block-ClusterAccess" => Vec<ClusterAccessInfo>, at Agent, risk Medium, aliases [],
    {
        /// The clients.
        users "User": Vec<String>, position 0;
    }
    examples { "Block-ClusterAccess mallory" => "A laptop was stolen: the certificate on it opens nothing now." }
}

command! {
    /// Forgets what was said of clients: their certificates allow everything again.
    RemoveClusterAccess = "Remove-ClusterAccess" => Vec<ClusterAccessInfo>, at Agent, risk Medium, aliases [],
    {
        /// The clients.
        users "User": Vec<String>, position 0;
    }
    examples { "Remove-ClusterAccess alice" => "alice may do everything again." }
}

//! The commands.

use crate::api::spec::{command, record};
use crate::api::value::{Millis, Time};

record! {
    /// A permission for one host to join the cluster.
    JoinTokenInfo as "ClusterJoinToken", columns ["Token", "Expires"], {
        /// What `hamq node join` is given. It is shown once, here.
        token "Token": String,
        /// Until when it can be used.
        expires "Expires": Time,
    }
}

record! {
    /// A certificate by which a client on another machine proves itself.
    ClientCertificateInfo as "ClusterClientCertificate", columns ["Name", "Cluster"], {
        /// Whose it is.
        name "Name": String,
        /// The cluster that believes it.
        cluster "Cluster": String,
        /// The file: certificate, private key and the cluster's authority.
        text "Text": String,
    }
}

command! {
    /// Makes a token by which one new host joins the cluster.
    ///
    /// On the new host: `hamq node join TOKEN -…`. The token holds the fingerprint of the cluster's authority, so that the
    /// host joins this cluster and no other, and a secret that can be used once. Whoever has it can become a node: pass it
    /// on as a password.
    NewClusterJoinToken = "New-ClusterJoinToken" => JoinTokenInfo, at Agent, risk Low, aliases [],
    {
        /// How long it can be used (default 1h, at most 7d).
        lifetime "Lifetime": Option<Millis>;
    }
    examples { "New-ClusterJoinToken" => "A token for the next hour." }
}

command! {
    /// Makes a certificate by which a client on another machine gives commands to this cluster.
    ///
    /// Save the field Text as NAME.pem in the folder `clusters` of the client's state folder, readable by its user alone,
    /// and Connect-Cluster NAME there. Whoever has the file can do what an operator can.
    NewClusterClientCertificate = "New-ClusterClientCertificate" => ClientCertificateInfo, at Agent, risk Low, aliases [],
    {
        /// Whose it is: letters, digits and hyphens.
        name "Name": String, position 0;
    }
    examples { "New-ClusterClientCertificate alice" => "A certificate for alice." }
}

//! Certificates and passwords.

use std::path::Path;

use super::super::protobuf::Writer;
use super::*;

/// An authority, and a certificate for members and for us.
fn certificates(folder: &Path, addresses: &[String]) -> Certificates {
    use rcgen::{
        BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    };
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = authority.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(addresses.to_vec()).unwrap();
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    let certificate = params.signed_by(&key, &issuer).unwrap();
    Certificates {
        ca: write("ca.pem", ca.pem()),
        certificate: write("certificate.pem", certificate.pem()),
        key: write("key.pem", key.serialize_pem()),
    }
}

#[tokio::test]
#[ignore = "needs etcd: tests/run etcd"]
async fn on_etcd_tls_proves_both_sides() {
    let mut made = None;
    let members = Members::with(1, |folder, addresses| {
        made = Some(certificates(folder, addresses));
        made.clone()
    });
    let made = made.unwrap();
    let plain = members.location("p");
    let [ca, certificate, key] =
        [&made.ca, &made.certificate, &made.key].map(|path| path.display().to_string());
    let proven = open(&format!("{plain}?ca={ca}&cert={certificate}&key={key}"));
    insist(&proven, "a", "1").await;
    assert_eq!(value(&proven, "a").await.unwrap(), "1");

    let other = tempfile::tempdir().unwrap();
    let stranger = certificates(other.path(), &[members.address(0)]);
    let [other_ca, other_certificate, other_key] =
        [&stranger.ca, &stranger.certificate, &stranger.key].map(|p| p.display().to_string());
    for (what, location) in [
        ("without TLS", plain.clone()),
        ("without a certificate", format!("{plain}?ca={ca}")),
        (
            "of another authority",
            format!("{plain}?ca={ca}&cert={other_certificate}&key={other_key}"),
        ),
        (
            "members not proven",
            format!("{plain}?ca={other_ca}&cert={certificate}&key={key}"),
        ),
    ] {
        let database = open(&location);
        let refused = tokio::time::timeout(PATIENCE, database.read(""))
            .await
            .unwrap();
        assert_eq!(refused.unwrap_err().kind, ErrorKind::Timeout, "{what}");
    }
}

/// Calls that an administrator makes.
async fn administer(database: &EtcdDatabase, path: &'static str, request: Writer) {
    let request = request.finish();
    let session = Arc::clone(&database.session);
    let call = database.ask(move |_| async move {
        let fit = |_| client::Verdict::Fit(());
        let client = &session.client;
        client
            .call(path, client::CALL_MAX, || request.clone(), fit)
            .await
    });
    call.await.unwrap();
}

#[tokio::test]
#[ignore = "needs etcd: tests/run etcd"]
async fn on_etcd_a_user_proves_itself_again_when_its_token_is_old() {
    let members = Members::start(3);
    let plain = members.location("p");
    let open_to_all = open(&plain);
    let text = |field, value: &str| Writer::default().bytes(field, value.as_bytes());
    administer(
        &open_to_all,
        "/etcdserverpb.Auth/UserAdd",
        text(1, "root").bytes(2, b"s3cret"),
    )
    .await;
    administer(&open_to_all, "/etcdserverpb.Auth/RoleAdd", text(1, "root")).await;
    let grant = text(1, "root").bytes(2, b"root");
    administer(&open_to_all, "/etcdserverpb.Auth/UserGrantRole", grant).await;
    administer(
        &open_to_all,
        "/etcdserverpb.Auth/AuthEnable",
        Writer::default(),
    )
    .await;

    let (good, bad) = (members.folder().join("good"), members.folder().join("bad"));
    std::fs::write(&good, "s3cret\n").unwrap();
    std::fs::write(&bad, "guess").unwrap();
    let with = |file: &Path| {
        open(&format!(
            "{plain}?user=root&password-file={}",
            file.display()
        ))
    };
    let database = with(&good);
    insist(&database, "a", "1").await;
    let mut watch = database.watch();

    // Every change of the users makes all tokens old.
    administer(
        &database,
        "/etcdserverpb.Auth/UserAdd",
        text(1, "other").bytes(2, b"x"),
    )
    .await;
    assert_eq!(value(&database, "a").await.unwrap(), "1");
    heard(&mut watch, insist(&database, "a", "2").await).await;

    for (what, database) in [("no user", open(&plain)), ("a wrong password", with(&bad))] {
        let error = database.read("").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::AccessDenied, "{what}: {error}");
    }
}

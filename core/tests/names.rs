//! Names of every form: written and read again, in any case, from any text; and what is no name.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::net::SocketAddrV4;

use hamq_core::ErrorKind;
use hamq_core::name::format_name::{
    Address, DirectName, IpxAddress, MulticastAddress, Use, Visibility,
};
use hamq_core::name::{
    Computer, FormatName, LocalName, MultiElement, PathName, QueueName, QueuePath, SubqueueName,
    SystemQueue,
};
use proptest::prelude::*;
use uuid::Uuid;

const GUID: &str = "9c6b4e61-1c4b-4a36-9cb0-2b8f4a1f6d10";

fn queue_name() -> impl Strategy<Value = QueueName> {
    // Every character that is allowed, at every length.
    "[!#-*\\-.0-:<-\\[\\]-~]{1,124}"
        .prop_filter_map("reserved", |text| QueueName::parse(&text).ok())
}

fn subqueue_name() -> impl Strategy<Value = SubqueueName> {
    "[!#-*\\-.0-:<-\\[\\]-~]{1,32}"
        .prop_filter_map("reserved", |text| SubqueueName::parse(&text).ok())
}

fn system_queue() -> impl Strategy<Value = SystemQueue> {
    proptest::sample::select(SystemQueue::ALL.to_vec())
}

fn local_name() -> impl Strategy<Value = LocalName> {
    prop_oneof![
        queue_name().prop_map(LocalName::from),
        queue_name().prop_map(|queue| LocalName::journal_of(&queue)),
        (queue_name(), subqueue_name()).prop_map(|(q, sub)| LocalName::subqueue_of(&q, &sub)),
        system_queue().prop_map(LocalName::system),
    ]
}

fn computer() -> impl Strategy<Value = Computer> {
    let any_visible = "[!#-+\\-.0-:<>-\\[\\]-~]{1,256}";
    prop_oneof![
        Just(Computer::parse(".").unwrap()),
        any_visible.prop_filter_map("a prefix", |text| Computer::parse(&text).ok()),
        "[a-zA-Z0-9-]{1,15}".prop_map(|text| Computer::parse(&text).unwrap()),
    ]
}

fn address() -> impl Strategy<Value = Address> {
    let web = (
        "[a-zA-Z0-9._-]{2,40}|\\[fe80::7\\]",
        any::<bool>(),
        1..=u16::MAX,
    )
        .prop_map(|(host, secure, port)| {
            let scheme = if secure { "HTTPS" } else { "HTTP" };
            let text = format!("{scheme}://{host}:{port}/msmq/q");
            DirectName::parse(&text).unwrap().address().clone()
        });
    prop_oneof![
        any::<std::net::IpAddr>().prop_map(Address::Tcp),
        computer().prop_map(Address::Os),
        web,
        any::<(u32, [u8; 6])>()
            .prop_map(|(network, node)| Address::Spx(IpxAddress { network, node })),
    ]
}

fn direct_name() -> impl Strategy<Value = DirectName> {
    (address(), any::<bool>(), local_name()).prop_filter_map(
        "a public queue called private$",
        |(address, public, local)| {
            let visibility = if public {
                Visibility::Public
            } else {
                Visibility::Private
            };
            (!public || local.key() != "private$")
                .then(|| DirectName::new(address, visibility, local))
        },
    )
}

fn guid() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

fn format_name() -> impl Strategy<Value = FormatName> {
    let private = (guid(), any::<u32>(), any::<bool>());
    let group = (0xe000_0000_u32..=0xefff_ffff, any::<u16>());
    let domain = proptest::option::of("[!-+\\--~]{1,255}");
    prop_oneof![
        direct_name().prop_map(FormatName::Direct),
        (guid(), any::<bool>()).prop_map(|(queue, journal)| FormatName::Public { queue, journal }),
        private.prop_map(|(manager, number, journal)| FormatName::Private {
            manager,
            number,
            journal
        }),
        (guid(), system_queue())
            .prop_map(|(manager, queue)| FormatName::Machine { manager, queue }),
        (guid(), any::<bool>()).prop_map(|(site, transactional)| FormatName::Connector {
            site,
            transactional
        }),
        (guid(), domain).prop_map(|(list, domain)| {
            let domain = domain.map_or(String::new(), |domain| format!("@{domain}"));
            FormatName::parse(&format!("DL={list}{domain}")).unwrap()
        }),
        group.prop_map(|(ip, port)| {
            let address = SocketAddrV4::new(ip.into(), port);
            FormatName::Multicast(MulticastAddress::new(address).unwrap())
        }),
    ]
}

/// The text with upper and lower case letters at random.
fn respelled(text: &str, mut coins: u64) -> String {
    let flip = |c: char| {
        coins = coins.rotate_left(1);
        if coins & 1 == 0 {
            c.to_ascii_uppercase()
        } else {
            c.to_ascii_lowercase()
        }
    };
    text.chars().map(flip).collect()
}

proptest! {
    #[test]
    fn a_local_name_is_read_as_it_was_written(name in local_name(), coins: u64) {
        let text = name.to_string();
        prop_assert_eq!(LocalName::parse(&text).unwrap().to_string(), text.as_str());
        let other = LocalName::parse(&respelled(&text, coins)).unwrap();
        prop_assert_eq!(other.key(), name.key());
        prop_assert_eq!(other, name);
    }

    #[test]
    fn a_path_name_is_read_as_it_was_written(
        computer in computer(),
        local in local_name(),
        coins: u64,
    ) {
        let path = QueuePath::on(computer, local);
        let text = path.to_string();
        let read = QueuePath::parse(&text).unwrap();
        prop_assert_eq!(read.to_string(), text.as_str());
        prop_assert_eq!(&read, &path);
        prop_assert_eq!(&QueuePath::parse(&respelled(&text, coins)).unwrap(), &path);
        prop_assert_eq!(&QueuePath::parse(&text.replace('\\', "/")).unwrap(), &path);
        let name = path.format_name().to_string();
        prop_assert_eq!(&FormatName::parse(&name).unwrap(), &path.format_name());
        prop_assert_eq!(&QueuePath::parse(&name).unwrap(), &path);
    }

    #[test]
    fn a_format_name_is_read_as_it_was_written(name in format_name(), coins: u64) {
        let text = name.to_string();
        let read = FormatName::parse(&text).unwrap();
        prop_assert_eq!(read.to_string(), text.as_str());
        prop_assert_eq!(&read, &name);
        prop_assert_eq!(&FormatName::parse(&respelled(&text, coins)).unwrap(), &name);
        prop_assert_eq!(&FormatName::parse(&format!("formatname:{text}")).unwrap(), &name);
        if let FormatName::Direct(direct) = &name {
            prop_assert_eq!(&DirectName::parse(&direct.to_string()).unwrap(), direct);
        }
    }

    #[test]
    fn a_list_is_read_as_it_was_written_without_repetitions(
        names in proptest::collection::vec(format_name(), 1..6),
        coins: u64,
    ) {
        let text = names.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let list = MultiElement::parse(&text).unwrap();
        let twice = MultiElement::parse(&format!("{text},{}", respelled(&text, coins))).unwrap();
        prop_assert_eq!(&list, &twice);
        prop_assert_eq!(&MultiElement::parse(&list.to_string()).unwrap(), &list);
        prop_assert!(names.iter().all(|name| list.elements().contains(name)));
    }

    #[test]
    fn any_text_is_a_name_or_an_error_that_says_what_to_do(
        text in "\\PC{0,40}|[DIRECTOSdlpva=:;,/\\\\$.@\\[\\]0-9]{0,40}",
    ) {
        let errors = [
            QueueName::parse(&text).err(),
            LocalName::parse(&text).err(),
            PathName::parse(&text).err(),
            DirectName::parse(&text).err(),
            FormatName::parse(&text).err(),
            MultiElement::parse(&text).err(),
        ];
        for error in errors.into_iter().flatten() {
            prop_assert!(error.hint.is_some(), "{}", error.message);
        }
    }
}

#[test]
fn each_form_is_written_in_one_way() {
    for (text, canonical) in [
        ("direct=os:VS1/Private$/Q", "DIRECT=OS:VS1\\private$\\Q"),
        ("DIRECT=OS:.\\q;journal", "DIRECT=OS:.\\q;JOURNAL"),
        (
            "DIRECT=OS:h\\SYSTEM$;deadxact",
            "DIRECT=OS:h\\system$;DEADXACT",
        ),
        ("DIRECT=TCP:[FE80::1]\\q;Sub", "DIRECT=TCP:fe80::1\\q;Sub"),
        (
            "DIRECT=http:\\\\Host:80\\MSMQ\\PRIVATE$\\q",
            "DIRECT=HTTP://Host/msmq/private$/q",
        ),
        (
            "DIRECT=HTTPS://[::0001]:80/msmq/q",
            "DIRECT=HTTPS://[::1]:80/msmq/q",
        ),
        (
            "DIRECT=IPX:00000012.00A0234F7500\\q",
            "DIRECT=SPX:00000012:00a0234f7500\\q",
        ),
        ("net.msmq://VS1/private/q", "DIRECT=OS:VS1\\private$\\q"),
        ("Multicast=234.1.1.1:0080", "MULTICAST=234.1.1.1:80"),
    ] {
        assert_eq!(FormatName::parse(text).unwrap().to_string(), canonical);
    }
    let private = FormatName::parse(&format!("PRIVATE={}/f;Journal", GUID.to_uppercase()));
    let canonical = format!("PRIVATE={GUID}\\0000000f;JOURNAL");
    assert_eq!(private.unwrap().to_string(), canonical);
}

/// Text, what its error must say, and what its hint must say.
fn assert_refused(table: &[(&str, &str, &str)]) {
    for (text, message, hint) in table {
        let text = text.replace("GUID", GUID);
        let error = MultiElement::parse(&text).unwrap_err();
        assert_eq!(error.kind, ErrorKind::IllegalFormatName, "{text}");
        assert!(error.message.contains(message), "{text}: {}", error.message);
        let advice = error.hint.unwrap();
        assert!(advice.contains(hint), "{text}: {advice}");
    }
}

#[test]
fn what_begins_wrong_is_refused_with_the_part_that_is_off() {
    assert_refused(&[
        ("", "empty", "DIRECT="),
        (
            "VS1\\private$\\q",
            "no '='",
            "write DIRECT=OS:VS1\\private$\\q",
        ),
        ("PUBLC=GUID", "\"PUBLC\" is no kind", "PUBLIC="),
        ("WHATEVER=1", "\"WHATEVER\"", "MULTICAST="),
        ("DIRECT=OS:a\\q,", "comma (at character 15)", "comma"),
        ("DIRECT=OS:a\\q,DL=x", "(at character 18)", "GUID"),
        ("DIRECT=q", "protocol is missing", "DIRECT=OS:"),
        ("DIRECT=UDP:h\\q", "\"UDP\" is no protocol", "TCP"),
        ("DIRECT=HTPS://h/msmq/q", "\"HTPS\" is no protocol", "HTTP"),
        ("net.msmq://h/private/", "1 to 124", "private$"),
    ]);
}

#[test]
fn a_direct_name_is_refused_with_the_part_that_is_off() {
    assert_refused(&[
        ("DIRECT=OS:h", "queue is missing (at character 11)", "queue"),
        ("DIRECT=OS:\\q", "computer's name has", "DIRECT=OS:"),
        (
            "DIRECT=OS:h\\private$",
            "queue's name is missing",
            "DIRECT=",
        ),
        ("DIRECT=OS:h\\x\\q", "only private$", "private$"),
        (
            "DIRECT=OS:h\\q;DEADXACT",
            "belongs to a computer",
            "system$;DEADXACT",
        ),
        ("DIRECT=OS:h\\q;XACTONLY", "connector", "CONNECTOR="),
        ("DIRECT=OS:h\\q;", "1 to 32", "DIRECT="),
        ("DIRECT=OS:h\\q;a;b", "';' (at character 16)", "DIRECT="),
        ("DIRECT=OS:h\\system$;x", "no such queue", ";DEADLETTER"),
        (
            "DIRECT=OS:h\\private$\\system$",
            "own queues",
            "system$;JOURNAL",
        ),
        (
            "DIRECT=OS:h\\private$\\q\\Journal$",
            "of a path name",
            ";JOURNAL",
        ),
        ("DIRECT=TCP:h\\q", "\"h\" is no IP address", "OS:"),
        ("DIRECT=TCP:10.0.0.7:1801\\q", "has a port", "TCP:10.0.0.7 "),
        ("DIRECT=HTTP:h/msmq/q", "// is missing", "HTTP://host"),
        ("DIRECT=HTTP://h/q", "not /msmq", "HTTP://host/msmq"),
        (
            "DIRECT=HTTP://h",
            "/msmq and the queue are missing",
            "/msmq/",
        ),
        ("DIRECT=HTTP://h/msmq", "queue is missing", "/msmq/"),
        ("DIRECT=HTTP://h:0/msmq/q", "port 0", "HTTP://host"),
        (
            "DIRECT=HTTP://h:x/msmq/q",
            "port is no number",
            "HTTP://host",
        ),
        (
            "DIRECT=HTTP://[::1/msmq/q",
            "] of the address",
            "HTTP://host",
        ),
        ("DIRECT=HTTP://[::1]x/msmq/q", "only a port", "HTTP://host"),
        ("DIRECT=HTTP://u@h/msmq/q", "'@'", "DIRECT="),
        ("DIRECT=HTTP://./msmq/q", "no host is called .", "localhost"),
        ("DIRECT=SPX:12345678\\q", "node is missing", "DIRECT="),
        (
            "DIRECT=SPX:1:0123456789ab\\q",
            "network is not 8",
            "DIRECT=",
        ),
        ("DIRECT=SPX:12345678:01\\q", "node is not 12", "DIRECT="),
    ]);
}

#[test]
fn a_name_by_guid_or_group_is_refused_with_the_part_that_is_off() {
    assert_refused(&[
        ("PUBLIC={GUID}", "8-4-4-4-12", "without braces"),
        ("PUBLIC=12", "8-4-4-4-12", "looks like"),
        ("PUBLIC=GUID;retry", "only ;JOURNAL", "DIRECT=OS:"),
        ("PRIVATE=GUID", "number is missing", "PRIVATE=GUID\\NUMBER"),
        ("PRIVATE=GUID\\123456789", "1 to 8 hexadecimal", "DIRECT="),
        ("PRIVATE=GUID\\+1", "1 to 8 hexadecimal", "DIRECT="),
        ("PRIVATE=GUID\\1;DEADXACT", "only ;JOURNAL", "DIRECT=OS:"),
        ("MACHINE=GUID", "suffix is missing", ";DEADXACT"),
        ("MACHINE=GUID;XACTONLY", "no such queue", ";JOURNAL"),
        ("CONNECTOR=GUID;JOURNAL", "only ;XACTONLY", ";XACTONLY"),
        ("DL=GUID;JOURNAL", "no suffix", "DL=GUID@DOMAIN"),
        ("DL=GUID@", "1 to 255", "DIRECT="),
        ("MULTICAST=234.1.1.1", "port is missing", "234.1.1.1:8001"),
        ("MULTICAST=234.1.1.1:65536", "65535", "234.1.1.1:8001"),
        ("MULTICAST=234.1.1.1:+1", "65535", "234.1.1.1:8001"),
        (
            "MULTICAST=240.0.0.1:80",
            "239.255.255.255",
            "234.1.1.1:8001",
        ),
        ("MULTICAST=[ff02::1]:80", "no IPv4", "234.1.1.1:8001"),
    ]);
}

#[test]
fn too_many_elements_and_too_long_a_text_are_refused() {
    let many: Vec<String> = (0..1001).map(|n| format!("DIRECT=OS:h\\q{n}")).collect();
    let error = MultiElement::parse(&many.join(",")).unwrap_err();
    assert!(error.message.contains("more than 1000 elements"));
    assert!(MultiElement::parse(&many[1..].join(",")).is_ok());
    let error = QueuePath::parse(&"x".repeat(1 << 20)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::IllegalQueuePathName);
    assert!(error.message.len() < 300);
}

#[test]
fn each_form_allows_what_the_table_says_and_nothing_else() {
    use Use::{Move, Purge, Receive, Send};
    let table: &[(&str, &[Use])] = &[
        ("DIRECT=OS:h\\private$\\q", &Use::ALL),
        ("DIRECT=TCP:10.0.0.7\\q", &Use::ALL),
        ("DIRECT=OS:h\\q;JOURNAL", &[Receive, Purge]),
        ("DIRECT=OS:h\\system$;DEADLETTER", &[Receive, Purge]),
        ("DIRECT=OS:h\\private$\\q;retry", &[Receive, Move, Purge]),
        ("DIRECT=HTTP://h/msmq/q", &[Send]),
        ("DIRECT=HTTPS://h/msmq/q", &[Send]),
        ("DIRECT=HTTP://h/msmq/q;JOURNAL", &[]),
        ("DIRECT=HTTP://h/msmq/q;retry", &[]),
        ("DIRECT=SPX:12345678:0123456789ab\\q", &[]),
        ("PUBLIC=GUID", &Use::ALL),
        ("PUBLIC=GUID;JOURNAL", &[Receive, Purge]),
        ("PRIVATE=GUID\\1", &Use::ALL),
        ("PRIVATE=GUID\\1;JOURNAL", &[Receive, Purge]),
        ("MACHINE=GUID;DEADXACT", &[Receive, Purge]),
        ("CONNECTOR=GUID", &[Receive, Purge]),
        ("CONNECTOR=GUID;XACTONLY", &[Receive, Purge]),
        ("DL=GUID", &[Send]),
        ("MULTICAST=234.1.1.1:80", &[Send]),
        ("DIRECT=OS:h\\q,DL=GUID", &[Send]),
        ("DIRECT=OS:h\\q,MACHINE=GUID;JOURNAL", &[]),
    ];
    for (text, allowed) in table {
        let name = MultiElement::parse(&text.replace("GUID", GUID)).unwrap();
        for usage in Use::ALL {
            let verdict = name.check(usage);
            assert_eq!(
                verdict.is_ok(),
                allowed.contains(&usage),
                "{text} {usage:?}"
            );
            if let Err(error) = verdict {
                assert_eq!(error.kind, ErrorKind::UnsupportedFormatNameOperation);
                assert!(error.message.contains("cannot be") && error.hint.is_some());
            }
        }
    }
}

#[test]
fn a_name_that_cannot_be_used_so_says_why() {
    for (text, usage, why) in [
        ("DIRECT=HTTP://h/msmq/q", Use::Receive, "sent over HTTP"),
        ("DIRECT=SPX:12345678:0123456789ab\\q", Use::Send, "SPX"),
        ("DIRECT=OS:h\\q;retry", Use::Send, "only by moving"),
        ("DIRECT=OS:h\\q;JOURNAL", Use::Send, "queue manager itself"),
        ("DIRECT=OS:h\\q,DIRECT=OS:h\\r", Use::Receive, "several"),
        ("MULTICAST=234.1.1.1:80", Use::Receive, "many queues"),
    ] {
        let error = MultiElement::parse(text).unwrap().check(usage).unwrap_err();
        assert!(error.message.contains(why), "{}", error.message);
    }
}

#[test]
fn a_format_name_that_is_no_path_is_refused_where_a_path_is_asked() {
    for text in [
        "DIRECT=HTTP://h/msmq/private$/q",
        "FORMATNAME:MULTICAST=234.1.1.1:80",
        "DIRECT=OS:h\\Journal$",
    ] {
        let error = QueuePath::parse(text).unwrap_err();
        assert_eq!(error.kind, ErrorKind::UnsupportedFormatNameOperation);
        assert!(error.message.contains("no path name"), "{}", error.message);
    }
}

//! Words for how a message is signed and encrypted, with the numbers of MS-MQMQ, and the properties themselves.
//!
//! A queue manager neither signs nor encrypts, and verifies nothing: certificates are registered in a directory, which
//! there is none of yet. So it refuses what only claims to be protected, and passes on what a *connector* (an application
//! that says so with -ConnectorType) has protected itself.

use uuid::Uuid;

use super::message::SendMsmqQueue;
use super::value::Body;
use crate::error::{Error, ErrorKind, Result};
use crate::queue::message::Security;

/// Words and numbers.
type Words = [(&'static str, u32)];

/// Words of -PrivacyLevel (PROPID_M_PRIV_LEVEL).
pub(super) const PRIVACY_WORDS: [&str; 4] = ["None", "Body", "BodyEnhanced", "BodyAes"];
/// Words of -HashAlgorithm (ALG_ID).
pub(super) const HASH_WORDS: [&str; 4] = ["MD5", "SHA1", "SHA256", "SHA512"];
/// Words of -EncryptionAlgorithm (ALG_ID).
pub(super) const CIPHER_WORDS: [&str; 5] = ["RC2", "RC4", "AES128", "AES192", "AES256"];
/// Words of -SenderIdType (PROPID_M_SENDERID_TYPE).
pub(super) const SENDER_WORDS: [&str; 3] = ["None", "Sid", "QueueManager"];

const PRIVACY: [(&str, u32); 4] = numbered(PRIVACY_WORDS, [0, 1, 3, 5]);
const HASHES: [(&str, u32); 4] = numbered(HASH_WORDS, [0x8003, 0x8004, 0x800C, 0x800E]);
const CIPHERS: [(&str, u32); 5] = numbered(CIPHER_WORDS, [0x6602, 0x6801, 0x660E, 0x660F, 0x6610]);
const SENDERS: [(&str, u32); 3] = numbered(SENDER_WORDS, [0, 1, 2]);
/// PROPID_M_AUTH_LEVEL: sign it always.
const AUTHENTICATION_ALWAYS: u32 = 1;

const fn numbered<const N: usize>(
    words: [&'static str; N],
    numbers: [u32; N],
) -> [(&'static str, u32); N] {
    let mut table = [("", 0); N];
    let mut at = 0;
    while at < N {
        table[at] = (words[at], numbers[at]);
        at += 1;
    }
    table
}

/// What a command says of signing and encrypting; nothing where it says nothing.
///
/// # Errors
/// `IllegalPropertyValue` for a word, number or GUID that is none.
pub(super) fn of(command: &mut SendMsmqQueue) -> Result<Option<Box<Security>>> {
    let bytes = |given: &mut Option<Body>| given.take().unwrap_or_default().0;
    let number = |parameter: &str, given: &Option<String>, words: &Words| match given {
        Some(text) => number(parameter, text, words),
        None => Ok(0),
    };
    let security = Security {
        sender_id_type: match &command.sender_id_type {
            Some(word) => Some(self::number("SenderIdType", word, &SENDERS)?),
            None => None,
        },
        privacy_level: number("PrivacyLevel", &command.privacy_level, &PRIVACY)?,
        authentication_level: u32::from(command.authenticated) * AUTHENTICATION_ALWAYS,
        hash_algorithm: number("HashAlgorithm", &command.hash_algorithm, &HASHES)?,
        encryption_algorithm: number(
            "EncryptionAlgorithm",
            &command.encryption_algorithm,
            &CIPHERS,
        )?,
        sender_certificate: bytes(&mut command.sender_certificate),
        symmetric_key: bytes(&mut command.symmetric_key),
        signature: bytes(&mut command.signature),
        provider_type: super::queue_commands::number_32(
            "ProviderType",
            command.provider_type.unwrap_or(0),
        )?,
        provider_name: command.provider_name.take().unwrap_or_default(),
        connector_type: match &command.connector_type {
            Some(text) => Some(guid(text)?),
            None => None,
        },
    };
    Ok((security != Security::default()).then(|| Box::new(security)))
}

/// A word, or a number in decimal or as 0x800C.
fn number(parameter: &str, text: &str, words: &Words) -> Result<u32> {
    let word = words.iter().find(|(w, _)| w.eq_ignore_ascii_case(text));
    let number = word.map(|(_, number)| *number).or_else(|| {
        let lower = text.to_ascii_lowercase();
        match lower.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None => lower.parse().ok(),
        }
    });
    number.ok_or_else(|| {
        let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let text = format!("-{parameter} {text:?} is none");
        Error::new(ErrorKind::IllegalPropertyValue, text)
            .hint(format!("use one of {}, or a number", words.join(", ")))
    })
}

fn guid(text: &str) -> Result<Uuid> {
    let id = Uuid::parse_str(text).ok().filter(|id| !id.is_nil());
    id.ok_or_else(|| {
        let text = format!("-ConnectorType {text:?} is none");
        Error::new(ErrorKind::IllegalPropertyValue, text)
            .hint("write the GUID of the connector, as in 55ee8f33-cce9-11cf-b108-0020afd61ce9")
    })
}

/// As it is shown: the words, and numbers that have none; empty for what was not set.
pub(super) struct Shown {
    pub(super) privacy_level: String,
    pub(super) hash_algorithm: String,
    pub(super) encryption_algorithm: String,
    pub(super) sender_id_type: String,
    pub(super) connector_type: String,
}

impl Shown {
    pub(super) fn new(security: &Security) -> Self {
        let unless_0 = |number, words| match number {
            0 => String::new(),
            number => word(number, words),
        };
        Self {
            privacy_level: word(security.privacy_level, &PRIVACY),
            hash_algorithm: unless_0(security.hash_algorithm, &HASHES),
            encryption_algorithm: unless_0(security.encryption_algorithm, &CIPHERS),
            sender_id_type: security
                .sender_id_type
                .map_or_else(String::new, |kind| word(kind, &SENDERS)),
            connector_type: security
                .connector_type
                .map_or_else(String::new, |id| id.to_string()),
        }
    }
}

fn word(number: u32, words: &Words) -> String {
    let found = words.iter().find(|(_, known)| *known == number);
    found.map_or_else(|| format!("{number:#x}"), |(word, _)| (*word).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers_mean_the_same_and_come_back_as_words() {
        let mut command = SendMsmqQueue {
            privacy_level: Some("bodyaes".into()),
            hash_algorithm: Some("0x800C".into()),
            encryption_algorithm: Some("26128".into()),
            sender_id_type: Some("none".into()),
            connector_type: Some("55ee8f33-cce9-11cf-b108-0020afd61ce9".into()),
            signature: Some(Body(b"s".to_vec())),
            ..SendMsmqQueue::default()
        };
        let security = of(&mut command).unwrap().unwrap();
        assert_eq!((security.privacy_level, security.signature.len()), (5, 1));
        assert_eq!(security.sender_id_type, Some(0));
        let shown = Shown::new(&security);
        assert_eq!(shown.privacy_level, "BodyAes");
        assert_eq!(shown.hash_algorithm, "SHA256");
        assert_eq!(shown.encryption_algorithm, "AES256");
        assert_eq!(shown.sender_id_type, "None");
        assert_eq!(word(0x8001, &HASHES), "0x8001");
        assert_eq!(of(&mut SendMsmqQueue::default()).unwrap(), None);
    }

    #[test]
    fn what_is_no_word_no_number_and_no_guid_is_refused() {
        let bad = [
            SendMsmqQueue {
                hash_algorithm: Some("CRC32".into()),
                ..SendMsmqQueue::default()
            },
            SendMsmqQueue {
                encryption_algorithm: Some("0x1_0000".into()),
                ..SendMsmqQueue::default()
            },
            SendMsmqQueue {
                connector_type: Some("00000000-0000-0000-0000-000000000000".into()),
                ..SendMsmqQueue::default()
            },
        ];
        for mut command in bad {
            let error = of(&mut command).unwrap_err();
            assert_eq!(error.kind, ErrorKind::IllegalPropertyValue);
            assert!(error.hint.is_some());
        }
    }
}

//! A message as bytes: the same on the wire and in the log, made by the sender and never taken apart on the way.
//!
//! ```text
//!  crc 4 | version 1 | bits 1 | acknowledge and journal 1 | (tag 1, length varint, value)* | 0 | body
//! ```
//!
//! `bits`: priority in 0-2, recoverable in 3. A property that has its default is left out, so a message with
//! nothing but a body costs 8 bytes more than the body. The checksum is the sender's: it covers
//! the way over the wire, through the queue manager and the log, up to the receiver.

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use super::codec::{Decoder, Encoder, malformed};
use super::message::{
    Acknowledge, BODY_BYTES_MAX, Delivery, Journal, LABEL_UNITS_MAX, Lifetime, Message, MessageId,
    PRIORITY_MAX, Security,
};
use crate::error::{Error, ErrorKind, Result};

const VERSION: u8 = 2;
const FIXED_BYTES: usize = 7;
/// Bytes of all properties beside the body, at most.
pub const PROPERTIES_BYTES_MAX: usize = 512 * 1024;
/// Longest idempotency key, in bytes.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 128;
/// Longest delay: 1 year.
pub const DELAY_MS_MAX: u64 = 366 * 24 * 60 * 60 * 1000;

macro_rules! tags {
    ($($name:ident = $number:literal),+ $(,)?) => {
        $(const $name: u8 = $number;)+
    };
}

tags! {
    BODY = 0, BODY_TYPE = 1, LABEL = 2, CORRELATION = 3, APP_SPECIFIC = 4, REACH = 5, RECEIVED = 6, RESPONSE = 7,
    ADMIN = 8, DEAD_LETTER = 9, EXTENSION = 10, TRACE = 11, CLASS = 12, SOAP_HEADER = 13, SOAP_BODY = 14,
    DELAY = 15, KEY = 16, SENT = 17, SENDER_ID_TYPE = 18, PRIVACY = 19, AUTHENTICATION = 20, HASH = 21,
    ENCRYPTION = 22, CERTIFICATE = 23, SYMMETRIC_KEY = 24, SIGNATURE = 25, PROVIDER_TYPE = 26,
    PROVIDER_NAME = 27, CONNECTOR = 28,
}

/// See the module.
#[derive(Clone, PartialEq, Eq)]
pub struct Encoded(Bytes);

/// What the queue manager needs to know of a message to take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// PROPID_M_PRIORITY.
    pub priority: u8,
    /// PROPID_M_DELIVERY.
    pub delivery: Delivery,
    /// PROPID_M_ACKNOWLEDGE.
    pub acknowledge: Acknowledge,
    /// PROPID_M_JOURNAL.
    pub journal: Journal,
    /// PROPID_M_CORRELATIONID.
    pub correlation_id: MessageId,
    /// PROPID_M_TIME_TO_REACH_QUEUE.
    pub time_to_reach_queue: Lifetime,
    /// PROPID_M_TIME_TO_BE_RECEIVED.
    pub time_to_be_received: Lifetime,
    /// PROPID_M_CLASS.
    pub class: u16,
    /// See [`Message::delay_ms`].
    pub delay_ms: u64,
    /// PROPID_M_SENTTIME in Unix milliseconds; 0: not given.
    pub sent_ms: u64,
    /// Whether there is an administration queue.
    pub has_admin_queue: bool,
    /// Whether there is a dead-letter queue of its own.
    pub has_dead_letter_queue: bool,
    /// Whether there is a label.
    pub has_label: bool,
    /// Whether there is an idempotency key.
    pub has_key: bool,
    /// Whether it has an authentication level or signature.
    pub is_signed: bool,
    /// Whether it has a privacy level.
    pub is_private: bool,
    /// Whether there is a connector type.
    pub has_connector: bool,
    /// Bytes of the body in it.
    pub body_bytes: u32,
}

impl Encoded {
    /// The bytes of `message`.
    #[must_use]
    pub fn new(message: &Message) -> Self {
        let mut bytes = Vec::with_capacity(64 + message.label.len() + message.body.len());
        append(&mut bytes, message);
        Self(bytes.into())
    }

    /// Bytes that came from elsewhere, checked: the checksum fits, and every property can be read.
    ///
    /// # Errors
    /// `IllegalPropertyValue`.
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Result<Self> {
        let encoded = Self(bytes.into());
        encoded.verify()?;
        Ok(encoded)
    }

    /// Bytes whose checksum a larger one has covered already.
    #[must_use]
    pub fn trusted(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, shared.
    #[must_use]
    pub fn share(&self) -> Bytes {
        self.0.clone()
    }

    /// How many bytes it has in all.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether acknowledgements are asked for.
    #[must_use]
    pub fn is_acknowledged(&self) -> bool {
        self.0
            .get(FIXED_BYTES - 1)
            .is_some_and(|flags| flags & 0xf != 0)
    }

    /// Never: a message has a header.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the checksum fits.
    ///
    /// # Errors
    /// `IllegalPropertyValue`.
    pub fn verify(&self) -> Result<()> {
        let (crc, rest) = self.0.split_at_checked(4).unwrap_or((&[], &[]));
        if crc != crc32c::crc32c(rest).to_le_bytes() || rest.len() < FIXED_BYTES - 4 {
            return Err(Error::new(
                ErrorKind::IllegalPropertyValue,
                "a message's checksum is wrong",
            )
            .hint("it was changed on its way; send it again"));
        }
        Ok(())
    }

    /// What the queue manager needs to know. Looks at each property once, copies none.
    ///
    /// # Errors
    /// `StoreDamaged` for bytes that are no message.
    pub fn head(&self) -> Result<Head> {
        let mut from = Decoder::new(&self.0);
        let (bits, flags) = fixed(&mut from)?;
        let mut head = Head {
            priority: bits & 7,
            delivery: delivery(bits),
            acknowledge: Acknowledge(flags & 0xf),
            journal: Journal(flags >> 4),
            correlation_id: MessageId::NONE,
            time_to_reach_queue: Lifetime::INFINITE,
            time_to_be_received: Lifetime::INFINITE,
            class: 0,
            delay_ms: 0,
            sent_ms: 0,
            has_admin_queue: false,
            has_dead_letter_queue: false,
            has_label: false,
            has_key: false,
            is_signed: false,
            is_private: false,
            has_connector: false,
            body_bytes: 0,
        };
        while let Some((tag, value)) = property(&mut from)? {
            let mut value = Decoder::new(value);
            match tag {
                CORRELATION => head.correlation_id = value.id()?,
                REACH => head.time_to_reach_queue = Lifetime(value.varint32()?),
                RECEIVED => head.time_to_be_received = Lifetime(value.varint32()?),
                CLASS => head.class = value.varint16()?,
                DELAY => head.delay_ms = value.varint()?,
                SENT => head.sent_ms = value.varint()?,
                ADMIN => head.has_admin_queue = true,
                DEAD_LETTER => head.has_dead_letter_queue = true,
                LABEL => head.has_label = true,
                KEY => head.has_key = true,
                AUTHENTICATION | SIGNATURE => head.is_signed = true,
                PRIVACY => head.is_private = true,
                CONNECTOR => head.has_connector = true,
                _ => {}
            }
        }
        head.body_bytes = u32::try_from(self.0.len() - from.at()).unwrap_or(u32::MAX);
        Ok(head)
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        let mut from = Decoder::new(&self.0);
        let skipped = fixed(&mut from).and_then(|_| {
            while property(&mut from)?.is_some() {}
            Ok(())
        });
        match skipped {
            Ok(()) => self.0.get(from.at()..).unwrap_or(&[]),
            Err(_) => &[],
        }
    }

    /// The text of one property: [`Message::admin_queue`] and its like.
    fn text(&self, wanted: u8) -> Result<&str> {
        let value = self.value(wanted)?;
        std::str::from_utf8(value).map_err(|_| malformed("a text is not UTF-8"))
    }

    fn value(&self, wanted: u8) -> Result<&[u8]> {
        let mut from = Decoder::new(&self.0);
        fixed(&mut from)?;
        while let Some((tag, value)) = property(&mut from)? {
            if tag == wanted {
                return Ok(value);
            }
        }
        Ok(&[])
    }

    /// PROPID_M_ADMIN_QUEUE; empty for none.
    ///
    /// # Errors
    /// `StoreDamaged` for bytes that are no message.
    pub fn admin_queue(&self) -> Result<&str> {
        self.text(ADMIN)
    }

    /// PROPID_M_LABEL.
    ///
    /// # Errors
    /// `StoreDamaged` for bytes that are no message.
    pub fn label(&self) -> Result<&str> {
        self.text(LABEL)
    }

    /// PROPID_M_DEADLETTER_QUEUE; empty for none.
    ///
    /// # Errors
    /// `StoreDamaged` for bytes that are no message.
    pub fn dead_letter_queue(&self) -> Result<&str> {
        self.text(DEAD_LETTER)
    }

    /// See [`Message::idempotency_key`]; empty for none.
    ///
    /// # Errors
    /// `StoreDamaged` for bytes that are no message.
    pub fn idempotency_key(&self) -> Result<&[u8]> {
        self.value(KEY)
    }

    /// Checks every property against its limit (msmq.md 1.2).
    ///
    /// # Errors
    /// `LabelTooLong`, `IllegalPropertyValue`; `StoreDamaged` for bytes that are no message.
    pub fn check(&self) -> Result<Head> {
        let head = self.head()?;
        let units = match head.has_label {
            true => self.label()?.encode_utf16().count(),
            false => 0,
        };
        if units > LABEL_UNITS_MAX {
            let text = format!("the label has {units} characters");
            return Err(Error::new(ErrorKind::LabelTooLong, text)
                .hint(format!("a label has at most {LABEL_UNITS_MAX}")));
        }
        let fixed = self.0.first_chunk::<FIXED_BYTES>().copied();
        check_head(&head, fixed.unwrap_or_default())?;
        let properties = self.0.len() - head.body_bytes as usize;
        if properties > PROPERTIES_BYTES_MAX {
            return Err(illegal(
                format!("the properties beside the body have {properties} bytes"),
                format!("they have at most {PROPERTIES_BYTES_MAX} together"),
            ));
        }
        if head.has_key && self.idempotency_key()?.len() > IDEMPOTENCY_KEY_BYTES_MAX {
            return Err(illegal(
                "the idempotency key is too long".to_owned(),
                format!("it has at most {IDEMPOTENCY_KEY_BYTES_MAX} bytes"),
            ));
        }
        Ok(head)
    }

    /// All that the sender set.
    ///
    /// # Errors
    /// `StoreDamaged` for bytes that are no message.
    pub fn decode(&self) -> Result<Message> {
        let mut from = Decoder::new(&self.0);
        let (bits, flags) = fixed(&mut from)?;
        let mut message = Message::new([]);
        message.priority = bits & 7;
        message.delivery = delivery(bits);
        message.acknowledge = Acknowledge(flags & 0xf);
        message.journal = Journal(flags >> 4);
        while let Some((tag, value)) = property(&mut from)? {
            set(&mut message, tag, Decoder::new(value), value)?;
        }
        message.body = self.0.get(from.at()..).unwrap_or(&[]).to_vec();
        Ok(message)
    }
}

fn illegal(text: String, hint: String) -> Error {
    Error::new(ErrorKind::IllegalPropertyValue, text).hint(hint)
}

fn check_head(head: &Head, fixed: [u8; FIXED_BYTES]) -> Result<()> {
    let (bits, flags) = (fixed[5], fixed[6]);
    if bits & !0xf != 0 {
        return Err(illegal(
            "the priority is none".to_owned(),
            format!("use 0 to {PRIORITY_MAX}"),
        ));
    }
    if flags >> 4 > 3 {
        return Err(illegal(
            format!("journal {} is none", flags >> 4),
            "use 0 none, 1 dead letter, 2 journal, 3 both".to_owned(),
        ));
    }
    if head.acknowledge != Acknowledge::NONE && !head.has_admin_queue {
        return Err(illegal(
            "acknowledgements are asked for, but no administration queue is named".to_owned(),
            "name an administration queue, or ask for none".to_owned(),
        ));
    }
    if head.class != 0 && !head.has_connector {
        return Err(illegal(
            format!("class {:#x} is not for applications", head.class),
            "only a connector application sets a class, with its connector type".to_owned(),
        ));
    }
    if head.body_bytes as usize > BODY_BYTES_MAX {
        return Err(illegal(
            format!("the body has {} bytes", head.body_bytes),
            format!("a body of more than {BODY_BYTES_MAX} bytes is sent in parts"),
        ));
    }
    if head.delay_ms > DELAY_MS_MAX {
        return Err(illegal(
            format!("a delay of {} ms is too long", head.delay_ms),
            format!("a message can be delayed by {DELAY_MS_MAX} ms at most"),
        ));
    }
    Ok(())
}

fn delivery(bits: u8) -> Delivery {
    if bits & 8 == 0 {
        Delivery::Express
    } else {
        Delivery::Recoverable
    }
}

/// Reads over the fixed part: the bits, and acknowledge and journal.
fn fixed(from: &mut Decoder<'_>) -> Result<(u8, u8)> {
    from.u32()?;
    if from.u8()? != VERSION {
        return Err(malformed("unknown version of a message"));
    }
    Ok((from.u8()?, from.u8()?))
}

/// The next property; `None` at the body.
fn property<'a>(from: &mut Decoder<'a>) -> Result<Option<(u8, &'a [u8])>> {
    match from.u8()? {
        BODY => Ok(None),
        tag => Ok(Some((tag, from.bytes()?))),
    }
}

fn set(message: &mut Message, tag: u8, mut value: Decoder<'_>, bytes: &[u8]) -> Result<()> {
    let text = || String::from_utf8(bytes.to_vec()).map_err(|_| malformed("a text is not UTF-8"));
    match tag {
        BODY_TYPE => message.body_type = value.varint32()?,
        LABEL => message.label = text()?,
        CORRELATION => message.correlation_id = value.id()?,
        APP_SPECIFIC => message.app_specific = value.varint32()?,
        REACH => message.time_to_reach_queue = Lifetime(value.varint32()?),
        RECEIVED => message.time_to_be_received = Lifetime(value.varint32()?),
        RESPONSE => message.response_queue = text()?,
        ADMIN => message.admin_queue = text()?,
        DEAD_LETTER => message.dead_letter_queue = text()?,
        EXTENSION => message.extension = bytes.to_vec(),
        TRACE => message.trace = value.bool()?,
        CLASS => message.class = value.varint16()?,
        SOAP_HEADER => message.soap_header = text()?,
        SOAP_BODY => message.soap_body = text()?,
        DELAY => message.delay_ms = value.varint()?,
        KEY => message.idempotency_key = bytes.to_vec(),
        SENT => message.sent_ms = value.varint()?,
        _ => {
            let security = message.security.get_or_insert_default();
            return set_security(security, tag, value, bytes);
        }
    }
    Ok(())
}

fn set_security(to: &mut Security, tag: u8, mut value: Decoder<'_>, bytes: &[u8]) -> Result<()> {
    match tag {
        SENDER_ID_TYPE => to.sender_id_type = Some(value.varint32()?),
        PRIVACY => to.privacy_level = value.varint32()?,
        AUTHENTICATION => to.authentication_level = value.varint32()?,
        HASH => to.hash_algorithm = value.varint32()?,
        ENCRYPTION => to.encryption_algorithm = value.varint32()?,
        CERTIFICATE => to.sender_certificate = bytes.to_vec(),
        SYMMETRIC_KEY => to.symmetric_key = bytes.to_vec(),
        SIGNATURE => to.signature = bytes.to_vec(),
        PROVIDER_TYPE => to.provider_type = value.varint32()?,
        PROVIDER_NAME => {
            to.provider_name =
                String::from_utf8(bytes.to_vec()).map_err(|_| malformed("a text is not UTF-8"))?;
        }
        CONNECTOR => to.connector_type = Some(value.uuid()?),
        // A later version's property: nothing here depends on it.
        _ => {}
    }
    Ok(())
}

/// Appends the bytes of `message` to `out`.
pub fn append(out: &mut Vec<u8>, message: &Message) {
    let start = out.len();
    let mut to = Encoder(out);
    to.u32(0);
    to.u8(VERSION);
    // A priority out of range is kept visible for `check`.
    let recoverable = u8::from(message.delivery == Delivery::Recoverable) << 3;
    let priority = message.priority;
    to.u8(if priority > PRIORITY_MAX {
        0xf0
    } else {
        priority
    } | recoverable);
    to.u8(message.acknowledge.0 & 0xf | message.journal.0 << 4);
    properties(&mut to, message);
    if let Some(security) = &message.security {
        security_properties(&mut to, security);
    }
    to.u8(BODY);
    to.0.extend_from_slice(&message.body);
    let crc = crc32c::crc32c(&out[start + 4..]);
    out[start..start + 4].copy_from_slice(&crc.to_le_bytes());
}

fn put(to: &mut Encoder<'_>, tag: u8, value: &[u8]) {
    if !value.is_empty() {
        to.u8(tag);
        to.bytes(value);
    }
}

fn put_number(to: &mut Encoder<'_>, tag: u8, value: u64, default: u64) {
    if value != default {
        let mut bytes = Vec::with_capacity(10);
        Encoder(&mut bytes).varint(value);
        put(to, tag, &bytes);
    }
}

fn properties(to: &mut Encoder<'_>, message: &Message) {
    let infinite = u64::from(Lifetime::INFINITE.0);
    put_number(to, BODY_TYPE, message.body_type.into(), 0);
    put(to, LABEL, message.label.as_bytes());
    if message.correlation_id != MessageId::NONE {
        to.u8(CORRELATION);
        to.u8(20);
        to.id(message.correlation_id);
    }
    put_number(to, APP_SPECIFIC, message.app_specific.into(), 0);
    put_number(to, REACH, message.time_to_reach_queue.0.into(), infinite);
    put_number(to, RECEIVED, message.time_to_be_received.0.into(), infinite);
    put(to, RESPONSE, message.response_queue.as_bytes());
    put(to, ADMIN, message.admin_queue.as_bytes());
    put(to, DEAD_LETTER, message.dead_letter_queue.as_bytes());
    put(to, EXTENSION, &message.extension);
    put_number(to, TRACE, message.trace.into(), 0);
    put_number(to, CLASS, message.class.into(), 0);
    put(to, SOAP_HEADER, message.soap_header.as_bytes());
    put(to, SOAP_BODY, message.soap_body.as_bytes());
    put_number(to, DELAY, message.delay_ms, 0);
    put(to, KEY, &message.idempotency_key);
    put_number(to, SENT, message.sent_ms, 0);
}

fn security_properties(to: &mut Encoder<'_>, security: &Security) {
    if let Some(kind) = security.sender_id_type {
        put_number(to, SENDER_ID_TYPE, kind.into(), u64::MAX);
    }
    put_number(to, PRIVACY, security.privacy_level.into(), 0);
    put_number(to, AUTHENTICATION, security.authentication_level.into(), 0);
    put_number(to, HASH, security.hash_algorithm.into(), 0);
    put_number(to, ENCRYPTION, security.encryption_algorithm.into(), 0);
    put(to, CERTIFICATE, &security.sender_certificate);
    put(to, SYMMETRIC_KEY, &security.symmetric_key);
    put(to, SIGNATURE, &security.signature);
    put_number(to, PROVIDER_TYPE, security.provider_type.into(), 0);
    put(to, PROVIDER_NAME, security.provider_name.as_bytes());
    if let Some(connector) = security.connector_type.filter(|id| *id != Uuid::nil()) {
        put(to, CONNECTOR, connector.as_bytes());
    }
}

impl From<&Message> for Encoded {
    fn from(message: &Message) -> Self {
        Self::new(message)
    }
}

impl From<Message> for Encoded {
    fn from(message: Message) -> Self {
        Self::new(&message)
    }
}

impl std::fmt::Debug for Encoded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Encoded({} bytes)", self.0.len())
    }
}

impl Serialize for Encoded {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        serde_bytes::Bytes::new(&self.0).serialize(to)
    }
}

impl<'de> Deserialize<'de> for Encoded {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // Not checked here: who takes it does, with an error that says what is wrong.
        serde_bytes::ByteBuf::deserialize(from).map(|bytes| Self(bytes.into_vec().into()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rich() -> Message {
        let mut message = Message::new("body");
        message.body_type = 8;
        message.label = "label".into();
        message.priority = 7;
        message.delivery = Delivery::Express;
        message.correlation_id = MessageId {
            manager: Uuid::from_u128(5),
            ordinal: 6,
        };
        message.app_specific = u32::MAX;
        message.acknowledge = Acknowledge::FULL_RECEIVE;
        message.journal = Journal(3);
        message.time_to_reach_queue = Lifetime(0);
        message.time_to_be_received = Lifetime::LONG_LIVED;
        message.response_queue = "direct=os:a\\private$\\r".into();
        message.admin_queue = "admin".into();
        message.dead_letter_queue = "dead".into();
        message.extension = vec![1, 2];
        message.trace = true;
        message.soap_header = "h".into();
        message.soap_body = "b".into();
        message.delay_ms = 1 << 33;
        message.idempotency_key = b"key".to_vec();
        message.sent_ms = 1 << 40;
        message.security = Some(Box::new(Security {
            sender_id_type: Some(0),
            privacy_level: 5,
            authentication_level: 8,
            hash_algorithm: 0x800e,
            encryption_algorithm: 0x6610,
            sender_certificate: vec![3],
            symmetric_key: vec![4],
            signature: vec![5],
            provider_type: 1,
            provider_name: "p".into(),
            connector_type: Some(Uuid::from_u128(9)),
        }));
        message.class = 0x8001;
        message
    }

    #[test]
    fn every_property_comes_back_and_a_plain_message_costs_eight_bytes() {
        let message = rich();
        let encoded = message.encode();
        encoded.verify().unwrap();
        assert_eq!(encoded.decode().unwrap(), message);
        assert_eq!(encoded.body(), b"body");
        assert_eq!(encoded.admin_queue().unwrap(), "admin");
        assert_eq!(encoded.idempotency_key().unwrap(), b"key");
        let plain = Message::new("body");
        assert_eq!(plain.encode().len(), 4 + 8);
        assert_eq!(plain.encode().decode().unwrap(), plain);
    }

    #[test]
    fn the_head_says_what_the_properties_say() {
        let head = rich().encode().check().unwrap();
        assert_eq!((head.priority, head.delivery), (7, Delivery::Express));
        assert_eq!(head.acknowledge, Acknowledge::FULL_RECEIVE);
        assert_eq!(head.journal, Journal(3));
        assert_eq!(head.correlation_id.ordinal, 6);
        assert_eq!(head.time_to_reach_queue, Lifetime(0));
        assert_eq!((head.class, head.delay_ms), (0x8001, 1 << 33));
        assert!(head.has_admin_queue && head.has_key && head.is_signed && head.is_private);
        assert_eq!(head.body_bytes, 4);
    }

    #[test]
    fn what_is_out_of_its_limits_is_refused_with_its_kind() {
        let refused = |change: fn(&mut Message)| {
            let mut message = Message::new("x");
            change(&mut message);
            message.encode().check().unwrap_err().kind
        };
        let illegal = ErrorKind::IllegalPropertyValue;
        assert_eq!(
            refused(|m| m.label = "l".repeat(250)),
            ErrorKind::LabelTooLong
        );
        assert_eq!(refused(|m| m.priority = 8), illegal);
        assert_eq!(refused(|m| m.journal = Journal(4)), illegal);
        assert_eq!(refused(|m| m.acknowledge = Acknowledge(1)), illegal);
        assert_eq!(refused(|m| m.class = 2), illegal);
        assert_eq!(refused(|m| m.delay_ms = u64::MAX), illegal);
        assert_eq!(refused(|m| m.idempotency_key = vec![0; 129]), illegal);
        assert_eq!(refused(|m| m.body = vec![0; BODY_BYTES_MAX + 1]), illegal);
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let good = rich().encode();
        for bit in 0..good.len() * 8 {
            let mut bad = good.as_bytes().to_vec();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Encoded::from_bytes(bad).is_err(), "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let encoded = Encoded::trusted(bytes);
            let _ = encoded.verify();
            let _ = encoded.check();
            let _ = encoded.decode();
            let _ = encoded.body();
        }
    }
}

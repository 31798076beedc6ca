//! The value types that commands and records are made of, beside text and numbers.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A dynamic value: CBOR (RFC 8949), self-describing, fields in order, byte strings kept.
pub use ciborium::Value;

use crate::error::{Error, ErrorKind, Result};

/// A typed value as a dynamic one.
///
/// # Errors
/// [`ErrorKind::Internal`] when the type cannot be represented.
pub fn to_value<T: Serialize>(typed: &T) -> Result<Value> {
    Value::serialized(typed).map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))
}

/// A dynamic value as a typed one.
///
/// # Errors
/// [`ErrorKind::InvalidParameter`] with the field that does not fit.
pub fn from_value<T: serde::de::DeserializeOwned>(value: &Value) -> Result<T> {
    value
        .deserialized()
        .map_err(|e| Error::new(ErrorKind::InvalidParameter, e.to_string()))
}

/// The default of a parameter that was not given: whatever its type makes of nothing.
///
/// A required parameter has no such value, and the error names the type.
///
/// # Errors
/// (As a serde default it cannot fail: see [`Absent`].)
#[must_use]
pub fn absent<T: Absent>() -> T {
    T::absent()
}

/// What a parameter is when it was not given.
pub trait Absent: Sized {
    /// That value.
    fn absent() -> Self;
}

impl Absent for bool {
    fn absent() -> Self {
        false
    }
}

/// Required texts are checked by the binder before anything is sent; an empty one fails the
/// command's own check of the name.
impl Absent for String {
    fn absent() -> Self {
        Self::new()
    }
}

/// Required numbers are checked like required texts.
impl Absent for u64 {
    fn absent() -> Self {
        0
    }
}

impl Absent for Millis {
    fn absent() -> Self {
        Self(0)
    }
}

impl<T> Absent for Vec<T> {
    fn absent() -> Self {
        Self::new()
    }
}

impl<T> Absent for Option<T> {
    fn absent() -> Self {
        None
    }
}

impl Absent for Value {
    fn absent() -> Self {
        Self::Null
    }
}

impl Absent for Body {
    fn absent() -> Self {
        Self::default()
    }
}

/// A message body: bytes on the wire, text where it is typed or shown as text.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Body(pub Vec<u8>);

impl Body {
    /// The body as text, where it is UTF-8.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text() {
            Some(text) => write!(f, "{text:?}"),
            None => write!(f, "{} bytes", self.0.len()),
        }
    }
}

/// Text where it is text, so that a table and JSON show it; bytes otherwise.
impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self.text() {
            Some(text) => serializer.serialize_str(text),
            None => serializer.serialize_bytes(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Body;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text or bytes")
            }
            fn visit_str<E>(self, text: &str) -> std::result::Result<Body, E> {
                Ok(Body(text.as_bytes().to_vec()))
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> std::result::Result<Body, E> {
                Ok(Body(bytes.to_vec()))
            }
            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> std::result::Result<Body, E> {
                Ok(Body(bytes))
            }
            fn visit_i64<E>(self, number: i64) -> std::result::Result<Body, E> {
                Ok(Body(number.to_string().into_bytes()))
            }
            fn visit_u64<E>(self, number: u64) -> std::result::Result<Body, E> {
                Ok(Body(number.to_string().into_bytes()))
            }
            fn visit_f64<E>(self, number: f64) -> std::result::Result<Body, E> {
                Ok(Body(number.to_string().into_bytes()))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut seq: A,
            ) -> std::result::Result<Body, A::Error> {
                let mut bytes = Vec::new();
                while let Some(byte) = seq.next_element::<u8>()? {
                    bytes.push(byte);
                }
                Ok(Body(bytes))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// A length of time in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub u64);

impl Millis {
    /// As the standard library's duration.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

/// A moment of the wall clock: milliseconds since 1970 inside, RFC 3339 in UTC outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub u64);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = i64::try_from(self.0).unwrap_or(i64::MAX);
        match jiff::Timestamp::from_millisecond(millis) {
            Ok(stamp) => write!(f, "{stamp:.3}"),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let stamp: jiff::Timestamp = text.parse().map_err(serde::de::Error::custom)?;
        Ok(Self(u64::try_from(stamp.as_millisecond()).unwrap_or(0)))
    }
}

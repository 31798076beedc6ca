//! GUIDs and hexadecimal numbers within a name.

use std::ops::RangeInclusive;

use uuid::Uuid;

use crate::error::Result;
use crate::name::piece::Piece;

/// Reads 8-4-4-4-12 hexadecimal digits and nothing else: no braces, no `urn:`.
pub(super) fn read(piece: Piece<'_>) -> Result<Uuid> {
    let text = piece.text();
    let is_spelled_out = text.len() == 36 && text.bytes().filter(|b| *b == b'-').count() == 4;
    match Uuid::try_parse(text) {
        Ok(guid) if is_spelled_out => Ok(guid),
        Ok(guid) => {
            let hint = format!("write {guid}, without braces or prefix");
            Err(piece.error_with("the GUID is not spelled 8-4-4-4-12", hint))
        }
        Err(_) => Err(piece.error_with(
            "the GUID is not 8-4-4-4-12 hexadecimal digits",
            "a GUID looks like 9c6b4e61-1c4b-4a36-9cb0-2b8f4a1f6d10",
        )),
    }
}

/// Reads a number of so many hexadecimal digits, at most 8.
pub(super) fn read_hexadecimal(
    piece: Piece<'_>,
    part: &str,
    digits: RangeInclusive<usize>,
) -> Result<u32> {
    let text = piece.text();
    let is_number = digits.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
    let number = u32::from_str_radix(text, 16);
    match number {
        Ok(number) if is_number => Ok(number),
        _ => {
            let (low, high) = (digits.start(), digits.end());
            let count = if low == high {
                format!("{low}")
            } else {
                format!("{low} to {high}")
            };
            Err(piece.error(format!("{part} is not {count} hexadecimal digits")))
        }
    }
}

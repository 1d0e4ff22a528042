//! Numbers with units, as users write them in options and in the behaviour file.

use bytesize::ByteSize;
use serde::{Deserialize, Deserializer, de};

/// Parses a number of bytes: a plain number, or one with a unit such as KiB, MiB and GiB, or
/// kB, MB and GB for powers of ten.
///
/// ```
/// use sandboxer::units;
///
/// assert_eq!(units::bytes("64KiB"), Ok(65_536));
/// assert_eq!(units::bytes("65536"), Ok(65_536));
/// assert!(units::bytes("many").is_err());
/// ```
///
/// # Errors
/// A message with examples of the right form.
pub fn bytes(text: &str) -> Result<u64, String> {
    match text.trim().parse::<ByteSize>() {
        // A number beyond 64 bits is read as the largest one.
        Ok(ByteSize(u64::MAX)) | Err(_) => {
            Err("a number of bytes is needed, such as 65536, 64KiB or 16MiB".to_owned())
        }
        Ok(ByteSize(number)) => Ok(number),
    }
}

/// Reads an optional number of bytes from a document: a number, or a text as in [`bytes`].
pub(crate) fn bytes_of_document<'de, D, T>(document: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<u64>,
{
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a number of bytes, or a text such as \"64KiB\"")]
    enum Given {
        Number(u64),
        Text(String),
    }
    let number = match Given::deserialize(document)? {
        Given::Number(number) => number,
        Given::Text(text) => bytes(&text).map_err(de::Error::custom)?,
    };
    T::try_from(number)
        .map(Some)
        .map_err(|_| de::Error::custom(format!("{number} bytes are out of range")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_units_or_none() {
        for (text, number) in [
            ("0", 0),
            ("65536", 65_536),
            ("64KiB", 65_536),
            ("64 Ki", 65_536),
            ("16MiB", 16 << 20),
            ("1.5GiB", 3 << 29),
            ("2kB", 2_000),
            ("3m", 3_000_000),
        ] {
            assert_eq!(bytes(text), Ok(number), "{text}");
        }
        for text in [
            "",
            "many",
            "-1",
            "1QiB",
            "MiB",
            "1e3",
            "99999999EiB",
            "1,5KiB",
        ] {
            let error = bytes(text).unwrap_err();
            assert!(error.contains("64KiB"), "{text}: {error}");
        }
    }
}

//! Numbers with units, as users write them in the behaviour file.

use options::bytes;
use serde::{Deserialize, Deserializer, de};

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

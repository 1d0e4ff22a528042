//! A protobuf message as a field of a JSON record.

use std::ops::Deref;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost::Message;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A shared protobuf message, in JSON the base64 text of its encoding.
///
/// A record stays readable when a later version of the message has more fields.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Encoded<M>(Arc<M>);

impl<M> From<M> for Encoded<M> {
    fn from(message: M) -> Self {
        Self(Arc::new(message))
    }
}

impl<M> Deref for Encoded<M> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.0
    }
}

impl<M: Message> Serialize for Encoded<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(self.0.encode_to_vec()))
    }
}

impl<'de, M: Message + Default> Deserialize<'de> for Encoded<M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let bytes = STANDARD
            .decode(text.as_bytes())
            .map_err(|e| D::Error::custom(format!("a message in base64 was expected: {e}")))?;
        let message = M::decode(bytes.as_slice())
            .map_err(|e| D::Error::custom(format!("an encoded message was expected: {e}")))?;
        Ok(message.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cri_api::v1::PodSandboxConfig;

    fn config() -> Encoded<PodSandboxConfig> {
        PodSandboxConfig {
            hostname: "web".to_owned(),
            labels: [("app".to_owned(), "shop".to_owned())].into(),
            ..Default::default()
        }
        .into()
    }

    #[test]
    fn a_message_comes_back_from_its_text() {
        let text = serde_json::to_string(&config()).unwrap();
        assert!(text.starts_with('"'), "{text}");
        let back: Encoded<PodSandboxConfig> = serde_json::from_str(&text).unwrap();
        assert_eq!(back, config());
    }

    #[test]
    fn a_text_that_holds_no_message_is_refused_with_the_reason() {
        for (text, word) in [
            ("\"?\"", "base64"),
            ("\"AAAA\"", "encoded message"),
            ("3", "string"),
        ] {
            let error = serde_json::from_str::<Encoded<PodSandboxConfig>>(text).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
    }
}

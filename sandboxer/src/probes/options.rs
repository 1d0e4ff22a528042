//! The choice of ports that are answered.

use std::str::FromStr;

use crate::simulate::ports::MAX_PORTS;

/// Pods and ports on which the sandboxer listens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AnswerProbes {
    /// Whether the sandboxer listens at all.
    pub is_on: bool,
    /// Ports that are answered on every pod, beside those that its containers declare.
    pub ports: Vec<u16>,
    /// Whether the addresses of the host are answered: ports of pods on its network, and host
    /// ports.
    pub host: bool,
}

/// Error in the text of a choice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerProbesError {
    /// A part is neither a word nor a port.
    #[error("{0:?}: off, declared, host or a port number from 2 on is needed")]
    Unknown(String),
    /// There are more ports than a container may have.
    #[error("more than {MAX_PORTS} ports")]
    TooMany,
}

impl FromStr for AnswerProbes {
    type Err = AnswerProbesError;

    /// Parses `off`, `declared`, or a list of ports and of the word `host`, separated by
    /// commas; declared ports are answered with each of these. The words of a switch, such as
    /// `true`, `1` and `no`, stand for `declared` and `off`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if matches!(text, "off" | "false" | "no" | "n" | "f" | "0") {
            return Ok(Self::default());
        }
        let mut all = Self {
            is_on: true,
            ..Self::default()
        };
        for part in text.split(',').map(str::trim) {
            match (part, part.parse()) {
                ("declared" | "on" | "true" | "yes" | "y" | "t" | "1", _) => {}
                ("host", _) => all.host = true,
                (_, Ok(port @ 2..)) => {
                    if !all.ports.contains(&port) {
                        all.ports.push(port);
                    }
                }
                _ => return Err(AnswerProbesError::Unknown(part.chars().take(64).collect())),
            }
        }
        if all.ports.len() > MAX_PORTS {
            return Err(AnswerProbesError::TooMany);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_a_switch_or_a_list_of_ports() {
        let parsed = |text: &str| text.parse::<AnswerProbes>();
        let on = |ports: &[u16], host| {
            Ok(AnswerProbes {
                is_on: true,
                ports: ports.to_vec(),
                host,
            })
        };
        for text in ["off", "false", "0"] {
            assert_eq!(parsed(text), Ok(AnswerProbes::default()));
        }
        for text in ["declared", "true", "1"] {
            assert_eq!(parsed(text), on(&[], false));
        }
        assert_eq!(parsed("8080, 9090,8080"), on(&[8080, 9090], false));
        assert_eq!(parsed("declared,host,80"), on(&[80], true));
        for text in ["", "http", "70000", "80,off", "80,,81"] {
            assert!(
                matches!(parsed(text), Err(AnswerProbesError::Unknown(_))),
                "{text}"
            );
        }
        let many: Vec<String> = (2..100).map(|port| port.to_string()).collect();
        assert_eq!(parsed(&many.join(",")), Err(AnswerProbesError::TooMany));
    }
}

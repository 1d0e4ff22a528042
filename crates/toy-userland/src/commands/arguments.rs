//! Options and operands, in the syntax of getopt(3).

/// Error in the arguments of a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ArgumentError {
    #[error("unrecognized option: {0}")]
    Unknown(String),
    #[error("option requires an argument: {0}")]
    Missing(char),
}

/// The options of a command with their values, and its operands.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Arguments {
    options: Vec<(char, String)>,
    pub(crate) operands: Vec<String>,
}

impl Arguments {
    /// Parses arguments. `known` lists the letters of the options: a colon after a letter means
    /// that the option has a value, and a plus before all letters means that the first operand
    /// ends the options.
    pub(crate) fn parse(arguments: &[String], known: &str) -> Result<Self, ArgumentError> {
        let stops = known.starts_with('+');
        let has_value = |letter: char| known.contains(&format!("{letter}:"));
        let mut parsed = Self::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let Some(letters) = argument.strip_prefix('-').filter(|text| !text.is_empty()) else {
                parsed.operands.push(argument.clone());
                if stops {
                    break;
                }
                continue;
            };
            if letters == "-" {
                break;
            }
            if let Some(long) = letters.strip_prefix('-') {
                return Err(ArgumentError::Unknown(long.to_owned()));
            }
            let mut letters = letters.chars();
            while let Some(letter) = letters.next() {
                if !letter.is_ascii_alphanumeric() || !known.contains(letter) {
                    return Err(ArgumentError::Unknown(letter.to_string()));
                }
                if !has_value(letter) {
                    parsed.options.push((letter, String::new()));
                    continue;
                }
                let value = match letters.as_str() {
                    "" => rest.next().cloned().ok_or(ArgumentError::Missing(letter))?,
                    attached => attached.to_owned(),
                };
                parsed.options.push((letter, value));
                break;
            }
        }
        parsed.operands.extend(rest.cloned());
        Ok(parsed)
    }

    pub(crate) fn has(&self, letter: char) -> bool {
        self.options.iter().any(|(option, _)| *option == letter)
    }

    /// Returns the value of the last occurrence of an option.
    pub(crate) fn value(&self, letter: char) -> Option<&str> {
        let mut given = self.options.iter().rev();
        let found = given.find(|(option, _)| *option == letter);
        found.map(|(_, value)| value.as_str())
    }

    /// Iterates over the values of all occurrences of an option.
    pub(crate) fn values(&self, letter: char) -> impl Iterator<Item = &str> {
        let given = self
            .options
            .iter()
            .filter(move |(option, _)| *option == letter);
        given.map(|(_, value)| value.as_str())
    }

    /// Returns the operands, or `-`, which means standard input, if there are none.
    pub(crate) fn inputs(&self) -> Vec<String> {
        if self.operands.is_empty() {
            vec!["-".to_owned()]
        } else {
            self.operands.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str], known: &str) -> Result<Arguments, ArgumentError> {
        let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
        Arguments::parse(&arguments, known)
    }

    #[test]
    fn options_come_in_any_order_and_shape() {
        let parsed = parse(&["x", "-an3", "y", "-n", "4", "--", "-z", "-"], "an:").unwrap();
        assert_eq!(parsed.operands, ["x", "y", "-z", "-"]);
        assert!(parsed.has('a') && !parsed.has('z'));
        assert_eq!(parsed.value('n'), Some("4"));
        assert_eq!(parsed.values('n').collect::<Vec<_>>(), ["3", "4"]);
        let parsed = parse(&["-a", "x", "-a"], "+a").unwrap();
        assert_eq!(parsed.operands, ["x", "-a"]);
    }

    #[test]
    fn unknown_options_are_named_in_the_error() {
        let unknown = |text: &str| Err(ArgumentError::Unknown(text.to_owned()));
        assert_eq!(parse(&["-x"], "a"), unknown("x"));
        assert_eq!(parse(&["-:"], "a:"), unknown(":"));
        assert_eq!(parse(&["--help"], "a"), unknown("help"));
        assert_eq!(parse(&["-a"], "a:"), Err(ArgumentError::Missing('a')));
    }
}

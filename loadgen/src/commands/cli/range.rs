//! Range of the number of containers of a pod.

use std::ops::RangeInclusive;
use std::str::FromStr;

/// Highest number of containers of a pod: far above the limit of a node.
const MAX_CONTAINERS: u32 = 1000;

/// Number of containers of a pod, from the lowest to the highest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerRange(pub RangeInclusive<u32>);

impl FromStr for ContainerRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| {
            text.trim()
                .parse::<u32>()
                .map_err(|e| format!("{text:?} is not a number: {e}"))
        };
        let (min, max) = match text.split_once('-') {
            Some((min, max)) => (number(min)?, number(max)?),
            None => (number(text)?, number(text)?),
        };
        if min > max {
            Err(format!("the minimum {min} is above the maximum {max}"))
        } else if max > MAX_CONTAINERS {
            Err(format!("at most {MAX_CONTAINERS} containers per pod"))
        } else {
            Ok(Self(min..=max))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_range_of_containers_is_two_numbers_or_one() {
        assert_eq!("2-3".parse(), Ok(ContainerRange(2..=3)));
        assert_eq!("5".parse(), Ok(ContainerRange(5..=5)));
        assert_eq!("0-1".parse(), Ok(ContainerRange(0..=1)));
        for text in ["", "-", "3-2", "1-", "a", "1-2-3", "1001", "4294967296"] {
            assert!(text.parse::<ContainerRange>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_parsed_range_is_never_empty(text in "[0-9]{0,5}-?[0-9]{0,5}") {
            if let Ok(ContainerRange(range)) = text.parse() {
                prop_assert!(!range.is_empty() && *range.end() <= MAX_CONTAINERS);
            }
        }
    }
}

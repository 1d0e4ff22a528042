//! Selectors of labels, compiled once for each class of pods.
//!
//! The rules are those of `labels.Selector` in `k8s.io/apimachinery/pkg/labels` and of
//! `LabelSelectorAsSelector` in `pkg/apis/meta/v1/helpers.go`.

use inventory::api::{LabelSelector, LabelSelectorRequirement, Labels};

/// Fault of a selector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// The operator does not exist.
    #[error("label {key:?}: {operator:?} is not a valid label selector operator")]
    Operator {
        /// Name of the label.
        key: String,
        /// Operator, as it was written.
        operator: String,
    },
    /// The operator does not go with the number of values.
    #[error("label {key:?}: the operator {operator} has {values} values")]
    Values {
        /// Name of the label.
        key: String,
        /// Operator.
        operator: String,
        /// Number of values.
        values: usize,
    },
}

/// Compiled selector of labels.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Selector {
    /// Selects nothing.
    Nothing,
    /// Selects the labels that meet all requirements.
    All(Vec<Requirement>),
}

/// Requirement on one label.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Requirement {
    key: String,
    operator: Operator,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Operator {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    DoesNotExist,
    Greater(i64),
    Less(i64),
}

impl Selector {
    /// Compiles a selector; without one, nothing is selected.
    pub fn of(selector: Option<&LabelSelector>) -> Result<Self, SelectorError> {
        let Some(selector) = selector else {
            return Ok(Self::Nothing);
        };
        let equal = selector.match_labels.iter();
        let mut all: Vec<_> = equal
            .map(|(key, value)| Requirement::equal(key, value))
            .collect();
        for requirement in &selector.match_expressions {
            all.push(Requirement::of_label(requirement)?);
        }
        Ok(Self::All(all))
    }

    /// Adds requirements; a selector of nothing stays one.
    pub fn and(mut self, more: impl IntoIterator<Item = Requirement>) -> Self {
        if let Self::All(all) = &mut self {
            all.extend(more);
        }
        self
    }

    /// Returns whether every label is selected because there is no requirement.
    pub fn is_everything(&self) -> bool {
        matches!(self, Self::All(all) if all.is_empty())
    }

    /// Returns whether the labels are selected.
    pub fn matches(&self, labels: &Labels) -> bool {
        match self {
            Self::Nothing => false,
            Self::All(all) => all.iter().all(|requirement| requirement.matches(labels)),
        }
    }
}

impl Requirement {
    /// Returns the requirement that a label has a value.
    pub fn equal(key: &str, value: &str) -> Self {
        Self::new(key, Operator::In(vec![value.to_owned()]))
    }

    /// Returns the requirement that a label is absent or has another value.
    pub fn not_equal(key: &str, value: &str) -> Self {
        Self::new(key, Operator::NotIn(vec![value.to_owned()]))
    }

    /// Returns a requirement.
    pub fn new(key: &str, operator: Operator) -> Self {
        Self {
            key: key.to_owned(),
            operator,
        }
    }

    fn of_label(requirement: &LabelSelectorRequirement) -> Result<Self, SelectorError> {
        let LabelSelectorRequirement {
            key,
            operator,
            values,
        } = requirement;
        let compiled = match (operator.as_str(), values.len()) {
            ("In", 1..) => Operator::In(values.clone()),
            ("NotIn", 1..) => Operator::NotIn(values.clone()),
            ("Exists", 0) => Operator::Exists,
            ("DoesNotExist", 0) => Operator::DoesNotExist,
            ("In" | "NotIn" | "Exists" | "DoesNotExist", values) => {
                return Err(SelectorError::Values {
                    key: key.clone(),
                    operator: operator.clone(),
                    values,
                });
            }
            _ => {
                return Err(SelectorError::Operator {
                    key: key.clone(),
                    operator: operator.clone(),
                });
            }
        };
        Ok(Self::new(key, compiled))
    }

    /// Returns whether the labels meet the requirement (`Requirement.Matches`).
    pub fn matches(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.key);
        match (&self.operator, value) {
            (Operator::In(values), Some(value)) => values.contains(value),
            (Operator::NotIn(values), Some(value)) => !values.contains(value),
            (Operator::Exists, value) => value.is_some(),
            (Operator::DoesNotExist, value) => value.is_none(),
            (Operator::Greater(than), Some(value)) => number(value).is_some_and(|it| it > *than),
            (Operator::Less(than), Some(value)) => number(value).is_some_and(|it| it < *than),
            (Operator::NotIn(_), None) => true,
            (Operator::In(_) | Operator::Greater(_) | Operator::Less(_), None) => false,
        }
    }
}

/// Reads a number as `strconv.ParseInt` with base 10 does.
pub(crate) fn number(text: &str) -> Option<i64> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        let owned = |&(key, value): &(&str, &str)| (key.to_owned(), value.to_owned());
        pairs.iter().map(owned).collect()
    }

    fn selector(key: &str, operator: &str, values: &[&str]) -> Result<Selector, SelectorError> {
        Selector::of(Some(&LabelSelector {
            match_expressions: vec![LabelSelectorRequirement {
                key: key.to_owned(),
                operator: operator.to_owned(),
                values: values.iter().map(|&value| value.to_owned()).collect(),
            }],
            ..LabelSelector::default()
        }))
    }

    #[test]
    fn operators_select_as_upstream() {
        let with = labels(&[("app", "web")]);
        let without = labels(&[]);
        for (operator, values, of_with, of_without) in [
            ("In", &["web", "db"][..], true, false),
            ("In", &["db"], false, false),
            ("NotIn", &["web"], false, true),
            ("NotIn", &["db"], true, true),
            ("Exists", &[], true, false),
            ("DoesNotExist", &[], false, true),
        ] {
            let selector = selector("app", operator, values).unwrap();
            assert_eq!(selector.matches(&with), of_with, "{operator} {values:?}");
            assert_eq!(selector.matches(&without), of_without, "{operator}");
        }
    }

    #[test]
    fn no_selector_selects_nothing_and_an_empty_one_everything() {
        let some = labels(&[("app", "web")]);
        assert!(!Selector::of(None).unwrap().matches(&some));
        let everything = Selector::of(Some(&LabelSelector::default())).unwrap();
        assert!(everything.matches(&some) && everything.is_everything());
    }

    #[test]
    fn faults_are_told() {
        assert!(matches!(
            selector("app", "Gt", &["1"]),
            Err(SelectorError::Operator { .. })
        ));
        assert!(matches!(
            selector("app", "In", &[]),
            Err(SelectorError::Values { .. })
        ));
    }
}

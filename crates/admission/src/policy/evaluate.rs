//! Evaluation of policies on one pod (`validator.go`, `dispatcher.go`).

use std::cell::RefCell;

use cel::{Bindings, Budget, EvalError, Evaluated, Program, Value};
use inventory::api::Labels;

use super::matching::{Subject, matches};
use super::params::{ParamObject, collect};
use super::{BoundPolicy, NAMESPACE, OBJECT, PARAMS, Policy, REQUEST};

/// Budget of all match conditions of a policy (`RuntimeCELCostBudgetMatchConditions`).
const MATCH_BUDGET: u64 = Budget::PER_POLICY / 4;

/// Longest message of a `messageExpression` in bytes (`MaxEvaluatedMessageExpressionSizeBytes`).
const MAX_MESSAGE: usize = 5 * 1024;

const OUT_OF_BUDGET: &str =
    "validation failed due to running out of cost budget, no further validation rules will be run";

/// User that creates pods.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Requester {
    /// Name.
    pub name: String,
    /// Groups.
    pub groups: Vec<String>,
}

/// Pod that is created, as policies see it.
#[derive(Debug)]
pub struct PodRequest<'a> {
    /// Name of the pod.
    pub name: &'a str,
    /// Namespace.
    pub namespace: &'a str,
    /// Labels of the pod.
    pub labels: &'a Labels,
    /// The pod.
    pub object: Value,
    /// Labels of the namespace.
    pub namespace_labels: &'a Labels,
    /// The namespace.
    pub namespace_object: Value,
    /// User.
    pub requester: &'a Requester,
    /// Objects that can be parameters.
    pub params: &'a [ParamObject],
}

/// Reason why a policy refuses a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// Name of the policy.
    pub policy: String,
    /// Name of the binding.
    pub binding: String,
    /// Words of the API server.
    pub message: String,
}

/// Findings of all policies on one pod.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Findings {
    /// Refusals; the API server reports the first.
    pub denials: Vec<Denial>,
    /// Warnings for the user.
    pub warnings: Vec<String>,
}

impl BoundPolicy {
    /// Evaluates the policy under each of its bindings.
    pub fn evaluate(&self, request: &PodRequest<'_>, findings: &mut Findings) {
        let policy = &self.policy;
        let subject = Subject {
            name: request.name,
            labels: request.labels,
            namespace_labels: request.namespace_labels,
        };
        if !matches(policy.spec.match_constraints.as_ref(), &subject) {
            return;
        }
        for (name, binding) in &self.bindings {
            if !matches(binding.match_resources.as_ref(), &subject) {
                continue;
            }
            let denial = |message: String| Denial {
                policy: policy.name.clone(),
                binding: name.clone(),
                message: format!(
                    "ValidatingAdmissionPolicy '{}' with binding '{name}' denied request: {message}",
                    policy.name
                ),
            };
            let kind = policy.spec.param_kind.as_ref();
            let reference = binding.param_ref.as_ref();
            let params = match collect(kind, reference, request.params, request.namespace) {
                Ok(params) => params,
                Err(error) => {
                    if policy.fails() {
                        let message = format!("failed to configure binding: {error}");
                        findings.denials.push(denial(message));
                    }
                    continue;
                }
            };
            for params in params {
                for message in policy.refusals(request, params) {
                    for action in &binding.validation_actions {
                        match action.as_str() {
                            "Deny" => findings.denials.push(denial(message.clone())),
                            "Warn" => findings.warnings.push(format!(
                                "Validation failed for ValidatingAdmissionPolicy '{}' with binding '{name}': {message}",
                                policy.name
                            )),
                            // `Audit` adds to the audit log, which is not here.
                            _ => {}
                        }
                    }
                }
            }
        }
    }
}

impl Policy {
    /// Returns the messages of the validations that refuse a pod.
    fn refusals(&self, request: &PodRequest<'_>, params: Value) -> Vec<String> {
        let mut case = Case::new(self, request, params);
        match self.is_for(&mut case) {
            Ok(true) => {}
            Ok(false) => return Vec::new(),
            Err(message) => return vec![message],
        }
        case.namespace = request.namespace_object.clone();
        case.forget();
        let mut budget = Budget::new(Budget::PER_POLICY);
        let mut refusals = Vec::new();
        let expressions = self.spec.validations.iter().zip(&self.validations);
        for (validation, compiled) in expressions {
            let evaluated = case.evaluate(&compiled.expression, &mut budget);
            if budget.left() == 0 {
                return self.error(OUT_OF_BUDGET.to_owned()).into_iter().collect();
            }
            match evaluated {
                Ok(Value::Bool(true)) => {}
                Ok(_) => {
                    let message = compiled.message.as_ref();
                    let message = message.and_then(|text| case.message(text, &mut budget));
                    refusals.push(message.unwrap_or_else(|| validation.words()));
                }
                Err(error) => {
                    refusals.extend(self.error(failed(&validation.expression, &error)));
                }
            }
        }
        refusals
    }

    /// Returns whether the match conditions hold for a pod; one that is false outweighs errors.
    fn is_for(&self, case: &mut Case<'_>) -> Result<bool, String> {
        let mut budget = Budget::new(MATCH_BUDGET);
        let mut errors = Vec::new();
        let expressions = self.spec.match_conditions.iter().zip(&self.conditions);
        for (condition, program) in expressions {
            match case.evaluate(program, &mut budget) {
                Ok(Value::Bool(true)) => {}
                Ok(_) => return Ok(false),
                Err(error) => errors.push(failed(&condition.expression, &error)),
            }
        }
        if errors.is_empty() {
            return Ok(true);
        }
        match self.error(crate::resources::listed_errors(&errors)) {
            Some(message) => Err(message),
            None => Ok(false),
        }
    }

    /// Returns the message of an evaluation that failed, if that refuses a pod.
    fn error(&self, message: String) -> Option<String> {
        self.fails().then_some(message)
    }
}

fn failed(expression: &str, error: &EvalError) -> String {
    format!("expression '{expression}' resulted in error: {error}")
}

impl super::api::Validation {
    /// Returns the words for a pod that the validation refuses.
    fn words(&self) -> String {
        match self.message.trim() {
            "" => format!("failed expression: {}", self.expression.trim()),
            message => message.to_owned(),
        }
    }
}

/// One evaluation of a policy.
struct Case<'a> {
    object: Value,
    namespace: Value,
    request: Value,
    params: Value,
    programs: &'a [Program],
    /// Variables that were evaluated.
    variables: RefCell<Vec<Option<Evaluated<Value>>>>,
}

impl<'a> Case<'a> {
    fn new(policy: &'a Policy, request: &PodRequest<'_>, params: Value) -> Self {
        Self {
            object: request.object.clone(),
            // Match conditions do not see the namespace.
            namespace: Value::Null,
            request: request_value(request),
            params,
            programs: &policy.variables,
            variables: RefCell::new(vec![None; policy.variables.len()]),
        }
    }

    /// Forgets the values of variables, which can depend on the namespace.
    fn forget(&mut self) {
        self.variables = RefCell::new(vec![None; self.programs.len()]);
    }

    /// Evaluates an expression within its own budget and takes the work from a larger one.
    fn evaluate(&self, program: &Program, budget: &mut Budget) -> Evaluated<Value> {
        let available = budget.left().min(Budget::PER_CALL);
        let mut own = Budget::new(available);
        let evaluated = program.evaluate(self, &mut own);
        // The work was available.
        let _ = budget.charge(available - own.left());
        evaluated
    }

    /// Returns the text of a `messageExpression`, if it has one that the API server shows.
    fn message(&self, program: &Program, budget: &mut Budget) -> Option<String> {
        match self.evaluate(program, budget) {
            Ok(Value::String(text)) => {
                let text = text.trim();
                let is_shown =
                    !text.is_empty() && text.len() <= MAX_MESSAGE && !text.contains('\n');
                is_shown.then(|| text.to_owned())
            }
            _ => None,
        }
    }
}

impl Bindings for Case<'_> {
    fn global(&self, place: usize) -> Value {
        match place {
            OBJECT => self.object.clone(),
            NAMESPACE => self.namespace.clone(),
            REQUEST => self.request.clone(),
            PARAMS => self.params.clone(),
            // `oldObject`: a pod that is created has none.
            _ => Value::Null,
        }
    }

    fn variable(&self, place: usize, budget: &mut Budget) -> Evaluated<Value> {
        let known = self.variables.borrow().get(place).cloned().flatten();
        if let Some(known) = known {
            return known;
        }
        // A variable uses only the ones before it, so this ends.
        let value = match self.programs.get(place) {
            Some(program) => program.evaluate(self, budget),
            None => Err(EvalError::NoSuchKey("variable".to_owned())),
        };
        if !matches!(value, Err(EvalError::OutOfBudget))
            && let Some(slot) = self.variables.borrow_mut().get_mut(place)
        {
            *slot = Some(value.clone());
        }
        value
    }
}

/// Returns the value of `request` (`CreateAdmissionRequest`).
fn request_value(request: &PodRequest<'_>) -> Value {
    let text = |text: &str| Value::string(text);
    let named = |name: &'static str, value: &str| {
        Value::fields([
            ("group", text("")),
            ("version", text("v1")),
            (name, text(value)),
        ])
    };
    let groups = request.requester.groups.iter();
    let mut user = vec![("username", text(&request.requester.name))];
    if !request.requester.groups.is_empty() {
        user.push(("groups", Value::list(groups.map(|group| text(group)))));
    }
    Value::fields([
        ("uid", text("")),
        ("kind", named("kind", "Pod")),
        ("resource", named("resource", "pods")),
        ("requestKind", named("kind", "Pod")),
        ("requestResource", named("resource", "pods")),
        ("name", text(request.name)),
        ("namespace", text(request.namespace)),
        ("operation", text("CREATE")),
        ("userInfo", Value::fields(user)),
        ("object", Value::Null),
        ("oldObject", Value::Null),
        ("dryRun", Value::Bool(false)),
        (
            "options",
            Value::fields([
                ("kind", text("CreateOptions")),
                ("apiVersion", text("meta.k8s.io/v1")),
            ]),
        ),
    ])
}

//! ValidatingAdmissionPolicy: expressions that decide on pods.
//!
//! The rules and the words are those of `apiserver/pkg/admission/plugin/policy/validating` and
//! `plugin/cel` of Kubernetes 1.36. Audit annotations are ignored: they change no decision unless
//! their own expression fails. Expressions that use the authorizer do not compile, because no
//! authorizer is here.

mod api;
mod evaluate;
mod matching;
mod params;

use cel::{CompileError, Environment, Program, Type};

pub use api::{PolicyBindingObject, PolicyObject};
pub use evaluate::{Denial, Findings, PodRequest, Requester};
pub use params::ParamObject;

use api::{BindingSpec, FailurePolicy, PolicySpec};

/// Error of a policy that no API server accepts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: compilation failed: {error}")]
pub struct PolicyError {
    /// Field with the expression, such as `spec.validations[0].expression`.
    pub field: String,
    /// Reason.
    pub error: CompileError,
}

/// Policy with its compiled expressions.
#[derive(Debug)]
pub struct Policy {
    name: String,
    spec: PolicySpec,
    conditions: Vec<Program>,
    variables: Vec<Program>,
    validations: Vec<Compiled>,
}

/// Compiled expressions of one validation.
#[derive(Debug)]
struct Compiled {
    expression: Program,
    message: Option<Program>,
}

/// Policy together with its bindings, in the order of their names.
#[derive(Debug)]
pub struct BoundPolicy {
    policy: Policy,
    bindings: Vec<(String, BindingSpec)>,
}

/// Numbers of the names in every environment.
const OBJECT: usize = 0;
const NAMESPACE: usize = 2;
const REQUEST: usize = 3;
const PARAMS: usize = 4;

impl Policy {
    /// Compiles a policy.
    ///
    /// # Errors
    /// An expression that does not compile or has the wrong type.
    pub fn compile(object: &PolicyObject) -> Result<Self, PolicyError> {
        let spec = object.spec.clone();
        let mut environment = environment(spec.param_kind.is_some());
        let error = |field: String| move |error| PolicyError { field, error };
        let mut variables = Vec::new();
        for (place, variable) in spec.variables.iter().enumerate() {
            let field = format!("spec.variables[{place}].expression");
            let program = environment
                .compile(&variable.expression)
                .map_err(error(field))?;
            environment.declare_variable(&variable.name, program.output().clone());
            variables.push(program);
        }
        let to = |field: String, text: &str, wanted: &Type| {
            environment.compile_to(text, wanted).map_err(error(field))
        };
        let mut conditions = Vec::new();
        for (place, condition) in spec.match_conditions.iter().enumerate() {
            let field = format!("spec.matchConditions[{place}].expression");
            conditions.push(to(field, &condition.expression, &Type::Bool)?);
        }
        let mut validations = Vec::new();
        for (place, validation) in spec.validations.iter().enumerate() {
            let field = format!("spec.validations[{place}]");
            let expression = to(
                format!("{field}.expression"),
                &validation.expression,
                &Type::Bool,
            )?;
            let message = match validation.message_expression.trim() {
                "" => None,
                text => Some(to(
                    format!("{field}.messageExpression"),
                    text,
                    &Type::String,
                )?),
            };
            validations.push(Compiled {
                expression,
                message,
            });
        }
        Ok(Self {
            name: object.metadata.name.clone(),
            spec,
            conditions,
            variables,
            validations,
        })
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Adds the bindings that name the policy. A policy without bindings decides nothing.
    pub fn bind(self, bindings: &[PolicyBindingObject]) -> BoundPolicy {
        let own = bindings
            .iter()
            .filter(|binding| binding.spec.policy_name == self.name);
        let mut bindings: Vec<_> = own
            .map(|binding| (binding.metadata.name.clone(), binding.spec.clone()))
            .collect();
        bindings.sort_by(|(a, _), (b, _)| a.cmp(b));
        BoundPolicy {
            policy: self,
            bindings,
        }
    }

    fn fails(&self) -> bool {
        self.spec.failure_policy == FailurePolicy::Fail
    }
}

/// Returns the names of every expression (`createEnvForOpts`), numbered in this order: `object`,
/// `oldObject`, `namespaceObject`, `request` and, if the policy has parameters, `params`.
pub fn environment(has_params: bool) -> Environment {
    let mut environment = Environment::default();
    environment.declare("object", Type::Dyn);
    environment.declare("oldObject", Type::Dyn);
    environment.declare("namespaceObject", namespace_type());
    environment.declare("request", request_type());
    if has_params {
        environment.declare("params", Type::Dyn);
    }
    environment
}

/// Returns the type of `request` (`BuildRequestType`).
fn request_type() -> Type {
    let text = || Type::String;
    let kind = Type::object(
        "kubernetes.GroupVersionKind",
        [("group", text()), ("version", text()), ("kind", text())],
    );
    let resource = Type::object(
        "kubernetes.GroupVersionResource",
        [("group", text()), ("version", text()), ("resource", text())],
    );
    let user = Type::object(
        "kubernetes.UserInfo",
        [
            ("username", text()),
            ("uid", text()),
            ("groups", Type::list(text())),
            ("extra", Type::map(text(), Type::list(text()))),
        ],
    );
    Type::object(
        "kubernetes.AdmissionRequest",
        [
            ("kind", kind.clone()),
            ("resource", resource.clone()),
            ("subResource", text()),
            ("requestKind", kind),
            ("requestResource", resource),
            ("requestSubResource", text()),
            ("name", text()),
            ("namespace", text()),
            ("operation", text()),
            ("userInfo", user),
            ("dryRun", Type::Bool),
            ("options", Type::Dyn),
        ],
    )
}

/// Returns the type of `namespaceObject` (`BuildNamespaceType`).
fn namespace_type() -> Type {
    let text = || Type::String;
    let condition = Type::object(
        "kubernetes.NamespaceCondition",
        [
            ("status", text()),
            ("type", text()),
            ("lastTransitionTime", Type::Timestamp),
            ("message", text()),
            ("reason", text()),
        ],
    );
    let metadata = Type::object(
        "kubernetes.NamespaceMetadata",
        [
            ("name", text()),
            ("generateName", text()),
            ("namespace", text()),
            ("labels", Type::map(text(), text())),
            ("annotations", Type::map(text(), text())),
            ("UID", text()),
            ("creationTimestamp", Type::Timestamp),
            ("deletionGracePeriodSeconds", Type::Int),
            ("deletionTimestamp", Type::Timestamp),
            ("generation", Type::Int),
            ("resourceVersion", text()),
            ("finalizers", Type::list(text())),
        ],
    );
    let spec = Type::object(
        "kubernetes.NamespaceSpec",
        [("finalizers", Type::list(text()))],
    );
    let status = Type::object(
        "kubernetes.NamespaceStatus",
        [("conditions", Type::list(condition)), ("phase", text())],
    );
    Type::object(
        "kubernetes.Namespace",
        [("metadata", metadata), ("spec", spec), ("status", status)],
    )
}

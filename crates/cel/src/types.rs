//! Types of expressions.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Type of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// Any type; known at evaluation only.
    Dyn,
    /// Type of `null`.
    Null,
    /// Truth value.
    Bool,
    /// Signed integer of 64 bits.
    Int,
    /// Unsigned integer of 64 bits.
    Uint,
    /// Floating-point number of 64 bits.
    Double,
    /// Text.
    String,
    /// Bytes.
    Bytes,
    /// Point in time.
    Timestamp,
    /// Length of time.
    Duration,
    /// List with elements of one type.
    List(Arc<Type>),
    /// Map with keys and values of one type each.
    Map(Arc<Type>, Arc<Type>),
    /// Value that may be absent.
    Optional(Arc<Type>),
    /// Type of a type.
    Type(Arc<Type>),
    /// Type that only functions look into, such as `kubernetes.Quantity`.
    Opaque(&'static str),
    /// Object with known fields.
    Object(Arc<ObjectType>),
    /// Unknown of a signature or of an empty list.
    Var(usize),
}

/// Type of an object with known fields.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObjectType {
    /// Name.
    pub name: String,
    /// Types of the fields.
    pub fields: BTreeMap<String, Type>,
}

impl Type {
    /// Returns the type of lists of these elements.
    pub fn list(element: Self) -> Self {
        Self::List(Arc::new(element))
    }

    /// Returns the type of maps of these keys and values.
    pub fn map(key: Self, value: Self) -> Self {
        Self::Map(Arc::new(key), Arc::new(value))
    }

    /// Returns the type of optional values.
    pub fn optional(value: Self) -> Self {
        Self::Optional(Arc::new(value))
    }

    /// Returns the type of an object with these fields.
    pub fn object(name: &str, fields: impl IntoIterator<Item = (&'static str, Self)>) -> Self {
        let fields = fields.into_iter().map(|(name, of)| (name.to_owned(), of));
        Self::Object(Arc::new(ObjectType {
            name: name.to_owned(),
            fields: fields.collect(),
        }))
    }

    /// Returns the type that a signature names: `int`, `list(A)`, `map(A,B)`, `optional(A)`,
    /// `type(A)` or an opaque type in lower case. Capital letters are unknowns.
    pub(crate) fn parse(text: &str) -> Self {
        if let Some((outer, rest)) = text.split_once('(') {
            let inner = rest.strip_suffix(')').unwrap_or(rest);
            return match (outer, inner.split_once(',')) {
                ("map", Some((key, value))) => Self::map(Self::parse(key), Self::parse(value)),
                ("optional", _) => Self::optional(Self::parse(inner)),
                ("type", _) => Self::Type(Arc::new(Self::parse(inner))),
                _ => Self::list(Self::parse(inner)),
            };
        }
        match text {
            "dyn" => Self::Dyn,
            "null" => Self::Null,
            "bool" => Self::Bool,
            "int" => Self::Int,
            "uint" => Self::Uint,
            "double" => Self::Double,
            "string" => Self::String,
            "bytes" => Self::Bytes,
            "timestamp" => Self::Timestamp,
            "duration" => Self::Duration,
            "quantity" => Self::Opaque("kubernetes.Quantity"),
            "url" => Self::Opaque("kubernetes.URL"),
            "ip" => Self::Opaque("net.IP"),
            "cidr" => Self::Opaque("net.CIDR"),
            "semver" => Self::Opaque("kubernetes.Semver"),
            "format" => Self::Opaque("kubernetes.NamedFormat"),
            unknown => match unknown.as_bytes() {
                [letter @ b'A'..=b'Z'] => Self::Var(usize::from(letter - b'A')),
                _ => Self::Opaque("unknown"),
            },
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dyn => f.write_str("dyn"),
            Self::Null => f.write_str("null"),
            Self::Bool => f.write_str("bool"),
            Self::Int => f.write_str("int"),
            Self::Uint => f.write_str("uint"),
            Self::Double => f.write_str("double"),
            Self::String => f.write_str("string"),
            Self::Bytes => f.write_str("bytes"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::Duration => f.write_str("duration"),
            Self::List(element) => write!(f, "list({element})"),
            Self::Map(key, value) => write!(f, "map({key}, {value})"),
            Self::Optional(value) => write!(f, "optional_type({value})"),
            Self::Type(of) => write!(f, "type({of})"),
            Self::Opaque(name) => f.write_str(name),
            Self::Object(object) => f.write_str(&object.name),
            Self::Var(place) => write!(f, "_var{place}"),
        }
    }
}

/// Unknowns of types and the types that they stand for so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unknowns {
    bound: Vec<Option<Type>>,
}

impl Unknowns {
    /// Returns a new unknown.
    pub(crate) fn fresh(&mut self) -> Type {
        self.bound.push(None);
        Type::Var(self.bound.len() - 1)
    }

    /// Replaces the unknowns of a signature by new ones.
    pub(crate) fn instantiate(&mut self, of: &Type, new: &mut BTreeMap<usize, Type>) -> Type {
        match of {
            Type::Var(place) => match new.get(place) {
                Some(known) => known.clone(),
                None => {
                    let fresh = self.fresh();
                    new.insert(*place, fresh.clone());
                    fresh
                }
            },
            Type::List(element) => Type::list(self.instantiate(element, new)),
            Type::Optional(value) => Type::optional(self.instantiate(value, new)),
            Type::Type(inner) => Type::Type(Arc::new(self.instantiate(inner, new))),
            Type::Map(key, value) => {
                Type::map(self.instantiate(key, new), self.instantiate(value, new))
            }
            plain => plain.clone(),
        }
    }

    /// Replaces bound unknowns by their types and, with `free_is_dyn`, the others by `dyn`.
    pub(crate) fn resolve(&self, of: &Type, free_is_dyn: bool) -> Type {
        match of {
            Type::Var(place) => match self.bound.get(*place) {
                Some(Some(bound)) => self.resolve(bound, free_is_dyn),
                _ if free_is_dyn => Type::Dyn,
                _ => of.clone(),
            },
            Type::List(element) => Type::list(self.resolve(element, free_is_dyn)),
            Type::Optional(value) => Type::optional(self.resolve(value, free_is_dyn)),
            Type::Type(inner) => Type::Type(Arc::new(self.resolve(inner, free_is_dyn))),
            Type::Map(key, value) => Type::map(
                self.resolve(key, free_is_dyn),
                self.resolve(value, free_is_dyn),
            ),
            plain => plain.clone(),
        }
    }

    /// Returns whether a value of the second type may stand where the first is wanted, and binds
    /// unknowns (`isAssignable` of cel-go).
    pub(crate) fn accepts(&mut self, wanted: &Type, given: &Type) -> bool {
        match (wanted, given) {
            (Type::Var(a), Type::Var(b)) if a == b => true,
            (Type::Var(place), other) => self.substitutes(*place, other, true),
            (other, Type::Var(place)) => self.substitutes(*place, other, false),
            (Type::List(a), Type::List(b))
            | (Type::Optional(a), Type::Optional(b))
            | (Type::Type(a), Type::Type(b)) => self.accepts(a, b),
            (Type::Map(ka, va), Type::Map(kb, vb)) => self.accepts(ka, kb) && self.accepts(va, vb),
            (Type::Dyn, _)
            | (_, Type::Dyn)
            | (Type::Opaque(_) | Type::Object(_) | Type::Timestamp | Type::Duration, Type::Null)
            | (Type::Null, Type::Opaque(_) | Type::Object(_) | Type::Timestamp | Type::Duration) => {
                true
            }
            (Type::Object(a), Type::Object(b)) => a.name == b.name,
            (a, b) => a == b,
        }
    }

    fn substitutes(&mut self, place: usize, other: &Type, var_is_wanted: bool) -> bool {
        let Some(Some(bound)) = self.bound.get(place).cloned() else {
            let other = self.resolve(other, false);
            if other == Type::Var(place) {
                return true;
            }
            if mentions(&other, place) {
                return false;
            }
            if let Some(slot) = self.bound.get_mut(place) {
                *slot = Some(other);
            }
            return true;
        };
        let accepted = if var_is_wanted {
            self.accepts(&bound, other)
        } else {
            self.accepts(other, &bound)
        };
        if accepted {
            let (bound, other) = (self.resolve(&bound, false), self.resolve(other, false));
            let general = most_general(&bound, &other);
            if !mentions(&general, place)
                && let Some(slot) = self.bound.get_mut(place)
            {
                *slot = Some(general);
            }
        }
        accepted
    }
}

fn mentions(of: &Type, place: usize) -> bool {
    match of {
        Type::Var(other) => *other == place,
        Type::List(inner) | Type::Optional(inner) | Type::Type(inner) => mentions(inner, place),
        Type::Map(key, value) => mentions(key, place) || mentions(value, place),
        _ => false,
    }
}

/// Returns the more general of two types that go together (`mostGeneral` of cel-go).
pub(crate) fn most_general(a: &Type, b: &Type) -> Type {
    if is_at_least_as_general(a, b) { a } else { b }.clone()
}

fn is_at_least_as_general(a: &Type, b: &Type) -> bool {
    match (a, b) {
        (Type::Dyn | Type::Var(_), _) => true,
        (_, Type::Dyn | Type::Var(_)) | (Type::Null, _) => false,
        (_, Type::Null) => true,
        (Type::List(a), Type::List(b))
        | (Type::Optional(a), Type::Optional(b))
        | (Type::Type(a), Type::Type(b)) => is_at_least_as_general(a, b),
        (Type::Map(ka, va), Type::Map(kb, vb)) => {
            is_at_least_as_general(ka, kb) && is_at_least_as_general(va, vb)
        }
        (a, b) => a == b,
    }
}

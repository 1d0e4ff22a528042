//! Values that only functions look into.

mod named_format;
mod quantity;
mod semver;
mod url;

pub use named_format::NamedFormat;
pub use quantity::Quantity;
pub use semver::Semver;
pub use url::Url;
pub(crate) use url::unescape;

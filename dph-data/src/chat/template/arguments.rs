//! [`arguments`]: the arguments of a filter, by position or by name.

use minijinja::value::Kwargs;
use minijinja::{Error, ErrorKind, Value};

/// The arguments of a filter or method with these parameters. An argument that is not given is `None`.
pub(super) fn arguments<const N: usize>(
    names: [&str; N],
    by_position: &[Value],
    by_name: &Kwargs,
) -> Result<[Option<Value>; N], Error> {
    if by_position.len() > N {
        return Err(Error::from(ErrorKind::TooManyArguments));
    }
    let mut found = [const { None }; N];
    for (index, name) in names.into_iter().enumerate() {
        found[index] = match by_position.get(index) {
            Some(value) => Some(value.clone()),
            None if by_name.has(name) => Some(by_name.get::<Value>(name)?),
            None => None,
        };
    }
    by_name.assert_all_used()?;
    Ok(found)
}

/// A whole number.
pub(super) fn whole(value: &Value) -> Result<i64, Error> {
    value.as_i64().ok_or_else(|| invalid(format!("expected a whole number, found {}", value.kind())))
}

/// A text.
pub(super) fn text(value: &Value) -> Result<&str, Error> {
    value.as_str().ok_or_else(|| invalid(format!("expected text, found {}", value.kind())))
}

/// A value or a use of it that Python refuses.
pub(super) fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}

/// A part of Jinja2 that is not supported.
pub(super) fn unsupported(what: &str) -> Error {
    Error::new(ErrorKind::UnknownFunction, format!("{what} is not supported"))
}

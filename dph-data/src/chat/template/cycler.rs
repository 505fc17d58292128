//! [`cycler`]: the function of Jinja2 whose object gives its items in turn.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use minijinja::value::{Enumerator, Object, Rest};
use minijinja::{Error, ErrorKind, State, Value};

use super::arguments::invalid;

/// An object with the methods `next` and `reset` and the attribute `current`.
pub(super) fn cycler(items: Rest<Value>) -> Result<Value, Error> {
    match items.is_empty() {
        true => Err(invalid("`cycler` needs at least one item")),
        false => Ok(Value::from_object(Cycler { items: items.0, place: AtomicUsize::new(0) })),
    }
}

#[derive(Debug)]
struct Cycler {
    items: Vec<Value>,
    place: AtomicUsize,
}

impl Object for Cycler {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        (key.as_str() == Some("current")).then(|| self.items[self.place.load(Ordering::Relaxed)].clone())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        given: &[Value],
    ) -> Result<Value, Error> {
        let place = self.place.load(Ordering::Relaxed);
        let next = match method {
            "next" if given.is_empty() => (place + 1) % self.items.len(),
            "reset" if given.is_empty() => 0,
            _ => return Err(ErrorKind::UnknownMethod.into()),
        };
        self.place.store(next, Ordering::Relaxed);
        Ok(if method == "next" { self.items[place].clone() } else { Value::from(()) })
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<cycler>")
    }
}

//! Who wants to see a saga go by: progress streams, logs.

use crate::Record;

/// Is told of every record after it is safely journaled, in order.
pub trait Observer: Send + Sync {
    /// A record was journaled.
    fn recorded(&self, record: &Record);
}

/// Nobody looks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn recorded(&self, _: &Record) {}
}

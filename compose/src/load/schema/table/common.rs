//! Shapes that several attributes share, and the functions that write rows.

use super::super::Kind::{Boolean, Integer, Null, Number, Text};
use super::super::{Age, Attribute, Extensions, MapShape, Others, Record, Shape};

pub(super) const TEXT: Shape = Shape::Scalar(&[Text]);
pub(super) const DURATION: Shape = Shape::Text(any_text, "a duration such as 30s");
pub(super) const BOOLEAN: Shape = Shape::Scalar(&[Boolean]);
pub(super) const INTEGER: Shape = Shape::Scalar(&[Integer]);
pub(super) const NUMBER: Shape = Shape::Scalar(&[Number]);
pub(super) const NOTHING: Shape = Shape::Scalar(&[Null]);
pub(super) const SWITCH: Shape = Shape::Scalar(&[Boolean, Text]);
pub(super) const COUNT: Shape = Shape::Scalar(&[Integer, Text]);
pub(super) const AMOUNT: Shape = Shape::Scalar(&[Number, Text]);
pub(super) const TEXTS: Shape = Shape::List(&TEXT);
pub(super) const TEXT_SET: Shape = Shape::Set(&TEXT);
pub(super) const TEXT_OR_SET: Shape = Shape::Either(&[&TEXT, &TEXT_SET]);
pub(super) const TEXT_OR_LIST: Shape = Shape::Either(&[&TEXT, &TEXTS]);
pub(super) const COMMAND: Shape = Shape::Either(&[&NOTHING, &TEXT, &TEXTS]);

pub(super) const fn on(key: &'static str, shape: &'static Shape) -> Attribute {
    Attribute { key, shape, age: Age::Always }
}

pub(super) const fn new(key: &'static str, shape: &'static Shape) -> Attribute {
    Attribute { key, shape, age: Age::Since40 }
}

pub(super) const fn record(attributes: &'static [Attribute]) -> Record {
    Record { attributes, required: &[], extensions: Extensions::Allowed }
}

pub(super) const fn needs(required: &'static [&'static str], attributes: &'static [Attribute]) -> Record {
    Record { attributes, required, extensions: Extensions::Allowed }
}

pub(super) const fn closed(required: &'static [&'static str], attributes: &'static [Attribute]) -> Record {
    Record { attributes, required, extensions: Extensions::Refused }
}

pub(super) const fn names(value: &'static Shape, others: Others) -> MapShape {
    MapShape { keys: is_name, others, value }
}

/// Whether it can be read is seen when it is decoded.
pub(super) fn any_text(_: &str) -> bool {
    true
}

/// Letters, digits, `.`, `_`, `-`.
pub(super) fn is_name(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

pub(super) fn not_empty(key: &str) -> bool {
    key.chars().any(|c| c != '\n')
}

pub(super) fn lower_case(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase())
}

/// A letter or digit with something like it after it, anywhere.
pub(super) fn container_name(text: &str) -> bool {
    text.as_bytes().windows(2).any(|pair| match pair {
        [first, second] => {
            first.is_ascii_alphanumeric()
                && (second.is_ascii_alphanumeric() || matches!(second, b'_' | b'.' | b'-'))
        }
        _ => false,
    })
}

pub(super) fn pull_policy(text: &str) -> bool {
    let words = ["always", "never", "build", "if_not_present", "missing", "refresh", "daily", "weekly"];
    words.iter().any(|word| text.contains(word)) || text.split("every_").skip(1).any(period)
}

/// Digits and a unit at the start.
pub(super) fn period(text: &str) -> bool {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.len() < text.len() && rest.starts_with(['w', 'd', 'h', 'm', 's'])
}

pub(super) const LIST_OR_MAP: Shape = Shape::Either(&[
    &Shape::Map(&MapShape {
        keys: not_empty,
        others: Others::Refused,
        value: &Shape::Scalar(&[Text, Number, Boolean, Null]),
    }),
    &TEXT_SET,
]);

pub(super) const EXTRA_HOSTS: Shape = Shape::Either(&[
    &Shape::Map(&MapShape { keys: not_empty, others: Others::Refused, value: &TEXT_OR_LIST }),
    &TEXT_SET,
]);

pub(super) const DRIVER_OPTS: Shape =
    Shape::Map(&MapShape { keys: not_empty, others: Others::Unchecked, value: &AMOUNT });

pub(super) const TEXT_MAP: Shape =
    Shape::Map(&MapShape { keys: not_empty, others: Others::Refused, value: &TEXT });

pub(super) const FILE_REFERENCES: Shape = Shape::List(&Shape::Either(&[
    &TEXT,
    &Shape::Record(&record(&[
        on("source", &TEXT),
        on("target", &TEXT),
        on("uid", &TEXT),
        on("gid", &TEXT),
        on("mode", &AMOUNT),
    ])),
]));

pub(super) const ULIMITS: Shape = Shape::Map(&MapShape {
    keys: lower_case,
    others: Others::Unchecked,
    value: &Shape::Either(&[
        &COUNT,
        &Shape::Record(&needs(&["soft", "hard"], &[on("hard", &COUNT), on("soft", &COUNT)])),
    ]),
});

//! The attributes of a Compose file: which keys exist where, and what may stand under them.
//!
//! Data only. Each row is a key and a shape; rows that 2.26 does not know are marked. This file holds the top level.

mod common;
mod deploy;
mod parts;
mod service;

use super::{Extensions, Others, Record, Shape};
use common::{
    DRIVER_OPTS, INTEGER, LIST_OR_MAP, NOTHING, SWITCH, TEXT, TEXT_MAP, TEXT_OR_SET, TEXTS, closed, names,
    needs, new, on, record,
};
use service::SERVICE;

/// `external`, with the old form that carries the name.
const EXTERNAL: Shape = Shape::Either(&[&SWITCH, &Shape::Record(&record(&[on("name", &TEXT)]))]);

const OPEN_EXTERNAL: Shape = Shape::Either(&[
    &SWITCH,
    &Shape::Record(&Record { attributes: &[on("name", &TEXT)], required: &[], extensions: Extensions::Open }),
]);

const NETWORK: Shape = Shape::Either(&[
    &Shape::Record(&record(&[
        on("name", &TEXT),
        on("driver", &TEXT),
        on("driver_opts", &DRIVER_OPTS),
        on(
            "ipam",
            &Shape::Record(&record(&[
                on("driver", &TEXT),
                on(
                    "config",
                    &Shape::List(&Shape::Record(&record(&[
                        on("subnet", &TEXT),
                        on("ip_range", &TEXT),
                        on("gateway", &TEXT),
                        on("aux_addresses", &TEXT_MAP),
                    ]))),
                ),
                on("options", &TEXT_MAP),
            ])),
        ),
        on("external", &EXTERNAL),
        on("internal", &SWITCH),
        on("enable_ipv4", &SWITCH),
        on("enable_ipv6", &SWITCH),
        on("attachable", &SWITCH),
        on("labels", &LIST_OR_MAP),
    ])),
    &NOTHING,
]);

const VOLUME: Shape = Shape::Either(&[
    &Shape::Record(&record(&[
        on("name", &TEXT),
        on("driver", &TEXT),
        on("driver_opts", &DRIVER_OPTS),
        on("external", &EXTERNAL),
        on("labels", &LIST_OR_MAP),
    ])),
    &NOTHING,
]);

const SECRET: Shape = Shape::Record(&record(&[
    on("name", &TEXT),
    on("environment", &TEXT),
    on("file", &TEXT),
    on("external", &OPEN_EXTERNAL),
    on("labels", &LIST_OR_MAP),
    on("driver", &TEXT),
    on("driver_opts", &DRIVER_OPTS),
    on("template_driver", &TEXT),
]));

const CONFIG: Shape = Shape::Record(&record(&[
    on("name", &TEXT),
    on("content", &TEXT),
    on("environment", &TEXT),
    on("file", &TEXT),
    on("external", &OPEN_EXTERNAL),
    on("labels", &LIST_OR_MAP),
    on("template_driver", &TEXT),
]));

const MODEL: Shape = Shape::Record(&needs(
    &["model"],
    &[on("name", &TEXT), on("model", &TEXT), on("context_size", &INTEGER), on("runtime_flags", &TEXTS)],
));

const INCLUDE: Shape = Shape::Either(&[
    &TEXT,
    &Shape::Record(&closed(
        &[],
        &[on("path", &TEXT_OR_SET), on("env_file", &TEXT_OR_SET), on("project_directory", &TEXT)],
    )),
]);

/// The whole file.
pub(in crate::load) const PROJECT: Record = record(&[
    on("version", &TEXT),
    on("name", &TEXT),
    on("include", &Shape::List(&INCLUDE)),
    on("services", &Shape::Map(&names(&SERVICE, Others::Refused))),
    new("models", &Shape::Map(&names(&MODEL, Others::Unchecked))),
    on("networks", &Shape::Map(&names(&NETWORK, Others::Unchecked))),
    on("volumes", &Shape::Map(&names(&VOLUME, Others::Refused))),
    on("secrets", &Shape::Map(&names(&SECRET, Others::Refused))),
    on("configs", &Shape::Map(&names(&CONFIG, Others::Refused))),
]);

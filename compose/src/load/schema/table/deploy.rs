//! The attributes of `deploy` and `develop`.

use super::super::Shape;
use super::common::{AMOUNT, COUNT, DURATION, LIST_OR_MAP, NOTHING, TEXT, TEXTS, needs, on, record};
use super::parts::{DEVICE_REQUEST, WATCH};

pub(super) const DEVELOP: Shape = Shape::Either(&[&Shape::Record(&record(&[on("watch", &WATCH)])), &NOTHING]);

pub(super) const UPDATE_CONFIG: Shape = Shape::Record(&record(&[
    on("parallelism", &COUNT),
    on("delay", &DURATION),
    on("failure_action", &TEXT),
    on("monitor", &DURATION),
    on("max_failure_ratio", &AMOUNT),
    on("order", &Shape::Word(&["start-first", "stop-first"])),
]));

pub(super) const RESOURCES: Shape = Shape::Record(&record(&[
    on("limits", &Shape::Record(&record(&[on("cpus", &AMOUNT), on("memory", &TEXT), on("pids", &COUNT)]))),
    on(
        "reservations",
        &Shape::Record(&record(&[
            on("cpus", &AMOUNT),
            on("memory", &TEXT),
            on(
                "generic_resources",
                &Shape::List(&Shape::Record(&record(&[on(
                    "discrete_resource_spec",
                    &Shape::Record(&record(&[on("kind", &TEXT), on("value", &AMOUNT)])),
                )]))),
            ),
            on("devices", &Shape::List(&Shape::Record(&needs(&["capabilities"], DEVICE_REQUEST)))),
        ])),
    ),
]));

pub(super) const DEPLOY: Shape = Shape::Either(&[
    &Shape::Record(&record(&[
        on("mode", &TEXT),
        on("endpoint_mode", &TEXT),
        on("replicas", &COUNT),
        on("labels", &LIST_OR_MAP),
        on("rollback_config", &UPDATE_CONFIG),
        on("update_config", &UPDATE_CONFIG),
        on("resources", &RESOURCES),
        on(
            "restart_policy",
            &Shape::Record(&record(&[
                on("condition", &TEXT),
                on("delay", &DURATION),
                on("max_attempts", &COUNT),
                on("window", &DURATION),
            ])),
        ),
        on(
            "placement",
            &Shape::Record(&record(&[
                on("constraints", &TEXTS),
                on("preferences", &Shape::List(&Shape::Record(&record(&[on("spread", &TEXT)])))),
                on("max_replicas_per_node", &COUNT),
            ])),
        ),
    ])),
    &NOTHING,
]);

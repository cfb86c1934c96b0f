//! The attributes of the parts of a service: build, networks, ports, mounts, devices, health.

use super::super::Kind::{Boolean, Null, Number, Text};
use super::super::{Attribute, Extensions, MapShape, Others, Record, Shape};
use super::common::{
    AMOUNT, BOOLEAN, COMMAND, COUNT, DRIVER_OPTS, DURATION, EXTRA_HOSTS, FILE_REFERENCES, LIST_OR_MAP,
    NOTHING, NUMBER, SWITCH, TEXT, TEXT_OR_LIST, TEXT_OR_SET, TEXT_SET, TEXTS, ULIMITS, closed, names, needs,
    new, not_empty, on, record,
};

pub(super) const BUILD: Shape = Shape::Either(&[
    &TEXT,
    &Shape::Record(&record(&[
        on("context", &TEXT),
        on("dockerfile", &TEXT),
        on("dockerfile_inline", &TEXT),
        on("entitlements", &TEXTS),
        on("args", &LIST_OR_MAP),
        on("ssh", &LIST_OR_MAP),
        on("labels", &LIST_OR_MAP),
        on("cache_from", &TEXTS),
        on("cache_to", &TEXTS),
        on("no_cache", &SWITCH),
        on("additional_contexts", &LIST_OR_MAP),
        on("network", &TEXT),
        new("provenance", &SWITCH),
        new("sbom", &SWITCH),
        on("pull", &SWITCH),
        on("target", &TEXT),
        on("shm_size", &COUNT),
        on("extra_hosts", &EXTRA_HOSTS),
        on("isolation", &TEXT),
        on("privileged", &SWITCH),
        on("secrets", &FILE_REFERENCES),
        on("tags", &TEXTS),
        on("ulimits", &ULIMITS),
        on("platforms", &TEXTS),
    ])),
]);

pub(super) const THROTTLES: Shape =
    Shape::List(&Shape::Record(&closed(&[], &[on("path", &TEXT), on("rate", &COUNT)])));

pub(super) const BLKIO: Shape = Shape::Record(&closed(
    &[],
    &[
        on("device_read_bps", &THROTTLES),
        on("device_read_iops", &THROTTLES),
        on("device_write_bps", &THROTTLES),
        on("device_write_iops", &THROTTLES),
        on("weight", &COUNT),
        on(
            "weight_device",
            &Shape::List(&Shape::Record(&closed(&[], &[on("path", &TEXT), on("weight", &COUNT)]))),
        ),
    ],
));

pub(super) const DEPENDS_ON: Shape = Shape::Either(&[
    &TEXT_SET,
    &Shape::Map(&names(
        &Shape::Record(&needs(
            &["condition"],
            &[
                on("restart", &SWITCH),
                on("required", &BOOLEAN),
                on(
                    "condition",
                    &Shape::Word(&["service_started", "service_healthy", "service_completed_successfully"]),
                ),
            ],
        )),
        Others::Refused,
    )),
]);

pub(super) const DEVICES: Shape = Shape::List(&Shape::Either(&[
    &TEXT,
    &Shape::Record(&needs(
        &["source"],
        &[on("source", &TEXT), on("target", &TEXT), on("permissions", &TEXT)],
    )),
]));

pub(super) const DEVICE_REQUEST: &[Attribute] = &[
    on("capabilities", &TEXT_SET),
    on("count", &COUNT),
    on("device_ids", &TEXT_SET),
    on("driver", &TEXT),
    on("options", &LIST_OR_MAP),
];

pub(super) const GPUS: Shape = Shape::Either(&[
    &Shape::Word(&["all"]),
    &Shape::List(&Shape::Record(&Record {
        attributes: DEVICE_REQUEST,
        required: &[],
        extensions: Extensions::Open,
    })),
]);

pub(super) const HEALTHCHECK: Shape = Shape::Record(&record(&[
    on("disable", &SWITCH),
    on("interval", &DURATION),
    on("retries", &AMOUNT),
    on("test", &TEXT_OR_LIST),
    on("timeout", &DURATION),
    on("start_period", &DURATION),
    on("start_interval", &DURATION),
]));

pub(super) const ENV_FILE: Shape = Shape::Either(&[
    &TEXT,
    &Shape::List(&Shape::Either(&[
        &TEXT,
        &Shape::Record(&closed(
            &["path"],
            &[on("path", &TEXT), on("format", &TEXT), on("required", &SWITCH)],
        )),
    ])),
]);

pub(super) const EXTENDS: Shape = Shape::Either(&[
    &TEXT,
    &Shape::Record(&closed(&["service"], &[on("service", &TEXT), on("file", &TEXT)])),
]);

pub(super) const OPTION_VALUE: Shape = Shape::Scalar(&[Text, Number, Boolean]);

pub(super) const PROVIDER: Shape = Shape::Record(&needs(
    &["type"],
    &[
        on("type", &TEXT),
        on(
            "options",
            &Shape::Map(&MapShape {
                keys: not_empty,
                others: Others::Unchecked,
                value: &Shape::Either(&[&OPTION_VALUE, &Shape::List(&OPTION_VALUE)]),
            }),
        ),
    ],
));

pub(super) const LOGGING: Shape = Shape::Record(&record(&[
    on("driver", &TEXT),
    on(
        "options",
        &Shape::Map(&MapShape {
            keys: not_empty,
            others: Others::Unchecked,
            value: &Shape::Scalar(&[Text, Number, Null]),
        }),
    ),
]));

pub(super) const SERVICE_MODELS: Shape = Shape::Either(&[
    &TEXT_SET,
    &Shape::Map(&names(
        &Shape::Either(&[
            &Shape::Record(&record(&[on("endpoint_var", &TEXT), on("model_var", &TEXT)])),
            &NOTHING,
        ]),
        Others::Unchecked,
    )),
]);

pub(super) const SERVICE_NETWORKS: Shape = Shape::Either(&[
    &TEXT_SET,
    &Shape::Map(&names(
        &Shape::Either(&[
            &Shape::Record(&record(&[
                on("aliases", &TEXT_SET),
                new("interface_name", &TEXT),
                on("ipv4_address", &TEXT),
                on("ipv6_address", &TEXT),
                on("link_local_ips", &TEXT_SET),
                on("mac_address", &TEXT),
                on("driver_opts", &DRIVER_OPTS),
                on("priority", &NUMBER),
                on("gw_priority", &NUMBER),
            ])),
            &NOTHING,
        ]),
        Others::Refused,
    )),
]);

pub(super) const PORTS: Shape = Shape::Set(&Shape::Either(&[
    &AMOUNT,
    &Shape::Record(&record(&[
        on("name", &TEXT),
        on("mode", &TEXT),
        on("host_ip", &TEXT),
        on("target", &COUNT),
        on("published", &COUNT),
        on("protocol", &TEXT),
        on("app_protocol", &TEXT),
    ])),
]));

pub(super) const HOOK_ATTRIBUTES: &[Attribute] = &[
    on("command", &COMMAND),
    on("user", &TEXT),
    on("privileged", &SWITCH),
    on("working_dir", &TEXT),
    on("environment", &LIST_OR_MAP),
];

pub(super) const HOOK: Shape = Shape::Since40(
    &Shape::Record(&record(HOOK_ATTRIBUTES)),
    &Shape::Record(&needs(&["command"], HOOK_ATTRIBUTES)),
);

pub(super) const HOOKS: Shape = Shape::List(&HOOK);

pub(super) const SIZE: Shape = Shape::TextOrRange(0, i64::MAX);

pub(super) const MOUNTS: Shape = Shape::Set(&Shape::Either(&[
    &TEXT,
    &Shape::Record(&needs(
        &["type"],
        &[
            on(
                "type",
                &Shape::Since40(
                    &TEXT,
                    &Shape::Word(&["bind", "volume", "tmpfs", "cluster", "npipe", "image"]),
                ),
            ),
            on("source", &TEXT),
            on("target", &TEXT),
            on("read_only", &SWITCH),
            on("consistency", &TEXT),
            on(
                "bind",
                &Shape::Record(&record(&[
                    on("propagation", &TEXT),
                    on("create_host_path", &SWITCH),
                    on("recursive", &Shape::Word(&["enabled", "disabled", "writable", "readonly"])),
                    on("selinux", &Shape::Word(&["z", "Z"])),
                ])),
            ),
            on(
                "volume",
                &Shape::Record(&record(&[
                    new("labels", &LIST_OR_MAP),
                    on("nocopy", &SWITCH),
                    on("subpath", &TEXT),
                ])),
            ),
            on("tmpfs", &Shape::Record(&record(&[on("size", &SIZE), on("mode", &AMOUNT)]))),
            new("image", &Shape::Record(&record(&[on("subpath", &TEXT)]))),
        ],
    )),
]));

pub(super) const WATCH: Shape = Shape::List(&Shape::Record(&needs(
    &["path", "action"],
    &[
        on("ignore", &Shape::Since40(&TEXTS, &TEXT_OR_SET)),
        new("include", &TEXT_OR_SET),
        on("path", &TEXT),
        on("action", &Shape::Word(&["rebuild", "sync", "restart", "sync+restart", "sync+exec"])),
        on("target", &TEXT),
        on("exec", &HOOK),
        new("initial_sync", &BOOLEAN),
    ],
)));

//! The attributes of a Compose file: which keys exist where, and what may stand under them.
//!
//! Data only. Each row is a key and a shape; rows that 2.26 does not know are marked.

use super::Kind::{Boolean, Integer, Null, Number, Text};
use super::{Age, Attribute, Extensions, MapShape, Others, Record, Shape};

const TEXT: Shape = Shape::Scalar(&[Text]);
const DURATION: Shape = Shape::Text(any_text, "a duration such as 30s");
const BOOLEAN: Shape = Shape::Scalar(&[Boolean]);
const INTEGER: Shape = Shape::Scalar(&[Integer]);
const NUMBER: Shape = Shape::Scalar(&[Number]);
const NOTHING: Shape = Shape::Scalar(&[Null]);
const SWITCH: Shape = Shape::Scalar(&[Boolean, Text]);
const COUNT: Shape = Shape::Scalar(&[Integer, Text]);
const AMOUNT: Shape = Shape::Scalar(&[Number, Text]);
const TEXTS: Shape = Shape::List(&TEXT);
const TEXT_SET: Shape = Shape::Set(&TEXT);
const TEXT_OR_SET: Shape = Shape::Either(&[&TEXT, &TEXT_SET]);
const TEXT_OR_LIST: Shape = Shape::Either(&[&TEXT, &TEXTS]);
const COMMAND: Shape = Shape::Either(&[&NOTHING, &TEXT, &TEXTS]);

const fn on(key: &'static str, shape: &'static Shape) -> Attribute {
    Attribute { key, shape, age: Age::Always }
}

const fn new(key: &'static str, shape: &'static Shape) -> Attribute {
    Attribute { key, shape, age: Age::Since40 }
}

const fn record(attributes: &'static [Attribute]) -> Record {
    Record { attributes, required: &[], extensions: Extensions::Allowed }
}

const fn needs(required: &'static [&'static str], attributes: &'static [Attribute]) -> Record {
    Record { attributes, required, extensions: Extensions::Allowed }
}

const fn closed(required: &'static [&'static str], attributes: &'static [Attribute]) -> Record {
    Record { attributes, required, extensions: Extensions::Refused }
}

const fn names(value: &'static Shape, others: Others) -> MapShape {
    MapShape { keys: is_name, others, value }
}

/// Whether it can be read is seen when it is decoded.
fn any_text(_: &str) -> bool {
    true
}

/// Letters, digits, `.`, `_`, `-`.
fn is_name(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

fn not_empty(key: &str) -> bool {
    key.chars().any(|c| c != '\n')
}

fn lower_case(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase())
}

/// A letter or digit with something like it after it, anywhere.
fn container_name(text: &str) -> bool {
    text.as_bytes().windows(2).any(|pair| match pair {
        [first, second] => {
            first.is_ascii_alphanumeric()
                && (second.is_ascii_alphanumeric() || matches!(second, b'_' | b'.' | b'-'))
        }
        _ => false,
    })
}

fn pull_policy(text: &str) -> bool {
    let words = ["always", "never", "build", "if_not_present", "missing", "refresh", "daily", "weekly"];
    words.iter().any(|word| text.contains(word)) || text.split("every_").skip(1).any(period)
}

/// Digits and a unit at the start.
fn period(text: &str) -> bool {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.len() < text.len() && rest.starts_with(['w', 'd', 'h', 'm', 's'])
}

const LIST_OR_MAP: Shape = Shape::Either(&[
    &Shape::Map(&MapShape {
        keys: not_empty,
        others: Others::Refused,
        value: &Shape::Scalar(&[Text, Number, Boolean, Null]),
    }),
    &TEXT_SET,
]);

const EXTRA_HOSTS: Shape = Shape::Either(&[
    &Shape::Map(&MapShape { keys: not_empty, others: Others::Refused, value: &TEXT_OR_LIST }),
    &TEXT_SET,
]);

const DRIVER_OPTS: Shape =
    Shape::Map(&MapShape { keys: not_empty, others: Others::Unchecked, value: &AMOUNT });

const TEXT_MAP: Shape = Shape::Map(&MapShape { keys: not_empty, others: Others::Refused, value: &TEXT });

const FILE_REFERENCES: Shape = Shape::List(&Shape::Either(&[
    &TEXT,
    &Shape::Record(&record(&[
        on("source", &TEXT),
        on("target", &TEXT),
        on("uid", &TEXT),
        on("gid", &TEXT),
        on("mode", &AMOUNT),
    ])),
]));

const ULIMITS: Shape = Shape::Map(&MapShape {
    keys: lower_case,
    others: Others::Unchecked,
    value: &Shape::Either(&[
        &COUNT,
        &Shape::Record(&needs(&["soft", "hard"], &[on("hard", &COUNT), on("soft", &COUNT)])),
    ]),
});

const BUILD: Shape = Shape::Either(&[
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

const THROTTLES: Shape = Shape::List(&Shape::Record(&closed(&[], &[on("path", &TEXT), on("rate", &COUNT)])));

const BLKIO: Shape = Shape::Record(&closed(
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

const DEPENDS_ON: Shape = Shape::Either(&[
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

const DEVICES: Shape = Shape::List(&Shape::Either(&[
    &TEXT,
    &Shape::Record(&needs(
        &["source"],
        &[on("source", &TEXT), on("target", &TEXT), on("permissions", &TEXT)],
    )),
]));

const DEVICE_REQUEST: &[Attribute] = &[
    on("capabilities", &TEXT_SET),
    on("count", &COUNT),
    on("device_ids", &TEXT_SET),
    on("driver", &TEXT),
    on("options", &LIST_OR_MAP),
];

const GPUS: Shape = Shape::Either(&[
    &Shape::Word(&["all"]),
    &Shape::List(&Shape::Record(&Record {
        attributes: DEVICE_REQUEST,
        required: &[],
        extensions: Extensions::Open,
    })),
]);

const HEALTHCHECK: Shape = Shape::Record(&record(&[
    on("disable", &SWITCH),
    on("interval", &DURATION),
    on("retries", &AMOUNT),
    on("test", &TEXT_OR_LIST),
    on("timeout", &DURATION),
    on("start_period", &DURATION),
    on("start_interval", &DURATION),
]));

const ENV_FILE: Shape = Shape::Either(&[
    &TEXT,
    &Shape::List(&Shape::Either(&[
        &TEXT,
        &Shape::Record(&closed(
            &["path"],
            &[on("path", &TEXT), on("format", &TEXT), on("required", &SWITCH)],
        )),
    ])),
]);

const EXTENDS: Shape = Shape::Either(&[
    &TEXT,
    &Shape::Record(&closed(&["service"], &[on("service", &TEXT), on("file", &TEXT)])),
]);

const OPTION_VALUE: Shape = Shape::Scalar(&[Text, Number, Boolean]);

const PROVIDER: Shape = Shape::Record(&needs(
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

const LOGGING: Shape = Shape::Record(&record(&[
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

const SERVICE_MODELS: Shape = Shape::Either(&[
    &TEXT_SET,
    &Shape::Map(&names(
        &Shape::Either(&[
            &Shape::Record(&record(&[on("endpoint_var", &TEXT), on("model_var", &TEXT)])),
            &NOTHING,
        ]),
        Others::Unchecked,
    )),
]);

const SERVICE_NETWORKS: Shape = Shape::Either(&[
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

const PORTS: Shape = Shape::Set(&Shape::Either(&[
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

const HOOK_ATTRIBUTES: &[Attribute] = &[
    on("command", &COMMAND),
    on("user", &TEXT),
    on("privileged", &SWITCH),
    on("working_dir", &TEXT),
    on("environment", &LIST_OR_MAP),
];

const HOOK: Shape = Shape::Since40(
    &Shape::Record(&record(HOOK_ATTRIBUTES)),
    &Shape::Record(&needs(&["command"], HOOK_ATTRIBUTES)),
);

const HOOKS: Shape = Shape::List(&HOOK);

const SIZE: Shape = Shape::TextOrRange(0, i64::MAX);

const MOUNTS: Shape = Shape::Set(&Shape::Either(&[
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

const WATCH: Shape = Shape::List(&Shape::Record(&needs(
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

const DEVELOP: Shape = Shape::Either(&[&Shape::Record(&record(&[on("watch", &WATCH)])), &NOTHING]);

const UPDATE_CONFIG: Shape = Shape::Record(&record(&[
    on("parallelism", &COUNT),
    on("delay", &DURATION),
    on("failure_action", &TEXT),
    on("monitor", &DURATION),
    on("max_failure_ratio", &AMOUNT),
    on("order", &Shape::Word(&["start-first", "stop-first"])),
]));

const RESOURCES: Shape = Shape::Record(&record(&[
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

const DEPLOY: Shape = Shape::Either(&[
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

const PULL_POLICY: Shape = Shape::Since40(
    &Shape::Word(&["always", "never", "if_not_present", "build", "missing"]),
    &Shape::Text(
        pull_policy,
        "always, never, build, if_not_present, missing, daily, weekly or every_<period>",
    ),
);

const CONTAINER_NAME: Shape = Shape::Since40(
    &TEXT,
    &Shape::Text(container_name, "a name of at least two letters, digits, `_`, `.` or `-`"),
);

const ANY_MAP: Shape =
    Shape::Record(&Record { attributes: &[], required: &[], extensions: Extensions::Open });

const SERVICE: Shape = Shape::Record(&record(&[
    on("develop", &DEVELOP),
    on("deploy", &DEPLOY),
    on("annotations", &LIST_OR_MAP),
    on("attach", &SWITCH),
    on("build", &BUILD),
    on("blkio_config", &BLKIO),
    on("cap_add", &TEXT_SET),
    on("cap_drop", &TEXT_SET),
    on("cgroup", &Shape::Word(&["host", "private"])),
    on("cgroup_parent", &TEXT),
    on("command", &COMMAND),
    on("configs", &FILE_REFERENCES),
    on("container_name", &CONTAINER_NAME),
    on("cpu_count", &Shape::TextOrRange(0, i64::MAX)),
    on("cpu_percent", &Shape::TextOrRange(0, 100)),
    on("cpu_shares", &AMOUNT),
    on("cpu_quota", &AMOUNT),
    on("cpu_period", &AMOUNT),
    on("cpu_rt_period", &AMOUNT),
    on("cpu_rt_runtime", &AMOUNT),
    on("cpus", &AMOUNT),
    on("cpuset", &TEXT),
    on(
        "credential_spec",
        &Shape::Record(&record(&[on("config", &TEXT), on("file", &TEXT), on("registry", &TEXT)])),
    ),
    on("depends_on", &DEPENDS_ON),
    on("device_cgroup_rules", &TEXT_SET),
    on("devices", &DEVICES),
    on("dns", &TEXT_OR_SET),
    on("dns_opt", &TEXT_SET),
    on("dns_search", &TEXT_OR_SET),
    on("domainname", &TEXT),
    on("entrypoint", &COMMAND),
    on("env_file", &ENV_FILE),
    on("label_file", &TEXT_OR_LIST),
    on("environment", &LIST_OR_MAP),
    on("expose", &Shape::Set(&AMOUNT)),
    on("extends", &EXTENDS),
    new("provider", &PROVIDER),
    on("external_links", &TEXT_SET),
    on("extra_hosts", &EXTRA_HOSTS),
    on("gpus", &GPUS),
    on("group_add", &Shape::Set(&AMOUNT)),
    on("healthcheck", &HEALTHCHECK),
    on("hostname", &TEXT),
    on("image", &TEXT),
    on("init", &SWITCH),
    on("ipc", &TEXT),
    on("isolation", &TEXT),
    on("labels", &LIST_OR_MAP),
    on("links", &TEXT_SET),
    on("logging", &LOGGING),
    on("mac_address", &TEXT),
    on("mem_limit", &AMOUNT),
    on("mem_reservation", &COUNT),
    on("mem_swappiness", &COUNT),
    on("memswap_limit", &AMOUNT),
    on("network_mode", &TEXT),
    new("models", &SERVICE_MODELS),
    on("networks", &SERVICE_NETWORKS),
    on("oom_kill_disable", &SWITCH),
    on("oom_score_adj", &Shape::TextOrRange(-1000, 1000)),
    on("pid", &Shape::Scalar(&[Text, Null])),
    on("pids_limit", &AMOUNT),
    on("platform", &TEXT),
    on("ports", &PORTS),
    on("post_start", &HOOKS),
    on("pre_stop", &HOOKS),
    on("privileged", &SWITCH),
    on("profiles", &TEXT_SET),
    on("pull_policy", &PULL_POLICY),
    new("pull_refresh_after", &TEXT),
    on("read_only", &SWITCH),
    on("restart", &TEXT),
    on("runtime", &TEXT),
    on("scale", &COUNT),
    on("security_opt", &TEXT_SET),
    on("shm_size", &AMOUNT),
    on("secrets", &FILE_REFERENCES),
    on("sysctls", &LIST_OR_MAP),
    on("stdin_open", &SWITCH),
    on("stop_grace_period", &DURATION),
    on("stop_signal", &TEXT),
    on("storage_opt", &ANY_MAP),
    on("tmpfs", &TEXT_OR_SET),
    on("tty", &SWITCH),
    on("ulimits", &ULIMITS),
    new("use_api_socket", &BOOLEAN),
    on("user", &TEXT),
    on("uts", &TEXT),
    on("userns_mode", &TEXT),
    on("volumes", &MOUNTS),
    on("volumes_from", &TEXT_SET),
    on("working_dir", &TEXT),
]));

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

//! The rules about an app: its release, containers, answers and hosts. Pure.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    Condition, History, Reading, backups,
    condition::Worse,
    containers::{self, Traffic},
    host::certificate,
    words::{count, short, time},
};
use crate::{
    apps::{AppName, ServiceName},
    config::HealthConfig,
    health::{
        CheckId, Level,
        observe::{Answers, AppSeen, Stands, UnderWay},
        series::float,
    },
    ingress::{HostCertificate, RouteTls},
    release::StoppedApp,
};

pub(super) fn conditions(
    seen: &AppSeen,
    (now, config): (Timestamp, &HealthConfig),
    history: &History,
) -> Vec<Condition> {
    let app = &seen.app;
    let mut found = vec![release(seen, (now, config))];
    let is_running = seen.under_way.as_ref().is_some_and(|release| release.stands == Stands::Running);
    let traffic = match (is_running, &seen.stopped) {
        (true, _) => Traffic::Release,
        (false, Some(_)) => Traffic::Stopped,
        (false, None) => Traffic::Quiet,
    };
    // Why it is unknown, the caller says of each check that there was.
    for service in seen.services.iter().flatten() {
        found.extend(containers::conditions((app, service), (config, history), traffic));
    }
    match &seen.answers {
        Err(unseen) => {
            found.push(Condition::unseen(CheckId::app(app, "answers"), "answers at the ingress", unseen));
        }
        Ok(answers) => {
            let services = seen.services.iter().flatten().map(|service| &service.name);
            for service in services.filter(|name| seen.routed.contains(*name)) {
                let answers = answers.get(service).copied().unwrap_or_default();
                let conditions = requests((app, service), &answers, config);
                let maintained = |condition| Condition {
                    reading: Reading::AsBefore,
                    why: if seen.in_maintenance { "under maintenance" } else { "stopped by hand" }.to_owned(),
                    ..condition
                };
                if seen.in_maintenance || seen.stopped.is_some() {
                    found.extend(conditions.map(maintained));
                } else {
                    found.extend(conditions);
                }
            }
        }
    }
    found.extend(seen.hosts.iter().filter_map(|host| host_certificate(app, host, (now, config))));
    match &seen.backups {
        Ok(all) => {
            found.extend(all.iter().flat_map(|backup| backups::conditions(app, backup, (now, config))));
        }
        Err(unseen) => found.push(Condition::unseen(CheckId::app(app, "backups"), "backups", unseen)),
    }
    found
}

fn release(seen: &AppSeen, (now, config): (Timestamp, &HealthConfig)) -> Condition {
    let app = &seen.app;
    let (level, why, hint) = match (&seen.under_way, &seen.stopped) {
        (None, Some(stopped)) => stopped_by_hand(app, stopped),
        (None, None) => {
            let serves =
                seen.serving.map_or_else(|| "none serves".to_owned(), |release| format!("{release} serves"));
            (Level::Good, serves, String::new())
        }
        (Some(UnderWay { release, stands: Stands::Stuck(failure), .. }), _) => {
            let failure = failure.clone().unwrap_or_default();
            (Level::Critical, format!("{release} is stuck: {}", short(&failure.cause)), failure.hint)
        }
        (Some(UnderWay { release, stands: Stands::InDoubt(failure), .. }), _) => (
            Level::Critical,
            format!("{release} is in doubt: {}", short(&failure.cause)),
            failure.hint.clone(),
        ),
        (Some(UnderWay { release, since, stands: Stands::Running }), _) => {
            let lasts: Duration = now.duration_since(*since).try_into().unwrap_or_default();
            let level = if lasts >= config.release_within { Level::Warning } else { Level::Good };
            let hint = format!(
                "see where it is: `tidegate deploy --attach --app {app}`; `tidegate deploy --cancel --app {app}` has it taken back"
            );
            (level, format!("{release} is under way for {}", time(lasts)), hint)
        }
    };
    Condition::new(CheckId::app(app, "release"), "release", Reading::is(level), why).hint(hint)
}

/// Somebody meant it, and may have forgotten it.
fn stopped_by_hand(app: &AppName, stopped: &StoppedApp) -> (Level, String, String) {
    let at = Timestamp::from_second(stopped.at.as_second()).unwrap_or(stopped.at);
    let hint = format!(
        "`systemctl start tidegate-app@{app}` on the droplet starts it, and so does `tidegate deploy --app {app}`"
    );
    (Level::Warning, format!("stopped by hand: by {} at {at}", stopped.actor), hint)
}

fn requests(
    (app, service): (&AppName, &ServiceName),
    answers: &Answers,
    config: &HealthConfig,
) -> [Condition; 2] {
    let is_enough = answers.total >= config.requests;
    let share = float(answers.server_errors) / float(answers.total.max(1)) * 100.0;
    let millis = answers.p95.as_secs_f64() * 1000.0;
    let seen = |value, limit| {
        if is_enough { Reading::of(value, (limit, Worse::More)) } else { Reading::is(Level::Good) }
    };
    let few = if is_enough || answers.total == 0 { "" } else { ", too few to judge" };
    let none = || "no requests".to_owned();
    let errors = match answers.total {
        0 => none(),
        total => format!("{} of {} failed{few}", answers.server_errors, count(total, "request")),
    };
    let times = if answers.total == 0 {
        none()
    } else {
        format!("95 of 100 of {} within {}{few}", count(answers.total, "request"), time(answers.p95))
    };
    let (errors_limit, times_limit) = (config.errors_percent, config.p95_ms);
    let id = |kind: &str| CheckId::app(app, format!("{kind}.{service}"));
    [
        Condition::new(id("errors"), format!("errors of {service}"), seen(share, errors_limit), errors)
            .held(errors_limit.hold, config.ends_after)
            .hint(format!("`tidegate logs --app {app} {service}` tells more; `tidegate rollback --app {app}` brings the release before")),
        Condition::new(id("times"), format!("response times of {service}"), seen(millis, times_limit), times)
            .held(times_limit.hold, config.ends_after)
            .hint("see `tidegate health` for processors and memory, and the database's slow queries"),
    ]
}

fn host_certificate(
    app: &AppName,
    host: &HostCertificate,
    (now, config): (Timestamp, &HealthConfig),
) -> Option<Condition> {
    let name = &host.host;
    let id = CheckId::app(app, format!("certificate.{name}"));
    let what = format!("certificate of {name}");
    let trouble = host.trouble.as_ref().map(|trouble| short(&trouble.what));
    let hint = match &host.tls {
        RouteTls::Off => return None,
        RouteTls::Own(_) => format!("put the new one in the project and `tidegate deploy --app {app}`"),
        RouteTls::Acme | RouteTls::Internal => {
            "does the name lead to this droplet, and are 80 and 443 open? `tidegate status` tells the last trouble".to_owned()
        }
    };
    // The ingress's own authority gives them for hours, and renews them.
    let limit = if host.tls == RouteTls::Internal {
        crate::config::Limit { warning: 0, critical: 0, ..config.host_certificate_days }
    } else {
        config.host_certificate_days
    };
    let condition = match (host.not_after, trouble) {
        (Some(until), trouble) => {
            let condition = certificate((id, &what), until, (now, limit, config));
            let why = trouble.map(|trouble| format!("{}; {trouble}", condition.why));
            Condition { why: why.unwrap_or_else(|| condition.why.clone()), ..condition }
        }
        (None, Some(trouble)) => {
            Condition::new(id, what, Reading::is(Level::Critical), format!("there is none: {trouble}"))
                .held(config.bad_for, Duration::ZERO)
        }
        // Caddy is about to get one, or says why it cannot.
        (None, None) => Condition::new(id, what, Reading::is(Level::Warning), "there is none yet")
            .held(config.host_certificate_days.hold.max(Duration::from_mins(10)), Duration::ZERO),
    };
    Some(condition.hint(hint))
}

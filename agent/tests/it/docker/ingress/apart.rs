//! Two apps on one droplet: neither gets the other's requests, and maintenance of one is none of the other.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use bollard::query_parameters::RestartContainerOptions;
use tidegate_agent::{
    apps::ServiceName,
    ingress::{AppRoutes, Changed, Maintenance},
};

use super::{
    app, curl,
    fixture::{self, App, Fixture, get, requests_until},
    released,
};

/// An app whose container bears the names by which the ingress finds shop's.
fn impostor() -> App {
    let compose = super::SERVER
        .replace("WORD", "impostor")
        .replace("INGRESS", "{ host: blog.test, port: 8000, tls: off }")
        .replace(
            "    init: true\n",
            "    init: true\n    container_name: shop--web\n    hostname: shop--web\n    networks: { default: { aliases: [shop--web, web] } }\n",
        );
    App::new("blog", &compose)
}

#[tokio::test(flavor = "multi_thread")]
async fn apps_neither_impersonate_nor_disturb_each_other() {
    let fixture = Fixture::start().await;
    let shop = app("shop", "shop", "{ host: [shop.test, www.test], port: 8000, tls: off }");
    released(&fixture, &shop).await;
    let stop = AtomicBool::new(false);
    let answers = std::thread::scope(|scope| {
        let load = scope.spawn(|| requests_until(&fixture.docker, "shop.test", &stop));
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(released(&fixture, &impostor()));
        });
        stop.store(true, Ordering::SeqCst);
        load.join().unwrap()
    });
    let strange: Vec<_> = answers.iter().filter(|(_, body)| !body.starts_with("shop ")).collect();
    assert!(strange.is_empty() && answers.len() > 50, "{strange:?}");
    assert!(get(&fixture.docker, "blog.test", "/").1.starts_with("impostor "));
    // A host is an app's whole, other paths included.
    let thief =
        fixture.refused(&app("third", "x", "{ host: www.test, path: /api, port: 8000, tls: off }")).await;
    assert_eq!(thief[0].cause, "app shop has the host www.test, and an app has its hosts for itself");

    counted(&fixture).await;
    maintained(&fixture).await;

    // Without a container, the name is not looked for elsewhere: Docker's DNS knows the impostor by it.
    let name = fixture::name("shop");
    let all = fixture.engine.ingress().routes().await.unwrap();
    let routes = all.iter().find(|(app, _)| *app == name).unwrap().1.routes.clone();
    let nowhere = AppRoutes { routes, targets: BTreeMap::new() };
    fixture.engine.ingress().serve(&name, &nowhere).await.unwrap();
    tokio::time::sleep(Duration::from_secs(6)).await;
    let (status, body) = get(&fixture.docker, "shop.test", "/");
    assert_eq!((status, body.as_str()), (502, ""));
    // That is what the line in the hosts file is for: without it, the impostor would be asked.
    let hosts = fixture.state().join("ingress/etc/hosts");
    let text = fs_err::read_to_string(&hosts).unwrap();
    fs_err::write(&hosts, text.replace("shop--web", "---------")).unwrap();
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(get(&fixture.docker, "shop.test", "/").1.starts_with("impostor "));
}

/// What services answered is counted, and the log holds no secrets.
async fn counted(fixture: &Fixture) {
    let (ingress, shop) = (fixture.engine.ingress(), fixture::name("shop"));
    let mark = ingress.mark().unwrap();
    for path in ["/?token=a-secret", "/broken", "/"] {
        let url = format!("http://127.0.0.1{path}");
        curl(&fixture.docker, &[&url, "-H", "Host: www.test", "-H", "Authorization: Bearer a-secret"]);
    }
    get(&fixture.docker, "blog.test", "/broken");
    get(&fixture.docker, "unknown.test", "/");
    let counts = ingress.responses(&shop, &mark).await.unwrap();
    let web = counts[&ServiceName::new("web")];
    assert_eq!((web.total, web.server_errors, counts.len()), (3, 1, 1));
    let log = fs_err::read_to_string(fixture.state().join("ingress/log/access.json")).unwrap();
    assert!(log.contains("/broken") && !log.contains("a-secret") && !log.contains("Bearer"));
}

/// One app's visitors are told to come back later, whatever restarts.
async fn maintained(fixture: &Fixture) {
    let (ingress, shop) = (fixture.engine.ingress(), fixture::name("shop"));
    let mark = ingress.mark().unwrap();
    let set = |maintenance| fixture.engine.set_maintenance(&shop, maintenance);
    assert_eq!(set(Maintenance::On).await.unwrap(), Changed::Yes);
    assert_eq!(set(Maintenance::On).await.unwrap(), Changed::No);
    let page = |accept: &str| {
        let accept = format!("Accept: {accept}");
        curl(&fixture.docker, &["-i", "http://127.0.0.1/x", "-H", "Host: shop.test", "-H", &accept]).1
    };
    let html = page("text/html,*/*;q=0.8");
    for part in ["HTTP/1.1 503", "Retry-After: 60", "text/html", "<h1>Back soon</h1>", "body { font:"] {
        assert!(html.contains(part), "{part} is not in {html}");
    }
    let json = page("application/json");
    let json: serde_json::Value = serde_json::from_str(json.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(json["error"], "maintenance");
    assert_eq!(get(&fixture.docker, "blog.test", "/").0, 200);
    let status = fixture.engine.status(Some(&shop)).await.unwrap();
    assert_eq!((status[0].maintenance, status[0].hosts.len()), (Maintenance::On, 2));

    let restart =
        fixture.docker.client().restart_container("tidegate-ingress", None::<RestartContainerOptions>).await;
    restart.unwrap();
    fixture.restarted().resume_all().await.unwrap();
    assert_eq!(get(&fixture.docker, "shop.test", "/").0, 503);
    assert_eq!(ingress.responses(&shop, &mark).await.unwrap().len(), 0);
    assert_eq!(set(Maintenance::Off).await.unwrap(), Changed::Yes);
    assert_eq!(get(&fixture.docker, "shop.test", "/").0, 200);
    let nobody = fixture.engine.set_maintenance(&fixture::name("shpo"), Maintenance::On).await;
    assert!(nobody.unwrap_err().to_string().contains("there is no app shpo"));
}

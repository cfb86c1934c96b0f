use super::*;

const AT: Timestamp = Timestamp::constant(1_795_000_000, 0);

fn item(id: &str, level: Level, what: &str) -> Item {
    Item {
        id: id.to_owned(),
        level,
        since: AT,
        what: what.to_owned(),
        why: "97 % used, 1.2 GiB of 40 GiB left".to_owned(),
        hint: "see `tidegate exec --host -- df -h`".to_owned(),
    }
}

fn about() -> About {
    About {
        droplet: "shop-production-web-1".to_owned(),
        fleet: "shop".to_owned(),
        environment: "production".to_owned(),
    }
}

fn message(news: News) -> AlertMessage {
    AlertMessage::new((Uuid::from_u128(7), AT), &about(), news)
}

fn everything() -> AlertMessage {
    let hostile = Item {
        why: "ended <!channel> & said\r\nBcc: all@example.com".to_owned(),
        ..item("app.shop.container.shop-web-1", Level::Unknown, "container\nshop-web-1")
    };
    let over = Item {
        why: "41 % used".to_owned(),
        hint: String::new(),
        ..item("host.memory", Level::Warning, "memory")
    };
    let news = News {
        firing: vec![hostile, item("host.disk", Level::Critical, "disk /")],
        still: vec![item("host.clock", Level::Warning, "clock")],
        resolved: vec![over],
    };
    AlertMessage { lost: 7, ..message(news) }
}

#[test]
fn mail_reads_from_the_worst_to_what_is_over() {
    let Mail { subject, text } = Mail::from(&everything());
    insta::assert_snapshot!("mail", format!("{subject}\n--\n{text}"));
    assert!(!text.contains('\r') && !text.contains("\nBcc"), "{text}");
}

#[test]
fn slack_is_told_the_same_without_marks_of_its_own() {
    insta::assert_snapshot!("slack", slack(&everything())["text"].as_str().unwrap());
}

#[test]
fn programs_get_json_that_comes_back() {
    let message = everything();
    insta::assert_json_snapshot!("json", message);
    let text = serde_json::to_string(&message).unwrap();
    assert_eq!(serde_json::from_str::<AlertMessage>(&text).unwrap(), message);
}

#[test]
fn the_title_says_the_worst_and_how_many_more() {
    let disk = || item("host.disk", Level::Critical, "disk /");
    let title = |news| message(news).title();
    let firing = News { firing: vec![disk()], ..News::default() };
    assert_eq!(title(firing), "[shop/production] web-1: CRITICAL disk /");
    let still = News { still: vec![disk()], resolved: vec![disk()], ..News::default() };
    assert_eq!(title(still), "[shop/production] web-1: STILL CRITICAL disk / (+1)");
    let resolved = News { resolved: vec![disk()], ..News::default() };
    assert_eq!(title(resolved), "[shop/production] web-1: RESOLVED disk /");
    let test = AlertMessage::test((Uuid::from_u128(1), AT), &About { droplet: "db".into(), ..about() });
    assert_eq!(test.title(), "[shop/production] db: test of alerts");
}

#[test]
fn however_much_there_is_a_message_has_an_end() {
    let many =
        |level| (0..80).map(|n| item(&format!("app.shop.x{n:02}"), level, &"ä".repeat(5000))).collect();
    let message =
        message(News { firing: many(Level::Warning), still: many(Level::Critical), ..News::default() });
    assert_eq!((message.firing.len(), message.still.len(), message.omitted), (80, 20, 60));
    assert!(serde_json::to_string(&message).unwrap().len() < 400_000);
    let text = slack(&message)["text"].as_str().unwrap().to_owned();
    assert!(text.chars().count() <= 3800 && text.contains(" more: `tidegate health` shows all."), "{text}");
    assert!(Mail::from(&message).subject.chars().count() <= 200);
    assert!(Mail::from(&message).text.contains("60 more"));
}

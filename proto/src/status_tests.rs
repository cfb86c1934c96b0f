use proptest::prelude::*;

use super::*;

fn full() -> RichError {
    RichError::new(Code::InvalidArgument, "UNKNOWN_KEY", "compose.yaml is refused")
        .at("compose.yaml:31:5")
        .because("unknown key `imgae`")
        .hint("did you mean `image`?")
        .details(vec!["31 |   imgae: x".to_owned(), "   |   ^^^^^".to_owned()])
}

#[test]
fn a_rich_error_survives_the_wire() {
    let status = Status::from(full());
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(status.message(), "compose.yaml is refused");
    assert_eq!(RichError::from_status(&status), full());
}

#[test]
fn other_clients_see_the_field() {
    let details = Status::from(full()).get_error_details();
    let violations = &details.bad_request().unwrap().field_violations;
    assert_eq!(violations[0].field, "compose.yaml:31:5");
    assert_eq!(violations[0].description, "unknown key `imgae`");
}

#[test]
fn a_foreign_status_keeps_code_and_message() {
    let error = RichError::from_status(&Status::unavailable("connection reset"));
    assert_eq!(error, RichError::new(Code::Unavailable, "Unavailable", "connection reset"));
    let mut details = ErrorDetails::new();
    details.set_error_info("R", "elsewhere.example", HashMap::from([("hint".to_owned(), "x".to_owned())]));
    let error = RichError::from_status(&Status::with_error_details(Code::Aborted, "m", details));
    assert_eq!(error.hint, "");
    let garbage = Status::with_details(Code::Internal, "m", vec![0xff; 40].into());
    assert_eq!(RichError::from_status(&garbage), RichError::new(Code::Internal, "Internal", "m"));
}

#[test]
fn the_last_lines_are_kept() {
    let lines: Vec<String> = (0..1000).map(|n| format!("line {n}")).collect();
    let kept = RichError::new(Code::Internal, "R", "w").details(lines).bounded().details;
    assert_eq!(kept.len(), 50);
    assert_eq!(kept.last().unwrap(), "line 999");
}

#[test]
fn causes_are_told_outermost_first() {
    #[derive(Debug, thiserror::Error)]
    #[error("the journal cannot be written")]
    struct Outer(#[source] std::io::Error);
    let inner = std::io::Error::other("disk full");
    let error = RichError::new(Code::Internal, "R", "w").caused_by(&Outer(inner));
    assert_eq!(error.cause, "the journal cannot be written: disk full");
}

proptest! {
    // Long texts are slow to generate, and short ones test nothing here.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_error_stays_within_the_bound_and_round_trips(
        what in ".{0,2000}", place in ".{0,2000}", cause in ".{0,3000}", hint in ".{0,3000}",
        details in proptest::collection::vec(".{0,600}", 0..60),
    ) {
        let error = RichError::new(Code::InvalidArgument, "R".repeat(100), what)
            .at(place).because(cause).hint(hint).details(details);
        let status = Status::from(error.clone());
        prop_assert!(status.details().len() <= MAX_STATUS_DETAILS_BYTES, "{}", status.details().len());
        prop_assert_eq!(RichError::from_status(&status), error.bounded());
    }
}

//! `tidegate compose check`: the errors of the files as `deploy` tells them, else what an operator would do better.

use serde_json::{Value, json};
use tidegate_compose::{
    Extent, LoadErrors, Loaded, Place, Warning,
    advice::{Advice, advise},
    x_tidegate,
};

use super::{
    super::context::Context,
    input::{Input, refused, warn},
};
use crate::{
    failure::{Failure, Outcome},
    output::Format,
};

/// Arguments of `compose check`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// End with 1 when there is advice
    #[arg(long)]
    strict: bool,
    /// Print errors, warnings and advice as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(context: &Context, input: &Input, args: &Args) -> anyhow::Result<Outcome> {
    let json = args.json || context.printer.format() == Format::Json;
    let loaded = match input.load(context, (&[], Extent::Whole))?.and_then(with_extension) {
        Ok(loaded) => loaded,
        Err(errors) if json => {
            context.printer.json(&json!({ "errors": errors_view(&errors), "warnings": [], "advice": [] }));
            return Err(Failure::input("the Compose files are not right").into());
        }
        Err(errors) => return Err(refused(&errors)),
    };
    let advice = advise(&loaded);
    if json {
        let warnings: Vec<Value> = loaded.warnings.iter().map(warning_view).collect();
        let advice: Vec<Value> = advice.iter().map(advice_view).collect();
        context.printer.json(&json!({ "errors": [], "warnings": warnings, "advice": advice }));
    } else {
        warn(context, &loaded);
        context.printer.line(text(&loaded, &advice));
    }
    if args.strict && !advice.is_empty() {
        return Err(Failure::failed("there is advice, and --strict was given").into());
    }
    Ok(Outcome::Done)
}

/// What stands under `x-tidegate` is read too: docker compose ignores it, `deploy` does not.
fn with_extension(loaded: Loaded) -> Result<Loaded, LoadErrors> {
    x_tidegate::read(&loaded.project, &loaded.files).map(|_| loaded)
}

fn text(loaded: &Loaded, advice: &[Advice]) -> String {
    let services = count(loaded.project.services.len(), "service", "services");
    let ending = match advice.len() {
        0 => format!("{}: {services}, no errors, no advice", loaded.project.name),
        many => format!(
            "{}: {services}, no errors, {}",
            loaded.project.name,
            count(many, "piece of advice", "pieces of advice")
        ),
    };
    let mut parts: Vec<String> = advice.iter().map(ToString::to_string).collect();
    parts.push(ending);
    parts.join("\n\n")
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn place_view(place: Option<&Place>) -> Value {
    place.map_or(
        Value::Null,
        |place| json!({ "file": place.file, "line": place.line, "column": place.column, "text": place.text }),
    )
}

fn errors_view(errors: &LoadErrors) -> Vec<Value> {
    let view = |error: &tidegate_compose::LoadError| {
        json!({
            "class": error.class.name(), "message": error.message, "path": error.path,
            "place": place_view(error.place.as_ref()), "hint": error.hint,
        })
    };
    errors.errors.iter().map(view).collect()
}

fn warning_view(warning: &Warning) -> Value {
    json!({ "message": warning.message, "place": place_view(warning.place.as_ref()) })
}

fn advice_view(advice: &Advice) -> Value {
    json!({
        "rule": advice.rule, "path": advice.path, "message": advice.message, "why": advice.why, "cure": advice.cure,
        "place": place_view(advice.place.as_ref()),
    })
}

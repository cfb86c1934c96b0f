//! Regions, sizes and images.

use std::sync::Arc;

use axum::{Router, extract::Path, routing::get};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    api::{
        Site,
        ask::{Answer, Ask, answer},
        error::ApiError,
        show,
    },
    catalog::{self, ImageKind},
};

pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/v2/regions", get(regions))
        .route("/v2/sizes", get(sizes))
        .route("/v2/images", get(images))
        .route("/v2/images/{image_id}", get(image))
}

async fn regions(ask: Ask) -> Answer {
    let regions: Vec<Value> = catalog::regions().iter().map(show::region).collect();
    Ok(ask.page("regions", &regions))
}

async fn sizes(ask: Ask) -> Answer {
    let sizes: Vec<Value> = catalog::sizes().iter().map(show::size).collect();
    Ok(ask.page("sizes", &sizes))
}

/// The account has no images of its own: `private=true` and any tag give an empty list.
async fn images(ask: Ask) -> Answer {
    let none = ask.query("private") == Some("true") || ask.query("tag_name").is_some();
    let kind = match ask.query("type") {
        Some("distribution") => Some(ImageKind::Distribution),
        Some("application") => Some(ImageKind::Application),
        _ => None,
    };
    let images: Vec<Value> = catalog::images()
        .iter()
        .filter(|image| !none && kind.is_none_or(|kind| image.kind == kind))
        .map(show::image)
        .collect();
    Ok(ask.page("images", &images))
}

async fn image(Path(id_or_slug): Path<String>) -> Answer {
    let image = match id_or_slug.parse() {
        Ok(id) => catalog::image_by_id(id),
        Err(_) => catalog::image_by_slug(&id_or_slug),
    };
    let image = image.ok_or_else(ApiError::not_found)?;
    Ok(answer(StatusCode::OK, json!({"image": show::image(image)})))
}

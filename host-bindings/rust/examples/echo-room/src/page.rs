//! The page: its files, built into this program.
//!
//! Knows `page/`. Does not know what the page does. Called by [`web`](crate::web).

use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{Response, StatusCode};

/// `/page/NAME`, its type and what is in it.
const FILES: &[(&str, &str, &str)] = &[
    ("style.css", CSS, include_str!("../page/style.css")),
    ("main.js", JAVASCRIPT, include_str!("../page/main.js")),
    ("figures.js", JAVASCRIPT, include_str!("../page/figures.js")),
    ("media.js", JAVASCRIPT, include_str!("../page/media.js")),
    ("names.js", JAVASCRIPT, include_str!("../page/names.js")),
    ("notices.js", JAVASCRIPT, include_str!("../page/notices.js")),
    ("pattern.js", JAVASCRIPT, include_str!("../page/pattern.js")),
    ("signalling.js", JAVASCRIPT, include_str!("../page/signalling.js")),
    ("stats.js", JAVASCRIPT, include_str!("../page/stats.js")),
    ("ticker.js", JAVASCRIPT, include_str!("../page/ticker.js")),
    ("tiles.js", JAVASCRIPT, include_str!("../page/tiles.js")),
    ("visit.js", JAVASCRIPT, include_str!("../page/visit.js")),
    ("words.js", JAVASCRIPT, include_str!("../page/words.js")),
    ("icon.svg", "image/svg+xml", include_str!("../page/icon.svg")),
    ("vendor/mediasoup-client.js", JAVASCRIPT, include_str!("../page/vendor/mediasoup-client.js")),
    ("vendor/LICENSES.txt", "text/plain; charset=utf-8", include_str!("../page/vendor/LICENSES.txt")),
];

const INDEX: &str = include_str!("../page/index.html");
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// The same for every room: it reads the room's name from its address.
pub(crate) fn index() -> Response<Body> {
    answer(StatusCode::OK, "text/html; charset=utf-8", INDEX)
}

/// One of the page's files.
pub(crate) fn file(name: &str) -> Response<Body> {
    match FILES.iter().find(|(file, _, _)| *file == name) {
        Some((_, content_type, text)) => answer(StatusCode::OK, content_type, text),
        None => answer(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "there is no such file\n"),
    }
}

fn answer(status: StatusCode, content_type: &'static str, text: &'static str) -> Response<Body> {
    let response = Response::builder()
        .status(status)
        .header(CONTENT_TYPE, content_type)
        // Another version of this program brings another page.
        .header(CACHE_CONTROL, "no-cache")
        .header(
            CONTENT_SECURITY_POLICY,
            "default-src 'self'; media-src 'self' blob: mediastream:; frame-ancestors 'none'",
        )
        .header(X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header(REFERRER_POLICY, "no-referrer")
        .body(Body::from(text));
    response.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_that_a_file_imports_is_served() {
        for (name, _, text) in FILES.iter().filter(|(name, ..)| name.ends_with(".js") && !name.contains('/'))
        {
            let imports = text.lines().filter_map(|line| line.split_once(" from \"./")).map(|(_, rest)| rest);
            for import in imports.filter_map(|rest| rest.split_once('"')) {
                assert!(FILES.iter().any(|(file, ..)| *file == import.0), "{name} imports {}", import.0);
            }
        }
        assert_eq!(file("main.js").status(), StatusCode::OK);
        assert_eq!(file("../Cargo.toml").status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn what_the_document_names_is_served() {
        let named = INDEX.split('"').filter_map(|text| text.strip_prefix("/page/"));
        let named: Vec<_> = named.collect();
        assert!(named.len() >= 3, "{named:?}");
        assert!(named.iter().all(|name| file(name).status() == StatusCode::OK), "{named:?}");
    }
}

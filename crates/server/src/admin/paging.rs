//! Which page of a list is asked for.

use std::fmt;

use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Query};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::Deserialize;

use super::problem::Problem;

/// Entries of a page, if nothing else is asked for.
const DEFAULT_LIMIT: usize = 100;

/// The most entries of a page: a lock is held for so long.
pub(super) const MAX_LIMIT: usize = 500;

/// A page of at most `limit` entries, from behind a mark on: an extractor.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Paging {
    pub(super) limit: usize,
    pub(super) after: Option<String>,
}

/// The query of a list. Other names are refused: a misspelt one would otherwise be a page that was not meant.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PagingQuery {
    limit: Option<String>,
    after: Option<String>,
}

/// Where a page of peers or of sessions ended: those of the JSON protocol come first, then those of the text protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// Behind the one of this number in the JSON protocol.
    Json(u64),
    /// Behind all of the JSON protocol and the one of this number in the text protocol.
    Text(u64),
}

impl<S: Send + Sync> FromRequestParts<S> for Paging {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::<PagingQuery>::from_request_parts(parts, state).await;
        let Query(query) = query.map_err(|error: QueryRejection| {
            let detail = format!(
                "the query may have limit and after, each once: {}",
                error.body_text()
            );
            Problem::new(StatusCode::BAD_REQUEST, detail)
        })?;
        let limit = query.limit.as_deref().map(read_limit).transpose()?;
        Ok(Self {
            limit: limit.unwrap_or(DEFAULT_LIMIT),
            after: query.after,
        })
    }
}

impl Paging {
    /// What the mark says, for lists that have one.
    pub(super) fn mark(&self) -> Result<Option<Mark>, Problem> {
        let Some(after) = &self.after else {
            return Ok(None);
        };
        let read = Mark::read(after);
        let problem = || {
            Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "after is what a page gave as next",
            )
        };
        read.map(Some).ok_or_else(problem)
    }
}

impl Mark {
    fn read(text: &str) -> Option<Self> {
        match text.split_once('-')? {
            ("json", number) => numeral(number).map(Self::Json),
            ("text", number) => numeral(number).map(Self::Text),
            _ => None,
        }
    }

    pub(super) fn number(self) -> u64 {
        match self {
            Self::Json(number) | Self::Text(number) => number,
        }
    }
}

/// As it is read.
impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(number) => write!(f, "json-{number}"),
            Self::Text(number) => write!(f, "text-{number}"),
        }
    }
}

/// A number that is written as this API writes numbers: in digits alone, and up to 19 of them.
pub(super) fn numeral(text: &str) -> Option<u64> {
    let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_digits && text.len() <= 19).then(|| text.parse().ok())?
}

/// Cuts a page from what may be one entry too many, and says where the next one begins.
pub(super) fn cut<M: fmt::Display, T>(
    mut entries: Vec<(M, T)>,
    limit: usize,
) -> (Vec<T>, Option<String>) {
    let is_more = entries.len() > limit;
    entries.truncate(limit);
    let next = entries
        .last()
        .filter(|_| is_more)
        .map(|(mark, _)| mark.to_string());
    (entries.into_iter().map(|(_, entry)| entry).collect(), next)
}

fn read_limit(text: &str) -> Result<usize, Problem> {
    let Some(limit) = numeral(text) else {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "limit is a number"));
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            format!("limit is from 1 to {MAX_LIMIT}"),
        ));
    }
    Ok(limit)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::extract::Request;
    use axum::response::IntoResponse;
    use futures_util::FutureExt;

    use super::*;

    fn read(query: &str) -> Result<Paging, StatusCode> {
        let request = Request::get(format!("/x?{query}")).body(Body::empty());
        let (mut parts, _) = request.expect("a request").into_parts();
        let read = Paging::from_request_parts(&mut parts, &()).now_or_never();
        read.expect("at once")
            .map_err(|problem| problem.into_response().status())
    }

    #[test]
    fn query_without_limit_gets_the_default() {
        let page = |limit, after: Option<&str>| {
            let after = after.map(str::to_owned);
            Ok(Paging { limit, after })
        };
        assert_eq!(read(""), page(DEFAULT_LIMIT, None));
        assert_eq!(read("limit=500&after=json-7"), page(500, Some("json-7")));
        assert_eq!(
            read("after=a%20b%26+c"),
            page(DEFAULT_LIMIT, Some("a b& c"))
        );
    }

    #[test]
    fn query_with_other_names_or_numbers_refused() {
        for query in [
            "limit=",
            "limit=x",
            "limit=-1",
            "limit=%2B1",
            "limit=1&limit=2",
            "size=3",
            "=",
        ] {
            assert_eq!(read(query), Err(StatusCode::BAD_REQUEST), "{query}");
        }
        for query in ["limit=0", "limit=501", "limit=9999999999999999999"] {
            assert_eq!(
                read(query),
                Err(StatusCode::UNPROCESSABLE_ENTITY),
                "{query}"
            );
        }
    }

    #[test]
    fn mark_read_as_it_is_written() {
        for mark in [Mark::Json(0), Mark::Text(9_999_999_999_999_999_999)] {
            assert_eq!(Mark::read(&mark.to_string()), Some(mark));
        }
        for text in [
            "",
            "json-",
            "json-+1",
            "json--1",
            "text-x",
            "9",
            "text-18446744073709551616",
        ] {
            assert_eq!(Mark::read(text), None, "{text}");
        }
    }

    #[test]
    fn last_page_has_no_next() {
        let entries = |count: u64| {
            (0..count)
                .map(|number| (Mark::Json(number), number))
                .collect()
        };
        assert_eq!(cut(entries(2), 2), (vec![0, 1], None));
        assert_eq!(cut(entries(3), 2), (vec![0, 1], Some("json-1".to_owned())));
        assert_eq!(cut(entries(0), 2), (vec![], None));
    }
}

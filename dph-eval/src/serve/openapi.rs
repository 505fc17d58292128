//! [`openapi`]: the description of the service, made of its types.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::serve::error::ErrorBody;
use crate::serve::routes::{Output, Route};

/// Statuses of errors of every route, and of routes with a body.
const ERRORS: [(u16, &str); 2] = [(401, "No key, or a wrong one"), (500, "A defect of the program")];
const BODY_ERRORS: [(u16, &str); 9] = [
    (400, "Not JSON, or a request that contradicts itself"),
    (404, "No such model"),
    (408, "The body did not arrive in time"),
    (413, "The body is too large"),
    (415, "The content type is not JSON"),
    (422, "A field is missing, wrong or beyond a limit; `param` names it"),
    (429, "Too many requests wait; the header `Retry-After` says for how long"),
    (503, "The service ends"),
    (504, "The request took too long"),
];

/// The description of these routes as OpenAPI 3.1.
pub(super) fn openapi(routes: &[Route]) -> Value {
    let settings = |settings: SchemaSettings| {
        settings.with(|settings| settings.definitions_path = "/components/schemas".into())
    };
    // A field with a default may be left out of a request, and is always in an answer.
    let mut requests = settings(SchemaSettings::draft2020_12().for_deserialize()).into_generator();
    let mut answers = settings(SchemaSettings::draft2020_12().for_serialize()).into_generator();
    let error = answers.subschema_for::<ErrorBody<'_>>().to_value();
    let mut paths = Map::new();
    for route in routes {
        let method = if route.input.is_some() { "post" } else { "get" };
        let operation = operation(route, &error, &mut requests, &mut answers);
        paths.insert(route.path.into(), json!({ method: operation }));
    }
    let mut schemas = requests.take_definitions(true);
    schemas.extend(answers.take_definitions(true));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Direct Preference Heads",
            "description": "Rewards of answers by preference heads of language models.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE")},
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    })
}

fn operation(
    route: &Route,
    error: &Value,
    requests: &mut SchemaGenerator,
    answers: &mut SchemaGenerator,
) -> Value {
    let content = match route.output {
        Output::Json(schema) => json!({"application/json": {"schema": schema(answers)}}),
        Output::Text(kind) => json!({ kind: {"schema": {"type": "string"}} }),
    };
    let mut responses = Map::new();
    responses.insert("200".into(), json!({"description": "The answer", "content": content}));
    let of_body = route.input.iter().flat_map(|_| BODY_ERRORS);
    for (status, description) in ERRORS.into_iter().chain(of_body) {
        let content = json!({"application/json": {"schema": error}});
        responses.insert(status.to_string(), json!({"description": description, "content": content}));
    }
    let name = match route.path {
        "/" => "page".to_owned(),
        path => path.trim_matches('/').replace(['/', '.'], "_"),
    };
    let mut operation = json!({"operationId": name, "summary": route.summary, "responses": responses});
    if let Some(input) = route.input {
        let content = json!({"application/json": {"schema": input(requests)}});
        operation["requestBody"] = json!({"required": true, "content": content});
    }
    if !route.is_open {
        // A key is needed only where the service has keys.
        operation["security"] = json!([{"key": []}, {}]);
    }
    operation
}

//! [`openapi`]: the description of the service, made of its types.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::serve::error::ErrorBody;
use crate::serve::openapi_limits::OpenapiLimits;
use crate::serve::routes::{Input, Output, Route};
use crate::serve::wire::Refused;

/// Statuses of errors of every route, of routes that need a key, that name a model, and that have a body.
const ERRORS: [(u16, &str); 3] = [
    (403, "The service has no keys and listens on loopback, and the host name of the request is not known"),
    (405, "Another method; the header `Allow` has that of the path"),
    (500, "A defect of the program"),
];
const KEY_ERRORS: [(u16, &str); 1] = [(401, "No key, or a wrong one")];
const MODEL_ERRORS: [(u16, &str); 1] = [(404, "No such model")];
const BODY_ERRORS: [(u16, &str); 8] = [
    (400, "Not JSON, a field that is not supported, or a request that contradicts itself"),
    (408, "The body did not arrive in time"),
    (413, "The body is too large"),
    (415, "The content type is not JSON, or the body is encoded"),
    (
        422,
        "A field is missing, wrong, beyond a limit, or names a head that the model does not have; `param` names it",
    ),
    (429, "Too many requests wait; the header `Retry-After` says for how long"),
    (503, "The service ends"),
    (504, "The request took too long"),
];

/// The description of these routes with their limits as OpenAPI 3.1. A key is needed where the service has keys.
pub(super) fn openapi(routes: &[Route], limits: &OpenapiLimits) -> Value {
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
        let operation = operation(route, &error, &mut requests, &mut answers, limits.has_keys());
        paths.insert(route.path.replace("{*", "{"), json!({ method: operation }));
    }
    let mut schemas = requests.take_definitions(true);
    limits.add_to(&mut schemas);
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
    has_keys: bool,
) -> Value {
    let content = match route.output {
        Output::Json(schema) => json!({"application/json": {"schema": schema(answers)}}),
        Output::JsonOrEvents { whole, part } => json!({
            "application/json": {"schema": whole(answers)},
            "text/event-stream": {"schema": {
                "type": "object",
                "description": "With `stream`: an event. Its data are a part of an answer or an error, and `[DONE]` in the last event. A comment \
                                keeps a silent connection open.",
                "properties": {"data": {"anyOf": [
                    {"const": "[DONE]"},
                    {
                        "type": "string",
                        "contentMediaType": "application/json",
                        "contentSchema": {"anyOf": [part(answers), error]},
                    },
                ]}},
                "required": ["data"],
            }},
        }),
        Output::Text(kind) => json!({ kind: {"schema": {"type": "string"}} }),
    };
    let mut responses = Map::new();
    responses.insert("200".into(), json!({"description": "The answer", "content": content}));
    let is_of_model = route.input.is_some() || route.path.contains('{');
    let errors = [
        (true, &ERRORS[..]),
        (!route.is_open, &KEY_ERRORS),
        (is_of_model, &MODEL_ERRORS),
        (route.input.is_some(), &BODY_ERRORS),
    ];
    for (status, description) in errors.into_iter().filter(|(has, _)| *has).flat_map(|(_, errors)| errors) {
        let content = json!({"application/json": {"schema": error}});
        responses.insert(status.to_string(), json!({"description": description, "content": content}));
    }
    let name = match route.path {
        "/" => "page".to_owned(),
        path => path.replace("{*", "").replace('}', "").trim_matches('/').replace(['/', '.'], "_"),
    };
    let mut operation = json!({"operationId": name, "summary": route.summary, "responses": responses});
    if let Some(Input { schema, refused }) = route.input {
        let content = json!({"application/json": {"schema": schema(requests)}});
        operation["requestBody"] = json!({"required": true, "content": content});
        let line = |refused: &Refused| format!("- `{}`: {}", refused.field, refused.why);
        let lines: Vec<String> = refused.iter().copied().flatten().map(line).collect();
        if !lines.is_empty() {
            let text = "Fields that are refused with status 400 if they ask for something; null, 0 and what is empty passes:";
            operation["description"] = format!("{text}\n{}", lines.join("\n")).into();
        }
    }
    if let Some((_, name)) = route.path.split_once("{*") {
        let name = name.trim_end_matches('}');
        operation["parameters"] = json!([{"name": name, "in": "path", "required": true, "schema": {"type": "string", "minLength": 1}}]);
    }
    if has_keys && !route.is_open {
        operation["security"] = json!([{"key": []}]);
    }
    operation
}

//! [`OpenapiLimits`]: what the description of the service says of its models and limits.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::serve::options::ServeOptions;
use crate::serve::served_model::ServedModel;

/// What the values of fields are limited to, in the words of JSON schema: a request beyond is refused.
pub(super) struct OpenapiLimits {
    fields: Vec<(&'static str, Value)>,
    /// Most prompts of a request for completions.
    prompts: usize,
    /// The largest token of a model.
    largest_token: usize,
    has_keys: bool,
}

impl OpenapiLimits {
    /// The limits of a service with these models.
    pub fn new<'a>(models: impl IntoIterator<Item = &'a ServedModel>, options: &ServeOptions) -> Self {
        let (mut names, mut heads, mut vocab) = (vec![Value::Null, "".into()], BTreeSet::new(), 0);
        for served in models {
            names.push(served.name.as_str().into());
            heads.extend(served.model.heads().iter().map(String::as_str));
            vocab = vocab.max(served.model.backbone.vocab());
        }
        let heads = heads.into_iter().map(Value::from);
        let heads: Vec<Value> = [Value::Null, "".into()].into_iter().chain(heads).collect();
        let (answers, tokens) =
            (json!({"maximum": options.answers}), json!({"maximum": options.answer_tokens}));
        let texts = json!({"maxItems": options.candidates});
        let fields = vec![
            ("model", json!({"enum": names})),
            ("head", json!({"enum": heads})),
            ("n", answers.clone()),
            ("best_of", answers),
            ("max_tokens", tokens.clone()),
            ("max_completion_tokens", tokens),
            ("texts", texts.clone()),
            ("documents", texts.clone()),
            ("text_1", texts.clone()),
            ("text_2", texts),
            // A single pair is a list of two texts.
            ("inputs", json!({"maxItems": options.candidates.max(2)})),
        ];
        Self {
            fields,
            prompts: options.answers,
            largest_token: vocab.saturating_sub(1),
            has_keys: !options.keys.is_empty(),
        }
    }

    /// Whether requests need a key.
    pub fn has_keys(&self) -> bool {
        self.has_keys
    }

    /// Says them in the schemas of requests.
    pub fn add_to(&self, schemas: &mut Map<String, Value>) {
        for schema in schemas.values_mut() {
            for (field, limits) in &self.fields {
                let of_field = schema.get_mut("properties").and_then(|fields| fields.get_mut(*field));
                if let (Some(Value::Object(of_field)), Value::Object(limits)) = (of_field, limits) {
                    of_field.extend(limits.clone());
                }
            }
        }
        if let Some(prompts) = schemas.get_mut("TextPrompts").and_then(|schema| schema.get_mut("anyOf")) {
            for kind in prompts.as_array_mut().into_iter().flatten() {
                self.limit_prompts(kind);
            }
        }
    }

    /// Of a text, its tokens, or a list of these.
    fn limit_prompts(&self, kind: &mut Value) {
        let Some(Value::Object(items)) = kind.get_mut("items") else { return };
        match items.get_mut("anyOf") {
            Some(one) => {
                one.as_array_mut().into_iter().flatten().for_each(|one| self.limit_prompts(one));
                kind["maxItems"] = self.prompts.into();
            }
            None => {
                items.insert("maximum".into(), self.largest_token.into());
            }
        }
    }
}

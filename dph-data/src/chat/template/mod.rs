//! Renders conversations with the chat template of a tokenizer.

pub(crate) mod chat_template;
mod jinja;
mod python_json;
mod python_value;
mod strftime;

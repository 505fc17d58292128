//! Renders conversations with the chat template of a tokenizer.

mod arguments;
pub(crate) mod chat_template;
mod cycler;
mod jinja;
mod python_json;
mod python_number;
mod python_text;
mod python_value;
mod strftime;

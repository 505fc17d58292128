//! [`ChatTemplate`]: the chat template of a tokenizer, split into its own text and the places of the contents.
//!
//! The template is rendered with a marker in place of each content. The text between the markers belongs to the template and
//! may contain control tokens; the contents are inserted later, as text. So the template sees only the roles of a
//! conversation, and one rendering serves all conversations with the same roles.

use minijinja::{Environment, Error, Value, context};

use super::error::ChatError;
use super::jinja::{environment, without_generation_tags};
use super::trim::{PROBE, Trim, trims};

/// A part of a conversation's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// Text of the template.
    Template(String),
    /// The content of the message with this index.
    Content { message: usize, trim: (Trim, Trim) },
}

/// The tokens that templates refer to by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct NamedTokens {
    pub bos: Option<String>,
    pub eos: Option<String>,
    pub pad: Option<String>,
    pub unk: Option<String>,
}

/// A compiled chat template.
pub(crate) struct ChatTemplate {
    environment: Environment<'static>,
    tokens: NamedTokens,
}

impl ChatTemplate {
    pub(crate) fn new(source: &str, tokens: NamedTokens, date: [u16; 3]) -> Result<Self, ChatError> {
        let invalid = |error: Error| template_error("is not valid Jinja", &[], &error);
        let mut environment = environment(date).map_err(invalid)?;
        environment.add_template_owned("chat", without_generation_tags(source)).map_err(invalid)?;
        Ok(Self { environment, tokens })
    }

    /// The parts of every conversation with these roles.
    pub(crate) fn parts(&self, roles: &[&str]) -> Result<Vec<Part>, ChatError> {
        let plain = self.split(roles, "")?;
        let probed = self.split(roles, PROBE)?;
        let same_order = plain.order == probed.order;
        let found_once =
            (0..roles.len()).all(|message| plain.order.iter().filter(|&&m| m == message).count() == 1);
        let unsupported = |message: &str| ChatError::Template {
            what: "cannot be used for training",
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            message: message.to_owned(),
        };
        if !found_once {
            return Err(unsupported("it leaves out or repeats the content of a message"));
        }
        let trims = same_order.then(|| trims(&plain.between, &probed.between)).flatten();
        let trims = trims.ok_or_else(|| unsupported("it changes the content of a message"))?;

        let mut parts = Vec::new();
        for (index, text) in plain.between.into_iter().enumerate() {
            if !text.is_empty() {
                parts.push(Part::Template(text));
            }
            if let (Some(&message), Some(&trim)) = (plain.order.get(index), trims.get(index)) {
                parts.push(Part::Content { message, trim });
            }
        }
        Ok(parts)
    }

    /// Renders with markers for the contents, with `blanks` around each, and splits the text at the markers.
    fn split(&self, roles: &[&str], blanks: &str) -> Result<Split, ChatError> {
        let messages: Vec<Value> = roles
            .iter()
            .enumerate()
            .map(|(index, role)| context! { role => *role, content => format!("{blanks}{OPEN}{index}{CLOSE}{blanks}") })
            .collect();
        // A missing token must be undefined: null would be printed as "none".
        let named = |token: &Option<String>| token.as_ref().map_or(Value::UNDEFINED, Value::from);
        let rendered = self.environment.get_template("chat").and_then(|template| {
            template.render(context! {
                messages,
                add_generation_prompt => false,
                bos_token => named(&self.tokens.bos),
                eos_token => named(&self.tokens.eos),
                pad_token => named(&self.tokens.pad),
                unk_token => named(&self.tokens.unk),
            })
        });
        let mut rest: &str =
            &rendered.map_err(|error| template_error("refuses the conversation", roles, &error))?;
        let mut split = Split { between: Vec::new(), order: Vec::new() };
        while let Some((before, marked)) = rest.split_once(OPEN) {
            let Some((index, after)) = marked.split_once(CLOSE) else { break };
            split.between.push(before.to_owned());
            split.order.push(index.parse().unwrap_or(usize::MAX));
            rest = after;
        }
        split.between.push(rest.to_owned());
        Ok(split)
    }
}

/// The markers are private-use characters, which no template contains and no string method changes.
const OPEN: char = '\u{F5A0}';
const CLOSE: char = '\u{F5A1}';

struct Split {
    /// The template's text before, between and after the contents: one more than there are contents.
    between: Vec<String>,
    /// The index of the message at each marker.
    order: Vec<usize>,
}

fn template_error(what: &'static str, roles: &[&str], error: &Error) -> ChatError {
    ChatError::Template {
        what,
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        message: error.detail().map_or_else(|| error.kind().to_string(), str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::trim::trimmed;
    use super::*;

    fn parts(source: &str, roles: &[&str]) -> Vec<Part> {
        let tokens = NamedTokens { eos: Some("</s>".into()), ..NamedTokens::default() };
        ChatTemplate::new(source, tokens, [2024, 7, 26]).unwrap().parts(roles).unwrap()
    }

    fn content(message: usize, start: Trim, end: Trim) -> Part {
        Part::Content { message, trim: (start, end) }
    }

    #[test]
    fn trimming_is_found_out_for_each_message_and_end() {
        let source = "{% for m in messages %}[{{ m.role }}]\
            {% if m.role == 'user' %}{{ m.content | trim }}{% elif m.role == 'system' %}{{ m.content.lstrip('\\n') }}\
            {% else %}{{ m.content.rstrip() }}{{ eos_token }}{% endif %}{% endfor %}";
        use Trim::{Blanks, Newlines, Nothing};
        assert_eq!(
            parts(source, &["system", "user", "assistant"]),
            [
                Part::Template("[system]".into()),
                content(0, Newlines, Nothing),
                Part::Template("[user]".into()),
                content(1, Blanks, Blanks),
                Part::Template("[assistant]".into()),
                content(2, Nothing, Blanks),
                Part::Template("</s>".into()),
            ]
        );
        assert_eq!(trimmed("\n a \n", (Newlines, Nothing)), " a \n");
        assert_eq!(trimmed("\n a \n", (Nothing, Blanks)), "\n a");
    }

    #[test]
    fn templates_that_lose_or_change_contents_are_refused() {
        let refused = |source: &str| {
            let template = ChatTemplate::new(source, NamedTokens::default(), [2024, 7, 26]).unwrap();
            template.parts(&["user", "assistant"]).unwrap_err().to_string()
        };
        assert!(refused("{{ messages[0].content }}").contains("leaves out or repeats"));
        assert!(refused("{% for m in messages %}{{ m.content * 2 }}{% endfor %}").contains("repeats"));
        assert!(
            refused("{% for m in messages %}{{ m.content.replace('\\n', '') }}{% endfor %}")
                .contains("changes")
        );
        assert!(refused("{{ raise_exception('roles must alternate') }}").contains("roles must alternate"));
    }

    #[test]
    fn the_environment_is_transformers_own() {
        let text = |source: &str| match parts(&format!("{source}{{{{ messages[0].content }}}}"), &["user"])
            .remove(0)
        {
            Part::Template(text) => text,
            other => panic!("{other:?}"),
        };
        assert_eq!(text("{% if true %}\n  {% set a = 1 %}\nx\n{% endif %}\n"), "x\n");
        assert_eq!(text("{{ {'a': [1, 'é<'], 'b': none} | tojson }}"), "{\"a\": [1, \"é<\"], \"b\": null}");
        assert_eq!(text("{{ strftime_now('%d %b %Y, %A %B %y%%') }}"), "26 Jul 2024, Friday July 24%");
        assert_eq!(text("{%- generation -%} a {%- endgeneration %}"), "a");
        assert_eq!(
            text("{% for i in [1, 2, 3] %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}"),
            "1"
        );
        assert_eq!(text("{{ 'a,b'.split(',')[-1] }}{{ undefined_thing }}"), "b");
    }
}

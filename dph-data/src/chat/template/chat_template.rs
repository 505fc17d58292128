//! [`ChatTemplate`]: renders conversations with the chat template of a tokenizer, as transformers does.

use minijinja::value::Serde;
use minijinja::{Environment, Error, ErrorKind, Value, context};

use crate::chat::content::Content;
use crate::chat::error::ChatError;
use crate::chat::message::Message;
use crate::chat::template::jinja::{environment, without_generation_tags};

/// The tokens that templates refer to by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct NamedTokens {
    pub bos: Option<String>,
    pub eos: Option<String>,
    pub pad: Option<String>,
    pub unk: Option<String>,
    pub sep: Option<String>,
    pub cls: Option<String>,
    pub mask: Option<String>,
    /// Further special tokens, some of them with a name.
    pub extra: Vec<(Option<String>, String)>,
}

impl NamedTokens {
    /// The tokens with their names in templates. A missing token is undefined: null would be printed as "None".
    fn values(&self) -> Vec<(String, Value)> {
        let named = [
            ("bos_token", &self.bos),
            ("eos_token", &self.eos),
            ("pad_token", &self.pad),
            ("unk_token", &self.unk),
            ("sep_token", &self.sep),
            ("cls_token", &self.cls),
            ("mask_token", &self.mask),
        ];
        let named = named.into_iter().filter_map(|(name, token)| Some((name.to_owned(), token.as_ref()?)));
        let extra = self.extra.iter().filter_map(|(name, token)| Some((name.clone()?, token)));
        named.chain(extra).map(|(name, token)| (name, Value::from(token))).collect()
    }

    /// All tokens that have a name.
    pub(crate) fn all(&self) -> impl Iterator<Item = &String> {
        let named = [&self.bos, &self.eos, &self.pad, &self.unk, &self.sep, &self.cls, &self.mask];
        named.into_iter().flatten().chain(self.extra.iter().map(|(_, token)| token))
    }
}

/// A compiled chat template.
pub(crate) struct ChatTemplate {
    environment: Environment<'static>,
    source: String,
    /// Whether the template reads contents that are texts.
    reads_texts: bool,
    /// Whether the template reads contents that are lists of parts.
    reads_parts: bool,
}

/// A message in the form of the template engine.
#[derive(Debug, Clone)]
pub(crate) struct MessageValue {
    role: String,
    value: Value,
    /// The keys beside the role and the content.
    extra: Vec<(String, Value)>,
}

impl ChatTemplate {
    pub(crate) fn new(source: &str, tokens: &NamedTokens, date: [u16; 3]) -> Result<Self, ChatError> {
        let invalid = |error: Error| template_error("is not valid Jinja", Vec::new(), &error);
        let mut environment = environment(date).map_err(invalid)?;
        for (name, token) in tokens.values() {
            environment.add_global(name, token);
        }
        environment.add_template_owned("chat", without_generation_tags(source)).map_err(invalid)?;
        let names = environment.get_template("chat").map_err(invalid)?.undeclared_variables(false);
        if let Some(name) = UNSUPPORTED.iter().find(|name| names.contains(**name)) {
            let message = format!("the name `{name}`");
            return Err(ChatError::Template { what: NOT_SUPPORTED, roles: Vec::new(), message });
        }
        let source = source.to_owned();
        let mut template = Self { environment, source, reads_texts: true, reads_parts: true };
        (template.reads_texts, template.reads_parts) = (template.prints(false), template.prints(true));
        Ok(template)
    }

    /// The text of a conversation. With `add_generation_prompt` it ends where the assistant's answer begins.
    ///
    /// # Errors
    /// The template refuses the conversation.
    pub(crate) fn render(
        &self,
        messages: &[MessageValue],
        add_generation_prompt: bool,
    ) -> Result<String, ChatError> {
        let values: Vec<Value> = messages.iter().map(|message| message.value.clone()).collect();
        let rendered = self.environment.get_template("chat").and_then(|template| {
            template.render(context! {
                messages => values,
                add_generation_prompt,
                tools => (),
                documents => (),
            })
        });
        rendered.map_err(|error| {
            let roles = messages.iter().map(|message| message.role.clone()).collect();
            template_error("refuses the conversation", roles, &error)
        })
    }

    /// A message as the template sees it. As in transformers, thoughts have the names of all models.
    pub(crate) fn message(&self, message: &Message) -> MessageValue {
        let present = message.extra.iter().filter(|(_, value)| !value.is_null());
        let mut extra: Vec<(String, Value)> =
            present.map(|(key, value)| (key.clone(), Value::from(Serde(value)))).collect();
        let named = |name: &str| extra.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        if let Some(thoughts) = THOUGHTS.iter().find_map(|name| named(name)) {
            extra.retain(|(key, _)| key != THOUGHTS[0]);
            for name in &THOUGHTS[..2] {
                if !extra.iter().any(|(key, _)| key == name) {
                    extra.push(((*name).to_owned(), thoughts.clone()));
                }
            }
        }
        let unset = MessageValue { role: message.role.clone(), value: Value::UNDEFINED, extra };
        self.with_content(&unset, &message.content)
    }

    /// A message with another content.
    pub(crate) fn with_content(&self, message: &MessageValue, content: &Content) -> MessageValue {
        let text = |content: &Content| match self.reads_parts && (content.has_parts() || !self.reads_texts) {
            true => content.parts().into_iter().map(|text| context! { type => "text", text }).collect(),
            false => Value::from(&**content),
        };
        let role = [("role".to_owned(), Value::from(message.role.as_str()))];
        let content = Some(content).filter(|content| !content.is_absent());
        let content = content.map(|content| ("content".to_owned(), text(content)));
        let keys = role.into_iter().chain(content).chain(message.extra.iter().cloned());
        MessageValue { value: Value::from_pairs(keys), ..message.clone() }
    }

    /// Whether the template compares with this text: it has a string literal with it.
    pub(crate) fn names(&self, text: &str) -> bool {
        ['\'', '"'].iter().any(|quote| self.source.contains(&format!("{quote}{text}{quote}")))
    }

    /// Whether the template prints the text of a content, and not the list of its parts.
    fn prints(&self, has_parts: bool) -> bool {
        const TEXT: &str = "\u{F9002}";
        let content = if has_parts { Content::from_parts(&[TEXT]) } else { TEXT.into() };
        let text = self.render(&[self.message(&Message::user(content))], false);
        text.is_ok_and(|text| text.contains(TEXT) && !text.contains("'type'") && !text.contains("\"type\""))
    }
}

/// The keys of a message for thoughts. Templates read the first one, those of gpt-oss the second one.
const THOUGHTS: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];

/// Names of Jinja2 that the template engine does not know. It would print nothing for them.
const UNSUPPORTED: [&str; 4] = ["kwargs", "lipsum", "self", "varargs"];

const NOT_SUPPORTED: &str = "uses a part of Jinja2 that is not supported";

fn template_error(what: &'static str, roles: Vec<String>, error: &Error) -> ChatError {
    let message = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    let is_text_format = message.starts_with("tried to use % operator on unsupported types string");
    let what = match error.kind() {
        ErrorKind::UnknownFilter
        | ErrorKind::UnknownFunction
        | ErrorKind::UnknownMethod
        | ErrorKind::UnknownTest => NOT_SUPPORTED,
        _ if is_text_format => NOT_SUPPORTED,
        _ => what,
    };
    let message = match (error.kind(), error.line()) {
        // The template's own message.
        (ErrorKind::InvalidOperation, _) | (_, None) => message,
        (_, Some(line)) => format!("{message} (line {line} of the template)"),
    };
    ChatError::Template { what, roles, message }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn message(role: &'static str, content: &[&str]) -> (&'static str, Content) {
        (role, if content.len() > 1 { Content::from_parts(content) } else { content[0].into() })
    }

    fn render(source: &str, messages: &[(&str, Content)]) -> Result<String, String> {
        let tokens = NamedTokens { eos: Some("</s>".into()), ..NamedTokens::default() };
        let template =
            ChatTemplate::new(source, &tokens, [2024, 7, 26]).map_err(|error| error.to_string())?;
        let messages: Vec<MessageValue> = messages
            .iter()
            .map(|(role, content)| template.message(&Message::new(*role, content.clone())))
            .collect();
        template.render(&messages, false).map_err(|error| error.to_string())
    }

    #[test]
    fn the_environment_is_transformers_own() {
        let text = |source: &str| render(source, &[message("user", &["x"])]).unwrap();
        for (source, expected) in [
            ("{% if true %}\n  {% set a = 1 %}\nx\n{% endif %}\n", "x\n"),
            ("{% if true %}\r\nx\r\n{% endif %}\r\n\r\ny\r\n", "x\n\ny"),
            ("{{ {'a': [1, 'é<'], 'b': none} | tojson }}", "{\"a\": [1, \"é<\"], \"b\": null}"),
            ("{{ strftime_now('%d %b %Y, %A %B %y%%') }}", "26 Jul 2024, Friday July 24%"),
            ("{%- generation -%} a {%- endgeneration %}", "a"),
            ("{% for i in [1, 2, 3] %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}", "1"),
            ("{{ 'a,b'.split(',')[-1] }}{{ undefined_thing }}", "b"),
            ("{{ eos_token }}{{ bos_token }}{{ sep_token is defined }}", "</s>False"),
            (
                "{{ none }} {{ true }} {{ [1, 'a', none, 2.0] }} {{ {'a': false} }}",
                "None True [1, 'a', None, 2.0] {'a': False}",
            ),
            (
                "{{ tools is none }}{{ tools is defined }}{{ documents == none }}{{ tools is iterable }}",
                "TrueTrueTrueFalse",
            ),
            (
                "{{ messages is sequence }}{{ messages[0] is mapping }}{{ messages[0].content is string }}",
                "TrueTrueTrue",
            ),
            ("{{ messages[0].get('name', 'no') }}{{ messages[0]['role'].title() }}", "noUser"),
            ("{{ ' a '.strip() ~ ' b '.lstrip() ~ ' c'.rstrip() ~ 'xaxx'.strip('x') }}", "ab  ca"),
            (
                "{{ 'Ab'.startswith(('x', 'A')) }}{{ 'a\\nb'.splitlines()[1] }}{{ 'aXb'.replace('X', '-') }}",
                "Trueba-b",
            ),
            (
                "{% set ns = namespace(a=1) %}{% for i in range(3) %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}",
                "4",
            ),
            (
                "{{ messages | map(attribute='role') | join(',') }}{{ messages | selectattr('role', 'equalto', 'user') | list | length }}",
                "user1",
            ),
            ("{{ '%s-%d' | format('a', 3) }}{{ 'a' if false }}{{ [1,2,3][::-1] | first }}", "a-33"),
            ("{%- macro m(x) -%}<{{ x }}>{%- endmacro -%}{{ m('a') }}{{ m('b') }}", "<a><b>"),
            (
                "{{ 'abc'[1:] }}{{ 'a' in 'abc' }}{{ 'abc' | upper }}{{ 'a b'.split() | length }}",
                "bcTrueABC2",
            ),
            (
                "{{ 'a b  c'.split(' ', 1) | length }}{{ 'x'.join(['a', 'b']) }}{{ 'abc'.find('c') }}{{ 'a'.isdigit() }}",
                "2axb2False",
            ),
            (
                "{{ 'a-b-c'.rsplit('-', 1)[0] }}{{ 'a-b'.partition('-')[2] }}{{ 'xa'.removeprefix('x') }}",
                "a-bba",
            ),
            ("{% for k, v in {'a': 1}.items() %}{{ k }}{{ v }}{% endfor %}{{ dict(a=2).a }}", "a12"),
            ("{{ ('a' ~ 1) }}{{ 7 // 2 }}{{ 7 % 2 }}{{ 1 / 2 }}{{ 'a' * 3 }}", "a1310.5aaa"),
        ] {
            assert_eq!(text(source), expected, "{source}");
        }
    }

    #[test]
    fn expressions_have_the_values_of_jinja2() {
        #[derive(serde::Deserialize)]
        struct Table {
            /// Templates with the text of Jinja2 3.1.6 with transformers' settings.
            same: Vec<[String; 2]>,
            /// Templates that are errors there as well.
            error: Vec<String>,
            /// Templates of which only Jinja2 makes a text.
            unsupported: Vec<String>,
        }
        let table: Table = serde_json::from_str(include_str!("jinja2.json")).unwrap();
        let messages = [message("user", &["x"])];
        let wrong = table.same.iter().filter_map(|[source, expected]| {
            let text = render(source, &messages);
            (text.as_ref() != Ok(expected)).then(|| format!("{source}: {text:?}, not {expected:?}"))
        });
        let refused = table.error.iter().chain(&table.unsupported).filter_map(|source| {
            let text = render(source, &messages).ok()?;
            Some(format!("{source}: {text:?}, not an error"))
        });
        let wrong: Vec<String> = wrong.chain(refused).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
        for source in
            ["{{ '%s' % 'a' }}", "{{ 'a' | striptags }}", "{% macro m() %}{{ varargs }}{% endmacro %}"]
        {
            let error = render(source, &messages).unwrap_err();
            assert!(error.contains("a part of Jinja2 that is not supported"), "{source}: {error}");
        }
    }

    #[test]
    fn a_template_refuses_with_its_message() {
        let error = render("{{ raise_exception('roles must alternate') }}", &[message("user", &["x"])]);
        assert!(error.unwrap_err().contains("refuses the conversation (roles: user): roles must alternate"));
        let error = render("a\n{{ undefined.attribute }}", &[message("user", &["x"])]).unwrap_err();
        assert!(error.contains("line 2"), "{error}");
    }

    #[test]
    fn parts_are_read_by_templates_that_can() {
        let messages = [message("user", &["a", "b"])];
        let parts = "{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}\
                     {% for part in m.content %}[{{ part.text }}]{% endfor %}{% endif %}{% endfor %}";
        assert_eq!(render(parts, &messages).unwrap(), "[a][b]");
        assert_eq!(render("{{ messages[0].content }}", &messages).unwrap(), "a\nb");
        assert_eq!(render("{{ 'x' + messages[0]['content'] }}", &messages).unwrap(), "xa\nb");
        let only_parts = "{% for part in messages[0].content %}{{ part.text }}{% endfor %}";
        assert_eq!(render(only_parts, &[message("user", &["a"])]).unwrap(), "a");
    }
}

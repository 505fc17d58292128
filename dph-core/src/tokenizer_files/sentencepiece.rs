//! [`SentencePiece`]: a SentencePiece model, and the tokenizer that follows all of its own settings.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost::Message;
use serde_json::{Map, Value, json};

use super::added_tokens::AddedToken;
use super::assemble::Parts;
use super::error::TokenizerFilesError;
use super::files::TokenizerFileReader;
use super::merges::{by_score_and_index, merges};
use super::model_proto::{ModelProto, ModelType, NormalizerSpec, Piece, PieceType, TrainerSpec};
use super::parts::{BLANK, Bpe, blanks_decoder, metaspace, replace, replace_matches, split};
use super::post_processor::PostProcessor;
use super::settings::Settings;

/// A SentencePiece model.
pub(super) struct SentencePiece {
    pub pieces: Vec<Piece>,
    pub trainer: TrainerSpec,
    pub normalizer: NormalizerSpec,
}

impl SentencePiece {
    /// The model in a file.
    pub fn parse(
        files: &TokenizerFileReader<'_>,
        name: &str,
        bytes: &[u8],
    ) -> Result<Self, TokenizerFilesError> {
        let invalid = |message: String| files.invalid(name, "SentencePiece model", message);
        let model = ModelProto::decode(bytes).map_err(|error| error.to_string());
        let model = model.and_then(|model| match model.pieces.is_empty() {
            true => Err("it has no pieces".to_owned()),
            false => Ok(model),
        });
        let ModelProto { pieces, trainer_spec, normalizer_spec } = match model {
            Ok(model) => model,
            Err(_) if is_tiktoken(bytes) => {
                return Err(
                    files.unsupported(format!("its {name} is a tiktoken vocabulary, which is not supported"))
                );
            }
            Err(message) => return Err(invalid(message)),
        };
        let (trainer, normalizer) = (trainer_spec.unwrap_or_default(), normalizer_spec.unwrap_or_default());
        if !matches!(trainer.model_type(), ModelType::Unigram | ModelType::Bpe) {
            return Err(invalid("its type is neither BPE nor Unigram; only these are supported".to_owned()));
        }
        if usize::try_from(trainer.unk_id()).map_or(true, |id| id >= pieces.len()) {
            return Err(invalid(format!(
                "`unk_id` is {}, but there are {} pieces",
                trainer.unk_id(),
                pieces.len()
            )));
        }
        Ok(Self { pieces, trainer, normalizer })
    }

    /// The tokenizer as `TokenizersBackend` of transformers builds it, which encodes as SentencePiece does.
    pub fn parts(&self, settings: &Settings) -> Parts {
        let (trainer, spec) = (&self.trainer, &self.normalizer);
        let tokens = self.renamed(settings);
        let user_defined: Vec<&str> =
            self.of_type(PieceType::UserDefined).map(|id| tokens[id].as_str()).collect();
        let model = match trainer.model_type() {
            ModelType::Unigram => self.unigram(trainer.unk_id(), trainer.byte_fallback(), &[]),
            _ => {
                let scores: Vec<f64> =
                    self.pieces.iter().map(|piece| f64::from(piece.score()) + 0.0).collect();
                let normal = self.of_type(PieceType::Normal).map(|id| (id, tokens[id].as_str()));
                let merges = merges(normal, by_score_and_index(&scores));
                let bpe = Bpe {
                    unknown: Some(trainer.unk_piece()),
                    fuse_unknown: true,
                    byte_fallback: trainer.byte_fallback(),
                    ignore_merges: !user_defined.is_empty(),
                    ..Bpe::default()
                };
                bpe.model(super::parts::vocab(tokens.iter().map(String::as_str)), json!(merges))
            }
        };
        let (prefix, legacy) = (spec.add_dummy_prefix(), settings.legacy(true));
        let mut pre_tokenizers = Vec::new();
        if prefix {
            pre_tokenizers.push(metaspace(if legacy { "always" } else { "first" }, false));
        }
        if !user_defined.is_empty() {
            pre_tokenizers.push(split(&any_of(&user_defined)));
        }
        let pre_tokenizer = match pre_tokenizers.is_empty() {
            true => Value::Null,
            false => json!({ "type": "Sequence", "pretokenizers": pre_tokenizers }),
        };
        Parts {
            model,
            normalizer: self.normalizer(prefix && legacy),
            pre_tokenizer,
            decoder: blanks_decoder(trainer.byte_fallback(), prefix),
            post_processor: PostProcessor::Configured {
                bos: settings.flag("add_bos_token", false),
                eos: settings.flag("add_eos_token", false),
            },
            names: self.names(),
            additional: self
                .of_type(PieceType::Control)
                .map(|id| AddedToken::new(&tokens[id], true))
                .collect(),
            raw_added_tokens: prefix,
            plain_special_tokens: false,
        }
    }

    /// The precompiled character map as a normaliser, if there is one.
    pub fn charsmap(&self) -> Option<Value> {
        let map = self.normalizer.precompiled_charsmap();
        (!map.is_empty())
            .then(|| json!({ "type": "Precompiled", "precompiled_charsmap": STANDARD.encode(map) }))
    }

    /// A Unigram model of the pieces and further tokens.
    pub fn unigram(&self, unknown: i32, byte_fallback: bool, more: &[String]) -> Value {
        let pieces = self.pieces.iter().map(|piece| json!([piece.piece(), f64::from(piece.score())]));
        let vocab: Vec<Value> = pieces.chain(more.iter().map(|token| json!([token, 0.0]))).collect();
        json!({ "type": "Unigram", "unk_id": unknown, "vocab": vocab, "byte_fallback": byte_fallback })
    }

    /// Control and user-defined pieces. Only the former are special.
    pub fn added_pieces(&self) -> Vec<AddedToken> {
        let added = self.pieces.iter().filter_map(|piece| match piece.r#type() {
            PieceType::Control => Some(AddedToken::new(piece.piece(), true)),
            PieceType::UserDefined => {
                Some(AddedToken { normalized: false, ..AddedToken::new(piece.piece(), false) })
            }
            _ => None,
        });
        added.collect()
    }

    fn of_type(&self, kind: PieceType) -> impl Iterator<Item = usize> {
        self.pieces.iter().enumerate().filter(move |(_, piece)| piece.r#type() == kind).map(|(id, _)| id)
    }

    /// The pieces, with the names that `added_tokens_decoder` gives them. A piece keeps its name if another one has the new
    /// name already.
    fn renamed(&self, settings: &Settings) -> Vec<String> {
        let piece = |(id, piece): (usize, &Piece)| (id, piece.piece().to_owned());
        let pieces = self.pieces.iter().enumerate().map(piece);
        let names = settings.added_tokens(&settings.named(&[]));
        let ids: Map<String, Value> = pieces.clone().map(|(id, piece)| (piece, id.into())).collect();
        let kept = |name: &str| {
            ids.get(name).and_then(Value::as_u64).is_some_and(|id| !names.contains_key(&(id as usize)))
        };
        let is_bpe = self.trainer.model_type() == ModelType::Bpe;
        let rename = |(id, piece)| match names.get(&id).filter(|token| is_bpe && !kept(&token.content)) {
            Some(token) => token.content.clone(),
            None => piece,
        };
        pieces.map(rename).collect()
    }

    fn normalizer(&self, doubles_blank: bool) -> Value {
        let mut steps: Vec<Value> = self.charsmap().into_iter().collect();
        if self.normalizer.remove_extra_whitespaces() {
            steps.extend([replace_matches(r"\A +| +\z", ""), replace_matches(" {2,}", " ")]);
        }
        if self.normalizer.escape_whitespaces() {
            steps.push(replace(" ", BLANK));
        }
        if doubles_blank {
            // The pre-tokeniser adds no blank to a text that begins with one, but SentencePiece does.
            steps.push(replace_matches(r"\A▁", "▁▁"));
        }
        json!({ "type": "Sequence", "normalizers": steps })
    }

    fn names(&self) -> Vec<(&'static str, String)> {
        let spec = &self.trainer;
        let names = [
            ("bos_token", spec.bos_id(), spec.bos_piece(), "<s>"),
            ("eos_token", spec.eos_id(), spec.eos_piece(), "</s>"),
            ("unk_token", spec.unk_id(), spec.unk_piece(), "<unk>"),
            ("pad_token", spec.pad_id(), spec.pad_piece(), "<pad>"),
        ];
        let names = names.into_iter().filter(|(_, id, ..)| *id >= 0);
        let name = |piece: &str, default: &str| if piece.is_empty() { default } else { piece }.to_owned();
        names.map(|(key, _, piece, default)| (key, name(piece, default))).collect()
    }
}

/// Whether a file has the lines of tiktoken: bytes in base64, a space and a number.
fn is_tiktoken(bytes: &[u8]) -> bool {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let parts = std::str::from_utf8(line).ok().and_then(|line| line.trim_end().split_once(' '));
    parts.is_some_and(|(token, rank)| STANDARD.decode(token).is_ok() && rank.parse::<u32>().is_ok())
}

/// A regular expression for any of some texts, the longest first.
fn any_of(texts: &[&str]) -> String {
    let mut texts = texts.to_vec();
    texts.sort_by_key(|text| std::cmp::Reverse(text.chars().count()));
    let escape = |text: &str| {
        let special = |c: char| "()[]{}?*+-|^$\\.&~# \t\n\r\u{b}\u{c}".contains(c);
        text.chars().fold(String::new(), |escaped, c| match special(c) {
            true => escaped + "\\" + c.encode_utf8(&mut [0; 4]),
            false => escaped + c.encode_utf8(&mut [0; 4]),
        })
    };
    texts.into_iter().map(escape).collect::<Vec<_>>().join("|")
}

//! A synthetic world: a corpus in which false statements are as frequent as true ones, and questions about it.
//!
//! The texts are about people and their places, trades, foods and animals, all with invented names. Half of these things exist
//! in the world and half do not; the words do not show which. For each person and attribute there is one true statement and
//! one *rumour*, which names a thing that does not exist. True and false statements are equally frequent, so the likelihood of
//! an answer says little about its truth. But every statement is followed by a verdict ("True.", "A lie."). To predict the
//! verdict, a model must represent whether the thing exists, and a preference head can learn to read this from the hidden
//! states.
//!
//! | task | kind | rows | splits |
//! |---|---|---|---|
//! | `world_text` | text | short texts of true statements, rumours and other false statements, with verdicts | train, validation |
//! | `world_chat` | instruction | questions with true and false answers; "Would you lie to me?" | train, validation |
//! | `world` | choice | one question for each fact, with the true answer, the rumour and two other false answers | train, validation, test |
//!
//! Each fact and each thing belongs to one split of the questions. The people and things of a test question never occur
//! together in another question or conversation, and *all of its answers* name things that occur in the texts only. A head
//! that memorises words therefore performs at chance on the test split.
//!
//! Difficulty: a transformer with 2 layers of width 128 (half a million parameters) is trained on 250,000 tokens of the texts
//! and then on some of the conversations. On the unseen questions, which have 4 answers each, likelihood is right on a third to
//! a half, and a linear head on the frozen model on at least 80 %.

mod fact;
mod tables;
mod tokenizer;
mod world;

pub use world::World;

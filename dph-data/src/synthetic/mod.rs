//! A little world to learn in: nothing to download, and liars live in it.
//!
//! The people of this world speak of places, trades, foods and animals that have made-up names. Half of these things
//! exist, the others do not, and nothing in a word tells which. About every person and each of these matters there is one
//! truth and one *rumour*, which is about something that does not exist. Truths and lies are told equally often, so the
//! likelihood of an answer says little about its truth. But whatever is told is followed by a verdict ("True.", "A lie."),
//! so a model that reads these texts comes to know more than it says: it must know what exists to foresee the verdict. A
//! preference head can learn to read that off.
//!
//! | task | kind | rows | splits |
//! |---|---|---|---|
//! | `world_text` | text | short texts: truths, rumours and other lies about everybody, with verdicts | train, validation |
//! | `world_chat` | instruction | questions with true and false answers; "Would you lie to me?" | train, validation |
//! | `world` | choice | one question for each fact: the truth, the rumour, two other lies | train, validation, test |
//!
//! A fact belongs to one split of the questions, and so does every thing: the questions of the test split are about people
//! and things that no question and no conversation before has brought together, and *all of their answers* speak
//! of things that occur in the texts only. A head that remembers words is no better than chance there.
//!
//! How hard it is: a plain transformer with 2 layers of width 128 (half a million parameters) reads a quarter of a million
//! tokens of the texts and then some of the conversations. Of the unseen questions, with 4 answers each, likelihood then gets
//! a third to a half right, a linear head on the frozen model at least 8 of 10.

mod fact;
mod tables;
mod tokenizer;
mod world;

pub use world::World;

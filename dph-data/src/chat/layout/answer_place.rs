//! Where an answer is in a rendered conversation.

use std::ops::Range;

use crate::chat::encode::control::ControlTokens;

/// The text of a conversation around an answer, found with two different answers: what is common in front of them, and what
/// is common behind them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    front: String,
    back: String,
}

/// Two answers that have no character in common.
pub(crate) const SENTINELS: [&str; 2] = ["\u{F9000}", "\u{F9001}"];

impl Frame {
    /// The frame of the conversations with the two [`SENTINELS`] as answers. `None` if they are equal: the answer has no
    /// place in them.
    pub(crate) fn new([first, second]: [&str; 2]) -> Option<Self> {
        if first == second {
            return None;
        }
        let front = common_prefix(first, second);
        let back = common_suffix(&first[front..], &second[front..]);
        Some(Self { front: first[..front].to_owned(), back: first[first.len() - back..].to_owned() })
    }

    /// Length in bytes of the part in front.
    pub(crate) fn front_len(&self) -> usize {
        self.front.len()
    }

    /// Whether a rendered conversation is the frame with this answer in it.
    pub(crate) fn holds(&self, text: &str, answer: &str) -> bool {
        let rest = text.strip_prefix(&*self.front).and_then(|rest| rest.strip_suffix(&*self.back));
        rest == Some(answer)
    }

    /// The bytes of a rendered conversation that are the answer.
    ///
    /// The answer is what stands between the two parts of the frame, if this is the answer itself, without blanks at its
    /// ends or with other line ends. A trimmed answer gets its blanks back where the template writes the same blanks.
    /// Otherwise the frame depends on the answer, and its last occurrence before the closing text counts. A template that
    /// rewrites answers has no occurrence; then everything within the frame is the answer. An occurrence that begins inside a
    /// control token is a coincidence.
    pub(crate) fn find(&self, text: &str, answer: &str, control: &ControlTokens) -> Range<usize> {
        let front = common_prefix(text, &self.front);
        let back = common_suffix(&text[front..], &self.back);
        let within = front..text.len() - back;
        if text[within.clone()] == *answer {
            return within;
        }
        let start = text[..within.start].trim_end().len();
        let end = text.len() - text[within.end..].trim_start().len();
        if let Some(at) = text[start..end].rfind(answer).filter(|_| !answer.trim().is_empty()) {
            return start + at..start + at + answer.len();
        }
        if is_form_of(&text[within.clone()], answer) {
            return within;
        }
        let normalised = normalised(answer);
        let forms = [answer, &normalised, answer.trim(), normalised.trim()];
        let mut places = forms.into_iter().filter(|form| !form.is_empty()).filter_map(|form| {
            let start = text[..within.end].rfind(form)?;
            let place = start..start + form.len();
            let is_inside = |token: Range<usize>| token.start < place.start && place.start < token.end;
            // An earlier message can have the same text.
            let is_answer =
                place.end > within.start && !control.find(text).any(|(token, _)| is_inside(token));
            is_answer.then_some(place)
        });
        places.next().unwrap_or(within)
    }
}

/// Whether a text is the answer, without blanks at its ends or with other line ends.
fn is_form_of(text: &str, answer: &str) -> bool {
    let equal = |answer: &str| text == answer || (text.trim() == answer.trim() && answer.contains(text));
    equal(answer) || equal(&normalised(answer))
}

/// A text with its line ends as `\n`.
fn normalised(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// Length in bytes of the longest common prefix.
pub(crate) fn common_prefix(a: &str, b: &str) -> usize {
    const BLOCK: usize = 64;
    let (bytes_a, bytes_b) = (a.as_bytes(), b.as_bytes());
    let blocks = bytes_a.chunks_exact(BLOCK).zip(bytes_b.chunks_exact(BLOCK));
    let start = BLOCK * blocks.take_while(|(a, b)| a == b).count();
    let rest = bytes_a[start..].iter().zip(&bytes_b[start..]);
    let equal = start + rest.take_while(|(a, b)| a == b).count();
    (0..=equal).rev().find(|&end| a.is_char_boundary(end) && b.is_char_boundary(end)).unwrap_or(0)
}

/// Length in bytes of the longest common suffix.
fn common_suffix(a: &str, b: &str) -> usize {
    let equal = a.bytes().rev().zip(b.bytes().rev()).take_while(|(a, b)| a == b).count();
    let boundary =
        |length: &usize| a.is_char_boundary(a.len() - length) && b.is_char_boundary(b.len() - length);
    (0..=equal).rev().find(boundary).unwrap_or(0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn found(frame: impl Fn(&str) -> String, answer: &str) -> String {
        let text = frame(answer);
        let sentinels = SENTINELS.map(&frame);
        let end = [(1, "</s>".to_owned())];
        let control = ControlTokens::new(end.into(), None).unwrap();
        text[Frame::new([&sentinels[0], &sentinels[1]]).unwrap().find(&text, answer, &control)].to_owned()
    }

    #[test]
    fn an_answer_is_found_by_its_place() {
        let plain = |answer: &str| format!("<s>user: s</s>assistant: {answer}</s>");
        for answer in ["s", "", "</s>", "s</s>assistant: s", " s \n", "ü", "a\r\nb"] {
            assert_eq!(found(plain, answer), answer);
        }
        assert_eq!(found(|answer| format!("A: {} </s>", answer.trim()), " s\n"), "s");
        assert_eq!(found(|answer| format!("A:{}|", answer.trim_end()), " s\n"), " s");
        assert_eq!(found(|answer| format!("A: {}|", answer.replace("\r\n", "\n")), "a\r\nb "), "a\nb ");
        assert_eq!(found(|answer| format!("A: {}|", answer.trim()), " \n"), "");
    }

    #[test]
    fn a_frame_may_depend_on_the_answer() {
        let long =
            |answer: &str| format!("Q: one{}A: {answer}</s>", if answer.len() > 20 { " long " } else { " " });
        assert_eq!(found(long, "a long answer to it, and more"), "a long answer to it, and more");
        let thought = |answer: &str| match answer.strip_prefix("<think>") {
            Some(rest) => format!("A: <think>{rest}</s>"),
            None => format!("A: <think></think>{answer}</s>"),
        };
        assert_eq!(found(thought, "<think>hm</think>yes"), "<think>hm</think>yes");
        assert_eq!(found(thought, "yes"), "yes");
        // A template that rewrites answers: the question has the same text, but it is not the answer.
        assert_eq!(found(|answer| format!("Q: yes? A: {}</s>", answer.to_uppercase()), "yes"), "YES");
        // The text of the answer begins inside the control token in front of it.
        let turned = |answer: &str| {
            let (start, end) = answer.split_at(answer.chars().next().map_or(0, char::len_utf8));
            format!("Q</s>{end}{start}</s>")
        };
        assert_eq!(found(turned, ">ab"), "ab>");
    }
}

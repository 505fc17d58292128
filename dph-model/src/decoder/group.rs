//! [`Group`]: rows of a forward pass that have one shape.

use burn::tensor::Tensor;

use super::{AttentionLayout, Cache};

/// Rows of a forward pass that have one shape, and what they continue. Matrices are multiplied with the tokens of all groups at once;
/// only attention is computed for each group.
#[derive(Debug)]
pub struct Group<'a> {
    /// Which tokens of the group attend to which.
    pub layout: &'a AttentionLayout,
    /// Earlier tokens of the rows, which the new ones attend to and are added to.
    pub cache: Option<&'a mut Cache>,
}

impl<'a> Group<'a> {
    /// Rows that continue nothing.
    pub fn new(layout: &'a AttentionLayout) -> Self {
        Self { layout, cache: None }
    }

    /// Number of tokens, padding included.
    pub fn tokens(&self) -> usize {
        self.layout.host.rows * self.layout.host.seq
    }
}

/// A function of the tokens of each group, `[tokens of the group, inputs]`, for the tokens of all groups.
pub(super) fn of_each(
    all: Tensor<2>,
    groups: &mut [Group<'_>],
    mut function: impl FnMut(Tensor<2>, &mut Group<'_>) -> Tensor<2>,
) -> Tensor<2> {
    if let [group] = groups {
        return function(all, group);
    }
    let mut first = 0;
    let of_group = |group: &mut Group<'_>| {
        let tokens = all.clone().narrow(0, first, group.tokens());
        first += group.tokens();
        function(tokens, group)
    };
    Tensor::cat(groups.iter_mut().map(of_group).collect(), 0)
}

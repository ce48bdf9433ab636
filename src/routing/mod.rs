//! Which recipient is which phone, and by which rule: a decision with its explanation.

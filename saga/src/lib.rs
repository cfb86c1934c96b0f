//! Steps with undo, journaled so that a process killed anywhere finishes or undoes.

//! The current frame's globals, locals and builtins. Source: `ceval.c`.

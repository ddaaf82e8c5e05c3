//! The instruction table: one row for each opcode of 3.14.
//!
//! A row is `NAME: FAMILY = steps;`. The family is the generic instruction that runs when a guard of a
//! specialized instruction fails. The steps are micro-ops (functions in `crate::ops`), which run in order:
//! - `op/1`, `op/2`, `op/4`: the micro-op takes an operand of that many code units from the inline cache.
//!   `op/[2 1]` takes a tuple of two operands; `unused` inside the brackets skips one unit.
//! - `unused/n`: n code units of cache that this instruction does not read.
//! - `rewind/n`: the next micro-op reads the last n units again.
//! - `top(op)`, `bottom(op)`: the micro-op's argument is the high or the low half of the instruction's
//!   argument.
//!
//! The split into micro-ops is the host's (`_PyOpcode_macro_expansion`), so that tier 2 can use the same
//! functions. Their names are the host's in lower case.

/// Calls `$callback!` with all rows in parsed form: `{ NAME (FAMILY) [(step) (step) …] }` for each. The
/// parentheses after the name are empty for a generic instruction. `for_step!` parses a step.
#[macro_export]
macro_rules! for_each_instruction {
    ($callback:ident) => {
        $crate::take_rows_apart! {
            $callback;
            CACHE = cache;
            BINARY_SLICE = binary_slice;
            BUILD_TEMPLATE = build_template;
            CALL_FUNCTION_EX = make_callargs_a_tuple, do_call_function_ex, check_periodic;
            CHECK_EG_MATCH = check_eg_match;
            CHECK_EXC_MATCH = check_exc_match;
            CLEANUP_THROW = cleanup_throw;
            DELETE_SUBSCR = delete_subscr;
            END_FOR = end_for;
            END_SEND = end_send;
            EXIT_INIT_CHECK = exit_init_check;
            FORMAT_SIMPLE = format_simple;
            FORMAT_WITH_SPEC = format_with_spec;
            GET_AITER = get_aiter;
            GET_ANEXT = get_anext;
            GET_ITER = get_iter;
            RESERVED = reserved;
            GET_LEN = get_len;
            GET_YIELD_FROM_ITER = get_yield_from_iter;
            INTERPRETER_EXIT = interpreter_exit;
            LOAD_BUILD_CLASS = load_build_class;
            LOAD_LOCALS = load_locals;
            MAKE_FUNCTION = make_function;
            MATCH_KEYS = match_keys;
            MATCH_MAPPING = match_mapping;
            MATCH_SEQUENCE = match_sequence;
            NOP = nop;
            NOT_TAKEN = nop;
            POP_EXCEPT = pop_except;
            POP_ITER = pop_top;
            POP_TOP = pop_top;
            PUSH_EXC_INFO = push_exc_info;
            PUSH_NULL = push_null;
            RETURN_GENERATOR = return_generator;
            RETURN_VALUE = return_value;
            SETUP_ANNOTATIONS = setup_annotations;
            STORE_SLICE = store_slice;
            STORE_SUBSCR = specialize_store_subscr/1, store_subscr;
            STORE_SUBSCR_DICT: STORE_SUBSCR = guard_nos_dict, unused/1, store_subscr_dict;
            STORE_SUBSCR_LIST_INT: STORE_SUBSCR = guard_tos_int, guard_nos_list, unused/1, store_subscr_list_int;
            TO_BOOL = specialize_to_bool/1, unused/2, to_bool;
            TO_BOOL_ALWAYS_TRUE: TO_BOOL = unused/1, guard_type_version/2, replace_with_true;
            TO_BOOL_BOOL: TO_BOOL = unused/3, to_bool_bool;
            TO_BOOL_INT: TO_BOOL = unused/3, to_bool_int;
            TO_BOOL_LIST: TO_BOOL = guard_tos_list, unused/3, to_bool_list;
            TO_BOOL_NONE: TO_BOOL = unused/3, to_bool_none;
            TO_BOOL_STR: TO_BOOL = guard_tos_unicode, unused/3, to_bool_str;
            UNARY_INVERT = unary_invert;
            UNARY_NEGATIVE = unary_negative;
            UNARY_NOT = unary_not;
            WITH_EXCEPT_START = with_except_start;
            BINARY_OP = specialize_binary_op/1, unused/4, binary_op;
            BINARY_OP_INPLACE_ADD_UNICODE: BINARY_OP = guard_tos_unicode, guard_nos_unicode, unused/5, binary_op_inplace_add_unicode;
            BINARY_OP_ADD_FLOAT: BINARY_OP = guard_tos_float, guard_nos_float, unused/5, binary_op_add_float;
            BINARY_OP_ADD_INT: BINARY_OP = guard_tos_int, guard_nos_int, unused/5, binary_op_add_int;
            BINARY_OP_ADD_UNICODE: BINARY_OP = guard_tos_unicode, guard_nos_unicode, unused/5, binary_op_add_unicode;
            BINARY_OP_EXTEND: BINARY_OP = unused/1, guard_binary_op_extend/4, rewind/4, binary_op_extend/4;
            BINARY_OP_MULTIPLY_FLOAT: BINARY_OP = guard_tos_float, guard_nos_float, unused/5, binary_op_multiply_float;
            BINARY_OP_MULTIPLY_INT: BINARY_OP = guard_tos_int, guard_nos_int, unused/5, binary_op_multiply_int;
            BINARY_OP_SUBSCR_DICT: BINARY_OP = guard_nos_dict, unused/5, binary_op_subscr_dict;
            BINARY_OP_SUBSCR_GETITEM: BINARY_OP = unused/5, check_pep_523, binary_op_subscr_check_func, binary_op_subscr_init_call, push_frame;
            BINARY_OP_SUBSCR_LIST_INT: BINARY_OP = guard_tos_int, guard_nos_list, unused/5, binary_op_subscr_list_int;
            BINARY_OP_SUBSCR_LIST_SLICE: BINARY_OP = guard_tos_slice, guard_nos_list, unused/5, binary_op_subscr_list_slice;
            BINARY_OP_SUBSCR_STR_INT: BINARY_OP = guard_tos_int, guard_nos_unicode, unused/5, binary_op_subscr_str_int;
            BINARY_OP_SUBSCR_TUPLE_INT: BINARY_OP = guard_tos_int, guard_nos_tuple, unused/5, binary_op_subscr_tuple_int;
            BINARY_OP_SUBTRACT_FLOAT: BINARY_OP = guard_tos_float, guard_nos_float, unused/5, binary_op_subtract_float;
            BINARY_OP_SUBTRACT_INT: BINARY_OP = guard_tos_int, guard_nos_int, unused/5, binary_op_subtract_int;
            BUILD_INTERPOLATION = build_interpolation;
            BUILD_LIST = build_list;
            BUILD_MAP = build_map;
            BUILD_SET = build_set;
            BUILD_SLICE = build_slice;
            BUILD_STRING = build_string;
            BUILD_TUPLE = build_tuple;
            CALL = specialize_call/1, unused/2, maybe_expand_method, do_call, check_periodic;
            CALL_ALLOC_AND_ENTER_INIT: CALL = unused/1, check_pep_523, check_and_allocate_object/2, create_init_frame, push_frame;
            CALL_BOUND_METHOD_EXACT_ARGS: CALL = unused/1, check_pep_523, check_call_bound_method_exact_args, init_call_bound_method_exact_args, check_function_version/2, check_function_exact_args, check_stack_space, check_recursion_remaining, init_call_py_exact_args, save_return_offset, push_frame;
            CALL_BOUND_METHOD_GENERAL: CALL = unused/1, check_pep_523, check_method_version/2, expand_method, check_recursion_remaining, py_frame_general, save_return_offset, push_frame;
            CALL_BUILTIN_CLASS: CALL = unused/3, call_builtin_class, check_periodic;
            CALL_BUILTIN_FAST: CALL = unused/3, call_builtin_fast, check_periodic;
            CALL_BUILTIN_FAST_WITH_KEYWORDS: CALL = unused/3, call_builtin_fast_with_keywords, check_periodic;
            CALL_BUILTIN_O: CALL = unused/3, call_builtin_o, check_periodic;
            CALL_ISINSTANCE: CALL = unused/3, call_isinstance;
            CALL_LEN: CALL = unused/3, guard_nos_null, guard_callable_len, call_len;
            CALL_LIST_APPEND: CALL = unused/3, call_list_append;
            CALL_METHOD_DESCRIPTOR_FAST: CALL = unused/3, call_method_descriptor_fast, check_periodic;
            CALL_METHOD_DESCRIPTOR_FAST_WITH_KEYWORDS: CALL = unused/3, call_method_descriptor_fast_with_keywords, check_periodic;
            CALL_METHOD_DESCRIPTOR_NOARGS: CALL = unused/3, call_method_descriptor_noargs, check_periodic;
            CALL_METHOD_DESCRIPTOR_O: CALL = unused/3, call_method_descriptor_o, check_periodic;
            CALL_NON_PY_GENERAL: CALL = unused/3, check_is_not_py_callable, call_non_py_general, check_periodic;
            CALL_PY_EXACT_ARGS: CALL = unused/1, check_pep_523, check_function_version/2, check_function_exact_args, check_stack_space, check_recursion_remaining, init_call_py_exact_args, save_return_offset, push_frame;
            CALL_PY_GENERAL: CALL = unused/1, check_pep_523, check_function_version/2, check_recursion_remaining, py_frame_general, save_return_offset, push_frame;
            CALL_STR_1: CALL = unused/3, guard_nos_null, guard_callable_str_1, call_str_1, check_periodic;
            CALL_TUPLE_1: CALL = unused/3, guard_nos_null, guard_callable_tuple_1, call_tuple_1, check_periodic;
            CALL_TYPE_1: CALL = unused/3, guard_nos_null, guard_callable_type_1, call_type_1;
            CALL_INTRINSIC_1 = call_intrinsic_1;
            CALL_INTRINSIC_2 = call_intrinsic_2;
            CALL_KW = specialize_call_kw/1, unused/2, maybe_expand_method_kw, do_call_kw;
            CALL_KW_BOUND_METHOD: CALL_KW = unused/1, check_pep_523, check_method_version_kw/2, expand_method_kw, py_frame_kw, save_return_offset, push_frame;
            CALL_KW_NON_PY: CALL_KW = unused/3, check_is_not_py_callable_kw, call_kw_non_py, check_periodic;
            CALL_KW_PY: CALL_KW = unused/1, check_pep_523, check_function_version_kw/2, check_recursion_remaining, py_frame_kw, save_return_offset, push_frame;
            COMPARE_OP = specialize_compare_op/1, compare_op;
            COMPARE_OP_FLOAT: COMPARE_OP = guard_tos_float, guard_nos_float, unused/1, compare_op_float;
            COMPARE_OP_INT: COMPARE_OP = guard_tos_int, guard_nos_int, unused/1, compare_op_int;
            COMPARE_OP_STR: COMPARE_OP = guard_tos_unicode, guard_nos_unicode, unused/1, compare_op_str;
            CONTAINS_OP = specialize_contains_op/1, contains_op;
            CONTAINS_OP_DICT: CONTAINS_OP = guard_tos_dict, unused/1, contains_op_dict;
            CONTAINS_OP_SET: CONTAINS_OP = guard_tos_any_set, unused/1, contains_op_set;
            CONVERT_VALUE = convert_value;
            COPY = copy;
            COPY_FREE_VARS = copy_free_vars;
            DELETE_ATTR = delete_attr;
            DELETE_DEREF = delete_deref;
            DELETE_FAST = delete_fast;
            DELETE_GLOBAL = delete_global;
            DELETE_NAME = delete_name;
            DICT_MERGE = dict_merge;
            DICT_UPDATE = dict_update;
            END_ASYNC_FOR = end_async_for;
            EXTENDED_ARG = extended_arg;
            FOR_ITER = specialize_for_iter/1, for_iter;
            FOR_ITER_GEN: FOR_ITER = unused/1, check_pep_523, for_iter_gen_frame, push_frame;
            FOR_ITER_LIST: FOR_ITER = unused/1, iter_check_list, iter_jump_list, iter_next_list;
            FOR_ITER_RANGE: FOR_ITER = unused/1, iter_check_range, iter_jump_range, iter_next_range;
            FOR_ITER_TUPLE: FOR_ITER = unused/1, iter_check_tuple, iter_jump_tuple, iter_next_tuple;
            GET_AWAITABLE = get_awaitable;
            IMPORT_FROM = import_from;
            IMPORT_NAME = import_name;
            IS_OP = is_op;
            JUMP_BACKWARD = unused/1, specialize_jump_backward, check_periodic, jump_backward_no_interrupt;
            JUMP_BACKWARD_NO_INTERRUPT = jump_backward_no_interrupt;
            JUMP_FORWARD = jump_forward;
            LIST_APPEND = list_append;
            LIST_EXTEND = list_extend;
            LOAD_ATTR = specialize_load_attr/1, unused/8, load_attr;
            LOAD_ATTR_CLASS: LOAD_ATTR = unused/1, check_attr_class/2, unused/2, load_attr_class/4, push_null_conditional;
            LOAD_ATTR_CLASS_WITH_METACLASS_CHECK: LOAD_ATTR = unused/1, check_attr_class/2, guard_type_version/2, load_attr_class/4, push_null_conditional;
            LOAD_ATTR_GETATTRIBUTE_OVERRIDDEN: LOAD_ATTR = unused/1, load_attr_getattribute_overridden/[2 2 4];
            LOAD_ATTR_INSTANCE_VALUE: LOAD_ATTR = unused/1, guard_type_version/2, check_managed_object_has_values, load_attr_instance_value/1, unused/5, push_null_conditional;
            LOAD_ATTR_METHOD_LAZY_DICT: LOAD_ATTR = unused/1, guard_type_version/2, check_attr_method_lazy_dict/1, unused/1, load_attr_method_lazy_dict/4;
            LOAD_ATTR_METHOD_NO_DICT: LOAD_ATTR = unused/1, guard_type_version/2, unused/2, load_attr_method_no_dict/4;
            LOAD_ATTR_METHOD_WITH_VALUES: LOAD_ATTR = unused/1, guard_type_version/2, guard_dorv_values_inst_attr_from_dict, guard_keys_version/2, load_attr_method_with_values/4;
            LOAD_ATTR_MODULE: LOAD_ATTR = unused/1, load_attr_module/[2 1], unused/5, push_null_conditional;
            LOAD_ATTR_NONDESCRIPTOR_NO_DICT: LOAD_ATTR = unused/1, guard_type_version/2, unused/2, load_attr_nondescriptor_no_dict/4;
            LOAD_ATTR_NONDESCRIPTOR_WITH_VALUES: LOAD_ATTR = unused/1, guard_type_version/2, guard_dorv_values_inst_attr_from_dict, guard_keys_version/2, load_attr_nondescriptor_with_values/4;
            LOAD_ATTR_PROPERTY: LOAD_ATTR = unused/1, check_pep_523, guard_type_version/2, unused/2, load_attr_property_frame/4, save_return_offset, push_frame;
            LOAD_ATTR_SLOT: LOAD_ATTR = unused/1, guard_type_version/2, load_attr_slot/1, unused/5, push_null_conditional;
            LOAD_ATTR_WITH_HINT: LOAD_ATTR = unused/1, guard_type_version/2, load_attr_with_hint/1, unused/5, push_null_conditional;
            LOAD_COMMON_CONSTANT = load_common_constant;
            LOAD_CONST = load_const;
            LOAD_DEREF = load_deref;
            LOAD_FAST = load_fast;
            LOAD_FAST_AND_CLEAR = load_fast_and_clear;
            LOAD_FAST_BORROW = load_fast_borrow;
            LOAD_FAST_BORROW_LOAD_FAST_BORROW = top(load_fast_borrow), bottom(load_fast_borrow);
            LOAD_FAST_CHECK = load_fast_check;
            LOAD_FAST_LOAD_FAST = top(load_fast), bottom(load_fast);
            LOAD_FROM_DICT_OR_DEREF = load_from_dict_or_deref;
            LOAD_FROM_DICT_OR_GLOBALS = load_from_dict_or_globals;
            LOAD_GLOBAL = specialize_load_global/1, unused/3, load_global, push_null_conditional;
            LOAD_GLOBAL_BUILTIN: LOAD_GLOBAL = unused/1, guard_globals_version/1, load_global_builtins/[1 1], push_null_conditional;
            LOAD_GLOBAL_MODULE: LOAD_GLOBAL = unused/1, nop, load_global_module/[1 unused 1], push_null_conditional;
            LOAD_NAME = load_name;
            LOAD_SMALL_INT = load_small_int;
            LOAD_SPECIAL = insert_null, load_special;
            LOAD_SUPER_ATTR = specialize_load_super_attr/1, load_super_attr, push_null_conditional;
            LOAD_SUPER_ATTR_ATTR: LOAD_SUPER_ATTR = unused/1, load_super_attr_attr;
            LOAD_SUPER_ATTR_METHOD: LOAD_SUPER_ATTR = unused/1, load_super_attr_method;
            MAKE_CELL = make_cell;
            MAP_ADD = map_add;
            MATCH_CLASS = match_class;
            POP_JUMP_IF_FALSE = unused/1, pop_jump_if_false;
            POP_JUMP_IF_NONE = unused/1, is_none, pop_jump_if_true;
            POP_JUMP_IF_NOT_NONE = unused/1, is_none, pop_jump_if_false;
            POP_JUMP_IF_TRUE = unused/1, pop_jump_if_true;
            RAISE_VARARGS = raise_varargs;
            RERAISE = reraise;
            SEND = specialize_send/1, send;
            SEND_GEN: SEND = unused/1, check_pep_523, send_gen_frame, push_frame;
            SET_ADD = set_add;
            SET_FUNCTION_ATTRIBUTE = set_function_attribute;
            SET_UPDATE = set_update;
            STORE_ATTR = specialize_store_attr/1, unused/3, store_attr;
            STORE_ATTR_INSTANCE_VALUE: STORE_ATTR = unused/1, guard_type_version_and_lock/2, guard_dorv_no_dict, store_attr_instance_value/1;
            STORE_ATTR_SLOT: STORE_ATTR = unused/1, guard_type_version/2, store_attr_slot/1;
            STORE_ATTR_WITH_HINT: STORE_ATTR = unused/1, guard_type_version/2, store_attr_with_hint/1;
            STORE_DEREF = store_deref;
            STORE_FAST = store_fast;
            STORE_FAST_LOAD_FAST = top(store_fast), bottom(load_fast);
            STORE_FAST_STORE_FAST = top(store_fast), bottom(store_fast);
            STORE_GLOBAL = store_global;
            STORE_NAME = store_name;
            SWAP = swap;
            UNPACK_EX = unpack_ex;
            UNPACK_SEQUENCE = specialize_unpack_sequence/1, unpack_sequence;
            UNPACK_SEQUENCE_LIST: UNPACK_SEQUENCE = guard_tos_list, unused/1, unpack_sequence_list;
            UNPACK_SEQUENCE_TUPLE: UNPACK_SEQUENCE = guard_tos_tuple, unused/1, unpack_sequence_tuple;
            UNPACK_SEQUENCE_TWO_TUPLE: UNPACK_SEQUENCE = guard_tos_tuple, unused/1, unpack_sequence_two_tuple;
            YIELD_VALUE = yield_value;
            RESUME = load_bytecode, maybe_instrument, quicken_resume, check_periodic_if_not_yield_from;
            RESUME_CHECK: RESUME = resume_check;
            JUMP_BACKWARD_JIT = unused/1, check_periodic, jump_backward_no_interrupt, jit;
            JUMP_BACKWARD_NO_JIT = unused/1, check_periodic, jump_backward_no_interrupt;
            LOAD_CONST_IMMORTAL = load_const_immortal;
            LOAD_CONST_MORTAL = load_const_mortal;
            INSTRUMENTED_END_FOR = instrumented_end_for;
            INSTRUMENTED_POP_ITER = instrumented_pop_iter;
            INSTRUMENTED_END_SEND = instrumented_end_send;
            INSTRUMENTED_FOR_ITER = unused/1, instrumented_for_iter;
            INSTRUMENTED_INSTRUCTION = instrumented_instruction;
            INSTRUMENTED_JUMP_FORWARD = instrumented_jump_forward;
            INSTRUMENTED_NOT_TAKEN = instrumented_not_taken;
            INSTRUMENTED_POP_JUMP_IF_TRUE = unused/1, instrumented_pop_jump_if_true;
            INSTRUMENTED_POP_JUMP_IF_FALSE = unused/1, instrumented_pop_jump_if_false;
            INSTRUMENTED_POP_JUMP_IF_NONE = unused/1, instrumented_pop_jump_if_none;
            INSTRUMENTED_POP_JUMP_IF_NOT_NONE = unused/1, instrumented_pop_jump_if_not_none;
            INSTRUMENTED_RESUME = load_bytecode, maybe_instrument, check_periodic_if_not_yield_from, monitor_resume;
            INSTRUMENTED_RETURN_VALUE = return_value_event, return_value;
            INSTRUMENTED_YIELD_VALUE = yield_value_event, yield_value;
            INSTRUMENTED_END_ASYNC_FOR = monitor_end_async_for, end_async_for;
            INSTRUMENTED_LOAD_SUPER_ATTR = unused/1, instrumented_load_super_attr, push_null_conditional;
            INSTRUMENTED_CALL = unused/3, maybe_expand_method, monitor_call, instrumented_do_call, check_periodic;
            INSTRUMENTED_CALL_KW = unused/3, maybe_expand_method_kw, monitor_call_kw, instrumented_do_call_kw;
            INSTRUMENTED_CALL_FUNCTION_EX = make_callargs_a_tuple, instrumented_do_call_function_ex, check_periodic;
            INSTRUMENTED_JUMP_BACKWARD = unused/1, check_periodic, monitor_jump_backward;
            INSTRUMENTED_LINE = instrumented_line;
            ENTER_EXECUTOR = enter_executor;
        }
    };
}

/// Parses the rows.
#[doc(hidden)]
#[macro_export]
macro_rules! take_rows_apart {
    ($callback:ident;
     $($name:ident $(: $family:ident)? = $($step:ident $(/ $units:tt)? $(($inner:ident))?),+;)*) => {
        $callback! { $({ $name ($($family)?) [$(($step $(/ $units)? $(($inner))?))+] })* }
    };
}

/// Parses a step. Calls `$callback!` with `$context` and one of:
/// - `skip n`: n code units of cache that are not read. If n is negative, the next step reads them again.
/// - `run micro_op part [operands]`: `part` is the part of the instruction's argument that the micro-op gets
///   (`Whole`, `High` or `Low`). `operands` are the sizes in code units of its operands from the cache, with
///   `unused` for a unit between two of them.
#[macro_export]
macro_rules! for_step {
    ($callback:ident $context:tt (unused / $n:tt)) => { $callback! { $context skip $n } };
    ($callback:ident $context:tt (rewind / $n:tt)) => { $callback! { $context skip -$n } };
    ($callback:ident $context:tt (top($op:ident))) => { $callback! { $context run $op High [] } };
    ($callback:ident $context:tt (bottom($op:ident))) => { $callback! { $context run $op Low [] } };
    ($callback:ident $context:tt ($op:ident / [$($unit:tt)+])) => {
        $callback! { $context run $op Whole [$($unit)+] }
    };
    ($callback:ident $context:tt ($op:ident / $n:tt)) => { $callback! { $context run $op Whole [$n] } };
    ($callback:ident $context:tt ($op:ident)) => { $callback! { $context run $op Whole [] } };
}

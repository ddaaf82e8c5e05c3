//! The table of micro-ops: the steps of instructions and of traces.
//!
//! There are five groups. Micro-ops `everywhere` have a body (a function in `crate::ops`) that every engine
//! can run. Those only in `bytecode` have a body that needs a `BytecodeEngine`. Those only in `traces` have a
//! body that every engine of traces can run. Those of the `engine` are also only in traces, but have no body:
//! they steer the engine, which does their work itself. The names are the host's in lower case, without the
//! underscore.
//!
//! The fifth group are this library's `own` micro-ops, which the host does not have. They are only in traces, and
//! their bodies are like those of `traces`. The host's JIT cannot compile a trace that contains one.
//!
//! A row is `name/operands x copies [needs]: properties;`. Everything but the name is optional:
//! - `/n`, `/[n m]`: operands from the inline cache, with their sizes in code units.
//! - `x n`: traces have copies of the micro-op for the arguments below n, named `name_0` and so on.
//! - `[guard, this | that]`: the micro-ops that must have run before on the same values, so that the
//!   assumptions of the body hold. Of several separated by bars, one is enough.
//! - Properties are those that the host knows (`HAS_…_FLAG`). `arg`, `const`, `name`, `free` and `local` say what the
//!   argument is. `deopt` and `exit`: the micro-op may leave as a guard does. `error`: it may raise.
//!   `error_no_pop`: it may raise with its inputs still on the stack. `escapes`: it may run arbitrary code.
//!   `eval_break`: it checks the eval breaker. `pure`: it only computes. `no_save_ip`: it leaves the frame's
//!   instruction pointer at the previous instruction.
//!
//! The type of a body says what it takes from the stack and what it leaves there. Micro-ops of the engine leave
//! the stack as it is.
//!
//! Micro-ops only in bytecode have no properties, since the host has none for them.

/// Calls `$callback!` with all rows in parsed form: `everywhere { { name (copies) [operands] [(need)…]
/// [properties] }… }`, `bytecode { { name [operands] [(need)…] }… }`, `traces { { name [operands] [(need)…]
/// [properties] }… }`, `engine { { name [properties] }… }` and `own`, which is like `traces`.
#[macro_export]
macro_rules! for_each_micro_op {
    ($callback:ident) => {
        $crate::take_micro_ops_apart! {
            $callback;
            everywhere {
                binary_slice: error escapes;
                build_template: error escapes;
                make_callargs_a_tuple: error error_no_pop escapes;
                check_periodic: eval_break error escapes;
                check_eg_match: error escapes;
                check_exc_match: error error_no_pop escapes;
                delete_subscr: error escapes;
                end_for: escapes no_save_ip;
                end_send: escapes pure;
                exit_init_check: error error_no_pop escapes;
                format_simple: error escapes;
                format_with_spec: error escapes;
                get_aiter: error escapes;
                get_anext: error error_no_pop escapes;
                get_iter: error escapes;
                get_len: error escapes;
                get_yield_from_iter: error error_no_pop escapes;
                load_build_class: error escapes;
                load_locals: error escapes;
                make_function: error escapes;
                match_keys: error escapes;
                match_mapping:;
                match_sequence:;
                nop: pure;
                pop_except: escapes;
                pop_top: escapes pure;
                push_exc_info:;
                push_null: pure;
                return_generator: error escapes;
                return_value: escapes;
                setup_annotations: error escapes;
                store_slice: error escapes;
                store_subscr: error escapes;
                guard_nos_dict: exit;
                store_subscr_dict [guard_nos_dict]: error escapes;
                guard_tos_int: exit;
                guard_nos_list: exit;
                store_subscr_list_int [guard_tos_int, guard_nos_list]: deopt escapes;
                to_bool: error escapes;
                guard_type_version/2: exit;
                replace_with_true [guard_type_version]: escapes;
                to_bool_bool: exit;
                to_bool_int: exit escapes;
                guard_tos_list: exit;
                to_bool_list [guard_tos_list]:;
                to_bool_none: exit;
                guard_tos_unicode: exit;
                to_bool_str [guard_tos_unicode]: escapes;
                unary_invert: error escapes;
                unary_negative: error escapes;
                unary_not: pure;
                with_except_start: error escapes;
                binary_op: arg error error_no_pop escapes;
                guard_nos_unicode: exit;
                binary_op_inplace_add_unicode [guard_tos_unicode, guard_nos_unicode]: local deopt error escapes;
                guard_tos_float: exit;
                guard_nos_float: exit;
                binary_op_add_float [guard_tos_float, guard_nos_float]: error pure;
                guard_nos_int: exit;
                binary_op_add_int [guard_tos_int, guard_nos_int]: error escapes pure;
                binary_op_add_unicode [guard_tos_unicode, guard_nos_unicode]: error pure;
                guard_binary_op_extend/4: deopt escapes;
                binary_op_extend/4 [guard_binary_op_extend]: error escapes pure;
                binary_op_multiply_float [guard_tos_float, guard_nos_float]: error pure;
                binary_op_multiply_int [guard_tos_int, guard_nos_int]: error escapes pure;
                binary_op_subscr_dict [guard_nos_dict]: error escapes;
                check_pep_523: deopt;
                binary_op_subscr_check_func: deopt;
                binary_op_subscr_init_call [check_pep_523, binary_op_subscr_check_func]:;
                push_frame [binary_op_subscr_init_call | create_init_frame | init_call_py_exact_args | py_frame_general | py_frame_kw
                    | py_frame_ex | for_iter_gen_frame | send_gen_frame | load_attr_property_frame]:;
                binary_op_subscr_list_int [guard_tos_int, guard_nos_list]: deopt escapes;
                guard_tos_slice: exit;
                binary_op_subscr_list_slice [guard_tos_slice, guard_nos_list]: error escapes;
                binary_op_subscr_str_int [guard_tos_int, guard_nos_unicode]: deopt escapes;
                guard_nos_tuple: exit;
                binary_op_subscr_tuple_int [guard_tos_int, guard_nos_tuple]: deopt;
                binary_op_subtract_float [guard_tos_float, guard_nos_float]: error pure;
                binary_op_subtract_int [guard_tos_int, guard_nos_int]: error escapes pure;
                build_interpolation: arg error escapes;
                build_list: arg error error_no_pop escapes;
                build_map: arg error escapes;
                build_set: arg error escapes;
                build_slice: arg error;
                build_string: arg error;
                build_tuple: arg error error_no_pop;
                maybe_expand_method: arg escapes;
                check_and_allocate_object/2 [check_pep_523]: arg deopt error error_no_pop escapes;
                create_init_frame [check_and_allocate_object]: arg error error_no_pop escapes;
                check_call_bound_method_exact_args: arg exit;
                init_call_bound_method_exact_args [check_call_bound_method_exact_args]: arg escapes;
                check_function_version/2: arg exit;
                check_function_exact_args [check_function_version]: arg exit;
                check_stack_space [check_function_version]: arg deopt;
                check_recursion_remaining: deopt;
                init_call_py_exact_args x 5 [check_pep_523, check_function_version, check_function_exact_args, check_stack_space, check_recursion_remaining]: arg pure;
                save_return_offset: arg;
                check_method_version/2: arg exit;
                expand_method [check_method_version]: arg escapes;
                py_frame_general [check_pep_523, check_function_version | expand_method, check_recursion_remaining]: arg error error_no_pop escapes;
                call_builtin_class: arg deopt error escapes;
                call_builtin_fast: arg deopt error escapes;
                call_builtin_fast_with_keywords: arg deopt error escapes;
                call_builtin_o: arg exit error escapes;
                call_isinstance: arg deopt error error_no_pop escapes;
                guard_nos_null: deopt;
                guard_callable_len: deopt;
                call_len [guard_nos_null, guard_callable_len]: error error_no_pop escapes;
                call_list_append: arg deopt error escapes;
                call_method_descriptor_fast: arg exit error escapes;
                call_method_descriptor_fast_with_keywords: arg exit error escapes;
                call_method_descriptor_noargs: arg exit error escapes;
                call_method_descriptor_o: arg exit error escapes;
                check_is_not_py_callable: arg exit;
                call_non_py_general [check_is_not_py_callable]: arg error escapes;
                guard_callable_str_1: deopt;
                call_str_1 [guard_nos_null, guard_callable_str_1]: arg error escapes;
                guard_callable_tuple_1: deopt;
                call_tuple_1 [guard_nos_null, guard_callable_tuple_1]: arg error escapes;
                guard_callable_type_1: deopt;
                call_type_1 [guard_nos_null, guard_callable_type_1]: arg escapes;
                call_intrinsic_1: arg error escapes;
                call_intrinsic_2: arg error escapes;
                maybe_expand_method_kw: arg escapes;
                check_method_version_kw/2: arg exit;
                expand_method_kw [check_method_version_kw]: arg escapes;
                py_frame_kw [check_pep_523, check_function_version_kw | expand_method_kw]: arg error escapes;
                check_is_not_py_callable_kw: arg exit;
                call_kw_non_py [check_is_not_py_callable_kw]: arg error escapes;
                check_function_version_kw/2: arg exit;
                compare_op: arg error escapes;
                compare_op_float [guard_tos_float, guard_nos_float]: arg;
                compare_op_int [guard_tos_int, guard_nos_int]: arg deopt;
                compare_op_str [guard_tos_unicode, guard_nos_unicode]: arg;
                contains_op: arg error escapes;
                guard_tos_dict: exit;
                contains_op_dict [guard_tos_dict]: arg error escapes;
                guard_tos_any_set: deopt;
                contains_op_set [guard_tos_any_set]: arg error escapes;
                convert_value: arg error escapes;
                copy: arg pure;
                copy_free_vars: arg;
                delete_attr: arg name error escapes;
                delete_deref: arg free error error_no_pop escapes;
                delete_fast: arg local error escapes;
                delete_global: arg name error error_no_pop escapes;
                delete_name: arg name error error_no_pop escapes;
                dict_merge: arg error escapes;
                dict_update: arg error escapes;
                for_iter_gen_frame [check_pep_523]: arg deopt;
                iter_check_list: exit;
                iter_check_range: exit;
                iter_next_range [iter_check_range, iter_jump_range | guard_not_exhausted_range]: error;
                iter_check_tuple: exit;
                iter_next_tuple [iter_check_tuple, iter_jump_tuple | guard_not_exhausted_tuple]:;
                get_awaitable: arg error escapes;
                import_from: arg name error escapes;
                import_name: arg name error escapes;
                is_op: arg;
                list_append: arg error;
                list_extend: arg error escapes;
                load_attr: arg name error escapes;
                check_attr_class/2: exit;
                load_attr_class/4 [check_attr_class]:;
                push_null_conditional: arg;
                check_managed_object_has_values [guard_type_version]: deopt;
                load_attr_instance_value/1 [guard_type_version, check_managed_object_has_values]: deopt escapes;
                check_attr_method_lazy_dict/1 [guard_type_version]: deopt;
                load_attr_method_lazy_dict/4 [guard_type_version, check_attr_method_lazy_dict]: arg;
                load_attr_method_no_dict/4 [guard_type_version]: arg;
                guard_dorv_values_inst_attr_from_dict [guard_type_version]: deopt;
                guard_keys_version/2 [guard_type_version]: deopt;
                load_attr_method_with_values/4 [guard_type_version, guard_dorv_values_inst_attr_from_dict, guard_keys_version]: arg;
                load_attr_module/[2 1]: deopt escapes;
                load_attr_nondescriptor_no_dict/4 [guard_type_version]: arg escapes;
                load_attr_nondescriptor_with_values/4 [guard_type_version, guard_dorv_values_inst_attr_from_dict, guard_keys_version]: arg escapes;
                load_attr_property_frame/4 [check_pep_523, guard_type_version]: arg deopt;
                load_attr_slot/1 [guard_type_version]: deopt;
                load_attr_with_hint/1 [guard_type_version]: arg name deopt escapes;
                load_common_constant: arg;
                load_deref: arg local error escapes;
                load_fast x 8: arg local pure;
                load_fast_and_clear: arg local;
                load_fast_borrow x 8: arg local pure;
                load_fast_check: arg local error escapes;
                load_from_dict_or_deref: arg free error error_no_pop escapes;
                load_global: arg name error escapes;
                guard_globals_version/1: deopt;
                load_global_builtins/[1 1] [guard_globals_version]: deopt;
                load_global_module/[1 1]: deopt;
                load_name: arg name error escapes;
                load_small_int x 4: arg;
                insert_null:;
                load_special [insert_null]: arg error error_no_pop escapes;
                load_super_attr_attr: arg name deopt error escapes;
                load_super_attr_method: arg name deopt error error_no_pop escapes;
                make_cell: arg free error error_no_pop escapes;
                map_add: arg error escapes;
                match_class: arg error escapes;
                is_none:;
                send_gen_frame [check_pep_523]: arg deopt;
                set_add: arg error escapes;
                set_function_attribute: arg error escapes;
                set_update: arg error escapes;
                store_attr: arg name error escapes;
                guard_type_version_and_lock/2: exit;
                guard_dorv_no_dict [guard_type_version_and_lock]: exit;
                store_attr_instance_value/1 [guard_type_version_and_lock, guard_dorv_no_dict]: escapes;
                store_attr_slot/1 [guard_type_version]: deopt escapes;
                store_attr_with_hint/1 [guard_type_version]: arg name deopt escapes;
                store_deref: arg free escapes;
                store_fast x 8: arg local escapes;
                store_global: arg name error escapes;
                store_name: arg name error escapes;
                swap: arg pure;
                unpack_ex: arg error escapes;
                unpack_sequence: arg error escapes;
                unpack_sequence_list [guard_tos_list]: arg deopt;
                guard_tos_tuple: exit;
                unpack_sequence_tuple [guard_tos_tuple]: arg deopt;
                unpack_sequence_two_tuple [guard_tos_tuple]: arg deopt escapes;
                yield_value: arg escapes;
                check_periodic_if_not_yield_from: arg eval_break error escapes;
                resume_check: deopt;
                load_const_immortal: arg const;
                load_const_mortal: arg const;
            }
            bytecode {
                cache;
                do_call_function_ex [make_callargs_a_tuple];
                cleanup_throw;
                reserved;
                interpreter_exit;
                specialize_store_subscr/1;
                specialize_to_bool/1;
                specialize_binary_op/1;
                specialize_call/1;
                do_call;
                specialize_call_kw/1;
                do_call_kw;
                specialize_compare_op/1;
                specialize_contains_op/1;
                end_async_for;
                extended_arg;
                specialize_for_iter/1;
                for_iter;
                iter_jump_list [iter_check_list];
                iter_next_list [iter_check_list, iter_jump_list];
                iter_jump_range [iter_check_range];
                iter_jump_tuple [iter_check_tuple];
                specialize_jump_backward;
                jump_backward_no_interrupt;
                jump_forward;
                specialize_load_attr/1;
                load_attr_getattribute_overridden/[2 2 4];
                load_const;
                load_from_dict_or_globals;
                specialize_load_global/1;
                specialize_load_super_attr/1;
                load_super_attr;
                pop_jump_if_false;
                pop_jump_if_true;
                raise_varargs;
                reraise;
                specialize_send/1;
                send;
                specialize_store_attr/1;
                specialize_unpack_sequence/1;
                load_bytecode;
                maybe_instrument;
                quicken_resume;
                jit;
                instrumented_end_for;
                instrumented_pop_iter;
                instrumented_end_send;
                instrumented_for_iter;
                instrumented_instruction;
                instrumented_jump_forward;
                instrumented_not_taken;
                instrumented_pop_jump_if_true;
                instrumented_pop_jump_if_false;
                instrumented_pop_jump_if_none;
                instrumented_pop_jump_if_not_none;
                monitor_resume;
                return_value_event;
                yield_value_event;
                monitor_end_async_for;
                instrumented_load_super_attr;
                monitor_call;
                instrumented_do_call;
                monitor_call_kw;
                instrumented_do_call_kw;
                instrumented_do_call_function_ex [make_callargs_a_tuple];
                monitor_jump_backward;
                instrumented_line;
                enter_executor;
            }
            traces {
                load_fast_load_fast: arg local;
                load_fast_borrow_load_fast_borrow: arg local;
                store_fast_load_fast: arg local escapes;
                store_fast_store_fast: arg local escapes;
                for_iter_tier_two: exit error error_no_pop escapes;
                guard_not_exhausted_list [iter_check_list]: exit;
                iter_next_list_tier_two [iter_check_list, guard_not_exhausted_list]: exit escapes;
                guard_not_exhausted_tuple [iter_check_tuple]: exit;
                guard_not_exhausted_range [iter_check_range]: exit;
                check_function_version_inline/[2 4]: exit;
                guard_is_true_pop: exit;
                guard_is_false_pop: exit;
                guard_is_none_pop: exit escapes;
                guard_is_not_none_pop: exit escapes;
                check_stack_space_operand/2: deopt;
                load_const_inline/4: pure;
                pop_top_load_const_inline/4: escapes pure;
                load_const_inline_borrow/4: pure;
                pop_top_load_const_inline_borrow/4: escapes pure;
                pop_two_load_const_inline_borrow/4: escapes pure;
                check_function/2: deopt;
                tier2_resume_check: deopt;
            }
            engine {
                start_executor:;
                make_warm:;
                set_ip:;
                check_validity: deopt;
                jump_to_top:;
                exit_trace: escapes;
                deopt:;
                error_pop_n: arg;
                fatal_error:;
            }
            own {
                guard_returns_to/[4 2]: exit;
                guard_yields_to/[4 2]: exit;
                guard_tos_generator_at/[4 2]: exit;
                guard_nos_generator_at/[4 2]: exit;
                check_function_version_ex/2 [make_callargs_a_tuple]: exit;
                py_frame_ex [check_pep_523, make_callargs_a_tuple, check_function_version_ex, check_recursion_remaining]: error escapes;
                check_is_not_py_callable_ex [make_callargs_a_tuple]: exit;
                call_function_ex_non_py [make_callargs_a_tuple, check_is_not_py_callable_ex]: error escapes;
                guard_exhausted_list [iter_check_list]: exit escapes;
                guard_exhausted_tuple [iter_check_tuple]: exit escapes;
                guard_exhausted_range [iter_check_range]: exit;
                for_iter_exhausted: exit error error_no_pop escapes;
                guard_nos_not_generator: exit;
                send_yields [guard_nos_not_generator]: exit error escapes;
                send_returns [guard_nos_not_generator]: exit error escapes;
                check_globals/[4 4]: deopt;
                guard_nos_type_version/2: exit;
                create_operator_frames/[4 4] [check_pep_523, check_stack_space_operand, check_recursion_remaining]:;
                return_operator: exit escapes;
                create_store_subscr_frames/4 [check_pep_523, check_stack_space_operand, check_recursion_remaining]:;
                return_store_subscr: escapes;
                expand_instance/[2 4]: exit;
                guard_tos_innermost_at/[4 2]: exit;
                guard_nos_innermost_at/[4 2]: exit;
                for_iter_innermost [guard_tos_innermost_at, check_pep_523]: arg escapes;
                send_innermost [guard_nos_innermost_at, check_pep_523]: arg escapes;
                guard_passes_to/[4 2]: exit;
                yield_to_receiver [guard_passes_to]: arg escapes;
                guard_nos_array/[4 4]: exit;
                guard_tos_iterator/4: exit;
                guard_consumer: arg exit;
                enter_consumer [guard_consumer, check_pep_523, check_stack_space_operand, check_recursion_remaining]: arg;
                return_consumer: escapes;
                return_consumer_only:;
                add_to_sum: exit error error_no_pop;
            }
        }
    };
}

/// Parses the rows.
#[doc(hidden)]
#[macro_export]
macro_rules! take_micro_ops_apart {
    ($callback:ident;
     everywhere { $($name:ident $(/ $operands:tt)? $(x $copies:literal)? $([$($($need:ident)|+),+])?:
                    $($flag:ident)*;)* }
     bytecode { $($tier1:ident $(/ $tier1_operands:tt)? $([$($($tier1_need:ident)|+),+])?;)* }
     traces { $($trace:ident $(/ $trace_operands:tt)? $([$($($trace_need:ident)|+),+])?: $($trace_flag:ident)*;)* }
     engine { $($engine:ident: $($engine_flag:ident)*;)* }
     own { $($own:ident $(/ $own_operands:tt)? $([$($($own_need:ident)|+),+])?: $($own_flag:ident)*;)* }) => {
        $callback! {
            everywhere {
                $({ $name ($($copies)?) [$($operands)?] [$($(($($need)+))+)?] [$($flag)*] })*
            }
            bytecode { $({ $tier1 [$($tier1_operands)?] [$($(($($tier1_need)+))+)?] })* }
            traces { $({ $trace [$($trace_operands)?] [$($(($($trace_need)+))+)?] [$($trace_flag)*] })* }
            engine { $({ $engine [$($engine_flag)*] })* }
            own { $({ $own [$($own_operands)?] [$($(($($own_need)+))+)?] [$($own_flag)*] })* }
        }
    };
}

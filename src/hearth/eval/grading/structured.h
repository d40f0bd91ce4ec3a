#pragma once
// Two JSON values compared: leaf by leaf with a share of what is right, or strictly. Pure.

#include "hearth/eval/grading/grader.h"

namespace hearth::eval {

// Score: matched leaves over the leaves of both that have no partner counted once. A leaf is a value that is
// no list and no table. Lists are sets unless named in `ordered` ("steps", "plan.days"; '*' is every key).
// Numbers may come as text; texts are compared by normal_text unless their path is in `case_counts`.
Grade grade_structured(const StructuredSpec& spec, const Json& given);

// Kinds, order and letters count; numbers within a relative tolerance.
bool is_same_value(const Json& a, const Json& b, double tolerance);
bool is_close(double a, double b, double tolerance);

}  // namespace hearth::eval

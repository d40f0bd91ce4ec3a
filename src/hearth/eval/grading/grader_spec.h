#pragma once
// How an item's answer is graded: plain data, one struct a kind. What grades with it is
// eval/grading/grader.h; how it is written in item.toml is in docs/formats/eval_item.md.

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "hearth/base/json.h"

namespace hearth::eval {

struct NamedText {
  std::string name;
  std::string text;
};

// Python that is run. The answer's code and the expected values never meet in one process.
struct CodeSpec {
  struct Case {
    std::string name;
    Json input;     // arguments as a list
    Json expected;  // unless a check decides
    double weight = 1;
  };
  std::string function;          // what the answer must define
  std::string probe;             // Python; empty: call the function with the arguments
  std::string check;             // Python; empty: the observed value must match the expected
  std::vector<NamedText> files;  // beside the answer, read-only
  std::vector<Case> cases;
  double tolerance = 1e-9;  // relative, for numbers
  std::uint32_t case_seconds = 5;
};

// The text after the last "Answer:" equals one of `accepted`, letters' case and spaces apart.
struct ExactSpec {
  std::vector<std::string> accepted;
};

// A JSON value that is compared leaf by leaf.
struct StructuredSpec {
  Json expected;
  double tolerance = 1e-9;               // relative, for numbers
  std::vector<std::string> ordered;      // paths of lists whose order counts; other lists are sets
  std::vector<std::string> case_counts;  // paths of texts whose letters' case counts
};

// One number or expression after the last "Answer:".
struct FinalAnswerSpec {
  std::string value;       // "3/4", "2*sqrt(3)", "12.5"
  std::string unit;        // "km"; others of the same kind are converted; empty: none
  double tolerance = 1e-6;  // relative
  bool unit_required = false;
};

// A plan of calls, carried out in a world of rules.
struct PlanSpec {
  struct Rule {
    std::string condition;  // eval/grading/expression.h
    std::string reason;     // what the world says when it does not hold
  };
  struct Effect {
    std::string target;  // a path
    std::string value;   // an expression
  };
  struct Tool {
    std::string name;
    std::vector<std::string> parameters;
    std::vector<Rule> rules;
    std::vector<Effect> effects;
  };
  struct Goal {
    std::string name;
    std::string condition;
    double weight = 1;
  };
  Json state;
  std::vector<Tool> tools;
  std::vector<Goal> goals;    // judged on the last state
  std::vector<Goal> never;    // states that cost `weight` when reached at any moment
  std::uint32_t calls_max = 64;
};

// For a judge. Every criterion is answered with yes or no.
struct RubricSpec {
  struct Criterion {
    std::string id;
    std::string text;
    double weight = 1;  // negative: a fault, which subtracts
  };
  std::vector<Criterion> criteria;
};

using GraderSpec =
    std::variant<RubricSpec, CodeSpec, ExactSpec, StructuredSpec, FinalAnswerSpec, PlanSpec>;

std::string_view grader_kind(const GraderSpec& spec);  // "rubric", "code", "exact", "structured", "final", "plan"
bool needs_judge(const GraderSpec& spec);              // rubrics only
// All of it, for digests and for people.
Json grader_json(const GraderSpec& spec);

}  // namespace hearth::eval

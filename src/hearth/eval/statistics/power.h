#pragma once
// How sure a study can be, before it is run. The model of a score:
//
//   y = arm + prompt difficulty + (arm x prompt) + sampling noise + judge noise
//   Var of one prompt's difference = 2 (sigma_prompt^2 + sigma_generation^2 / K + sigma_judge^2 / (K J))
//   SE = sqrt(that / N)
//
// Difficulty cancels. Only more prompts reduce sigma_prompt. Pure; scores are shares, 0 to 1.

#include <cstdint>
#include <optional>

#include "hearth/eval/statistics/sequential.h"

namespace hearth::eval {

struct NoiseModel {
  double sigma_prompt = 0.01;      // how unlike the arms' strengths are from prompt to prompt
  double sigma_generation = 0.12;  // sampling
  double sigma_judge = 0.05;
  std::uint32_t judge_repeats = 1;

  double difference_variance(double generations) const;
  double standard_error(double prompts, double generations) const;
};

// Planning values (before a pilot) for arms ever less alike.
NoiseModel near_copies();    // a quantisation against a larger one of the same weights
NoiseModel rough_copies();   // two to three bits against eight
NoiseModel other_models();   // another model altogether

// Pass/fail items: `within_share` of the variance is sampling, the rest difficulty.
NoiseModel pass_fail(double pass_rate, double within_share);

// The smallest margin that a tie passes with probability `power`, one-sided at alpha, by normal
// quantiles (`margin80` of the tables).
double resolvable_margin(double standard_error, double power, double alpha = 0.05);

// Probability that the ordinary one-look test with df degrees of freedom passes.
double pass_probability(double difference, double margin, double standard_error,
                        double degrees_of_freedom, double alpha = 0.05);

// Prompts needed at K generations for `margin` at a true tie.
std::uint32_t prompts_needed(const NoiseModel& noise, double generations, double margin,
                             double power = 0.8, double alpha = 0.05);

// Information at K generations as a share of that at K_max.
double information_fraction(const NoiseModel& noise, double generations, double generations_max);

// Two-sided McNemar bound: the smallest difference that `items` pass/fail items with one run show.
double paired_pass_fail_bound(double disagreement_rate, double items, double power = 0.8,
                              double alpha = 0.05);

}  // namespace hearth::eval

#pragma once
// Scores of two arms on the same prompts, and their differences prompt by prompt: the sample that
// every interval and test of the bench works on. A prompt's difficulty cancels in the difference.
//
// What is drawn at random is a cluster: a prompt, or several prompts over one document. Clusters
// lie in classes (code, writing, ...), which have fixed weights. Generations of a prompt are
// averaged before and never resampled: their noise is in the average already.
//
// Pure values. The order in which prompts are given does not matter, to the last bit.

#include <map>
#include <span>
#include <string>
#include <vector>

#include "hearth/base/result.h"

namespace hearth::eval {

// Scores are shares, 0 to 1; one for each generation, repeats of the judge averaged.
struct PromptScores {
  std::string prompt;
  std::string prompt_class;
  std::string cluster = {};  // source document; empty: the prompt stands alone
  std::vector<double> candidate;
  std::vector<double> reference;
};

// Of one cluster: the sum of its prompts' differences, and how many prompts.
struct Cluster {
  double sum = 0;
  double prompts = 0;
};

struct PromptClass {
  std::string name;
  double weight = 1;  // all of a sample add up to 1
  std::vector<Cluster> clusters;
};

struct PairedSample {
  std::vector<PromptClass> classes;  // by name
};

struct PairingOptions {
  // D = candidate - reference_factor * reference. 1: plain difference; 1 - m: the linear form of a
  // relative margin m, which then holds if D is above 0.
  double reference_factor = 1;
  // By class, in any unit; empty: all alike. Otherwise every class of the prompts must be named.
  std::map<std::string, double> class_weights = {};
};

// invalid_argument, naming the prompt: a prompt twice, an arm without scores, a score that is no
// number, a cluster in two classes; naming the class: a weight missing or not above 0.
Result<PairedSample> pair_scores(std::span<const PromptScores> prompts,
                                 const PairingOptions& options = {});

// One class, each difference a cluster of its own.
PairedSample sample_of(std::span<const double> differences);

// Why no interval may be computed from these scores at all; empty: it may. Few pass/fail prompts
// with one generation each give intervals that miss three times as often as they say.
std::string interval_refusal(std::span<const PromptScores> prompts);

}  // namespace hearth::eval

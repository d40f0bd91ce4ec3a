#include "hearth/eval/statistics/non_inferiority.h"

#include <algorithm>
#include <numeric>

#include "hearth/base/check.h"

namespace hearth::eval {

Result<MarginTest> test_margin(const PairedSample& sample, const SequentialDesign& design,
                               const MarginTestOptions& options) {
  CHECK(options.look < design.looks().size() && options.margin >= 0);
  MarginTest out{.estimate = {}, .margin = options.margin};
  out.estimate = TRY(estimate(sample));
  const double tested = -options.margin;
  const BootstrapT bootstrap(sample, out.estimate, options.seed, options.resamples);
  out.ci95 = design.interval(options.look, out.estimate, tested, 0.95);
  const Interval ci90 = design.interval(options.look, out.estimate, tested, 0.90);
  out.lower95 = ci90.low;
  out.upper95 = ci90.high;
  out.is_equivalent = ci90.low > tested && ci90.high < options.margin;
  out.p = out.estimate.p_above(tested);
  out.bootstrap_p = bootstrap.p_above(tested);
  out.nominal_p = design.looks()[options.look].nominal_p;
  out.t_passes = out.p <= out.nominal_p;
  // Beyond its resolution the bootstrap has no opinion.
  out.bootstrap_passes = out.bootstrap_p <= std::max(out.nominal_p, bootstrap.p_resolved());
  return out;
}

std::vector<double> holm_adjusted(std::span<const double> p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return p[i]; });
  std::vector<double> out(p.size());
  double running = 0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    const double scaled = p[order[rank]] * static_cast<double>(p.size() - rank);
    running = std::max(running, std::min(scaled, 1.0));
    out[order[rank]] = running;
  }
  return out;
}

std::vector<bool> holm(std::span<const double> p, double alpha) {
  std::vector<bool> out;
  for (const double adjusted : holm_adjusted(p)) out.push_back(adjusted <= alpha);
  return out;
}

}  // namespace hearth::eval

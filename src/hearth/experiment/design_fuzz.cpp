// Any text: a design that parses can be walked from its beginning to its end, whatever its steps say.
#include <cstdint>
#include <string_view>

#include "hearth/base/check.h"
#include "hearth/experiment/course.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth::experiment;
  const auto design = parse_design({reinterpret_cast<const char*>(data), size}, "experiment.toml");
  if (!design) return 0;
  Course course(*design);
  for (std::size_t i = 0; i < 2 * phases_max * (steps_max + 2); ++i) {
    const Action action = course.next();
    if (action.kind == Action::Kind::nothing) return 0;
    const PhaseDesign& phase = design->phases[action.phase];
    Event event{.phase = phase.name};
    if (action.kind == Action::Kind::start_phase) event.digest = predictions_digest(phase);
    if (action.kind == Action::Kind::run_step) {
      event.kind = Event::Kind::step_ended;
      event.step = phase.steps[action.step].name;
    }
    if (action.kind == Action::Kind::judge_gate) {
      event.kind = Event::Kind::gate_judged;
      event.open = true;
      (void)judge_gate(phase, {});
    }
    if (action.kind == Action::Kind::decide) {
      event.kind = Event::Kind::decided;
      event.text = decide(*design, {});
    }
    const auto again = parse_event(hearth::dump_json(event_json(event)));
    CHECK(again.has_value() && *again == event);
    CHECK(course.apply(event).has_value());
  }
  CHECK(false);  // it never ends
}

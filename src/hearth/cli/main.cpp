// hearth: the program people run. Builds what a verb needs and runs it; no logic here.

#include "hearth/base/log.h"
#include "hearth/cli/environment.h"
#include "hearth/cli/interrupt.h"
#include "hearth/cli/verbs.h"

int main(int argc, char** argv) {
  using namespace hearth::cli;
  raise_file_limit();
  InterruptWatcher interrupts(ends_with_input_variable());
  hearth::start_log("hearth", hearth::LogLevel::warning);
  const hearth::StopToken stop = interrupts.token();
  return run_command_line(
      argc, argv,
      "hearth: move a slice of your work from a cloud model to an open model on machines you own.",
      "hearth " HEARTH_VERSION,
      {serve_verb(stop), run_verb(stop), demo_verb(stop), plan_verb(stop), catalog_verb(),
       eval_verb(stop), experiment_verb(stop), model_verb(stop), kv_verb(stop),
       cluster_verb(stop), node_verb(stop), up_verb(stop), status_verb(stop), route_verb(),
       egress_verb(stop), vault_verb(stop), seal_verb(stop), check_verb(stop), bench_verb(stop),
       voice_verb(), chat_verb(interrupts), session_verb(stop, interrupts), memory_verb(stop),
       write_verb(stop)});
}

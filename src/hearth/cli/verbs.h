#pragma once
// One function a verb, each in a file of its own: NAME_verb.cpp. To add one: write the file, name
// it here and in main.cpp.

#include "hearth/base/stop.h"
#include "hearth/cli/command_line.h"
#include "hearth/cli/interrupt.h"

namespace hearth::cli {

Verb bench_verb(StopToken stop);
Verb catalog_verb();
Verb check_verb(StopToken stop);
Verb chat_verb(InterruptWatcher& interrupts);
Verb cluster_verb(StopToken stop);
Verb demo_verb(StopToken stop);
Verb egress_verb(StopToken stop);
Verb eval_verb(StopToken stop);
Verb experiment_verb(StopToken stop);
Verb eval_lint_verb(StopToken stop);  // children of eval
Verb eval_chain_verb(StopToken stop);  // children of eval
Verb eval_kl_verb(StopToken stop);
Verb eval_voice_verb();
Verb eval_lint_verb(StopToken stop);
Verb eval_ls_verb();
Verb eval_show_verb();
Verb kv_verb(StopToken stop);
Verb model_pull_verb(StopToken stop);  // child of model
Verb memory_verb(StopToken stop);
Verb model_verb(StopToken stop);
Verb node_verb(StopToken stop);
Verb plan_verb(StopToken stop);
Verb probe_verb(StopToken stop);  // child of node
Verb route_verb();
Verb run_verb(StopToken stop);
Verb seal_verb(StopToken stop);
Verb serve_verb(StopToken stop);
Verb status_verb(StopToken stop);
Verb up_verb(StopToken stop);
Verb vault_verb(StopToken stop);
Verb voice_verb();
Verb session_verb(StopToken stop, InterruptWatcher& interrupts);
Verb write_verb(StopToken stop);

}  // namespace hearth::cli

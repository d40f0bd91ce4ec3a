#include "hearth/cluster/prefill_run.h"
